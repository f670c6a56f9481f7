#!/bin/sh
# What debmsg.postrm reads out of an outbox, since what it takes for sent is removed.
# Each change of the outbox's tables has to be known there; this says when it is not.
# tests/packages has the rest of it, in a chroot.
#
#   DEBMSG_BUILDDIR=... DEBMSG_SRCDIR=... tests/cases/t-purge.sh
set -eu
umask 077

srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)
for tool in perl python3; do
	command -v $tool >/dev/null || {
		echo "$tool is not installed"
		exit 77
	}
done

work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
trap 'rm -rf "$work"' EXIT
outbox=$work/state/outbox/dak

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

# says TEXT: about the outbox
says() {
	answer=$(perl "$work/reader" "$outbox")
	[ "$answer" = "$1" ] || fail "it says \"$answer\", not \"$1\""
}

# sql STATEMENT [ARGUMENT]: a sequence of values 1 to N, for as many as N
sql() {
	python3 - "$outbox/outbox.db" "$@" <<-'END'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	db.executemany(sys.argv[2], [(n,) for n in range(int(sys.argv[3]))] if len(sys.argv) > 3 else [()])
	db.commit()
	db.close()
	END
}

publish() {
	"$builddir/debmsg" -c "$work/debmsg.conf" publish --service dak --type test.happen --subject hello >/dev/null
}

sed -n "/<<'END'\$/,/^END\$/{/<<'END'\$/d;/^END\$/d;p;}" "$srcdir/debian/debmsg.postrm" >"$work/reader"
cat >"$work/debmsg.conf" <<-EOF
environment = "dev"
state-directory = "$work/state"
trust-file = "$work/trust.conf"
service "dak" { origin = "test.example/dak" }
EOF
mkdir -p "$outbox"
says sent

publish
says "events that were not sent: 1"
sql "UPDATE log SET sent = size"
says sent
: >"$outbox/relay.lock"
: >"$outbox/debmsg-dak.lock"
says sent

# numbers of each length that SQLite has
for size in 2 200 70000 20000000 5000000000 300000000000000; do
	sql "UPDATE log SET sent = 1, size = $size"
	says "events that were not sent: $((size - 1))"
	sql "UPDATE log SET sent = size"
	says sent
done

# Trees of more than one level, and values that overflow.
sql "INSERT INTO cursor VALUES ('post/' || ?, zeroblob(5000))" 3000
sql "INSERT INTO cursor VALUES ('mail-rejected/' || ?, zeroblob(5000))" 3000
says sent
sql "INSERT INTO cursor VALUES ('git/1000/00001763856000000000-77', zeroblob(5000))"
says "a push is not announced yet"
sql "DELETE FROM cursor WHERE name LIKE 'git/%'"
says sent

"$builddir/debmsg" -c "$work/debmsg.conf" outbox resend --service dak 0 >/dev/null
says "events that were to be sent again"
sql "DELETE FROM resend"
says sent

: >"$outbox/outbox.db-shm"
says "it is in use, or was when this machine was stopped"
rm "$outbox/outbox.db-shm"
: >"$outbox/something"
says "something unknown is in it"
rm "$outbox/something"

cp "$outbox/outbox.db" "$work/good"
python3 - "$work/good" "$outbox/outbox.db" "$work/reader" "$outbox" <<-'END' || fail "a damaged outbox"
import random, subprocess, sys
good, name, reader, outbox = sys.argv[1:]
whole = open(good, "rb").read()[:200000]
random.seed(5)
# "sent" may still be true of one with other bytes; an end, and no complaint of Perl's, must be.
for n in range(150):
    bytes = bytearray(whole)
    if n % 3 == 0:
        bytes = bytes[:random.randrange(len(bytes))]
    else:
        for _ in range(1 + n):
            bytes[random.randrange(100, 30000)] = random.choice([0, 1, 2, 5, 10, 13, 127, 128, 255])
    open(name, "wb").write(bytes)
    run = subprocess.run(["perl", reader, outbox], capture_output=True, timeout=60)
    if run.returncode or run.stderr or not run.stdout:
        sys.exit("%r" % run)
    if n % 3 == 0 and run.stdout == b"sent":
        sys.exit("a part of it counts as sent")
END
echo "all is well"
