#!/bin/sh
# tail survives a lost connection: it says so, reads from the history what came
# meanwhile, and nothing twice.  If the history is not the one it was, it says
# that.  Colours are for terminals.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services=wiki
setup

tail_pid=
trap 'status=$?; set +e; [ -z "$tail_pid" ] || kill -s KILL $tail_pid; (exit $status); cleanup' EXIT

ctl() {
	"$RABBITMQCTL" -q "$@" >/dev/null || fail "rabbitmqctl $*"
}

put() {
	for subject; do
		debmsg publish --service wiki --type page.edit --subject "$subject" >/dev/null
	done
	debmsg relay --once 2>"$work/relay.log" || fail "relay --once: $(cat "$work/relay.log")"
}

reads_stream() {
	"$RABBITMQCTL" -q list_channels -p "$vhost" --no-table-headers user consumer_count | grep -qx 'consumer	1'
}

# printed SUBJECT…: that is what tail has printed, all of it, in time.
printed() {
	is_printed() {
		[ "$(awk '{ print $3 }' "$work/tail" | tr '\n' ' ')" = "$* " ]
	}
	await 60 is_printed "$@" || fail "tail printed $(awk '{ print $3 }' "$work/tail" | tr '\n' ' '), not $*"
}

says() {
	grep -q "$1" "$work/tail.log"
}

start_tail() {
	debmsg tail >"$work/tail" 2>"$work/tail.log" &
	tail_pid=$!
	await 60 reads_stream || fail "tail does not read the stream: $(cat "$work/tail.log")"
}

# Held still, so that all of it is over when tail looks.
while_tail_is_held() {
	kill -s STOP $tail_pid
	ctl close_all_connections -p "$vhost" test
	"$@"
	kill -s CONT $tail_pid
}

end_tail() {
	kill $tail_pid
	status=0
	wait $tail_pid || status=$?
	tail_pid=
	[ $status -eq 0 ] || fail "tail ended with $status: $(cat "$work/tail.log")"
}

note "a connection that is lost before anything came, and after"
put Before
start_tail
while_tail_is_held put One Two
printed One Two
await 60 says 'trying again in' || fail "the loss is not said: $(cat "$work/tail.log")"
await 60 says 'connected again; what came meanwhile' || fail "the return is not said: $(cat "$work/tail.log")"
put Three
while_tail_is_held put Four
while_tail_is_held true
put Five
printed One Two Three Four Five

note "meanwhile the history was made anew"
anew() {
	ctl delete_queue -p "$vhost" debmsg.log
	debmsg_broker --vhost "$vhost" load
	put Six
}
while_tail_is_held anew
printed One Two Three Four Five Six
says 'the history was made anew or keeps only younger messages: some may be missed' ||
	fail "not said: $(cat "$work/tail.log")"
end_tail

note "formats; colours on a terminal only, and not for those who want none"
put Seven
for format in json export line; do
	debmsg tail --since 1h --limit 2 --format $format >"$work/$format"
done
debmsg tail --since 1h --limit 2 --json | cmp - "$work/json" >&2 || fail "--json"
debmsg verify "$work/export" >/dev/null || fail "--format export"
debmsg tail --since 1h --limit 2 | cmp - "$work/line" >&2 || fail "--format line"
ends 64 debmsg tail --format xml
on_terminal() {
	script -qec "$1 debmsg tail --since 1h --limit 2" /dev/null </dev/null | tr -d '\r'
}
escape=$(printf '\033')
on_terminal env >"$work/coloured"
grep -q "$escape\[36m.*$escape\[0m Seven" "$work/coloured" || fail "no colours: $(cat "$work/coloured")"
sed "s/$escape\[[0-9]*m//g" "$work/coloured" | cmp - "$work/line" >&2 || fail "colours change the text"
on_terminal 'NO_COLOR=1' | cmp - "$work/line" >&2 || fail "NO_COLOR"

note "a text cannot turn round or break the line that names its signer"
disorder=$(printf '\342\200\256turned\342\200\250\342\201\246')
echo "{\"summary\": \"is ${disorder}so\"}" |
	debmsg publish --service wiki --type page.edit --subject Disorder --data - >"$work/stdout"
debmsg relay --once 2>"$work/relay.log" || fail "relay --once: $(cat "$work/relay.log")"
timeout 60 debmsg tail --since 1h --limit 3 >"$work/disorder"
grep -q ' Disorder is  turned  so \[[0-9A-F]*\]$' "$work/disorder" || fail "the line is $(cat -v "$work/disorder")"
