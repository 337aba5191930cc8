#!/usr/bin/env python3
"""Which codecs each side is offered, with SIPp on both sides and tshark as the judge (M-07, M-08, M-12)."""
from peers import *


def order():
    """PCMU, PCMA, G.729 in; what both lists have out, in the vendor's order; ringing as 183 with a description."""
    port = free_port()
    customers = [{"id": "cust", "addresses": [CUSTOMER], "account": "acme", "codecs": ["PCMA", "G729"],
                  "sip": {"remote_ringback": "183"}}]
    vendors = [{"id": "v1", "addresses": ["127.0.0.1:%d" % port], "codecs": ["G729", "PCMU", "PCMA"],
                "sip": {"annexb": "no"}}]
    with Switch("codecs-order", vendors, customers=customers, media="on") as switch, \
            Sipp(switch, "codecs_callee", port=port) as uas:
        with Capture(switch, [switch.port, port]) as capture:
            uac(switch, name="codecs_caller").expect_good()
            uas.expect_good()
        record, = switch.wait_cdrs(1)
        decode = ["-d", "udp.port==%d,sip" % switch.port]

        def media(display_filter):
            found = capture.fields("sip and %s" % display_filter, "sdp.media", "sdp.connection_info.address",
                                   options=decode)
            return [(line.split(" ", 2)[2], address) for line, address in found if line]

        ours = "udp.srcport==%d and udp.dstport==%d" % (switch.port, port)
        expect(media(ours + " and sip.Method==INVITE") == [("RTP/AVP 18 8 101", switch.address)],
               "the vendor is offered its order", media(ours))
        said = capture.fields("sip.Method==INVITE and " + ours, "sdp.fmtp.parameter", options=decode)
        expect(said and "annexb=no" in said[0][0], "G.729 is offered without silence frames", said)
        back = "udp.srcport==%d and ip.dst==%s" % (switch.port, CUSTOMER)
        expect(media(back + " and sip.Status-Code==183") == [("RTP/AVP 8 18 101", switch.address)],
               "ringing has a description of the relay's", media(back))
        expect(media(back + " and sip.Status-Code==200") == [("RTP/AVP 8 101", switch.address)],
               "the answer is the vendor's", media(back))
        capture.expect_clean()
        facts = record["media"]
        expect(facts["codec"] == "PCMA" and facts["caller"]["codecs"] == "PCMU,PCMA,G729,telephone-event" and
               facts["callee"]["codecs"] == "PCMA,telephone-event", "the record has the codecs", facts)
        switch.expect_idle()


if __name__ == "__main__":
    main({f.__name__: f for f in (order,)})
