#!/bin/sh
# Real commits to real Subversion repositories, and the events that come of them.
# shellcheck disable=SC2034,SC2016
vcs=svn tools="svn svnadmin svnlook svnserve svnmucc python3"
. "${DEBMSG_SRCDIR:-.}/tests/cases/vcs-lib.sh"

# Subversion runs hooks with an empty environment: hooks-env has ours.
make_svn() {
	mkdir -p "$(dirname "$work/srv/$1")"
	svnadmin create "$work/srv/$1"
	ln -s "$alioth" "$work/srv/$1/hooks/post-commit"
	ln -s "$alioth" "$work/srv/$1/hooks/post-revprop-change"
	printf '#!/bin/sh\n' >"$work/srv/$1/hooks/pre-revprop-change"
	chmod +x "$work/srv/$1/hooks/pre-revprop-change"
	printf '[default]\nDEBMSG_CONF = %s\n' "$DEBMSG_CONF" >"$work/srv/$1/conf/hooks-env"
	url=file://$work/srv/$(printf %s "$1" | sed 's/ /%20/g')
}

# svn, as anna, who is told nothing
run() {
	svn --non-interactive --no-auth-cache --config-dir "$work/svn" --username anna "$@" \
		>"$work/out" 2>"$work/said" || fail "svn $*: exit status $?"
	[ ! -s "$work/said" ] || fail "svn $*: says something"
}

note "a new layout, and a commit, member by member"
make_svn demo/one
uuid=$(svnlook uuid "$work/srv/demo/one")
run mkdir -m 'Layout' "$url/trunk" "$url/branches" "$url/tags"
expect 'length == 1 and (.[0] | (.type | endswith("branch.create")) and .data.ref == "trunk" and
	.data.old == "0" and .data.new == "1")'
run checkout "$url/trunk" "$work/wc"
cd "$work/wc"
printf 'a\n' >a.txt && mkdir 'dir é' && printf 'b\n' >'dir é/b c.txt' && run add a.txt 'dir é'
run commit -m 'Fix the build

Closes: #123, bug 45'
expect "length == 1 and (.[0] | .type == \"org.debian.dev.alioth.branch.push\" and
	.subject == \"demo/one\" and .data == {
		summary: \"demo/one: 1 new commit on trunk by anna: Fix the build\",
		url: \"https://git.example.org/demo/one?h=trunk&o=1&n=2\",
		vcs: \"svn\", repository: \"demo/one\", ref: \"trunk\", old: \"1\", new: \"2\", pusher: \"anna\",
		commits_total: 1,
		commits: [{ id: \"2\", author: \"anna\",
			date: \"$(svnlook propget --revprop -r 2 "$work/srv/demo/one" svn:date)\",
			subject: \"Fix the build\", closes: [123, 45] }],
		closes: [123, 45], uuid: \"$uuid\", revision: 2 })"

note "branches and tags: made, changed, replaced, deleted; several in one revision"
run copy -m 'Branch' "$url/trunk" "$url/branches/1.x é"
expect 'length == 1 and (.[0] | (.type | endswith("branch.create")) and .data.ref == "branches/1.x é" and
	.data.copied_from == "trunk@2")'
run copy -m 'Tag' "$url/trunk" "$url/tags/1.0"
expect 'length == 1 and (.[0] | (.type | endswith("tag.create")) and .data.ref == "tags/1.0" and .data.old == "0")'
run checkout "$url" "$work/all-wc" && cd "$work/all-wc"
printf 'x\n' >>trunk/a.txt && printf 'y\n' >>'branches/1.x é/a.txt' && printf 'z\n' >>tags/1.0/a.txt
printf 'r\n' >README && run add README
run commit -m 'Everywhere'
expect '(map({(.data.ref): (.type | sub(".*alioth."; ""))}) | add) ==
	{"trunk": "branch.push", "branches/1.x é": "branch.push", "tags/1.0": "tag.move", "/": "branch.push"} and
	all(.[]; .data.new == "5" and .data.old == "4")'
run update
run remove tags/1.0 && run copy trunk tags/1.0
run commit -m 'Tag anew'
expect 'length == 1 and (.[0] | (.type | endswith("tag.move")) and .data.copied_from != null)'
run remove -m 'Gone' "$url/tags/1.0" "$url/branches/1.x é"
expect '[.[] | [(.type | sub(".*alioth."; "")), .data.ref, .data.new, (.data | has("commits"))]] ==
	[["branch.delete", "branches/1.x é", "0", false], ["tag.delete", "tags/1.0", "0", false]]'
svnmucc --config-dir "$work/svn" -u anna -m 'Replaced' rm "$url/trunk" cp 2 "$url/trunk" "$url/trunk" >"$work/out"
expect 'length == 1 and (.[0] | (.type | endswith("branch.force")) and .data.ref == "trunk")'

note "projects in one repository, no layout, an empty message, no author"
make_svn many
run mkdir --parents -m 'Projects' "$url/p 1/trunk" "$url/p 1/tags" "$url/p2/branches/x"
expect '[.[] | .data.ref] == ["p 1/trunk", "p2/branches/x"]'
make_svn flat
run mkdir -m '' "$url/src"
expect 'length == 1 and (.[0].type | endswith("branch.create")) and .[0].data.ref == "/" and .[0].data.commits[0].subject == "" and
	.[0].data.summary == "flat: 1 new commit on new branch / by anna"'
svn -q --config-dir "$work/svn" propdel --revprop -r 1 svn:author "$url" 2>/dev/null
expect 'length == 1 and (.[0] | (.type | endswith("ref.push")) and .data.action == "delete" and
	.data.property == "svn:author" and .data.revision == 1)'
hold_turn
run mkdir -m 'Nobody' "$url/nobody"
svnadmin delrevprop "$work/srv/flat" -r 2 svn:author
release_turn
expect 'length == 1 and .[0].data.commits[0].author == "" and .[0].data.pusher != ""'

note "a message of 2 MiB: its beginning is told"
{
	echo 'Fix it. Closes: #4242'
	yes 'and so on' | head -c 2097152
} >"$work/long"
run mkdir -F "$work/long" "$url/long"
expect 'length == 1 and .[0].data.commits[0].subject == "Fix it. Closes: #4242" and .[0].data.closes == [4242]'

note "a limit on the size of files, and a name of 5000 characters: the service never sees us fail"
{
	ulimit -f 0
	"$alioth" svn "$work/srv/flat" 1 2>&1 || echo "exit status $?"
} | cat >"$work/said"
grep -q '^debmsg-alioth: ' "$work/said" || fail "nothing is said"
! grep -q '^exit status' "$work/said" || fail "$(cat "$work/said")"
long=$(printf '%05000d' 0)
svn -q --config-dir "$work/svn" propset --revprop -r 1 "x$long" v "$url" 2>"$work/said" || fail "exit status $?"
! grep -q hook "$work/said" || fail "the hook failed"
expect 'length == 1 and (.[0].data.property | length) < 5000'

note "a property of a revision: never its value"
svn -q --config-dir "$work/svn" --username anna propset --revprop -r 2 svn:log 'top secret' "$url"
svn -q --config-dir "$work/svn" --username anna propset --revprop -r 2 x:y '' "$url"
expect '[.[] | [(.type | sub(".*alioth."; "")), .data.ref, .data.action, .data.pusher, .data.old, .data.new]] ==
	[["ref.push", "revprops/2/svn:log", "modify", "anna", "2", "2"],
	 ["ref.push", "revprops/2/x:y", "add", "anna", "2", "2"]]'
! grep -q secret "$work/all" || fail "a value is published"
! grep -q Nobody "$work/new" || fail "an old value is published"
svn -q --config-dir "$work/svn" propset --revprop -r 0 svn:sync-lock x "$url"
expect 'length == 0'

note "through svnserve, on a port of its own"
printf '[general]\nanon-access = none\nauth-access = write\npassword-db = passwd\n' >"$work/srv/flat/conf/svnserve.conf"
printf '[users]\nbob = b\n' >"$work/srv/flat/conf/passwd"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
svnserve -d --foreground --listen-host 127.0.0.1 --listen-port "$port" -r "$work/srv" --pid-file "$work/pid" &
server=$!
deadline=$(($(date +%s) + 20))
until svn info --config-dir "$work/svn" --non-interactive --no-auth-cache --username bob --password b \
	"svn://127.0.0.1:$port/flat" >/dev/null 2>&1; do
	[ "$(date +%s)" -lt $deadline ] || fail "svnserve does not come up"
done
svn mkdir -q -m 'Over the net' --config-dir "$work/svn" --non-interactive --no-auth-cache --username bob --password b \
	"svn://127.0.0.1:$port/flat/trunk" 2>"$work/said" || fail "svnserve: exit status $?"
[ ! -s "$work/said" ] || fail "a commit that goes well says something"
kill "$server"
wait "$server" || :
expect 'length == 1 and (.[0] | .data.pusher == "bob" and .subject == "flat" and .data.ref == "trunk")'

note "as FusionForge writes hooks/post-commit: its commands joined by &&"
make_svn forge
rm "$work/srv/forge/hooks/post-commit"
cat >"$work/srv/forge/hooks/post-commit" <<EOF
#!/bin/sh
$alioth svn "\$1" "\$2" && echo next >$work/next
EOF
chmod +x "$work/srv/forge/hooks/post-commit"
run mkdir -m 'In the forge' "$url/trunk"
[ -e "$work/next" ] || fail "the forge's next command is not run"
expect 'length == 1 and (.[0].type | endswith("branch.create"))'

note "odd names of repositories"
for name in "it's" 'a "b" $(id) `id`' '-x' 'über'; do
	make_svn "$name"
	url=$(printf %s "file://$work/srv/$name" | jq -sRr '@uri | gsub("%2F"; "/") | gsub("%3A"; ":")')
	run mkdir -m 'Odd' "$url/trunk"
	events
	jq -s -e --arg name "$name" 'length == 1 and .[0].subject == $name and .[0].data.commits_total == 1' \
		"$work/new" >/dev/null || fail "$name: $(cat "$work/new")"
done

note "kill -9 of the converter, again and again"
make_svn killed
run mkdir -m 'Layout' "$url/trunk" "$url/branches"
expect 'length == 1'
made=0
feed() {
	for _ in $(seq 20); do
		made=$((made + 1))
		run mkdir -m "Revision $made" "$url/trunk/$made" "$url/branches/$made"
	done
}
kill_while feed 100
expect "length == 2 * $made and ([.[] | [.data.new, .data.ref]] | unique | length) == 2 * $made and
	([.[].data.new | tonumber] | . == sort)"

note "more branches than are told apart, in one revision, in two transactions for their size"
make_svn wide
{ printf 'mkdir\n%s\n' branches && for i in $(seq 2005); do printf 'mkdir\nbranches/%d\n' "$i"; done; } >"$work/args"
svnmucc --config-dir "$work/svn" -u anna -U "$url" -X "$work/args" -m "Many

Closes: $(seq -s ', ' 123456700 123456799)" >"$work/out" || fail "svnmucc: exit status $?"
expect 'length == 2001 and ([.[].data.ref] | unique | length) == 2001 and .[2000].data.ref == "/" and
	([.[] | tostring | length] | add) > 4194304'

note "the repository is gone before it is looked at"
make_svn gone
run mkdir -m 'Layout' "$url/trunk"
expect 'length == 1'
hold_turn
run mkdir -m 'Late' "$url/trunk/x"
rm -rf "$work/srv/gone"
release_turn
expect 'length == 1 and (.[0] | (.type | endswith("branch.push")) and .data.ref == "/" and .data.new == "2" and
	(.data | has("commits") | not))'
grep -q 'gone: .* announced without' "$work/pending" || fail "no word about it"

note "an environment and a configuration that want to run something"
make_svn trap
rm "$work/srv/trap/hooks/post-commit"
run mkdir -m 'Layout' "$url/trunk"
printf '#!/bin/sh\ntouch %s/TRAP\n' "$work" >"$work/trap" && chmod +x "$work/trap"
mkdir -p "$work/.subversion"
printf '[helpers]\ndiff-cmd = %s\neditor-cmd = %s\n' "$work/trap" "$work/trap" >"$work/.subversion/config"
env -i DEBMSG_CONF="$DEBMSG_CONF" HOME="$work" SVN_EDITOR="$work/trap" EDITOR="$work/trap" PATH="$work" \
	"$alioth" svn "$work/srv/trap" 1 0-0 <&- >&- 2>&-
expect 'length == 1'
[ ! -e "$work/TRAP" ] || fail "the trap went off"

note "captured calls, byte for byte"
data=$srcdir/../shared/data/alioth/svn-hook-captures
if [ -d "$data" ]; then
	svnadmin create "$work/srv/svnrepo"
	svnadmin load -q "$work/srv/svnrepo" <"$data/svnrepo.dump"
	svnadmin setuuid "$work/srv/svnrepo" 90b802ad-b907-4441-84bb-7b6bf74cb65c
	for args in "$data"/*post-commit*.args.json "$data"/*post-revprop-change*.args.json; do
		jq -j --arg repo "$work/srv/svnrepo" '.argv[1:] | map(sub("^/srv/svnrepo"; $repo)) | join("\u0000")' "$args" |
			{ cat && printf '\0'; } >"$work/args"
		hook=$(jq -r .hook "$args")
		ln -sf "$alioth" "$work/$hook"
		xargs -0 env -i DEBMSG_CONF="$DEBMSG_CONF" "$work/$hook" <"$work/args" 2>"$work/said" ||
			fail "$args: exit status $?"
		[ ! -s "$work/said" ] || fail "$args: says something"
	done
	expect '[.[] | [(.type | sub(".*alioth."; "")), .data.ref]] ==
		[["branch.create", "trunk"], ["branch.push", "trunk"], ["branch.push", "trunk"],
		 ["branch.push", "trunk"], ["tag.create", "tags/1.0"],
		 ["ref.push", "revprops/2/svn:log"], ["ref.push", "revprops/2/x:custom"],
		 ["ref.push", "revprops/2/x:custom"]]'
else
	note "left out: there is no $data"
fi

note "misuse"
for args in '' 'x' "$work/srv/flat x" "$work/srv/flat 1 bob svn:log X" '1 2 3 4 5 6'; do
	status=0
	# shellcheck disable=SC2086
	"$alioth" svn $args </dev/null 2>"$work/said" || status=$?
	[ $status = 64 ] || fail "svn $args: exit status $status, not 64"
	[ -s "$work/said" ] || fail "svn $args: says nothing"
done
"$alioth" svn /nonexistent 1 2>"$work/said" || fail "a repository that is not there: exit status $?"
grep -q 'NOT announced' "$work/said" || fail "a repository that is not there: says nothing"

note "time of a whole hook process, 30 runs"
time_hook 30 "$alioth" svn "$work/srv/flat" 1 0-0
expect 'length == 30'
check_schemas
note "all is well"
