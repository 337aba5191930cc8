"""Compiles and runs the code blocks of README.md, docs/tutorial.md and docs/errors.md as a reader would."""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def blocks(page: pathlib.Path) -> list[tuple[str, str]]:
    return re.findall(r"^```(cpp|c|python|json|jsonc)\n(.*?)^```", page.read_text(), re.M | re.S)


def run(command: list[str], folder: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("source", "build", "cxx", "cc"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--flags", default="")
    options = parser.parse_args()
    source, build = pathlib.Path(options.source), pathlib.Path(options.build)
    environment = dict(os.environ, LD_LIBRARY_PATH=str(build / "lib"), PYTHONPATH=str(build / "python"))
    link = [f"-I{source / 'include'}", f"-L{build / 'lib'}", "-ltandem"]
    failures = tried = 0
    for page in (source / "README.md", source / "docs" / "tutorial.md", source / "docs" / "errors.md"):
        for index, (language, text) in enumerate(blocks(page)):
            folder = tempfile.mkdtemp(prefix="tandem-snippet-", dir=build)
            name = f"{page.name} block {index} ({language})"
            try:
                if language == "cpp":
                    pathlib.Path(folder, "snippet.cpp").write_text(text)
                    built = run([options.cxx, "-std=c++20", "-Wall", "-Wextra", *options.flags.split(), "snippet.cpp",
                                 "-o", "snippet", *link], folder, environment)
                    command = ["./snippet"]
                elif language == "c":
                    pathlib.Path(folder, "snippet.c").write_text(text)
                    built = run([options.cc, "-std=c99", "-Wall", "-Wextra", "-Wpedantic", *options.flags.split(),
                                 "snippet.c", "-o", "snippet", *link], folder, environment)
                    command = ["./snippet"]
                elif language == "python":
                    if not (build / "python" / "tandem").is_dir():
                        print(f"{name}: not run, the Python module is not built here")
                        continue
                    pathlib.Path(folder, "snippet.py").write_text(text)
                    built, command = None, ["/usr/bin/python3", "snippet.py"]
                else:
                    pathlib.Path(folder, "switch.json").write_text(text)
                    built, command = None, [str(build / "bin" / "tandem-switch"), "check", "--config", "switch.json"]
                tried += 1
                if built is not None and built.returncode != 0:
                    print(f"{name}: did not compile\n{built.stdout}")
                    failures += 1
                    continue
                done = run(command, folder, environment)
                if done.returncode != 0:
                    print(f"{name}: ended with {done.returncode}\n{done.stdout}")
                    failures += 1
                else:
                    print(f"{name}: good")
            finally:
                shutil.rmtree(folder)
    print(f"{tried - failures} passed, {failures} failed")
    return 1 if failures or tried == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
