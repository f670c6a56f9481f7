#!/bin/sh
# The log speaks even when nothing happens: 60 s after the last event that no
# bus.checkpoint has covered, and hourly, the relay adds one.  It counts what was
# before it, has a type sequence of its own, and reaches consumers that bound
# something else of the log.  Time passes by setting the times in the outbox back.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services=wiki
setup

# sql STATEMENT: what an outbox's database answers.  No relay may run.
sql() {
	python3 - "$work/state/outbox/wiki/outbox.db" "$1" <<-'EOT'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		for row in db.execute(sys.argv[2]):
		    print(*row)
		db.commit()
	EOT
}

# pass SECONDS: everything that has a time in the outbox is that much older.
pass() {
	sql "UPDATE event SET added = added - $1 * 1000000"
	sql "UPDATE log SET created = created - $1 * 1000000, sent_time = sent_time - $1 * 1000000 * (sent_time > 0),
		checkpoint_time = checkpoint_time - $1 * 1000000 * (checkpoint_time > 0)"
}

send() {
	debmsg relay --once 2>"$work/stderr" || fail "relay --once: exit status $?: $(cat "$work/stderr")"
}

put() {
	debmsg publish --service wiki --type "$1" --subject "$2" >>"$work/ids"
}

checkpoints() {
	debmsg export wiki.bus.checkpoint >"$work/export"
	python3 - "$work/export" <<-'EOT'
		import json, sys
		prefix = "org.debian.dev.wiki."
		for line in open(sys.argv[1]):
		    message = json.loads(line)
		    event = json.loads(message["body"])
		    types = {k[len(prefix):]: v for k, v in event["data"]["types"].items() if k.startswith(prefix)}
		    assert len(types) == len(event["data"]["types"])
		    assert message["routing_key"] == event["type"] == prefix + "bus.checkpoint"
		    assert "subject" not in event
		    print(event["id"], event["typesequence"], event["data"]["size"], *sorted("%s=%s" % t for t in types.items()))
	EOT
}

# expect LINE…: the checkpoints so far: id, typesequence, size, types.
expect() {
	checkpoints >"$work/checkpoints"
	printf '%s\n' "$@" | cmp -s - "$work/checkpoints" || fail "checkpoints, expected and found:
$(printf '%s\n' "$@" | diff - "$work/checkpoints")"
}

debmsg consume --queue edits --bind wiki.page.edit --idle-exit 1
debmsg consume --queue all --idle-exit 1
debmsg consume --queue asked --bind wiki.bus.checkpoint --idle-exit 1

note "none is due before 60 s have passed"
put page.edit First
put page.create Second
put page.edit Third
send
pass 55
send
checkpoints >"$work/checkpoints"
[ ! -s "$work/checkpoints" ] || fail "too early: $(cat "$work/checkpoints")"

note "60 s after the last event"
pass 6
send
first='3 1 3 page.create=1 page.edit=2'
expect "$first"

note "and then none for an hour"
pass 3590
send
expect "$first"
pass 15
send
second='4 2 4 bus.checkpoint=1 page.create=1 page.edit=2'
expect "$first" "$second"
pass 3000
send
expect "$first" "$second"

note "again 60 s after something happened"
put page.edit Fourth
send
expect "$first" "$second"
pass 61
send
third='6 3 6 bus.checkpoint=2 page.create=1 page.edit=3'
expect "$first" "$second" "$third"

note "hourly too, where something happens all the time"
pass 3550
put page.edit Fifth
send
pass 55
put page.edit Sixth
send
fourth='9 4 9 bus.checkpoint=3 page.create=1 page.edit=5'
expect "$first" "$second" "$third" "$fourth"

note "a log without events speaks after an hour"
mkdir "$work/idle"
sed "s,\"$work/state\",\"$work/idle/state\",; s,demo.example/wiki,demo.example/idle," "$work/debmsg.conf" >"$work/idle/debmsg.conf"
cat >>"$work/trust.conf" <<-EOT
log "demo.example/idle" { keys = { "$(cat "$keys/fingerprint")" } types = { "org.debian.*.wiki.#" } }
EOT
debmsg -c "$work/idle/debmsg.conf" relay --once
debmsg -c "$work/idle/debmsg.conf" outbox status --json | grep -q '"events":0' || fail "an idle log speaks at once"
mv "$work/state" "$work/busy"
mv "$work/idle/state" "$work/state"
pass 3601
mv "$work/state" "$work/idle/state"
mv "$work/busy" "$work/state"
debmsg -c "$work/idle/debmsg.conf" relay --once 2>"$work/stderr" || fail "relay --once: $(cat "$work/stderr")"
expect "$first" "$second" "$third" "$fourth" '0 1 0'

note "a relay that stays does it by itself"
pass 3601
start_relay
fifth_is_there() {
	checkpoints >"$work/checkpoints"
	[ "$(wc -l <"$work/checkpoints")" -eq 6 ]
}
await 30 fifth_is_there || fail "no checkpoint: $(cat "$work/relay.log")"
stop_relay
expect "$first" "$second" "$third" "$fourth" '0 1 0' '10 5 10 bus.checkpoint=4 page.create=1 page.edit=5'

note "consumers get them in their queues, and see them when they ask by name"
in_queue() {
	"$RABBITMQCTL" -q list_queues -p "$vhost" --no-table-headers name messages | grep -qx "consumer.$1	$2"
}
await 20 in_queue edits 11 || fail "the queue of the edits has not 5 events and 6 checkpoints: $("$RABBITMQCTL" -q list_queues -p "$vhost")"
consumed() {
	debmsg consume --queue "$1" --idle-exit 2 >"$work/printed"
	[ "$(wc -l <"$work/printed")" -eq "$2" ] || fail "$1 printed $(wc -l <"$work/printed") events, not $2"
}
consumed edits 5
consumed all 6
grep bus.checkpoint "$work/printed" && fail "nobody asked for checkpoints"
consumed asked 6
await 20 in_queue edits 0 || fail "what is not printed is not acknowledged"
debmsg tail --since 6h --limit 6 >"$work/tail"
grep bus.checkpoint "$work/tail" && fail "tail: nobody asked for checkpoints"
debmsg tail --since 6h --limit 6 wiki.bus.checkpoint >"$work/tail"
grep -c ' org.debian.dev.wiki.bus.checkpoint - ' "$work/tail" >"$work/count" || :
grep -qx 6 "$work/count" || fail "tail wiki.bus.checkpoint: $(cat "$work/tail")"

note "their data is what the schema says"
debmsg export wiki.bus.checkpoint | jq -c '.body | fromjson' >"$work/events"
status=0
"$srcdir/tests/cases/schema.py" "$srcdir/schemas" <"$work/events" >"$work/schema" || status=$?
[ $status = 0 ] || [ $status = 77 ] || fail "schemas: $(cat "$work/schema")"
[ $status = 0 ] || note "left out: $(cat "$work/schema")"

note "audit says complete"
debmsg audit >"$work/audit" || fail "audit: $(cat "$work/audit")"
cat "$work/audit" >&2
debmsg export >"$work/export"
"$srcdir/tests/broker/recompute.py" <"$work/export" >&2
