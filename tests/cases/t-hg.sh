#!/bin/sh
# Real pushes to real Mercurial repositories, and the events that come of them.
# shellcheck disable=SC2034,SC2016
vcs=hg tools=hg
. "${DEBMSG_SRCDIR:-.}/tests/cases/vcs-lib.sh"
export HGRCPATH="$work/hgrc" HGUSER='Anna <anna@example.org>' HGPLAIN=1
zero=$(printf %040d 0)
: >"$HGRCPATH"

# make_hg NAME [HOOK…]: srv/NAME with our hook, and a clone in NAME.
make_hg() {
	name=$1
	shift
	mkdir -p "$(dirname "$work/srv/$name")"
	hg init "$work/srv/$name"
	echo '[hooks]' >"$work/srv/$name/.hg/hgrc"
	for hook in "${@:-changegroup}"; do
		echo "$hook.debmsg = debmsg-alioth hg" >>"$work/srv/$name/.hg/hgrc"
	done
	hg clone -q "$work/srv/$name" "$work/$name"
	cd "$work/$name"
}

commit() {
	echo "$1" >>file
	hg commit -q -A -m "$@"
}

push() {
	hg push -q "$@" >"$work/said" 2>&1 || fail "hg push $*: exit status $?"
	[ ! -s "$work/said" ] || fail "a push that goes well says something"
}

note "a first push, member by member"
make_hg demo-hello
commit 'Fix the build

Closes: #123, bug 45' -d '1234567890 -7200'
new=$(hg id -i --debug)
push
expect "length == 1 and (.[0] | .type == \"org.debian.dev.alioth.branch.create\" and
	.subject == \"demo-hello\" and .data == {
		summary: \"demo-hello: 1 new commit on new branch branches/default by anna: Fix the build\",
		url: \"https://git.example.org/demo-hello?h=branches/default&o=$zero&n=$new\",
		vcs: \"hg\", repository: \"demo-hello\", ref: \"branches/default\",
		old: \"$zero\", new: \"$new\", pusher: \"anna\", commits_total: 1,
		commits: [{ id: \"$new\", author: \"Anna <anna@example.org>\",
			date: \"2009-02-13T23:31:30.000000Z\", subject: \"Fix the build\", closes: [123, 45] }],
		closes: [123, 45] })"

note "the newest 20 last"
for i in $(seq 25); do commit "Change $i"; done
push
expect "length == 1 and (.[0] | (.type | endswith(\"branch.push\")) and .data.old == \"$new\" and
	.data.new == \"$(hg id -i --debug)\" and .data.commits_total == 25 and
	[.data.commits[].subject] == [range(6; 26) | \"Change \\(.)\"])"

note "named branches, several in one push, odd names, closed ones, merges"
odd='odd "name" é\x41 %41 {node} $(id)'
tip=$(hg id -i --debug)
hg branch -q feature && commit 'On feature' && commit 'More'
hg branch -q "$odd" && commit 'On odd'
hg update -q default && commit 'On default'
push --new-branch
events
jq -s -e --arg odd "branches/$odd" --arg tip "$tip" 'length == 3 and
	(map({(.data.ref): .}) | add | (.["branches/feature"] | (.type | endswith("branch.create")) and
		.data.commits_total == 2) and
	(.[$odd] | (.type | endswith("branch.create")) and .data.commits_total == 1 and .data.closed == null) and
	(.["branches/default"] | (.type | endswith("branch.push")) and .data.old == $tip))' "$work/new" >/dev/null ||
	fail "branches: $(cat "$work/new")"
hg update -q feature && hg commit -q --close-branch -m 'Closed'
push
expect 'length == 1 and (.[0] | (.type | endswith("branch.push")) and .data.ref == "branches/feature" and .data.closed)'
hg update -q default && hg merge -q -r feature --tool :other && hg commit -q -m 'Merged' && commit 'After'
push
expect 'length == 1 and .[0].data.commits_total == 2'
hg tag 1.0 && push
expect 'length == 1 and .[0].data.commits[0].subject == "Added tag 1.0 for changeset '"$(hg log -r 1.0 -T '{node|short}')"'"'

note "bookmarks"
make_hg marks changegroup pushkey
commit 'One' && one=$(hg id -i --debug)
hg bookmark 'b é'
push -B 'b é'
expect "[.[] | [(.type | sub(\".*alioth.\"; \"\")), .data.ref, .data.old, .data.new]] | sort ==
	[[\"branch.create\", \"bookmarks/b é\", \"$zero\", \"$one\"], [\"branch.create\", \"branches/default\", \"$zero\", \"$one\"]]"
commit 'Two' && two=$(hg id -i --debug) && push -B 'b é'
expect '[.[] | [(.type | sub(".*alioth."; "")), .data.ref]] | sort ==
	[["branch.push", "bookmarks/b é"], ["branch.push", "branches/default"]]'
hg bookmark -f -r "$one" 'b é'
hg push -q -f -B 'b é' >"$work/said" 2>&1 || :
hg bookmark -d 'b é'
hg push -q -B 'b é' >"$work/said" 2>&1 || :
expect "[.[] | select(.data.ref == \"bookmarks/b é\") | [(.type | sub(\".*alioth.\"; \"\")), .data.new]] ==
	[[\"branch.force\", \"$one\"], [\"branch.delete\", \"$zero\"]]"

note "changegroup and incoming: a push is told once; incoming alone: each changeset"
make_hg both incoming changegroup
for i in 1 2 3; do commit "$i"; done
push
expect 'length == 1 and .[0].data.commits_total == 3'
commit 4 && push
expect 'length == 1 and .[0].data.commits_total == 1'
make_hg each incoming
for i in 1 2 3; do commit "$i"; done
push
expect '[.[] | [(.type | sub(".*alioth."; "")), .data.commits_total, .data.commits[0].subject]] ==
	[["branch.create", 1, "1"], ["branch.push", 1, "2"], ["branch.push", 1, "3"]]'

note "the whole host by one line, though the forge writes each .hg/hgrc anew"
make_hg host
mkdir "$work/hgrc.d"
ln -s "$srcdir/adapters/alioth/hg-hooks/debmsg.rc" "$work/hgrc.d/debmsg.rc"
printf '[hooks]\nchangegroup.forge = touch %s/forge\n' "$work" >"$work/srv/host/.hg/hgrc"
commit 'Hosted'
HGRCPATH=$work/hgrc.d push
[ -e "$work/forge" ] || fail "the forge's own hook is not run"
expect 'length == 1 and .[0].subject == "host"'
hg init "$work/clone"
HGRCPATH=$work/hgrc.d hg -R "$work/clone" pull -q "$work/srv/host"
expect 'length == 0'

note "over http, as another user"
make_hg http
printf '[web]\nallow_push = *\npush_ssl = no\n' >>"$work/srv/http/.hg/hgrc"
commit 'Over the net'
hg serve -R "$work/srv/http" -a 127.0.0.1 -p 0 --pid-file "$work/pid" >"$work/serve" 2>&1 &
server=$!
deadline=$(($(date +%s) + 20))
until port=$(sed -n 's/.*127\.0\.0\.1:\([0-9]*\).*/\1/p' "$work/serve") && [ -n "$port" ]; do
	[ "$(date +%s)" -lt $deadline ] || fail "hg serve does not come up"
done
push "http://127.0.0.1:$port/"
kill "$server"
wait "$server" 2>/dev/null || :
expect 'length == 1 and .[0].data.commits_total == 1'
! grep -q 127.0.0.1 "$work/new" || fail "an address is published"

note "text that is not UTF-8, a huge message, no message's first line, a small max-event-size"
make_hg text
commit 'Plain'
{ printf 'Closes: #7\n' && head -c 300000 /dev/zero | tr '\0' x; } >"$work/msg"
echo b >>file && hg commit -q -l "$work/msg"
HGENCODING=latin-1 hg commit -q --config ui.allowemptycommit=1 -m "$(printf 'Gr\374n')" -u "$(printf 'J\366rg')"
push
expect 'length == 1 and (.[0].data | .commits_total == 3 and .commits[1].closes == [7] and
	.commits[2].subject == "Grün" and .commits[2].author == "Jörg")'
write_conf state 2048
for i in $(seq 30); do commit "$i $(head -c 150 /dev/zero | tr '\0' y)"; done
push
expect 'length == 1 and (.[0].data | .commits_total == 30 and (.commits | length) < 20)'
write_conf

note "odd names of repositories"
for name in 'with blank' "it's" 'a "b" $(id) `id`' 'über' '-x' '~root' "$(printf 'n\344me')" "$(printf 'a\nb')"; do
	mkdir "$work/srv/$name" && cd "$work/srv/$name" && hg init
	printf '[hooks]\nchangegroup.debmsg = debmsg-alioth hg\n' >"$work/srv/$name/.hg/hgrc"
	# hg push would expand what is in such names
	hg pull -q "$work/text" >"$work/said" 2>&1 || fail "$name: exit status $?"
	expect 'length == 1 and .[0].data.commits_total == 33'
done

note "kill -9 of the converter, again and again"
make_hg killed changegroup pushkey
commit 'First' && push
expect 'length == 1'
made=0
feed() {
	for _ in 1 2 3 4; do
		made=$((made + 1))
		hg branch -q "b$made" && commit "$made" && hg branch -q "c$made" && commit "c$made"
		push --new-branch
	done
}
kill_while feed 600
expect "length == 2 * $made and ([.[] | .data.ref] | unique | length) == 2 * $made and all(.[]; .data.commits_total == 1)"

note "the repository is gone, or stripped, before it is looked at"
make_hg gone
commit 'One' && push
expect 'length == 1'
hold_turn
commit 'Two' && push
rm -rf "$work/srv/gone"
release_turn
expect "length == 1 and (.[0] | (.type | endswith(\"ref.push\")) and .data.ref == \"changegroup\" and
	.data.new == \"$(hg id -i --debug)\" and (.data | has(\"commits\") | not))"
grep -q 'gone: .* announced without' "$work/pending" || fail "no word about it"
make_hg stripped
commit 'One' && commit 'Two' && push
expect 'length == 1'
hg -R "$work/srv/stripped" --config extensions.strip= strip -q --no-backup -r 1
hg -R "$work/srv/stripped" --config extensions.strip= strip -q --no-backup -r 0 2>/dev/null
expect 'length == 0'

note "an environment and a configuration that want to run something"
make_hg trap
commit 'One' && push && commit 'Two'
expect 'length == 1'
hold_turn
push
mkdir -p "$work/.local/lib/python3.11/site-packages" "$work/py"
printf 'open("%s/TRAP", "w")\n' "$work" >"$work/trap.py"
echo "import os; open('$work/TRAP', 'w')" >"$work/.local/lib/python3.11/site-packages/trap.pth"
cat >>"$work/srv/trap/.hg/hgrc" <<EOF
[extensions]
trap = $work/trap.py
[hooks]
pre-log = touch $work/TRAP
[alias]
log = !touch $work/TRAP
[ui]
pager = touch $work/TRAP
EOF
cp "$work/srv/trap/.hg/hgrc" "$work/.hgrc"
hg -R "$work/srv/trap" log >/dev/null 2>&1 || :
[ -e "$work/TRAP" ] || fail "the trap does not work, so this test shows nothing"
rm "$work/TRAP"
exec 9>&-
wait "$turn"
rm "$work/turn" "$work/taken"
env -i DEBMSG_CONF="$DEBMSG_CONF" HOME="$work" PYTHONPATH="$work/py" HGRCPATH="$work/.hgrc" PATH="$work" \
	"$alioth" hg --pending
expect 'length == 1 and .[0].data.commits_total == 1'
[ ! -e "$work/TRAP" ] || fail "the trap went off"

note "misuse"
cd "$work"
for args in '' 'x'; do
	status=0
	# shellcheck disable=SC2086
	"$alioth" hg $args </dev/null 2>"$work/said" || status=$?
	[ $status = 64 ] || fail "hg $args: exit status $status, not 64"
	[ -s "$work/said" ] || fail "hg $args: says nothing"
done

note "time of a whole hook process, 30 runs"
cd "$work/srv/http"
node=$(hg log -r 0 -T '{node}')
time_hook 30 env HG_HOOKTYPE=changegroup HG_NODE="$node" HG_NODE_LAST="$node" HG_SOURCE=push "$alioth" hg
expect 'length == 30'
check_schemas
note "all is well"
