#!/usr/bin/env python3
"""What a traced call comes out as, read by others: the capture file by tshark, HEP packets by what the protocol says."""
import socket
import struct

from peers import *


def hep_chunks(packet):
    """Values by type of the chunks of vendor 0."""
    expect(packet[:4] == b"HEP3" and struct.unpack(">H", packet[4:6])[0] == len(packet), "a whole HEP3 packet", packet)
    at, chunks = 6, {}
    while at < len(packet):
        vendor, kind, size = struct.unpack(">HHH", packet[at:at + 6])
        expect(vendor == 0 and size >= 6, "a chunk of HEP3", packet[at:])
        chunks[kind] = packet[at + 6:at + size]
        at += size
    return chunks


def ladder_of_a_call():
    uas_port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as homer:
        homer.bind(("127.0.0.1", 0))
        homer.settimeout(10)
        switch = Switch("trace", [{"id": "v1", "addresses": ["127.0.0.1:%d" % uas_port]}])
        switch.config["trace"] = {"ring_bytes": 1 << 20, "hep": {"server": "127.0.0.1:%d" % homer.getsockname()[1],
                                                                "capture_id": 7, "all_calls": True}}
        switch.write()
        with switch:
            load(switch, uas_port, "--calls", 1, "--hold", 50)
            calls = []

            def traced():
                calls[:] = [c for c in json.loads(switch.api("/api/v1/traces/0/calls")) if c["ended_at_us"]]
                return bool(calls)
            wait_until(traced, 10, "the call is in the ring")
            expect(len(calls) == 1, "one call", calls)
            path = "/api/v1/traces/0/calls/%d?format=" % calls[0]["id"]
            file = os.path.join(switch.folder, "traced.pcap")

            def is_complete():  # the answer to the last BYE comes behind the end of the call
                entries[:] = [e for e in json.loads(switch.api(path + "json"))["entries"] if e["kind"] == "message"]
                return sum(e["first_line"] == "SIP/2.0 200 OK" for e in entries) == 4
            entries = []
            wait_until(is_complete, 10, "all answers are recorded")
            with urllib.request.urlopen("http://127.0.0.1:%d%spcap" % (switch.admin_port, path)) as answer, \
                    open(file, "wb") as out:
                out.write(answer.read())
            packets = [hep_chunks(homer.recv(65535)) for _ in entries]

    # Transport and port say nothing to tshark here: whatever looks like SIP is SIP.
    found = subprocess.run(["tshark", "-r", file, "-d", "udp.port==%d,sip" % switch.port, "-o", "ip.check_checksum:TRUE",
                            "-o", "udp.check_checksum:TRUE", "-T", "fields", "-E", "separator=|", "-e", "sip.Method",
                            "-e", "sip.Status-Code", "-e", "sip.Call-ID", "-e", "ip.checksum.status",
                            "-e", "udp.checksum.status", "-e", "_ws.malformed"],
                           capture_output=True, text=True, timeout=60, check=True)
    rows = [line.split("|") for line in found.stdout.splitlines()]
    wanted = []
    for entry in entries:
        words = entry["first_line"].split()
        wanted.append(["", words[1]] if words[0] == "SIP/2.0" else [words[0], ""])
    expect([row[:2] for row in rows] == wanted, "tshark reads the ladder", rows, wanted)
    expect(len({row[2] for row in rows}) == 2, "both legs are there", rows)
    expect(all(row[3:] == ["1", "1", ""] for row in rows), "checksums are good and nothing is malformed", rows)

    for entry, chunks in zip(entries, packets):
        expect(chunks[15].decode() == entry["text"], "the message", chunks, entry)
        ends = [entry["local"], entry["remote"]] if entry["direction"] == "sent" else [entry["remote"], entry["local"]]
        for address, ip, port in ((ends[0], 3, 7), (ends[1], 4, 8)):
            said = "%s:%d" % (socket.inet_ntoa(chunks[ip]), struct.unpack(">H", chunks[port])[0])
            expect(said == address, "an address", said, address)
        at_us = struct.unpack(">I", chunks[9])[0] * 1000000 + struct.unpack(">I", chunks[10])[0]
        expect(at_us == entry["at_us"], "the time", at_us, entry)
        expect(chunks[12] == struct.pack(">I", 7) and chunks[11] == b"\x01", "capture id and payload type", chunks)
        expect(chunks[17].decode() == calls[0]["call_id"], "the Call-ID of the customer's leg", chunks)


if __name__ == "__main__":
    main({"ladder_of_a_call": ladder_of_a_call})
