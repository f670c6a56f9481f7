#!/bin/sh
# audit --queue finds exactly what a consumer has not had: purged, taken by an
# admin, not there yet; also where the binding is finer than a type, so that
# nothing else can tell.  audit goes on where retention has cut the beginning, and
# says so.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services='dak wiki'
setup

consumer=
trap 'status=$?; set +e; [ -z "$consumer" ] || kill $consumer; (exit $status); cleanup' EXIT

ctl() {
	"$RABBITMQCTL" -q "$@" >/dev/null
}

# put SUBJECT…: one event each, sent.
put() {
	for subject; do
		debmsg publish --service wiki --type page.edit --subject "$subject" >>"$work/ids"
	done
	debmsg relay --once 2>"$work/relay.log" || fail "relay --once: $(cat "$work/relay.log")"
}

consume() {
	name=$1
	shift
	debmsg consume --queue "$name" --idle-exit 1 "$@" >>"$work/$name.got" 2>"$work/stderr" ||
		fail "consume --queue $name: $(cat "$work/stderr")"
}

# audited STATUS QUEUE TEXT…: audit ends so, and has a line with each TEXT.
audited() {
	wanted_status=$1 queue=$2
	shift 2
	ends "$wanted_status" debmsg audit --queue "$queue" >"$work/audit"
	for text; do
		grep -q -- "$text" "$work/audit" || fail "audit --queue $queue says no line '$text': $(cat "$work/audit")"
	done
}

purge() {
	ctl purge_queue -p "$vhost" "consumer.$1"
}

note "nobody knows the queue; nothing was sent"
ends 78 debmsg audit --queue nobodys
grep -q 'no ledger of queue consumer.nobodys' "$work/stderr" || fail "not said: $(cat "$work/stderr")"
consume edits --bind wiki.page.edit
consume front --bind 'org.debian.*.wiki.*.*.FrontPage'
consume gone --bind wiki
audited 0 edits 'the history has nothing that it wants'

note "complete, and what is not there yet"
put FrontPage Other FrontPage Other Other
log=$(sed -n '1s,/0$,,p' "$work/ids")
consume edits
consume front
audited 0 edits "^$log: complete 0\\.\\.4 (5 events had)\$" '^queue consumer.edits holds 0 messages$'
audited 0 front "^$log: complete 0\\.\\.2 (2 events had)\$"
put FrontPage Other FrontPage
audited 0 front "^$log: complete 0\\.\\.2 (2 events had, 5\\.\\.7 not yet)\$" '^queue consumer.front holds 2 messages$'

note "purged: nothing else can tell it of a binding that is finer than a type"
purge front
audited 1 front "^$log: missing 5\\.\\.7 (2 events had, 2 missing)\$"
put Other FrontPage
audited 1 front '^queue consumer.front holds 1 messages and should hold 3: .* at least 2 are missing$'
consume front
audited 1 front "^$log: missing 5\\.\\.7 (3 events had, 2 missing)\$"

note "whole types heal themselves, unless told not to"
purge edits
put Other
consume edits --no-heal
audited 1 edits "^$log: missing 5\\.\\.9 (6 events had, 5 missing)\$" "^$log: missing of type .*page.edit: its 6\\.\\.10 "
purge gone
put Healed
consume gone
audited 0 gone "^$log: complete 0\\.\\.11 (12 events had)\$"
[ "$(wc -l <"$work/gone.got")" -eq 12 ] || fail "audit says complete, consume printed $(wc -l <"$work/gone.got")"

note "what waits for its command is had, and counted"
cat >"$work/later" <<-'EOF'
	#!/bin/sh
	exit 75
EOF
chmod 755 "$work/later"
put Waits
debmsg consume --queue gone --exec "$work/later" 2>"$work/consume.log" &
consumer=$!
waits() {
	ends 0 debmsg audit --queue gone >"$work/audit" && grep -q '13 events had, 1 wait' "$work/audit"
}
await 30 waits || fail "$(cat "$work/audit" "$work/consume.log")"
kill $consumer
wait $consumer || fail "consume --exec: $(cat "$work/consume.log")"
consumer=
audited 0 gone "^$log: complete 0\\.\\.12 (13 events had, 1 wait for their command)\$"

note "the queue is deleted with what was in it"
put Lost
ctl delete_queue -p "$vhost" consumer.gone
audited 1 gone "^$log: missing 13\\.\\.13 (13 events had, 1 missing" '^queue consumer.gone is not there$'

note "a log that is trusted and silent is named"
ends 0 debmsg audit >"$work/audit"
grep -q "^$log: complete 0\\.\\.13 (14 events)\$" "$work/audit" || fail "$(cat "$work/audit")"
grep -q '^demo.example/dak: nothing in the history$' "$work/audit" || fail "$(cat "$work/audit")"
ends 0 debmsg audit --log "$log" >"$work/audit"
grep -q 'demo.example/dak' "$work/audit" && fail "--log: $(cat "$work/audit")"

note "retention has cut the beginning, and an old message that anybody may have is sent again"
forge=$builddir/tests/broker/forge
[ -x "$forge" ] || fail "$forge is missing: make it"
debmsg export --log "$log" | head -n 1 >"$work/line"
"$srcdir/tests/broker/tamper.py" nothing "$work/old" <"$work/line"
ctl set_policy -p "$vhost" --priority 99 --apply-to queues cut '^debmsg\.log$' \
	'{"max-length-bytes": 300000, "stream-max-segment-size-bytes": 100000}'
ctl delete_queue -p "$vhost" debmsg.log
debmsg_broker --vhost "$vhost" load
for turn in 1 2 3 4 5 6; do
	"$srcdir/tests/broker/events.py" 300 $((turn * 300)) | debmsg publish --service wiki --jsonl >>"$work/ids"
	put "Turn-$turn"
done
newest=$(tail -n 1 "$work/ids" | sed 's,.*/,,')
for since in '' '--since 1h'; do
	# shellcheck disable=SC2086 # two words or none
	ends 0 debmsg audit --log "$log" $since >"$work/audit"
	grep -q 'the beginning is gone' "$work/stderr" || fail "not said: $(cat "$work/stderr")"
	first=$(sed -n "s,^$log: complete \\([0-9]*\\)\\.\\.$newest .*,\\1,p" "$work/audit")
	[ "${first:-0}" -gt 14 ] || fail "nothing was cut: $(cat "$work/audit")"
	grep -q "; 0\\.\\.$((first - 1)) are gone, the history keeps this log from $first on)\$" "$work/audit" ||
		fail "not said: $(cat "$work/audit")"
done
"$forge" --port "$DEBMSG_AMQP_PORT" --vhost "$vhost" --user wiki --password-file "$secrets/wiki.password" \
	--key "$(cat "$work/old.key")" --proof "$work/old.proof" <"$work/old.body" >"$work/answer" ||
	fail "forge: $(cat "$work/answer")"
ends 0 debmsg audit --log "$log" >"$work/audit"
grep -q "^$log: complete $first\\.\\.$newest (.* events, 1 too late to be compared; " "$work/audit" ||
	fail "one old message confuses it: $(cat "$work/audit")"
ends 1 debmsg replay --log "$log" --from $((first - 5)) >"$work/replay"
grep -q "$((first - 5))\\.\\.$((first - 1)) are not in the history any more: .* is $first\$" "$work/stderr" ||
	fail "not said: $(cat "$work/stderr")"
[ "$(wc -l <"$work/replay")" -eq $((newest - first + 1)) ] || fail "replay printed $(wc -l <"$work/replay") events"
