#!/usr/bin/env python3
"""SRTP with baresip: one end that insists on it and one that knows nothing of it, through the switch."""
from interworking_test import BOB_IP, NAMESPACE, SWITCH_IP, Namespace, baresip, pitch, wait_listening
from peers import *


def baresip_bridged():
    """Alice insists on SRTP (SDES), Bob speaks plain RTP; each hears the other's tone, and what goes to Alice is no audio
    to whoever has no key."""
    with Namespace() as problem:
        if problem:
            not_run("SRTP with baresip: a network namespace with an interface cannot be made here: " + problem)
            return
        if not os.path.exists("/usr/lib/baresip/modules/srtp.so"):
            not_run("SRTP with baresip: it has no module srtp.so here")
            return
        runner = ["ip", "netns", "exec", NAMESPACE]
        switch = Switch("srtp", [{"id": "v1", "addresses": [BOB_IP + ":5080"], "sip": {"srtp": "off"}}],
                        address=SWITCH_IP, media="auto", runner=runner,
                        customers=[{"id": "cust", "addresses": [BOB_IP + ":5090"], "account": "acme",
                                    "sip": {"srtp": "required"}}])
        switch.config["media"]["ports"] = [30000, 30099]
        switch.write()
        with switch:
            bob = baresip(switch, "bob", "442079460000", BOB_IP, 5080, 440, "-t", "10")
            wait_listening(5080)
            with Capture(switch, [], interface="any") as capture:
                account = "<sip:12025550100@%s:5090>;regint=0;audio_codecs=PCMA/8000/1;mediaenc=srtp-mand\n" % BOB_IP
                alice = baresip(switch, "alice", "12025550100", BOB_IP, 5090, 1000, "-t", "5", "-e",
                                "/dial sip:442079460000@%s:5060" % SWITCH_IP, account=account,
                                settings="module srtp.so\n")
                alice.wait(30)
            bob.wait(30)
            record, = switch.wait_cdrs(1)
            media = record["media"]
            expect(record["answered_at_us"] and record["end_reason"] == "NormalCallClearing", "answered", record)
            for side in ("caller", "callee"):
                expect(media[side]["packets_received"] > 100 and media[side]["cause"] == "" and
                       media[side]["srtp_failures"] == 0, "%s was heard" % side, media)
            heard = pitch(capture, 26400)
            expect(abs(heard - 1000) < 40, "Alice's tone arrives in the clear", heard)
            sizes = {len(payload.replace(":", "")) // 2 for (payload,) in
                     capture.fields("ip.src==%s and udp.dstport>=26200 and udp.dstport<=26300 and udp.srcport>=30000 and "
                                    "udp.length==190" % SWITCH_IP, "udp.payload")}
            expect(sizes == {172 + 10}, "what goes to Alice has a tag of 80 bits", sizes)


def baresip_shakes_hands():
    """Alice is as a browser is, with DTLS-SRTP and ICE as a full agent, Bob speaks plain RTP; and the other way."""
    modules = "/usr/lib/baresip/modules/"
    if not (os.path.exists(modules + "dtls_srtp.so") and os.path.exists(modules + "ice.so")):
        not_run("DTLS-SRTP with baresip: it has no modules dtls_srtp.so and ice.so here")
        return
    like_browser = {"srtp": "required", "srtp_keys": "dtls", "ice": "lite"}
    line = "<sip:%s@%s:%d>;regint=0;answermode=auto;audio_codecs=PCMA/8000/1;mediaenc=dtls_srtp;medianat=ice\n"
    for is_caller in (True, False):
        with Namespace() as problem:
            if problem:
                not_run("DTLS-SRTP with baresip: a network namespace with an interface cannot be made here: " + problem)
                return
            switch = Switch("dtls%d" % is_caller, [{"id": "v1", "addresses": [BOB_IP + ":5080"],
                                                    "sip": {"srtp": "off"} if is_caller else like_browser}],
                            address=SWITCH_IP, media="auto", runner=["ip", "netns", "exec", NAMESPACE],
                            customers=[{"id": "cust", "addresses": [BOB_IP + ":5090"], "account": "acme",
                                        "sip": like_browser if is_caller else {"srtp": "off"}}])
            switch.config["media"]["ports"] = [30000, 30099]
            switch.write()
            settings = "module dtls_srtp.so\nmodule ice.so\nrtcp_mux yes\n"
            with switch:
                # Its checks and its handshake take it a second and more where much else runs.
                bob = baresip(switch, "bob", "442079460000", BOB_IP, 5080, 440, "-t", "12",
                              account=None if is_caller else line % ("442079460000", BOB_IP, 5080),
                              settings="" if is_caller else settings)
                wait_listening(5080)
                with Capture(switch, [], interface="any") as capture:
                    alice = baresip(switch, "alice", "12025550100", BOB_IP, 5090, 1000, "-t", "7", "-e",
                                    "/dial sip:442079460000@%s:5060" % SWITCH_IP,
                                    account=line % ("12025550100", BOB_IP, 5090) if is_caller else None,
                                    settings=settings if is_caller else "")
                    alice.wait(30)
                bob.wait(30)
                record, = switch.wait_cdrs(1)
                media = record["media"]
                expect(record["answered_at_us"] and record["end_reason"] == "NormalCallClearing", "answered", record)
                for side in ("caller", "callee"):
                    expect(media[side]["packets_received"] > 80 and media[side]["cause"] == "" and
                           media[side]["srtp_failures"] == 0, "%s was heard" % side, media)
                # The tone of who is encrypted arrives in the clear at who is not.
                low, hz = (26400, 1000) if is_caller else (26200, 440)
                heard = pitch(capture, low)
                expect(abs(heard - hz) < 40, "the tone of %d Hz arrives in the clear" % hz, heard)


if __name__ == "__main__":
    main({f.__name__: f for f in (baresip_bridged, baresip_shakes_hands)})
