"""Whole switches, their customers and their vendors in virtual time: an hour of calls takes seconds.

    world = sim.World(seed=7)
    switch = world.create_switch(config); switch.start()
    vendor = world.add_endpoint("10.0.0.9:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    call = customer.dial("442079460000", plan=sim.DialPlan(hang_up_after_us=61_000_000))
    world.run_until_idle()
    assert world.cdrs()[0].end_reason == "NormalCallClearing"

One thread at a time; callbacks run on the thread that runs the world.
"""
from __future__ import annotations

from typing import Optional, Sequence

from . import _tandem
from ._tandem import (
    AnswerPlan,
    DialPlan,
    DnsServer,
    DtlsPlan,
    Endpoint,
    EndpointCall,
    EndpointCounters,
    LadderEntry,
    LinkSettings,
    LrnServer,
    NetworkCounters,
    PolicyAnswer,
    RawDatagram,
    RawEndpoint,
    RegistrarPlan,
    SeenDatagram,
)
from .switch import CdrSink, ConfigSource, LrnCallback, PolicyCallback, Switch, make_options, to_config

__all__ = [
    "AnswerPlan",
    "DialPlan",
    "DnsServer",
    "DtlsPlan",
    "Endpoint",
    "EndpointCall",
    "EndpointCounters",
    "LadderEntry",
    "LinkSettings",
    "LrnServer",
    "NetworkCounters",
    "RawDatagram",
    "RawEndpoint",
    "RegistrarPlan",
    "SeenDatagram",
    "World",
]


class World(_tandem.World):
    """Network, clock, disk, and all that lives in them. Close the switches before it goes."""

    def create_switch(  # type: ignore[override]
        self,
        config: ConfigSource,
        *,
        on_policy: Optional[PolicyCallback] = None,
        policy_deadline_us: int = 500_000,
        policy_default: Optional[PolicyAnswer] = None,
        on_lrn: Optional[LrnCallback] = None,
        cdr_sinks: Sequence[CdrSink] = (),
        log_level: Optional[str] = None,
        event_queue_max: int = 65_536,
    ) -> Switch:
        """A switch in virtual time, not yet started. Its records also come to cdrs()."""
        options = make_options(
            on_policy is not None,
            policy_deadline_us,
            policy_default,
            on_lrn is not None,
            cdr_sinks,
            log_level,
            event_queue_max,
        )
        read = to_config(config)
        return Switch._adopt(super().create_switch(read, options, on_policy, on_lrn), read)

    def crash(self, victim: Switch) -> None:  # type: ignore[override]
        """Ends a switch as a loss of power would."""
        super().crash(victim._switch)
