#!/bin/sh
# wheel_test.sh PYTHON WORK: pip makes a wheel of the sources and installs it into a virtual environment, where it is used with no
# path into the source or the build. By hand, because it builds the whole library once more:
# tests/install/wheel_test.sh python3 build/wheel
set -eu
python=$1 work=$2
source=$(cd "$(dirname "$0")/../.." && pwd)
fail() { echo "wheel: $*"; exit 1; }
# The build is kept for the next run; what comes of it is made anew.
rm -rf "$work/environment" "$work/log"
mkdir -p "$work"
"$python" -m venv "$work/environment" || fail "no virtual environment"
TANDEM_BUILD_DIR=$work/build "$work/environment/bin/pip" install --no-index --no-deps --disable-pip-version-check \
  "$source/bindings/python" >"$work/log" 2>&1 || { tail -n 40 "$work/log"; fail "pip could not install it"; }

cd "$work"
"$work/environment/bin/python" - <<'END' || fail "what pip installed does not work"
import pathlib
import sys
import tandem

builder = tandem.RouteTable.Builder()
builder.add(tandem.VendorRoute("london", ["4420"]))
assert builder.build().lookup("442079460000") == ["london"]
with open("/proc/self/maps") as maps:
    loaded = {line.split()[-1] for line in maps if "tandem" in line.split()[-1]}
here = pathlib.Path(sys.prefix).resolve()
strangers = [path for path in loaded if here not in pathlib.Path(path).resolve().parents]
assert not strangers, "taken from elsewhere: %s" % strangers
assert any("libtandem.so" in path for path in loaded), loaded
END
echo "installed by pip and used from a virtual environment"
