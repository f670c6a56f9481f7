# shellcheck shell=sh
# doc/python-consumer.py for tests: sourced after lib.sh, used after setup.
# shellcheck disable=SC2154 # lib.sh sets what is not set here

python=/usr/bin/python3	# Debian's; another one, first in PATH, has not its modules
consumer_py=$srcdir/doc/python-consumer.py

has_python_modules() {
	"$python" -c 'import gpg, pika' 2>/dev/null
}

# python_configuration NAME BINDING…: $work/NAME.json, which believes what trust.conf does.
python_configuration() {
	"$python" - "$work/$1.json" "amqp://127.0.0.1:$DEBMSG_AMQP_PORT/$vhost" "$secrets/consumer.password" \
		"$work/trust.conf" "$@" <<-'EOT'
		import json, re, sys
		target, broker, password_file, trust_conf, name, *bind = sys.argv[1:]
		text = open(trust_conf).read()
		def strings(option, section):
		    return re.findall('"(.*?)"', re.search(r"\b%s\s*=\s*{(.*?)}" % option, section, re.S)[1])
		logs = re.findall(r'^log "(.*?)" {(.*?types.*?}.*?)}', text, re.S | re.M)
		trust = [[log, key, pattern] for log, section in logs
		         for key in strings("keys", section) for pattern in strings("types", section)]
		json.dump({
		    "broker": broker, "user": "consumer", "password-file": password_file,
		    "queue": name, "bind": bind, "ledger": target[:-4] + "db",
		    "homedir": re.search('^homedir = "(.*)"', text, re.M)[1], "trust": trust,
		}, open(target, "w"), indent=1)
	EOT
}

python_pid=
start_python() {
	"$python" "$consumer_py" "$work/$1.json" >>"$work/$1.printed" 2>>"$work/$1.log" &
	python_pid=$!
}

stop_python() {
	[ -n "$python_pid" ] || return 0
	kill -s KILL "$python_pid" 2>/dev/null || :	# which it must survive at any time
	wait "$python_pid" || :
	python_pid=
}

# python_until NAME COMMAND…: the consumer runs until COMMAND succeeds, or 60 seconds.
python_until() {
	start_python "$1"
	name=$1
	shift
	python_status=0
	await 60 "$@" || python_status=1
	stop_python
	[ $python_status = 0 ] || tail -n 20 "$work/$name.log" >&2
	return $python_status
}

# Its output as <source>/<id>.
python_ids() {
	sed 's/^{"specversion": "1.0", "source": "\([^"]*\)", "id": "\([^"]*\)",.*/\1\/\2/' "$work/$1.printed"
}
