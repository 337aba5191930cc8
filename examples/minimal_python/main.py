"""A switch for one customer and one vendor, with a policy.   main.py [SECONDS [LISTEN]]"""
import asyncio
import sys

import tandem

CONFIG = {
    "sip": {"listen": [sys.argv[2] if len(sys.argv) > 2 else "udp:127.0.0.1:5060"]},
    "provision": {
        "accounts": [{"id": "acme", "balance": "100.00", "rate_deck": "retail"}],
        "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]}],
        "customer_gateways": [{"id": "cust", "addresses": ["127.0.0.2"], "account": "acme"}],
        "vendor_gateways": [{"id": "v1", "addresses": ["127.0.0.1:5070"], "prefixes": ["44"]}],
    },
}


def no_premium_numbers(question: tandem.PolicyQuestion) -> tandem.PolicyAnswer:
    return tandem.PolicyAnswer(allow=not question.callee.startswith("449"))


async def watch(switch: tandem.Switch) -> None:
    async for event in switch.events():
        print(event.kind, event.call.callee)


async def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3600
    with tandem.Switch(CONFIG, on_policy=no_premium_numbers) as switch:
        print("taking calls at", switch.listening()[0])
        try:
            await asyncio.wait_for(watch(switch), seconds)
        except asyncio.TimeoutError:
            pass


asyncio.run(main())
