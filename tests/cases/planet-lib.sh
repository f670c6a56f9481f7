# shellcheck shell=sh
# What the tests of debmsg-planet share: an outbox of their own, what a planet
# writes, and the events that come of it.  No broker is needed.
#
#   . "${DEBMSG_SRCDIR:-.}/tests/cases/planet-lib.sh"
set -eu
umask 077

# shellcheck disable=SC2034
srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)
planet=$builddir/debmsg-planet
for tool in jq awk; do
	command -v $tool >/dev/null || {
		echo "$tool is not installed"
		exit 77
	}
done

work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
watcher=
cleanup() {
	status=$?
	[ -z "$watcher" ] || kill -9 "$watcher" 2>/dev/null || :
	rm -rf "$work"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export LC_ALL=C.UTF-8 DEBMSG_CONF="$work/debmsg.conf"
# shellcheck disable=SC2034
data=$srcdir/../shared/data/planet
# shellcheck disable=SC2034
sanitized=false
# shellcheck disable=SC2034
grep -q -- -fsanitize=address "$builddir/Makefile" && sanitized=true

note() {
	echo "# $*"
}

fail() {
	echo "FAIL: $*" >&2
	[ ! -s "$work/said" ] || sed 's/^/  said: /' "$work/said" >&2
	exit 1
}

# write_conf FEED-FILE CONFIG-FILE [MAX-EVENT-SIZE]; a new outbox each time; "" leaves an input off
write_conf() {
	rm -rf "$work/state"
	seen=0
	{
		echo 'environment = "dev"'
		echo "state-directory = \"$work/state\""
		echo "trust-file = \"$work/trust.conf\""
		echo "max-event-size = ${3:-65536}"
		echo 'service "planet" {'
		echo '  origin = "planet.example.org/planet"'
		[ -z "$1" ] || echo "  feed-file = \"$1\""
		[ -z "$2" ] || echo "  config-file = \"$2\""
		echo '}'
	} >"$DEBMSG_CONF"
}

# Lines of id|link|title|content|updated|feed on stdin, as Venus writes atom.xml from them.
# shellcheck disable=SC2120
atom() {
	awk -F'|' -v base="${1:-Planet Example}" '
		function text(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); return s }
		BEGIN {
			print "<?xml version=\"1.0\"?>"
			print "<feed xmlns=\"http://www.w3.org/2005/Atom\">\n"
			print "\t<title>" base "</title>"
			print "\t<link rel=\"self\" href=\"http://planet.example.org/atom.xml\"/>"
			print "\t<link href=\"http://planet.example.org/\"/>"
			print "\t<id>http://planet.example.org/atom.xml</id>"
			print "\t<updated>2026-11-22T10:00:00+00:00</updated>"
			print "\t<generator uri=\"http://intertwingly.net/code/venus/\">Venus</generator>\n"
		}
		{
			print "\t<entry xml:lang=\"en\">\n\t\t<title type=\"html\">" text($3) "</title>"
			print "\t\t<link href=\"" text($2) "\"/>\n\t\t<id>" text($1) "</id>"
			print "\t\t<updated>" ($5 ? $5 : "2026-11-22T09:00:00+00:00") "</updated>"
			print "\t\t<content type=\"html\">" text($4) "</content>"
			print "\t\t<author>\n\t\t\t<name>" text($6 ? $6 : "Anna") "</name>\n\t\t</author>"
			print "\t\t<source>\n\t\t\t<title type=\"html\">" text($6 ? $6 : "Anna") "&#8217;s blog</title>"
			print "\t\t\t<link rel=\"self\" href=\"http://" ($6 ? $6 : "anna") ".example.org/feed\"/>"
			print "\t\t\t<id>http://" ($6 ? $6 : "anna") ".example.org/feed</id>"
			print "\t\t</source>\n\t</entry>\n"
		}
		END { print "</feed>" }'
}

# run [OPTION…]: once
run() {
	"$planet" --once "$@" 2>"$work/said" || fail "--once $*: exit status $?"
}

start() {
	"$planet" "$@" 2>"$work/said" &
	watcher=$!
}

stop() {
	kill "$watcher"
	wait "$watcher" || fail "ended with status $?"
	watcher=
}

# All events since the last call, one a line in $work/new.
events() {
	"$builddir/tests/dump-outbox" planet >"$work/all"
	cat "$work/all" >>"$work/ever"
	tail -n +$((seen + 1)) "$work/all" >"$work/new"
	seen=$(wc -l <"$work/all")
}

# expect 'JQ EXPRESSION' about the array of new events
expect() {
	events
	jq -s -e "$1" "$work/new" >/dev/null || {
		jq -c '[.type, .subject, .time, .data]' "$work/new" | tail -n 40 >&2
		fail "not so: $1"
	}
}

# expect_types 'TYPE SUBJECT…', lines sorted
expect_types() {
	events
	jq -r '(.type | sub(".*planet."; "")) + " " + .subject' "$work/new" | sort >"$work/types"
	printf '%s' "$1" | sed '/^$/d' | sort >"$work/want"
	cmp -s "$work/types" "$work/want" || {
		diff "$work/want" "$work/types" >&2 || :
		fail "these are not the events that should come"
	}
}

# await_events N: until as many new ones are there
await_events() {
	deadline=$(($(date +%s) + 180))
	until [ "$("$builddir/tests/dump-outbox" planet 2>/dev/null | wc -l)" -ge $((seen + $1)) ]; do
		[ "$(date +%s)" -lt $deadline ] || fail "$1 events do not come"
		sleep 0.05
	done
}

await_said() {
	deadline=$(($(date +%s) + 180))
	until grep -q "$1" "$work/said"; do
		[ "$(date +%s)" -lt $deadline ] || fail "it does not say: $1"
		sleep 0.05
	done
}

count_rejects() {
	grep -c 'cannot become an event' "$work/said" || :
}

seen=0
