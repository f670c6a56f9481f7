#!/bin/sh
# The whole way, once: 10,000 events with nasty subjects are published, signed in
# batches, sent, exported, verified and consumed.  The number of signatures stays
# small, every event can be verified alone, and what the programs claim is recomputed
# from the stream by a program that shares no code with them (recompute.py, gpgv).
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services='dak wiki'
setup

seed=${DEBMSG_SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
note "DEBMSG_SEED=$seed"

# says NUMBER FILE: FILE has that many lines.
says() {
	[ "$(wc -l <"$2")" -eq "$1" ] || fail "$(basename "$2") has $(wc -l <"$2") lines, not $1: $(head -n 3 "$2")"
}

ids() {
	sed 's/^{"specversion":"1.0","source":"\([^"]*\)","id":"\([^"]*\)",.*/\1\/\2/'
}

# consumed QUEUE COUNT FROM: the next COUNT events of the log, from number FROM on.
consumed() {
	says "$2" "$work/$1"
	ids <"$work/$1" >"$work/$1.ids"
	tail -n "+$(($3 + 1))" "$work/ids" | head -n "$2" | cmp "$work/$1.ids" - >&2 || fail "$1: other events than published"
}

debmsg consume --queue all --idle-exit 1
debmsg consume --queue edits --bind wiki.page.edit --idle-exit 1
debmsg consume --queue front --bind 'org.debian.*.wiki.*.*.FrontPage' --idle-exit 1
debmsg consume --queue dak --bind dak --idle-exit 1
debmsg consume --queue checkpoints --bind wiki.bus.checkpoint --idle-exit 1

note "10,000 events are published and sent"
"$srcdir/tests/broker/events.py" 10000 >"$work/events"
debmsg publish --service wiki --jsonl <"$work/events" >"$work/ids"
says 10000 "$work/ids"
debmsg relay --once || fail "relay --once: exit status $?"
debmsg relay --once 2>"$work/stderr" || fail "relay --once with nothing to do: exit status $?"
debmsg publish --service dak --type upload.accept --subject hello >"$work/dak.ids"
debmsg relay --once

note "the history is what was published, by few signatures"
debmsg export wiki >"$work/export"
says 10000 "$work/export"
gpg --homedir "$keys/trusted" --batch --quiet --yes --output "$work/keyring" --export
"$srcdir/tests/broker/recompute.py" --keyring "$work/keyring" <"$work/export" >"$work/recomputed" || fail "recompute"
cat "$work/recomputed" >&2
checkpoints=$(sed 's/.* under \([0-9]*\) checkpoints/\1/' "$work/recomputed")
[ "$checkpoints" -le 40 ] || fail "$checkpoints signatures for 10,000 events"
[ "$checkpoints" -ge 2 ] || fail "this test wants more than one checkpoint"
python3 - "$work/events" "$work/export" <<-'EOT' || fail "what was sent is not what was published"
	import json, sys
	published = [json.loads(line) for line in open(sys.argv[1])]
	sent = [json.loads(json.loads(line)["body"]) for line in open(sys.argv[2])]
	for p, s in zip(published, sent):
	    s["data"].pop("summary") if "summary" not in p["data"] else None
	    if s["data"] != p["data"] or (s.get("subject") or "") != (p.get("subject") or ""):
	        sys.exit("%s is sent as %s" % (p, s))
EOT

note "every event is verified, all together and alone"
debmsg verify --json "$work/export" >"$work/verified" || fail "verify: exit status $?"
[ "$(grep -c '"result":"ok"' "$work/verified")" -eq 10000 ] || fail "not every event is ok"
for line in 1 10000 $(awk -v seed="$seed" 'BEGIN { srand(seed); for (i = 0; i < 10; i++) print int(rand() * 10000) + 1 }'); do
	sed -n "${line}p" "$work/export" >"$work/one"
	debmsg verify "$work/one" >"$work/stdout" 2>"$work/stderr" || fail "event $line alone: $(cat "$work/stdout")"
	grep -q ": ok: $(sed -n "${line}p" "$work/ids") signed by $(cat "$keys/fingerprint")\$" "$work/stdout" ||
		fail "event $line alone: $(cat "$work/stdout")"
	"$srcdir/tests/broker/tamper.py" nothing "$work/pair" <"$work/one"
	mv "$work/pair.body" "$work/pair.json"
	mv "$work/pair.proof" "$work/pair.tlog-proof"
	debmsg verify "$work/pair.json" >"$work/stdout" 2>"$work/stderr" || fail "event $line as two files: $(cat "$work/stdout")"
done
"$srcdir/tests/broker/tamper.py" body "$work/pair" <"$work/one"
mv "$work/pair.body" "$work/pair.json"
expect_status 76 debmsg verify --json "$work/export" "$work/pair.json" >"$work/stdout"
[ "$(grep -vc '"result":"ok"' "$work/stdout")" -eq 1 ] || fail "one changed event among the others"
tail -n 1 "$work/stdout" | grep -q '"result":"not-included"' || fail "a changed event: $(tail -n 1 "$work/stdout")"

note "a consumer gets each once, in pieces, in every format, and nothing twice"
debmsg consume --queue all --limit 1 >"$work/all"
consumed all 1 0
debmsg consume --queue all --limit 999 --json >"$work/all"
consumed all 999 1
debmsg consume --queue all --limit 1000 --format line >"$work/lines"
says 1000 "$work/lines"
LC_ALL=C grep -q "[[:cntrl:]]" "$work/lines" && fail "control characters for a terminal"
grep -c "\[$(tail -c 17 "$keys/fingerprint")\]\$" "$work/lines" >"$work/count" || :
grep -qx 1000 "$work/count" || fail "a line does not end in the signer: $(head -n 3 "$work/lines")"
debmsg consume --queue all --limit 1000 --format export >"$work/exported"
sed -n '2001,3000p' "$work/export" | cmp - "$work/exported" >&2 || fail "--format export is not what export writes"
debmsg consume --queue all --idle-exit 3 --format json >"$work/all"
ids <"$work/all" >"$work/all.ids"
{ tail -n 7000 "$work/ids" && cat "$work/dak.ids"; } | cmp "$work/all.ids" - >&2 || fail "the rest is not what was published"
debmsg consume --queue all --idle-exit 1 >"$work/again"
says 0 "$work/again"

note "only what matches a binding comes"
debmsg consume --queue edits --idle-exit 2 >"$work/edits"
debmsg consume --queue front --idle-exit 2 >"$work/front"
debmsg consume --queue dak --limit 1 --idle-exit 20 >"$work/dak"
debmsg consume --queue checkpoints --idle-exit 1 >"$work/checkpoints"
says "$(grep -c '"type": "page.edit"' "$work/events")" "$work/edits"
grep -v '"type":"org.debian.dev.wiki.page.edit"' "$work/edits" && fail "not an edit"
says "$(grep -c '"subject": "FrontPage"' "$work/events")" "$work/front"
grep -v '"subject":"FrontPage"' "$work/front" && fail "not the FrontPage"
ids <"$work/dak" | cmp - "$work/dak.ids" >&2 || fail "dak"
says 0 "$work/checkpoints"

note "tail looks back, with patterns and a limit"
debmsg tail --since 10m --limit 10001 --json >"$work/tail"
ids <"$work/tail" | cat "$work/ids" "$work/dak.ids" | sort -u >"$work/tail.ids"
says 10001 "$work/tail.ids"
debmsg tail --since 10m --limit 1 dak >"$work/tail"
says 1 "$work/tail"
grep -q ' org.debian.dev.dak.upload.accept hello ' "$work/tail" || fail "tail dak: $(cat "$work/tail")"
debmsg tail --since 2026-11-22T00:00:00Z --limit 3 --json 'wiki.attachment' >"$work/tail"
says 3 "$work/tail"
grep -v '"type":"org.debian.dev.wiki.attachment.add"' "$work/tail" && fail "tail wiki.attachment"

note "who stops reading stops the writer, without a word and without a loss"
debmsg consume --queue pipe --bind wiki --idle-exit 1
"$srcdir/tests/broker/events.py" 3000 10000 >"$work/more"
debmsg publish --service wiki --jsonl <"$work/more" >"$work/more.ids"
debmsg relay --once
debmsg consume --queue pipe --idle-exit 20 2>"$work/stderr" | head -n 1 | ids >"$work/first"
[ ! -s "$work/stderr" ] || fail "consume | head: $(cat "$work/stderr")"
head -n 1 "$work/more.ids" | cmp - "$work/first" >&2 || fail "consume | head"
debmsg consume --queue pipe --idle-exit 3 | ids >"$work/rest"
sort -u "$work/first" "$work/rest" >"$work/both"
sort "$work/more.ids" | cmp - "$work/both" >&2 || fail "what head did not take is lost"
debmsg export 2>"$work/stderr" | head -n 1 >"$work/first"
[ ! -s "$work/stderr" ] || fail "export | head: $(cat "$work/stderr")"

note "what cannot be written is not acknowledged"
ends 75 debmsg consume --queue edits --idle-exit 5 >/dev/full
says 1 "$work/stderr"
debmsg consume --queue edits --idle-exit 2 | ids >"$work/edits.ids"
says "$(grep -c '"type": "page.edit"' "$work/more")" "$work/edits.ids"

note "audit says complete"
debmsg audit >"$work/audit" || fail "audit: exit status $?"
cat "$work/audit" >&2
# where the machine is slow there is a bus.checkpoint too, or more
grep -Eq '^demo.example/wiki/.*: complete 0\.\.(12999|130[0-9]{2}) \(130[0-9]{2} events\)$' "$work/audit" ||
	fail "audit of wiki"
grep -Eq '^demo.example/dak/.*: complete 0\.\.[0-9]{1,2} \([0-9]{1,2} events\)$' "$work/audit" || fail "audit of dak"
says 2 "$work/audit"
