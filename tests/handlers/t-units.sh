#!/bin/sh
# The units and the examples are as systemd and debmsg read them.
. "${DEBMSG_SRCDIR:-.}/tests/handlers/lib.sh"
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)

note "each handler has an example, and no setting that it does not know"
for file in "$builddir"/handlers/examples/*.conf; do
	name=$(basename "$file" .conf)
	[ -x "$srcdir/handlers/$name" ] || fail "there is no handler $name"
	grep -q "^DEBMSG_CONSUME_EXEC=/.*/debmsg/handlers/$name\$" "$file" || fail "$name.conf runs something else"
	grep -q '^DEBMSG_CONSUME_OPTIONS=--bind ' "$file" || fail "$name.conf binds nothing"
	# shellcheck disable=SC2013 # words
	for setting in $(sed -n 's/^[# ]*\(HANDLER_[A-Z_]*\)=.*/\1/p' "$file"); do
		grep -q "$setting" "$srcdir/handlers/$name" "$srcdir/handlers/lib.sh" || fail "$name.conf: $setting is unknown"
		grep -q "$setting" "$srcdir/doc/debmsg-handler-$name.1" "$srcdir/doc/debmsg-handlers.7" ||
			fail "$setting is in no manual page of $name"
	done
	! grep -q '@[a-z]*dir@' "$file" || fail "$name.conf has something in it that was to be replaced"
	[ -f "$srcdir/doc/debmsg-handler-$name.1" ] || fail "$name has no manual page"
done
for name in "$srcdir"/handlers/[a-z]*; do
	[ ! -x "$name" ] || [ -d "$name" ] || [ -f "$builddir/handlers/examples/${name##*/}.conf" ] || fail "$name has no example"
done

command -v systemd-analyze >/dev/null || {
	echo "systemd-analyze is not installed; the units were not verified"
	exit 77
}
note "systemd-analyze verify"
mkdir "$work/units"
# what the unit runs has to be there for verify
for unit in "$builddir"/systemd/*.service "$srcdir"/systemd/*.timer; do
	! grep '@[a-z]*dir@' "$unit" || fail "$unit has something in it that was to be replaced"
	sed "s,^ExecStart=[^ ]*,ExecStart=/bin/true,; s,^User=.*,User=root," "$unit" >"$work/units/$(basename "$unit")"
done
for unit in "$work"/units/*; do
	instance=$(basename "$unit" | sed 's/@/@test/')
	cp "$unit" "$work/$instance"
done
cp "$work"/units/* "$work/"
for instance in "$work"/debmsg-*@test.* "$work"/debmsg-*[!@].service; do
	SYSTEMD_LOG_LEVEL=warning systemd-analyze --man=no verify "$instance" >"$work/said" 2>&1 || fail "$instance is not accepted"
	! grep -q debmsg "$work/said" || fail "$instance is not clean"
done

note "systemd-analyze security: exposure 2.0 or less"
for name in relay dak planet wiki consume@ keys; do
	systemd-analyze security --offline=true --no-pager --threshold=20 \
		"$builddir/systemd/debmsg-$name.service" >"$work/said" 2>&1 ||
		fail "debmsg-$name.service: $(tail -n 1 "$work/said")"
done

note "what all units that stay have in common"
for name in relay dak planet wiki consume@; do
	unit=$builddir/systemd/debmsg-$name.service
	for line in Type=notify WatchdogSec=5min Restart=on-failure 'RestartPreventExitStatus=64 78' LimitCORE=0; do
		grep -q "^$line\$" "$unit" || fail "debmsg-$name.service has no $line"
	done
	# systemd would give the whole of it to the unit's user
	! grep -q '^StateDirectory=' "$unit" || fail "debmsg-$name.service has a StateDirectory"
done

note "what units write to is there, and whom they run as"
for unit in "$builddir"/systemd/*.service; do
	# shellcheck disable=SC2013 # words
	for path in $(sed -n "s/^ReadWritePaths=-\{0,1\}//p" "$unit"); do
		grep -q "^d $path " "$srcdir"/systemd/tmpfiles.d/*.conf || fail "$unit: $path is in no tmpfiles.d"
	done
	user=$(sed -n 's/^User=//p' "$unit")
	grep -q "^u $user " "$srcdir"/systemd/sysusers.d/*.conf || fail "$unit: $user is in no sysusers.d"
done
command -v systemd-sysusers >/dev/null || {
	echo "systemd-sysusers is not installed; sysusers.d was not tried"
	exit 77
}
mkdir -p "$work/root/etc"
systemd-sysusers --dry-run --root="$work/root" "$srcdir"/systemd/sysusers.d/*.conf >"$work/said" 2>&1 ||
	fail "sysusers.d is not accepted"
for name in debmsg debmsg-alioth debmsg-dak debmsg-planet debmsg-wiki; do
	grep -q "user '$name' " "$work/said" || fail "sysusers.d makes no user $name"
done
note "all is well"
