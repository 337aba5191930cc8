#!/usr/bin/env python3
"""The commands that need no running switch: check, explain, rate, cdr, and how the program is used."""
import copy
import json
import os
import unittest
import wave

from switch_program import SOURCE, base_config, folder, run, write_config


class Usage(unittest.TestCase):
    def test_bad_usage_is_status_2_with_one_line(self):
        for words in ([], ["nonsense"], ["run"], ["check", "--config"], ["check", "--config", "a", "--config", "b"],
                      ["check", "stray"], ["rate", "--config", "x", "--deck", "d", "--callee", "1"],
                      ["cdr", "--config", "x", "--limit", "0"], ["cdr", "--config", "x", "--limit", "ten"],
                      ["cdr", "--config", "x", "--format", "xml"], ["cdr", "--config", "x", "--since", "yesterday"],
                      ["explain", "--config", "x", "--from", "a", "--caller", "1"], ["check", "--config", "x", "--wat"],
                      ["shadow", "--config", "x"], ["shadow", "look", "--config", "x"],
                      ["shadow", "start", "--config", "x"], ["shadow", "start", "--config", "x", "--deck", "d"],
                      ["shadow", "start", "--config", "x", "--file", "/nonexistent/plan.json"]):
            with self.subTest(words=words):
                done = run(*words)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_help_and_version_are_good(self):
        for word in ("help", "--help", "--version"):
            done = run(word)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout)

    def test_configuration_that_is_not_there(self):
        for command in (["check"], ["run"], ["cdr"], ["rate", "--deck", "d", "--callee", "1", "--seconds", "1"],
                        ["explain", "--from", "a", "--caller", "1", "--callee", "2"]):
            done = run(*command, "--config", "/nonexistent/x.json")
            self.assertEqual(done.returncode, 2)
            self.assertIn("/nonexistent/x.json", done.stderr)


class Check(unittest.TestCase):
    def check(self, change):
        """Error lines as (pointer, message) after `change(config)`."""
        with folder() as path:
            config = base_config()
            changed = change(config, path)
            file = write_config(path, changed if changed is not None else config)
            done = run("check", "--config", file)
            if done.returncode == 0:
                self.assertEqual(done.stderr, "")
                return []
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stdout, "")
            lines = []
            for line in done.stderr.splitlines():
                self.assertTrue(line.startswith(file + ":"), line)
                pointer, _, message = line[len(file):].partition(": ")
                lines.append((pointer.lstrip(":"), message))
            return lines

    def pointers(self, change):
        return [pointer for pointer, _ in self.check(change)]

    def test_good(self):
        self.assertEqual(self.check(lambda c, p: None), [])

    def test_what_is_hardly_meant_is_a_warning(self):
        with folder() as path:
            config = base_config()
            config["provision"]["customer_gateways"][0]["min_profit_percent"] = 10
            for vendor in config["provision"]["vendor_gateways"]:
                vendor["require_rate"] = True
            file = write_config(path, config)
            self.assertEqual(run("check", "--config", file).stderr, "")
            del config["provision"]["vendor_gateways"][0]["require_rate"]
            write_config(path, config)
            done = run("check", "--config", file)
            self.assertEqual((done.returncode, done.stdout), (0, file + ": good\n"))
            self.assertIn(file + ":/provision/vendor_gateways/0/require_rate: warning: ", done.stderr)

    def test_a_name_that_stands_for_nothing_is_a_warning(self):
        with folder() as path:
            config = base_config()
            hosts = os.path.join(path, "hosts")
            with open(hosts, "w") as out:
                out.write("127.0.0.9 carrier.test  # ours\n")
            config["dns"] = {"servers": ["127.0.0.1:1"], "hosts_file": hosts, "rounds": 1}
            config["provision"]["vendor_gateways"][0]["addresses"] = ["carrier.test"]
            file = write_config(path, config)
            self.assertEqual(run("check", "--config", file).stderr, "")
            explained = run("explain", "--config", file, "--from", "cust", "--caller", "1", "--callee", "441632960000")
            candidate, = json.loads(explained.stdout)["candidates"]
            self.assertEqual((candidate["address"], candidate["name"]), ("127.0.0.9:5060", "carrier.test"))
            config["provision"]["vendor_gateways"][0]["addresses"] = ["other.test"]
            write_config(path, config)
            done = run("check", "--config", file)
            self.assertEqual((done.returncode, done.stdout), (0, file + ": good\n"))
            self.assertIn(file + ':/provision/vendor_gateways/0/addresses/0: warning: name "other.test" did not resolve',
                          done.stderr)

    def test_sounds_that_are_not_there(self):
        """M-14: without a word of a voice the switch runs, without the sound of a prompt it does not."""
        with folder() as path:
            config = base_config()
            config["provision"]["voices"] = [{"id": "en", "folder": "sounds"}]
            config["parameters"] = {**config.get("parameters", {}), "language": "en", "announce_remaining": "minutes"}
            file = write_config(path, config)
            done = run("check", "--config", file)
            self.assertEqual((done.returncode, done.stdout), (0, file + ": good\n"))
            missing = '/provision/voices/0/folder: warning: sound file "%s" was not there'
            self.assertIn(file + ":" + missing % os.path.join(path, "sounds/digits/7.wav"), done.stderr)
            self.assertNotIn("dollars", done.stderr)  # nothing speaks of money
            config["provision"]["customer_gateways"][0]["prompts"] = {"NoAnswer": "/no/such.wav"}
            config["provision"]["voices"][0]["grammar"] = "./no.grammar"
            write_config(path, config)
            done = run("check", "--config", file)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertEqual([line.split(": ")[0] for line in done.stderr.splitlines()],
                             [file + ":/provision/customer_gateways/0/prompts/NoAnswer",
                              file + ":/provision/voices/0/grammar"])

    def test_comments_are_allowed_and_listen_is_all_that_is_needed(self):
        text = '// a switch\n{"sip": {"listen": ["udp:127.0.0.1:5060"]} /* no more */}'
        self.assertEqual(self.check(lambda c, p: text), [])

    def test_every_error_is_told(self):
        def change(c, _):
            c["provision"]["accounts"][0]["balance"] = 10.0
            c["provision"]["accounts"][0]["colour"] = "red"
            c["provision"]["rate_decks"][0]["rates"][0]["price"] = "cheap"
            c["provision"]["vendor_gateways"][0]["addresses"] = ["127.0.0.1:5070", "not an address"]
            c["provision"]["vendor_gateways"][1]["account"] = "nobody"
            c["parameters"]["no_such_parameter"] = 1
            c["sip"]["workers"] = 65
        self.assertEqual(sorted(self.pointers(change)), sorted([
            "/provision/accounts/0/balance", "/provision/accounts/0/colour",
            "/provision/rate_decks/0/rates/0/price", "/provision/vendor_gateways/0/addresses/1",
            "/provision/vendor_gateways/1/account", "/parameters/no_such_parameter", "/sip/workers"]))

    def test_keys_that_are_not_supported_yet_are_errors(self):
        def change(c, _):
            c["provision"]["blacklist"] = []
            c["provision"]["customer_gateways"][0]["report_state"] = True
        self.assertEqual(sorted(self.pointers(change)),
                         sorted(["/provision/blacklist", "/provision/customer_gateways/0/report_state"]))

    def test_an_lrn_that_is_no_object_is_reported_once(self):
        def change(c, _):
            c["provision"]["customer_gateways"][0]["lrn"] = []
        self.assertEqual(self.pointers(change), ["/provision/customer_gateways/0/lrn"])

    def test_a_pointer_escapes_what_rfc_6901_asks_for(self):
        self.assertEqual(self.pointers(lambda c, p: c.update({"a/b~c": 1})), ["/a~1b~0c"])

    def test_the_plan_of_a_shadow(self):
        self.assertEqual(self.pointers(lambda c, p: c.update(shadow={"remove": {"vendor_gateways": ["v1"]}})), [])
        self.assertEqual(self.pointers(lambda c, p: c.update(shadow={"decks": [{"id": "buy"}]})), ["/shadow/decks/0"])
        self.assertEqual(self.pointers(lambda c, p: c.update(shadow={"vendors": 1})), ["/shadow/vendors"])
        self.assertEqual(self.pointers(lambda c, p: c.update(shadow=[])), ["/shadow"])

    def test_missing_objects_and_keys(self):
        self.assertEqual(self.pointers(lambda c, p: {}), ["/sip"])
        self.assertEqual(self.pointers(lambda c, p: {"sip": {}}), ["/sip/listen"])
        self.assertEqual(self.pointers(lambda c, p: {"sip": {"listen": []}}), ["/sip/listen"])
        self.assertEqual(self.pointers(lambda c, p: c["provision"]["vendor_gateways"][0].pop("addresses") and None),
                         ["/provision/vendor_gateways/0/addresses"])

    def test_a_text_that_is_no_json(self):
        for text in ("", "{", '{"sip": }', "[]", "\ud7ff"):
            errors = self.check(lambda c, p, t=text: t)
            self.assertEqual(len(errors), 1, text)
            self.assertEqual(errors[0][0], "")

    def test_a_key_that_is_there_twice(self):
        text = '{"sip": {"listen": ["udp:127.0.0.1:5060"]}, "sip": {"listen": ["udp:127.0.0.1:5061"]}}'
        errors = self.check(lambda c, p: text)
        self.assertEqual(len(errors), 1)
        self.assertIn("twice", errors[0][1])

    def test_an_id_that_is_there_twice(self):
        def change(c, _):
            c["provision"]["accounts"].append(copy.deepcopy(c["provision"]["accounts"][0]))
        self.assertEqual(self.pointers(change), ["/provision/accounts/3/id"])

    def test_vos_names_are_aliases_and_take_vos_values(self):
        def change(c, _):
            c["parameters"] = {"SS_SIP_TIMEOUT_INVITE": "5", "SS_GATEWAY_SWITCH_LIMIT": "None",
                               "SS_GATEWAY_SWITCH_UNTIL_CONNECT": "On", "SS_REPLY_UNAUTHORIZED": "Off",
                               "SS_MEDIAPROXYMODE": "Must On", "SERVER_BILLING_FREE_E164S": "110, 119, 800*",
                               "SERVER_BILLING_FEE_UNIT": "None", "SS_NOMEDIAHANGUPTIME": 60}
        self.assertEqual(self.check(change), [])

    def test_a_parameter_by_both_its_names_is_an_error(self):
        def change(c, _):
            c["parameters"] = {"invite_timeout_s": 5, "SS_SIP_TIMEOUT_INVITE": 6}
        self.assertEqual(self.pointers(change), ["/parameters/SS_SIP_TIMEOUT_INVITE"])

    def test_references_to_what_is_not_there(self):
        def change(c, _):
            c["provision"]["accounts"][0]["rate_deck"] = "none-such"
            c["provision"]["customer_gateways"][0]["account"] = "ghost"
            c["provision"]["vendor_gateways"][0]["customers"] = {"allow": ["cust", "stranger"]}
        self.assertEqual(sorted(self.pointers(change)), sorted([
            "/provision/accounts/0/rate_deck", "/provision/customer_gateways/0/account",
            "/provision/vendor_gateways/0/customers/allow/1"]))

    def test_rewrite_rules_and_numbers(self):
        def change(c, _):
            c["provision"]["customer_gateways"][0]["rewrite_callee"] = "0 0"
            c["provision"]["vendor_gateways"][0]["prefixes"] = ["44", "4-4"]
            c["provision"]["vendor_gateways"][0]["switch"] = {"stop_codes": [486, 200]}
        self.assertEqual(sorted(self.pointers(change)), sorted([
            "/provision/customer_gateways/0/rewrite_callee", "/provision/vendor_gateways/0/prefixes/1",
            "/provision/vendor_gateways/0/switch/stop_codes/1"]))

    def test_a_token_is_required_off_loopback(self):
        self.assertEqual(self.pointers(lambda c, p: c.update({"admin": {"listen": "192.0.2.1:8080"}})),
                         ["/admin/token"])

    def test_a_bad_row_of_a_deck_file_names_file_row_and_column(self):
        def change(c, path):
            with open(os.path.join(path, "more.csv"), "w", encoding="utf-8") as file:
                file.write("prefix,price\n49,0.10\n33,ten\n")
            c["provision"]["rate_decks"][0]["file"] = "more.csv"
        (pointer, message), = self.check(change)
        self.assertEqual(pointer, "/provision/rate_decks/0/file")
        for word in ("more.csv", "3", "price", "ten"):
            self.assertIn(word, message)

    def test_a_deck_file_that_is_not_there(self):
        self.assertEqual(self.pointers(lambda c, p: c["provision"]["rate_decks"][0].update(file="gone.csv")),
                         ["/provision/rate_decks/0/file"])

    def test_a_column_that_is_not_known(self):
        def change(c, path):
            with open(os.path.join(path, "more.csv"), "w", encoding="utf-8") as file:
                file.write("prefix,price,colour\n49,0.10,red\n")
            c["provision"]["rate_decks"][0]["file"] = "more.csv"
        (pointer, message), = self.check(change)
        self.assertEqual(pointer, "/provision/rate_decks/0/file")
        self.assertIn("colour", message)

    def test_the_reference_page_is_the_one_in_docs(self):
        done = run("check", "--reference")
        self.assertEqual(done.returncode, 0)
        with open(os.path.join(SOURCE, "docs", "configuration.md"), encoding="utf-8") as file:
            self.assertEqual(file.read(), done.stdout, "docs/configuration.md is what check --reference prints")


class Rate(unittest.TestCase):
    def rate(self, callee, seconds, deck="retail", change=None, at=None):
        with folder() as path:
            config = base_config()
            if change:
                change(config)
            words = ["--at", at] if at else []
            return run("rate", "--config", write_config(path, config), "--deck", deck, "--callee", callee,
                       "--seconds", str(seconds), *words)

    def test_worked_examples(self):
        # 60/60 at 0.60 a minute; 1/1 at 0.30 a minute under the longer prefix
        for callee, seconds, charge, billed, prefix in (("441", 0, "0.00", 0, "44"), ("441", 1, "0.60", 60, "44"),
                                                        ("441", 61, "1.20", 120, "44"),
                                                        ("4420", 61, "0.305", 61, "4420")):
            done = self.rate(callee, seconds)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            answer = json.loads(done.stdout)
            self.assertEqual(list(answer), ["charge", "billed_time_s", "rate_prefix", "currency", "steps"])
            self.assertEqual((answer["charge"], answer["billed_time_s"], answer["rate_prefix"], answer["currency"]),
                             (charge, billed, prefix, "USD"))
            self.assertIsInstance(answer["steps"], list)

    def test_parameters_apply_as_in_a_call(self):
        def change(config):
            config["parameters"].update(free_time_s=10, fee_precision=2, free_numbers=["441*"])
        self.assertEqual(json.loads(self.rate("4420", 61, change=change).stdout)["charge"], "0.26")  # 51 s: 0.255
        self.assertEqual(json.loads(self.rate("4412", 61, change=change).stdout)["charge"], "0.00")

    def test_the_time_decides(self):
        def change(config):
            config["provision"]["rate_decks"][0]["rates"].append(
                {"prefix": "49", "price": "1.00", "valid_from": "2026-01-01", "valid_until": "2026-02-01"})
        self.assertEqual(self.rate("49", 60, change=change, at="2026-01-31T23:59:59Z").returncode, 0)
        self.assertEqual(self.rate("49", 60, change=change, at="2026-02-01").returncode, 1)

    def test_tiers_windows_cap_and_tax(self):
        def change(config):
            config["provision"]["calendars"] = [
                {"id": "office", "timezone": "Europe/Berlin", "exceptions": [{"date": "2026-12-25", "class": "holiday"}]}]
            deck = config["provision"]["rate_decks"][0]
            deck.update(calendar="office", split_windows=True)
            deck["rates"].append({"prefix": "49", "price": "0.60", "per_s": 60, "maximum": "2", "tax_percent": "19",
                                  "tiers": [{"from_s": 60, "price": "0.30"}],
                                  "windows": [{"days": "mon-fri", "from": "18:00", "to": "24:00", "price": "0.06"},
                                              {"days": ["holiday"], "price": "0"}]})
        answer = json.loads(self.rate("49", 70, change=change, at="2026-03-02T16:59:30Z").stdout)
        self.assertEqual(answer["charge"], "0.4046")  # (30 * 0.01 + 40 * 0.001) * 1.19
        self.assertEqual([step["step"] for step in answer["steps"]],
                         ["hold_time", "first", "next", "next", "tax", "rounding"])
        self.assertEqual(answer["steps"][3]["window"], 0)
        for at, seconds, charge in (("2026-03-02T10:00:00Z", 70, "0.7735"), ("2026-03-02T10:00:00Z", 9000, "2.38"),
                                    ("2026-12-25T18:00:00Z", 70, "0.00")):
            self.assertEqual(json.loads(self.rate("49", seconds, change=change, at=at).stdout)["charge"], charge)

    def test_what_windows_may_not_be_is_named(self):
        def change(config):
            deck = config["provision"]["rate_decks"][0]
            deck["calendar"] = "none"
            deck["rates"] = [{"prefix": "49", "price": "1", "windows": [{"days": "monday", "from": "25:00", "colour": 1}]},
                             {"prefix": "48", "price": "1", "tiers": [{"price": "1"}], "tax_percent": "-1"}]
        done = self.rate("49", 1, change=change)
        self.assertEqual(done.returncode, 2)
        for pointer in ("/rates/0/windows/0/days", "/rates/0/windows/0/from", "/rates/0/windows/0/colour",
                        "/rates/1/tiers/0/from_s", "/rates/1/tax_percent"):
            self.assertIn("/provision/rate_decks/0" + pointer, done.stderr)

    def test_no_rate_is_1_and_no_deck_is_2(self):
        for done, status in ((self.rate("7", 10), 1), (self.rate("44", 10, deck="none"), 2),
                             (self.rate("x y", 10), 2), (self.rate("44", -1), 2), (self.rate("44", "ten"), 2)):
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
            self.assertEqual(done.stdout, "")


class Report(unittest.TestCase):
    def report(self, *words, change=None):
        with folder() as path:
            config = base_config()
            if change:
                change(config)
            return run("report", *words, "--config", write_config(path, config))

    def test_margin_shows_losses_first(self):
        def change(config):
            config["provision"]["rate_decks"].append(
                {"id": "dear", "rates": [{"prefix": "4420", "price": "0.40"}, {"prefix": "442", "price": "0.50"}]})
        done = self.report("margin", "--sell", "retail", "--buy", "dear", "--format", "json", change=change)
        rows = json.loads(done.stdout)
        self.assertEqual([(row["prefix"], row["margin_percent"]) for row in rows],
                         [("4420", "-33.33"), ("442", "16.66"), ("44", None)])
        done = self.report("margin", "--sell", "retail", "--buy", "buy,dear", "--format", "csv", change=change)
        self.assertEqual(done.stdout.splitlines()[0], "prefix,area,sell,best_buy,best_deck,average_buy,margin_percent")
        self.assertEqual(self.report("margin", "--sell", "none", "--buy", "buy").returncode, 2)
        self.assertEqual(self.report("margin", "--sell", "retail", "--buy", "buy", "--format", "xml").returncode, 2)
        self.assertEqual(self.report("profit").returncode, 2)

    def test_rerate_without_records_has_no_sums(self):
        done = self.report("rerate", "--deck", "buy")
        self.assertEqual((done.returncode, json.loads(done.stdout)), (0, {"deck": "buy", "currency": "USD", "accounts": []}))
        self.assertEqual(self.report("rerate", "--deck", "none").returncode, 2)
        self.assertEqual(self.report("rerate", "--deck", "buy", "--side", "both").returncode, 2)

    def test_rerate_is_of_the_period_that_was_asked_for_or_of_none(self):
        def change(config):
            config.setdefault("parameters", {})["query_days_max"] = 31
        done = self.report("rerate", "--deck", "buy", change=change)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("query_days_max", done.stderr)
        done = self.report("rerate", "--deck", "buy", "--since", "2026-11-01", "--until", "2026-11-20", change=change)
        self.assertEqual(done.returncode, 0, done.stderr)


class Explain(unittest.TestCase):
    def explain(self, source, callee="442079460000", change=None):
        with folder() as path:
            config = base_config()
            if change:
                change(config)
            done = run("explain", "--config", write_config(path, config), "--from", source, "--caller", "12125550100",
                       "--callee", callee)
            self.assertEqual(sorted(os.listdir(path)), ["switch.json"], "explaining leaves nothing behind")
            return done

    def answer(self, *words, **options):
        done = self.explain(*words, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def test_shape_and_order(self):
        answer = self.answer("cust")
        for key in ("stages", "caller", "callee", "callee_billing", "candidates", "excluded", "reject"):
            self.assertIn(key, answer)
        self.assertIsNone(answer["reject"])
        candidate, = answer["candidates"]
        self.assertEqual(list(candidate), ["gateway", "prefix", "rank", "keys", "caller_out", "callee_out",
                                           "vendor_price", "profit_percent", "vendor_rate", "quality", "vendor_callee_billing",
                                           "max_call_s", "media", "codecs", "address"])
        self.assertEqual(list(candidate["keys"]), ["protect", "prefix_length", "priority", "load", "turn"])
        if candidate["vendor_rate"] is None:
            self.assertIsNone(candidate["vendor_price"])
        else:
            self.assertEqual(candidate["vendor_price"], candidate["vendor_rate"]["price"])
        self.assertEqual((candidate["gateway"], candidate["prefix"], candidate["callee_out"]),
                         ("v1", "44", "442079460000"))
        self.assertEqual([(e["gateway"]) for e in answer["excluded"]], ["v2"])

    def test_a_table_for_people(self):
        with folder() as path:
            file = write_config(path, base_config())
            words = ["explain", "--config", file, "--from", "cust", "--caller", "12125550100", "--callee", "442079460000"]
            table = run(*words, "--table")
            self.assertEqual((table.returncode, table.stderr), (0, ""))
            self.assertEqual(run(*words, "--format", "table").stdout, table.stdout)
            lines = table.stdout.splitlines()
            self.assertEqual(lines[0], "12125550100 to 442079460000 from cust, rate 0.30/60s (4420): 1 vendor to try")
            vendors = {line.split()[1]: line.split() for line in lines[lines.index("") + 1:] if line}
            self.assertEqual(vendors["v1"][:3], ["0", "v1", "44"])
            self.assertIn("0.20/60s", vendors["v1"])
            self.assertEqual(vendors["v2"][-1], "locked")
            self.assertEqual(json.loads(run(*words, "--format", "json").stdout), json.loads(run(*words).stdout))
            for wrong in (["--format", "csv"], ["--table", "--format", "table"]):
                done = run(*words, *wrong)
                self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1))

    def test_rejections_are_answers(self):
        self.assertEqual(self.answer("127.0.0.5")["reject"], "AccountBalanceNotEnough")
        self.assertEqual(self.answer("192.0.2.7:5060")["reject"], "IllegalCall")
        self.assertEqual(self.answer("cust", callee="77")["reject"], "RateNotFound")
        self.assertEqual(self.answer(
            "cust", change=lambda c: c["provision"]["customer_gateways"][0].update(locked=True))["reject"],
                         "GatewayLocked")

    def test_an_address_is_a_source_too(self):
        self.assertIsNone(self.answer("127.0.0.1:40000")["reject"])

    def test_an_unknown_gateway_is_an_error(self):
        done = self.explain("nobody")
        self.assertEqual(done.returncode, 2)
        self.assertIn("nobody", done.stderr)


class Records(unittest.TestCase):
    def test_no_records_yet(self):
        with folder() as path:
            file = write_config(path, base_config())
            done = run("cdr", "--config", file, "--format", "json")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            self.assertEqual(os.listdir(path), ["switch.json"])
            self.assertIn("record_id,call_id,", run("cdr", "--config", file, "--format", "csv").stdout)

    def test_reports_of_no_records(self):
        with folder() as path:
            file = write_config(path, base_config())
            for name in ("customer-gateways", "vendor-gateways", "performance", "calls", "failures", "days", "areas",
                         "gateway-areas", "area-totals", "account-statement", "phone-statement", "area-statement",
                         "ghost-calls"):
                with self.subTest(name=name):
                    done = run("report", name, "--config", file, "--format", "json")
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "[]\n", ""))
            for words in (["nonsense"], [], ["days", "--by", "week"], ["days", "--wat", "1"],
                          ["areas", "--since", "soon"]):
                done = run("report", *words, "--config", file)
                self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)

    def test_a_recording_is_repaired_without_a_configuration(self):
        with folder() as path:
            file = os.path.join(path, "call.wav")
            with wave.open(file, "wb") as sound:
                sound.setnchannels(2)
                sound.setsampwidth(2)
                sound.setframerate(8000)
                sound.writeframes(bytes(4 * 160))
            with open(file, "ab") as out:
                out.write(bytes(4 * 80))  # its writer died before it could say so
            done = run("recording", "repair", file)
            self.assertEqual((done.returncode, done.stdout), (0, "repaired\n"), done.stderr)
            with wave.open(file) as sound:
                self.assertEqual(sound.getnframes(), 240)
            self.assertEqual(run("recording", "repair", file).stdout, "nothing to repair\n")
            self.assertEqual(run("recording", "repair", file + ".none").returncode, 1)
            self.assertEqual(run("recording", "pause", "1", "--config", file).returncode, 2)

    def test_a_journal_that_is_not_there(self):
        with folder() as path:
            done = run("journal", "--config", write_config(path, base_config()))
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1))

    def test_maintenance_of_day_files(self):
        with folder() as path:
            file = write_config(path, base_config())
            for words in (["nonsense"], ["seal"], ["run", "2026-01-01"], ["--format", "xml"]):
                done = run("maintenance", *words, "--config", file)
                self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), done.stderr)
            done = run("maintenance", "--config", file)
            self.assertEqual((done.returncode, done.stdout.split()[:2], done.stderr), (0, ["DAY", "STATE"], ""))
            done = run("maintenance", "run", "--config", file)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1))  # no folder yet
            os.mkdir(os.path.join(path, "cdr"))
            done = run("maintenance", "run", "--config", file)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "nothing was due\n", ""))
            done = run("maintenance", "verify", "2026-01-01", "--config", file)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("no records of 2026-01-01", done.stderr)
            done = run("maintenance", "write_columns", "2026-01-01", "--config", file)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("write_columns 2026-01-01: there were no records", done.stderr)
            done = run("maintenance", "remove", "2026-01-01", "--config", file)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("remove 2026-01-01: there were no records", done.stderr)
            done = run("maintenance", "acts", "--config", file, "--act", "remove")
            note = json.loads(done.stdout)
            self.assertEqual((note["day"], note["done"], note["asked"]), ("2026-01-01", False, True), done.stderr)
            self.assertEqual(run("maintenance", "acts", "--config", file, "--limit", "0").returncode, 2)
            for words in ([], ["begin"], ["begin", "1"], ["begin", "x", "--reason", "r"], ["list", "--open", "maybe"],
                          ["resolve", "1", "--reason", "r", "--day", "2026-01-01"], ["forget", "1", "--reason", "r"]):
                done = run("dispute", *words, "--config", file)
                self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), done.stderr)
            done = run("dispute", "begin", "7", "--reason", "never called", "--config", file)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1), done.stderr)
            self.assertIn("no record 7", done.stderr)
            done = run("dispute", "list", "--config", file)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
            done = run("maintenance", "restore", "someday", "--config", file)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
            done = run("maintenance", "rebuild_slots", "--config", file)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1), done.stderr)
            self.assertIn('no sink of type "slots"', done.stderr)
            self.assertEqual(run("maintenance", "rebuild_slots", "2026-01-01", "--config", file).returncode, 2)
            config = base_config()
            config["cdr"] = {**config.get("cdr", {}), "sinks": [{"type": "sqlite"}, {"type": "slots"}]}
            for zone in ("UTC", "+05:30"):
                config["parameters"] = {"timezone": zone}
                done = run("maintenance", "rebuild_slots", "--config", write_config(path, config))
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "rebuild_slots: 0 records\n", ""))
            config = base_config()
            config["maintenance"] = {"at": "03:30:30", "archive_after_days": 9, "delete_after_days": 9}
            done = run("check", "--config", write_config(path, config))
            self.assertEqual(done.returncode, 2)
            self.assertIn("/maintenance/at", done.stderr)
            config["maintenance"].update(at="04:00", columns="perhaps")
            done = run("check", "--config", write_config(path, config))
            self.assertIn("/maintenance/columns", done.stderr)
            config["maintenance"]["columns"] = False
            done = run("check", "--config", write_config(path, config))
            self.assertIn("/maintenance: delete_after_days 9", done.stderr)

    def test_guards_of_questions(self):
        with folder() as path:
            config = base_config()
            config.setdefault("parameters", {}).update(SERVER_QUERY_CDR_MAX_DAY_INTERVAL=31)
            file = write_config(path, config)
            done = run("cdr", "--config", file, "--since", "2026-01-01", "--until", "2026-03-01")
            self.assertEqual(done.returncode, 2)
            self.assertIn("longer than 31 days", done.stderr)
            self.assertEqual(run("report", "days", "--config", file, "--since", "2026-01-01",
                                 "--until", "2026-02-01").returncode, 0)
            config["parameters"].update(SERVER_QUERY_CDR_DENY_TIME="0-24")
            done = run("cdr", "--config", write_config(path, config))
            self.assertEqual(done.returncode, 1)
            self.assertIn("refused at hour", done.stderr)
            config["parameters"].update(SERVER_QUERY_CDR_DENY_TIME="25")
            done = run("check", "--config", write_config(path, config))
            self.assertEqual(done.returncode, 2)
            self.assertIn("/parameters/SERVER_QUERY_CDR_DENY_TIME", done.stderr)

    def test_plain_sql_about_records(self):
        with folder() as path:
            file = write_config(path, base_config())
            done = run("cdr", "sql", "SELECT count(*) AS n, sum(charge_units) AS units FROM cdrs", "--config", file,
                       "--format", "json")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '{"n":0,"units":null}\n', ""))
            many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9) SELECT i FROM n"
            done = run("cdr", "sql", many, "--config", file, "--limit", "2", "--format", "csv")
            self.assertEqual((done.returncode, done.stdout), (0, "i\n1\n2\n"))
            self.assertIn("more than 2 rows", done.stderr)
            for words in (["DROP TABLE cdrs"], ["SELECT 1; SELECT 2"], ["ATTACH 'x' AS x"], [],
                          ["SELECT 1", "--limit", "0"], ["SELECT 1", "--caller", "44"], ["SELECT 1", "more"],
                          ["SELECT nothing FROM cdrs"]):
                done = run("cdr", "sql", *words, "--config", file)
                self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), words)
            config = base_config()
            config.setdefault("parameters", {}).update(SERVER_QUERY_CDR_MAX_DAY_INTERVAL=31)
            file = write_config(path, config)
            done = run("cdr", "sql", "SELECT count(*) FROM cdrs", "--config", file)
            self.assertEqual(done.returncode, 2)
            self.assertIn("say since when", done.stderr)
            done = run("cdr", "sql", "SELECT count(*) FROM cdrs WHERE ended_at_us >= (unixepoch() - 86400) * 1000000",
                       "--config", file)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_an_unknown_reason_is_bad_usage(self):
        with folder() as path:
            done = run("cdr", "--config", write_config(path, base_config()), "--reason", "Bored")
            self.assertEqual(done.returncode, 2, done.stderr)


if __name__ == "__main__":
    unittest.main()
