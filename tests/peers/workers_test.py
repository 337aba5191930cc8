#!/usr/bin/env python3
"""One fat trunk through 1, 2 and 4 workers: no call is lost and the calls spread evenly."""
import os

from peers import *

RATE = int(os.environ.get("TANDEM_CALLS_PER_S", 400))  # a sanitizer takes ten times the processor


def spread(workers):
    port = free_port()
    with Switch("workers-%d" % workers, [{"id": "v1", "addresses": ["127.0.0.1:%d" % port]}], workers=workers) as switch:
        report = load(switch, port, "--calls", 2000, "--rate", RATE, "--hold", 1000, "--hangup", "alternate")
        expect(report["completed"] == 2000, "every call completes", report)
        by_worker = [switch.metrics()['tandem_worker_calls_total{worker="%d"}' % i] for i in range(workers)]
        print("%d workers: %s" % (workers, by_worker))
        share = 2000 / workers
        expect(sum(by_worker) == 2000 and all(abs(calls - share) <= 0.2 * share for calls in by_worker),
               "calls spread evenly", by_worker)
        records = switch.wait_cdrs(2000)
        expect(len({r["call_id"] for r in records}) == 2000, "each call once")
        expect_charges_right(records)
        expect_money_fits(switch, records)
        switch.expect_idle()


def one_worker():
    spread(1)


def two_workers():
    spread(2)


def four_workers():
    spread(4)


def closed_port():
    """A vendor without a listener is passed over as soon as the kernel says so, whichever worker is told (R-15)."""
    dead, alive = free_port(), free_port()
    vendors = [{"id": "dead", "addresses": ["127.0.0.1:%d" % dead], "priority": 0},
               {"id": "alive", "addresses": ["127.0.0.1:%d" % alive], "priority": 1}]
    with Switch("workers-closed-port", vendors, workers=4, parameters={"invite_timeout_s": 20}) as switch:
        load(switch, alive, "--calls", 40, "--rate", 40, "--hold", 200)
        for record in switch.wait_cdrs(40):
            expect([a["vendor_gateway"] for a in record["attempts"]] == ["dead", "alive"], "the second carried it", record)
            first = record["attempts"][0]
            expect(first["reason"] == "VendorFailure" and first["ended_at_us"] - first["started_at_us"] < 15_000_000,
                   "not for want of an answer", first)
        switch.expect_idle()


if __name__ == "__main__":
    main({f.__name__: f for f in (one_worker, two_workers, four_workers, closed_port)})
