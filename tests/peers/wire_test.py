#!/usr/bin/env python3
"""Torture and malformed messages over UDP, TCP and TLS to the running switch: the right answers on the wire, the process
alive, and the next good call works."""
import csv
import re
import select
import socket
import struct

from peers import *
from tls_test import connect, with_tls

T1 = {"sip_t1_ms": 100}  # what nobody answers or acknowledges is over after 6.4 s
TORTURE = os.path.join(SHARED, "testdata", "sip-torture")
MALFORMED = os.path.join(SHARED, "testdata", "sip-malformed")


class Wire:
    """A socket at the customer's address. Its messages say other ports in Via, so answers may go astray: the second
    socket listens where most of them go."""

    def __init__(self, switch):
        self.switch = switch
        self.sockets = []
        for port in (0, 5060):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                s.bind((CUSTOMER, port))
                self.sockets.append(s)
            except OSError:
                s.close()

    def send(self, data):
        self.sockets[0].sendto(data, (self.switch.address, self.switch.port))

    def answers(self, seconds):
        """Everything that comes until nothing came for `seconds`."""
        got = []
        while True:
            readable, _, _ = select.select(self.sockets, [], [], seconds)
            if not readable:
                return got
            for s in readable:
                got.append(s.recv(65535))

    def barrier(self, number):
        """Answers so far, closed by the answer to an OPTIONS of our own: the switch has then read all before it."""
        s = self.sockets[0]
        mark = "barrier%d" % number
        options = ("OPTIONS sip:x@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s;rport\r\n"
                   "From: <sip:t@%s>;tag=b\r\nTo: <sip:x@%s>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
                   "Content-Length: 0\r\n\r\n") % (self.switch.target, *s.getsockname(), mark, CUSTOMER,
                                                   self.switch.target, mark)
        got = []
        for _ in range(50):
            self.send(options.encode())
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                readable, _, _ = select.select(self.sockets, [], [], max(0, end - time.monotonic()))
                for each in readable:
                    data = each.recv(65535)
                    if mark.encode() in data:
                        return got
                    got.append(data)
        raise Failure("OPTIONS was not answered any more\n" + self.switch.log_text())


def status_of(answer):
    found = re.match(rb"SIP/2\.0 (\d{3}) ", answer)
    return int(found.group(1)) if found else 0


def call_id_of(message):
    found = re.search(rb"\n(?:Call-ID|i)[ \t]*:[ \t]*([^\r\n]*)", message, re.IGNORECASE)
    return found.group(1).strip() if found else b""


def allowed_codes(text):
    return {int(code) for code in re.findall(r"\b([3-6]\d\d)\b", text)}


def good_call(switch, uas_port):
    load(switch, uas_port, "--calls", 1, "--hold", 50)


def expect_nothing_left(switch):
    """Whatever the messages began is over: no call, line, hold or dialog, and 64 T1 later no transaction of theirs."""
    switch.expect_idle(40)

    def is_over():
        metrics = switch.metrics()
        return metrics["tandem_dialogs_live"] == 0 and metrics["tandem_transactions_live"] == 0
    wait_until(is_over, 40, "dialogs and transactions back to 0")


def judge(row, statuses):
    """Why the final statuses do not fit the row of expected.tsv; "" when they do."""
    expected, also = row["expected"], row["also_acceptable"]
    finals = {s for s in statuses if s >= 200}
    if row["kind"].startswith("response") or expected.startswith("drop"):
        return "a response was answered" if statuses else ""
    if any(s >= 500 and s not in (501, 503, 504, 505) for s in finals):
        return "server error"
    if expected.startswith("accept"):
        # What the switch does with a request it accepts is policy (403, 404, 405, 481, 488 ...): it must not call it
        # malformed, unless the table says that this is acceptable too.
        bad = finals & ({400} - allowed_codes(also))
        return "called malformed" if bad else ""
    if expected.startswith("answer OPTIONS") and finals == {200}:
        return ""
    codes = allowed_codes(expected)
    wants = codes | allowed_codes(also)
    if finals & wants or not codes:
        return ""
    if not finals and 100 in statuses:  # a call that was taken and waits for a vendor
        finals = {0}
    if not finals:
        # No answer can be seen where Via leads elsewhere or a transport is not ours.
        return "" if "drop" in expected + also or not row["kind"].endswith("/UDP") else "no answer"
    if "accept" in also or "process" in also or "fall back" in also or "forwards" in also or "inferring" in also:
        return ""
    return "wrong answer"


def torture():
    if not os.path.isdir(TORTURE):
        not_run("RFC 4475 and RFC 5118 torture messages: %s is not there" % TORTURE)
        return
    port = free_port()
    with open(os.path.join(TORTURE, "expected.tsv"), newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    wrong, unseen = [], 0
    earlier = set()  # Call-IDs of rows before: a call of theirs that ends only now answers them
    with Switch("torture", [{"id": "v1", "addresses": ["127.0.0.1:%d" % port]}], parameters=T1) as switch:
        wire = Wire(switch)
        for number, row in enumerate(rows):
            with open(os.path.join(TORTURE, row["file"]), "rb") as file:
                data = file.read()
            # Top Via gets rport (RFC 3581), so that the answer comes here and not where the message says; the
            # messages about Via itself stay as they are.
            wire.send(data)
            own = call_id_of(data)
            statuses = [status_of(a) for a in wire.barrier(number) if call_id_of(a) not in earlier - {own}]
            earlier.add(own)
            unseen += not statuses
            why = judge(row, statuses)
            if why:
                wrong.append("%s: %s: got %s, expected %s; also %s" % (row["file"], why, statuses, row["expected"],
                                                                     row["also_acceptable"]))
            expect(switch.is_alive(), "the switch lives after " + row["file"], switch.log_text())
        good_call(switch, port)
        expect_nothing_left(switch)
        print("torture: %d messages, %d without a visible answer" % (len(rows), unseen))
        expect(not wrong, "%d of %d answers are wrong" % (len(wrong), len(rows)), *wrong)


def malformed():
    if not os.path.isdir(MALFORMED):
        not_run("malformed messages: %s is not there" % MALFORMED)
        return
    files = sorted(os.path.join(path, name) for path, _, names in os.walk(MALFORMED) for name in names
                   if not name.endswith((".md", ".tsv", ".pcap", ".pcapng")))
    expect(len(files) > 100, "the corpus is there", len(files))
    port = free_port()
    with Switch("malformed", [{"id": "v1", "addresses": ["127.0.0.1:%d" % port]}], parameters=T1) as switch:
        wire = Wire(switch)
        for number, path in enumerate(files):
            with open(path, "rb") as file:
                data = file.read()[:65000]
            wire.send(data)
            for at in (len(data) // 2, len(data) - 1):  # and cut short
                wire.send(data[:at])
            wire.barrier(number)
            expect(switch.is_alive(), "the switch lives after " + path, switch.log_text())
            if number % 50 == 0:
                good_call(switch, port)
        good_call(switch, port)
        # Calls that a mangled INVITE began ring at nobody: they must not stay for ever.
        expect_nothing_left(switch)
        print("malformed: %d files, %d datagrams" % (len(files), 3 * len(files)))


def over_stream(stream, data, number):
    """Sends `data` and an OPTIONS behind it. The final and other statuses that came before the answer to that; and whether
    the switch closed the connection, which is its right once it cannot tell where a message ends (RFC 3261, 18.3)."""
    mark = b"behind%d" % number
    stream.settimeout(0.3)
    got = b""
    with contextlib.suppress(socket.timeout, ConnectionError):
        stream.sendall(data)
        stream.sendall(b"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK%s;rport\r\n"
                       b"From: <sip:t@127.0.0.1>;tag=b\r\nTo: <sip:x@127.0.0.1>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\n"
                       b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n" % (mark, mark))
        while mark not in got:
            part = stream.recv(65536)
            if not part:
                return statuses_in(got), True
            got += part
        return statuses_in(got)[:-1], False
    return statuses_in(got), False


def statuses_in(data):
    return [int(code) for code in re.findall(rb"^SIP/2\.0 (\d{3}) ", data, re.M)]


def torture_over_streams():
    """The same messages over TCP and TLS, a connection each; with a connection beside them that nothing may disturb."""
    if not os.path.isdir(TORTURE):
        not_run("torture messages over TCP and TLS: %s is not there" % TORTURE)
        return
    port = free_port()
    with open(os.path.join(TORTURE, "expected.tsv"), newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    wrong, closed = [], 0
    with with_tls(Switch("torture_streams", [{"id": "v1", "addresses": ["127.0.0.1:%d" % port]}], parameters=T1,
                         tcp=True), free_port()) as switch:
        def plain(switch):
            return socket.create_connection((switch.address, switch.port), 5, (CUSTOMER, 0))
        for opened in (plain, connect):
            with opened(switch) as beside:
                for number, row in enumerate(rows):
                    with open(os.path.join(TORTURE, row["file"]), "rb") as file, opened(switch) as stream:
                        statuses, is_closed = over_stream(stream, file.read(), number)
                    closed += is_closed
                    if "extra trailing octets" in row["title"].lower():
                        del statuses[1:]  # in a stream they are a message of their own
                    # What a datagram lacks at its end may still come in a stream, so silence is right there.
                    why = judge({**row, "kind": row["kind"].replace("UDP", "stream")}, statuses)
                    if why:
                        wrong.append("%s over %s: %s: got %s, expected %s; also %s"
                                     % (row["file"], opened.__name__, why, statuses, row["expected"], row["also_acceptable"]))
                    expect(switch.is_alive(), "the switch lives after " + row["file"], switch.log_text())
                expect(over_stream(beside, b"", len(rows)) == ([], False), "a connection beside them goes on")
        good_call(switch, port)
        expect_nothing_left(switch)
        print("torture over streams: %d messages, %d connections closed" % (2 * len(rows), closed))
        expect(not wrong, "%d answers are wrong" % len(wrong), *wrong)


def marks():
    """P-27: what the switch sends bears the configured TOS byte, 0xa0 by default."""
    for parameters, tos in (({}, 0xa0), ({"sip_tos": 0x68}, 0x68), ({"SS_QOS_SIGNAL": "0"}, 0)):
        with Switch("marks", [{"id": "v1", "addresses": ["127.0.0.1:%d" % free_port()]}],
                    parameters=parameters, tcp=True) as switch, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind((CUSTOMER, 0))
            peer.settimeout(5)
            peer.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
            here = "%s:%d" % peer.getsockname()
            lines = ["OPTIONS sip:%s SIP/2.0" % switch.target, "Via: SIP/2.0/UDP %s;branch=z9hG4bKmarks" % here,
                     "From: <sip:a@%s>;tag=1" % here, "To: <sip:%s>" % switch.target, "Call-ID: marks",
                     "CSeq: 1 OPTIONS", "Max-Forwards: 70", "Content-Length: 0", "", ""]
            peer.sendto("\r\n".join(lines).encode(), (switch.address, switch.port))
            answer, extra, flags, source = peer.recvmsg(65536, 256)
            expect(answer.startswith(b"SIP/2.0 "), "OPTIONS is answered", answer)
            seen = [data[0] for level, kind, data in extra if level == socket.IPPROTO_IP and kind == socket.IP_TOS]
            expect(seen == [tos], "the answer bears TOS %d" % tos, seen)
            marks_of_stream(switch, tos)


def marks_of_stream(switch, tos):
    """The same over TCP, told by the IP headers of what comes."""
    try:
        wire = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    except PermissionError:
        not_run("marks over TCP: no raw socket for this user")
        return
    with wire, socket.create_connection((switch.address, switch.port), 5, (CUSTOMER, 0)) as peer:
        wire.settimeout(5)
        here = "%s:%d" % peer.getsockname()
        lines = ["OPTIONS sip:%s SIP/2.0" % switch.target, "Via: SIP/2.0/TCP %s;branch=z9hG4bKstream" % here,
                 "From: <sip:a@%s>;tag=1" % here, "To: <sip:%s>" % switch.target, "Call-ID: stream",
                 "CSeq: 1 OPTIONS", "Max-Forwards: 70", "Content-Length: 0", "", ""]
        peer.sendall("\r\n".join(lines).encode())
        while True:  # until the packet with the answer
            packet = wire.recv(65536)
            header_bytes = (packet[0] & 15) * 4
            ports = struct.unpack("!HH", packet[header_bytes:header_bytes + 4])
            if ports == (switch.port, peer.getsockname()[1]) and b"SIP/2.0 " in packet:
                expect(packet[1] == tos, "the answer over TCP bears TOS %d" % tos, packet[1])
                return


if __name__ == "__main__":
    main({f.__name__: f for f in (torture, torture_over_streams, malformed, marks)})
