"""What the peer tests share: a switch in a folder of its own, peers of others, and what came of it."""
import concurrent.futures
import contextlib
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from decimal import Decimal

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
from ports import free_port, give_back, port_range  # noqa: E402
SOURCE = os.path.dirname(os.path.dirname(HERE))
BIN = os.environ.get("TANDEM_BIN", os.path.join(SOURCE, "build", "bin"))
WORK = os.environ.get("TANDEM_PEERS_WORK", os.path.join(SOURCE, "build", "peers"))
SWITCH = os.path.join(BIN, "tandem-switch")
LOAD = os.path.join(BIN, "tandem-load")
SHARED = os.path.join(os.path.dirname(SOURCE), "shared")
CUSTOMER = "127.0.0.2"  # callers are known by their address, so they get one apart from the switch's


class Failure(AssertionError):
    pass


def expect(condition, what, *facts):
    """Fails the test with `what` and the facts when `condition` is false."""
    if not condition:
        raise Failure(what + "".join("\n  " + str(fact)[:4000] for fact in facts))


def not_run(what):
    """The one line that says what a test left out, and why; tests/run-all.sh collects these."""
    print("not run: " + what, flush=True)


def wait_until(condition, seconds, what):
    """Polls until `condition()` is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure("%s: not within %s s" % (what, seconds))
        time.sleep(0.05)


def folder(name):
    """An empty folder for the test."""
    path = os.path.join(WORK, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


class Switch:
    """tandem-switch with a generated configuration. `vendors`: list of dicts of vendor_gateways[]."""

    def __init__(self, name, vendors, customers=None, parameters=None, workers=1, address="127.0.0.1", tcp=False,
                 media="off", balance="1000000", runner=(), cpus=None, media_ports=400):
        self.folder = folder(name)
        self.address = address
        self.port = free_port() if address == "127.0.0.1" else 5060
        self.admin_port = free_port() if address == "127.0.0.1" else 8099
        self.runner = list(runner)
        self.cpus = cpus
        self.balance = Decimal(balance)
        self.process = None
        listen = ["udp:%s:%d" % (address, self.port)]
        if tcp:
            listen.append("tcp:%s:%d" % (address, self.port))
        low = self.media_first = port_range(media_ports)
        rate = {"prefix": "", "price": "0.60", "per_s": 60, "first_s": 1, "next_s": 1}
        cost = {"prefix": "", "price": "0.30", "per_s": 60, "first_s": 1, "next_s": 1}
        self.config = {
            "database": "switch.db",
            "sip": {"listen": listen, "workers": workers},
            "media": {"address": address, "ports": [low, low + media_ports - 1]},
            "admin": {"listen": "127.0.0.1:%d" % self.admin_port},
            "cdr": {"journal": "journal", "sinks": [{"type": "sqlite"}]},
            "parameters": {"media_mode": media, **(parameters or {})},
            "provision": {
                "accounts": [
                    {"id": "acme", "balance": balance, "currency": "USD", "rate_deck": "retail"},
                    {"id": "clearing", "balance": "0", "kind": "clearing", "currency": "USD", "rate_deck": "cost"}],
                "rate_decks": [{"id": "retail", "rates": [rate]}, {"id": "cost", "rates": [cost]}],
                "customer_gateways": customers or [{"id": "cust", "addresses": [CUSTOMER], "account": "acme"}],
                "vendor_gateways": [{"account": "clearing", **vendor} for vendor in vendors]}}
        self.write()

    def write(self):
        self.file = os.path.join(self.folder, "switch.json")
        with open(self.file, "w") as out:
            json.dump(self.config, out, indent=1)

    @property
    def target(self):
        return "%s:%d" % (self.address, self.port)

    def start(self):
        self.log = open(os.path.join(self.folder, "switch.log"), "ab")
        command = self.runner + [SWITCH, "run", "--config", self.file]
        if self.cpus:
            command = ["taskset", "-c", self.cpus] + command
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        if line != b"ready\n":
            self.process.wait(10)
            raise Failure("tandem-switch did not get ready, status %s\n%s" % (self.process.returncode, self.log_text()))
        return self

    def log_text(self, size=4000):
        with open(os.path.join(self.folder, "switch.log"), "rb") as log:
            return log.read()[-size:].decode(errors="replace")

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def stop(self):
        """Ends it as an operator would and expects status 0."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGTERM)
                self.process.wait(20)
        status, self.process = self.process.returncode, None
        self.log.close()
        expect(status == 0, "tandem-switch ended with status %s" % status, self.log_text())

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        elif self.is_alive():
            print(self.log_text(), file=sys.stderr)
            self.kill()
        give_back(self.media_first)

    def command(self, *words):
        run = subprocess.run([SWITCH, *words], capture_output=True, text=True, timeout=300)
        expect(run.returncode == 0, "tandem-switch %s failed" % words[0], run.stderr)
        return run.stdout

    def cdrs(self, limit=1000000):
        """Every record, oldest first."""
        text = self.command("cdr", "--config", self.file, "--format", "json", "--limit", str(limit))
        return [json.loads(line) for line in text.splitlines()][::-1]

    def wait_cdrs(self, count, seconds=20):
        """The records when there are `count` of them; a record is visible within 2 s of its call's end."""
        records = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            records = self.cdrs()
            if len(records) >= count:
                break
            time.sleep(0.2)
        expect(len(records) == count, "%d records instead of %d" % (len(records), count), records[-2:])
        return records

    def api(self, path, method="GET"):
        """Asks the admin API; the runner's namespace, if any, is not the test's, so curl goes there."""
        url = "http://127.0.0.1:%d%s" % (self.admin_port, path)
        if self.runner:
            return subprocess.run(self.runner + ["curl", "-sS", "-m", "10", "-X", method, url], check=True,
                                  capture_output=True, text=True).stdout
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
            return answer.read().decode()

    def metrics(self):
        """Samples by name with labels."""
        return {name: float(value) for name, value in
                re.findall(r"^(tandem_\S+) (\S+)$", self.api("/metrics"), re.M)}

    def balance_of(self, account):
        return Decimal(json.loads(self.api("/api/v1/accounts/" + account))["balance"])

    def lines_in_use(self):
        """Calls by gateway."""
        return {name: value for name, value in self.metrics().items() if name.startswith("tandem_gateway_calls")}

    def expect_idle(self, seconds=10):
        """Every lease is back: no call, no line, no relayed media, nothing held."""
        def idle():
            held = json.loads(self.api("/api/v1/accounts"))
            metrics = self.metrics()
            return (metrics["tandem_calls_live"] == 0 and metrics["tandem_media_sessions"] == 0
                    and not any(self.lines_in_use().values())
                    and all(Decimal(account.get("held", "0")) == 0 for account in held))
        wait_until(idle, seconds, "calls, media sessions, lines and holds back to 0")

    def proc(self, name):
        with open("/proc/%d/%s" % (self.process.pid, name)) as file:
            return file.read()

    def rss_bytes(self):
        return int(re.search(r"VmRSS:\s+(\d+) kB", self.proc("status")).group(1)) * 1024

    def fds(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))


def money(records, field):
    return sum((Decimal(record[field]) for record in records if record[field] is not None), Decimal(0))


def expect_money_fits(switch, records):
    """Balances are what was paid in less the charges of the records."""
    wait_until(lambda: switch.balance_of("acme") == switch.balance - money(records, "charge"), 10,
               "balance of acme is opening balance less charges: %s, charges %s"
               % (switch.balance_of("acme"), money(records, "charge")))
    expect(switch.balance_of("clearing") == -money(records, "vendor_charge"), "clearing balance fits",
           switch.balance_of("clearing"), money(records, "vendor_charge"))


def expect_charges_right(records, price_per_minute=Decimal("0.60"), cost_per_minute=Decimal("0.30")):
    """Per started second, as the generated decks say."""
    for record in records:
        billed = record["billed_time_s"]
        if record["answered_at_us"]:
            expect(billed == -(-record["talk_time_ms"] // 1000) or
                   abs(billed * 1000 - record["talk_time_ms"]) < 1000, "billed seconds fit the talk time", record)
        else:
            expect(billed == 0, "an unanswered call is not billed", record)
        expect(Decimal(record["charge"]) == (billed * price_per_minute / 60).quantize(Decimal("0.000001")),
               "charge fits the billed seconds", record)
        if record["vendor_charge"] is not None:
            expect(Decimal(record["vendor_charge"]) ==
                   (record["vendor_billed_time_s"] * cost_per_minute / 60).quantize(Decimal("0.000001")),
                   "vendor charge fits", record)


# --- tandem-load

def start_load(switch, uas_port, *options, runner=()):
    command = list(runner) + [LOAD, "--target", switch.target, "--from", CUSTOMER,
                              "--uas", "127.0.0.1:%d" % uas_port, *map(str, options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end_load(process, seconds=600, may_fail=False):
    out, err = process.communicate(timeout=seconds)
    expect(out.startswith("{"), "tandem-load said nothing, status %s" % process.returncode, err)
    report = json.loads(out)
    if not may_fail:
        expect(process.returncode == 0, "tandem-load saw failures", out)
    return report


def load(switch, uas_port, *options, seconds=600, may_fail=False):
    return end_load(start_load(switch, uas_port, *options), seconds, may_fail)


# --- SIPp

def scenario(name, into, headers=()):
    """The file of a scenario. "refused_404", "refuses_404" are made for their status in the folder `into`;
    one that refuses sends `headers` with it."""
    kind, _, status = name.partition("_")
    if kind not in ("refused", "refuses") or not status.isdigit():
        return os.path.join(HERE, "sipp", name + ".xml")
    with open(os.path.join(HERE, "sipp", kind + ".xml")) as file:
        text = file.read()
    text = text.replace("@STATUS@", status).replace("@HEADERS@", "".join("      %s\n" % line for line in headers))
    path = os.path.join(into, name + ".xml")
    with open(path, "w") as file:
        file.write(text)
    return path


class LossyPath(threading.Thread):
    """Passes datagrams between whoever sends to `port` and `target`, both ways, and loses some of them."""

    def __init__(self, target, percent, out="127.0.0.1"):
        super().__init__(daemon=True)
        self.port = free_port()
        self.lost = 0
        self._target, self._percent, self._random = target, percent, random.Random(5)
        self._near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._near.bind(("127.0.0.1", self.port))
        self._far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._far.bind((out, 0))
        self._ends = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._ends = True
        self.join()
        self._near.close()
        self._far.close()

    def run(self):
        peer = None
        while not self._ends:
            for ready in select.select([self._near, self._far], [], [], 0.2)[0]:
                data, source = ready.recvfrom(65535)
                if ready is self._near:
                    peer = source
                if self._random.random() * 100 < self._percent:
                    self.lost += 1
                elif ready is self._near:
                    self._far.sendto(data, self._target)
                elif peer:
                    self._near.sendto(data, peer)


class Sipp:
    """One SIPp. Scenarios that are not built in (-sn) lie in sipp/."""

    def __init__(self, switch, name, *options, address="127.0.0.1", port=None, target=None, calls=1, timeout=60,
                 headers=()):
        self.folder = os.path.join(switch.folder, "sipp-%s-%d" % (name, len(os.listdir(switch.folder))))
        os.makedirs(self.folder)
        self.name = name
        self.port = port or free_port(address)
        built_in = name in ("uac", "uas")
        command = ["sipp", "-sn" if built_in else "-sf", name if built_in else scenario(name, self.folder, headers)]
        if target:
            command.append(target)
        command += ["-i", address, "-p", str(self.port), "-m", str(calls), "-timeout", "%ds" % timeout,
                    "-timeout_error", "-trace_err", "-error_file", os.path.join(self.folder, "errors.log"),
                    "-trace_stat", "-stf", os.path.join(self.folder, "stat.csv"), "-fd", "1", "-nostdin", *options]
        self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=open(os.path.join(self.folder, "out.log"), "wb"),
                                        stderr=subprocess.STDOUT)

    def wait(self, seconds=90):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("SIPp %s did not end\n%s" % (self.name, self.errors()))
        return self.process.returncode

    def expect_good(self):
        status = self.wait()
        expect(status == 0, "SIPp %s ended with status %s" % (self.name, status), self.errors())
        return self

    def errors(self):
        text = ""
        for name in ("errors.log", "out.log"):
            with contextlib.suppress(OSError), open(os.path.join(self.folder, name), errors="replace") as file:
                text += file.read()[-3000:]
        return text

    def stat(self, column):
        """The last value of a column of the statistics file."""
        with open(os.path.join(self.folder, "stat.csv")) as file:
            lines = file.read().splitlines()
        names = lines[0].split(";")
        return int(lines[-1].split(";")[names.index(column)])

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        wait_bound(self)
        return self

    def __exit__(self, *_):
        self.stop()


def wait_bound(sipp):
    """Until SIPp listens; calls before that would be refused by ICMP."""
    def bound():
        needle = ":%04X " % sipp.port
        for table in ("udp", "tcp"):
            with open("/proc/net/" + table) as file:
                if any(needle in line.split(":", 1)[1][:20] for line in file if ":" in line):
                    return True
        return sipp.process.poll() is not None
    wait_until(bound, 10, "SIPp %s listens" % sipp.name)


def uac(switch, *options, name="uac", calls=1, number="442079460000", **more):
    return Sipp(switch, name, "-s", number, *options, address=CUSTOMER, target=switch.target, calls=calls, **more)


# --- tshark

class Capture:
    """tshark on loopback, for the ports named only; then whether anything we sent was malformed."""

    def __init__(self, switch, ports, interface="lo"):
        self.switch = switch
        self.file = os.path.join(switch.folder, "call.pcap")
        self.log = os.path.join(switch.folder, "tshark.log")
        self.filter = " or ".join("port %d" % port for port in ports) if ports else "udp"
        self.interface = interface

    def __enter__(self):
        for _ in range(3):  # on a busy machine its capture process may never begin
            if self.begins():
                time.sleep(0.5)  # dumpcap opens its file before the interface delivers
                return self
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        with open(self.log, errors="replace") as log:
            raise Failure("tshark does not capture on %s: %s" % (self.interface, log.read()[-2000:]))

    def begins(self):
        """Starts it; whether it captures within ten seconds."""
        with contextlib.suppress(OSError):
            os.unlink(self.file)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.switch.runner + ["tshark", "-q", "-i", self.interface, "-f", self.filter, "-w", self.file],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True)
        try:
            return wait_until(lambda: os.path.exists(self.file) and os.path.getsize(self.file) > 0 or
                              self.process.poll() is not None, 10, "tshark captures") and self.process.poll() is None
        except Failure:
            return False

    def __exit__(self, *_):
        time.sleep(0.5)  # what the kernel holds is handed over in blocks
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)

    def fields(self, display_filter, *names, options=()):
        command = ["tshark", "-r", self.file, *options, "-Y", display_filter, "-T", "fields", "-E", "separator=|"]
        for name in names:
            command += ["-e", name]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return [line.split("|") for line in run.stdout.splitlines()]

    def expect_clean(self, rtp_ports=()):
        """No frame that the switch sent is malformed or has an expert item of level error."""
        decode = ["-d", "udp.port==%d,sip" % self.switch.port]
        for port in rtp_ports:
            decode += ["-d", "udp.port==%d,rtp" % port]
        ours = "udp.srcport==%d" % self.switch.port
        for port in rtp_ports:
            ours += " or udp.srcport==%d" % port
        bad = self.fields("(%s) and (_ws.malformed or _ws.expert.severity >= 0x800000)" % ours, "frame.number",
                          "_ws.expert.message", options=decode)
        expect(not bad, "frames of ours that tshark calls malformed", bad)
        sip = self.fields("sip and (%s)" % ours, "sip.Method", "sip.Status-Code", options=decode)
        expect(sip, "tshark saw SIP of ours")
        return sip


def main(tests, at_once=1):
    """Runs the functions named on the command line, or all, `at_once` at a time; says which failed."""
    names = sys.argv[1:] or list(tests)

    def run(name):
        begin = time.monotonic()
        try:
            tests[name]()
        except (Failure, subprocess.SubprocessError, OSError, RuntimeError) as error:
            print("FAILED %s: %s: %s" % (name, type(error).__name__, error), flush=True)
            return False
        print("passed %s (%.1f s)" % (name, time.monotonic() - begin), flush=True)
        return True

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        sys.exit(0 if all(list(pool.map(run, names))) else 1)
