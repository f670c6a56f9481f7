#!/bin/sh
# debmsg-broker: what it makes of a broker is what definitions.json says, users come
# and go, and the policies do what bus.conf says of them.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
. "$srcdir/tests/broker/attempt.sh"
services='dak wiki'
setup

forge=$builddir/tests/broker/forge
[ -x "$forge" ] || fail "$forge is missing: make it"
bytes_of_x() {
	head -c "$1" /dev/zero | tr '\0' x
}
# send BYTES: one message, to the exchange debmsg
send() {
	bytes_of_x "$1" | "$forge" --port "$DEBMSG_AMQP_PORT" --vhost "$vhost" --user wiki --password-file "$secrets/wiki.password" \
		--key org.debian.dev.wiki.page.edit.Large >"$work/answer" || fail "forge: $(cat "$work/answer")"
}
has() { # has QUEUE COUNT
	"$RABBITMQCTL" -q list_queues -p "$vhost" --no-table-headers name messages | grep -qx "$1	$2"
}
policy() { # policy PATTERN DEFINITION: stronger than ours
	"$RABBITMQCTL" -q set_policy -p "$vhost" --priority 99 --apply-to queues stronger "$1" "$2" >/dev/null
}

note "the broker has what definitions.json says, and nothing else"
exported() {
	"$RABBITMQCTL" -q export_definitions - | jq -S --arg vhost "$vhost" '
		[["exchanges", "queues", "bindings", "policies", "parameters"][] as $kind |
			{($kind): [.[$kind][] | select(.vhost == $vhost)] | sort}] | add | del(.queues[].type)' >"$work/exported"
}
jq -S --arg vhost "$vhost" 'del(.vhosts) | map_values([.[] | .vhost = $vhost] | sort) | del(.exchanges[].internal)' \
	"$srcdir/broker-config/definitions.json" >"$work/wanted"
exported
cmp "$work/wanted" "$work/exported" >&2 || fail "$(diff "$work/wanted" "$work/exported")"
debmsg_broker --vhost "$vhost" load
exported
cmp "$work/wanted" "$work/exported" >&2 || fail "load, again: $(diff "$work/wanted" "$work/exported")"

note "users have what roles.json says"
debmsg_broker --vhost "$vhost" add monitor eye "$work/eye.password"
debmsg_broker --vhost "$vhost" add public public "$secrets/public.password"
"$RABBITMQCTL" -q export_definitions - >"$work/all"
debmsg_broker list >"$work/list"
for user in "wiki adapter" "consumer consumer" "public public" "eye monitor" "admin admin" "relay relay"; do
	jq -c -S --arg vhost "$vhost" --arg user "${user% *}" '
		[.topic_permissions[] | select(.user == $user and .vhost == $vhost)] as $topics |
		(.permissions[] | select(.user == $user and .vhost == $vhost) | {configure, write, read}) as $rights |
		.users[] | select(.name == $user) |
		{tags: .tags | sort, limits: .limits | with_entries(select(.value >= 0))} + $rights +
		($topics | unique_by([.write, .read]) | .[] | {topic_write: .write, topic_read: .read}) +
		{exchanges: [$topics[].exchange] | sort}' "$work/all" >"$work/has"
	jq -c -S --arg role "${user#* }" --arg user "${user% *}" '.[$role] | (.. | strings) |= gsub("NAME"; $user) |
		.tags |= sort | .exchanges = ["debmsg", "debmsg.keep"]' "$srcdir/broker-config/roles.json" >"$work/wants"
	cmp "$work/wants" "$work/has" >&2 || fail "$user: $(cat "$work/has")"
	grep -qx "$user" "$work/list" || fail "not in the list: $user"
done

note "a monitor sees what doctor needs, and no message"
monitor() {
	printf 'user = "eye:%s"\n' "$(cat "$work/eye.password")" |
		curl -sS -o "$work/answer" -w '%{http_code}' --config - "http://127.0.0.1:$DEBMSG_MGMT_PORT/api/$1"
}
for path in overview nodes "queues/$vhost" "exchanges/$vhost" "bindings/$vhost" "policies/$vhost" "vhost-limits/$vhost" \
	user-limits/public connections "consumers/$vhost" health/checks/alarms health/checks/local-alarms; do
	[ "$(monitor "$path")" = 200 ] || fail "$path: $(cat "$work/answer")"
done
for path in users definitions permissions; do
	[ "$(monitor "$path")" = 401 ] || fail "$path is not refused"
done
cp "$work/eye.password" "$secrets/eye.password"
refused eye "$(get debmsg.parked)" "$(read_history)" "$(declare_queue eye.q)" "$(publish debmsg org.debian.dev.eye.a.b)"

note "roles do not change by accident; what is removed is gone at once"
ends 78 debmsg_broker --vhost "$vhost" add consumer eye "$work/eye.password"
ends 64 debmsg_broker --vhost "$vhost" add public guests "$work/guests.password"
ends 64 debmsg_broker --vhost "$vhost" add consumer public "$work/guests.password"
ends 64 debmsg_broker --vhost "$vhost" remove 'ey.'
for arguments in '' 'load now' 'add consumer' 'remove' '--vhost x' 'definitions consumer qa'; do
	# shellcheck disable=SC2086 # words
	ends 64 debmsg_broker $arguments
done
debmsg_broker --vhost "$vhost" add consumer "eye2" "$secrets/eye2.password"
sed "s,consumer@,eye2@,; s,consumer.password,eye2.password," "$work/debmsg.conf" >"$work/eye2.conf"
debmsg -c "$work/eye2.conf" consume --queue q 2>"$work/eye2.log" &
eye2=$!
await 20 has eye2.q 0 || fail "no queue: $(cat "$work/eye2.log")"
ends 0 debmsg_broker --vhost "$vhost" remove eye2 "$secrets/eye2.password"
grep -q 'eye2.q stays, with 0 messages' "$work/stderr" || fail "remove: $(cat "$work/stderr")"
[ ! -e "$secrets/eye2.password" ] || fail "the password is still there"
status=0
wait $eye2 || status=$?
[ $status -eq 78 ] || fail "a user that was removed goes on, or ended with $status: $(cat "$work/eye2.log")"
debmsg_broker list | grep eye2 && fail "still there"
ends 0 debmsg_broker --vhost "$vhost" remove eye2
ends 0 debmsg_broker --vhost "$vhost" remove eye "$work/eye.password"

note "a consumer's full queue drops its oldest, parks nothing, and the consumer has all the same"
put() {
	debmsg publish --service wiki --type page.edit --subject "$1" >>"$work/ids"
}
ends 0 debmsg consume --queue full --bind wiki --idle-exit 1
put First
ends 0 debmsg -c "$work/relay.conf" relay --once
ends 0 debmsg consume --queue full --limit 1 --idle-exit 20 >"$work/printed"
policy '^consumer\.full$' '{"max-length": 3, "overflow": "drop-head", "dead-letter-exchange": "debmsg.given-up"}'
for number in 1 2 3 4 5 6 7 8 9 10; do
	put "Page$number"
done
ends 0 debmsg -c "$work/relay.conf" relay --once
grep -q refuses "$work/stderr" && fail "a full queue refuses: $(cat "$work/stderr")"
await 20 has consumer.full 3 || fail "not full"
ends 0 debmsg consume --queue full --idle-exit 2 >>"$work/printed"
jq -r '.source + "/" + .id' "$work/printed" | cmp - "$work/ids" || fail "printed $(wc -l <"$work/printed"): $(cat "$work/stderr")"
has debmsg.parked 0 || fail "what was dropped is parked"

note "what is delivered again and again is parked; so is what is rejected, until that is full"
policy '^consumer\.limited$' '{"delivery-limit": 1, "dead-letter-exchange": "debmsg.given-up"}'
allowed consumer "$(declare_queue consumer.limited)" "$(bind consumer.limited '#')"
send 10
limited() {
	allowed consumer "$(get consumer.limited)"	# and is gone without an ack
	has debmsg.parked 1
}
await 30 limited || fail "over the delivery limit, and not parked"
policy '^debmsg\.parked$' '{"max-length": 5, "overflow": "drop-head"}'
allowed consumer "$(publish debmsg.dead 1), $(publish debmsg.dead 2), $(publish debmsg.dead 3), $(publish debmsg.dead 4)" \
	"$(publish debmsg.dead 5), $(publish debmsg.dead 6), $(publish debmsg.dead 7), $(publish debmsg.dead 8)"
await 20 has debmsg.parked 5 || fail "parked is not capped"

# segments: how many files the history has
segments() {
	find "$broker/database" -path "*/stream/${vhost}_debmsg_log_*" -name '*.segment' | wc -l
}
note "the history is in segments of 10 MB"
[ "$(segments)" -eq 1 ] || fail "$(segments) segments at first"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
	send 1600000
done
[ "$(segments)" -ge 2 ] || fail "20 MB are in one segment"

note "age and size are looked at when a segment ends, and count for whole segments"
"$RABBITMQCTL" -q delete_queue -p "$vhost" debmsg.log >/dev/null
policy '^debmsg\.log$' '{"max-age": "2s", "max-length-bytes": 300000, "stream-max-segment-size-bytes": 100000}'
debmsg_broker --vhost "$vhost" load
for _ in 1 2 3; do
	send 25000	# so that no segment is full
done
old() {
	[ "$(date +%s)" -gt "$((sent + 3))" ]
}
sent=$(date +%s)
await 10 old
kept() {
	debmsg export 2>/dev/null | wc -l
}
[ "$(kept)" -eq 3 ] || fail "removed before a segment ended: $(kept) of 3 are left"
for _ in 1 2 3; do
	send 90000
done
first_are_gone() {
	[ "$(kept)" -lt 6 ]
}
await 20 first_are_gone || fail "what is too old is there after its segment ended"
