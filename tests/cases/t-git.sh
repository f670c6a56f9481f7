#!/bin/sh
# Real pushes to real repositories, and the events that come of them.
#
#   DEBMSG_BUILDDIR=... DEBMSG_SRCDIR=... tests/cases/t-git.sh
#
# No broker is needed: events are read from the outbox.
# shellcheck disable=SC2034
vcs=git tools=git
. "${DEBMSG_SRCDIR:-.}/tests/cases/vcs-lib.sh"

note "a first push, byte for byte"
make_repo demo/hello.git
commit 'Fix the build

Closes: #123, bug 45'
new=$(git rev-parse HEAD)
push main
[ ! -s "$work/said" ] || fail "a push that goes well says something"
expect "length == 1 and (.[0] | .type == \"org.debian.dev.alioth.branch.create\" and
	.subject == \"demo/hello.git\" and .data == {
		summary: \"demo/hello.git: 1 new commit on new branch main by anna: Fix the build\",
		url: \"https://git.example.org/demo/hello.git?h=refs/heads/main&o=$(printf %040d 0)&n=$new\",
		vcs: \"git\", repository: \"demo/hello.git\", ref: \"refs/heads/main\",
		old: \"$(printf %040d 0)\", new: \"$new\", pusher: \"anna\", commits_total: 1,
		commits: [{ id: \"$new\", author: \"Anna <anna@example.org>\",
			date: \"$(git log -1 --format=%at | jq -r 'todate | sub("Z"; ".000000Z")')\",
			subject: \"Fix the build\", closes: [123, 45] }],
		closes: [123, 45] })"

note "a fast forward, the newest 20 last"
for i in $(seq 25); do commit "Change $i"; done
push main
expect 'length == 1 and (.[0] | (.type | endswith("alioth.branch.push")) and
	.data.commits_total == 25 and
	[.data.commits[].subject] == [range(6; 26) | "Change \(.)"] and
	.data.summary == "demo/hello.git: 25 new commits on main by anna: Change 25")'

note "force, delete, what was known already"
git reset -q --hard HEAD~3 && commit 'Instead'
push -f main
expect 'length == 1 and (.[0] | (.type | endswith("branch.force")) and .data.commits_total == 1 and
	.data.commits[0].subject == "Instead")'
push main:refs/heads/copy
expect 'length == 1 and (.[0] | (.type | endswith("branch.create")) and .data.commits_total == 0 and
	.data.commits == [] and .data.summary == "demo/hello.git: new branch copy by anna")'
push :copy
expect 'length == 1 and (.[0] | (.type | endswith("branch.delete")) and .data.url == null and
	(.data | has("commits") | not) and .data.new == "'"$(printf %040d 0)"'")'

note "tags and notes"
git tag light
git tag -a -m 'Version 1

Closes: #9' v1
git -c advice.nestedTag=false tag -a -m 'A tag of a tag' outer v1
push light v1 outer
expect "length == 3 and ([.[].type | sub(\".*alioth.\"; \"\")] == [\"tag.create\", \"tag.create\", \"tag.create\"]) and
	(INDEX(.data.ref) | .\"refs/tags/light\".data.annotated == false and
	(.\"refs/tags/light\".data | has(\"tagger\") | not) and
	(.\"refs/tags/v1\".data | .annotated and .target == \"$(git rev-parse HEAD)\" and
		.tagger == \"Anna <anna@example.org>\" and .message == \"Version 1\") and
	(.\"refs/tags/outer\".data | .target == \"$(git rev-parse HEAD)\"))"
git tag -f light HEAD~1 >/dev/null
push -f light :v1
expect '[.[].type | sub(".*alioth."; "")] | sort == ["tag.delete", "tag.move"]'
git notes add -m 'A note' && push refs/notes/commits
expect 'length == 1 and (.[0] | (.type | endswith("ref.push")) and .data.ref == "refs/notes/commits" and
	.data.commits_total == 1)'

note "merges: octopus, criss-cross, and a root of its own"
git checkout -q --orphan island && commit 'Root'
for b in a b c; do git checkout -q -b $b main && commit "On $b"; done
git checkout -q main && git merge -q -m 'Octopus' a b c >/dev/null
[ "$(git rev-list --parents -1 main | wc -w)" = 4 ]
git checkout -q a && git merge -q -m 'Cross 1' b && git checkout -q b && git merge -q -m 'Cross 2' a^1
git checkout -q main && git merge -q -m 'Cross' a b >/dev/null
git merge -q -m 'Together' --allow-unrelated-histories island
before=$(git rev-parse origin/main)
push main a island
expect "(INDEX(.data.ref) | .\"refs/heads/main\".data.commits_total == $(git rev-list --count main "^$before") and
	.\"refs/heads/main\".data.commits[-1].subject == \"Together\" and
	.\"refs/heads/a\".data.commits_total == $(git rev-list --count a "^$before") and
	.\"refs/heads/island\".data.commits_total == 1)"

note "a symbolic ref to what is pushed does not hide it"
git -C "$work/srv/demo/hello.git" symbolic-ref refs/heads/alias refs/heads/main
commit 'Seen once' && push main
expect 'length == 1 and .[0].data.commits_total == 1'

note "300 refs in one push, in two transactions for their size"
make_repo many.git
long=$(printf '\360\237\220\247%.0s' $(seq 199))
for i in $(seq 300); do
	printf 'commit refs/heads/b%03d\ncommitter A <a@x> %d +0000\ndata <<.\n%s\n.\n' "$i" "$i" "$long"
	[ "$i" = 1 ] || printf 'from refs/heads/b%03d\n' $((i - 1))
	echo
done | git fast-import --quiet
push --all
expect 'length == 300 and [.[].data.commits_total] == [range(1; 301)] and
	[.[].data.commits | length] == [range(1; 301) | if . > 20 then 20 else . end] and
	[.[].typesequence | tonumber] == [range(.[0].typesequence | tonumber; .[299].typesequence | tonumber + 1)]'

note "SHA-256"
make_repo sha256.git --object-format=sha256
commit 'One' && git tag -a -m 'T' t && push main t
commit 'Two' && push main
expect 'length == 3 and all(.[]; .data.new | length == 64) and
	(.[0].data.target | length == 64) or (.[1].data.target | length == 64)'

note "alternates, a working tree, a path outside of the root, names that look like options"
git clone -q --bare --shared "$work/srv/sha256.git" "$work/srv/-fork"
ln -s "$alioth" "$work/srv/-fork/hooks/post-receive"
commit 'On the fork' && git push -q "$work/srv/-fork" main:--all
expect 'length == 1 and (.[0] | .subject == "-fork" and .data.ref == "refs/heads/--all" and
	.data.commits_total == 1 and .data.commits[0].subject == "On the fork")'
git init -q -b main "$work/outside dir" && ln -s "$alioth" "$work/outside dir/.git/hooks/post-receive"
cd "$work/demo/hello.git" && git push -q "$work/outside dir" main:x
expect "length == 1 and .[0].subject == \"$work/outside dir\""

note "text that is not UTF-8, with and without a header that says so; no message"
make_repo text.git
printf 'Gr\374n' >"$work/msg"
git -c i18n.commitEncoding=ISO-8859-1 commit -q --allow-empty -F "$work/msg"
raw=$(git cat-file commit HEAD | LC_ALL=C sed /^encoding/d | git hash-object -t commit -w --stdin)
git reset -q --hard "$raw"
printf 'Mit Kopf: Gr\374n' >"$work/msg"
git -c i18n.commitEncoding=ISO-8859-1 commit -q --allow-empty -F "$work/msg"
commit ''
push "main:refs/heads/$(printf 'b\344')"
expect 'length == 1 and (.[0].data | [.commits[].subject] == ["Gr\ufffdn", "Mit Kopf: Grün", ""] and
	.ref == "refs/heads/b\ufffd" and (.url | contains("refs/heads/b%E4")))'

note "a small max-event-size: less detail, the right total"
write_conf state 2048
for i in $(seq 30); do commit "$i$long"; done
push main
expect 'length == 1 and (.[0].data | .commits_total == 30 and (.commits | length) < 20)'
write_conf

check_schemas

note "all is well"
