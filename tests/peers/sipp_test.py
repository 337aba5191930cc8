#!/usr/bin/env python3
"""Calls through tandem-switch between two SIPp: what a carrier's equipment does, and what the records say of it."""
import http.server
import socketserver
import struct
import time

from peers import *

UAS = ("uas",)


def vendor(port, name="v1", **more):
    return {"id": name, "addresses": ["127.0.0.1:%d" % port], **more}


def basic_calls():
    """100 calls at 20 a second: each completes on both sides and has its record."""
    port = free_port()
    with Switch("basic", [vendor(port)]) as switch:
        with Sipp(switch, "uas", port=port, calls=100) as uas:
            with uac(switch, "-r", "20", "-d", "500", calls=100) as caller:
                caller.expect_good()
            uas.expect_good()
        records = switch.wait_cdrs(100)
        expect(all(r["end_reason"] == "NormalCallClearing" and r["sip_status"] == 200 and r["release_side"] == "caller"
                   for r in records), "all ended normally by the caller", records[:2])
        expect(len({r["record_id"] for r in records}) == 100 and len({r["call_id"] for r in records}) == 100,
               "each call once")
        expect(all(450 <= r["talk_time_ms"] <= 5000 for r in records), "talk times are those of SIPp",
               sorted(r["talk_time_ms"] for r in records))
        expect_charges_right(records)
        expect_money_fits(switch, records)
        switch.expect_idle()


def caller_cancels():
    port = free_port()
    with Switch("cancel", [vendor(port)]) as switch:
        with Sipp(switch, "rings", port=port, calls=10) as uas, uac(switch, "-r", "10", name="cancel", calls=10) as caller:
            caller.expect_good()
            uas.expect_good()
        for record in switch.wait_cdrs(10):
            expect(record["end_reason"] == "CallerCancel" and record["end_code"] == -39 and record["sip_status"] == 487
                   and record["release_side"] == "caller" and record["answered_at_us"] == 0, "cancelled", record)
        switch.expect_idle()


def busy():
    """Busy stops the hunt: the second vendor is not tried."""
    port, other = free_port(), free_port()
    with Switch("busy", [vendor(port, priority=0), vendor(other, "v2", priority=1)]) as switch:
        with Sipp(switch, "refuses_486", port=port, calls=5), uac(switch, name="refused_486", calls=5) as caller:
            caller.expect_good()
        for record in switch.wait_cdrs(5):
            expect(record["end_reason"] == "CalleeBusy" and record["sip_status"] == 486 and record["q850_cause"] == 17
                   and len(record["attempts"]) == 1, "busy", record)
        switch.expect_idle()


def nobody_answers():
    """The ringing time ends the call: 480, CANCEL to the vendor."""
    port = free_port()
    with Switch("noanswer", [vendor(port)], parameters={"ringing_timeout_s": 1}) as switch:
        with Sipp(switch, "rings", port=port, calls=3) as uas, uac(switch, name="refused_480", calls=3) as caller:
            caller.expect_good()
            uas.expect_good()
        for record in switch.wait_cdrs(3):
            expect(record["end_reason"] == "NoAnswer" and record["sip_status"] == 480, "no answer", record)
        switch.expect_idle()


def failover_after_503():
    first, second = free_port(), free_port()
    with Switch("failover", [vendor(first, priority=0), vendor(second, "v2", priority=1)]) as switch:
        with Capture(switch, [switch.port, first, second]) as capture:
            with Sipp(switch, "refuses_503", port=first, calls=5), Sipp(switch, "uas", port=second, calls=5), \
                    uac(switch, "-d", "200", calls=5) as caller:
                caller.expect_good()
        for record in switch.wait_cdrs(5):
            tried = [(a["vendor_gateway"], a["sip_status"]) for a in record["attempts"]]
            expect(tried == [("v1", 503), ("v2", 200)] and record["vendor_gateway"] == "v2"
                   and record["end_reason"] == "NormalCallClearing", "second vendor carried it", record)
        capture.expect_clean()
        switch.expect_idle()


def failover_from_dead_vendor():
    """Nothing listens at the first vendor: the INVITE time ends the attempt."""
    first, second = free_port(), free_port()
    with Switch("dead", [vendor(first, priority=0), vendor(second, "v2", priority=1)],
                parameters={"invite_timeout_s": 1}) as switch:
        with Sipp(switch, "uas", port=second, calls=5), uac(switch, "-d", "200", calls=5) as caller:
            caller.expect_good()
        for record in switch.wait_cdrs(5):
            tried = [(a["vendor_gateway"], a["sip_status"]) for a in record["attempts"]]
            expect(tried == [("v1", 0), ("v2", 200)], "second vendor carried it", record)
        switch.expect_idle()


def hold():
    """Hold and resume by re-INVITE reach the called party, and the answers come back."""
    port = free_port()
    with Switch("hold", [vendor(port)], media="on") as switch:
        with Capture(switch, [switch.port, port]) as capture:
            with Sipp(switch, "held", port=port, calls=2) as uas, uac(switch, name="hold", calls=2) as caller:
                caller.expect_good()
                uas.expect_good()
        switch.wait_cdrs(2)
        capture.expect_clean()
        switch.expect_idle()


def reliable():
    """A 183 that the called party must see acknowledged, to a caller that must acknowledge it (RFC 3262)."""
    port = free_port()
    customers = [{"id": "cust", "addresses": [CUSTOMER], "account": "acme", "sip": {"rel100": True}}]
    with Switch("reliable", [vendor(port, sip={"rel100": True})], customers=customers) as switch:
        with Capture(switch, [switch.port, port]) as capture:
            with Sipp(switch, "rel100_callee", port=port, calls=5) as uas, \
                    uac(switch, name="rel100_caller", calls=5) as caller:
                caller.expect_good()
                uas.expect_good()
        records = switch.wait_cdrs(5)
        expect(all(r["end_reason"] == "NormalCallClearing" for r in records), "all carried", records[:1])
        capture.expect_clean()
        switch.expect_idle()


def lossy():
    """Every twentieth datagram is lost on both sides of the switch: repetition carries all calls, none is billed twice."""
    port = free_port()
    # Lost on the way and not by SIPp (-lost), which loses its own place then. Calls talk for longer than the first
    # repetitions of a 200: SIPp would take one that comes after its BYE for the BYE's answer.
    with LossyPath(("127.0.0.1", port), 5) as behind, Switch("lossy", [vendor(behind.port)]) as switch:
        with LossyPath((switch.address, switch.port), 5, out=CUSTOMER) as before, \
                Sipp(switch, "uas", port=port, calls=200, timeout=80) as uas:
            with Sipp(switch, "uac", "-r", "20", "-d", "2000", "-s", "442079460000", target="127.0.0.1:%d" % before.port,
                      calls=100, timeout=60) as caller:
                caller.expect_good()
            uas.stop()
        expect(before.lost > 0 and behind.lost > 0, "something was lost on both sides", before.lost, behind.lost)
        records = switch.wait_cdrs(100)
        expect(all(r["end_reason"] == "NormalCallClearing" for r in records), "all carried", records[:1])
        expect(len({r["call_id"] for r in records}) == 100, "each call once")
        expect_charges_right(records)
        expect_money_fits(switch, records)
        wait_until(lambda: switch.metrics()["tandem_calls_live"] == 0, 40, "no call is left")


def digest_of_caller():
    port = free_port()
    customers = [{"id": "cust", "addresses": [CUSTOMER], "account": "acme",
                  "auth": {"username": "cust", "password": "secret"}}]
    with Switch("digest-in", [vendor(port)], customers=customers) as switch:
        with Sipp(switch, "uas", port=port, calls=5) as uas:
            with uac(switch, "-d", "200", name="auth", calls=5) as caller:
                caller.expect_good()
            uas.expect_good()
        with uac(switch, name="auth_wrong", calls=2) as caller:
            caller.expect_good()
        records = switch.wait_cdrs(7)
        expect([r["end_reason"] for r in records] == ["NormalCallClearing"] * 5 + ["AuthenticationFailed"] * 2,
               "5 authenticated, 2 not", [r["end_reason"] for r in records])
        switch.expect_idle()


def digest_to_vendor():
    port = free_port()
    vendors = [vendor(port, auth={"username": "switch", "password": "vendorpass"})]
    with Switch("digest-out", vendors) as switch:
        with Sipp(switch, "asks_digest", port=port, calls=5) as uas, uac(switch, "-d", "200", calls=5) as caller:
            caller.expect_good()
            uas.expect_good()
        for record in switch.wait_cdrs(5):
            expect(record["end_reason"] == "NormalCallClearing" and len(record["attempts"]) == 1, "carried", record)
        switch.expect_idle()


def tcp():
    """Caller and vendor over TCP, one connection each."""
    port = free_port()
    with Switch("tcp", [vendor(port, sip={"transport": "tcp"})], tcp=True) as switch:
        with Sipp(switch, "uas", "-t", "t1", port=port, calls=50) as uas:
            with uac(switch, "-t", "t1", "-r", "20", "-d", "300", calls=50) as caller:
                caller.expect_good()
            uas.expect_good()
        records = switch.wait_cdrs(50)
        expect(all(r["end_reason"] == "NormalCallClearing" for r in records), "all carried", records[:1])
        switch.expect_idle()


def tcp_to_udp():
    port = free_port()
    with Switch("tcp-udp", [vendor(port)], tcp=True) as switch:
        with Sipp(switch, "uas", port=port, calls=20):
            with uac(switch, "-t", "t1", "-r", "20", "-d", "300", calls=20) as caller:
                caller.expect_good()
        switch.wait_cdrs(20)
        switch.expect_idle()


def mix():
    """Answered, busy, refused and cancelled calls of one trunk at once: each record says which it was."""
    port = free_port()
    with Switch("mix", [vendor(port)]) as switch:
        report = load(switch, port, "--calls", 1000, "--rate", 200, "--hold", 200, "--ring", 20, "--patience", 400,
                      "--answer", "answer:60,busy:15,noanswer:10,reject404:10,reject503:5", "--hangup", "alternate")
        records = switch.wait_cdrs(1000)
        seen = {}
        for record in records:
            seen[record["end_reason"]] = seen.get(record["end_reason"], 0) + 1
        did = report["callee"]
        expect(seen == {"NormalCallClearing": did["answered"], "CalleeBusy": did["rejected_486"],
                        "CallerCancel": did["cancelled"], "NotFound": did["rejected_404"],
                        "VendorFailure": did["rejected_503"]}, "records and called parties agree", seen, did)
        expect_charges_right(records)
        expect_money_fits(switch, records)
        switch.expect_idle()


def basic_call_in_capture():
    """One call with RTP both ways: nothing that we send is malformed to tshark, SDP and RTP included."""
    port = free_port()
    with Switch("capture", [vendor(port)], media="on", media_ports=100) as switch:
        low, high = switch.config["media"]["ports"]
        with Capture(switch, [switch.port, port]) as capture:
            # The filter names ports one by one; RTP is caught by its range.
            pass
        capture.filter = "port %d or port %d or portrange %d-%d" % (switch.port, port, low, high)
        with capture:
            load(switch, port, "--calls", 1, "--hold", 1500, "--rtp")
        rtp = sorted({int(p) for (p,) in capture.fields("udp.srcport>=%d and udp.srcport<=%d" % (low, high),
                                                        "udp.srcport")})
        expect(len(rtp) >= 2, "RTP leaves from two ports of the relay", rtp)
        sip = capture.expect_clean(rtp)
        expect({method for method, _ in sip} >= {"INVITE", "ACK", "BYE"} and "200" in {s for _, s in sip},
               "a whole call", sip)
        decoded = capture.fields("rtp and udp.srcport==%d" % rtp[0], "rtp.ssrc", "rtp.seq",
                                 options=["-d", "udp.port==%d,rtp" % rtp[0]])
        expect(len({ssrc for ssrc, _ in decoded}) == 1 and len(decoded) > 40, "one stream from a port", decoded[:3])


def lrn_switch(name, port, resolver):
    """Numbers from 44 were ported to 33, where only v2 goes (R-20)."""
    customer = {"id": "cust", "addresses": [CUSTOMER], "account": "acme",
                "lrn": {"resolver": "db", "failure_action": "reject"}}
    switch = Switch(name, [vendor(free_port(), prefixes=["44"]), vendor(port, "v2", prefixes=["33"])], [customer])
    switch.config["provision"]["lrn_resolvers"] = [{"id": "db", **resolver}]
    switch.write()
    return switch


def expect_ported(switch, calls):
    for record in switch.wait_cdrs(calls):
        expect(record["vendor_gateway"] == "v2" and record["lrn"] == "+337465550000" and record["callee_region"] == "FR"
               and record["callee_out"] == "442079460000" and record["end_reason"] == "NormalCallClearing",
               "routed by LRN, called as dialled", record)
    metrics = switch.metrics()
    asked = metrics['tandem_lrn_questions_total{resolver="db"}']
    known = metrics['tandem_lrn_cache_hits_total{resolver="db"}'] + metrics['tandem_lrn_coalesced_total{resolver="db"}']
    expect(asked == 1 and known == calls - 1, "asked once, then known", asked, known)


def lrn_dip():
    """A redirect server of others says where the number is (R-20, RFC 4694)."""
    port, server = free_port(), free_port()
    with lrn_switch("lrn_dip", port, {"kind": "sip302", "addresses": ["127.0.0.1:%d" % server]}) as switch:
        with Capture(switch, [switch.port, port, server]) as capture:
            with Sipp(switch, "redirects_lrn", port=server) as dip, Sipp(switch, "uas", port=port, calls=5) as uas, \
                    uac(switch, "-d", "200", calls=5) as caller:
                caller.expect_good()
                uas.expect_good()
                dip.expect_good()
        expect_ported(switch, 5)
        lines = {line for (line,) in capture.fields("sip.Method == INVITE and udp.dstport == %d" % port, "sip.r-uri")}
        expect(lines == {"sip:442079460000;npdi;rn=+337465550000@127.0.0.1:%d;user=phone" % port},
               "the vendor is told", lines)
        capture.expect_clean()
        switch.expect_idle()


class NumberServer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = []

    def do_GET(self):
        NumberServer.asked.append((self.path, self.headers["X-Key"]))
        number = self.path.rpartition("/")[2]
        known = number == "442079460000"
        body = b'{"result": {"lrn": "+337465550000", "state": "FR"}}' if known else b'{"error": "unknown"}'
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def lrn_http():
    """The same over HTTP; a number that the server does not know is refused."""
    port = free_port()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NumberServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        resolver = {"kind": "http", "addresses": ["127.0.0.1:%d" % server.server_port], "path": "/v1/{number}",
                    "headers": ["X-Key: secret"], "lrn_key": "/result/lrn", "region_key": "/result/state"}
        with lrn_switch("lrn_http", port, resolver) as switch:
            with Sipp(switch, "uas", port=port, calls=5) as uas, uac(switch, "-d", "200", calls=5) as caller:
                caller.expect_good()
                uas.expect_good()
            expect_ported(switch, 5)
            expect(NumberServer.asked == [("/v1/442079460000", "secret")], "one question", NumberServer.asked)
            with uac(switch, name="refused_404", number="442079469999") as caller:
                caller.expect_good()
            record = switch.wait_cdrs(6)[-1]
            expect(record["end_reason"] == "LrnFailed" and record["end_code"] == -33 and record["sip_status"] == 404,
                   "refused", record)
            switch.expect_idle()
    finally:
        server.shutdown()
        server.server_close()


def naptr_answer(query, flags, rule):
    """The answer to a query, with one NAPTR record unless `rule` is None; additional records are left out."""
    end = query.index(b"\0", 12) + 5
    answer = query[:2] + struct.pack(">5H", flags, 1, rule is not None, 0, 0) + query[12:end]
    if rule is None:
        return answer
    texts = (b"u", b"E2U+pstn:tel", rule)
    data = struct.pack(">HH", 100, 10) + b"".join(bytes([len(text)]) + text for text in texts) + b"\0"
    return answer + b"\xc0\x0c" + struct.pack(">HHIH", 35, 1, 60, len(data)) + data


class NameServer(socketserver.DatagramRequestHandler):
    """Says of every number that it does not fit into a datagram."""
    asked = []

    def handle(self):
        query = self.rfile.read()
        NameServer.asked.append(query[12:query.index(b"\0", 12)])
        self.wfile.write(naptr_answer(query, 0x8380, None))


class NameServerStream(socketserver.StreamRequestHandler):
    """Knows one number."""

    def handle(self):
        query = self.rfile.read(struct.unpack(">H", self.rfile.read(2))[0])
        known = query[12:].startswith(b"".join(b"\1%c" % digit for digit in reversed(b"442079460000")))
        rule = rb"!^(\+.*)$!tel:\1;npdi;rn=+33-746-555-0000;state=FR!" if known else None
        answer = naptr_answer(query, 0x8180 if known else 0x8183, rule)
        self.wfile.write(struct.pack(">H", len(answer)) + answer)


def lrn_enum():
    """The same from a name server, over TCP because the answer does not fit (R-20, RFC 6116, RFC 7766)."""
    port = free_port()
    stream = socketserver.ThreadingTCPServer(("127.0.0.1", 0), NameServerStream)
    datagrams = socketserver.UDPServer(stream.server_address, NameServer)
    for server in (stream, datagrams):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        resolver = {"kind": "enum", "addresses": ["127.0.0.1:%d" % stream.server_address[1]], "region_key": "state",
                    "suffix": "numbers.example"}
        with lrn_switch("lrn_enum", port, resolver) as switch:
            with Sipp(switch, "uas", port=port, calls=5) as uas, uac(switch, "-d", "200", calls=5) as caller:
                caller.expect_good()
                uas.expect_good()
            expect_ported(switch, 5)
            name = b"".join(b"\1%c" % digit for digit in reversed(b"442079460000")) + b"\7numbers\7example"
            # Asked in any case of letters, so that an answer shows who saw the question.
            expect([asked.lower() for asked in NameServer.asked] == [name], "one question", NameServer.asked)
            with uac(switch, name="refused_404", number="442079469999") as caller:
                caller.expect_good()
            record = switch.wait_cdrs(6)[-1]
            expect(record["end_reason"] == "LrnFailed" and record["sip_status"] == 404, "refused", record)
            switch.expect_idle()
    finally:
        for server in (stream, datagrams):
            server.shutdown()
            server.server_close()


if __name__ == "__main__":
    main({f.__name__: f for f in (
        basic_calls, caller_cancels, busy, nobody_answers, failover_after_503, failover_from_dead_vendor, hold,
        reliable, lossy, digest_of_caller, digest_to_vendor, tcp, tcp_to_udp, mix, lrn_dip, lrn_http, lrn_enum,
        basic_call_in_capture)})
