#!/usr/bin/env python3
"""I-02: a server that is told of phones that come and go, by the built program."""
import hashlib
import hmac
import http.server
import json
import re
import socket
import threading
import time
import unittest

from switch_program import RunningSwitch, base_config, folder, free_port, request, run, until, write_config

SECRET = "between us"


class Receiver(http.server.ThreadingHTTPServer):
    """Takes notices, each as (path, headers, object)."""
    daemon_threads = True

    def __init__(self, port):
        self.heard = []
        super().__init__(("127.0.0.1", port), Take)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join()


class Take(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = "sha256=" + hmac.new(SECRET.encode(), self.headers["X-Tandem-Timestamp"].encode() + b"." + body,
                                      hashlib.sha256).hexdigest()
        is_genuine = (hmac.compare_digest(wanted, self.headers["X-Tandem-Signature"])
                      and abs(time.time() - int(self.headers["X-Tandem-Timestamp"])) <= 300)
        if is_genuine:
            self.server.heard.append((self.path, dict(self.headers), json.loads(body)))
        answer = b'{"retCode":0}'
        self.send_response(200 if is_genuine else 401)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Connection", "close")  # so that nothing is taken any more behind close()
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Phone:
    """Registers over UDP with digest."""

    def __init__(self, sip_port, number):
        self.to = ("127.0.0.1", sip_port)
        self.number = number
        self.cseq = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(10)
        self.own = "127.0.0.1:%d" % self.socket.getsockname()[1]

    def ask(self, expires_s, authorization=""):
        self.cseq += 1
        lines = [f"REGISTER sip:127.0.0.1:{self.to[1]} SIP/2.0",
                 f"Via: SIP/2.0/UDP {self.own};branch=z9hG4bK{self.number}{self.cseq}", "Max-Forwards: 70",
                 f"From: <sip:{self.number}@127.0.0.1>;tag=t", f"To: <sip:{self.number}@127.0.0.1>",
                 f"Call-ID: {self.own}", f"CSeq: {self.cseq} REGISTER",
                 f"Contact: <sip:{self.number}@{self.own}>", f"Expires: {expires_s}", "User-Agent: test phone"]
        if authorization:
            lines.append("Authorization: " + authorization)
        self.socket.sendto("\r\n".join(lines + ["Content-Length: 0", "", ""]).encode(), self.to)
        return self.socket.recv(65536).decode()

    def register(self, expires_s=3600):
        challenge = re.search(r'WWW-Authenticate: Digest (.*algorithm=MD5.*)\r\n', self.ask(expires_s)).group(1)
        realm, nonce = (re.search(rf'{key}="([^"]*)"', challenge).group(1) for key in ("realm", "nonce"))
        uri = f"sip:127.0.0.1:{self.to[1]}"

        def md5(text):
            return hashlib.md5(text.encode()).hexdigest()

        response = md5(":".join([md5(f"{self.number}:{realm}:secret{self.number}"), nonce, "00000001", "c", "auth",
                                 md5(f"REGISTER:{uri}")]))
        answer = self.ask(expires_s, f'Digest username="{self.number}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
                                     f'response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c"')
        assert answer.startswith("SIP/2.0 200 "), answer


class Notices(unittest.TestCase):
    def setUp(self):
        holder = folder()
        self.path = holder.__enter__()
        self.addCleanup(holder.__exit__, None, None, None)
        self.sip, self.admin, self.receiver_port = free_port(), free_port(), free_port()
        self.config = base_config(self.sip, self.admin)
        self.config["provision"]["phones"] = [
            {"number": number, "password": "secret" + number, "account": "acme"} for number in ("1001", "1002")]
        # A name, so that /etc/hosts is asked too.
        self.config["phone_notices"] = {"url": f"http://localhost:{self.receiver_port}/PhoneOnline", "secret": SECRET,
                                        "retry_min_ms": 100, "dead_letters": "lost.jsonl"}

    def test_phones_that_come_and_go_and_all_on_demand(self):
        receiver = Receiver(self.receiver_port)
        config_file = write_config(self.path, self.config)
        with RunningSwitch(config_file) as switch:
            phone = Phone(self.sip, "1001")
            phone.register()
            until(lambda: len(receiver.heard) == 1, "the notice has come")
            path, headers, notice = receiver.heard[0]
            self.assertEqual(path, "/PhoneOnline")
            self.assertRegex(headers["Idempotency-Key"], "^tandem-PhoneOnline-[0-9]+-1$")
            self.assertAlmostEqual(notice.pop("eventTime") / 1000, time.time(), delta=20)
            self.assertEqual(notice, {"e164": "1001", "dids": [], "online": True, "localIp": "127.0.0.1",
                                      "localPort": self.sip, "remoteIp": "127.0.0.1", "productId": "test phone"})
            phone.register(0)
            until(lambda: len(receiver.heard) == 2, "the second has come")
            self.assertFalse(receiver.heard[1][2]["online"])

            sent = run("phone-notices", "send", "--config", config_file)
            self.assertEqual((sent.returncode, json.loads(sent.stdout)), (0, {"phones": 2}), sent.stderr)
            until(lambda: len(receiver.heard) == 4, "all phones were told of")
            self.assertEqual({notice["e164"] for _, _, notice in receiver.heard[2:]}, {"1001", "1002"})
            state = until(lambda: (got := json.loads(run("phone-notices", "--config", config_file).stdout))[
                "delivered"] == 4 and got, "they are counted")
            self.assertEqual((state["waiting"], state["failing"], state["configured"]), (0, False, True))
            self.assertIn('tandem_phone_notices_total{result="delivered"} 4',
                          request(self.admin, "GET", "/metrics")[2])
            self.assertEqual(request(self.admin, "DELETE", "/api/v1/phone-notices")[0], 405)

            # While the receiver is away they wait; what waits at the end is kept.
            receiver.close()
            phone.register()
            until(lambda: json.loads(request(self.admin, "GET", "/api/v1/phone-notices")[2])["failing"], "it fails")
            self.assertEqual(switch.stop(), 0)
        with open(f"{self.path}/lost.jsonl", encoding="utf-8") as file:
            lost = [json.loads(line) for line in file]
        self.assertEqual([(one["reason"], one["notice"]["e164"]) for one in lost], [("the switch was closed", "1001")])

    def test_without_a_server_and_with_a_wrong_one(self):
        del self.config["phone_notices"]
        config_file = write_config(self.path, self.config)
        with RunningSwitch(config_file):
            self.assertEqual(request(self.admin, "POST", "/api/v1/phone-notices")[0], 409)
            sent = run("phone-notices", "send", "--config", config_file)
            self.assertEqual(sent.returncode, 1)
            self.assertIn("no phone_notices are configured", sent.stderr)
            self.assertEqual(run("phone-notices", "sent", "--config", config_file).returncode, 2)
        for wrong, pointer in (({}, "/phone_notices/url"), ({"url": "http://"}, "/phone_notices"),
                               ({"url": "http://a/", "retry": 1}, "/phone_notices/retry"),
                               ({"url": "https://a/", "tls_ca": "none.pem"}, "/phone_notices")):
            self.config["phone_notices"] = wrong
            checked = run("check", "--config", write_config(self.path, self.config, "wrong.json"))
            self.assertEqual(checked.returncode, 2)
            self.assertIn(pointer, checked.stderr)


if __name__ == "__main__":
    unittest.main()
