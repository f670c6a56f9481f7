# shellcheck shell=sh
# What the tests of debmsg doctor share.  Sourced after lib.sh; then
#
#   setup_doctor           setup, a management section with user "monitor", a relay that runs
#   diagnose STATUS [COMMAND…]   runs doctor, by COMMAND where one is given, in both of its
#                          forms (or those in $forms); both must end with STATUS
#   found LEVEL CHECK TEXT one of the findings has this level and check, TEXT in
#                          "SUBJECT: TEXT", and, if it is a warning or an error, a remedy
#   lost LEVEL CHECK        none of the findings has this level and check
: "${srcdir:?}" "${work=}" "${vhost=}" "${secrets=}"

setup_doctor() {
	setup
	"$srcdir/broker-config/debmsg-broker" --vhost "$vhost" definitions monitor monitor \
		"$secrets/monitor.password" >"$work/monitor.json"
	api definitions --json "@$work/monitor.json"
	cat >>"$DEBMSG_CONF" <<-EOF
	management {
	  url           = "http://127.0.0.1:$DEBMSG_MGMT_PORT"
	  user          = "monitor"
	  password-file = "$secrets/monitor.password"
	}
	EOF
	start_relay
	debmsg publish --service dak --type upload.accept --subject hello >/dev/null
	await 60 all_sent
}

all_sent() {
	[ "$(debmsg outbox status --json | jq -s 'map(.waiting) | add')" = 0 ]
}

diagnose() {
	wanted=$1
	shift
	for form in ${forms-text json}; do
		status=0
		case $form in
		text) "$@" debmsg doctor --broker-config "$srcdir/broker-config" ;;
		json) "$@" debmsg doctor --broker-config "$srcdir/broker-config" --json ;;
		esac >"$work/doctor.$form" || status=$?
		[ $status -eq "$wanted" ] ||
			fail "doctor ($form) ends with $status, not $wanted: $(cat "$work/doctor.$form")"
	done
	jq -e 'has("level") and has("check") and has("subject") and has("text") and has("remedy")' \
		"$work/doctor.json" >/dev/null || fail "a finding lacks a member"
}

found() {
	jq -e -s --arg level "$1" --arg check "$2" --arg text "$3" \
		'any(.level == $level and .check == $check and ("\(.subject): \(.text)" | contains($text))
			and (.remedy != "" or $level == "ok" or $level == "note"))' \
		"$work/doctor.json" >/dev/null ||
		fail "not found: $1 $2 '$3' in $(jq -c 'select(.level != "ok")' "$work/doctor.json")"
	[ "$1" = ok ] || [ "${forms-text}" != text ] || grep "^$1  *$2 " "$work/doctor.text" | grep -qF -- "$3" ||
		fail "not in the text: $1 $2 '$3': $(cat "$work/doctor.text")"
}

lost() {
	! jq -e -s --arg level "$1" --arg check "$2" 'any(.level == $level and .check == $check)' \
		"$work/doctor.json" >/dev/null || fail "found: $1 $2: $(cat "$work/doctor.text")"
}
