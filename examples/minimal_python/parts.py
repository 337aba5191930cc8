"""The parts alone: a route table, a rater, and a whole call in virtual time."""
import tandem
from tandem import sim

builder = tandem.RouteTable.Builder()
builder.add(tandem.VendorRoute("cheap", ["44"], priority=1))
builder.add(tandem.VendorRoute("london", ["4420"]))
print(builder.build().lookup("442079460000"))  # ['london', 'cheap']

rate = tandem.Rate("44", "0.60", first_s=60, next_s=60)
print(tandem.rate_call(rate, talk_time_ms=61_000).charge)  # 1.20

world = sim.World(seed=7)
switch = world.create_switch({
    "sip": {"listen": ["udp:10.0.0.1:5060"]},
    "media": {"address": "10.0.0.1"},
    "provision": {
        "accounts": [{"id": "acme", "balance": "100.00", "rate_deck": "retail"}],
        "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]}],
        "customer_gateways": [{"id": "cust", "addresses": ["10.0.0.2"], "account": "acme"}],
        "vendor_gateways": [{"id": "v1", "addresses": ["10.0.0.9:5060"]}],
    },
})
with switch:
    world.add_endpoint("10.0.0.9:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    customer.dial("442079460000", plan=sim.DialPlan(hang_up_after_us=61_000_000))
    world.run_until_idle()
    (cdr,) = world.cdrs()
    print(cdr.end_reason, cdr.charge)  # NormalCallClearing 0.61
