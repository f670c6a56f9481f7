#!/bin/sh
# What was pushed is what is built, and nothing it holds runs on the way there.
# shellcheck disable=SC2034
tools="git timeout"
. "${DEBMSG_SRCDIR:-.}/tests/handlers/lib.sh"

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=Anna GIT_AUTHOR_EMAIL=a@example.org \
	GIT_COMMITTER_NAME=Anna GIT_COMMITTER_EMAIL=a@example.org
git init -q --bare -b main "$work/srv/qa/hello.git"
make_tree "$work/tree"
cd "$work/tree"
git init -q -b main
git add . && git commit -q -m 'First'
git push -q "$work/srv/qa/hello.git" main
commit=$(git rev-parse HEAD)

cat >"$work/check" <<-'END'
	#!/bin/sh
	echo "$# $1 $HANDLER_REPOSITORY $HANDLER_COMMIT $(git rev-parse HEAD)"
	git status --porcelain
	ls
	echo product >"$HANDLER_RESULT/product"
	[ ! -e code ] || exit "$(cat code)"
END
chmod +x "$work/check"
export HANDLER_RESULTS="$work/results" HANDLER_REPOSITORIES="$work/srv" HANDLER_COMMAND="$work/check --all"

pushed() {
	event alioth.branch.push qa/hello.git "$(jq -n --arg new "$1" '{ summary: "x", vcs: "git",
		repository: "qa/hello.git", ref: "refs/heads/main", pusher: "anna", old: ("1" * 40), new: $new }')"
}

note "the admin's command, in the tree of the commit"
pushed "$commit"
ends 0 vcs-rebuild 'is built'
result=$work/results/qa/hello.git/$commit
[ "$(head -n 1 "$result/log")" = "1 --all qa/hello.git $commit $commit" ] || fail "the command is run otherwise"
[ "$(sed 1d "$result/log" | tr '\n' ' ')" = 'debian hello-bus.c ' ] || fail "the tree is another one"
[ "$(cat "$result/product")" = product ] || fail "the result is not kept"
DEBMSG_RETRY=1 ends 0 vcs-rebuild 'is built'

note "its exit status"
echo 3 >code && git add code && git commit -q -m 'Fails' && git push -q "$work/srv/qa/hello.git" main
pushed "$(git rev-parse HEAD)"
ends 1 vcs-rebuild 'exit status 3'
[ -e "$work/results/qa/hello.git/$(git rev-parse HEAD).failed/log" ] || fail "the log is not kept"
echo 75 >code && git commit -q -am 'Later' && git push -q "$work/srv/qa/hello.git" main
pushed "$(git rev-parse HEAD)"
ends 75 vcs-rebuild

note "an older commit, and one that is gone"
pushed "$commit"
ends 0 vcs-rebuild 'is built'
pushed 1234567890123456789012345678901234567890
ends 0 vcs-rebuild 'in no branch'

note "a tree that wants to run something"
printf '#!/bin/sh\ntouch "%s/TRAP"\n' "$work" >"$work/trap" && chmod +x "$work/trap"
git rm -q code
mkdir hooks && cp "$work/trap" hooks/post-checkout
printf '* filter=trap diff=trap text eol=crlf\n*.c export-ignore\n' >.gitattributes
printf '[submodule "x"]\n\tpath = x\n\turl = %s\n' "$work/srv/qa/hello.git" >.gitmodules
git update-index --add --cacheinfo "160000,$commit,x"
git add . 2>/dev/null && git commit -q -m 'Trap' && git push -q "$work/srv/qa/hello.git" main
pushed "$(git rev-parse HEAD)"
export GIT_DIR=/nonexistent
HOME=$work/trapped
mkdir "$HOME"
printf '[core]\n\thooksPath = %s/tree/hooks\n\tfsmonitor = %s/trap\n[filter "trap"]\n\tsmudge = %s/trap\n[submodule]\n\trecurse = true\n' \
	"$work" "$work" "$work" >"$HOME/.gitconfig"
(unset GIT_DIR GIT_CONFIG_GLOBAL && cd "$work/tree" && git status >/dev/null 2>&1) || :
[ -e "$work/TRAP" ] || fail "the trap does not work, so this test shows nothing"
rm "$work/TRAP"
(unset GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM && HANDLER_COMMAND='cat hello-bus.c' ends 0 vcs-rebuild 'is built')
unset GIT_DIR
no_trap
cmp "$work/tree/hello-bus.c" "$work/results/qa/hello.git/$(git rev-parse HEAD)/log" || fail "attributes change the files"

note "a tree that attacks Git"
printf '\tupdate = !%s\n' "$work/trap" >>.gitmodules
git add . 2>/dev/null && git commit -q -m 'Attack' && git push -q "$work/srv/qa/hello.git" main
pushed "$(git rev-parse HEAD)"
ends 65 vcs-rebuild 'takes for an attack'
no_trap

note "a tree that makes dpkg-source write elsewhere"
mkdir "$work/bin" "$work/elsewhere"
for tool in sbuild lintian; do
	printf '#!/bin/sh\nexit 0\n' >"$work/bin/$tool" && chmod +x "$work/bin/$tool"
done
git checkout -q -b links "$commit"
mkdir debian/patches
echo bad >keep
printf -- '--- a/keep\n+++ b/keep\n@@ -1 +1 @@\n-bad\n+good\n' >debian/patches/one
echo one >debian/patches/series
git add . && git commit -q -m 'Patch'
for link in .pc .pc/.version debian/patches/link debian/source/link; do
	git checkout -q -B link links
	mkdir -p "$(dirname "$link")" && ln -s "$work/elsewhere" "$link"
	git add . && git commit -q -m 'Link' && git push -q "$work/srv/qa/hello.git" +link
	pushed "$(git rev-parse HEAD)"
	(PATH=$work/bin:$PATH HANDLER_COMMAND='' HANDLER_SUITE=sid ends 65 vcs-rebuild 'symbolic link') || exit 1
	[ -z "$(ls -A "$work/elsewhere")" ] || fail "$link: it wrote $(ls -A "$work/elsewhere")"
done
git push -q "$work/srv/qa/hello.git" +links
pushed "$(git rev-parse links)"
(PATH=$work/bin:$PATH HANDLER_COMMAND='' HANDLER_SUITE=sid ends 0 vcs-rebuild 'is built') || exit 1

note "ended by a timeout: Git ends with it, and nothing is left"
printf '#!/bin/sh\necho $$ >%s/fetching\nexec sleep 60\n' "$work" >"$work/bin/ssh" && chmod +x "$work/bin/ssh"
pushed "$commit"
# shellcheck disable=SC2016 # the inner shell expands it
HANDLER_REPOSITORIES=ssh://example.org GIT_SSH_COMMAND=$work/bin/ssh \
	setsid sh -c 'echo $$ >"$1"; exec "$2" <"$3"' sh "$work/group" "$srcdir/handlers/vcs-rebuild" "$work/event.json" \
	2>"$work/said" &
await 30 test -s "$work/fetching"
kill -s TERM -- "-$(cat "$work/group")"
gone() {
	! kill -s 0 "$(cat "$1")" 2>/dev/null
}
await 30 gone "$work/group"
await 30 gone "$work/fetching"
[ -z "$(ls -A "$TMPDIR")" ] || fail "it leaves $(ls -A "$TMPDIR")"

note "only what is below the base, and only by its protocol"
pushed "$commit"
cp "$work/event.json" "$work/good.json"
for name in ../hello.git qa/../hello.git /etc hello.git/ -x qa/-x '' . .. qa//x 'x y' 'a;b' "$(printf 'a\nb')" \
	'ext::sh' 'x?y' 'host:x'; do
	jq --arg name "$name" '.data.repository = $name' "$work/good.json" >"$work/event.json"
	ends 65 vcs-rebuild 'no proper data.repository'
done
jq '.data.repository = "qa/hello.git\n"' "$work/good.json" >"$work/event.json"
ends 65 vcs-rebuild 'no proper data.repository'
jq '.data.new = "main"' "$work/good.json" >"$work/event.json"
ends 65 vcs-rebuild 'no proper data.new'
jq '.data.vcs = "svn"' "$work/good.json" >"$work/event.json"
ends 0 vcs-rebuild 'not in Git'
jq '.type = "org.debian.dev.dak.upload.accept"' "$work/good.json" >"$work/event.json"
ends 65 vcs-rebuild 'not a push'
cp "$work/good.json" "$work/event.json"
for base in "ext::$work/trap" srv '' ftp://x; do
	HANDLER_REPOSITORIES=$base ends 78 vcs-rebuild 'HANDLER_REPOSITORIES'
done
HANDLER_REPOSITORIES=$work/none ends 75 vcs-rebuild 'cannot be fetched'
HANDLER_REPOSITORIES=http://127.0.0.1:1 ends 75 vcs-rebuild 'cannot be fetched'
no_trap
note "all is well"
