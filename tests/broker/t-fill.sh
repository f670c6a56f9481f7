#!/bin/sh
# Reading the history for what is missing, where that is not easy: clocks that are
# wrong, bindings that change meanwhile, a handler that fails for all,
# a stream that is gone.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services='wiki dak' # used by setup
setup

ctl() {
	"$RABBITMQCTL" -q "$@" >/dev/null
}

relay_once() {
	debmsg -c "$work/relay.conf" relay --once 2>"$work/stderr" || fail "relay: $(cat "$work/stderr")"
}

# publish FROM TO [TIME [TYPE [SERVICE]]]
publish() {
	seq "$1" "$2" | jq -c "{type: \"${4:-page.edit}\", subject: \"s\\(. % 7)\", data: {n: .}}
		| if \"${3-}\" != \"\" then .time = \"${3-}\" else . end" |
		debmsg publish --service "${5:-wiki}" --jsonl >/dev/null
	relay_once
}

at() {
	date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ
}

# consume QUEUE [OPTION…]: numbers in $work/QUEUE.got, words in $work/said
consume() {
	queue=$1
	shift
	timeout 60 debmsg consume --queue "$queue" --idle-exit 1 "$@" >"$work/printed" 2>"$work/said" ||
		fail "consume: exit status $?: $(cat "$work/said")"
	jq .data.n "$work/printed" >>"$work/$queue.got"
}

# got QUEUE NUMBER…: it has printed these, in this order
got() {
	queue=$1
	shift
	[ "$(tr '\n' ' ' <"$work/$queue.got")" = "$* " ] ||
		fail "$queue got $(tr '\n' ' ' <"$work/$queue.got"), not $*; said: $(cat "$work/said")"
}

says() {
	grep -q "$1" "$work/said" || fail "it does not say '$1': $(cat "$work/said")"
}

purge() {
	ctl purge_queue -p "$vhost" "consumer.$1"
}

note "what happened before the queue was made, and was sent later"
publish 1 3
consume late --bind wiki
publish 4 5 "$(at '90 minutes ago')"
purge late
publish 6 6
consume late
got late 4 5 6

note "another pattern is added before the hole is noticed"
consume more --bind wiki
publish 11 12
purge more
publish 1 1 '' upload.accept dak
consume more --bind wiki --bind dak
publish 13 13
consume more
got more 11 12 13

note "what came while a pattern was not bound is not missing when it is bound again"
consume more --bind dak
publish 14 15
consume more
consume more --bind dak --bind wiki
publish 16 16
consume more
got more 11 12 13 16
[ ! -s "$work/said" ] || fail "nothing was wrong, and it says: $(cat "$work/said")"

note "a handler that fails for more events than the inbox holds"
publish 101 1120
consume all --since 1h --bind wiki --limit 1
timeout 200 debmsg consume --queue all --jobs 8 --idle-exit 2 --exec false 2>"$work/said" ||
	fail "exit status $?: $(tail -n 5 "$work/said")"
parked=$(debmsg parked list --json | jq -s 'map(select(.reason == "handler-failed")) | length')
[ "$parked" = 1031 ] || fail "$parked events are parked, not 1031: $(tail -n 5 "$work/said")"

note "a clock of the service that is a day ahead"
consume late
: >"$work/late.got"
publish 7 7 "$(at '1 day')"
consume late
publish 8 9
purge late
publish 10 10
consume late
got late 7 8 9 10

note "the stream is deleted: said, and what is in the queue comes"
consume gone --bind dak
publish 21 22 '' upload.accept dak
purge gone
publish 23 23 '' upload.accept dak
ctl delete_queue -p "$vhost" debmsg.log
consume gone
got gone 23
says 'the history cannot be read'
says 'missing: .*upload.accept'
ctl delete_queue -p "$vhost" consumer.gone
consume gone
says 'the history cannot be read'
