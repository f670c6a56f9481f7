# shellcheck shell=sh
# What the tests of the handlers share: events, and running a handler as
# debmsg consume does.  No broker is needed.
#
#   tools="lintian dpkg-deb"
#   . "${DEBMSG_SRCDIR:-.}/tests/handlers/lib.sh"
set -eu
umask 077

srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
for tool in ${tools-} jq; do
	command -v "$tool" >/dev/null || {
		echo "$tool is not installed"
		exit 77
	}
done

work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
servers=
cleanup() {
	status=$?
	trap '' INT TERM
	# shellcheck disable=SC2086 # a list
	[ -z "$servers" ] || kill $servers 2>/dev/null || :
	chmod -R u+rwX "$work"
	rm -rf "$work"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Nothing of the caller's gets in, and what a handler leaves is found in $TMPDIR.
unset HANDLER_URL HANDLER_COMMAND HANDLER_SUITES HANDLER_SUITE http_proxy https_proxy all_proxy \
	HTTP_PROXY HTTPS_PROXY ALL_PROXY
mkdir "$work/tmp" "$work/home"
export TMPDIR="$work/tmp" HOME="$work/home"

note() {
	echo "# $*"
}

fail() {
	echo "FAIL: $*" >&2
	[ ! -s "$work/said" ] || sed 's/^/  said: /' "$work/said" >&2
	exit 1
}

# event TYPE SUBJECT DATA: $work/event.json
event() {
	jq -cn --arg type "org.debian.dev.$1" --arg subject "$2" --argjson data "$3" '{
		specversion: "1.0", source: "example.org/x/20261122T101500Z", id: "7", type: $type,
		subject: $subject, time: "2026-11-22T10:15:00.000000Z", datacontenttype: "application/json",
		dataschema: "urn:debmsg:schema:x:1", typesequence: "1", data: $data }' >"$work/event.json"
}

# change JQ-PROGRAM: of the event.
change() {
	jq -c "$1" "$work/event.json" >"$work/event.new"
	mv "$work/event.new" "$work/event.json"
}

# ends STATUS HANDLER [WORDS]: run with the event; what it says has these words.
# It leaves nothing in the directory for temporary files.
ends() {
	got=0
	"$srcdir/handlers/$2" <"$work/event.json" >"$work/said" 2>&1 || got=$?
	[ "$got" -eq "$1" ] || fail "$2: exit status $got, not $1"
	[ $# -lt 3 ] || grep -qF -- "$3" "$work/said" || fail "$2 does not say: $3"
	[ -z "$(ls -A "$TMPDIR")" ] || fail "$2 leaves $(ls -A "$TMPDIR")"
}

# await SECONDS COMMAND…
await() {
	deadline=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt $deadline ] || fail "in vain: $*"
		sleep 0.05
	done
}

# background COMMAND…: until the end of the test.
background() {
	"$@" &
	servers="$servers $!"
}

# A line that wants to run something: $work/TRAP must never come to be.
# shellcheck disable=SC2016,SC2034
hostile=$(printf '%s' '--help -x @all #tag "; touch '"$work"'/TRAP #$(touch '"$work"'/TRAP)`touch '"$work"'/TRAP`'\'' <b>bold</b>&amp; <script> \074i\076 \ ../../etc/passwd' &&
	printf '\nBcc: victim@example.org\r\n.\nFrom x\033]0;title\007\033[31m')

no_trap() {
	[ ! -e "$work/TRAP" ] || fail "the trap went off"
}

# -- packages --

# make_tree DIR: the source of hello-bus 1.0-1.
make_tree() {
	mkdir -p "$1"
	printf 'int main(void)\n{\n\treturn 0;\n}\n' >"$1/hello-bus.c"
	cp -R "$srcdir/tests/handlers/hello-bus/debian" "$1/debian"
	chmod -R u+w "$1"
	chmod 755 "$1/debian/rules"
}

# make_packages DIR: hello-bus 1.0-1, source and binary, as a pool of its own in
# DIR, and the event of its upload.
make_packages() {
	mkdir -p "$1/pool/main/h/hello-bus"
	(
		umask 022
		make_tree "$work/build/hello-bus-1.0"
		cd "$work/build/hello-bus-1.0"
		tar -C .. --exclude=debian -czf ../hello-bus_1.0.orig.tar.gz hello-bus-1.0
		dpkg-source -b . >/dev/null 2>&1 || exit 1
		cd ..
		mkdir -p tree/DEBIAN tree/usr/share/doc/hello-bus
		printf 'Package: hello-bus\nVersion: 1.0-1\nArchitecture: all\nSection: misc\nPriority: optional\nMaintainer: Anna <anna@example.org>\nDescription: says hello\n It says hello.\n' >tree/DEBIAN/control
		echo hello >tree/usr/share/doc/hello-bus/README
		dpkg-deb --root-owner-group -Zxz -b tree hello-bus_1.0-1_all.deb >/dev/null
	) || fail "no package can be made"
	mv "$work"/build/hello-bus_* "$1/pool/main/h/hello-bus/"
	(cd "$1/pool/main/h/hello-bus" && for file in *; do
		jq -cn --arg name "$file" --arg sha256 "$(sha256sum <"$file" | cut -c 1-64)" \
			--argjson size "$(wc -c <"$file")" '{ name: $name, size: $size, sha256: $sha256, section: "misc" }'
	done) | jq -s '{ summary: "upload accepted: hello-bus 1.0-1 into unstable", changes: "hello-bus_1.0-1_amd64.changes",
		source: "hello-bus", version: "1.0-1", architectures: ["source", "all"], sourceful: true,
		suites: ["unstable"], files_total: length, files: . }' >"$work/data.json"
	event dak.upload.accept hello-bus "$(cat "$work/data.json")"
}
