"""The configurations of docs/phones.md are good ones."""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser()
for name in ("source", "build"):
    parser.add_argument("--" + name, required=True)
options = parser.parse_args()
program = pathlib.Path(options.build) / "bin" / "tandem-switch"
page = (pathlib.Path(options.source) / "docs" / "phones.md").read_text()
found = re.findall(r"^```json\n(.*?)^```", page, re.M | re.S)
failures = 0 if found else 1
for text in found:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([program, "check", "--config", file.name], text=True, capture_output=True, timeout=60,
                              check=False)
    if done.returncode != 0:
        print(f"docs/phones.md: {done.stderr}")
        failures += 1
sys.exit(1 if failures else 0)
