#!/bin/sh
# The git hook where things go wrong: killed, locked out, lied to, misused.
# And core.hooksPath.
# shellcheck disable=SC2034
vcs=git tools=git
. "${DEBMSG_SRCDIR:-.}/tests/cases/vcs-lib.sh"

note "kill -9 of the converter, again and again"
make_repo many.git
commit 'First' && push main
expect 'length == 1'
long=$(printf '\360\237\220\247%.0s' $(seq 199))
for i in $(seq 300); do commit "$i $long" && git branch "b$i"; done
hold_turn
push 'refs/heads/b*:refs/heads/b*'
commit 'After' && push HEAD:refs/heads/after
release_turn
ms=1 kills=0
until timeout -s KILL "$(printf '0.%03d' $ms)" "$alioth" git --pending 2>/dev/null; do
	kills=$((kills + 1))
	ms=$((ms + 150))
	[ $ms -lt 1000 ] || break
done
[ $kills -ge 3 ] || fail "only $kills kills, that shows nothing"
expect 'length == 301 and ([.[].data.ref] | unique | length) == 301 and
	.[300].data.ref == "refs/heads/after"'

note "two converters at once, because somebody removed the lock"
hold_turn
push 'refs/heads/b*:refs/heads/c/b*'
release_turn
"$alioth" git --pending &
rm "$work/state/outbox/alioth/git-$(id -u).lock"
"$alioth" git --pending
wait
expect 'length == 300 and ([.[].data.ref] | unique | length) == 300'

note "20 pushes at once to as many repositories"
for i in $(seq 20); do make_repo "p$i.git" && commit "One of many"; done
for i in $(seq 20); do
	(cd "$work/p$i.git" && git push -q origin main 2>&1) >"$work/said.$i" &
done
wait
! cat "$work"/said.* | grep -v 'remote: debmsg-alioth: .*going on to try in the background' ||
	fail "pushes at once say more than that they wait for each other"
await_events 20
expect 'length == 20 and ([.[].subject] | unique | length) == 20 and all(.[]; .data.commits_total == 1)'

note "the repository is gone, or broken, before it is looked at"
make_repo gone.git
commit 'One' && push main
make_repo broken.git
commit 'One' && push main && commit 'Two' && commit 'Three'
expect 'length == 2'
hold_turn
push main:refs/heads/main
broken=$(git rev-parse HEAD~1)
cd "$work/gone.git" && commit 'Two' && push main
rm -rf "$work/srv/gone.git" "$work/srv/broken.git/objects/$(echo "$broken" | cut -c1-2)"
release_turn
expect 'length == 2 and all(.[]; (.type | endswith("branch.push")) and (.data | has("commits") | not))'
grep -q "gone.git: .* announced without its commits" "$work/pending" || fail "no word about gone.git"
grep -q "broken.git: .* announced without its commits" "$work/pending" || fail "no word about broken.git"

note "what was there before is gone, as after gc"
make_repo pruned.git
commit 'Old' && push main
git checkout -q --orphan fresh && commit 'New 1' && commit 'New 2'
expect 'length == 1'
hold_turn
push -f fresh:main
git -C "$work/srv/pruned.git" -c gc.reflogExpire=now gc -q --prune=now
release_turn
expect 'length == 1 and (.[0] | (.type | endswith("branch.force")) and .data.commits_total == 2)'

note "rubbish on stdin"
make_repo rubbish.git && commit 'One' && push main && expect 'length == 1'
cd "$work/srv/rubbish.git"
good="$(printf %040d 0) $(git rev-parse main) refs/heads/good"
{ printf 'rubbish\n%s\n\n\377\376 x\0y\n' "$good" && head -c 100000 /dev/urandom && printf '\n%s' "$good"; } |
	GIT_DIR=. "$alioth" git 2>"$work/said" || fail "rubbish: exit status $?"
grep -q 'lines are not what git writes, the first' "$work/said" || fail "rubbish is not named"
expect 'length == 1 and .[0].data.ref == "refs/heads/good"'
"$builddir/tests/dump-outbox" alioth git-rejected/ | grep -aq '^rubbish$' || fail "rubbish is not kept"
GIT_DIR=. "$alioth" git </dev/null 2>"$work/said" || fail "empty stdin: exit status $?"
[ ! -s "$work/said" ] || fail "empty stdin says something"

note "an environment and a configuration that want to run something"
make_repo trap.git
commit 'One' && push main && commit 'Two'
expect 'length == 1'
hold_turn
push main
printf '#!/bin/sh\ntouch %s/TRAP\n' "$work" >"$work/trap" && chmod +x "$work/trap"
git -C "$work/srv/trap.git" config core.repositoryFormatVersion 1
cat >>"$work/srv/trap.git/config" <<-EOF
	[core]
	  fsmonitor = $work/trap
	  sshCommand = $work/trap
	  alternateRefsCommand = $work/trap
	  pager = $work/trap
	[protocol]
	  allow = always
	[remote "origin"]
	  url = ext::$work/trap
	  promisor = true
	[extensions]
	  partialClone = origin
EOF
git -C "$work/srv/trap.git" cat-file -p "$(printf %040d 1)" 2>/dev/null || :
[ -e "$work/TRAP" ] || fail "the trap does not work, so this test shows nothing"
rm "$work/TRAP"
release_turn
cd "$work/srv/trap.git"
printf '%s %s refs/heads/x\n' "$(printf %040d 2)" "$(printf %040d 1)" |
	GIT_DIR=. GIT_OBJECT_DIRECTORY=/nonexistent GIT_TRACE="$work/TRAP" GIT_CONFIG_COUNT=1 \
	GIT_CONFIG_KEY_0=core.fsmonitor GIT_CONFIG_VALUE_0="$work/trap" PATH="$work" "$alioth" git
expect 'length == 2 and .[0].data.commits_total == 1 and (.[1].data | has("commits") | not)'
[ ! -e "$work/TRAP" ] || fail "the trap went off"
git config --unset extensions.partialClone
git config --remove-section remote.origin

note "the outbox is locked: the pusher goes on, the event comes"
cd "$work/trap.git" && commit 'Locked out'
mkfifo "$work/hold" "$work/held"
"$builddir/tests/dump-outbox" alioth --hold <"$work/hold" >"$work/held" &
exec 8>"$work/hold"
read -r _ <"$work/held"
push main
is_said 'going on to try in the background'
exec 8>&-
wait
await_events 1
expect 'length == 1 and .[0].data.commits[0].subject == "Locked out"'

note "what keeps it from working never keeps a push from working"
commit 'Unannounced'
: >"$work/file"
write_conf file/state
push main
is_said 'outbox: .*NOT announced'
rm "$DEBMSG_CONF"
push main:refs/heads/y
is_said 'debmsg.conf.*NOT announced'
write_conf
mv "$work/srv/trap.git/hooks/post-receive" "$work/srv/trap.git/hooks/pre-receive"
push main:refs/heads/z
is_said 'run as pre-receive'
rm "$work/srv/trap.git/hooks/pre-receive"
printf '#!/bin/sh\nexec debmsg-alioth git\n' >"$work/srv/trap.git/hooks/pre-receive"
chmod +x "$work/srv/trap.git/hooks/pre-receive"
push main:refs/heads/zz
is_said 'run as pre-receive, before anything is accepted'
expect 'length == 0'

note "core.hooksPath, and the repositories' own hooks"
hooks=$work/git-hooks
mkdir "$hooks"
for hook in pre-receive update post-receive post-update reference-transaction proc-receive push-to-checkout; do
	ln -s "$srcdir/adapters/alioth/git-hooks/dispatch" "$hooks/$hook"
done
make_repo own.git
own=$work/srv/own.git
git -C "$own" config core.hooksPath "$hooks"
commit 'Only debmsg' && push main		# its own hook is a link to debmsg-alioth
expect 'length == 1'
rm "$own/hooks/post-receive"
for hook in pre-receive update post-receive post-update; do
	printf '#!/bin/sh\n{ echo "%s $*"; [ %s = update ] || cat; } >>"%s/own"\n[ ! -e "%s/refuse" ]\n' \
		$hook $hook "$work" "$work" >"$own/hooks/$hook"
	chmod +x "$own/hooks/$hook"
done
old=$(git rev-parse HEAD) && commit 'Both' && new=$(git rev-parse HEAD)
push main main:refs/heads/also
expect 'length == 2'
cat >"$work/wanted" <<EOF
pre-receive 
$old $new refs/heads/main
$(printf %040d 0) $new refs/heads/also
update refs/heads/main $old $new
update refs/heads/also $(printf %040d 0) $new
post-receive 
$old $new refs/heads/main
$(printf %040d 0) $new refs/heads/also
post-update refs/heads/main refs/heads/also
EOF
cmp "$work/wanted" "$work/own" || fail "own hooks get something else: $(diff "$work/wanted" "$work/own")"
: >"$work/refuse"
commit 'Refused'
! git push -q origin main 2>"$work/said" || fail "its own pre-receive cannot refuse"
rm "$work/refuse"
expect 'length == 0'
git -C "$own" config receive.procReceiveRefs refs/for
! git push -q origin main:refs/for/main 2>"$work/said" || fail "proc-receive out of nowhere"
git init -q -b main "$work/tree" && cd "$work/tree" && commit 'Here'
git config core.hooksPath "$hooks" && git config receive.denyCurrentBranch updateInstead
cd "$work/own.git" && echo text >file && git add file && git commit -q -m 'A file'
git push -q -f "$work/tree" main
[ -f "$work/tree/file" ] || fail "updateInstead does not work any more"
echo change >>"$work/tree/file" && git commit -q --amend -m 'Another'
! git push -q -f "$work/tree" main 2>"$work/said" || fail "updateInstead overwrites changes"
expect 'length == 1 and (.[0] | .subject | endswith("/tree"))'

note "usage"
cd "$work"
for args in '' gut 'git x' --nonsense git; do
	status=0
	# shellcheck disable=SC2086
	"$alioth" $args </dev/null 2>"$work/said" || status=$?
	[ $status = 64 ] || fail "debmsg-alioth $args: exit status $status, not 64"
	[ -s "$work/said" ] || fail "debmsg-alioth $args: says nothing"
done
[ "$("$alioth" --help | wc -l)" -le 24 ] || fail "--help does not fit a screen"
"$alioth" --version | grep -q '^debmsg-alioth [0-9]' || fail "--version"

note "time of a whole hook process, a push of one commit, 50 runs"
cd "$work/srv/p1.git"
line="$(printf %040d 0) $(git rev-parse main) refs/heads/main"
for i in $(seq 50); do
	begin=$(date +%s%N)
	echo "$line" | GIT_DIR=. "$alioth" git
	echo $((($(date +%s%N) - begin) / 10000))
done | sort -n | sed -n '25s/\(..\)$/.\1 ms in the middle/p; 49s/\(..\)$/.\1 ms the second longest/p'
expect 'length == 50'
note "all is well"
