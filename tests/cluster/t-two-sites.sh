#!/bin/sh
# A derivative has a broker of its own, and a shovel from ours, by the commands of
# doc/cluster.md.  Its consumers verify our events with our keys; its audit is
# complete, also of what was before the link, and after the link was broken.  When
# the queue on our side overflows meanwhile the audit says what is missing, and the
# commands of the page bring it.
. "${DEBMSG_SRCDIR:-.}/tests/cluster/lib.sh"
# shellcheck disable=SC2034 # for bus.sh
services='dak wiki'

published=0
publish() {
	for service in dak wiki; do
		"$srcdir/tests/broker/events.py" "$1" $published | debmsg publish --service $service --jsonl >>"$work/ids"
	done
	published=$((published + $1))
	debmsg -c "$work/relay.conf" relay --once
}

# there COMMAND…: debmsg, at the derivative
there() {
	debmsg -c "$work/there.conf" "$@"
}

# At least as many as were published, and audit is content.
complete_there() {
	there audit >"$work/audit" 2>&1 && [ "$(grep -c ": complete 0\.\.$((published - 1)) " "$work/audit")" -eq 2 ]
}

await_complete() {
	await 120 complete_there || fail "the audit at the derivative: $(cat "$work/audit")"
}

incomplete_there() {
	! there audit >"$work/audit" 2>&1 && grep -q ': missing ' "$work/audit"
}

shovel_ended() {
	there_api parameters/shovel/debmsg | jq -e 'length == 1' >/dev/null
}

there_api() (
	# shellcheck disable=SC2030,SC2031 # only here
	secrets=$work/secrets-there
	api_of derivative "$@"
)

set_up_derivative() {
	start_broker derivative
	RABBITMQCTL=$work/derivative/ctl
	add_users debmsg "$work/secrets-there"
	# shellcheck disable=SC2031 # see there_api
	sed "s,$work/state,$work/state-there,; s,$secrets,$work/secrets-there,; s,@bus1:,@derivative:," \
		"$work/debmsg.conf" >"$work/there.conf"
	chmod 600 "$work/there.conf"
}

# Our broker gives up the connection, as it does when nothing was heard for a minute.
break_link() {
	separate bus1 derivative
	ctl bus1 -q close_all_user_connections derivative "the link is broken" >&2
}

setup_cluster
set_up_derivative
note "300 events before there is a link"
publish 150
for queue in wants raw; do
	there consume --queue $queue --bind dak --bind wiki --idle-exit 1
done
run_page "From one site to two"
[ "$(there_api parameters/shovel/debmsg | jq length)" -eq 1 ] || fail "there is no shovel"
run_page "The history, too"
await_complete
await 60 shovel_ended || fail "the shovel of the history does not end"

note "200 more, as they left: x-delivery-count is of the queue in which we look,
#   x-stream-offset of the history from which the first ones came"
publish 100
await_complete
there_api queues/debmsg/consumer.raw/get \
	-d '{"count": 1000, "ackmode": "ack_requeue_true", "encoding": "auto"}' >"$work/raw.json"
jq -e 'length >= 500 and all(
	.properties.user_id as $user |
	(.properties.headers | keys - ["x-delivery-count", "x-stream-offset"]) == ["tlog-proof"] and
	($user == "dak" or $user == "wiki") and
	(.routing_key | startswith("org.debian.dev." + $user + ".")) and
	.exchange == "debmsg")' "$work/raw.json" >/dev/null ||
	fail "properties: $(jq -c '.[0] | del(.payload)' "$work/raw.json")"

note "the link is broken for a while"
break_link
publish 100
there audit >"$work/audit" || fail "audit without the link: $(cat "$work/audit")"
unite bus1 derivative
await_complete

note "and once more, until the queue on our side overflows"
ctl bus1 -q set_policy -p debmsg --apply-to queues --priority 9 small '^derivative\.feed$' \
	'{"max-length": 20, "overflow": "drop-head"}' >&2
break_link
publish 150
unite bus1 derivative
await 120 incomplete_there || fail "the audit does not say what is missing: $(cat "$work/audit")"
sed 's/^/# /' "$work/audit"
run_page "The history, too"
await_complete
sed 's/^/# /' "$work/audit"

note "a consumer there has had everything once"
there consume --queue wants --idle-exit 5 --since 1d |
	sed 's/^{"specversion":"1.0","source":"\([^"]*\)","id":"\([^"]*\)",.*/\1\/\2/' | sort >"$work/had"
sort "$work/ids" | cmp - "$work/had" || fail "it had $(wc -l <"$work/had") of $(wc -l <"$work/ids")"
there audit --queue wants >"$work/audit" || fail "audit --queue: $(cat "$work/audit")"
