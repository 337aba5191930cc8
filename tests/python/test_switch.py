"""A switch on loopback, in virtual time, and at the end of the interpreter."""
import asyncio
import gc
import json
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any, Optional

import pytest
import tandem
from tandem import sim

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
from ports import port_range  # noqa: E402

MEDIA_FIRST = port_range(200)


def config(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "database": str(folder / "switch.db"),
        "sip": {"listen": ["udp:127.0.0.1:0"]},
        "media": {"ports": [MEDIA_FIRST, MEDIA_FIRST + 199]},
        "cdr": {"journal": str(folder / "journal"), "sinks": [{"type": "sqlite", "path": str(folder / "cdr")}]},
        "provision": {
            "accounts": [{"id": "acme", "balance": Decimal("1.00"), "rate_deck": "retail"}],
            "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]}],
            "customer_gateways": [{"id": "cust", "addresses": ["127.0.0.9"], "account": "acme"}],
            "vendor_gateways": [{"id": "v1", "addresses": ["127.0.0.1:9"], "prefixes": ["44"]}],
        },
        **more,
    }


def ask(switch: tandem.Switch, method: str, source: str = "127.0.0.1") -> str:
    """Sends a request and gives the first line of its final response."""
    host, _, port = switch.listening()[0].removeprefix("udp:").partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.bind((source, 0))
        out.settimeout(20)
        own = out.getsockname()[1]
        lines = [
            f"{method} sip:442079460000@{host} SIP/2.0",
            f"Via: SIP/2.0/UDP {source}:{own};branch=z9hG4bK-{own};rport",
            f"From: <sip:1000@{source}>;tag=1",
            f"To: <sip:442079460000@{host}>",
            f"Call-ID: {method}-{own}@{source}",
            f"Contact: <sip:1000@{source}:{own}>",
            f"CSeq: 1 {method}",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ]
        out.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), (host, int(port)))
        while True:
            first = out.recv(4096).decode().partition("\r\n")[0]
            if not first.startswith("SIP/2.0 1"):
                return first


def test_a_configuration_reports_every_error() -> None:
    read = tandem.read_config({"sip": {"listen": ["udp:127.0.0.1:0"]}, "nonsense": 1, "parameters": {"max_calls": -5}})
    assert [pointer for pointer, _ in read.errors] == ["/nonsense", "/parameters/max_calls"]
    with pytest.raises(tandem.Error) as raised:
        tandem.Switch(read)
    assert "/nonsense" in raised.value.message and "/parameters/max_calls" in raised.value.message


def test_a_configuration_warns_of_what_is_hardly_meant() -> None:
    vendor: dict[str, object] = {"id": "v", "addresses": ["192.0.2.2"], "max_price_per_s": "0.01"}
    config = {"sip": {"listen": ["udp:127.0.0.1:0"]}, "provision": {"vendor_gateways": [vendor]}}
    ((pointer, message),) = tandem.read_config(config).warnings
    assert pointer == "/provision/vendor_gateways/0/require_rate" and "has no rates" in message
    vendor["require_rate"] = True
    assert tandem.read_config(config).warnings == []


def test_questions_need_no_switch(tmp_path: Path) -> None:
    given = config(tmp_path)
    assert tandem.rate(given, "retail", "442079460000", 60)["charge"] == "0.60"
    assert tandem.explain(given, "cust", "1000", "442079460000")["candidates"][0]["gateway"] == "v1"
    table = tandem.explain_table(tandem.explain(given, "cust", "1000", "442079460000"))
    assert table.startswith("1000 to 442079460000 from cust") and " v1 " in table
    with pytest.raises(tandem.Error):
        tandem.explain_table({})
    assert tandem.query_cdrs(given) == []


def test_records_are_listed_iterated_and_reported(tmp_path: Path) -> None:
    given = config(tmp_path)
    given["cdr"]["sinks"].append({"type": "slots", "path": str(tmp_path / "slots")})
    folder = str(tmp_path / "cdr")
    with tandem.Switch(given) as switch:
        for source in ("127.0.0.9", "127.0.0.9", "127.0.0.8"):
            ask(switch, "INVITE", source)
        sinks = {sink["name"]: sink for sink in switch.counters().sinks}
        assert "ledger" in sinks and not any(sink["is_failing"] for sink in sinks.values())
    assert len(tandem.query_cdrs(given)) == 3
    records = list(tandem.iter_cdrs(given, customer_gateway="cust"))
    assert [r.customer_gateway for r in records] == ["cust", "cust"]
    assert records[0].record_id > records[1].record_id
    assert [r.record_id for r in tandem.iter_cdr_folder(folder, before_record_id=records[0].record_id)][-1:] == [
        records[1].record_id
    ]
    assert list(tandem.iter_cdrs(given, is_answered=True)) == []
    with pytest.raises(tandem.Error) as raised:
        list(tandem.iter_cdr_folder(folder, rows_max=1))
    assert raised.value.code == tandem.ErrorCode.limit
    with pytest.raises(TypeError):
        tandem.CdrQuery(colour="red")  # type: ignore[call-arg]
    report = tandem.call_report(given, "customer-gateways")
    assert report.name == "customer-gateways" and report.records_read == 3
    assert [(row["gateway"], row["attempts"]) for row in report.rows] == [("", 1), ("cust", 2)]
    assert report.rows[1]["asr_percent"] == Decimal("0.00")
    assert report.to_csv().startswith("gateway,attempts,") and "GATEWAY" in report.to_table()
    assert json.loads(report.to_json())[1]["attempts"] == 2
    yesterday_us = (int(time.time()) // 86_400 - 1) * 86_400_000_000
    of_slots = tandem.call_report(given, "customer-gateways", since_us=yesterday_us)
    assert of_slots.records_read == 0 and of_slots.rows == report.rows
    assert tandem.call_report(given, "customer-gateways", since_us=yesterday_us + 1).records_read == 3
    failures = tandem.cdr_folder_report(folder, "failures", options={"by": "day"}, customer_gateway="cust")
    assert sum(row["count"] for row in failures.rows) == 2
    here = tandem.cdr_folder_report(folder, "failures", options={"by": "day", "timezone": "-03:00"})
    assert all(row["from"].endswith("T00:00:00-03:00") for row in here.rows) and here.rows
    for wrong in ({"by": "week"}, {"colour": "red"}, {"timezone": "Nowhere/Land"}):
        with pytest.raises(tandem.Error):
            tandem.call_report(given, "days", options=wrong)
    with pytest.raises(tandem.Error):
        tandem.call_report(given, "nonsense")
    with tandem.Switch(given) as switch:
        assert next(switch.iter_cdrs()).record_id == tandem.query_cdrs(given)[0].record_id
        assert switch.call_report("customer-gateways").rows == report.rows


def test_a_switch_answers_options(tmp_path: Path) -> None:
    with tandem.Switch(config(tmp_path), log_level="info") as switch:
        assert ask(switch, "OPTIONS") == "SIP/2.0 200 OK"
        assert switch.pay("acme", "5.00", memo="transfer") == Decimal("6.00")
        account = switch.account("acme")
        assert account is not None and account["balance"] == Decimal("6.00")
        booked = switch.book("acme", "1.00", reference="invoice", key="once")
        assert (booked["balance"], booked["repeated"]) == (Decimal("7.00"), False)
        assert switch.book("acme", "1.00", reference="invoice", key="once")["repeated"]
        with pytest.raises(tandem.Error) as refused:
            switch.book("acme", "2.00", key="once")
        assert refused.value.code == tandem.ErrorCode.already_exists
        assert switch.book("acme", "-1.00", kind="package_rent")["amount"] == Decimal("-1.00")
        assert switch.ledger("acme")[-1]["kind"] == "opening"
        assert switch.check_ledger()["ok"]
        assert switch.rerate("retail")["accounts"] == []
        job = switch.start_rerate("retail", reason="new list", includes_settled=True)
        switch.cancel_rerate(job)
        assert switch.rerate_job(job)["deck"] == "retail"
        with pytest.raises(tandem.Error) as unknown:
            switch.rerate_job(job + 1)
        assert unknown.value.code == tandem.ErrorCode.not_found
        assert switch.margin_report("retail", ["retail"])[0]["prefix"]
        assert switch.account("nobody") is None
        assert {g["id"] for g in switch.gateways()} == {"cust", "v1"}
        assert switch.calls() == [] and switch.live_calls() == 0
        assert switch.counters().datagrams_received >= 1
        assert switch.counters().overload_refused == switch.counters().overload_dropped == 0
        assert switch.counters().overload_loss_percent == switch.counters().overload_waited == 0
        assert switch.counters().connections_live == switch.counters().connections_deaf == 0
        assert switch.counters().connections_refused == switch.counters().connections_unused == 0
        assert 0 < switch.counters().sip_memory_bytes < 10_000_000
        assert switch.reload(config(tmp_path)) == []
        with pytest.raises(tandem.Error) as raised:
            switch.disconnect(12345)
        assert raised.value.code == tandem.ErrorCode.not_found
        assert isinstance(switch.take_log(), list)
    entries = tandem.query_ledger(config(tmp_path), "acme", limit=2)
    assert [(entry["kind"], entry["balance"]) for entry in entries] == [
        ("package_rent", Decimal("6.00")),
        ("payment", Decimal("7.00")),
    ]
    assert tandem.check_ledger(config(tmp_path))["ok"]
    with pytest.raises(tandem.Error) as raised:
        switch.start()
    assert raised.value.code == tandem.ErrorCode.wrong_state
    switch.close()


def test_a_policy_callback_refuses_and_events_tell(tmp_path: Path) -> None:
    threads: list[str] = []

    def refuse(question: tandem.PolicyQuestion) -> tandem.PolicyAnswer:
        threads.append(threading.current_thread().name)
        assert question.callee == "442079460000"
        return tandem.PolicyAnswer(False, sip_status=488)

    with tandem.Switch(config(tmp_path), on_policy=refuse, policy_deadline_us=10_000_000) as switch:
        assert ask(switch, "INVITE", "127.0.0.9").startswith("SIP/2.0 488")
        kinds: list[str] = []
        while "call_ended" not in kinds:
            events = switch.wait_events(20)
            assert events
            kinds += [event.kind for event in events]
        assert kinds[0] == "call_started"
        assert events[-1].cdr is not None and events[-1].cdr.sip_status == 488
    assert threads == ["tandem-policy"]


def test_a_policy_callback_that_raises_leaves_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)

    def broken(question: tandem.PolicyQuestion) -> Optional[tandem.PolicyAnswer]:
        raise ZeroDivisionError

    default = tandem.PolicyAnswer(False, sip_status=480)
    with tandem.Switch(config(tmp_path), on_policy=broken, policy_deadline_us=100_000, policy_default=default) as switch:
        assert ask(switch, "INVITE", "127.0.0.9").startswith("SIP/2.0 480")
    assert raised[0].exc_type is ZeroDivisionError


# Calls again and again, and tells when each call was refused; from a process of its own, for the one of the switch holds
# its interpreter.
CALLER = """
import socket, sys, time
host, port, until = sys.argv[1], int(sys.argv[2]), time.monotonic() + 60
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out, open(sys.argv[3], "w") as answers:
    out.bind(("127.0.0.9", 0))
    out.settimeout(30)
    own = out.getsockname()[1]
    number = 0
    while time.monotonic() < until:
        number += 1
        call_id = f"Call-ID: {number}-{own}"
        lines = [f"INVITE sip:442079460000@{host} SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.9:{own};branch=z9hG4bK-{own}-{number}",
                 f"From: <sip:1000@127.0.0.9>;tag={number}", f"To: <sip:442079460000@{host}>", call_id, "CSeq: 1 INVITE",
                 f"Contact: <sip:1000@127.0.0.9:{own}>", "Max-Forwards: 70", "Content-Length: 0"]
        asked = time.monotonic()
        out.sendto(("\\r\\n".join(lines) + "\\r\\n\\r\\n").encode(), (host, port))
        answer = ""
        while not answer.startswith("SIP/2.0 480") or call_id not in answer.splitlines():
            answer = out.recv(4096).decode()
        print(asked, time.monotonic(), file=answers, flush=True)
        if number == 1:
            print("refused", flush=True)
"""


def test_a_busy_interpreter_keeps_no_worker_from_its_work(tmp_path: Path) -> None:
    refuse = tandem.PolicyAnswer(False, sip_status=480)
    with tandem.Switch(
        config(tmp_path), on_policy=lambda question: refuse, policy_deadline_us=10_000, policy_default=refuse
    ) as switch:
        host, _, port = switch.listening()[0].removeprefix("udp:").partition(":")
        answers = tmp_path / "answers"
        command = [sys.executable, "-c", CALLER, host, port, str(answers)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as caller:
            assert caller.stdout is not None
            caller.stdout.readline()
            count, begun, ended = 5_000_000, 0.0, 0.0
            while ended - begun < 0.3:
                count *= 2
                begun = time.monotonic()
                sum(range(count))  # in C, without ever letting go of the interpreter
                ended = time.monotonic()
            caller.kill()
    times = [line.split() for line in answers.read_text().splitlines()[:-1]]
    answered = [asked for asked, at in times if begun < float(asked) and float(at) < ended]
    assert len(answered) > 3  # by the deadline and the default


def test_events_come_through_asyncio(tmp_path: Path) -> None:
    async def first_ended(switch: tandem.Switch) -> tandem.Event:
        async for event in switch.events():
            if event.kind == "call_ended":
                return event
        raise AssertionError("the events ended")

    async def run(switch: tandem.Switch) -> tandem.Event:
        waiting = asyncio.create_task(first_ended(switch))
        await asyncio.get_running_loop().run_in_executor(None, ask, switch, "INVITE", "127.0.0.9")
        return await asyncio.wait_for(waiting, 30)

    refuse = tandem.PolicyAnswer(False, sip_status=403)
    with tandem.Switch(config(tmp_path), on_policy=lambda question: refuse) as switch:
        event = asyncio.run(run(switch))
    assert event.call.callee == "442079460000"


def test_sinks_in_python_get_the_records_of_a_switch(tmp_path: Path) -> None:
    got: list[tandem.Cdr] = []

    class Sink:
        def write(self, cdr: tandem.Cdr) -> None:
            got.append(cdr)

        def flush(self) -> None:
            pass

    refuse = tandem.PolicyAnswer(False, sip_status=403)
    with tandem.Switch(config(tmp_path), cdr_sinks=[Sink()], on_policy=lambda question: refuse) as switch:
        ask(switch, "INVITE", "127.0.0.9")
    assert [cdr.sip_status for cdr in got] == [403]


def test_the_admin_api_is_served(tmp_path: Path) -> None:
    with tandem.Switch(config(tmp_path, admin={"listen": "127.0.0.1:0"})) as switch:
        with tandem.serve_admin(switch) as admin:
            with urllib.request.urlopen(f"http://{admin.address}/api/v1/accounts", timeout=20) as reply:
                assert json.load(reply)[0]["id"] == "acme"


def test_many_threads_may_ask_while_it_closes(tmp_path: Path) -> None:
    switch = tandem.Switch(config(tmp_path))
    switch.start()
    begun = threading.Barrier(5)
    wrong: list[BaseException] = []

    def work() -> None:
        begun.wait()
        try:
            for _ in range(200):
                switch.counters()
                switch.calls()
        except tandem.Error as error:
            if error.code != tandem.ErrorCode.wrong_state:
                wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    switch.close()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_dropping_a_running_switch_closes_it(tmp_path: Path) -> None:
    before = threading.active_count()
    switch = tandem.Switch(config(tmp_path), on_policy=lambda question: None)
    switch.start()
    port = int(switch.listening()[0].rpartition(":")[2])
    (thread,) = switch._questions
    del switch
    gc.collect()
    thread.join(20)
    assert threading.active_count() == before
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", port))


ENDINGS = {
    "left running": "switch.start()",
    "closed twice": "switch.start(); switch.close(); switch.close()",
    "never started": "",
    "in a cycle": "switch.start(); cycle = [switch]; cycle.append(cycle); del switch, cycle",
    "with an exception": "switch.start(); raise SystemExit(3)",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_interpreter_ends_cleanly(tmp_path: Path, ending: str) -> None:
    script = (
        "import json, sys, tandem\n"
        "class Sink:\n"
        "    def write(self, cdr): pass\n"
        "    def flush(self): pass\n"
        "switch = tandem.Switch(json.loads(sys.argv[1]), on_policy=lambda q: None, cdr_sinks=[Sink()])\n"
        f"journal = tandem.CdrJournal(sys.argv[2], {{'sink': Sink()}}, segment_bytes=1 << 20)\n"
        "journal.append(tandem.Cdr())\n" + ENDINGS[ending] + "\n"
    )
    given = json.dumps(config(tmp_path), default=str)
    ended = subprocess.run(
        [sys.executable, "-c", script, given, str(tmp_path / "own")], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (3 if "SystemExit" in ENDINGS[ending] else 0, "")


def sim_config() -> dict[str, Any]:
    return {
        "sip": {"listen": ["udp:10.0.0.1:5060"]},
        "media": {"address": "10.0.0.1"},
        "provision": {
            "accounts": [{"id": "acme", "balance": "100.00", "rate_deck": "retail"}],
            "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60", "first_s": 60, "next_s": 60}]}],
            "customer_gateways": [{"id": "cust", "addresses": ["10.0.0.2"], "account": "acme"}],
            "vendor_gateways": [{"id": "v1", "addresses": ["10.0.0.9:5060"], "prefixes": ["44"]}],
        },
    }


def test_a_call_in_virtual_time() -> None:
    world = sim.World(seed=7)
    switch = world.create_switch(sim_config())
    switch.start()
    vendor = world.add_endpoint("10.0.0.9:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    vendor.set_plan(sim.AnswerPlan(ring_after_us=500_000, answer_after_us=2_000_000))
    call = customer.dial("442079460000", plan=sim.DialPlan(hang_up_after_us=61_000_000))
    assert world.run_until(lambda: call.was_answered, 10_000_000)
    assert world.run_until_idle()
    (cdr,) = world.cdrs()
    assert cdr.charge == Decimal("1.20") and cdr.end_reason == "NormalCallClearing"
    assert [event.kind for event in switch.take_events()][-1] == "call_ended"
    assert vendor.received("INVITE") == 1
    switch.close()


def test_codecs_are_negotiated_by_settings() -> None:
    world = sim.World(seed=7)
    config = sim_config()
    provision = config["provision"]
    provision["customer_gateways"][0]["codecs"] = ["PCMU", "PCMA", "G729"]
    provision["vendor_gateways"][0].update(codecs=["G729", "PCMA"], sip={"annexb": "no", "remote_ringback": "183"})
    switch = world.create_switch(config)
    switch.start()
    vendor = world.add_endpoint("10.0.0.9:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")

    def description(ip: str, formats: str) -> str:
        return (f"v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n"
                f"m=audio 4000 RTP/AVP {formats}\r\n")

    vendor.set_plan(sim.AnswerPlan(ring_after_us=0, answer_after_us=1_000_000, sdp=description("10.0.0.9", "8")))
    call = customer.dial("442079460000", plan=sim.DialPlan(sdp=description("10.0.0.2", "0 8 18")))
    assert world.run_until(lambda: call.was_answered, 10_000_000)
    (far,) = vendor.calls()
    assert "RTP/AVP 18 8\r\n" in far.remote_sdp and "a=fmtp:18 annexb=no" in far.remote_sdp
    assert "183 sdp" in call.events
    (live,) = switch.calls()
    assert (live.codec, live.caller_codecs, live.callee_codecs) == ("PCMA", "PCMU,PCMA,G729", "PCMA")
    (candidate,) = switch.explain("cust", "1000", "442079460000")["candidates"]
    assert candidate["codecs"] == ["G729", "PCMA"] and candidate["media"] == {"relayed": True, "rule": "media_mode"}
    call.hang_up()
    assert world.run_until_idle()
    (cdr,) = world.cdrs()
    assert (cdr.codec, cdr.caller_codecs) == ("PCMA", "PCMU,PCMA,G729")
    cdr.codec = "G722"
    assert '"codec":"G722"' in cdr.to_json()
    provision["vendor_gateways"][0]["codecs"] = ["PCMB"]
    with pytest.raises(tandem.Error, match="PCMB"):
        world.create_switch(config)
    switch.close()


def test_endpoints_speak_what_their_plans_say() -> None:
    """SRTP of one side, keys, changes of the session, raw bytes; T.38 that a side refuses (M-11)."""
    config = sim_config()
    config["sip"]["listen"].append("tcp:10.0.0.1:5060")
    provision = config["provision"]
    provision["customer_gateways"][0]["sip"] = {
        "srtp": "required", "srtp_any_transport": True, "srtp_keys": "both", "ice": "lite", "t38": False
    }
    world = sim.World(seed=7)
    switch = world.create_switch(config)
    switch.start()
    vendor = world.add_endpoint("10.0.0.9:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    vendor.set_plan(sim.AnswerPlan(formats="8 101", rtp_type=8, rtp_pattern=0x33, send_rtp=True))
    plan = sim.DialPlan(formats="8 101", rtp_type=8, rtp_pattern=0x44, send_rtp=True, srtp="required", transport="tcp")
    assert (plan.srtp, plan.transport, sim.AnswerPlan().srtp) == ("required", "tcp", "off")
    with pytest.raises(tandem.Error, match="pigeon"):
        sim.DialPlan(transport="pigeon")
    with pytest.raises(tandem.Error, match="maybe"):
        sim.AnswerPlan(srtp="maybe")
    call = customer.dial("442079460000", plan=plan)
    assert world.run_until(lambda: call.was_answered, 10_000_000)
    (far,) = vendor.calls()
    world.run_for_us(1_000_000)
    call.press_key("5")
    call.rekey()
    world.run_for_us(1_000_000)
    assert call.is_encrypted and not far.is_encrypted and call.srtp_failures == 0
    assert (far.received_keys, far.received_type, far.received_pattern) == ("5", 8, 0x44)
    assert call.received_pattern == 0x33 and call.count("reoffer 200") == 1
    fax = "v=0\r\no=- 1 9 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=image 7000 udptl t38\r\n"
    far.reinvite(fax)
    world.run_for_us(500_000)
    assert far.count("reoffer 488") == 1 and call.count("reinvite") == 0
    assert vendor.counters.calls_in == 1 and vendor.counters.packets_received > 50
    assert any(entry.what == "INVITE" and not entry.is_sent for entry in vendor.ladder())
    call.hang_up()
    assert world.run_until_idle()
    assert world.cdrs()[0].end_reason == "NormalCallClearing"
    plan.dtls = sim.DtlsPlan(is_on=True, has_ice=True, role=tandem.DtlsRole.client)
    call = customer.dial("442079460000", plan=plan)
    world.run_for_us(2_000_000)
    assert call.was_answered and call.is_encrypted and "a=ice-lite" in call.remote_sdp
    call.hang_up()
    assert world.run_until_idle()
    one, two = world.add_raw_endpoint("10.0.0.5:4000"), world.add_raw_endpoint("10.0.0.6:4000")
    one.send("10.0.0.6:4000", b"\x00hi")
    world.run_for_us(10_000)
    (datagram,) = two.received()
    assert (datagram.bytes, datagram.source) == (b"\x00hi", "10.0.0.5:4000")
    two.clear()
    assert two.received() == []
    carrier = world.add_endpoint("10.0.0.20:5060")
    carrier.accept_registrations(sim.RegistrarPlan(username="u", password="p", expires_s=60))
    client = world.add_endpoint("10.0.0.21:5060", peer="10.0.0.20:5060")
    client.register_user("u", "p")
    assert world.run_until(lambda: client.registration_status("u") != 0, 10_000_000)
    assert client.registration_status("u") == 200 and client.registration_expires_s("u") == 60
    assert "10.0.0.21" in carrier.registered_contact
    switch.close()


def test_a_network_is_watched_and_loses_what_it_is_told_to() -> None:
    world = sim.World(seed=7)
    switch = world.create_switch(sim_config())
    switch.start()
    vendor = world.add_endpoint("10.0.0.9:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    seen: list[sim.SeenDatagram] = []
    world.set_tap(seen.append)
    world.drop_if(lambda datagram: datagram.bytes.startswith(b"INVITE") and datagram.target == "10.0.0.9:5060")
    call = customer.dial("442079460000")
    world.run_for_us(1_000_000)
    assert vendor.last_call() is None and not call.was_answered
    lost = [one for one in seen if one.fate == "filtered"]
    assert lost and {(one.source, one.target) for one in lost} == {("10.0.0.1:5060", "10.0.0.9:5060")}
    assert world.network_counters.filtered == len(lost) < world.network_counters.sent == len(seen)
    world.set_tap(None)
    world.drop_if(None)
    assert world.run_until(lambda: call.was_answered, 10_000_000)
    assert world.network_counters.sent > len(seen)
    call.hang_up()
    assert world.run_until_idle()
    switch.close()


@pytest.fixture(scope="module")
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One file with a key and a certificate of its own for 10.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key, file = folder / "key.pem", folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30000",
         "-subj", "/CN=test", "-addext", "subjectAltName=IP:10.0.0.1", "-keyout", str(key), "-out", str(file)],
        check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return str(file)


def test_endpoints_speak_tls(own_certificate: str) -> None:
    config = sim_config()
    config["sip"]["listen"].append("tls:10.0.0.1:5061")
    config["sip"]["tls"] = {"certificate": own_certificate}
    world = sim.World(seed=7, wall_us=time.time_ns() // 1000)  # when the certificate is good
    switch = world.create_switch(config)
    switch.start()
    world.add_endpoint("10.0.0.9:5060")
    with pytest.raises(tandem.Error, match="maybe"):
        world.add_endpoint("10.0.0.3:5060", client_certificate="maybe")  # type: ignore[arg-type]
    customer = world.add_endpoint(
        "10.0.0.2:5060", peer="10.0.0.1:5060", tls_certificate=own_certificate, tls_ca=own_certificate
    )
    call = customer.dial("442079460000", plan=sim.DialPlan(transport="tls"))
    assert world.run_until(lambda: call.was_answered, 10_000_000)
    call.hang_up()
    assert world.run_until_idle()
    switch.close()


def test_what_is_left_is_spoken(tmp_path: Path) -> None:
    """M-14: each file is one byte again and again, by which it is known."""
    english = tandem.SpokenGrammar("en")
    known: dict[int, str] = {}
    for code, name in enumerate(english.vocabulary("remaining_time"), 0x40):
        file = tmp_path / (name + ".wav")
        file.parent.mkdir(exist_ok=True)
        head = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 7, 1, 8000, 8000, 1, 8)
        file.write_bytes(b"RIFF" + bytes(4) + head + b"data" + struct.pack("<I", 1600) + bytes([code]) * 1600)
        known[code] = name
    config = sim_config()
    provision = config["provision"]
    provision["accounts"][0].update(balance="2.00")
    provision["rate_decks"][0]["rates"][0].update(first_s=1, next_s=1)
    provision["voices"] = [{"id": "mine", "folder": str(tmp_path), "grammar": "en"}]
    provision["customer_gateways"][0].update(announce_remaining="minutes", language="mine")
    world = sim.World(seed=7)
    switch = world.create_switch(config)
    switch.start()
    world.add_endpoint("10.0.0.9:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    call = customer.dial("442079460000", plan=sim.DialPlan(send_rtp=True))
    heard: list[str] = []
    for _ in range(100):
        world.run_for_us(20_000)
        name = known.get(call.received_pattern, "")
        if name and heard[-1:] != [name]:
            heard.append(name)
    assert heard == ["vm-youhave", "digits/3", "minutes"] and call.was_answered
    call.hang_up()
    assert world.run_until_idle()
    switch.close()


def test_reminders_and_fences() -> None:
    """M-14 before the money ends; S-01 by the address of the caller."""
    config = sim_config()
    provision = config["provision"]
    provision["accounts"][0].update(balance="1.00", reminder={"sound": "tone:warning", "before_s": 20})
    provision["rate_decks"][0]["rates"][0].update(first_s=1, next_s=1)
    provision["geofence_areas"] = [{"id": "lan", "ranges": ["10.0.0.0/24"]}, {"id": "far", "ranges": ["10.9.0.0/16"]}]
    provision["customer_gateways"][0]["geofence"] = {"mode": "allow", "areas": ["lan"]}
    world = sim.World(seed=7)
    switch = world.create_switch(config)
    switch.start()
    vendor = world.add_endpoint("10.0.0.9:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    vendor.set_plan(sim.AnswerPlan(send_rtp=True, rtp_pattern=0x33))
    call = customer.dial("442079460000", plan=sim.DialPlan(send_rtp=True))
    assert world.run_until(lambda: call.was_answered, 10_000_000)
    world.run_for_us(1_000_000)
    begin = world.monotonic_us
    assert world.run_until(lambda: call.received_pattern != 0x33, 98_000_000)
    assert 78_000_000 <= world.monotonic_us - begin <= 81_000_000
    assert world.run_until_idle()
    assert world.cdrs()[-1].end_reason == "BalanceExhausted"
    provision["customer_gateways"][0]["geofence"]["areas"] = ["far"]
    switch.reload(config)
    call = customer.dial("442079460000")
    world.run_for_us(1_000_000)
    assert call.status == 403
    provision["customer_gateways"][0]["geofence"]["areas"] = ["nowhere"]
    with pytest.raises(tandem.Error, match="nowhere"):
        world.create_switch(config)
    switch.close()


def test_a_phone_registers_and_is_called() -> None:
    """P-05, T-01, S-08."""
    config = sim_config()
    config["provision"]["phones"] = [
        {"number": "1001", "password": "secret", "account": "acme", "monthly_money_maximum": "5.00"}
    ]
    config["provision"]["rate_decks"][0]["rates"].append({"prefix": "1", "price": "0.10"})
    world = sim.World(seed=7)
    switch = world.create_switch(config)
    switch.start()
    device = world.add_endpoint("10.0.0.3:5060", peer="10.0.0.1:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    device.register_user("1001", "secret", 600)
    world.run_for_us(1_000_000)
    assert device.registration_status("1001") == 200
    (phone,) = switch.phones()
    assert phone["online"] and phone["contacts"][0]["address"] == "10.0.0.3:5060"
    (monthly,) = switch.phone_packages("1001")  # B-18
    assert (monthly["phone"], monthly["account"], monthly["max_consumption"]) == ("1001", "acme", "5.00")
    (event,) = switch.take_events()
    assert event.kind == "phone" and event.registration is not None
    assert (event.registration.phone, event.registration.is_online) == ("1001", True)  # I-02
    assert event.registration.source == "10.0.0.3:5060" and event.registration.dids == []
    assert not switch.phone_notices()["configured"]
    with pytest.raises(tandem.Error) as unconfigured:
        switch.notify_phones()
    assert unconfigured.value.code == tandem.ErrorCode.wrong_state
    customer.dial("1001", plan=sim.DialPlan(hang_up_after_us=1_000_000))
    assert world.run_until_idle()
    (cdr,) = world.cdrs()
    assert cdr.vendor_gateway == "phone:1001" and cdr.end_reason == "NormalCallClearing"
    for _ in range(6):
        customer.register_user("1001", "guess")
        world.run_for_us(1_000_000)
    assert [(one["user"], one["address"]) for one in switch.suspensions()] == [("1001", "10.0.0.2")]
    switch.lift_suspension("1001", "10.0.0.2")
    with pytest.raises(tandem.Error):
        switch.lift_suspension("", "10.0.0.2")
    switch.close()


def lrn_config(given: dict[str, Any]) -> dict[str, Any]:
    """Customers' numbers are asked for at the host; vendors take 33 only."""
    provision = given["provision"]
    provision["lrn_resolvers"] = [{"id": "ours", "kind": "host", "timeout_ms": 10_000}]
    provision["customer_gateways"][0]["lrn"] = {"resolver": "ours"}
    provision["vendor_gateways"][0]["prefixes"] = ["33"]
    return given


def test_a_host_says_where_numbers_went_in_virtual_time() -> None:
    world = sim.World(seed=7)
    asked: list[tuple[str, str]] = []

    def look_up(question: tandem.LrnQuestion) -> Optional[tandem.LrnAnswer]:
        asked.append((question.resolver, question.number))
        if question.number == "442079460001":
            return tandem.LrnAnswer(failed=True)
        return tandem.LrnAnswer("33740000000", "FR")

    switch = world.create_switch(lrn_config(sim_config()), on_lrn=look_up)
    switch.start()
    vendor = world.add_endpoint("10.0.0.9:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    for callee in ("442079460000", "442079460000", "442079460001"):
        customer.dial(callee, plan=sim.DialPlan(hang_up_after_us=1_000_000))
        assert world.run_until_idle()
    ported, again, unknown = world.cdrs()
    assert (ported.lrn, ported.callee_region, ported.caller_region) == ("33740000000", "FR", "")
    assert again.lrn == "33740000000" and ported.vendor_gateway == "v1" and ported.callee_out == "442079460000"
    assert unknown.end_reason == "LrnFailed" and unknown.sip_status == 404
    assert asked == [("ours", "442079460000"), ("ours", "442079460001")]
    assert vendor.received("INVITE") == 2
    (counters,) = switch.counters().lrn
    assert (counters.resolver, counters.questions, counters.answers, counters.failures) == ("ours", 2, 1, 1)
    assert counters.cache_hits == 1 and counters.cache_entries == 1
    known = switch.explain("cust", "1000", "442079460000")
    assert known["lrn"]["source"] == "cache" and known["callee_routing"] == "33740000000"
    given = tandem.explain(lrn_config(sim_config()), "cust", "1000", "442079460000", lrn="", callee_region="UK")
    assert given["lrn"]["callee_region"] == "UK" and given["reject"] == "NoAvailableRouter"
    switch.close()


@pytest.mark.parametrize("kind", ["sip302", "http", "enum"])
def test_a_server_says_where_numbers_went_in_virtual_time(kind: str) -> None:
    world = sim.World(seed=7)
    given = lrn_config(sim_config())
    given["provision"]["lrn_resolvers"] = [{"id": "ours", "kind": kind, "addresses": ["10.0.0.7:5060"]}]
    switch = world.create_switch(given)
    switch.start()
    server = world.add_lrn_server("10.0.0.7:5060", kind)
    server.set("442079460000", "33740000000", region="FR")
    with pytest.raises(tandem.Error):
        world.add_lrn_server("10.0.0.8:5060", "host")
    vendor = world.add_endpoint("10.0.0.9:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    customer.dial("442079460000", plan=sim.DialPlan(hang_up_after_us=1_000_000))
    assert world.run_until_idle()
    arrived = vendor.last_call()
    assert arrived is not None and arrived.npdi and arrived.rn == "33740000000"
    assert server.asked == ["442079460000"] and world.cdrs()[0].callee_region == "FR"
    switch.close()


def test_names_of_vendors_are_located_in_virtual_time() -> None:
    world = sim.World(seed=7)
    given = sim_config()
    given["provision"]["vendor_gateways"][0]["addresses"] = ["sip.example.com"]
    given["dns"] = {"servers": ["10.0.0.53"]}
    vendor_id = given["provision"]["vendor_gateways"][0]["id"]
    switch = world.create_switch(given)
    switch.start()
    server = world.add_dns_server("10.0.0.53")
    server.set("_sip._udp.sip.example.com", "SRV", ["10 0 5070 sbc.example.com"], ttl_s=120)
    server.set("sbc.example.com", "A", ["10.0.0.9"])
    with pytest.raises(tandem.Error):
        server.set("sbc.example.com", "A", ["here"])
    vendor = world.add_endpoint("10.0.0.9:5070")
    world.run_for_us(1_000_000)
    shown = next(one for one in switch.gateways() if one["id"] == vendor_id)
    assert [(one["address"], one["name"]) for one in shown["addresses"]] == [("10.0.0.9:5070", "sip.example.com")]
    assert shown["names"][0]["known"] and not shown["names"][0]["stale"] and shown["names"][0]["ttl_ms"] > 50_000
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    customer.dial("442079460000", plan=sim.DialPlan(hang_up_after_us=1_000_000))
    assert world.run_until_idle()
    assert vendor.last_call() is not None
    assert "_sip._udp.sip.example.com SRV" in server.asked
    dns = switch.counters().dns
    assert isinstance(dns, tandem.NameCounters) and dns.names == 1 and dns.names_failing == 0
    switch.close()


def test_a_host_is_asked_on_a_thread_of_its_own(tmp_path: Path) -> None:
    threads: list[str] = []

    def refuse(question: tandem.LrnQuestion) -> tandem.LrnAnswer:
        threads.append(threading.current_thread().name)
        return tandem.LrnAnswer(failed=True)

    with tandem.Switch(lrn_config(config(tmp_path)), on_lrn=refuse) as switch:
        assert ask(switch, "INVITE", "127.0.0.9").startswith("SIP/2.0 404")
        switch.answer_lrn(12345, tandem.LrnAnswer())
    assert threads == ["tandem-lrn"]


def test_a_policy_in_virtual_time_and_errors_in_callbacks() -> None:
    world = sim.World()
    answers = [tandem.PolicyAnswer(False, sip_status=488)]
    with world.create_switch(sim_config(), on_policy=lambda question: answers[0]):
        customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
        call = customer.dial("442079460000")
        assert world.run_until(lambda: call.is_over, 10_000_000)
        assert call.status == 488
        with pytest.raises(ZeroDivisionError):
            world.run_until(lambda: bool(1 // 0), 1_000_000)
        with pytest.raises(AttributeError):
            sim.DialPlan(nonsense=1)


def test_a_crash_in_virtual_time_leaves_one_record() -> None:
    world = sim.World()
    world.add_endpoint("10.0.0.9:5060")
    first = world.create_switch(sim_config())
    first.start()
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    call = customer.dial("442079460000")
    assert world.run_until(lambda: call.was_answered, 10_000_000)
    world.run_for_us(30_000_000)
    world.crash(first)
    with world.create_switch(sim_config()):
        world.run_for_us(1_000_000)
        assert [cdr.end_reason for cdr in world.cdrs()] == ["ServerCrash"]


def test_requests_inside_a_call_and_rules_of_the_network() -> None:
    world = sim.World(seed=3)
    switch = world.create_switch(sim_config())
    switch.start()
    vendor = world.add_endpoint("10.0.0.9:5060")
    customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
    call = customer.dial("442079460000")
    assert world.run_until(lambda: call.was_answered, 10_000_000)
    other = vendor.last_call()
    assert other is not None
    call.request("INFO", "application/dtmf-relay", "Signal=5")
    world.run_for_us(100_000)
    assert "INFO" in other.events and other.last_body == "Signal=5"
    call.update()
    world.run_for_us(100_000)
    assert call.events.count("reoffer 200") == 1
    world.set_link("10.0.0.2", "", sim.LinkSettings(loss_per_mille=1000))
    call.request("INFO")
    world.run_for_us(100_000)
    assert other.events.count("INFO") == 1
    with pytest.raises(tandem.Error):
        world.set_link("nowhere", "", sim.LinkSettings())
    world.clear_links()
    call.hang_up()
    assert world.run_until_idle()
    switch.close()


def test_objects_and_versions_of_decks_in_virtual_time() -> None:
    world = sim.World(seed=4)
    switch = world.create_switch(sim_config())
    switch.start()
    feed = switch.watch(100)
    assert switch.put_object("accounts", {"id": "new", "balance": Decimal("2.50")})
    assert not switch.put_object("accounts", {"id": "new", "memo": "again"})
    assert switch.put_objects("accounts", [{"id": "a"}, {"id": "b"}], dry_run=True) == (2, 0)
    assert [one["id"] for one in switch.objects("accounts")] == ["acme", "new"]
    account = switch.account("new")
    assert account is not None and account["balance"] == Decimal("2.50")
    assert switch.object("accounts", "new") == {"id": "new", "memo": "again"}
    with pytest.raises(tandem.Error) as wrong:
        switch.put_object("accounts", {"id": "x", "colour": "red"})
    assert wrong.value.code == tandem.ErrorCode.invalid_argument and wrong.value.message.startswith("/colour: ")
    with pytest.raises(tandem.Error) as held:
        switch.remove_object("accounts", "acme")
    assert held.value.code == tandem.ErrorCode.wrong_state and "cust" in held.value.message
    switch.remove_object("accounts", "new")
    assert switch.put_objects_csv("vendor_gateways", "id,addresses\nv8,127.0.0.1:8\nv9,127.0.0.1:9\n") == (2, 0)
    table = switch.objects_csv("vendor_gateways")
    assert "v8" in table and switch.put_objects_csv("vendor_gateways", table, dry_run=True)[0] == 0
    with pytest.raises(tandem.Error) as column:
        switch.put_objects_csv("vendor_gateways", "id,hue\nv8,1\n")
    assert column.value.code == tandem.ErrorCode.invalid_argument and "hue" in column.value.message
    for gone in ("v8", "v9"):
        switch.remove_object("vendor_gateways", gone)
    assert switch.provision_progress() == {"step": "idle", "done_bytes": 0, "total_bytes": 0}
    switch.put_rates("retail", "prefix,price\n44,1.20\n", memo="dearer")
    switch.put_rates("retail", "prefix,price\n44,2.40\n", valid_from_us=world.wall_us + 60_000_000)
    assert [v["number"] for v in switch.deck_versions("retail") if v["is_active"]] == [2]
    world.run_for_us(61_000_000)
    assert [v["number"] for v in switch.deck_versions("retail") if v["is_active"]] == [3]
    assert switch.deck_diff("retail", 2, 3)["counts"] == {"added": 0, "removed": 0, "changed": 1}
    assert switch.roll_back_deck("retail")["number"] == 2
    assert "1.20" in switch.rates_csv("retail")
    assert switch.schedule_deck("retail", 3, world.wall_us + 60_000_000)["valid_from"] is not None
    assert switch.schedule_deck("retail", 3, None)["valid_from"] is None
    items = feed.take()
    assert items and all(item.event is not None and item.event.kind == "reloaded" for item in items)
    assert switch.counters().event_feeds == 1 and not switch.counters().is_draining
    feed.close()
    assert feed.is_over and switch.counters().event_feeds == 0
    switch.close()


def test_day_files_are_kept(tmp_path: Path) -> None:
    world = sim.World()
    config = sim_config()
    config["cdr"] = {"sinks": [{"type": "sqlite", "path": str(tmp_path / "cdr")}]}
    config["database"] = str(tmp_path / "switch.db")
    with world.create_switch(config) as switch:
        customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
        world.add_endpoint("10.0.0.9:5060")
        call = customer.dial("442079460000", plan=sim.DialPlan(hang_up_after_us=30_000_000))
        assert world.run_until(lambda: call.was_answered, 10_000_000)
        assert world.run_until_idle()
        world.run_for_us(1_000_000)
        (day,) = switch.stored_days()
        assert day["online"] and not day["sealed"] and day["day"] == "2026-01-01"
        switch.start_maintenance("verify", "2026-01-01")
        assert switch.maintenance()["last"]["outcomes"][0] == {
            "act": "verify", "day": "2026-01-01", "done": True, "put_off": False, "kept": False, "failure": ""
        }
        with pytest.raises(tandem.Error):
            switch.start_maintenance("dust", "2026-01-01")
        (record,) = switch.cdrs()
        dispute = switch.dispute_record(record.record_id, reason="never called", author="amelia")
        assert dispute["day"] == "2026-01-01" and dispute["resolved_at_us"] is None
        assert switch.disputes(is_open=True) == [dispute]
        with pytest.raises(tandem.Error):
            switch.dispute_record(record.record_id, reason="again")
        assert switch.maintenance_notes(act="verify")[0]["asked"]
    report = tandem.maintain(config, "seal", "2026-01-01")
    assert report["outcomes"][0]["done"]
    (day,) = tandem.stored_days(config)
    assert day["sealed"] and day["records"] == 1
    assert day["columns"] and day["columns_bytes"] > 0
    assert len(tandem.query_cdrs(config, callee="442079460000")) == 1
    assert tandem.maintain(config, "drop_columns", "2026-01-01")["outcomes"][0]["done"]
    assert not tandem.stored_days(config)[0]["columns"]
    assert len(tandem.query_cdrs(config, callee="442079460000")) == 1
    assert tandem.maintain(config, "write_columns", "2026-01-01")["outcomes"][0]["done"]
    assert tandem.stored_days(config)[0]["columns"]
    assert len(tandem.query_cdrs(config, skips_archived=True)) == 1
    assert tandem.query_disputes(config, day="2026-01-01") == [dispute]
    over = tandem.resolve_dispute(config, record.record_id, reason="paid back", author="bo")
    assert (over["resolution"], over["resolver"]) == ("paid back", "bo") and over["resolved_at_us"]
    assert tandem.query_disputes(config, is_open=True) == []
    assert tandem.dispute_record(config, record.record_id, reason="anew", day="2026-01-01")["id"] == 2
    assert [note["act"] for note in tandem.maintenance_notes(config, day="2026-01-01", limit=2)] == [
        "write_columns", "drop_columns"
    ]


def test_a_traced_call_in_virtual_time() -> None:
    world = sim.World()
    with world.create_switch(sim_config()) as switch:
        customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
        world.add_endpoint("10.0.0.9:5060")
        with pytest.raises(tandem.Error):
            switch.start_trace(duration_s=0)
        trace = switch.start_trace(callee="4420", gateway="v1")
        call = customer.dial("442079460000", plan=sim.DialPlan(hang_up_after_us=3_000_000))
        assert world.run_until(lambda: call.was_answered, 10_000_000)
        assert world.run_until_idle()
        (traced,) = switch.traced_calls(trace["id"])
        assert traced["vendor_gateway"] == "v1" and traced["end_reason"] == "NormalCallClearing"
        entries = switch.traced_call(trace["id"], traced["id"])["entries"]
        messages = [entry for entry in entries if entry["kind"] == "message"]
        assert messages[0]["first_line"].startswith("INVITE ") and {m["side"] for m in messages} == {"customer", "vendor"}
        assert "200 OK (BYE)" in switch.traced_ladder(trace["id"], traced["id"])
        assert "v=0" in switch.traced_ladder(trace["id"], traced["id"], messages=True)
        assert switch.traced_pcap(trace["id"], traced["id"])[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4")
        assert switch.stop_trace(trace["id"])["end"] == "stopped"
        assert [one["id"] for one in switch.traces()] == [trace["id"]]
        switch.remove_trace(trace["id"])
        assert switch.traces() == []


def test_a_shadow_in_virtual_time() -> None:
    world = sim.World()
    with world.create_switch(sim_config()) as switch:
        customer = world.add_endpoint("10.0.0.2:5060", peer="10.0.0.1:5060")
        world.add_endpoint("10.0.0.9:5060")
        with pytest.raises(tandem.Error):
            switch.shadow_report()
        switch.start_shadow({"remove": {"vendor_gateways": ["v1"]}})
        call = customer.dial("442079460000", plan=sim.DialPlan(hang_up_after_us=30_000_000))
        assert world.run_until(lambda: call.was_answered, 10_000_000)
        assert world.run_until_idle()
        report = switch.shadow_report()
        assert (report["calls"], report["no_route"], report["answered_lost"]) == (1, 1, 1)
        assert "1 calls" in tandem.shadow_table(report)
        assert switch.stop_shadow()["moves"] == [{"from": "v1", "to": None, "calls": 1}]
