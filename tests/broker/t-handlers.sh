#!/bin/sh
# The handlers of this project, run by consume --exec: they get the event, and
# what they end with means to consume what their manual pages say.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
setup
handlers=$srcdir/handlers
export HANDLER_SPOOL="$work/spool" HANDLER_REPOSITORIES="$work" HANDLER_RESULTS="$work/results" HANDLER_COMMAND=true

# shellcheck disable=SC2016 # nobody is to expand it
hostile='--help "$(touch TRAP)" `touch TRAP` <b>'\''; touch TRAP'
for queue in digest vcs; do
	debmsg consume --queue $queue --bind wiki.page.edit --idle-exit 1
done
for subject in FrontPage "$hostile" -x; do
	jq -cn --arg subject "$subject" --arg text "$hostile
second line" '{type: "page.edit", subject: $subject, data: {summary: $subject, url: $text, "bad name": $text, comment: $text}}'
done | debmsg publish --service wiki --jsonl >/dev/null
debmsg relay --once

note "done: each once, as it was published"
cd "$work"
debmsg consume --queue digest --jobs 2 --limit 3 --exec "$handlers/digest"
jq -se --arg hostile "$hostile" '(map(.subject) | sort) == (["FrontPage", $hostile, "-x"] | sort) and
	all(.[]; .summary == .subject and (.url | contains("\n") | not))' "$work/spool/events" >/dev/null ||
	fail "other events: $(cat "$work/spool/events")"

note "refused: parked, with what the handler said"
debmsg consume --queue vcs --limit 3 --exec "$handlers/vcs-rebuild" 2>"$work/log" || :
debmsg parked list --json >"$work/parked"
[ "$(grep -c 'exit status 65' "$work/parked")" = 3 ] || fail "not parked: $(cat "$work/parked" "$work/log")"
grep -q 'this is not a push to a branch' "$work/log" || fail "what it said is not in the output"
[ ! -e "$work/TRAP" ] || fail "the trap went off"
note "all is well"
