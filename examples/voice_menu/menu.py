"""A voice menu: whoever calls its number hears a prompt, dials an extension, and is put through.

    menu.py                        shows itself in virtual time
    menu.py CONFIG.json [SECONDS]  on a switch of that configuration

Both run the same Menu. It holds no call in its hands: the switch tells what became of each order by an event, and the
next order follows from that.
"""
from __future__ import annotations

import asyncio
import sys
from typing import Optional

import tandem
from tandem import sim

NUMBER = "4410"  # what is dialled to reach the menu
EXTENSIONS = {"1": "442079460000", "2": "442079460001", "42": "442079460042"}
GREETING = "tone:warning"  # a WAV file of one channel, 8,000 Hz, will do as well
RINGING = "tone:ringback/gb"
TRIES = 3  # then the caller has to call again


class Menu:
    def __init__(self) -> None:
        self.tries: dict[int, int] = {}  # by call

    def on_policy(self, question: tandem.PolicyQuestion) -> tandem.PolicyAnswer:
        """Takes the calls to the menu's number; nobody pays for those, but for what they are put through to."""
        serve = tandem.ServeOrder(is_billed=False) if question.callee == NUMBER else None
        return tandem.PolicyAnswer(serve=serve)

    def on_event(self, switch: tandem.Switch, event: tandem.Event) -> None:
        call = event.call.id
        if event.kind == "call_ended":
            self.tries.pop(call, None)
        if event.service is None:
            return
        try:
            self.go_on(switch, call, event.service)
        except tandem.Error as error:
            if error.code not in (tandem.ErrorCode.not_found, tandem.ErrorCode.wrong_state):
                raise
            # The caller has hung up meanwhile, and its call_ended is on its way.

    def go_on(self, switch: tandem.Switch, call: int, report: tandem.ServiceReport) -> None:
        if report.what == "ready":
            self.ask(switch, call)
        elif report.what == "collected":
            number = EXTENSIONS.get(report.digits)
            if number is None:
                self.ask(switch, call)
            else:
                switch.play(call, RINGING, repeats=True)
                switch.bridge(call, number)
        elif report.what == "bridge_failed":
            self.ask(switch, call)

    def ask(self, switch: tandem.Switch, call: int) -> None:
        tries = self.tries[call] = self.tries.get(call, 0) + 1
        if tries > TRIES:
            switch.hang_up(call)
            return
        switch.play(call, GREETING, stops_at_key=True)
        switch.collect(call, max=2, first_key_ms=8_000, next_key_ms=3_000)


CONFIG = {
    "sip": {"listen": ["udp:10.0.0.1:5060"]},
    "media": {"address": "10.0.0.1"},
    "provision": {
        "accounts": [{"id": "acme", "balance": "100.00", "rate_deck": "retail"}],
        "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]}],
        "customer_gateways": [{"id": "cust", "addresses": ["10.0.0.2"], "account": "acme"}],
        "vendor_gateways": [{"id": "v1", "addresses": ["10.0.0.9:5060"]}],
    },
}


def show() -> None:
    """A caller that first dials an extension that is busy, then another one."""
    world = sim.World(seed=1)
    menu = Menu()
    with world.create_switch(CONFIG, on_policy=menu.on_policy) as switch:
        feed = switch.watch()
        vendor = world.add_endpoint("10.0.0.9:5060")
        vendor.set_plan(sim.AnswerPlan(status=486), callee=EXTENSIONS["2"])
        customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")

        def run(ms: int, key: Optional[str] = None) -> None:
            if key is not None:
                call.request("INFO", "application/dtmf-relay", f"Signal={key}")
            for _ in range(ms // 20):
                world.run_for_us(20_000)
                for item in feed.take():
                    if item.event is None:
                        continue
                    report = item.event.service
                    if report is not None:
                        words = [report.what, report.why, report.digits, str(report.sip_status or "")]
                        print(f"{world.monotonic_us // 1000:>6} ms", *filter(None, words))
                    menu.on_event(switch, item.event)

        call = customer.dial(NUMBER)
        run(500)
        run(100, "2")
        run(1_000, "#")
        run(300, "4")
        run(1_000, "2")
        run(30_000)
        call.hang_up()
        run(1_000)
        world.run_until_idle()
        for cdr in sorted(world.cdrs(), key=lambda one: one.callee):
            print(cdr.callee, cdr.end_reason, f"{cdr.talk_time_ms} ms", cdr.customer.charge)


async def serve(config: str, seconds: float) -> None:
    menu = Menu()
    with tandem.Switch(config, on_policy=menu.on_policy) as switch:
        print("the menu is", NUMBER, "at", switch.listening()[0], flush=True)

        async def watch() -> None:
            async for event in switch.events():
                menu.on_event(switch, event)

        try:
            await asyncio.wait_for(watch(), seconds)
        except asyncio.TimeoutError:
            pass


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(serve(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1e9))
    else:
        show()
