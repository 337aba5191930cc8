#!/usr/bin/env python3
"""User agents of others beside SIPp and baresip: Net::SIP in Perl and linphone's console program."""
from interworking_test import tone
from peers import *
from phones_test import online, phone, with_phones


class Agent:
    """An agent of Net::SIP: net_sip/agent.pl says what it takes and tells."""

    def __init__(self, switch, name, *words, listen, **options):
        self.heard = os.path.join(switch.folder, name + ".heard")
        given = {"listen": listen, "heard": self.heard, **options}
        self.log = open(os.path.join(switch.folder, name + ".log"), "w+")
        self.process = subprocess.Popen(
            ["perl", os.path.join(HERE, "net_sip", "agent.pl"), *words, *("%s=%s" % pair for pair in given.items())],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def expect_line(self, line):
        told = self.process.stdout.readline().strip()
        expect(told == line, "Net::SIP tells: " + line, told, self.errors())

    def errors(self):
        self.log.seek(0)
        return self.log.read()[-3000:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


def sound(switch, seconds=3):
    """A file of G.711 in which every 20 ms differ from every others."""
    path = os.path.join(switch.folder, "said")
    data = b"".join(b"%08d" % packet * 20 for packet in range(50 * seconds))
    with open(path, "wb") as out:
        out.write(data)
    return path


def net_sip_missing():
    return subprocess.run(["perl", "-MNet::SIP", "-e", "1"], capture_output=True).returncode != 0


def net_sip_calls_net_sip():
    """A caller and a called party of a third implementation: what the caller says comes back to it octet by octet, through the
    relay both ways."""
    if net_sip_missing():
        not_run("Net::SIP calls Net::SIP: Net::SIP is not installed")
        return
    port = free_port()
    with Switch("agents_net_sip", [{"id": "v1", "addresses": ["127.0.0.1:%d" % port]}], media="on") as switch:
        said = sound(switch)
        with Agent(switch, "called", "listen", listen="127.0.0.1:%d" % port, seconds=20,
                   **{"from": "sip:442079460000@127.0.0.1"}) as called:
            called.expect_line("ready")
            with Agent(switch, "caller", "call", "sip:442079460000@" + switch.target, proxy=switch.target, play=said,
                       listen="%s:%d" % (CUSTOMER, free_port(CUSTOMER)),
                       **{"from": "sip:12025550100@" + CUSTOMER}) as caller:
                for line in ("answered", "bye"):
                    caller.expect_line(line)
                    called.expect_line(line)
        record = switch.wait_cdrs(1)[0]
        expect(record["end_reason"] == "NormalCallClearing" and record["answered_at_us"], "a call like any", record)
        expect_charges_right([record])
        with open(said, "rb") as file, open(caller.heard, "rb") as echo:
            heard = echo.read()
            expect(len(heard) >= 50 * 160 and heard in file.read(), "a second of what was said comes back", len(heard))
        switch.expect_idle()


def linphone_calls_net_sip():
    """Two phones of two more implementations register with digest; linphone calls the other and hangs up."""
    if net_sip_missing() or not shutil.which("linphonec"):
        not_run("linphone calls Net::SIP: linphonec or Net::SIP is not installed")
        return
    switch = Switch("agents_linphone", [{"id": "v1", "addresses": ["127.0.0.1:9"]}], media="on")
    with with_phones(switch, phone("1001"), phone("1002")):
        with Agent(switch, "called", "listen", listen="127.0.0.1:%d" % free_port(), proxy=switch.target, user="1002",
                   password="secret", seconds=30, **{"from": "sip:1002@" + switch.target}) as called:
            called.expect_line("ready")
            with Linphone(switch, "1001") as commands:
                wait_until(lambda: online(switch) == {"1001", "1002"}, 15, "both phones are on line")
                commands.say("soundcard use files")
                commands.say("play " + os.path.join(commands.home, "said.wav"))
                commands.say("call sip:1002@" + switch.target)
                called.expect_line("answered")
                record = wait_until(lambda: json.loads(switch.api("/api/v1/calls")), 5, "the call is listed")
                expect(record[0]["caller"] == "1001", "who calls", record)
                wait_until(lambda: os.path.exists(called.heard) and os.path.getsize(called.heard) > 4000, 10,
                           "half a second of audio arrives")
                commands.say("terminate")
                called.expect_line("bye")
                commands.say("quit")
        record = switch.wait_cdrs(1)[0]
        expect(record["end_reason"] == "NormalCallClearing" and record["answered_at_us"], "answered and ended", record)
        expect(min(record["media"][side]["packets_received"] for side in ("caller", "callee")) > 20, "audio both ways",
               record["media"])
        switch.expect_idle()


class Linphone:
    """linphonec, registered as the phone, with commands on its standard input."""

    def __init__(self, switch, number):
        self.home = home = os.path.join(switch.folder, "linphone")
        os.makedirs(os.path.join(home, ".local", "share", "linphone"))
        tone(os.path.join(home, "said.wav"), 440)
        rtp = port_range(10)
        with open(os.path.join(home, "rc"), "w") as out:
            out.write("[sip]\nsip_port=%d\nsip_tcp_port=0\nsip_tls_port=0\ndefault_proxy=0\nguess_hostname=1\nuse_ipv6=0\n"
                      "media_encryption=none\n[net]\nmtu=0\nstun_server=\nfirewall_policy=0\n"
                      "[rtp]\naudio_rtp_port=%d-%d\nvideo_rtp_port=%d\n[video]\nenabled=0\ncapture=0\ndisplay=0\n"
                      "[sound]\nechocancellation=0\n"
                      "[proxy_0]\nreg_proxy=<sip:%s>\nreg_identity=sip:%s@%s\nreg_sendregister=1\nreg_expires=60\n"
                      "[auth_info_0]\nusername=%s\npasswd=secret\n"
                      % (free_port(), rtp, rtp + 7, rtp + 8, switch.target, number, switch.address, number))
        self.log = open(os.path.join(switch.folder, "linphone.log"), "w")
        self.process = subprocess.Popen(["linphonec", "-c", os.path.join(home, "rc"), "-d", "0"], stdin=subprocess.PIPE,
                                        stdout=self.log, stderr=subprocess.STDOUT, text=True, cwd=home,
                                        env={**os.environ, "HOME": home, "XDG_DATA_HOME": os.path.join(home, ".local", "share")})

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.log.close()


if __name__ == "__main__":
    main({f.__name__: f for f in (net_sip_calls_net_sip, linphone_calls_net_sip)})
