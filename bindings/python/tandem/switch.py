"""The switch as Python sees it: a thin shell around _tandem.Switch."""
from __future__ import annotations

import asyncio
import atexit
import json
import os
import select
import threading
import weakref
from decimal import Decimal
from typing import Any, AsyncIterator, Callable, Mapping, Optional, Protocol, Sequence, Union, cast

from . import _tandem
from ._tandem import (
    AdminServer,
    CallView,
    Cdr,
    CdrQuery,
    Config,
    Event,
    PolicyAnswer,
    PolicyQuestion,
    SwitchCounters,
    SwitchOptions,
)

ConfigSource = Union[Mapping[str, Any], str, "os.PathLike[str]", Config]
PolicyCallback = Callable[[PolicyQuestion], Optional[PolicyAnswer]]


class CdrSink(Protocol):
    """A destination for records. Raising means: offer it again."""

    def write(self, cdr: Cdr) -> None: ...
    def flush(self) -> None: ...


def to_config(source: ConfigSource, folder: str = ".") -> Config:
    """`source`: a mapping as in the configuration file, the path of one, or a Config."""
    if isinstance(source, Config):
        return source
    if isinstance(source, Mapping):
        return Config.from_json(json.dumps(source, default=_money), folder)
    return Config.from_file(os.fspath(source))


def _money(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} has no place in a configuration")


def make_options(
    has_policy: bool,
    policy_deadline_us: int,
    policy_default: Optional[PolicyAnswer],
    cdr_sinks: Sequence[CdrSink],
    log_level: Optional[str],
    event_queue_max: int,
) -> SwitchOptions:
    options = SwitchOptions()
    options.has_policy = has_policy
    options.policy_deadline_us = policy_deadline_us
    options.policy_default = policy_default or PolicyAnswer()
    options.cdr_sinks = list(cdr_sinks)
    options.log_level = log_level
    options.event_queue_max = event_queue_max
    return options


# What has to end before the interpreter does: a thread that asks for its lock later ends the process.
_open_switches: weakref.WeakSet[Switch] = weakref.WeakSet()
_question_threads: set[threading.Thread] = set()


@atexit.register
def _close_all() -> None:
    for switch in list(_open_switches):
        switch.close()
    for thread in list(_question_threads):
        thread.join(10)


def _deliver_questions(switch: _tandem.Switch, on_policy: PolicyCallback) -> None:
    # Holds the inner switch only, so that dropping the outer one ends this thread.
    try:
        _ask(switch, on_policy)
    finally:
        _question_threads.discard(threading.current_thread())


def _ask(switch: _tandem.Switch, on_policy: PolicyCallback) -> None:
    while (question := switch.next_question()) is not None:
        try:
            answer = on_policy(question)
            if answer is not None:
                switch.answer(question.token, answer)
        except _tandem.Error:
            return  # closed meanwhile
        except Exception as raised:
            # Reported as for any thread; the call goes on by the default.
            threading.excepthook(
                threading.ExceptHookArgs((type(raised), raised, raised.__traceback__, threading.current_thread()))
            )


class Switch:
    """A softswitch. As a context manager it starts on entry and closes on exit.

    `config`: a mapping as in the configuration file, the path of one, or a Config; relative paths of a mapping start
    from `folder`. `on_policy` is asked about every call after admission and before routing, on a Python thread of the
    switch, and returns a PolicyAnswer or None (then answer() may come later, until `policy_deadline_us`; after it
    `policy_default` holds). `cdr_sinks`: objects with write(cdr) and flush(); raising has the record offered again.
    `log_level`: "debug", "info", "warning", "error"; then take_log() has lines.

    Every method may be called from any thread. Raises tandem.Error.
    """

    def __init__(
        self,
        config: ConfigSource,
        *,
        folder: str = ".",
        on_policy: Optional[PolicyCallback] = None,
        policy_deadline_us: int = 500_000,
        policy_default: Optional[PolicyAnswer] = None,
        cdr_sinks: Sequence[CdrSink] = (),
        log_level: Optional[str] = None,
        event_queue_max: int = 65_536,
    ) -> None:
        options = make_options(
            on_policy is not None, policy_deadline_us, policy_default, cdr_sinks, log_level, event_queue_max
        )
        self._config = to_config(config, folder)
        self._switch = _tandem.Switch(self._config, options)
        self._questions: Optional[threading.Thread] = None
        if on_policy is not None:
            self._questions = threading.Thread(
                target=_deliver_questions, args=(self._switch, on_policy), name="tandem-policy", daemon=True
            )
            _question_threads.add(self._questions)
            self._questions.start()
        _open_switches.add(self)

    @classmethod
    def _adopt(cls, inner: _tandem.Switch, config: Config) -> Switch:
        switch = cls.__new__(cls)
        switch._config = config
        switch._switch = inner
        switch._questions = None
        _open_switches.add(switch)
        return switch

    def start(self) -> None:
        """Takes calls from now on."""
        self._switch.start()

    def drain(self) -> None:
        """Refuses new calls; running ones go on."""
        self._switch.drain()

    def wait_idle(self, timeout_s: float = 60.0) -> None:
        """Waits until no call is up. Error: timeout."""
        self._switch.wait_idle(int(timeout_s * 1_000_000))

    def close(self) -> None:
        """Ends the calls that are up, writes what waits, stops all threads. May be repeated."""
        self._switch.close()
        thread = self._questions
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def __enter__(self) -> Switch:
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_switch"):
            self._switch.close()

    def reload(self, config: ConfigSource, folder: str = ".") -> list[str]:
        """Applies another configuration to new calls; returns the keys that need a restart."""
        return self._switch.reload(to_config(config, folder))

    def live_calls(self) -> int:
        return self._switch.live_calls()

    def calls(self) -> list[CallView]:
        return self._switch.calls()

    def disconnect(self, id: int) -> None:
        """Ends a call. Error: not_found."""
        self._switch.disconnect(id)

    def answer(self, token: int, answer: PolicyAnswer) -> None:
        """Answers a policy question; late or unknown tokens are ignored."""
        self._switch.answer(token, answer)

    def accounts(self) -> list[dict[str, Any]]:
        return self._switch.accounts()

    def account(self, id: str) -> Optional[dict[str, Any]]:
        """None: there is no such account."""
        return self._switch.account(id)

    def pay(self, account: str, amount: Union[Decimal, int, str], memo: str = "") -> Decimal:
        """Books a payment (negative: a deduction) durably; returns the new balance."""
        return self._switch.pay(account, amount, memo)

    def gateways(self) -> list[dict[str, Any]]:
        return self._switch.gateways()

    def counters(self) -> SwitchCounters:
        return self._switch.counters()

    def cdrs(self, **query: Any) -> list[Cdr]:
        """Records, newest first. Keywords: those of CdrQuery."""
        return self._switch.cdrs(CdrQuery(**query))

    def explain(self, from_: str, caller: str, callee: str, at_us: Optional[int] = None) -> dict[str, Any]:
        """What would become of a call now, and why."""
        return cast("dict[str, Any]", json.loads(self._switch.explain_json(from_, caller, callee, at_us)))

    def listening(self) -> list[str]:
        """Where SIP is heard, with the ports really taken: "udp:127.0.0.1:5060"."""
        return self._switch.listening()

    def fileno(self) -> int:
        """Readable when take_events() has something, for select() and event loops."""
        return self._switch.fileno()

    def take_events(self) -> list[Event]:
        """All events that wait, oldest first."""
        return self._switch.take_events()

    def wait_events(self, timeout_s: Optional[float] = None) -> list[Event]:
        """The same, after waiting for the first one; empty when none came in time or the switch was closed."""
        select.select([self.fileno()], [], [], timeout_s)
        return self.take_events()

    async def events(self) -> AsyncIterator[Event]:
        """Events as they come, in asyncio. Ends never by itself: leave the loop, or cancel it."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        descriptor = self.fileno()
        loop.add_reader(descriptor, ready.set)
        try:
            while True:
                for event in self.take_events():
                    yield event
                await ready.wait()
                ready.clear()
        finally:
            loop.remove_reader(descriptor)

    def events_dropped(self) -> int:
        """Events that were lost because nobody took them in time."""
        return self._switch.events_dropped

    def take_log(self) -> list[str]:
        """Log lines that wait; see `log_level`."""
        return self._switch.take_log()


def serve_admin(switch: Switch, config: Optional[ConfigSource] = None) -> AdminServer:
    """Serves the admin API of a switch over HTTP, where `admin.listen` of its configuration says."""
    chosen = switch._config if config is None else to_config(config)
    return AdminServer(chosen, switch._switch)
