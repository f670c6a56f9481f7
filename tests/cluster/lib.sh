# shellcheck shell=sh
# Hosts on one machine, each a network namespace with an address of its own and a
# RabbitMQ on its usual ports; between them a router, which is where the test and
# its clients are.  What the router drops, nobody gets: that is a partition.
#
#   . "${DEBMSG_SRCDIR:-.}/tests/cluster/lib.sh"
#
# tests/cluster/run starts each test in namespaces for network, mounts and processes,
# so nothing here is seen by the machine, and nothing outlives the test.

# shellcheck source=tests/broker/lib.sh
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
PATH=$builddir:$PATH:/usr/sbin:/sbin
page=$srcdir/doc/cluster.md

all_hosts='bus1 bus2 bus3 derivative'

address_of() {
	case $1 in
	bus[123]) echo "10.77.${1#bus}.2" ;;
	derivative) echo 10.77.4.2 ;;
	esac
}

### Network

# on HOST COMMAND…
on() {
	host=$1
	shift
	nsenter --net="/proc/$(cat "$work/$host.netns")/ns/net" -- "$@"
}

# The process only holds the namespace; a marker file says that it is there.
make_host() {
	address=$(address_of "$1")
	router=${address%.2}.1
	# shellcheck disable=SC2016 # for that sh to expand
	unshare --net sh -c ': >"$1.up" && exec sleep 86400' - "$work/$1" &
	echo $! >"$work/$1.netns"
	await 20 test -e "$work/$1.up" || fail "no network namespace for $1"
	ip link add "$1" type veth peer name eth0 netns "$(cat "$work/$1.netns")"
	ip addr add "$router/24" dev "$1"
	ip link set "$1" up
	on "$1" ip link set lo up
	on "$1" ip addr add "$address/24" dev eth0
	on "$1" ip link set eth0 up
	on "$1" ip route add default via "$router"
	mkdir -p "$work/$1/conf.d"
}

make_network() {
	ip link set lo up
	echo 1 >/proc/sys/net/ipv4/ip_forward
	# There is no DNS here, and nobody shall wait for it.
	echo "127.0.0.1 localhost $(hostname)" >"$work/hosts"
	for name in $all_hosts; do
		echo "$(address_of "$name") $name" >>"$work/hosts"
	done
	printf 'passwd: files\ngroup: files\nhosts: files\n' >"$work/nsswitch.conf"
	mount --bind "$work/hosts" /etc/hosts
	mount --bind "$work/nsswitch.conf" /etc/nsswitch.conf
	for name in $all_hosts; do
		make_host "$name"
	done
}

# separate A B: no packet goes from one to the other, and none comes back to say so.
separate() {
	ip rule add from "$(address_of "$1")" to "$(address_of "$2")" blackhole
	ip rule add from "$(address_of "$2")" to "$(address_of "$1")" blackhole
}

unite() {
	ip rule del from "$(address_of "$1")" to "$(address_of "$2")" blackhole
	ip rule del from "$(address_of "$2")" to "$(address_of "$1")" blackhole
}

# cut_off HOST: as if its power were gone: frames from and to it have wrong addresses.
cut_off() {
	address=$(address_of "$1")
	ip neigh replace "$address" lladdr 02:00:00:00:00:99 dev "$1" nud permanent
	on "$1" ip neigh replace "${address%.2}.1" lladdr 02:00:00:00:00:99 dev eth0 nud permanent
}

join_again() {
	address=$(address_of "$1")
	ip neigh del "$address" dev "$1"
	on "$1" ip neigh del "${address%.2}.1" dev eth0
}

### Brokers

start_broker() {
	on "$1" "$srcdir/broker-config/private-broker" start --host "$1" "$work/$1"
}

stop_broker() {
	on "$1" "$srcdir/broker-config/private-broker" stop "$work/$1"
}

broker_is_gone() {
	[ "$(readlink "/proc/$2/cwd")" != "$work/$1" ]
}

kill_broker() {
	broker_pid=$(cat "$work/$1/broker.pid")
	kill -s KILL "$broker_pid"
	await 30 broker_is_gone "$1" "$broker_pid" || fail "the broker on $1 does not die"
}

# ctl HOST COMMAND…: rabbitmqctl there
ctl() {
	host=$1
	shift
	on "$host" "$work/$host/rabbitmqctl" "$@"
}

# Programs that reach the broker of a host from anywhere: $work/HOST/ctl
make_ctl() {
	cat >"$work/$1/ctl" <<-EOF
	#!/bin/sh
	exec nsenter --net=/proc/$(cat "$work/$1.netns")/ns/net -- '$work/$1/rabbitmqctl' "\$@"
	EOF
	chmod 755 "$work/$1/ctl"
}

# api_of HOST PATH [CURL OPTION…]: its management API
api_of() {
	host=$1 path=$2
	shift 2
	printf 'user = "admin:%s"\n' "$(cat "$secrets/admin.password")" |
		curl -sS --fail --max-time 30 --config - "http://$host:15672/api/$path" "$@"
}

### The commands of the page

# What the page types is what is done: the commands in blocks ```sh of one section,
# in their order.  The first line of a block says where: "# on bus2, bus3".  Only
# what belongs to an installed system stands elsewhere here: its files are in the
# host's directory, and systemctl, scp and rabbitmqctl are those of tests/cluster/bin.
#
# run_page TITLE [HOST]: with HOST, there instead of where the page says.
run_page() {
	note "doc/cluster.md: $1"
	rm -f "$work"/block.*
	awk -v title="$1" -v out="$work/block." '
		/^```/ && inside { inside = 0; next }
		/^##* / && !inside { sub(/^#+ /, ""); here = $0 == title }
		here && /^```sh$/ { inside = 1; file = sprintf("%s%02d", out, ++n); next }
		inside { print > file }
	' "$page"
	[ -e "$work/block.01" ] || fail "doc/cluster.md has no commands under \"$1\""
	for block in "$work"/block.*; do
		hosts=$(sed -n '1s/^# on //p' "$block" | tr -d ,)
		[ -n "$hosts" ] || fail "doc/cluster.md: a block under \"$1\" does not begin with \"# on HOST\""
		for host in ${2:-$hosts}; do
			run_block "$block" "$host"
		done
	done
}

run_block() {
	sed "s,/etc/debmsg/,$work/,g; s,/usr/share/debmsg/,$srcdir/,g
		s,/etc/rabbitmq/,$work/$2/,g; s,/var/lib/rabbitmq/,$work/$2/,g; s,amqps://,amqp://,g" "$1" >"$work/commands"
	sed 's/^/    /' "$work/commands" >&2
	on "$2" env -u RABBITMQCTL PATH="$srcdir/tests/cluster/bin:$srcdir/broker-config:$PATH" \
		DEBMSG_HOST="$2" DEBMSG_WORK="$work" DEBMSG_SRCDIR="$srcdir" \
		sh -eu "$work/commands" >"$work/said" 2>&1 ||
		fail "doc/cluster.md: these commands fail on $2: $(tail -n 20 "$work/said")"
}

### Beginning and end

show_logs() {
	for name in $all_hosts; do
		[ ! -s "$work/$name/broker.log" ] || {
			echo "--- the end of the log of $name"
			tail -n 30 "$work/$name/broker.log"
		} >&2
	done
	for log in "$work"/*.log; do
		[ ! -s "$log" ] || {
			echo "--- the end of $log"
			tail -n 30 "$log"
		} >&2
	done
}

cleanup() {
	status=$?
	trap '' INT TERM
	[ $status -eq 0 ] || show_logs
	stop_relay || status=1
	for name in $all_hosts; do
		[ ! -e "$work/$name/broker.env" ] || stop_broker "$name" || status=1
	done
	stop_agents "$keys"
	umount /etc/hosts /etc/nsswitch.conf || :
	rm -rf "$work"
	exit "$status"
}

# A network, keys, and one broker on bus1 that has debmsg's users.
setup_cluster() {
	work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
	keys=$work/keys secrets=$work/secrets vhost=debmsg
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	make_network
	# A partition without a word is noticed within 60 s; a test has no such patience.
	for name in $all_hosts; do
		echo 'net_ticktime = 8' >"$work/$name/conf.d/80-test.conf"
		make_ctl "$name"
	done
	start_broker bus1
	RABBITMQCTL=$work/bus1/ctl
	add_users debmsg "$secrets"
	make_keys "$keys"
	DEBMSG_AMQP_PORT=5672
	write_configuration "$work" debmsg "$keys" "$secrets"
	use_urls debmsg.conf bus1
	use_urls relay.conf bus1
	trust_keys "$work" "$keys"
	DEBMSG_CONF=$work/debmsg.conf
	export DEBMSG_CONF RABBITMQCTL
}

# use_urls FILE HOST…: the urls of its broker section, in this order.
use_urls() {
	file=$work/$1
	shift
	user=$(sed -n 's,.*amqp://\([a-z-]*\)@.*,\1,p' "$file" | head -n 1)
	urls=
	for name; do
		urls="$urls${urls:+, }\"amqp://$user@$name:5672/debmsg\""
	done
	sed -i "s|^\( *url *= \).*amqp:.*|\1{ $urls }|" "$file"
}
