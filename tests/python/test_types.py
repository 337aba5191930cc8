"""The stubs agree with how the package, these tests and the examples use them."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("mypy") is None, reason="mypy is not installed: the stubs were not checked")
def test_strict_typing() -> None:
    tests = [str(path) for path in sorted((SOURCE / "tests/python").glob("*.py"))]
    examples = [[f"examples/{name}.py"] for name in ("minimal_python/main", "minimal_python/parts", "voice_menu/menu")]
    for arguments in (["-p", "tandem"], tests, *examples):
        checked = subprocess.run(
            ["mypy", "--strict", "--cache-dir=/dev/null", *arguments],
            cwd=SOURCE,
            env={**os.environ, "MYPYPATH": f"{SOURCE}/bindings/python:{SOURCE}/tests/support"},
            capture_output=True,
            text=True,
        )
        assert checked.returncode == 0, checked.stdout


def test_the_stubs_name_everything_that_the_module_has() -> None:
    import tandem._tandem as module

    stubs = (SOURCE / "bindings/python/tandem/_tandem.pyi").read_text()
    missing = []
    for name, item in vars(module).items():
        if name.startswith("_"):
            continue
        if f"class {name}:" not in stubs and f"def {name}(" not in stubs and name != "Error":
            missing.append(name)
        if isinstance(item, type) and f"class {name}:" in stubs:
            body = stubs.split(f"class {name}:", 1)[1].split("\nclass ", 1)[0]
            missing += [f"{name}.{member}" for member in vars(item) if not member.startswith("_") and member not in body]
    assert missing == []
