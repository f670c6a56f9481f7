#!/bin/sh
# debmsg doctor and a broker in trouble: an alarm, the history unbound, messages
# that no queue takes, rejected messages, a consumer that the history will not wait
# for, and no broker at all.

unset DEBMSG_TEST_BROKER
# shellcheck source=tests/broker/lib.sh
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
# shellcheck source=tests/broker/doctor-lib.sh
. "$srcdir/tests/broker/doctor-lib.sh"
setup_doctor

# say PATH FILTER: what the API says of it now is so
say() {
	api "$1" | jq -e "$2" >/dev/null
}

### The history forgets what a consumer has not read

# Segments of a new size begin with a new stream.
debmsg consume --queue slow --bind dak.upload.accept --since 1h --limit 1 >/dev/null
stop_relay
api "queues/$vhost/debmsg.log" -X DELETE
api "policies/$vhost/history" |
	jq '.definition += {"max-length-bytes": 60000, "stream-max-segment-size-bytes": 30000}' >"$work/policy"
api "policies/$vhost/history" -X PUT --json "@$work/policy"
"$srcdir/broker-config/debmsg-broker" --vhost "$vhost" definitions | jq 'del(.policies)' >"$work/definitions"
api definitions --json "@$work/definitions"
start_relay
i=0
while [ $i -lt 300 ]; do
	i=$((i + 1))
	echo "{\"type\": \"upload.accept\", \"subject\": \"p$i\", \"data\": {\"summary\": \"$(printf '%0150d' $i)\"}}"
done | debmsg publish --service dak --jsonl >/dev/null
await 60 all_sent
await 60 say "queues/$vhost/consumer.slow" '.messages >= 300'
await 60 say "queues/$vhost/debmsg.log" '.messages > 0 and .messages < 300'
diagnose 1
found error retention "max-length-bytes 60000 instead of 20000000000"
found error queue-lag 'consumer.slow'
found warning queue-consumer 'consumer.slow'

### Messages that nobody takes, and one that was rejected

api "bindings/$vhost/e/debmsg/q/debmsg.log/%23" -X DELETE
debmsg publish --service wiki --type page.edit --subject Home >/dev/null
api "exchanges/$vhost/debmsg.dead/publish" --json \
	'{"properties": {"delivery_mode": 2}, "routing_key": "x", "payload": "x", "payload_encoding": "string"}' >/dev/null
await 60 say "vhosts?msg_rates_age=600&msg_rates_incr=5" "any(.name == \"$vhost\" and .message_stats.return_unroutable > 0)"
await 60 say "queues/$vhost?lengths_age=600&lengths_incr=5" 'any(.name == "debmsg.parked" and .messages == 1)'
diagnose 1
found warning broker-unroutable "$vhost"
found warning parked '1 messages were rejected'
found error topology-binding 'debmsg -> debmsg.log (#)'

### An alarm

"$RABBITMQCTL" -q set_disk_free_limit 1000000000000000
await 60 say nodes 'any(.disk_free_alarm)'
diagnose 1
found error broker-alarm 'short of disk'
"$RABBITMQCTL" -q set_disk_free_limit 100000000

### No broker

"$srcdir/broker-config/private-broker" stop "$broker"
diagnose 1
found error broker-url "127.0.0.1:$DEBMSG_AMQP_PORT"
found error management "127.0.0.1:$DEBMSG_MGMT_PORT"
found ok signing-key ''
lost note broker-url
