#!/usr/bin/env python3
"""Many calls for long: nothing is lost, nothing is billed wrongly, nothing grows."""
from peers import *


@contextlib.contextmanager
def real_time():
    """Runs this process, and what it starts, before all ordinary ones; False where the system refuses."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def waited_seconds(pid):
    """For how long the threads of a process wanted to run and did not."""
    waited_ns = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        with contextlib.suppress(OSError), open("/proc/%d/task/%s/schedstat" % (pid, thread)) as file:
            waited_ns += int(file.read().split()[1])
    return waited_ns / 1e9


def stolen_seconds():
    """Time that the host of this machine took away from its processors."""
    return int(open("/proc/stat").readline().split()[8]) / os.sysconf("SC_CLK_TCK")


def talking_calls():
    """500 simultaneous calls with RTP for a minute: every record, its talk time, its packets and its money."""
    calls, hold_s, ptime = 500, 60, 20
    port = free_port()
    with real_time() as has_precedence, \
            Switch("soak-rtp", [{"id": "v1", "addresses": ["127.0.0.1:%d" % port]}], media="on", media_ports=2100,
                   cpus="0,1") as switch:
        stolen = stolen_seconds()
        report = load(switch, port, "--calls", calls, "--rate", 50, "--hold", hold_s * 1000, "--rtp", "--ptime", ptime,
                      "--patience", 20000)
        print("tandem-load: %s" % json.dumps(report))
        expect(report["completed"] == calls and report["live_max"] == calls, "500 calls at once, all completed", report)
        expect(report["rtp_misdelivered"] == 0, "no packet went to another call", report)
        lost = report["rtp_lost"] / report["rtp_sent"]
        print("packets lost: %.3f %%, %d of them for want of room at the relay's ports; the switch waited %.1f s for a "
              "processor, the host of this machine took away %.1f s"
              % (lost * 100, switch.metrics()['tandem_media_packets_dropped_total{cause="overflow"}'],
                 waited_seconds(switch.process.pid), stolen_seconds() - stolen))
        # 50,000 packets a second want most of one processor, for the relay and the generator together. Before other
        # programs they have it; among them they have it on a quiet machine only, and what is lost says nothing.
        if has_precedence:
            expect(lost <= 0.005, "at most 0.5 % lost", report)
        else:
            not_run("the judgement of lost packets, which needs SCHED_RR")
        records = switch.wait_cdrs(calls)
        expect(len({r["call_id"] for r in records}) == calls, "each call once")
        expect(all(r["end_reason"] == "NormalCallClearing" for r in records), "all ended normally")
        # The clock of the caller starts when it gets the 200; what the switch adds is its own part of the set-up.
        expect(all(hold_s * 1000 - 1000 <= r["talk_time_ms"] <= hold_s * 1000 + 5000 for r in records),
               "talk times are right", sorted(r["talk_time_ms"] for r in records)[::50])
        expect_charges_right(records)
        expect_money_fits(switch, records)
        passed = [(r["media"][a]["packets_received"], r["media"][b]["packets_sent"])
                  for r in records for a, b in (("caller", "callee"), ("callee", "caller"))]
        received, sent = sum(p[0] for p in passed), sum(p[1] for p in passed)
        print("relay: %d packets received, %d sent; tandem-load: %d sent, %d received"
              % (received, sent, report["rtp_sent"], report["rtp_received"]))
        expect(all(p[0] >= 0.5 * (hold_s - 1) * 1000 / ptime for p in passed), "each direction of each call had its packets",
               sorted(p[0] for p in passed)[:10])
        expect(report["rtp_received"] <= sent <= received <= report["rtp_sent"], "packets are counted right")
        switch.expect_idle()


def short_calls():
    """100,000 short calls in a row: memory, descriptors, ports and leases are afterwards what they were before."""
    calls = 100000
    port = free_port()
    with Switch("soak-short", [{"id": "v1", "addresses": ["127.0.0.1:%d" % port]}], media="on",
                media_ports=12000) as switch:
        rate = 1200
        # The first calls warm up: pools reach their size, 32 s of finished transactions and 2 s of resting media
        # ports among them.
        warm = load(switch, port, "--calls", rate * 35, "--rate", rate, "--patience", 20000)
        print("warm-up: %s" % json.dumps(warm))
        switch.expect_idle()
        fds, rss = switch.fds(), switch.rss_bytes()
        report = load(switch, port, "--calls", calls, "--rate", rate, "--patience", 20000, "--progress")
        print("tandem-load: %s" % json.dumps(report))
        expect(report["completed"] == calls, "every call completes", report)
        switch.expect_idle()
        print("RSS %.1f -> %.1f MB, descriptors %d -> %d" % (rss / 1e6, switch.rss_bytes() / 1e6, fds, switch.fds()))
        # The pool of ports follows the highest demand of any two seconds; a descriptor lost by each call would be 100,000.
        expect(switch.fds() <= fds * 1.1 + 4, "descriptors did not grow", fds, switch.fds())
        wait_until(lambda: switch.metrics()["tandem_journal_waiting"] == 0, 60, "the journal is written")
        expect(switch.rss_bytes() <= rss * 1.15 + 8e6, "memory did not grow", rss, switch.rss_bytes())
        records = switch.wait_cdrs(calls + warm["started"], 120)
        expect(len({r["call_id"] for r in records}) == calls + warm["started"], "each call once")
        expect_money_fits(switch, records)


if __name__ == "__main__":
    main({f.__name__: f for f in (talking_calls, short_calls)})
