#!/bin/sh
# lintian runs on a real package, and only on what the event named.
# shellcheck disable=SC2034
tools="lintian dpkg-source dpkg-deb curl python3"
. "${DEBMSG_SRCDIR:-.}/tests/handlers/lib.sh"

make_packages "$work/mirror"
pool=$work/mirror/pool/main/h/hello-bus
cp "$work/event.json" "$work/good.json"
export HANDLER_REPORTS="$work/reports" HANDLER_ARCHIVE="$work/mirror"
report=$work/reports/hello-bus_1.0-1_amd64.lintian

again_good() {
	cp "$work/good.json" "$work/event.json"
}

no_report() {
	[ ! -e "$report" ] || fail "there is a report"
}

note "source and binary from a local mirror"
ends 0 lintian 'tags in'
grep -q '^E: hello-bus: no-copyright-file' "$report" || fail "not a report of the binary package"
grep -q '^[A-Z]: hello-bus source: ' "$report" || fail "not a report of the source package"
cp "$report" "$work/report"
DEBMSG_RETRY=1 ends 0 lintian
cmp "$report" "$work/report" || fail "another report from a second try"
HANDLER_FAIL_ON=error ends 1 lintian 'HANDLER_FAIL_ON'
grep -q 'no-copyright-file' "$work/said" || fail "the tags are not the last output"
rm -r "$work/reports"

note "from a server; the second has it"
mkdir "$work/http"
echo 404 >"$work/http/mode"
background python3 "$srcdir/tests/handlers/server.py" "$work/http"
await 30 test -s "$work/http/port"
here=http://127.0.0.1:$(cat "$work/http/port")
HANDLER_ARCHIVE="$here $work/mirror/" ends 0 lintian 'tags in'
cmp "$report" "$work/report" || fail "another report from there"
jq -es '.[0].method == "GET" and (map(.path) | index("/pool/main/h/hello-bus/hello-bus_1.0.orig.tar.gz"))' \
	"$work/http/requests" >/dev/null || fail "it asked for something else"
rm -r "$work/reports"
HANDLER_ARCHIVE=$here ends 75 lintian 'not to be had'
HANDLER_ARCHIVE=http://127.0.0.1:1 ends 75 lintian 'not to be had'
echo hang >"$work/http/mode"
HANDLER_ARCHIVE=$here HANDLER_TIMEOUT=1 ends 75 lintian 'timed out'
head -c 3000000 /dev/zero >"$work/zero"
echo "$work/zero" >"$work/http/mode"
HANDLER_ARCHIVE=$here ends 75 lintian 'not to be had'
no_report

note "not what was accepted"
cp -R "$work/mirror" "$work/kept"
printf 'X' | dd of="$pool/hello-bus_1.0-1_all.deb" bs=1 seek=100 conv=notrunc 2>/dev/null
ends 65 lintian 'not what was accepted'
no_report
rm -r "$work/mirror" && cp -R "$work/kept" "$work/mirror"
echo >>"$pool/hello-bus_1.0-1.dsc"
ends 65 lintian 'not what was accepted'
rm -r "$work/mirror" && cp -R "$work/kept" "$work/mirror"
echo >>"$pool/hello-bus_1.0.orig.tar.gz"
change '.data.files |= map(select(.name | endswith(".dsc"))) | .data.files_total = 1'
ends 65 lintian 'not what was accepted'
no_report
rm -r "$work/mirror" && cp -R "$work/kept" "$work/mirror"

note "a .dsc that names what it should not"
again_good
for line in "0000 1 a.tar.gz" "$(printf %064d 0) 1 ../a.tar.gz" "$(printf %064d 0) 1 a b" "$(printf %064d 0) x a" \
	"$(printf %064d 0) 1 -a" "$(printf %064d 0) 1 /etc/passwd"; do
	printf 'Source: hello-bus\nChecksums-Sha256:\n %s\n' "$line" >"$pool/hello-bus_1.0-1.dsc"
	again_good
	change ".data.files |= map(if (.name | endswith(\".dsc\")) then
		.sha256 = \"$(sha256sum <"$pool/hello-bus_1.0-1.dsc" | cut -c 1-64)\" |
		.size = $(wc -c <"$pool/hello-bus_1.0-1.dsc") else . end)"
	ends 65 lintian 'has a file without'
done
no_report
rm -r "$work/mirror" && mv "$work/kept" "$work/mirror"

note "events"
again_good
change '.data.files |= map(select(.name | endswith(".deb"))) | .data.files_total = 4'
ends 0 lintian "only some of the upload's files"
again_good
HANDLER_SUITES='stable testing' ends 0 lintian 'nothing to do'
HANDLER_SUITES='stable unstable' ends 0 lintian 'tags in'
change 'del(.data.suites)'
HANDLER_SUITES=stable ends 0 lintian 'tags in'
change '.type = "org.debian.dev.dak.new.accept"'
ends 65 lintian 'not an accepted upload'
again_good
change '.data.files[].section = "non-free/misc"'
ends 75 lintian 'pool/non-free/h/hello-bus/'
change '.data.source = "libhello"'
ends 75 lintian 'pool/non-free/libh/libhello/'
again_good
HANDLER_MAX_SIZE=10 ends 65 lintian 'HANDLER_MAX_SIZE'
HANDLER_MAX_SIZE=many ends 78 lintian 'HANDLER_MAX_SIZE'
HANDLER_ARCHIVE=ftp://example.org ends 78 lintian 'HANDLER_ARCHIVE'
HANDLER_ARCHIVE='' ends 78 lintian 'HANDLER_ARCHIVE'
HANDLER_REPORTS=reports ends 78 lintian 'HANDLER_REPORTS'
note "all is well"
