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
from typing import Any, AsyncIterator, Callable, Iterable, Mapping, Optional, Protocol, Sequence, TypeVar, Union, cast

from . import _tandem
from ._tandem import (
    AdminServer,
    CallView,
    CallReport,
    Cdr,
    CdrIterator,
    CdrQuery,
    Config,
    CorrectionQuery,
    DisputeQuery,
    Event,
    FeedItem,
    LedgerQuery,
    LrnAnswer,
    LrnQuestion,
    MaintenanceNoteQuery,
    PolicyAnswer,
    PolicyQuestion,
    RerateQuery,
    SwitchCounters,
    SwitchOptions,
)

ConfigSource = Union[Mapping[str, Any], str, "os.PathLike[str]", Config]
PolicyCallback = Callable[[PolicyQuestion], Optional[PolicyAnswer]]
LrnCallback = Callable[[LrnQuestion], Optional[LrnAnswer]]
Question = TypeVar("Question", PolicyQuestion, LrnQuestion)
Answer = TypeVar("Answer", PolicyAnswer, LrnAnswer)


def ledger_entries(texts: Iterable[str]) -> list[dict[str, Any]]:
    """Entries of the ledger from their JSON, with money as Decimal."""
    entries: list[dict[str, Any]] = [json.loads(text) for text in texts]
    for entry in entries:
        for key in ("amount", "balance"):
            entry[key] = Decimal(entry[key])
    return entries


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
    has_lrn: bool,
    cdr_sinks: Sequence[CdrSink],
    log_level: Optional[str],
    event_queue_max: int,
) -> SwitchOptions:
    options = SwitchOptions()
    options.has_policy = has_policy
    options.policy_deadline_us = policy_deadline_us
    options.policy_default = policy_default or PolicyAnswer()
    options.has_lrn = has_lrn
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


def _start_asking(
    name: str,
    next_question: Callable[[], Optional[Question]],
    callback: Callable[[Question], Optional[Answer]],
    give: Callable[[int, Answer], None],
) -> threading.Thread:
    # The methods are those of the inner switch, so that dropping the outer one ends this thread.
    def run() -> None:
        try:
            _ask(next_question, callback, give)
        finally:
            _question_threads.discard(threading.current_thread())

    thread = threading.Thread(target=run, name=name, daemon=True)
    _question_threads.add(thread)
    thread.start()
    return thread


def _ask(
    next_question: Callable[[], Optional[Question]],
    callback: Callable[[Question], Optional[Answer]],
    give: Callable[[int, Answer], None],
) -> None:
    while (question := next_question()) is not None:
        try:
            answer = callback(question)
            if answer is not None:
                give(question.token, answer)
        except _tandem.Error:
            return  # closed meanwhile
        except Exception as raised:
            # Reported as for any thread; the call goes on by the default.
            threading.excepthook(
                threading.ExceptHookArgs((type(raised), raised, raised.__traceback__, threading.current_thread()))
            )


class EventFeed:
    """Events of a switch for one watcher, beside take_events() and other watchers.

    A watcher that reads slowly loses events and is told: each item has `lost`, the number of events missing before
    its `event`; `event` is None in a last item that tells of a loss only. Every method may be called from any thread.
    """

    def __init__(self, inner: _tandem.EventFeed) -> None:
        self._feed: Optional[_tandem.EventFeed] = inner

    def take(self, items_max: int = 1000, timeout_s: float = 0.0) -> list[FeedItem]:
        """Up to `items_max` items, oldest first, after waiting for the first one; not in a simulated world."""
        return self._feed.take(items_max, int(timeout_s * 1_000_000)) if self._feed else []

    @property
    def is_over(self) -> bool:
        """Closed, or its switch is, and everything was taken."""
        return self._feed is None or self._feed.is_over

    @property
    def lost(self) -> int:
        """Events lost since the feed began."""
        return self._feed.lost if self._feed else 0

    def close(self) -> None:
        """Stops watching."""
        self._feed = None

    def __enter__(self) -> EventFeed:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class Switch:
    """A softswitch. As a context manager it starts on entry and closes on exit.

    `config`: a mapping as in the configuration file, the path of one, or a Config; relative paths of a mapping start
    from `folder`. `on_policy` is asked about every call after admission and before routing, on a Python thread of the
    switch, and returns a PolicyAnswer or None (then answer() may come later, until `policy_deadline_us`; after it
    `policy_default` holds). `on_lrn` is asked by LRN resolvers of kind "host" where a number is, on another Python
    thread of the switch, and returns an LrnAnswer or None (then answer_lrn() may come later, until the resolver's
    `timeout_ms`). `cdr_sinks`: objects with write(cdr) and flush(); raising has the record offered again.
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
        on_lrn: Optional[LrnCallback] = None,
        cdr_sinks: Sequence[CdrSink] = (),
        log_level: Optional[str] = None,
        event_queue_max: int = 65_536,
    ) -> None:
        options = make_options(
            on_policy is not None,
            policy_deadline_us,
            policy_default,
            on_lrn is not None,
            cdr_sinks,
            log_level,
            event_queue_max,
        )
        self._config = to_config(config, folder)
        self._switch = _tandem.Switch(self._config, options)
        self._questions: list[threading.Thread] = []
        inner = self._switch
        if on_policy is not None:
            self._questions.append(_start_asking("tandem-policy", inner.next_question, on_policy, inner.answer))
        if on_lrn is not None:
            self._questions.append(_start_asking("tandem-lrn", inner.next_lrn_question, on_lrn, inner.answer_lrn))
        _open_switches.add(self)

    @classmethod
    def _adopt(cls, inner: _tandem.Switch, config: Config) -> Switch:
        switch = cls.__new__(cls)
        switch._config = config
        switch._switch = inner
        switch._questions = []
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
        for thread in self._questions:
            if thread is not threading.current_thread():
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

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """The provisioned objects of a list ("accounts", "vendor_gateways", ...) in order of id; decks without rates."""
        return [json.loads(text) for text in self._switch.objects_json(kind)]

    def object(self, kind: str, id: str) -> dict[str, Any]:
        """One object; a deck has its rates. Error: not_found."""
        return cast("dict[str, Any]", json.loads(self._switch.object_json(kind, id)))

    def put_object(self, kind: str, object: Mapping[str, Any], *, dry_run: bool = False) -> bool:
        """Creates or replaces one, as in the configuration file; True: it was not there.

        Survives a restart, as far as the configuration itself does not name the object. Errors: invalid_argument
        (with JSON pointers), wrong_state (something else would be wrong then); then nothing changed.
        """
        return self.put_objects(kind, [object], dry_run=dry_run)[0] == 1

    def put_objects(
        self, kind: str, objects: Iterable[Mapping[str, Any]], *, dry_run: bool = False
    ) -> tuple[int, int]:
        """All of them or none. (created, replaced)."""
        puts = [(kind, str(one.get("id", "")), json.dumps(one, default=_money)) for one in objects]
        created, replaced, _ = self._switch.change_objects(puts, [], dry_run)
        return created, replaced

    def objects_csv(self, kind: str) -> str:
        """The objects of a list as CSV, a column for each key that one of them has."""
        return self._switch.objects_csv(kind)

    def put_objects_csv(self, kind: str, csv: str, *, dry_run: bool = False) -> tuple[int, int]:
        """The objects of a table, or none of them. (created, replaced). Errors name the index of the object."""
        created, replaced, _ = self._switch.put_objects_csv(kind, csv, dry_run)
        return created, replaced

    def remove_object(self, kind: str, id: str) -> None:
        """Errors: not_found, wrong_state (something refers to it)."""
        self._switch.change_objects([], [(kind, id)], False)

    def rates_csv(self, deck: str) -> str:
        """The rates of a deck as CSV."""
        return self._switch.rates_csv(deck)

    def put_rates(
        self,
        deck: str,
        csv: str,
        *,
        valid_from_us: Optional[int] = None,
        memo: Optional[str] = None,
        dry_run: bool = False,
    ) -> None:
        """Replaces the rates of a deck by a new version, at once or from `valid_from_us` on."""
        self._switch.put_rates(deck, csv, valid_from_us, memo, dry_run)

    def provision_progress(self) -> dict[str, Any]:
        """How far the change has come that another thread makes now: `step` (idle, reading, building, tables, storing),
        `done_bytes` and `total_bytes` of the CSV of rates."""
        step, done_bytes, total_bytes = self._switch.provision_progress()
        return {"step": step, "done_bytes": done_bytes, "total_bytes": total_bytes}

    def deck_versions(self, deck: str) -> list[dict[str, Any]]:
        """Versions of a deck, newest first."""
        return [json.loads(text) for text in self._switch.deck_versions_json(deck)]

    def roll_back_deck(self, deck: str, number: Optional[int] = None) -> dict[str, Any]:
        """Makes an earlier version active; None: the newest one before the active one."""
        return cast("dict[str, Any]", json.loads(self._switch.roll_back_deck_json(deck, number)))

    def schedule_deck(self, deck: str, number: int, at_us: Optional[int]) -> dict[str, Any]:
        """When a version shall become active; None: not any more."""
        return cast("dict[str, Any]", json.loads(self._switch.schedule_deck_json(deck, number, at_us)))

    def deck_diff(self, deck: str, from_: int, to: int, rows_max: int = 1000) -> dict[str, Any]:
        """What changes from one version to another: added, removed and changed rates."""
        return cast("dict[str, Any]", json.loads(self._switch.deck_diff_json(deck, from_, to, rows_max)))

    def watch(self, queue_events: int = 4096) -> EventFeed:
        """Watches events from now on. `queue_events`: how many may wait until they are taken."""
        return EventFeed(self._switch.watch(queue_events))

    def live_calls(self) -> int:
        return self._switch.live_calls()

    def calls(self) -> list[CallView]:
        return self._switch.calls()

    def record(self, id: int, on: bool = True) -> None:
        """Begins or ends the recording of an answered call."""
        self._switch.record(id, on)

    def disconnect(self, id: int) -> None:
        """Ends a call. Error: not_found."""
        self._switch.disconnect(id)

    def answer_call(self, id: int) -> None:
        """Answers a call that is served in early media (T-17). Errors of this and of the orders below: not_found,
        wrong_state (the call is not served, or not ready yet), invalid_argument, unsupported, io, limit
        (docs/voice.md). What comes of them is told by events `call_service`."""
        self._switch.answer_call(id)

    def play(
        self, id: int, source: Union[str, Sequence[str]], *, repeats: bool = False, stops_at_key: bool = False
    ) -> None:
        """Plays a WAV file (one channel, 8,000 Hz, at most two minutes) or "tone:ringback/us", or several one after the
        other, to the caller of a served call, in the place of what it hears so far."""
        self._switch.play(id, source, repeats=repeats, stops_at_key=stops_at_key)

    def stop(self, id: int) -> None:
        """Ends what is played and collected, and a bridge that is not there yet."""
        self._switch.stop(id)

    def collect(
        self,
        id: int,
        *,
        min: int = 1,
        max: int = 1,
        first_key_ms: int = 10_000,
        next_key_ms: int = 5_000,
        terminators: str = "#",
        drops_earlier: bool = False,
    ) -> None:
        """Takes keys of the caller of a served call, those first that it pressed since the last collection ended. The
        time for the first key begins when what is played once is over."""
        self._switch.collect(
            id,
            min=min,
            max=max,
            first_key_ms=first_key_ms,
            next_key_ms=next_key_ms,
            terminators=terminators,
            drops_earlier=drops_earlier,
        )

    def bridge(
        self, id: int, callee: str, *, caller: str = "", customer: str = "", vendor_gateways: Sequence[str] = ()
    ) -> None:
        """Leads the caller of a served call to a number, as if it had dialled that. `caller`: who is shown, and pays;
        `customer`: whose call it is, a customer gateway or "phone:NUMBER"."""
        self._switch.bridge(id, callee, caller=caller, customer=customer, vendor_gateways=list(vendor_gateways))

    def hang_up(self, id: int, q850_cause: int = 16) -> None:
        """Ends a served call; one that is not answered is refused with the status for the cause."""
        self._switch.hang_up(id, q850_cause)

    def answer(self, token: int, answer: PolicyAnswer) -> None:
        """Answers a policy question; late or unknown tokens are ignored."""
        self._switch.answer(token, answer)

    def answer_lrn(self, token: int, answer: LrnAnswer) -> None:
        """Answers a question of `on_lrn`; late or unknown tokens are ignored."""
        self._switch.answer_lrn(token, answer)

    def accounts(self) -> list[dict[str, Any]]:
        return self._switch.accounts()

    def account(self, id: str) -> Optional[dict[str, Any]]:
        """None: there is no such account."""
        return self._switch.account(id)

    def pay(self, account: str, amount: Union[Decimal, int, str], memo: str = "") -> Decimal:
        """Books a payment (negative: a deduction) durably; returns the new balance."""
        return self._switch.pay(account, amount, memo)

    def book(
        self,
        account: str,
        amount: Union[Decimal, int, str],
        *,
        kind: str = "",
        memo: str = "",
        reference: str = "",
        key: str = "",
        covered_only: bool = False,
    ) -> dict[str, Any]:
        """Moves money durably: amount, balance, entry, repeated.

        `kind`: payment, deduction, zeroing (amount 0), package_rent, package_shortfall, phone_rent, phone_shortfall or
        correction; "": by the sign of the amount. With a `key` a repetition is answered as the first was, whenever it
        comes. `covered_only`: refused (wrong_state) when the account does not have it.
        """
        return self._switch.book(account, amount, kind, memo, reference, key, covered_only)

    def ledger(self, account: str, **query: Any) -> list[dict[str, Any]]:
        """What moved the balance of an account, newest first. Keywords: those of LedgerQuery."""
        return ledger_entries(self._switch.ledger_json(LedgerQuery(account, **query)))

    def packages(self, account: str) -> list[dict[str, Any]]:
        """Current packages of an account in the order of their use, and its monthly rules, then those that it pays for
        its phones. Money is text there."""
        return [json.loads(text) for text in self._switch.packages_json(account)]

    def phone_packages(self, number: str) -> list[dict[str, Any]]:
        """Those of one phone."""
        return [json.loads(text) for text in self._switch.phone_packages_json(number)]

    def check_ledger(self) -> dict[str, Any]:
        """Whether each account's entries add up and the charges are those of the stored calls."""
        return cast("dict[str, Any]", json.loads(self._switch.check_ledger_json()))

    def margin_report(self, sell: str, buys: Sequence[str], at_us: Optional[int] = None) -> list[dict[str, Any]]:
        """What selling by one deck and buying by the best of others leaves, by prefix, losses first. Ids of decks."""
        return cast("list[dict[str, Any]]", json.loads(self._switch.margin_report_json(sell, buys, at_us)))

    def rerate(self, deck: str, **query: Any) -> dict[str, Any]:
        """What calls of the past would have been charged by another deck; nothing is changed.

        Keywords: those of RerateQuery.
        """
        return cast("dict[str, Any]", json.loads(self._switch.rerate_json(RerateQuery(deck, **query))))

    def apply_rerate(
        self, deck: str, *, reason: str, author: str = "", dry_run: bool = True, **query: Any
    ) -> dict[str, Any]:
        """rerate() whose result becomes the charge of each call that differs, unless it is a dry run (B-25).

        Keywords besides: those of RerateQuery. A repetition moves nothing.
        """
        wanted = RerateQuery(deck, **query)
        return cast("dict[str, Any]", json.loads(self._switch.apply_rerate_json(wanted, reason, author, dry_run)))

    def start_rerate(self, deck: str, *, reason: str, author: str = "", dry_run: bool = True, **query: Any) -> int:
        """apply_rerate() on a thread of the switch, one at a time: the number of the job."""
        return self._switch.start_rerate(RerateQuery(deck, **query), reason, author, dry_run)

    def rerate_job(self, id: int) -> dict[str, Any]:
        """How far a job is: "state" is running, done, failed or cancelled; "result" is there once it is done."""
        return cast("dict[str, Any]", json.loads(self._switch.rerate_job_json(id)))

    def cancel_rerate(self, id: int) -> None:
        """Asks a job to end soon. What it corrected stays so, and a repetition goes on."""
        self._switch.cancel_rerate(id)

    def interconnect_totals(
        self, gateway: str, since_us: int, until_us: int, side: str = "vendor"
    ) -> dict[str, Any]:
        """What a gateway's calls that ended in a period came to (B-27). Money is text there."""
        text = self._switch.interconnect_totals_json(gateway, side, since_us, until_us)
        return cast("dict[str, Any]", json.loads(text))

    def peer_checks(self) -> list[dict[str, Any]]:
        """The last comparisons with the switches at the other ends (B-27)."""
        return [json.loads(text) for text in self._switch.peer_checks_json()]

    def record_call(self, callee: str, started_at: str, ended_at: str, **call: Any) -> dict[str, Any]:
        """Records and charges a call that another system carried (B-26); a flow number once.

        Keywords: `flow_number account customer_gateway vendor_gateway caller answered_at talk_time_ms end_reason
        sip_status charge vendor_charge dry_run`. Times are RFC 3339, money is text, here and in the answer.
        """
        body = json.dumps({"callee": callee, "started_at": started_at, "ended_at": ended_at, **call})
        return cast("dict[str, Any]", json.loads(self._switch.record_call_json(body)))

    def correct(self, record_id: int, *, reason: str, **request: Any) -> dict[str, Any]:
        """Changes what a call that is over was charged (B-25).

        Keywords: `customer`, `vendor`, `agent`, each {"charge", "billed_time_s"} or {"rate_deck"}; `author`, `id`
        (what makes a repetition known), `dry_run`. Money is text, here and in the answer.
        """
        body = json.dumps({"record_id": record_id, "reason": reason, **request})
        return cast("dict[str, Any]", json.loads(self._switch.correct_json(body)))

    def corrections(self, **query: Any) -> list[dict[str, Any]]:
        """Corrections of charges, newest first. Keywords: those of CorrectionQuery. Money is text there."""
        return [json.loads(text) for text in self._switch.corrections_json(CorrectionQuery(**query))]

    def gateways(self) -> list[dict[str, Any]]:
        return self._switch.gateways()

    def phones(self) -> list[dict[str, Any]]:
        """Phones with whether they are online and where; as `GET /api/v1/phones`."""
        return [json.loads(text) for text in self._switch.phones_json()]

    def phone_notices(self) -> dict[str, Any]:
        """How notices of phones to the server of `phone_notices` fare; as `GET /api/v1/phone-notices`."""
        state: dict[str, Any] = json.loads(self._switch.phone_notices_json())
        return state

    def notify_phones(self) -> int:
        """Tells that server of every phone, on line or not; how many there are. Error: wrong_state."""
        return self._switch.notify_phones()

    def suspensions(self) -> list[dict[str, Any]]:
        """Who is suspended after wrong passwords; as `GET /api/v1/bans`."""
        return [json.loads(text) for text in self._switch.suspensions_json()]

    def lift_suspension(self, user: str, address: str) -> None:
        """Ends a suspension; an empty user ends those of the whole address. Error: not_found."""
        self._switch.lift_suspension(user, address)

    def counters(self) -> SwitchCounters:
        return self._switch.counters()

    def cdrs(self, **query: Any) -> list[Cdr]:
        """Records, newest first. Keywords: those of CdrQuery."""
        return self._switch.cdrs(CdrQuery(**query))

    def iter_cdrs(self, **query: Any) -> CdrIterator:
        """Records one after the other, newest first. Keywords: those of CdrQuery but `limit`."""
        return self._switch.cdr_iterator(CdrQuery(**query))

    def call_report(
        self,
        name: str,
        *,
        limit: Optional[int] = None,
        options: Optional[Mapping[str, str]] = None,
        **query: Any,
    ) -> CallReport:
        """As tandem.call_report(), by what is in force now."""
        return self._switch.call_report(name, CdrQuery(**query), limit, dict(options or {}))

    def explain(
        self,
        from_: str,
        caller: str,
        callee: str,
        at_us: Optional[int] = None,
        *,
        lrn: Optional[str] = None,
        callee_region: Optional[str] = None,
        caller_region: Optional[str] = None,
        forwarder: Optional[str] = None,
    ) -> dict[str, Any]:
        """What would become of a call now, and why.

        `lrn` ("": not ported) and the regions stand for what a look-up would give; without them what the cache has.
        `forwarder`: the number that sent the call on; it is believed.
        """
        text = self._switch.explain_json(
            from_, caller, callee, at_us, lrn, callee_region, caller_region, forwarder
        )
        return cast("dict[str, Any]", json.loads(text))

    def stored_days(self) -> list[dict[str, Any]]:
        """The days of the SQLite sink, the latest first (docs/maintenance.md)."""
        return cast("list[dict[str, Any]]", json.loads(self._switch.stored_days_json()))

    def start_maintenance(self, act: str = "run", day: str = "") -> None:
        """Begins "run" (all that is due), or an act of maintain() on a `day`, "YYYY-MM-DD".

        It goes on on a thread of the switch; maintenance() tells how it ended.
        """
        self._switch.start_maintenance(act, day)

    def maintenance_notes(self, **query: Any) -> list[dict[str, Any]]:
        """What was done to days, recordings and partitions, newest first. Keywords: those of MaintenanceNoteQuery."""
        return [json.loads(text) for text in self._switch.maintenance_notes_json(MaintenanceNoteQuery(**query))]

    def dispute_record(self, record_id: int, *, reason: str, author: str = "", day: str = "") -> dict[str, Any]:
        """Disputes a record, whose day is then not deleted (O-09); see tandem.dispute_record()."""
        body = json.dumps({"record_id": record_id, "reason": reason, "author": author, "day": day})
        return cast("dict[str, Any]", json.loads(self._switch.dispute_record_json(body)))

    def resolve_dispute(self, record_id: int, *, reason: str, author: str = "") -> dict[str, Any]:
        """Ends the dispute of a record; `reason` says what came of it."""
        body = json.dumps({"record_id": record_id, "reason": reason, "author": author})
        return cast("dict[str, Any]", json.loads(self._switch.resolve_dispute_json(body)))

    def disputes(self, **query: Any) -> list[dict[str, Any]]:
        """Disputes, newest first. Keywords: those of DisputeQuery."""
        return [json.loads(text) for text in self._switch.disputes_json(DisputeQuery(**query))]

    def maintenance(self) -> dict[str, Any]:
        """What the maintenance of the day files does, and how it ended last."""
        return cast("dict[str, Any]", json.loads(self._switch.maintenance_json()))

    def start_shadow(self, plan: Union[str, dict[str, Any]]) -> None:
        """Routes calls that arrive from now on by other tables too, once they are over; no call is touched.

        `plan`, a dictionary or JSON text, is laid over what is in force: decks [{"id", "version"}], provision, remove,
        parameters, memo (docs/routing.md).
        """
        self._switch.start_shadow(plan if isinstance(plan, str) else json.dumps(plan))

    def shadow_report(self) -> dict[str, Any]:
        """What the shadow would have changed so far. Money is text."""
        return cast("dict[str, Any]", json.loads(self._switch.shadow_report()))

    def stop_shadow(self) -> dict[str, Any]:
        """Ends the shadow; its last report."""
        return cast("dict[str, Any]", json.loads(self._switch.stop_shadow()))

    def start_trace(
        self,
        *,
        caller: str = "",
        callee: str = "",
        gateway: str = "",
        source: str = "",
        phone: str = "",
        duration_s: int = 600,
        calls_max: int = 100,
        bytes_max: int = 8 << 20,
        hep: bool = False,
        memo: str = "",
    ) -> dict[str, Any]:
        """Records the calls that arrive from now on and fit, until a bound is reached (docs/trace.md).

        `caller` and `callee` are prefixes, `source` is "IP" or "IP/LENGTH". What is empty fits all. `id` of the answer names
        the trace.
        """
        request = {
            "caller": caller,
            "callee": callee,
            "gateway": gateway,
            "source": source,
            "phone": phone,
            "duration_s": duration_s,
            "calls": calls_max,
            "bytes": bytes_max,
            "hep": hep,
            "memo": memo,
        }
        return cast("dict[str, Any]", json.loads(self._switch.start_trace(json.dumps(request))))

    def stop_trace(self, id: int) -> dict[str, Any]:
        """Records nothing more; what there is stays."""
        return cast("dict[str, Any]", json.loads(self._switch.stop_trace(id)))

    def remove_trace(self, id: int) -> None:
        """Forgets a trace with its calls."""
        self._switch.remove_trace(id)

    def traces(self) -> list[dict[str, Any]]:
        """All that are known; the ring of the latest calls, when there is one, is the first and has id 0."""
        return [json.loads(text) for text in self._switch.traces_json()]

    def traced_calls(self, id: int) -> list[dict[str, Any]]:
        """The calls of a trace without their messages, newest first."""
        return [json.loads(text) for text in self._switch.traced_calls_json(id)]

    def traced_call(self, id: int, call: int) -> dict[str, Any]:
        """One call with its `entries`: messages and notes."""
        return cast("dict[str, Any]", json.loads(self._switch.traced_call(id, call, "json")))

    def traced_ladder(self, id: int, call: int, messages: bool = False) -> str:
        """One call as text: customer, tandem, vendor; `messages`: whole messages behind it."""
        form = "messages" if messages else "ladder"
        return self._switch.traced_call(id, call, form).decode("utf-8", "replace")

    def traced_pcap(self, id: int, call: int) -> bytes:
        """One call as a capture file."""
        return self._switch.traced_call(id, call, "pcap")

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
