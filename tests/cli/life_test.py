#!/usr/bin/env python3
"""A running switch: start, signals, reload, restart, what keeps it from starting, and calls on real sockets."""
import csv
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
import unittest

from switch_program import (PROGRAM, RunningSwitch, SipEnd, answered_call, base_config, folder, free_port, port_range,
                            request, run, until, write_config)


def cdrs(file, *words):
    done = run("cdr", "--config", file, "--format", "json", *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def one_cdr(file, *words):
    record, = until(lambda: cdrs(file, *words), "a record")
    return record


class Life(unittest.TestCase):
    def setUp(self):
        holder = folder()
        self.path = holder.__enter__()
        self.addCleanup(holder.__exit__, None, None, None)
        self.sip_port, self.admin_port = free_port(), free_port()
        self.vendor = SipEnd()
        self.addCleanup(self.vendor.socket.close)
        self.caller = SipEnd()
        self.addCleanup(self.caller.socket.close)
        self.config = base_config(self.sip_port, self.admin_port, self.vendor.port)
        self.file = write_config(self.path, self.config)

    def account(self, name):
        return json.loads(request(self.admin_port, "GET", f"/api/v1/accounts/{name}")[2])

    def test_term_ends_an_idle_switch_with_0(self):
        with RunningSwitch(self.file) as switch:
            self.assertEqual(switch.stop(), 0)

    def test_interrupt_ends_it_too(self):
        with RunningSwitch(self.file) as switch:
            switch.signal(signal.SIGINT)
            self.assertEqual(switch.process.wait(20), 0)

    def test_a_call_is_carried_billed_and_recorded(self):
        with RunningSwitch(self.file) as switch:
            final = answered_call(self.caller, self.vendor, self.sip_port)
            self.caller.in_dialog("BYE", 2, final, self.sip_port, "bye")
            bye, source = self.vendor.receive("BYE ")
            self.vendor.answer(bye, source, 200, "OK")
            self.caller.receive(r"SIP/2\.0 200")
            record = one_cdr(self.file)
            self.assertEqual((record["customer_gateway"], record["vendor_gateway"], record["account"]),
                             ("cust", "v1", "acme"))
            self.assertEqual((record["end_reason"], record["sip_status"], record["release_side"]),
                             ("NormalCallClearing", 200, "caller"))
            self.assertEqual(record["rate_prefix"], "4420")
            self.assertEqual(self.account("acme")["held"], "0.00")
            self.assertEqual(switch.stop(), 0)
        self.assertEqual(cdrs(self.file), [record], "records outlive the switch")

    def test_a_balance_outlives_a_restart_and_is_not_set_anew(self):
        with RunningSwitch(self.file) as switch:
            status, _, body = request(self.admin_port, "POST", "/api/v1/accounts/acme/payments", '{"amount": "5.00"}')
            self.assertEqual((status, json.loads(body)["balance"]), (201, "15.00"))
            self.assertEqual(switch.stop(), 0)
        with RunningSwitch(self.file) as switch:
            self.assertEqual(self.account("acme")["balance"], "15.00")
            switch.process.kill()  # what was told is durable, so a crash changes nothing
            switch.process.wait(20)
        with RunningSwitch(self.file) as switch:
            self.assertEqual(self.account("acme")["balance"], "15.00")

    def test_a_call_cut_by_a_crash_gets_its_record_before_ready(self):
        with RunningSwitch(self.file) as switch:
            answered_call(self.caller, self.vendor, self.sip_port)
            until(lambda: json.loads(request(self.admin_port, "GET", "/api/v1/calls")[2])[0]["state"] == "answered",
                  "the call is up")
            until(lambda: "tandem_journal_waiting 0\n" in request(self.admin_port, "GET", "/metrics")[2], "durable")
            switch.process.kill()
            switch.process.wait(20)
        with RunningSwitch(self.file):
            record = one_cdr(self.file)
            self.assertEqual(record["end_reason"], "ServerCrash")
            self.assertGreater(record["answered_at_us"], 0)

    def test_draining_refuses_new_calls_and_a_second_term_ends_the_old_ones(self):
        self.config["parameters"]["drain_timeout_s"] = 600
        write_config(self.path, self.config)
        with RunningSwitch(self.file) as switch:
            answered_call(self.caller, self.vendor, self.sip_port)
            switch.signal(signal.SIGTERM)
            until(lambda: request(self.admin_port, "GET", "/healthz")[0] == 503, "unhealthy while draining")
            with SipEnd() as late:
                late.invite(self.sip_port, "442079460001", call_id="late")
                late.receive(r"SIP/2\.0 503")
            switch.signal(signal.SIGTERM)
            for end in (self.vendor, self.caller):
                bye, source = end.receive("BYE ")
                end.answer(bye, source, 200, "OK")
            self.assertEqual(switch.process.wait(20), 0)
        records = {record["call_id"]: record for record in cdrs(self.file)}
        self.assertEqual({r["end_reason"] for r in records.values()}, {"ServerShutdown"})
        self.assertEqual(records["late"]["sip_status"], 503)
        self.assertEqual(len(records), 2)

    def test_drain_refuses_new_calls_and_the_program_goes_on(self):
        with RunningSwitch(self.file) as switch:
            answered_call(self.caller, self.vendor, self.sip_port)
            drained = run("drain", "--config", self.file)
            self.assertEqual(drained.returncode, 0, drained.stderr)
            self.assertEqual(json.loads(drained.stdout), {"status": "draining", "calls": 1})
            self.assertEqual(request(self.admin_port, "GET", "/healthz")[0], 503)
            with SipEnd() as late:
                late.invite(self.sip_port, "442079460001", call_id="late")
                late.receive(r"SIP/2\.0 503")
            self.assertIsNone(switch.process.poll())
            self.assertEqual(len(json.loads(request(self.admin_port, "GET", "/api/v1/calls")[2])), 1)
        self.assertEqual(run("drain", "--config", self.file).returncode, 1)

    def test_the_drain_timeout_ends_calls(self):
        with RunningSwitch(self.file) as switch:  # drain_timeout_s is 1
            answered_call(self.caller, self.vendor, self.sip_port)
            switch.signal(signal.SIGTERM)
            for end in (self.vendor, self.caller):
                bye, source = end.receive("BYE ")
                end.answer(bye, source, 200, "OK")
            self.assertEqual(switch.process.wait(20), 0)
        self.assertEqual(one_cdr(self.file)["end_reason"], "ServerShutdown")

    def test_hup_applies_what_can_be_applied_and_names_the_rest(self):
        with RunningSwitch(self.file) as switch:
            self.config["provision"]["accounts"].append({"id": "new", "balance": "1.00", "rate_deck": "retail"})
            self.config["sip"]["listen"] = ["udp:127.0.0.1:1"]
            self.config["database"] = "other.db"
            write_config(self.path, self.config)
            switch.signal(signal.SIGHUP)
            until(lambda: request(self.admin_port, "GET", "/api/v1/accounts/new")[0] == 200, "the new account")
            until(lambda: "sip.listen" in switch.errors() and "database" in switch.errors(), "error lines")
            self.assertEqual(switch.stop(), 0)

    def test_hup_with_a_bad_file_changes_nothing(self):
        with RunningSwitch(self.file) as switch:
            self.config["provision"]["accounts"].append({"id": "new", "balance": "1.00", "rate_deck": "none-such"})
            self.config["provision"]["accounts"].append({"id": "newer", "balance": 1})
            deck = self.config["provision"]["rate_decks"][0]["rates"]
            deck[0]["price"], deck[1]["price"] = "0.99", "cheap"
            write_config(self.path, self.config)
            switch.signal(signal.SIGHUP)
            until(lambda: "/provision/accounts/3/rate_deck" in switch.errors() and
                  "/provision/accounts/4/balance" in switch.errors() and
                  "/provision/rate_decks/0/rates/1/price" in switch.errors(), "all errors")
            self.hang_up(self.paid_call("c1"), "bye")
            until(lambda: [record["charge"] for record in self.records()] == ["0.60"], "the former price")
            self.assertEqual(request(self.admin_port, "GET", "/api/v1/accounts/new")[0], 404)
            self.assertEqual(self.account("acme")["balance"], "9.40")

    def test_hup_with_a_bad_row_in_a_deck_file_leaves_the_deck_in_place(self):
        def write_deck(*rows):
            with open(os.path.join(self.path, "retail.csv"), "w", encoding="utf-8") as file:
                file.write("\n".join(("prefix,price,per_s,first_s,next_s", *rows, "")))

        def charges(number):
            self.hang_up(self.paid_call(f"c{number}"), f"bye{number}")
            records = until(lambda: len(found := self.records()) == number and found, f"record {number}")
            return {record["call_id"]: record["charge"] for record in records}

        self.config["provision"]["rate_decks"][0] = {"id": "retail", "file": "retail.csv"}
        write_config(self.path, self.config)
        write_deck("44,0.60,60,60,60")
        with RunningSwitch(self.file) as switch:
            write_deck("44,0.99,60,60,60", "45,cheap,60,60,60")
            switch.signal(signal.SIGHUP)
            until(lambda: "retail.csv row 3" in switch.errors() and "cheap" in switch.errors(), "the row is named")
            self.assertEqual(charges(1), {"c1": "0.60"})
            write_deck("44,0.99,60,60,60", "45,0.50,60,60,60")
            switch.signal(signal.SIGHUP)
            rates = "/api/v1/rate_decks/retail/rates?format=csv"
            until(lambda: "0.99" in request(self.admin_port, "GET", rates)[2], "the row that was right this time")
            self.assertEqual(charges(2), {"c1": "0.60", "c2": "0.99"})
            self.assertEqual(self.account("acme")["balance"], "8.41")
            self.assertEqual(switch.stop(), 0)

    def refused(self, *words, mounts=()):
        """Starts a switch that cannot start; one error line with `words`, status 1. `mounts`: of in_other_mounts()."""
        done = run("run", "--config", self.file, before=mounts)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        last = done.stderr.splitlines()[-1]
        for word in words:
            self.assertIn(word, last)

    def test_a_sip_port_in_use(self):
        with SipEnd(port=self.sip_port):
            self.refused(str(self.sip_port))

    def test_an_admin_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.admin_port))
            taken.listen()
            self.refused(str(self.admin_port))

    def test_a_second_switch_on_one_journal(self):
        with RunningSwitch(self.file):
            self.config["sip"]["listen"] = [f"udp:127.0.0.1:{free_port()}"]
            del self.config["admin"]
            self.file = write_config(self.path, self.config, "second.json")
            self.refused("journal")

    def test_a_folder_that_is_not_there(self):
        self.config["database"] = "nowhere/switch.db"
        write_config(self.path, self.config)
        self.refused("nowhere/switch.db")

    def test_a_database_that_is_none(self):
        with open(os.path.join(self.path, "switch.db"), "w", encoding="utf-8") as file:
            file.write("this is a letter to my bank, not a database\n" * 100)
        self.refused("switch.db")

    def in_other_mounts(self, script):
        """Words before a command that see the test's folder, $1, as `script` has mounted it; None: mounting is not allowed here."""
        words = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
        words += ["sh", "-ec", script + '\nshift\nexec "$@"', "sh", self.path]
        return words if subprocess.run([*words, "true"], stderr=subprocess.DEVNULL).returncode == 0 else None

    def test_a_folder_that_cannot_be_written(self):
        mounts = self.in_other_mounts('mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"')
        if mounts is None:
            print("not run: a read-only file system, because none may be mounted here")
            return
        self.refused(self.path, mounts=mounts)
        with RunningSwitch(self.file) as switch:
            switch.stop()
        self.refused(self.path, mounts=mounts)  # likewise with a database that is there

    def test_a_disk_that_is_full(self):
        mounts = self.in_other_mounts("""
            config=$(cat "$1/switch.json")
            mount -t tmpfs -o size=64k tmpfs "$1"
            printf %s "$config" > "$1/switch.json"
            cat /dev/zero > "$1/filler" 2> /dev/null || true""")
        if mounts is None:
            print("not run: a full disk, because no file system may be mounted here")
            return
        self.refused(self.path, mounts=mounts)

    def on_small_disk(self, name):
        """A running switch whose folder `name` is a disk of 4 MiB, and a function that fills it up; None: not allowed here."""
        mounts = self.in_other_mounts(f'mkdir -p "$1/{name}"; mount -t tmpfs -o size=4m tmpfs "$1/{name}"')
        if mounts is None:
            print(f"not run: a disk under {name} that fills up, because no file system may be mounted here")
            return None, None
        switch = RunningSwitch(self.file, before=mounts)
        filler = self.seen_by(switch, name, "filler")

        def fill():
            with open(filler, "wb", buffering=0) as file:
                with self.assertRaises(OSError):
                    while file.write(bytes(4096)):
                        pass
            return filler

        return switch, fill

    def seen_by(self, switch, *names):
        """A path in the test's folder as `switch` sees it, whose mounts are its own."""
        return os.path.join(f"/proc/{switch.process.pid}/root{self.path}", *names)

    def hang_up(self, final, branch):
        self.caller.in_dialog("BYE", 2, final, self.sip_port, branch)
        bye, source = self.vendor.receive("BYE ")
        self.vendor.answer(bye, source, 200, "OK")
        self.caller.receive(r"SIP/2\.0 200")

    def paid_call(self, call_id):
        """A call that is up for so long that its first minute is paid (B-08: 50 ms)."""
        final = answered_call(self.caller, self.vendor, self.sip_port, "447700900000", call_id)
        counts_at = time.monotonic() + 0.1
        until(lambda: time.monotonic() > counts_at, "talk that counts")
        return final

    def records(self):
        return json.loads(request(self.admin_port, "GET", "/api/v1/cdrs?answered=yes&limit=1000")[2])

    def check_money(self):
        """Two calls were answered: each has one record, and the balance is what they leave."""
        records = self.records()
        self.assertEqual(sorted(record["call_id"] for record in records), ["c1", "c2"])
        self.assertEqual([record["charge"] for record in records], ["0.60", "0.60"])
        self.assertEqual(self.account("acme")["balance"], "8.80")

    def set_up_load(self):
        """Money and media ports for load(), whose callees answer instead of self.vendor."""
        ports = 200  # 2 pairs a call, at rest for a while behind it
        first = port_range(ports)
        self.config["media"]["ports"] = [first, first + ports - 1]
        self.config["provision"]["accounts"][0]["balance"] = "100.00"
        self.config["provision"]["vendor_gateways"][0]["addresses"] = [f"127.0.0.1:{free_port()}"]

    def load(self, calls):
        """Calls of tandem-load that are all answered and last long enough to be paid; their Call-IDs."""
        uas, = self.config["provision"]["vendor_gateways"][0]["addresses"]
        log = os.path.join(self.path, "answered")
        done = subprocess.run(
            [os.path.join(os.path.dirname(PROGRAM), "tandem-load"), "--target", f"127.0.0.1:{self.sip_port}", "--from",
             "127.0.0.1", "--uas", uas, "--calls", str(calls), "--rate", "40", "--hold", "150", "--callee", "4477########",
             "--answered-log", log], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(log, encoding="utf-8") as file:
            call_ids = [line.split()[0] for line in file]
        self.assertEqual(len(call_ids), calls)
        return call_ids

    def failing(self):
        """Names of the sinks that /metrics says take nothing."""
        lines = request(self.admin_port, "GET", "/metrics")[2].splitlines()
        failing = [line for line in lines if line.startswith("tandem_sink_failing{") and line.endswith(" 1")]
        return sorted(line.split('"')[1] for line in failing)

    def check_load(self, call_ids, balance):
        """Each of these answered calls has one record of 0.60, no other has any, and `balance` is what they leave."""
        records = until(lambda: (found := self.records()) and len(found) >= len(call_ids) and found, "all records")
        self.assertEqual(sorted(record["call_id"] for record in records), sorted(call_ids))
        self.assertEqual({record["charge"] for record in records}, {"0.60"})
        until(lambda: self.account("acme")["held"] == "0.00", "nothing is held")
        self.assertEqual(self.account("acme")["balance"], balance)

    def test_records_and_the_database_on_a_disk_that_fills_up(self):
        self.set_up_load()
        self.config["database"] = "small/switch.db"
        self.config["cdr"] = {"journal": "journal", "sinks": [{"type": "sqlite", "path": "small/cdr"}]}
        write_config(self.path, self.config)
        switch, fill = self.on_small_disk("small")
        if switch is None:
            return
        with switch:
            call_ids = self.load(10)
            filler = fill()
            call_ids += self.load(20)  # the records wait, the calls do not
            sinks = ["ledger", "packages", "sqlite-0"]  # all that write there
            for sink in sinks:
                until(lambda: f'alarm text="sink {sink} fails: ' in switch.errors(), "an alarm of " + sink)
            self.assertEqual(self.failing(), sinks)
            self.assertEqual(request(self.admin_port, "GET", "/healthz")[0], 200)
            call_ids += self.load(10)  # alarms change nothing for them
            self.assertLess(len(self.records()), len(call_ids))
            self.assertNotIn(" works again", switch.errors())
            os.remove(filler)
            for sink in sinks:
                until(lambda: f"sink {sink} works again" in switch.errors(), "the end of the alarm of " + sink)
            self.check_load(call_ids, "76.00")
            self.assertEqual(self.failing(), [])
            self.assertEqual(switch.stop(), 0)

    def test_a_file_system_of_records_that_becomes_read_only(self):
        # The system refuses to make a file system read-only while a file on it is open for writing, as .lock is and those
        # of a database are. So the folder is mounted once more over itself, read-only: the sink of files opens each by its
        # path for each batch and meets EROFS, the sink beside it does not.
        self.set_up_load()
        self.config["cdr"] = {"sinks": [{"type": "sqlite"}, {"type": "files", "path": "out", "format": "csv"}]}
        write_config(self.path, self.config)
        make_read_only = 'mount --bind "$1/out" "$1/out"; mount -o remount,bind,ro "$1/out"'
        mounts = self.in_other_mounts('mkdir -p "$1/out"; ' + make_read_only + '; umount "$1/out"')
        if mounts is None:
            print("not run: records on a file system that becomes read-only, because none may be mounted here")
            return
        with RunningSwitch(self.file, before=mounts) as switch:
            def in_its_mounts(script):
                words = ["nsenter", f"--target={switch.process.pid}", "--mount"]
                words += [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
                subprocess.run([*words, "sh", "-ec", script, "sh", self.path], check=True)

            def in_files():
                rows = []
                for name in os.listdir(self.seen_by(switch, "out")):
                    if ".csv" in name:
                        with open(self.seen_by(switch, "out", name), encoding="utf-8", newline="") as file:
                            rows += [row["call_id"] for row in csv.DictReader(file)]
                return sorted(rows)

            former = self.load(5)
            until(lambda: in_files() == sorted(former), "the first records in files")
            in_its_mounts(make_read_only)
            call_ids = former + self.load(5)
            until(lambda: 'alarm text="sink files-1 fails: ' in switch.errors(), "an alarm")
            self.assertIn("Read-only file system", switch.errors())
            self.assertEqual(self.failing(), ["files-1"])
            self.check_load(call_ids, "94.00")  # in the other sink, and paid
            self.assertEqual(in_files(), sorted(former))
            in_its_mounts('umount "$1/out"')
            until(lambda: "sink files-1 works again" in switch.errors(), "the end of the alarm")
            until(lambda: len(in_files()) >= len(call_ids), "all records in files")
            self.assertEqual(in_files(), sorted(call_ids))
            self.assertEqual(switch.stop(), 0)

    def test_a_journal_on_a_disk_that_fills_up(self):
        switch, fill = self.on_small_disk("journal")
        if switch is None:
            return
        with switch:
            final = self.paid_call("c1")
            filler = fill()
            taken = {"c1", "c2"}  # calls that have a record, one way or another
            with SipEnd() as other:  # its own, for refusals that it does not acknowledge are repeated
                for number in range(10_000):  # it has reserved room for some
                    other.invite(self.sip_port, "9912345", call_id=f"r{number}")
                    answer, _ = other.receive(r"SIP/2\.0 [45]")
                    if not answer.start.startswith("SIP/2.0 503"):
                        taken.add(answer["call-id"])
                    if "No space left on device" in switch.errors():
                        break
            until(lambda: "journal cannot be written, new calls are refused" in switch.errors(), "an alarm")
            with SipEnd() as other:
                other.invite(self.sip_port, "447700900000", call_id="refused")
                self.assertTrue(other.receive(r"SIP/2\.0 [2-6]")[0].start.startswith("SIP/2.0 503"))
            status, _, body = request(self.admin_port, "GET", "/healthz")
            self.assertEqual((status, json.loads(body)["status"]), (503, "journal"))
            self.assertIn("\ntandem_journal_writable 0\n", request(self.admin_port, "GET", "/metrics")[2])
            self.hang_up(final, "bye")  # the call that was up ends as ever
            os.remove(filler)
            until(lambda: "journal works again" in switch.errors(), "the end of the alarm")
            self.assertEqual(request(self.admin_port, "GET", "/healthz")[0], 200)
            self.hang_up(self.paid_call("c2"), "bye2")
            until(lambda: len(self.records()) == 2, "both records")
            self.check_money()
            self.assertEqual(switch.stop(), 0)
        call_ids = [record["call_id"] for record in cdrs(self.file, "--limit", "20000")]
        self.assertEqual(len(call_ids), len(set(call_ids)))
        self.assertLessEqual(taken, set(call_ids), "what the full disk had no room for was written when there was")

    def test_the_ledger_adds_up_beside_a_switch_and_after_a_kill(self):
        def check():
            done = run("report", "ledger-check", "--config", self.file, "--format", "json")
            return done.returncode, json.loads(done.stdout)

        with RunningSwitch(self.file) as switch:
            for key in ("a", "b", "a"):
                status, _, body = request(self.admin_port, "POST", "/api/v1/accounts/acme/payments",
                                          '{"amount": "5.00", "id": "%s"}' % key)
                self.assertEqual(status, 201, body)
            self.assertEqual(check()[0], 0)
            switch.process.kill()
            switch.process.wait(20)
        with RunningSwitch(self.file) as switch:
            status, headers, body = request(self.admin_port, "POST", "/api/v1/accounts/acme/payments",
                                            '{"amount": "5.00", "id": "a"}')
            self.assertEqual((status, headers["Idempotency-Replayed"]), (201, "true"), body)
            switch.stop()
        done = run("report", "ledger", "--config", self.file, "--account", "acme", "--format", "json")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([row["idempotency_key"] for row in rows], ["b", "a", ""])
        self.assertIn("payment", run("report", "ledger", "--config", self.file, "--account", "acme").stdout)
        status, found = check()
        self.assertEqual((status, found["ok"], found["differences"]), (0, True, []))
        with sqlite3.connect(os.path.join(self.path, "switch.db")) as database:
            database.execute("UPDATE accounts SET balance_units = balance_units + 1 WHERE id = 'acme'")
        status, found = check()
        self.assertEqual((status, found["ok"], found["differences"][0]["account"]), (1, False, "acme"))
        done = run("report", "ledger-check", "--config", self.file)
        self.assertEqual(done.returncode, 1)
        self.assertIn("1 differences", done.stdout)

    def test_a_damaged_journal_is_named_and_not_used(self):
        with RunningSwitch(self.file) as switch:
            for amount in range(1, 200):
                request(self.admin_port, "POST", "/api/v1/accounts/acme/payments", '{"amount": "%d.00"}' % amount)
            switch.process.kill()  # so that the journal is needed at the next start
            switch.process.wait(20)
        journal = os.path.join(self.path, "journal")
        segment = sorted(name for name in os.listdir(journal) if os.path.getsize(os.path.join(journal, name)) > 65535)[0]
        with open(os.path.join(journal, segment), "r+b") as file:
            text = file.read(1 << 20)
            at = text.index(b"acme", 200)
            file.seek(at)
            file.write(b"ACME")
        self.refused(segment)


if __name__ == "__main__":
    unittest.main()
