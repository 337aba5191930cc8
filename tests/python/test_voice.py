"""Calls that a host in Python serves, in virtual time (T-17)."""
from __future__ import annotations

from decimal import Decimal
from typing import Optional

import pytest

import tandem
from tandem import sim

CONFIG = {
    "sip": {"listen": ["udp:10.0.0.1:5060"]},
    "media": {"address": "10.0.0.1"},
    "provision": {
        "accounts": [{"id": "acme", "balance": "100.00", "rate_deck": "retail"}],
        "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]}],
        "customer_gateways": [{"id": "cust", "addresses": ["10.0.0.2"], "account": "acme"}],
        "vendor_gateways": [{"id": "v1", "addresses": ["10.0.0.9:5060"]}, {"id": "v2", "addresses": ["10.0.0.8:5060"]}],
    },
}


class Host:
    def __init__(self, serve: tandem.ServeOrder) -> None:
        self.serve = serve
        self.world = sim.World(seed=5)
        self.switch = self.world.create_switch(CONFIG, on_policy=self.on_policy)
        self.switch.start()
        self.feed = self.switch.watch()
        self.customer = self.world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
        self.vendors = [self.world.add_endpoint(f"10.0.0.{host}:5060") for host in (9, 8)]
        self.reports: list[tandem.ServiceReport] = []
        self.id = 0

    def on_policy(self, question: tandem.PolicyQuestion) -> tandem.PolicyAnswer:
        return tandem.PolicyAnswer(serve=self.serve if question.callee == "4410" else None)

    def run(self, ms: int) -> list[str]:
        """What was reported meanwhile."""
        self.world.run_for_us(ms * 1000)
        told = []
        for item in self.feed.take():
            assert item.event is not None
            report: Optional[tandem.ServiceReport] = item.event.service
            assert (report is not None) == (item.event.kind == "call_service")
            if report is not None:
                self.id = item.event.call.id
                self.reports.append(report)
                told.append(" ".join(filter(None, [report.what, report.why, report.digits])))
        return told


def test_a_menu_plays_collects_and_bridges() -> None:
    host = Host(tandem.ServeOrder(is_billed=False))
    call = host.customer.dial("4410")
    assert host.run(500) == ["ready"]
    assert call.was_answered
    with pytest.raises(tandem.Error) as wrong:
        host.switch.play(host.id, "/nowhere.wav")
    assert wrong.value.code == tandem.ErrorCode.io
    host.switch.play(host.id, ["tone:warning", "tone:warning"])
    assert host.run(100) == []
    assert host.run(20_000) == ["played finished"]
    host.switch.play(host.id, "tone:ringback/us", repeats=True, stops_at_key=True)
    host.switch.collect(host.id, min=2, max=2)
    assert host.run(1_000) == []
    told = []
    for key in "42":
        call.request("INFO", "application/dtmf-relay", f"Signal={key}")
        told += host.run(200)
    assert told == ["played key", "collected full 42"]
    assert host.reports[-1].is_complete
    with pytest.raises(tandem.Error) as wrong:
        host.switch.bridge(host.id, "44 x")
    assert wrong.value.code == tandem.ErrorCode.invalid_argument
    host.switch.bridge(host.id, "442079460000", vendor_gateways=["v2"])
    assert host.run(1_000) == ["bridged"]
    assert host.vendors[0].last_call() is None and host.vendors[1].last_call() is not None
    with pytest.raises(tandem.Error) as wrong:
        host.switch.stop(host.id)
    assert wrong.value.code == tandem.ErrorCode.wrong_state
    host.run(10_000)
    call.hang_up()
    assert host.world.run_until_idle()
    served, bridged = sorted(host.world.cdrs(), key=lambda cdr: len(cdr.callee))
    assert served.customer.charge == 0 and bridged.customer.charge > Decimal("0.10")
    assert served.callee_out == bridged.callee and not served.attempts and bridged.attempts[0].vendor_gateway == "v2"
    host.switch.close()


def test_early_media_is_answered_or_refused() -> None:
    host = Host(tandem.ServeOrder(answers=False))
    call = host.customer.dial("4410")
    assert host.run(500) == ["ready"]
    assert not call.was_answered
    host.switch.answer_call(host.id)
    host.run(500)
    assert call.was_answered
    host.switch.hang_up(host.id)
    host.run(500)
    assert call.is_over
    other = host.customer.dial("4410")
    host.run(500)
    host.switch.hang_up(host.id, 17)
    host.run(500)
    assert other.status == 486
    with pytest.raises(tandem.Error) as gone:
        host.switch.stop(host.id)
    assert gone.value.code == tandem.ErrorCode.not_found
    host.switch.close()
