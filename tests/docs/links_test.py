"""Every relative link of README.md and docs/ leads to a file, and no number is still to be put in."""
import argparse
import pathlib
import re
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--source", required=True)
root = pathlib.Path(parser.parse_args().source)
broken = 0
for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
    for blank in re.findall(r"@[A-Z]+\d*@", page.read_text()):
        print(f"{page.relative_to(root)}: {blank} was never filled in")
        broken += 1
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target and not (page.parent / target).exists():
            print(f"{page.relative_to(root)}: link to {target} leads nowhere")
            broken += 1
sys.exit(1 if broken else 0)
