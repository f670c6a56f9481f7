#!/bin/sh
# A broker that lost events gets them back: from the outbox (outbox resend), which
# keeps the latest only (outbox prune), and from an export (import).  Nobody who had
# them acts twice, audit finds the log whole, and what is not believed stays out.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services='wiki'
setup

# put FIRST LAST
put() {
	for number in $(seq "$1" "$2"); do
		echo "{\"type\":\"page.edit\",\"subject\":\"Page$number\",\"data\":{\"summary\":\"$number\"}}"
	done | debmsg publish --service wiki --jsonl >>"$work/ids"
	debmsg relay --once 2>>"$work/relay.log" || fail "relay --once: $(tail -n 3 "$work/relay.log")"
}

# stream unbind|bind: whether the exchange gives its messages to the history
stream() {
	case $1 in
	unbind) api "bindings/$vhost/e/debmsg/q/debmsg.log/%23" -X DELETE ;;
	bind) api "bindings/$vhost/e/debmsg/q/debmsg.log" -X POST -H 'content-type: application/json' \
		-d '{"routing_key": "#"}' ;;
	esac >/dev/null || fail "stream $1"
}

# audited RESULT STATUS
audited() {
	ends "$2" debmsg audit >"$work/audit"
	grep -q "^demo.example/wiki/[^:]*: $1" "$work/audit" || fail "not '$1': $(cat "$work/audit")"
}

relayed() {
	debmsg relay --once 2>"$work/stderr" || fail "relay --once: $(cat "$work/stderr")"
}

# all COUNT: the queue gives so many events, each of them once, and no more
all() {
	debmsg consume --queue all --idle-exit 1 >>"$work/had"
	sed 's/.*"id":"\([0-9]*\)".*/\1/' "$work/had" | sort -n | uniq >"$work/had.ids"
	seq 0 $(($1 - 1)) | cmp - "$work/had.ids" >&2 || fail "not events 0 to $(($1 - 1))"
	[ "$(wc -l <"$work/had")" -eq "$1" ] || fail "an event came twice"
}

nothing_to_resend() {
	[ "$(debmsg outbox status --service wiki --json | jq '.resend + .waiting')" -eq 0 ]
}

debmsg consume --queue all --bind wiki --idle-exit 1

note "five events are in the history, five are not, five are again"
put 0 4
stream unbind
put 5 9
stream bind
put 10 14
audited 'missing 5\.\.9' 1
log=$(sed 's/: missing.*//' "$work/audit")
# what audit printed is what resend wants
range=$(sed 's/.*: missing \([^ ]*\).*/\1/' "$work/audit")
debmsg export >"$work/before"

note "what makes no sense is refused"
ends 64 debmsg outbox resend --service wiki
ends 64 debmsg outbox resend 5..9
ends 64 debmsg outbox resend --service wiki 9-12
ends 65 debmsg outbox resend --service wiki 9..5
ends 65 debmsg outbox resend --service wiki 5..15
ends 65 debmsg outbox resend --log "${log%?????????????????}/20250101T000000Z" 5..9
ends 78 debmsg outbox resend --log demo.example/nothing 5..9
[ "$(debmsg outbox status --service wiki --json | jq .resend)" -eq 0 ] || fail "something is to be sent again"

note "they are sent again, and the consumer does not act twice"
debmsg outbox resend --log "$log" "$range" >"$work/stdout" || fail "resend: exit status $?"
debmsg outbox status --service wiki | grep -q '5 to be sent again$' || fail "status: $(debmsg outbox status)"
relayed
[ "$(debmsg outbox status --service wiki --json | jq .resend)" -eq 0 ] || fail "still to be sent"
audited 'complete 0\.\.14 ' 0
all 15
debmsg export >"$work/after"
[ "$(wc -l <"$work/after")" -eq 15 ] || fail "$(wc -l <"$work/after") messages"
debmsg verify "$work/after" >"$work/verified" || fail "$(cat "$work/verified")"

note "the stream is deleted: everything again, while new events come, by a relay that is killed"
put 15 3000
api "queues/$vhost/debmsg.log" -X DELETE >/dev/null
debmsg_broker --vhost "$vhost" load
# the new history begins with what comes before anybody notices
debmsg publish --service wiki --type page.edit --subject New1 >>"$work/ids"
relayed
audited 'complete 3001\.\.3001 ' 0
debmsg outbox resend --service wiki 0.. >"$work/stdout"
# again COUNT: so often it said that it sends something again
again() {
	[ "$(grep -c 'wiki: sending events .* again' "$work/relay.log" || :)" -ge "$1" ]
}
start_relay
await 60 again 2 || fail "no word of sending again"
kill_relay
for number in 2 3; do
	debmsg publish --service wiki --type page.edit --subject "New$number" >>"$work/ids"
done
start_relay
await 60 nothing_to_resend || fail "$(debmsg outbox status)"
stop_relay
audited 'complete 0\.\.3003 ' 0
all 3004

note "only what is old is removed"
# what was sent again has the proof that it had, byte for byte
debmsg export | awk '!seen[$0]++' >"$work/export"
[ "$(wc -l <"$work/export")" -eq 3004 ] || fail "$(wc -l <"$work/export") different messages"
debmsg outbox prune --service wiki >"$work/stdout"
grep -q '^wiki: 0 events removed; .* has 3004, the oldest kept is 0$' "$work/stdout" || fail "$(cat "$work/stdout")"
debmsg outbox prune --keep 0s >"$work/stdout"
grep -q '^wiki: 300[0-3] events removed' "$work/stdout" || fail "$(cat "$work/stdout")"
ends 65 debmsg outbox resend --service wiki 0..
grep -q 'debmsg import' "$work/stderr" || fail "no remedy: $(cat "$work/stderr")"
put 3004 3009
audited 'complete 0\.\.3009 ' 0
all 3010

note "the history is lost again, and restored from the export and the outbox"
api "queues/$vhost/debmsg.log" -X DELETE >/dev/null
debmsg_broker --vhost "$vhost" load
sed "s,amqp://consumer@,amqp://admin@,; s,/consumer\.password,/admin.password," "$DEBMSG_CONF" >"$work/admin.conf"
chmod 600 "$work/admin.conf"
head -n 2000 "$work/export" >"$work/some"
# a user who may not, and messages that are not to be believed
ends 78 debmsg import "$work/some"
{
	cat "$work/some"
	jq -c '.body |= sub("Page"; "Pane")' "$work/some" | sed -n 8p
	jq -c '.routing_key = "org.debian.dev.wiki.page.edit.Other"' "$work/some" | sed -n 9p
	jq -c '.proof = ""' "$work/some" | sed -n 10p
} >"$work/mixed"
ends 76 debmsg -c "$work/admin.conf" import "$work/mixed"
tail -n 1 "$work/stderr" | grep -q ': 2000 messages sent, 0 were there, 3 not believed$' || fail "$(tail -n 5 "$work/stderr")"
for reason in not-included misrouted unsigned; do
	grep -q "mixed:200[1-3]: $reason: " "$work/stderr" || fail "no $reason: $(cat "$work/stderr")"
done
tail -n 3 "$work/mixed" | cmp - "$work/mixed.rejected" >&2 || fail "rejected are others"
ends 0 debmsg -c "$work/admin.conf" import - <"$work/export"
tail -n 1 "$work/stderr" | grep -q ': 1004 messages sent, .* were there, 0 not believed$' || fail "$(cat "$work/stderr")"
ends 0 debmsg -c "$work/admin.conf" import "$work/export" "$work/after"
tail -n 1 "$work/stderr" | grep -q ': 0 messages sent, ' || fail "$(cat "$work/stderr")"
ends 65 debmsg -c "$work/admin.conf" import "$work/nothing"
debmsg outbox resend --service wiki 3004.. >"$work/stdout"
relayed
audited 'complete 0\.\.3009 ' 0
all 3010
debmsg export | head -n 3004 | jq -r .body >"$work/bodies"
jq -r .body "$work/export" | sort -u >"$work/wanted"
sort -u "$work/bodies" | cmp - "$work/wanted" >&2 || fail "other bodies than exported"
