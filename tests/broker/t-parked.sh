#!/bin/sh
# debmsg parked: what consumers rejected is listed with its reason, and stays
# where it is and in its order while others look at it.  What can be believed
# later, because a key was imported, gets into the inbox exactly once, whenever
# the program is killed.  Nobody drops what is somebody else's.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services='wiki'
setup
# This consumer does not know the key yet.
mkdir -m 700 "$work/trusted"
sed -i "s,^homedir = .*,homedir = \"$work/trusted\"," "$work/trust.conf"
trap 'status=$?; set +e; : >"$work/release"; stop_agents "$work"; (exit $status); cleanup' EXIT

# as USER CODE: Erlang code for the broker, with a channel Ch of that user.
as() {
	"$RABBITMQCTL" -q eval "
		{ok, Params} = amqp_uri:parse(\"amqp://$1:$(cat "$secrets/$1.password")@127.0.0.1:$DEBMSG_AMQP_PORT/$vhost\"),
		{ok, Connection} = amqp_connection:start(Params),
		{ok, Ch} = amqp_connection:open_channel(Connection),
		amqp_channel:call(Ch, {'confirm.select', false}),
		Park = fun (Key, Id, Body, Headers) ->
			amqp_channel:cast(Ch, {'basic.publish', 0, <<\"debmsg.dead\">>, Key, false, false},
				{amqp_msg, erlang:make_tuple(15, undefined, [{1, 'P_basic'},
					{4, [{Name, longstr, Value} || {Name, Value} <- Headers]}, {5, 2}, {10, Id}]), Body})
		end,
		$2,
		amqp_channel:wait_for_confirms(Ch, 30),
		amqp_connection:close(Connection)." >"$work/erlang" || fail "broker: $(cat "$work/erlang")"
}

# ready N: so many are in the queue.
ready() {
	[ "$(debmsg parked list 2>/dev/null | wc -l)" -eq "$1" ]
}

# at_the_broker N: the broker says the same, and nobody has one of them.
at_the_broker() {
	"$RABBITMQCTL" -q list_queues -p "$vhost" --no-table-headers name messages_ready messages |
		grep -qx "debmsg.parked	$1	$1"
}

list() {
	debmsg parked list --json "$@" >"$work/list" 2>"$work/stderr" || fail "parked list: status $?: $(cat "$work/stderr")"
	jq -e . <"$work/list" >"$work/jq" || [ ! -s "$work/list" ] || fail "not JSON: $(cat "$work/list")"
}

# lists N [OPTION…]
lists() {
	wanted_lines=$1
	shift
	list "$@"
	[ "$(wc -l <"$work/list")" -eq "$wanted_lines" ] || fail "$* lists $(wc -l <"$work/list"), not $wanted_lines"
}

inbox() {
	python3 - "$work/state/ledger/consumer.all.db" <<-'EOT'
		import sqlite3, sys
		for (key,) in sqlite3.connect(sys.argv[1]).execute("SELECT routing_key FROM inbox ORDER BY number"):
		    print(key)
	EOT
}

note "nothing is parked"
lists 0
ends 1 debmsg parked show 0123456789ab
ends 64 debmsg parked show xyz
ends 64 debmsg parked drop
ends 64 debmsg parked drop --all 0123456789ab

note "signed with a key that is not known: parked with reason, queue and time"
began=$(date +%s)
debmsg consume --queue all --bind wiki --idle-exit 1
python3 -c '
import json
for n in range(60):
    print(json.dumps({"type": "page.edit", "subject": "Page%d" % n, "data": {"summary": "page"}}))
' | debmsg publish --service wiki --jsonl >"$work/published"
debmsg -c "$work/relay.conf" relay --once 2>"$work/relay.log" || fail "relay: $(cat "$work/relay.log")"
debmsg consume --queue all --idle-exit 2 >"$work/printed" 2>"$work/consume.log"
[ ! -s "$work/printed" ] || fail "printed what nobody may believe"
await 20 ready 60 || fail "60 messages should be parked"
lists 60
jq -r .message_id "$work/list" | cmp - "$work/published" || fail "not in order, or not these"
jq -e --argjson began "$began" 'select(.reason != "unknown-key" or .queue != "consumer.all" or
	(.id | test("^[0-9a-f]{12}$") | not) or (.routing_key | startswith("org.debian.dev.wiki.page.edit.Page") | not) or
	(.time | fromdate) < $began or (.time | fromdate) > now + 5 or (.text | length) == 0)' "$work/list" >&2 &&
	fail "list says something else"
[ "$(jq -r .id "$work/list" | sort -u | wc -l)" -eq 60 ] || fail "IDs are not unique"
debmsg parked list | grep -Eq '^[0-9a-f]{12} 20[0-9T:-]*Z consumer.all unknown-key org.debian.dev.wiki.page.edit.Page0 ' ||
	fail "for people: $(debmsg parked list | head -n 1)"
lists 60 --queue all --reason unknown-key
lists 60 --queue consumer.all
lists 0 --queue al
lists 0 --reason unsigned

note "not believed now: it stays, and show says why"
sixth=$(sed -n 6p "$work/published")
id=$(debmsg parked list --json | jq -r --arg sixth "$sixth" 'select(.message_id == $sixth) | .id')
ends 1 debmsg parked retry "$id" >"$work/out"
grep -q "$id stays: unknown-key" "$work/stderr" || fail "retry: $(cat "$work/stderr")"
debmsg parked show --json "$id" >"$work/show"
jq -e '.result == "unknown-key" and (.body | fromjson | .subject) == "Page5"' "$work/show" >/dev/null || fail "show: $(cat "$work/show")"
debmsg parked show "$id" | grep -q '^now: *unknown-key: ' || fail "show for people"
await 10 at_the_broker 60 || fail "something is gone, or held"

note "the key is imported: show says so, and retry puts it into the inbox, once"
debmsg keys import "$keys/key.asc" >"$work/import.log" 2>&1
debmsg parked show --json "$id" | jq -e '.result == "ok"' >/dev/null || fail "show does not believe it now"
debmsg parked show --json "$id" | debmsg verify - >"$work/verify" || fail "verify cannot read what show prints"
debmsg parked retry "$id" >"$work/out"
grep -q '^1 put into the inbox' "$work/out" || fail "retry: $(cat "$work/out")"
await 10 ready 59 || fail "the message is not gone"
[ "$(inbox)" = org.debian.dev.wiki.page.edit.Page5 ] || fail "inbox: $(inbox)"
ends 1 debmsg parked retry "$id"

note "killed again and again, it loses nothing and puts nothing twice"
for pause in 0 0.02 0.04 0.06 0.08 0.1 0.13 0.16 0.2 0.25; do
	debmsg parked retry --all >"$work/out" 2>&1 &
	pid=$!
	sleep $pause
	kill -9 $pid 2>/dev/null || :
	wait $pid 2>/dev/null || :
done
debmsg parked retry --all >"$work/out" 2>"$work/stderr" || fail "retry --all: $(cat "$work/stderr")"
await 10 ready 0 || fail "after retry --all something is parked: $(cat "$work/out")"
inbox >"$work/inbox"
[ "$(wc -l <"$work/inbox")" -eq 60 ] || fail "the inbox has $(wc -l <"$work/inbox") events"
[ "$(sort -u "$work/inbox" | wc -l)" -eq 60 ] || fail "the inbox has events twice"

note "consume has them, each once, and misses none, though one came out of its turn"
consume() {
	debmsg consume --idle-exit 1 "$@" >"$work/printed" 2>"$work/said" || fail "consume: status $?: $(cat "$work/said")"
}
publish() {
	debmsg publish --service wiki --type page.edit --subject "$1" >/dev/null
	debmsg -c "$work/relay.conf" relay --once 2>"$work/relay.log" || fail "relay: $(cat "$work/relay.log")"
}
consume --queue all
{
	echo Page5
	seq -f Page%g 0 59 | grep -vx Page5
} >"$work/wanted"
jq -r .subject "$work/printed" | cmp - "$work/wanted" || fail "printed: $(jq -r .subject "$work/printed")"
publish Page60
consume --queue all
[ "$(jq -r .subject "$work/printed")" = Page60 ] || fail "printed: $(cat "$work/printed")"
grep -v ' 0 missing,' "$work/said" | grep -q missing && fail "said to be missing: $(cat "$work/said")"

note "a handler gives up: its last output is shown, and it gets its event again, once"
debmsg consume --queue run --bind wiki --idle-exit 1 2>"$work/said"
publish Luckless
consume --queue run --exec sh -c 'echo no luck; echo again >&2; exit 1'
await 10 ready 1 || fail "not parked: $(cat "$work/said")"
lists 1 --queue run --reason handler-failed
id=$(jq -r .id "$work/list")
debmsg parked show "$id" | grep -q '^    no luck' || fail "show: $(debmsg parked show "$id")"
debmsg parked show --json "$id" >"$work/show"
jq -e '.output | contains("no luck\n")' "$work/show" >/dev/null || fail "show --json: no output"
consume --queue run --exec sh -c "echo \"\$DEBMSG_SUBJECT\" >>$work/handled"
[ ! -e "$work/handled" ] || fail "handled while it is parked"
debmsg parked retry "$id" >"$work/out"
grep -q '^1 put into the inbox' "$work/out" || fail "retry: $(cat "$work/out")"
consume --queue run --exec sh -c "echo \"\$DEBMSG_SUBJECT\" >>$work/handled"
[ "$(cat "$work/handled")" = Luckless ] || fail "handled: $(cat "$work/handled")"
await 10 ready 0 || fail "still parked"
# It was parked twice, as by a consumer that was killed: nothing is left to be done for the other.
jq -j .body "$work/show" >"$work/body"
jq -j .proof "$work/show" >"$work/proof"
as consumer "
	{ok, Body} = file:read_file(\"$work/body\"),
	{ok, Proof} = file:read_file(\"$work/proof\"),
	Park(<<\"$(jq -r .routing_key "$work/show")\">>, <<\"$(jq -r .message_id "$work/show")\">>, Body, [{<<\"tlog-proof\">>, Proof},
		{<<\"debmsg-reason\">>, <<\"handler-failed\">>}, {<<\"debmsg-text\">>, <<\"exit status 1\">>},
		{<<\"debmsg-queue\">>, <<\"consumer.run\">>}])"
await 10 ready 1
debmsg parked retry "$id" >"$work/out" || fail "a copy has another ID, or is not removed"
grep -q '^0 put into the inbox, 1 had before' "$work/out" || fail "a copy of what succeeded: $(cat "$work/out")"
await 10 ready 0 || fail "the copy is still parked"

note "hostile texts"
# shellcheck disable=SC2016 # it is text
as consumer '
	Evil = <<27, "]0;owned", 7, 10, 13, 194, 155, "31m", 255, 0, "$(reboot) \"<&", 226, 128, 174>>,
	Park(<<"key", 27, "[2J", 255>>, <<"id ", 27, "c", 10>>, <<Evil/binary, Evil/binary>>, [
		{<<"debmsg-reason">>, Evil}, {<<"debmsg-text">>, binary:copy(Evil, 1000)},
		{<<"debmsg-queue">>, <<"consumer.", Evil/binary>>}, {<<"debmsg-output">>, binary:copy(Evil, 500)}]),
	Park(<<"key">>, <<"escape">>, <<"x">>, [{<<"debmsg-reason">>, <<"unsigned">>}, {<<"debmsg-text">>, <<>>},
		{<<"debmsg-queue">>, <<"consumer.x/../../../../all">>}]),
	Park(<<"key">>, undefined, <<>>, [])'
await 10 ready 3
lists 3
for format in '' --json; do
	debmsg parked list $format >"$work/text"
	# shellcheck disable=SC2046 # one word each
	debmsg parked show $format $(jq -r .id "$work/list") >>"$work/text"
	iconv -f UTF-8 -t UTF-8 "$work/text" >/dev/null || fail "not UTF-8"
	LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" "$work/text" && fail "control characters reach the terminal"
	# In JSON these are fit for no terminal, but neither is what consume prints.
	[ -n "$format" ] || ! LC_ALL=C grep -q "$(printf '\302\233')" "$work/text" ||
		fail "a C1 control character reaches the terminal"
done
jq -e . <"$work/text" >"$work/jq"
[ "$(jq -s length <"$work/text")" -eq 6 ] || fail "not one object a line"
ends 1 debmsg parked retry "$(jq -r 'select(.message_id == "escape") | .id' "$work/list")"
lists 1 --reason unsigned
# The message that says nothing of itself is nobody's.
debmsg parked drop --all >"$work/out" 2>"$work/stderr"
grep -q '^dropped 2$' "$work/out" || fail "drop: $(cat "$work/out")"
await 10 ready 1 || fail "not dropped"

note "of others: to be read by all, to be dropped by them or an administrator"
debmsg_broker --vhost "$vhost" add consumer qa "$secrets/qa.password"
as qa 'Park(<<"key">>, <<"of-qa">>, <<"{}">>, [{<<"debmsg-reason">>, <<"unsigned">>}, {<<"debmsg-text">>, <<"t">>},
	{<<"debmsg-queue">>, <<"qa.q">>}])'
await 10 ready 2
lists 1 --queue qa.q
id=$(jq -r .id "$work/list")
ends 1 debmsg parked drop "$id"
grep -q "$id stays: .*qa.q.*administrator" "$work/stderr" || fail "drop: $(cat "$work/stderr")"
ends 1 debmsg parked retry "$id"
ends 0 debmsg parked drop --all
grep -q '2 left alone' "$work/stderr" || fail "drop --all: $(cat "$work/stderr")"
lists 2
sed "s,consumer@,admin@,; s,consumer.password,admin.password," "$work/debmsg.conf" >"$work/admin.conf"
debmsg -c "$work/admin.conf" parked drop --all >"$work/out"
grep -q '^dropped 2$' "$work/out" || fail "an administrator's drop: $(cat "$work/out")"
await 10 ready 0 || fail "not dropped"

note "what the broker itself moved there, as a program rejected it; not what was dropped from a full queue"
as consumer "
	amqp_channel:call(Ch, {'queue.declare', 0, <<\"consumer.full\">>, false, true, false, false, false,
		[{<<\"x-queue-type\">>, longstr, <<\"quorum\">>}, {<<\"x-max-length\">>, long, 1}]}),
	amqp_channel:call(Ch, {'queue.bind', 0, <<\"consumer.full\">>, <<\"debmsg\">>, <<\"#\">>, false, []})"
for page in One Two; do
	debmsg publish --service wiki --type page.edit --subject $page >/dev/null
done
debmsg -c "$work/relay.conf" relay --once 2>"$work/relay.log" || fail "relay: $(cat "$work/relay.log")"
as consumer "
	{{'basic.get_ok', Tag, _, _, _, _}, _} = amqp_channel:call(Ch, {'basic.get', 0, <<\"consumer.full\">>, false}),
	amqp_channel:call(Ch, {'basic.reject', Tag, false})"
await 20 ready 1 || fail "nothing is parked by the broker"
list
jq -e '.reason == "rejected" and .queue == "consumer.full" and (.time | fromdate) <= now + 5 and
	.routing_key == "org.debian.dev.wiki.page.edit.Two"' "$work/list" >/dev/null || fail "x-death: $(cat "$work/list")"
ends 1 debmsg parked retry "$(jq -r .id "$work/list")"
grep -q 'no ledger' "$work/stderr" || fail "retry without ledger: $(cat "$work/stderr")"
as consumer "amqp_channel:call(Ch, {'queue.delete', 0, <<\"consumer.full\">>, false, false, false})"
ends 0 debmsg parked drop "$(jq -r '.id[0:6]' "$work/list")" >"$work/out"

note "2,000 messages, and copies of one"
as consumer '
	[Park(<<"key">>, integer_to_binary(N), binary:copy(<<"x">>, N), [{<<"debmsg-reason">>, if N rem 2 =:= 0 -> <<"even">>; true -> <<"odd">> end},
		{<<"debmsg-text">>, <<"t">>}, {<<"debmsg-queue">>, <<"consumer.many">>}]) || N <- lists:seq(1, 1997) ++ [7, 7, 7]]'
await 30 ready 2000 || fail "not all are parked"
lists 2000
jq -r .message_id "$work/list" | head -n 1997 >"$work/order"
seq 1997 | cmp - "$work/order" || fail "not in order"
id=$(jq -r 'select(.message_id == "7") | .id' "$work/list" | sort -u)
ends 0 debmsg parked drop "$id" >"$work/out"
grep -q '^dropped 4$' "$work/out" || fail "copies: $(cat "$work/out")"
await 10 ready 1996

note "two readers: one waits for the other"
debmsg parked list >"$work/one" &
debmsg parked list >"$work/two" || fail "the second reader ended with $?"
wait $! || fail "the first reader ended with $?"
[ "$(wc -l <"$work/one")" -eq 1996 ] || fail "the first reader saw $(wc -l <"$work/one")"
cmp "$work/one" "$work/two" || fail "two readers see different things"

note "somebody holds a message and does not let go"
as consumer "
	{{'basic.get_ok', _, _, _, _, _}, _} = amqp_channel:call(Ch, {'basic.get', 0, <<\"debmsg.parked\">>, false}),
	file:write_file(\"$work/held\", <<>>),
	Wait = fun Again() -> filelib:is_file(\"$work/release\") orelse (timer:sleep(100) =:= ok andalso Again()) end,
	Wait()" &
holder=$!
await 30 test -f "$work/held" || fail "nobody holds"
ends 75 debmsg parked list >"$work/one"
grep -q 'another reader' "$work/stderr" || fail "list: $(cat "$work/stderr")"
[ "$(wc -l <"$work/one")" -eq 1995 ] || fail "list shows $(wc -l <"$work/one")"
: >"$work/release"
wait $holder
lists 1996
await 10 at_the_broker 1996 || fail "what was held is gone"

note "many removed one by one, and all of them gone"
debmsg parked drop --all --reason even >"$work/out"
grep -q '^dropped 998$' "$work/out" || fail "drop --all: $(cat "$work/out")"
lists 998 # odd ones, without the 7
lists 998 --reason odd
debmsg parked drop --all >"$work/out"
await 10 at_the_broker 0 || fail "not all are gone"
