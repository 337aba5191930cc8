"""What pip calls to make a wheel (PEP 517): CMake builds and installs, this packs. Needs no package of an index.

TANDEM_CMAKE_ARGS: options for CMake, separated by spaces. TANDEM_BUILD_DIR: a folder for the build that is kept, so that the next
wheel compiles only what changed; default a temporary one. SOURCE_DATE_EPOCH: the time that the files of a wheel get, else 1980:
equal builds make equal wheels.
"""
import base64
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from typing import Any, Optional

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIRST_ZIP_TIME = 315532800  # 1980, before which a zip file knows no time


def _version() -> str:
    if not (ROOT / "CMakeLists.txt").is_file():
        # Old versions of pip copy this folder alone to where they build.
        raise RuntimeError("%s is not the source of tandem: build inside of its tree, with pip 21.3 or later" % ROOT)
    found = re.search(r"^project\(tandem VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text(), re.M)
    if found is None:
        raise RuntimeError("%s names no version" % (ROOT / "CMakeLists.txt"))
    return found.group(1)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)


def _install(build: str, stage: pathlib.Path) -> None:
    """Builds the module and the library and installs both into `stage`/tandem, where the one looks for the other."""
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    _run("cmake", "-S", str(ROOT), "-B", build, *generator, "-DTANDEM_BUILD_TESTS=OFF", "-DTANDEM_BUILD_EXAMPLES=OFF",
         "-DTANDEM_BUILD_PYTHON=ON", "-DCMAKE_INSTALL_LIBDIR=tandem", "-DTANDEM_PYTHON_DESTINATION=.",
         "-DPython_EXECUTABLE=" + sys.executable, *os.environ.get("TANDEM_CMAKE_ARGS", "").split())
    _run("cmake", "--build", build, "--target", "tandem_python", "--parallel", str(os.cpu_count() or 1))
    for component in ("python", "runtime"):
        _run("cmake", "--install", build, "--component", component, "--prefix", str(stage), "--strip")


def _contents(stage: pathlib.Path) -> dict[str, bytes]:
    # A wheel holds no links: of the library's names only the one that the module asks for is kept.
    kept = re.compile(r"\.(pyi?|typed)$|/_tandem[^/]*\.so$|/libtandem\.so\.\d+$")
    files = {str(path.relative_to(stage)): path.read_bytes() for path in sorted(stage.rglob("*")) if path.is_file()}
    return {name: data for name, data in files.items() if kept.search(name)}


def _record(files: dict[str, bytes], name: str) -> bytes:
    def digest(data: bytes) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()

    lines = ["%s,sha256=%s,%d\n" % (path, digest(data), len(data)) for path, data in files.items()]
    return ("".join(lines) + name + ",,\n").encode()


def _entry(name: str) -> zipfile.ZipInfo:
    moment = max(FIRST_ZIP_TIME, int(os.environ.get("SOURCE_DATE_EPOCH", FIRST_ZIP_TIME)))
    entry = zipfile.ZipInfo(name, time.gmtime(moment)[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    is_program = name.endswith(".so") or ".so." in name
    entry.external_attr = (0o100755 if is_program else 0o100644) << 16
    return entry


def build_sdist(sdist_directory: str, config_settings: Optional[dict[str, Any]] = None) -> str:
    """PEP 517 wants it to be there; a source distribution of this folder alone could not be built."""
    raise RuntimeError("tandem has no source distribution of its Python module alone: make a wheel of its tree")


def build_wheel(wheel_directory: str, config_settings: Optional[dict[str, Any]] = None,
                metadata_directory: Optional[str] = None) -> str:
    version = _version()
    python = "cp%d%d" % sys.version_info[:2]
    tag = "%s-%s-%s" % (python, python, re.sub(r"[-.]", "_", sysconfig.get_platform()))
    information = "tandem-%s.dist-info/" % version
    with tempfile.TemporaryDirectory() as folder:
        stage = pathlib.Path(folder, "stage")
        _install(os.environ.get("TANDEM_BUILD_DIR") or os.path.join(folder, "build"), stage)
        files = _contents(stage)
    files[information + "METADATA"] = (
        "Metadata-Version: 2.1\nName: tandem\nVersion: %s\nSummary: Embeddable class-4 softswitch\n"
        "License: BSD-3-Clause\nLicense-File: LICENSE\nRequires-Python: >=3.9\n" % version).encode()
    files[information + "LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files[information + "WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: tandem_build\nRoot-Is-Purelib: false\nTag: %s\n" % tag).encode()
    files[information + "RECORD"] = _record(files, information + "RECORD")
    name = "tandem-%s-%s.whl" % (version, tag)
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        for path, data in files.items():
            wheel.writestr(_entry(path), data)
    return name
