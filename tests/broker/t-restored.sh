#!/bin/sh
# Only one relay works on an outbox, and an outbox that was restored from an old
# copy signs nothing any more: two histories under one name would convict an honest
# publisher.  It begins a new log when it is told to, as often as that happens,
# what was not sent moves over, and audit finds both logs complete.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services='wiki planet'
setup
outbox=$work/state/outbox/wiki

put() {
	for subject; do
		debmsg publish --service wiki --type page.edit --subject "$subject" >>"$work/ids"
	done
}

# sql STATEMENT: what an outbox's database answers.
sql() {
	python3 - "$outbox/outbox.db" "$1" <<-'EOT'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		for row in db.execute(sys.argv[2]):
		    print(*row)
		db.commit()
	EOT
}

relay_says() {
	grep -q "$1" "$work/relay.log"
}

one_line_about() {
	grep -c "$1" "$work/stderr" >"$work/lines" || :
	[ "$(cat "$work/lines")" -ge 1 ] || fail "no word about $1: $(cat "$work/stderr")"
}

subjects() {
	sed 's/.*"subject":"\([^"]*\)".*/\1/'
}

log_of() {
	debmsg outbox status --service wiki --json | sed 's/.*"origin":"\([^"]*\)".*/\1/'
}

# It signs nothing, and says what is to be done.
refused_by_relay() {
	before=$(sql 'SELECT count(*), max(size) FROM checkpoint')
	ends 78 debmsg relay --once
	[ "$(sql 'SELECT count(*), max(size) FROM checkpoint')" = "$before" ] || fail "it signed a checkpoint"
	one_line_about 'restored from an old copy'
	one_line_about 'debmsg outbox new-epoch --service wiki'
}

is_later() {
	[ "$1" != "$2" ] && [ "$(printf '%s\n' "$1" "$2" | LC_ALL=C sort | tail -n 1)" = "$1" ]
}

new_epoch() {
	old_log=$(log_of)
	debmsg outbox new-epoch --service wiki >"$work/stdout" || fail "new-epoch: exit status $?"
	is_later "$(log_of)" "$old_log" || fail "the new log is $(log_of), the old one $old_log"
	grep -q "$(log_of); $1 events" "$work/stdout" || fail "new-epoch says: $(cat "$work/stdout")"
}

send() {
	debmsg relay --once 2>"$work/stderr" || fail "relay --once: exit status $?: $(cat "$work/stderr")"
}

# received SUBJECT…: since the last time.
received() {
	debmsg consume --queue q --idle-exit 2 | subjects >"$work/received"
	printf '%s\n' "$@" | cmp -s - "$work/received" || fail "received: $(cat "$work/received"); not: $*"
}

debmsg consume --queue q --idle-exit 1

note "two relays"
put First Second
start_relay
await 20 relay_says 'wiki: all 2 events' || fail "the relay does not send"
got=0
debmsg relay --once 2>"$work/stderr" || got=$?
[ $got -eq 75 ] || fail "the second relay ended with $got"
one_line_about "process $(cat "$work/relay.pid") already relays $outbox;"
ends 75 debmsg outbox new-epoch --service wiki
one_line_about "process $(cat "$work/relay.pid") already relays $outbox;"
put Third
await 20 relay_says 'wiki: all 3 events' || fail "the first relay does not work on"
stop_relay
received First Second Third

note "a copy is taken, more is sent, the copy is restored, more is published"
sql 'VACUUM INTO "'"$work/copy.db"'"'
put Fourth
send
received Fourth
first_log=$(log_of)
restore() {
	rm -f "$outbox/outbox.db" "$outbox/outbox.db-wal" "$outbox/outbox.db-shm"
	cp "$work/copy.db" "$outbox/outbox.db"
}
restore
put Other-Fourth Other-Fifth
refused_by_relay

note "the other logs go on"
debmsg publish --service planet --type post.add --subject Neighbour >>"$work/ids"
refused_by_relay
received Neighbour
start_relay
await 20 relay_says 'restored from an old copy' || fail "a relay that stays says nothing"
debmsg publish --service planet --type post.add --subject Another >>"$work/ids"
await 20 relay_says 'planet: all 2 events' || fail "the other log had to wait"
stop_relay
received Another

note "as it was told: a new epoch"
new_epoch 2
second_log=$(log_of)
send
received Other-Fourth Other-Fifth
put Sixth
send
received Sixth

note "the same copy is restored again"
restore
put Again
refused_by_relay
new_epoch 1
third_log=$(log_of)
is_later "$third_log" "$second_log" || fail "the third log is $third_log, the second $second_log"
send
received Again

note "audit finds every log complete, and the old outboxes are kept"
debmsg audit >"$work/audit" || fail "audit: $(cat "$work/audit")"
cat "$work/audit" >&2
grep -q "^$first_log: complete 0\.\.3 " "$work/audit" || fail "$first_log"
grep -q "^$second_log: complete 0\.\.2 " "$work/audit" || fail "$second_log"
grep -q "^$third_log: complete 0\.\.0 " "$work/audit" || fail "$third_log"
debmsg export >"$work/export"
"$srcdir/tests/broker/recompute.py" <"$work/export" >&2

note "a larger checkpoint of this log by somebody else's key stops nobody"
mkdir "$work/stranger"
make_keys "$work/stranger/keys"
write_configuration "$work/stranger" "$vhost" "$work/stranger/keys" "$secrets"
cp -r "$work/state" "$work/stranger/state"
for subject in Ahead Further; do
	debmsg -c "$work/stranger/debmsg.conf" publish --service wiki --type page.edit --subject $subject >"$work/stdout"
done
ends 0 debmsg -c "$work/stranger/relay.conf" relay --once
stop_agents "$work/stranger/keys"
put Still
send
received Still
