"""The examples of docs/rating.md: each configuration rates every row of the table behind it."""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HEADER = ["deck", "callee", "at", "seconds", "charge", "billed", "why"]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows_behind(text: str) -> list[list[str]]:
    """The rows of the table that follows, when it is one of results."""
    lines = text.lstrip("\n").splitlines()
    if not lines or cells(lines[0]) != HEADER:
        return []
    rows = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        rows.append(cells(line))
    return rows


def rate(program: pathlib.Path, config: str, row: list[str]) -> tuple[str, str]:
    command = [str(program), "rate", "--config", config, "--deck", row[0], "--callee", row[1], "--seconds", row[3]]
    if row[2]:
        command += ["--at", row[2]]
    done = subprocess.run(command, text=True, capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        return done.stderr, ""
    answer = json.loads(done.stdout)
    return answer["charge"], str(answer["billed_time_s"])


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("source", "build"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    page = (pathlib.Path(options.source) / "docs" / "rating.md").read_text()
    program = pathlib.Path(options.build) / "bin" / "tandem-switch"
    failures = tried = 0
    for block in re.finditer(r"^```json\n(.*?)^```\n", page, re.M | re.S):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(block[1])
            file.flush()
            for row in rows_behind(page[block.end():]):
                tried += 1
                found = rate(program, file.name, row)
                if found != (row[4], row[5]):
                    failures += 1
                    print(f"docs/rating.md: {row[:4]}: charge {found[0]!r}, billed {found[1]!r}")
    print(f"{tried - failures} passed, {failures} failed")
    return 1 if failures or tried < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
