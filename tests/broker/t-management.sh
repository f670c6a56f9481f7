#!/bin/sh
# What an admin sees in the management UI, asked of the API behind it: exchange,
# stream, parked queue and a consumer's queue under the names of PROTOCOL
# section 8, and a message whose body a person can read.

# shellcheck source=tests/broker/lib.sh
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
setup

# api PATH [CURL OPTION…]: as admin; the password goes through a file.
# is EXPECTED PATH FILTER
is() {
	got=$(api "$2" | jq -r "$3")
	[ "$got" = "$1" ] || fail "$2: $3 is '$got', not '$1'"
}

is 'topic true' "exchanges/$vhost/debmsg" '"\(.type) \(.durable)"'
is 'fanout true' "exchanges/$vhost/debmsg.dead" '"\(.type) \(.durable)"'
is 'stream true' "queues/$vhost/debmsg.log" '"\(.type) \(.durable)"'
is 'quorum true' "queues/$vhost/debmsg.parked" '"\(.type) \(.durable)"'
is '#' "bindings/$vhost/e/debmsg/q/debmsg.log" '.[0].routing_key'

debmsg consume --queue readable --bind wiki.page.edit --idle-exit 1
is 'quorum true' "queues/$vhost/consumer.readable" '"\(.type) \(.durable)"'
is 'org.debian.*.wiki.bus.checkpoint org.debian.*.wiki.page.edit.#' \
	"bindings/$vhost/e/debmsg/q/consumer.readable" '[.[].routing_key] | sort | join(" ")'

debmsg publish --service wiki --type page.edit --subject 'FFII/Über uns' >"$work/id"
debmsg relay --once
api "queues/$vhost/consumer.readable/get" --json \
	'{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}' >"$work/message"

# field NAME EXPECTED
field() {
	got=$(jq -r ".[0].$1" "$work/message")
	[ "$got" = "$2" ] || fail "$1 of the message is '$got', not '$2'"
}
field payload_encoding string
field routing_key org.debian.dev.wiki.page.edit.FFII%2F%C3%9Cber%20uns
field properties.message_id "$(cat "$work/id")"
field properties.user_id wiki
field properties.type org.debian.dev.wiki.page.edit
field properties.content_type 'application/cloudevents+json; charset=utf-8'
field properties.delivery_mode 2
jq -e '.[0].payload | fromjson | .subject == "FFII/Über uns"' "$work/message" >/dev/null ||
	fail "the body is not readable: $(jq '.[0].payload' "$work/message")"
jq -e '.[0].properties.headers | keys - ["x-delivery-count"] == ["tlog-proof"]' "$work/message" \
	>/dev/null || fail "there are other headers than tlog-proof"
