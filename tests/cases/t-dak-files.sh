#!/bin/sh
# Removals, migration to testing, suites and dinstall: files that are appended
# to, rotated, rewritten and half written.
#
#   DEBMSG_BUILDDIR=... DEBMSG_SRCDIR=... tests/cases/t-dak-files.sh
# shellcheck disable=SC2119 # some calls have no arguments
. "${DEBMSG_SRCDIR:-.}/tests/cases/dak-lib.sh"

misc=$work/misc
stanzas=0
stanza() {
	printf 'Date: Sat, 18 Mar 2023 13:52:01 +0000\nFtpmaster: Scott K\nSuite: %s\nSources:\n %s\n' "$2" "$1"
	printf 'Binaries:\n libfoo1_1.0-1+b2 [amd64, i386]\n foo-doc_1.0-1 [all]\n'
	printf 'Reason: RoM; %s\n second line ☃\nBug: 5, 6\nAlso-Bugs: 7 8\nAlso-WNPP: 9%02d\n\n' "${3:-old}" $((stanzas += 1))
}

note "removals: one event for each stanza"
begin "removals-file = \"$misc/removals.822\""
run
stanza foo_1:1.0-1 'unstable, experimental and testing' >"$misc/removals.822"
run
expect 'length == 1 and (.[0] | .t == "package.remove" and .subject == "foo" and .time == "2023-03-18T13:52:01.000000Z" and
	(.data | .suites == ["unstable", "experimental", "testing"] and .sources == [{name: "foo", version: "1:1.0-1"}] and
	.binaries == [{name: "libfoo1", version: "1.0-1+b2", architectures: ["amd64", "i386"]},
		{name: "foo-doc", version: "1.0-1", architectures: ["all"]}] and .ftpmaster == "Scott K" and
	.reason == "RoM; old  second line ☃" and .bugs == [5, 6] and .also_bugs == [7, 8] and .wnpp_bugs == [901]))'

note "a stanza in pieces, with a restart between"
stanza bar_2 unstable >"$work/piece"
head -c 100 "$work/piece" >>"$misc/removals.822"
run
tail -c +101 "$work/piece" | head -c 100 >>"$misc/removals.822"
run
expect 'length == 0'
tail -c +201 "$work/piece" >>"$misc/removals.822"
run
expect '[.[].subject] == ["bar"]'

note "what is no stanza is kept and named, the next one is published; dak that died within one"
{
	printf 'Date: nonsense\nSuite: unstable\nSources:\n x1_1\n\nno field\n\n'
	stanza cut_1 unstable | head -n 5
	stanza next_1 'unstable and embargoed'
	stanza secret_1 embargoed
} >>"$misc/removals.822"
run
expect '[.[].subject] == ["cut", "next"] and .[1].data.suites == ["unstable"]'
is_said ' 2 events, 2 rejected'
is_said 'removals.822: stanza at byte'

note "rotated each year, with something unread in the old file"
stanza december_1 unstable >>"$misc/removals.822"
mv "$misc/removals.822" "$misc/removals-2022.822"
stanza january_1 unstable >"$misc/removals.822"
run
expect '[.[].subject] == ["december", "january"]'
run
expect 'length == 0'

note "several sources, and an event that would be too large"
max_event_size=2048 begin "removals-file = \"$misc/removals.822\""
{
	printf 'Date: Sat, 18 Mar 2023 13:52:01 +0000\nFtpmaster: A\nSuite: unstable\nSources:\n'
	for i in $(seq 1000); do printf ' pkg%d_%d\n' "$i" "$i"; done
	printf 'Reason: RoM\n\n'
} >"$misc/removals.822"
run --from-start
expect 'length == 1 and (.[0] | .subject == "pkg1" and .data.sources_total == 1000 and (.data.sources | length) < 1000 and
	.data.summary == "pkg1 1 and 999 more removed from unstable: RoM")'

# For files that are read when nobody has written to them for two seconds.
old() {
	touch -d '5 seconds ago' "$1"
}

note "migration: a line each, and no line twice in a row"
begin "heidi-file = \"$misc/Delta\""
printf '#HeidiDelta\nold 1\n' >"$misc/Delta"
old "$misc/Delta"
run
expect 'length == 0'
printf '#HeidiDelta\nfoo 1:1.0-1\n-bar 2\nbaz 3+b1 amd64\n-qux 4 i386\nno line at all here\n' >"$misc/Delta"
old "$misc/Delta"
run
expect '[.[] | [.t, .subject, .data.source, .data.package, .data.version, .data.architecture]] == [
	["testing.migrate", "foo", "foo", null, "1:1.0-1", null], ["testing.remove", "bar", "bar", null, "2", null],
	["testing.migrate", "baz", null, "baz", "3+b1", "amd64"], ["testing.remove", "qux", null, "qux", "4", "i386"]]'
is_said 'Delta: line 6'
cp "$misc/Delta" "$misc/again"
mv "$misc/again" "$misc/Delta"
old "$misc/Delta"
run
expect 'length == 0'
printf '#HeidiDelta\nfoo 1:1.0-1\nmore 1\n' >"$misc/Delta"
old "$misc/Delta"
run
expect '[.[].subject] == ["more"]'

note "half written: left alone"
printf '#HeidiDelta\nhalf 1\nsecon' >"$misc/Delta"
old "$misc/Delta"
run
expect 'length == 0'
: >"$misc/Delta"
old "$misc/Delta"
run
expect 'length == 0'
printf '#HeidiDelta\nhalf 1\n' >"$misc/Delta"
"$dak" --once 2>"$work/said" &
once=$!
until grep -q '^State:.S' "/proc/$once/status"; do sleep 0.01; done # it waits for the rest
expect 'length == 0'
printf 'second 2\n' >>"$misc/Delta"
wait $once || fail "debmsg-dak: exit status $?"
expect '[.[].subject] == ["half", "second"]'

# inrelease SUITE CODENAME DATE
inrelease() {
	printf -- '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nLabel: Debian\nSuite: %s\nCodename: %s\n' "$1" "$2"
	printf 'Date: %s\nValid-Until: Sat, 25 Mar 2023 13:52:01 UTC\nArchitectures: all amd64\nComponents: main contrib\nMD5Sum:\n' "$3"
	printf ' d41d8cd98f00b204e9800998ecf8427e 0 main/x\n-----BEGIN PGP SIGNATURE-----\n\niHUE\n-----END PGP SIGNATURE-----\n'
}

note "suites: one event for each InRelease, however many names it has"
zzz=$work/zzz-dists
rm -rf "$zzz"
mkdir -p "$zzz/sid" "$zzz/bookworm"
begin "dists-directory = \"$work/dists\""
ln -s ../zzz-dists/sid "$work/dists/sid"
ln -s sid "$work/dists/unstable"
ln -s nowhere "$work/dists/dangling"
echo >"$work/dists/README"
inrelease unstable sid 'Sat, 18 Mar 2023 13:52:01 UTC' >"$zzz/sid/InRelease"
run
expect 'length == 0'
inrelease unstable sid 'Sat, 18 Mar 2023 19:52:01 UTC' >"$zzz/sid/InRelease"
run
expect "length == 1 and (.[0] | .t == \"archive.publish\" and .subject == \"unstable\" and .time == \"2023-03-18T19:52:01.000000Z\" and
	(.data | .suite == \"unstable\" and .codename == \"sid\" and .architectures == [\"all\", \"amd64\"] and
	.components == [\"main\", \"contrib\"] and .valid_until == \"2023-03-25T13:52:01.000000Z\" and
	.inrelease_sha256 == \"$(sha256sum "$zzz/sid/InRelease" | cut -d' ' -f1)\"))"
cp "$zzz/sid/InRelease" "$work/whole"

note "removed, half written, written again with the same content; a new suite; a private one"
rm "$zzz/sid/InRelease"
run
head -c 200 "$work/whole" >"$zzz/sid/InRelease"
run
cat "$work/whole" >"$zzz/sid/InRelease"
run
expect 'length == 0'
ln -s ../zzz-dists/bookworm "$work/dists/stable"
inrelease stable bookworm 'Sat, 18 Mar 2023 19:52:01 UTC' >"$zzz/bookworm/InRelease"
mkdir "$work/dists/embargoed"
inrelease embargoed embargoed 'Sat, 18 Mar 2023 19:52:01 UTC' >"$work/dists/embargoed/InRelease"
run
expect '[.[].subject] == ["stable"]'

note "only what is signed counts; what stays wrong is kept, and the others go on"
{
	echo 'Suite: foreign'
	cat "$work/whole"
} >"$zzz/sid/InRelease"
touch -d '2 minutes ago' "$zzz/sid/InRelease"
inrelease stable bookworm 'Sun, 19 Mar 2023 19:52:01 UTC' >"$zzz/bookworm/InRelease"
run
expect '[.[].subject] == ["stable"]'
is_said 'sid/InRelease: clear-signed text'
run
is_said ' 0 events, 0 rejected'

note "dinstall"
begin "trace-file = \"$misc/trace\"" "dinstall-status-file = \"$misc/status\""
run
status() {
	printf 'Dinstall start: Sat Mar 18 13:52:01 UTC 2023 (%d)\nCurrent action: %s\nAction start: Sat Mar 18 13:59:01 UTC 2023 (1679147941)\n' \
		"$1" "$2" >"$misc/status"
}
trace() {
	printf 'Sat Mar 18 14:52:01 UTC 2023\nCreator: dak gabc\nRunning on host: fasolo\nArchive serial: %s\n' "$1" >"$misc/trace"
	run
	printf 'Date: Sat, 18 Mar 2023 14:52:01 +0000\nArchitectures: all amd64 source\n' >>"$misc/trace"
}
status 1679147521 startup
trace 2023031801
run
expect 'length == 0'
status 1679147521 indices
run
expect 'length == 0'
status 1679169121 startup
trace 2023031802
run
expect '[.[] | [.t, .subject]] | sort == [["dinstall.finish", "2023031802"], ["dinstall.start", "2023-03-18T19:52:01.000000Z"]]'
expect 'length == 0'
trace 2023031802
run
expect 'length == 0'

note "every event is as its JSON Schema says"
status=0
"$srcdir/tests/cases/schema.py" "$srcdir/schemas" <"$work/every" >"$work/said" 2>"$work/warnings" || status=$?
[ $status = 0 ] || [ $status -ge 77 ] || fail "schemas"
[ $status = 0 ] || note "left out: there is no python3-jsonschema"

note "all is well"
