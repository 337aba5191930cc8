"""Every relative link of README.md and docs/ leads to a file."""
import argparse
import pathlib
import re
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--source", required=True)
root = pathlib.Path(parser.parse_args().source)
broken = 0
for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target and not (page.parent / target).exists():
            print(f"{page.relative_to(root)}: link to {target} leads nowhere")
            broken += 1
sys.exit(1 if broken else 0)
