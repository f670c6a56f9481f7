#!/bin/sh
# The desktop shows the event's text, and none of it is markup.
# shellcheck disable=SC2034
tools="dbus-run-session notify-send python3"
# The session ends with us, and the notification service with it.
if [ -z "${DEBMSG_TEST_SESSION-}" ] && command -v dbus-run-session >/dev/null; then
	DEBMSG_TEST_SESSION=1 exec dbus-run-session -- sh "$0"
fi
. "${DEBMSG_SRCDIR:-.}/tests/handlers/lib.sh"
/usr/bin/python3 -c 'import dbus, gi.repository.GLib' 2>/dev/null || {
	echo "python3-dbus and python3-gi are not installed"
	exit 77
}

note "without a desktop it comes again"
event alioth.branch.push a/b.git '{"summary": "pushed", "url": "https://example.org/?a=1&b=2"}'
export HANDLER_MAX_AGE=0
DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent ends 75 desktop 'no desktop'

background /usr/bin/python3 "$srcdir/tests/handlers/notifications.py" "$work"
await 30 test -e "$work/ready"
shown() {
	tail -n 1 "$work/shown" | jq -e "$1" >/dev/null || {
		tail -n 1 "$work/shown" | jq . >&2
		fail "not so: $1"
	}
}

note "what is shown"
HANDLER_URGENCY=low HANDLER_ICON=debian-logo ends 0 desktop
shown '.app == "debmsg" and .summary == "pushed" and .urgency == 0 and .icon == "debian-logo"
	and .body == "a/b.git\nhttps://example.org/?a=1&amp;b=2\nexample.org/x/20261122T101500Z"'

note "hostile text"
event alioth.branch.push x '{}'
text=$(printf %s "$hostile" | jq -Rs .)
change ".subject = $text | .data.url = $text | .data.summary = $text"
ends 0 desktop
# A body that is markup and nothing but text: the escapes undone give what was sent.
shown '.body | test("<|>|\u001b|\"") | not'
shown '.body | [scan("&[^;]*;")] | all(. == "&lt;" or . == "&gt;" or . == "&amp;" or . == "&quot;" or . == "&#39;")'
shown '.body | split("\n") | length == 3'
shown '.body | contains("&lt;b&gt;bold&lt;/b&gt;&amp;amp;") and contains("\\074i\\076 \\ ..")'
shown '.summary | startswith("--help -x @all") and (contains("\n") or contains("\u001b") | not) and length <= 200'
change '.data.summary = "-u critical" | .subject = "\u202e\u2066x\\" | del(.data.url)'
ends 0 desktop
shown '.summary == "-u critical" and .urgency == 1 and (.body | startswith("x\\\n"))'
change '.data.summary = "Grüße, 日本 🐧" | .subject = ("y" * 60000)'
ends 0 desktop
shown '(.summary | startswith("Grüße, 日本 🐧")) and (.body | length) < 1000'
no_trap

note "nothing old"
lines=$(wc -l <"$work/shown")
change '.time = "2020-01-01T00:00:00.000000Z"'
HANDLER_MAX_AGE=3600 ends 0 desktop 'older than'
[ "$(wc -l <"$work/shown")" = "$lines" ] || fail "it shows an old event"
change ".time = \"$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)\""
HANDLER_MAX_AGE=3600 ends 0 desktop
[ "$(wc -l <"$work/shown")" = $((lines + 1)) ] || fail "it does not show a new event"
HANDLER_URGENCY=loud ends 78 desktop 'HANDLER_URGENCY'
note "all is well"
