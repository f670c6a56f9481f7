#!/bin/sh
# Real pushes to real darcs repositories, and the events that come of them.
# shellcheck disable=SC2034,SC2016
vcs=darcs tools=darcs
. "${DEBMSG_SRCDIR:-.}/tests/cases/vcs-lib.sh"
export DARCS_EMAIL='Anna <anna@example.org>' EMAIL=anna@example.org DARCS_DONT_COLOR=1 TERM=dumb
unset DARCS_PATCHES DARCS_PATCHES_XML DARCS_FILES

# make_darcs NAME: srv/NAME with our hook, and a clone in NAME.
make_darcs() {
	mkdir -p "$(dirname "$work/srv/$1")" "$(dirname "$work/$1")"
	darcs init -q "$work/srv/$1"
	printf 'apply posthook debmsg-alioth darcs\napply run-posthook\n' >>"$work/srv/$1/_darcs/prefs/defaults"
	darcs clone -q "$work/srv/$1" "$work/$1"
	cd "$work/$1"
}

record() {
	count=$((${count:-0} + 1))
	echo x >"f$count" && darcs add -q "f$count"
	printf '%s\n' "$1" >"$work/msg"
	darcs record -q -a --logfile "$work/msg" "f$count" >"$work/out" 2>&1 || fail "darcs record: $(cat "$work/out")"
}

send() {
	darcs push -q -a --no-set-default >"$work/out" 2>"$work/said" || fail "darcs push: exit status $?"
	! grep -h debmsg-alioth "$work/said" "$work/out" || fail "a push that goes well says something"
}

# the hash of the newest patch
last() {
	darcs log --last 1 | sed -n 's/^patch //p'
}

note "a first push, member by member"
make_darcs demo/hello
record "Fix <the> 'build' & é

Closes: #123, bug 45"
new=$(last)
send
expect "length == 1 and (.[0] | .type == \"org.debian.dev.alioth.branch.push\" and
	.subject == \"demo/hello\" and (.data | del(.commits[0].date)) == {
		summary: \"demo/hello: 1 new commit on / by anna: Fix <the> 'build' & é\",
		vcs: \"darcs\", repository: \"demo/hello\", ref: \"/\", new: \"$new\", pusher: \"anna\", commits_total: 1,
		commits: [{ id: \"$new\", author: \"Anna <anna@example.org>\",
			subject: \"Fix <the> 'build' & é\", closes: [123, 45] }],
		closes: [123, 45] } and
	(.data.commits[0].date | test(\"^20.*Z\$\")))"

note "several patches, the newest last; a tag alone and among patches"
for i in 1 2 3; do record "Change $i"; done
send
expect "length == 1 and (.[0].data | .new == \"$(last)\" and .commits_total == 3 and
	[.commits[].subject] == [\"Change 1\", \"Change 2\", \"Change 3\"])"
darcs tag -q '1.0 é' >"$work/out" 2>&1 && tag=$(last) && send
expect "length == 1 and (.[0] | (.type | endswith(\"tag.create\")) and .data.ref == \"tags/1.0 é\" and
	.data.new == \"$tag\" and .data.annotated and .data.message == \"1.0 é\")"
record 'After' && darcs tag -q '1.1' >"$work/out" 2>&1 && send
expect '[.[] | [(.type | sub(".*alioth."; "")), .data.ref, .data.commits_total]] ==
	[["branch.push", "/", 1], ["tag.create", "tags/1.1", null]]'

note "more than darcs puts into its XML, and more than it puts anywhere"
for i in $(seq 45); do record "Many $i
Closes: #$i"; done
darcs tag -q '1.2' >"$work/out" 2>&1
send
expect '(.[0].data | .commits_total == 45 and [.commits[].subject] == [range(26; 46) | "Many \(.)"] and
	.commits[19].closes == [45]) and length == 2 and .[1].data.ref == "tags/1.2"'
record "Long
$(head -c 20000 /dev/zero | tr '\0' x)"
send
expect 'length == 1 and (.[0] | (.type | endswith("branch.push")) and .data.ref == "/" and (.data | has("commits") | not) and
	.data.new == null)'

note "odd names of repositories"
for name in 'with blank' "it's" 'a "b" $HOME' 'über' '-x'; do
	make_darcs "./$name" && record 'Odd' && send
	events
	jq -s -e --arg name "$name" 'length == 1 and .[0].subject == $name' "$work/new" >/dev/null ||
		fail "$name: $(cat "$work/new")"
done

note "kill -9 of the converter, again and again"
make_darcs killed
record 'First' && send
expect 'length == 1'
made=0
feed() {
	for _ in $(seq 12); do made=$((made + 1)) && record "Number $made" && send; done
}
kill_while feed 6
expect "[.[].data.commits[0].subject] == [range(1; $made + 1) | \"Number \(.)\"]"

note "the repository is gone before it is looked at: all was said"
hold_turn
record 'Late' && send
rm -rf "$work/srv/killed"
release_turn
expect 'length == 1 and .[0].data.commits[0].subject == "Late"'

note "captured calls, byte for byte"
data=$srcdir/../shared/data/alioth/darcs-hook-captures
mkdir -p "$work/srv/drepo/_darcs" && cd "$work/srv/drepo"
if [ -d "$data" ]; then
	for args in "$data"/*.args.json; do
		jq -j '.env | to_entries[] | "\(.key)=\(.value)\u0000"' "$args" >"$work/env"
		xargs -0 sh -c 'exec env "$@" debmsg-alioth darcs' sh <"$work/env" 2>"$work/said" ||
			fail "$args: exit status $?"
		[ ! -s "$work/said" ] || fail "$args: says something"
	done
	expect '[.[] | [(.type | sub(".*alioth."; "")), .data.ref, .data.new, .data.commits[0].date]] ==
		[["branch.push", "/", "15a36c853f2cf44a80a7912f296e5cf4177d0587", "2026-11-22T09:49:17.000000Z"],
		 ["tag.create", "tags/1.0", "2119f325aa7e47e26678dd61a9f0e7b3e3308a66", null]]'
else
	note "left out: there is no $data"
fi

note "rubbish: kept and named, and the next one is published"
patch="hash='15a36c853f2cf44a80a7912f296e5cf4177d0587'"
DARCS_PATCHES_XML='<patches><patch' debmsg-alioth darcs
DARCS_PATCHES_XML='<!DOCTYPE x [<!ENTITY a "a">]><patches/>' debmsg-alioth darcs
DARCS_PATCHES_XML='<patches><patch><name>x</name></patch></patches>' debmsg-alioth darcs
DARCS_PATCHES_XML="<patches><patch $patch><name>$(printf 'b\001\377')ad</name></patch></patches>" debmsg-alioth darcs
expect 'length == 1 and .[0].data.commits[0].subject == "b\ufffd\ufffdad"'
"$builddir/tests/dump-outbox" alioth darcs-rejected/ | grep -aq 'DARCS_PATCHES_XML, line' || fail "rubbish is not kept"
cd "$work"
for args in '' 'x'; do
	status=0
	# shellcheck disable=SC2086
	"$alioth" darcs $args 2>"$work/said" || status=$?
	[ $status = 64 ] || fail "darcs $args: exit status $status, not 64"
	[ -s "$work/said" ] || fail "darcs $args: says nothing"
done

note "time of a whole hook process, 30 runs"
cd "$work/srv/drepo"
export DARCS_PATCHES_XML="<patches><patch $patch><name>x</name></patch></patches>"
time_hook 30 "$alioth" darcs
expect 'length == 30'
check_schemas
note "all is well"
