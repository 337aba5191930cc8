#!/usr/bin/env python3
"""Vendor decks at wholesale size, as an operator works with them: imported one after the other with their progress, one
reloaded, compared, rolled back, tried in the shadow and scheduled while calls run, all of them loaded at the next start.

    python3 tests/load/decks_test.py --build build --vendors 50 --prefixes 200000     # ten million rows

Prefixes are real ones where ../shared/testdata/prefixes.tsv.gz lies beside the source, else of our own making; prices are
invented. Prints what each step took.
"""
import argparse
import datetime
import gzip
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from ports import free_port, port_range  # noqa: E402

DEADLINE_S = 600
MEDIA_PORTS = 4000


def destinations(source, count, draw):
    """Prefixes, those of countries first, then `count` and more below them in any order."""
    file = source.parent / "shared" / "testdata" / "prefixes.tsv.gz"
    if file.exists():
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            next(lines)
            rows = [line.rstrip("\n").split("\t") for line in lines]
        countries = sorted({row[0] for row in rows if row[2] == "country"})
        others = {row[0] for row in rows if row[2] != "country" and row[0].isascii() and row[0].isdigit()}
    else:
        print("not run: prefixes of real numbering plans (no %s); own ones are used" % file)
        countries, others = ["1", "7", "20", "33", "44", "49", "81", "86", "91", "971"], set()
    others -= set(countries)
    while len(others) < 2 * count:  # siblings below stems, as numbering plans have them
        stem = draw.choice(countries) + str(draw.randrange(10000))
        others.update(stem + str(draw.randrange(1000)) for _ in range(40))
    others = sorted(others)
    draw.shuffle(others)
    return countries, others


def destinations_of(countries, prefixes):
    """Which prefixes share a price: those of one country and one next digit."""
    known = set(countries)
    return [next((p[:n + 1] for n in (3, 2, 1) if p[:n] in known), p[:2]) for p in prefixes]


def write_deck(path, countries, others, shared, count, draw):
    """Every country, and of the rest as many as there is room for, begun anywhere. The number of rows."""
    begin, rest = draw.randrange(len(others)), count - len(countries)
    prefixes = countries + others[begin:begin + rest] + others[:max(0, begin + rest - len(others))]
    prices = shared[begin:begin + rest] + shared[:max(0, begin + rest - len(others))]
    texts = {name: ",0.%06d,1,1\n" % draw.randrange(200, 900000) for name in set(prices)}
    own = ",0.%06d,1,1\n" % draw.randrange(200, 900000)
    with open(path, "w", encoding="ascii") as file:
        file.write("prefix,price,first_s,next_s\n")
        file.write("".join(country + own for country in countries))
        file.write("".join(map(str.__add__, prefixes[len(countries):], map(texts.__getitem__, prices))))
    return len(prefixes)


class Steps:
    """Says what each step took."""

    def __init__(self):
        self.began = time.monotonic()
        self.last = self.began

    def done(self, what):
        now = time.monotonic()
        print("%7.2f s  %s" % (now - self.last, what), flush=True)
        self.last = now


class Operator:
    def __init__(self, options):
        self.source = pathlib.Path(__file__).resolve().parent.parent.parent
        self.bin = pathlib.Path(options.build).resolve() / "bin"
        self.options = options
        self.draw = random.Random(options.seed)
        self.steps = Steps()
        self.process = None

    def write_config(self, folder):
        self.sip, self.vendor, admin = free_port(), free_port(), free_port()
        media = port_range(MEDIA_PORTS)
        names = ["v%d" % i for i in range(self.options.vendors)]
        clearing = [{"id": name, "kind": "clearing", "rate_deck": name} for name in names]
        config = {
            "sip": {"listen": ["udp:127.0.0.1:%d" % self.sip]},
            "media": {"address": "127.0.0.1", "ports": [media, media + MEDIA_PORTS - 1]},
            "admin": {"listen": "127.0.0.1:%d" % admin},
            "parameters": {"drain_timeout_s": 5, "media_mode": "off"},
            "provision": {
                "accounts": [{"id": "acme", "balance": "1000000.00", "rate_deck": "retail"}],
                "rate_decks": [{"id": "retail", "rates": [{"prefix": "", "price": "0.50"}]}],
                "customer_gateways": [{"id": "cust", "addresses": ["127.0.0.1"], "account": "acme"}]}}
        objects = {
            "rate_decks": [{"id": name, "rates": []} for name in names],
            "accounts": clearing,
            "vendor_gateways": [{"id": name, "addresses": ["127.0.0.1:%d" % self.vendor], "account": name,
                                 "least_cost": True, "require_rate": True} for name in names]}
        self.config = str(folder / "switch.json")
        pathlib.Path(self.config).write_text(json.dumps(config))
        return objects

    def start(self):
        self.process = subprocess.Popen([self.bin / "tandem-switch", "run", "--config", self.config],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert line == "ready\n", line

    def stop(self):
        self.process.terminate()
        assert self.process.wait(DEADLINE_S) == 0
        self.process.stdout.close()
        self.process = None

    def command(self, *words, progress=False):
        """What it printed; with `progress` also how many lines it said on the way."""
        done = subprocess.run([self.bin / "tandem-switch", *words, "--config", self.config], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False)
        assert done.returncode == 0, (words, done.stderr)
        return (done.stdout, done.stderr.splitlines()) if progress else done.stdout

    def calls(self, seconds):
        return subprocess.Popen(
            [self.bin / "tandem-load", "--target", "127.0.0.1:%d" % self.sip, "--from", "127.0.0.1", "--uas",
             "127.0.0.1:%d" % self.vendor, "--seconds", str(seconds), "--rate", str(self.options.rate), "--hold", "300",
             "--callee", "1201#######"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def versions(self, deck):
        return json.loads(self.command("deck", "versions", "--deck", deck))

    def run(self, folder):
        count = self.options.prefixes
        objects = self.write_config(folder)
        countries, others = destinations(self.source, count, self.draw)
        shared = destinations_of(countries, others)
        files, decks = [], []
        for i in range(self.options.vendors):
            files.append(str(folder / ("v%d.csv" % i)))
            decks.append(write_deck(files[-1], countries, others, shared, count, self.draw))
        rows = sum(decks)
        self.steps.done("made %d decks, %d rows, %.0f MB of CSV" % (
            len(files), rows, sum(os.path.getsize(file) for file in files) / 1e6))

        self.start()
        for kind, values in objects.items():
            path = folder / (kind + ".json")
            path.write_text(json.dumps(values))
            self.command("import", kind, str(path))
        self.steps.done("started, and imported accounts and gateways")
        took = []
        for i, file in enumerate(files):
            before = time.monotonic()
            _, lines = self.command("import", "rates", file, "--deck", "v%d" % i, progress=True)
            took.append(time.monotonic() - before)
            if os.path.getsize(file) >= 4 << 20:
                assert any("90 %" in line for line in lines), lines
            if i == 0:
                print("\n".join("           " + line for line in lines))
        self.steps.done("imported %d decks, %.2f s each, the last %.2f s" % (len(files), sum(took) / len(took), took[-1]))

        # One deck reloaded, compared, rolled back and scheduled, with calls running all the time.
        load = self.calls(self.options.seconds)
        changed = str(folder / "changed.csv")
        with open(files[0], encoding="ascii") as old, open(changed, "w", encoding="ascii") as new:
            lines = old.read().splitlines()
            new.write("\n".join([lines[0]] + ["%s,0.000001,1,1" % line.split(",")[0] for line in lines[1:-10]]) + "\n")
        end = time.monotonic() + DEADLINE_S
        while not json.loads(self.command("calls")):
            assert time.monotonic() < end, "no call is up"
        self.steps.done("calls run, %d a second" % self.options.rate)
        self.command("import", "rates", changed, "--deck", "v0", "--memo", "cheap")
        self.steps.done("reloaded one deck")
        versions = self.versions("v0")
        active = next(version for version in versions if version["is_active"])
        before = next(version for version in versions if version["rows"] == decks[0])
        assert active["memo"] == "cheap" and active["rows"] == decks[0] - 10, versions
        diff = json.loads(self.command("deck", "diff", "--deck", "v0", "--from", str(before["number"]), "--to",
                                       str(active["number"]), "--limit", "5"))
        assert diff["counts"] == {"added": 0, "removed": 10, "changed": decks[0] - 10}, diff["counts"]
        assert len(diff["changed"]) == 5
        self.steps.done("compared its two versions")
        self.command("deck", "rollback", "--deck", "v0")
        self.steps.done("rolled it back")
        versions = self.versions("v0")
        assert next(version for version in versions if version["is_active"])["number"] == before["number"]
        self.command("shadow", "start", "--deck", "v0", "--version", str(active["number"]))
        self.steps.done("started a shadow with the other version")
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)
        self.command("deck", "schedule", "--deck", "v0", "--version", str(active["number"]), "--at",
                     soon.strftime("%Y-%m-%dT%H:%M:%SZ"))
        end = time.monotonic() + DEADLINE_S
        while not next(v for v in self.versions("v0") if v["number"] == active["number"])["is_active"]:
            assert time.monotonic() < end, "the planned version did not become active"
            time.sleep(0.2)
        self.steps.done("a version scheduled for 5 s ahead is active")
        out, _ = load.communicate(timeout=DEADLINE_S)
        report = json.loads(out)
        assert load.returncode == 0 and report["failures"] == 0 and report["completed"] > 0, report
        print("           calls: %d completed, %d failed, set up in %s ms" % (
            report["completed"], report["failures"], report["setup_ms"]))
        shadow = json.loads(self.command("shadow", "stop", "--format", "json"))
        assert shadow["calls"] + shadow["dropped"] > 0, shadow
        self.steps.done("calls are over; the shadow saw %d, of which %d would have changed their first vendor" % (
            shadow["calls"], shadow["changed"]))

        self.stop()
        self.steps.done("stopped")
        self.start()
        self.steps.done("started with %d stored rows" % (rows - 10))
        call = self.calls(1)
        out, _ = call.communicate(timeout=DEADLINE_S)
        assert call.returncode == 0, out
        self.stop()
        print("%7.2f s  in all" % (time.monotonic() - self.steps.began))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="folder of the build (build)")
    parser.add_argument("--vendors", type=int, default=5, help="decks (5)")
    parser.add_argument("--prefixes", type=int, default=20000, help="rows of each deck (20000)")
    parser.add_argument("--rate", type=int, default=50, help="calls a second meanwhile (50)")
    parser.add_argument("--seconds", type=int, default=10, help="how long calls run (10)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tandem-decks-") as folder:
        operator = Operator(options)
        try:
            operator.run(pathlib.Path(folder))
        finally:
            if operator.process is not None:
                operator.process.kill()
                operator.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
