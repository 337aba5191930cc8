"""The parts alone: numbers, routes, sources, rating, accounts, records, media."""
import json
import random
import socket
import struct
import threading
import time
import wave
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Callable

import pytest
import tandem


def test_an_error_has_code_and_message() -> None:
    with pytest.raises(tandem.Error) as raised:
        tandem.RewriteRules("0")
    assert raised.value.code == tandem.ErrorCode.invalid_argument
    assert raised.value.message
    assert str(raised.value).startswith("invalid_argument: ")


def test_rules_rewrite() -> None:
    rules = tandem.RewriteRules("0:86,00:")
    assert rules.apply("02112345") == "862112345"
    assert rules.matching_rule("0044") == 1
    assert rules.matching_rule("44") is None
    assert len(rules) == 2


def test_numbers_stand_for_others() -> None:
    transforms = tandem.NumberTransforms([("1001", "anna", ""), ("442079460000", "", "1002")])
    assert transforms.from_customer("anna") == "1001" and transforms.from_customer("bert") == "bert"
    assert transforms.to_vendor("442079460000") == "1002" and transforms.to_vendor("1001") == "1001"
    with pytest.raises(tandem.Error):
        tandem.NumberTransforms([("1001", "a", ""), ("1002", "a", "")])
    areas = tandem.MobileAreas([("1390000", "010", "Beijing"), ("1390001", "021", "Shanghai")])
    assert areas.complete("13900001234", ["Beijing"]) == "01013900001234"
    assert areas.complete("13900011234", ["Beijing"]) == "13900011234"
    with pytest.raises(tandem.Error):
        areas.complete("1", ["Nowhere"])


def test_routes_are_found_best_first() -> None:
    builder = tandem.RouteTable.Builder()
    builder.add(tandem.VendorRoute("a", ["44"], line_limit=100))
    builder.add(tandem.VendorRoute("b", ["44"], line_limit=100))
    builder.add(tandem.VendorRoute("london", ["4420"]))
    with pytest.raises(tandem.Error) as raised:
        builder.add(tandem.VendorRoute("a"))
    assert raised.value.code == tandem.ErrorCode.already_exists
    table = builder.build()
    assert table.lookup("442079460000") == ["london", "a", "b"]
    assert table.lookup("441", loads={"a": 10, "b": 1}) == ["b", "a"]
    assert [table.lookup("441", rotate=True)[0] for _ in range(3)] == ["a", "b", "a"]
    assert table.lookup("33") == []
    why = table.explain("441")
    assert why["candidates"][0]["prefix"] == "44"
    assert why["excluded"] == [{"gateway": "london", "reason": "no_prefix_match", "number": "accepted"}]


def test_number_lists_judge_the_callee_and_not_the_number_that_steers() -> None:
    builder = tandem.RouteTable.Builder()
    builder.add(tandem.VendorRoute("barred", ["a"], numbers=tandem.NumberPolicy(deny_callee_prefixes=["4420"])))
    builder.add(tandem.VendorRoute("other", ["a"]))
    table = builder.build()
    assert table.lookup("a4420", callee="4420") == ["other"]
    assert table.lookup("a4420", callee="4479") == ["barred", "other"]
    assert table.explain("a4420", callee="4420")["excluded"][0]["number"] == "callee_denied"
    assert table.lookup("a4479", shorter_than=2) == ["barred", "other"]
    assert table.lookup("a4479", shorter_than=1) == []


def test_routes_are_ordered_by_policies() -> None:
    builder = tandem.RouteTable.Builder()
    for name in ("a", "b", "c"):
        builder.add(tandem.VendorRoute(name, ["44"], protect=name == "c"))
    table = builder.build()
    prices = {"a": (Decimal("0.60"), 60), "b": (Decimal("0.009"), 1), "c": (Decimal("0.001"), 1)}
    assert table.lookup("4420", prices=prices, sort=["lowest_rate"]) == ["b", "a", "c"]
    assert table.lookup("4420", answer_percents={"a": 40, "b": 30}, sort=["answer_ratio"]) == ["a", "b", "c"]
    assert table.lookup("4420", talk_times_s={"a": 40, "b": 300}, sort=["talk_time"]) == ["b", "a", "c"]
    assert table.explain("4420", talk_times_s={"b": 300}, sort=["talk_time"])["candidates"][0]["talk_time_s"] in (None, 300)
    assert table.lookup("4420", closed={"a"}) == ["b", "c"]
    why = table.explain("4420", prices=prices, sort=["lowest_rate"], closed={"a"})
    assert why["candidates"][0]["price"] == Decimal("0.009") and why["candidates"][1]["protect"]
    assert why["excluded"] == [{"gateway": "a", "reason": "closed", "number": "accepted"}]
    with pytest.raises(ValueError):
        table.lookup("4420", sort=["cheapest"])


def test_sources_are_identified() -> None:
    builder = tandem.SourceTable.Builder()
    builder.add("acme", ["192.0.2.0/24"], numbers=tandem.NumberPolicy(deny_callee_prefixes=["49"]))
    table = builder.build()
    found = table.identify("192.0.2.7:5060", "1", "44")
    assert found is not None and found["customer"] == "acme" and found["accepted"]
    refused = table.identify("192.0.2.7:5060", "1", "49")
    assert refused is not None and refused["restriction"] == "callee_denied"
    assert table.identify("198.51.100.1:5060") is None


def test_money_is_decimal_and_never_float() -> None:
    rate = tandem.Rate("44", "0.60", first_s=60, next_s=60)
    charge = tandem.rate_call(rate, 61_000)
    assert charge.charge == Decimal("1.20") and charge.billed_time_s == 120
    assert tandem.available_time_s(rate, Decimal("1.19999999")) == 60
    assert tandem.Rate("1", Decimal("1E+1")).price == 10
    with pytest.raises(TypeError):
        tandem.Rate("44", 0.6)  # type: ignore[arg-type]


def test_windows_tiers_cap_and_tax() -> None:
    at_us = tandem.parse_time_us("2026-03-02T17:59:50Z")
    rate = tandem.Rate("44", "0.60", windows="any 18:00-24:00 price=6", tiers="60:0.30", maximum="5", tax_percent="10")
    assert tandem.rate_call(rate, 20_000, answered_at_us=at_us, schedule="split").charge == Decimal("1.21")
    assert tandem.rate_call(rate, 20_000, answered_at_us=at_us).charge == Decimal("0.22")
    assert tandem.available_time_s(rate, Decimal("0.22"), answered_at_us=at_us, schedule="split") == 11
    assert (rate.windows, rate.tiers) == ("any 18:00-24:00 price=6.00", "60:0.30")
    assert rate.maximum == 5
    terms = "price=0.60|per_s=60|tiers=60:0.30|tax_percent=20.00"
    assert tandem.recompute_charge(terms, 61_000).charge == Decimal("0.726")
    assert tandem.rate_call(tandem.Rate("1", "0.60"), 60_000, tandem.FeeRules(tax_percent="19")).charge == Decimal("0.714")
    with pytest.raises(tandem.Error):
        tandem.Rate("44", "1", windows="monday")


def test_a_partners_list_a_margin_and_the_past() -> None:
    text = "Dial Code;Rate per min;Interval\n44,4420-4421;0,30;60/60\n"
    seen = tandem.look_at_price_list(text)
    assert (seen["rates"], seen["fault_count"]) == (3, 0)
    buy = tandem.RateDeck.from_price_list("buy", text)
    sell = tandem.RateDeck.from_csv("sell", "prefix,price\n44,0.20\n", schedule="split zone=+01:00")
    assert sell.schedule == "split zone=+01:00" and buy.to_csv().startswith("prefix,")
    report = tandem.margin_report(sell, [buy], 1)
    assert report[0]["margin_percent"] == "-50.00" and report[0]["best_deck"] == "buy"
    with pytest.raises(tandem.Error, match="row 2"):
        tandem.RateDeck.from_price_list("buy", "Code,Rate\n4x,1\n")
    cdr = tandem.Cdr()
    cdr.callee, cdr.answered_at_us, cdr.talk_time_ms = "442079460000", 1, 61_000
    charge = cdr.customer
    charge.account, charge.charge = "acme", Decimal("0.20")
    cdr.customer = charge
    rerater = tandem.Rerater(buy)
    rerater.add([cdr])
    assert '"difference":"0.40"' in rerater.totals_json()


def test_rating_agrees_with_fractions() -> None:
    """Random tariffs and calls against rational arithmetic, increment by increment."""
    draw = random.Random(20260101)
    modes: dict[str, Callable[[Fraction], int]] = {
        "up": lambda x: -(-x // 1), "down": lambda x: x // 1, "half_up": lambda x: (2 * x + 1) // 2}
    for _ in range(20_000):
        price, fee, minimum = (Fraction(draw.randrange(300_000), 10**6) for _ in range(3))
        per_s, first_s, next_s = (draw.choice((1, 6, 7, 10, 30, 60)) for _ in range(3))
        tiers = {draw.randrange(1, 200): Fraction(draw.randrange(300_000), 10**6) for _ in range(draw.randrange(3))}
        tax, precision = Fraction(draw.randrange(300), 10), draw.randrange(7)
        mode, seconds = draw.choice(sorted(modes)), draw.randrange(400)
        maximum = minimum + Fraction(draw.randrange(1, 2_000_000), 10**6) if draw.random() < 0.3 else None
        total, position = fee, 0
        while position < seconds:
            starts = [start for start in tiers if start <= position]
            step = first_s if position < first_s and not starts else next_s
            total += (tiers[max(starts)] if starts else price) * step / per_s
            position += step
        total = max(total, minimum) if seconds else Fraction(0)
        if maximum is not None:
            total = min(total, maximum)
        total *= 1 + tax / 100
        wanted = Decimal(int(modes[mode](total * 10**precision))).scaleb(-precision)
        rate = tandem.Rate(
            "1", money(price), per_s=per_s, first_s=first_s, next_s=next_s, connection_fee=money(fee),
            minimum=money(minimum), maximum=money(maximum or Fraction(0)), tax_percent=money(tax),
            tiers=";".join(f"{start}:{money(tier)}" for start, tier in sorted(tiers.items())))
        charge = tandem.rate_call(rate, seconds * 1000, tandem.FeeRules(precision=precision, rounding=mode))
        assert (charge.charge, charge.billed_time_s) == (wanted, position), (rate, seconds, mode, precision)


def money(value: Fraction) -> Decimal:
    """Exact: no fraction here has more than eight decimals."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def test_a_deck_finds_and_rates() -> None:
    deck = tandem.RateDeck.from_csv("retail", "prefix,price\n44,0.60\n4420,0.30\n")
    reason, rate = deck.find("442079460000", 1)
    assert reason == "" and rate is not None and rate.prefix == "4420"
    assert deck.find("7", 1) == ("RateNotFound", None)
    assert tandem.rate_number(deck, "4411", 60_000, 1)["charge"] == "0.60"
    with pytest.raises(IndexError):
        deck[2]


def test_accounts_hold_money_once() -> None:
    book = tandem.AccountBook()
    book.provision("acme", balance="1.00")
    assert book.pay("acme", 1) == 2
    reason, hold = book.open_call("acme", "1.50", 1)
    assert reason == "" and hold is not None
    assert book.open_call("acme", "1.50", 1)[0] == "AccountBalanceNotEnough"
    assert not hold.renew(3)
    assert hold.settle("0.50") == Decimal("0.50")
    assert book.state("acme")["balance"] == Decimal("1.50")
    other, kept = book.open_call("acme", "1", 1)
    del book  # the hold keeps the book
    assert other == "" and kept is not None and kept.held == 1


def test_limits_bound_an_account() -> None:
    book = tandem.AccountBook()
    limits = [{"window": "day", "prefixes": ["44"], "max_charge": "0.10"}]
    book.provision("acme", balance="10.00", limits_json=json.dumps(limits))
    book.restore_limit(account="acme", limit="day UTC 44", start_us=0, until_us=86_400_000_000, charge="0.03", calls=1)
    rate = tandem.Rate("44", "0.60")
    reason, meter = book.open_meter("acme", rate, 1, callee="4420")
    assert reason == "" and meter is not None
    at_us, verdict = 0, meter.start(0)
    while not verdict.must_end and verdict.check_us is not None:
        at_us = verdict.check_us
        verdict = meter.on_timer(at_us)
    assert (at_us, verdict.reason) == (7_000_000, "AccountLimitReached")
    assert meter.finish(7_000).charge == Decimal("0.07")
    state, = json.loads(book.limits_json("acme", 1))
    assert (state["charge"], state["calls"], state["held_charge"]) == ("0.10", 2, "0.00")
    assert book.open_meter("acme", rate, 1, callee="4420") == ("AccountLimitReached", None)
    with pytest.raises(tandem.Error):
        book.provision("acme", limits_json='[{"window": "week", "max_calls": 1}]')


def record(callee: str = "442079460000") -> tandem.Cdr:
    cdr = tandem.Cdr()
    cdr.call_id = "abc@192.0.2.1"
    cdr.callee_in = cdr.callee = cdr.callee_out = callee
    cdr.ended_at_us = 1767225600000000
    cdr.end_reason = "NormalCallClearing"
    return cdr


class ListSink:
    def __init__(self, refusals: int = 0) -> None:
        self.cdrs: list[tandem.Cdr] = []
        self.flushes = 0
        self.refusals = refusals
        self.got_one = threading.Event()

    def write(self, cdr: tandem.Cdr) -> None:
        if self.refusals > 0:
            self.refusals -= 1
            raise RuntimeError("not now")
        self.cdrs.append(cdr)
        self.got_one.set()

    def flush(self) -> None:
        self.flushes += 1


def test_a_record_is_a_value() -> None:
    cdr = record()
    assert json.loads(cdr.to_json())["end_reason"] == "NormalCallClearing"
    with pytest.raises(tandem.Error):
        cdr.end_reason = "Nonsense"
    assert cdr.call_level == ""
    cdr.call_level = "domestic"
    assert json.loads(cdr.to_json())["call_level"] == cdr.call_level == "domestic"
    with pytest.raises(tandem.Error):
        cdr.call_level = "galactic"
    assert tandem.csv_header().startswith("record_id,")


def test_a_journal_serves_python_sinks(tmp_path: Path) -> None:
    sink = ListSink()
    with tandem.CdrJournal(str(tmp_path / "journal"), {"list": sink}, segment_bytes=1 << 20) as journal:
        number = journal.append(record())
        journal.wait_durable(number)
        assert journal.is_writable
    assert [cdr.callee for cdr in sink.cdrs] == ["442079460000"]
    assert sink.cdrs[0].record_id == number and sink.flushes > 0
    with pytest.raises(tandem.Error) as raised:
        journal.append(record())
    assert raised.value.code == tandem.ErrorCode.wrong_state


def test_sums_by_slots_stand_beside_a_sink_of_ones_own(tmp_path: Path) -> None:
    slots = str(tmp_path / "slots")
    journal = str(tmp_path / "journal")
    with tandem.CdrJournal(journal, {"slots": tandem.cdr_slots_sink(slots)}, segment_bytes=1 << 20) as records:
        records.wait_durable(records.append(record()))
        assert records.sinks()[0]["name"] == "slots"
    with pytest.raises(tandem.Error) as raised:
        tandem.cdr_slots_sink(slots, timezone="Europe/Berlin")
    assert raised.value.code == tandem.ErrorCode.invalid_argument and "rebuild_slots" in raised.value.message
    assert tandem.rebuild_cdr_slots(str(tmp_path), slots, timezone="Europe/Berlin") == 0  # no day files there
    tandem.cdr_slots_sink(slots, timezone="Europe/Berlin").flush()


def test_a_sink_that_raises_is_offered_the_record_again(tmp_path: Path) -> None:
    sink = ListSink(refusals=1)
    with tandem.CdrJournal(str(tmp_path / "journal"), {"list": sink}, segment_bytes=1 << 20) as journal:
        journal.append(record())
        assert sink.got_one.wait(20)
        assert journal.sinks()[0]["failures"] >= 1
    assert len(sink.cdrs) == 1


def test_a_record_that_is_refused_for_good_is_set_aside(tmp_path: Path) -> None:
    class Picky(ListSink):
        def write(self, cdr: tandem.Cdr) -> None:
            if cdr.callee == "poison":
                raise tandem.Error(tandem.ErrorCode.invalid_argument, "no such callee")
            super().write(cdr)

    sink = Picky()
    poison = record()
    poison.callee = "poison"
    folder = tmp_path / "journal"
    with tandem.CdrJournal(str(folder), {"picky": sink}, segment_bytes=1 << 20, set_aside_after=1) as journal:
        number = journal.append(poison)
        journal.append(record())
        assert sink.got_one.wait(20)
    (line,) = (folder / "picky.set-aside").read_text().splitlines()
    aside = json.loads(line)
    assert aside["record_id"] == number and "no such callee" in aside["reason"] and aside["cdr"]["callee"] == "poison"
    assert [cdr.callee for cdr in sink.cdrs] == ["442079460000"]
    check = tandem.check_journal(str(folder))
    assert check["ok"] and check["was_closed"] and sum(segment["ends"] for segment in check["segments"]) == 2


def test_the_relay_gives_ports() -> None:
    side = tandem.MediaSide.caller
    with tandem.MediaRelay("127.0.0.1", ports=(42000, 42199), ready_pairs=4, nice=0) as relay:
        with relay.open() as session:
            host, _, port = session.local_rtp(side).partition(":")
            assert host == "127.0.0.1" and int(port) % 2 == 0
            session.set_remote(side, "127.0.0.1:40000")
            assert session.stats(side).packets_received == 0
            assert session.remote(side) is None
            assert relay.stats().sessions == 1
            assert relay.stats().priorities_refused == relay.stats().packets_overflowed == 0
            assert relay.stats().ports_connected == 0  # of streams that last
        with pytest.raises(tandem.Error):
            relay.open(6, 4)
    with pytest.raises(tandem.Error):
        relay.open()


def rtp(sequence: int, payload_type: int = 0, payload: bytes = bytes([0x10]) * 160) -> bytes:
    return struct.pack("!BBHII", 0x80, payload_type, sequence, sequence * 160, 7) + payload


def test_numbers_are_spoken(tmp_path: Path) -> None:
    english = tandem.SpokenGrammar("en")
    assert english.number(45) == ["digits/40", "digits/5"]
    assert english.remaining_time(125) == ["vm-youhave", "digits/2", "minutes"]
    phrase = english.remaining_amount("12.509", "USD")
    assert phrase == ["vm-youhave", "digits/12", "digits/dollars", "vm-and", "digits/50", "cents|"]
    assert "digits/hundred" in english.vocabulary("number")
    assert "zh" in tandem.SpokenGrammar.built_in_languages()
    for name in ("vm-youhave", "digits/12", "digits/dollars", "vm-and", "digits/50"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / (name + ".wav")).touch()
    files = tandem.spoken_files(phrase, str(tmp_path))
    assert files[1] == str(tmp_path / "digits/12.wav") and len(files) == 5  # the last may be absent
    with pytest.raises(tandem.Error, match="digits/7.wav"):
        tandem.spoken_files(english.number(7), str(tmp_path))
    own = tandem.SpokenGrammar.parse("[number]\n0: digits/#\n20: >number digits/20\n30: !\n")
    assert own.say("number", 21) == ["digits/1", "digits/20"]
    with pytest.raises(tandem.Error, match="line 2"):
        tandem.SpokenGrammar.parse("[number]\nx")


def test_the_relay_converts_plays_and_presses() -> None:
    def packet(payload_type: int, payload: bytes) -> bytes:
        return struct.pack("!BBHII", 0x80, payload_type, 1, 160, 7) + payload

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone, socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM
    ) as far, tandem.MediaRelay(
        "127.0.0.1", ports=(42400, 42499), ready_pairs=2, nice=0, jitter_buffer_ms=(10, 90)
    ) as relay, relay.open() as session:
        for end, side in ((phone, tandem.MediaSide.caller), (far, tandem.MediaSide.callee)):
            end.bind(("127.0.0.1", 0))
            end.settimeout(10)
            session.set_remote(side, "127.0.0.1:%d" % end.getsockname()[1])
        with pytest.raises(tandem.Error) as raised:
            session.play(tandem.MediaSide.caller, "tone:ringback/us")
        assert raised.value.code == tandem.ErrorCode.wrong_state
        session.set_audio(
            tandem.MediaAudio("PCMA", 8), tandem.MediaAudio("PCMU", 0, events_type=101)
        )
        ip, _, port = session.local_rtp(tandem.MediaSide.caller).rpartition(":")
        phone.sendto(packet(8, b"\xd5" * 160), (ip, int(port)))
        assert far.recv(2048) == packet(0, b"\xfe" * 160)  # ITU-T G.711, table 3: 1 becomes 1
        session.play(tandem.MediaSide.caller, "tone:busy", repeats=True)
        heard = phone.recv(2048)
        assert heard[1] & 0x7F == 8 and len(heard) == 172
        assert session.is_playing(tandem.MediaSide.caller)
        session.stop_playing(tandem.MediaSide.caller)
        session.play(tandem.MediaSide.caller, ["tone:busy", "tone:warning"])
        assert session.is_playing(tandem.MediaSide.caller)
        with pytest.raises(tandem.Error) as missing:
            session.play(tandem.MediaSide.caller, ["tone:busy", "/no/such.wav"])
        assert missing.value.code == tandem.ErrorCode.io and "/no/such.wav" in missing.value.message
        session.stop_playing(tandem.MediaSide.caller)
        session.press_key(tandem.MediaSide.callee, "#")
        key = far.recv(2048)
        assert key[1] & 0x7F == 101 and key[12] == 11
        session.set_audio(
            tandem.MediaAudio("PCMA", 8),
            tandem.MediaAudio("PCMU", 0, events_type=101, events_clock_rate_hz=48000),
        )
        session.press_key(tandem.MediaSide.callee, "1")
        while key[12] != 1:
            key = far.recv(2048)
        assert struct.unpack("!H", key[14:16]) == (960,)  # 20 ms
        with pytest.raises(ValueError):
            tandem.MediaAudio("G729", 18)
        assert tandem.audio_codecs()[:2] == ["PCMA/8000", "PCMU/8000"]
        assert session.stats(tandem.MediaSide.caller).jitter_depth_ms == 0
        if "opus/48000" in tandem.audio_codecs():
            session.set_audio(
                tandem.MediaAudio("PCMA", 8), tandem.MediaAudio("opus", 111, fmtp="useinbandfec=1")
            )
            phone.sendto(packet(8, b"\xd5" * 160), (ip, int(port)))
            coded = far.recv(2048)
            while coded[1] & 0x7F == 101:  # of the key
                coded = far.recv(2048)
            assert coded[1] & 0x7F == 111 and len(coded) < 172
            stats = session.stats(tandem.MediaSide.caller)
            assert 10 <= stats.jitter_depth_ms <= 90 and stats.jitter_late == stats.jitter_lost == 0
    with pytest.raises(tandem.Error):
        tandem.MediaRelay("127.0.0.1", ports=(42400, 42499), jitter_buffer_ms=(200, 20))


def test_a_relay_tells_what_is_wanted() -> None:
    caller = tandem.MediaSide.caller
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone, tandem.MediaRelay(
        "127.0.0.1", ports=(42400, 42599), ready_pairs=4, nice=0, events_max=64, event_kinds=["digit"], files_reserved=10
    ) as relay, relay.open() as session:
        phone.bind(("127.0.0.1", 0))
        host, _, port = session.local_rtp(caller).partition(":")
        session.set_payloads(caller, [0, 101], [101])
        session.set_event_clock_rate_hz(caller, 101, 8000)
        phone.sendto(rtp(1), (host, int(port)))
        phone.sendto(rtp(2, 101, bytes([11, 0x8A, 3, 0x20])), (host, int(port)))
        assert [event.kind for event in relay.take_events(wait_us=5_000_000)] == ["digit"]
    with pytest.raises(tandem.Error):
        tandem.MediaRelay("127.0.0.1", event_kinds=["nonsense"])


def test_a_relay_says_which_backend_runs() -> None:
    with tandem.MediaRelay("127.0.0.1", ports=(42600, 42799), ready_pairs=4, nice=0, kernel_interfaces=["none-such"]) as relay:
        kernel, fast, portable = relay.backends()
        assert (kernel.backend, fast.backend, portable.backend) == ("kernel", "fast", "portable")
        assert portable.is_running and portable.is_usable and portable.detail == "epoll, 1 thread"
        assert not kernel.is_usable and not kernel.is_running and kernel.detail
        stats = relay.stats()
        assert stats.streams_in_kernel == stats.packets_in_kernel == stats.packets_policed == 0
        assert stats.sessions_adopted == stats.sessions_unclaimed == 0
        with pytest.raises(tandem.Error) as refused:
            relay.adopt("127.0.0.1:42600", "127.0.0.1:42602")
        assert refused.value.code == tandem.ErrorCode.not_found
    with pytest.raises(tandem.Error):
        tandem.MediaRelay("127.0.0.1", backend="kernel")  # without interfaces
    with pytest.raises(tandem.Error):
        tandem.MediaRelay("127.0.0.1", backend="best")
    with pytest.raises(tandem.Error):
        tandem.MediaRelay("127.0.0.1", kernel_attach="best")


def test_a_tap_gives_decoded_audio_as_buffers() -> None:
    caller = tandem.MediaSide.caller
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone, tandem.MediaRelay(
        "127.0.0.1", ports=(42400, 42499), ready_pairs=4, nice=0, events_max=64
    ) as relay, relay.open() as session:
        phone.bind(("127.0.0.1", 0))
        host, _, port = session.local_rtp(caller).partition(":")
        session.set_payloads(caller, [8, 101], [101])
        with pytest.raises(tandem.Error, match="no side"):
            session.tap_audio()
        tap = session.tap_audio(caller=tandem.MediaAudio("PCMA", 8))
        with pytest.raises(tandem.Error):
            session.tap()  # it is the tap of the session
        for sequence, (payload_type, payload) in enumerate(
            [(8, bytes([0xAA, 0x2A, 0xD5])), (13, b"\x00"), (101, bytes([11, 0x8A, 3, 0x20]))], start=1
        ):
            phone.sendto(struct.pack("!BBHII", 0x80, payload_type, sequence, 160 * sequence, 7) + payload, (host, int(port)))
        while relay.take_events(wait_us=5_000_000)[-1].kind != "digit":
            pass
        (audio,) = tap.take()
        assert (audio.side, audio.sequence, audio.timestamp, audio.ssrc) == (caller, 1, 160, 7)
        assert audio.rate_hz == 8000
        assert audio.samples.format == "h" and audio.samples.readonly and audio.samples.nbytes == 6
        loud, low, silence = audio.samples.tolist()
        assert loud == -low and abs(loud) == 32256 and abs(silence) == 8
        whole = memoryview(audio)  # type: ignore[arg-type]
        assert whole == audio.samples and tap.skipped == 2 and tap.dropped == 0
        session.close()
        assert tap.is_over and tap.take() == []


def test_the_relay_tells_taps_and_records(tmp_path: Path) -> None:
    caller, callee = tandem.MediaSide.caller, tandem.MediaSide.callee
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone, tandem.MediaRelay(
        "127.0.0.1", ports=(42200, 42399), ready_pairs=4, nice=0, events_max=64
    ) as relay, tandem.MediaRecorder(str(tmp_path / "calls"), free_bytes_min=0) as recorder, relay.open() as session:
        phone.bind(("127.0.0.1", 0))
        host, _, port = session.local_rtp(caller).partition(":")
        session.set_tag(5)
        session.set_remote(callee, "127.0.0.1:9")
        session.set_payloads(caller, [0, 101], [101])
        tap = session.tap()
        phone.sendto(rtp(1), (host, int(port)))
        (first,) = relay.take_events(wait_us=5_000_000)
        assert first.kind == "first_packet" and first.tag == 5 and first.side == caller
        assert first.source == f"127.0.0.1:{phone.getsockname()[1]}"
        phone.sendto(rtp(2, 101, bytes([11, 0x8A, 3, 0x20])), (host, int(port)))
        (key,) = relay.take_events(wait_us=5_000_000)
        assert key.kind == "digit" and key.digit == "#" and key.duration_ms == 100 and not key.is_end_lost
        assert [packet.data for packet in tap.take()] == [rtp(1), rtp(2, 101, bytes([11, 0x8A, 3, 0x20]))]
        assert session.stats(caller).digits == relay.stats().digits == 1
        assert session.stats(callee).cause == "never_sent"
        session.untap()
        recording = recorder.record(session, "one")
        recording.set_payload(caller, 96, "PCMA")
        recording.set_payload(caller, 97, None)
        with pytest.raises(ValueError):
            recording.set_payload(caller, 96, "none")
        phone.sendto(rtp(3, 101, bytes([1, 0x8A, 3, 0x20])), (host, int(port)))
        phone.sendto(rtp(4), (host, int(port)))
        assert relay.take_events(wait_us=5_000_000)[0].digit == "1"
        session.set_policy(caller, tandem.MediaPolicy.block)
        phone.sendto(rtp(5, 101, bytes([2, 0x8A, 3, 0x20])), (host, int(port)))
        assert relay.take_events(wait_us=5_000_000)[0].digit == "2"
        with pytest.raises(tandem.Error):
            session.set_sources(caller, deny=["nonsense"])
        keys = ("AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
        session.set_crypto(caller, receive=keys, send=keys)
        phone.sendto(rtp(6), (host, int(port)))  # plain
        for _ in range(200):
            if session.stats(caller).srtp_failures == 1:
                break
            time.sleep(0.01)
        assert session.stats(caller).srtp_failures == relay.stats().packets_not_authentic == 1
        assert relay.stats().packets_not_sealed == 0
        session.set_crypto(caller)
        own = relay.dtls_fingerprint()
        assert own.startswith("sha-256 ") and len(own) == 8 + 95
        assert session.handshake(caller) == "none"
        session.set_handshake(
            caller, role=tandem.DtlsRole.server, fingerprints=[own], ice=("abcd", "0123456789012345678901")
        )
        assert session.handshake(caller) == "unchecked"
        session.set_handshake(caller)
        assert session.handshake(caller) == "none" and relay.stats().handshakes_failed == 0
        with pytest.raises(tandem.Error, match="fingerprints did not fit"):
            session.set_handshake(caller, role=tandem.DtlsRole.client)
        with pytest.raises(tandem.Error, match="31 bytes|needs 30"):
            session.set_crypto(caller, receive=(keys[0], bytes(31)), send=keys)
        with pytest.raises(tandem.Error, match="one direction"):
            session.set_crypto(caller, receive=keys)
        with pytest.raises(tandem.Error, match="ROT13"):
            session.set_crypto(caller, receive=("ROT13", b""), send=keys)
        session.close()
        with pytest.raises(tandem.Error, match="closed"):
            session.tap()
        with pytest.raises(tandem.Error, match="closed"):
            session.set_policy(caller, tandem.MediaPolicy.block)
        with pytest.raises(tandem.Error, match="closed"):
            recorder.record(session, "two")
    assert recording.file == "one.wav" and recording.is_over
    assert not tandem.repair_recording(str(tmp_path / "calls" / "one.wav"))
    with wave.open(str(tmp_path / "calls" / "one.wav")) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (2, 2, 8000)
        assert sound.getnframes() >= 160


def test_number_policies_know_numbers_pairs_and_cities() -> None:
    policy = tandem.NumberPolicy(allow_callers=["1001", "1002"], deny_callees=["1666"], deny_pairs=["1001:44"],
                                 deny_same_city=["10"])
    assert policy.judge("1002", "4420") == "accepted"
    assert policy.judge("1003", "4420") == "caller_not_allowed"
    assert policy.judge("1002", "1666") == "callee_denied"
    assert policy.judge("1001", "4420") == "pair_denied"
    assert policy.judge("1001", "1002") == "city_denied"
    with pytest.raises(tandem.Error):
        tandem.NumberPolicy(deny_pairs=["1001"])


def test_number_policies_know_kinds_and_areas_by_a_plan() -> None:
    plan = [("010", "city", "Beijing", 11, 12), ("139", "mobile", "Beijing", 11, 11), ("138", "mobile", "Xian", 11, 11)]
    policy = tandem.NumberPolicy(plan=plan, caller_kinds=["city", "mobile"], deny_mobile_areas=["Xian"])
    assert policy.judge("01012345678", "13912345678") == "accepted"
    assert policy.judge("010123", "13912345678") == "caller_kind"
    assert policy.judge("4420", "13912345678") == "caller_kind"
    assert policy.judge("01012345678", "13812345678") == "mobile_area_denied"
    for wrong in ({"caller_kinds": ["city"]}, {"plan": plan, "caller_kinds": ["town"]},
                  {"plan": plan, "allow_mobile_areas": ["Lhasa"]}, {"plan": [("1", "city", "", 3, 2)]}):
        with pytest.raises(tandem.Error):
            tandem.NumberPolicy(**wrong)  # type: ignore[arg-type]


def test_a_meter_ends_a_call_in_the_second_its_money_ends() -> None:
    book = tandem.AccountBook()
    book.provision("acme", balance="0.05")
    rate = tandem.Rate("44", "0.60", first_s=1, next_s=1)
    reason, meter = book.open_meter("acme", rate, 0)
    assert reason == "" and meter is not None
    assert meter.held == Decimal("0.01")
    now_us = 0
    verdict = meter.start(now_us)
    while not verdict.must_end:
        assert verdict.check_us is not None and verdict.check_us >= now_us
        now_us = verdict.check_us
        verdict = meter.on_timer(now_us)
    assert 4_000_000 <= now_us <= 5_000_000 and meter.covered_s == 5
    charge = meter.finish(now_us // 1000)
    assert charge.charge <= Decimal("0.05")
    assert book.state("acme")["balance"] == Decimal("0.05") - charge.charge
    assert book.open_meter("nobody", rate, 0) == ("AccountNotExist", None)


def test_packages_are_sold_without_a_switch() -> None:
    """B-20..B-23: rent, gifts, and a book that is given back what it said."""
    book = tandem.PackageBook()
    objects = {
        "packages": [{"id": "p", "rent_fee": "10", "gift_times": [{"seconds": 60}]}],
        "package_orders": [{"id": "o", "package": "p", "account": "acme"}],
        "accounts": [{"id": "acme"}],
    }
    tandem.provision_packages(book, objects)
    now_us = tandem.parse_time_us("2026-01-31T12:00:00Z")
    taken: dict[str, Decimal] = {}
    kept: list[str] = []

    def take(due: tandem.PackageDue) -> bool:
        assert due.is_rent and due.must_be_covered
        taken.setdefault(due.key, due.amount)
        return True

    next_us = book.advance(now_us, take, kept.append)
    assert next_us == tandem.parse_time_us("2026-02-28T00:00:00Z")
    charge = book.charge("acme", "44", now_us, 90_000, tandem.Rate("", Decimal("0.60")))
    assert (charge.charge, charge.package_time_s) == (Decimal("0.30"), 60)
    again = tandem.PackageBook()
    tandem.provision_packages(again, objects)
    again.restore(kept[-1], charge.use)
    assert tandem.current_packages(again, "acme") == tandem.current_packages(book, "acme")
    assert again.advance(next_us, take) == tandem.parse_time_us("2026-03-31T00:00:00Z")
    assert sum(taken.values()) == 20

    def fail(due: tandem.PackageDue) -> bool:
        raise LookupError(due.key)

    with pytest.raises(LookupError):
        again.advance(tandem.parse_time_us("2026-04-30T00:00:00Z"), fail)
    with pytest.raises(tandem.Error):
        tandem.provision_packages(book, {"packages": [{}]})


def test_a_phone_has_packages_of_its_own() -> None:
    """B-18, B-21, T-16."""
    book = tandem.PackageBook()
    tandem.provision_packages(
        book,
        {
            "packages": [{"id": "p", "rent_fee": "10", "gift_times": [{"seconds": 60}]}],
            "package_orders": [{"id": "o", "package": "p", "phone": "1001"}],
            "phones": [{"number": "1001", "password": "x", "account": "acme", "monthly_money_maximum": "5"}],
        },
    )
    now_us = tandem.parse_time_us("2026-01-31T12:00:00Z")
    wanted: list[tuple[str, str]] = []

    def take(due: tandem.PackageDue) -> bool:
        wanted.append((due.account, due.phone))
        return True

    book.advance(now_us, take)
    assert wanted == [("acme", "1001")]
    rate = tandem.Rate("", Decimal("0.60"))
    assert book.charge("acme", "44", now_us, 10_000, rate).charge == Decimal("0.10")
    assert book.charge("acme", "44", now_us, 10_000, rate, phone="1001").package_time_s == 10
    assert {one["order"] for one in tandem.current_packages(book, "", "1001")} == {"o", "monthly-phone/1001/acme"}
    assert all(one["phone"] == "1001" for one in tandem.current_packages(book, "acme"))


def test_steering_prefixes_are_not_rated() -> None:
    """B-14."""
    deck = tandem.RateDeck.from_rates("d", [tandem.Rate("44", Decimal("0.60"))])
    assert deck.route_prefix_length("9944207", ["99"]) == 2
    assert deck.route_prefix_length("44207", ["44"]) == 0
    assert deck.route_prefix_length("44207", characters=3) == 3
