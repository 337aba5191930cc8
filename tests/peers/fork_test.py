#!/usr/bin/env python3
"""A phone that has three numbers called at once, each at a SIPp of its own: the second answers (T-02)."""
from peers import *


def second_answers():
    """Who answers has the call; the others get CANCEL and say 487. Nothing that the switch sends is malformed to
    tshark, and all parts have their records."""
    ports = [free_port() for _ in range(3)]
    vendors = [{"id": "v%d" % (i + 1), "addresses": ["127.0.0.1:%d" % port], "prefixes": ["44%d" % (i + 1)]}
               for i, port in enumerate(ports)]
    switch = Switch("fork", vendors)
    switch.config["provision"]["phones"] = [
        {"number": "442079460000", "password": "secret", "account": "acme",
         "forward": {"unconditional": ["4411", "4422", "4433"], "method": "simultaneous"}}]
    switch.write()
    with switch:
        with Capture(switch, [switch.port, *ports]) as capture:
            with Sipp(switch, "rings", port=ports[0]) as first, Sipp(switch, "uas", port=ports[1]) as second, \
                    Sipp(switch, "rings", port=ports[2]) as third, uac(switch) as caller:
                for one in (caller, second, first, third):
                    one.expect_good()
        records = switch.wait_cdrs(4)
        expect(len(records) == 4, "a record of the call, and one of each part", records)
        by_vendor = {record["vendor_gateway"]: record for record in records}
        expect(set(by_vendor) == {"phone:442079460000", "v1", "v2", "v3"}, "one of each", records)
        for vendor in ("phone:442079460000", "v2"):
            expect(by_vendor[vendor]["answered_at_us"], "answered", by_vendor[vendor])
        for vendor in ("v1", "v3"):
            expect(by_vendor[vendor]["end_reason"] == "CallerCancel" and not by_vendor[vendor]["answered_at_us"],
                   "given up", by_vendor[vendor])
        expect(by_vendor["phone:442079460000"]["callee_out"] == "4422", "where it went", records)
        capture.expect_clean()
        switch.expect_idle()


if __name__ == "__main__":
    main({"second_answers": second_answers})
