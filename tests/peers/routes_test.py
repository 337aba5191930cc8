#!/usr/bin/env python3
"""Which vendor gets a call, with SIPp on both sides: prefix modes, shared lines, failover, health, hours, caller pools."""
import json
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from peers import *


def vendor(port, name, **more):
    return {"id": name, "addresses": ["127.0.0.1:%d" % port], **more}


def tried(record):
    return [(attempt["vendor_gateway"], attempt["sip_status"]) for attempt in record["attempts"]]


def change(switch, **lists):
    """Puts further lists into the configuration of a switch that has not been started."""
    switch.config["provision"].update(lists)
    switch.write()
    return switch


def prefix_modes():
    """R-02: behind an extension vendor the shorter prefix is the fallback, behind an expiration vendor there is none."""
    narrow, wide = free_port(), free_port()
    vendors = [vendor(narrow, "uk-mobile", prefixes=["447"]), vendor(narrow, "uk-london", prefixes=["4420"],
                                                                     prefix_mode="expiration"),
               vendor(wide, "uk", prefixes=["44"])]
    with Switch("prefix-modes", vendors) as switch, Sipp(switch, "refuses_503", port=narrow, calls=2), \
            Sipp(switch, "uas", port=wide, calls=2):
        uac(switch, "-d", "100", number="447700900001").expect_good()
        uac(switch, name="refused_503", number="442079460001").expect_good()
        uac(switch, "-d", "100", number="441632960001").expect_good()
        records = switch.wait_cdrs(3)
        expect([tried(r) for r in records] == [[("uk-mobile", 503), ("uk", 200)], [("uk-london", 503)], [("uk", 200)]],
               "the fallback follows the mode", [tried(r) for r in records])
        switch.expect_idle()


def prefix_levels():
    """R-02, both modes: 503 from the vendors of 447, 44 and every number; in which order the INVITEs come."""
    port = free_port()
    def levels(**first):
        return [vendor(port, "uk-mobile", prefixes=["447"], priority=1, **first), vendor(port, "uk", prefixes=["44"]),
                vendor(port, "world")]
    for name, vendors, order in (
            ("prefix-levels", levels(), ["uk-mobile", "uk", "world"]),
            ("prefix-levels-expiration", levels(prefix_mode="expiration"), ["uk-mobile"]),
            ("prefix-levels-full", levels(prefix_mode="expiration", line_limit=0), ["uk", "world"])):
        with Switch(name, vendors) as switch, Sipp(switch, "refuses_503", port=port, calls=len(order)):
            uac(switch, name="refused_503", number="447700900001").expect_good()
            record, = switch.wait_cdrs(1)
            expect(tried(record) == [(vendor_id, 503) for vendor_id in order], "%s: tried in order" % name, record)
            switch.expect_idle()


def reserved_lines():
    """R-11: of three lines, a vendor that leaves two to the other gets lines while two are free."""
    modest, entitled = free_port(), free_port()
    vendors = [vendor(modest, "modest", prefixes=["44"]), vendor(entitled, "entitled", prefixes=["49"])]
    groups = [{"id": "trunk", "line_limit": 3,
               "members": [{"gateway": "modest", "reserved_lines": 2}, {"gateway": "entitled", "reserved_lines": 0}]}]
    with change(Switch("reserved-lines", vendors), gateway_groups=groups) as switch, \
            Sipp(switch, "uas", port=modest, calls=3), Sipp(switch, "uas", port=entitled, calls=1):
        def live():
            return switch.metrics()["tandem_calls_live"]
        with uac(switch, "-d", "15000", calls=2) as held:
            wait_until(lambda: live() == 2, 10, "two calls are up")
            uac(switch, name="refused_503").expect_good()
            with uac(switch, "-d", "10000", number="493012345678") as last:
                wait_until(lambda: live() == 3, 10, "the third line is taken")
                uac(switch, name="refused_503", number="493012345678").expect_good()
                last.expect_good()
            held.expect_good()
        switch.expect_idle()
        uac(switch, "-d", "100").expect_good()
        records = switch.wait_cdrs(6)
        refused = [r for r in records if r["sip_status"] == 503]
        expect(len(refused) == 2 and all(r["end_reason"] == "AllGatewayBusy" for r in refused), "two found no line", refused)
        switch.expect_idle()


def failover_codes():
    """R-15: a failure goes on to the next vendor, unless its code is one of the vendor's stop codes."""
    first, second = free_port(), free_port()
    vendors = [vendor(first, "tolerant", prefixes=["44"], priority=0),
               vendor(first, "final", prefixes=["49"], priority=0, switch={"stop_codes": [404]}),
               vendor(second, "next", priority=1)]
    with Switch("failover-codes", vendors) as switch, Sipp(switch, "refuses_404", port=first, calls=2), \
            Sipp(switch, "uas", port=second, calls=1):
        uac(switch, "-d", "100").expect_good()
        uac(switch, name="refused_404", number="493012345678").expect_good()
        records = switch.wait_cdrs(2)
        expect([tried(r) for r in records] == [[("tolerant", 404), ("next", 200)], [("final", 404)]], "the code decides",
               [tried(r) for r in records])
        expect(records[1]["end_reason"] == "NotFound", "the caller hears the vendor's code", records[1])
        switch.expect_idle()


def retry_after():
    """R-16: an address is left alone for as long as its Retry-After says, and no longer."""
    first, second = free_port(), free_port()
    with Switch("retry-after", [vendor(first, "full", priority=0), vendor(second, "next", priority=1)]) as switch, \
            Sipp(switch, "refuses_503", port=first, calls=1000, headers=["Retry-After: 3"]), \
            Sipp(switch, "uas", port=second, calls=12) as uas:
        uac(switch, "-r", "2", "-d", "100", calls=12).expect_good()
        uas.expect_good()
        closed_until = 0
        seen = {True: 0, False: 0}
        for record in sorted(switch.wait_cdrs(12), key=lambda r: r["started_at_us"]):
            first_try = record["attempts"][0]
            is_passed_over = first_try["vendor_gateway"] == "next"
            # What comes just as the time ends may go either way: the switch counts it by another clock.
            if abs(record["started_at_us"] - closed_until) > 100_000:
                is_closed = record["started_at_us"] < closed_until
                expect(is_passed_over == is_closed, "left alone for three seconds", record)
            seen[is_passed_over] += 1
            if not is_passed_over:
                closed_until = first_try["ended_at_us"] + 3_000_000
        expect(seen[True] >= 3 and seen[False] >= 2, "calls while it was closed, and after", seen)
        switch.expect_idle()


def options_recovery():
    """R-17: a vendor that does not answer OPTIONS gets no calls, and gets them again when it answers."""
    first, second = free_port(), free_port()
    vendors = [vendor(first, "watched", priority=0, options_check=True), vendor(second, "next", priority=1)]
    with Switch("options-recovery", vendors, parameters={"options_check_s": 5}) as switch, \
            Sipp(switch, "uas", port=second, calls=1):
        def is_online():
            return [address["online"] for gateway in json.loads(switch.api("/api/v1/gateways"))
                    if gateway["id"] == "watched" for address in gateway["addresses"]] == [True]
        wait_until(lambda: not is_online(), 30, "the dead vendor is found out")
        uac(switch, "-d", "100").expect_good()
        with Sipp(switch, "answers_options", port=first) as watched:
            watched.expect_good()
        wait_until(is_online, 5, "the vendor is back")
        with Sipp(switch, "uas", port=first, calls=1) as watched:
            uac(switch, "-d", "100").expect_good()
            watched.expect_good()
        expect([tried(r) for r in switch.wait_cdrs(2)] == [[("next", 200)], [("watched", 200)]], "it gets calls again")
        switch.expect_idle()


def caller_pool():
    """R-24: each call shows the next free number of the pool; without one the vendor is passed over."""
    port = free_port()
    numbers = ["442079460001", "442079460002"]
    vendors = [vendor(port, "v1", caller_pool={"numbers": "london", "calls_per_number": 1, "rotation": "poll"})]
    with change(Switch("caller-pool", vendors), number_groups=[{"id": "london", "numbers": numbers}]) as switch, \
            Sipp(switch, "uas", port=port, calls=3):
        with Capture(switch, [switch.port, port]) as capture:
            with uac(switch, "-d", "6000", calls=2) as held:
                wait_until(lambda: switch.metrics()["tandem_calls_live"] == 2, 10, "two calls are up")
                uac(switch, name="refused_503").expect_good()
                held.expect_good()
            switch.expect_idle()
            uac(switch, "-d", "100").expect_good()
        shown = [user for (user,) in capture.fields("sip.Method==INVITE and udp.dstport==%d" % port, "sip.from.user")]
        expect(shown == numbers + numbers[:1], "the vendor sees the pool in turn", shown)
        records = switch.wait_cdrs(4)
        expect(sorted((r["sip_status"], r["caller_out"]) for r in records if r["sip_status"] == 200) ==
               [(200, numbers[0]), (200, numbers[0]), (200, numbers[1])], "the records have what was shown", records)
        expect([r["end_reason"] for r in records if r["sip_status"] == 503] == ["CallerPoolExhausted"], "no third number")


def closing_time():
    """R-12, R-13: from the second on at which a vendor closes, calls go to the next one."""
    first, second = free_port(), free_port()
    closes = int(time.time()) + 9
    period = {"from": time.strftime("%H:%M:%S", time.gmtime(closes)),
              "to": time.strftime("%H:%M:%S", time.gmtime(closes + 3600)), "closed": True}
    vendors = [vendor(first, "day", priority=0, periods=[period]), vendor(second, "night", priority=1)]
    with Switch("closing-time", vendors) as switch, Sipp(switch, "uas", port=first, calls=1000), \
            Sipp(switch, "uas", port=second, calls=1000):
        calls = 0
        while time.time() < closes + 2:
            uac(switch, "-r", "5", "-d", "50", calls=5).expect_good()
            calls += 5
        records = switch.wait_cdrs(calls)
        for record in records:
            expected = "day" if record["started_at_us"] < closes * 1_000_000 else "night"
            expect(tried(record) == [(expected, 200)], "the second of closing decides, it is %d" % closes, record)
        expect({r["vendor_gateway"] for r in records} == {"day", "night"}, "calls before and after")
        switch.expect_idle()


def calendar_switch():
    """R-12, R-13: a period for holidays of a calendar in another zone begins at the second of its local time."""
    first, second = free_port(), free_port()
    begins = int(time.time()) + 9
    zone = ZoneInfo("Asia/Kathmandu")  # +05:45, without summer time
    local = datetime.fromtimestamp(begins, zone)
    calendar = {"id": "nepal", "timezone": "Asia/Kathmandu",
                "week": {day: "work" for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
                "exceptions": [{"date": local.strftime("%Y-%m-%d"), "class": "holiday"}]}
    ends = local + timedelta(hours=1)
    period = {"days": "holiday", "from": local.strftime("%H:%M:%S"), "to": ends.strftime("%H:%M:%S"), "closed": True}
    vendors = [vendor(first, "day", priority=0, calendar="nepal", periods=[period]), vendor(second, "night", priority=1)]
    with change(Switch("calendar-switch", vendors), calendars=[calendar]) as switch, \
            Sipp(switch, "uas", port=first, calls=1000), Sipp(switch, "uas", port=second, calls=1000):
        calls = 0
        while time.time() < begins + 2:
            uac(switch, "-r", "5", "-d", "50", calls=5).expect_good()
            calls += 5
        records = switch.wait_cdrs(calls)
        for record in records:
            expected = "day" if record["started_at_us"] < begins * 1_000_000 else "night"
            expect(tried(record) == [(expected, 200)], "the holiday's period begins at %s" % local, record)
        expect({r["vendor_gateway"] for r in records} == {"day", "night"}, "calls before and after")
        switch.expect_idle()


if __name__ == "__main__":
    main({f.__name__: f for f in (
        prefix_modes, prefix_levels, reserved_lines, failover_codes, retry_after, options_recovery, caller_pool,
        closing_time, calendar_switch)},
         at_once=4)  # they wait most of the time
