#!/bin/sh
# Every trouble an operator may have ends in one clear line that names what is wrong
# and what to do about it, in the exit status of its kind (sysexits.h), and in no
# loss: once it is mended, what waited in the outbox is sent.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services='dak wiki'
unset DEBMSG_TEST_BROKER	# its memory alarm stops everybody
setup

consumer=
stop_consumer() {
	[ -z "$consumer" ] || kill "$consumer" 2>/dev/null || :
	consumer=
}
unmount() {
	! mountpoint -q "$work/full" || umount "$work/full"
}
alarm_over() {
	"$RABBITMQCTL" -q set_vm_memory_high_watermark 0.4 >/dev/null
}
trap 'status=$?; set +e; stop_consumer; unmount; alarm_over; stop_agents "$work/expiring.keys"; (exit $status); cleanup' EXIT

ctl() {
	"$RABBITMQCTL" -q "$@" >/dev/null || fail "rabbitmqctl $*"
}

# says STATUS TEXT COMMAND…: COMMAND ends so, with one line that has TEXT (a
# basic regular expression) in it.
says() {
	status=$1 text=$2
	shift 2
	got=0
	timeout -k 5 60 "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || got=$?
	grep -v ': connected to ' "$work/stderr" >"$work/said" || :
	echo "$got: $(cat "$work/said")" >>"$work/all-that-was-said"
	if [ "$got" -ne "$status" ] || [ "$(wc -l <"$work/said")" -ne 1 ] || ! grep -q -e "$text" "$work/said"; then
		complain "$* ended with $got, not $status, or did not say in one line '$text':
$(cat "$work/said")"
	fi
}

# All that is wrong is shown, not only the first.
complaints=0
complain() {
	echo "WRONG: $*" >&2
	complaints=$((complaints + 1))
}

put() {
	debmsg publish --service "${2:-wiki}" --type page.edit --subject "$1" >>"$work/ids" || fail "publish $1"
}

ids() {
	sed 's/^{"specversion":"1.0","source":"\([^"]*\)","id":"\([^"]*\)",.*/\1\/\2/'
}

# The trouble is over: what waited arrives.
mended() {
	debmsg relay --once 2>"$work/stderr" || fail "after it was mended: $(cat "$work/stderr")"
	debmsg consume --queue all --idle-exit 2 2>"$work/stderr" | ids >>"$work/got" || fail "consume: $(cat "$work/stderr")"
	cmp -s "$work/ids" "$work/got" || fail "not everything arrived once, in order: $(diff "$work/ids" "$work/got")"
}

# conf EXPRESSION: debmsg.conf, changed by sed, as $work/other.conf.
conf() {
	sed "$1" "$work/debmsg.conf" >"$work/other.conf"
	cmp -s "$work/debmsg.conf" "$work/other.conf" && fail "sed changes nothing: $1"
	chmod 600 "$work/other.conf"
}

# Every command refuses the configuration alike.
bad_conf() {
	conf "$1"
	says 78 "$2" debmsg -c "$work/other.conf" relay --once
	says 78 "$2" debmsg -c "$work/other.conf" tail
	says 78 "$2" debmsg -c "$work/other.conf" publish --service wiki --type page.edit
}

debmsg consume --queue all --bind wiki --idle-exit 1
put First
mended

note "configuration: file, line and remedy"
bad_conf '2i colour = "red"' "$work/other.conf:2:.*colour"
bad_conf 's/^environment .*/environment = "test"/' "other.conf:.*environment must be production, stg or dev"
bad_conf 's/consumer@/consumer:secret@/' 'other.conf:[0-9]*:.*password.*password-file'
grep -q secret "$work/all-that-was-said" && complain "a password is shown"
bad_conf 's/^broker {/broker [/' 'other.conf:[0-9]*:'
says 78 "$work/none.conf.*No such file" debmsg -c "$work/none.conf" relay --once
cp "$work/debmsg.conf" "$work/other.conf"
chmod 666 "$work/other.conf"
says 78 'other.conf.*chmod' debmsg -c "$work/other.conf" relay --once
cp "$secrets/wiki.password" "$work/wiki.password"
chmod 644 "$work/wiki.password"
conf "s,$secrets/wiki,$work/wiki,"
put Secret
says 78 "$work/wiki.password.*chmod" debmsg -c "$work/other.conf" relay --once
rm "$work/wiki.password"
says 78 "$work/wiki.password: No such file" debmsg -c "$work/other.conf" relay --once
sed 's/^homedir.*/homedir = "none"/' "$work/trust.conf" >"$work/other-trust.conf"
conf "s,trust.conf,other-trust.conf,"
chmod 666 "$work/other-trust.conf"
says 78 'other-trust.conf' debmsg -c "$work/other.conf" tail
says 64 '--queue' debmsg consume
says 64 'colour' debmsg relay --colour
says 78 'service "none"' debmsg publish --service none --type page.edit
says 65 'type' debmsg publish --service wiki --type nonsense
says 65 '/dev/null/none: Not a directory' debmsg publish --service wiki --type page.edit --data /dev/null/none
echo '{"a": }' >"$work/bad.json"
says 65 "$work/bad.json" debmsg publish --service wiki --type page.edit --data "$work/bad.json"
says 64 'debmsg --help' debmsg nonsense
mended

note "login and permissions"
echo wrong >"$work/wiki.password"
conf "s,$secrets/wiki,$work/wiki,"
put Password
says 78 "user wiki.*$work/wiki.password" debmsg -c "$work/other.conf" relay --once
conf "s,/$vhost\",/nowhere\","
says 78 'nowhere.*virtual host' debmsg -c "$work/other.conf" relay --once
says 78 'nowhere.*virtual host' debmsg -c "$work/other.conf" tail
ctl set_topic_permissions -p "$vhost" wiki debmsg '^org\.debian\.dev\.dak\.' '^$'
says 78 'user wiki.*debmsg-broker add' debmsg relay --once
ctl set_permissions -p "$vhost" consumer '^$' '^$' '^$'
says 78 'user consumer.*debmsg-broker add' debmsg tail
says 78 'user consumer.*debmsg-broker add' debmsg consume --queue all --idle-exit 1
says 78 'user consumer.*debmsg-broker add' debmsg audit
add_users "$vhost" "$secrets"
mended

note "no queue takes an event: the stream is not bound, or not there"
# unbind QUEUE: as the operator might, by mistake.
unbind() {
	ctl eval "
		{ok, Params} = amqp_uri:parse(\"amqp://admin:$(cat "$secrets/admin.password")@127.0.0.1:$DEBMSG_AMQP_PORT/$vhost\"),
		{ok, Connection} = amqp_connection:start(Params),
		{ok, Channel} = amqp_connection:open_channel(Connection),
		amqp_channel:call(Channel, {'queue.unbind', 0, <<\"$1\">>, <<\"debmsg\">>, <<\"#\">>, []}),
		amqp_connection:close(Connection)."
}

unroutable() {
	debmsg publish --service dak --type upload.accept --subject hello >/dev/null
	says 69 'unroutable.*debmsg.log.*debmsg-broker load' debmsg relay --once
	debmsg_broker --vhost "$vhost" load
	debmsg relay --once 2>"$work/stderr" || fail "after load: $(cat "$work/stderr")"
	debmsg audit --log demo.example/dak >"$work/stdout" || fail "after load: audit: $(cat "$work/stdout")"
}

unbind debmsg.log
unroutable
put Stream
ctl delete_queue -p "$vhost" debmsg.log
says 69 'debmsg.log.*debmsg-broker load' debmsg relay --once
says 78 'debmsg.log.*debmsg-broker load' debmsg tail
says 78 'debmsg.log.*debmsg-broker load' debmsg audit
debmsg_broker --vhost "$vhost" load
mended

note "a stream that goes while tail reads it"
debmsg tail 2>"$work/tail.log" >"$work/tail" &
consumer=$!
reads_stream() {
	"$RABBITMQCTL" -q list_channels -p "$vhost" --no-table-headers user consumer_count | grep -qx 'consumer	1'
}
await 20 reads_stream || fail "tail does not read the stream"
ctl delete_queue -p "$vhost" debmsg.log
status=0
wait "$consumer" || status=$?
consumer=
[ $status -eq 69 ] || complain "tail ended with $status when its stream went: $(cat "$work/tail.log")"
grep -q 'debmsg.log is gone' "$work/tail.log" || complain "tail said: $(cat "$work/tail.log")"
debmsg_broker --vhost "$vhost" load

note "a queue that goes while it is consumed is made again"
consumes() {
	"$RABBITMQCTL" -q list_consumers -p "$vhost" --no-table-headers queue_name | grep -qx consumer.all
}
consumer_says() {
	grep -q "$1" "$work/consumer.log"
}
arrived() {
	ids <"$work/printed" | cat "$work/got" - | cmp -s - "$work/ids"
}
debmsg consume --queue all >"$work/printed" 2>"$work/consumer.log" &
consumer=$!
await 20 consumes || fail "consume does not consume"
ctl delete_queue -p "$vhost" consumer.all
await 20 consumer_says 'consumer.all was deleted' || complain "consume said: $(cat "$work/consumer.log")"
await 20 consumes || fail "the queue was not made again: $(cat "$work/consumer.log")"
put Again
debmsg relay --once 2>"$work/stderr" || fail "$(cat "$work/stderr")"
await 20 arrived || complain "the event after that does not arrive"
[ "$(wc -l <"$work/consumer.log")" -eq 2 ] || complain "consume said: $(cat "$work/consumer.log")"
stop_consumer
cp "$work/ids" "$work/got"

note "the broker's memory alarm"
start_relay
relay_says() {
	grep -q "$1" "$work/relay.log"
}
all_sent() {
	debmsg outbox status --service wiki --json | grep -q '"waiting":0,'
}
await 20 relay_says 'wiki: connected' || fail "the relay does not connect"
ctl set_vm_memory_high_watermark absolute 1MB
for number in 1 2 3 4 5 6; do
	put "Alarm-$number"
done
# more than fits into the buffers on the way
head -c 60000 /dev/zero | tr '\0' x | sed 's/.*/{"text":"&"}/' >"$work/large"
for number in 1 2 3 4 5 6 7 8 9 10; do
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		debmsg publish --service wiki --type page.edit --subject "Large-$number" --data "$work/large" >>"$work/ids"
	done
done
await 20 relay_says 'wiki: the broker takes no events: .*memory.*; waiting' || complain "the relay says nothing of the alarm: $(cat "$work/relay.log")"
all_sent && complain "the alarm does not block"
note "a relay that is blocked ends when it is asked to"
stop_relay || complain "a blocked relay does not end on SIGTERM"
start_relay
alarm_over
await 40 all_sent || complain "the relay does not go on after the alarm: $(cat "$work/relay.log")"
stop_relay
mended

note "keys"
expiring=$work/expiring.keys
mkdir -p "$expiring/gnupg" "$expiring/trusted" && chmod 700 "$expiring/gnupg"
gpg --homedir "$expiring/gnupg" --batch --quiet --faked-system-time 20240101T000000! --passphrase '' \
	--quick-generate-key 'expired <expired@demo.example>' ed25519 sign 1y 2>"$work/gpg.log"
expired=$(gpg --homedir "$expiring/gnupg" --batch --with-colons --list-secret-keys 2>"$work/gpg.log" |
	awk -F: '$1 == "fpr" { print $10; exit }')
stop_agents "$expiring"
put Keys
only_wiki='/^service "dak"/,/^}/d'	# else there is a line for each service
conf "$only_wiki; s/$(cat "$keys/fingerprint")/0123456789012345678901234567890123456789/"
says 78 '0123456789012345678901234567890123456789' debmsg -c "$work/other.conf" relay --once
conf "$only_wiki; s,$keys/gnupg,$expiring/gnupg,; s/$(cat "$keys/fingerprint")/$expired/"
says 78 "$expired.*expired" debmsg -c "$work/other.conf" relay --once
conf "$only_wiki; s,$keys/gnupg,$work/nothing,"
says 78 "$work/nothing" debmsg -c "$work/other.conf" relay --once
stop_agents "$expiring"
if [ "$(id -u)" -eq 0 ]; then # who may write into others' directories
	install -d -m 700 -o nobody "$work/theirs"
	conf "s,$keys/gnupg,$work/theirs,"
	says 78 "$work/theirs belong to another user.*runuser" debmsg -c "$work/other.conf" keys check
	[ -z "$(ls -A "$work/theirs")" ] || complain "something was written there"
fi
mended

note "a full disk under the outbox"
mkdir "$work/full"
if mount -t tmpfs -o size=1m,mode=700 none "$work/full" 2>"$work/mount.log"; then
	conf "$only_wiki; s,\"$work/state\",\"$work/full\","
	count=0
	while debmsg -c "$work/other.conf" publish --service wiki --type page.edit --subject Full --data "$work/large" >>"$work/full.ids" 2>"$work/stderr"; do
		count=$((count + 1))
		[ $count -lt 100 ] || fail "the disk does not fill"
	done
	says 75 "$work/full/.*full.*make room" debmsg -c "$work/other.conf" publish --service wiki --type page.edit --data "$work/large"
	[ "$(debmsg -c "$work/other.conf" outbox list --all --service wiki | wc -l)" -eq $count ] || complain "the outbox lost something"
	says 75 "$work/full/.*full.*make room" debmsg -c "$work/other.conf" relay --once
	mount -o remount,size=20m "$work/full"
	debmsg -c "$work/other.conf" publish --service wiki --type page.edit --subject Room >>"$work/full.ids" || fail "publish with room again"
	debmsg -c "$work/other.conf" relay --once 2>"$work/stderr" || fail "after there was room: $(cat "$work/stderr")"
	cat "$work/full.ids" >>"$work/ids"
	mended
	unmount
else
	note "cannot mount a small file system, so there is no full disk"
fi

note "all of it is there"
debmsg export >"$work/export"
cat "$work/all-that-was-said" >&2
[ $complaints -eq 0 ] || fail "$complaints things are wrong, see above"
