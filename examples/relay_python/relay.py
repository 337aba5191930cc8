#!/usr/bin/env python3
"""A media relay under control of Python, as it would stand beside another SIP stack.

One command a line on standard input, answers and events as JSON lines on standard output:

    open ID                     ports towards both sides: {"id", "caller", "callee"}
    remote ID SIDE IP:PORT      where the SDP of a side wants its media
    payloads ID SIDE N,N,...=K  payload types that a side may send, behind "=" those that are keys
    policy ID SIDE forward|block
    sources ID SIDE NETWORK,... only they may speak for a side
    record ID NAME              below the folder given with --record
    listen ID CODEC TYPE        decodes what both sides send from now on
    level ID                    how loud each side was since the last time it was asked
    stats ID                    what came from both sides, and why one is not heard
    close ID
    quit

Run it without --listen: it calls itself once over loopback and ends.
"""
import argparse
import json
import math
import socket
import struct
import sys
import threading
from typing import Optional, TextIO

import tandem

SIDES = {"caller": tandem.MediaSide.caller, "callee": tandem.MediaSide.callee}


class Controller:
    def __init__(self, relay: tandem.MediaRelay, recorder: Optional[tandem.MediaRecorder], out: TextIO) -> None:
        self.relay, self.recorder, self.out = relay, recorder, out
        self.sessions: dict[str, tandem.MediaSession] = {}
        self.names: dict[int, str] = {}  # of sessions, by their tag
        self.taps: dict[str, tandem.AudioTap] = {}
        self.lock = threading.Lock()  # of the output

    def say(self, **what: object) -> None:
        with self.lock:
            print(json.dumps(what), file=self.out, flush=True)

    def tell_events(self, wait_us: int) -> None:
        for event in self.relay.take_events(wait_us=wait_us):
            told = {"event": event.kind, "id": self.names.get(event.tag, ""), "side": event.side.name}
            if event.source:
                told["source"] = event.source
            if event.refusal:
                told["refusal"] = event.refusal
            if event.digit:
                told["digit"] = event.digit
            self.say(**told)

    def obey(self, line: str) -> bool:
        """False: that was the last command."""
        words = line.split()
        if not words:
            return True
        if words[0] == "quit":
            return False
        try:
            getattr(self, "do_" + words[0])(*words[1:])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self.say(error=f"{line.strip()!r}: {error}")
        except tandem.Error as error:
            self.say(error=error.message, code=error.code.name)
        return True

    def do_open(self, name: str) -> None:
        session = self.sessions[name] = self.relay.open()
        tag = max(self.names, default=0) + 1
        self.names[tag] = name
        session.set_tag(tag)
        for side in SIDES.values():
            session.set_watch(side, silence_ms=5000, loss_permille=50)
        self.say(id=name, caller=session.local_rtp(SIDES["caller"]), callee=session.local_rtp(SIDES["callee"]))

    def do_remote(self, name: str, side: str, address: str) -> None:
        self.sessions[name].set_remote(SIDES[side], address)

    def do_payloads(self, name: str, side: str, types: str) -> None:
        audio, _, keys = types.partition("=")
        self.sessions[name].set_payloads(
            SIDES[side], [int(n) for n in (audio + "," + keys).split(",") if n], [int(n) for n in keys.split(",") if n]
        )

    def do_policy(self, name: str, side: str, policy: str) -> None:
        self.sessions[name].set_policy(SIDES[side], getattr(tandem.MediaPolicy, policy))

    def do_sources(self, name: str, side: str, networks: str) -> None:
        self.sessions[name].set_sources(SIDES[side], allow=networks.split(","))

    def do_record(self, name: str, file: str) -> None:
        if self.recorder is None:
            raise ValueError("no folder was given with --record")
        self.recorder.record(self.sessions[name], file)

    def do_listen(self, name: str, codec: str, payload_type: str) -> None:
        audio = tandem.MediaAudio(codec, int(payload_type))
        self.taps[name] = self.sessions[name].tap_audio(caller=audio, callee=audio)

    def do_level(self, name: str) -> None:
        """Root mean square of the samples, in decibels below the loudest (dBFS); null: nothing was heard."""
        squares = {side: [0, 0] for side in SIDES}
        for packet in self.taps[name].take():
            sum_and_count = squares[packet.side.name]
            sum_and_count[0] += sum(sample * sample for sample in packet.samples)
            sum_and_count[1] += len(packet.samples)
        levels = {
            side: round(10 * math.log10(max(total, 1) / count / 32768**2), 1) if count else None
            for side, (total, count) in squares.items()
        }
        self.say(id=name, level_db=levels)

    def do_stats(self, name: str) -> None:
        sides = {}
        for side, value in SIDES.items():
            stats = self.sessions[name].stats(value)
            sides[side] = {
                key: getattr(stats, key)
                for key in ("packets_received", "packets_lost", "jitter_us", "digits", "remote", "cause")
            }
        self.say(id=name, **sides)

    def do_close(self, name: str) -> None:
        self.taps.pop(name, None)
        self.sessions.pop(name).close()


def call_itself(controller: Controller) -> None:
    """A call of one end that speaks, presses a key, and is heard; the other end is silent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear, socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM
    ) as mouth:
        for end in (ear, mouth):
            end.bind(("127.0.0.1", 0))
            end.settimeout(5)
        controller.obey("open demo")
        controller.obey(f"remote demo callee 127.0.0.1:{ear.getsockname()[1]}")
        controller.obey("payloads demo caller 0=101")
        controller.obey("listen demo PCMU 0")
        host, _, port = controller.sessions["demo"].local_rtp(SIDES["caller"]).partition(":")
        key = bytes([5, 0x8A, 3, 0x20])  # "5", its end, 800 units of the clock
        for sequence, (payload_type, payload) in enumerate([(0, bytes(160)), (101, key)], start=1):
            packet = struct.pack("!BBHII", 0x80, payload_type, sequence, 160 * sequence, 1) + payload
            mouth.sendto(packet, (host, int(port)))
            if ear.recv(2048) != packet:
                raise SystemExit("the relay changed a packet")
            controller.tell_events(wait_us=5_000_000)
        controller.obey("level demo")
        controller.obey("stats demo")
        controller.obey("close demo")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--listen", metavar="IP", help="address of the media ports; commands come on standard input")
    arguments.add_argument("--ports", default="43000-43199", help="range of the media ports")
    arguments.add_argument("--record", metavar="FOLDER", help="where recordings go")
    given = arguments.parse_args()
    first, _, last = given.ports.partition("-")
    recorder = tandem.MediaRecorder(given.record) if given.record else None
    with tandem.MediaRelay(
        given.listen or "127.0.0.1", ports=(int(first), int(last)), ready_pairs=4, nice=0, events_max=1024
    ) as relay:
        controller = Controller(relay, recorder, sys.stdout)
        if given.listen is None:
            call_itself(controller)
        else:
            over = threading.Event()

            def tell() -> None:
                while not over.is_set():
                    controller.tell_events(wait_us=100_000)

            teller = threading.Thread(target=tell)
            teller.start()
            for line in sys.stdin:
                if not controller.obey(line):
                    break
            over.set()
            teller.join()
        for session in controller.sessions.values():
            session.close()
    if recorder is not None:
        recorder.close()


if __name__ == "__main__":
    main()
