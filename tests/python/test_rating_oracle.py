"""A million random tariffs and calls, rated by the library and by fractions (B-01, B-05..B-09)."""
from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor, lcm
from typing import NamedTuple, Optional

import tandem

PAIRS = 1_000_000
CALLS_PER_TARIFF = 100
UNIT = 10**8  # of an amount


class Tariff(NamedTuple):
    """What is drawn; money as text of at most eight decimals."""

    price: str
    per_s: int
    first_s: int
    next_s: int
    connection_fee: str
    minimum: str
    maximum: str
    grace_s: int
    free_s: int
    tax_percent: Optional[str]
    sections: list[tuple[int, str]]
    precision: int
    rounding: str
    unit: str
    hold_time_precision_ms: int
    free_time_s: int


def draw_money(rng: random.Random, most: int) -> str:
    decimals = rng.choice((0, 2, 4, 6, 8))
    return f"{Decimal(rng.randrange(most * 10**decimals + 1)).scaleb(-decimals):f}"


def draw_tariff(rng: random.Random) -> Tariff:
    def rarely(text: str) -> str:
        return text if rng.random() < 0.3 else "0"

    def seldom(most: int) -> int:
        return rng.randrange(most) if rng.random() < 0.2 else 0

    sections = []
    if rng.random() < 0.3:
        sections = [(rng.choice((0, 1, 6, 30, 60)), draw_money(rng, 1)) for _ in range(rng.randrange(1, 4))]
    minimum, maximum = rarely(draw_money(rng, 2)), rarely(draw_money(rng, 9))
    if Decimal(maximum) and Decimal(maximum) < Decimal(minimum):
        minimum, maximum = maximum, minimum
    return Tariff(
        price=draw_money(rng, 3),
        per_s=rng.choice((1, 6, 7, 30, 60, 3600)),
        first_s=rng.choice((1, 1, 6, 30, 60)),
        next_s=rng.choice((1, 1, 6, 7, 60)),
        connection_fee=rarely(draw_money(rng, 1)),
        minimum=minimum,
        maximum=maximum,
        grace_s=seldom(10),
        free_s=seldom(30),
        tax_percent=rng.choice((None, "7.7", "19", "0.01")),
        sections=sections,
        precision=rng.randrange(9),
        rounding=rng.choice(("half_up", "half_even", "up", "down")),
        unit=rng.choice(("0", "0", "0.01", "0.05", "1")),
        hold_time_precision_ms=rng.choice((1, 50, 500, 1000)),
        free_time_s=seldom(20),
    )


class Oracle:
    """docs/rating.md word by word. What does not depend on the call is brought to one denominator first, so that a
    call is whole numbers: a million calls of Fraction objects would take minutes."""

    def __init__(self, tariff: Tariff) -> None:
        self.tariff = tariff
        money = {name: Fraction(getattr(tariff, name)) for name in ("connection_fee", "minimum", "maximum")}
        self.per_second = Fraction(tariff.price) / tariff.per_s
        self.sections = [(seconds, Fraction(price)) for seconds, price in tariff.sections]
        parts = [self.per_second, *money.values(), *(price for _, price in self.sections)]
        self.below = lcm(*(part.denominator for part in parts))
        self.second = self.whole(self.per_second)
        self.fee, self.least, self.most = (self.whole(money[name]) for name in money)
        self.section_sums = [(seconds, self.whole(price)) for seconds, price in self.sections]
        tax = 1 + Fraction(tariff.tax_percent or 0) / 100
        self.tax_above = tax.numerator * 10**tariff.precision
        self.tax_below = tax.denominator * self.below
        self.unit = Fraction(tariff.unit)

    def whole(self, part: Fraction) -> int:
        return part.numerator * (self.below // part.denominator)

    def paid_s(self, ms: int) -> int:
        tariff = self.tariff
        talked_s, rest_ms = divmod(ms, 1000)
        talked_s += rest_ms >= tariff.hold_time_precision_ms
        if talked_s <= tariff.grace_s:
            return 0
        return max(0, talked_s - tariff.free_time_s - tariff.free_s)

    def increments(self, paid_s: int) -> tuple[int, int]:
        """Sum of the sections and seconds at the steady price."""
        tariff = self.tariff
        extra, rest = 0, paid_s
        if not self.section_sums:
            steady = tariff.first_s
            rest -= tariff.first_s
        else:
            steady = 0
            for seconds, price in self.section_sums:
                if rest <= 0 and seconds > 0:
                    break
                extra += price
                rest -= seconds
        if rest > 0:
            steady += -(-rest // tariff.next_s) * tariff.next_s
        return extra, steady

    def charge_units(self, ms: int) -> int:
        paid_s = self.paid_s(ms)
        if paid_s == 0:
            return 0
        extra, steady = self.increments(paid_s)
        total = max(self.fee + extra + steady * self.second, self.least)
        if self.most:
            total = min(total, self.most)
        whole, rest = divmod(total * self.tax_above, self.tax_below)
        rounding = self.tariff.rounding
        if rounding == "up":
            whole += rest > 0
        elif rounding != "down":
            twice = 2 * rest
            whole += twice > self.tax_below or (twice == self.tax_below and (rounding == "half_up" or whole % 2 == 1))
        units = whole * 10 ** (8 - self.tariff.precision)
        if self.unit:
            step = int(self.unit * UNIT)
            units = -(-units // step) * step
        return int(units)

    def charge_by_fractions(self, ms: int) -> Fraction:
        """The same without any short cut."""
        paid_s = self.paid_s(ms)
        if paid_s == 0:
            return Fraction(0)
        tariff = self.tariff
        total, rest = Fraction(tariff.connection_fee), paid_s
        if self.sections:
            for seconds, price in self.sections:
                if rest <= 0 and seconds > 0:
                    break
                total += price
                rest -= seconds
        else:
            total += tariff.first_s * self.per_second
            rest -= tariff.first_s
        while rest > 0:
            total += tariff.next_s * self.per_second
            rest -= tariff.next_s
        total = max(total, Fraction(tariff.minimum))
        if Fraction(tariff.maximum):
            total = min(total, Fraction(tariff.maximum))
        total *= 1 + Fraction(tariff.tax_percent or 0) / 100
        scaled = total * 10**tariff.precision
        half_even = round(scaled)  # what Python does with fractions
        rounded = {
            "up": ceil(scaled),
            "down": floor(scaled),
            "half_up": floor(scaled + Fraction(1, 2)),
            "half_even": half_even,
        }[tariff.rounding]
        fee = Fraction(rounded, 10**tariff.precision)
        return ceil(fee / self.unit) * self.unit if self.unit else fee


def rate_and_rules(tariff: Tariff) -> tuple[tandem.Rate, tandem.FeeRules]:
    rate = tandem.Rate(
        "44",
        tariff.price,
        per_s=tariff.per_s,
        first_s=tariff.first_s,
        next_s=tariff.next_s,
        connection_fee=tariff.connection_fee,
        minimum=tariff.minimum,
        maximum=tariff.maximum,
        grace_s=tariff.grace_s,
        free_s=tariff.free_s,
        tax_percent=tariff.tax_percent,
        sections=";".join(f"{seconds}:{price}" for seconds, price in tariff.sections),
    )
    rules = tandem.FeeRules(
        precision=tariff.precision,
        rounding=tariff.rounding,
        unit=tariff.unit,
        hold_time_precision_ms=tariff.hold_time_precision_ms,
        free_time_s=tariff.free_time_s,
    )
    return rate, rules


def test_a_million_tariffs_and_calls_cost_what_fractions_say() -> None:
    rng = random.Random(20261126)
    rate_call = tandem.rate_call
    pairs = charged = 0
    for _ in range(PAIRS // CALLS_PER_TARIFF):
        tariff = draw_tariff(rng)
        oracle = Oracle(tariff)
        rate, rules = rate_and_rules(tariff)
        for call in range(CALLS_PER_TARIFF):
            most_ms = rng.choice((3_000, 70_000, 400_000, 7_300_000))
            ms = rng.randrange(most_ms)
            units = oracle.charge_units(ms)
            if call == 0:
                ms = rng.randrange(400_000)
                units = oracle.charge_units(ms)
                assert oracle.charge_by_fractions(ms) == Fraction(units, UNIT), (tariff, ms)
            charge = rate_call(rate, ms, rules).charge
            assert charge.scaleb(8) == units, (tariff, ms, charge, units)
            pairs += 1
            charged += units != 0
    assert pairs == PAIRS
    assert charged > PAIRS // 2
