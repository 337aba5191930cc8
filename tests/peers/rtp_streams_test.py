#!/usr/bin/env python3
"""What the relay counts of a stream that was hurt on its way, and what it sends on, with tshark's rtp,streams as the judge
(M-17). The calls run in virtual time: tshark reads the capture of their network."""
import re

from peers import *

import tandem
from tandem import sim

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


def judged(file):
    """What tshark says of the streams of a capture, by the addresses that they go from and to."""
    found = subprocess.run(["tshark", "-n", "-r", file, "-q", "-z", "rtp,streams"], capture_output=True, text=True,
                           timeout=60, check=True)
    row = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+([\d.]+)\s+\d+\s+([\d.]+)\s+\d+\s+0x([0-9A-F]+)\s+\S+\s+(\d+)\s+(-?\d+) "
                     r"\(.*?\)((?: +-?[\d.]+){6}) *(X?) *$", re.MULTILINE)
    streams = {}
    for source, target, ssrc, packets, lost, times, problem in row.findall(found.stdout):
        jitter = [float(value) for value in times.split()[3:]]  # least, mean, most; in milliseconds
        streams[source, target] = {"ssrc": ssrc, "packets": int(packets), "lost": int(lost), "jitter": jitter,
                                   "has_problem": bool(problem)}
    expect(len(streams) == 4, "a stream each way on each side", found.stdout)
    return streams


def hurt(name, link):
    """A call whose caller is heard over `link`: its record, and the streams that the relay got and sent on."""
    world = sim.World(seed=7)
    switch = world.create_switch(CONFIG)
    switch.start()
    vendor = world.add_endpoint("10.0.0.9:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    vendor.set_plan(sim.AnswerPlan(send_rtp=True))
    world.capture()
    call = customer.dial("442079460000", plan=sim.DialPlan(send_rtp=True))
    expect(world.run_until(lambda: call.was_answered, 10_000_000), "an answer")
    world.run_for_us(100_000)
    world.set_link("10.0.0.2", "10.0.0.1", link)
    world.run_for_us(20_000_000)
    world.clear_links()
    world.run_for_us(100_000)
    call.hang_up()
    expect(world.run_until_idle(), "the end of the call")
    switch.close()
    file = os.path.join(folder("rtp_streams_" + name), "call.pcap")
    world.write_pcap(file)
    (record,) = world.cdrs()
    streams = judged(file)
    sent_on, back = streams["10.0.0.1", "10.0.0.9"], streams["10.0.0.1", "10.0.0.2"]
    expect(sent_on["ssrc"] == streams["10.0.0.2", "10.0.0.1"]["ssrc"], "the SSRC of the caller", sent_on)
    expect(back["lost"] == 0 and not back["has_problem"], "nothing is wrong the other way", back)
    expect(record.media_callee.packets_lost == 0, "no loss is counted of the callee")
    return record, sent_on


def loss_is_counted_as_tshark_does():
    record, stream = hurt("loss", sim.LinkSettings(loss_per_mille=50))
    expect(record.media_caller.packets_lost == stream["lost"] > 20, "the same losses",
           record.media_caller.packets_lost, stream)
    expect(record.media_caller.packets_received == stream["packets"], "all that came was sent on",
           record.media_caller.packets_received, stream)


def reordering_is_no_loss():
    record, stream = hurt("reorder", sim.LinkSettings(reorder_per_mille=100, reorder_us=30_000))
    expect(stream["has_problem"], "tshark sees the order", stream)
    expect(record.media_caller.packets_lost == stream["lost"] == 0, "nothing was lost", record.media_caller.packets_lost,
           stream)
    expect(record.media_caller.packets_received == stream["packets"], "all that came was sent on", stream)


def jitter_is_that_of_rfc_3550():
    record, stream = hurt("jitter", sim.LinkSettings(jitter_us=15_000))
    least, mean, most = stream["jitter"]
    jitter_ms = record.media_caller.jitter_us / 1000
    # The relay's is the last value, of which tshark prints the range; the end of the call is quiet again.
    expect(least <= jitter_ms <= most and mean > 3, "jitter within what tshark saw", jitter_ms, stream)
    expect(record.media_caller.packets_lost == stream["lost"] == 0, "nothing was lost", stream)


def duplicates_are_no_negative_loss():
    record, stream = hurt("duplicate", sim.LinkSettings(duplicate_per_mille=50))
    expect(stream["lost"] < -20, "tshark takes duplicates for negative losses", stream)
    expect(record.media_caller.packets_lost == 0, "none is lost", record.media_caller.packets_lost)
    expect(record.media_caller.packets_received == stream["packets"], "duplicates are passed on", stream)


if __name__ == "__main__":
    main({"loss": loss_is_counted_as_tshark_does, "reorder": reordering_is_no_loss,
          "jitter": jitter_is_that_of_rfc_3550, "duplicates": duplicates_are_no_negative_loss})
