#!/bin/sh
# The relay is killed (SIGKILL) at random moments while thousands of events are on
# their way, and events are added meanwhile.  Nothing is lost, no event has two
# bodies, no two checkpoints contradict each other, repeats are exact, audit says
# complete, and a consumer prints each event once, in order.
#
# DEBMSG_KILLS says how often: 50 times, with 20,000 events, in make check-long.
# DEBMSG_SEED=N makes the random choices of an earlier run again.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services=wiki
setup

rounds=${DEBMSG_KILLS:-15}
backlog=$((rounds * 100))	# published before the first start, the others in the rounds
events=$((rounds * 400))
seed=${DEBMSG_SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
note "DEBMSG_SEED=$seed"

publish() {
	"$srcdir/tests/broker/events.py" "$@" | debmsg publish --service wiki --jsonl >>"$work/ids"
}

# look: $size, $signed and $confirmed of the outbox.
look() {
	size=0 signed=0 confirmed=0
	debmsg outbox status --service wiki --json >"$work/status"
	eval "$(sed 's/.*"events":\([0-9]*\),"signed":\([0-9]*\),"confirmed":\([0-9]*\),.*/size=\1 signed=\2 confirmed=\3/' "$work/status")"
}

signed_more_than() {
	look
	[ "$signed" -gt "$1" ]
}

confirmed_past() {
	look
	[ "$confirmed" -ge "$1" ]
}

# A moment to kill, by two random numbers: after a while that is mostly spent
# connecting and looking at the history; as soon as a checkpoint is on disk; or
# somewhere among the confirms.  What does not come in time need not be awaited.
await_moment() {
	case $(($1 % 3)) in
	0) sleep "0.$(printf %03d $(($2 % 800)))" ;;
	1) busy_await 5 signed_more_than "$before_signed" || : ;;
	2) busy_await 5 confirmed_past $((before_confirmed + $2 % (before_size - before_confirmed + 200))) || : ;;
	esac
}

# As await, but without a pause.
busy_await() {
	deadline=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$deadline" ] || return 1
	done
}

# one_round WHICH WHEN
one_round() {
	look
	before_size=$size before_signed=$signed before_confirmed=$confirmed
	launch_relay "$work"
	publish $(((events - backlog) / rounds)) "$size" &
	publisher=$!
	await_moment "$1" "$2"
	kill_relay
	wait "$publisher" || fail "publish failed while the relay was running or killed"
	look
	[ "$signed" -le "$confirmed" ] || in_the_middle=$((in_the_middle + 1))
	[ "$confirmed" -le "$before_confirmed" ] || with_progress=$((with_progress + 1))
}

debmsg consume --queue all --idle-exit 1	# makes the queue
publish $backlog 0
in_the_middle=0 with_progress=0
awk -v seed="$seed" -v n="$rounds" 'BEGIN {
	srand(seed)
	for (i = 0; i < n; i++)
		print int(rand() * 1000000), int(rand() * 1000000)
}' >"$work/moments"
while read -r which when; do
	one_round "$which" "$when"
done <"$work/moments"
note "$rounds kills; $in_the_middle of them with a checkpoint signed whose events were not all confirmed; $with_progress after some progress"
[ $in_the_middle -ge $((rounds / 10)) ] || fail "the kills did not hit the relay at work"
[ $with_progress -ge $((rounds / 10)) ] || fail "the kills did not hit the relay at work"

note "the rest is sent"
debmsg relay --once || fail "relay --once after the last kill"
look
[ "$confirmed" -eq "$size" ] || fail "the outbox: $(cat "$work/status")"
[ "$(sort -u "$work/ids" | wc -l)" -eq $events ] || fail "publish gave an id twice"

note "the history holds every event, with one body, under checkpoints that agree"
debmsg export --log "$(sed -n 's/.*"origin":"\([^"]*\)".*/\1/p' "$work/status")" >"$work/export"
"$srcdir/tests/broker/recompute.py" <"$work/export" >&2
debmsg verify --json "$work/export" >"$work/verified"
[ "$(grep -c '"result":"ok"' "$work/verified")" -eq "$(wc -l <"$work/export")" ] || fail "not all that was exported is ok"
debmsg audit --log demo.example/wiki >"$work/audit" || fail "audit: $(cat "$work/audit")"
cat "$work/audit" >&2
grep -q "complete 0\.\.$((size - 1)) " "$work/audit" || fail "audit does not say complete"

note "a consumer gets each event once, in order, though the queue has them several times"
ids() {
	sed 's/^{"specversion":"1.0","source":"\([^"]*\)","id":"\([^"]*\)",.*/\1\/\2/'
}
some=$((events / 3 + 1))
debmsg consume --queue all --limit $some | ids >"$work/got"
[ "$(wc -l <"$work/got")" -eq $some ] || fail "--limit $some gave $(wc -l <"$work/got") events"
debmsg consume --queue all --idle-exit 3 | ids >>"$work/got"
cmp "$work/ids" "$work/got" >&2 || fail "consume did not print each event once, in order: $(diff "$work/ids" "$work/got" | head)"
