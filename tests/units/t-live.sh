#!/bin/sh
# The units under a live systemd, in a bare Debian 12 with a RabbitMQ of its own:
# each under its user, in its sandbox; the watchdog; restarts.  make check-units
#
# $DEBMSG_LIVE_TAR is what live-tar makes, and is made where it is not there.
set -eu
umask 022

srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)
boot=$srcdir/tests/units/boot
tar=${DEBMSG_LIVE_TAR:-$builddir/tests/units/live.tar}
[ "$(id -u)" = 0 ] || {
	echo "a system can be booted by root only"
	exit 77
}
for tool in mmdebstrap nsenter python3; do
	command -v $tool >/dev/null || {
		echo "$tool is not installed"
		exit 77
	}
done

note() {
	echo "# $*"
}

work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
machine=$work/machine
cleanup() {
	status=$?
	if [ -d "$machine" ]; then
		[ $status = 0 ] || in_it journalctl --no-pager -u 'debmsg-*' | tail -n 60 >&2
		"$boot" stop "$machine" || status=1
	fi
	rm -rf "$work"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

in_it() {
	"$boot" run "$machine" "$@"
}

# show UNIT PROPERTY
show() {
	in_it systemctl show -P "$2" "debmsg-$1"
}

# await COMMAND…: until it succeeds
await() {
	n=0
	until "$@"; do
		n=$((n + 1))
		[ $n -lt 600 ] || fail "does not come: $*"
		sleep 0.1
	done
}

# has UNIT PROPERTY PATTERN
has() {
	show "$1" "$2" | grep -q -e "$3"
}

handled() {
	grep -q -e "$1" "$machine/root/var/lib/debmsg/handled" 2>/dev/null
}

# drop_in UNIT NAME LINE…
drop_in() {
	directory=$machine/root/etc/systemd/system/debmsg-$1.service.d
	mkdir -p "$directory"
	file=$directory/$2.conf
	shift 2
	printf '%s\n' '[Service]' "$@" >"$file"
	in_it systemctl daemon-reload
}

publish() {
	in_it su -s /bin/sh debmsg -c "debmsg publish --service dak --type upload.accept --subject $1" >/dev/null
}

# hangs UNIT: it stops, as a program that hangs; the watchdog notices, and it runs again.
hangs() {
	drop_in "$1" watchdog WatchdogSec=3s RestartSec=1s
	in_it systemctl restart "debmsg-$1"
	old=$(show "$1" MainPID)
	# while it does not hang it ticks; longer than the watchdog waits
	sleep 5
	[ "$(show "$1" MainPID)" = "$old" ] || fail "$1: the watchdog ended one that works"
	in_it kill -STOP "$old"
	await has "$1" NRestarts '^1$'
	await has "$1" ActiveState '^active$'
	[ "$(show "$1" MainPID)" != "$old" ] || fail "$1 was not started again"
	in_it journalctl -q --no-pager -u "debmsg-$1" | grep -q "Watchdog timeout" || fail "$1: not by the watchdog"
	rm "$machine/root/etc/systemd/system/debmsg-$1.service.d/watchdog.conf"
	in_it systemctl daemon-reload
	in_it systemctl restart "debmsg-$1"
}

# ends UNIT: cleanly
ends() {
	in_it systemctl stop "debmsg-$1"
	[ "$(show "$1" Result)/$(show "$1" ExecMainStatus)/$(show "$1" ControlGroup)" = success/0/ ] ||
		fail "$1 does not end cleanly"
}

note "a system with a bus"
[ -f "$tar" ] || "$srcdir/tests/units/live-tar" "$tar"
"$boot" start "$machine" "$tar"
make -C "$builddir" --no-print-directory install DESTDIR="$machine/root" >"$work/install.log" 2>&1 ||
	fail "make install: $(tail "$work/install.log")"
# shellcheck disable=SC2016 # it is make's
sysconfdir=$(printf 'p:\n\t@echo $(sysconfdir)\n' | make -s -C "$builddir" -f Makefile -f - p)
cp "$srcdir/tests/units/live-setup" "$machine/root/srv/"
in_it /srv/live-setup "$sysconfdir" >"$work/setup.log" 2>&1 || fail "$(tail "$work/setup.log")"
in_it systemctl daemon-reload
conf=$sysconfdir/debmsg/debmsg.conf

note "the broker is away: the relay and a consumer are ready all the same, and say so"
in_it systemctl stop rabbitmq-server
in_it systemctl start debmsg-relay debmsg-consume@slow
await has relay StatusText 'dak: no connection since 20'
await has consume@slow StatusText '^no connection since 20'
in_it systemctl start rabbitmq-server
await has relay StatusText '^nothing waits$'
await has consume@slow StatusText '^connected'

note "a mail of dak's becomes a verified event; the adapter reads it as a user of its own"
drop_in dak inputs SupplementaryGroups=ftpteam ReadWritePaths=/srv/dak/mail
in_it systemctl start debmsg-dak
"$srcdir/tests/cases/dak/render.py" changes source=foo >"$work/foo"
"$srcdir/tests/cases/dak/render.py" accepted changes=foo_1.0_source.changes source=foo contents="$work/foo" \
	>"$machine/root/srv/mail"
in_it su -s /bin/sh dak -c 'umask 007; cp /srv/mail /srv/dak/mail/one; echo rubbish >/srv/dak/mail/two'
await handled '^begin foo$'
in_it touch /srv/done-foo
await handled '^end foo$'
await test -f "$machine/root/srv/dak/mail/rejected/two.reason"
await has dak StatusText '^1 events since the start$'
[ "$(ls "$machine/root/srv/dak/mail")" = rejected ] || fail "the mail is still there"

note "no handler sees the signing key or an outbox, or hears of the service manager"
! handled '^sees' || fail "a handler sees too much"
! handled '^hears' || fail "a handler could speak for the consumer"

note "an adapter sees no key, no password, and another's outbox neither"
[ "$(show dak User)" = debmsg-dak ] || fail "dak runs as $(show dak User)"
pid=$(show dak MainPID)
for path in /var/lib/debmsg/gnupg /var/lib/debmsg/trusted /var/lib/debmsg/outbox/wiki "$sysconfdir/debmsg/relay.password"; do
	in_it nsenter -m -t "$pid" -- setpriv --reuid=debmsg-dak --regid=debmsg-dak --init-groups \
		test ! -r "$path" || fail "debmsg-dak may read $path"
done
for path in /var/lib/debmsg/outbox/wiki /var/lib/debmsg /srv /etc /run; do
	! in_it nsenter -m -t "$pid" -- touch "$path/x" 2>/dev/null || fail "debmsg-dak could write in $path"
done
[ "$(in_it nsenter -n -t "$pid" -- ip -o link | wc -l)" = 1 ] || fail "debmsg-dak has a network"

note "a relay, an adapter and a consumer that hang are started again"
hangs relay
hangs dak
hangs consume@slow

note "a handler at work outlives a restart and the watchdog's end of its consumer, and runs once"
publish bar
await handled '^begin bar$'
in_it systemctl restart debmsg-consume@slow
await has consume@slow StatusText '1 commands at work$'
in_it kill -ABRT "$(show consume@slow MainPID)"
await has consume@slow NRestarts '^[1-9]'
await has consume@slow StatusText '1 commands at work$'
in_it touch /srv/done-bar
await handled '^end bar$'
await has consume@slow StatusText ' 0 wait, 0 commands at work$'
[ "$(grep -c bar "$machine/root/var/lib/debmsg/handled")" = 2 ] || fail "a handler ran twice"

note "the adapters of planet and wiki run in their sandboxes"
in_it systemctl start debmsg-planet debmsg-wiki
in_it systemctl is-active debmsg-planet debmsg-wiki >/dev/null || fail "one of them does not run"
# nobody is there whom it could ask
await has wiki StatusText 'rcfeed: in trouble since 20'

note "what debmsg-handlers(7) says to lift for sbuild and piuparts is enough"
lifted=$(sed -n '/^.Service.$/,/^.Ed$/ { /^.Service.$/d; p; }' "$srcdir/doc/debmsg-handlers.7" |
	sed -n '/^NoNewPrivileges=no$/,/^.Ed$/p' | sed '/^.Ed$/,$d')
# shellcheck disable=SC2086 # one line each
drop_in consume@namespaces lifted $lifted
# shellcheck disable=SC2086
drop_in consume@mounts lifted User=root ProtectSystem=no $lifted
in_it systemctl start debmsg-consume@namespaces debmsg-consume@mounts
await has consume@namespaces StatusText '^connected'
await has consume@mounts StatusText '^connected'
publish baz
for name in namespaces mounts; do
	await test -f "$machine/root/var/cache/debmsg/$name/done"
	await has consume@$name StatusText ' 0 wait, 0 commands at work$'
	ends consume@$name
done
[ "$(stat -c %u "$machine/root/var/lib/debmsg")" = "$(in_it id -u debmsg)" ] || fail "/var/lib/debmsg is root's now"
in_it touch /srv/done-baz
await handled '^end baz$'

note "all end cleanly, and leave nothing behind"
for unit in relay dak planet wiki consume@slow; do
	ends $unit
done

note "what cannot be mended by starting it again is not started again"
mv "$machine/root$conf" "$machine/root$conf.away"
for unit in relay dak; do
	! in_it systemctl start debmsg-$unit 2>/dev/null || fail "$unit starts without a configuration"
	[ "$(show $unit ExecMainStatus)/$(show $unit NRestarts)/$(show $unit ActiveState)" = 78/0/failed ] ||
		fail "$unit: $(in_it systemctl status --no-pager debmsg-$unit)"
done
mv "$machine/root$conf.away" "$machine/root$conf"

note "a mail directory that the unit does not allow is named, with the remedy"
drop_in dak inputs SupplementaryGroups=ftpteam
in_it su -s /bin/sh dak -c 'umask 007; echo rubbish >/srv/dak/mail/three'
in_it systemctl start debmsg-dak
await sh -c "'$boot' run '$machine' journalctl -q --no-pager -u debmsg-dak | grep -q ReadWritePaths="

note "nothing else was denied, and nothing is said twice"
in_it journalctl -q --no-pager -u 'debmsg-*' >"$work/journal"
! grep -i -e denied -e 'not permitted' -e 'audit' -e 'Libgcrypt' "$work/journal" || fail "the journal has a denial"
[ "$(grep -c 'mail/two: not announced' "$work/journal")" = 1 ] || fail "the journal has lines twice"
note "all is well"
