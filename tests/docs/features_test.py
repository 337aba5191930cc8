"""docs/features.md is true where a program can tell: known states, and tests that exist and name the feature."""
import argparse
import pathlib
import re
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--source", required=True)
root = pathlib.Path(parser.parse_args().source)
states = {"done", "part", "not yet"}
wrong = rows = 0
seen: set[str] = set()
for line in (root / "docs" / "features.md").read_text().splitlines():
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    if not re.fullmatch(r"[A-Z]-\d+b?", cells[0]):
        continue
    rows += 1
    feature, state, tests = cells[0], cells[2], cells[3] if len(cells) > 3 else ""
    problems = []
    if feature in seen:
        problems.append("is there twice")
    seen.add(feature)
    if state not in states:
        problems.append(f'has state "{state}"')
    paths = re.findall(r"`([^`]+)`", tests)
    if state in ("done", "part") and not paths:
        problems.append("names no test")
    if state == "not yet" and paths:
        problems.append("names a test although it is not built")
    for path in paths:
        if not (root / "tests" / path).exists():
            problems.append(f"names tests/{path}, which does not exist")
    for problem in problems:
        print(f"docs/features.md: {feature} {problem}")
        wrong += 1
if rows < 100:
    print(f"docs/features.md: only {rows} features are listed")
    wrong += 1
sys.exit(1 if wrong else 0)
