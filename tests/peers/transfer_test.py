#!/usr/bin/env python3
"""A gateway of another maker transfers a call by REFER, and takes one over by Replaces: SIPp in every part."""
from peers import *


def blind():
    """REFER in a call: NOTIFYs as RFC 3515 wants them, BYE for the transferor, a re-INVITE for who stays, and two
    records, each with its charge. Nothing that the switch sends is malformed to tshark."""
    first, second = free_port(), free_port()
    vendors = [{"id": "v1", "addresses": ["127.0.0.1:%d" % first], "prefixes": ["44"]},
               {"id": "v2", "addresses": ["127.0.0.1:%d" % second], "prefixes": ["45"]}]
    customers = [{"id": "cust", "addresses": [CUSTOMER], "account": "acme", "sip": {"refer": "local"}}]
    for media in ("on", "off"):
        with Switch("transfer_" + media, vendors, customers=customers, media=media) as switch:
            with Capture(switch, [switch.port, first, second]) as capture:
                with Sipp(switch, "led", port=first) as stays, Sipp(switch, "uas", port=second) as target, \
                        uac(switch, name="refers") as transferor:
                    transferor.expect_good()
                    stays.expect_good()
                    target.expect_good()
            records = switch.wait_cdrs(2)
            by_vendor = {record["vendor_gateway"]: record for record in records}
            expect(set(by_vendor) == {"v1", "v2"}, "a record of each part", records)
            expect(by_vendor["v2"]["callee"] == "4500", "the target", by_vendor["v2"])
            expect(by_vendor["v1"]["call_id"] == by_vendor["v2"]["call_id"], "the parts are of one call", records)
            expect(all(record["end_reason"] == "NormalCallClearing" and record["answered_at_us"] for record in records),
                   "both were answered", records)
            capture.expect_clean()
            switch.expect_idle()


def replaces():
    """INVITE with Replaces: a gateway takes its call over in another dialog (RFC 3891). The party that stays gets a
    re-INVITE, the dialog that was replaced a BYE; there is one record, with one charge for the whole."""
    port = free_port()
    vendors = [{"id": "v1", "addresses": ["127.0.0.1:%d" % port], "prefixes": ["44"]}]
    customers = [{"id": "cust", "addresses": [CUSTOMER], "account": "acme", "sip": {"replaces": "own"}}]
    with Switch("replaces", vendors, customers=customers) as switch:
        with Capture(switch, [switch.port, port]) as capture:
            with Sipp(switch, "led", port=port) as stays, uac(switch, name="takes") as taker:
                taker.expect_good()
                stays.expect_good()
        records = switch.wait_cdrs(1)
        expect(len(records) == 1, "one record", records)
        expect(records[0]["end_reason"] == "NormalCallClearing" and records[0]["talk_time_ms"] >= 600,
               "it is of the whole call", records)
        capture.expect_clean()
        switch.expect_idle()


if __name__ == "__main__":
    main({"blind": blind, "replaces": replaces})
