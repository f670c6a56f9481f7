#!/bin/sh
# One node becomes three, by the commands of doc/cluster.md.  Then 20,000 events of
# four services are published while a node is stopped, killed (SIGKILL), parted from
# the two others, or gone with its host, while one has no memory left, and while all
# three are upgraded in turn, and at last while one is lost and replaced.  Nothing is lost, nothing is acted on twice, and every
# queue and the stream have three replicas again that agree.
#
# DEBMSG_SEED=N makes the random choices of an earlier run again;
# DEBMSG_EVENTS and DEBMSG_ROUNDS say how many events, and how often everything fails.
. "${DEBMSG_SRCDIR:-.}/tests/cluster/lib.sh"

events=${DEBMSG_EVENTS:-20000}
rounds=${DEBMSG_ROUNDS:-1}
seed=${DEBMSG_SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
note "DEBMSG_SEED=$seed"
slice=100
nodes='bus1 bus2 bus3'

### What is asked of the cluster

# Every queue, and the stream, has a leader and three replicas, which agree.
replicas_agree() {
	for queue in debmsg.parked consumer.plain consumer.exec consumer.late1; do
		on bus1 "$work/bus1/run" /usr/lib/rabbitmq/bin/rabbitmq-queues quorum_status "$queue" \
			--vhost debmsg --formatter json --silent >"$work/replicas.json" 2>/dev/null || return
		jq -e 'length == 3 and ([.[]["Raft State"]] | sort == ["follower", "follower", "leader"]) and
			([.[]["Commit Index"]] | unique | length == 1)' "$work/replicas.json" >/dev/null || return
	done
	on bus1 "$work/bus1/run" /usr/lib/rabbitmq/bin/rabbitmq-streams stream_status debmsg.log \
		--vhost debmsg --formatter json --silent >"$work/replicas.json" 2>/dev/null || return
	jq -e 'length == 3 and ([.[].role] | sort == ["replica", "replica", "writer"]) and
		([.[].committed_offset] | unique | length == 1)' "$work/replicas.json" >/dev/null
}

# All three nodes run, see each other, and have their members of every queue.  After a
# partition a node may be without statistics of the others, which says nothing of it.
cluster_is_whole() {
	for name in $nodes; do
		api_of "$name" nodes >"$work/nodes.json" 2>/dev/null || return
		jq -e 'length == 3 and all(.running and (.partitions // []) == [] and (.mem_alarm | not))' \
			"$work/nodes.json" >/dev/null || return
	done
	api_of bus1 queues/debmsg >"$work/queues.json" 2>/dev/null || return
	jq -e '[.[] | select(.type == "quorum")] | length >= 3 and all((.online | length) == 3)' \
		"$work/queues.json" >/dev/null
}

# Each has its member of what names the stream's leader.
coordinator_is_whole() {
	for name in $nodes; do
		[ "$(ctl "$name" -q eval '{ok, Members, _} = ra:members({rabbit_stream_coordinator, node()}), length(Members).' \
			2>/dev/null </dev/null)" = 3 ] || return
	done
}

await_whole() {
	await 300 cluster_is_whole ||
		fail "the cluster does not recover: $(jq -c '.[] | [.name, .running, .partitions, .mem_alarm]' \
			"$work/nodes.json") $(jq -c '.[] | [.name, .online]' "$work/queues.json")"
	await 120 coordinator_is_whole || fail "a node has no coordinator of streams"
}

### Publishing

published=0

# One slice after another in the background, each for another service.
publish_some() {
	count=0
	while [ $count -lt "$1" ]; do
		number=$((published / slice + count))
		service=$(echo "$services" | cut -d ' ' -f $((number % 4 + 1)))
		"$srcdir/tests/broker/events.py" $slice $((number * slice)) |
			debmsg publish --service "$service" --jsonl >>"$work/ids" || return
		count=$((count + 1))
		sleep 0.3
	done
}

### What goes wrong

relay_connections() {
	grep -c 'connected to' "$work/relay.log"
}

relay_reconnected() {
	[ "$(relay_connections)" -ge $((connections + 4)) ]
}

relay_is_blocked() {
	[ "$(grep -c 'takes no events' "$work/relay.log")" -gt "$blocked" ]
}

# The node that the relay used last.
relay_node() {
	sed -n 's/.*connected to \(bus[123]\):.*/\1/p' "$work/relay.log" | tail -n 1
}

node_paused() {
	[ "$(grep -c 'minority' "$work/$1/broker.log")" -gt "$paused" ]
}

# A queue that is declared meanwhile has three replicas afterwards, too.
fault_stop() {
	stop_broker "$1"
	late=$((late + 1))
	debmsg -c "$work/plain.conf" consume --queue late$late --bind planet.never --idle-exit 1 >&2 ||
		fail "no queue can be made without $1"
	sleep "$2"
	start_broker "$1"
}

fault_kill() {
	kill_broker "$1"
	sleep "$2"
	start_broker "$1"
}

# From the other nodes only: its clients still reach it.
fault_partition() {
	paused=$(grep -c 'minority' "$work/$1/broker.log" || :)
	for name in $nodes; do
		[ "$name" = "$1" ] || separate "$1" "$name"
	done
	await 120 node_paused "$1" || fail "$1 does not notice that it is alone"
	sleep "$2"
	for name in $nodes; do
		[ "$name" = "$1" ] || unite "$1" "$name"
	done
	await 120 cluster_is_whole || run_page "A node does not come back after a partition" "$1"
}

# From everybody, without a word: the relay must notice by itself, and leave it.
fault_host() {
	set -- "$(relay_node)" "$2"
	note "… which is $1"
	connections=$(relay_connections)
	cut_off "$1"
	await 200 relay_reconnected || fail "the relay holds to a host that is gone"
	join_again "$1"
}

fault_memory() {
	blocked=$(grep -c 'takes no events' "$work/relay.log" || :)
	ctl "$1" -q set_vm_memory_high_watermark absolute 1MB >&2
	await 60 relay_is_blocked || fail "the relay is not told of the alarm"
	sleep "$2"
	ctl "$1" -q set_vm_memory_high_watermark 0.4 >&2
}

# Its disk with it: what it has is gone.  A new one comes under the same name.
lose_bus3() {
	kill_broker bus3
	stop_broker bus3
	rm -rf "$work/bus3/database" "$work/bus3/.erlang.cookie" "$work/bus3/conf.d/50-debmsg-cluster.conf"
	run_page "A node is lost for ever"
}

# The first in the list takes connections, but has no replica of the stream.
read_elsewhere() {
	on bus1 "$work/bus1/run" /usr/lib/rabbitmq/bin/rabbitmq-streams delete_replica debmsg.log \
		rabbit@bus3 --vhost debmsg >&2
	debmsg -c "$work/exec.conf" audit >"$work/audit" ||
		fail "no node but the first is asked for the history: $(cat "$work/audit")"
	on bus1 "$work/bus1/run" /usr/lib/rabbitmq/bin/rabbitmq-streams add_replica debmsg.log \
		rabbit@bus3 --vhost debmsg >&2
}

fault_upgrade() {
	run_page "Rolling upgrade"
}

### The test

drained() {
	debmsg outbox status --json >"$work/outbox.json"
	[ "$(grep -c '"waiting":0,' "$work/outbox.json")" -eq 4 ]
}

ids_of() {
	grep -v '\.bus\.checkpoint",' "$1" |
		sed 's/^{"specversion":"1.0","source":"\([^"]*\)","id":"\([^"]*\)",.*/\1\/\2/'
}

has_all() {
	[ "$(grep -vc '\.bus\.checkpoint",' "$work/$1")" -ge "$events" ]
}

late=0
consumers=
start_consumers() {
	for name in plain exec tail; do
		cp "$work/debmsg.conf" "$work/$name.conf"
	done
	use_urls plain.conf bus2 bus3 bus1
	use_urls exec.conf bus3 bus1 bus2
	# shellcheck disable=SC2016 # for the handler to expand
	printf '#!/bin/sh\necho "$DEBMSG_SOURCE/$DEBMSG_ID" >>"%s"\n' "$work/acted" >"$work/act"
	chmod 755 "$work/act"
	: >"$work/acted"
	debmsg -c "$work/plain.conf" consume --queue plain >"$work/printed" 2>"$work/plain.log" &
	consumers=$!
	debmsg -c "$work/exec.conf" consume --queue exec --jobs 4 --exec "$work/act" >/dev/null 2>"$work/exec.log" &
	consumers="$consumers $!"
	debmsg -c "$work/tail.conf" tail --since 1h --json >"$work/tailed" 2>"$work/tail.log" &
	consumers="$consumers $!"
}

# exactly_once FILE: each published event stands there once, and nothing else.
exactly_once() {
	sort "$1" | cmp -s - "$work/ids.sorted" ||
		fail "$(basename "$1"): lost (<) or more than once (>): $(sort "$1" | diff "$work/ids.sorted" - | grep '^[<>]' | head -5)"
}

setup_cluster
note "one node, with a history and a queue that are there before the others"
for queue in plain exec; do
	debmsg consume --queue $queue --idle-exit 1
done
publish_some 8
published=$((8 * slice))
debmsg -c "$work/relay.conf" relay --once

run_page "From one node to three"
use_urls debmsg.conf bus1 bus2 bus3
use_urls relay.conf bus1 bus2 bus3
await_whole
start_consumers
start_relay

awk -v seed="$seed" -v rounds="$rounds" 'BEGIN {
	srand(seed)
	for (round = 0; round < rounds; round++) {
		n = split("stop kill partition host memory upgrade", fault)
		for (i = n; i > 0; i--) {
			j = 1 + int(rand() * i)
			print fault[j], "bus" 1 + int(rand() * 3), 2 + int(rand() * 12), rand()
			fault[j] = fault[i]
		}
	}
}' >"$work/schedule"
slices=$((events / slice))
left=$(($(wc -l <"$work/schedule") + 1))
while read -r fault node seconds pause; do
	share=$(((slices - published / slice) / left))
	left=$((left - 1))
	note "$fault $node $seconds, while $((share * slice)) events are published"
	publish_some $share &
	publisher=$!
	sleep "$pause"
	began=$(date +%s)
	"fault_$fault" "$node" "$seconds" </dev/null
	await_whole
	note "… whole again after $(($(date +%s) - began)) s"
	wait $publisher || fail "publish failed"
	published=$((published + share * slice))
done <"$work/schedule"
note "a node is lost for ever, while the rest is published"
publish_some $((slices - published / slice)) &
publisher=$!
lose_bus3
wait $publisher || fail "publish failed"
await_whole

note "everything arrives"
await 300 drained || fail "the relay does not finish: $(cat "$work/outbox.json")"
sort "$work/ids" >"$work/ids.sorted"
[ "$(uniq "$work/ids.sorted" | wc -l)" -eq "$events" ] || fail "publish gave an id twice"
for output in printed tailed acted; do
	await 300 has_all $output || fail "$output: $(wc -l <"$work/$output") of $events events"
done
for pid in $consumers; do
	kill "$pid"
	wait "$pid" || fail "a consumer ended with $?"
done
ids_of "$work/printed" >"$work/printed.ids"
# what the relay sent twice, the history has twice, and tail shows twice
ids_of "$work/tailed" | sort -u >"$work/tailed.ids"
exactly_once "$work/printed.ids"
exactly_once "$work/tailed.ids"
exactly_once "$work/acted"
for service in $services; do
	grep "/$service/" "$work/ids" >"$work/ids.of"
	grep "/$service/" "$work/printed.ids" | cmp -s - "$work/ids.of" || fail "$service is not in order"
done
for name in relay plain exec tail; do
	note "$name: $(grep -c 'trying again in' "$work/$name.log" || :) connections failed"
done

note "and can be proved"
debmsg audit >"$work/audit" || fail "audit: $(cat "$work/audit")"
sed 's/^/# /' "$work/audit" >&2
[ "$(grep -c ': complete 0\.\.' "$work/audit")" -eq 4 ] || fail "audit does not say complete for four logs"
for queue in plain exec; do
	debmsg audit --queue $queue >"$work/audit" || fail "audit --queue $queue: $(cat "$work/audit")"
	[ "$(grep -c ': complete 0\.\.' "$work/audit")" -eq 4 ] || fail "audit --queue $queue: $(cat "$work/audit")"
done
note "also where the first url has no replica of the history"
read_elsewhere
await 120 replicas_agree || fail "the replicas do not agree: $(cat "$work/replicas.json")"
note "three replicas of each queue and of the stream agree"
stop_relay
