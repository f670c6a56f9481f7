#!/bin/sh
# consume --metrics-file: what was delivered, parked, healed and missing, and what the
# handlers did, is what the file says; every state of it passes a strict reader.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services=wiki
setup

metrics=$work/textfile/consume.prom
mkdir -m 755 "$work/textfile"

# must_tell CONDITION…
must_tell() {
	"$srcdir/tests/prometheus.py" "$metrics" "$@" 2>"$work/told" || fail "$(cat "$work/told")"
}

put() {
	"$srcdir/tests/broker/events.py" "$@" | debmsg publish --service wiki --jsonl >/dev/null
	debmsg relay --once 2>>"$work/relay.log"
}

# eat OPTION…: all there is
eat() {
	debmsg consume --queue q --metrics-file "$metrics" --idle-exit 1 "$@" >>"$work/eaten" 2>>"$work/consume.log" ||
		fail "consume: $(cat "$work/consume.log")"
}

note "what is delivered, and what is not believed"
began=$(date +%s)
eat --bind wiki
must_tell 'debmsg_consume_events_total{queue="consumer.q",result="new"} == 0' \
	'debmsg_consume_last_event_timestamp_seconds{queue="consumer.q"} == 0' \
	'!debmsg_consume_inbox_events{queue="consumer.q",state="waiting"}'
put 40 0
echo '{"properties":{},"routing_key":"org.debian.dev.wiki.page.edit","payload":"hello","payload_encoding":"string"}' >"$work/unsigned"
api "exchanges/$vhost/debmsg/publish" -X POST -d "@$work/unsigned" >/dev/null
eat
must_tell 'debmsg_consume_events_total{queue="consumer.q",result="new"} == 40' \
	'debmsg_consume_events_total{queue="consumer.q",result="repeat"} == 0' \
	'debmsg_consume_parked_total{queue="consumer.q",reason="unsigned"} == 1' \
	'debmsg_consume_parked_total{queue="consumer.q",reason="misrouted"} == 0' \
	'debmsg_consume_signature_checks_total{queue="consumer.q",by="gnupg"} == 1' \
	'debmsg_consume_signature_checks_total{queue="consumer.q",by="memory"} == 39' \
	'debmsg_consume_signature_seconds_total{queue="consumer.q"} > 0' \
	'debmsg_consume_queue_messages{queue="consumer.q"} == 0' \
	'debmsg_consume_lag_seconds{queue="consumer.q"} == 0' \
	'debmsg_consume_connections_total{queue="consumer.q"} == 1' \
	'debmsg_consume_connected{queue="consumer.q"} == 0' \
	'debmsg_consume_gaps_total{queue="consumer.q"} == 0' \
	"debmsg_consume_last_success_timestamp_seconds{queue=\"consumer.q\"} >= $began"

note "events that were deleted from the queue come out of the history"
put 10 40
api "queues/$vhost/consumer.q/contents" -X DELETE
put 10 50
eat
must_tell 'debmsg_consume_gaps_total{queue="consumer.q"} >= 1' \
	'debmsg_consume_events_total{queue="consumer.q",result="new"} == 20' \
	'debmsg_consume_healed_events_total{queue="consumer.q"} >= 10' \
	'debmsg_consume_missing_events{queue="consumer.q"} == 0' \
	'debmsg_consume_healing{queue="consumer.q"} == 0'

note "handlers"
put 5 60
# shellcheck disable=SC2016 # the handler's variable
eat --exec sh -c '[ "$DEBMSG_DATA_NUMBER" -lt 63 ]'
must_tell 'debmsg_consume_handler_runs_total{queue="consumer.q",result="done"} == 3' \
	'debmsg_consume_handler_runs_total{queue="consumer.q",result="gave_up"} == 2' \
	'debmsg_consume_inbox_events{queue="consumer.q",state="waiting"} == 0'
[ "$(ls -A "$work/textfile")" = consume.prom ] || fail "left behind: $(ls -A "$work/textfile")"

note "a name that node_exporter does not read is refused"
ends 64 debmsg consume --queue q --metrics-file "$work/textfile/consume.txt"
grep -q 'must end in .prom' "$work/stderr" || fail "$(cat "$work/stderr")"
