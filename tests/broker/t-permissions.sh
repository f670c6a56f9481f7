#!/bin/sh
# Least privilege, asked of the real broker: each user does what it is for,
# and is refused (403) what it is not.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
. "$srcdir/tests/broker/attempt.sh"
setup_broker

note "an adapter's user publishes its service's topics and nothing else"
allowed dak "$(publish debmsg org.debian.dev.dak.upload.accept.hello)" \
	"$(publish debmsg org.debian.production.dak.bus.checkpoint)"
refused dak "$(publish debmsg org.debian.dev.wiki.page.edit.FrontPage)" \
	"$(publish debmsg org.debian.dev.dakota.upload.accept.hello)" \
	"$(publish debmsg org.debian.test.dak.upload.accept.hello)" \
	"$(publish debmsg.dead '')" \
	"$(publish '' debmsg.parked)" \
	"$(publish amq.topic org.debian.dev.dak.upload.accept.hello)" \
	"$(declare_queue dak.queue)" \
	"$(declare_exchange dak)" \
	"$(delete_queue debmsg.log)" \
	"$(get debmsg.parked)" \
	"$(read_history)"

note "the same for every service: the wiki's user cannot write dak's topics, nor touch a queue"
allowed wiki "$(publish debmsg org.debian.dev.wiki.page.edit.FrontPage)" \
	"$(publish debmsg.keep org.debian.dev.wiki.page.edit.FrontPage)"
refused wiki "$(publish debmsg org.debian.dev.dak.upload.accept.hello)" \
	"$(publish debmsg.keep org.debian.dev.dak.upload.accept.hello)" \
	"$(publish debmsg.given-up x)"
allowed consumer "$(declare_queue consumer.q)"
for queue in consumer.q debmsg.parked debmsg.log; do
	refused wiki "$(get $queue)" "$(purge $queue)" "$(delete_queue $queue)" "$(declare_queue $queue)"
done
refused wiki "$(bind consumer.q '#')" \
	"$(bind_exchange debmsg debmsg.keep)"

note "the relay's own user reads the history and nothing else"
allowed relay "$(read_history)"
refused relay "$(get debmsg.parked)" \
	"$(publish debmsg org.debian.dev.dak.upload.accept.hello)" \
	"$(declare_queue relay.queue)"

note "a consumer has its own queues, may reject messages, and reads these and the history"
debmsg_broker --vhost "$vhost" add consumer qa "$secrets/qa.password"
allowed consumer "$(declare_queue consumer.q)" "$(bind consumer.q org.debian.#)" "$(get consumer.q)" \
	"$(read_history)" \
	"$(publish debmsg.dead '')"
allowed qa "$(declare_queue qa.q)"
refused consumer "$(publish debmsg org.debian.dev.dak.upload.accept.hello)" \
	"$(declare_queue qa.other)" \
	"$(declare_queue debmsg.other)" \
	"$(declare_exchange consumer)" \
	"$(get qa.q)" \
	"$(delete_queue qa.q)" \
	"$(purge qa.q)" \
	"$(publish debmsg.keep org.debian.dev.dak.upload.accept.hello)" \
	"$(publish debmsg.given-up x)" \
	"$(bind qa.q '#')" \
	"$(publish '' qa.q)"
allowed consumer "$(get debmsg.parked)"
refused consumer "$(publish '' debmsg.parked)" \
	"$(declare_queue debmsg.parked)" \
	"$(delete_queue debmsg.parked)" \
	"$(delete_queue debmsg.log)"

note "what was rejected is parked; a consumer's queue has the policy, the bus's own have theirs"
policies=$("$RABBITMQCTL" -q list_queues -p "$vhost" --no-table-headers name type policy | LC_ALL=C sort | tr '\t\n' ' ;')
[ "$policies" = 'consumer.q quorum consumers;debmsg.log stream history;debmsg.parked quorum parked;qa.q quorum consumers;' ] ||
	fail "queues, types and policies: $policies"
parked() {
	"$RABBITMQCTL" -q list_queues -p "$vhost" --no-table-headers name messages | grep -qx 'debmsg.parked	1'
}
await 20 parked || fail "the message sent to debmsg.dead is not parked"

# RabbitMQ before 4.0.3 looks at the first routing key only.  t-forged.sh shows that
# every consumer sees through it, in C and in Python.
note "an exchange for each service would not close the hole of CC"
forge=$builddir/tests/broker/forge
[ -x "$forge" ] || fail "$forge is missing: make it"
allowed admin "$(declare_exchange debmsg.wiki)" "$(bind_exchange debmsg debmsg.wiki)"
"$RABBITMQCTL" -q set_permissions -p "$vhost" wiki '^$' '^debmsg\.wiki$' '^$'
"$RABBITMQCTL" -q set_topic_permissions -p "$vhost" wiki debmsg.wiki '^org\.debian\.dev\.wiki\.' '^$'
refused wiki "$(publish debmsg.wiki org.debian.dev.dak.upload.accept.hello)"
allowed consumer "$(declare_queue consumer.dak)" "$(bind consumer.dak org.debian.dev.dak.#)"
echo '{}' | "$forge" --port "$DEBMSG_AMQP_PORT" --vhost "$vhost" --user wiki --password-file "$secrets/wiki.password" \
	--exchange debmsg.wiki --key org.debian.dev.wiki.page.edit.Front --cc org.debian.dev.dak.upload.accept.hello >"$work/answer" ||
	fail "forge: $(cat "$work/answer")"
led_astray() {
	"$RABBITMQCTL" -q list_queues -p "$vhost" --no-table-headers name messages | grep -qx 'consumer.dak	1'
}
await 20 led_astray || note "this broker does not have the hole: $("$RABBITMQCTL" version)"

note "nobody has the password that everybody knows"
"$RABBITMQCTL" -q list_users | grep -q '^guest	' && fail "the user guest exists"

note "a name cannot reach outside its own"
for name in debmsg 'da.k' 'dak|wiki' Dak '' -x; do
	expect_status 64 debmsg_broker --vhost "$vhost" add adapter "$name" "$work/password"
done
expect_status 64 debmsg_broker --vhost "$vhost" add owner dak "$work/password"
expect_status 78 debmsg_broker --vhost nowhere add adapter dak "$secrets/dak.password"
