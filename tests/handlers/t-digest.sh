#!/bin/sh
# The digest holds every event once, and no event writes its header.
# shellcheck disable=SC2034
tools="flock base64 python3"
. "${DEBMSG_SRCDIR:-.}/tests/handlers/lib.sh"

cat >"$work/sendmail" <<-END
	#!/bin/sh
	echo "\$*" >>"$work/calls"
	cat >"$work/mail"
	exit "\$(cat "$work/exit")"
END
chmod +x "$work/sendmail"
echo 0 >"$work/exit"
# The lock is held whenever something is put onto the disk, and it is each time.
mkdir "$work/bin"
cat >"$work/bin/sync" <<-END
	#!/bin/sh
	! flock -n "$work/spool/lock" true || : >"$work/unlocked"
	echo "\$*" >>"$work/synced"
	exec $(command -v sync) "\$@"
END
chmod +x "$work/bin/sync"
PATH=$work/bin:$PATH
export HANDLER_SPOOL="$work/spool" HANDLER_SENDMAIL="$work/sendmail" \
	HANDLER_FROM='Bus <bus@example.org>' HANDLER_TO=qa@example.org

send() {
	got=0
	"$srcdir/handlers/digest" --send >"$work/said" 2>&1 || got=$?
	[ $got -eq "$1" ] || fail "--send: exit status $got, not $1"
	[ $# -lt 2 ] || grep -qF -- "$2" "$work/said" || fail "--send does not say: $2"
	[ -z "$(ls -A "$TMPDIR")" ] || fail "--send leaves $(ls -A "$TMPDIR")"
}

# The mail as a mail program sees it: header names, and the text.
cat >"$work/read.py" <<-'END'
	import email, email.policy, sys
	mail = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
	assert not mail.defects, mail.defects
	print(" ".join(mail.keys()))
	print(mail["Subject"], mail["To"], mail["From"], sep="|")
	print(mail.get_content(), end="")
END
read_mail() {
	python3 "$work/read.py" <"$work/mail" >"$work/read" || fail "no proper mail"
}

has() {
	grep -qF -- "$1" "$work/read" || {
		cat "$work/read" >&2
		fail "the mail does not have: $1"
	}
}

note "nothing collected, nothing sent"
send 0 'no events'
[ ! -e "$work/calls" ] || fail "an empty mail"

note "two types, in a mail"
event wiki.page.edit FrontPage '{"summary": "page edited: FrontPage", "url": "https://wiki.example.org/FrontPage"}'
ends 0 digest
event dak.upload.accept hello '{"summary": "upload accepted: hello 1.0"}'
change '.id = "8"' && ends 0 digest
change '.id = "9" | del(.data.summary)' && ends 0 digest
send 0 '3 events sent'
read_mail
has 'From To Subject Message-ID Date Auto-Submitted MIME-Version Content-Type Content-Transfer-Encoding'
has 'debmsg: 3 events|qa@example.org|Bus <bus@example.org>'
has 'org.debian.dev.dak.upload.accept (2)'
has '  2026-11-22T10:15:00  upload accepted: hello 1.0'
has '  2026-11-22T10:15:00  hello'
has '      https://wiki.example.org/FrontPage'
[ "$(cat "$work/calls")" = '-t -oi' ] || fail "sendmail is called otherwise"
send 0 'no events'

note "hostile text stays text"
text=$(printf %s "$hostile" | jq -Rs .)
change ".id = \"10\" | .data.summary = $text | .data.url = $text | .subject = $text | .time = $text | .type += \"\r\nBcc: x@example.org\""
ends 0 digest
change '.id = "11" | .data.summary = ("z" * 60000) | .subject = "\u202eabc"'
ends 0 digest
send 0 '2 events sent'
read_mail
grep -q '^From To Subject Message-ID Date Auto-Submitted MIME-Version Content-Type Content-Transfer-Encoding$' "$work/read" ||
	fail "other header lines"
! tail -n +3 "$work/read" | grep -qE "^(Bcc|From |\\.)" || fail "a line of the text begins the line"
! grep -q "$(printf '\033')" "$work/read" || fail "control characters"
[ "$(awk '{ if (length > max) max = length } END { print max }' "$work/mail")" -le 200 ] || fail "lines too long"
no_trap

note "what sendmail leaves in the background does not hold the lock"
mv "$work/sendmail" "$work/sendmail.first"
printf '#!/bin/sh\ncat >/dev/null\nsleep 60 >/dev/null 2>&1 &\necho $! >%s/left\n' "$work" >"$work/sendmail"
chmod +x "$work/sendmail"
change '.id = "11b"'
ends 0 digest
send 0
flock -n "$work/spool/lock" true || fail "the lock is held"
kill "$(cat "$work/left")"
mv "$work/sendmail.first" "$work/sendmail"

note "a mail that cannot be sent is sent later, under the same Message-ID"
change '.id = "12" | .data.summary = "later"'
ends 0 digest
echo 1 >"$work/exit"
send 75 'sendmail: exit status 1'
id=$(grep '^Message-ID:' "$work/mail")
change '.id = "13" | .data.summary = "even later"'
ends 0 digest
echo 0 >"$work/exit"
send 0 '1 events sent'
[ "$(grep '^Message-ID:' "$work/mail")" = "$id" ] || fail "another Message-ID"
send 0 '1 events sent'
read_mail
has 'even later'

note "a try that may have succeeded, and a line that a crash has cut"
DEBMSG_RETRY=1 ends 0 digest
ends 0 digest
printf '{"source": "example.org/x", "id": "77", "ty' >>"$HANDLER_SPOOL/events"
change '.id = "14" | .data.summary = "after the crash"'
ends 0 digest
send 0 '2 events sent'
read_mail
has 'after the crash'

note "50 at once, while mails are sent"
for i in $(seq 50); do
	jq -c ".id = \"1$i\" | .data.summary = \"number $i.\"" "$work/event.json" >"$work/event.$i"
done
: >"$work/numbers"
pids=
for i in $(seq 50); do
	"$srcdir/handlers/digest" <"$work/event.$i" &
	pids="$pids $!"
	[ $((i % 10)) != 0 ] || {
		"$srcdir/handlers/digest" --send 2>/dev/null
		[ ! -e "$work/mail" ] || { read_mail && cat "$work/read" >>"$work/numbers" && rm "$work/mail"; }
	}
done
for pid in $pids; do wait "$pid" || fail "one of 50 fails"; done
send 0
[ ! -e "$work/mail" ] || { read_mail && cat "$work/read" >>"$work/numbers"; }
[ "$(grep -o 'number [0-9]*\.' "$work/numbers" | sort | uniq -c | grep -c '^ *1 ')" = 50 ] ||
	fail "not each of 50 once"

[ ! -e "$work/unlocked" ] || fail "not under the lock"
[ "$(grep -c "^-- $HANDLER_SPOOL/events $HANDLER_SPOOL\$" "$work/synced")" -ge 50 ] || fail "an event is not on the disk"

note "configuration"
HANDLER_SPOOL=spool ends 78 digest 'HANDLER_SPOOL'
HANDLER_SPOOL=/proc/nonexistent/x ends 75 digest 'cannot be made'
HANDLER_TO='x@example.org
Bcc: y@example.org' send 0
ends 0 digest
HANDLER_TO='x@example.org
Bcc: y@example.org' send 78 'line break'
HANDLER_FROM=bus send 78 'HANDLER_FROM'
got=0
"$srcdir/handlers/digest" --nonsense 2>/dev/null || got=$?
[ $got = 64 ] || fail "usage: exit status $got"
note "all is well"
