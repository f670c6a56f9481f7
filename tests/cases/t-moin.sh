#!/bin/sh
# What happens in a MoinMoin wiki, and the events that come of it.
#
#   DEBMSG_BUILDDIR=... DEBMSG_SRCDIR=... tests/cases/t-moin.sh
#
# No broker is needed: events are read from the outbox.
. "${DEBMSG_SRCDIR:-.}/tests/cases/moin-lib.sh"

note "a page made and edited, while we watch, byte for byte"
new_wiki
start --from-now
await_position
save SAVENEW '(c39c)ber(2f)uns(20)alle' '' 'first'
await_events 1
expect ". == [.[0]] and (.[0] | .type == \"org.debian.dev.wiki.page.create\" and
	.subject == \"Über/uns alle\" and .time == \"2021-05-11T06:29:31.000001Z\" and .data == {
		summary: \"Über/uns alle: created: first\",
		url: \"https://wiki.example.org/%C3%9Cber/uns%20alle\",
		engine: \"moinmoin\", page: \"Über/uns alle\", revision: 1,
		user_id: \"$user\", comment: \"first\" })"
save SAVE '(c39c)ber(2f)uns(20)alle'
await_events 2
expect 'length == 1 and (.[0] | (.type | endswith("page.edit")) and .data.revision == 2 and
	(.data | has("comment") | not))'

note "half a line is not read, and the other half makes it whole"
stop TERM
printf '1620714570852552\t00000003\tSAVE\t(c39c)ber' >>"$data/edit-log"
run
expect 'length == 0'
printf '(2f)uns(20)alle\t%s\t%s\t\t\n' "$address" $user >>"$data/edit-log"
run
expect 'length == 1 and .[0].data.page == "Über/uns alle"'
[ "$(count_rejects)" = 0 ] || fail "half a line is refused"

note "everything that moin does"
new_wiki
start --from-start
await_position
announced() {
	"$@"
	steps=$((steps + 1))
	await_events $steps
}
steps=0
announced save SAVENEW A
announced save DELETE A '' 'not needed'
announced save SAVENEW A '' 'needed after all'
announced save SAVE A
announced save SAVE/REVERT A 00000003 'as it was'
announced rename A 'B(2f)(c3a4)' A
announced attach ATTNEW 'B(2f)(c3a4)' 'a%20b%c3%a4.png'
announced attach ATTDRW 'B(2f)(c3a4)' drawing.tdraw
announced attach ATTDEL 'B(2f)(c3a4)' 'a%20b%c3%a4.png'
stop TERM
expect '[.[] | [(.type | sub(".*wiki."; "")), .subject, .data.revision]] == [
	["page.create", "A", 1], ["page.delete", "A", 2], ["page.create", "A", 3], ["page.edit", "A", 4],
	["page.revert", "A", 5], ["page.rename", "B/ä", 6], ["attachment.add", "B/ä", null],
	["attachment.draw", "B/ä", null], ["attachment.remove", "B/ä", null]] and
	.[1].data.comment == "not needed" and .[4].data.reverted_to == 3 and
	.[5].data.old_page == "A" and .[5].data.summary == "B/ä: renamed from A" and
	[.[6:][].data.file] == ["a bä.png", "drawing.tdraw", "a bä.png"]'
check_schemas

note "the same years later: what cannot be known any more is no deletion"
rm -rf "$work/state" && seen=0
rm "$data/pages/B(2f)(c3a4)/revisions/00000004" # somebody cleaned up
mv "$data/pages/B(2f)(c3a4)" "$data/pages/A"    # and had it renamed back by hand
save SAVE A
run --from-start
expect '[.[].type | sub(".*wiki."; "")] == ["page.create", "page.delete", "page.create", "page.edit",
	"page.revert", "page.rename", "attachment.add", "attachment.draw", "attachment.remove", "page.edit"]'
rm -rf "$work/state" && seen=0
mv "$data/pages/A" "$data/pages/Away"
save SAVENEW A # another page
save SAVE A
run --from-start
expect 'all(.[]; .type | endswith("page.delete") | not) and length == 12'

note "a page that is deleted while it is gone from the log of another"
new_wiki
save SAVENEW P && save SAVE P && rename P Q P && save SAVENEW P && save DELETE P && save DELETE Q
run --from-start
expect '[.[].type | sub(".*wiki.page."; "")] == ["create", "edit", "rename", "create", "delete", "delete"]'

note "lines as old, broken and hostile as they come; each is an event or is kept"
new_wiki
: >"$work/said"
before=$(printf '1620714570852552\t00000001')
tail="$address$tab$user$tab$tab"
{
	printf '%s\tSAVE\tShort\n' "$before"
	printf '%s\tSAVE\tEight\t%s\t\tcomment of the installer\n' "$before" "$address"
	printf '%s\tSAVENEW\tInstaller\t::1\tScripting Subsystem\t\tinstalled\t\n' "$before"
	printf '%s\tATTNEW\tInstaller\t::1\tScripting Subsystem\t\t50%%20off\t\n' "$before"
	printf '%s\tSAVE\tAnonymous\t%s\t\t\t\n' "$before" "$address"
	printf '%s\tSAVE\tAnonymous\t\t\t\t\t\n' "$before"
	printf '%s\tSAVE\tAddress\t\t\t198.51.100.9\t\t\n' "$before"
	printf '1\t00000002\tSAVE\tEarlier\t%sthe clock went back\n' "$tail"
	printf '\0\0\0\0\0\0\0\0%s\tSAVE\tBehindZeros\t%s\n' "$before" "$tail"
	printf '%s\tSAVE\tTorn\t198.51.\0\0\0\0%s\tSAVE\tWhole\t%s\n' "$before" "$before" "$tail"
	printf '%s\tSAVE/RENAME\tNew\t%s\t%s\tOld / näme (x)\t\n' "$before" "$address" $user
	printf '%s\tSAVE/REVERT\tBack\t%s\t%s\tnowhere\t\n' "$before" "$address" $user
	printf '%s\tSAVE\tLatin\t%sf\374r\302\205\342\200\250uns\n' "$before" "$tail"
	printf '%s\tSAVE\tLong\t%s%0201d\n' "$before" "$tail" 0
	printf '%s\tSAVE\t(2e2e2f2e2e2f)etc\t%s\n' "$before" "$tail"
	printf '%s\tSAVE\tLinux\t%s\r\n' "$before" "$tail"
	# kept:
	printf '\0\0\0\n'
	printf '\n'
	printf '%s\tLOCK\tA\t%s\n' "$before" "$tail"
	printf '%s\tSAVE\t../../etc/passwd\t%s\n' "$before" "$tail"
	printf '%s\tSAVE\tA(2\t%s\n' "$before" "$tail"
	printf '%s\tSAVE\tA(00)\t%s\n' "$before" "$tail"
	printf '%s\tSAVE\tA(ff)\t%s\n' "$before" "$tail"
	printf '%s\tSAVE\t%0256d\t%s\n' "$before" 0 "$tail"
	printf '%s\tSAVE\t\t%s\n' "$before" "$tail"
	printf '%s\tSAVE/RENAME\tNew\t%s\t%s\t\t\n' "$before" "$address" $user
	printf '%s\tATTNEW\tA\t%s\t%s\t\t\n' "$before" "$address" $user
	printf '%s\n' "$address"
	printf 'today\t1\tSAVE\tA\t%s\n' "$tail"
	printf '1620714570852552\tSAVE\tA\t%s\n' "$tail"
	printf '%0300000d\n' 0
	printf '%s\tSAVE\tLast\t%s\n' "$before" "$tail"
	printf '%s\tSAVE\tUnfinished\t198.51.100.9' "$before"
} >"$data/edit-log"
run --from-start
# with the part of a line that zeros follow on
[ "$(count_rejects)" = 16 ] || fail "$(count_rejects) are refused"
expect '[.[].subject] == ["Short", "Eight", "Installer", "Installer", "Anonymous", "Anonymous", "Address",
	"Earlier", "BehindZeros", "Whole", "New", "Back", "Latin", "Long", "../../etc", "Linux", "Last"] and
	(INDEX(.subject) | .Eight.data.comment == "comment of the installer" and
	(.Address.data | has("user_id") | not) and (.Back.data | has("reverted_to") | not) and
	.Earlier.time == "1970-01-01T00:00:00.000001Z" and .New.data.old_page == "Old / näme (x)" and
	.Latin.data.comment == "f\ufffdr  uns" and (.Long.data.comment | length) == 201 and
	.Linux.data.revision == 1) and
	.[2].data.comment == "installed" and .[3].data.file == "50%20off"'
grep -q 'edit-log: the line at byte 0: ' "$work/said" && fail "the first line is refused"
grep -q "$data/edit-log: the line at byte [0-9]*: the page's name is not quoted; " "$work/said" ||
	fail "it is not said which line is refused, and why"
"$builddir/tests/dump-outbox" wiki edit-log-rejected/ >"$work/kept" || fail "nothing is kept"
grep -q 'a part of a record' "$work/kept" || fail "what is kept has no reason"
grep -q "^$before${tab}SAVE${tab}Torn${tab}" "$work/kept" || fail "what can be kept is not"
run
expect 'length == 0'
check_schemas
check_privacy

note "half a line that nobody will complete is no event"
new_wiki
: >"$work/said"
save SAVENEW Whole
printf '%s\tSAVE\tHal' "$before" >>"$data/edit-log"
run --from-start
mv "$data/edit-log" "$data/edit-log.1"
save SAVENEW Next
run
expect '[.[].subject] == ["Whole", "Next"]'
[ "$(count_rejects)" = 1 ] || fail "it is not kept"

note "what cannot be read now is read later, so that no deletion is missed"
new_wiki
save SAVENEW S
save DELETE S
mv "$data/pages/S" "$data/kept" && ln -s S "$data/pages/S"
status=0
"$wiki" --once --from-start 2>"$work/said" || status=$?
[ $status = 75 ] || fail "the exit status is $status"
grep -q "run debmsg-wiki as a user who can read the wiki's pages" "$work/said" || fail "no remedy"
rm "$data/pages/S" && mv "$data/kept" "$data/pages/S"
run --from-start
expect '[.[].type | sub(".*wiki.page."; "")] == ["create", "delete"]'

note "a wiki that is not there yet"
new_wiki
rmdir "$data/pages" "$data"
run
grep -q "$data: No such file" "$work/said" || fail "nobody says that there is no wiki"
mkdir -p "$data/pages"
save SAVENEW Old
run
expect 'length == 0' # as when its disk was not mounted
save SAVENEW First
run
expect '[.[].subject] == ["First"]'

# What is known of a real one: its logs, and the names of its revisions' files.
real=$srcdir/../shared/data/wiki
if [ ! -d "$real" ]; then
	note "no logs of real wikis here; that part is left out"
	exit 0
fi
for source in "$real"/*/; do
	[ -s "$source/edit-log" ] || continue
	note "the log of a real wiki: $(basename "$source")"
	new_wiki
	cp -R "$source/." "$data"
	chmod -R u+w "$data"
	: >"$work/deleted"
	for page in "$data"/pages/*/; do
		[ ! -e "$page/revisions.LIST" ] || mkdir -p "$page/revisions"
		[ ! -e "$page/revisions.LIST" ] || (cd "$page/revisions" && xargs touch /dev/null <../revisions.LIST)
	done
	while IFS="$tab" read -r time revision action page _; do
		[ "$action" = SAVE ] && [ -d "$data/pages/$page/revisions" ] &&
			[ ! -e "$data/pages/$page/revisions/$revision" ] &&
			grep -q "^$time$tab$revision$tab" "$data/pages/$page/edit-log" &&
			echo "$page $revision" >>"$work/deleted"
	done <"$data/edit-log" || :
	run --from-start
	expect "length == $(wc -l <"$data/edit-log") and
		([.[] | select(.type | endswith(\"page.delete\"))] | length) == $(wc -l <"$work/deleted")"
	check_schemas
done
