#!/bin/sh
# abi.sh check|update LIBRARY [BASELINE HEADERS]: the C ABI of the library against the committed baseline.
# Status 0 good, 1 changed, 2 usage, 77 not wholly compared. See docs/abi.md.
set -eu
usage() { echo "usage: abi.sh check|update LIBRARY [BASELINE HEADERS]" >&2; exit 2; }
[ $# = 2 ] || [ $# = 4 ] || usage
here=$(cd "$(dirname "$0")" && pwd)
mode=$1 library=$2 baseline=${3:-$here/abi} headers=${4:-$here/../include}
[ -f "$library" ] || { echo "ABI: $library does not exist; build it first"; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# 1: names of the C functions and the SONAME; needs only binutils
nm -D --defined-only "$library" | sed 's/@.*//' | awk '$2 != "A" && $3 ~ /^tandem_/ {print $3}' | LC_ALL=C sort >"$tmp/symbols"
functions=$(wc -l <"$tmp/symbols")
readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/SONAME \1/p' >>"$tmp/symbols"

# 2: their types, as libabigail sees them; needs -g and abigail-tools. C++ symbols are no part of the promise: they are
# dropped, or the baseline would hold half of libstdc++.
have=
if command -v abidw >/dev/null && command -v abidiff >/dev/null; then have=1; fi
if [ -n "$have" ]; then
  printf '[suppress_function]\n  symbol_name_not_regexp = ^tandem_\n  drop = true\n[suppress_variable]\n  symbol_name_not_regexp = ^tandem_\n  drop = true\n[suppress_type]\n  name_regexp = ^(tandem|std|__gnu_cxx)::\n  drop = true\n' >"$tmp/c-only"
  # The C headers alone make a type public: those of C++ may change, and opaque handles hold them.
  mkdir "$tmp/headers"
  find "$headers" -name '*.h' -exec cp {} "$tmp/headers" \;
  abidw --suppressions "$tmp/c-only" --headers-dir "$tmp/headers" --drop-private-types --exported-interfaces-only \
    --no-corpus-path --no-comp-dir-path --no-show-locs --no-architecture --type-id-style hash \
    --out-file "$tmp/abi.xml" "$library"
  # libraries that it needs are no part of it either, nor is the folder where the sources stood
  sed -i -e '/<elf-needed>/,/<\/elf-needed>/d' -e "s|path='$(dirname "$here")/|path='|" "$tmp/abi.xml"
fi

case $mode in
  update)
    [ -n "$have" ] || { echo "ABI: abidw is not installed; the baseline needs it"; exit 1; }
    mkdir -p "$baseline"
    cp "$tmp/symbols" "$baseline/symbols"
    cp "$tmp/abi.xml" "$baseline/abi.xml"
    echo "ABI: baseline of $functions functions written to $baseline" ;;
  check)
    if [ ! -f "$baseline/symbols" ]; then
      if [ "$functions" -gt 0 ]; then
        echo "ABI: the library exports $functions functions tandem_* but $baseline/symbols is missing;"
        echo "     run: tests/abi.sh update $library"
        exit 1
      fi
      echo "ABI: not compared: the library exports no function tandem_* and there is no baseline"
      exit 77
    fi
    diff -u "$baseline/symbols" "$tmp/symbols" ||
      { echo "ABI: the exported functions changed; if that is meant, run: tests/abi.sh update LIBRARY"; exit 1; }
    [ -n "$have" ] || { echo "ABI: names agree; types not compared: abidw is not installed"; exit 77; }
    [ -f "$baseline/abi.xml" ] || { echo "ABI: $baseline/abi.xml is missing"; exit 1; }
    [ "$functions" = 0 ] || grep -q "<data-member" "$tmp/abi.xml" ||
      { echo "ABI: abidw found no types: was the C API built with -g?"; exit 1; }
    status=0
    # no --headers-dir here: with it abidiff takes every type for private and finds no change at all
    abidiff --no-added-syms "$baseline/abi.xml" "$tmp/abi.xml" || status=$?
    # bits of the status: 1 and 2 error of the tool, 4 a change, 8 an incompatible one
    [ $((status & 3)) = 0 ] || { echo "ABI: abidiff failed ($status)"; exit 1; }
    [ $((status & 8)) = 0 ] || { echo "ABI: incompatible change (abidiff $status)"; exit 1; }
    [ "$status" = 0 ] || { echo "ABI: types changed (abidiff $status); if compatible, update the baseline"; exit 1; }
    echo "ABI: $functions functions as in the baseline" ;;
  *) usage ;;
esac
