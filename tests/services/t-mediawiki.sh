#!/bin/sh
# debmsg-wiki and a real MediaWiki: Debian's package, SQLite, PHP's own web
# server on loopback; edited by its maintenance scripts and through its API.
set -eu
umask 077

srcdir=$(CDPATH='' cd -- "${DEBMSG_SRCDIR:-.}" && pwd -P)
builddir=$(CDPATH='' cd -- "${DEBMSG_BUILDDIR:-.}" && pwd -P)
adapter=$builddir/debmsg-wiki
code=/usr/share/mediawiki
for tool in php jq /usr/bin/python3 openssl; do
	command -v $tool >/dev/null || {
		echo "$tool is not installed"
		exit 77
	}
done
[ -f $code/maintenance/install.php ] || {
	echo "mediawiki is not installed"
	exit 77
}
for module in pdo_sqlite sockets mbstring xml intl; do
	php -m | grep -qix "$module" || {
		echo "PHP has no $module (php-sqlite3, php-mbstring, php-xml, php-intl)"
		exit 77
	}
done

work=$(CDPATH='' cd -- "$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")" && pwd -P)
server='' feed='' watcher='' liar=''
stop() {
	[ -z "$1" ] || {
		kill "$1" 2>/dev/null || :
		wait "$1" 2>/dev/null || :
	}
}
cleanup() {
	status=$?
	stop "$watcher"
	stop "$feed"
	stop "$liar"
	stop_server
	rm -rf "$work"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
export LC_ALL=C.UTF-8 DEBMSG_CONF="$work/debmsg.conf" MW_CONFIG_FILE="$work/conf/LocalSettings.php"
export PYTHONDONTWRITEBYTECODE=1
datagrams=$srcdir/tests/services/datagrams.py
mediawiki=$srcdir/tests/services/mediawiki.py
password=correct-horse-7
seen=0

note() {
	echo "# $*"
}

fail() {
	echo "FAIL: $*" >&2
	for log in "$work/said" "$work/server.log"; do
		[ ! -s "$log" ] || tail -n 30 "$log" | sed "s|^|  ${log##*/}: |" >&2
	done
	exit 1
}

# await SECONDS COMMAND…: until it is true
await() {
	deadline=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt $deadline ] || return 1
		sleep 0.05
	done
}

# -- the wiki --

# PHP's server does not take its workers with it.
stop_server() {
	[ -n "$server" ] || return 0
	# shellcheck disable=SC2046 # a list of process ids
	kill "$server" $(cat "/proc/$server/task/$server/children" 2>/dev/null) 2>/dev/null || :
	wait "$server" 2>/dev/null || :
	server=
}

answers() {
	"$mediawiki" api "$api" -- action=query meta=siteinfo >/dev/null 2>&1
}

start_server() {
	PHP_CLI_SERVER_WORKERS=3 php -S "127.0.0.1:$web_port" -t $code >>"$work/server.log" 2>&1 &
	server=$!
	await 20 answers || fail "MediaWiki does not answer"
}

# Requests of the adapter so far.
requests() {
	grep -ac 'GET /api.php' "$work/server.log" || :
}

as_admin() {
	"$mediawiki" api "$api" Admin $password -- "$@" >"$work/answer"
}

as_nobody() {
	"$mediawiki" api "$api" -- "$@" >"$work/answer"
}

run_script() {
	script=$1
	shift
	php "$code/maintenance/$script.php" "$@" >"$work/answer" 2>&1 || {
		cat "$work/answer" >&2
		fail "$script.php $*"
	}
}

# edit PAGE TEXT COMMENT
edit() {
	printf '%s\n' "$2" | run_script edit -u Admin -s "$3" "$1"
}

# -- the adapter --

# write_conf [LINE…] in the wiki's section
write_conf() {
	cat >"$DEBMSG_CONF" <<-EOF
	environment = "dev"
	state-directory = "$work/state"
	trust-file = "$work/trust.conf"
	service "wiki" {
	  origin = "wiki.example.org/wiki"
	  rcfeed-address = "127.0.0.1:$feed_port"
	$(printf '  %s\n' "$@")
	}
	EOF
}

listens() {
	grep -q ":$(printf %04X "$feed_port") " /proc/net/udp
}

# start [OPTION]
start() {
	"$adapter" "$@" 2>>"$work/said" &
	watcher=$!
	await 20 listens || fail "debmsg-wiki does not listen"
}

halt() {
	stop "$watcher"
	watcher=
}

# It has not more than 16 MiB; with the sanitizers that says nothing.
is_small() {
	rss=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$watcher/status")
	note "  $rss KiB"
	grep -aq __asan_init "$adapter" || [ "$rss" -le 16384 ] || fail "$rss KiB"
}

once() {
	"$adapter" --once "$@" 2>>"$work/said" || fail "--once: exit status $?"
}

dump() {
	"$builddir/tests/dump-outbox" wiki
}

has_events() {
	[ "$(dump | wc -l)" -ge $((seen + $1)) ]
}

# expect COUNT 'JQ EXPRESSION' about the array of events since the last call
expect() {
	await 30 has_events "$1" || fail "$(($(dump | wc -l) - seen)) events come, not $1"
	dump >"$work/all"
	tail -n +$((seen + 1)) "$work/all" >"$work/new"
	seen=$(wc -l <"$work/all")
	jq -s -e "length == $1 and ($2)" "$work/new" >/dev/null || {
		jq -c '[.type, .subject, .data]' "$work/new" | tail -n 60 >&2
		fail "not so: $1 events, $2"
	}
}

is_said() {
	grep -q "$1" "$work/said"
}

# Each edit that the wiki has is announced, and none twice.
expect_all_edits() {
	"$mediawiki" changes "$work/data/wiki.sqlite" | sort -n >"$work/made"
	dump | jq 'select(.type | test("page[.](create|edit|revert)$")) | .data.revision // empty' |
		sort -n >"$work/announced"
	cmp "$work/made" "$work/announced" || {
		diff "$work/made" "$work/announced" | head -n 20 >&2
		fail "changes are missing (<) or announced too often (>)"
	}
}

note "installing MediaWiki"
feed_port=$("$datagrams" free)
wiki_port=$("$datagrams" free)
web_port=$("$datagrams" free)
api=http://127.0.0.1:$web_port/api.php
mkdir "$work/data" "$work/conf" "$work/images" "$work/cache" "$work/files"
php $code/maintenance/install.php --dbtype sqlite --dbname wiki --dbpath "$work/data" --confpath "$work/conf" \
	--server https://wiki.example.org --scriptpath '' --skins '' --pass $password 'A wiki' Admin >"$work/answer" 2>&1 || {
	cat "$work/answer" >&2
	fail "install.php"
}
cat >>"$MW_CONFIG_FILE" <<EOF
\$wgRCFeeds['bus'] = [
	'class' => 'UDPRCFeedEngine',
	'formatter' => 'JSONRCFeedFormatter',
	'uri' => 'udp://127.0.0.1:$wiki_port',
];
\$wgUploadDirectory = '$work/images';
\$wgCacheDirectory = '$work/cache';
\$wgEnableUploads = true;
\$wgMainCacheType = CACHE_NONE;
\$wgRateLimits = [];
\$wgJobRunRate = 0;
\$wgArticlePath = '/w/\$1';
\$wgGroupPermissions['sysop']['deleterevision'] = true;
\$wgGroupPermissions['sysop']['bot'] = true;
EOF
echo pass >"$work/mode"
"$datagrams" pass "$wiki_port" "$feed_port" "$work/mode" "$work/kept" >"$work/passing" &
feed=$!
await 20 grep -q ready "$work/passing" || fail "no datagrams can be passed on"
write_conf "api-url = \"$api\""
start_server

note "the first start: from now, and from the start"
edit 'Main Page' 'An edit' 'before the bus'
once --from-now
expect 0 true
rm -r "$work/state"
once --from-start
expect 2 '.[0].type == "org.debian.dev.wiki.page.create" and .[0].data.url == "https://wiki.example.org/w/Main_Page"
	and .[1].data.comment == "before the bus" and .[1].data.old_revision == .[0].data.revision'
once --from-start
expect 0 true

note "what is done by scripts"
start
edit 'Tëst page' 'One' 'a comment'
expect 1 '.[0].type == "org.debian.dev.wiki.page.create" and .[0].subject == "Tëst page" and
	(.[0].data | .page == "Tëst page" and .comment == "a comment" and .user == "Admin" and .user_id == "1" and
	.engine == "mediawiki" and .revision > 2 and .url == "https://wiki.example.org/w/T%C3%ABst_page")'
edit 'Tëst page' 'Two' 'another'
expect 1 '.[0].type == "org.debian.dev.wiki.page.edit" and .[0].data.old_revision == .[0].data.revision - 1'
printf 'T\303\253st page|New page\n' | run_script moveBatch -u Admin -r 'a better name'
expect 1 '.[0].type == "org.debian.dev.wiki.page.rename" and .[0].subject == "New page" and
	(.[0].data | .page == "New page" and .old_page == "Tëst page" and .comment == "a better name")'
echo 'New page' | run_script deleteBatch -u Admin -r 'not needed'
expect 1 '.[0].type == "org.debian.dev.wiki.page.delete" and .[0].subject == "New page" and .[0].data.user == "Admin"'
run_script undelete -u Admin -r 'needed' 'New page'
expect 1 '.[0].type == "org.debian.dev.wiki.page.create" and .[0].subject == "New page"'
cp $code/resources/assets/mediawiki.png "$work/files/Logo.png"
run_script importImages --user Admin --comment 'a logo' "$work/files"
expect 1 '.[0].type == "org.debian.dev.wiki.attachment.add" and .[0].subject == "File:Logo.png" and
	(.[0].data | .page == "File:Logo.png" and .file == "Logo.png" and .user == "Admin")'
cp $code/resources/assets/wiki.png "$work/files/Logo.png"
run_script importImages --overwrite --user Admin --comment 'a better logo' "$work/files"
expect 1 '.[0].type == "org.debian.dev.wiki.attachment.add" and (.[0].data.comment | endswith("a better logo"))'

note "what is done through the API, with an account and without"
as_admin action=delete 'title=File:Logo.png' reason=gone
expect 1 '.[0].type == "org.debian.dev.wiki.attachment.remove" and .[0].data.file == "Logo.png"'
as_admin action=edit title=Page text=good 'summary=<b>"good"</b>' minor=1
expect 1 '.[0].type == "org.debian.dev.wiki.page.create" and .[0].data.comment == "<b>\"good\"</b>"'
as_nobody action=edit title=Page text=bad 'summary=I am at 192.0.2.77, or [2001:db8::77]'
expect 1 '.[0].type == "org.debian.dev.wiki.page.edit" and (.[0].data | (has("user") or has("user_id")) == false) and
	.[0].data.comment == "I am at (address), or [(address)]"'
as_admin action=rollback title=Page user=127.0.0.1
expect 1 '.[0].type == "org.debian.dev.wiki.page.revert" and .[0].data.user == "Admin" and
	(.[0].data.comment | contains("(address)"))'
as_admin action=edit title=Page text=worse bot=1 minor=1
worse=$(jq .edit.newrevid "$work/answer")
as_admin action=edit title=Page "undo=$worse"
expect 2 '(.[0].data | .minor and .bot) and .[1].type == "org.debian.dev.wiki.page.revert"'
as_nobody action=edit 'title=User talk:192.0.2.77' text=hello
as_nobody action=edit 'title=User:Anna' text=hello
as_admin action=edit 'title=192.0.2.77' 'text=an address that is worth a page'
as_admin action=move 'from=User talk:192.0.2.77' to=Elsewhere
as_admin action=protect title=Page protections=edit=sysop reason=calm
as_admin action=block user=192.0.2.77 expiry=1day reason=vandal
expect 2 '.[0].subject == "User:Anna" and .[1].subject == "192.0.2.77"'

note "what was hidden before it was read"
halt
as_nobody action=edit title=Elsewhere text=secret 'summary=a secret'
secret=$(jq .edit.newrevid "$work/answer")
as_admin action=revisiondelete type=revision "ids=$secret" 'hide=comment|user' reason=private
start
expect 1 '.[0].subject == "Elsewhere" and (.[0].data | (has("comment") or has("user")) == false)'

note "no address is in any event, and all fit their schemas"
! dump | jq .data | grep -v '"192.0.2.77' | grep -E '127\.0\.0\.1|192\.0\.2\.77: |2001:db8' || fail "an address"
[ "$(dump | jq -c 'select(.data | tostring | test("(192[.]0[.]2[.]77)|(127[.]0[.]0[.]1)")) | .subject' | sort -u)" = '"192.0.2.77"' ] ||
	fail "an address"
dump | "$srcdir/tests/cases/schema.py" "$srcdir/schemas" || [ $? = 77 ] || fail "not as in schemas/"
expect 0 true

note "datagrams that are lost, cut off, or never come"
for mode in half cut; do
	echo $mode >"$work/mode"
	"$mediawiki" edit "$api" "Page $mode" 30
	echo pass >"$work/mode"
	edit "Page $mode" '' 'the datagram of this one comes'
	expect 31 'all(.[]; .subject | startswith("Page "))'
done
echo drop >"$work/mode"
halt
"$mediawiki" edit "$api" "While away" 20
start
expect 20 'all(.[]; .subject | startswith("While away"))'
"$mediawiki" edit "$api" "Unheard" 5
await 100 has_events 5 || fail "a lost last datagram is not noticed within a minute and a half"
expect 5 true
echo pass >"$work/mode"

note "forged datagrams"
"$datagrams" forge "$feed_port"
edit 'After that' 'text' ''
expect 1 '.[0].subject == "After that"'
before=$(requests) began=$(date +%s)
"$datagrams" flood "$feed_port" 30000
edit 'After the flood' 'text' ''
expect 1 '.[0].subject == "After the flood"'
more=$(($(requests) - before)) limit=$((25 + $(date +%s) - began))
[ $more -le $limit ] || fail "$more requests for forged datagrams, more than $limit"
kill -0 "$watcher" || fail "debmsg-wiki ended"

note "the API is away for a while"
halt
: >"$work/said"
start
stop_server
edit 'Meanwhile' 'text' ''
await 20 is_said 'trying again until it works' || fail "it does not say that the API is away"
edit 'Meanwhile' 'more text' ''
status=0
sed "s/$feed_port/$("$datagrams" free)/; s|$work/state|$work/other|" "$DEBMSG_CONF" >"$work/other.conf"
"$adapter" -c "$work/other.conf" --once 2>/dev/null || status=$?
[ $status = 75 ] || fail "--once without the API: exit status $status, not 75"
start_server
await 60 is_said 'works again' || fail "it does not say that it works again"
expect 2 '.[1].subject == "Meanwhile" and .[1].type == "org.debian.dev.wiki.page.edit"'

note "kill -9 at any moment, 25 times while there are edits"
"$mediawiki" edit "$api" Busy 400 &
editing=$!
kills=0
while kill -0 $editing 2>/dev/null || [ $kills -lt 25 ]; do
	kill -9 "$watcher"
	wait "$watcher" 2>/dev/null || :
	"$adapter" 2>>"$work/said" &
	watcher=$!
	sleep "0.$(od -An -N1 -tu1 /dev/urandom | tr -d ' ')"
	kills=$((kills + 1))
done
wait $editing || fail "the wiki refuses edits"
note "  killed $kills times"
halt
start
expect 400 'all(.[]; .subject | startswith("Busy "))'

note "the table of recent changes is rebuilt, all numbers are new"
halt
once
"$mediawiki" rebuild "$work/data/wiki.sqlite"
once
expect 0 true
edit 'After all' 'text' ''
once
expect 1 '.[0].subject == "After all"'

note "idle: no CPU, little memory"
start
await 20 has_events 0
edit 'Last' 'text' ''
expect 1 true
before=$(requests)
ticks() {
	cut -d ' ' -f 14,15 "/proc/$watcher/stat"
}
used=$(ticks)
sleep 5
[ "$used" = "$(ticks)" ] || fail "it uses the CPU while nothing happens: $used, then $(ticks)"
[ $(($(requests) - before)) -le 1 ] || fail "it asks while nothing happens"
is_small
halt

note "100,000 old changes"
rm -r "$work/state"
"$mediawiki" fill "$work/data/wiki.sqlite" 100000
once --from-now
[ "$(dump | wc -l)" = 0 ] || fail "--from-now announces what was there"
rm -r "$work/state"
began=$(date +%s)
start --from-start
all_are_there() {
	[ "$("$mediawiki" changes "$work/data/wiki.sqlite" | wc -l)" -le "$(dump | wc -l)" ]
}
await 300 all_are_there || fail "--from-start does not announce all"
note "  $(($(date +%s) - began)) s"
is_small
halt
once
expect_all_edits

note "APIs that lie"
rm -r "$work/state"
lie() {
	: >"$work/lies"
	"$srcdir/tests/services/liar.py" "$liar_port" "$@" >"$work/lies" 2>&1 &
	liar=$!
	await 20 grep -q ready "$work/lies" || fail "liar.py $*"
}
# try_lie KIND WORDS [CERTIFICATE]: said, exit status 75, and nothing announced
try_lie() {
	lie "$1" ${3:+"$3"}
	: >"$work/said"
	status=0
	"$adapter" --once --from-start 2>>"$work/said" || status=$?
	stop $liar
	[ $status = 75 ] || fail "$1: exit status $status, not 75"
	is_said "$2" || fail "$1: it does not say: $2"
}
liar_port=$("$datagrams" free)
write_conf "api-url = \"http://127.0.0.1:$liar_port/api.php\""
try_lie busy 'answers 503'
try_lie maxlag 'maxlag: Waiting'
try_lie redirect 'a redirect, which is not followed'
try_lie html 'not JSON'
try_lie huge 'more than 8388608 bytes'
try_lie deep 'not JSON'
try_lie many 'more than 60000 values'
try_lie timeless 'what time it is'
try_lie slow 'timed out'
try_lie loop 'does not go on'
try_lie endless 'does not go on'
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2 \
	-keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"
write_conf "api-url = \"https://localhost:$liar_port/api.php\""
try_lie html certificate "$work/both.pem"

note "the wiki's clock is set back, and forth"
rm -rf "$work/state"
seen=0
write_conf "api-url = \"http://127.0.0.1:$liar_port/api.php\""
rows=$work/rows
# look COUNT CLOCK: a look at the rows when it is then
look() {
	{
		echo "2026-01-01T$2Z"
		sort "$rows"
	} >"$work/table"
	once --from-start
	expect "$1" true
}
row() {
	echo "2026-01-01T$1Z $2" >>"$rows"
}
lie "$work/table"
row 10:00:00 1
row 10:20:00 2
look 2 10:20:01
row 10:20:00 3
row 10:15:00 4		# five minutes late
look 2 10:20:02
row 10:15:00 5
look 1 11:50:00		# and this one is found after a long time away
row 10:14:00 6		# too late
look 0 12:00:00
row 11:59:59 7
look 1 12:00:00
look 0 15:00:00
row 09:00:00 8		# now it is set back
look 1 09:00:01
look 0 09:00:02
row 09:00:05 9
look 1 09:00:06
row 12:05:00 10		# and right again
look 1 12:05:00
look 0 12:30:00
row 12:29:00 11
row 12:29:10 12
look 2 12:30:01
sed -i 's/12:29:10Z 12$/12:29:50Z 12/' "$rows"	# restored from a copy, it gives its numbers again
look 1 12:30:02
look 0 12:30:03
stop $liar

note "told to end, it does not wait for an answer"
rm -rf "$work/state"
: >"$work/said"
lie slow
start
await 20 grep -q '[.]' "$work/lies" || fail "it does not ask"
began=$(date +%s)
kill "$watcher"
wait "$watcher" || fail "exit status $?"
watcher=
! is_said 'trying again' || fail "it says that something failed"
[ $(($(date +%s) - began)) -le 5 ] || fail "it waits for $(($(date +%s) - began)) s"
stop $liar

note "what has no end is not asked for without one"
for kind in endless back; do
	rm -rf "$work/state"
	lie $kind
	"$adapter" 2>>"$work/said" &
	watcher=$!
	await 20 grep -q '[.]' "$work/lies" || fail "it does not ask"
	sleep 5
	halt
	stop $liar
	[ "$(grep -c '[.]' "$work/lies")" -le 5 ] || fail "$kind: $(grep -c '[.]' "$work/lies") requests in 5 s"
done

note "Retry-After is kept"
rm -rf "$work/state"
write_conf "api-url = \"http://127.0.0.1:$liar_port/api.php\""
lie busy
"$adapter" 2>>"$work/said" &
watcher=$!
asked_twice() {
	[ "$(wc -l <"$work/lies")" -ge 3 ]
}
await 30 asked_twice || fail "it does not ask again"
sed -n '2,3p' "$work/lies" | jq -s -e '.[1] - .[0] > 5.9' >/dev/null || fail "too early: $(cat "$work/lies")"
halt
stop $liar

note "without api-url: what the datagrams say"
rm -r "$work/state"
seen=0
: >"$work/said"
write_conf 'url = "https://wiki.example.org/{page}"'
start
: >"$work/kept"
edit 'Heard' 'One' 'from 192.0.2.77'
as_nobody action=edit title=Heard text=Two
printf 'Heard|Heard again\n' | run_script moveBatch -u Admin
expect 3 '(.[0].data | .user == "Admin" and .comment == "from (address)" and .url == "https://wiki.example.org/Heard") and
	(.[1].data | has("user") == false) and .[2].data.old_page == "Heard"'
"$datagrams" send "$feed_port" "$work/kept"
"$datagrams" forge "$feed_port"
halt
once
dump | jq -e -s 'length >= 3 and ([.[] | select(.data.user != "Mallory" and (.subject | startswith("Heard")))] | length == 3)' >/dev/null ||
	fail "what was heard twice is announced twice"
is_said 'cannot become an event' || fail "a bad datagram is not kept"
sed "s/127.0.0.1:$feed_port/0.0.0.0:$feed_port/" "$DEBMSG_CONF" >"$work/other.conf"
status=0
"$adapter" -c "$work/other.conf" --once 2>"$work/said" || status=$?
[ $status = 78 ] || fail "datagrams from anywhere are believed: exit status $status"
is_said 'set api-url' || fail "it does not say what to do"
for url in http://wiki.example.org/api.php https://anna:secret@wiki.example.org/api.php ftp://localhost/api.php \
	'http://localhost/api.php?x=y' localhost/api.php http://127.evil.example.org/api.php; do
	write_conf "api-url = \"$url\""
	status=0
	"$adapter" --once 2>"$work/said" || status=$?
	[ $status = 78 ] || fail "api-url $url: exit status $status"
	! grep -q secret "$work/said" || fail "a password is shown"
done
note "all is well"
