#!/bin/sh
# check_test.sh CC: tests/abi.sh finds the changes that break callers and lets the others pass, on a toy library.
set -eu
cc=$1
abi=$(cd "$(dirname "$0")" && pwd)/../abi.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/include/tandem"
command -v abidw >/dev/null || { echo "abidw is not installed (cmake/setup.sh installs it)"; exit 1; }

# build FIELDS ENUMERATORS PARAMETER EXTRA: the toy, its header and library
build() {
  cat >"$tmp/include/tandem/tandem.h" <<H
enum tandem_color { $2 };
typedef struct tandem_toy tandem_toy;
typedef struct tandem_event { unsigned long struct_size; $1 } tandem_event;
int tandem_toy_send(tandem_toy *toy, const tandem_event *event, enum tandem_color color, $3 value);
H
  cat >"$tmp/toy.c" <<C
#include <tandem/tandem.h>
struct tandem_toy { int secret; $5 };
int tandem_toy_send(tandem_toy *toy, const tandem_event *event, enum tandem_color color, $3 value) {
  return toy->secret + (int)event->struct_size + (int)color + (int)value;
}
int other_function(void) { return 1; }
$4
C
  "$cc" -g -O1 -fPIC -shared -Wl,-soname,libtoy.so.0 -I"$tmp/include" "$tmp/toy.c" -o "$tmp/libtoy.so"
}
check() { "$abi" check "$tmp/libtoy.so" "$tmp/baseline" "$tmp/include" >"$tmp/log" 2>&1; }
expect() { # expect pass|fail WHAT
  if check; then got=pass; else got=fail; fi
  [ "$got" = "$1" ] || { echo "$2: the check said $got, not $1"; cat "$tmp/log"; exit 1; }
  echo "$2: $got"
}

build "int a;" "TANDEM_RED = 1" int "" ""
expect fail "functions without a baseline"
"$abi" update "$tmp/libtoy.so" "$tmp/baseline" "$tmp/include" >/dev/null
expect pass "no change"
build "int a;" "TANDEM_RED = 1" int "" "int more;"
expect pass "a private struct changed"
build "int a;" "TANDEM_RED = 1" int "int other_added(void) { return 2; }" ""
expect pass "a function outside of the promise added"
build "int z; int a;" "TANDEM_RED = 1" int "" ""
expect fail "a field inserted"
build "int a; int b;" "TANDEM_RED = 1" int "" ""
expect fail "a field appended (needs a review and an update)"
build "int a;" "TANDEM_RED = 2" int "" ""
expect fail "a constant renumbered"
build "int a;" "TANDEM_RED = 1" long "" ""
expect fail "a parameter changed"
build "int a;" "TANDEM_RED = 1" int "int tandem_added(void) { return 2; }" ""
expect fail "a function added (needs an update)"
build "int a;" "TANDEM_RED = 1" int "" ""
sed -i 's/tandem_toy_send/tandem_toy_post/' "$tmp/toy.c" "$tmp/include/tandem/tandem.h"
"$cc" -g -O1 -fPIC -shared -Wl,-soname,libtoy.so.0 -I"$tmp/include" "$tmp/toy.c" -o "$tmp/libtoy.so"
expect fail "a function renamed"
