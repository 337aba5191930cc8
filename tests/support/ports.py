"""Ports for tests that run at the same time: what one process was given no other gets until it has ended."""
import random
import socket
from collections.abc import Iterable
from typing import Optional

# Below 32768, where the system takes the ports that it gives out by itself, and above those that programs with the
# default media range (10000 and on) bind ahead: the examples run beside tests.
FIRST = 14000
LAST = 32699
BLOCK = 100

# Blocks by the first port of what they were taken for. A block is held as a name in the system's abstract socket space, so it
# is free when the process ends.
_held: dict[int, list[socket.socket]] = {}
_open: list[int] = []  # the rest of the block that single ports come from


def _hold(block: int) -> Optional[socket.socket]:
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind("\0tandem-test-ports-%d" % block)
    except OSError:
        holder.close()
        return None
    return holder


def _is_free(port: int, address: str) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def _take(firsts: Iterable[int], count: int, address: str) -> int:
    blocks = -(-count // BLOCK)
    for first in firsts:
        holders = []
        for block in range(first, first + blocks * BLOCK, BLOCK):
            holder = _hold(block)
            if holder is None:
                break
            holders.append(holder)
        if len(holders) == blocks and all(_is_free(port, address) for port in range(first, first + count)):
            _held[first] = holders
            return first
        for holder in holders:
            holder.close()
    raise RuntimeError("no %d consecutive ports are free" % count)


def port_range(count: int, address: str = "127.0.0.1") -> int:
    """The first of `count` consecutive ports, UDP and TCP, that nobody has and no other test gets."""
    # From below, and single ports from above: a large range finds room beside small ones.
    return _take(range(FIRST, LAST - count, BLOCK), count, address)


def give_back(first: int) -> None:
    """Ends the hold on what `port_range` returned as `first`, for a process that takes large ranges one after the other."""
    for holder in _held.pop(first):
        holder.close()


def free_port(address: str = "127.0.0.1") -> int:
    """A port, UDP and TCP, that nobody has and no other test gets; never given twice."""
    while True:
        if not _open:
            firsts = list(range(LAST + 1 - 60 * BLOCK, LAST, BLOCK))
            random.shuffle(firsts)
            first = _take(firsts, BLOCK, address)
            _open.extend(range(first + BLOCK - 1, first - 1, -1))
        port = _open.pop()
        if _is_free(port, address):
            return port
