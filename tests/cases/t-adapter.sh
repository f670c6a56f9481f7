#!/bin/sh
# What every adapter that watches has from adapters/common, seen with the one
# that doc/adapter.md shows; and the page's line for scripts.
#
#   DEBMSG_BUILDDIR=... DEBMSG_SRCDIR=... tests/cases/t-adapter.sh
set -eu
umask 077

srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)
. "$srcdir/tests/cases/idle.sh"
bugs=$builddir/tests/debmsg-bugs
command -v jq >/dev/null || {
	echo "jq is not installed"
	exit 77
}

work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
pid=
cleanup() {
	status=$?
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || :
	umount "$work/small" 2>/dev/null || :
	rm -rf "$work"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export PATH="$builddir:$PATH" DEBMSG_CONF="$work/debmsg.conf" LC_ALL=C.UTF-8
log=$work/bugs.log

note() {
	echo "# $*"
}

fail() {
	echo "FAIL: $*" >&2
	[ ! -s "$work/said" ] || sed 's/^/  said: /' "$work/said" >&2
	exit 1
}

# begin [OPTION-LINE]: a new outbox and no log
begin() {
	rm -rf "$work/state" "$log" "$log".*
	cat >"$DEBMSG_CONF" <<-EOF
	environment = "dev"
	state-directory = "$work/state"
	service "bugs" {
	  origin = "bugs.example.org/bugs"
	  ${1-input = \"$log\"}
	}
	EOF
}

# run STATUS [OPTION…]
run() {
	want=$1
	shift
	status=0
	"$bugs" "$@" >"$work/out" 2>"$work/said" || status=$?
	[ $status -eq "$want" ] || fail "$* ended with $status, not $want"
}

start() {
	"$bugs" "$@" 2>>"$work/said" 9>&- &
	pid=$!
}

stop() {
	kill "-$1" "$pid"
	wait "$pid" 2>/dev/null || :
	pid=
}

says() {
	grep -q -- "$1" "$work/said" || fail "not said: $1"
}

events() {
	"$builddir/tests/dump-outbox" bugs
}

count() {
	events | wc -l
}

# await N: until as many events are there
await() {
	deadline=$(($(date +%s) + 180))
	until [ "$(count)" -ge "$1" ]; do
		[ "$(date +%s)" -lt $deadline ] || fail "$1 events do not come, $(count) are there"
		sleep 0.05
	done
}

# each_once N: bugs 1 to N, each once and in order
each_once() {
	events | jq -r .subject >"$work/got"
	seq "$1" >"$work/want"
	cmp "$work/got" "$work/want" || {
		diff "$work/want" "$work/got" | head -n 20 >&2
		fail "not each of the $1 exactly once, in order"
	}
}

lines() {
	seq -f '%.0f it does not start' "$1" "$2"
}

note "the adapter of the page, and an event"
begin
printf '1000 it <does> not "start"\n' >"$log"
run 0 --once --from-start
events | jq -s -e 'length == 1 and (.[0] | .type == "org.debian.dev.bugs.bug.open" and
	.subject == "1000" and .data == { summary: "it <does> not \"start\"" })' >/dev/null ||
	fail "not the event: $(events)"
says 'log: 1 events, 0 rejected'

note "the page's line for scripts"
# shellcheck disable=SC2016 # sed's own
line=$(sed -n '/^```sh$/,/^```$/{/^```/!p}' "$srcdir/doc/adapter.md")
case $line in
*'<<<'*) command -v bash >/dev/null || line= ;;
esac
if [ -n "$line" ]; then
	bash -c "$line" >/dev/null || fail "the line failed: $line"
		events | jq -s -e 'length == 2 and .[1].data.summary == "#1000: it does not start"' \
		>/dev/null || fail "not the event: $(events)"
fi

note "publish: data on several lines is one event on one line"
printf '{\n  "summary": "on lines",\n\n  "n": [\n1]\n}\n\n' >"$work/data"
debmsg publish --service bugs --type bug.open --subject 2 --data "$work/data" >/dev/null
events | tail -n 1 | jq -e '.data == { summary: "on lines", n: [1] }' >/dev/null ||
	fail "not the event: $(events | tail -n 1)"

note "100,000 old lines: none from now, all from the start, and neither again"
begin
lines 1 100000 >"$log"
run 0 --once --from-now
says 'not announced'
[ "$(count)" -eq 0 ] || fail "old lines were announced"
echo '100001 new' >>"$log"
run 0 --once --from-start
[ "$(events | jq -r .subject)" = 100001 ] || fail "not what is new"
begin
lines 1 100000 >"$log"
run 0 --once --from-start
each_once 100000
run 0 --once --from-start
each_once 100000

note "what cannot be parsed is counted, named and kept, and the next one is published"
begin
printf '1 a\nno number\n2 b\n\n3 c\0d\n%0300000d\n4 \377\n5 partial' 0 >"$log"
run 0 --once --from-start
each_once 4
says 'log: 4 events, 3 rejected'
says "$log, byte 4: not the number of a bug"
"$builddir/tests/dump-outbox" bugs log-rejected/ | grep -qx 'no number' || fail "it is not kept"
printf ' now\n' >>"$log"
run 0 --once
each_once 5

note "it waits for a log that is not there yet, in a directory that is not there yet"
begin "input = \"$work/later/bugs.log\""
start
until grep -q 'read for the first time' "$work/said"; do sleep 0.05; done
run 75 --once
says 'another debmsg-bugs holds it'
stop TERM
mkdir "$work/later"
start --from-start # nothing was known, so nothing was begun
lines 1 3 >"$work/later/bugs.log"
await 3
mv "$work/later/bugs.log" "$work/later/bugs.log.1"
lines 4 5 >"$work/later/bugs.log"
await 5
each_once 5

note "idle, it uses no processor time and little memory"
await_quiet "$pid" 4
kib=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status")
grep -q __asan_init "$bugs" || # that needs more
	[ "$kib" -le 16384 ] || fail "$kib KiB of memory"
stop TERM

note "kill -9 at any moment, while lines come and the log is rotated"
begin
lines 1 1 >"$log"
run 0 --once --from-start # what is renamed before it was ever read is not looked for
lines 2 30000 | {
	n=0
	while IFS= read -r line; do
		printf '%s\n' "$line" >>"$log"
		n=$((n + 1))
		[ $((n % 7000)) -ne 0 ] || {
			for i in 3 2 1; do
				[ ! -e "$log.$i" ] || mv "$log.$i" "$log.$((i + 1))"
			done
			mv "$log" "$log.1"
			: >"$log"
		}
	done
} &
writer=$!
kills=0
while kill -0 $writer 2>/dev/null || [ $kills -lt 40 ]; do
	start
	# a random moment of its work, which is what is tested
	sleep "0.0$(od -An -N1 -tu1 /dev/urandom | tr -d ' ')"
	stop 9
	kills=$((kills + 1))
done
wait $writer
run 0 --once
each_once 30000
note "$kills kills"

note "SIGTERM and SIGINT end it well"
for signal in TERM INT; do
	start
	# not the shell that becomes it, which catches them too
	until [ "$(readlink "/proc/$pid/exe")" = "$bugs" ] &&
		[ -n "$(sed -n 's/^SigCgt:.*[^0]$/x/p' "/proc/$pid/status")" ]; do sleep 0.05; done
	kill -$signal $pid
	wait $pid || fail "SIG$signal: exit status $?"
	pid=
done

note "others write to the outbox for a while: it waits, and loses nothing"
begin
run 0 --once
mkfifo "$work/hold" "$work/held"
"$builddir/tests/dump-outbox" bugs --hold <"$work/hold" >"$work/held" &
exec 9>"$work/hold"
read -r _ <"$work/held"
lines 1 5 >"$log"
start
until find "/proc/$pid/fd" -lname "*/outbox.db" 2>/dev/null | grep -q .; do sleep 0.05; done
[ "$(count)" -eq 0 ] || fail "the outbox was not held"
exec 9>&-
await 5
each_once 5
stop TERM

note "a full disk: it says so, tries again, and loses nothing"
begin
if [ "$(id -u)" -eq 0 ] && mkdir "$work/small" && mount -t tmpfs -o size=1m tmpfs "$work/small" 2>/dev/null; then
	sed -i "s,$work/state,$work/small/state," "$DEBMSG_CONF"
	lines 1 20000 >"$log"
	: >"$work/said"
	start --from-start
	until grep -q 'trying again' "$work/said"; do sleep 0.05; done
	says 'full'
	mount -o remount,size=200m "$work/small"
	await 20000
	each_once 20000
	stop TERM
	umount "$work/small"
else
	note "skipped: not allowed to mount"
fi

note "wrong calls and configurations"
run 64 --no-such-option
run 64 operand
run 64 --from-start --from-now
run 0 --help
grep -q 'log .*a log of new bugs (input)' "$work/out" || fail "--help does not name the input"
[ "$(wc -l <"$work/out")" -le 24 ] || fail "--help does not fit a screen"
begin ''
run 78 --once
says 'has none of the options'
begin "inptu = \"$log\""
run 78 --once
says 'inptu'
echo ok
