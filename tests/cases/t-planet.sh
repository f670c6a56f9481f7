#!/bin/sh
# What a planet writes, and the events that come of it.
#
#   DEBMSG_BUILDDIR=... DEBMSG_SRCDIR=... tests/cases/t-planet.sh
#
# shellcheck disable=SC1112
. "${DEBMSG_SRCDIR:-.}/tests/cases/planet-lib.sh"

long='This is what the post says, at some length, so that nobody takes it for another one that is not the same.'
feed=$work/atom.xml
ini=$work/config.ini
write_conf "$feed" ''

note "a first post, byte for byte"
: >"$work/empty"
atom <"$work/empty" >"$feed"
touch -d 2026-11-22T09:30:00Z "$feed"
run --from-start
expect 'length == 0'
echo 'tag:anna,1|http://anna.example.org/1|AT&amp;T <b>and</b> I|<p>Hello</p>|2026-11-22T09:00:00+01:00|anna' | atom >"$feed"
touch -d 2026-11-22T09:45:00Z "$feed"
run
expect 'length == 1 and (.[0] | .type == "org.debian.dev.planet.post.add" and
	.subject == "http://anna.example.org/1" and .time == "2026-11-22T09:45:00.000000Z" and .data == {
		summary: "anna’s blog: AT&T and I", url: "http://anna.example.org/1", id: "tag:anna,1",
		title: "AT&T and I", link: "http://anna.example.org/1", author: "anna",
		feed_url: "http://anna.example.org/feed", feed_name: "anna’s blog",
		updated: "2026-11-22T08:00:00.000000Z" })'

note "written anew without a change, and with another time: nothing; with other text: an edit"
run && expect 'length == 0'
echo 'tag:anna,1|http://anna.example.org/1|AT&amp;T <b>and</b> I|<p>Hello</p>|2026-11-22T11:00:00+01:00|anna' | atom Other >"$feed"
run && expect 'length == 0'
echo 'tag:anna,1|http://anna.example.org/1|AT&amp;T <b>and</b> I|<p>Hello you</p>|2026-11-22T11:00:00+01:00|anna' | atom >"$feed"
run
expect 'length == 1 and (.[0] | (.type | endswith("post.edit")) and .data.summary == "edited: anna’s blog: AT&T and I")'
echo 'tag:anna,1|http://anna.example.org/1|AT&amp;T <b>and</b> I|<p>Hello</p>|2026-11-22T11:00:00+01:00|anna' | atom >"$feed"
run && expect_types 'post.edit http://anna.example.org/1'

note "from now: what is there is remembered; from start: all is told, the oldest first"
for i in 9 8 7 6 5 4 3 2 1; do
	echo "tag:b,$i|http://b.example.org/$i|Post $i|$long $i|2026-11-0${i}T00:00:00Z|b"
done >"$work/nine"
write_conf "$feed" ''
atom <"$work/nine" >"$feed"
run --from-now && expect 'length == 0'
run --from-start && expect 'length == 0'
{ echo "tag:b,10|http://b.example.org/10|Post 10|$long 10||b" && cat "$work/nine"; } | atom >"$feed"
run --from-now && expect_types 'post.add http://b.example.org/10'
write_conf "$feed" ''
run --from-start
expect '[.[].data.title] == [range(1; 11) | "Post \(.)"]'

note "where there is no file at first, all that comes is new"
write_conf "$feed" ''
rm "$feed"
run && expect 'length == 0'
atom <"$work/nine" >"$feed"
run && expect 'length == 9'

note "old posts fall off the page and return"
head -n 3 "$work/nine" | atom >"$feed"
run && expect 'length == 0'
tail -n 6 "$work/nine" | atom >"$feed"
run && expect 'length == 0'

note "all ids of a feed change at once, and change back; it moves to https"
sed 's/^tag:b,/http:new-id-/' "$work/nine" >"$work/renamed"
atom <"$work/renamed" >"$feed"
run && expect 'length == 0'
sed 's,http:,https:,' "$work/nine" | atom >"$feed"
run && expect 'length == 0'
cat "$work/renamed" "$work/nine" | atom >"$feed"
run && expect 'length == 0'

note "new ids and new text at the old addresses, or the old text at new addresses: edits, once"
sed 's/^tag:b,/id3-/; s/This is/That was/' "$work/nine" | atom >"$feed"
run && expect 'length == 9 and all(.[]; .type | endswith("post.edit"))'
sed 's/^tag:b,/id4-/; s,b.example.org/,moved.example.org/b/,' "$work/nine" | atom >"$feed"
run && expect 'length == 9 and all(.[]; .type | endswith("post.edit"))'
run && expect 'length == 0'

note "what is said again each week is new each week"
for day in 07 14 21; do
	echo "w$day|http://c.example.org/$day|Weekly meeting|$long|2026-10-${day}T00:00:00Z|c" | atom >"$feed"
	run && expect_types "post.add http://c.example.org/$day"
done

note "posts of one title, or of one address, are not one post"
printf '%s\n' 's1|http://d.example.org/||first||d' 's2|http://d.example.org/||second||d' \
	's3|http://d.example.org/3|Links|||d' 's4|http://d.example.org/4|Links|||d' | atom >"$feed"
run && expect_types 'post.add http://d.example.org/
post.add http://d.example.org/
post.add http://d.example.org/3
post.add http://d.example.org/4
'

note "what says too little is not taken for another post: titles that come again, ids alone, text without a title"
printf '%s\n' 'r1||Weekly report|||d' 'r2||Weekly report|||d' 'r3|||||d' 'r4|||||d' | atom | sed 's,<link href=""/>,,' >"$feed"
run && expect_types 'post.add r1
post.add r2
post.add r3
post.add r4
'
echo "t1|http://d.example.org/t1||$long||d" | atom >"$feed"
run && expect_types 'post.add http://d.example.org/t1'
echo "t2|http://d.example.org/t2||$long||d" | atom >"$feed"
run && expect_types 'post.add http://d.example.org/t2'
printf '%s\n' 'r1||Monthly report|||d' 'r2||Weekly report|||d' | atom | sed 's,<link href=""/>,,' >"$feed"
run && expect_types 'post.edit r1'

note "a post older than a week is marked, so that a feed's backlog can be told from its news"
printf '%s\n' "old|http://e.example.org/1|Old|$long 1|2006-01-01T00:00:00Z|e" \
	"new|http://e.example.org/2|New|$long 2|$(date -u +%Y-%m-%dT%H:%M:%SZ)|e" | atom >"$feed"
run
expect '(INDEX(.data.id) | .old.data.backdated == true and (.new.data | has("backdated") | not))'

note "the same id twice: the newest; no id, no link; nothing at all"
cat >"$feed" <<'EOF'
<feed xmlns="http://www.w3.org/2005/Atom">
<entry><id>f1</id><title>older</title><updated>2026-01-01T00:00:00Z</updated></entry>
<entry><id>f1</id><title>newer</title><updated>2026-01-02T00:00:00Z</updated></entry>
<entry><title>no id</title></entry>
<entry xml:base="http://f.example.org/a/"><link href="../b"/></entry>
<entry/>
</feed>
EOF
run
expect '[.[] | [.subject, .data.title]] | length == 3 and .[0] == ["http://f.example.org/b", ""] and
	(.[1][0] | startswith("urn:debmsg:post:")) and .[2] == ["f1", "newer"]'
run && expect 'length == 0'

note "RSS 2.0 and RSS 1.0, where a planet has no Atom"
cat >"$feed" <<'EOF'
<?xml version="1.0"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>
	<title>Planet</title><link>http://planet.example.org/</link><language>en</language>
<item>
	<title>Gina: A &amp;lt;new&amp;gt; &lt;i&gt;post&lt;/i&gt;</title>
	<guid isPermaLink="false">tag:gina,1</guid>
	<link>http://gina.example.org/1</link>
	<description>&lt;p&gt;Text&lt;/p&gt;</description>
	<pubDate>Sun, 22 Nov 2026 09:00:00 +0000</pubDate>
	<author>gina@example.org (Gina)</author>
</item></channel></rss>
EOF
run
expect 'length == 1 and (.[0].data | .title == "Gina: A <new> post" and .author == "Gina" and .id == "tag:gina,1" and
	.published == "2026-11-22T09:00:00.000000Z")'
cat >"$feed" <<'EOF'
<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"
	xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns="http://purl.org/rss/1.0/">
<channel rdf:about="http://planet.example.org/"><title>P</title><link>http://planet.example.org/</link>
<items><rdf:Seq><rdf:li rdf:resource="tag:hal,1"/></rdf:Seq></items></channel>
<item rdf:about="tag:hal,1"><title>Hal: One</title><link>http://hal.example.org/1</link>
<content:encoded>&lt;p&gt;Text&lt;/p&gt;</content:encoded><dc:date>2026-11-22T09:00:00+00:00</dc:date>
<dc:creator>Hal</dc:creator></item></rdf:RDF>
EOF
run
expect 'length == 1 and (.[0].data | .title == "Hal: One" and .author == "Hal" and .id == "tag:hal,1")'

note "very long titles and links, controls, and a small max-event-size"
write_conf "$feed" '' 3000
pad=$(awk 'BEGIN { while (n++ < 1500) printf "\360\237\220\247" }')
printf '%s\n' "i1|http://i.example.org/1|$pad|x||i" "i2|http://i.example.org/$(printf %03000d 0)|T|x||i" |
	sed 's/|T|/|a\tb\&#9;c\&#x85;|/' | atom >"$feed"
run --from-start
expect 'length == 2 and (INDEX(.data.id) | (.i1.data.title | length) <= 200 and .i1.subject == "http://i.example.org/1" and
	.i2.subject == "i2" and (.i2.data | has("link") | not))'

note "the entity bomb, a page of HTML, a file cut short: named, kept, and nothing is told or forgotten"
write_conf "$feed" ''
atom <"$work/nine" >"$work/good"
cp "$work/good" "$feed" && run --from-now
{
	echo '<!DOCTYPE feed [<!ENTITY a "ha">'
	for i in a b c d e f g h i j k l m n o p q r s t u v w x y; do
		next=$(echo $i | tr a-y b-z)
		echo "<!ENTITY $next \"&$i;&$i;&$i;&$i;&$i;&$i;&$i;&$i;&$i;&$i;\">"
	done
	echo ']><feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><title>&z;</title></entry></feed>'
} >"$feed"
timeout 5 "$planet" --once 2>"$work/said" || fail "the bomb"
grep -q "atom.xml: .*DOCTYPE with declarations" "$work/said" || fail "the bomb is not named"
[ "$(count_rejects)" = 1 ] || fail "the bomb is not counted"
"$builddir/tests/dump-outbox" planet feed-rejected/ | grep -q 'ENTITY b "&a;' || fail "the bomb is not kept"
run
[ "$(count_rejects)" = 0 ] || fail "the same file is said twice"
for n in 0 1 500 2000; do
	head -c $n "$work/good" >"$feed"
	run
	[ "$(count_rejects)" = 1 ] || fail "cut to $n bytes: it is not said"
done
echo '<html><body>404</body></html>' >"$feed"
run
grep -q 'it is no feed: its first element is <html>' "$work/said" || fail "a page of HTML"
expect 'length == 0'
{ echo "tag:b,10|http://b.example.org/10|Post 10|$long 10||b" && cat "$work/nine"; } | atom >"$feed"
run && expect_types 'post.add http://b.example.org/10'

note "broken in two ways in turn: each is kept once; said again after a good one"
for n in 501 502 501 502 501; do
	head -c $n "$work/good" >"$feed"
	run
	echo "$(count_rejects) $(grep -c 'kept before' "$work/said" || :)"
done >"$work/rejects"
printf '%s\n' '1 0' '1 0' '0 0' '0 0' '0 0' | cmp - "$work/rejects" || fail "$(cat "$work/rejects")"
cp "$work/good" "$feed"
run && expect 'length == 0'
for n in 501 502; do
	head -c $n "$work/good" >"$feed"
	run
	echo "$(count_rejects) $(grep -c 'kept before' "$work/said" || :)"
done >"$work/rejects"
printf '%s\n' '0 1' '0 0' | cmp - "$work/rejects" || fail "after a good one: $(cat "$work/rejects")"
cp "$work/good" "$feed"
run && expect 'length == 0'

note "a watcher sees the file written anew, in place, in parts and renamed"
start --from-now
{ echo "tag:b,11|http://b.example.org/11|Post 11|$long 11||b" && cat "$work/nine"; } | atom >"$work/next"
head -c 1000 "$work/next" >"$feed"
sleep 0.3 # half of it is there for a while
tail -c +1001 "$work/next" >>"$feed"
await_events 1 && expect_types 'post.add http://b.example.org/11'
{ echo "tag:b,12|http://b.example.org/12|Post 12|$long 12||b" && cat "$work/nine"; } | atom >"$work/next"
mv "$work/next" "$feed"
await_events 1 && expect_types 'post.add http://b.example.org/12'
[ "$(count_rejects)" = 0 ] || fail "a file that was being written is called broken"
: >"$feed"
await_said 'atom.xml: it is empty'
cp "$work/good" "$feed"
stop
expect 'length == 0'

note "forgotten a year after it was seen last, and not before"
write_conf "$feed" ''
echo "old|http://old.example.org/|Old|$long||o" | atom >"$feed"
touch -d '390 days ago' "$feed"
run --from-start && expect 'length == 1'
cp "$work/good" "$feed" && touch -d '1 day ago' "$feed"
run && expect 'length == 9'
"$builddir/tests/dump-outbox" planet feed/post/ >/dev/null || fail "nothing is remembered"
{ echo "old|http://old.example.org/|Old|$long||o" && cat "$work/nine"; } | atom >"$feed"
run && expect 'length == 0'
write_conf "$feed" ''
echo "old|http://old.example.org/|Old|$long||o" | atom >"$feed"
touch -d '440 days ago' "$feed"
run --from-start && expect 'length == 1'
cp "$work/good" "$feed" && touch -d '1 day ago' "$feed"
run && expect 'length == 9'
{ echo "old|http://old.example.org/|Old|$long||o" && cat "$work/nine"; } | atom >"$feed"
run && expect_types 'post.add http://old.example.org/'

write_conf "$feed" ''
echo "old|http://old.example.org/|Old|$long||o" | atom >"$feed"
touch -d '420 days ago' "$feed"
run --from-start && expect 'length == 1'
{ echo "old|http://old.example.org/|Old|$long||o" && cat "$work/nine"; } | atom >"$feed"
touch -d '392 days ago' "$feed"
run && expect 'length == 9'
cp "$work/good" "$feed" && touch -d '1 day ago' "$feed"
run && expect 'length == 0'
{ echo "old|http://old.example.org/|Old|$long||o" && cat "$work/nine"; } | atom >"$feed"
run && expect 'length == 0' # it was there 392 days ago

note "feeds added, removed, renamed"
write_conf '' "$ini"
cat >"$ini" <<'EOF'
# Planet Example
[Planet]
name = Planet Example
template_files = index.html.tmpl
[index.html.tmpl]
days_per_page = 7
[DEFAULT]
facewidth = 65
[http://anna.example.org/feed?a=%20b]
name = Anna
face = anna.png
[http://b.example.org/feed]
name = B
[reading.opml]
content_type = opml
EOF
touch -d 2026-11-22T09:45:00Z "$ini"
run --from-start
expect 'length == 2 and .[0].type == "org.debian.dev.planet.feed.add" and .[0].time == "2026-11-22T09:45:00.000000Z" and
	.[0].subject == "http://anna.example.org/feed?a=%20b" and .[0].data == {
		summary: "feed added: Anna (http://anna.example.org/feed?a=%20b)",
		url: "http://anna.example.org/feed?a=%20b", name: "Anna", face: "anna.png" }'
cp "$ini" "$work/ini.good"
sed -i 's/^name = B/name = Bert/; s,//anna,//anna2,' "$ini"
run
expect '(map({ key: (.type | sub(".*feed."; "")), value: . }) | from_entries) |
	length == 3 and .add.subject == "http://anna2.example.org/feed?a=%20b" and
	.remove.data == { summary: "feed removed: Anna (http://anna.example.org/feed?a=%20b)",
		url: "http://anna.example.org/feed?a=%20b", name: "Anna" } and
	.rename.data == { summary: "feed renamed: B is now Bert", url: "http://b.example.org/feed", name: "Bert",
		old_name: "B" }'
touch "$ini"
run && expect 'length == 0'
write_conf '' "$ini"
run --from-now && expect 'length == 0'
cp "$work/ini.good" "$ini"
run && expect 'length == 3'

note "a config.ini that is empty, cut short or gone removes no feed"
for i in $(seq 50); do
	printf '[http://many.example.org/%s]\nname = %s\n' "$i" "$i"
done >>"$work/ini.good"
cp "$work/ini.good" "$ini"
run && expect 'length == 50'
for n in 0 10 40 400; do
	head -c $n "$work/ini.good" >"$ini"
	run
	grep -q 'config.ini: ' "$work/said" || fail "cut to $n bytes: it is not said"
	expect 'length == 0'
done
rm "$ini"
run
printf '[Planet]\nname = x\nthis is no ini file\n' >"$ini"
run
grep -q 'config.ini: line 3: neither' "$work/said" || fail "the line is not named"
expect 'length == 0'
cp "$work/ini.good" "$ini"
run && expect 'length == 0'
start --from-now
sleep 0.2 # it may have read the file by now, or not
head -c 200 "$work/ini.good" >"$ini"
sleep 0.5 # half of it is there for a while
cp "$work/ini.good" "$ini"
sleep 2.5 # longer than a file is left alone
printf '[http://late.example.org/]\n' >>"$ini"
await_events 1
stop
expect_types 'feed.add http://late.example.org/'

note "every event is as its JSON Schema says"
status=0
"$srcdir/tests/cases/schema.py" "$srcdir/schemas" <"$work/ever" >"$work/said" || status=$?
[ $status = 0 ] || [ $status = 77 ] || fail "schemas"
[ $status = 0 ] || note "left out: $(cat "$work/said")"

note "all is well"
