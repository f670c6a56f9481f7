#!/bin/sh
# consume --exec with four jobs, while consumer, relay and broker are killed
# (SIGKILL) again and again: a handler that records into a file, with fsync, has
# every event of four logs exactly once, those of a subject in order.
#
#   DEBMSG_EVENTS=50000 DEBMSG_KILLS=10 tests/broker/t-exec.sh     (make check-long)
#
# DEBMSG_SEED=N makes the random choices of an earlier run again.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
unset DEBMSG_TEST_BROKER # it is killed here
setup

events=${DEBMSG_EVENTS:-1200}
kills=${DEBMSG_KILLS:-2}
patience=$((120 + events / 20))
seed=${DEBMSG_SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
note "DEBMSG_SEED=$seed"

consumer=
stop_consumer() {
	[ -z "$consumer" ] || kill "-$1" "$consumer" 2>/dev/null || :
	[ -z "$consumer" ] || wait "$consumer" 2>/dev/null || :
	consumer=
}
trap 'status=$?; set +e; stop_consumer KILL; (exit $status); cleanup' EXIT

cat >"$work/handler" <<'EOF'
#!/bin/sh
# One write, so that what four of them append stays apart.
printf '%s %s %s %s\n' "$DEBMSG_SOURCE" "$DEBMSG_SUBJECT" "$DEBMSG_ID" "${DEBMSG_RETRY-}" >>"$1" && sync "$1"
EOF
chmod +x "$work/handler"
: >"$work/record"

start_consumer() {
	debmsg consume --queue all --jobs 4 --timeout 60 --exec "$work/handler" "$work/record" \
		>>"$work/consumer.log" 2>&1 &
	consumer=$!
}

broker_is_gone() {
	[ "$(readlink "/proc/$broker_pid/cwd")" != "$broker" ]
}

kill_broker() {
	broker_pid=$(cat "$DEBMSG_BROKER_PID")
	kill -s KILL "$broker_pid"
	await 20 broker_is_gone || fail "the broker does not die"
}

# A first connection that fails ends consume; systemd, too, would start it again.
recorded() {
	readlink "/proc/$consumer/exe" >/dev/null || start_consumer
	[ "$(wc -l <"$work/record")" -ge "$1" ]
}

# random N: the next random number below N
random() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	echo $((seed / 65536 % $1))
}

# publish FROM TO: into four logs, about 50 subjects
publish() {
	for name in $services; do
		seq "$1" "$2" | jq -c '{type: "page.edit", subject: "subject-\(. * 7 % 13)", data: {n: .}}' |
			debmsg publish --service "$name" --jsonl >/dev/null
	done
}

debmsg consume --queue all --idle-exit 1
each=$((events / 4))
start_relay
start_consumer
note "$events events, each of consumer, relay and broker killed $kills times"
round=0
while [ $round -lt "$kills" ]; do
	publish $((each * round / kills + 1)) $((each * (round + 1) / kills))
	target=$((events * round / kills + $(random $((events / kills)))))
	await $patience recorded $target || fail "only $(wc -l <"$work/record") events are recorded: $(tail -n 5 "$work/consumer.log")"
	stop_consumer KILL
	start_consumer
	sleep "0.$(printf %03d "$(random 1000)")" # a moment of its own to kill at
	kill_relay
	start_relay
	sleep "0.$(printf %03d "$(random 1000)")"
	kill_broker
	"$srcdir/broker-config/private-broker" start "$broker"
	round=$((round + 1))
done

await $patience recorded "$events" || fail "only $(wc -l <"$work/record") of $events events are recorded: $(tail -n 5 "$work/consumer.log")"
stop_consumer TERM
# what is in the queue still must be repeats
debmsg consume --queue all --idle-exit 3 --jobs 4 --exec "$work/handler" "$work/record" >>"$work/consumer.log" 2>&1

note "each once, those of a subject in order, none of unknown outcome"
sort "$work/record" | uniq -d >"$work/twice"
[ ! -s "$work/twice" ] || fail "more than once: $(head -n 3 "$work/twice")"
[ "$(wc -l <"$work/record")" -eq "$events" ] || fail "$(wc -l <"$work/record") records of $events events"
awk '$4 != "" { print "of unknown outcome: " $0; exit 1 }
	$3 <= last[$1 " " $2] && last[$1 " " $2] != "" { print "out of order: " $0; exit 1 }
	{ last[$1 " " $2] = $3 + 0 }' "$work/record" >&2 || fail "see above"

note "$(grep -c 'trying again' "$work/consumer.log" || :) times it had to try again"
debmsg audit --queue all >"$work/audit" || fail "audit --queue: $(cat "$work/audit")"
cat "$work/audit" >&2
