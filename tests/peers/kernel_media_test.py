#!/usr/bin/env python3
"""Calls whose media stays in the kernel: the switch is killed and they go on; the next one takes them over and ends them
when a party is silent. The switch has a network of its own, the parties another one, a virtual cable between them."""
import ctypes
import struct

from peers import *

SWITCH_NET, PARTY_NET = "tandemks%d" % os.getpid(), "tandemkp%d" % os.getpid()
SWITCH_IP, CALLER_IP, CALLEE_IP = "10.78.0.1", "10.78.0.7", "10.78.0.9"
SIP_PORT = 5060


class Networks:
    """Both of them. Says on entry why they cannot be made."""

    def __enter__(self):
        for words in (["netns", "add", SWITCH_NET], ["netns", "add", PARTY_NET],
                      ["-n", SWITCH_NET, "link", "set", "lo", "up"], ["-n", PARTY_NET, "link", "set", "lo", "up"],
                      ["-n", SWITCH_NET, "link", "add", "m0", "type", "veth", "peer", "name", "m1", "netns", PARTY_NET],
                      ["-n", SWITCH_NET, "addr", "add", SWITCH_IP + "/24", "dev", "m0"],
                      ["-n", PARTY_NET, "addr", "add", CALLER_IP + "/24", "dev", "m1"],
                      ["-n", PARTY_NET, "addr", "add", CALLEE_IP + "/24", "dev", "m1"],
                      ["-n", SWITCH_NET, "link", "set", "m0", "up"], ["-n", PARTY_NET, "link", "set", "m1", "up"]):
            run = subprocess.run(["ip", *words], capture_output=True, text=True)
            if run.returncode != 0:
                self.__exit__()
                return run.stderr.strip() or "ip %s failed" % " ".join(words)
        return ""

    def __exit__(self, *_):
        for name in (SWITCH_NET, PARTY_NET):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def party_socket(ip, port):
    """A UDP socket in the network of the parties: it stays there when this thread is back in its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as own, open("/var/run/netns/" + PARTY_NET) as there:
        if libc.setns(there.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind((ip, port))
        finally:
            if libc.setns(own.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns back")
    made.settimeout(20)
    return made


class Party:
    """One end of the call: its SIP is written by hand, its media a packet at a time."""

    def __init__(self, ip, ssrc):
        self.ip, self.ssrc, self.sequence = ip, ssrc, 0
        self.sip = party_socket(ip, SIP_PORT)
        self.rtp = party_socket(ip, 40000)

    def close(self):
        self.sip.close()
        self.rtp.close()

    def sdp(self):
        return ("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
                % (self.ip, self.ip))

    def send(self, first_line, headers, body=""):
        if body:
            headers = headers + ["Content-Type: application/sdp"]
        text = "\r\n".join([first_line, *headers, "Content-Length: %d" % len(body), "", body])
        self.sip.sendto(text.encode(), (SWITCH_IP, SIP_PORT))

    def take(self, begins):
        """The next message that begins so; others are passed over."""
        while True:
            text = self.sip.recv(65535).decode()
            if text.startswith(begins):
                return text

    def send_media(self, to):
        self.sequence += 1
        header = struct.pack("!BBHII", 0x80, 0, self.sequence, self.sequence * 160, self.ssrc)
        packet = header + b"%08d" % self.sequence * 20
        self.rtp.sendto(packet, (SWITCH_IP, to))
        return packet

    def say(self, to, other):
        """One packet, which the other party hears octet by octet; the port of the switch that it comes from."""
        packet = self.send_media(to)
        heard, source = other.rtp.recvfrom(2048)
        expect(heard == packet, "what was said is heard", self.sequence, heard[:40])
        return source[1]


def header(text, name):
    """All of that name, as they came."""
    return [line for line in text.split("\r\n") if line.lower().startswith(name.lower() + ":")]


def media_port(text):
    return int(re.search(r"^m=audio (\d+)", text, re.M).group(1))


def connect(caller, callee):
    """A call that is answered; the ports of the switch towards caller and callee."""
    named = ["From: <sip:12025550100@%s>;tag=a" % CALLER_IP, "Call-ID: kernel-media@%s" % CALLER_IP, "Max-Forwards: 70"]
    caller.send("INVITE sip:442079460000@%s SIP/2.0" % SWITCH_IP,
                ["Via: SIP/2.0/UDP %s;branch=z9hG4bK-k1" % CALLER_IP, "To: <sip:442079460000@%s>" % SWITCH_IP,
                 "CSeq: 1 INVITE", "Contact: <sip:a@%s>" % CALLER_IP, *named], caller.sdp())
    asked = callee.take("INVITE ")
    answer = [*header(asked, "Via"), *header(asked, "From"), header(asked, "To")[0] + ";tag=b", *header(asked, "Call-ID"),
              *header(asked, "CSeq"), "Contact: <sip:b@%s>" % CALLEE_IP]
    callee.send("SIP/2.0 200 OK", answer, callee.sdp())
    answered = caller.take("SIP/2.0 200")
    target = re.search(r"<([^>]+)>", header(answered, "Contact")[0]).group(1)
    caller.send("ACK %s SIP/2.0" % target, ["Via: SIP/2.0/UDP %s;branch=z9hG4bK-k2" % CALLER_IP, *header(answered, "To"),
                                            "CSeq: 1 ACK", *named])
    callee.take("ACK ")
    return media_port(answered), media_port(asked)


def killed_calls_go_on():
    """After kill -9 both parties hear each other without a gap; the next life of the switch counts their packets, gives
    their ports to nobody and ends their media when one of them is silent. The record says what became of the call."""
    with Networks() as problem:
        if problem:
            not_run("media in the kernel: network namespaces cannot be made here: " + problem)
            return
        switch = Switch("kernel_media", [{"id": "v1", "addresses": ["%s:%d" % (CALLEE_IP, SIP_PORT)]}], address=SWITCH_IP,
                        media="on", customers=[{"id": "cust", "addresses": [CALLER_IP], "account": "acme"}],
                        parameters={"no_media_hangup_s": 3},
                        # "ip netns exec" would hide the bpf file system.
                        runner=["nsenter", "--net=/var/run/netns/" + SWITCH_NET])
        kept = "/sys/fs/bpf/tandem-peers-%d" % os.getpid()
        switch.config["media"].update(backend="kernel", ports=[30000, 30099],
                                      kernel={"interfaces": ["m0"], "attach": "tc", "folder": kept})
        switch.write()
        parties = []
        try:
            try:
                switch.start()
            except Failure as failure:
                reason = re.search(r"media backend kernel.*", str(failure))
                if not reason or "was refused" not in reason.group() and "could not be used" not in reason.group():
                    raise
                not_run("media in the kernel: " + reason.group()[:300])
                return
            caller, callee = parties = [Party(CALLER_IP, 0xA), Party(CALLEE_IP, 0xB)]
            to_caller_side, to_callee_side = connect(caller, callee)

            def talk(packets):
                for _ in range(packets):
                    left_by = caller.say(to_caller_side, callee), callee.say(to_callee_side, caller)
                    expect(left_by == (to_callee_side, to_caller_side), "media comes from the port of the side", left_by)

            def in_kernel():
                talk(2)
                return switch.metrics()["tandem_media_streams_in_kernel"] == 2
            wait_until(in_kernel, 10, "both directions are in the kernel")
            before = switch.metrics()["tandem_media_packets_in_kernel_total"]
            talk(20)
            expect(switch.metrics()["tandem_media_packets_in_kernel_total"] == before + 40, "the kernel passes on all")
            switch.kill()
            talk(100)
            switch.start()
            metrics = switch.metrics()
            expect(metrics["tandem_media_sessions_adopted_total"] == metrics["tandem_media_sessions_unclaimed"] == 1,
                   "the call was found", metrics)
            expect(metrics["tandem_media_streams_in_kernel"] == 2, "both directions go on")
            talk(20)
            expect(switch.metrics()["tandem_media_packets_in_kernel_total"] >= 280, "packets are counted on")
            record = switch.wait_cdrs(1)[0]
            expect(record["end_reason"] == "ServerCrash" and record["answered_at_us"], "the call has its record", record)

            def is_over():
                caller.send_media(to_caller_side)  # who does not notice that the other one hung up
                return switch.metrics()["tandem_media_sessions_unclaimed"] == 0
            wait_until(is_over, 10, "the media of a call with a silent party ends")
            expect(switch.metrics()["tandem_media_streams_in_kernel"] == 0, "the kernel passes on nothing")
            switch.stop()
            expect(not os.path.exists(kept), "an orderly end leaves nothing behind")
        finally:
            for party in parties:
                party.close()
            if switch.is_alive():
                switch.kill()
            for name in ("m0-tc", "settings", "states", "streams"):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(kept, name))
            with contextlib.suppress(OSError):
                os.rmdir(kept)
            give_back(switch.media_first)


def have_bpf_file_system():
    """On a machine that has mounted none, the test goes on with one that nobody else sees and that ends with it."""
    with open("/proc/mounts") as mounts:
        is_mounted = any(line.split()[1:3] == ["/sys/fs/bpf", "bpf"] for line in mounts)
    if not is_mounted and os.geteuid() == 0 and "TANDEM_BPF_MOUNT" not in os.environ:
        os.environ["TANDEM_BPF_MOUNT"] = "tried"
        os.execvp("unshare", ["unshare", "--mount", "sh", "-c", 'mount -t bpf bpf /sys/fs/bpf; exec "$@"', "sh",
                              sys.executable, "-B", *sys.argv])


if __name__ == "__main__":
    have_bpf_file_system()
    main({"killed_calls_go_on": killed_calls_go_on})
