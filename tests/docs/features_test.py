"""docs/features.md is true where a program can tell: known states, tests that exist, and no number left out."""
import argparse
import pathlib
import re
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--source", required=True)
root = pathlib.Path(parser.parse_args().source)
states = {"done", "part", "not yet"}
wrong = 0
seen: set[str] = set()
for line in (root / "docs" / "features.md").read_text().splitlines():
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    if not re.fullmatch(r"[A-Z]-\d+b?", cells[0]):
        continue
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
LAST = {"A": 5, "R": 25, "N": 7, "M": 18, "P": 30, "H": 17, "S": 14, "B": 28, "C": 13, "T": 17, "I": 8, "O": 16}
for letter, last in LAST.items():
    for feature in (f"{letter}-{number:02}" for number in range(1, last + 1)):
        if feature not in seen:
            print(f"docs/features.md: {feature} is not listed")
            wrong += 1
sys.exit(1 if wrong else 0)
