#!/usr/bin/env python3
"""Conversion with baresip: one end that speaks Opus or G.722, one that knows A-law alone, through the switch. Each records
what its own decoder makes of what it gets, and there the other's tone must be."""
import glob
import struct
import wave

from interworking_test import BOB_IP, NAMESPACE, SWITCH_IP, Namespace, baresip, wait_listening
from peers import *


def heard(folder):
    """Hz of what an agent decoded, past the first second, by zero crossings; its module writes the file."""
    path, = glob.glob(os.path.join(folder, "dump-*-dec.wav"))
    with wave.open(path) as sound:
        channels, rate = sound.getnchannels(), sound.getframerate()
        frames = [frame[0] for frame in struct.iter_unpack("<%dh" % channels, sound.readframes(sound.getnframes()))]
    frames = frames[rate:]
    expect(len(frames) > rate, "more than a second of audio", len(frames))
    expect(max(frames) > 3000, "the tone is loud", max(frames))
    crossings = sum(a < 0 <= b for a, b in zip(frames, frames[1:]))
    return crossings * rate / len(frames)


def converted(codec, library, module, rtpmap, rate, channels):
    with Namespace() as problem:
        if problem:
            not_run("%s with baresip: a network namespace with an interface cannot be made here: %s" % (codec, problem))
            return
        for name in (module, "sndfile.so"):
            if not os.path.exists("/usr/lib/baresip/modules/" + name):
                not_run("%s with baresip: it has no module %s here" % (codec, name))
                return
        linked = subprocess.run(["ldd", os.path.join(BIN, "tandem-switch")], capture_output=True, text=True).stdout
        if library not in linked:
            not_run("%s with baresip: the switch was built without %s" % (codec, library))
            return
        switch = Switch("transcode_" + codec, [{"id": "v1", "addresses": [BOB_IP + ":5080"], "codecs": ["PCMA"],
                                                "sip": {"transcode": True}}],
                        address=SWITCH_IP, media="on", runner=["ip", "netns", "exec", NAMESPACE],
                        customers=[{"id": "cust", "addresses": [BOB_IP + ":5090"], "account": "acme", "codecs": [codec],
                                    "sip": {"transcode": True}}])
        switch.config["media"]["ports"] = [30000, 30099]
        switch.write()
        with switch:
            settings = "module sndfile.so\nsnd_path %s\n"
            bob_folder, alice_folder = os.path.join(switch.folder, "bob"), os.path.join(switch.folder, "alice")
            bob = baresip(switch, "bob", "442079460000", BOB_IP, 5080, 440, "-t", "6", settings=settings % bob_folder)
            wait_listening(5080)
            alice = baresip(switch, "alice", "12025550100", BOB_IP, 5090, 1000, "-t", "4", "-e",
                            "/dial sip:442079460000@%s:5060" % SWITCH_IP, rate=rate, channels=channels,
                            account="<sip:12025550100@%s:5090>;regint=0;audio_codecs=%s\n" % (BOB_IP, rtpmap),
                            settings="module %s\n" % module + settings % alice_folder)
            alice.wait(30)
            bob.wait(30)
            record, = switch.wait_cdrs(1)
            media = record["media"]
            expect(record["answered_at_us"] and record["end_reason"] == "NormalCallClearing", "answered", record)
            expect(media["codec"] == codec and "PCMA" in media["callee"]["codecs"], "each side has its own codec", media)
            for side in ("caller", "callee"):
                # The first ones may overtake the answer that says what they are.
                expect(media[side]["packets_received"] > 100 and media[side]["cause"] == "" and
                       media[side]["packets_unnegotiated"] <= 3, "%s was heard" % side, media)
                expect(20 <= media[side]["jitter_depth_ms"] <= 200, "%s was put in order" % side, media)
            for folder, hz in ((bob_folder, 1000), (alice_folder, 440)):
                tone_hz = heard(folder)
                expect(abs(tone_hz - hz) < 40, "the other side's tone of %d Hz arrives" % hz, tone_hz)


def opus_and_alaw():
    converted("opus", "libopus", "opus.so", "opus/48000/2", 48000, 2)


def g722_and_alaw():
    converted("G722", "libspandsp", "g722.so", "G722/16000/1", 16000, 1)


if __name__ == "__main__":
    main({f.__name__: f for f in (opus_and_alaw, g722_and_alaw)})
