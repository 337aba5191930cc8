#!/usr/bin/env python3
"""SIPp as a redirect server of others, which says which vendors shall get a call (I-03)."""
from peers import *

SOURCES = {"as_vendors": "127.0.0.61", "off": "127.0.0.62", "first": "127.0.0.63", "only": "127.0.0.64"}


def redirecting(name, server, plain, v2, v3, **director):
    """A switch with one customer of each mode; the server's turn comes behind `plain`."""
    vendors = [{"id": "plain", "addresses": ["127.0.0.1:%d" % plain], "priority": 0},
               {"id": "director", "addresses": ["127.0.0.1:%d" % server], "priority": 5,
                "sip": {"follow_redirects": "gateways", **director}},
               {"id": "v2", "addresses": ["127.0.0.1:%d" % v2], "priority": 7},
               {"id": "v3", "addresses": ["127.0.0.1:%d" % v3], "priority": 8}]
    customers = [{"id": mode, "addresses": [address], "account": "acme", "redirect_servers": mode}
                 for mode, address in SOURCES.items()]
    return Switch(name, vendors, customers=customers)


def caller(switch, mode, name="uac"):
    options = ("-d", "100") if name == "uac" else ()
    return Sipp(switch, name, "-s", "442079460000", *options, address=SOURCES[mode], target=switch.target)


def tried(record):
    return [(attempt["vendor_gateway"], attempt["sip_status"], attempt["callee_out"]) for attempt in record["attempts"]]


def by_mode(switch):
    return {record["customer_gateway"]: record for record in switch.wait_cdrs(len(SOURCES))}


def modes():
    """Asked first or alone it decides who is called, in the order of q, and by which numbers; as a vendor among others
    its turn comes behind one that answers, and off it is not asked. Nothing that the switch sends is malformed to tshark."""
    server, plain, v2, v3 = (free_port() for _ in range(4))
    with redirecting("redirect-modes", server, plain, v2, v3) as switch:
        with Capture(switch, [switch.port, server, plain, v2, v3]) as capture:
            with Sipp(switch, "redirects", port=server, calls=2) as director, \
                    Sipp(switch, "uas", port=plain, calls=2) as first, Sipp(switch, "uas", port=v2, calls=2) as second, \
                    Sipp(switch, "refuses_503", port=v3, calls=2) as third:
                calls = [caller(switch, mode) for mode in SOURCES]
                for one in (*calls, director, first, second, third):
                    one.expect_good()
        records = by_mode(switch)
        for mode in ("as_vendors", "off"):
            expect(tried(records[mode]) == [("plain", 200, "442079460000")], "%s: not asked" % mode, records[mode])
        for mode in ("first", "only"):
            expect(tried(records[mode]) == [("director", 302, "442079460000"), ("v3", 503, "441632960777"),
                                            ("v2", 200, "441632960555")], "%s: as it says" % mode, records[mode])
            expect(records[mode]["attempts"][2]["caller_out"] == "4915112345", "the caller that it wants", records[mode])
            expect(records[mode]["callee"] == "442079460000", "what was dialled is paid for", records[mode])
        expect_charges_right(list(records.values()))
        capture.expect_clean()
        switch.expect_idle()


def none_decides():
    """Nobody is there: asked first the vendors get the call, alone it fails. What it refuses is refused."""
    server, plain, v2, v3 = (free_port() for _ in range(4))
    with redirecting("redirect-silent", server, plain, v2, v3, timers={"invite_timeout_s": 1}) as switch:
        with Sipp(switch, "uas", port=plain, calls=1) as first:
            calls = [caller(switch, "first"), caller(switch, "only", "refused_503")]
            for one in (*calls, first):
                one.expect_good()
        records = {record["customer_gateway"]: record for record in switch.wait_cdrs(2)}
        expect(tried(records["first"])[-1] == ("plain", 200, "442079460000"), "the vendors", records["first"])
        expect(records["only"]["end_reason"] == "RedirectFailed", "nobody decided", records["only"])
        with Sipp(switch, "refuses_404", port=server, calls=1) as director:
            caller(switch, "only", "refused_404").expect_good()
            director.expect_good()
        record = switch.wait_cdrs(3)[-1]
        expect(record["end_reason"] == "NotFound" and record["sip_status"] == 404, "refused with its status", record)
        switch.expect_idle()


if __name__ == "__main__":
    main({"modes": modes, "none_decides": none_decides})
