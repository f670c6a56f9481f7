#!/bin/sh
# The manual pages tell what the programs, the sources and the schemas say, and the
# example of the protocol is one: its commands are run, and debmsg verify agrees.
set -eu
srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)
work=$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")
cleanup() {
	gpgconf --homedir "$work/gnupg" --kill all || :
	rm -rf "$work"
}
trap cleanup EXIT
umask 077

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

mkdir "$work/example" "$work/gnupg"
python3 "$srcdir/tests/cases/manuals.py" "$srcdir" "$builddir" "$work/example" || fail "pages that are not true"

GNUPGHOME=$work/gnupg
export GNUPGHOME
gpg --batch --quiet --import "$srcdir/tests/vectors/key-dak.asc"
cd "$work/example"
grep -c . commands >/dev/null || fail "debmsg-protocol.7 has no commands"
sh -e commands >stdout 2>stderr || fail "debmsg-protocol.7: $(cat commands stderr)"
cmp stdout answers || fail "debmsg-protocol.7: its commands answer: $(cat stdout)"
grep -q 'Good signature' stderr || fail "debmsg-protocol.7: $(cat stderr)"

cat >"$work/debmsg.conf" <<-EOT
environment = "dev"
state-directory = "$work/state"
trust-file = "$work/trust.conf"
EOT
cat >"$work/trust.conf" <<-EOT
homedir = "$work/gnupg"
log "ftp-master.example/dak" {
  keys = { "36B0BE6D3B6924D3BCE5539C34F217C32364C7FF" }
  types = { "org.debian.*.dak.#" }
}
EOT
"$builddir/debmsg" -c "$work/debmsg.conf" verify event.json >"$work/verified" || fail "$(cat "$work/verified")"
