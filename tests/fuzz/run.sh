#!/bin/bash
# Runs every libFuzzer target beside the others: run.sh OUTDIR SECONDS JOBS_PER_TARGET. Targets and their seeds
# (seeds/fuzz_NAME) lie in this script's folder, or in $FUZZ_DIR, so that a folder of them can be carried to another
# machine. A target that finds something goes on until its time is over. OUTDIR/summary.txt is written anew all the
# while, so it holds even after a kill: a line a target with executions, CPU seconds, coverage and findings.
set -u
[ $# = 3 ] || { echo "usage: run.sh OUTDIR SECONDS JOBS_PER_TARGET" >&2; exit 2; }
mkdir -p "$1" && out=$(cd "$1" && pwd) || exit 2
seconds=$2 jobs=$3
here=${FUZZ_DIR:-$(cd "$(dirname "$0")" && pwd)}
start=$(date +%s)
declare -a workers targets=()
for file in "$here"/fuzz_*; do
  [ -f "$file" ] && [ -x "$file" ] && targets+=("$(basename "$file")")
done
[ ${#targets[@]} -gt 0 ] || { echo "run.sh: no fuzz_* program in $here" >&2; exit 2; }

# Sanitizers of older compilers do not find room for their shadow where addresses are very random.
fixed=()
setarch "$(uname -m)" -R true 2>/dev/null && fixed=(setarch "$(uname -m)" -R)
# Looking for leaks needs ptrace, which containers may refuse.
leaks=1
"${fixed[@]}" "$here/${targets[0]}" -runs=1 2>&1 | grep -q 'LeakSanitizer has encountered' && leaks=0

# libFuzzer answers a signal with its figures, or hangs if it came in the middle of an allocation.
end_process() {
  kill -TERM "$1" 2>/dev/null
  for _ in 1 2 3 4 5 6 7 8; do
    sleep 0.5
    kill -0 "$1" 2>/dev/null || return
  done
  kill -KILL "$1" 2>/dev/null
}

# One process of TARGET after the other until the time is over; ends the running one when told.
work() {
  local target=$1 log=$2 left child=
  trap '[ -n "$child" ] && end_process "$child"; left=0' TERM
  left=$seconds
  while [ "$left" -gt 0 ]; do
    "${fixed[@]}" nice -n 10 "$here/$target" -max_total_time="$left" -rss_limit_mb=2048 -timeout=60 \
      -detect_leaks=$leaks -print_final_stats=1 -artifact_prefix="$out/$target-" "$out/corpus/$target" \
      "$here/seeds/$target" >>"$log" 2>&1 &
    child=$!
    echo "$child" >"$log.pid"
    while kill -0 "$child" 2>/dev/null; do wait "$child"; done
    times >"$log.times"
    [ "$left" = 0 ] || left=$((start + seconds - $(date +%s)))
    sleep 0.2
  done
}

# Seconds of CPU that a worker's children have used, dead and alive.
cpu_seconds() {
  local log=$1 dead=0 live=0 stat
  [ -f "$log.times" ] && dead=$(tail -1 "$log.times" | sed 's/[ms]/ /g' | awk '{print $1 * 60 + $2 + $3 * 60 + $4}')
  if [ -f "$log.pid" ] && stat=$(cat "/proc/$(cat "$log.pid")/stat" 2>/dev/null); then
    live=$(echo "${stat##*) }" | awk -v hz="$(getconf CLK_TCK)" '{print ($12 + $13) / hz}')
  fi
  awk -v a="$dead" -v b="$live" 'BEGIN {printf "%.0f", a + b}'
}

# Executions of a log: of each process the last number it told.
executions() {
  awk '/^INFO: Seed/ {sum += last; last = 0} /^#[0-9]+/ {n = substr($1, 2) + 0; if (n > last) last = n}
       /stat::number_of_executed_units/ {last = $2} END {print sum + last}' "$1"
}

summarize() {
  local target log cpu runs covered found more
  echo "$(($(date +%s) - start)) s of $seconds, $jobs processes a target, leaks looked for: $leaks"
  for target in "${targets[@]}"; do
    cpu=0 runs=0
    for log in "$out/$target".*.log; do
      more=$(cpu_seconds "$log")
      cpu=$((cpu + ${more:-0}))
      more=$(executions "$log")
      runs=$((runs + ${more:-0}))
    done
    covered=$(cat "$out/$target".*.log | grep -o 'cov: [0-9]*' | sort -k2n | tail -1)
    found=$(find "$out" -maxdepth 1 -name "$target-*" ! -name '*-slow-unit-*' | wc -l)
    printf '%-18s executions %12d  cpu %7d s  %-10s findings %d\n' "$target" "$runs" "$cpu" "${covered:-cov: 0}" "$found"
  done
}

stop() {
  trap - TERM INT HUP
  kill -TERM "${workers[@]}" 2>/dev/null
  wait
  summarize | tee "$out/summary.txt"
  exit
}

for target in "${targets[@]}"; do
  mkdir -p "$out/corpus/$target"
  for ((i = 0; i < jobs; i++)); do
    : >"$out/$target.$i.log"
    work "$target" "$out/$target.$i.log" &
    workers+=($!)
  done
done
trap stop TERM INT HUP
end=$((start + seconds + 3))
while [ "$(date +%s)" -lt $end ] && kill -0 "${workers[@]}" 2>/dev/null; do
  sleep 5 &
  wait $!
  summarize >"$out/summary.new" && mv "$out/summary.new" "$out/summary.txt"
done
stop
