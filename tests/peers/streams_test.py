#!/usr/bin/env python3
"""Bad peers on TCP, while calls go on over UDP and good ones are served beside them: memory stays bounded (S-14)."""
import contextlib
import socket
import struct

from peers import Sipp, Switch, expect, free_port, main, uac, wait_until

CONNECTIONS_PER_PEER = 100  # of a worker, by default


def options(number, body=b"", extra=b""):
    return (b"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK-s%d;rport\r\n"
            b"From: <sip:t@127.0.0.1>;tag=b\r\nTo: <sip:x@127.0.0.1>\r\nCall-ID: s%d\r\nCSeq: 1 OPTIONS\r\n"
            b"Max-Forwards: 70\r\n%sContent-Length: %d\r\n\r\n%s" % (number, number, extra, len(body), body))


def connect(switch, host):
    stream = socket.create_connection((switch.address, switch.port), 10, (host, 0))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def answer(stream, seconds=5):
    """What comes first; b"" when the switch closed it."""
    stream.settimeout(seconds)
    got = b""
    with contextlib.suppress(ConnectionError):
        while b"\r\n\r\n" not in got:
            part = stream.recv(65536)
            if not part:
                break
            got += part
    return got


def closed(stream, seconds=15):
    """Whether the switch ends the connection."""
    stream.settimeout(seconds)
    try:
        while stream.recv(65536):
            pass
        return True
    except ConnectionError:
        return True
    except socket.timeout:
        return False


@contextlib.contextmanager
def switch_with_calls(name):
    """A switch over which calls go on meanwhile, none of which may feel anything; its memory is bounded."""
    port = free_port()
    with Switch(name, [{"id": "v1", "addresses": ["127.0.0.1:%d" % port]}], tcp=True) as switch:
        before = switch.rss_bytes()
        with Sipp(switch, "uas", port=port, calls=60) as callee, uac(switch, "-d", "300", "-r", "20", calls=60) as caller:
            yield switch
            caller.expect_good()
            del callee
        grown = switch.rss_bytes() - before
        expect(grown < 64 << 20, "memory is bounded", grown)
        switch.expect_idle()


def floods_of_connections():
    """One address has its share of connections and no more; another one is served beside it."""
    with switch_with_calls("streams_flood") as switch:
        opened = []
        for _ in range(3 * CONNECTIONS_PER_PEER):
            with contextlib.suppress(OSError):
                opened.append(connect(switch, "127.0.0.3"))
        wait_until(lambda: switch.metrics()["tandem_sip_connections_refused_total"] >= 2 * CONNECTIONS_PER_PEER, 10,
                   "those beyond the limit are refused")
        with connect(switch, "127.0.0.4") as stream:
            stream.sendall(options(1))
            expect(answer(stream).startswith(b"SIP/2.0 200"), "another address is served")
        for stream in opened:  # by RST, so that no port is left waiting
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.close()

        def is_served():
            with connect(switch, "127.0.0.3") as stream:
                stream.sendall(options(2))
                return answer(stream).startswith(b"SIP/2.0 200")
        wait_until(is_served, 10, "and the same address again when they are gone")


def split_and_giant_messages():
    """A message may come octet by octet and two may come at once; what has no end is not waited for."""
    with switch_with_calls("streams_split") as switch:
        with connect(switch, "127.0.0.3") as stream:
            for octet in options(1, b"v=0\r\n", b"Content-Type: application/sdp\r\n"):
                stream.sendall(bytes((octet,)))
            expect(answer(stream).startswith(b"SIP/2.0 200"), "one in pieces is answered")
            both = options(2) + options(3)
            stream.sendall(both[:len(both) // 2 + 7])
            got = answer(stream)  # to the first, while the second has begun
            stream.sendall(both[len(both) // 2 + 7:])
            while got.count(b"SIP/2.0 200") < 2:
                got += answer(stream)
            expect(b"s2" in got and b"s3" in got, "two that share a segment are answered", got)
        giants = {
            "a head without an end": b"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nX: " + b"x" * 200000,
            "more lines than there may be": b"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\n" + b"X: y\r\n" * 50000,
            "a body of a gigabyte": options(4).replace(b"Content-Length: 0", b"Content-Length: 1000000000") + b"x" * 200000,
            "a length that is none": options(5).replace(b"Content-Length: 0", b"Content-Length: -1"),
        }
        for what, text in giants.items():
            with connect(switch, "127.0.0.3") as stream:
                with contextlib.suppress(ConnectionError):
                    stream.sendall(text)
                expect(closed(stream, 5), "closed: " + what)


def peers_that_do_not_read():
    """Whoever asks and asks and never reads the answers is cut off, and they are not kept for it."""
    with switch_with_calls("streams_deaf") as switch:
        flood = b"".join(options(number) for number in range(500))
        deaf = []
        for host in range(3, 8):
            stream = socket.socket()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            stream.bind(("127.0.0.%d" % host, 0))
            stream.connect((switch.address, switch.port))
            stream.settimeout(0.2)
            deaf.append(stream)
        sent = dict.fromkeys(deaf, 0)
        for _ in range(20):
            for stream in deaf:
                with contextlib.suppress(OSError):  # behind what went out, so that all of it are messages
                    sent[stream] += stream.send(flood[sent[stream] % len(flood):])
        expect(sum(sent.values()) > 1 << 20, "enough was asked", sent.values())
        wait_until(lambda: switch.metrics()["tandem_sip_connections_deaf_total"] == len(deaf), 10, "they are cut off")
        with connect(switch, "127.0.0.9") as stream:
            stream.sendall(options(1))
            expect(answer(stream).startswith(b"SIP/2.0 200"), "others are served")
        for stream in deaf:
            stream.close()


if __name__ == "__main__":
    main({f.__name__: f for f in (floods_of_connections, split_and_giant_messages, peers_that_do_not_read)}, 3)
