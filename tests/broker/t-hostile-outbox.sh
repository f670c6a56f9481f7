#!/bin/sh
# The user of the wiki's adapter is not to be trusted: it writes what it likes into its
# outbox, while the relay, whose key is trusted for dak's log too, works with it.  It
# gets nothing signed for dak, nothing through to dak's topics, and dak goes on.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services='dak wiki'
setup

outbox=$work/state/outbox/wiki/outbox.db

# rubbish SQL
rubbish() {
	python3 - "$outbox" "$1" <<-'EOT'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1], timeout=30)
		db.executescript(sys.argv[2])
	EOT
}

publish() {
	debmsg publish --service "$1" --type "$2" --subject "$3" >>"$work/ids"
}

relay_says() {
	grep -q "$1" "$work/relay.log"
}

confirmed() {
	debmsg outbox status --service "$1" --json | grep -q '"waiting":0,'
}

# dak_goes_on SUBJECT
dak_goes_on() {
	publish dak upload.accept "$1"
	await 60 confirmed dak || fail "dak has to wait after $1"
}

clock_went_on() {
	[ "$(date +%s)" -ne "$began" ]
}

# begin_anew: an outbox as it was at first, and a relay that has it open.  Not in the
# second of the one before: a log's name ends in the second in which it began.
began=0
begin_anew() {
	stop_relay
	rm -rf "$work/state/outbox/wiki"
	await 5 clock_went_on
	: >"$work/relay.log"
	publish wiki page.edit Front
	began=$(date +%s)
	start_relay
	await 60 confirmed wiki || fail "the wiki's relay does not begin"
}

debmsg consume --queue all --bind dak --bind wiki --idle-exit 1 2>"$work/stderr"
publish dak upload.accept First

note "another log's name, while the relay has the file open"
begin_anew
dak=$(head -n 1 "$work/ids" | sed 's,/[0-9]*$,,')
rubbish "UPDATE log SET origin = '$dak'"
dak_goes_on origin
await 60 relay_says "wiki: outbox: the log in .* is $dak, but" || fail "the relay says: $(cat "$work/relay.log")"
python3 - "$outbox" "$dak" <<-'EOT' || fail "something was signed for dak"
	import sqlite3, sys
	notes = [note for (note,) in sqlite3.connect(sys.argv[1]).execute("SELECT note FROM checkpoint")]
	sys.exit(not notes or any(note.startswith(sys.argv[2]) for note in notes))
EOT

note "no password and no key in its arguments or its environment"
pid=$(cat "$work/relay.pid")
for name in dak wiki relay; do
	tr '\0' '\n' <"/proc/$pid/cmdline" >"$work/seen"
	tr '\0' '\n' <"/proc/$pid/environ" >>"$work/seen"
	grep -qF -f "$secrets/$name.password" "$work/seen" && fail "the password of $name can be seen"
done

note "another service's topic: the broker refuses it"
begin_anew
rubbish "INSERT INTO event SELECT id + 1, 'org.debian.dev.dak.upload.accept',
	'org.debian.dev.dak.upload.accept.hello', time, added, body FROM event ORDER BY id DESC LIMIT 1;
	UPDATE log SET size = size + 1"
await 60 relay_says 'wiki: .*refused' || fail "the relay says: $(cat "$work/relay.log")"
dak_goes_on topic

note "bodies that are no events: signed, and not believed"
begin_anew
debmsg publish --service wiki --type page.edit --subject Back >"$work/back"
rubbish "INSERT INTO event SELECT id + 1, type, routing_key, time, added, 'rubbish' FROM event ORDER BY id DESC LIMIT 1;
	INSERT INTO event SELECT id + 1, type, 'org.debian.dev.wiki.page.edit.Other', time, added,
		(SELECT body FROM event ORDER BY id LIMIT 1) FROM event ORDER BY id DESC LIMIT 1;
	UPDATE log SET size = size + 2"
await 60 confirmed wiki || fail "not sent: $(cat "$work/relay.log")"
dak_goes_on bodies

note "rubbish instead of the file, and beside it"
begin_anew
stop_relay
head -c 20000 /dev/urandom >"$outbox"
head -c 20000 /dev/urandom >"$outbox-wal"
: >"$work/relay.log"
start_relay
await 60 relay_says 'wiki: outbox: .*keep the file for inspection' || fail "the relay says: $(cat "$work/relay.log")"
dak_goes_on file

note "a consumer believes what is true, and dak's log is whole"
stop_relay
debmsg consume --queue all --idle-exit 3 >"$work/printed" 2>"$work/stderr"
grep '/dak/' "$work/ids" >"$work/dak.ids"
jq -r 'select(.source | contains("/dak/")) | .source + "/" + .id' "$work/printed" | cmp "$work/dak.ids" - >&2 ||
	fail "printed: $(cat "$work/printed")"
jq -r 'select(.source | contains("/wiki/")) | .subject' "$work/printed" | sort -u >"$work/subjects"
printf '%s\n' Back Front | cmp - "$work/subjects" >&2 || fail "printed: $(cat "$work/printed")"
both_parked() {
	debmsg parked list --json | jq -r .reason | sort | tr '\n' ' ' >"$work/reasons"
	[ "$(cat "$work/reasons")" = 'identity-mismatch malformed-event ' ]
}
await 20 both_parked || fail "parked: $(cat "$work/reasons")"
ends 0 debmsg audit --log "$dak" >"$work/audit"
grep -q "^$dak: complete 0\.\.4 " "$work/audit" || fail "audit: $(cat "$work/audit")"
