#!/bin/sh
# debmsg doctor finds nothing on a bus where all is well, and names what is broken
# on purpose: objects, policies and permissions of the broker, a deleted queue, a
# shortened history, keys, files.

# shellcheck source=tests/broker/lib.sh
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
# shellcheck source=tests/broker/doctor-lib.sh
. "$srcdir/tests/broker/doctor-lib.sh"
setup_doctor
debmsg consume --queue qa --bind dak.upload.accept --idle-exit 1 >/dev/null

# The broker's own view of what holds is some seconds old.
# holds QUEUE FILTER
holds() {
	api "queues/$vhost/$1" | jq -e ".effective_policy_definition | $2" >/dev/null
}

# What the databases hold is what counts: SQLite's own -shm and -wal come and go.
files() {
	find "$work/state" "$keys" -type f ! -name '*-shm' ! -name '*-wal' ! -name '.#*' \
		-exec sha256sum {} + | sort -k 2
}

### All is well, whatever the public leaves behind

api "queues/$vhost/public.left" -X PUT --json '{"durable": true, "arguments": {"x-overflow": "reject-publish"}}'
api "exchanges/$vhost/amq.default/publish" --json \
	'{"properties": {}, "routing_key": "public.left", "payload": "x", "payload_encoding": "string"}' >/dev/null
left() {
	api "queues/$vhost/public.left" | jq -e '.messages == 1 and (.effective_policy_definition | length > 0)' >/dev/null
}
await 60 left || fail "nothing is known of the public queue"
await 60 holds debmsg.log '.["max-age"] == "1Y"' || fail "nothing is known of the history"
before=$(files)
diagnose 0
grep -q '^[0-9]* checks: all is well' "$work/doctor.text" || fail "no sum: $(cat "$work/doctor.text")"
lost warning .
for check in configuration state-directory outbox-directory secret-file disk-space disk-inodes outbox \
	outbox-relay outbox-waiting outbox-intact outbox-wal outbox-rejected trust-file signing-trust \
	signing-key broker-url broker-history broker-user queue management broker-node broker-alarm \
	broker-unroutable version-debmsg clock-broker clock-outbox history clock-history topology-exchange \
	topology-queue topology-binding topology-policy topology-limits retention queue-replicas queue-full \
	parked; do
	found ok "$check" ''
done
# What only an administrator could have compared is told.
found note user-permissions administrator
[ "$before" = "$(files)" ] || fail "doctor has changed a file"

### The broker is not as broker-config says

put() {
	api "$1" -X PUT -H 'content-type: application/json' --data "$2"
}
api "queues/$vhost/consumer.qa" -X DELETE
api "queues/$vhost/debmsg.parked" -X DELETE
api "policies/$vhost/history" | jq '.definition["max-age"] = "7D"' >"$work/policy"
put "policies/$vhost/history" "@$work/policy"
api "policies/$vhost/parked" -X DELETE
api "bindings/$vhost/e/debmsg/q/debmsg.log/%23" -X DELETE
put "exchanges/$vhost/strange" '{"type": "fanout"}'
put "queues/$vhost/unnamed" '{"durable": true, "arguments": {"x-queue-type": "quorum"}}'
put "vhost-limits/$vhost/max-queues" '{"value": 17}'
await 60 holds debmsg.log '.["max-age"] == "7D"' || fail "the policy does not hold"
await 60 holds unnamed '. == {}' || fail "nothing is known of a new queue"
diagnose 1
found error queue 'consumer.qa'
found error topology-queue 'debmsg.parked'
found error retention 'max-age 7D instead of 1Y'
found warning topology-policy 'history'
found error topology-policy 'parked'
found error topology-binding 'debmsg -> debmsg.log (#)'
found note topology-exchange 'strange'
found warning queue-policy 'unnamed'
found warning topology-limits "$vhost"
grep -q '^[0-9]* checks: [1-9][0-9]* errors' "$work/doctor.text" || fail "no sum"

# What a shortened history means is not hidden by a policy that outvotes ours.
"$srcdir/broker-config/debmsg-broker" --vhost "$vhost" definitions >"$work/definitions.json"
api definitions --json "@$work/definitions.json"
api "queues/$vhost/unnamed" -X DELETE
put "policies/$vhost/louder" '{"pattern": "^debmsg.log$", "apply-to": "queues", "priority": 9,
	"definition": {"max-age": "2h", "max-length-bytes": 20000000000}}'
await 60 holds debmsg.log '.["max-age"] == "2h"' || fail "the policy does not hold"
diagnose 1
found error retention 'max-age 2h instead of 1Y'
found note topology-policy 'louder'
lost error topology-queue
lost error topology-binding
api "policies/$vhost/louder" -X DELETE

### Permissions, which an administrator may ask for

sed -i "s/\"monitor\"/\"admin\"/; s,monitor.password,admin.password," "$DEBMSG_CONF"
debmsg consume --queue qa --bind dak.upload.accept --idle-exit 1 >/dev/null
await 60 holds debmsg.log '.["max-age"] == "1Y"' || fail "the policy does not hold"
diagnose 0
found ok user-permissions 'dak: has the rights'
found ok user-role 'consumer: has the role'
put "permissions/$vhost/planet" '{"configure": ".*", "write": ".*", "read": ".*"}'
put "topic-permissions/$vhost/wiki" '{"exchange": "debmsg", "write": ".*", "read": "^$"}'
put "topic-permissions/$vhost/dak" '{"exchange": "debmsg.keep", "write": ".*", "read": "^$"}'
sed -i 's/user = "alioth"/user = "consumer"/; s,alioth.password,consumer.password,' "$DEBMSG_CONF"
diagnose 1
found error user-permissions 'planet: what it may do (configure)'
found error user-permissions 'wiki: what it may do (topic_write)'
found error user-permissions 'dak: what it may do (topic_write)'
found warning user-role 'consumer: has the role consumer, and ought to have adapter'
lost error user-role
for name in planet wiki dak; do
	"$srcdir/broker-config/debmsg-broker" --vhost "$vhost" definitions adapter $name \
		"$secrets/$name.password" >"$work/user.json"
	api definitions --json "@$work/user.json"
done

### Files of this host

sed -i 's/"admin"/"nobody"/' "$DEBMSG_CONF"
cp "$secrets/dak.password" "$work/open.password"
chmod 644 "$work/open.password"
sed -i "s,$secrets/dak.password,$work/open.password," "$DEBMSG_CONF"
mkdir "$work/state/outbox/wiki/moin-rejected"
echo why >"$work/state/outbox/wiki/moin-rejected/1-1"
chmod o+w "$work/state/outbox/planet"
diagnose 1
found error management 'nobody'
found error secret-file 'open.password'
found warning outbox-rejected 'moin-rejected'
found error outbox-directory 'planet'
lost ok topology-queue
