#!/bin/sh
# Installs the Debian packages of cmake/packages.txt that are missing. With sudo when not root; does nothing, and
# needs neither, when all are there. setup.sh --list prints what is missing.
set -eu
list=$(dirname "$0")/packages.txt
missing=
for package in $(sed 's/#.*//' "$list"); do
  dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
done
if [ "${1:-}" = --list ]; then
  [ -z "$missing" ] || printf '%s\n' $missing
  exit 0
fi
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then
  as_root=
elif command -v sudo >/dev/null; then
  as_root=sudo
else
  echo "setup.sh: missing packages:$missing" >&2
  echo "setup.sh: run it as root, or install sudo" >&2
  exit 1
fi
command -v apt-get >/dev/null || { echo "setup.sh: no apt-get here; install by other means:$missing" >&2; exit 1; }
echo "installing$missing"
# Not interactive: tshark asks who may capture, kamailio and others ask about services.
install() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing </dev/null
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The lists are fetched only when the ones at hand do not do: a fresh machine has none, and old ones name old files.
if ! install >"$log" 2>&1; then
  $as_root apt-get update -qq
  install >"$log" 2>&1 || { tail -n 20 "$log" >&2; echo "setup.sh: apt-get could not install:$missing" >&2; exit 1; }
fi
# Packages that bring a daemon start it; tests start their own, on their own ports and folders.
if [ -d /run/systemd/system ]; then
  for package in kamailio postgresql mariadb-server; do
    case "$missing " in
      *" $package "*) $as_root systemctl disable --now "${package%-server}" 2>/dev/null || true ;;
    esac
  done
fi
