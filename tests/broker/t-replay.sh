#!/bin/sh
# replay prints the history as consume printed it live, byte for byte, each event
# once; or runs a command for each.  From a time, an index or the beginning, with
# patterns.  What is not there any more, or not yet, is said, and so is what is not
# believed.  Nobody waits in silence: not for an empty stream, not for one that goes.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services='dak wiki'
setup

forge=$builddir/tests/broker/forge
[ -x "$forge" ] || fail "$forge is missing: make it"
reader=

stop_reader() {
	[ -z "$reader" ] || kill "$reader" 2>/dev/null
}
trap 'status=$?; set +e; stop_reader; (exit $status); cleanup' EXIT

ctl() {
	"$RABBITMQCTL" -q "$@" >/dev/null
}

# says TEXT: the last command said so on stderr.
says() {
	grep -q -- "$1" "$work/stderr" || fail "not said: $1; but: $(cat "$work/stderr")"
}

# put SUBJECT [OPTION…]
put() {
	subject=$1
	shift
	debmsg publish --service wiki --type page.edit --subject "$subject" "$@" >>"$work/ids"
}

send() {
	debmsg relay --once 2>"$work/relay.log" || fail "relay --once: $(cat "$work/relay.log")"
}

subjects() {
	jq -r .subject | tr '\n' ' '
}

# replayed WANTED [OPTION…]: the subjects that replay prints.
replayed() {
	expected=$1
	shift
	ends 0 debmsg replay "$@" >"$work/replay"
	[ "$(subjects <"$work/replay")" = "$expected" ] || fail "replay $*: $(subjects <"$work/replay"), not $expected"
}

note "nothing is there"
ends 0 debmsg replay >"$work/replay"
[ ! -s "$work/replay" ] || fail "something from nothing"
says 'the history is empty'

note "byte for byte what consume printed live, in every format"
for format in json line export; do
	debmsg consume --queue $format --idle-exit 1
done
"$srcdir/tests/broker/events.py" 400 >"$work/events"
debmsg publish --service wiki --jsonl <"$work/events" >"$work/ids"
debmsg publish --service dak --type upload.accept --subject hello >"$work/dak.ids"
send
log=$(sed -n 's,/0$,,p' "$work/ids")
for format in json line export; do
	debmsg consume --queue $format --limit 401 --format $format >"$work/live.$format"
	ends 0 debmsg replay --format $format >"$work/replay"
	cmp "$work/live.$format" "$work/replay" >&2 || fail "--format $format: replay is not what consume printed"
done
[ ! -s "$work/stderr" ] || fail "replay has something to say: $(cat "$work/stderr")"

note "patterns, a limit, a log, an index"
ends 0 debmsg replay dak >"$work/replay"
[ "$(wc -l <"$work/replay")" -eq 1 ] || fail "replay dak: $(cat "$work/replay")"
grep FrontPage "$work/live.json" | head -n 3 >"$work/wanted"
ends 0 debmsg replay --limit 3 'org.debian.*.wiki.*.*.FrontPage' >"$work/replay"
cmp "$work/wanted" "$work/replay" >&2 || fail "a pattern and a limit"
grep demo.example/wiki "$work/live.json" >"$work/live"
ends 0 debmsg replay --log demo.example/wiki >"$work/replay"
cmp "$work/live" "$work/replay" >&2 || fail "--log"
sed -n '351,$p' "$work/live" >"$work/wanted"
for name in demo.example/wiki "$log"; do
	ends 0 debmsg replay --log "$name" --from 350 >"$work/replay"
	cmp "$work/wanted" "$work/replay" >&2 || fail "--log $name --from 350"
done
ends 1 debmsg replay --log "$log" --from 400
says '400 is beyond the newest.* 399$'
ends 1 debmsg replay --log demo.example/nobody --from 0
says 'no believed event of demo.example/nobody'
ends 64 debmsg replay --from 3
ends 64 debmsg replay --since 1h --until 2h
ends 64 debmsg replay --exec

note "a window of time: from --since on, before --until, by the time of the events"
for hour in 10 11 12; do
	put "At-$hour" --time "2026-01-02T$hour:00:00Z"
done
send
replayed 'At-10 At-11 At-12 ' --since 2026-01-02T10:00:00Z --until 2026-01-02T12:00:01Z
replayed 'At-11 ' --since 2026-01-02T10:00:00.000001Z --until 2026-01-02T12:00:00Z
replayed '' --since 2026-01-02T10:00:01Z --until 2026-01-02T10:30:00Z
says 'no event of the history'
replayed '' --since "$(date -u -d '+3 hours' +%Y-%m-%dT%H:%M:%SZ)"
says 'nothing since then: the newest event is of '

note "a command for each, in order: failures are counted, and the rest goes on"
cat >"$work/handler" <<-EOF
	#!/bin/sh
	cat >>"$work/handled"
	echo >>"$work/handled"
	echo "\$1 \$DEBMSG_SUBJECT" >>"$work/arguments"
	case \$DEBMSG_SUBJECT in
	At-11) exit 3 ;;
	At-10) [ -e "$work/again" ] || { : >"$work/again" && exit 75; } ;;
	esac
EOF
chmod 755 "$work/handler"
ends 1 debmsg replay --until 2026-02-01T00:00:00Z --exec "$work/handler" --limit
says "$log/401: .*3"
says 'failed for 1 of 3 events'
[ "$(tr '\n' ' ' <"$work/arguments")" = '--limit At-10 --limit At-10 --limit At-11 --limit At-12 ' ] ||
	fail "handled: $(cat "$work/arguments")"
sed 1d "$work/handled" >"$work/handled.once"
debmsg replay --until 2026-02-01T00:00:00Z | cmp - "$work/handled.once" >&2 || fail "the handler got other bytes"

note "interrupted: it is not whole, and where to go on"
# Waits at two events.
cat >"$work/blocked" <<-EOF
	#!/bin/sh
	cat >/dev/null
	case \$DEBMSG_ID in
	0 | 300) ;;
	*) exit 0 ;;
	esac
	: >"$work/at.\$DEBMSG_ID"
	until [ -e "$work/go.\$DEBMSG_ID" ]; do sleep 0.1; done
EOF
chmod 755 "$work/blocked"
is_at() {
	[ -e "$work/at.$1" ]
}
debmsg replay --log "$log" --exec "$work/blocked" 2>"$work/stderr" &
reader=$!
await 60 is_at 0 || fail "no handler was started: $(cat "$work/stderr")"
ctl close_all_connections -p "$vhost" "as if nobody had answered for a long time"
: >"$work/go.0"
await 60 is_at 300 || fail "a slow command costs the connection, and no more: $(cat "$work/stderr")"
says 'connected again'
kill -s TERM $reader
: >"$work/go.300"
status=0
wait $reader || status=$?
reader=
[ $status -eq 75 ] || fail "interrupted: exit status $status: $(cat "$work/stderr")"
says 'interrupted after 301 events: the output is not whole$'
says "go on with --log $log --from 301\$"
sed -n '302,$p' "$work/live" >"$work/wanted"
ends 0 debmsg replay --log "$log" --from 301 --since 2026-01-03T00:00:00Z >"$work/replay"
cmp "$work/wanted" "$work/replay" >&2 || fail "what was said to go on with is not the rest"

note "interrupted while a command asks for another try: that event is not done"
cat >"$work/later" <<-EOF
	#!/bin/sh
	: >"$work/at.later"
	until [ -e "$work/go.later" ]; do sleep 0.1; done
	exit 75
EOF
chmod 755 "$work/later"
debmsg replay --log "$log" --from 350 --exec "$work/later" 2>"$work/stderr" &
reader=$!
await 60 is_at later || fail "no handler was started: $(cat "$work/stderr")"
kill -s TERM $reader
: >"$work/go.later"
status=0
wait $reader || status=$?
reader=
[ $status -eq 75 ] || fail "interrupted: exit status $status: $(cat "$work/stderr")"
says 'interrupted after 0 events'
says "go on with --log $log --from 350\$"

note "a log that was begun anew: --from counts in its newest epoch"
debmsg outbox new-epoch --service wiki >/dev/null 2>&1
put New-0
put New-1
send
replayed 'New-1 ' --log demo.example/wiki --from 1

note "what was sent twice comes once; what is forged is named, and left out"
ends 0 debmsg replay >"$work/live"
sed -n 5p "$work/live.export" >"$work/line"
"$srcdir/tests/broker/tamper.py" nothing "$work/message" <"$work/line"
for body in body forged; do
	sed 's/"id":"/"id":"7/' "$work/message.body" >"$work/message.forged"
	"$forge" --port "$DEBMSG_AMQP_PORT" --vhost "$vhost" --user wiki --password-file "$secrets/wiki.password" \
		--key "$(jq -r .routing_key "$work/line")" --proof "$work/message.proof" <"$work/message.$body" >/dev/null
	[ $body = body ] && wanted=0 || wanted=76
	ends "$wanted" debmsg replay >"$work/replay"
	cmp "$work/live" "$work/replay" >&2 || fail "after $body was sent again"
done
says '^not believed: not-included: '
says '1 messages were not believed'
ends 0 debmsg replay dak >"$work/replay"

note "a stream that goes while it is read, and one that is not there"
rm -f "$work"/go.* "$work"/at.*
debmsg replay --exec "$work/blocked" 2>"$work/stderr" &
reader=$!
await 60 is_at 0 || fail "no handler was started: $(cat "$work/stderr")"
ctl delete_queue -p "$vhost" debmsg.log
: >"$work/go.0"
: >"$work/go.300"
status=0
wait $reader || status=$?
reader=
[ $status -eq 69 ] || fail "the stream went: exit status $status: $(cat "$work/stderr")"
says 'debmsg.log is gone'
ends 78 debmsg replay
says 'debmsg.log.*debmsg-broker load'
debmsg_broker --vhost "$vhost" load
ends 0 debmsg replay
says 'the history is empty'
put New-2
send
ends 1 debmsg replay --log demo.example/wiki --from 1 >"$work/replay"
says '1\.\.1 are not in the history any more: .* is 2$'
[ "$(subjects <"$work/replay")" = 'New-2 ' ] || fail "what is left: $(cat "$work/replay")"
