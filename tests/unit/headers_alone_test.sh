#!/bin/sh
# headers_alone_test.sh CC CXX INCLUDE: every public header compiles alone, C99 for .h and C++20 for .hpp.
set -u
cc=$1 cxx=$2 include=$3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
strict="-Wall -Wextra -Wpedantic -Werror -fsyntax-only -I$include"
for header in "$include"/tandem/*.h "$include"/tandem/*.hpp; do
  [ -e "$header" ] || continue
  name=tandem/$(basename "$header")
  case $header in
    # twice over, for the include guard; .h from C++ as well, for extern "C" and reserved words
    *.h)
      printf '#include <%s>\n#include <%s>\ntypedef int c_needs_a_declaration;\n' "$name" "$name" >"$tmp/$(basename "$header").c"
      printf '#include <%s>\n' "$name" >"$tmp/$(basename "$header").cpp" ;;
    *) printf '#include <%s>\n#include <%s>\n' "$name" "$name" >"$tmp/$(basename "$header").cpp" ;;
  esac
done
find "$tmp" -name '*.c' -print0 | xargs -0 -r -n1 -P2 "$cc" $strict -std=c99 -pedantic-errors || exit 1
find "$tmp" -name '*.cpp' -print0 | xargs -0 -r -n1 -P2 "$cxx" $strict -std=c++20 || exit 1
echo "$(find "$tmp" -name '*.c*' | wc -l) compilations"
