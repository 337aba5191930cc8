"""A prepaid calculator: a price list, an account with money and a limit a day, and calls.

    prepaid.py [DECK.csv BALANCE DAY_LIMIT [CALLS]]

CALLS has lines "CALLEE SECONDS"; without a file they are read from the standard input, and without arguments the
calculator shows itself on a list of its own. No switch is involved; prepaid.c is the same in C.
"""
from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Iterable

import tandem

DEMO_DECK = """prefix,price,per_s,first_s,next_s,connection_fee
44,0.60,60,1,1,0
49,0.60,60,60,60,0.05
"""
DEMO_CALLS = ["442079460000 61", "4930123456 61", "7 10", "442079460000 300", "441 5"]

SECOND_US = 1_000_000
NOW_US = 1_781_524_800 * SECOND_US  # arrival of all calls, so that they count in one day


def money(amount: Decimal) -> str:
    """As the library prints it: at least two decimals and no further zeros."""
    whole, _, decimals = format(amount.normalize(), "f").partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def talk(meter: tandem.CallMeter, seconds: int) -> str:
    """Lets a call go on for so long, or until its money or its limit ends."""
    at_us = 0  # of a clock that began with the answer
    verdict = meter.start(0)
    while not verdict.must_end and verdict.check_us is not None and verdict.check_us < seconds * SECOND_US:
        at_us = max(at_us, verdict.check_us)
        verdict = meter.on_timer(at_us)
    if not verdict.must_end:
        at_us = seconds * SECOND_US
    charge = meter.finish(at_us // 1000)
    cut = f", cut: {verdict.reason}" if verdict.must_end else ""
    return f"{at_us // SECOND_US} s for {money(charge.charge)}{cut}"


def run(deck: tandem.RateDeck, balance: str, day_limit: str, calls: Iterable[str]) -> None:
    book = tandem.AccountBook()
    limits = json.dumps([{"window": "day", "max_charge": day_limit}])
    book.provision("caller", balance=balance, limits_json=limits)
    for line in calls:
        callee, seconds = line.split()
        reason, rate = deck.find(callee, NOW_US)
        meter = None
        if rate is not None and not reason:
            reason, meter = book.open_meter("caller", rate, NOW_US, callee=callee)
        what = talk(meter, int(seconds)) if meter is not None else f"refused: {reason}"
        print(f"{callee}: {what}, {money(book.state('caller')['balance'])} left")


def main(words: list[str]) -> int:
    if len(words) not in (0, 3, 4):
        print("usage: prepaid.py [DECK.csv BALANCE DAY_LIMIT [CALLS]]", file=sys.stderr)
        return 2
    if not words:
        run(tandem.RateDeck.from_csv("prices", DEMO_DECK, "USD"), "5.00", "3.00", DEMO_CALLS)
        return 0
    with open(words[0], encoding="utf-8") as file:
        deck = tandem.RateDeck.from_csv("prices", file.read(), "USD")
    if len(words) == 3:
        run(deck, words[1], words[2], sys.stdin)
        return 0
    with open(words[3], encoding="utf-8") as file:
        run(deck, words[1], words[2], file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
