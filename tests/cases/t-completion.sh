#!/bin/sh
# Completion in bash: commands, verbs, options, names of services, queues and logs,
# patterns and files, also behind -c and --option=; without a broker, and for the
# adapters.  The last one is typed into a bash on a terminal.
set -eu
srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)
command -v bash >/dev/null || {
	echo "bash is not installed"
	exit 77
}
work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
trap 'rm -rf "$work"' EXIT
failed=0

PATH=$builddir:$PATH
DEBMSG_CONF=$work/debmsg.conf
export PATH DEBMSG_CONF
mkdir -p "$work/state/ledger" "$work/here"
cat >"$DEBMSG_CONF" <<EOF
environment     = "dev"
state-directory = "$work/state"
trust-file      = "$work/trust.conf"
broker {
  url           = "amqps://qa@bus.example.org/debmsg"
}
# service "none" {
service "dak" {
  origin = "ftp-master.debian.org/dak"
}
service "wiki" { origin = "wiki.debian.org/wiki" }
EOF
cat >"$work/trust.conf" <<EOF
homedir = "$work/trusted"
log "planet.debian.org/planet" {
  keys = { }
}
EOF
sed 's/"dak"/"other"/; /wiki/d' "$DEBMSG_CONF" >"$work/other.conf"
touch "$work/state/ledger/qa.uploads.db" "$work/state/ledger/qa.bugs.v2.db" "$work/state/ledger/ann.hers.db" \
	"$work/here/history.jsonl" "$work/here/with space.json"
sed "s,^_debmsg_schemas=.*,_debmsg_schemas=$srcdir/schemas," "$srcdir/completion/debmsg.in" >"$work/completion"

# What completion offers, in one line, sorted, for the words given, of which the
# last is being typed.
cat >"$work/offer" <<'EOF'
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_debmsg
printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | paste -sd ' '
EOF

offers() {
	wanted=$1
	shift
	got=$(cd "$work/here" && bash --norc "$work/offer" "$work/completion" "$@" 2>&1)
	[ "$got" = "$wanted" ] || {
		echo "FAIL: $*: '$got', not '$wanted'"
		failed=1
	}
}

# lists COMMAND…: all that --help tells of, no less and no more
lists() {
	offers "$("$@" --help | grep -oE -e '--[a-z][a-z-]*' | { cat && echo -c; } | LC_ALL=C sort -u | paste -sd ' ')" \
		"$@" -
}

# --- commands, verbs, options
commands=$(debmsg --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
# shellcheck disable=SC2086 # words
offers "$(printf '%s\n' $commands | LC_ALL=C sort | paste -sd ' ')" debmsg ''
offers 'parked publish' debmsg p
offers 'audit' debmsg -c "$work/other.conf" aud
offers '--config --help --version -c' debmsg -
offers 'list new-epoch prune resend status' debmsg outbox ''
offers 'resend' debmsg outbox r
offers 'drop list retry show' debmsg parked ''
offers 'resend' "$builddir/debmsg" outbox r
offers '' debmsg nonsense ''
for command in $commands; do
	lists debmsg "$command"
done
for adapter in debmsg-alioth debmsg-dak debmsg-planet debmsg-wiki; do
	lists "$adapter"
done
offers '--service' debmsg outbox resend --s
offers 'bzr cvs darcs git hg svn' debmsg-alioth ''
offers '' debmsg-dak ''

# --- values
offers 'dak wiki' debmsg outbox status --service ''
offers 'wiki' debmsg publish --type page.edit --service w
offers 'wiki' debmsg publish --service = w
offers 'dak wiki' debmsg publish --service =
offers 'other' debmsg -c "$work/other.conf" outbox list --service ''
offers 'other' debmsg outbox list --config = "$work/other.conf" --service ''
offers 'bugs.v2 uploads' debmsg consume --queue ''
offers 'ftp-master.debian.org/dak planet.debian.org/planet wiki.debian.org/wiki' debmsg audit --log ''
offers 'export json line' debmsg consume --queue uploads --format ''
offers 'dak.upload dak.upload.accept dak.upload.policy dak.upload.reject' debmsg consume --bind wiki --bind dak.up
offers 'alioth.tag alioth.tag.create alioth.tag.delete alioth.tag.move' debmsg tail alioth.t
offers 'planet planet.bus planet.bus.checkpoint planet.feed planet.feed.add planet.feed.remove planet.feed.rename planet.post planet.post.add planet.post.edit' \
	debmsg export --since 1d --log demo.example/planet planet
offers 'page.create page.delete page.edit page.rename page.revert' debmsg publish --service wiki --type p
offers 'equivocation expired-key' debmsg parked list --reason e
offers '' debmsg tail --limit ''

# --- files, and the commands of others
offers 'history.jsonl with space.json' debmsg verify ''
offers 'history.jsonl' debmsg import --config = "$work/other.conf" h
offers 'history.jsonl' debmsg keys import h
offers '' debmsg keys list h
offers 'history.jsonl' debmsg publish --data h
offers 'history.jsonl' debmsg-dak -c h
offers 'history.jsonl' debmsg consume --queue uploads --exec sh h
offers 'debmsg-alioth' debmsg consume --queue uploads --exec debmsg-al

# --- a configuration that is not there, or is not one
offers '' debmsg -c /nonexistent outbox list --service ''
offers '' debmsg -c / outbox list --service ''

# --- on a terminal
python3 - "$work/completion" <<'EOF' || failed=1
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
seen = b""


def until(text):
    global seen
    deadline = time.time() + 60
    while text not in seen:
        if not select.select([fd], [], [], max(0, deadline - time.time()))[0]:
            sys.exit("on a terminal: no %r in %r" % (text, seen))
        seen += os.read(fd, 4096)
    seen = b""


os.write(fd, b"PS1=ready; . %s\n" % sys.argv[1].encode())
until(b"\nready")
os.write(fd, b"debmsg outbox resend --serv\twi\t5..9")
until(b"resend --service wiki 5..9")
os.write(fd, b"\x15exit\n")
os.close(fd)
os.waitpid(pid, 0)
EOF
exit $failed
