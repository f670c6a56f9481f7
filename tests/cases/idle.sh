# shellcheck shell=sh
# Is a program that has nothing to do quiet?

# await_quiet PID SECONDS [WAKE-UPS]: until it has used no processor time for so
# long, and has woken up at most so often; it has a minute to come to rest.
await_quiet() {
	quiet_until=$(($(date +%s) + 60))
	while :; do
		quiet_before=$(sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 12,13)
		quiet_sleeps=$(sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' "/proc/$1/status")
		sleep "$2" # what is looked at is that nothing happens
		quiet_after=$(sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 12,13)
		quiet_sleeps=$(($(sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' "/proc/$1/status") - quiet_sleeps))
		[ "$quiet_before" != "$quiet_after" ] || [ $quiet_sleeps -gt "${3:-100}" ] || return 0
		[ "$(date +%s)" -lt $quiet_until ] ||
			fail "not quiet: ticks $quiet_before, then $quiet_after; it woke up $quiet_sleeps times"
	done
}
