#!/usr/bin/env python3
"""Call traces of a running switch: begun, read and ended over the admin API and by `tandem-switch trace`."""
import json
import os
import struct
import unittest

from switch_program import (RunningSwitch, SipEnd, answered_call, base_config, folder, free_port, request, run, until,
                            write_config)


class Trace(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = folder()
        cls.path = cls.holder.__enter__()
        cls.sip_port, cls.port = free_port(), free_port()
        cls.vendor = SipEnd()
        config = base_config(cls.sip_port, cls.port, cls.vendor.port)
        config["trace"] = {"ring_bytes": 65536, "memory_bytes": 16777216}
        cls.config = write_config(cls.path, config)
        cls.switch = RunningSwitch(cls.config)

    @classmethod
    def tearDownClass(cls):
        cls.switch.kill()
        cls.vendor.socket.close()
        cls.holder.__exit__(None, None, None)

    def get(self, path, status=200):
        got, _, body = request(self.port, "GET", path)
        self.assertEqual(got, status, body)
        return json.loads(body)

    def error(self, method, path, body, status):
        got, _, text = request(self.port, method, path, body)
        self.assertEqual(got, status, text)
        return json.loads(text)["error"]

    def call(self, call_id):
        with SipEnd() as caller:
            final = answered_call(caller, self.vendor, self.sip_port, call_id=call_id)
            caller.in_dialog("BYE", 2, final, self.sip_port, "bye" + call_id)
            bye, source = self.vendor.receive("BYE ")
            self.vendor.answer(bye, source, 200, "OK")
            caller.receive(r"SIP/2\.0 200")

    def program(self, *words, status=0):
        done = run("trace", *words, "--config", self.config)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 0 if status == 0 else 1, done.stderr)
        return done.stdout

    def test_one_call(self):
        trace = json.loads(self.program("start", "--callee", "4420", "--duration", "60", "--memo", "a \"b\""))
        self.assertEqual((trace["callee"], trace["duration_s"], trace["end"], trace["memo"]), ("4420", 60, None, 'a "b"'))
        id = str(trace["id"])
        self.call("traced" + id)

        def is_complete():  # the vendor's answer to the BYE comes behind the end of the call
            calls = [c for c in self.get(f"/api/v1/traces/{id}/calls") if c["ended_at_us"]]
            if not calls:
                return None
            last = self.get(f"/api/v1/traces/{id}/calls/{calls[0]['id']}?format=json")["entries"][-1]
            if last.get("side") != "vendor" or last["direction"] != "received":
                return None
            return self.get(f"/api/v1/traces/{id}/calls")  # the list read before may lack that answer
        ended = until(is_complete, "the call is traced")
        self.assertEqual(len(ended), 1)
        self.assertEqual((ended[0]["call_id"][:6], ended[0]["customer_gateway"], ended[0]["vendor_gateway"],
                          ended[0]["end_reason"]), ("traced", "cust", "v1", "NormalCallClearing"))
        self.assertEqual(json.loads(self.program("show", id)), self.get(f"/api/v1/traces/{id}/calls"))
        call = str(ended[0]["id"])
        ladder = self.program("show", id, call)
        for part in ("INVITE sip:", "200 OK (INVITE)", "BYE", "route: tries v1", "ended: NormalCallClearing"):
            self.assertIn(part, ladder)
        self.assertNotIn("v=0", ladder)
        self.assertIn("v=0", self.program("show", id, call, "--format", "messages"))
        messages = [e for e in json.loads(self.program("show", id, call, "--format", "json"))["entries"]
                    if e["kind"] == "message"]
        self.assertEqual(len(messages), ended[0]["messages"])
        self.assertEqual({e["side"] for e in messages}, {"customer", "vendor"})
        file = os.path.join(self.path, "call.pcap")
        self.assertEqual(self.program("show", id, call, "--format", "pcap", "--output", file), "")
        with open(file, "rb") as written:
            data = written.read()
        at, packets = 24, 0
        while at < len(data):
            at += 16 + struct.unpack_from("<I", data, at + 8)[0]
            packets += 1
        self.assertEqual((struct.unpack_from("<I", data)[0], at, packets), (0xa1b2c3d4, len(data), len(messages)))
        self.assertEqual(self.get(f"/api/v1/traces/0/calls")[0]["id"], ended[0]["id"])  # the ring has it too

        self.assertIn(int(id), [t["id"] for t in json.loads(self.program("list"))])
        self.assertEqual(json.loads(self.program("stop", id))["end"], "stopped")
        self.program("stop", id, status=1)
        self.call("untraced" + id)
        self.assertEqual(len(self.get(f"/api/v1/traces/{id}/calls")), 1)
        self.program("remove", id)
        self.error("GET", f"/api/v1/traces/{id}", None, 404)
        self.assertIn("tandem_traces_running 0", request(self.port, "GET", "/metrics")[2])

    def test_what_is_refused(self):
        for body, status, pointer in (('{"calle": "1"}', 400, "/calle"), ('{"duration_s": 0}', 400, "/duration_s"),
                                      ('{"source": "x"}', 400, "/source"), ('{"hep": true}', 400, "/hep"),
                                      ('{"bytes": 33554432}', 400, "/bytes"), ("[]", 400, "")):
            self.assertEqual(self.error("POST", "/api/v1/traces", body, status)["pointer"], pointer, body)
        for path in ("/api/v1/traces/99", "/api/v1/traces/x", "/api/v1/traces/99/calls", "/api/v1/traces/0/calls/999",
                     "/api/v1/traces/0/other"):
            self.error("GET", path, None, 404)
        self.error("DELETE", "/api/v1/traces/0", None, 409)
        self.error("POST", "/api/v1/traces/0/stop", "", 409)
        self.assertEqual(self.error("GET", "/api/v1/traces?x=1", None, 400)["pointer"], "/x")
        self.assertEqual(request(self.port, "PUT", "/api/v1/traces", "{}")[0], 405)
        self.program("start", "--duration", "0", status=2)
        self.program("start", "--calls", "many", status=2)
        self.program("show", "99", status=1)
        self.program("show", "0", "--format", "pcap", status=2)
        self.program("look", status=2)
        self.program("stop", status=2)

    def test_configuration(self):
        for section, pointer in (({"ring": 1}, "/trace/ring"), ({"ring_bytes": 1}, "/trace/ring_bytes"),
                                 ({"memory_bytes": 1}, "/trace/memory_bytes"), ({"hep": {}}, "/trace/hep/server"),
                                 ({"hep": {"server": "homer"}}, "/trace/hep/server"),
                                 ({"hep": {"server": "127.0.0.1", "all_calls": True}}, "/trace/hep/all_calls")):
            with folder() as path:
                config = base_config()
                config["trace"] = section
                done = run("check", "--config", write_config(path, config))
                self.assertEqual(done.returncode, 2, section)
                self.assertIn(pointer + ":", done.stderr)


if __name__ == "__main__":
    unittest.main()
