#!/bin/sh
# debmsg doctor ends when nothing that it asks does: a broker and a gpg-agent that
# are stopped (SIGSTOP), which costs minutes.  Run by make check-long.

unset DEBMSG_TEST_BROKER DEBMSG_TEST_KEYS
# shellcheck source=tests/broker/lib.sh
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
# shellcheck source=tests/broker/doctor-lib.sh
. "$srcdir/tests/broker/doctor-lib.sh"
setup_doctor
forms=json
stopped=

# What is stopped would not end when it is told to.
go_on() {
	[ -z "$stopped" ] || kill -CONT "$stopped"
	stopped=
}
cleanup_hangs() {
	status=$?
	go_on
	set +e
	(exit "$status")
	cleanup
}
trap cleanup_hangs EXIT

stopped=$(cat "$DEBMSG_BROKER_PID")
kill -STOP "$stopped"
diagnose 1
go_on
found error broker-url 'no answer'
found error management "127.0.0.1:$DEBMSG_MGMT_PORT"
found ok signing-key ''
found ok outbox-intact 'dak'

stopped=$(gpg-connect-agent --homedir "$keys/gnupg" 'GETINFO pid' /bye | awk '$1 == "D" { print $2 }')
kill -STOP "$stopped"
diagnose 1
go_on
found error doctor 'not done within'
found ok broker-url ''
