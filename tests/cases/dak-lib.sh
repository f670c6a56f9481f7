# shellcheck shell=sh
# What the tests of debmsg-dak share: directories as dak has them, an outbox of
# their own, and the events in it.  No broker is needed.
#
#   . "${DEBMSG_SRCDIR:-.}/tests/cases/dak-lib.sh"
set -eu
umask 077

# shellcheck disable=SC2034
srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)
dak=$builddir/debmsg-dak
for tool in jq python3; do
	command -v $tool >/dev/null || {
		echo "$tool is not installed"
		exit 77
	}
done

work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
pid=
cleanup() {
	status=$?
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || :
	GNUPGHOME="$work/gnupg" gpgconf --kill all 2>/dev/null || :
	rm -rf "$work"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export LC_ALL=C.UTF-8 TZ=UTC DEBMSG_CONF="$work/debmsg.conf"
render="$srcdir/tests/cases/dak/render.py"

note() {
	echo "# $*"
}

fail() {
	echo "FAIL: $*" >&2
	[ ! -s "$work/said" ] || tail -n 20 "$work/said" | sed 's/^/  said: /' >&2
	exit 1
}

# begin OPTION…: a new outbox, empty directories, and a service with these lines.
begin() {
	seen=0
	rm -rf "$work/state" "$work/mail" "$work/log" "$work/dists" "$work/misc"
	mkdir "$work/mail" "$work/log" "$work/dists" "$work/misc"
	{
		cat <<-END
		environment = "dev"
		state-directory = "$work/state"
		trust-file = "$work/trust.conf"
		max-event-size = ${max_event_size:-65536}
		service "dak" {
		  origin = "ftp.example.org/dak"
		  url = "https://tracker.example.org/{source}?v={version}"
		END
		printf '  %s\n' "$@"
		echo '}'
	} >"$DEBMSG_CONF"
}
# shellcheck disable=SC2120
both() {
	begin "mail-directory = \"$work/mail\"" "log-directory = \"$work/log\"" "$@"
}

# run [OPTION…]: reads what is there.
# shellcheck disable=SC2120
run() {
	"$dak" --once "$@" 2>"$work/said" || fail "debmsg-dak $*: exit status $?"
}

# A time at which nobody writes any more: all mails are settled.
settle() {
	find "$work/mail" -maxdepth 1 -type f >"$work/unsettled"
	while [ -s "$work/unsettled" ] &&
		[ -n "$(find "$work/mail" -maxdepth 1 -type f -newerct '2.1 seconds ago')" ]; do
		sleep 0.1
	done
}

mail_number=0
# mail KIND NAME=VALUE…: dak writes a mail.
mail() {
	mail_number=$((mail_number + 1))
	"$render" "$@" >"$work/rendered"
	file=$work/mail/$(date +%Y-%m-%dT%H:%M:%S).$(printf %06d $mail_number)
	cat "$work/rendered" >"$file"
}

# line PROGRAM 'ACTION|DETAIL…': dak writes a line of its log, now.
line() {
	printf '%s|%s|%s|%s\n' "$(date +%Y%m%d%H%M%S)" "$1" "${user:-dak}" "$2" \
		>>"$work/log/${month:-$(date +%Y-%m)}"
}

# All events since the last call, one a line in $work/new.
events() {
	"$builddir/tests/dump-outbox" dak >"$work/all"
	tail -n +$((seen + 1)) "$work/all" >"$work/new"
	seen=$(wc -l <"$work/all")
	cat "$work/all" >>"$work/every"
}

# expect 'JQ EXPRESSION' about the array of new events; t is the type without its begin
expect() {
	events
	sed 's/"type":"org.debian.dev.dak.\([^"]*\)"/"t":"\1",&/' "$work/new" | jq -s -e "$1" >/dev/null || {
		jq . "$work/new" | tail -n 80 >&2
		fail "not so: $1"
	}
}

is_said() {
	grep -q -- "$1" "$work/said" || fail "it does not say: $1"
}

is_empty() {
	[ -z "$(find "$work/mail" -maxdepth 1 -type f)" ] || fail "mails are left: $(ls "$work/mail")"
}

seen=0
: >"$work/every"
