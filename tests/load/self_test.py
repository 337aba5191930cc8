#!/usr/bin/env python3
"""tandem-load against itself: its callers call its called parties directly, so every count is known."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from ports import free_port  # noqa: E402


def load(*options):
    uas = "127.0.0.1:%d" % free_port()
    run = subprocess.run(
        [sys.argv[1], "--target", uas, "--from", "127.0.0.1", "--uas", uas, *options],
        capture_output=True, text=True, timeout=60)
    assert run.returncode in (0, 1), run.stderr
    return run.returncode, json.loads(run.stdout)


def expect(condition, what, report):
    if not condition:
        sys.exit("%s: %s" % (what, json.dumps(report)))


status, report = load("--calls", "300", "--rate", "500", "--hold", "100")
expect(status == 0 and report["completed"] == 300, "every call completes", report)
expect(report["callee"] == {"answered": 300}, "every called party answers", report)

for side in ("callee", "alternate"):
    status, report = load("--calls", "100", "--rate", "200", "--hold", "50", "--ring", "50", "--hangup", side)
    expect(status == 0 and report["completed"] == 100, "calls complete when hung up by " + side, report)

status, report = load("--calls", "400", "--rate", "400", "--answer", "answer:5,busy:2,noanswer:1,reject503:2",
                      "--patience", "200")
expect(status == 0 and report["completed"] + report["expected"] == 400, "each behaviour is expected", report)
expect(set(report["callee"]) == {"answered", "rejected_486", "rejected_503", "cancelled"}, "each is used", report)
expect(report["callee"]["answered"] == report["completed"], "what is answered completes", report)

status, report = load("--calls", "1", "--answer", "silent", "--t1", "10", "--patience", "0")
expect(report["failed"] == {"invite_timeout": 1}, "a silent called party is a time-out", report)
expect(1 <= report["retransmissions"] <= 6, "an INVITE is sent up to seven times in 64 T1", report)

status, report = load("--calls", "50", "--rate", "100", "--hold", "1000", "--rtp")
expect(status == 0 and report["completed"] == 50, "calls with RTP complete", report)
expect(report["rtp_sent"] > 50 * 2 * 30 and report["rtp_misdelivered"] == 0, "both sides send", report)
expect(report["rtp_lost"] == 0, "loopback loses nothing", report)
