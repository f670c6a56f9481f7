# shellcheck shell=sh
# What the tests of debmsg-alioth's hooks share: repositories, an outbox of
# their own, and the events in it.  No broker is needed.
#
#   vcs=svn tools="svn svnadmin"
#   . "${DEBMSG_SRCDIR:-.}/tests/cases/vcs-lib.sh"
set -eu
umask 077

# shellcheck disable=SC2034
srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)
alioth=$builddir/debmsg-alioth
for tool in ${tools:?} jq flock; do
	command -v "$tool" >/dev/null || {
		echo "$tool is not installed"
		exit 77
	}
done

work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
# Converters that are still at work have the turn, or are about to take it.
cleanup() {
	status=$?
	for _ in 1 2 3; do
		flock -w 20 "$work/state/outbox/alioth/${vcs:?}-$(id -u).lock" true 2>/dev/null || :
		! rm -rf "$work" 2>/dev/null || break
	done
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

unset GIT_DIR GIT_WORK_TREE GL_USERNAME REMOTE_USER GIT_QUARANTINE_PATH
export HOME="$work" GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 LC_ALL=C.UTF-8
export GIT_AUTHOR_NAME='Anna' GIT_AUTHOR_EMAIL='anna@example.org'
export GIT_COMMITTER_NAME='Anna' GIT_COMMITTER_EMAIL='anna@example.org'
export GIT_TERMINAL_PROMPT=0 REMOTE_USER=anna
export PATH="$builddir:$PATH" DEBMSG_CONF="$work/debmsg.conf"

note() {
	echo "# $*"
}

fail() {
	echo "FAIL: $*" >&2
	[ ! -s "$work/said" ] || sed 's/^/  said: /' "$work/said" >&2
	exit 1
}

# write_conf [STATE-DIRECTORY [MAX-EVENT-SIZE]]
# shellcheck disable=SC2120
write_conf() {
	cat >"$DEBMSG_CONF" <<-EOF
	environment = "dev"
	state-directory = "$work/${1:-state}"
	trust-file = "$work/trust.conf"
	max-event-size = ${2:-65536}
	service "alioth" {
	  origin = "alioth.example.org/alioth"
	  repository-root = "$work/srv"
	  url = "https://git.example.org/{repository}?h={ref}&o={old}&n={new}"
	}
	EOF
}

# -- git --

# make_repo NAME [OPTION…]: srv/NAME with our hook, and a working tree in NAME.
make_repo() {
	name=$1
	shift
	git init -q --bare -b main "$@" "$work/srv/$name"
	ln -s "$alioth" "$work/srv/$name/hooks/post-receive"
	git init -q -b main "$@" "$work/$name"
	git -C "$work/$name" remote add origin "$work/srv/$name"
	cd "$work/$name"
}

commit() {
	git commit -q --allow-empty --allow-empty-message -m "$1"
}

push() {
	git push -q origin "$@" 2>"$work/said" || fail "git push $*: exit status $?"
}

# The pusher was told.
is_said() {
	grep -q "remote: debmsg-alioth: .*$1" "$work/said" || fail "the pusher does not see: $1"
}

# -- events --

# All events since the last call, one a line in $work/new, when all is converted.
events() {
	"$alioth" "$vcs" --pending 2>"$work/pending" || fail "--pending: exit status $?"
	"$builddir/tests/dump-outbox" alioth >"$work/all"
	tail -n +$((seen + 1)) "$work/all" >"$work/new"
	seen=$(wc -l <"$work/all")
}

# expect 'JQ EXPRESSION' about the array of new events
expect() {
	events
	jq -s -e "$1" "$work/new" >/dev/null || {
		jq . "$work/new" | tail -n 80 >&2
		fail "not so: $1"
	}
}

# await_events N: until as many new ones are there, for what was not stored at once.
await_events() {
	deadline=$(($(date +%s) + 70))
	until [ "$("$builddir/tests/dump-outbox" alioth | wc -l)" -ge $((seen + $1)) ]; do
		[ "$(date +%s)" -lt $deadline ] || fail "$1 events do not come"
		sleep 0.05
	done
}

# Inputs stay inputs between these two: a converter finds its turn taken.
# (The first push of all has made the directory.)
hold_turn() {
	mkfifo "$work/turn" "$work/taken"
	flock "$work/state/outbox/alioth/${vcs:?}-$(id -u).lock" \
		sh -c "echo >'$work/taken' && exec cat '$work/turn'" &
	turn=$!
	read -r _ <"$work/taken"
	exec 9>"$work/turn"
}

release_turn() {
	exec 9>&-
	wait "$turn"
	rm "$work/turn" "$work/taken"
}

# kill_while COMMAND MS: lets COMMAND make inputs while nothing is converted, and
# kills the converter of them again and again, each time after at most MS
# milliseconds; as often as it takes to have 20 kills.
kill_while() {
	kills=0 rounds=0 tries=0
	while [ $kills -lt 20 ]; do
		rounds=$((rounds + 1))
		[ $rounds -le 20 ] || fail "only $kills kills, that shows too little"
		hold_turn
		"$1"
		release_turn
		until
			tries=$((tries + 1))
			timeout -s KILL "0.$(printf %03d $((1 + tries * 7 % $2)))" "$alioth" "$vcs" --pending 2>/dev/null
		do
			kills=$((kills + 1))
			[ $((kills % 50)) -ne 0 ] || break
		done
	done
}

# check_schemas: all events so far are as their JSON Schemas say.
check_schemas() {
	note "every event is as its JSON Schema says"
	status=0
	"$builddir/tests/dump-outbox" alioth >"$work/all"
	"$srcdir/tests/cases/schema.py" "$srcdir/schemas" <"$work/all" >"$work/said" || status=$?
	[ $status = 0 ] || [ $status -ge 77 ] || fail "schemas"
	[ $status = 0 ] || note "left out: there is no python3-jsonschema"
}

# time_hook N COMMAND…: milliseconds of a whole process, the middle of N and the second longest.
time_hook() {
	runs=$1
	shift
	for _ in $(seq "$runs"); do
		begin=$(date +%s%N)
		"$@"
		echo $((($(date +%s%N) - begin) / 10000))
	done | sort -n >"$work/times"
	sed -n "$((runs / 2))s/\(..\)\$/.\1 ms in the middle/p; $((runs - 1))s/\(..\)\$/.\1 ms the second longest/p" "$work/times"
}

seen=0
mkdir "$work/srv"
write_conf state
