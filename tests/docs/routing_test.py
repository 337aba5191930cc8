"""The examples of docs/routing.md: each configuration is explained for every row of the table behind it, and commands
that are shown with what they print, `$ tandem-switch explain ...`, print that on the configuration before them."""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HEADER = ["from", "callee", "at", "tried", "passed over", "why"]
LRN_HEADER = ["from", "callee", "lrn", "callee region", "caller region", "tried", "billed", "why"]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows_behind(text: str) -> list[list[str]]:
    """The rows of the table that follows, when it is one of results."""
    lines = text.lstrip("\n").splitlines()
    if not lines or cells(lines[0]) not in (HEADER, LRN_HEADER):
        return []
    rows = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        rows.append(cells(line))
    return rows


def explain(program: pathlib.Path, config: str, row: list[str]) -> tuple[str, str]:
    """What the last two columns before the reason should say."""
    command = [str(program), "explain", "--config", config, "--from", row[0], "--caller", "12125550100", "--callee", row[1]]
    is_lrn = len(row) == len(LRN_HEADER)
    names = ["--lrn", "--callee-region", "--caller-region"] if is_lrn else ["--at"]
    for name, cell in zip(names, row[2:]):
        if cell:
            command += [name, "" if cell == "none" else cell]
    done = subprocess.run(command, text=True, capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        return done.stderr, ""
    answer = json.loads(done.stdout)
    tried = " ".join(candidate["gateway"] for candidate in answer["candidates"])
    if is_lrn:
        return tried, answer["callee_billing"]
    return tried, ", ".join(f"{x['gateway']} {x['reason']}" for x in answer["excluded"])


def shown_commands(text: str) -> list[tuple[list[str], str]]:
    """Commands and what they print, up to the next configuration."""
    end = text.find("```json\n")
    shown = text if end < 0 else text[:end]
    blocks = re.finditer(r"^```\n\$ tandem-switch (explain [^\n]*)\n(.*?)^```\n", shown, re.M | re.S)
    return [(block[1].split(), block[2]) for block in blocks]


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("source", "build"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    page = (pathlib.Path(options.source) / "docs" / "routing.md").read_text()
    program = pathlib.Path(options.build) / "bin" / "tandem-switch"
    failures = tried = commands = 0
    for block in re.finditer(r"^```json\n(.*?)^```\n", page, re.M | re.S):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(block[1])
            file.flush()
            for row in rows_behind(page[block.end():]):
                tried += 1
                found = explain(program, file.name, row)
                if found != (row[-3], row[-2]):
                    failures += 1
                    print(f"docs/routing.md: {row[:-3]}: tried {found[0]!r}, passed over {found[1]!r}")
            for words, printed in shown_commands(page[block.end():]):
                commands += 1
                done = subprocess.run([str(program), *words, "--config", file.name], text=True, capture_output=True,
                                      timeout=60, check=False)
                if (done.returncode, done.stdout) != (0, printed):
                    failures += 1
                    print(f"docs/routing.md: {' '.join(words)} printed\n{done.stdout}{done.stderr}")
    print(f"{tried + commands - failures} passed, {failures} failed")
    return 1 if failures or tried < 12 or commands < 1 else 0


if __name__ == "__main__":
    sys.exit(main())
