#!/usr/bin/env python3
"""The admin API of a running switch, over real sockets."""
import json
import re
import select
import socket
import unittest

from switch_program import (RunningSwitch, SipEnd, answered_call, base_config, folder, free_port, request, run, until,
                            write_config)


class Admin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = folder()
        path = cls.holder.__enter__()
        cls.sip_port, cls.port = free_port(), free_port()
        cls.vendor = SipEnd()
        cls.config = write_config(path, base_config(cls.sip_port, cls.port, cls.vendor.port))
        cls.switch = RunningSwitch(cls.config)

    @classmethod
    def tearDownClass(cls):
        cls.switch.kill()
        cls.vendor.socket.close()
        cls.holder.__exit__(None, None, None)

    def get(self, path, status=200):
        got, headers, body = request(self.port, "GET", path)
        self.assertEqual(got, status, body)
        self.assertEqual(headers["Content-Type"], "application/json")
        return json.loads(body)

    def error(self, method, path, body, status):
        got, _, text = request(self.port, method, path, body)
        self.assertEqual(got, status, text)
        error = json.loads(text)["error"]
        self.assertEqual(sorted(error), ["code", "message", "pointer"])
        return error

    def test_health(self):
        self.assertEqual(self.get("/healthz")["status"], "ok")

    def test_metrics_are_prometheus_text(self):
        status, headers, body = request(self.port, "GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        known = set()
        for line in body.splitlines():
            if line.startswith("# TYPE "):
                known.add(line.split()[2])
            elif not line.startswith("# HELP "):
                self.assertRegex(line, r'^tandem_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9]+$')
                self.assertIn(re.match(r"[a-z_]+", line).group(), known)
        self.assertIn('tandem_gateway_calls{gateway="v1",kind="vendor"} 0', body)

    def test_lists_are_bare_arrays(self):
        self.assertEqual([a["id"] for a in self.get("/api/v1/accounts")], ["acme", "owed", "poor"])
        self.assertEqual([g["id"] for g in self.get("/api/v1/gateways")], ["cust", "poor-gw", "v1", "v2"])
        self.assertIsInstance(self.get("/api/v1/calls"), list)
        self.assertIsInstance(self.get("/api/v1/cdrs"), list)

    def test_an_account(self):
        self.assertEqual(self.get("/api/v1/accounts/poor")["balance"], "0.00")
        self.error("GET", "/api/v1/accounts/nobody", None, 404)

    def test_phones_and_bans_are_there_without_any(self):
        """O-01, S-08"""
        self.assertEqual(self.get("/api/v1/phones"), [])
        self.error("GET", "/api/v1/phones/1001", None, 404)
        self.assertEqual(self.get("/api/v1/bans"), [])
        self.error("DELETE", "/api/v1/bans/1001@127.0.0.1", None, 404)
        self.error("DELETE", "/api/v1/bans/1001", None, 400)
        self.error("POST", "/api/v1/bans", None, 405)

    def test_payments(self):
        status, _, body = request(self.port, "POST", "/api/v1/accounts/owed/payments",
                                  '{"amount": "5.00", "memo": "thanks"}')
        self.assertEqual((status, json.loads(body)["balance"]), (201, "5.00"))
        status, _, body = request(self.port, "POST", "/api/v1/accounts/owed/payments", '{"amount": "-1.5"}')
        self.assertEqual((status, json.loads(body)["balance"]), (201, "3.50"))
        self.assertEqual(self.get("/api/v1/accounts/owed")["balance"], "3.50")

    def test_bad_payments_point_at_what_is_wrong(self):
        for body, pointer in (('{"amount": "0"}', "/amount"), ('{"amount": "0.00"}', "/amount"),
                              ('{"amount": 5}', "/amount"), ('{"amount": "five"}', "/amount"), ("{}", "/amount"),
                              ('{"amount": "99999999999999"}', "/amount"), ('{"amount": "0.000000001"}', "/amount"),
                              ('{"amount": "90000000000"}', "/amount"), ('{"amount": "1", "memo": 3}', "/memo"),
                              ('{"amount": "1", "a/b": 3}', "/a~1b"), ("[]", ""), ("", ""), ("{", "")):
            with self.subTest(body=body):
                self.assertEqual(self.error("POST", "/api/v1/accounts/poor/payments", body, 400)["pointer"], pointer)
        self.assertEqual(self.get("/api/v1/accounts/poor")["balance"], "0.00")
        self.error("POST", "/api/v1/accounts/nobody/payments", '{"amount": "1"}', 404)

    def pay(self, account, body, status, **headers):
        got, answered, text = request(self.port, "POST", f"/api/v1/accounts/{account}/payments", json.dumps(body),
                                      headers={name.replace("_", "-"): value for name, value in headers.items()})
        self.assertEqual(got, status, text)
        return json.loads(text), answered

    def test_a_payment_with_a_key_is_booked_once(self):
        before = float(self.get("/api/v1/accounts/acme")["balance"])
        body = {"amount": "2.00", "memo": "bank", "kind": "payment", "reference": "invoice 7", "id": "once"}
        first, headers = self.pay("acme", body, 201)
        self.assertNotIn("Idempotency-Replayed", headers)
        for _ in range(3):
            again, headers = self.pay("acme", body, 201)
            self.assertEqual((again, headers["Idempotency-Replayed"]), (first, "true"))
        self.pay("acme", {k: v for k, v in body.items() if k != "id"}, 201, Idempotency_Key="once")
        self.assertEqual(float(self.get("/api/v1/accounts/acme")["balance"]), before + 2)
        for other in ({"amount": "3.00"}, {"memo": "cash"}, {"reference": ""}):
            refused, _ = self.pay("acme", {**body, **other}, 409)
            self.assertEqual((refused["error"]["code"], refused["error"]["pointer"]), ("already_exists", "/id"))
        self.pay("poor", body, 409)
        self.pay("acme", body, 400, Idempotency_Key="twice")
        self.pay("acme", {"amount": "1"}, 400, Idempotency_Key="tandem:mine")
        self.assertEqual(float(self.get("/api/v1/accounts/acme")["balance"]), before + 2)

    def test_kinds_of_payments_have_their_sign(self):
        for body, pointer in (({"amount": "1", "kind": "package_rent"}, "/amount"),
                              ({"amount": "-1", "kind": "payment"}, "/amount"),
                              ({"amount": "1", "kind": "zeroing"}, "/amount"),
                              ({"amount": "-1", "kind": "charge"}, "/kind"), ({"amount": "1", "kind": "gift"}, "/kind"),
                              ({"amount": "1", "id": "tandem:x"}, "/id"), ({"amount": "1", "id": 7}, "/id"),
                              ({"amount": "1", "covered_only": 1}, "/covered_only"),
                              ({"amount": "1", "reference": "r" * 129}, "/reference")):
            with self.subTest(body=body):
                refused, _ = self.pay("poor", body, 400)
                self.assertEqual(refused["error"]["pointer"], pointer)
        refused, _ = self.pay("poor", {"amount": "-1", "kind": "phone_rent", "covered_only": True}, 409)
        self.assertEqual(refused["error"]["pointer"], "/amount")

    def test_the_ledger_of_an_account(self):
        for amount in ("1.00", "-0.25", "4.00"):
            self.pay("acme", {"amount": amount, "reference": "row"}, 201)
        balance = self.get("/api/v1/accounts/acme")["balance"]
        rows = until(lambda: [r for r in self.get("/api/v1/accounts/acme/ledger") if r["balance"] == balance] and
                     self.get("/api/v1/accounts/acme/ledger"), "the ledger has the payments")
        self.assertEqual([(r["kind"], r["amount"]) for r in rows[:3]],
                         [("payment", "4.00"), ("deduction", "-0.25"), ("payment", "1.00")])
        self.assertEqual(rows[0]["balance"], balance)
        self.assertEqual(rows[-1]["kind"], "opening")
        page = self.get(f"/api/v1/accounts/acme/ledger?limit=1&before={rows[0]['id']}")
        self.assertEqual(page, [rows[1]])
        self.assertEqual(self.get("/api/v1/accounts/acme/ledger?until=2020-01-01"), [])
        for query, pointer in (("limit=0", "/limit"), ("before=x", "/before"), ("who=1", "/who"), ("since=no", "/since"),
                               ("limit=1&limit=2", "/limit")):
            with self.subTest(query=query):
                self.assertEqual(self.error("GET", "/api/v1/accounts/acme/ledger?" + query, None, 400)["pointer"], pointer)
        self.error("GET", "/api/v1/accounts/nobody/ledger", None, 404)
        self.error("POST", "/api/v1/accounts/acme/ledger", "{}", 405)

    def test_packages_are_ordered_and_listed(self):
        got, _, text = request(self.port, "PUT", "/api/v1/packages/ten", json.dumps(
            {"rent_type": "month", "rent_fee": "0.10", "gift_times": [{"prefixes": ["44"], "seconds": 600}]}))
        self.assertEqual(got, 201, text)
        self.assertEqual(self.get("/api/v1/accounts/acme/packages"), [])
        order = json.dumps({"id": "acme-ten", "package": "ten"})
        got, _, text = request(self.port, "POST", "/api/v1/accounts/acme/packages", order)
        self.assertEqual(got, 201, text)
        period, = until(lambda: self.get("/api/v1/accounts/acme/packages"), "the package has begun")
        self.assertEqual((period["order"], period["package"], period["account"], period["rent"]),
                         ("acme-ten", "ten", "acme", "0.10"))
        self.assertEqual(period["gift_times"][0]["left_s"], 600)
        until(lambda: [r for r in self.get("/api/v1/accounts/acme/ledger")
                       if (r["kind"], r["amount"], r["reference"]) == ("package_rent", "-0.10", "acme-ten")],
              "the rent is in the ledger")
        self.error("POST", "/api/v1/accounts/acme/packages", order, 409)
        got, _, text = request(self.port, "POST", "/api/v1/accounts/acme/packages",
                               json.dumps({"id": "x", "package": "none"}))
        self.assertEqual((got, json.loads(text)["error"]["pointer"]), (400, "/package"))
        self.error("GET", "/api/v1/accounts/nobody/packages", None, 404)
        shown = [json.loads(line) for line in
                 run("report", "packages", "--config", self.config, "--account", "acme").stdout.splitlines()]
        self.assertEqual([p["order"] for p in shown], ["acme-ten"])

        phone = json.dumps({"number": "1777", "password": "secret", "account": "acme"})
        self.assertEqual(request(self.port, "PUT", "/api/v1/phones/1777", phone)[0], 201)
        self.assertEqual(self.get("/api/v1/phones/1777/packages"), [])
        order = json.dumps({"id": "phone-ten", "package": "ten"})
        got, _, text = request(self.port, "POST", "/api/v1/phones/1777/packages", order)
        self.assertEqual(got, 201, text)
        period, = until(lambda: self.get("/api/v1/phones/1777/packages"), "the phone's package has begun")
        self.assertEqual((period["order"], period["phone"], period["account"]), ("phone-ten", "1777", "acme"))
        self.assertEqual([p["order"] for p in self.get("/api/v1/accounts/acme/packages")], ["acme-ten", "phone-ten"])
        self.error("POST", "/api/v1/phones/1777/packages", order, 409)
        self.assertEqual(request(self.port, "DELETE", "/api/v1/phones/1777")[0], 409)
        for path, status in (("package_orders/phone-ten", 204), ("phones/1777", 204)):
            self.assertEqual(request(self.port, "DELETE", "/api/v1/" + path)[0], status)
        self.error("GET", "/api/v1/phones/1777/packages", None, 404)

    def test_reports(self):
        row, = [r for r in self.get("/api/v1/reports/margin?sell=retail&buy=buy") if r["prefix"] == "44"]
        self.assertIn("margin_percent", row)
        self.assertEqual(self.get("/api/v1/reports/rerate?deck=retail&account=nobody")["accounts"], [])
        self.assertEqual(self.get("/api/v1/reports/ledger-check")["differences"], [])
        for query, pointer in (("margin?sell=retail", "/buy"), ("margin?buy=buy", "/sell"), ("rerate", "/deck"),
                               ("rerate?deck=retail&side=agent", "/side"), ("rerate?deck=retail&since=x", "/since"),
                               ("margin?sell=a&buy=b&wat=1", "/wat"), ("ledger-check?limit=1", "/limit"),
                               ("rerate?deck=nothing", ""), ("margin?sell=nothing&buy=buy", "")):
            with self.subTest(query=query):
                self.assertEqual(self.error("GET", "/api/v1/reports/" + query, None, 400)["pointer"], pointer)
        self.error("GET", "/api/v1/reports/profit", None, 404)
        self.error("POST", "/api/v1/reports/margin?sell=retail&buy=buy", "{}", 405)

    def post(self, path, body, status):
        got, headers, text = request(self.port, "POST", path, json.dumps(body))
        self.assertEqual(got, status, text)
        return json.loads(text), headers

    def test_calls_of_other_systems_are_corrected_and_rated_anew(self):
        call = {"flow_number": "pbx-1", "customer_gateway": "cust", "vendor_gateway": "v1", "callee": "441",
                "started_at": "2020-01-01T12:00:00Z", "answered_at": "2020-01-01T12:00:00Z",
                "ended_at": "2020-01-01T12:01:10Z"}
        made, _ = self.post("/api/v1/cdrs", call, 201)
        record = made["record_id"]
        self.assertEqual(made["cdr"]["charge"], "1.20")
        self.assertEqual(self.post("/api/v1/cdrs", call, 200)[0],
                         {"record_id": record, "repeated": True, "cdr": None})
        self.assertEqual(self.error("POST", "/api/v1/cdrs", json.dumps({**call, "callee": 1}), 400)["pointer"],
                         "/callee")

        day = "since=2020-01-01&until=2020-01-02"
        self.assertTrue(until(lambda: self.get("/api/v1/cdrs?" + day), "the record is stored"))
        totals = self.get("/api/v1/interconnect/totals?gateway=v1&" + day)
        self.assertEqual(totals, {"calls": 1, "answered": 1, "billed_time_s": 70, "charge": "0.233333",
                                  "currency": "USD"})
        self.assertEqual(self.error("GET", "/api/v1/interconnect/totals?gateway=v1&since=2020-01-01", None,
                                    400)["pointer"], "/until")
        self.assertEqual(self.get("/api/v1/interconnect/checks"), [])

        path = f"/api/v1/cdrs/{record}/corrections"
        body = {"customer": {"charge": "0.90"}, "reason": "ticket 7", "author": "ann", "id": "ticket-7"}
        self.post(path, {**body, "dry_run": True}, 200)
        before = self.get("/api/v1/accounts/acme")["balance"]
        correction, _ = self.post(path, body, 201)
        self.assertEqual(correction["sides"][0]["difference"], "0.30")
        repeated, headers = self.post(path, body, 201)
        self.assertEqual((repeated["id"], repeated["repeated"]), (correction["id"], True))
        self.assertEqual(headers["Idempotency-Replayed"], "true")
        after = self.get("/api/v1/accounts/acme")["balance"]
        self.assertAlmostEqual(float(after) - float(before), 0.30)
        row, = self.get("/api/v1/cdrs?" + day)
        self.assertEqual((row["charge"], row["corrected"], row["original"]["charge"]), ("0.90", True, "1.20"))
        self.assertTrue(until(lambda: self.get(f"/api/v1/corrections?record={record}"), "the correction is kept"))
        self.assertEqual(self.error("POST", path, json.dumps({**body, "reason": ""}), 400)["code"],
                         "invalid_argument")
        self.assertEqual(self.error("POST", path, json.dumps({"reason": "x", "vendor": {"charge": 1}}), 400)["pointer"],
                         "/vendor/charge")
        self.error("POST", "/api/v1/cdrs/999999999/corrections", json.dumps(body | {"id": "other"}), 404)
        self.error("POST", path, json.dumps({**body, "id": ""}), 409)

        marks = f"/api/v1/cdrs/{record}/dispute"
        dispute, _ = self.post(marks, {"reason": "never called", "author": "amelia"}, 201)
        self.assertEqual((dispute["record_id"], dispute["author"], dispute["resolved_at_us"]), (record, "amelia", None))
        self.error("POST", marks, json.dumps({"reason": "again"}), 409)
        self.assertEqual(self.error("POST", marks, json.dumps({"reason": 1}), 400)["pointer"], "/reason")
        self.error("POST", "/api/v1/cdrs/999999999/dispute", json.dumps({"reason": "x"}), 404)
        self.assertEqual(self.get(f"/api/v1/disputes?record={record}&open=yes"), [dispute])
        self.assertEqual(self.error("GET", "/api/v1/disputes?open=perhaps", None, 400)["pointer"], "/open")
        done = run("dispute", "list", "--config", self.config, "--day", dispute["day"], "--open", "yes")
        self.assertEqual([json.loads(line) for line in done.stdout.splitlines()], [dispute], done.stderr)
        over, _ = self.post(f"/api/v1/cdrs/{record}/resolution", {"reason": "paid back", "author": "bo"}, 200)
        self.assertEqual((over["resolution"], over["resolver"]), ("paid back", "bo"))
        self.error("POST", f"/api/v1/cdrs/{record}/resolution", json.dumps({"reason": "again"}), 404)
        self.assertEqual(self.get("/api/v1/disputes?open=yes"), [])

        rerate = "/api/v1/reports/rerate?deck=buy&" + day

        def run_job(body):
            """What a re-rating answers once it is done."""
            status, headers, answer = request(self.port, "POST", rerate, json.dumps(body))
            self.assertIn(status, (200, 202), answer)
            place = headers["Location"]
            until(lambda: request(self.port, "GET", place)[0] == 200, "the job is over")
            job = self.get(place)
            self.assertEqual((job["state"], job["failure"], job["looked_at"]), ("done", "", 1))
            self.assertEqual((job["deck"], job["corrected"]), ("buy", job["result"]["corrected"]))
            self.assertEqual(request(self.port, "DELETE", place)[0], 200)  # it is over: nothing happens
            return job["result"]

        settled = run_job({"reason": "new list"})  # by hand: left alone
        self.assertEqual((settled["corrected"], settled["refused"]), (0, 0))
        self.assertEqual(settled["accounts"][0]["not_rated"], 1)
        rerate += "&settled=true"
        announced = run_job({"reason": "new list"})
        applied = run_job({"reason": "new list", "dry_run": False})
        self.assertEqual((announced["dry_run"], announced["corrected"]), (True, 1))
        self.assertEqual(announced["accounts"], applied["accounts"])
        again = run_job({"reason": "new list", "dry_run": False})
        self.assertEqual(again["corrected"], 0)
        self.assertEqual(self.error("POST", rerate, "{}", 400)["pointer"], "/reason")
        self.error("GET", "/api/v1/rerate-jobs/1", None, 404)
        done = run("report", "rerate", "--config", self.config, "--deck", "buy", "--settled", "--apply", "--dry-run",
                   "--reason", "again", "--since", "2020-01-01", "--until", "2020-01-02")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((json.loads(done.stdout)["dry_run"], json.loads(done.stdout)["corrected"]), (True, 0))
        self.assertEqual(self.get("/api/v1/reports/ledger-check")["differences"], [])

        done = run("correct", str(record), "--config", self.config, "--charge", "1.00", "--reason", "by hand")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["sides"][0]["charge"], "1.00")
        until(lambda: len(run("report", "corrections", "--config", self.config, "--record", str(record)).stdout
                          .splitlines()) == 3, "all corrections are kept")
        done = run("cdr", "--config", self.config, "--since", "2020-01-01", "--until", "2020-01-02", "--format", "json")
        self.assertEqual(json.loads(done.stdout)["original"]["corrections"], 3)
        # The other tests look at balances.
        self.post(path, {"customer": {"charge": "0"}, "vendor": {"charge": "0"}, "reason": "as it was"}, 201)

    def test_a_call_is_seen_and_disconnected(self):
        with SipEnd() as caller:
            answered_call(caller, self.vendor, self.sip_port, call_id="seen")
            call, = until(lambda: [c for c in self.get("/api/v1/calls") if c["state"] == "answered"], "the call is up")
            self.assertEqual((call["customer_gateway"], call["vendor_gateway"], call["callee"]),
                             ("cust", "v1", "442079460000"))
            self.assertIn("media", call)
            self.assertEqual({g["id"]: g["calls"] for g in self.get("/api/v1/gateways")}["v1"], 1)
            status, _, body = request(self.port, "DELETE", f"/api/v1/calls/{call['id']}")
            self.assertEqual((status, body), (204, ""))
            for end in (self.vendor, caller):
                bye, source = end.receive("BYE ")
                end.answer(bye, source, 200, "OK")
        until(lambda: not self.get("/api/v1/calls"), "the call is gone")
        self.error("DELETE", f"/api/v1/calls/{call['id']}", None, 404)
        record, = until(lambda: self.get("/api/v1/cdrs?caller=1212*&callee=442079460000&reason=AdminDisconnect&limit=1"),
                        "its record")
        self.assertEqual((record["call_id"], record["release_side"]), ("seen", "server"))
        self.assertEqual(self.get(f"/api/v1/cdrs?before={record['record_id']}"), [])
        self.assertIn(record, self.get(f"/api/v1/cdrs?before={2**64 - 1}"))
        for query, count in (("customer_gateway=cust", 1), ("customer_gateway=nobody", 0), ("answered=yes", 1),
                             ("answered=no", 0), ("callee_billing=44*", 1), ("talk_min_ms=3600000", 0)):
            self.assertEqual(len(self.get("/api/v1/cdrs?call_id=seen&" + query)),
                             count, query)
        row, = self.get("/api/v1/reports/customer-gateways?call_id=seen")
        self.assertEqual((row["gateway"], row["attempts"], row["answered"], row["asr_percent"], row["reasons"]),
                         ("cust", 1, 1, "100.00", "AdminDisconnect:1"))
        row, = self.get("/api/v1/reports/vendor-gateways?call_id=seen&by=day")
        self.assertEqual((row["gateway"], row["attempts"]), ("v1", 1))
        row, = self.get("/api/v1/reports/calls?call_id=seen")
        self.assertIn("v1 200 ", row["ladder"])
        status, headers, body = request(self.port, "GET", "/api/v1/reports/days?format=csv&call_id=seen")
        self.assertEqual((status, body.splitlines()[0][:21]), (200, "day,hour,attempts,ans"))
        done = run("report", "account-statement", "--config", self.config, "--call-id", "seen", "--format", "json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual([(r["account"], r["calls"]) for r in json.loads(done.stdout)], [("acme", 1)])
        done = run("report", "failures", "--config", self.config, "--since", "2026-01-01", "--until", "2026-01-02")
        self.assertEqual((done.returncode, done.stdout.split()), (0, ["GATEWAY", "REASON", "COUNT", "SHARE_PERCENT",
                                                                     "SAMPLES"]))
        done = run("journal", "--config", self.config, "--format", "json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        check = json.loads(done.stdout)
        self.assertTrue(check["ok"] and sum(segment["ends"] for segment in check["segments"]) >= 1, check)
        done = run("cdr", "--config", self.config, "--call-id", "seen", "--free", "maybe")
        self.assertEqual(done.returncode, 2, done.stderr)

    def test_bad_queries_point_at_the_parameter(self):
        for query, pointer in (("limit=0", "/limit"), ("limit=x", "/limit"), ("since=soon", "/since"),
                               ("reason=Bored", "/reason"), ("colour=red", "/colour"), ("limit=1&limit=2", "/limit"),
                               ("before=-1", "/before")):
            self.assertEqual(self.error("GET", "/api/v1/cdrs?" + query, None, 400)["pointer"], pointer)
        for query, pointer in (("by=week", "/by"), ("side=left", "/side"), ("format=xml", "/format"),
                               ("colour=red", "/colour"), ("acd_factor=1", "/acd_factor")):
            self.assertEqual(self.error("GET", "/api/v1/reports/areas?" + query, None, 400)["pointer"], pointer)
        self.error("GET", "/api/v1/reports/nonsense", None, 404)
        self.get("/api/v1/cdrs?since=2026-01-01&until=2036-01-01T00:00:00+02:00")

    def test_explain(self):
        status, _, body = request(self.port, "POST", "/api/v1/explain", json.dumps(
            {"from": "cust", "caller": "1", "callee": "442079460000", "at": None}))
        self.assertEqual(status, 200, body)
        self.assertEqual(json.loads(body)["candidates"][0]["gateway"], "v1")
        error = self.error("POST", "/api/v1/explain", '{"from": "cust", "caller": "1"}', 400)
        self.assertEqual(error["pointer"], "/callee")
        error = self.error("POST", "/api/v1/explain", '{"from": "none", "caller": "1", "callee": "2"}', 404)
        self.assertEqual(error["pointer"], "/from")

    def test_explain_by_parameters(self):
        question = "/api/v1/explain?from=cust&caller=1&callee=442079460000"
        self.assertEqual(self.get(question)["candidates"][0]["gateway"], "v1")
        status, _, table = request(self.port, "GET", question + "&format=table")
        self.assertEqual(status, 200, table)
        self.assertIn("v1", table)
        for query, status, pointer in (("from=cust&caller=1", 400, "/callee"), ("from=none&caller=1&callee=2", 404, "/from"),
                                       ("from=cust&caller=1&callee=2&calle=3", 400, "/calle"),
                                       ("from=cust&caller=1&callee=2&callee=3", 400, "/callee"),
                                       ("from=cust&caller=1&callee=2&at=noon", 400, "/at"),
                                       ("from=cust&caller=1&callee=2&format=csv", 400, "/format")):
            self.assertEqual(self.error("GET", "/api/v1/explain?" + query, None, status)["pointer"], pointer)

    def test_maintenance(self):
        found = self.get("/api/v1/maintenance")
        self.assertEqual((found["state"]["scheduled"], found["state"]["running"]), (False, False))
        self.assertIsInstance(found["days"], list)
        runs = found["state"]["runs"]
        status, headers, body = request(self.port, "POST", "/api/v1/maintenance/run", b"")
        self.assertEqual((status, headers["Location"]), (202, "/api/v1/maintenance"), body)
        state = until(lambda: (lambda s: not s["running"] and s["runs"] > runs and s)(self.get("/api/v1/maintenance")["state"]),
                      "the run ended")
        self.assertEqual([o for o in state["last"]["outcomes"] if o["failure"] and not o["put_off"]], [])
        self.error("POST", "/api/v1/maintenance/2026-01-01/run", b"", 404)
        self.error("POST", "/api/v1/maintenance/seal", b"", 404)
        self.assertIsInstance(self.get("/api/v1/maintenance/acts?act=remove&limit=5"), list)
        self.assertEqual(self.error("GET", "/api/v1/maintenance/acts?limit=0", None, 400)["pointer"], "/limit")
        self.error("POST", "/api/v1/maintenance/soon/seal", b"", 400)
        self.error("POST", "/api/v1/maintenance/soon/write_columns", b"", 400)
        self.error("POST", "/api/v1/maintenance/soon/columns", b"", 404)
        status, headers, _ = request(self.port, "DELETE", "/api/v1/maintenance")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        page = request(self.port, "GET", "/metrics")[2]
        self.assertIn("tandem_maintenance_runs_total", page)
        for sink in ("ledger", "sqlite"):
            self.assertRegex(page, r'\ntandem_sink_records_waiting\{sink="%s[^"]*"\} \d+\n' % sink)

    def test_shadow(self):
        self.error("GET", "/api/v1/shadow", None, 404)
        self.error("DELETE", "/api/v1/shadow", None, 404)
        self.assertEqual(self.error("POST", "/api/v1/shadow", '{"remove": {"nothing": []}}', 400)["pointer"],
                         "/remove/nothing")
        self.assertEqual(self.error("POST", "/api/v1/shadow", '{"decks": [{"id": "x", "version": 1}]}', 404)["pointer"], "")
        status, _, body = request(self.port, "POST", "/api/v1/shadow", '{"remove": {"vendor_gateways": ["v1"]}}')
        self.assertEqual(status, 201, body)
        self.assertEqual(json.loads(body)["calls"], 0)
        self.error("POST", "/api/v1/shadow", "{}", 409)
        with SipEnd() as caller:
            final = answered_call(caller, self.vendor, self.sip_port, call_id="shadowed")
            caller.in_dialog("BYE", 2, final, self.sip_port, "byeshadowed")
            bye, source = self.vendor.receive("BYE ")
            self.vendor.answer(bye, source, 200, "OK")
            caller.receive(r"SIP/2\.0 200")
        report = until(lambda: (lambda r: r["calls"] and r)(self.get("/api/v1/shadow")), "the shadow routed the call")
        self.assertEqual((report["no_route"], report["answered_lost"]), (1, 1))
        self.assertEqual(report["moves"], [{"from": "v1", "to": None, "calls": 1}])
        program = run("shadow", "report", "--config", self.switch.config_path)
        self.assertEqual((program.returncode, program.stderr), (0, ""))
        self.assertIn("1 calls, 0 to another first vendor, 1 without one", program.stdout)
        stopped = run("shadow", "stop", "--config", self.switch.config_path, "--format", "json")
        self.assertEqual(json.loads(stopped.stdout)["calls"], 1)
        for words in (["report"], ["stop"], ["start", "--deck", "none", "--version", "1"]):
            done = run("shadow", *words, "--config", self.switch.config_path)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1), words)

    def events(self, query=""):
        """An open stream: the connection, and a function that reads the next (topic, data)."""
        connection = socket.create_connection(("127.0.0.1", self.port), 20)
        connection.sendall(f"GET /api/v1/events{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        lines = connection.makefile("r", encoding="utf-8", newline="\n")
        self.assertIn(" 200 ", lines.readline())
        while lines.readline() != "\r\n":
            pass
        self.assertTrue(lines.readline().startswith(":"))

        def following():
            topic = None
            for line in lines:
                if line.startswith("event: "):
                    topic = line[7:].strip()
                elif line.startswith("data: "):
                    return topic, json.loads(line[6:])
            raise AssertionError("the stream ended")
        return connection, following

    def test_events_reach_every_watcher(self):
        connections, readers = zip(*(self.events(query) for query in ("", "?topic=call&topic=alarm", "?topic=alarm")))
        try:
            with SipEnd() as caller:
                final = answered_call(caller, self.vendor, self.sip_port, call_id="watched")
                caller.in_dialog("BYE", 2, final, self.sip_port, "byewatched")
                bye, source = self.vendor.receive("BYE ")
                self.vendor.answer(bye, source, 200, "OK")
            for following in readers[:2]:
                seen = []
                while not seen or seen[-1]["type"] != "call_ended":
                    topic, data = following()
                    self.assertEqual(topic, "call")
                    self.assertGreater(data["at_us"], 0)
                    seen.append(data)
                self.assertEqual([event["type"] for event in seen],
                                 ["call_started", "call_ringing", "call_answered", "call_ended"])
                self.assertEqual(len({event["id"] for event in seen}), 1)
                self.assertEqual(seen[-1]["cdr"]["call_id"], "watched")
            _, _, metrics = request(self.port, "GET", "/metrics")
            self.assertIn("tandem_http_streams 3\n", metrics)
            self.assertIn("tandem_feed_events_lost_total 0\n", metrics)
        finally:
            for connection in connections:
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()
        until(lambda: "tandem_event_feeds 0\n" in request(self.port, "GET", "/metrics")[2], "the feeds are gone")

    def test_streams_of_events_are_bounded(self):
        self.assertEqual(self.error("GET", "/api/v1/events?topic=weather", None, 400)["pointer"], "/topic")
        self.assertEqual(self.error("GET", "/api/v1/events?colour=red", None, 400)["pointer"], "/colour")
        connections = []
        try:
            for _ in range(16):
                connections.append(self.events()[0])
            self.assertEqual(self.error("GET", "/api/v1/events", None, 503)["code"], "limit")
        finally:
            for connection in connections:
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()
        until(lambda: "tandem_http_streams 0\n" in request(self.port, "GET", "/metrics")[2], "the streams are gone")

    def test_methods_and_paths(self):
        self.error("GET", "/", None, 404)
        self.error("GET", "/api/v1/nonsense", None, 404)
        self.error("GET", "/api/v1/calls/1/2", None, 404)
        self.error("DELETE", "/api/v1/calls/abc", None, 404)
        for method, path, allow in (("POST", "/api/v1/calls", "GET, HEAD"), ("DELETE", "/api/v1/explain", "GET, HEAD, POST"),
                                    ("DELETE", "/healthz", "GET, HEAD")):
            status, headers, _ = request(self.port, method, path, b"" if method == "POST" else None)
            self.assertEqual((status, headers["Allow"]), (405, allow))

    def test_head_has_the_length_and_no_body(self):
        connection = socket.create_connection(("127.0.0.1", self.port), 20)
        with connection:
            connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
            text = b""
            while b"no such resource" not in text:
                text += connection.recv(65536)
        head, _, rest = text.partition(b"\r\n\r\n")
        self.assertIn(b"200 OK", head)
        self.assertRegex(head, rb"Content-Length: [1-9]")
        self.assertTrue(rest.startswith(b"HTTP/1.1 404"))

    def raw(self, text):
        """Sends bytes, reads until the server closes or a response is there."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as connection:
            connection.sendall(text)
            return connection.recv(65536).decode()

    def test_what_is_no_request_is_refused(self):
        host = b"Host: localhost\r\n"
        for text, status in ((b"nonsense\r\n\r\n", 400), (b"GET / HTTP/2.0\r\n" + host + b"\r\n", 505),
                             (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET  / HTTP/1.1\r\n" + host + b"\r\n", 400),
                             (b"POST / HTTP/1.1\r\n" + host + b"\r\n", 411),
                             (b"POST / HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
                             (b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 2000000\r\n\r\n", 413),
                             (b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
                             (b"GET / HTTP/1.1\r\n" + host + b"X: " + b"a" * 17000 + b"\r\n\r\n", 431),
                             (b"GET / HTTP/1.1\r\n" + host + b"X : a\r\n\r\n", 400),
                             (b"GET /%zz HTTP/1.1\r\n" + host + b"\r\n", 400)):
            with self.subTest(text=text[:60]):
                self.assertTrue(self.raw(text).startswith(f"HTTP/1.1 {status} "), self.raw(text))

    def test_a_body_that_nests_without_end_is_refused(self):
        deep = "[" * 500_000 + "]" * 500_000
        for method, path, body in (("POST", "/rate_decks/retail/rollback", '{"version":%s}'),
                                   ("PUT", "/accounts", '[{"id":"x","memo":%s}]'),
                                   ("PUT", "/accounts/x", '{"memo":%s}'), ("PUT", "/rate_decks/retail/rates", "%s"),
                                   ("POST", "/accounts/acme/payments", '{"amount":%s}')):
            with self.subTest(path=path):
                status, _, text = request(self.port, method, "/api/v1" + path, body % deep)
                self.assertEqual(status, 400, text)
                self.assertIn("deeper than 64 levels at line 1, column ", json.loads(text)["error"]["message"])
        self.assertTrue(self.alive())

    def test_pages_of_other_sites_cannot_reach_it(self):
        self.assertEqual(request(self.port, "GET", "/api/v1/calls", headers={"Host": "evil.example"})[0], 403)
        self.assertEqual(request(self.port, "POST", "/api/v1/accounts/acme/payments", '{"amount": "1"}',
                                 {"Origin": "http://evil.example"})[0], 403)

    def test_many_connections_are_bounded(self):
        connections = []
        try:
            for _ in range(80):
                connections.append(socket.create_connection(("127.0.0.1", self.port), 20))
            # Connections of earlier requests may still be closing, so which of these are refused is open.
            closed = select.poll()
            for connection in connections:
                closed.register(connection, select.POLLIN)
            until(lambda: len(closed.poll(0)) >= 16, "the surplus is closed")
            self.assertLess(len(closed.poll(0)), 40)
            self.assertTrue(self.alive(), "those who say nothing keep nobody out")
        finally:
            for connection in connections:
                connection.close()
        until(lambda: self.alive(), "the server answers again")

    def alive(self):
        try:
            return request(self.port, "GET", "/healthz")[0] == 200
        except OSError:
            return False


class Token(unittest.TestCase):
    def test_everything_but_health_needs_it(self):
        with folder() as path:
            port = free_port()
            config = base_config(free_port(), port)
            config["admin"]["token"] = "s3cret"
            file = write_config(path, config)
            self.assertEqual(run("accounts", "--config", file).returncode, 1, "nobody answers yet")
            with RunningSwitch(file):
                for command in ("accounts", "gateways", "calls"):
                    done = run(command, "--config", file)
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    self.assertIsInstance(json.loads(done.stdout), list)
                config["admin"]["token"] = "old"
                done = run("calls", "--config", write_config(path, config, "old.json"))
                self.assertEqual(done.returncode, 1)
                self.assertIn("unauthorized", done.stderr)
                del config["admin"]
                self.assertEqual(run("calls", "--config", write_config(path, config, "none.json")).returncode, 2)
                self.assertEqual(request(port, "GET", "/healthz")[0], 200)
                for credentials in (None, "Bearer wrong!", "Bearer s3cre", "Basic s3cret", "s3cret"):
                    headers = {"Authorization": credentials} if credentials else {}
                    status, answer, _ = request(port, "GET", "/api/v1/calls", headers=headers)
                    self.assertEqual((status, answer["WWW-Authenticate"]), (401, "Bearer"))
                    self.assertEqual(request(port, "GET", "/metrics", headers=headers)[0], 401)
                self.assertEqual(request(port, "GET", "/metrics", headers={"Authorization": "Bearer s3cret"})[0], 200)
                self.assertEqual(request(port, "GET", "/api/v1/calls", headers={
                    "Authorization": "bearer s3cret", "Host": "switch.example"})[0], 200)


if __name__ == "__main__":
    unittest.main()
