#!/bin/sh
# The broker is stopped, started again, and killed (SIGKILL) while several thousand
# events are on their way.  Publishing does not notice; relay --once says in one line
# what is the matter; a relay and a consumer that run come back by themselves; and
# everything arrives once, in order.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services=wiki
unset DEBMSG_TEST_BROKER	# it is stopped and killed here
setup

consumer=
stop_consumer() {
	[ -z "$consumer" ] || kill "$consumer" 2>/dev/null || :
	consumer=
}
trap 'status=$?; set +e; stop_consumer; (exit $status); cleanup' EXIT

stop_broker() {
	"$srcdir/broker-config/private-broker" stop "$broker"
}

start_broker() {
	"$srcdir/broker-config/private-broker" start "$broker"
}

broker_is_gone() {
	[ "$(readlink "/proc/$broker_pid/cwd")" != "$broker" ]
}

kill_broker() {
	broker_pid=$(cat "$DEBMSG_BROKER_PID")
	kill -s KILL "$broker_pid"
	await 20 broker_is_gone || fail "the broker does not die"
}

# put COUNT FIRST
put() {
	"$srcdir/tests/broker/events.py" "$@" | debmsg publish --service wiki --jsonl >>"$work/ids"
}

milliseconds() {
	date +%s%3N
}

relay_says() {
	grep -q "$1" "$work/relay.log"
}

confirmed_past() {
	[ "$(debmsg outbox status --service wiki --json | sed 's/.*"confirmed":\([0-9]*\),.*/\1/')" -ge "$1" ]
}

drained() {
	debmsg outbox status --service wiki --json | grep -q '"waiting":0,'
}

received() {
	sed 's/^{"specversion":"1.0","source":"\([^"]*\)","id":"\([^"]*\)",.*/\1\/\2/' "$work/printed" >"$work/received"
	cmp -s "$work/ids" "$work/received"
}

note "a relay and a consumer at work"
debmsg consume --queue q >"$work/printed" 2>"$work/consumer.log" &
consumer=$!
start_relay
put 100 0
await 30 received || fail "the first events do not arrive"

note "the broker stops"
stop_broker
await 10 relay_says 'trying again in' || fail "the relay does not notice"
began=$(milliseconds)
debmsg publish --service wiki --type page.edit --subject Outage >>"$work/ids" || fail "publish without a broker"
took=$(($(milliseconds) - began))
note "publish took $took ms without a broker"
[ $took -lt 5000 ] || fail "publish took $took ms without a broker"
put 99 101
stop_relay

note "relay --once says so, in one line"
began=$(milliseconds)
ends 69 debmsg relay --once
note "relay --once took $(($(milliseconds) - began)) ms: $(cat "$work/stderr")"
grep -q "127.0.0.1:$DEBMSG_AMQP_PORT" "$work/stderr" || fail "it does not say which broker"
[ "$(wc -l <"$work/stderr")" -eq 1 ] || fail "relay --once says $(wc -l <"$work/stderr") lines: $(cat "$work/stderr")"
for command in tail audit export 'consume --queue q2'; do
	# shellcheck disable=SC2086 # a command with its arguments
	ends 69 debmsg $command
	[ "$(wc -l <"$work/stderr")" -eq 1 ] || fail "$command says: $(cat "$work/stderr")"
done

note "the broker is back, and so are they"
start_relay
start_broker
await 60 drained || fail "the relay does not come back"
await 60 received || fail "not everything arrived once, in order: $(diff "$work/ids" "$work/received" | head -5)"

note "the broker is killed in the middle of 20,000 events"
kill_relay
put 20000 200
start_relay
await 30 confirmed_past 1000 || fail "the relay does not send"
kill_broker
drained && fail "it was too late to kill the broker"
start_broker
await 60 drained || fail "the relay does not come back"
await 60 received || fail "not everything arrived once, in order: $(diff "$work/ids" "$work/received" | head -5)"

note "$(grep -c 'trying again in' "$work/relay.log") attempts of the relay failed, $(grep -c 'trying again in' "$work/consumer.log") of the consumer"

# A broker that starts lets publishers in before it has its streams back; there is half a
# second of that.  Here it lasts as long as is wanted.
stream_record() {
	"$RABBITMQCTL" -q eval "Name = {resource, <<\"$vhost\">>, queue, <<\"debmsg.log\">>}, $1." >/dev/null
}

note "a broker that is there, but not yet its stream"
stream_record 'mnesia:dirty_delete(rabbit_queue, Name)'
"$RABBITMQCTL" -q close_all_connections -p "$vhost" test >/dev/null
put 5 20200
await 30 relay_says "debmsg.log.* is down or inaccessible; trying again" || fail "the relay says: $(cat "$work/relay.log")"
drained && fail "events are confirmed that are not in the history"
stream_record '[Queue] = mnesia:dirty_read(rabbit_durable_queue, Name), mnesia:dirty_write(rabbit_queue, Queue)'
await 60 drained || fail "the relay does not go on: $(cat "$work/relay.log")"
await 60 received || fail "not everything arrived once, in order: $(diff "$work/ids" "$work/received" | head -5)"

debmsg audit >"$work/audit" || fail "audit: $(cat "$work/audit")"
cat "$work/audit" >&2
debmsg export >"$work/export"
"$srcdir/tests/broker/recompute.py" <"$work/export" >&2

note "and both end when they are asked to"
stop_relay
kill "$consumer"
status=0
wait "$consumer" || status=$?
consumer=
[ $status -eq 0 ] || fail "the consumer ended with $status: $(tail -3 "$work/consumer.log")"
