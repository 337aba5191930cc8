"""What the tests of the program share: folders, configurations, a running switch, a caller and a callee."""
import contextlib
import http.client
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from ports import free_port, port_range  # noqa: E402

PROGRAM = os.environ.get("TANDEM_SWITCH", "build/bin/tandem-switch")
SOURCE = os.environ.get("TANDEM_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
DEADLINE_S = 20


def run(*words, before=(), **options):
    """Runs one command, behind the words of another that runs it; the result has returncode, stdout and stderr."""
    return subprocess.run([*before, PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60, **options)


MEDIA_PORTS = 100
MEDIA_FIRST = port_range(MEDIA_PORTS)


def base_config(sip_port=5060, admin_port=None, vendor_port=5070):
    config = {
        "database": "switch.db",
        "sip": {"listen": [f"udp:127.0.0.1:{sip_port}"]},
        "media": {"address": "127.0.0.1", "ports": [MEDIA_FIRST, MEDIA_FIRST + MEDIA_PORTS - 1]},
        "parameters": {"drain_timeout_s": 1},
        "provision": {
            "accounts": [{"id": "acme", "balance": "10.00", "rate_deck": "retail"},
                         {"id": "poor", "balance": "0.00", "rate_deck": "retail"},
                         {"id": "owed", "kind": "clearing", "rate_deck": "buy"}],
            "rate_decks": [
                {"id": "retail", "rates": [
                    {"prefix": "44", "price": "0.60", "per_s": 60, "first_s": 60, "next_s": 60},
                    {"prefix": "4420", "price": "0.30", "per_s": 60}]},
                {"id": "buy", "rates": [{"prefix": "", "price": "0.20", "per_s": 60}]}],
            "customer_gateways": [{"id": "cust", "addresses": ["127.0.0.1"], "account": "acme"},
                                  {"id": "poor-gw", "addresses": ["127.0.0.5"], "account": "poor"}],
            "vendor_gateways": [{"id": "v1", "addresses": [f"127.0.0.1:{vendor_port}"], "prefixes": ["44"],
                                 "account": "owed"},
                                {"id": "v2", "addresses": ["127.0.0.1:5999"], "prefixes": ["4420"], "locked": True}],
        },
    }
    if admin_port is not None:
        config["admin"] = {"listen": f"127.0.0.1:{admin_port}"}
    return config


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="tandem-cli-") as path:
        yield path


def write_config(path, config, name="switch.json"):
    file_path = os.path.join(path, name)
    with open(file_path, "w", encoding="utf-8") as file:
        file.write(config if isinstance(config, str) else json.dumps(config))
    return file_path


class RunningSwitch:
    """`tandem-switch run`, ready, behind the words of another command that runs it. Ends with the block."""

    def __init__(self, config_path, before=()):
        self.config_path = config_path
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen([*before, PROGRAM, "run", "--config", config_path], stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        selector = selectors.DefaultSelector()
        selector.register(self.process.stdout, selectors.EVENT_READ)
        if not selector.select(DEADLINE_S):
            said = self.errors()
            self.kill()
            raise AssertionError("not ready: " + said)
        line = self.process.stdout.readline()
        if line != "ready\n":
            self.process.wait(DEADLINE_S)
            raise AssertionError(f"said {line!r}, status {self.process.returncode}: {self.errors()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE_S)
        self.process.stdout.close()
        self.log.close()

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)

    def errors(self):
        self.log.flush()
        with open(f"/proc/self/fd/{self.log.fileno()}", encoding="utf-8") as file:
            return file.read()


def until(condition, what, deadline_s=DEADLINE_S):
    """Waits for what happens in another process; a failure says what did not."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"did not happen: {what}")


def request(port, method, path, body=None, headers=None):
    """(status, headers, body text) of one HTTP request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


class SipEnd:
    """A UDP socket that speaks enough SIP for one call at a time."""

    def __init__(self, ip="127.0.0.1", port=0):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ip, port))
        self.socket.settimeout(DEADLINE_S)
        self.ip, self.port = self.socket.getsockname()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, lines, to, body=""):
        text = "\r\n".join(lines + [f"Content-Length: {len(body)}", "", body])
        self.socket.sendto(text.encode(), to)

    def receive(self, wanted):
        """The next message whose start line matches; retransmissions of others are passed over."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            text, source = self.socket.recvfrom(65535)
            message = Message(text.decode())
            if re.match(wanted, message.start):
                return message, source
        raise AssertionError(f"no {wanted} came")

    def sdp(self):
        return (f"v=0\r\no=- 1 1 IN IP4 {self.ip}\r\ns=-\r\nc=IN IP4 {self.ip}\r\nt=0 0\r\n"
                f"m=audio {self.port + 1} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n")

    def invite(self, switch_port, callee, caller="12125550100", call_id="c1"):
        lines = [f"INVITE sip:{callee}@127.0.0.1:{switch_port} SIP/2.0",
                 f"Via: SIP/2.0/UDP {self.ip}:{self.port};branch=z9hG4bK{call_id}",
                 f"From: <sip:{caller}@{self.ip}>;tag=f{call_id}", f"To: <sip:{callee}@127.0.0.1>",
                 f"Call-ID: {call_id}", "CSeq: 1 INVITE", f"Contact: <sip:{caller}@{self.ip}:{self.port}>",
                 "Max-Forwards: 70", "Content-Type: application/sdp"]
        self.send(lines, ("127.0.0.1", switch_port), self.sdp())

    def in_dialog(self, method, number, final, switch_port, branch):
        """ACK or BYE after the 2xx `final`."""
        contact = re.search(r"<([^>]+)>", final["contact"]).group(1)
        lines = [f"{method} {contact} SIP/2.0", f"Via: SIP/2.0/UDP {self.ip}:{self.port};branch=z9hG4bK{branch}",
                 f"From: {final['from']}", f"To: {final['to']}", f"Call-ID: {final['call-id']}",
                 f"CSeq: {number} {method}", "Max-Forwards: 70"]
        self.send(lines, ("127.0.0.1", switch_port))

    def answer(self, message, to, status, phrase, with_sdp=False):
        tag = "" if ";tag=" in message["to"] else ";tag=callee"
        lines = [f"SIP/2.0 {status} {phrase}"] + [f"Via: {via}" for via in message.all("via")] + [
            f"From: {message['from']}", f"To: {message['to']}{tag}", f"Call-ID: {message['call-id']}",
            f"CSeq: {message['cseq']}", f"Contact: <sip:vendor@{self.ip}:{self.port}>"]
        if with_sdp:
            lines.append("Content-Type: application/sdp")
        self.send(lines, to, self.sdp() if with_sdp else "")


class Message:
    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        self.start, *lines = head.split("\r\n")
        self.headers = [(name.strip().lower(), value.strip()) for name, _, value in (l.partition(":") for l in lines)]

    def __getitem__(self, name):
        return next(value for key, value in self.headers if key == name)

    def all(self, name):
        return [value for key, value in self.headers if key == name]


def answered_call(caller, vendor, switch_port, callee="442079460000", call_id="c1"):
    """Sets up a call through the switch; the 200 that the caller got."""
    caller.invite(switch_port, callee, call_id=call_id)
    invite, source = vendor.receive("INVITE ")
    vendor.answer(invite, source, 180, "Ringing")
    vendor.answer(invite, source, 200, "OK", with_sdp=True)
    final, _ = caller.receive(r"SIP/2\.0 200")
    caller.in_dialog("ACK", 1, final, switch_port, "ack" + call_id)
    vendor.receive("ACK ")
    return final
