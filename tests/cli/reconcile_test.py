#!/usr/bin/env python3
"""B-27: two switches, a process each, that compare what they counted over HTTP, with an alarm and its end."""
import json
import time
import unittest

from switch_program import (MEDIA_FIRST, MEDIA_PORTS, RunningSwitch, base_config, folder, free_port, request, run,
                            until, write_config)

CALLS = 10
TALK_S = 60
PERIOD_S = 10
# A period is compared when two more have passed, and the run may begin with any part of one.
CHECKED_S = 8 * PERIOD_S


def time_text(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Reconciliation(unittest.TestCase):
    def setUp(self):
        holder = folder()
        self.path = holder.__enter__()
        self.addCleanup(holder.__exit__, None, None, None)
        self.near_admin, self.far_admin = free_port(), free_port()

        near = base_config(free_port(), self.near_admin)
        near["media"]["ports"] = [MEDIA_FIRST, MEDIA_FIRST + MEDIA_PORTS // 2 - 1]
        near["parameters"]["bilateral_reconciliation_period_s"] = PERIOD_S
        near["provision"]["rate_decks"][1]["rates"][0]["price"] = "0.30"
        near["provision"]["vendor_gateways"] = [
            {"id": "peer", "addresses": ["127.0.0.1:5998"], "prefixes": ["44"], "account": "owed",
             "reconciliation": {"address": f"127.0.0.1:{self.far_admin}", "gateway": "from-near", "token": "between us"}}]
        self.near_file = write_config(self.path, near, "near.json")

        far = base_config(free_port(), self.far_admin)
        far["media"]["ports"] = [MEDIA_FIRST + MEDIA_PORTS // 2, MEDIA_FIRST + MEDIA_PORTS - 1]
        far["database"] = "far.db"
        far["cdr"] = {"journal": "far-journal", "sinks": [{"type": "sqlite", "path": "far-cdr"}]}
        far["admin"]["token"] = "of the far end alone"
        far["provision"]["customer_gateways"].append(
            {"id": "from-near", "addresses": ["127.0.0.7"], "account": "acme", "reconciliation_token": "between us"})
        self.far_file = write_config(self.path, far, "far.json")

    def record(self, port, gateway, number, ended_s, token=None):
        """A call that another system carried, so that both ends have the very same ones."""
        call = {"callee": "442079460000", "flow_number": f"{ended_s}-{number}", "customer_gateway": gateway,
                "started_at": time_text(ended_s - TALK_S), "answered_at": time_text(ended_s - TALK_S),
                "ended_at": time_text(ended_s)}
        if port == self.near_admin:
            call["vendor_gateway"] = "peer"
        headers = {"Authorization": f"Bearer {token}"} if token else None
        status, _, text = request(port, "POST", "/api/v1/cdrs", json.dumps(call), headers)
        self.assertEqual(status, 201, text)

    def record_near(self, number, ended_s):
        self.record(self.near_admin, "cust", number, ended_s)

    def record_far(self, number, ended_s):
        self.record(self.far_admin, "from-near", number, ended_s, "of the far end alone")

    def checks(self):
        return json.loads(request(self.near_admin, "GET", "/api/v1/interconnect/checks")[2])

    def last_check(self):
        checks = self.checks()
        return checks[0] if checks else {"since": "", "exceeded": False, "failure": "none yet", "ours": {"calls": 0}}

    def compare(self, ended_s):
        """The command, which asks the other end at once."""
        done = run("reconcile", "--config", self.near_file, "--gateway", "peer", "--since", time_text(ended_s - 1),
                   "--until", time_text(ended_s + 1))
        return done.returncode, done.stdout and json.loads(done.stdout), done.stderr

    def test_a_missing_call_is_an_alarm_until_both_ends_agree(self):
        with RunningSwitch(self.far_file) as far, RunningSwitch(self.near_file) as near:
            ended_s = int(time.time())
            for number in range(CALLS):
                self.record_near(number, ended_s)
                if number != 0:
                    self.record_far(number, ended_s)
            until(lambda: (self.compare(ended_s)[1] or {"ours": {"calls": 0}})["ours"]["calls"] == CALLS,
                  "the near end has its records")
            status, check, said = until(
                lambda: (lambda got: got if got[1] and got[1]["theirs"]["calls"] == CALLS - 1 else None)(
                    self.compare(ended_s)), "the far end has its records")
            self.assertEqual((status, check["exceeded"]), (1, True), said)
            self.assertEqual(check["ours"]["charge"], "3.00")
            self.assertEqual(check["theirs"]["charge"], "2.70")
            self.assertEqual(check["theirs"]["billed_time_s"], (CALLS - 1) * TALK_S)
            self.assertEqual(check["deviations_percent"]["calls"], "10.00")

            # Later periods have no calls; a slow machine may look only when one of them was compared.
            check = until(lambda: next((one for one in self.checks() if one["exceeded"]), None),
                          "the switch has found the difference by itself", CHECKED_S)
            self.assertEqual((check["ours"]["calls"], check["theirs"]["calls"]), (CALLS, CALLS - 1))
            alarm = "reconciliation of gateway"
            until(lambda: alarm in near.errors(), "the alarm")
            self.assertIn("10 calls, 10 answered, 600 s, 3.00 USD", near.errors())
            self.assertIn("9 calls, 9 answered, 540 s, 2.70 USD", near.errors())
            self.assertNotIn(alarm, far.errors())

            # The call turns up, late: by hand the period agrees now, and the next ones do by themselves.
            self.record_far(0, ended_s)
            self.assertEqual(until(lambda: (lambda got: got if got[0] == 0 else None)(self.compare(ended_s)),
                                   "both ends agree")[1]["deviations_percent"]["charge"], "0.00")
            until(lambda: "agrees again" in near.errors(), "the end of the alarm", CHECKED_S)

    def test_the_far_end_opens_totals_by_the_token_of_the_gateway_alone(self):
        with RunningSwitch(self.far_file):
            question = f"/api/v1/interconnect/totals?side=customer&gateway=from-near&since={time_text(0)}&until=" \
                       f"{time_text(PERIOD_S)}"
            for token, expected in (("between us", 200), ("another", 401), (None, 401)):
                headers = {"Authorization": f"Bearer {token}"} if token else None
                self.assertEqual(request(self.far_admin, "GET", question, None, headers)[0], expected, token)
            other = question.replace("from-near", "cust")
            headers = {"Authorization": "Bearer between us"}
            self.assertNotEqual(request(self.far_admin, "GET", other, None, headers)[0], 200)
            self.assertNotEqual(request(self.far_admin, "GET", "/api/v1/accounts", None, headers)[0], 200)


if __name__ == "__main__":
    unittest.main()
