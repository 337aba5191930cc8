"""tandem: an embeddable class-4 softswitch.

Every part works alone (RouteTable, RewriteRules, RateDeck, AccountBook, CdrJournal, MediaRelay), and Switch wires
them together. Money is decimal.Decimal, times are microseconds since 1970 UTC, durations carry their unit in the
name. What cannot be done raises tandem.Error. With multiprocessing use the start method "spawn": only the calling
thread survives a fork.
"""
from __future__ import annotations

import json
from typing import Any, Mapping, Optional, Sequence, cast

from ._tandem import (
    AccountBook,
    AdminServer,
    Attempt,
    AudioTap,
    CallMeter,
    CallView,
    CallReport,
    Cdr,
    CdrColumn,
    CdrIterator,
    CdrJournal,
    CdrQuery,
    CdrSqlAnswer,
    Charge,
    ChargeFacts,
    Config,
    CorrectionQuery,
    DisputeQuery,
    DtlsRole,
    ErrorCode,
    Event,
    FeedItem,
    FeeRules,
    LedgerQuery,
    LrnAnswer,
    LrnCounters,
    LrnQuestion,
    MaintenanceNoteQuery,
    MediaAudio,
    MediaBackendState,
    MediaEvent,
    MediaPolicy,
    MediaRecorder,
    MediaRecording,
    MediaRelay,
    MediaSession,
    MediaSide,
    MediaSideStats,
    MediaTap,
    MeterVerdict,
    MobileAreas,
    MoneyHold,
    NameCounters,
    NumberPolicy,
    NumberTransforms,
    PackageBook,
    PackagedCharge,
    PackageDue,
    PolicyAnswer,
    PolicyQuestion,
    PrefixMode,
    Rate,
    RateDeck,
    RegistrationChange,
    RemoteCdrSink,
    RerateQuery,
    Rerater,
    RewriteRules,
    RouteTable,
    ServeOrder,
    ServiceReport,
    SourceTable,
    SpokenGrammar,
    SwitchCounters,
    VendorRoute,
    __version__,
    audio_codecs,
    available_time_s,
    cdr_mariadb_sink,
    cdr_postgresql_sink,
    cdr_push_sink,
    cdr_slots_sink,
    config_reference,
    cdr_column_names,
    csv_header,
    format_time_us,
    parse_time_us,
    query_cdr_folder,
    rebuild_cdr_slots,
    repair_recording,
    rate_call,
    reason_facts,
    recompute_charge,
    spoken_files,
)
from . import _tandem
from .errors import Error
from .switch import ConfigSource, EventFeed, Switch, ledger_entries, serve_admin, to_config
from . import sim

__all__ = [
    "AccountBook",
    "AdminServer",
    "Attempt",
    "AudioTap",
    "CallMeter",
    "CallView",
    "CallReport",
    "Cdr",
    "CdrColumn",
    "CdrIterator",
    "CdrJournal",
    "CdrQuery",
    "CdrSqlAnswer",
    "call_report",
    "check_journal",
    "cdr_column_names",
    "cdr_columns",
    "cdr_folder_columns",
    "cdr_folder_report",
    "cdr_folder_sql",
    "cdr_mariadb_sink",
    "cdr_postgresql_sink",
    "cdr_push_sink",
    "cdr_slots_sink",
    "cdr_sql",
    "rebuild_cdr_slots",
    "iter_cdr_folder",
    "iter_cdrs",
    "Charge",
    "ChargeFacts",
    "Config",
    "CorrectionQuery",
    "ConfigSource",
    "DisputeQuery",
    "DtlsRole",
    "Error",
    "ErrorCode",
    "Event",
    "EventFeed",
    "FeedItem",
    "FeeRules",
    "LedgerQuery",
    "LrnAnswer",
    "LrnCounters",
    "LrnQuestion",
    "MaintenanceNoteQuery",
    "MediaAudio",
    "MediaBackendState",
    "MediaEvent",
    "MediaPolicy",
    "MediaRecorder",
    "MediaRecording",
    "MediaRelay",
    "MediaSession",
    "MediaSide",
    "MediaSideStats",
    "MediaTap",
    "MeterVerdict",
    "MobileAreas",
    "MoneyHold",
    "NameCounters",
    "NumberPolicy",
    "NumberTransforms",
    "PackageBook",
    "PackageDue",
    "PackagedCharge",
    "PolicyAnswer",
    "PolicyQuestion",
    "PrefixMode",
    "Rate",
    "RateDeck",
    "RegistrationChange",
    "RemoteCdrSink",
    "RerateQuery",
    "Rerater",
    "RewriteRules",
    "RouteTable",
    "ServeOrder",
    "ServiceReport",
    "SourceTable",
    "SpokenGrammar",
    "Switch",
    "SwitchCounters",
    "VendorRoute",
    "__version__",
    "audio_codecs",
    "available_time_s",
    "check_ledger",
    "config_reference",
    "csv_header",
    "current_packages",
    "dispute_record",
    "explain",
    "explain_table",
    "format_time_us",
    "look_at_price_list",
    "maintain",
    "maintenance_notes",
    "margin_report",
    "parse_time_us",
    "provision_packages",
    "query_cdr_folder",
    "repair_recording",
    "query_cdrs",
    "query_corrections",
    "query_disputes",
    "query_ledger",
    "rate",
    "rate_call",
    "rate_number",
    "read_config",
    "reason_facts",
    "recompute_charge",
    "reconcile",
    "rerate",
    "resolve_dispute",
    "route_choices",
    "serve_admin",
    "shadow_table",
    "sim",
    "spoken_files",
    "stored_days",
]


def read_config(source: ConfigSource, folder: str = ".") -> Config:
    """Reads a configuration, right or wrong: `.errors` lists every (JSON pointer, message) found."""
    return to_config(source, folder)


def explain(
    config: ConfigSource,
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
    """What would become of a call, without a running switch: stages, candidates, exclusions.

    `lrn` ("": not ported) and the regions stand for what a look-up would give; nobody is asked.
    `forwarder`: the number that sent the call on; it is believed.
    """
    text = _tandem.explain_json(
        to_config(config), from_, caller, callee, at_us, lrn, callee_region, caller_region, forwarder
    )
    return cast("dict[str, Any]", json.loads(text))


def explain_table(answer: dict[str, Any]) -> str:
    """An answer of explain() as text for people: every vendor with its keys, rate, profit and what passes it over."""
    return _tandem.explain_table(json.dumps(answer))


def shadow_table(report: dict[str, Any], rows_max: int = 20) -> str:
    """A report of Switch.shadow_report() as text for people, `rows_max` rows of each list at most."""
    return _tandem.shadow_table(json.dumps(report), rows_max)


def rate(
    config: ConfigSource, deck: str, callee: str, seconds: int, at_us: Optional[int] = None
) -> dict[str, Any]:
    """Rates a call against a deck of a configuration, with the steps of the calculation. Money is text there."""
    return cast("dict[str, Any]", json.loads(_tandem.rate_json(to_config(config), deck, callee, seconds, at_us)))


def rate_number(
    deck: RateDeck,
    callee: str,
    talk_time_ms: int,
    at_us: int,
    rules: Optional[FeeRules] = None,
    free_numbers: Optional[list[str]] = None,
) -> dict[str, Any]:
    """The same against a deck alone."""
    text = deck.rate_number_json(callee, talk_time_ms, at_us, rules or FeeRules(), free_numbers or [])
    return cast("dict[str, Any]", json.loads(text))


def look_at_price_list(text: str, layout: str = "") -> dict[str, Any]:
    """What a partner's price list says, whatever its columns: rates, mapping, faults row by row, a preview."""
    return cast("dict[str, Any]", json.loads(_tandem.import_deck_json(text, layout)))


def margin_report(sell: RateDeck, buys: list[RateDeck], at_us: int) -> list[dict[str, Any]]:
    """What selling by one deck and buying by the best of others leaves, by prefix, losses first."""
    return cast("list[dict[str, Any]]", json.loads(_tandem.margin_report_json(sell, buys, at_us)))


def provision_packages(book: PackageBook, objects: dict[str, Any]) -> None:
    """What is sold and ordered from now on: `packages`, `package_orders`, `calendars`, `accounts` and `phones`
    (monthly rules, and who pays for a phone) as in a configuration, and `timezone`."""
    book.provision_json(json.dumps(objects))


def current_packages(book: PackageBook, account: str, phone: str = "") -> list[dict[str, Any]]:
    """Current periods of an account and what it pays for its phones, or of one phone, in the order of their use.
    Money is text there."""
    return cast("list[dict[str, Any]]", json.loads(book.current_json(account, phone)))


def query_cdrs(config: ConfigSource, **query: Any) -> list[Cdr]:
    """Records of the configured SQLite sinks, newest first, beside a running switch or without one.

    Keywords: those of CdrQuery.
    """
    return _tandem.query_cdrs(to_config(config), CdrQuery(**query))


def iter_cdrs(config: ConfigSource, **query: Any) -> CdrIterator:
    """Records of the configured SQLite sink one after the other, newest first, without end but that of the records.

    Keywords: those of CdrQuery but `limit`.
    """
    return _tandem.cdr_iterator(to_config(config), CdrQuery(**query))


def iter_cdr_folder(
    folder: str, *, days_max: int = 0, rows_max: int = 30_000_000, time_max_ms: int = 30_000, **query: Any
) -> CdrIterator:
    """The same of a folder of day files. What it may cost: days of its period, records, time of reading; 0 is any."""
    return _tandem.cdr_folder_iterator(folder, CdrQuery(**query), days_max, rows_max, time_max_ms)


def call_report(
    config: ConfigSource,
    name: str,
    *,
    limit: Optional[int] = None,
    options: Optional[Mapping[str, str]] = None,
    **query: Any,
) -> CallReport:
    """A report over records, "customer-gateways" and the others of docs/reports.md.

    `options`: `by`, `timezone`, `side` and the rules of ghost calls, as text. Other keywords: those of CdrQuery but `limit`.
    """
    return _tandem.call_report(to_config(config), name, CdrQuery(**query), limit, dict(options or {}))


def cdr_folder_report(
    folder: str,
    name: str,
    *,
    limit: Optional[int] = None,
    options: Optional[Mapping[str, str]] = None,
    days_max: int = 0,
    rows_max: int = 30_000_000,
    time_max_ms: int = 30_000,
    **query: Any,
) -> CallReport:
    """The same over a folder of day files."""
    return _tandem.cdr_folder_report(
        folder, name, CdrQuery(**query), limit, dict(options or {}), days_max, rows_max, time_max_ms
    )


def cdr_columns(
    config: ConfigSource, columns: Sequence[str], *, bytes_max: int = 1 << 30, **query: Any
) -> dict[str, CdrColumn]:
    """Columns of records as buffers, oldest record first: `numpy.asarray(columns["talk_time_ms"])` copies nothing.

    `columns`: of cdr_column_names(). Times are microseconds, money is units of 1e-8, texts are codes for `texts` of the
    column. Other keywords: those of CdrQuery but `limit` and `before_record_id`.
    """
    return _tandem.cdr_columns(to_config(config), list(columns), _filter(query), bytes_max)


def cdr_folder_columns(
    folder: str,
    columns: Sequence[str],
    *,
    database: str = "",
    bytes_max: int = 1 << 30,
    days_max: int = 0,
    rows_max: int = 30_000_000,
    time_max_ms: int = 30_000,
    **query: Any,
) -> dict[str, CdrColumn]:
    """The same of a folder of day files; `database`: the main one of a switch, whose corrections charges then have."""
    return _tandem.cdr_folder_columns(
        folder, list(columns), _filter(query), database, bytes_max, days_max, rows_max, time_max_ms
    )


def _filter(query: Mapping[str, Any]) -> CdrQuery:
    for name in ("limit", "before_record_id"):
        if name in query:
            raise TypeError(f"columns are of all records of a filter, so {name} means nothing")
    return CdrQuery(**query)


def cdr_sql(config: ConfigSource, sql: str, *, limit: int = 10_000) -> CdrSqlAnswer:
    """Asks one SELECT about the table `cdrs` of all records (docs/sql.md). It can do nothing but read.

    `limit`: most rows of the answer, whose `is_cut` says whether there were more.
    """
    return _tandem.cdr_sql(to_config(config), sql, limit)


def cdr_folder_sql(
    folder: str,
    sql: str,
    *,
    limit: int = 10_000,
    database: str = "",
    days_max: int = 0,
    rows_max: int = 30_000_000,
    time_max_ms: int = 30_000,
) -> CdrSqlAnswer:
    """The same of a folder of day files."""
    return _tandem.cdr_folder_sql(folder, sql, limit, database, days_max, rows_max, time_max_ms)


def stored_days(config: ConfigSource) -> list[dict[str, Any]]:
    """The days of the SQLite sink of a configuration, the latest first, whether a switch runs or not (docs/maintenance.md)."""
    return cast("list[dict[str, Any]]", json.loads(_tandem.stored_days_json(to_config(config))))


def maintain(config: ConfigSource, act: str = "run", day: str = "") -> dict[str, Any]:
    """Does "run" (all that is due), or one act on a `day`, "YYYY-MM-DD", and returns the report.

    Acts: "seal", "verify", "archive", "restore", "remove", "write_columns", "drop_columns" (docs/maintenance.md). Beside a running switch or without one. What failed is in the report.
    """
    return cast("dict[str, Any]", json.loads(_tandem.maintain_json(to_config(config), act, day)))


def maintenance_notes(config: ConfigSource, **query: Any) -> list[dict[str, Any]]:
    """What was done to days, recordings and partitions, deletions above all, newest first (O-09).

    Keywords: those of MaintenanceNoteQuery.
    """
    return [json.loads(text) for text in _tandem.maintenance_notes_json(to_config(config), MaintenanceNoteQuery(**query))]


def dispute_record(config: ConfigSource, record_id: int, *, reason: str, author: str = "", day: str = "") -> dict[str, Any]:
    """Disputes a record, whose day is then not deleted (O-09), whether a switch runs or not.

    `day`, "YYYY-MM-DD", is needed when the record is of an archived day, or when there are no day files.
    """
    body = json.dumps({"record_id": record_id, "reason": reason, "author": author, "day": day})
    return cast("dict[str, Any]", json.loads(_tandem.dispute_record_json(to_config(config), body)))


def resolve_dispute(config: ConfigSource, record_id: int, *, reason: str, author: str = "") -> dict[str, Any]:
    """Ends the dispute of a record; `reason` says what came of it."""
    body = json.dumps({"record_id": record_id, "reason": reason, "author": author})
    return cast("dict[str, Any]", json.loads(_tandem.resolve_dispute_json(to_config(config), body)))


def query_disputes(config: ConfigSource, **query: Any) -> list[dict[str, Any]]:
    """Disputes, newest first. Keywords: those of DisputeQuery."""
    return [json.loads(text) for text in _tandem.query_disputes_json(to_config(config), DisputeQuery(**query))]


def check_journal(folder: str) -> dict[str, Any]:
    """What is in a journal, and what of it is damaged (docs/cdr.md). Changes nothing."""
    return cast("dict[str, Any]", json.loads(_tandem.check_journal_json(folder)))


def route_choices(cdr: Cdr) -> list[dict[str, Any]]:
    """The vendor gateways that a call came to, in the order of routing, and why each was tried or passed over (docs/cdr.md)."""
    return cast("list[dict[str, Any]]", json.loads(cdr.to_json())["choices"])


def query_ledger(config: ConfigSource, account: str, **query: Any) -> list[dict[str, Any]]:
    """What moved the balance of an account, newest first, beside a running switch or without one.

    Keywords: those of LedgerQuery.
    """
    return ledger_entries(_tandem.query_ledger_json(to_config(config), LedgerQuery(account, **query)))


def reconcile(
    config: ConfigSource,
    gateway: str,
    since_us: int,
    until_us: int,
    csv: str,
    columns: str = "",
    side: str = "vendor",
    **rules: Any,
) -> dict[str, Any]:
    """Our calls over an interconnect against a partner's list of them (B-27, docs/reconciliation.md).

    Keywords: time_tolerance_s, clock_offset_s, duration_tolerance_s, charge_tolerance, line_hundredths, rows_max.
    """
    text = _tandem.reconcile_json(to_config(config), gateway, side, since_us, until_us, csv, columns, **rules)
    return cast("dict[str, Any]", json.loads(text))


def query_corrections(config: ConfigSource, **query: Any) -> list[dict[str, Any]]:
    """Corrections of charges (B-25), newest first, beside a running switch or without one.

    Keywords: those of CorrectionQuery. Money is text there.
    """
    return [json.loads(text) for text in _tandem.query_corrections_json(to_config(config), CorrectionQuery(**query))]


def rerate(config: ConfigSource, deck: str, **query: Any) -> dict[str, Any]:
    """What calls of the past would have been charged by another deck, account by account; nothing is changed.

    Keywords: those of RerateQuery.
    """
    return cast("dict[str, Any]", json.loads(_tandem.rerate_json(to_config(config), RerateQuery(deck, **query))))


def check_ledger(config: ConfigSource) -> dict[str, Any]:
    """Whether each account's entries add up and the charges are those of the stored calls (docs/cdr.md)."""
    return cast("dict[str, Any]", json.loads(_tandem.check_ledger_json(to_config(config))))
