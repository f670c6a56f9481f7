#!/bin/sh
# debmsg doctor and a management API that tells of trouble that a test cannot make
# quickly, or that does not behave: no broker is needed, tests/broker/management.py
# says what RabbitMQ 3.10.8 was seen to say.
set -eu
umask 077

srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)
work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
server=
trap 'status=$?; [ -z "$server" ] || kill "$server" 2>/dev/null || :; rm -rf "$work"; exit $status' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

for tool in python3 jq; do
	command -v $tool >/dev/null || {
		echo "skip: $tool is not installed"
		exit 77
	}
done

mkdir "$work/api" "$work/state"
python3 "$srcdir/tests/broker/management.py" "$work/api" &
server=$!
tries=0
until [ -s "$work/api/port" ]; do
	tries=$((tries + 1))
	[ $tries -lt 600 ] || fail "no server"
	sleep 0.1
done
echo secret >"$work/password"
cat >"$work/debmsg.conf" <<EOF
environment     = "dev"
state-directory = "$work/state"
management {
  url           = "http://127.0.0.1:$(cat "$work/api/port")/"
  user          = "monitor"
  password-file = "$work/password"
}
EOF

# diagnose STATUS: a pattern, where it does not matter
diagnose() {
	status=0
	"$builddir/debmsg" -c "$work/debmsg.conf" doctor --json --broker-config "$srcdir/broker-config" \
		>"$work/out" || status=$?
	# shellcheck disable=SC2254 # a pattern
	case $status in
	$1) ;;
	*) fail "ends with $status, not $1: $(cat "$work/out")" ;;
	esac
	! grep -q '"check":"doctor"' "$work/out" || fail "a check has died: $(cat "$work/out")"
}

# found LEVEL CHECK TEXT
found() {
	jq -e -s --arg level "$1" --arg check "$2" --arg text "$3" \
		'any(.level == $level and .check == $check and ("\(.subject): \(.text)" | contains($text)))' \
		"$work/out" >/dev/null || fail "not found: $1 $2 '$3' in $(jq -c 'select(.level != "ok")' "$work/out")"
}

answer() {
	cat >"$work/api/$1.json"
}

### All is well

# The reference, as the API would show it.
for kind in exchanges queues bindings policies; do
	jq ".$kind" "$srcdir/broker-config/definitions.json" | answer $kind-debmsg
done
jq '[.parameters[] | {vhost, value}]' "$srcdir/broker-config/definitions.json" | answer vhost-limits-debmsg
jq -n '{name: "monitor", tags: ["monitoring", "debmsg-monitor"]}' | answer whoami
jq -n '{rabbitmq_version: "4.1.0"}' | answer overview
jq -n '[{name: "debmsg", message_stats: {return_unroutable: 0}}]' | answer vhosts
node='{"name": "rabbit@a", "running": true, "partitions": [], "mem_alarm": false, "disk_free_alarm": false,
	"disk_free": 90000000000, "disk_free_limit": 2000000000, "fd_used": 10, "fd_total": 1000,
	"proc_used": 10, "proc_total": 1000}'
echo "[$node]" | answer nodes
minutes() {	# VALUE
	jq -n --argjson value "$1" '[range(121) | {sample: $value, timestamp: (1795392840000 - 5000 * .)}]'
}
queue() {	# NAME TYPE MEMBERS ONLINE
	jq -n --arg name "$1" --arg type "$2" --argjson members "$3" --argjson online "$4" \
		--argjson none "$(minutes 0)" '{$name, $type, $members, $online, node: "rabbit@a",
		leader: "rabbit@a", state: "running", durable: true, auto_delete: false,
		arguments: {"x-queue-type": $type}, policy: "p", messages: 0, messages_unacknowledged: 0,
		consumers: 1, messages_details: {samples: $none}, effective_policy_definition:
		{"max-age": "1Y", "max-length-bytes": 20000000000, "max-length": 1000}}'
}
healthy() {
	{
		queue debmsg.log stream '["rabbit@a"]' '["rabbit@a"]'
		queue debmsg.parked quorum '["rabbit@a"]' '["rabbit@a"]'
		queue qa.x quorum '["rabbit@a"]' '["rabbit@a"]'
	} | jq -s .
}
healthy | answer queues-debmsg
diagnose 0
found ok management 'monitor'
found ok version-broker '4.1.0'
found ok retention 'debmsg.log'
found note broker-url 'no broker section'

### Nodes

{
	echo "$node"
	echo "$node" | jq '.name = "rabbit@b" | .running = false'
	echo "$node" | jq '.name = "rabbit@c" | .partitions = ["rabbit@a"] | .mem_alarm = true'
	echo "$node" | jq '.name = "rabbit@d" | .disk_free = 3000000000 | .fd_used = 900'
} | jq -s . | answer nodes
jq -n '{rabbitmq_version: "3.8.9"}' | answer overview
jq -n '[{name: "debmsg", message_stats: {return_unroutable: 3}}]' | answer vhosts
diagnose 1
found error broker-node 'rabbit@b: does not run'
found error broker-node 'rabbit@c: is cut off'
found error broker-alarm 'rabbit@c: short of memory'
found warning broker-alarm 'rabbit@d: 2861 MiB'
found warning broker-files 'rabbit@d: 900 of 1000'
found ok broker-alarm 'rabbit@a'
found error version-broker '3.8.9'
found note broker-unroutable '3 since the broker started'
echo "[$node]" | answer nodes

### Queues

{
	queue debmsg.log stream '["rabbit@a", "rabbit@b", "rabbit@c"]' '["rabbit@c", "rabbit@b"]' | jq '.messages = 1000'
	queue debmsg.parked quorum '["rabbit@a", "rabbit@b", "rabbit@c"]' '["rabbit@a"]' |
		jq --argjson samples "$(minutes 2)" '.messages = 5 | .messages_details.samples = $samples'
	queue qa.late quorum '["rabbit@a", "rabbit@b", "rabbit@c"]' '["rabbit@a", "rabbit@b"]'
	queue qa.stuck quorum '["rabbit@a"]' '["rabbit@a"]' | jq --argjson samples "$(minutes 7)" \
		'.messages = 7 | .messages_unacknowledged = 7 | .messages_details.samples = $samples |
		.message_stats = {ack: 40, ack_details: {samples: ($samples | map(.sample = 40))}}'
	queue qa.slow quorum '["rabbit@a"]' '["rabbit@a"]' | jq --argjson samples "$(minutes 7)" \
		'.messages = 7 | .messages_details.samples = $samples |
		.message_stats = {ack: 41, ack_details: {samples: ($samples | map(.sample = 40))}}'
	queue qa.full quorum '["rabbit@a"]' '["rabbit@a"]' | jq '.messages = 1000'
	queue qa.nearly quorum '["rabbit@a"]' '["rabbit@a"]' | jq '.messages = 800'
	queue qa.alone quorum '["rabbit@a"]' '["rabbit@a"]' | jq '.messages = 1 | .consumers = 0'
	queue qa.pushes classic '[]' '[]' | jq '.arguments["x-overflow"] = "reject-publish"'
	queue odd quorum '["rabbit@a"]' '["rabbit@a"]' | jq '.effective_policy_definition = {}'
} | jq -s . | answer queues-debmsg
diagnose 1
found error queue-replicas 'debmsg.log: has no leader'
found error queue-replicas 'debmsg.parked: only 1 of 3'
found warning queue-replicas 'qa.late: 2 of 3'
found warning parked '5 messages were rejected or failed too often, 2 of them more than'
found warning queue-stuck 'qa.stuck: its consumer acknowledged nothing'
found ok queue-consumer 'qa.slow: is read'
found error queue-full 'qa.full: 1000 of 1000'
found warning queue-full 'qa.nearly: 800 of 1000'
found warning queue-consumer 'qa.alone: nobody reads it; 1 messages'
found warning queue-policy 'qa.pushes: x-overflow'
found warning queue-policy 'odd'
found note queue-lag 'cannot be read from here'
healthy | answer queues-debmsg

### An API that is not one

for body in '' '{' '[' 'null' '"text"' '[[]]' '{"name": {"tags": 7}}' '{}, "more": {}' '{"a": 1, "a": 2}' \
	"$(printf '%010000d' 0 | tr 0 '[')" '{"tags": "monitoring", "name": "\u0000"}'; do
	printf '%s' "$body" | answer whoami
	diagnose 1
	found error management 'http://127.0.0.1'
done
jq -n '{name: "monitor", tags: "monitoring,debmsg-monitor"}' | answer whoami
diagnose 1
found error version-broker '3.8.9'
for file in nodes vhosts overview exchanges-debmsg queues-debmsg bindings-debmsg policies-debmsg vhost-limits-debmsg; do
	cp "$work/api/$file.json" "$work/good"
	for body in '[7, null, "x", [[]], {}, {"name": 3, "members": "x", "online": {}, "messages": "many"}]' '{"x": 1}' 'null' '['; do
		printf '%s' "$body" | answer $file
		diagnose '[01]'
	done
	mv "$work/good" "$work/api/$file.json"
done
for how in cut redirect endless; do
	echo $how >"$work/api/how"
	diagnose 1
	found error management 'http://127.0.0.1'
done
rm "$work/api/how"
kill $server
wait $server 2>/dev/null || :
server=
diagnose 1
found error management 'http://127.0.0.1'
