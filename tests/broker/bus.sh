# shellcheck shell=sh
# A throw-away bus around a private broker: keys, users, configuration, relay.
# Sourced by ../../quickstart and by lib.sh.  The caller sets
#
#   srcdir    the top of the sources, absolute
#   builddir  where debmsg was built, absolute
#
# and gives directories as absolute names without symbolic links.
: "${srcdir:?}" "${builddir:?}"

services='dak wiki planet alioth'

# await SECONDS COMMAND…: until COMMAND succeeds; fails when the time is up.
await() {
	deadline=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$deadline" ] || return 1
		sleep 0.1
	done
}

### Keys

# A Unix socket's name has at most 107 bytes, gpg-agent's longest ends in
# trusted/S.gpg-agent.browser, and its own message when that is too long does
# not say so.
fits_gpg_agent() {
	[ ${#1} -le 80 ] && return
	echo "$1: this name is too long for the sockets of gpg-agent, which may have 80 characters here;" \
		"use a shorter one, for example in /tmp" >&2
	return 1
}

# make_keys DIR: DIR/gnupg with one signing key, DIR/key.asc its public half,
# DIR/fingerprint, and DIR/trusted, still empty.
make_keys() {
	[ ! -f "$1/fingerprint" ] || return 0
	fits_gpg_agent "$1" || return
	mkdir -p "$1/gnupg" "$1/trusted" && chmod 700 "$1/gnupg" "$1/trusted" || return
	gpg --homedir "$1/gnupg" --batch --quiet --generate-key 2>"$1/gnupg.log" <<-'EOF' || return
	%no-protection
	Key-Type: eddsa
	Key-Curve: ed25519
	Key-Usage: sign
	Name-Real: debmsg throw-away key
	Name-Email: debmsg@demo.example
	Expire-Date: 0
	EOF
	gpg --homedir "$1/gnupg" --batch --armor --export >"$1/key.asc" || return
	gpg --homedir "$1/gnupg" --batch --with-colons --list-secret-keys 2>>"$1/gnupg.log" |
		awk -F: '$1 == "fpr" { print $10; exit }' >"$1/fingerprint"
}

stop_agents() {
	for homedir in "$1/gnupg" "$1/trusted"; do
		[ ! -d "$homedir" ] || gpgconf --homedir "$homedir" --kill all
	done
}

### Users and configuration

# debmsg_broker ARGUMENT…: RABBITMQCTL says with which broker.
debmsg_broker() {
	RABBITMQCTL=$RABBITMQCTL "$srcdir/broker-config/debmsg-broker" "$@"
}

# add_users VHOST SECRETS: SECRETS/NAME.password for every service, "relay",
# "consumer" and "admin".
add_users() {
	mkdir -p "$2"
	for name in $services; do
		debmsg_broker --vhost "$1" add adapter "$name" "$2/$name.password" || return
	done
	for name in relay consumer admin; do
		debmsg_broker --vhost "$1" add "$name" "$name" "$2/$name.password" || return
	done
}

# What the section of a service says to its adapter: service_options NAME DIR
service_options() {
	case $1 in
	alioth) echo "  repository-root = \"$2/git\"" ;;
	dak) printf '  mail-directory = "%s/dak/mail"\n  log-directory = "%s/dak/log"\n' "$2" "$2" ;;
	planet) printf '  feed-file = "%s/planet/atom.xml"\n  config-file = "%s/planet/config.ini"\n' "$2" "$2" ;;
	wiki) echo "  moin-data-directory = \"$2/wiki/data\"" ;;
	esac
}

# write_configuration DIR VHOST KEYS SECRETS: DIR/debmsg.conf, the relay's
# DIR/relay.conf and DIR/trust.conf.
write_configuration() {
	fingerprint=$(cat "$3/fingerprint")
	cat >"$1/debmsg.conf" <<-EOF
	environment     = "dev"
	state-directory = "$1/state"
	trust-file      = "$1/trust.conf"
	broker {
	  url           = "amqp://consumer@127.0.0.1:$DEBMSG_AMQP_PORT/$2"
	  password-file = "$4/consumer.password"
	}
	signing { homedir = "$3/gnupg"  key = "$fingerprint" }
	EOF
	echo "homedir = \"$3/trusted\"" >"$1/trust.conf"
	for name in $services; do
		options=$(service_options "$name" "$1")
		cat >>"$1/debmsg.conf" <<-EOF
		service "$name" {
		  origin = "demo.example/$name"
		  user = "$name"  password-file = "$4/$name.password"
		$options
		}
		EOF
		cat >>"$1/trust.conf" <<-EOF
		log "demo.example/$name" {
		  keys  = { "$fingerprint" }
		  types = { "org.debian.*.$name.#" }
		}
		EOF
	done
	# A relay reads the history as a user that may do nothing else.
	sed "s,amqp://consumer@,amqp://relay@,; s,$4/consumer.password,$4/relay.password," \
		"$1/debmsg.conf" >"$1/relay.conf"
	chmod 600 "$1/debmsg.conf" "$1/relay.conf" "$1/trust.conf"
}

trust_keys() {
	"$builddir/debmsg" -c "$1/debmsg.conf" keys import "$2/key.asc" >&2
}

### Relay

# The pid counts only while its process works in DIR: the number may by now
# belong to somebody else.
relay_runs() {
	pid=$(cat "$1/relay.pid" 2>/dev/null) && [ "$(readlink "/proc/$pid/cwd")" = "$1" ]
}

relay_ended() {
	! relay_runs "$1"
}

# launch_relay DIR: in a session of its own, so that a Ctrl-C leaves it to be
# stopped in order.
launch_relay() {
	old_directory=$PWD
	cd "$1" || return
	setsid "$builddir/debmsg" -c "$1/relay.conf" relay </dev/null >>relay.log 2>&1 &
	echo $! >relay.pid
	cd "$old_directory" || return
}

# end_relay DIR SIGNAL: fails if the relay had to be killed harder.
end_relay() {
	end_status=0
	if relay_runs "$1"; then
		kill -s "$2" "$pid" 2>/dev/null || :
		await 30 relay_ended "$1" || {
			end_status=1
			echo "the relay (process $pid) did not end on SIG$2; killed" >&2
			kill -s KILL "$pid" 2>/dev/null || :
			await 30 relay_ended "$1" || :
		}
	fi
	rm -f "$1/relay.pid"
	return $end_status
}
