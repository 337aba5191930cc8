#!/usr/bin/env python3
"""Helpers of run-demo.sh: free ports, a tone, and the report at the end. Standard library only."""
import json
import math
import random
import socket
import subprocess
import sys
import time
import urllib.request
from decimal import Decimal


def free_port(ip="127.0.0.1"):
    """An even UDP port that is free now, and free for TCP too. Below the range that the system gives out itself."""
    while True:
        port = random.randrange(12000, 30000, 2)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
                udp.bind((ip, port))
                tcp.bind((ip, port))
                return port
        except OSError:
            continue


def is_bound(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.bind(("127.0.0.1", port))
            return False
        except OSError:
            return True


def a_law(sample):
    """ITU-T G.711 of a 16-bit sample."""
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(abs(sample) >> 3, 0xFFF)
    segment = max(0, magnitude.bit_length() - 5)
    mantissa = magnitude >> max(segment, 1) & 0x0F
    return (sign | segment << 4 | mantissa) ^ 0x55


def write_tone(path):
    """A second of 425 Hz, G.711 A-law."""
    with open(path, "wb") as file:
        file.write(bytes(a_law(int(8000 * math.sin(2 * math.pi * 425 * i / 8000))) for i in range(8000)))


def table(title, header, rows):
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [header] + rows) for i in range(len(header))]
    print(f"\n{title}")
    for row in [header] + rows:
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        print("  " + "  ".join(cells).rstrip())


def money(value):
    """At least two decimals, no further zeros; as the switch writes it."""
    text = format(value.normalize(), "f")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def records(program, config):
    text = subprocess.run([program, "cdr", "--config", config, "--format", "json"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def report(program, config, admin, expected=8):
    """Prints everything and checks it; returns what is wrong."""
    cdrs = []
    for _ in range(30):  # a record is visible within 2 s of the end of its call
        cdrs = records(program, config)
        if len(cdrs) >= expected:
            break
        time.sleep(0.1)
    with urllib.request.urlopen(f"{admin}/api/v1/accounts", timeout=5) as answer:
        accounts = json.load(answer)

    print("\nRecords, newest first")
    text = subprocess.run([program, "cdr", "--config", config], check=True, stdout=subprocess.PIPE, text=True).stdout
    print("".join("  " + line + "\n" for line in text.splitlines()), end="")

    balances = [(a["id"], a["kind"], a["balance"], a["currency"]) for a in accounts]
    table("Accounts", ["account", "kind", "balance", "currency"], balances)

    margins = {}
    for cdr in cdrs:
        if cdr["answered_at_us"]:
            sums = margins.setdefault(cdr["vendor_gateway"], [0, Decimal(0), Decimal(0)])
            sums[0] += 1
            sums[1] += Decimal(cdr["charge"])
            sums[2] += Decimal(cdr["vendor_charge"])
    table("Margin by vendor", ["vendor", "calls", "sold", "bought", "margin", "percent"],
          [(vendor, calls, money(sold), money(bought), money(sold - bought),
            f"{(sold - bought) / sold * 100:.1f} %" if sold else "-")
           for vendor, (calls, sold, bought) in sorted(margins.items())])

    media = []
    for cdr in cdrs:
        if cdr["answered_at_us"]:
            caller, callee = cdr["media"]["caller"], cdr["media"]["callee"]
            media.append((cdr["callee_in"], caller["packets_received"], callee["packets_sent"],
                          callee["packets_received"], caller["packets_sent"], caller["packets_lost"]))
    table("Media packets", ["call to", "from caller", "to vendor", "from vendor", "to caller", "lost"], media)

    failovers = [cdr for cdr in cdrs if cdr["answered_at_us"] and len(cdr["attempts"]) > 1]
    for cdr in failovers:
        tried = ", ".join(f"{a['vendor_gateway']} ({a['reason']})" for a in cdr["attempts"])
        print(f"\nFailover: the call to {cdr['callee_in']} tried {tried}")

    wrong = []
    if len(cdrs) != expected:
        wrong.append(f"{len(cdrs)} records instead of {expected}")
    answered = [cdr for cdr in cdrs if cdr["answered_at_us"]]
    if len(answered) != 5:
        wrong.append(f"{len(answered)} answered calls instead of 5")
    if not failovers:
        wrong.append("no call went on from the dead vendor to the next")
    reasons = {cdr["end_reason"] for cdr in cdrs if not cdr["answered_at_us"]}
    for reason in ("CalleeBusy", "AccountBalanceNotEnough", "IllegalCall"):
        if reason not in reasons:
            wrong.append(f"no record with {reason}")
    for row in media:
        if min(row[1:5]) < 100:
            wrong.append(f"call to {row[0]} had too little media: {row[1:5]}")
    opening = {"acme": "20.00", "bolt": "5.00", "broke": "0.00"}
    for account in accounts:
        charges = sum((Decimal(c["charge"]) for c in cdrs if c["account"] == account["id"]), Decimal(0)) + sum(
            (Decimal(c["vendor_charge"]) for c in cdrs if c["vendor_account"] == account["id"]), Decimal(0))
        due = Decimal(opening.get(account["id"], "0.00")) - charges
        if Decimal(account["balance"]) != due:
            wrong.append(f"balance of {account['id']} is {account['balance']}, the records say {money(due)}")
    return wrong


def main(words):
    if words[:1] == ["ports"]:
        ports = set()
        while len(ports) < 6:
            ports.add(free_port())
        print(*ports, random.randrange(30200, 32000, 2))
    elif words[:1] == ["port"]:
        print(free_port(*words[1:]))
    elif words[:1] == ["bound"]:
        return 0 if all(is_bound(int(port)) for port in words[1:]) else 1
    elif words[:1] == ["tone"] and len(words) == 2:
        write_tone(words[1])
    elif words[:1] == ["report"] and len(words) == 4:
        wrong = report(*words[1:])
        for line in wrong:
            print(f"run-demo: {line}", file=sys.stderr)
        return 1 if wrong else 0
    else:
        print("usage: demo.py ports | port [IP] | bound PORT... | tone FILE | report PROGRAM CONFIG URL", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
