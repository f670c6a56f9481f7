#!/bin/sh
# The consumer in Python that the guide shows has 120 lines and agrees with every golden
# vector.  Beside a real relay it acts on each event once, whatever it is killed by, says
# what is missing, and is not stopped by what its library cannot read.  (t-forged.sh
# sends it the forgeries.)
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
. "$srcdir/tests/broker/python.sh"
has_python_modules || {
	note "python3-pika and python3-gpg are not both installed"
	exit 77
}
services=wiki
setup
trap 'status=$?; set +e; stop_python; stop_agents "$work/vectors"; (exit $status); cleanup' EXIT

lines=$(wc -l <"$consumer_py")
[ "$lines" -le 120 ] || fail "doc/python-consumer.py has $lines lines, more than 120"

note "the golden vectors"
mkdir -p "$work/vectors/gnupg" "$work/vectors/trusted"
# The vectors have a date; the clock of the machine that tests may be behind it.
printf '%s\n' ignore-time-conflict ignore-valid-from >"$work/vectors/trusted/gpg.conf"
"$python" - "$srcdir/tests/vectors" "$work/vectors" <<-'EOT'
	import glob, json, subprocess, sys
	vectors, work = sys.argv[1:]
	policy = json.load(open(vectors + "/policy.json"))["trust"]
	for entry in policy:
	    subprocess.run(["gpg", "--homedir", work + "/trusted", "--batch", "--quiet", "--import",
	                    vectors + "/" + entry["key_file"]], check=True)
	trust = [[e["origin"], e["key"], pattern] for e in policy for pattern in e["types"]]
	json.dump({"homedir": work + "/trusted", "bind": ["#"], "trust": trust}, open(work + "/config", "w"))
	messages = [json.load(open(name)) for name in sorted(glob.glob(vectors + "/messages/*.json"))]
	with open(work + "/export", "w") as export, open(work + "/expected", "w") as expected:
	    for message in messages:
	        print(json.dumps(message), file=export)
	        print(message["name"], message["expect"], file=expected)
EOT
"$python" "$consumer_py" "$work/vectors/config" --verify "$work/vectors/export" | cut -d ' ' -f 1 >"$work/vectors/found"
paste -d ' ' "$work/vectors/expected" "$work/vectors/found" >"$work/vectors/both"
[ "$(wc -l <"$work/vectors/both")" -ge 26 ] || fail "only $(wc -l <"$work/vectors/both") vectors"
while read -r name expected found; do
	case "|$expected|" in
	*"|$found|"*) ;;
	*) fail "vector $name: $found, not $expected" ;;
	esac
done <"$work/vectors/both"

note "a string without an end takes no time"
"$python" - "$consumer_py" <<-'EOT'
	import re, sys
	pattern = re.search(r"re\.sub\(r'(.*?)', \"\"", open(sys.argv[1]).read())[1]
	# with a second pass over the rest for each quote this would be hours
	assert re.sub(pattern, "", '"' + '\\"' * 2000000) == ""
	assert re.sub(pattern, "", r'{"a\\": ["\"]", "}"]}') == "{: [, ]}"
EOT

note "routing keys, the long ones too"
"$python" - "$srcdir/tests/vectors/routing-keys.json" "$consumer_py" <<-'EOT'
	import hashlib, json, re, sys, urllib.parse
	# the two lines of the program itself that make a word of a subject
	lines = re.findall(r"(?m)^ +(?:word = urllib|if len\(kind\)|word = re\.match).*$", open(sys.argv[2]).read())
	assert len(lines) == 3, lines
	code = "\n".join(line[4:] for line in lines)
	for vector in json.load(open(sys.argv[1])):
	    names = {"urllib": urllib, "re": re, "sha256": hashlib.sha256,
	             "kind": vector["type"], "subject": vector["subject"]}
	    exec(code, names)
	    key = f"{names['kind']}.{names['word']}".rstrip(".")
	    assert key == vector["routing_key"], (key, vector)
EOT

put() {
	"$srcdir/tests/broker/events.py" "$@" | debmsg publish --service wiki --jsonl >>"$work/ids"
}

send() {
	debmsg relay --once 2>"$work/stderr" || fail "relay --once: $(cat "$work/stderr")"
}

has_printed_all() {
	python_ids "$1" | awk '!seen[$0]++' | cmp -s "$work/ids" -
}

# forge MESSAGE-ID OPTION…: the body is stdin
forge() {
	"$builddir/tests/broker/forge" --port "$DEBMSG_AMQP_PORT" --vhost "$vhost" --user wiki \
		--password-file "$secrets/wiki.password" --message-id "$@" >"$work/answer" || fail "forge: $(cat "$work/answer")"
}

note "nasty subjects, in order, once; a repeat; and something that pika cannot read"
python_configuration nasty 'org.debian.*.wiki.#'
: >"$work/ids"
debmsg consume --queue nasty --bind wiki --idle-exit 1
debmsg consume --queue actor --bind wiki --idle-exit 1
put 40 0
send
forge forged-date --proof-type date --key org.debian.dev.wiki.page.edit.Hello <"$work/ids"
debmsg export wiki >"$work/export"
"$srcdir/tests/broker/tamper.py" nothing "$work/message" <"$work/export"
forge repeated --key "$(cat "$work/message.key")" --proof "$work/message.proof" <"$work/message.body"
put 1 40
send
python_until nasty has_printed_all nasty || fail "printed: $(python_ids nasty | diff "$work/ids" -)"
[ ! -s "$work/nasty.log" ] || fail "it said: $(cat "$work/nasty.log")"
date_is_parked() {
	debmsg parked list --json | jq -r '"\(.message_id) \(.reason) \(.queue)"' >"$work/parked"
	grep -qx 'forged-date unsigned consumer.nasty' "$work/parked"
}
await 30 date_is_parked || fail "parked: $(cat "$work/parked")"

note "an action in its database is done once, though it is killed in the middle, and again"
sed 's/^    print(json.dumps(event), flush=True)$/    db.execute("INSERT INTO done VALUES (?)", (event["id"],))/' \
	"$consumer_py" >"$work/actor.py"
cmp -s "$consumer_py" "$work/actor.py" && fail "act() is not where this test thinks"
python_configuration actor 'org.debian.*.wiki.#'
done_so_far() {
	"$python" - "$work/actor.db" <<-'EOT'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.execute("CREATE TABLE IF NOT EXISTS done (id)")
		for (number,) in db.execute("SELECT id FROM done ORDER BY rowid"):
		    print(number)
	EOT
}
done_more_than() {
	done_so_far >"$work/done"
	[ "$(wc -l <"$work/done")" -gt "$1" ]
}
put 400 41
send
done_so_far >"$work/done"
consumer_py=$work/actor.py
for _ in 1 2 3; do
	python_until actor done_more_than "$(wc -l <"$work/done")" || fail "it does nothing: $(cat "$work/actor.log")"
	done_so_far >"$work/done"
done
note "$(wc -l <"$work/done") of 441 done in three lives"
python_until actor done_more_than 440 || fail "done: $(wc -l <"$work/done")"
seq 0 440 | cmp - "$work/done" >&2 || fail "not each once, in order: $(seq 0 440 | diff - "$work/done")"
consumer_py=$srcdir/doc/python-consumer.py
python_until nasty has_printed_all nasty || fail "printed: $(python_ids nasty | diff "$work/ids" -)"

note "what an admin took out of the queue is missed, and so is the last event, by the checkpoint"
says() {
	cut -d ' ' -f 1,3- "$work/nasty.log" | grep -qx "gap: org.debian.dev.wiki.$1"
}
lose() {
	for subject; do
		debmsg publish --service wiki --type page.lose --subject "$subject" >"$work/stdout"
	done
}
lose First
send
python_until nasty grep -q '"subject": "First"' "$work/nasty.printed" || fail "the first does not come"
lose Second Third
send
"$RABBITMQCTL" -q -p "$vhost" purge_queue consumer.nasty
lose Fourth
send
python_until nasty says 'page.lose: 2..3' || fail "it said: $(cat "$work/nasty.log")"
lose Fifth
send
"$RABBITMQCTL" -q -p "$vhost" purge_queue consumer.nasty
"$python" - "$work/state/outbox/wiki/outbox.db" <<-'EOT'
	import sqlite3, sys
	with sqlite3.connect(sys.argv[1]) as db:
	    for column in "created", "sent_time", "checkpoint_time":
	        db.execute(f"UPDATE log SET {column} = {column} - 61000000 * ({column} > 0)")
	    db.execute("UPDATE event SET added = added - 61000000")
EOT
send
python_until nasty says 'page.lose: 5..5' || fail "it said: $(cat "$work/nasty.log")"
