#!/bin/sh
# dak's log: what it alone tells of, its traps, and how much of it is announced.
#
#   DEBMSG_BUILDDIR=... DEBMSG_SRCDIR=... tests/cases/t-dak-log.sh
# shellcheck disable=SC2119 # some calls have no arguments
. "${DEBMSG_SRCDIR:-.}/tests/cases/dak-lib.sh"

A=589E8FA542378066E944B6222F7C63E8F3A2C549
B=993C2870F54D83789E55323C13D986C3912E851C

note "the same verbs in two forms"
begin "log-directory = \"$work/log\""
run
line control-suite 'added|testing|package 0.1-1 source'
line control-suite 'propup|unstable|package 0.1-1 source'
line control-suite 'removed|testing|package 0.0-1 amd64|4711'
user=release line control-suite 'added|many-bin|1:1.0|source|experimental|4712'
line control-suite 'removed|manybin|0.9|source|experimental|4711'
run
expect '[.[] | [.t, .data.suite, .data.package, .data.version, .data.architecture, .data.by]] == [
	["suite.add", "testing", "package", "0.1-1", "source", "dak"],
	["suite.add", "unstable", "package", "0.1-1", "source", "dak"],
	["suite.remove", "testing", "package", "0.0-1", "amd64", "dak"],
	["suite.add", "experimental", "many-bin", "1:1.0", "source", "release"],
	["suite.remove", "experimental", "manybin", "0.9", "source", "dak"]]'

note "overrides"
user=joerg line override 'changed priority|foo|optional|required'
user=joerg line override 'changed section|foo|misc|non-free/utils'
line override 'closed bug|555555'
line control-overrides 'changed maintainer override|foo|A B <a@x>|C | D <c@x>'
line control-overrides 'changed maintainer override|foo|A B <a@x>|C D <c@x>'
line control-overrides 'new override|unstable|main|deb|bar|optional|misc|A <a@x>'
line control-overrides 'removed override|unstable|main|deb|bar'
run
expect '[.[] | [.t, .subject, .data.field, .data.old, .data.new, .data.suite]] == [
	["override.change", "foo", "priority", "optional", "required", null],
	["override.change", "foo", "section", "misc", "non-free/utils", null],
	["override.change", "foo", "maintainer", "A B <a@x>", "C D <c@x>", null],
	["override.change", "bar", "added", null, null, "unstable"],
	["override.change", "bar", "removed", null, null, "unstable"]]'
is_said 'details are not those of this action'
is_said ' 5 events, 1 rejected'

note "permissions: what an error undoes is not announced"
line command "processing|x-1.dak-commands|signed-by=$B"
line command "dm|fingerprint|$A"
line command 'dm|uid|A | B <a@x>'
line command "dm|allow|$A|package"
run
expect 'length == 0'
line command "dm|fingerprint|$A"
run
expect "length == 1 and (.[0] | .t == \"dm.allow\" and .subject == \"package\" and .data.fingerprint == \"$A\" and .data.by == \"$B\")"
line command "dm|allow|$A|undone"
line command 'ERROR|Tried to remove
20 years of permissions'
line command 'done|x-1.dak-commands'
line command "dm|deny|$A|late"
line command 'program start'
line command 'processing|y-1.dak-commands|signed-by=nobody'
line command "dm|deny|$A|denied"
line command "dm-remove|$A"
line command "dm-remove|$A|source=gone"
line command "dm-migrate|from=$A|to=$B"
line command "dm-migrate|from=$A|to=$B|source=moved"
line command 'done|y-1.dak-commands'
run
expect "[.[] | [.t, .subject, .data.from, .data.to]] == [[\"dm.deny\", \"denied\", null, null], [\"dm.remove\", \"gone\", null, null],
	[\"dm.migrate\", \"moved\", \"$A\", \"$B\"]] and all(.[]; .data | has(\"by\") | not)"

note "what is no line is counted, kept and named, and the next one is published"
now=$(date +%Y-%m)
{
	printf '20230318155201|control-suite|dak|added|testing|a\0b 1 source\n'
	printf '20230230155201|control-suite|dak|added|testing|aa 1 source\n'
	printf '20230318155201|control-suite|dak\n'
	printf '20230318155201|control-suite|dak|added|testing|../x 1 source\n'
	printf '20230318155201|process-upload|dak|ACCEPT|../../x.changes\n'
	printf '20230318155201|process-upload|dak|x_1_a.changes|Error while loading changes file: with|pipes\n'
	printf 'Traceback (most recent call last):\n\n  20230318155201\n'
	head -c 300000 /dev/zero | tr '\0' x
	printf '\n20230318155201|control-suite|dak|added|testing|'
	head -c 300000 /dev/zero | tr '\0' x
	printf '\n'
} >>"$work/log/$now"
line control-suite 'added|testing|next 1 source'
run
expect 'length == 1 and .[0].subject == "next"'
is_said ' 1 events, 6 rejected'
is_said "$now: byte .*: '20230230155201' is not a time"
"$builddir/tests/dump-outbox" dak upload-rejected/ >"$work/kept" || fail "nothing is kept"
grep -q "control-overrides|dak|changed maintainer" "$work/kept" || fail "the line is not kept"

note "where there are private queues, a bad line is not kept"
for queue in embargoed hidden; do
	begin "log-directory = \"$work/log\"" "$([ $queue = embargoed ] || echo "private-queues = \"$queue\"")"
	run
	line process-policy "Policy Queue ACCEPT|$queue|secret_1.0_amd64.changes|x"
	run
	is_said ' 0 events, 1 rejected'
	"$builddir/tests/dump-outbox" dak upload-rejected/ >"$work/kept" || fail "the reason is not kept"
	! grep -q secret "$work/kept" "$work/said" || fail "it names what is private"
done
now=$(date +%Y-%m)
begin "log-directory = \"$work/log\""
run

note "a line in pieces"
printf '20230318155201|control-suite|dak|added|tes' >>"$work/log/$now"
run
expect 'length == 0'
printf 'ting|half 1 source\n' >>"$work/log/$now"
run
expect 'length == 1 and .[0].subject == "half"'

note "months: a program writes where it began"
both
run --from-start
month=2023-02 line process-upload 'ACCEPT|foo_1_all.changes'
run
month=2023-03 line process-upload 'program start'
month=2023-03 line control-suite 'added|testing|new 1 source'
month=2023-02 line control-suite 'added|testing|old 1 source'
run
expect '[.[].subject] | sort == ["new", "old"]'
begin "log-directory = \"$work/log\""
month=2023-02 line process-upload 'ACCEPT|foo_1_all.changes'
run --from-start
month=2023-03 line process-upload 'program start'
month=2023-02 line process-upload 'program end'
month=2023-04 line control-suite 'added|testing|april 1 source'
run
expect '[.[].subject] | sort == ["april", "foo"]'
month=2023-03 line control-suite 'added|testing|march 1 source'
for i in 05 06 07 08; do
	month=2023-$i line control-suite "added|testing|m$i 1 source"
done
run
expect '[.[].subject] == ["march", "m05", "m06", "m07", "m08"]'
month=2023-07 line control-suite 'added|testing|long-running 1 source'
rm "$work/log/2023-02"
run
expect '[.[].subject] == ["long-running"]'
run
expect 'length == 0'

note "what only looks like the file of a month"
begin "log-directory = \"$work/log\""
line process-upload 'program start'
run
mkdir "$work/log/2023-01"
mkfifo "$work/log/$(date -d "$(date +%Y-%m-15) next month" +%Y-%m)"
line control-suite 'added|testing|beside 1 source'
run
expect '[.[].subject] == ["beside"]'
for future in 2099-01 2099-02 2099-03; do
	month=$future line control-suite 'added|testing|future 1 source'
done
run
line control-suite 'added|testing|today 1 source'
run
expect '[.[].subject] == ["today"]'

note "a directory that is empty at first, and one that is not there"
begin "log-directory = \"$work/log/dak\""
"$dak" --once 2>"$work/said" && fail "a log that is not there is no failure"
mkdir "$work/log/dak"
run
month=dak/2023-01 line control-suite 'added|testing|first 1 source'
run
expect '[.[].subject] == ["first"]'

note "100,000 old lines: none with --from-now, all with --from-start"
begin "log-directory = \"$work/log\""
awk 'BEGIN { for (i = 0; i < 50000; i++) {
	printf "20230318155201|process-upload|dak|Processing changes file|p%d_1_all.changes\n", i
	printf "20230318155201|process-upload|dak|ACCEPT|p%d_1_all.changes\n", i }
	print "20230318155202|process-upload|dak|program end"
	for (i = 0; i < 50000; i++) printf "20230318155203|control-suite|dak|added|testing|q%d 1 source\n", i }' \
	>"$work/log/2023-03"
run --from-now
expect 'length == 0'
line control-suite 'added|testing|next 1 source'
run
expect 'length == 1'
begin "mail-directory = \"$work/mail\"" "log-directory = \"$work/log\""
awk 'BEGIN { for (i = 0; i < 50000; i++) {
	printf "20230318155201|process-upload|dak|Processing changes file|p%d_1_all.changes\n", i
	printf "20230318155201|process-upload|dak|ACCEPT|p%d_1_all.changes\n", i }
	print "20230318155202|process-upload|dak|program end"
	for (i = 0; i < 50000; i++) printf "20230318155203|control-suite|dak|added|testing|q%d 1 source\n", i }' \
	>"$work/log/2023-03"
run --from-start
"$builddir/tests/dump-outbox" dak | jq -r .subject | sort | uniq -c | awk '{ n += $1; if ($1 != 1) bad = 1 } END { exit !(n == 100000 && !bad) }' ||
	fail "not each of 100,000 once"
run
[ "$("$builddir/tests/dump-outbox" dak | wc -l)" = 100000 ] || fail "told twice"

note "every line of the sample is understood"
sample=$srcdir/../shared/data/dak/rendered-dak-log/2023-03
if [ -e "$sample" ]; then
	begin "log-directory = \"$work/log\""
	cp "$sample" "$work/log"
	run --from-start
	expect '([.[].t] | group_by(.) | map({ (.[0]): length }) | add) == { "dm.allow": 1, "dm.deny": 1, "new.accept": 1,
		"new.enter": 1, "new.prod": 1, "new.reject": 1, "override.change": 2, "policy.accept": 1,
		"policy.reject": 1, "suite.add": 4, "suite.remove": 2, "upload.accept": 1, "upload.reject": 1 }'
	is_said ' 18 events, 0 rejected'
else
	note "left out: there is no $sample"
fi

note "every event is as its JSON Schema says"
status=0
"$srcdir/tests/cases/schema.py" "$srcdir/schemas" <"$work/every" >"$work/said" 2>"$work/warnings" || status=$?
[ $status = 0 ] || [ $status -ge 77 ] || fail "schemas"
[ $status = 0 ] || note "left out: there is no python3-jsonschema"

note "all is well"
