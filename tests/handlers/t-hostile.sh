#!/bin/sh
# No event, whatever it holds, makes a handler do what it should not: each value
# goes into each place that a handler reads.
# shellcheck disable=SC2034
tools="curl git python3"
. "${DEBMSG_SRCDIR:-.}/tests/handlers/lib.sh"

# Whatever a handler would call, and what it must not: the arguments are kept.
mkdir "$work/bin" "$work/mirror"
for tool in notify-send lintian piuparts sbuild sendmail post; do
	printf '#!/bin/sh\n[ "%s" = sendmail ] || printf "%%s\\n" "%s $*" >>"%s/called"\ncat >/dev/null\n' \
		$tool $tool "$work" >"$work/bin/$tool"
	chmod +x "$work/bin/$tool"
done
PATH=$work/bin:$PATH
printf 'bus:token\n' >"$work/token"
export HANDLER_ARCHIVE="$work/mirror" HANDLER_REPORTS="$work/out/reports" HANDLER_RESULTS="$work/out/results" \
	HANDLER_SPOOL="$work/spool" HANDLER_SENDMAIL="$work/bin/sendmail" HANDLER_FROM=a@example.org \
	HANDLER_TO=b@example.org HANDLER_SUITE=bookworm HANDLER_URL=http://127.0.0.1:1 HANDLER_JOB=x \
	HANDLER_TOKEN_FILE="$work/token" HANDLER_REPOSITORIES="$work/srv" HANDLER_MAX_AGE=0 HANDLER_COMMAND=post
handlers='lintian piuparts rebuild jenkins social desktop digest vcs-rebuild'

# run HANDLER: any end but one of a shell that stumbled, and no trace.
run() {
	got=0
	"$srcdir/handlers/$1" <"$work/event.json" >"$work/said" 2>&1 || got=$?
	case $got in
	0 | 1 | 65 | 75) ;;
	78) [ "$1" = piuparts ] || fail "$1: exit status 78" ;;
	*) fail "$1: exit status $got" ;;
	esac
	! grep -qE 'syntax|not found|bad |unbound|parameter' "$work/said" || fail "$1 stumbles"
	! grep -q "$(printf '[\001-\010\013-\037\177]')" "$work/said" || fail "$1 says control characters"
	[ -z "$(ls -A "$TMPDIR")" ] || fail "$1 leaves $(ls -A "$TMPDIR")"
	[ ! -e "$work/TRAP" ] || fail "$1: the trap went off"
}

note "no event at all"
for text in '' 'null' '[]' '{}' '{"data":[]}' '{"data":{}} {"data":{}}' '{' "$(printf '\377\376')" '{"data":{},"source":7,"id":"1","type":"x"}'; do
	printf %s "$text" >"$work/event.json"
	for name in $handlers; do
		ends 65 "$name" 'not an event'
	done
done
head -c 1100000 /dev/zero | tr '\0' ' ' >"$work/event.json"
ends 65 lintian 'larger than'

cat >"$work/values" <<END
$(printf %s "$hostile" | jq -Rs .)
"\$(touch $work/TRAP)"
"\`touch $work/TRAP\`"
"'; touch $work/TRAP; '"
"x\ny"
"hello\n"
""
".."
"../../../../../../../../$work/TRAP"
"-rf"
"--output=$work/TRAP"
"@/etc/passwd"
"/etc/passwd"
"a\u0000b"
"\u001b[2J\u007f"
"%s*"
"$(head -c 60000 /dev/zero | tr '\0' a)"
null
-1
[]
{"a": {"b": []}}
END

all='{"summary": "x", "url": "https://example.org/", "source": "hello", "version": "1.0-1", "sourceful": true,
	"changes": "hello_1.0-1_amd64.changes", "suites": ["unstable"], "files_total": 3, "files": [
	{"name": "hello_1.0-1.dsc", "size": 4, "sha256": "'$(printf %064d 0)'", "section": "misc"},
	{"name": "hello_1.0-1_all.deb", "size": 4, "sha256": "'$(printf %064d 0)'", "section": "misc"}],
	"vcs": "git", "repository": "a/b.git", "ref": "refs/heads/main", "pusher": "anna",
	"old": "'$(printf %040d 1)'", "new": "'$(printf %040d 2)'"}'
event dak.upload.accept hello "$all"
cp "$work/event.json" "$work/upload.json"
jq -c '.type = "org.debian.dev.alioth.branch.push"' "$work/upload.json" >"$work/push.json"

# each HANDLERS FILE PATH…
each() {
	names=$1 file=$2
	shift 2
	note "$names: each of $# places"
	while read -r value <&4; do
		for place in "$@"; do
			# --slurpfile: a value may be longer than an argument
			printf '%s\n' "$value" >"$work/value"
			jq -c --slurpfile value "$work/value" "$place = \$value[0]" "$file" >"$work/event.json"
			for name in $names; do
				run "$name"
			done
		done
	done 4<"$work/values"
}

# Every value everywhere would take minutes: by kind of handler.
each lintian "$work/upload.json" .data.source .data.changes '(.data.files[0].name, .data.suites)' \
	'(.data.files[1] | .size, .sha256, .section)'
each vcs-rebuild "$work/push.json" .data.repository .data.new
each 'social desktop digest jenkins' "$work/upload.json" '(.data.summary, .data.url, .subject, .time)'
for name in piuparts rebuild; do
	for place in .data.source '.data.files[0].name'; do
		jq -c "$place = \"../\$(touch $work/TRAP)\n\"" "$work/upload.json" >"$work/event.json"
		run $name
	done
done

[ ! -e "$work/out" ] || fail "something was kept: $(find "$work/out")"
! grep -qE '^(lintian|piuparts|sbuild) ' "$work/called" || fail "something was looked at: $(cat "$work/called")"
note "all is well"
