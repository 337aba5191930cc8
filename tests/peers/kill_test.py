#!/usr/bin/env python3
"""Kill -9 at random moments under load, and start again on the same folder: every call that a caller was told to be
answered is in the records exactly once, and balances are what the records say."""
import random

from peers import *

KILLS = int(os.environ.get("TANDEM_KILLS", "200"))
SEED = int(os.environ.get("TANDEM_SEED", str(time.time_ns() & 0xFFFFFF)))


def kill_under_load():
    rng = random.Random(SEED)
    print("seed %d, %d kills" % (SEED, KILLS), flush=True)
    port = free_port()
    switch = Switch("kill", [{"id": "v1", "addresses": ["127.0.0.1:%d" % port]}], workers=2, media="off",
                    parameters={"interim_mark_s": 1})
    log = os.path.join(switch.folder, "answered.log")
    switch.start()
    # T1 and the time limits are short, so that calls cut by a kill are over soon and are not repeated into the next
    # life of the switch, where an INVITE would be another call with the same Call-ID.
    caller = start_load(switch, port, "--seconds", 3600, "--rate", 120, "--hold", 300, "--ring", 10, "--t1", 500,
                        "--invite-timeout", 400, "--patience", 20000, "--hangup", "alternate", "--answered-log", log)
    starts = []
    for _ in range(KILLS):
        time.sleep(rng.uniform(0.02, 1.0))
        expect(switch.is_alive(), "the switch was alive until it was killed", switch.log_text())
        switch.kill()
        begin = time.monotonic()
        switch.start()
        starts.append(time.monotonic() - begin)
    time.sleep(1)
    caller.terminate()
    report = end_load(caller, may_fail=True)
    print("tandem-load: %s" % json.dumps(report))
    print("start after a kill: median %.0f ms, longest %.0f ms"
          % (sorted(starts)[len(starts) // 2] * 1000, max(starts) * 1000))
    switch.stop()
    switch.start()  # once more, so that what was in flight at the end is recovered as well
    wait_until(lambda: switch.metrics()["tandem_journal_waiting"] == 0, 20, "the journal is written")
    previous = -1
    while previous != (previous := len(switch.cdrs())):
        time.sleep(2.5)  # a record is visible within 2 s

    records = switch.cdrs()
    with open(log) as file:
        answered = [line.split()[0] for line in file]
    by_call = {}
    for record in records:
        if record["answered_at_us"]:
            by_call.setdefault(record["call_id"], []).append(record)
    lost = [call for call in answered if call not in by_call]
    repeated = [call for call in answered if len(by_call.get(call, [])) > 1]
    crashed = sum(r["end_reason"] == "ServerCrash" for r in records)
    print("%d answered calls at the callers, %d records, %d of them ServerCrash, %d lost, %d twice"
          % (len(answered), len(records), crashed, len(lost), len(repeated)))
    expect(len(set(answered)) == len(answered), "a caller is answered once")
    expect(not lost, "answered calls without a record", len(lost), lost[:10])
    expect(not repeated, "answered calls with several records", len(repeated), [by_call[c] for c in repeated[:2]])
    expect(len({r["record_id"] for r in records}) == len(records), "record_id is unique")
    expect(crashed > 0, "kills met calls that were up")
    expect_charges_right(records)
    expect_money_fits(switch, records)
    switch.expect_idle()
    switch.stop()


if __name__ == "__main__":
    main({"kill_under_load": kill_under_load})
