#!/bin/sh
# The life of a key, as doc/keys.md tells it: its commands are typed here, block for
# block, with other directories.  Made, given, extended, rotated under load, revoked
# while relay and consumer run, replaced by a subkey whose primary is elsewhere, and
# certified by people.  What should be believed is, and what should not be is not.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services=dak
unset DEBMSG_TEST_KEYS	# these keys are made, revoked and certified here
setup_broker

mkdir -m 700 "$work/keys" "$work/keys/gnupg" "$work/keys/trusted" "$work/pub" "$work/alice" "$work/bob"
echo 0000000000000000000000000000000000000000 >"$work/keys/fingerprint"
fits_gpg_agent "$work/keys"
write_configuration "$work" "$vhost" "$work/keys" "$secrets"
echo "homedir = \"$work/keys/trusted\"" >"$work/trust.conf"
PATH=$builddir:$PATH
DEBMSG_CONF=$work/debmsg.conf
export PATH DEBMSG_CONF

# shellcheck disable=SC2034 # the guide's
DIR=$work/keys ETC=$work SAFE=$work/keys/safe PUB=$work/pub AS='' SERVICE=dak
# shellcheck disable=SC2034
ORIGIN=demo.example/dak NAME='debmsg 2026 <debmsg@ftp-master.debian.org>'

### The guide

# block SECTION N: the N-th block of commands of a section is typed.
block() {
	awk -v section="## $1" -v wanted="$2" '
		/^## / { inside = $0 == section }
		/^```$/ { on = 0 }
		on { print }
		inside && /^```sh$/ { on = ++n == wanted }
	' "$srcdir/doc/keys.md" >"$work/block"
	[ -s "$work/block" ] || fail "doc/keys.md has no block $2 in \"$1\""
	echo "$1 $2" >>"$work/typed"
	# shellcheck source=/dev/null
	. "$work/block" >"$work/block.out" 2>&1 || fail "doc/keys.md, $1, block $2: $(cat "$work/block.out")"
}

# What an admin's systemctl does, with the relay of this test.
systemctl() {
	case "$*" in
	'restart debmsg-relay')
		stop_relay
		sed "s,amqp://consumer@,amqp://relay@,; s,$secrets/consumer.password,$secrets/relay.password," \
			"$work/debmsg.conf" >"$work/relay.conf"
		start_relay
		;;
	'enable --now debmsg-keys.timer')
		sed -n 's/^DEBMSG_KEYS="\(.*\)"$/\1/p' "$work/keys.conf" >"$work/timer"
		;;
	*) fail "systemctl $*" ;;
	esac
}

stop_people() {
	for home in "$DIR/gnupg" "$DIR/trusted" "$SAFE/gnupg" "$work/alice" "$work/bob"; do
		[ ! -d "$home" ] || gpgconf --homedir "$home" --kill all || :
	done
	[ -z "${consumer-}" ] || kill "$consumer" 2>/dev/null || :
}
trap 'status=$?; set +e; stop_people; (exit $status); cleanup' EXIT

### What is sent, and what comes of it

# publish COUNT
publish() {
	i=0
	while [ $i -lt "$1" ]; do
		i=$((i + 1))
		echo '{"type":"upload.accept","subject":"hello"}'
	done | debmsg publish --service dak --jsonl >>"$work/ids"
}

all_have_come() {
	[ "$(grep -c . "$work/events")" -eq "$(grep -c . "$work/ids")" ]
}

all_come() {
	await 60 all_have_come || fail "$1: $(grep -c . "$work/events") of $(grep -c . "$work/ids") events came: $(tail -n 3 "$work/consume.log")"
	note "$1"
}

none_parked() {
	[ -z "$(debmsg parked list)" ] || fail "parked: $(debmsg parked list)"
}

# reason_parked REASON
reason_parked() {
	debmsg parked list --json | jq -r .reason | grep -qx "$1"
}

relay_said() {
	grep -q "$1" "$work/relay.log"
}

consume_said() {
	grep -q "$1" "$work/consume.log"
}

# check_finds CHECK: debmsg keys check has a warning or an error of that name.
check_finds() {
	expect_status 1 debmsg keys check --json >"$work/findings"
	jq -es --arg check "$1" 'any(.check == $check and (.level == "warning" or .level == "error") and .remedy != "")' \
		"$work/findings" >/dev/null || fail "keys check does not find $1: $(cat "$work/findings")"
}

debmsg consume --queue q --idle-exit 1 2>/dev/null
: >"$work/events"
debmsg consume --queue q >"$work/events" 2>"$work/consume.log" &
consumer=$!

block 'Make a key' 1
check_finds signing-key	# debmsg.conf does not name it yet
block 'Make a key' 2
block 'Make a key' 3
check_finds signing-trust
block 'Give it to those who read' 1
block 'Give it to those who read' 2
publish 10
block 'Give it to those who read' 3
all_come "a consumer that ran before there was a key believes it"

note "a trust.conf with a mistake changes nothing, and that is said"
cp "$work/trust.conf" "$work/trust.good"
echo 'log "broken' >>"$work/trust.conf"
publish 1
await 30 consume_said 'cannot be used, so what it said before still holds' || fail "consume says nothing of a broken trust.conf"
check_finds trust-file
all_come "with a broken trust.conf the old one holds"
cp "$work/trust.good" "$work/trust.conf"
await 30 consume_said 'can be used again' || fail "consume does not read the mended trust.conf"


### Extended

# expires: when the key does, as the trust store has it
expires() {
	debmsg keys list --json | jq --arg key "$KEY" 'select(.fingerprint == $key).expires'
}

note "a key that has expired: the relay stops and says so, and goes on when it is extended"
gpg --homedir "$DIR/gnupg" --batch --quiet --quick-set-expire "$KEY" seconds=2
gpg_says_expired() {
	gpg --homedir "$DIR/gnupg" --batch --with-colons --list-keys "$KEY" 2>/dev/null | grep -q '^pub:e:'
}
await 30 gpg_says_expired || fail "the key does not expire"
publish 3
await 30 relay_said 'has expired; extend it' || fail "the relay does not say that its key has expired"
await 30 relay_ended "$work" || fail "a relay that can sign nothing goes on"
check_finds signing-key
[ "$(debmsg outbox status --service dak --json | jq .waiting)" -ge 3 ] || fail "events do not wait"
until_now=$(expires)
block 'Extend its life' 1
block 'How new copies reach a host' 1
cp "$srcdir/tests/vectors/key-wiki.asc" "$PUB/unknown.asc"
sleep_over() {
	[ "$(date +%s)" -gt "$extended_at" ]
}
extended_at=$(date +%s)
await 5 sleep_over
gpg --homedir "$DIR/gnupg" --batch --quiet --quick-set-expire "$KEY" 3y
gpg --homedir "$DIR/gnupg" --batch --armor --export "$KEY" >"$PUB/dak.asc"
# shellcheck disable=SC2046 # as systemd splits it
"$srcdir/systemd/keys-update" $(cat "$work/timer") 2>"$work/update.log" || fail "keys-update: $(cat "$work/update.log")"
[ "$(expires)" -gt "$until_now" ] || fail "keys-update did not bring the new expiry"
[ "$(debmsg keys list | wc -l)" -eq 1 ] || fail "keys-update has added a key: $(debmsg keys list)"
rm "$PUB/unknown.asc"
block 'Extend its life' 2
systemctl restart debmsg-relay
all_come "an extended key signs what has waited"

### Rotated

note "rotation, while events are sent"
(
	while [ ! -e "$work/enough" ]; do
		publish 10
	done
) &
load=$!
sent_before=$(grep -c . "$work/events")
block Rotate 1
block Rotate 2
block Rotate 3
with_the_new_key() {
	relay_said "confirmed" && [ "$(grep -c . "$work/events")" -gt "$sent_before" ]
}
sent_before=$(grep -c . "$work/events")
await 60 with_the_new_key || fail "nothing comes after the rotation"
touch "$work/enough"
wait "$load" || fail "publishing failed"
all_come "a rotation under load loses nothing: $(grep -c . "$work/ids") events"
none_parked
debmsg audit >"$work/audit" || fail "audit: $(cat "$work/audit")"
debmsg export | debmsg verify --json - >"$work/verified" || fail "verify: $(grep -v '"ok"' "$work/verified" | head -n 3)"
[ "$(jq -r .signer "$work/verified" | sort -u | wc -l)" -eq 2 ] || fail "the two keys have not both signed"
block Rotate 4
publish 5
all_come "the old key is retired"

### Revoked

cp -a "$DIR/gnupg" "$work/keys/thief"
block Revoke 1
publish 3
await 30 relay_said "the signing key $KEY is revoked" || fail "the relay signs with a revoked key"
await 30 relay_ended "$work" || fail "a relay whose key is revoked goes on"
[ "$(debmsg outbox status --service dak --json | jq .waiting)" -ge 3 ] || fail "events do not wait"
block Revoke 2
check_finds key-revoked
note "somebody signs with the revoked key; the consumer was not restarted"
sed "s,\"$DIR/gnupg\",\"$work/keys/thief\"," "$work/relay.conf" >"$work/thief.conf"
debmsg -c "$work/thief.conf" relay --once 2>"$work/thief.log" || fail "the thief's relay: $(cat "$work/thief.log")"
gpgconf --homedir "$work/keys/thief" --kill all
await 60 reason_parked revoked-key || fail "a revoked key is believed: $(debmsg parked list)"
all_have_come && fail "events by a revoked key were printed"
block Revoke 3
publish 3
log=$(tail -n 1 "$work/ids" | sed 's,/[0-9]*$,,')
lost=$(($(tail -n 1 "$work/ids" | sed 's,.*/,,') - 10))
debmsg outbox resend --log "$log" "$lost.." 2>"$work/resend.log" || fail "resend: $(cat "$work/resend.log")"
all_come "what the revoked key had signed is signed anew, sent again and found in the history"

### A subkey, whose primary key is in the safe

block 'A primary key that is not on the host' 1
block 'A primary key that is not on the host' 2
publish 3
all_come "a subkey signs without its primary key"
block 'A primary key that is not on the host' 3
publish 3
all_come "a new subkey needs no new trust"

### Certified by people

# person NAME: its GNUPGHOME and key
person() {
	GNUPGHOME=$work/$1
	export GNUPGHOME
	ME=$(gpg --batch --with-colons --list-secret-keys 2>/dev/null | awk -F: '$1 == "fpr" { print $10; exit }')
}

result() {
	debmsg export | tail -n 1 | debmsg verify --json - 2>/dev/null | jq -r .result
}

for name in alice bob; do
	GNUPGHOME=$work/$name gpg --batch --quiet --passphrase '' --quick-generate-key "$name@people.example" ed25519 sign,cert never 2>/dev/null
	person $name
	eval "$name=$ME"
done
# shellcheck disable=SC2154 # by eval
cat >"$work/trust.conf" <<-EOT
	homedir = "$DIR/trusted"
	log "$ORIGIN" {
	  certified-by       = { "$alice", "$bob" }
	  min-certifications = 2
	  types              = { "org.debian.*.dak.#" }
	}
EOT
[ "$(result)" = untrusted-signer ] || fail "without certifications: $(result)"
person alice
block 'Web of trust' 1
block 'Web of trust' 2
block 'Web of trust' 3
[ "$(result)" = untrusted-signer ] || fail "with one certification of two: $(result)"
check_finds key-certifications
person bob
block 'Web of trust' 1
block 'Web of trust' 2
block 'Web of trust' 3
[ "$(result)" = ok ] || fail "with two certifications: $(result)"
publish 3
all_come "certified by two people"
block 'Web of trust' 4
block 'Web of trust' 3
[ "$(result)" = untrusted-signer ] || fail "with a certification that was taken back: $(result)"
unset GNUPGHOME

blocks=$(grep -c '^```sh$' "$srcdir/doc/keys.md")
[ "$(sort -u "$work/typed" | wc -l)" -eq $((blocks - 1)) ] || fail "of $blocks blocks in doc/keys.md (one with names) these were typed: $(sort -u "$work/typed")"
kill "$consumer"
wait "$consumer" || fail "consume ended with $?: $(tail -n 3 "$work/consume.log")"
consumer=
