#!/bin/sh
# Real commits to a real CVS repository, and the events that come of them.
# shellcheck disable=SC2034,SC2016
vcs=cvs tools=cvs
. "${DEBMSG_SRCDIR:-.}/tests/cases/vcs-lib.sh"
export CVSROOT="$work/srv/cvs root" CVSUMASK=077
unset CVS_RSH CVSEDITOR

cvs init
run() {
	cvs -Q "$@" >"$work/out" 2>"$work/said" || fail "cvs $*: exit status $?: $(cat "$work/out")"
	# one that is set to the old format is told so by CVS itself
	! grep -v 'deprecated info format\|^compat\|^all info\|^and set\|^individual\|^leisure' "$work/said" || fail "cvs $*: says something"
}

# configure LOGINFO-LINE [SED OF config]
configure() {
	rm -rf "$work/admin"
	cd "$work" && run checkout -d admin CVSROOT && cd admin
	sed -i '/^ALL/d' loginfo && printf '%s\n' "$1" >>loginfo
	sed -i "${2:-p;d}" config
	cvs -Q commit -m 'Configured' >/dev/null 2>&1
}

note "new format: member by member"
configure 'ALL debmsg-alioth cvs %p %{sVv} $USER' '/^#*UseNewInfoFmtStrings/d; $a UseNewInfoFmtStrings=yes'
events
mkdir "$work/import" && cd "$work/import"
echo a >f1 && mkdir 'd x' && echo b >'d x/f 2'
run import -m 'Initial import
Status:

Vendor Tag:	not this' mod vendor start start2
expect 'length == 1 and (.[0] | (.type | endswith("branch.push")) and .subject == "cvs root" and
	.data.ref == "vendor" and .data.directory == "mod" and .data.files == [] and
	.data.commits[0].subject == "Initial import")'
cd "$work" && run checkout mod && cd mod
echo b >>f1 && run commit -m 'Fix the build

Closes: #123, bug 45'
id=$(sed -n 's/^commitid	\(.*\);/\1/p' "$CVSROOT/mod/f1,v" | head -n 1)
expect "length == 1 and (.[0] | .type == \"org.debian.dev.alioth.branch.push\" and
	.subject == \"cvs root\" and .data == {
		summary: \"cvs root: 1 new commit on HEAD by $(id -un): Fix the build\",
		vcs: \"cvs\", repository: \"cvs root\", ref: \"HEAD\", new: \"$id\", pusher: \"$(id -un)\", commits_total: 1,
		commits: [{ id: \"$id\", author: \"$(id -un)\", subject: \"Fix the build\", closes: [123, 45] }],
		closes: [123, 45], directory: \"mod\", files: [{ name: \"mod/f1\", old: \"1.1.1.1\", new: \"1.2\" }],
		files_total: 1 })"

note "one commit over two directories: one event for each, with one id"
echo c >>f1 && echo c >>'d x/f 2' && echo n >'n,1.1,1.2 w' && echo - >./-f && run add 'n,1.1,1.2 w' ./-f
run commit -m 'Both'
expect 'length == 2 and ([.[].data.new] | unique | length) == 1 and
	[.[] | .data.files] == [[{name: "mod/-f", new: "1.1"}, {name: "mod/f1", old: "1.2", new: "1.3"},
		{name: "mod/n,1.1,1.2 w", new: "1.1"}], [{name: "mod/d x/f 2", old: "1.1.1.1", new: "1.2"}]]'

note "removed, a new directory, a branch, both on a branch and not"
rm -f ./-f && run remove ./-f && run commit -m 'Removed'
expect 'length == 1 and .[0].data.files == [{name: "mod/-f", old: "1.1"}]'
mkdir sub && run add sub
expect 'length == 1 and (.[0] | .data.commits_total == 0 and .data.commits == [] and .data.directory == "mod/sub" and
	(.data.summary | endswith("new directory mod/sub")))'
run tag -b BR1 && run update -r BR1 && echo q >>f1 && run commit -m 'On branch'
expect 'length == 1 and .[0].data.ref == "BR1" and .[0].data.files[0].new == "1.3.2.1"'
mkdir sub2 && run add sub2
expect 'length == 1 and .[0].data.ref == "BR1" and .[0].data.commits_total == 0'
run update -A 'n,1.1,1.2 w' && echo q >>f1 && echo q >>'n,1.1,1.2 w' && run commit -m 'On both'
expect '[.[] | [.data.ref, [.data.files[].name]]] | sort ==
	[["BR1", ["mod/f1"]], ["HEAD", ["mod/n,1.1,1.2 w"]]]'

note "files that are called like revisions"
echo x >'1' && echo x >'1.1' && echo x >NONE && run add 1 1.1 NONE && run commit -m 'Revisions'
expect 'length == 1 and ([.[0].data.files[].name] | sort) == ["mod/1", "mod/1.1", "mod/NONE"]'

note "odd messages: none, headers in it, not UTF-8, 300 KiB"
run update -A
echo 1 >>f1 && run commit -m ''
expect 'length == 1 and .[0].data.commits_total == 1'
echo 2 >>f1 && run commit -m 'Modified Files:
      Tag: FAKE
	f1
Log Message:
Fake'
expect 'length == 1 and .[0].data.ref == "HEAD" and .[0].data.commits[0].subject == "Modified Files:"'
echo 3 >>f1 && run commit -m "$(printf 'Gr\374n')"
expect 'length == 1 and .[0].data.commits[0].subject == "Gr\ufffdn"'
{ echo 'Closes: #7' && head -c 300000 /dev/zero | tr '\0' x; } >"$work/msg"
echo 4 >>f1 && run commit -F "$work/msg"
expect 'length == 1 and .[0].data.closes == [7]'

note "500 files in one directory: the first are named, all are counted"
mkdir wide && run add wide && for i in $(seq 500); do echo x >wide/f"$i"; done
cd wide && run add f* && run commit -m 'Wide'
cd ..
expect 'length == 2 and .[1].data.files_total == 500 and (.[1].data.files | length) >= 50 and .[1].data.commits_total == 1'

note "old format: blanks and commas in names"
configure 'ALL debmsg-alioth cvs %{sVv} $USER' '/^#*UseNewInfoFmtStrings/d'
events
cd "$work/mod"
echo c >>f1 && echo c >>'d x/f 2' && echo c >>'n,1.1,1.2 w' && run commit -m 'Old'
events
jq -s -e 'length == 2 and .[1].data.files == [{name: "mod/d x/f 2", old: "1.2", new: "1.3"}] and
	.[0].data.files[0].name == "mod/f1" and .[0].data.directory == "mod"' "$work/new" >/dev/null ||
	fail "old format: $(cat "$work/new")"
mkdir sub3 && run add sub3
expect 'length == 1 and .[0].data.directory == "mod/sub3" and .[0].data.commits_total == 0'
cd "$work/import" && run import -m 'Initial import' mod2 vendor2 start
expect 'length == 1 and .[0].data.directory == "mod2" and .[0].data.ref == "vendor2"'

note "a line that has nothing of what we ask for"
configure 'ALL debmsg-alioth cvs %s' ''
events
cd "$work/mod" && echo c >>f1 && run commit -m 'Only names'
expect 'length == 1 and (.[0].data | .directory == "mod" and .files == [] and .commits_total == 1)'

note "the new format without the directory"
configure 'ALL debmsg-alioth cvs %{sVv}' '$a UseNewInfoFmtStrings=yes'
events
cd "$work/mod" && echo c >>f1 && run commit -m 'No directory'
expect 'length == 1 and (.[0].data | .directory == "mod" and .files[0].name == "mod/f1")'
echo x >mod && run add mod && run commit -m 'Called like its directory'
expect 'length == 1 and .[0].data.files[0].name == "mod/mod"'

note "kill -9 of the converter, again and again"
configure 'ALL debmsg-alioth cvs %p %{sVv} $USER' ''
events
cd "$work/mod"
made=0
# CVS takes a second for each, so most of them are the same call from us
feed() {
	made=$((made + 1))
	echo "$made" >>f1 && cvs -Q commit -m "Number $made" f1 >"$work/out" 2>&1
	for _ in $(seq 50); do
		made=$((made + 1))
		printf 'Update of %s/mod\nIn directory host:/x\n\nModified Files:\n\tf1 \nLog Message:\nNumber %d\n' \
			"$CVSROOT" "$made" | debmsg-alioth cvs mod f1 1.1 1.2 anna
	done
}
kill_while feed 6
expect "[.[].data.commits[0].subject] == [range(1; $made + 1) | \"Number \(.)\"]"

note "the repository is gone before it is looked at"
hold_turn
echo x >>f1 && run commit -m 'Late' f1
mv "$CVSROOT" "$work/gone"
release_turn
expect 'length == 1 and (.[0].data | .commits[0].subject == "Late" and .new == null)'
mv "$work/gone" "$CVSROOT"

note "captured calls, byte for byte"
data=$srcdir/../shared/data/alioth/cvs-hook-captures
if [ -d "$data" ]; then
	for args in "$data"/*loginfo*.args.json; do
		jq -j '.argv | join("\u0000")' "$args" | { cat && printf '\0'; } >"$work/args"
		CVSROOT=/srv/cvsroot xargs -0 sh -c 'input=$1 && shift && exec debmsg-alioth cvs "$@" <"$input"' sh \
			"${args%.args.json}.stdin" <"$work/args" 2>"$work/said" || fail "$args: exit status $?"
		[ ! -s "$work/said" ] || fail "$args: says something"
	done
	expect '[.[] | [.subject, .data.ref, .data.directory, .data.files_total, .data.pusher]] ==
		[["/srv/cvsroot", "HEAD", "CVSROOT", 3, "root"], ["/srv/cvsroot", "vendor", "mod", 0, "root"],
		 ["/srv/cvsroot", "HEAD", "mod", 2, "root"], ["/srv/cvsroot", "HEAD", "mod", 2, "root"],
		 ["/srv/cvsroot", "BR1", "mod", 1, "root"]]'
	! grep -q 'vm:' "$work/all" || fail "a host name is published"
else
	note "left out: there is no $data"
fi

note "rubbish: kept and named, and the next one is published"
cd "$work"
text='Update of /srv/cvs/mod
In directory host:/x

Modified Files:
	f 
'
printf %s "$text" | debmsg-alioth cvs mod f 1.1 1.2 anna 2>"$work/said" || fail "rubbish: exit status $?"
printf '%sLog Message:\nm\n' "$text" | debmsg-alioth cvs mod f x 1.2 anna
printf '%sLog Message:\ngood\n' "$text" | debmsg-alioth cvs mod f 1.1 1.2 anna
expect 'length == 1 and .[0].data.commits[0].subject == "good"'
"$builddir/tests/dump-outbox" alioth cvs-rejected/ >"$work/said"
grep -aq "has no 'Log Message:'" "$work/said" || fail "rubbish is not kept, or is not the first"
for args in '' 'mod f 1.1 1.2'; do
	status=0
	# shellcheck disable=SC2086
	"$alioth" cvs $args </dev/null 2>"$work/said" || status=$?
	[ $status = 64 ] || fail "cvs $args: exit status $status, not 64"
	[ -s "$work/said" ] || fail "cvs $args: says nothing"
done

note "time of a whole hook process, 30 runs"
call() {
	printf '%sLog Message:\nm\n' "$text" | "$alioth" cvs mod f 1.1 1.2 anna
}
time_hook 30 call
expect 'length == 30'
check_schemas
note "all is well"
