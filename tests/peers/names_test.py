#!/usr/bin/env python3
"""Vendors that are named by names (P-01, RFC 3263), with a name server of others: dnsmasq."""
from peers import *


class NameServer:
    """dnsmasq on a port of its own with these options, such as "--host-record=NAME,IP"."""

    def __init__(self, path, port, *options):
        self.log = open(os.path.join(path, "dnsmasq.log"), "ab")
        self.process = subprocess.Popen(
            ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces",
             "--listen-address=127.0.0.1", "--port=%d" % port, "--local=/test/", "--local-ttl=1", *options],
            stdout=self.log, stderr=self.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()


def services(*ports):
    """SRV records of carrier.test, each with less priority than the one before."""
    return ["--host-record=sbc.carrier.test,127.0.0.1"] + [
        "--srv-host=_sip._udp.carrier.test,sbc.carrier.test,%d,%d,0" % (port, 10 * place)
        for place, port in enumerate(ports, 1)]


def gateway(switch):
    return next(one for one in json.loads(switch.api("/api/v1/gateways")) if one["id"] == "carrier")


def ports_of(switch):
    return [int(address["address"].rsplit(":", 1)[1]) for address in gateway(switch)["addresses"]]


def names():
    """Priorities, failover within the attempt, a name server that is gone, and one that is back with other records."""
    first, second, third, server_port = (free_port() for _ in range(4))
    switch = Switch("names", [{"id": "carrier", "addresses": ["carrier.test"]}])
    switch.config["dns"] = {"servers": ["127.0.0.1:%d" % server_port], "hosts_file": "", "ttl_min_s": 1, "timeout_ms": 200,
                            "rounds": 1}
    switch.write()
    with NameServer(switch.folder, server_port, *services(first, second)) as server, switch:
        wait_until(lambda: ports_of(switch) == [first, second], 10, "the name is located")
        with Sipp(switch, "uas", port=first, calls=1):
            uac(switch, "-d", "100").expect_good()
        # Nobody listens there any more: the system says so at once, and the second place is called.
        with Sipp(switch, "uas", port=second, calls=2):
            uac(switch, "-d", "100").expect_good()
            records = switch.wait_cdrs(2)
            expect([[(attempt["vendor_gateway"], attempt["sip_status"]) for attempt in record["attempts"]]
                    for record in records] == [[("carrier", 200)]] * 2, "one attempt each", records)
            server.process.kill()
            server.process.wait()
            wait_until(lambda: gateway(switch)["names"][0]["stale"], 15, "what is known grows old")
            uac(switch, "-d", "100").expect_good()
        with NameServer(switch.folder, server_port, *services(third)), Sipp(switch, "uas", port=third, calls=1):
            wait_until(lambda: ports_of(switch) == [third], 30, "the new records hold")
            uac(switch, "-d", "100").expect_good()
        switch.wait_cdrs(4)
        switch.expect_idle()


if __name__ == "__main__":
    main({"names": names})
