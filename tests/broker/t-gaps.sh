#!/bin/sh
# A consumer knows what it does not have.  An admin takes messages out of its
# queue, or deletes the queue; a relay's last events never reach it: each time
# what is missing is fetched from the history, in order, each event once.  What
# the history does not have either is named, once.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services='wiki dak planet' # used by setup
setup

ctl() {
	"$RABBITMQCTL" -q "$@" >/dev/null
}

# sql FILE STATEMENT
sql() {
	python3 - "$@" <<-'EOT'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		for row in db.execute(sys.argv[2]):
		    print(*row)
		db.commit()
	EOT
}

# publish TYPE FROM TO [SERVICE]: one event each, all sent.
publish() {
	seq "$2" "$3" | jq -c "{type: \"$1\", subject: \"s\\(. % 7)\", data: {n: .}}" |
		debmsg publish --service "${4:-wiki}" --jsonl >/dev/null
	debmsg -c "$work/relay.conf" relay --once 2>"$work/stderr" || fail "relay: $(cat "$work/stderr")"
}

# A bus.checkpoint comes a minute after the last event: that minute is over.
pass_a_minute() {
	outbox=$work/state/outbox/wiki/outbox.db
	sql "$outbox" "UPDATE event SET added = added - 61000000"
	sql "$outbox" "UPDATE log SET created = created - 61000000, sent_time = sent_time - 61000000 * (sent_time > 0),
		checkpoint_time = checkpoint_time - 61000000 * (checkpoint_time > 0)"
	debmsg -c "$work/relay.conf" relay --once 2>"$work/stderr" || fail "relay: $(cat "$work/stderr")"
}

# consume QUEUE [OPTION…]: what is there; numbers in $work/QUEUE.got, words in $work/said
consume() {
	queue=$1
	shift
	debmsg consume --queue "$queue" --idle-exit 1 "$@" >"$work/printed" 2>"$work/said" ||
		fail "consume: exit status $?: $(cat "$work/said")"
	jq .data.n "$work/printed" >>"$work/$queue.got"
}

# has QUEUE FROM TO: it has printed these, in order, each once.
has() {
	seq "$2" "$3" | cmp -s - "$work/$1.got" || fail "$1 has not $2..$3, each once in order:
$(seq "$2" "$3" | diff - "$work/$1.got" | head -n 20)
said: $(cat "$work/said")"
}

says() {
	grep -q "$1" "$work/said" || fail "it does not say '$1': $(cat "$work/said")"
}

note "a queue that begins in the middle of a log gets what comes from then on"
publish page.edit 1 20
consume q --bind wiki
[ ! -s "$work/q.got" ] || fail "it got what was before it: $(cat "$work/q.got")"
publish page.edit 21 30

note "the first messages are taken out of the queue before anything of it was seen"
ctl purge_queue -p "$vhost" consumer.q
publish page.edit 31 33
consume q
has q 21 33
says '21..30 of type org.debian.dev.wiki.page.edit did not come'

note "an admin takes some out of the middle"
publish page.edit 34 43
api "queues/$vhost/consumer.q/get" --json \
	'{"count": 5, "ackmode": "ack_requeue_false", "encoding": "auto"}' >"$work/taken"
[ "$(jq length "$work/taken")" = 5 ] || fail "the API took $(cat "$work/taken")"
consume q
has q 21 43

note "the last events never reach the queue: the next checkpoint tells"
publish page.edit 44 50
ctl purge_queue -p "$vhost" consumer.q
consume q
has q 21 43
pass_a_minute
consume q
has q 21 50
says '44..50'

note "several types, all of them purged"
publish page.edit 51 55
publish page.create 56 57
publish page.edit 58 60
ctl purge_queue -p "$vhost" consumer.q
publish page.create 61 61
consume q
has q 21 61

note "the queue is deleted while nobody consumes"
publish page.edit 62 70
ctl delete_queue -p "$vhost" consumer.q
publish page.edit 71 75
consume q
has q 21 75
says 'consumer.q was not there and is made again'
publish page.edit 76 80
consume q
has q 21 80
[ ! -s "$work/said" ] || fail "nothing was wrong, and it says: $(cat "$work/said")"

note "--no-heal only says what is missing"
publish page.edit 81 85
ctl purge_queue -p "$vhost" consumer.q
publish page.edit 86 86
consume q --no-heal
says 'missing: .* of type org.debian.dev.wiki.page.edit'
tail -n 1 "$work/q.got" | grep -qx 86 || fail "the last one is $(tail -n 1 "$work/q.got")"
consume q
[ ! -s "$work/said" ] || fail "it says it twice: $(cat "$work/said")"

note "a log that was begun after the queue is known from its first event"
debmsg consume --queue d --bind dak --idle-exit 1
publish upload.accept 1 5 dak
ctl purge_queue -p "$vhost" consumer.d
publish upload.accept 6 7 dak
consume d
has d 1 7

note "history first, then live, without a seam"
consume all --bind wiki --since 1h
seq 1 86 | cmp -s - "$work/all.got" || fail "since 1h: $(seq 1 86 | diff - "$work/all.got" | head)"
publish page.edit 87 90
consume all --since 1h
has all 1 90

note "a queue that is bound to more, or to less"
consume all --bind wiki.page.edit --bind dak
says 'consumer.all is now bound to org.debian.\*.dak.#'
says 'consumer.all is not bound to org.debian.\*.wiki.# any more'
publish page.create 1000 1000
publish upload.accept 91 92 dak
publish page.edit 93 93
consume all
has all 1 93
[ ! -s "$work/said" ] || fail "nothing was wrong, and it says: $(cat "$work/said")"

note "what the history does not have either is named, once"
api "bindings/$vhost/e/debmsg/q/debmsg.log/%23" -X DELETE
publish page.edit 94 96
ctl purge_queue -p "$vhost" consumer.all
api "bindings/$vhost/e/debmsg/q/debmsg.log" --json '{"routing_key": "#"}'
publish page.edit 97 97
consume all
says 'page.edit did not come; looking for them in the history'
says 'missing: .*page.edit.*the history does not have them'
tail -n 1 "$work/all.got" | grep -qx 97 || fail "the last one is $(tail -n 1 "$work/all.got")"
publish page.edit 98 98
consume all
[ ! -s "$work/said" ] || fail "it says it again: $(cat "$work/said")"

note "a pattern finer than a type is said to be no proof"
consume fine --bind 'org.debian.*.wiki.page.edit.s3'
says 'finer than a type'
publish page.edit 99 110
consume fine
[ "$(tr '\n' ' ' <"$work/fine.got")" = '101 108 ' ] || fail "fine got $(cat "$work/fine.got")"

note "a log that says nothing for hours is named"
debmsg consume --queue quiet --bind planet --idle-exit 1
debmsg publish --service planet --type post.add --subject p --time "$(date -u -d '3 hours ago' +%Y-%m-%dT%H:%M:%SZ)" >/dev/null
debmsg relay --once
consume quiet
says 'demo.example/planet/.*nothing was heard of this log'
sql "$work/state/ledger/consumer.quiet.db" "SELECT count(*) FROM meta WHERE name = 'asked'" | grep -qx 1 ||
	fail "the history was not asked"

note "only one may work on a queue"
debmsg consume --queue quiet >"$work/first" 2>&1 &
first=$!
works() {
	"$RABBITMQCTL" -q list_consumers -p "$vhost" --no-table-headers queue_name | grep -qx consumer.quiet
}
await 30 works || fail "it does not consume: $(cat "$work/first")"
ends 75 debmsg consume --queue quiet --idle-exit 1
grep -q 'another .debmsg consume. works on' "$work/stderr" || fail "the second says: $(cat "$work/stderr")"
kill "$first"
wait "$first" || fail "the first ended with $?"
