#!/bin/sh
# debmsg doctor on a host that is in trouble: a full disk, a clock that is a day
# off, a revoked key, a key with a passphrase, an agent that hangs, a relay that
# does not run, a configuration that cannot be read; and what root's doctor leaves
# behind.

# shellcheck source=tests/broker/lib.sh
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
# shellcheck source=tests/broker/doctor-lib.sh
. "$srcdir/tests/broker/doctor-lib.sh"
setup_doctor
# What is done to the keys here is done to copies.
cp -r "$keys" "$work/keys"
sed -i "s,$keys/,$work/keys/," "$DEBMSG_CONF" "$work/trust.conf"
diagnose 0

# Nothing that was started by a check may outlive the test.
cleanup_host() {
	status=$?
	[ ! -d "$work/full" ] || umount "$work/full" 2>/dev/null || :
	[ ! -d "$work/keys" ] || stop_agents "$work/keys"
	set +e
	(exit "$status")
	cleanup
}
trap cleanup_host EXIT

### The clock

if command -v faketime >/dev/null; then
	# gpg does not work before its key was made, and says so.
	diagnose 1 env FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f -1d
	found error clock-broker 'is 24 hours behind'
	found error clock-history 'is of 24 hours from now'
	found error clock-outbox 'dak'
	diagnose 1 env FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f +1d
	found error clock-broker 'is 24 hours ahead'
	found warning clock-history 'is 24 hours old'
	lost error clock-outbox
else
	note "faketime is not installed: the clock is not moved"
fi

### The relay does not run, and events wait

stop_relay
debmsg publish --service wiki --type page.edit --subject Home >/dev/null
diagnose 1
found error outbox-relay 'wiki'
found warning outbox-relay 'dak'
found ok outbox-waiting 'wiki'
if command -v faketime >/dev/null; then
	diagnose 1 env FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f +30m
	found warning outbox-waiting 'the oldest for 30 minutes'
fi
start_relay
await 60 all_sent

### Keys

gpg_signing() {
	gpg --homedir "$work/keys/gnupg" --batch --quiet --no-tty "$@" 2>>"$work/gpg.log"
}
fingerprint=$(cat "$keys/fingerprint")
# Ends soon.
gpg_signing --quick-set-expire "$fingerprint" 7d
gpg_signing --export "$fingerprint" | debmsg keys import - >/dev/null 2>&1
diagnose 1
found warning key-expired "$fingerprint"
# Has a passphrase: gpg-agent would ask for it, and nobody is there.
cp -r "$work/keys/gnupg" "$work/keys/gnupg.good"
echo passphrase >"$work/passphrase"
printf '%s\n' "$(cat "$work/passphrase")" |
	gpg_signing --pinentry-mode loopback --passphrase-fd 0 --quick-generate-key 'locked <l@demo.example>' ed25519 sign 0
locked=$(gpg_signing --with-colons --list-secret-keys locked | awk -F: '$1 == "fpr" { print $10; exit }')
stop_agents "$work/keys"
sed -i "s/$fingerprint/$locked/" "$DEBMSG_CONF"
diagnose 1
found error signing-key "$locked"
sed -i "s/$locked/$fingerprint/" "$DEBMSG_CONF"
# Is revoked.
sed 's/^:---/---/' "$work/keys/gnupg/openpgp-revocs.d/$fingerprint.rev" >"$work/revocation"
gpg_signing --import "$work/revocation"
gpg_signing --export "$fingerprint" | debmsg keys import - >/dev/null 2>&1
diagnose 1
found error key-revoked "$fingerprint: log demo.example/dak"
lost ok signing-key
rm -r "$work/keys/gnupg" "$work/keys/trusted"
mv "$work/keys/gnupg.good" "$work/keys/gnupg"
mkdir -m 700 "$work/keys/trusted"
trust_keys "$work" "$keys"

### A full disk

if [ "$(id -u)" -eq 0 ] && mkdir "$work/full" &&
	mount -t tmpfs -o size=8m,nr_inodes=400,mode=700 none "$work/full" 2>/dev/null; then
	stop_relay
	cp -r "$work/state/." "$work/full/"
	dd if=/dev/zero of="$work/full/filler" bs=64k 2>/dev/null || :
	sed "s,state-directory = .*,state-directory = \"$work/full\"," "$DEBMSG_CONF" >"$work/full.conf"
	chmod 600 "$work/full.conf"
	diagnose 1 env DEBMSG_CONF="$work/full.conf"
	found error disk-space "$work/full: 0 MiB of 8 MiB are free"
	rm "$work/full/filler"
	i=0
	while true 2>/dev/null >"$work/full/$i"; do
		i=$((i + 1))
	done 2>/dev/null
	diagnose 1 env DEBMSG_CONF="$work/full.conf"
	found error disk-inodes "of 400 inodes are free"
	umount "$work/full"

	### Root's doctor takes the user whose the state is, and leaves nothing of root's behind.

	user=nobody
	stop_agents "$work/keys"
	chown -R $user: "$work/state" "$work/keys"
	chmod 711 "$work"
	chmod 755 "$broker" "$secrets" 2>/dev/null || :
	chmod 644 "$work/debmsg.conf" "$work/trust.conf"
	diagnose 1
	found error secret-file 'consumer.password'
	[ -z "$(find "$work/state" "$work/keys" ! -user $user)" ] ||
		fail "doctor left files of root's: $(find "$work/state" "$work/keys" ! -user $user)"
	lost error signing-key
	chown -R root: "$work/state" "$work/keys"
else
	note "not root, or no mount: no full disk, and no other user"
fi

### A configuration that cannot be read

echo 'nonsense = 1' >>"$DEBMSG_CONF"
for option in '' --json; do
	# shellcheck disable=SC2086 # an option or none
	expect_status 78 debmsg doctor $option >"$work/doctor$option"
done
jq -e '.check == "configuration" and .level == "error" and (.remedy | contains("debmsg.conf"))' \
	"$work/doctor--json" >/dev/null || fail "no finding: $(cat "$work/doctor--json")"
grep -q '^error *configuration .*nonsense' "$work/doctor" || fail "no text: $(cat "$work/doctor")"
