#!/bin/sh
# run.sh EXPECTED COMMAND [ARGUMENT...]: the command ends with status 0 and a line of its output matches EXPECTED.
set -eu
expected=$1
shift
output=$("$@") || { echo "$output"; echo "status $?: $*"; exit 1; }
echo "$output"
echo "$output" | grep -q -e "$expected" || { echo "no line matches $expected"; exit 1; }
