#!/usr/bin/env python3
"""SIP over WebSocket (P-01, RFC 7118) with a WebSocket client of others, as browsers use it: python3-websocket."""
import hashlib
import re
import threading

from peers import *
from phones_test import online, phone, with_phones
from tls_test import Authority

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, where another Python runs this
try:
    import websocket
    HAS_CLIENT = hasattr(websocket, "create_connection")
except ImportError:
    HAS_CLIENT = False

ORIGIN = "https://phone.example"
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def with_web(name, secure=False):
    """A switch with a phone 1002 and a listener for browsers, and that listener's URL."""
    switch = with_phones(Switch(name, [{"id": "v1", "addresses": ["127.0.0.1:9"]}], workers=2), phone("1002"))
    port = free_port()
    scheme = "wss" if secure else "ws"
    switch.config["sip"]["listen"].append({"address": "%s:127.0.0.1:%d" % (scheme, port), "origins": [ORIGIN]})
    if secure:
        switch.authority = Authority(switch.folder)
        certificate, key = switch.authority.issue("switch", "DNS:switch.example")
        switch.config["sip"]["tls"] = {"certificate": certificate, "key": key, "ca": switch.authority.file}
    switch.write()
    switch.web_port = port
    switch.url = "%s://127.0.0.1:%d/sip" % (scheme, port)
    return switch


def header(message, name):
    found = re.search(r"^%s: *(.*?)\r$" % name, message, re.M | re.I)
    return found.group(1) if found else ""


class Browser:
    """A phone in a browser: it has no address, and all it says goes over one connection."""

    def __init__(self, switch, secure=False, origin=ORIGIN):
        options = {"origin": origin, "subprotocols": ["sip"], "timeout": 10}
        if secure:
            options["sslopt"] = {"ca_certs": switch.authority.file, "server_hostname": "switch.example"}
        self.socket = websocket.create_connection(switch.url, **options)
        self.via = "SIP/2.0/%s k3j2h.invalid" % ("WSS" if secure else "WS")
        self.cseq = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def request(self, method, *lines, body=""):
        self.cseq += 1
        return "\r\n".join(["%s sip:switch.example SIP/2.0" % method,
                            "Via: %s;branch=z9hG4bK%d" % (self.via, self.cseq), "Max-Forwards: 70",
                            "From: <sip:1002@switch.example>;tag=w", "To: <sip:1002@switch.example>",
                            "Call-ID: web%d" % id(self), "CSeq: %d %s" % (self.cseq, method), *lines,
                            "Content-Length: %d" % len(body), "", body])

    def ask(self, *words, **more):
        self.socket.send(self.request(*words, **more))
        return self.socket.recv()

    def register(self):
        contact = "Contact: <sip:k3j2h@k3j2h.invalid;transport=ws>;expires=600"
        challenge = self.ask("REGISTER", contact)
        expect(challenge.startswith("SIP/2.0 401 "), "it is asked who it is", challenge)
        given = dict(re.findall(r'(\w+)="([^"]*)"', header(challenge, "WWW-Authenticate")))
        md5 = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
        first = md5("1002:%s:secret" % given["realm"])
        second = md5("REGISTER:sip:switch.example")
        response = md5("%s:%s:00000001:c:auth:%s" % (first, given["nonce"], second))
        answer = self.ask("REGISTER", contact, 'Authorization: Digest username="1002", realm="%s", nonce="%s", '
                          'uri="sip:switch.example", response="%s", qop=auth, nc=00000001, cnonce="c", algorithm=MD5'
                          % (given["realm"], given["nonce"], response))
        expect(answer.startswith("SIP/2.0 200 "), "it registers", answer)

    def reply(self, request, status, body=""):
        lines = ["SIP/2.0 " + status]
        lines += ["Via: " + via for via in re.findall(r"^Via: *(.*?)\r$", request, re.M | re.I)]
        tag = "" if "tag=" in header(request, "To") else ";tag=b"
        lines += ["From: " + header(request, "From"), "To: " + header(request, "To") + tag,
                  "Call-ID: " + header(request, "Call-ID"), "CSeq: " + header(request, "CSeq")]
        if body:
            lines += ["Contact: <sip:k3j2h@k3j2h.invalid;transport=ws>", "Content-Type: application/sdp"]
        self.socket.send("\r\n".join(lines + ["Content-Length: %d" % len(body), "", body]))

    def take_call(self, seen):
        """Answers one call and hears it to its end."""
        while "BYE" not in seen:
            request = self.socket.recv()
            method = request.split(" ", 1)[0]
            seen.append(method)
            if method == "INVITE":
                seen.append(header(request, "Via").split(" ")[0])
                self.reply(request, "180 Ringing")
                self.reply(request, "200 OK", SDP)
            elif method == "BYE":
                self.reply(request, "200 OK")


def registers_and_is_called(secure):
    if not HAS_CLIENT:
        not_run("a WebSocket client of others: there is no python3-websocket")
        return
    with with_web("web_secure" if secure else "web", secure) as switch:
        with Browser(switch, secure) as browser:
            browser.register()
            wait_until(lambda: online(switch) == {"1002"}, 5, "the browser is on line")
            contact = json.loads(switch.api("/api/v1/phones/1002"))["contacts"][0]
            expect(contact["transport"] == ("wss" if secure else "ws"), "how it is reached", contact)
            seen = []
            called = threading.Thread(target=browser.take_call, args=(seen,))
            called.start()
            with uac(switch, "-d", "500", number="1002") as caller:
                caller.expect_good()
            called.join(10)
            expect(seen[:1] == ["INVITE"] and "ACK" in seen and seen[-1] == "BYE", "one call", seen)
            expect(seen[1] == ("SIP/2.0/WSS" if secure else "SIP/2.0/WS"), "the transport in Via", seen)
            record = switch.wait_cdrs(1)[0]
            expect(record["vendor_gateway"] == "phone:1002" and record["answered_at_us"], "the browser's call", record)
        wait_until(lambda: online(switch) == set(), 5, "with its connection it is gone")
        expect(switch.metrics()["tandem_sip_websockets_opened_total"] == 1, "one connection")
        switch.expect_idle()


def over_plain_websocket():
    """A browser registers, is called over its connection, and is off line without it."""
    registers_and_is_called(False)


def over_secure_websocket():
    """The same over TLS."""
    registers_and_is_called(True)


def strangers_are_refused():
    """Pages from elsewhere, other protocols, and what is no WebSocket."""
    if not HAS_CLIENT:
        not_run("a WebSocket client of others: there is no python3-websocket")
        return
    with with_web("web_strangers") as switch:
        for options, status in (({"origin": "https://evil.example", "subprotocols": ["sip"]}, 403),
                                ({"origin": ORIGIN, "subprotocols": ["xmpp"]}, 400)):
            try:
                websocket.create_connection(switch.url, timeout=10, **options).close()
                raise Failure("a connection that %s should refuse" % status)
            except websocket.WebSocketBadStatusException as error:
                expect(error.status_code == status, "why it is refused", error)
        for sends, first in ((b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 426 "),
                             (b"OPTIONS sip:a SIP/2.0\r\n\r\n", b"HTTP/1.1 400 "), (b"\0\r\n\r\n", b"HTTP/1.1 400 ")):
            with socket.create_connection(("127.0.0.1", switch.web_port), timeout=10) as plain:
                plain.sendall(sends)
                expect(plain.recv(65536).startswith(first), "what is no WebSocket is told so", sends[:20])
        with Browser(switch) as browser:
            browser.socket.sock.sendall(b"\x81\x05hello")  # not masked
            opcode, payload = browser.socket.recv_data(control_frame=True)
            expect(opcode == 8 and payload[:2] == b"\x03\xea", "a frame that is not masked ends it", opcode, payload)
        with Browser(switch) as browser:
            browser.socket.ping(b"?")
            opcode, payload = browser.socket.recv_data(control_frame=True)
            expect(opcode == 10 and payload == b"?", "a ping is answered", opcode, payload)
            expect(browser.ask("OPTIONS").startswith("SIP/2.0 200 "), "and all goes on")
            browser.socket.send("\r\n\r\n")
            expect(browser.socket.recv() == "\r\n", "a keep-alive of a browser is answered")
        switch.expect_idle()


if __name__ == "__main__":
    main({f.__name__: f for f in (over_plain_websocket, over_secure_websocket, strangers_are_refused)})
