#!/bin/sh
# Uploads as dak tells of them: mails, the log, and both.
#
#   DEBMSG_BUILDDIR=... DEBMSG_SRCDIR=... tests/cases/t-dak.sh
# shellcheck disable=SC2119 # some calls have no arguments
. "${DEBMSG_SRCDIR:-.}/tests/cases/dak-lib.sh"

note "a real package: built, signed, mailed, logged, one event"
if command -v dpkg-genchanges >/dev/null && command -v gpg >/dev/null; then
	mkdir -m 700 "$work/gnupg" "$work/build"
	export GNUPGHOME="$work/gnupg"
	gpg --batch --quiet --passphrase '' --quick-gen-key 'Dév <dev@example.org>' ed25519 sign never 2>/dev/null
	fpr=$(gpg --batch --with-colons --list-keys | sed -n 's/^fpr:*\([0-9A-F]*\):$/\1/p' | head -n 1)
	mkdir -p "$work/build/hello-2.10/debian/source"
	cd "$work/build/hello-2.10"
	cat >debian/control <<-'END'
	Source: hello
	Section: misc
	Priority: optional
	Maintainer: Équipe Ünïcode <team@lists.example.org>
	Standards-Version: 4.6.2

	Package: hello
	Architecture: all
	Description: says hello
	 And nothing else.
	END
	cat >debian/changelog <<-'END'
	hello (1:2.10) unstable; urgency=high

	  * From the start (Closes: #123, #45).
	  * - dashes -----BEGIN PGP SIGNED MESSAGE-----

	 -- Dév Snowman ☃ <dev@example.org>  Mon, 02 Jan 2023 03:04:05 +0000
	END
	printf '#!/usr/bin/make -f\n%%:\n\ttrue\n' >debian/rules
	chmod 755 debian/rules
	echo '3.0 (native)' >debian/source/format
	dpkg-source -b . >/dev/null 2>&1
	: >debian/files
	dpkg-genbuildinfo --build=source -O../hello_2.10_source.buildinfo >/dev/null 2>&1 || :
	dpkg-genchanges --build=source -O../hello_2.10_source.changes >/dev/null 2>&1
	cd "$work/build"
	gpg --batch --quiet --clearsign -o signed hello_2.10_source.changes 2>/dev/null
	both
	run
	mail accepted changes=hello_2.10_source.changes source=hello version=1:2.10 contents="$work/build/signed" signed=1
	mail announce changes=hello_2.10_source.changes source=hello version=1:2.10 contents="$work/build/signed"
	mail bug-close changes=hello_2.10_source.changes source=hello version=1:2.10 contents="$work/build/signed"
	settle
	run
	expect 'length == 0'
	line process-upload 'program start'
	line process-upload 'Processing changes file|hello_2.10_source.changes'
	line process-upload 'ACCEPT|hello_2.10_source.changes'
	run
	expect 'length == 0'
	line process-upload 'total|1|2'
	run
	expect "length == 1 and (.[0] | .t == \"upload.accept\" and .subject == \"hello\" and (.data |
		.changes == \"hello_2.10_source.changes\" and .source == \"hello\" and .version == \"1:2.10\" and
		.architectures == [\"source\"] and .sourceful and .suites == [\"unstable\"] and
		.distributions == [\"unstable\"] and .urgency == \"high\" and .closes == [45, 123] and
		.maintainer == \"Équipe Ünïcode <team@lists.example.org>\" and
		.changed_by == \"Dév Snowman ☃ <dev@example.org>\" and .fingerprint == \"$fpr\" and
		.binaries == [] and .url == \"https://tracker.example.org/hello?v=1%3A2.10\" and
		(.files | INDEX(.name) | .\"hello_2.10.dsc\".sha256 == \"$(sha256sum hello_2.10.dsc | cut -d' ' -f1)\" and
			.\"hello_2.10.tar.xz\".size == $(stat -c %s hello_2.10.tar.xz))))"
	is_empty
	cd "$work"
else
	note "left out: there is no dpkg-dev or no gpg"
fi

"$render" changes source=foo >"$work/foo"
# accept [NAME=VALUE…]: the mail of an upload of foo that is accepted
accept() {
	mail accepted changes=foo_1.0_source.changes source=foo contents="$work/foo" "$@"
}
# decision ACTION: all lines of a run with this decision about foo
decision() {
	line process-upload 'program start'
	line process-upload 'Processing changes file|foo_1.0_source.changes'
	line process-upload "$1|foo_1.0_source.changes"
	line process-upload 'program end'
}

note "the log first, the mail later"
both
run
decision ACCEPT
run
expect 'length == 0'
accept
run
expect 'length == 1 and (.[0] | .t == "upload.accept" and .data.files_total == 1)'
is_empty

note "an ACCEPT that is taken back: only the rejection, its reason from the mail"
accept
mail rejected changes=foo_1.0_source.changes source=foo rejection=automatic reason='Install failed:
  no | space'
line process-upload 'Processing changes file|foo_1.0_source.changes'
line process-upload 'ACCEPT|foo_1.0_source.changes'
run
line process-upload 'REJECT|foo_1.0_source.changes'
settle
run
expect 'length == 0'
line process-upload 'rejected|1'
run
expect 'length == 1 and (.[0] | .t == "upload.reject" and .data.automatic and
	.data.reason == "Install failed:\nno | space")'
is_empty

note "a rejection that is logged twice is one; a manual one"
mail rejected changes=foo_1.0_source.changes source=foo rejection=manual reason='Please ☃.'
line process-upload 'REJECT|foo_1.0_source.changes'
line process-upload 'REJECT|foo_1.0_source.changes'
line process-upload 'program end'
settle
run
expect 'length == 1 and (.[0].data | (.automatic | not) and .reason == "Please ☃.")'

note "a program that died: nothing; its next run tells it"
accept
line process-upload 'ACCEPT|foo_1.0_source.changes'
run
second=$(date +%s) # the log's times have no finer ones
while [ "$(date +%s)" = "$second" ]; do
	sleep 0.05
done
line process-upload 'program start'
run
is_empty
is_said 'was not finished'
expect 'length == 0'
decision ACCEPT
accept
run
expect 'length == 1'

# past SECONDS PROGRAM ACTION: a line of then, in the file $month
past() {
	echo "$(date -d "$1 seconds ago" +%Y%m%d%H%M%S)|$2|dak|$3" >>"$work/log/$month"
}

note "a program that died, and began anew in the next month's file: never the other upload's mail"
both
run --from-start
month=2023-02
past 1300 process-upload 'program start'
past 1300 process-upload 'ACCEPT|foo_1.0_source.changes'
sed 's/^Version:.*/&\nUrgency: low/' "$work/foo" >"$work/foo1"
sed 's/^Version:.*/&\nUrgency: critical/' "$work/foo" >"$work/foo2"
mail accepted changes=foo_1.0_source.changes source=foo contents="$work/foo1"
touch -d '1300 seconds ago' "$file"
run
expect 'length == 0'
month=2023-03
past 10 process-upload 'program start'
past 10 process-upload 'ACCEPT|foo_1.0_source.changes'
past 10 process-upload 'program end'
mail accepted changes=foo_1.0_source.changes source=foo contents="$work/foo2"
run
expect 'length == 1 and .[0].data.urgency == "critical"'
is_said 'was not finished'
is_empty
both
run --from-start
mail accepted changes=foo_1.0_source.changes source=foo contents="$work/foo1"
touch -d '300 seconds ago' "$file"
past 10 process-upload 'ACCEPT|foo_1.0_source.changes'
past 10 process-upload 'program end'
run
expect 'length == 0'
[ -e "$file" ] || fail "a mail older than its line is that of another upload"

note "a program that died and is never started again: its mail does not stay"
both
run --from-start
month=2023-02
past 90000 process-upload 'ACCEPT|foo_1.0_source.changes'
mail accepted changes=foo_1.0_source.changes source=foo contents="$work/foo1"
touch -d '90000 seconds ago' "$file"
run
expect 'length == 0'
is_said 'was not finished .* in a day'
is_empty
unset month

note "programs that write between each other's lines"
both
run --from-start
mail new changes=bar_2_all.changes source=bar version=2 architecture=all
accept
line process-upload 'ACCEPT|foo_1.0_source.changes'
user=other line process-upload 'ACCEPT-TO-NEW|bar_2_all.changes'
user=other line process-upload 'program end'
line dominate 'program end'
settle
run
expect 'length == 1 and (.[0] | .t == "new.enter" and .subject == "bar" and .data.version == "2" and
	(.data.sourceful | not))'
line process-upload 'total|1|1'
run
expect 'length == 1 and .[0].t == "upload.accept"'

note "NEW and policy queues: the mail says where to, the log which queue it was"
mail accepted changes=foo_1.0_source.changes source=foo contents="$work/foo" \
	suite='proposed-updates->stable-new, unstable->x-new' action=policy
decision ACCEPT
run
expect 'length == 1 and (.[0] | .t == "upload.policy" and .data.suites == ["proposed-updates", "unstable"] and
	.data.queues == ["stable-new", "x-new"])'
user=ansgar line process-new 'NEW ACCEPT|foo_1.0_source.changes'
mail accepted changes=foo_1.0_source.changes source=foo contents="$work/foo" program=process-policy suite=proposed-updates
line process-policy 'Policy Queue ACCEPT|stable-new|foo_1.0_source.changes'
run
expect 'length == 1 and (.[0] | .t == "new.accept" and .data.by == "ansgar")'
line process-policy 'removed source from policy queue|stable-new|foo|1.0'
run
expect 'length == 1 and (.[0] | .t == "upload.accept" and .data.queue == "stable-new" and
	.data.suites == ["proposed-updates"])'
mail rejected program=process-policy changes=foo_1.0_source.changes source=foo rejection=manual
line process-policy 'Policy Queue REJECT|new|foo_1.0_source.changes'
line process-policy 'program end'
mail prod program=process-new changes=foo_1.0_source.changes source=foo
user=joerg line process-new 'NEW PROD|foo_1.0_source.changes'
user=joerg line process-new 'NEW REJECT|foo_1.0_source.changes'
settle
run
expect '[.[].t] | sort == ["new.prod", "new.reject", "policy.reject"]'
is_empty

note "the log alone, and the mails alone"
begin "log-directory = \"$work/log\""
run
decision ACCEPT
line process-upload 'ACCEPT|later_1_all.changes'
line process-policy 'Policy Queue ACCEPT|byhand|foo_1.0_source.changes'
line process-policy 'program end'
run
expect '[.[].t] == ["upload.accept", "policy.accept"] and (.[0].data | .source == "foo" and (has("version") | not) and
	(has("suites") | not) and (has("url") | not)) and .[1].data.queue == "byhand"'
begin "mail-directory = \"$work/mail\""
accept
mail rm program=rm source='foo, bar' suite='unstable, experimental'
mail rm program=rm source='foo, bar' suite='unstable, experimental'
mail override program=override source=foo
mail command program=process-command source=
accept version=1.0 suite='a, b->c'
mail old changes=old_1-2_amd64.changes source=old suite='stable->old-new'
settle
run
expect '[.[].t] == ["upload.accept", "package.remove", "upload.accept", "upload.policy"] and
	(.[1].data | .suites == ["unstable", "experimental"] and [.sources[].name] == ["foo", "bar"]) and
	(.[2].data | .suites == ["a"] and .queues == ["c"]) and
	(.[3].data | .source == "old" and .queues == ["old-new"])'
is_empty

note "private queues: nothing, until it is in a suite"
both
run
accept suite='stable-security->embargoed' action=policy
decision ACCEPT
run
is_empty
user=x line process-new 'NEW ACCEPT|foo_1.0_source.changes'
line process-policy 'Policy Queue ACCEPT|new|foo_1.0_source.changes'
line process-policy 'Policy Queue REJECT|embargoed|bar_1.0_source.changes'
line process-policy 'program end'
line control-suite 'added|embargoed|foo 1.0 source'
mail rejected changes=secret_1.0_source.changes source=secret rejection=automatic
line process-upload 'REJECT|secret_1.0_source.changes'
line process-upload 'ACCEPT|secret2_1.0_source.changes'
line process-upload 'program end'
settle
run
expect 'length == 0'
is_empty
# 0 and 1 are lines that still wait for their mails
"$builddir/tests/dump-outbox" dak upload/memory | grep '^[2-9]' >"$work/memory"
! grep -q 'foo\|secret' "$work/memory" "$work/said" || fail "a private name is remembered or said"
accept program=process-policy suite='stable-security, testing-security->embargoed'
line process-policy 'Policy Queue ACCEPT|embargoed|foo_1.0_source.changes'
line process-policy 'program end'
run
expect 'length == 1 and (.[0] | .t == "upload.accept" and .data.suites == ["stable-security"] and
	(tostring | test("embargoed") | not))'
both 'private-queues = { "hidden" }'
run
accept suite='s->hidden, t->embargoed' action=policy
mail new changes=bar_2_all.changes source=bar version=2 architecture=all
decision ACCEPT
line process-upload 'ACCEPT-TO-NEW|bar_2_all.changes'
line process-upload 'program end'
settle
run
expect 'length == 0 or (length == 1 and .[0].data.queues == ["embargoed"])'

note "attacks on the signature: never anything foreign"
begin "mail-directory = \"$work/mail\""
# attack NAME 'SED SCRIPT': foo's .changes made so
attack() {
	sed "$2" "$work/foo" >"$work/attack"
	! cmp -s "$work/foo" "$work/attack" || fail "attack $1 changes nothing"
	accept contents="$work/attack"
}
f='Maintainer: Foreign <f@example.org>'
attack before "1i $f"
attack before-armour "1i -----BEGIN PGP SIGNED MESSAGE-----\\n\\n$f\\n-----BEGIN PGP SIGNATURE-----\\n\\naaaa\\n-----END PGP SIGNATURE-----"
attack after "\$a $f"
attack after-blank "\$a \\\\n$f"
attack doubled "\$r $work/foo"
attack nested "/^Maintainer/i -----BEGIN PGP SIGNED MESSAGE-----\\nHash: SHA1\\n\\n$f"
attack signature-twice "/^-----END/a -----BEGIN PGP SIGNATURE-----\\n\\n$f\\n-----END PGP SIGNATURE-----"
attack in-headers "/^Hash/a $f"
attack in-signature "/^-----BEGIN PGP SIGNATURE/a $f\\n$f\\n"
# shellcheck disable=SC2016 # the last line, to sed
attack no-signature '/^-----BEGIN PGP SIGNATURE/,$d'
attack no-begin '1d'
attack form-feed "1s/\$/\\f/"
attack unescaped "/^Maintainer/a -$f"
attack inline "1s/^/x/"
attack second-field "/^Maintainer/a $f"
attack second-stanza "/^Files/i \\\\n$f"
attack other-source 's/^Source: foo/Source: foreign/'
attack other-version 's/^Version: .*/Version: 6.6.6/'
attack other-architecture 's/^Architecture: .*/Architecture: amd64/'
attack bad-file 's/ foo_1.0.dsc$/ ..\/foreign/'
accept warnings='Accepted:

-----BEGIN PGP SIGNED MESSAGE-----

'"$f"
accept warnings="Accepted:
$f"
settle
run
expect 'length == 22 and all(.[]; .t == "upload.accept" and .data.source == "foo" and .data.version == "1.0" and
	(.data | has("maintainer") | not) and (tostring | test("[Ff]oreign|6[.]6[.]6|f@example") | not))'
[ "$(grep -c 'announced without its .changes' "$work/said")" = 22 ] || fail "not all of them are told of"
is_empty
vectors=$srcdir/../shared/data/dak
if [ -d "$vectors/dpkg/Dpkg_Control" ]; then
	for file in "$vectors"/dpkg/Dpkg_Control/bogus-* "$vectors"/dak-fixtures/changes/*; do
		accept contents="$file"
	done
	settle
	run
	expect 'length > 8 and all(.[]; .data | has("maintainer") | not)'
else
	note "left out: there are no $vectors"
fi
sed 's/^Maintainer: .*/- Maintainer: - Dash <d@example.org>/' "$work/foo" >"$work/dashes"
accept contents="$work/dashes"
sed 's/$/  \t/' "$work/foo" >"$work/blanks"
accept contents="$work/blanks"
run
expect '[.[].data.maintainer] == ["- Dash <d@example.org>", "Dev <dev@example.org>"]'

note "every mail of the samples is understood"
if [ -d "$vectors/rendered-dak-mails" ]; then
	cp "$vectors"/rendered-dak-mails/* "$vectors"/distro-tracker-mails/core/tests/tests-data/multipart-signed-message-from-dak \
		"$work/mail"
	settle
	run
	expect '([.[].t] | sort) == ["new.enter", "new.enter", "upload.accept", "upload.accept", "upload.policy",
		"upload.policy", "upload.reject", "upload.reject", "upload.reject", "upload.reject"] and
		(map(select(.t == "upload.accept" and .subject == "epochpkg"))[0].data | .version == "1:2.0~rc1+ds" and
		.closes == [123456, 234567])'
	is_empty
	[ ! -e "$work/mail/rejected" ] || fail "some are rejected"
else
	note "left out: there are no $vectors"
fi

note "what is no mail of dak goes to rejected/, with the reason, and nothing there is overwritten"
rejects() {
	find "$work/mail/rejected" -type f ! -name '*.reason' | wc -l
}
accept
cp "$file" "$work/keep"
echo garbage >"$work/mail/a"
printf '\n' >"$work/mail/b"
sed 's/^X-Debian: DAK/X-Debian: other/' "$work/keep" >"$work/mail/c"
sed 's/^Debian-Suite:/Debian-Suite: x\nDebian-Suite:/' "$work/keep" >"$work/mail/d"
sed 's/^Debian-Changes: .*/Debian-Changes: ..\/..\/etc.changes/' "$work/keep" >"$work/mail/e"
sed 's/^Debian-Source: foo/Debian-Source: bar/' "$work/keep" >"$work/mail/f"
sed 's/^Debian-Suite: .*/Debian-Suite: uns;table/' "$work/keep" >"$work/mail/g"
sed 's/^Debian-Archive-Action: .*/Debian-Archive-Action: reject/' "$work/keep" >"$work/mail/h"
head -c 300 "$work/keep" >"$work/mail/i"
ln -s "$work/keep" "$work/mail/link"
mkfifo "$work/mail/fifo"
mkdir "$work/mail/directory"
settle
run
expect 'length == 1'
is_empty
is_said "mail/d: not announced: mail: header Debian-Suite stands twice; kept as rejected/d"
[ "$(rejects)" = 9 ] || fail "$(rejects) are rejected"
grep -q 'is not .DAK' "$work/mail/rejected/c.reason"
for i in 1 2; do
	echo "again $i" >"$work/mail/a"
	settle
	run
done
[ "$(cat "$work/mail/rejected/a" "$work/mail/rejected/a.1" "$work/mail/rejected/a.2" | tr '\n' ' ')" = 'garbage again 1 again 2 ' ] ||
	fail "something in rejected/ was overwritten"
[ -s "$work/mail/rejected/a.2.reason" ]

note "rejected/ keeps the newest 1000"
i=0
while [ $i -lt 1005 ]; do
	i=$((i + 1))
	echo x >"$work/mail/many$(printf %04d $i)"
done
settle
run
is_empty
[ "$(rejects)" = 1000 ] || fail "$(rejects) are kept"
[ -e "$work/mail/rejected/many1005" ] && [ ! -e "$work/mail/rejected/a" ] && [ ! -e "$work/mail/rejected/a.reason" ]
rm -rf "$work/mail/rejected"

note "a mail that is written in pieces is read when it is whole"
head -c 900 "$work/keep" >"$work/mail/slow"
"$dak" --once 2>"$work/said" &
once=$!
until grep -q '^State:.S' "/proc/$once/status"; do sleep 0.01; done # it waits for the rest
[ ! -e "$work/mail/rejected" ] || fail "rejected too early"
tail -c +901 "$work/keep" >>"$work/mail/slow"
wait $once || fail "debmsg-dak: exit status $?"
expect 'length == 1 and .[0].data.files_total == 1'

note "a file that is opened long before it is written"
: >"$work/mail/later"
settle
run
[ -e "$work/mail/later" ] || fail "rejected before it was written"
cat "$work/keep" >"$work/mail/later"
run
expect 'length == 1'
is_empty

note "a directory where nothing can be removed: said, announced once, the next one is published"
if [ "$(id -u)" != 0 ]; then
	accept
	chmod 555 "$work/mail"
	run
	expect 'length == 1'
	run
	expect 'length == 0'
	chmod 755 "$work/mail"
	run
	is_empty
else
	note "left out: root may remove everything"
fi

note "what could not be put aside or removed is tried again"
begin "mail-directory = \"$work/mail\""
run
echo garbage >"$work/mail/bad"
: >"$work/mail/rejected"
settle
"$dak" 2>"$work/said" &
pid=$!
await() {
	for _ in $(seq 200); do
		! eval "$1" || return 0
		sleep 0.1
	done
	fail "it does not come to this: $1"
}
# shellcheck disable=SC2016 # await's to expand, here and below
await 'grep -q "cannot be put aside" "$work/said"'
rm "$work/mail/rejected"
# shellcheck disable=SC2016
await '[ -e "$work/mail/rejected/bad" ]'
[ "$(grep -c 'mail/bad: .*cannot be put aside' "$work/said")" = 1 ] || fail "it says so again and again"
lock=
if [ "$(id -u)" != 0 ]; then
	lock='chmod 555' unlock='chmod 755'
elif chattr +a "$work/mail" 2>/dev/null; then
	lock='chattr +a' unlock='chattr -a'
	$unlock "$work/mail"
fi
if [ "$lock" ]; then
	"$render" accepted changes=foo_1.0_source.changes source=foo contents="$work/foo" >"$work/rendered"
	: >"$work/mail/one"
	$lock "$work/mail"
	cat "$work/rendered" >>"$work/mail/one"
	# shellcheck disable=SC2016
	await 'grep -q "cannot be removed" "$work/said"'
	$unlock "$work/mail"
	# shellcheck disable=SC2016
	await '[ ! -e "$work/mail/one" ]'
	expect 'length == 1'
else
	note "left out: root may remove everything"
fi
kill "$pid"
wait "$pid" || :
pid=

note "what the log does not confirm in time is not announced; what it tells alone is"
both
run --from-start
accept
touch -d '11 minutes ago' "$file"
run
expect 'length == 0'
line dominate 'program start'
run
expect 'length == 0'
is_said 'the log does not confirm it'
[ "$(rejects)" = 1 ] || fail "it is not kept"
(
	month=$(date -d '3 hours ago' +%Y-%m)
	for action in 'ACCEPT|foo_1.0_source.changes' 'program end'; do
		echo "$(date -d '3 hours ago' +%Y%m%d%H%M%S)|process-upload|dak|$action" >>"$work/log/$month"
	done
)
run
expect 'length == 1 and .[0].t == "upload.accept" and (.[0].data | has("suites") | not)'
accept
touch -d '3 hours ago' "$file"
run
expect 'length == 0'
is_empty

note "removals: one for all its bugs, another one for what is another"
begin "mail-directory = \"$work/mail\""
run
sources=$(for i in $(seq 60); do printf 'package%d, ' "$i"; done)
mail rm "source=${sources}foo" action=remove
mail rm "source=${sources}foo" action=remove
mail rm "source=${sources}bar" action=remove
mail rm "source=${sources}foo" suite=testing action=remove
mail rm "source=${sources}foo" action=remove
{
	cat "$file"
	echo 'foo | 1.0 | source'
} >"$work/table"
cp "$work/table" "$file"
settle
run
expect 'length == 4'
mail rm "source=${sources}foo" action=remove
touch -d '2 minutes ago' "$file"
settle
run
expect 'length == 1'

note "an arrow with nothing behind it names no queue, and so no public suite either"
begin "mail-directory = \"$work/mail\"" 'private-queues = "embargoed"'
run
accept 'suite=stable-security->'
settle
run
expect 'length == 0'
[ "$(rejects)" = 1 ] || fail "not refused"

note "a mail made to eat memory is refused, or costs little"
begin "mail-directory = \"$work/mail\""
python3 - "$work/mail" <<-'END'
import sys
head = ("X-Debian: DAK\nX-DAK: dak process-upload\nDebian-Archive-Action: accept\n"
    "Debian-Changes: foo_1.0_source.changes\nDebian-Source: foo\nDebian-Version: 1.0\n"
    "Debian-Suite: unstable\nSubject: foo_1.0_source.changes ACCEPTED into unstable\n")
part = "Content-Type: multipart/signed; boundary=b%d\n\n--b%d\n"
for name, text in {
    "headers": head + "X:\n" * 2000000 + "\nx\n",
    "long": head + "X: " + "x" * 7000000 + "\n\nx\n",
    "partheaders": head + part % (0, 0) + "X:\n" * 2000000 + "\nx\n--b0--\n",
    "parts": head + "Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n\n" * 1400000,
    "signed": head + "Content-Type: multipart/signed; boundary=b\n\n" + "--b\n\n" * 1400000,
    "nested": head + "".join(part % (i, i) for i in range(120000)) + "Content-Type: text/plain\n\nhi\n",
}.items():
    with open(sys.argv[1] + "/" + name, "w") as file:
        file.write(text)
END
settle
(
	# a sanitizer needs more than any limit
	# shellcheck disable=SC3045 # dash has it
	grep -q 'fsanitize' "$builddir/config.log" || ulimit -v 200000
	exec "$dak" --once 2>"$work/said"
) || fail "debmsg-dak: exit status $?"
expect 'length == 4'
is_empty
[ "$(rejects)" = 2 ] || fail "not refused"

note "a large upload shrinks to what fits"
max_event_size=2048 begin "mail-directory = \"$work/mail\""
python3 - "$work/foo" <<-'END' >"$work/large"
import hashlib, sys
text = open(sys.argv[1]).read()
names = [f"foo-{i}_1.0_amd64.deb" for i in range(2000)]
sums = "".join(f"\n {hashlib.sha256(n.encode()).hexdigest()} {i} {n}" for i, n in enumerate(names))
files = "".join(f"\n {hashlib.md5(n.encode()).hexdigest()} {i} misc optional {n}" for i, n in enumerate(names))
text = text.replace("Checksums-Sha256:", "Binary: " + "\n ".join(f"foo-{i}" for i in range(2000)) + "\nChecksums-Sha256:" + sums)
print(text.replace("\nFiles:", "\nFiles:" + files), end="")
END
accept contents="$work/large"
run
expect 'length == 1 and (.[0].data | .files_total == 2001 and .binaries_total == 2000 and (.files | length) < 20)'

note "every event is as its JSON Schema says"
status=0
"$srcdir/tests/cases/schema.py" "$srcdir/schemas" <"$work/every" >"$work/said" 2>"$work/warnings" || status=$?
[ $status = 0 ] || [ $status -ge 77 ] || fail "schemas"
[ $status = 0 ] || note "left out: there is no python3-jsonschema"

note "all is well"
