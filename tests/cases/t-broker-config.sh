#!/bin/sh
# broker-config: the files for programs are what debmsg-broker makes of bus.conf, and
# a user's definitions hold the rights of its role and nothing of another name.
set -eu
umask 077

srcdir=${DEBMSG_SRCDIR:-.}
command -v jq >/dev/null || {
	echo "jq is not installed"
	exit 77
}
work=$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")
trap 'rm -rf "$work"' EXIT
broker=$srcdir/broker-config/debmsg-broker

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

for file in definitions roles; do
	"$broker" $file >"$work/$file.json"
	cmp "$work/$file.json" "$srcdir/broker-config/$file.json" >&2 ||
		fail "$file.json is not what is in bus.conf: broker-config/debmsg-broker $file >broker-config/$file.json"
done

# It finds bus.conf from where it is linked to, and every line there becomes something.
ln -s "$(cd "$srcdir" && pwd)/broker-config/debmsg-broker" "$work/debmsg-broker"
"$work/debmsg-broker" roles | cmp - "$work/roles.json" || fail "not through a link"
lines=$(grep -c '^[^#]' "$srcdir/broker-config/bus.conf")
made=$(jq -s '(.[0] | [.policies, .exchanges, .queues, .bindings | length] | add) +
	(.[0].parameters[0].value | length) + (.[1] | length)' "$work/definitions.json" "$work/roles.json")
[ "$lines" -eq "$made" ] || fail "$lines lines in bus.conf, and $made things made of them"

"$broker" --vhost elsewhere definitions | jq -e '[.. | .vhost? // empty] | unique == ["elsewhere"]' >/dev/null ||
	fail "--vhost is not everywhere"

# A password of any bytes but newlines arrives as it is; a line after it does not count.
# shellcheck disable=SC2016 # it is text
printf '%s\nmore\n' 'p"\ $(x) é' >"$work/dak.password"
"$broker" definitions adapter dak "$work/dak.password" >"$work/dak.json"
jq -e '.users[0].password == "p\"\\ $(x) é" and .permissions[0].write == "^debmsg(\\.keep)?$" and
	(.topic_permissions | map(.exchange) == ["debmsg", "debmsg.keep"]) and
	all(.topic_permissions[]; .write == "^org\\.debian\\.(production|stg|dev)\\.dak\\.")' "$work/dak.json" >/dev/null ||
	fail "adapter dak: $(cat "$work/dak.json")"
"$broker" definitions consumer qa --certificate >"$work/qa.json"
jq -e '.users[0] | .password_hash == "" and (has("password") | not)' "$work/qa.json" >/dev/null || fail "qa: $(cat "$work/qa.json")"
[ ! -e "$work/new.password" ] && "$broker" definitions public public "$work/new.password" >"$work/public.json"
[ "$(stat -c '%a %s' "$work/new.password")" = '600 48' ] || fail "new.password: $(ls -l "$work/new.password")"
jq -e '.users[0].limits == {"max-connections": 100, "max-channels": 200}' "$work/public.json" >/dev/null ||
	fail "public: $(cat "$work/public.json")"

expect() {
	wanted=$1
	shift
	got=0
	"$@" >"$work/out" 2>&1 || got=$?
	[ "$got" -eq "$wanted" ] || fail "exit status $got, not $wanted: $*: $(cat "$work/out")"
}
for name in debmsg amq guest public 'da.k' 'dak|wiki' Dak '' -x 'a b' "$(printf 'a\nb')"; do
	expect 64 "$broker" definitions consumer "$name" "$work/dak.password"
done
expect 64 "$broker" definitions owner dak "$work/dak.password"
expect 64 "$broker" definitions '' dak "$work/dak.password"
: >"$work/empty"
expect 78 "$broker" definitions consumer qa "$work/empty"
expect 78 "$broker" definitions consumer qa "$work/no/such/directory"
expect 69 env RABBITMQCTL="$work/none" "$broker" load
expect 0 "$broker" --help

# A rabbitmqctl that reaches a node: what becomes of the names that come from there?
cat >"$work/rabbitmqctl" <<'EOF'
#!/bin/sh
case $2 in
list_users) [ ! -e "${0%/*}/stopped" ] && echo '[{"user": "qa", "tags": ["debmsg-consumer"]}]' ;;
list_queues) printf '%s' '[{"name": "qa.one", "messages": 3}, {"name": "qa.\u001b'"'"'; id\n", "messages": 4},
	{"name": "qa-b.two", "messages": 5}]' ;;
esac
EOF
chmod +x "$work/rabbitmqctl"
export RABBITMQCTL="$work/rabbitmqctl"
cp "$work/dak.password" "$work/qa.password"
expect 0 "$broker" --vhost / remove qa "$work/qa.password"
[ ! -e "$work/qa.password" ] || fail "the password of who was removed is still there"
[ "$(cat "$work/out")" = "debmsg-broker: queue qa.one stays, with 3 messages; to remove it: rabbitmqctl delete_queue -p / qa.one
debmsg-broker: queue qa.?'; id? stays, with 4 messages; its name is unusual: remove it in the management UI" ] ||
	fail "remove: $(cat "$work/out")"
: >"$work/stopped"
for command in load list 'remove qa' "add consumer qa $work/dak.password"; do
	# shellcheck disable=SC2086 # these are words
	expect 69 "$broker" $command
done
