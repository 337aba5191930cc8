#!/usr/bin/env bash
# run-demo.sh [--no-build]: a wholesale switch with customers, vendors, media and money, on loopback.
#
# From a clone on Debian 12, as root or with sudo, from any folder, as often as wanted: installs what is missing, builds
# build/, starts tandem-switch on build/demo, lets SIPp customers call SIPp vendors through it, and shows what came of
# it: records, balances, margin and media. Ends every program it started. Exit status 0: all went as told.
# --no-build takes the program that is there: build/bin, or the folder in TANDEM_BIN; TANDEM_DEMO is the work folder.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
demo=$root/examples/demo
build=1
for option in "$@"; do
  case $option in
    --no-build) build= ;;
    *) echo "usage: run-demo.sh [--no-build]" >&2; exit 2 ;;
  esac
done

fail() {
  echo "run-demo: $1" >&2
  exit 1
}

if [ -n "$build" ]; then
  "$root/cmake/setup.sh" || fail "packages are missing (see above)"
  echo "building $root/build (some minutes the first time)"
  mkdir -p "$root/build"
  # Tests and the Python module are left as an earlier configuration has them; only the switch is built.
  if ! { cmake -S "$root" -B "$root/build" -G Ninja && cmake --build "$root/build" --target tandem-switch; } \
    >"$root/build/demo-build.log" 2>&1; then
    tail -n 30 "$root/build/demo-build.log" >&2
    fail "the build failed; whole log: $root/build/demo-build.log"
  fi
fi

program=${TANDEM_BIN:-$root/build/bin}/tandem-switch
[ -x "$program" ] || fail "$program is not there; run without --no-build"
for tool in sipp python3; do
  command -v "$tool" >/dev/null || fail "$tool is not installed; cmake/setup.sh installs it"
done

work=${TANDEM_DEMO:-$root/build/demo}
rm -rf "$work" || fail "$work could not be emptied"
mkdir -p "$work" || fail "$work could not be made"
cd "$work" || exit 1

started=() # what is ended at the end, by process id
clean_up() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null; done
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null; done
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# --- the switch ------------------------------------------------------------------------------------------------------

read -r SIP ADMIN ALPHA BETA BUSY DEAD MEDIA < <(python3 "$demo/demo.py" ports) || fail "no free ports"
cp "$demo/alpha-buy.csv" . &&
  sed -e "s/@SIP@/$SIP/; s/@ADMIN@/$ADMIN/; s/@ALPHA@/$ALPHA/; s/@BETA@/$BETA/; s/@BUSY@/$BUSY/; s/@DEAD@/$DEAD/" \
    -e "s/@MEDIA@/$MEDIA/; s/@MEDIA_END@/$((MEDIA + 199))/" "$demo/demo.json" >demo.json || fail "no configuration"
"$program" check --config demo.json || fail "the configuration is wrong (see above)"

"$program" run --config demo.json >switch.out 2>switch.log &
switch=$!
started+=("$switch")
for _ in $(seq 100); do
  grep -qx ready switch.out && break
  kill -0 "$switch" 2>/dev/null || { cat switch.log >&2; fail "the switch ended at once"; }
  sleep 0.1
done
grep -qx ready switch.out || { cat switch.log >&2; fail "the switch was not ready within 10 s"; }
echo "switch: 127.0.0.1:$SIP, admin API: http://127.0.0.1:$ADMIN"

# --- vendors and customers -------------------------------------------------------------------------------------------

python3 "$demo/demo.py" tone tone.alaw || fail "no tone"

vendor() { # vendor NAME PORT SCENARIO: answers until the end
  sipp -sf "$demo/$3" -i 127.0.0.1 -mi 127.0.0.1 -p "$2" -mp "$(python3 "$demo/demo.py" port)" -rtp_echo -nostdin \
    -trace_err -error_file "$1.err" >"$1.out" 2>&1 </dev/null &
  started+=($!)
}
vendor alpha "$ALPHA" vendor.xml
vendor beta "$BETA" vendor.xml
vendor busy "$BUSY" vendor_busy.xml

calls=()  # "process id:what it was"
call() { # call NAME IP CALLER CALLEE SCENARIO [OPTIONS]; SCENARIO is a path
  local name=$1 ip=$2 caller=$3 callee=$4 scenario=$5
  shift 5
  sipp -sf "$scenario" -i "$ip" -mi "$ip" -p "$(python3 "$demo/demo.py" port "$ip")" \
    -mp "$(python3 "$demo/demo.py" port "$ip")" -m 1 -s "$callee" -key caller "$caller" "$@" -nostdin -timeout 30 \
    -timeout_error -trace_err -error_file "$name.err" "127.0.0.1:$SIP" >"$name.out" 2>&1 </dev/null &
  calls+=("$!:$name")
  started+=($!)
}
refused_call() { # refused_call NAME IP CALLER CALLEE STATUS
  sed "s/@STATUS@/$5/" "$demo/customer_refused.xml" >"refused-$5.xml"
  call "$1" "$2" "$3" "$4" "refused-$5.xml"
}
wait_for_ports() { # SIPp says nothing when it listens
  for _ in $(seq 50); do
    python3 "$demo/demo.py" bound "$ALPHA" "$BETA" "$BUSY" && return
    sleep 0.1
  done
  fail "the vendors did not start (see $work/alpha.out)"
}
wait_for_ports

echo "calling: 5 answered, 1 busy, 1 without money, 1 of a stranger"
call acme-1 127.0.0.2 12125550101 442079460001 "$demo/customer.xml" -d 4000
call acme-2 127.0.0.2 12125550102 442079460002 "$demo/customer.xml" -d 6000
call acme-3 127.0.0.2 12125550103 498912345678 "$demo/customer.xml" -d 8000
call bolt-1 127.0.0.3 33140000001 0033140000002 "$demo/customer.xml" -d 5000
call bolt-2 127.0.0.3 33140000001 00442079460003 "$demo/customer.xml" -d 7000
refused_call acme-busy 127.0.0.2 12125550104 493012345678 486
refused_call broke 127.0.0.4 12125550105 442079460004 402
refused_call stranger 127.0.0.9 12125550106 442079460005 403

failed=0
for entry in "${calls[@]}"; do
  if ! wait "${entry%%:*}"; then
    echo "run-demo: call ${entry#*:} did not go as told; see $work/${entry#*:}.err" >&2
    failed=1
  fi
done

# --- what came of it -------------------------------------------------------------------------------------------------

python3 "$demo/demo.py" report "$program" demo.json "http://127.0.0.1:$ADMIN" || failed=1

kill -TERM "$switch"
wait "$switch"
status=$?
[ "$status" = 0 ] || { echo "run-demo: the switch ended with status $status; see $work/switch.log" >&2; failed=1; }
[ "$failed" = 0 ] || fail "something failed (see above)"

cat <<END

Where to look next (everything is in $work):
  $program run --config $work/demo.json          start it again; balances and records are kept
  curl http://127.0.0.1:$ADMIN/api/v1/accounts    its admin API, then; docs/admin-api.md has the rest
  $program cdr --config $work/demo.json --format json
  $program explain --config $work/demo.json --from acme-gw --caller 12125550101 --callee 442079460001
  $program rate --config $work/demo.json --deck retail --callee 442079460001 --seconds 61
END
