#!/bin/sh
# The public account: what anybody may do, and that nobody else notices.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
. "$srcdir/tests/broker/attempt.sh"
services='dak wiki'
setup
debmsg_broker --vhost "$vhost" add public public "$secrets/public.password"
sed "s,consumer@,public@,; s,consumer.password,public.password,; s,state\",public-state\"," "$work/debmsg.conf" >"$work/public.conf"
chmod 600 "$work/public.conf"

forge=$builddir/tests/broker/forge
[ -x "$forge" ] || fail "$forge is missing: make it"

as_public() {
	debmsg -c "$work/public.conf" "$@"
}

publish_wiki() {
	debmsg publish --service wiki --type page.edit --subject "$1" >>"$work/ids"
}

says() {
	grep -q -e "$1" "$work/stderr" || fail "not said: $1: $(cat "$work/stderr")"
}

note "makes queues under public. only, and reads only"
for type in quorum classic stream; do
	allowed public "$(declare_queue public.$type $type)" "$(bind public.$type org.debian.#)"
done
policies=$("$RABBITMQCTL" -q list_queues -p "$vhost" --no-table-headers name policy | LC_ALL=C sort | tr '\t\n' ' ;')
[ "$policies" = 'debmsg.log history;debmsg.parked parked;public.classic public;public.quorum public;public.stream public-other;' ] ||
	fail "policies: $policies"
allowed public "$(read_history)"
allowed consumer "$(declare_queue consumer.q)"
refused public "$(declare_queue consumer.other)" "$(declare_queue public)" "$(declare_queue publicity.q)" \
	"$(declare_queue debmsg.q)" "$(declare_queue public.dlx quorum ', {<<"x-dead-letter-exchange">>, longstr, <<"debmsg.dead">>}')" \
	"$(declare_exchange public)" "$(get consumer.q)" "$(purge consumer.q)" "$(delete_queue consumer.q)" \
	"$(bind consumer.q '#')" "$(get debmsg.parked)" "$(delete_queue debmsg.log)" "$(bind_exchange debmsg.dead debmsg)" \
	"$(publish debmsg org.debian.dev.wiki.page.edit.Front)" "$(publish debmsg.keep org.debian.dev.wiki.page.edit.Front)" \
	"$(publish debmsg.dead x)" "$(publish '' public.quorum)" "$(publish '' debmsg.parked)"

note "its queues are everybody's"
allowed public "$(get public.quorum)" "$(delete_queue public.quorum)"

# A classic queue's own x-overflow is stronger than any policy.
note "a queue that refuses all it is given holds up nobody"
allowed public "$(declare_queue public.refuses classic ', {<<"x-overflow">>, longstr, <<"reject-publish">>},
	{<<"x-max-length">>, long, 1}')" "$(bind public.refuses '#')"
ends 0 debmsg consume --queue all --bind wiki --idle-exit 1
for number in 1 2 3 4 5 6 7 8 9; do
	publish_wiki "Page$number"
done
ends 0 debmsg -c "$work/relay.conf" relay --once
says "wiki: a queue of somebody's refuses events"
start_relay
publish_wiki Page10
all_confirmed() {
	debmsg outbox status --service wiki --json | grep -q '"waiting":0,'
}
await 30 all_confirmed || fail "the relay is held up: $(cat "$work/relay.log")"
stop_relay
ends 0 debmsg consume --queue all --limit 10 --idle-exit 20 >"$work/printed"
jq -r '.source + "/" + .id' "$work/printed" | cmp - "$work/ids" || fail "a consumer has not all: $(cat "$work/stderr")"
ends 0 debmsg audit >"$work/audit"
grep -q 'complete 0\.\.' "$work/audit" || fail "audit: $(cat "$work/audit")"
allowed public "$(delete_queue public.refuses)"
publish_wiki Page11
ends 0 debmsg -c "$work/relay.conf" relay --once
grep -q refuses "$work/stderr" && fail "nobody refuses any more: $(cat "$work/stderr")"

note "tail, replay, audit, consume work"
ends 0 as_public tail --since 1h --limit 11 wiki >"$work/tail"
ends 0 as_public replay --since 1h wiki >"$work/replay"
[ "$(wc -l <"$work/replay")" -eq 11 ] || fail "replay: $(cat "$work/replay")"
ends 0 as_public audit >"$work/audit"
ends 0 as_public consume --queue desk --bind wiki --since 1h --idle-exit 2 >"$work/printed"
[ "$(wc -l <"$work/printed")" -eq 11 ] || fail "consume: $(cat "$work/stderr")"

note "what is not believed is named, counted, and not kept; nothing stops"
for number in 1 2 3; do
	"$forge" --port "$DEBMSG_AMQP_PORT" --vhost "$vhost" --user wiki --password-file "$secrets/wiki.password" \
		--message-id "forged-$number" --key org.debian.dev.wiki.page.edit.Forged <"$work/public.conf" >"$work/answer" ||
		fail "forge: $(cat "$work/answer")"
done
publish_wiki Page12
ends 0 debmsg -c "$work/relay.conf" relay --once
ends 0 as_public consume --queue desk --bind wiki --idle-exit 2 >"$work/printed"
[ "$(jq -r .subject "$work/printed")" = Page12 ] || fail "printed: $(cat "$work/printed")"
[ "$(grep -c 'cannot be kept: user public' "$work/stderr")" -eq 1 ] || fail "said: $(cat "$work/stderr")"
for number in 1 2 3; do
	[ "$(grep -c "not believed, not kept: unsigned: .*forged-$number" "$work/stderr")" -eq 1 ] || fail "said: $(cat "$work/stderr")"
done
says '3 not believed and not kept'
ends 0 as_public consume --queue desk --idle-exit 1 >"$work/printed"
grep -q forged "$work/stderr" && fail "they came again: $(cat "$work/stderr")"

note "an event whose handler gives up is named, and not kept either"
publish_wiki Page13
ends 0 debmsg -c "$work/relay.conf" relay --once
ends 0 as_public consume --queue desk --idle-exit 1 --exec sh -c 'exit 1'
says 'the handler gave up, not kept: .*message demo.example/wiki'
says ' 1 given up'
"$RABBITMQCTL" -q list_queues -p "$vhost" --no-table-headers name messages | grep -qx 'debmsg.parked	0' ||
	fail "something is parked"

note "when all its connections are taken: later"
"$RABBITMQCTL" -q set_user_limits public '{"max-connections": 0}'
ends 69 as_public consume --queue desk --idle-exit 1
says 'limit .0. is reached'
debmsg_broker --vhost "$vhost" add public public "$secrets/public.password"
ends 0 as_public consume --queue desk --idle-exit 1
