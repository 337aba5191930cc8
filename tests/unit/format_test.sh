#!/bin/sh
# format_test.sh SOURCE: every file of ours is as clang-format (.clang-format) would write it.
set -u
cd "$1" || exit 2
command -v clang-format >/dev/null || { echo "clang-format is not installed (cmake/setup.sh installs it)"; exit 1; }
folders=
for folder in lib include bindings examples tests; do [ -d "$folder" ] && folders="$folders $folder"; done
if find $folders -type f \( -name '*.cpp' -o -name '*.hpp' -o -name '*.h' -o -name '*.c' \) -print0 |
  xargs -0 -r -n20 -P2 clang-format --dry-run -Werror; then
  exit 0
fi
echo "to repair: clang-format -i FILE"
exit 1
