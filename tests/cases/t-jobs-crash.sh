#!/bin/sh
# What starts handlers is killed with -9 at 200 random moments, while 4 at once
# record events of 50 subjects into a file: each event is recorded once, in order
# per subject, and no handler is told that an earlier run may have succeeded.
set -eu
umask 077
run_jobs=${DEBMSG_BUILDDIR:?}/tests/run-jobs
dir=$(mktemp -d "${TMPDIR:-/tmp}/jobs.XXXXXX")
trap 'rm -rf "$dir"' EXIT
end=2000
seed=$$

"$run_jobs" fill "$dir" 0 $end 50
kills=0
awk -v seed=$seed 'BEGIN { srand(seed); for (i = 0; i < 200; i++) printf "0.%03d\n", rand() * 100 }' >"$dir/pauses"
while read -r pause; do
	"$run_jobs" run "$dir" 4 "$run_jobs" record "$dir/had" 2>>"$dir/said" </dev/null &
	sleep "$pause"
	if kill -9 $! 2>/dev/null; then
		kills=$((kills + 1))
	fi
	if wait $! 2>/dev/null; then # it was faster than we: there must be something to do
		"$run_jobs" fill "$dir" $end $((end + 200)) 50
		end=$((end + 200))
	fi
done <"$dir/pauses"
left=$((end - $(wc -l <"$dir/had")))
"$run_jobs" run "$dir" 4 "$run_jobs" record "$dir/had"
echo "seed $seed, $end events, $kills kills, $left left for the last run"

awk -v end=$end '
	{ times[$1]++ }
	$3 != 0 { print "event " $1 " was said to be run again"; bad = 1 }
	($2 in last) && $1 + 0 <= last[$2] { print "subject " $2 ": " $1 " after " last[$2]; bad = 1 }
	{ last[$2] = $1 + 0 }
	END {
		for (i = 0; i < end; i++)
			if (times[i] != 1) {
				print "event " i ": " times[i] + 0 " times"
				bad = 1
			}
		exit bad
	}' "$dir/had"
if [ -s "$dir/said" ]; then
	echo "something was said:"
	cat "$dir/said"
	exit 1
fi
test $kills -ge 100
