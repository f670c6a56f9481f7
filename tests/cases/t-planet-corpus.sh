#!/bin/sh
# Every feed that the rules of XML allow is read, in little memory; the rest is
# refused with a reason.  Python's expat and codecs are the judges of what is
# XML, its configparser of what is a configuration.
#
#   DEBMSG_BUILDDIR=... DEBMSG_SRCDIR=... tests/cases/t-planet-corpus.sh
. "${DEBMSG_SRCDIR:-.}/tests/cases/planet-lib.sh"

parse=$builddir/tests/parse-feed
command -v python3 >/dev/null || {
	echo "python3 is not installed"
	exit 77
}

# limited COMMAND…: in 64 MiB; the largest files need more of it with the sanitizers' own
asan_mb=64
limited() {
	if $sanitized; then
		ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}hard_rss_limit_mb=$asan_mb:quarantine_size_mb=1" "$@"
	else
		prlimit --as=67108864 "$@"
	fi
}

# judge_feeds LIST
judge_feeds() {
	: >"$work/said-of"
	split -l 100 "$1" "$work/part."
	for part in "$work"/part.*; do
		# shellcheck disable=SC2046 # no blanks in the names
		limited "$parse" $(cat "$part") >>"$work/said-of" || fail "it ended with status $?"
	done
	rm "$work"/part.*
	python3 "$srcdir/tests/cases/planet-judge.py" "$1" <"$work/said-of" || fail "the judge says otherwise"
}

note "our own cases"
find "$srcdir/tests/cases/planet" -name '*.xml' | sort >"$work/list"
[ "$(wc -l <"$work/list")" -ge 10 ] || fail "they are missing"
judge_feeds "$work/list"
for file in "$srcdir"/tests/cases/planet/*.ini; do
	"$parse" --config "$file" | python3 "$srcdir/tests/cases/planet-config-judge.py" "$file" || fail "$file"
done

asan_mb=128
note "the larger they are: bombs, deep ones, long ones, in 64 MiB and 10 seconds of the processor"
big=$work/big
mkdir "$big"
awk 'BEGIN { print "<!DOCTYPE feed [<!ENTITY a0 \"lol\">"
	for (i = 1; i < 40; i++) printf "<!ENTITY a%d \"&a%d;&a%d;&a%d;\">\n", i, i - 1, i - 1, i - 1
	print "]><feed>&a39;</feed>" }' >"$big/laughs.xml"
awk 'BEGIN { printf "<!DOCTYPE feed [<!ENTITY a \""; for (i = 0; i < 100000; i++) printf "0123456789"
	printf "\">]><feed>"; for (i = 0; i < 100000; i++) printf "&a;"; print "</feed>" }' >"$big/quadratic.xml"
awk 'BEGIN { for (i = 0; i < 1000000; i++) printf "<feed>" }' >"$big/deep.xml"
awk 'BEGIN { printf "<feed a=\""; for (i = 0; i < 1000000; i++) printf "0123456789"; print "\"/>" }' >"$big/attribute.xml"
awk 'BEGIN { printf "<feed><!--"; for (i = 0; i < 1000000; i++) printf "0123456789"; print "--></feed>" }' >"$big/comment.xml"
awk 'BEGIN { printf "<feed"; for (i = 0; i < 100000; i++) printf " a%d=\"\"", i; print "/>" }' >"$big/attributes.xml"
awk 'BEGIN { printf "<feed>"; for (i = 0; i < 1300000; i++) printf "<q%07d/>", i; print "</feed>" }' >"$big/names.xml"
awk 'BEGIN { printf "<feed>"; for (i = 0; i < 6000; i++) { printf "<a"; for (j = 0; j < 200; j++) printf " b%d=\"\"", i * 200 + j
	printf "/>" } print "</feed>" }' >"$big/attribute-names.xml"
awk 'BEGIN { printf "<feed>"; for (i = 0; i < 50000; i++) printf "<a%d/>", i; print "</feed>" }' >"$big/some-names.xml"
awk -v n=990 'BEGIN { printf "<feed xml:base=\"http://e/"; while (n--) printf "a/"; printf "\">"
	for (i = 0; i < 50000; i++) printf "<entry><link href=\"%d\"/></entry>", i; print "</feed>" }' >"$big/addresses.xml"
awk 'BEGIN { printf "<feed>"; for (i = 0; i < 100001; i++) printf "<entry><id>%d</id></entry>", i; print "</feed>" }' >"$big/posts.xml"
awk 'BEGIN { printf "<feed>"; for (i = 0; i < 100000; i++)
		printf "<entry><id>tag:e,2024:%d</id><link href=\"http://example.org/%d\"/><title>Title %d</title>%040d</entry>",
			i, i, i, 0
	print "</feed>" }' >"$big/honest.xml"
awk 'BEGIN { printf "<feed><entry><title>"; for (i = 0; i < 1000000; i++) printf "&lt;b> 0123"; print "</title></entry></feed>" }' >"$big/title.xml"
awk 'BEGIN { printf "<feed>"; for (i = 0; i < 60000; i++) printf "<entry><id>%d</id></entry>", i; print "</feed>" }' >"$big/entries.xml"
awk -v n=32000 'BEGIN { printf "<feed xml:base=\"http://e/"; while (n--) printf "a/"; printf "\"><entry><id>1</id>"
	for (i = 0; i < 200000; i++) printf "<link href=\"x\"/>"; print "</entry></feed>" }' >"$big/base.xml"
awk -v n=990 'BEGIN { printf "<feed xml:base=\"http://e/"; while (n--) printf "a/"; printf "\"><entry><id>1</id>"
	for (i = 0; i < 700000; i++) printf "<a xml:base=\".\"/>"; print "</entry></feed>" }' >"$big/dots.xml"
awk -v n=990 'BEGIN { printf "<feed xml:base=\"http://e/"; while (n--) printf "a/"; printf "\"><entry><id>1</id>"
	for (i = 0; i < 200000; i++) printf "<link href=\"x\"/>"; print "</entry></feed>" }' >"$big/links.xml"
for file in "$big"/*.xml; do
	limited prlimit --cpu=10 "$parse" "$file" >"$work/said" || fail "$file: status $?"
	! grep -q 'out of memory' "$work/said" || fail "$file: it is blamed on the memory"
	case $file in
	*/some-names.xml | */honest.xml | */title.xml | */entries.xml | */base.xml | */links.xml) grep -q ^ok "$work/said" || fail "$file is refused" ;;
	*) grep -q ^error "$work/said" || fail "$file is read" ;;
	esac
done

awk 'BEGIN { print "[Planet]\n[DEFAULT]"; printf "name = "; for (i = 0; i < 65536; i++) printf "n"; print ""
	for (i = 0; i < 19998; i++) print "[h:" i "]" }' >"$big/name.ini"
awk 'BEGIN { print "[Planet]"; for (i = 0; i < 900000; i++) print "[" i "]" }' >"$big/sections.ini"
awk 'BEGIN { print "[Planet]"; for (i = 0; i < 2000000; i++) print "a=" }' >"$big/values.ini"
for file in "$big"/*.ini; do
	limited prlimit --cpu=4 "$parse" --config "$file" >"$work/said" || fail "$file: status $?"
	case $file in
	*/name.ini) [ "$(wc -l <"$work/said")" = 19998 ] || fail "$file is refused" ;;
	*) grep -q '^error.*line .*: more than' "$work/said" || fail "$file is read" ;;
	esac
done

if [ -d "$data" ]; then
	note "the collected feeds"
	find "$data" -type f ! -name '*.ini' ! -name '*.txt' ! -name '*.csv' | sort >"$work/list"
	judge_feeds "$work/list"
	note "the collected configurations"
	find "$data" -type f -name '*.ini' | sort >"$work/list"
	while read -r file; do
		"$parse" --config "$file" | python3 "$srcdir/tests/cases/planet-config-judge.py" "$file" || fail "$file"
	done <"$work/list"
	wc -l <"$work/list"
else
	note "left out: there is no $data"
fi

note "all is well"
