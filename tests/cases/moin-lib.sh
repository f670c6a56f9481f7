# shellcheck shell=sh
# What the tests of the wiki's edit-log share: a data directory, written to as
# MoinMoin does it (PageEditor.py, _write_file; action/AttachFile.py,
# _addLogEntry), for MoinMoin itself is in Debian no more; and the events of an
# outbox of their own.  No broker is needed.
#
#   . "${DEBMSG_SRCDIR:-.}/tests/cases/moin-lib.sh"
set -eu
umask 077

# shellcheck disable=SC2034
srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)
wiki=$builddir/debmsg-wiki
command -v jq >/dev/null || {
	echo "jq is not installed"
	exit 77
}

work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
adapter=
writer=
cleanup() {
	status=$?
	for pid in $adapter $writer; do
		kill -9 "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	done
	rm -rf "$work"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export LC_ALL=C.UTF-8 DEBMSG_CONF="$work/debmsg.conf"
data=$work/data
tab=$(printf '\t')
# The editor: what must never be in an event, a message or the outbox.
address="198.51.100.9${tab}host-4.example.net"
user=1405902296.85.43837
now=1620714570000000

note() {
	echo "# $*"
}

fail() {
	echo "FAIL: $*" >&2
	[ ! -s "$work/said" ] || tail -n 20 "$work/said" | sed 's/^/  said: /' >&2
	exit 1
}

# new_wiki: an empty one, and an empty outbox.
new_wiki() {
	rm -rf "$data" "$work/state"
	mkdir -p "$data/pages"
	cat >"$DEBMSG_CONF" <<-EOF
	environment = "dev"
	state-directory = "$work/state"
	trust-file = "$work/trust.conf"
	service "wiki" {
	  origin = "wiki.example.org/wiki"
	  moin-data-directory = "$data"
	  url = "https://wiki.example.org/{page}"
	}
	EOF
	seen=0
}

# log FILE ACTION REVISION PAGE EXTRA COMMENT
log() {
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' $now "$3" "$2" "$4" "$address" $user "$5" "$6" >>"$1"
}

# save ACTION PAGE [EXTRA [COMMENT]]: page's quoted name; action DELETE: SAVE without a file
save() {
	dir=$data/pages/$2
	now=$((now + 1000001))
	[ -d "$dir/revisions" ] || {
		mkdir -p "$dir/revisions"
		echo 00000000 >"$dir/current"
	}
	mv "$dir/current" "$dir/current-locked"
	revision=$(($(sed 's/^0*\(.\)/\1/' "$dir/current-locked") + 1))
	revision=$(printf %08d $revision)
	echo "$revision" >"$dir/current-locked.tmp"
	mv "$dir/current-locked.tmp" "$dir/current-locked"
	action=$1
	[ "$action" = DELETE ] || echo text >"$dir/revisions/$revision"
	[ "$action" != DELETE ] || action=SAVE
	log "$data/edit-log" "$action" "$revision" "$2" "${3-}" "${4-}"
	log "$dir/edit-log" "$action" "$revision" "$2" "${3-}" "${4-}"
	mv "$dir/current-locked" "$dir/current"
}

# rename OLD NEW EXTRA: EXTRA is OLD in clear
rename() {
	mv "$data/pages/$1" "$data/pages/$2"
	save SAVE/RENAME "$2" "$3"
}

# attach ACTION PAGE FILE
attach() {
	now=$((now + 1000001))
	log "$data/edit-log" "$1" 99999999 "$2" "$3" ''
	log "$data/pages/$2/edit-log" "$1" 99999999 "$2" "$3" ''
}

# run [OPTION…]: all there is, once
run() {
	"$wiki" --once "$@" 2>>"$work/said" || fail "debmsg-wiki --once $*: exit status $?"
}

# start [OPTION…]: in the background
start() {
	"$wiki" "$@" 2>>"$work/said" &
	adapter=$!
}

# stop SIGNAL
stop() {
	kill "-$1" "$adapter"
	wait "$adapter" 2>/dev/null || [ "$1" != TERM ] || fail "debmsg-wiki: exit status $?"
	adapter=
}

# All events since the last call, one a line in $work/new.
events() {
	"$builddir/tests/dump-outbox" wiki >"$work/all"
	tail -n +$((seen + 1)) "$work/all" >"$work/new"
	seen=$(wc -l <"$work/all")
}

# expect 'JQ EXPRESSION' about the array of new events
expect() {
	events
	jq -s -e "$1" "$work/new" >/dev/null || {
		jq -c '[.type, .subject, .data]' "$work/new" | tail -n 40 >&2
		fail "not so: $1"
	}
}

count_events() {
	"$builddir/tests/dump-outbox" wiki 2>/dev/null | wc -l
}

# await_position: until the log was looked at for the first time
await_position() {
	deadline=$(($(date +%s) + 180))
	until "$builddir/tests/dump-outbox" wiki edit-log/ >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $deadline ] || fail "the log is not read"
		sleep 0.02
	done
}

# await_events N: until there are as many in all
await_events() {
	deadline=$(($(date +%s) + 180))
	until [ "$(count_events)" -ge "$1" ]; do
		[ "$(date +%s)" -lt $deadline ] || fail "there are not $1 events, but $(count_events)"
		sleep 0.02
	done
}

count_rejects() {
	grep -c 'this cannot become an event' "$work/said" || :
}

check_schemas() {
	"$builddir/tests/dump-outbox" wiki | "$srcdir/tests/cases/schema.py" "$srcdir/schemas" ||
		[ $? = 77 ] || fail "events do not fit their schemas"
}

# The names of what was edited are there, the editor's address is nowhere.
check_privacy() {
	for file in "$work/state/outbox/wiki"/* "$work/said"; do
		! grep -a -q -e '198[.]51' -e 'example[.]net' -e 2001:db8 "$file" || fail "$file has an address"
	done
}

seen=0
: >"$work/said"
