#!/bin/sh
# install_test.sh CMAKE BUILD WORK CC CXX FLAGS VERSION: installs BUILD below WORK and uses it from outside:
# find_package and pkg-config, from C and from C++, with no path into the source or the build.
set -eu
cmake=$1 build=$2 work=$3 cc=$4 cxx=$5 flags=$6 version=$7
here=$(cd "$(dirname "$0")" && pwd)
fail() { echo "install: $*"; exit 1; }
rm -rf "$work"
mkdir -p "$work"
prefix=$work/prefix
"$cmake" --install "$build" --prefix "$prefix" >"$work/log" 2>&1 || { cat "$work/log"; fail "cmake --install failed"; }

pc=$(find "$prefix" -name tandem.pc)
[ -n "$pc" ] || fail "no tandem.pc"
library_folder=$(dirname "$(find "$prefix" -name 'libtandem.so')")
# The prefix of the configuration is written into the file; this installation stands elsewhere.
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
config="pkg-config --define-variable=prefix=$prefix"
[ "$($config --modversion tandem)" = "$version" ] || fail "pkg-config names another version than $version"
[ -f "$prefix/include/tandem/version.h" ] || fail "no headers"

cpp_source=$here/consumer/use.cpp
c_source=$here/consumer/use.c
has_c=
[ ! -f "$prefix/include/tandem/tandem.h" ] || has_c=1
run() { LD_LIBRARY_PATH=$library_folder "$@" || fail "$1 ended with status $?"; }

$cxx -std=c++20 $flags $($config --cflags tandem) "$cpp_source" -o "$work/pc_cpp" $($config --libs tandem)
run "$work/pc_cpp" >"$work/said"
cat "$work/said"
# A codec is there exactly where the library brings what it needs.
for pair in opus:libopus G722:libspandsp; do
  codec=${pair%%:*} needed=
  if readelf -d "$library_folder/libtandem.so" | grep -q "NEEDED.*${pair#*:}"; then needed=1; fi
  if grep -qx "codec $codec" "$work/said"; then [ -n "$needed" ] || fail "codec $codec without its library"
  else [ -z "$needed" ] || fail "no codec $codec, though its library is linked"; fi
done
if [ -n "$has_c" ]; then
  $cc -std=c99 $flags -Wall -Wextra -pedantic $($config --cflags tandem) "$c_source" -o "$work/pc_c" $($config --libs tandem)
  run "$work/pc_c"
fi

"$cmake" -S "$here/consumer" -B "$work/consumer" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" \
  -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_C_FLAGS="$flags" -DWANTED_VERSION="$version" \
  -DHAS_C="$has_c" -DEXAMPLES="$(cd "$here/../../examples" && pwd)" >"$work/log" 2>&1 && "$cmake" --build "$work/consumer" >>"$work/log" 2>&1 ||
  { cat "$work/log"; fail "the consumer did not build"; }
"$work/consumer/use_cpp" || fail "the C++ consumer did not run"
[ -z "$has_c" ] || "$work/consumer/use_c" || fail "the C consumer did not run"
for program in switch_cpp ${has_c:+switch_c}; do
  mkdir "$work/$program"
  (cd "$work/$program" && "$work/consumer/$program" 0 udp:127.0.0.1:0) >"$work/said" || fail "$program did not run"
  grep -q '127\.0\.0\.1:[1-9]' "$work/said" || { cat "$work/said"; fail "$program did not listen"; }
done

# Nothing installed may lead back into the tree that it was built from.
if grep -rlI "$build\|$(cd "$here/../.." && pwd)" "$prefix" --include='*.cmake' --include='*.pc' --include='*.h*' --include='*.py'; then
  fail "an installed file names the source or the build folder"
fi
for program in "$prefix"/bin/*; do
  [ -f "$program" ] || continue
  if readelf -d "$program" | grep -E 'R(UN)?PATH' | grep -q "$build"; then fail "$program looks for libraries in the build folder"; fi
  case $flags in *fsanitize*) continue ;; esac
  # no LD_LIBRARY_PATH: it finds the library by itself
  "$program" --help >/dev/null 2>"$work/log" || grep -qi usage "$work/log" || { cat "$work/log"; fail "$program does not start"; }
done
module=$(find "$prefix" -name '_tandem*.so' -o -name 'tandem*.so' -path '*packages*' | head -n 1)
if [ -n "$module" ] && readelf -d "$module" | grep -E 'R(UN)?PATH' | grep -q "$build"; then
  fail "$module looks for libraries in the build folder"
fi
echo "installed and used from C++${has_c:+ and C}, by find_package and by pkg-config"
