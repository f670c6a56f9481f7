#!/bin/sh
# debmsg-planet killed at any moment, read much, and left idle.
#
#   DEBMSG_BUILDDIR=... DEBMSG_SRCDIR=... tests/cases/t-planet-crash.sh
. "${DEBMSG_SRCDIR:-.}/tests/cases/planet-lib.sh"
. "${DEBMSG_SRCDIR:-.}/tests/cases/idle.sh"

feed=$work/atom.xml
ini=$work/config.ini
long='This is what the post says, at some length, so that nobody takes it for another one that is not the same.'

# kill_after MILLISECONDS [OPTION…]
kill_after() {
	delay=$1
	shift
	start "$@"
	sleep "$(awk "BEGIN { print $delay / 1000 }")"
	kill -9 "$watcher"
	wait "$watcher" 2>/dev/null || :
	watcher=
}

note "most of the feeds go away (looked at again at the end)"
write_conf '' "$work/gone.ini"
for i in $(seq 40); do echo "[http://gone.example.org/$i]"; done >"$work/gone.ini"
echo '[Planet]' >>"$work/gone.ini"
touch -d '1 minute ago' "$work/gone.ini"
run --from-start && expect 'length == 40'
sed -i '20,$d; 1i [Planet]' "$work/gone.ini"
run
grep -q '21 of 40 feeds are gone' "$work/said" || fail "it is not said"
expect 'length == 0'
mkdir "$work/gone"
mv "$work/state" "$work/gone/state"

# Until FILE is so old that it is believed; its ctime counts, which nobody can set back.
await_settled() {
	until [ $(($(date +%s) - $(stat -c %Z "$1"))) -ge 3 ]; do sleep 0.1; done
}

# kill_until N: while its events come, up to N in all, at least once with a part of them told
kill_until() {
	told=$seen
	parts=0
	round=0
	while [ "$told" -lt "$1" ] && [ $round -lt 600 ]; do
		round=$((round + 1))
		kill_after $((30 + round % 500)) --from-start
		told=$("$builddir/tests/dump-outbox" planet 2>/dev/null | wc -l)
		[ "$told" -le "$seen" ] || [ "$told" -ge "$1" ] || parts=$((parts + 1))
	done
	[ $parts -gt 0 ] || fail "no kill came while a part was told"
	note "$round kills, $parts of them in between"
}

note "a config.ini of 15000 feeds, settled, and kills while it is told: each feed and each name once"
write_conf '' "$ini"
{
	echo '[Planet]'
	for i in $(seq 15000); do printf '[http://x.example.org/%s]\nname = %s\n' "$i" "$i"; done
} >"$ini"
await_settled "$ini"
kill_until 15000
run --from-start
expect 'length == 15000 and all(.[]; .type | endswith("feed.add")) and ([.[].subject] | unique | length) == 15000'
sed -i 's/^name = /name = new /' "$ini"
await_settled "$ini"
kill_until 30000
run --from-start
expect 'length == 15000 and all(.[]; (.type | endswith("feed.rename")) and .data.name == "new " + .data.old_name) and
	([.[].subject] | unique | length) == 15000'

note "a growing file and 40 kills: each post and each edit once"
write_conf "$feed" ''
: >"$work/posts"
for round in $(seq 40); do
	# old posts are edited once, in the round after theirs
	sed "s/^\(p$((round - 1))-[1-3]|.*\)|Title/\1|Edited/" "$work/posts" >"$work/edited"
	{
		for i in $(seq 30); do
			echo "p$round-$i|http://x.example.org/$round/$i|Title $round $i|$long $round $i||x"
		done
		cat "$work/edited"
	} >"$work/posts"
	atom <"$work/posts" >"$feed"
	touch -d '1 minute ago' "$feed"
	kill_after $((round * 7 % 43)) --from-start
done
run --from-start
events
jq -r 'select(.type | endswith("post.add")) | .data.id' "$work/all" | sort >"$work/adds"
cut -d'|' -f1 "$work/posts" | sort | cmp - "$work/adds" || fail "not each post is added once"
jq -r 'select(.type | test("planet.post")) | .data.id + " " + .data.title' "$work/all" | sort >"$work/told"
[ -z "$(uniq -d "$work/told")" ] || fail "told twice: $(uniq -d "$work/told")"
jq -r 'select(.type | test("planet.post")) | .data.id + " " + .data.title' "$work/all" | tac | sort -s -u -k1,1 >"$work/last"
awk -F'|' '{ print $1 " " $3 }' "$work/posts" | sort -k1,1 | cmp - "$work/last" || fail "what was told last is not what is there"

note "kills while a large file is told for the first time"
write_conf "$feed" ''
awk -v long="$long" 'BEGIN { for (i = 8000; i; i--)
	printf "q%d|http://x.example.org/%d|Title %d|%s %d||x\n", i, i, i, long, i }' | atom >"$feed"
kills=0
for i in $(seq 40); do
	kill_after $((20 + i * 13 % 60)) --from-start
	kills=$((kills + 1))
done
run --from-start
expect 'length == 8000 and ([.[].data.id] | unique | length) == 8000'

note "100000 posts: from now none, from start all"
awk 'BEGIN { print "<feed xmlns=\"http://www.w3.org/2005/Atom\">"
	for (i = 100000; i; i--)
		printf "<entry><id>r%d</id><link href=\"http://x.example.org/%d\"/><title>Title %d</title></entry>\n", i, i, i
	print "</feed>" }' >"$feed"
write_conf "$feed" ''
run --from-now && expect 'length == 0'
[ "$(count_rejects)" = 0 ] || fail "the file was not read"
run --from-start && expect 'length == 0'
write_conf "$feed" ''
run --from-start
expect 'length == 100000 and .[0].data.id == "r1" and .[99999].data.id == "r100000"'

note "idle after a feed of 5 MB: no processor time, at most 16 MiB"
write_conf "$feed" "$ini"
awk -v long="$long" 'BEGIN { while (n++ < 90) long = long " " n " and so on, and so on, and so on, and so on, and so on"
	for (i = 1000; i; i--) printf "s%d|http://x.example.org/%d|Title %d|%s||x\n", i, i, i, long }' |
	atom >"$feed"
[ "$(wc -c <"$feed")" -gt 5000000 ] || fail "the feed is too small"
start --from-start
await_events 1000
await_quiet "$watcher" 4
rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$watcher/status")
note "$rss KiB"
$sanitized || [ "$rss" -le 16384 ] || fail "$rss KiB while idle"
stop

note "and they stay away"
write_conf '' "$work/gone.ini"
mv "$work/gone/state" "$work/state"
seen=40
start --from-now
deadline=$(($(date +%s) + 75))
until [ "$("$builddir/tests/dump-outbox" planet 2>/dev/null | wc -l)" -ge 61 ]; do
	[ "$(date +%s)" -lt $deadline ] || fail "it is never believed"
	sleep 0.1
done
stop
expect 'length == 21 and all(.[]; .type | endswith("feed.remove"))'

note "all is well"
