#!/bin/sh
# Jenkins and Mastodon get what they should, once, and never the text's will.
# shellcheck disable=SC2034
tools="python3 curl"
. "${DEBMSG_SRCDIR:-.}/tests/handlers/lib.sh"

mkdir "$work/http"
background python3 "$srcdir/tests/handlers/server.py" "$work/http"
await 30 test -s "$work/http/port"
HANDLER_URL=http://127.0.0.1:$(cat "$work/http/port")
HANDLER_TOKEN_FILE=$work/token
export HANDLER_URL HANDLER_TOKEN_FILE

server() {
	echo "$1" >"$work/http/mode"
	: >"$work/http/requests"
}

# asked 'JQ EXPRESSION' about the array of requests
asked() {
	jq -s -e "$1" "$work/http/requests" >/dev/null || {
		jq . "$work/http/requests" >&2
		fail "not so: $1"
	}
}

no_secret() {
	! grep -q 's3cr' "$work/said" || fail "the secret is said"
}

# Sees the arguments of every curl, and then is one.
mkdir "$work/bin"
printf '#!/bin/sh\nprintf "%%s\\n" "$*" >>"%s/argv"\nenv >>"%s/argv"\nexec %s "$@"\n' \
	"$work" "$work" "$(command -v curl)" >"$work/bin/curl"
chmod +x "$work/bin/curl"
PATH=$work/bin:$PATH

note "jenkins: what the job gets"
printf 'bus:s3cr"\\t:x\n' >"$work/token"
event dak.upload.accept hello '{"summary": "", "url": "https://example.org/", "source": "hello", "version": "1:2.0-1",
	"suites": ["unstable", "experimental"], "sourceful": true, "n": 7}'
change "$(printf '.data.summary = %s' "$(printf %s "$hostile" | jq -Rs .)")"
export HANDLER_JOB=qa/hello HANDLER_PARAMETERS='PACKAGE=source VERSION=version SUITES=suites SOURCEFUL=sourceful NONE=none'
server ok
ends 0 jenkins 'queue/item/5'
! grep -q "$(printf '\033')" "$work/said" || fail "it says control characters"
no_secret
asked 'length == 1 and .[0].method == "POST" and .[0].path == "/job/qa/job/hello/buildWithParameters"'
asked '.[0].headers.Authorization == "Basic " + ("bus:s3cr\"\\t:x" | @base64)'
asked '.[0].form | map({(.[0]): .[1]}) | add
	| .DEBMSG_ID == "example.org/x/20261122T101500Z/7" and .PACKAGE == "hello" and .VERSION == "1:2.0-1"
	and .SUITES == "[\"unstable\",\"experimental\"]" and .SOURCEFUL == "true" and .NONE == ""'
jq -s -j '.[0].form[] | select(.[0] == "DEBMSG_SUMMARY")[1]' "$work/http/requests" >"$work/got"
printf %s "$hostile" | cmp - "$work/got" || fail "the summary is another one"
no_trap

note "jenkins: a crumb, if it wants one"
server crumb
ends 0 jenkins
asked 'map(.method + " " + .path) == ["POST /job/qa/job/hello/buildWithParameters",
	"GET /crumbIssuer/api/json", "POST /job/qa/job/hello/buildWithParameters"]'
asked '.[2].form == .[0].form'

note "jenkins: what may pass comes again, what does not is given up"
for status in 500 503 429 408; do server $status && ends 75 jenkins "status $status"; done
for status in 400 401 403 404 200; do server $status && ends 1 jenkins "status $status"; done
! grep -q "$(printf '\033')" "$work/said" || fail "it says control characters"
server redirect
ends 1 jenkins 'status 302'
asked 'length == 1'
server huge
ends 75 jenkins
server hang
HANDLER_TIMEOUT=1 ends 75 jenkins 'no answer'
HANDLER_URL=http://127.0.0.1:1 ends 75 jenkins 'no answer'

note "jenkins: configuration"
server ok
HANDLER_JOB=../x ends 78 jenkins 'HANDLER_JOB'
HANDLER_JOB='' ends 78 jenkins 'HANDLER_JOB is not set'
HANDLER_URL=file:///etc/passwd ends 78 jenkins 'HANDLER_URL'
HANDLER_PARAMETERS='A=.x' ends 78 jenkins 'HANDLER_PARAMETERS'
HANDLER_TOKEN_FILE=$work/none ends 78 jenkins 'cannot be read'
chmod o+r "$work/token"
ends 78 jenkins 'open to everybody'
chmod o-r "$work/token"
asked 'length == 0'

note "social: what is posted"
printf 's3cret-token\n' >"$work/token"
server ok
ends 0 social 'posted: http://127.0.0.1/@bus/1'
no_secret
asked 'length == 1 and .[0].method == "POST" and .[0].path == "/api/v1/statuses"
	and .[0].headers.Authorization == "Bearer s3cret-token"'
asked '.[0].form | map(select(.[0] == "visibility")) == [["visibility", "unlisted"]]'
asked '.[0].form | map(select(.[0] == "status"))[0][1]
	| test("[@#][a-z0-9]") | not'
asked '.[0].form | map(select(.[0] == "status"))[0][1]
	| endswith("\nhttps://example.org/") and length <= 500 and (split("\n") | length) == 2'
no_trap
key=$(jq -r '.headers."Idempotency-Key"' "$work/http/requests")
[ "$key" = "$(printf 'example.org/x/20261122T101500Z/7' | sha256sum | cut -c 1-64)" ] || fail "another key: $key"
DEBMSG_RETRY=1 ends 0 social
asked '.[0].headers."Idempotency-Key" == .[1].headers."Idempotency-Key"'
change '.id = "8"'
ends 0 social
asked '.[0].headers."Idempotency-Key" != .[2].headers."Idempotency-Key"'

note "social: never longer than the server takes"
long=$(head -c 60000 /dev/zero | tr '\0' '@')
change "$(printf '.data.summary = "%s" | .data.url = "https://example.org/" + ("x" * 230)' "$long")"
server ok
HANDLER_LENGTH=500 ends 0 social
asked '.[0].form | map(select(.[0] == "status"))[0][1] | length == 500 and endswith("x")'
change '.data.url = "https://e.org/ <b>"'
ends 0 social
asked '.[1].form | map(select(.[0] == "status"))[0][1] | contains("e.org") | not'
change 'del(.data.summary, .data.url)'
ends 0 social
asked '.[2].form | map(select(.[0] == "status"))[0][1] == "org.debian.dev.dak.upload.accept"'

# link URL POSTED: what becomes of the event's url
link() {
	server ok
	change ".data.url = \"$1\" | .data.summary = \"x\""
	ends 0 social
	asked ".[0].form | map(select(.[0] == \"status\"))[0][1] == \"$2\""
}
link 'https://example.org/?q&@victim@m.example.org' 'x\nhttps://example.org/?q&%40victim@m.example.org'
link 'https://m.example.org/@bus/1#top' 'x\nhttps://m.example.org/@bus/1#top'
link 'https://example.org/a.#tag' 'x\nhttps://example.org/a.'
link 'https://debian.org@example.org/' x

note "social: failures"
for status in 500 429; do server $status && ends 75 social "status $status"; done
for status in 401 422; do server $status && ends 1 social "status $status"; done
server hang
HANDLER_TIMEOUT=1 ends 75 social 'no answer'
HANDLER_VISIBILITY=all ends 78 social 'HANDLER_VISIBILITY'

note "social: a command of the admin's"
server ok
change "$(printf '.data.summary = %s' "$(printf %s "$hostile" | jq -Rs .)")"
cat >"$work/bin/post" <<-END
	#!/bin/sh
	echo "\$# \$1 \$HANDLER_KEY" >"$work/posted"
	cat >>"$work/posted"
	exit "\$(cat "$work/exit")"
END
chmod +x "$work/bin/post"
export HANDLER_COMMAND='post --note'
for status in 0 75; do echo $status >"$work/exit" && ends $status social; done
echo 3 >"$work/exit" && ends 1 social 'exit status 3'
head -n 1 "$work/posted" | grep -qE '^1 --note [0-9a-f]{64}$' || fail "the command is run otherwise"
[ "$(wc -l <"$work/posted")" = 1 ] || fail "the text is more than a line"
asked 'length == 0'
no_trap

! grep -q 's3cr' "$work/argv" || fail "the secret is in curl's arguments or environment"
grep -q -- '--config' "$work/argv" || fail "curl was not seen"
note "all is well"
