#!/bin/sh
# The wiki's log is long, the adapter idle, or killed again and again.
#
#   DEBMSG_BUILDDIR=... DEBMSG_SRCDIR=... tests/cases/t-moin-crash.sh
#
# No broker is needed: events are read from the outbox.
. "${DEBMSG_SRCDIR:-.}/tests/cases/moin-lib.sh"
. "${DEBMSG_SRCDIR:-.}/tests/cases/idle.sh"

rss_kib() {
	sed -n "s/^$1:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$adapter/status"
}

check_memory() {
	if grep -q __asan_init "$wiki"; then
		note "with the sanitizers: memory is not looked at"
		return
	fi
	[ "$(rss_kib VmHWM)" -le 16384 ] || fail "it had $(rss_kib VmHWM) KiB"
}

note "100000 old lines: from now none, from the start all"
new_wiki
awk -v tail="$address$tab$user$tab$tab" 'BEGIN { for (i = 1; i <= 100000; i++)
	printf "%d\t%08d\tSAVE\tPage%d\t%sn=%d\n", 1620714570000000 + i, 1, i, tail, i }' >"$data/edit-log"
run --from-now
expect 'length == 0'
log "$data/edit-log" SAVENEW 00000001 New '' ''
run --from-start # which counts the first time only
expect '[.[].subject] == ["New"]'
rm -rf "$work/state" && seen=0
start --from-start
await_events 100001
check_memory
events
[ "$(jq -r .data.comment "$work/new" | head -n 100000 | sed 's/n=//' | awk '$1 != NR' | wc -l)" = 0 ] ||
	fail "not every line once and in its order"

note "idle, it uses no CPU and little memory"
await_quiet "$adapter" 3 1 # it looks around once a minute, which may be now
check_memory
log "$data/edit-log" SAVENEW 00000001 Awake '' ''
await_events 100002
stop TERM

note "killed 40 times, while lines come and the log is renamed, copied and truncated"
new_wiki
# One change of the log's file at a time: what a truncation takes must have been read.
change_file() {
	await_events "$1"
	case $(($1 / 100 % 3)) in
	0) : >"$data/edit-log" ;;
	1) mv "$data/edit-log" "$data/edit-log.1" ;;
	2)
		cp "$data/edit-log" "$data/edit-log.1"
		: >"$data/edit-log"
		;;
	esac
}
write_lines() {
	n=0
	until [ -e "$work/enough" ]; do
		n=$((n + 1))
		if [ $((n % 7)) = 0 ]; then
			printf '%s\t00000001\tSA' $((now + n)) >>"$data/edit-log"
			printf 'VE\tPage%s\t%s\t%s\t\tn=%s\n' $n "$address" $user $n >>"$data/edit-log"
		else
			printf '%s\t00000001\tSAVE\tPage%s\t%s\t%s\t\tn=%s\n' \
				$((now + n)) $n "$address" $user $n >>"$data/edit-log"
		fi
		[ $((n % 100)) != 0 ] || change_file $n
	done
	echo $n >"$work/lines"
}
start --from-start
await_position
write_lines &
writer=$!
kills=0
while [ $kills -lt 40 ]; do
	# a moment of its own for each: up to 90 ms
	sleep "0.0$(awk -v seed="$kills" 'BEGIN { srand(seed + '"$(date +%s)"'); print int(rand() * 10) }')"
	stop KILL
	start --from-start
	kills=$((kills + 1))
done
: >"$work/enough"
wait "$writer" || fail "the writer: exit status $?"
writer=
lines=$(cat "$work/lines")
await_events "$lines"
stop TERM
note "$lines lines"
run
events
jq -r .data.comment "$work/new" | sed 's/n=//' | sort -n | awk '$1 != NR' >"$work/wrong"
[ "$(wc -l <"$work/wrong")$(wc -l <"$work/new")" = "0$lines" ] ||
	fail "$(wc -l <"$work/new") events of $lines lines; the first wrong ones: $(head -n 5 "$work/wrong" | tr '\n' ' ')"
[ "$(count_rejects)" = 0 ] || fail "lines are refused"
check_privacy
check_schemas
