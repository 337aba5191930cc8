#!/usr/bin/env bash
# run-all.sh [PART...]: builds everything and runs every test, from any folder, as often as wanted.
#
#   release   build/       everything, ctest
#   asan      build/asan   memory and undefined behaviour: unit, flow, command line, C API, Python and corpus replay
#   tsan      build/tsan   data races: the rooms with threads, C API, tandem-switch under load and under its administration
#   fuzz      build/fuzz   each fuzz target for ten seconds from its corpus
#
# PARTs are run instead of all four when some are named, in their order. TANDEM_MINUTES: a part that would begin after so
# many minutes is left out and named; the first one always runs. The last line is "N passed, N failed", counted over all
# parts; the exit status is 0 when nothing failed. Installs missing Debian packages first (cmake/setup.sh; sudo when not root).
set -uo pipefail

parts=("$@")
[ $# -gt 0 ] || parts=(release asan tsan fuzz)
for name in "${parts[@]}"; do
  case $name in
    release | asan | tsan | fuzz) ;;
    *) echo "usage: run-all.sh [release] [asan] [tsan] [fuzz]" >&2; exit 2 ;;
  esac
done
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
jobs=${TANDEM_JOBS:-$(nproc)}
fuzz_seconds=${TANDEM_FUZZ_SECONDS:-10}
minutes=${TANDEM_MINUTES:-}
passed=0 failed=0
failures=() times=()

fail() { # fail TEXT: one failure
  failures+=("$1")
  failed=$((failed + 1))
  echo "FAILED: $1"
}

build() { # build PART FOLDER TARGET [CMAKE OPTIONS]
  local part=$1 folder=$2 target=$3 log
  shift 3
  log=$folder.log
  mkdir -p "$(dirname "$folder")"
  if ! { cmake "$@" -S . -B "$folder" -G Ninja && cmake --build "$folder" -j "$jobs" --target "$target"; } >"$log" 2>&1; then
    grep -E "error|FAILED|undefined reference|CMake Error" "$log" | head -n 40
    fail "$part: the build (whole log: $log)"
    return 1
  fi
}

tail_of_each_failure() { # tail_of_each_failure LOG: the last 50 lines of every test that failed
  awk -v keep=50 '
    function tell(  i) {
      if (is_bad) for (i = (n > keep ? n - keep : 0); i < n; i++) print lines[i]
      n = 0
    }
    /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: |^[0-9]+% tests passed/ {
      tell(); is_bad = / Test +#/ && !/   Passed |\*\*\*Skipped/
      if (is_bad) print
      next
    }
    !/^ *Start +[0-9]+: / { lines[n++] = $0 }
    END { tell() }' "$1"
}

run_ctest() { # run_ctest PART FOLDER [CTEST OPTIONS]
  local part=$1 folder=$2 log=$2.ctest.log line
  shift 2
  ctest --test-dir "$folder" --output-on-failure -j 2 --no-tests=error "$@" >"$log" 2>&1
  local status=$? seen=0 bad=0
  # a line a test: "  3/40 Test  #3: unit_base ....   Passed    1.20 sec"
  while IFS= read -r line; do
    seen=$((seen + 1))
    case $line in
      *"   Passed "*) passed=$((passed + 1)) ;;
      *"***Skipped"*) echo "$part: not run: $line" ;;
      *) bad=$((bad + 1)); fail "$part: $(sed -E 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: //' <<<"$line")" ;;
    esac
  done < <(grep -E '^ *[0-9]+/[0-9]+ Test +#[0-9]+: ' "$log")
  grep -h "not run:" "$log" | sort -u || true
  if [ "$bad" -gt 0 ]; then
    tail_of_each_failure "$log"
  elif [ "$status" != 0 ] || [ "$seen" = 0 ]; then
    tail -n 20 "$log"
    fail "$part: ctest ended with status $status"
  fi
}

part() { # part NAME FUNCTION
  local start=$SECONDS
  if [ -n "$minutes" ] && [ ${#times[@]} -gt 0 ] && [ "$start" -ge $((minutes * 60)) ]; then
    echo "not run: $1, for $((start / 60)) minutes have gone (TANDEM_MINUTES=$minutes)"
    return
  fi
  echo "== $1"
  "$2"
  times+=("$1 $((SECONDS - start)) s")
  echo "== $1 took $((SECONDS - start)) s"
}

release() {
  build release build all -DCMAKE_BUILD_TYPE=RelWithDebInfo || return
  run_ctest release build
}
asan() {
  build asan build/asan tandem_memory_tests -C cmake/dev/asan.cmake || return
  ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 \
    run_ctest asan build/asan -R '^(unit_|flow|capi|fuzz_replay_|cli_(admin|commands|life|provision)$|python$)'
}
tsan() {
  build tsan build/tsan tandem_thread_tests -C cmake/dev/tsan.cmake || return
  TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
    run_ctest tsan build/tsan -L '^threads$'
}
fuzz_target() { # fuzz_target NAME: its output and exit status in build/fuzz/NAME.log
  # New inputs go to a folder of the build; the committed corpus is only read.
  mkdir -p "build/fuzz/corpus/$1" build/fuzz/findings
  "build/fuzz/bin/fuzz_$1" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
    -artifact_prefix="build/fuzz/findings/$1-" "build/fuzz/corpus/$1" "tests/fuzz/corpus/$1" >"build/fuzz/$1.log" 2>&1
  echo "exit status $?" >>"build/fuzz/$1.log"
}
fuzz() {
  build fuzz build/fuzz tandem_fuzz_targets -C cmake/dev/fuzz.cmake || return
  local source name
  for source in tests/fuzz/*_fuzz.cpp; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    fuzz_target "$(basename "$source" _fuzz.cpp)" &
  done
  wait
  for source in tests/fuzz/*_fuzz.cpp; do
    name=$(basename "$source" _fuzz.cpp)
    if grep -q "^exit status 0$" "build/fuzz/$name.log"; then
      passed=$((passed + 1))
      echo "fuzz $name: $(grep -E '^Done' "build/fuzz/$name.log" | tail -n 1)"
    else
      tail -n 30 "build/fuzz/$name.log"
      fail "fuzz: $name (build/fuzz/findings/$name-*; put what it found into tests/fuzz/corpus/$name/)"
    fi
  done
}

if cmake/setup.sh; then
  for name in "${parts[@]}"; do part "$name" "$name"; done
else
  fail "cmake/setup.sh: packages are missing"
fi

echo
for line in ${times[@]+"${times[@]}"}; do echo "time: $line"; done
for line in ${failures[@]+"${failures[@]}"}; do echo "failed: $line"; done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
