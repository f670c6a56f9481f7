#!/bin/sh
# debmsg-dak is killed at any moment, again and again: each upload gives one
# event.  And it costs nothing while nothing happens.
#
#   DEBMSG_BUILDDIR=... DEBMSG_SRCDIR=... tests/cases/t-dak-crash.sh
# shellcheck disable=SC2119 # some calls have no arguments
. "${DEBMSG_SRCDIR:-.}/tests/cases/dak-lib.sh"
. "${DEBMSG_SRCDIR:-.}/tests/cases/idle.sh"

kills=40
uploads=6 # in each round

start() {
	"$dak" 2>>"$work/said" &
	pid=$!
}

# One process that writes as dak does, in its order, and waits at random.
write_uploads() {
	python3 - "$work" "$kills" "$uploads" "$render" <<-'END'
	import os, random, subprocess, sys, time
	work, kills, uploads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
	def make(kind, **values):
	    return subprocess.run([sys.argv[4], kind] + [f"{k}={v}" for k, v in values.items()],
	                          check=True, stdout=subprocess.PIPE).stdout
	with open(work + "/c", "wb") as file:
	    file.write(make("changes", source="zzname"))
	mails = {
	    "ACCEPT": make("accepted", changes="zzname_1.0_source.changes", source="zzname", contents=work + "/c"),
	    "ACCEPT-TO-NEW": make("new", changes="zzname_1.0_source.changes", source="zzname"),
	    "REJECT": make("rejected", changes="zzname_1.0_source.changes", source="zzname"),
	}
	number = 0
	def mail(action, name):
	    global number
	    number += 1
	    with open(f"{work}/mail/{time.strftime('%Y-%m-%dT%H:%M:%S')}.{number:06}", "wb") as file:
	        file.write(mails[action].replace(b"zzname", name.encode()))
	def line(action):
	    with open(f"{work}/log/{time.strftime('%Y-%m')}", "a") as file:
	        file.write(f"{time.strftime('%Y%m%d%H%M%S')}|process-upload|dak|{action}\n")
	for i in range(kills * uploads):
	    name = f"pkg{i:04}"
	    changes = f"{name}_1.0_source.changes"
	    action = random.choice(["ACCEPT", "ACCEPT", "ACCEPT-TO-NEW", "REJECT", "undone"])
	    line(f"Processing changes file|{changes}")
	    if action == "undone":
	        line(f"ACCEPT|{changes}")
	        mail("ACCEPT", name)
	        action = "REJECT"
	    line(f"{action}|{changes}")
	    mail(action, name)
	    with open(work + "/expected", "a") as file:
	        kind = {"ACCEPT": "upload.accept", "ACCEPT-TO-NEW": "new.enter", "REJECT": "upload.reject"}[action]
	        file.write(f"{kind} {name}\n")
	    with open(work + "/misc/removals.822", "a") as file:
	        file.write(f"Date: Sat, 18 Mar 2023 13:52:01 +0000\nSuite: unstable\nSources:\n {name}_1\n")
	        file.flush()
	        file.write(f"Reason: number {i}\n\n")
	        with open(work + "/expected", "a") as expected:
	            expected.write(f"package.remove {name}\n")
	    time.sleep(random.random() * 0.06)
	line("program end")
	END
}

note "killed $kills times"
both "removals-file = \"$work/misc/removals.822\""
run
write_uploads &
writer=$!
round=0
while [ $round -lt $kills ]; do
	round=$((round + 1))
	start
	sleep "0.$(awk -v r=$round 'BEGIN { srand(); printf "%03d", (rand() * 1000 + r * 37) % 300 }')"
	kill -9 "$pid"
	wait "$pid" 2>/dev/null || :
	pid=
done
wait $writer
deadline=$(($(date +%s) + 180))
start
until [ "$("$builddir/tests/dump-outbox" dak | wc -l)" -ge $((2 * kills * uploads)) ]; do
	[ "$(date +%s)" -lt $deadline ] || fail "only $("$builddir/tests/dump-outbox" dak | wc -l) events come"
	sleep 0.2
done
until [ -z "$(find "$work/mail" -maxdepth 1 -type f)" ]; do
	[ "$(date +%s)" -lt $deadline ] || fail "mails are left: $(grep -h ^Subject "$work"/mail/* 2>&1; "$builddir/tests/dump-outbox" dak upload/memory)"
	sleep 0.2
done
"$builddir/tests/dump-outbox" dak | jq -r '"\(.type | sub("org.debian.dev.dak."; "")) \(.subject)"' | sort >"$work/got"
sort "$work/expected" | cmp - "$work/got" || {
	sort "$work/expected" | diff - "$work/got" | head >&2
	fail "not each of them once"
}
"$builddir/tests/dump-outbox" dak | jq -s -e 'all(.[] | select(.type | endswith("upload.accept")); .data.files_total == 1)' >/dev/null ||
	fail "an upload was told without its mail"
[ ! -e "$work/mail/rejected" ] || fail "mails are rejected"

note "idle: no time of the processor, at most 16 MiB"
await_quiet "$pid" 5
rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
note "VmRSS $rss kB"
if ! grep -q __asan_init "$dak"; then # that needs more
	[ "$rss" -le 16384 ] || fail "it has $rss kB"
fi
kill "$pid"
wait "$pid" || fail "exit status $?"
pid=

note "all is well"
