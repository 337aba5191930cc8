#!/usr/bin/env python3
"""The curve of a switch under more calls than it can serve: a JSON line for each multiple of its capacity.

For a quiet machine: the switch has one processor, or a share of one (`--share`, which needs root), tandem-load another: so
that what is offered can be many times what is served. What is judged does not depend on how fast they are:
no BYE is refused, every call that a caller was told to be answered has a record, and after the overload calls at half the
capacity all complete."""
import argparse
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers"))
from peers import *  # noqa: E402,F403


def offer(switch, port, rate, seconds, log=None):
    """Calls at `rate` whatever becomes of them, and what the switch made of them."""
    before = switch.metrics()
    options = ["--seconds", seconds, "--rate", rate, "--patience", 0, "--invite-timeout", 4000]
    if log:
        options += ["--answered-log", log]
    cpu = "1" if os.cpu_count() > 1 else "0"
    command = ["taskset", "-c", cpu, LOAD, "--target", switch.target, "--from", CUSTOMER,
               "--uas", "127.0.0.1:%d" % port, *map(str, options)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120)
    expect(run.stdout.startswith("{"), "tandem-load said nothing", run.stderr)
    report = json.loads(run.stdout)
    after = switch.metrics()
    for name in ("refused", "dropped", "waited"):
        key = "tandem_sip_overload_%s_total" % name
        report["switch_" + name] = int(after[key] - before[key])
    bad = {cause: count for cause, count in report["failed"].items()
           if "bye" in cause and not cause.endswith("timeout")}
    expect(not bad, "no BYE is refused", report)
    return report


def is_clean(report):
    return report["completed"] == report["started"]


def find_capacity(switch, port, seconds):
    """The highest rate, within a tenth, at which every call completes."""
    low, high = 0, 100
    while is_clean(offer(switch, port, high, seconds)):
        low, high = high, 2 * high
        if high > 256_000:
            break
    while low and high - low > low / 10:
        middle = (low + high) // 2
        if is_clean(offer(switch, port, middle, seconds)):
            low = middle
        else:
            high = middle
    expect(low > 0, "100 calls a second complete")
    return low


@contextlib.contextmanager
def held_to(share):
    """What starts a program so that it has a share of one processor: a control group with a quota in each 20 ms."""
    if share >= 1:
        yield []
        return
    period_us = 20_000
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        root, limits = "/sys/fs/cgroup", {"cpu.max": "%d %d" % (share * period_us, period_us)}
    else:
        root, limits = "/sys/fs/cgroup/cpu", {"cpu.cfs_period_us": period_us, "cpu.cfs_quota_us": int(share * period_us)}
    group = "%s/tandem-curve-%d" % (root, os.getpid())
    os.mkdir(group)
    try:
        for name, value in limits.items():
            with open(os.path.join(group, name), "w") as out:
                out.write(str(value))
        yield ["sh", "-c", 'echo $$ >%s/cgroup.procs && exec "$@"' % group, "sh"]
    finally:
        os.rmdir(group)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of each point (5)")
    parser.add_argument("--capacity", type=int, help="calls a second; found when it is not given")
    parser.add_argument("--multiples", default="0.5,1,2,5,10", help="of the capacity (0.5,1,2,5,10)")
    parser.add_argument("--share", type=float, default=1, help="of one processor that the switch has (1)")
    options = parser.parse_args()
    port = free_port()
    vendors = [{"id": "v1", "addresses": ["127.0.0.1:%d" % port]}]
    with held_to(options.share) as runner, Switch("overload-curve", vendors, cpus="0", runner=runner) as switch:
        capacity = options.capacity or find_capacity(switch, port, 2)
        answered, best = set(), 0
        for multiple in [float(text) for text in options.multiples.split(",")]:
            log = os.path.join(switch.folder, "answered")
            report = offer(switch, port, capacity * multiple, options.seconds, log)
            with open(log) as lines:
                answered.update(line.split()[0] for line in lines if line.strip())
            os.remove(log)
            per_s = report["completed"] / options.seconds
            best = max(best, per_s)
            print(json.dumps({
                "multiple": multiple, "capacity": capacity, "offered_per_s": round(report["rate"], 1),
                "completed_per_s": round(per_s, 1), "of_peak": round(per_s / best, 3) if best else 0,
                "setup_p99_ms": report["setup_ms"]["p99"], "refused": report["switch_refused"],
                "not_answered": report["switch_dropped"], "waited": report["switch_waited"],
                "retransmissions": report["retransmissions"], "failed": report["failed"]}), flush=True)
        after = offer(switch, port, capacity / 2, options.seconds)
        expect(is_clean(after), "after the overload half the capacity completes", after)
        print(json.dumps({"multiple": "after", "offered_per_s": round(after["rate"], 1),
                          "completed_per_s": round(after["completed"] / options.seconds, 1),
                          "setup_p99_ms": after["setup_ms"]["p99"]}), flush=True)
        switch.expect_idle(40)

        def unrecorded():
            known = {record["call_id"] for record in switch.cdrs(limit=10_000_000)}
            return answered - known
        wait_until(lambda: not unrecorded(), 30, "every answered call has a record")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("overload_curve: %s" % failure)
