#!/bin/sh
# relay --metrics-file: while the broker is down the outbox's depth and age grow in
# the file; when it is up what is confirmed is counted, once, and so are signatures,
# connections, alarms and failures.  Every state of the file that is looked at passes
# a strict reader, and a file that cannot be written stops nothing.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services='wiki planet'
unset DEBMSG_TEST_BROKER	# its memory alarm stops everybody
setup

metrics=$work/textfile/relay.prom
relay=
mkdir -m 755 "$work/textfile"

stop_it() {
	[ -z "$relay" ] || kill "$relay" 2>/dev/null || :
	relay=
}
alarm=
alarm_over() {
	[ -z "$alarm" ] || "$RABBITMQCTL" -q set_vm_memory_high_watermark 0.4 >/dev/null
	alarm=
}
trap 'status=$?; set +e; stop_it; alarm_over; (exit $status); cleanup' EXIT

# start_it CONF
start_it() {
	debmsg -c "$1" relay --metrics-file "$metrics" 2>>"$work/relay.log" &
	relay=$!
}

# The end is written, too.
end_it() {
	kill "$relay"
	status=0
	wait "$relay" || status=$?
	relay=
	[ $status -eq 0 ] || fail "the relay ended with $status"
}

# tells CONDITION…: of the file, which must be well formed in any case
tells() {
	"$srcdir/tests/prometheus.py" "$metrics" "$@" >"$work/told" 2>&1
}

must_tell() {
	tells "$@" || fail "$(cat "$work/told")"
}

comes_to_tell() {
	await 60 tells "$@" || fail "$(cat "$work/told")"
}

value() {
	sed -n "s/^$1{service=\"wiki\"} //p" "$metrics"
}

put() {
	"$srcdir/tests/broker/events.py" "$@" | debmsg publish --service wiki --jsonl >/dev/null
}

drained() {
	debmsg outbox status --service wiki --json | grep -q '"waiting":0,'
}


unbind_stream() {
	"$RABBITMQCTL" -q eval "
		{ok, Connection} = amqp_connection:start({amqp_params_direct, none, none, <<\"$vhost\">>, node(), none, []}),
		{ok, Channel} = amqp_connection:open_channel(Connection),
		amqp_channel:call(Channel, {'queue.unbind', 0, <<\"debmsg.log\">>, <<\"debmsg\">>, <<\"#\">>, []}),
		amqp_connection:close(Connection)." >/dev/null
}

note "a broker that is down: nobody listens there"
sed "s,@127.0.0.1:$DEBMSG_AMQP_PORT/,@127.0.0.1:1/," "$work/relay.conf" >"$work/down.conf"
chmod 600 "$work/down.conf"
put 300 0
start_it "$work/down.conf"
comes_to_tell 'debmsg_relay_outbox_events{service="wiki"} == 300'
must_tell 'debmsg_relay_outbox_events{service="planet"} == 0' \
	'debmsg_relay_outbox_oldest_age_seconds{service="wiki"} > 0' \
	'debmsg_relay_outbox_oldest_age_seconds{service="planet"} == 0' \
	'debmsg_relay_connected{service="wiki"} == 0' \
	'debmsg_relay_last_success_timestamp_seconds{service="wiki"} == 0' \
	'debmsg_relay_failures_total{service="wiki",reason="unavailable"} == 1' \
	'debmsg_relay_events_total{service="wiki",result="confirmed"} == 0'
age=$(value debmsg_relay_outbox_oldest_age_seconds)
put 50 300
note "more waits, and for longer than $age s"
end_it
must_tell 'debmsg_relay_outbox_events{service="wiki"} == 350' \
	"debmsg_relay_outbox_oldest_age_seconds{service=\"wiki\"} > $age"

note "the broker is there, and all is confirmed; then it has an alarm, which is told at once"
began=$(date +%s)
start_it "$work/relay.conf"
await 60 drained || fail "the relay does not send"
alarm=yes
"$RABBITMQCTL" -q set_vm_memory_high_watermark absolute 1MB >/dev/null
put 1 350
comes_to_tell 'debmsg_relay_blocked{service="wiki"} == 1'
must_tell 'debmsg_relay_alarms_total{service="wiki"} == 1' \
	'debmsg_relay_events_total{service="wiki",result="confirmed"} == 350' \
	'debmsg_relay_events_total{service="wiki",result="returned"} == 0' \
	'debmsg_relay_publishes_total{service="wiki"} == 351' \
	'debmsg_relay_unconfirmed_events{service="wiki"} == 1' \
	'debmsg_relay_outbox_events{service="wiki"} == 1' \
	'debmsg_relay_outbox_oldest_age_seconds{service="wiki"} > 0' \
	"debmsg_relay_confirm_lag_seconds{service=\"wiki\"} > $age" \
	'debmsg_relay_connected{service="wiki"} == 1' \
	'debmsg_relay_connections_total{service="wiki"} == 1' \
	'debmsg_relay_signatures_total{service="wiki",result="made"} == 2' \
	'debmsg_relay_signatures_total{service="wiki",result="failed"} == 0' \
	'debmsg_relay_signatures_total{service="planet",result="made"} == 0' \
	'debmsg_relay_signature_seconds_total{service="wiki"} > 0' \
	"debmsg_relay_last_success_timestamp_seconds{service=\"wiki\"} >= $began"
[ "$(stat -c %a "$metrics")" = 644 ] || fail "node_exporter cannot read it: $(ls -l "$metrics")"
alarm_over
comes_to_tell 'debmsg_relay_blocked{service="wiki"} == 0'
must_tell 'debmsg_relay_outbox_oldest_age_seconds{service="planet"} == 0'

note "a file that cannot be written stops nothing, and is said once"
mv "$work/textfile" "$work/elsewhere"
put 1 351
await 60 drained || fail "the relay does not go on"
end_it
[ "$(grep -c 'metrics file .* cannot be written: No such file' "$work/relay.log")" -eq 1 ] ||
	fail "$(cat "$work/relay.log")"
mv "$work/elsewhere" "$work/textfile"

note "an event that no queue takes is returned"
unbind_stream
put 1 352
: >"$work/textfile/.relay.prom.tmp" # of one that was killed
ends 69 debmsg -c "$work/relay.conf" relay --once --metrics-file "$metrics"
must_tell 'debmsg_relay_events_total{service="wiki",result="returned"} == 1' \
	'debmsg_relay_events_total{service="wiki",result="confirmed"} == 0' \
	'debmsg_relay_outbox_events{service="wiki"} == 1' \
	'debmsg_relay_connected{service="wiki"} == 0' \
	'debmsg_relay_set_aside{service="wiki"} == 1' \
	'debmsg_relay_set_aside{service="planet"} == 0'
[ "$(ls -A "$work/textfile")" = relay.prom ] || fail "left behind: $(ls -A "$work/textfile")"

note "a name that node_exporter does not read is refused"
ends 64 debmsg relay --metrics-file "$work/textfile/relay.txt"
grep -q 'must end in .prom' "$work/stderr" || fail "$(cat "$work/stderr")"
