# shellcheck shell=sh
# What every broker test has: a virtual host and a configuration of its own on
# a real RabbitMQ, and an end that leaves nothing behind.
#
#   . "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
#   setup              # or setup_broker, for a test that needs no debmsg
#
# After setup $DEBMSG_CONF is set, debmsg is first in PATH, and these exist:
#
#   $work      a directory for the test, removed at the end
#   $vhost     the virtual host; users dak, wiki, planet, alioth, relay, consumer, admin
#   $secrets   NAME.password of each user
#   $keys      gnupg (signs), trusted (believed), key.asc, fingerprint
#   $RABBITMQCTL, $DEBMSG_AMQP_PORT, $DEBMSG_MGMT_PORT, $DEBMSG_BROKER_PID (a file)
#
# tests/broker/run lends all tests one broker (DEBMSG_TEST_BROKER) and one pair
# of keys (DEBMSG_TEST_KEYS); alone, a test makes both for itself.  A broker of its own
# speaks TLS with the files in the directory $tls, if that is set (private-broker --help).

set -eu
umask 077

srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)
# shellcheck source=tests/broker/bus.sh
. "$srcdir/tests/broker/bus.sh"

note() {
	echo "# $*" >&2
}

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

# expect_status N COMMAND…
expect_status() {
	wanted=$1
	shift
	got=0
	"$@" || got=$?
	[ "$got" -eq "$wanted" ] || fail "exit status $got, not $wanted: $*"
}

# ends STATUS COMMAND…: as expect_status; what it says on stderr is in $work/stderr.
ends() {
	wanted=$1
	shift
	got=0
	"$@" 2>"$work/stderr" || got=$?
	[ "$got" -eq "$wanted" ] || fail "exit status $got, not $wanted: $*: $(cat "$work/stderr")"
}

# api PATH [CURL OPTION…]: the management API, as admin; its password is in no argument list
api() {
	path=$1
	shift
	printf 'user = "admin:%s"\n' "$(cat "$secrets/admin.password")" |
		curl -sS --fail --config - "http://127.0.0.1:$DEBMSG_MGMT_PORT/api/$path" "$@"
}

start_relay() {
	launch_relay "$work"
}

stop_relay() {
	end_relay "$work" TERM
}

kill_relay() {
	end_relay "$work" KILL
}

show_logs() {
	for log in "$work/relay.log" "$broker/broker.log"; do
		[ ! -s "$log" ] || {
			echo "--- the end of $log"
			tail -n 40 "$log"
		} >&2
	done
}

cleanup() {
	status=$?
	trap '' INT TERM
	case $status in
	0 | 77) ;;
	*) show_logs ;;
	esac
	stop_relay || status=1
	if [ -n "${DEBMSG_TEST_BROKER-}" ]; then
		"$RABBITMQCTL" -q delete_vhost "$vhost" >/dev/null 2>&1 || :
	else
		"$srcdir/broker-config/private-broker" stop "$broker"
	fi
	[ -n "${DEBMSG_TEST_KEYS-}" ] || stop_agents "$keys"
	rm -rf "$work"
	exit "$status"
}

setup_broker() {
	[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || {
		note "rabbitmq-server is not installed"
		exit 77
	}
	work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
	broker=${DEBMSG_TEST_BROKER:-$work/broker}
	keys=${DEBMSG_TEST_KEYS:-$work/keys}
	secrets=$broker/secrets
	vhost=$(basename -- "$0" .sh)-$$
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	if [ -z "${DEBMSG_TEST_BROKER-}" ]; then
		[ -z "${tls-}" ] || { mkdir "$broker" && cp -r "$tls" "$broker/tls"; }
		"$srcdir/broker-config/private-broker" start "$broker"
	fi
	# shellcheck source=/dev/null
	. "$broker/broker.env"
	"$srcdir/broker-config/private-broker" vhost "$broker" "$vhost"
	add_users "$vhost" "$secrets"
}

setup() {
	setup_broker
	make_keys "$keys"
	write_configuration "$work" "$vhost" "$keys" "$secrets"
	trust_keys "$work" "$keys"
	PATH=$builddir:$PATH
	DEBMSG_CONF=$work/debmsg.conf
	export PATH DEBMSG_CONF
}
