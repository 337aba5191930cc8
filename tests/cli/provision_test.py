#!/usr/bin/env python3
"""Provisioned objects: over the API of a running switch, over the command line, and in the database alone."""
import csv
import io
import json
import os
import time
import unittest
from datetime import datetime, timedelta, timezone

from switch_program import (RunningSwitch, SipEnd, answered_call, base_config, folder, free_port, request, run, until,
                            write_config)


class Provision(unittest.TestCase):
    def setUp(self):
        holder = folder()
        self.path = holder.__enter__()
        self.addCleanup(holder.__exit__, None, None, None)
        self.sip_port, self.port = free_port(), free_port()
        self.vendor = SipEnd()
        self.addCleanup(self.vendor.socket.close)
        self.config = base_config(self.sip_port, self.port, self.vendor.port)
        self.file = write_config(self.path, self.config)

    def ask(self, method, path, body=None, status=200, content_type="application/json"):
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        headers = {"Content-Type": content_type} if body is not None else {}
        got, _, text = request(self.port, method, "/api/v1" + path, body, headers)
        self.assertEqual(got, status, text)
        return json.loads(text) if text and text[0] in "[{" else text

    def refused(self, method, path, body, status, pointer):
        error = self.ask(method, path, body, status)["error"]
        self.assertEqual(error["pointer"], pointer, error)
        return error

    def command(self, *words, status=0):
        done = run(*words, "--config", self.file)
        self.assertEqual(done.returncode, status, done.stderr + done.stdout)
        return done

    def in_folder(self, name, text):
        path = os.path.join(self.path, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def ids(self, kind):
        return [one["id"] for one in self.ask("GET", "/" + kind)]

    def test_stored_decks_are_read_from_images_and_never_from_wrong_ones(self):
        rows = "".join(f"{20000 + i},Area {i // 9},0.{1000 + i}\n" for i in range(1500))
        table = self.in_folder("large.csv", "prefix,area,price\n" + rows)
        self.command("import", "rates", table, "--deck", "large")
        images = os.path.join(self.path, "switch.db-decks")

        def charge():
            return json.loads(self.command("rate", "--deck", "large", "--callee", "21234000", "--seconds", "60").stdout)

        def started(**counts):
            words = [f"{key}={value}" for key, value in counts.items()]
            with RunningSwitch(self.file) as switch:
                line = until(lambda: [one for one in switch.errors().splitlines()
                                      if "stored rate decks were read" in one], "the line of a start")[0]
                self.assertTrue(all(word in line for word in words), line)
                until(lambda: os.path.isdir(images) and
                      [name for name in os.listdir(images) if name.endswith(".image")], "an image")
                errors = switch.errors()
                self.assertEqual(switch.stop(), 0)
            return errors

        by_text = charge()
        self.assertEqual(by_text["charge"], "0.2234")
        started(from_images=0, from_texts=1)
        self.assertNotIn("was not taken", started(from_images=1, from_texts=0))
        self.assertEqual(charge(), by_text)
        name = os.path.join(images, os.listdir(images)[0])
        with open(name, "r+b") as file:  # a price of the image becomes another one
            file.seek(160 + 72 * 1234)
            file.write(b"\x01")
        self.assertEqual(charge(), by_text)
        self.assertIn("an image of a rate deck was not taken", started(from_images=0, from_texts=1))
        with open(name, "wb"):
            pass
        self.assertEqual(charge(), by_text)
        write_config(self.path, {**self.config, "deck_images": False})
        self.assertNotIn("was not taken", started(from_images=0, from_texts=1))

    def test_objects_are_made_used_and_survive_a_restart(self):
        with RunningSwitch(self.file) as switch:
            self.ask("PUT", "/accounts/new", {"balance": "5.00", "rate_deck": "retail", "call_level": "international"}, 201)
            account = self.ask("GET", "/accounts/new")
            self.assertEqual((account["balance"], account["call_level"]), ("5.00", "international"))
            self.ask("POST", "/accounts/new/payments", {"amount": "1.00"}, 201)
            self.ask("PUT", "/accounts/new", {"id": "new", "balance": "77.00", "rate_deck": "retail"}, 200)
            self.assertEqual(self.ask("GET", "/accounts/new")["balance"], "6.00")
            self.ask("PUT", "/customer_gateways/from-api", {"addresses": ["127.0.0.7"], "account": "new"}, 201)
            self.assertIn("from-api", [g["id"] for g in self.ask("GET", "/gateways")])
            with SipEnd(ip="127.0.0.7") as caller:
                final = answered_call(caller, self.vendor, self.sip_port, call_id="from-api")
                caller.in_dialog("BYE", 2, final, self.sip_port, "bye")
                bye, source = self.vendor.receive("BYE ")
                self.vendor.answer(bye, source, 200, "OK")
            until(lambda: self.ask("GET", "/cdrs?reason=NormalCallClearing"), "the record")
            balance = self.ask("GET", "/accounts/new")["balance"]
            self.assertEqual(switch.stop(), 0)
        with RunningSwitch(self.file):
            self.assertEqual(self.ask("GET", "/accounts/new")["balance"], balance)
            self.assertEqual(self.ask("GET", "/customer_gateways/from-api")["addresses"], ["127.0.0.7"])

    def test_errors_point_into_the_body_and_change_nothing(self):
        with RunningSwitch(self.file):
            self.refused("PUT", "/accounts/x", {"balance": 5}, 400, "/balance")
            self.refused("PUT", "/accounts/x", {"rate_deck": "none"}, 400, "/rate_deck")
            self.refused("PUT", "/vendor_gateways/x", {"addresses": ["nonsense:x"]}, 400, "/addresses/0")
            self.refused("PUT", "/vendor_gateways/x", {"addresses": ["127.0.0.1"], "hue": 1}, 400, "/hue")
            self.refused("PUT", "/accounts/x", "nonsense", 400, "")
            self.refused("PUT", "/accounts/x?colour=red", "{}", 400, "/colour")
            self.refused("PUT", "/accounts/x?dry_run=maybe", "{}", 400, "/dry_run")
            error = self.refused("PUT", "/accounts", [{"id": "y"}, {"id": "z", "balance": "?"}, {"id": "y"}], 400, "/1/balance")
            self.assertEqual([one["pointer"] for one in error["errors"]], ["/1/balance", "/2/id"])
            self.assertEqual(self.ids("accounts"), ["acme", "owed", "poor"])
            self.ask("GET", "/accounts/x", status=404)
            self.ask("GET", "/planets", status=404)
            self.ask("DELETE", "/accounts/x", status=404)
            error = self.refused("DELETE", "/accounts/acme", None, 409, "")
            self.assertIn('customer_gateways "cust"', error["message"])
            self.assertEqual(request(self.port, "POST", "/api/v1/accounts/acme", "{}")[1]["Allow"],
                             "GET, HEAD, PUT, DELETE")

    def test_removal(self):
        with RunningSwitch(self.file) as switch:
            self.ask("PUT", "/accounts/brief", {"balance": "2.00"}, 201)
            self.ask("DELETE", "/accounts/brief", status=204)
            self.ask("GET", "/accounts/brief", status=404)
            self.ask("POST", "/accounts/brief/payments", {"amount": "1"}, 404)
            self.assertNotIn("brief", self.ids("accounts"))
            self.ask("PUT", "/accounts/brief", {"balance": "9.00"}, 201)
            self.assertEqual(self.ask("GET", "/accounts/brief")["balance"], "2.00", "money is not made by removal")
            self.ask("DELETE", "/vendor_gateways/v2", status=204)
            self.assertEqual(self.ids("vendor_gateways"), ["v1"])
            switch.stop()
        with RunningSwitch(self.file):  # the file still names it
            self.assertEqual(self.ids("vendor_gateways"), ["v1", "v2"])

    def test_reload_lays_the_file_over_what_was_put(self):
        with RunningSwitch(self.file) as switch:
            self.ask("PUT", "/vendor_gateways/v1", {"addresses": ["127.0.0.1:9"], "locked": True}, 200)
            self.ask("PUT", "/vendor_gateways/v9", {"addresses": ["127.0.0.1:9"]}, 201)
            self.config["provision"]["accounts"].append({"id": "more"})
            write_config(self.path, self.config)
            switch.signal(1)
            until(lambda: "more" in self.ids("accounts"), "the reload")
            self.assertEqual(self.ids("vendor_gateways"), ["v1", "v2", "v9"])
            self.assertNotIn("locked", self.ask("GET", "/vendor_gateways/v1"))

    def deck(self):
        return self.ask("GET", "/rate_decks/retail")

    def active(self):
        return [v["number"] for v in self.ask("GET", "/rate_decks/retail/versions") if v["is_active"]]

    def test_versions_of_a_deck(self):
        with RunningSwitch(self.file):
            self.assertEqual(self.ask("GET", "/rate_decks/retail/versions"), [])
            self.assertEqual({d["id"]: d["rows"] for d in self.ask("GET", "/rate_decks")}, {"buy": 1, "retail": 2})
            before = self.deck()
            self.ask("PUT", "/rate_decks/retail/rates?memo=autumn", "prefix,price\n44,0.90\n49,0.10\n", content_type="text/csv")
            self.assertEqual([v["memo"] for v in self.ask("GET", "/rate_decks/retail/versions")],
                             ["autumn", "before the first change"])
            self.assertEqual([r["price"] for r in self.deck()["rates"]], ["0.90", "0.10"])
            diff = self.ask("GET", "/rate_decks/retail/diff?from=1&to=2")
            self.assertEqual(diff["counts"], {"added": 1, "removed": 1, "changed": 1})
            self.refused("GET", "/rate_decks/retail/diff?from=1", None, 400, "/to")
            self.assertEqual(self.ask("POST", "/rate_decks/retail/rollback", "{}")["number"], 1)
            self.assertEqual(self.deck()["rates"], before["rates"])
            self.refused("POST", "/rate_decks/retail/rollback", {"version": 7}, 404, "/version")
            self.refused("POST", "/rate_decks/retail/rollback", {"version": "x"}, 400, "/version")
            self.refused("POST", "/rate_decks/retail/schedule", {"version": 2}, 400, "/valid_from")
            self.refused("POST", "/rate_decks/retail/rollback?dry_run=true", "{}", 400, "/dry_run")
            self.refused("DELETE", "/accounts/acme?dry_run=true", None, 400, "/dry_run")
            self.refused("POST", "/accounts/acme/payments?dry_run=true", {"amount": "1"}, 400, "/dry_run")
            later = datetime.now(timezone.utc) + timedelta(days=2)
            planned = self.ask("POST", "/rate_decks/retail/schedule", {"version": 2, "valid_from": later.isoformat()})
            self.assertFalse(planned["is_active"])
            self.assertIsNotNone(planned["valid_from"])
            soon = datetime.now(timezone.utc) + timedelta(seconds=1.5)
            self.ask("POST", "/rate_decks/retail/schedule", {"version": 2, "valid_from": soon.isoformat()})
            self.assertEqual(self.active(), [1])
            until(lambda: self.active() == [2], "the version is active")

            def prices():  # of the tables in use, which are built after the version was made the active one
                rates = self.ask("GET", "/rate_decks/retail/rates?format=csv")
                return [row["price"] for row in csv.DictReader(io.StringIO(rates))]

            until(lambda: prices() == ["0.90", "0.10"], "the tables are those of the version")
            self.assertEqual(len(self.deck()["rates"]), 2)

    def test_import_and_export_beside_a_running_switch_and_without_one(self):
        accounts = self.in_folder("accounts.csv", "id,balance,rate_deck,memo\nc1,1.00,retail,\"one, two\"\nc2,2.50,retail,\n")
        broken = self.in_folder("broken.csv", "id,balance\nc3,1.00\nc4,much\nc5,\"1,0\"\n")
        gateways = self.in_folder("gateways.json", json.dumps([
            {"kind": "vendor", "id": "v7", "addresses": ["127.0.0.1:7"], "prefixes": ["7"]},
            {"kind": "customer", "id": "g7", "addresses": ["127.0.0.70"], "account": "c1"}]))

        def everything():
            done = self.command("import", "accounts", broken, status=2)
            first, second = done.stderr.splitlines()
            self.assertTrue(first.startswith(f'{broken}: row 3, column "balance": '), first)
            self.assertTrue(second.startswith(f'{broken}: row 4, column "balance": '), second)
            self.command("import", "accounts", accounts, "--dry-run")
            self.assertNotIn("c2", self.command("export", "accounts", "-").stdout)
            outcome = json.loads(self.command("import", "accounts", accounts).stdout)
            self.assertEqual(outcome["created"] + outcome["replaced"], 2)
            self.command("import", "gateways", gateways)
            exported = json.loads(self.command("export", "gateways", "-").stdout)
            self.assertEqual([g["kind"] for g in exported if g["id"] in ("g7", "v7")], ["customer", "vendor"])
            out = os.path.join(self.path, "out.csv")
            self.command("export", "accounts", out)
            with open(out, encoding="utf-8", newline="") as file:
                rows = {row["id"]: row for row in csv.DictReader(file)}
            self.assertEqual((rows["c1"]["memo"], rows["c2"]["balance"]), ("one, two", "2.50"))
            self.command("import", "accounts", out)
            self.command("remove", "customer_gateways", "g7")
            self.command("remove", "vendor_gateways", "v7")
            self.assertIn('customer_gateways "cust"', self.command("remove", "accounts", "acme", status=1).stderr)
            for account in ("c1", "c2"):
                self.command("remove", "accounts", account)

        with RunningSwitch(self.file):
            everything()
        everything()

    def test_import_of_a_partners_list(self):
        good = self.in_folder("partner.csv", "Rates of X,,\nDestination,Dial Code,Rate/Min,Interval,Status\n"
                                             "UK,\"44,4420-4422\",0.012,60/60,open\nFR,33,,1/1,blocked\n")
        wrong = self.in_folder("wrong.csv", "Code,Rate\n44,0.1\n4x,0.2\n45,free\n")
        done = self.command("import", "rates", good, "--deck", "partner", "--layout", "auto", "--dry-run")
        seen = json.loads(done.stdout)
        self.assertEqual((seen["rates"], seen["fault_count"], seen["header_row"]), (5, 0, 2))
        done = self.command("import", "rates", wrong, "--deck", "partner", "--layout", "auto", status=2)
        self.assertEqual(done.stderr.splitlines(), [wrong + " row 3: column \"Code\": \"4x\" was not a dial code",
                                                    wrong + " row 4: column \"Rate\": \"free\" was not a price"])
        self.command("import", "rates", good, "--deck", "partner", "--layout", "auto")
        rows = json.loads(self.command("export", "rates", "-", "--deck", "partner").stdout)
        self.assertEqual([row["prefix"] for row in rows], ["33", "44", "4420", "4421", "4422"])
        self.assertTrue(rows[0]["locked"])

    def charge_of_a_call(self):
        """What the running switch makes a call cost by its deck "retail": its first minute, after 50 ms (B-08)."""
        with SipEnd() as caller:
            final = answered_call(caller, self.vendor, self.sip_port, "447700900000", "priced")
            counts_at = time.monotonic() + 0.1
            until(lambda: time.monotonic() > counts_at, "talk that counts")
            caller.in_dialog("BYE", 2, final, self.sip_port, "bye")
            bye, source = self.vendor.receive("BYE ")
            self.vendor.answer(bye, source, 200, "OK")
        record, = until(lambda: self.ask("GET", "/cdrs?answered=yes"), "the record")
        return record["charge"]

    def test_import_of_rates(self):
        rows = "".join(f"{prefix},0.{prefix % 90 + 10}\n" for prefix in range(10_000, 20_000))
        deck = self.in_folder("deck.csv", "prefix,price\n" + rows)
        broken = self.in_folder("broken.csv", "prefix,price\n44,0.1\n45,cheap\n")
        for is_running in (True, False):
            switch = RunningSwitch(self.file) if is_running else None
            try:
                if is_running:
                    in_use = self.ask("GET", "/rate_decks/retail/rates?format=csv")
                done = self.command("import", "rates", broken, "--deck", "retail", status=2)
                self.assertIn("broken.csv row 3", done.stderr)
                if is_running:
                    self.assertEqual(self.ask("GET", "/rate_decks/retail/rates?format=csv"), in_use)
                    self.assertEqual(self.ask("GET", "/rate_decks/retail/versions"), [])
                    self.assertEqual(self.charge_of_a_call(), "0.60")
                self.command("import", "rates", deck, "--deck", "made")
                versions = json.loads(self.command("deck", "versions", "--deck", "made").stdout)
                self.assertEqual([v["rows"] for v in versions], [10_000])
                self.command("import", "rates", self.in_folder("few.csv", "prefix,price\n10000,0.99\n"), "--deck", "made",
                             "--memo", "few")
                diff = json.loads(self.command("deck", "diff", "--deck", "made", "--from", "1", "--to", "2",
                                               "--limit", "5").stdout)
                self.assertEqual((diff["counts"]["removed"], len(diff["removed"])), (9_999, 5))
                back = json.loads(self.command("deck", "rollback", "--deck", "made").stdout)
                self.assertEqual(back["number"], 1)
                planned = self.command("deck", "schedule", "--deck", "made", "--version", "2", "--at", "2096-01-01")
                self.assertEqual(json.loads(planned.stdout)["valid_from"], "2096-01-01T00:00:00.000000Z")
                self.command("deck", "schedule", "--deck", "made", "--version", "2", "--at", "none")
                self.command("deck", "schedule", "--deck", "made", "--file", deck, "--at", "2096-01-01")
                self.command("deck", "rollback", "--deck", "nothing", status=1)
                out = os.path.join(self.path, "out.csv")
                self.command("export", "rates", out, "--deck", "made")
                with open(out, encoding="utf-8") as file:
                    self.assertEqual(len(file.readlines()), 10_001)
                self.command("import", "rates", out, "--deck", "made")
                self.command("import", "rates", self.in_folder("r.json", '[{"prefix": "1", "price": "0.01"}]'), "--deck", "made")
                self.command("remove", "rate_decks", "made")
            finally:
                if switch is not None:
                    switch.kill()

    def test_progress_of_an_import(self):
        rows = "prefix,price\n" + "".join(f"{prefix},0.01\n" for prefix in range(10_000, 20_000))
        deck = self.in_folder("deck.csv", rows.replace("0.01", "0.02"))
        with RunningSwitch(self.file):
            job = self.ask("PUT", "/rate_decks/made/rates?background=true", rows, 202, "text/csv")
            self.assertEqual((job["target"], job["state"] in ("running", "done")), ("/api/v1/rate_decks/made/rates", True))
            until(lambda: self.ask("GET", "/imports")[0]["status"], "the end of the import")
            over = self.ask("GET", f"/imports/{job['id']}")
            self.assertEqual((over["state"], over["step"], over["status"], over["answer"]["created"]), ("done", "idle", 201, 1))
            self.assertEqual([one["id"] for one in self.ask("GET", "/imports")], [job["id"]])
            self.assertEqual([v["rows"] for v in self.ask("GET", "/rate_decks/made/versions")], [10_000])
            self.refused("PUT", "/rate_decks/made/rates?background=perhaps", "[]", 400, "/background")
            self.ask("GET", "/imports/7", status=404)
            wrong = self.ask("PUT", "/accounts?background=true", [{"id": "w", "balance": "?"}], 202)
            until(lambda: self.ask("GET", "/imports")[0]["status"], "the end of the other")
            self.assertEqual(self.ask("GET", f"/imports/{wrong['id']}")["answer"]["error"]["pointer"], "/0/balance")
            done = self.command("import", "rates", deck, "--deck", "made", "--progress", "--memo", "seen")
            self.assertEqual(json.loads(done.stdout)["replaced"], 1)
            self.assertEqual([line for line in done.stderr.splitlines() if not line.startswith("the switch: ")], [])
            self.assertEqual(self.ask("GET", "/rate_decks/made/versions")[0]["memo"], "seen")
            broken = self.in_folder("broken.csv", "id,balance\nc4,much\n")
            done = self.command("import", "accounts", broken, "--progress", status=2)
            self.assertTrue(done.stderr.splitlines()[-1].startswith(f'{broken}: row 2, column "balance": '), done.stderr)
        self.command("import", "rates", deck, "--deck", "made", "--progress")

    def test_a_switch_without_an_admin_api_is_not_changed_behind_its_back(self):
        del self.config["admin"]
        self.file = write_config(self.path, self.config)
        accounts = self.in_folder("accounts.csv", "id\nc1\n")
        with RunningSwitch(self.file):
            done = self.command("import", "accounts", accounts, status=1)
            self.assertIn("a switch runs on", done.stderr)
        self.command("import", "accounts", accounts)

    def test_the_database_counts_for_explain_rate_and_check(self):
        self.command("import", "vendor_gateways", self.in_folder("v.csv", "id,addresses,prefixes\nv8,127.0.0.8,4420\n"))
        answer = json.loads(self.command("explain", "--from", "cust", "--caller", "1", "--callee", "442079460000").stdout)
        self.assertEqual([c["gateway"] for c in answer["candidates"]], ["v8", "v1"])
        self.command("check")
        self.command("import", "customer_gateways", self.in_folder("c.csv", "id,addresses,account\nc8,127.0.0.8,poor\n"))
        self.config["provision"]["accounts"] = [a for a in self.config["provision"]["accounts"] if a["id"] != "poor"]
        self.config["provision"]["customer_gateways"].pop()
        write_config(self.path, self.config)
        self.assertIn('"poor"', self.command("check", status=2).stderr)
        self.assertEqual(run("run", "--config", self.file).returncode, 2)

    def test_bad_usage(self):
        for words in (("import",), ("import", "accounts"), ("import", "rates", "x.csv"), ("deck", "versions"),
                      ("deck", "dance", "--deck", "x"), ("import", "accounts", "x.csv", "--deck", "y"),
                      ("export", "accounts", "a", "b"), ("deck", "schedule", "--deck", "x", "--version", "1", "--at", "soon"),
                      ("deck", "diff", "--deck", "x", "--from", "1"), ("export", "numbers", "-"),
                      ("import", "numbers", "x.csv"), ("remove", "numbers", "x")):
            self.assertEqual(run(*words, "--config", self.file).returncode, 2, words)
        self.assertEqual(run("import", "accounts", "/nonexistent.csv", "--config", self.file).returncode, 1)


if __name__ == "__main__":
    unittest.main()
