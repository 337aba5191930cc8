#!/usr/bin/env python3
"""Phones of others register at tandem-switch and call each other: SIPp, baresip, sipsak."""
import sqlite3

from interworking_test import BOB_IP, EDGE, NAMESPACE, Kamailio, SWITCH_IP, Namespace, baresip
from peers import *


USER = ("-s", "1002", "-au", "1002", "-ap", "secret")  # of a SIPp that registers


def phone(number, password="secret"):
    return {"number": number, "password": password, "account": "acme"}


def with_phones(switch, *phones):
    switch.config["provision"]["phones"] = list(phones)
    switch.write()
    return switch


def online(switch):
    """Numbers of the phones that are on line."""
    return {one["number"] for one in json.loads(switch.api("/api/v1/phones")) if one["online"]}


def stored(switch):
    """Numbers of the phones whose registration would survive a crash."""
    with contextlib.closing(sqlite3.connect(os.path.join(switch.folder, "switch.db"), timeout=5)) as database:
        return {name.rpartition(":")[2] for (name,) in database.execute("SELECT registrant FROM registrations")}


def sipp_registers_and_is_called():
    """SIPp as a telephone: registers with digest, is called by a customer, is still there after a restart."""
    with with_phones(Switch("phone_sipp", [{"id": "v1", "addresses": ["127.0.0.1:9"]}]), phone("1002")) as switch:
        port = free_port()
        with Sipp(switch, "registers", *USER, port=port, target=switch.target) as device:
            device.expect_good()
        wait_until(lambda: online(switch) == {"1002"}, 5, "the phone is on line")
        contact = json.loads(switch.api("/api/v1/phones/1002"))["contacts"][0]
        expect(contact["address"] == "127.0.0.1:%d" % port, "where it registered", contact)
        wait_until(lambda: stored(switch) == {"1002"}, 5, "the registration is stored")
        switch.kill()
        switch.start()
        expect(online(switch) == {"1002"}, "on line after a crash", switch.api("/api/v1/phones"))
        with Sipp(switch, "uas", port=port) as device, uac(switch, "-d", "500", number="1002") as caller:
            caller.expect_good()
            device.expect_good()
        record = switch.wait_cdrs(1)[0]
        expect(record["vendor_gateway"] == "phone:1002" and record["answered_at_us"], "the phone's call", record)
        switch.expect_idle()


def kamailio_is_the_edge():
    """A phone registers through a proxy that names itself in Path (RFC 3327), and is called through it."""
    with with_phones(Switch("phone_edge", [{"id": "v1", "addresses": ["127.0.0.1:9"]}]), phone("1002")) as switch:
        edge, port = free_port(), free_port()
        with Kamailio(switch.folder, edge, int(switch.target.rpartition(":")[2]), EDGE):
            with Sipp(switch, "registers", *USER, port=port, target="127.0.0.1:%d" % edge) as device:
                device.expect_good()
            contact = json.loads(switch.api("/api/v1/phones/1002"))["contacts"][0]
            expect(contact["address"] == "127.0.0.1:%d" % edge, "it is called through the proxy", contact)
            with Sipp(switch, "codecs_callee", port=port) as device, uac(switch, "-d", "300", number="1002") as caller:
                caller.expect_good()
                device.expect_good()
        record = switch.wait_cdrs(1)[0]
        expect(record["vendor_gateway"] == "phone:1002" and record["answered_at_us"], "the phone's call", record)
        switch.expect_idle()


def wrong_passwords_are_suspended():
    """SIPp guesses: 403, then the pair is listed and can be let in again from the command line."""
    with with_phones(Switch("phone_guess", [{"id": "v1", "addresses": ["127.0.0.1:9"]}]),
                     phone("1002", "other")) as switch:
        for _ in range(6):
            with Sipp(switch, "registers", *USER, target=switch.target) as device:
                expect(device.wait() != 0, "SIPp saw no 200")
        bans = json.loads(switch.command("bans", "--config", switch.file))
        expect([(one["user"], one["address"]) for one in bans] == [("1002", "127.0.0.1")], "suspended", bans)
        switch.command("bans", "lift", "1002@127.0.0.1", "--config", switch.file)
        expect(json.loads(switch.api("/api/v1/bans")) == [], "let in again")


def baresip_calls_baresip():
    """Two real user agents register and one calls the other by its number, through the relay. This libre gives up at
    a challenge for SHA-256, even behind one for MD5."""
    with Namespace() as problem:
        if problem:
            not_run("baresip phones: a network namespace with an interface cannot be made here: " + problem)
            return
        runner = ["ip", "netns", "exec", NAMESPACE]
        switch = with_phones(Switch("phone_baresip", [{"id": "v1", "addresses": [BOB_IP + ":9"]}], address=SWITCH_IP,
                                    media="on", parameters={"auth_sha256": False}, customers=[{"id": "none", "addresses": ["192.0.2.1"]}], runner=runner),
                             phone("1001"), phone("1002"))
        switch.config["media"]["ports"] = [30000, 30099]
        switch.write()
        account = "<sip:%s@" + SWITCH_IP + ":5060;transport=udp>;auth_pass=secret;regint=60;answermode=auto;audio_codecs=PCMA/8000/1\n"
        with switch:
            bob = baresip(switch, "bob", "1002", BOB_IP, 5080, 440, "-t", "16", account=account % "1002")
            wait_until(lambda: online(switch) == {"1002"}, 8, "bob is on line")
            alice = baresip(switch, "alice", "1001", BOB_IP, 5090, 1000, "-t", "9", "-e", "/dial 1002",
                            account=account % "1001")
            wait_until(lambda: online(switch) == {"1001", "1002"}, 8, "alice is on line")
            alice.wait(30)
            bob.wait(30)
            record = switch.wait_cdrs(1)[0]
            expect(record["customer_gateway"] == "phone:1001" and record["vendor_gateway"] == "phone:1002" and
                   record["answered_at_us"] and record["account"] == "acme", "a call from phone to phone", record)
            expect(min(record["media"][side]["packets_received"] for side in ("caller", "callee")) > 100,
                   "RTP both ways", record["media"])
            wait_until(lambda: not online(switch), 5, "both took their registration back")


def sipsak_registers():
    """A third implementation of digest."""
    if not shutil.which("sipsak"):
        not_run("sipsak registers: sipsak is not installed")
        return
    with with_phones(Switch("phone_sipsak", [{"id": "v1", "addresses": ["127.0.0.1:9"]}]), phone("1002")) as switch:
        run = subprocess.run(["sipsak", "-U", "-C", "sip:1002@127.0.0.1:5999", "-u", "1002", "-a", "secret", "-x", "60", "-s",
                              "sip:1002@" + switch.target], capture_output=True, text=True, timeout=30)
        expect(run.returncode == 0, "sipsak registers", run.stdout, run.stderr)
        expect(online(switch) == {"1002"}, "the phone is on line", switch.api("/api/v1/phones"))


if __name__ == "__main__":
    main({f.__name__: f for f in (sipp_registers_and_is_called, kamailio_is_the_edge, wrong_passwords_are_suspended, baresip_calls_baresip,
                                  sipsak_registers)})
