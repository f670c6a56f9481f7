#!/bin/sh
# Real pushes of Bazaar branches with Breezy, and the events that come of them.
# shellcheck disable=SC2034,SC2016
vcs=bzr tools="brz python3"
. "${DEBMSG_SRCDIR:-.}/tests/cases/vcs-lib.sh"
export BRZ_HOME="$work/brz" BRZ_EMAIL='Anna <anna@example.org>' BRZ_LOG=/dev/null BRZ_PLUGIN_PATH="$work/plugins:+core"
mkdir "$work/plugins"
ln -s "$srcdir/adapters/alioth/bzr-plugin/debmsg.py" "$work/plugins/debmsg.py"

run() {
	brz "$@" >"$work/out" 2>"$work/said" || fail "brz $*: exit status $?"
	! grep -i 'debmsg-alioth\|traceback' "$work/said" || fail "brz $*: says something"
}

commit() {
	run commit --unchanged -m "$@"
}

last() {
	cut -d' ' -f2 .bzr/branch/last-revision
}

note "a first push, member by member; work on a branch of one's own is not told"
mkdir -p "$work/srv/demo"
run init "$work/hello" && cd "$work/hello"
commit 'Fix the build

Closes: #123, bug 45' --commit-time '2009-02-13 23:31:30 +0000'
new=$(last)
run push "$work/srv/demo/hello"
expect "length == 1 and (.[0] | .type == \"org.debian.dev.alioth.branch.create\" and
	.subject == \"demo/hello\" and (.data | del(.url)) == {
		summary: \"demo/hello: 1 new commit on new branch / by anna: Fix the build\",
		vcs: \"bzr\", repository: \"demo/hello\", ref: \"/\", old: \"0\", new: \"$new\", pusher: \"anna\",
		commits_total: 1,
		commits: [{ id: \"$new\", author: \"Anna <anna@example.org>\",
			date: \"2009-02-13T23:31:30.000000Z\", subject: \"Fix the build\", closes: [123, 45] }],
		closes: [123, 45], revno: 1 })"

note "the newest 20 last; a merge; what was rewritten; nothing new; all taken back"
for i in $(seq 22); do commit "Change $i" --author "J\303\266rg"; done
run push
expect "length == 1 and (.[0] | (.type | endswith(\"branch.push\")) and .data.old == \"$new\" and
	.data.new == \"$(last)\" and .data.commits_total == 22 and
	[.data.commits[].subject] == [range(3; 23) | \"Change \\(.)\"])"
run branch . "$work/side" && cd "$work/side" && commit 'On the side' && cd "$work/hello"
commit 'Meanwhile' && run merge "$work/side" && commit 'Merged' && run push
expect 'length == 1 and (.[0].data | .commits_total == 2 and .commits[1].subject == "Merged")'
run push
expect 'length == 0'
run uncommit --force && commit 'Instead' && run push --overwrite
expect 'length == 1 and (.[0] | (.type | endswith("branch.force")) and (.data | has("commits_total") | not))'
run uncommit --force -r 1 && run push --overwrite
expect 'length == 1 and (.[0] | (.type | endswith("branch.force")) and .data.revno == 1)'
run uncommit --force -r 0 "$work/srv/demo/hello"
expect 'length == 1 and (.[0] | (.type | endswith("branch.delete")) and .data.new == "0")'

note "through brz serve, on a port of its own"
cd "$work/side"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
brz serve --listen=127.0.0.1 --port="$port" --allow-writes --directory="$work/srv" >"$work/serve" 2>&1 &
server=$!
deadline=$(($(date +%s) + 20))
until grep -q 'listening on port' "$work/serve"; do
	[ "$(date +%s)" -lt $deadline ] || fail "brz serve does not come up: $(cat "$work/serve")"
	sleep 0.05
done
run push "bzr://127.0.0.1:$port/served"
commit 'Again' && run push "bzr://127.0.0.1:$port/served"
kill "$server"
wait "$server" 2>/dev/null || :
expect '[.[] | [.subject, (.type | sub(".*alioth."; "")), .data.commits[-1].subject]] ==
	[["served", "branch.create", "On the side"], ["served", "branch.push", "Again"]]'

note "odd names, text that is no text, a huge message, a small max-event-size"
for name in 'with blank' "it's" 'a "b" $HOME' 'über' '-x' 'a%20b'; do
	run push --create-prefix "$work/srv/$name"
	events
	jq -s -e --arg name "$name" 'length == 1 and .[0].subject == $name' "$work/new" >/dev/null ||
		fail "$name: $(cat "$work/new")"
done
{ printf 'Closes: #7\n' && head -c 300000 /dev/zero | tr '\0' x; } >"$work/msg"
run commit --unchanged -F "$work/msg" && run push "$work/srv/-x"
expect 'length == 1 and .[0].data.closes == [7]'
write_conf state 2048
for i in $(seq 22); do commit "$i $(head -c 150 /dev/zero | tr '\0' y)"; done
run push "$work/srv/-x"
expect 'length == 1 and (.[0].data | .commits_total == 22 and (.commits | length) < 20)'
write_conf

note "kill -9 of the converter, again and again"
run push "$work/srv/killed"
expect 'length == 1'
cd "$work/srv/killed" && run checkout --lightweight . "$work/killed" && cd "$work/killed"
made=0
feed() {
	for _ in $(seq 12); do made=$((made + 1)) && commit "Number $made"; done
}
kill_while feed 6
expect "[.[].data.commits[0].subject] == [range(1; $made + 1) | \"Number \(.)\"]"

note "the branch is gone before it is looked at: all was said"
hold_turn
commit 'Late'
rm -rf "$work/srv/killed"
release_turn
expect 'length == 1 and .[0].data.commits[0].subject == "Late"'

note "whatever goes wrong, the push goes on"
cd "$work/side"
mkdir "$work/bin" && printf '#!/bin/sh\nexec sleep 100\n' >"$work/bin/debmsg-alioth" && chmod +x "$work/bin/debmsg-alioth"
commit 'Slow'
begin=$(date +%s)
PATH=$work/bin:$PATH run push "$work/srv/-x"
[ $(($(date +%s) - begin)) -lt 15 ] || fail "a slow debmsg-alioth holds the push up"
printf '#!/bin/sh\nexit 3\n' >"$work/bin/debmsg-alioth"
commit 'Failing' && PATH=$work/bin:$PATH run push "$work/srv/-x"
rm "$work/bin/debmsg-alioth"
commit 'Absent' && PATH=$(printf %s "$PATH" | sed "s|$builddir:||") run push "$work/srv/-x"
: >"$work/file"
write_conf file/state
commit 'No outbox'
brz push -q "$work/srv/-x" >"$work/said" 2>&1 || fail "without an outbox: exit status $?"
grep -q 'NOT announced' "$work/said" || fail "without an outbox: says nothing"
write_conf
expect 'length == 0'

note "the captured state of a branch"
data=$srcdir/../shared/data/alioth/bzr-branch-state
field() {
	printf '%d %s\n' "$(printf %s "$1" | wc -c)" "$1"
}
if [ -d "$data" ]; then
	read -r revno revid <"$data/last-revision"
	{
		field 'debmsg-bzr 1' && field "$work/srv/captured" && field 0 && field null:
		field "$revno" && field "$revid" && field 1
		field "$revid" && field 'Test <t@example.org>' && field 1795341899 && field second
	} | debmsg-alioth bzr
	expect "length == 1 and .[0].data.new == \"$revid\" and .[0].data.commits_total == 2"
else
	note "left out: there is no $data"
fi

note "misuse"
for input in '' 'rubbish' '12 debmsg-bzr 1'; do
	status=0
	printf '%s\n' "$input" | "$alioth" bzr 2>"$work/said" || status=$?
	[ $status = 64 ] || fail "bzr, '$input': exit status $status, not 64"
	[ -s "$work/said" ] || fail "bzr, '$input': says nothing"
done

note "time of a whole hook process, 30 runs"
{
	field 'debmsg-bzr 1' && field "$work/srv/timed" && field 0 && field null: && field 1 && field x-1 && field 1
	field x-1 && field 'Test <t@example.org>' && field 1795341899 && field one
} >"$work/tip"
call() {
	"$alioth" bzr <"$work/tip"
}
time_hook 30 call
expect 'length == 30'
check_schemas
note "all is well"
