#!/bin/sh
# Messages that are not what they seem, sent by somebody who has the password of
# the service "wiki": without proof, signed by the wrong keys, changed, cut,
# re-routed, too large, replayed.  None of them is ever printed, each is parked with
# the failure's name of PROTOCOL section 5, and what is genuine arrives between
# them.  tail says what it does not believe, and audit is not fooled.  The consumer in
# Python finds the same reasons.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
. "$srcdir/tests/broker/python.sh"
services='dak wiki'
unset DEBMSG_TEST_KEYS	# this trust store gets keys that other tests must not have
setup

stop_forgers_agents() {
	for forgers_keys in "$work"/*.keys; do
		stop_agents "$forgers_keys"
	done
}
trap 'status=$?; set +e; stop_python; stop_forgers_agents; (exit $status); cleanup' EXIT

forge=$builddir/tests/broker/forge
[ -x "$forge" ] || fail "$forge is missing: make it"

# Another virtual host, where the forger makes signed logs in peace.
elsewhere=$vhost-elsewhere
"$srcdir/broker-config/private-broker" vhost "$broker" "$elsewhere"
add_users "$elsewhere" "$secrets"

### The forger's tools

# special_key DIR CONFIGURATION ALGORITHM EXPIRY: as make_keys, but not for everyone.
special_key() {
	mkdir -p "$1/gnupg" "$1/trusted" && chmod 700 "$1/gnupg" "$1/trusted"
	echo "$2" >"$1/gnupg/gpg.conf"
	gpg --homedir "$1/gnupg" --batch --quiet --passphrase '' \
		--quick-generate-key "$(basename "$1") <$(basename "$1")@demo.example>" "$3" sign "$4" 2>"$1/gnupg.log"
	gpg --homedir "$1/gnupg" --batch --armor --export >"$1/key.asc" 2>>"$1/gnupg.log"
	gpg --homedir "$1/gnupg" --batch --with-colons --list-secret-keys 2>>"$1/gnupg.log" |
		awk -F: '$1 == "fpr" { print $10; exit }' >"$1/fingerprint"
}

second_passed() {
	[ "$(date +%s)" -gt "$signed_at" ]
}

# install NAME KEYS: another debmsg, $work/NAME, that signs with KEYS.  A log's
# name has the second in which it began, so two of one name need two seconds.
signed_at=0
install() {
	await 5 second_passed
	mkdir "$work/$1"
	write_configuration "$work/$1" "$elsewhere" "$2" "$secrets"
}

put() {
	debmsg -c "$work/$1/debmsg.conf" publish --service wiki --type page.edit --subject "$2" >"$work/$1/id"
}

# sign NAME KEYS: sends what the outbox of NAME holds; $work/NAME/export.
sign() {
	debmsg -c "$work/$1/debmsg.conf" relay --once 2>"$work/$1/relay.log" ||
		fail "the forger's relay: $(cat "$work/$1/relay.log")"
	debmsg -c "$work/$1/debmsg.conf" export --log "$(sed 's,/[0-9]*$,,' "$work/$1/id")" >"$work/$1/export"
	stop_agents "$2"
	signed_at=$(date +%s)
}

# signed_by NAME CONFIGURATION ALGORITHM EXPIRY: a good event, but for the key.
signed_by() {
	special_key "$work/$1.keys" "$2" "$3" "$4"
	install "$1" "$work/$1.keys"
	put "$1" Forged
	sign "$1" "$work/$1.keys"
	"$srcdir/tests/broker/tamper.py" nothing "$work/$1/message" <"$work/$1/export"
}

import() {
	debmsg keys import "$work/$1.keys/key.asc" >"$work/import.log" 2>&1 || fail "keys import: $(cat "$work/import.log")"
}

### What is sent, and what has to become of it

genuine() {
	debmsg publish --service wiki --type page.edit --subject Genuine >>"$work/genuine"
}

# send NAME OPTION…: the body is stdin.  Something genuine follows.
send() {
	name=$1
	shift
	"$forge" --port "$DEBMSG_AMQP_PORT" --vhost "$vhost" --user wiki --password-file "$secrets/wiki.password" \
		--message-id "forged-$name" "$@" >"$work/answer" || fail "forge $name: exit status $?: $(cat "$work/answer")"
	genuine
}

# expect NAME REASON
expect() {
	for queue in $queues; do
		echo "forged-$1 $2 consumer.$queue" >>"$work/expected"
	done
}

# forged REASON NAME MESSAGE OPTION…: sends $work/MESSAGE.*, to be parked.
forged() {
	expect "$2" "$1"
	name=$2 message=$work/$3
	shift 3
	send "$name" --key "$(cat "$message.key")" --proof "$message.proof" "$@" <"$message.body"
}

# tampered REASON HOW
tampered() {
	"$srcdir/tests/broker/tamper.py" "$2" "$work/message-$2" <"$work/genuine.line"
	forged "$1" "$2" "message-$2"
}

has_events() {
	debmsg export --log "$origin" >"$work/history" && [ "$(wc -l <"$work/history")" -ge "$1" ]
}

all_confirmed() {
	debmsg outbox status --service wiki --json | grep -q '"waiting":0,'
}

# Both queues are read to their end; what is printed must be what is genuine.
read_queues() {
	await 30 all_confirmed || fail "the relay does not send"
	debmsg consume --queue all --idle-exit 3 >>"$work/printed" 2>>"$work/all.log"
	debmsg consume --queue dak-only --idle-exit 2 >>"$work/printed-dak" 2>>"$work/dak-only.log"
	sed 's/^{"specversion":"1.0","source":"\([^"]*\)","id":"\([^"]*\)",.*/\1\/\2/' "$work/printed" >"$work/printed.ids"
	cmp "$work/genuine" "$work/printed.ids" >&2 || fail "consume printed: $(diff "$work/genuine" "$work/printed.ids")"
	[ ! -s "$work/printed-dak" ] || fail "consume dak-only printed: $(cat "$work/printed-dak")"
	case $queues in
	*python*)
		python_configuration python '#'
		python_until python python_has_read || fail "the consumer in Python printed, parked:
$(python_ids python | diff "$work/genuine" -)
$(diff "$work/expected.python" "$work/parked.python")"
		;;
	esac
}

parked() {
	debmsg parked list --json | jq -r '"\(.message_id) \(.reason) \(.queue)"' | LC_ALL=C sort
}

python_has_read() {
	grep 'consumer\.python$' "$work/expected" | LC_ALL=C sort >"$work/expected.python"
	parked | grep 'consumer\.python$' >"$work/parked.python" || :
	python_ids python | cmp -s "$work/genuine" - && cmp -s "$work/expected.python" "$work/parked.python"
}

parked_as_expected() {
	parked >"$work/parked"
	LC_ALL=C sort "$work/expected" | cmp -s - "$work/parked"
}

check_parked() {
	await 10 parked_as_expected || fail "what is parked is not what should be:
$(LC_ALL=C sort "$work/expected" | diff - "$work/parked")"
	note "$(wc -l <"$work/expected") forgeries so far, all parked, each with its reason"
}

### The test

debmsg consume --queue all --idle-exit 1
debmsg consume --queue dak-only --bind dak --idle-exit 1
queues=all
if has_python_modules; then
	queues='all python'
	debmsg consume --queue python --idle-exit 1	# only makes it
else
	note "left out: python3-pika and python3-gpg are not both installed"
fi
: >"$work/expected"
start_relay
for _ in 1 2 3 4 5; do
	genuine
done
origin=$(sed -n '1s,/[0-9]*$,,p' "$work/genuine")
await 30 has_events 5 || fail "nothing genuine arrives"
sed -n 3p "$work/history" >"$work/genuine.line"
"$srcdir/tests/broker/tamper.py" nothing "$work/taken" <"$work/genuine.line"
key=$(cat "$work/taken.key")

note "without a proof, or with something else in its place"
expect no-proof unsigned
send no-proof --key "$key" <"$work/taken.body"
for type in integer table array date; do
	forged unsigned "proof-$type" taken --proof-type $type
done
: >"$work/empty.proof"
for suffix in key body; do
	cp "$work/taken.$suffix" "$work/empty.$suffix"
done
forged unsigned empty-proof empty
: >"$work/hollow.body"
for suffix in key proof; do
	cp "$work/taken.$suffix" "$work/hollow.$suffix"
done
forged unsigned empty-body hollow

note "changed"
tampered not-included body
tampered not-included path
tampered bad-signature signature
tampered malformed-proof short-path
tampered malformed-proof junk
for suffix in key body; do
	cp "$work/taken.$suffix" "$work/garbage.$suffix"
done
head -c 500 /dev/urandom >"$work/garbage.proof"
forged malformed-proof garbage-proof garbage
cp "$work/taken.proof" "$work/garbage.proof"
head -c 500 /dev/urandom >"$work/garbage.body"
forged not-included garbage-body garbage

note "too large"
for size in 65537 1048577 1500000; do
	head -c $size /dev/zero | tr '\0' ' ' >"$work/large.body"
	for suffix in key proof; do
		cp "$work/taken.$suffix" "$work/large.$suffix"
	done
	forged oversize "size-$size" large
done
head -c 2200000 /dev/zero >"$work/large.body"
expect_status 3 "$forge" --port "$DEBMSG_AMQP_PORT" --vhost "$vhost" --user wiki \
	--password-file "$secrets/wiki.password" --key "$key" <"$work/large.body" >"$work/answer"

note "signed with other keys"
signed_by stranger '' ed25519 never
forged unknown-key stranger stranger/message
read_queues
check_parked
import stranger
forged untrusted-signer known-stranger stranger/message
signed_by neighbour '' ed25519 never
import neighbour
sed "/log \"demo.example\/dak\"/,/}/s/keys .*/keys = { \"$(cat "$work/neighbour.keys/fingerprint")\" }/" \
	"$work/trust.conf" >"$work/trust.conf.new"
cmp -s "$work/trust.conf" "$work/trust.conf.new" && fail "trust.conf is not as this test thinks"
mv "$work/trust.conf.new" "$work/trust.conf"
forged untrusted-signer key-of-other-log neighbour/message

note "signed by whom it should be, but that log may not carry this type"
install smuggler "$work/neighbour.keys"
sed -i '/^service "dak"/,/^}/d; s,demo.example/wiki,demo.example/dak,' "$work/smuggler/debmsg.conf"
put smuggler Smuggled
sign smuggler "$work/neighbour.keys"
"$srcdir/tests/broker/tamper.py" nothing "$work/smuggler/message" <"$work/smuggler/export"
forged untrusted-signer type-of-other-log smuggler/message

note "signed with keys that are not good (any more)"
signed_by expired 'faked-system-time 20240101T000000!' ed25519 1y
signed_by revoked '' ed25519 never
sed 's/^:---/---/' "$work/revoked.keys/gnupg/openpgp-revocs.d/"*.rev >"$work/revoked.keys/revocation.asc"
special_key "$work/sha1.keys" 'digest-algo SHA1' rsa2048 never	# debmsg itself signs with neither
special_key "$work/short.keys" '' rsa1024 never
for name in sha1 short; do
	mkdir "$work/$name"
	"$srcdir/tests/broker/tamper.py" "signed-by=$work/$name.keys/gnupg" "$work/$name/message" <"$work/genuine.line"
	stop_agents "$work/$name.keys"
done
for name in expired revoked sha1 short; do
	import "$name"
	sed "/log \"demo.example\/wiki\"/,/}/s/\" }/\", \"$(cat "$work/$name.keys/fingerprint")\" }/" \
		"$work/trust.conf" >"$work/trust.conf.new"
	mv "$work/trust.conf.new" "$work/trust.conf"
done
gpg --homedir "$keys/trusted" --batch --quiet --import "$work/revoked.keys/revocation.asc"
forged expired-key expired expired/message
forged revoked-key revoked revoked/message
forged weak-signature sha1 sha1/message
forged weak-signature short short/message
read_queues
check_parked

note "properly signed by the right key, but no event, or not that one"
install twin "$keys"
for subject in Garbage List Deep Twice Other Older Origin Elsewhere Type; do
	put twin $subject
done
python3 - "$work/twin/state/outbox/wiki/outbox.db" <<-'EOT'
	import json, sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	def put(event_id, body):
	    db.execute("UPDATE event SET body = ? WHERE id = ?", (body, event_id))
	bodies = [body for (body,) in db.execute("SELECT body FROM event ORDER BY id")]
	put(0, b"\xff\x00 no JSON at all")
	put(1, b"[1, 2]")
	put(2, bodies[2].replace(b'"data":{', b'"data":{"deep":' + b"[" * 40 + b"]" * 40 + b","))
	put(3, bodies[3].replace(b'"id":"3",', b'"id":"3","id":"3",'))
	put(4, bodies[4].replace(b'"id":"4",', b'"id":"5",'))
	put(5, bodies[5].replace(b'"id":"5",', b'"id":"05",'))
	event = json.loads(bodies[6])
	put(6, json.dumps(dict(event, source=event["source"].replace("wiki", "dak"))).encode())
	db.execute("UPDATE event SET routing_key = 'org.debian.dev.wiki.page.edit.Another' WHERE id = 7")
	put(8, bodies[8].replace(b"wiki.page.edit", b"dak.upload.accept"))
	db.commit()
EOT
sign twin "$work/none"
[ "$(wc -l <"$work/twin/export")" -eq 9 ] || fail "the forger's log has $(wc -l <"$work/twin/export") events, not 9"
number=0
for reason in malformed-event malformed-event malformed-event malformed-event identity-mismatch malformed-event \
	identity-mismatch misrouted misrouted; do
	number=$((number + 1))
	sed -n ${number}p "$work/twin/export" >"$work/line"
	"$srcdir/tests/broker/tamper.py" nothing "$work/twin/message" <"$work/line"
	forged $reason "twin-$number" twin/message
done

note "a genuine event of another type than its log may carry"
install carrier "$keys"
sed -i '/^service "wiki"/,/^}/d; s,origin = "demo.example/dak",origin = "demo.example/wiki",' "$work/carrier/debmsg.conf"
debmsg -c "$work/carrier/debmsg.conf" publish --service dak --type upload.accept --subject hello >"$work/carrier/id"
sign carrier "$work/none"
"$srcdir/tests/broker/tamper.py" nothing "$work/carrier/message" <"$work/carrier/export"
expect_status 3 "$forge" --port "$DEBMSG_AMQP_PORT" --vhost "$vhost" --user wiki --password-file "$secrets/wiki.password" \
	--key "$(cat "$work/carrier/message.key")" <"$work/carrier/message.body" >"$work/answer"
grep -q 'refused: 403' "$work/answer" || fail "another service's topic: $(cat "$work/answer")"

note "a genuine event, led into queues of other topics"
for header in cc bcc; do
	echo "forged-$header misrouted consumer.dak-only" >>"$work/expected"
	send $header --key "$key" --$header "$(cat "$work/carrier/message.key")" --proof "$work/taken.proof" <"$work/taken.body"
done
# Where the first key is of nobody's queue it may even be the key of the other topic's event.
printf %s org.debian.dev.wiki.nothing.here >"$work/carrier/message.key"
echo "forged-cc-of-other-type misrouted consumer.dak-only" >>"$work/expected"
forged misrouted cc-of-other-type carrier/message --cc org.debian.dev.dak.upload.accept.hello

note "what is genuine may come again: replayed, or with another hint of the key"
send replayed --key "$key" --proof "$work/taken.proof" <"$work/taken.body"
"$srcdir/tests/broker/tamper.py" key-id "$work/hint" <"$work/genuine.line"
send hint --key "$key" --proof "$work/hint.proof" <"$work/hint.body"
read_queues
check_parked

note "audit counts what is genuine, and says what it does not believe"
debmsg audit --log "$origin" >"$work/audit" || fail "audit: $(cat "$work/audit")"
cat "$work/audit" >&2
genuine_count=$(wc -l <"$work/genuine")
grep -q "^$origin: complete 0\.\.$((genuine_count - 1)) " "$work/audit" || fail "audit is fooled"
for reason in unsigned oversize malformed-proof not-included bad-signature expired-key revoked-key weak-signature \
	malformed-event identity-mismatch misrouted untrusted-signer; do
	grep -q "not believed.*: $reason\$" "$work/audit" || fail "audit does not mention $reason"
done

note "tail shows what is genuine on stdout, and on stderr what it does not believe"
debmsg tail --json --since 1h --limit $((genuine_count + 4)) wiki >"$work/tail" 2>"$work/tail.log"
[ "$(sort -u "$work/tail" | wc -l)" -eq "$genuine_count" ] || fail "tail showed $(sort -u "$work/tail" | wc -l) events"
sort -u "$work/printed" >"$work/printed.sorted"
sort -u "$work/tail" | cmp "$work/printed.sorted" - >&2 || fail "tail showed other events than consume"
for reason in unsigned oversize malformed-proof not-included bad-signature expired-key malformed-event misrouted; do
	grep -q "^not believed: $reason: " "$work/tail.log" || fail "tail does not mention $reason: $(cat "$work/tail.log")"
done

note "two faces: one id, two bodies, both properly signed"
stop_relay
install faces "$keys"
cp -r "$work/state" "$work/faces/state"
put faces Two-Faced
genuine
debmsg relay --once 2>"$work/relay-once.log" || fail "relay --once: $(cat "$work/relay-once.log")"
sign faces "$work/none"
cmp -s "$work/faces/id" - <<-EOT || fail "not the same id: $(cat "$work/faces/id")"
	$(tail -n 1 "$work/genuine")
EOT
tail -n 1 "$work/faces/export" >"$work/line"
"$srcdir/tests/broker/tamper.py" nothing "$work/faces/message" <"$work/line"
read_queues
forged equivocation two-faces faces/message
debmsg relay --once 2>"$work/relay-once.log" || fail "relay --once: $(cat "$work/relay-once.log")"
read_queues
check_parked
expect_status 1 debmsg audit --log "$origin" >"$work/audit"
cat "$work/audit" >&2
grep -q "^$origin: equivocation: " "$work/audit" || fail "audit does not see the two faces"
evidence=$(sed -n "s,^$origin: both checkpoints are kept in ,,p" "$work/audit")
[ -s "$evidence" ] || fail "no evidence was kept"
[ "$(stat -c %a "$work/state/evidence")" = 700 ] || fail "the evidence is for all to read"
debmsg export | jq -r '.proof // empty' >"$work/notes"
# Two checkpoints of the log, each as it came: what is in the file is in some proofs.
[ "$(grep -cx "$origin" "$evidence")" -eq 2 ] || fail "not two checkpoints: $(cat "$evidence")"
[ "$(sed -n '/^[0-9][0-9]*$/{n;p}' "$evidence" | sort -u | wc -l)" -eq 2 ] || fail "not two roots: $(cat "$evidence")"
grep -vxFf "$work/notes" "$evidence" >"$work/strange" && fail "nobody sent this: $(cat "$work/strange")"
cp "$evidence" "$work/evidence"
expect_status 1 debmsg audit --log "$origin" >"$work/audit"
cmp "$work/evidence" "$evidence" >&2 || fail "the evidence was changed"
[ "$(find "$work/state/evidence" -type f | wc -l)" -eq 1 ] || fail "the same evidence twice"
"$RABBITMQCTL" -q delete_vhost "$elsewhere" >/dev/null

note "what is genuine goes by at full speed, with the forgeries between"
gpg --homedir "$keys/trusted" --batch --yes --delete-keys "$(cat "$work/stranger.keys/fingerprint")"
debmsg consume --queue rate --bind wiki --idle-exit 1 >"$work/rate.before" 2>"$work/rate.log"
for number in 1 5; do
	sed -n ${number}p "$work/twin/export" >"$work/line"
	mkdir "$work/twin-$number"
	"$srcdir/tests/broker/tamper.py" nothing "$work/twin-$number/message" <"$work/line"
done
head -c 65537 /dev/zero >"$work/large.body"
start_relay
: >"$work/rate.expected"
while read -r reason name message; do
	seq 200 | jq -c '{type: "page.edit", subject: "Genuine", data: {n: .}}' |
		debmsg publish --service wiki --jsonl >>"$work/rate.genuine"
	"$forge" --port "$DEBMSG_AMQP_PORT" --vhost "$vhost" --user wiki --password-file "$secrets/wiki.password" \
		--message-id "rate-$name" --key "$(cat "$work/$message.key")" --proof "$work/$message.proof" \
		<"$work/$message.body" >"$work/answer" || fail "forge $name: $(cat "$work/answer")"
	echo "rate-$name $reason consumer.rate" >>"$work/rate.expected"
done <<-EOT
	unsigned empty-proof empty
	oversize large large
	malformed-proof junk message-junk
	not-included body message-body
	bad-signature signature message-signature
	unknown-key stranger stranger/message
	expired-key expired expired/message
	revoked-key revoked revoked/message
	weak-signature sha1 sha1/message
	malformed-event garbage twin-1/message
	identity-mismatch other twin-5/message
	misrouted type twin/message
	untrusted-signer neighbour neighbour/message
EOT
await 60 all_confirmed || fail "the relay does not send"
count=$(wc -l <"$work/rate.genuine")
began=$(date +%s%N)
debmsg consume --queue rate --limit "$count" >"$work/rate.printed" 2>>"$work/rate.log"
took=$((($(date +%s%N) - began) / 1000000))
debmsg consume --queue rate --idle-exit 2 >>"$work/rate.printed" 2>>"$work/rate.log"
note "$count genuine events, with $(wc -l <"$work/rate.expected") forgeries between, in $took ms:" \
	"$((count * 1000 / (took + 1))) a second"
sed 's/^{"specversion":"1.0","source":"\([^"]*\)","id":"\([^"]*\)",.*/\1\/\2/' "$work/rate.printed" |
	cmp - "$work/rate.genuine" >&2 || fail "consume printed something else: $(tail -n 5 "$work/rate.log")"
rate_is_parked() {
	parked | grep 'consumer\.rate$' >"$work/rate.parked"
	LC_ALL=C sort "$work/rate.expected" | cmp -s - "$work/rate.parked"
}
await 20 rate_is_parked || fail "what is parked is not what should be:
$(LC_ALL=C sort "$work/rate.expected" | diff - "$work/rate.parked")"
