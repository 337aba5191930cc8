#!/usr/bin/env python3
"""Peers that are no test tools: baresip as caller and called party, Kamailio as a vendor's proxy and registrar."""
import struct
import wave

from peers import *

NAMESPACE = "tandem%d" % os.getpid()
SWITCH_IP, BOB_IP = "10.77.0.1", "10.77.0.2"


def tone(path, hz, seconds=6, rate=8000, channels=1):
    """A file with one tone: what is heard on the other side says whose it is."""
    import math
    with wave.open(path, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(2 * math.pi * hz * i / rate))) * channels
                                 for i in range(rate * seconds)))


class Namespace:
    """A network of its own with an interface that is not loopback, which baresip does not take for its media: one end of
    a virtual cable, since not every kernel has dummy interfaces."""

    def __enter__(self):
        for words in (["netns", "add", NAMESPACE], ["-n", NAMESPACE, "link", "set", "lo", "up"],
                      ["-n", NAMESPACE, "link", "add", "d0", "type", "veth", "peer", "name", "d1"],
                      ["-n", NAMESPACE, "addr", "add", SWITCH_IP + "/24", "dev", "d0"],
                      ["-n", NAMESPACE, "addr", "add", BOB_IP + "/24", "dev", "d0"],
                      ["-n", NAMESPACE, "link", "set", "d0", "up"],
                      ["-n", NAMESPACE, "link", "set", "d1", "up"]):
            run = subprocess.run(["ip", *words], capture_output=True, text=True)
            if run.returncode != 0:
                self.__exit__()
                return run.stderr.strip() or "ip %s failed" % " ".join(words)
        return ""

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", NAMESPACE], capture_output=True)


def baresip(switch, name, user, address, port, hz, *options, account=None, settings="", rate=8000, channels=1):
    """A user agent in the namespace. It takes calls to `user` only. `account`: a line of its file of accounts; without
    one it does not register. `settings`: further lines of its configuration. `rate`, `channels`: of its codec."""
    path = os.path.join(switch.folder, name)
    os.makedirs(path)
    tone(os.path.join(path, "in.wav"), hz, rate=rate, channels=channels)
    low = 26200 if name.startswith("alice") else 26400
    with open(os.path.join(path, "config"), "w") as out:
        out.write("poll_method epoll\nsip_listen %s:%d\naudio_source aufile,%s/in.wav\naudio_player aufile,%s/out.wav\n"
                  "audio_srate %d\nrtp_ports %d-%d\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\n"
                  "module aufile.so\nmodule_tmp uuid.so\nmodule_tmp account.so\nmodule_app menu.so\n"
                  % (address, port, path, path, rate, low, low + 100) + settings)
    with open(os.path.join(path, "accounts"), "w") as out:
        out.write(account or "<sip:%s@%s:%d>;regint=0;answermode=auto;audio_codecs=PCMA/8000/1\n"
                  % (user, address, port))
    open(os.path.join(path, "contacts"), "w").close()
    log = open(os.path.join(path, "log"), "wb")
    return subprocess.Popen(["ip", "netns", "exec", NAMESPACE, "baresip", "-f", path, *options],
                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=path)


def wait_listening(port):
    """Until some agent in the namespace has that port: a call before that would be refused by ICMP."""
    def has_port():
        table = subprocess.run(["ip", "netns", "exec", NAMESPACE, "cat", "/proc/net/udp"], capture_output=True, text=True)
        return ":%04X " % port in table.stdout
    wait_until(has_port, 10, "an agent listens on port %d" % port)


def baresip_talks_both_ways():
    """A real user agent calls another through the relay; both hear the other's tone, not their own, and the recording of
    the call has the caller's left and the called party's right."""
    with Namespace() as problem:
        if problem:
            not_run("baresip through the relay: a network namespace with an interface cannot be made here: "
                    + problem)
            return
        runner = ["ip", "netns", "exec", NAMESPACE]
        switch = Switch("baresip", [{"id": "v1", "addresses": [BOB_IP + ":5080"]}], address=SWITCH_IP, media="on",
                        customers=[{"id": "cust", "addresses": [BOB_IP + ":5090"], "account": "acme"}], runner=runner)
        switch.config["media"]["ports"] = [30000, 30099]
        switch.config["recording"] = {"free_megabytes_min": 0}
        switch.config["provision"]["vendor_gateways"][0]["record"] = True
        switch.write()
        with switch:
            bob = baresip(switch, "bob", "442079460000", BOB_IP, 5080, 440, "-t", "14")
            wait_listening(5080)
            with Capture(switch, [], interface="any") as capture:
                alice = baresip(switch, "alice", "12025550100", BOB_IP, 5090, 1000, "-t", "8", "-e",
                                "/dial sip:442079460000@%s:5060" % SWITCH_IP)
                alice.wait(30)
            bob.wait(30)
            records = switch.wait_cdrs(1)
            media = records[0]["media"]
            expect(records[0]["answered_at_us"] and records[0]["end_reason"] == "NormalCallClearing", "answered",
                   records[0])
            expect(min(media["caller"]["packets_received"], media["callee"]["packets_received"]) > 100,
                   "RTP both ways", media)
            # Tones in what left the relay: 1000 Hz to bob, 440 Hz to alice.
            for low, hz in ((26400, 1000), (26200, 440)):
                heard = pitch(capture, low)
                expect(abs(heard - hz) < 40, "the other side's tone of %d Hz arrives" % hz, heard)
            expect(media["caller"]["cause"] == media["callee"]["cause"] == "", "both were heard", media)
            expect_recorded(os.path.join(switch.folder, "recordings", media["recording"]), 1000, 440)


def expect_recorded(path, left_hz, right_hz):
    """The two tones, each on its side. The file is complete at the end of its call, or a moment later."""
    frames = []

    def is_complete():
        with wave.open(path) as sound:
            expect((sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (2, 2, 8000), "16 bit stereo")
            frames[:] = struct.iter_unpack("<hh", sound.readframes(sound.getnframes()))
            return len(frames) > 3 * 8000

    wait_until(is_complete, 5, "a recording of three seconds")
    for channel, hz in ((0, left_hz), (1, right_hz)):
        samples = [frame[channel] for frame in frames[8000:3 * 8000]]  # past the start-up
        crossings = sum(a < 0 <= b for a, b in zip(samples, samples[1:]))
        heard = crossings * 8000 / len(samples)
        expect(abs(heard - hz) < 40, "the tone of %d Hz on channel %d" % (hz, channel), heard)


def pitch(capture, low):
    """Hz of the audio that the relay sent to a port of the range, by zero crossings."""
    payloads = capture.fields("ip.src==%s and udp.dstport>=%d and udp.dstport<=%d and udp.srcport>=30000"
                              % (SWITCH_IP, low, low + 100), "udp.payload")
    samples = []
    for (payload,) in payloads:
        data = bytes.fromhex(payload.replace(":", ""))
        if len(data) == 172 and data[1] & 0x7F == 8:
            samples += [alaw(byte) for byte in data[12:]]
    samples = samples[4000:]  # past the start-up
    expect(len(samples) > 8000, "a second of audio", len(payloads))
    crossings = sum(a < 0 <= b for a, b in zip(samples, samples[1:]))
    return crossings * 8000 / len(samples)


def alaw(byte):
    byte ^= 0x55
    exponent, mantissa = (byte >> 4) & 7, byte & 15
    value = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return value if byte & 0x80 else -value


KAMAILIO = """
listen=udp:127.0.0.1:{port}
children=2
log_stderror=yes
debug=1
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "sl.so"
loadmodule "maxfwd.so"
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK") && t_check_trans()) {{ t_relay(); exit; }}
    sl_send_reply("404", "Not here"); exit;
  }}
  record_route();
  $du = "sip:127.0.0.1:{uas}";
  t_relay();
}}
"""


REGISTRAR = """
listen=udp:127.0.0.1:{port}
children=2
log_stderror=yes
debug=1
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "sl.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", 1)
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK") && t_check_trans()) {{ t_relay(); exit; }}
    if ($rU == "trunk1" && lookup("location")) t_relay();  # SIPp's caller follows no route
    exit;
  }}
  if (is_method("REGISTER")) {{
    if (!pv_www_authenticate("carrier.example", "secret", "0")) {{ www_challenge("carrier.example", "1"); exit; }}
    if ($au != "trunk1" || $tU != "trunk1") {{ sl_send_reply("403", "Not yours"); exit; }}
    append_to_reply("Service-Route: <sip:127.0.0.1:{port};lr>\\r\\n");
    save("location"); exit;
  }}
  record_route();
  if ($rU == "trunk1") {{
    if (!lookup("location")) {{ sl_send_reply("480", "Not registered"); exit; }}
    $rU = "442079460000";  # the number that is the trunk's
    t_relay(); exit;
  }}
  # From the trunk: by the Service-Route (RFC 3608); who is registered may call, with the password.
  if (!is_present_hf("Route")) {{ sl_send_reply("403", "Not by the route"); exit; }}
  loose_route();
  if (!pv_proxy_authenticate("carrier.example", "secret", "0")) {{ proxy_challenge("carrier.example", "1"); exit; }}
  consume_credentials();
  $du = "sip:127.0.0.1:{uas}";
  t_relay();
}}
"""


# Phones register through it at {uas}, a switch, which must come back the same way (RFC 3327).
EDGE = """
listen=udp:127.0.0.1:{port}
children=2
log_stderror=yes
debug=1
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "sl.so"
loadmodule "maxfwd.so"
loadmodule "path.so"
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK") && t_check_trans()) {{ t_relay(); exit; }}
    sl_send_reply("404", "Not here"); exit;
  }}
  if (is_method("REGISTER")) {{
    add_path();
    $du = "sip:127.0.0.1:{uas}";
    t_relay(); exit;
  }}
  if (!is_present_hf("Route")) {{ sl_send_reply("403", "Not by the path"); exit; }}
  loose_route();
  record_route();
  t_relay();
}}
"""


class Kamailio:
    """One that runs `text`, with its port and that of the called party for {port} and {uas}."""

    def __init__(self, path, port, uas, text=KAMAILIO):
        self.file = os.path.join(path, "kamailio.cfg")
        self.log = os.path.join(path, "kamailio.log")
        run = os.path.join(path, "run")
        os.makedirs(run)
        with open(self.file, "w") as out:
            out.write(text.format(port=port, uas=uas))
        self.command = ["kamailio", "-DD", "-E", "-f", self.file, "-m", "64", "-M", "8", "-Y", run,
                        "-P", os.path.join(run, "pid")]
        self.port = port
        self.name = "kamailio"

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(self.log, "wb"), start_new_session=True)
        wait_bound(self)
        time.sleep(0.5)  # the workers start after the socket is bound
        expect(self.process.poll() is None, "Kamailio runs", open(self.log).read()[-2000:])
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:  # its end is not what is tested
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def kamailio_as_vendor():
    """A stateful record-routing proxy between us and the called party: routes are kept, in both directions."""
    proxy, port = free_port(), free_port()
    with Switch("kamailio", [{"id": "v1", "addresses": ["127.0.0.1:%d" % proxy]}]) as switch:
        with Kamailio(switch.folder, proxy, port):
            report = load(switch, port, "--calls", 200, "--rate", 50, "--hold", 1000, "--ring", 50,
                          "--hangup", "alternate")
            expect(report["completed"] == 200, "every call completes", report)
            report = load(switch, port, "--calls", 60, "--rate", 50, "--hold", 300, "--ring", 20, "--patience", 500,
                          "--answer", "busy:1,noanswer:1,reject404:1")
            expect(report["expected"] == 60, "refusals and cancels pass", report)
        records = switch.wait_cdrs(260)
        sides = {r["release_side"] for r in records if r["answered_at_us"]}
        expect(sides == {"caller", "callee"}, "both sides hang up", sides)
        expect_money_fits(switch, records)
        switch.expect_idle()


def kamailio_before_sipp():
    """SIPp calls SIPp past the same proxy: the caller hangs up, the called party does, or it is busy. What is sent within
    a call follows the route that the proxy recorded (RFC 3261, 12.2.1.1)."""
    proxy, port, calls = free_port(), free_port(), 5
    with Switch("kamailio-sipp", [{"id": "v1", "addresses": ["127.0.0.1:%d" % proxy]}]) as switch:
        with Kamailio(switch.folder, proxy, port), Capture(switch, [switch.port, proxy, port]) as capture:
            for called, calling, options in (("answers", "uac", ("-d", "200")), ("hangs_up", "hung_up", ()),
                                             ("refuses_486", "refused_486", ())):
                with Sipp(switch, called, port=port, calls=calls) as callee, \
                        uac(switch, "-r", "20", *options, name=calling, calls=calls) as caller:
                    caller.expect_good()
                    callee.expect_good()
        records = switch.wait_cdrs(3 * calls)
        expect(len({r["call_id"] for r in records}) == 3 * calls, "each call once")
        seen = sorted((r["end_reason"], r["sip_status"], r["release_side"]) for r in records)
        expect(seen == sorted([("NormalCallClearing", 200, "caller"), ("NormalCallClearing", 200, "callee"),
                               ("CalleeBusy", 486, "callee")] * calls), "who ended it, and how", seen)
        expect_charges_right(records)
        expect(all((Decimal(r["charge"]) > 0) == (r["sip_status"] == 200) for r in records), "who talked pays", records)
        expect_money_fits(switch, records)
        switch.expect_idle()
        capture.expect_clean()
        expect_routed(capture, switch.port, proxy, port, calls)


def expect_routed(capture, switch, proxy, callee, calls):
    """Each ACK and BYE of the calls went past the proxy, those of the switch by the proxy's Record-Route to the called
    party's Contact; only the ACK of a refusal has no route, since it goes to the next hop (RFC 3261, 17.1.1.3)."""
    decode = [word for each in (switch, proxy, callee) for word in ("-d", "udp.port==%d,sip" % each)]
    names = {switch: "switch", proxy: "proxy", callee: "callee"}
    ways = {}
    for method, call, source, target, uri, route in capture.fields(
            "sip.Method in {ACK, BYE} and udp.srcport in {%d, %d, %d} and udp.dstport in {%d, %d, %d}" % (*names, *names),
            "sip.Method", "sip.Call-ID", "udp.srcport", "udp.dstport", "sip.r-uri", "sip.Route", options=decode):
        is_routed = route.startswith("<sip:127.0.0.1:%d;" % proxy) and ";lr" in route
        if names[int(source)] == "switch" and is_routed:
            expect(uri.startswith("sip:127.0.0.1:%d" % callee), "sent to the called party's Contact", method, uri)
        way = (method, names[int(source)], names[int(target)], "by route" if is_routed else "")
        ways.setdefault(way, set()).add(call)
    seen = {way: len(ids) for way, ids in ways.items()}
    expect(seen == {("ACK", "switch", "proxy", "by route"): 2 * calls, ("ACK", "switch", "proxy", ""): calls,
                    ("ACK", "proxy", "callee", ""): 3 * calls,
                    ("BYE", "switch", "proxy", "by route"): calls, ("BYE", "proxy", "callee", ""): calls,
                    ("BYE", "callee", "proxy", "by route"): calls, ("BYE", "proxy", "switch", ""): calls},
           "ACK and BYE on their ways, by calls", seen)


def kamailio_as_registrar():
    """A carrier that we register at (R-25): it challenges, is called with the password, calls us where we registered, and
    knows us no more when we have stopped."""
    carrier, far, near = free_port(), free_port(), free_port()
    vendors = [
        {"id": "carrier", "addresses": ["127.0.0.1:%d" % carrier], "registration": "outbound", "prefixes": ["44"],
         "auth": {"username": "trunk1", "password": "secret"}, "customers": {"deny": ["from-carrier"]}},
        {"id": "inside", "addresses": ["127.0.0.1:%d" % near], "customers": {"allow": ["from-carrier"]}}]
    customers = [{"id": "cust", "addresses": [CUSTOMER], "account": "acme"},
                 {"id": "from-carrier", "addresses": ["127.0.0.1:%d" % carrier], "account": "acme"}]
    outside = {"address": "127.0.0.6", "target": "127.0.0.1:%d" % carrier}
    switch = Switch("registrar", vendors, customers)
    with Kamailio(switch.folder, carrier, far, REGISTRAR):
        with switch:
            def is_registered():
                rows = json.loads(switch.api("/api/v1/gateways"))
                return [row for row in rows if row["id"] == "carrier" and "unregistered" not in json.dumps(row)
                        and "registered" in json.dumps(row)]
            wait_until(is_registered, 10, "it is registered")
            with Sipp(switch, "uas", port=far, calls=3) as callee, uac(switch, "-d", "300", calls=3) as caller:
                caller.expect_good()
                del callee
            with Sipp(switch, "uas", port=near, calls=2) as callee, \
                    Sipp(switch, "uac", "-s", "trunk1", "-d", "300", **outside, calls=2) as caller:
                caller.expect_good()
                del callee
            records = switch.wait_cdrs(5)
            ways = sorted((r["customer_gateway"], r["vendor_gateway"]) for r in records)
            expect(ways == [("cust", "carrier")] * 3 + [("from-carrier", "inside")] * 2, "both ways", ways)
            switch.expect_idle()
        with Sipp(switch, "refused_480", "-s", "trunk1", **outside) as caller:
            caller.expect_good()


if __name__ == "__main__":
    main({f.__name__: f for f in (kamailio_as_vendor, kamailio_before_sipp, kamailio_as_registrar,
                                        baresip_talks_both_ways)})
