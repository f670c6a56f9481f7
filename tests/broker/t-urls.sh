#!/bin/sh
# A list of urls: the first that answers is taken, and a node that takes connections
# but does nothing with them is left for the next.  What one node of several says is
# final only if the others say it too.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services=wiki
setup

proxy=
stop_proxy() {
	[ -z "$proxy" ] || kill "$proxy" 2>/dev/null || :
}
trap 'status=$?; set +e; stop_proxy; (exit $status); cleanup' EXIT

good="amqp://USER@127.0.0.1:$DEBMSG_AMQP_PORT/$vhost"
elsewhere="amqp://USER@127.0.0.1:$DEBMSG_AMQP_PORT/no-such-host"

# Passes on so much of what a client says that it gets past its login, then hangs up.
# A port that refuses connections is bound by it, too, so that nobody else takes it.
python3 - "$DEBMSG_AMQP_PORT" >"$work/ports" 2>"$work/proxy.log" <<'EOF' &
import socket, sys, threading
refusing = socket.socket()
refusing.bind(("127.0.0.1", 0))
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], refusing.getsockname()[1], flush=True)

def back(broker, client):
    try:
        while data := broker.recv(65536):
            client.sendall(data)
    except OSError:
        pass

while True:
    client, _ = listener.accept()
    broker = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    threading.Thread(target=back, args=(broker, client), daemon=True).start()
    passed = 0
    while passed < 700 and (data := client.recv(100)):
        broker.sendall(data)
        passed += len(data)
    print("hung up", file=sys.stderr, flush=True)
    client.shutdown(socket.SHUT_RDWR)
    broker.close()
EOF
proxy=$!
await 30 test -s "$work/ports"
read -r proxy_port closed_port <"$work/ports"
useless="amqp://USER@127.0.0.1:$proxy_port/$vhost"
closed="amqp://USER@127.0.0.1:$closed_port/$vhost"

# urls CONF USER URL…
urls() {
	file=$work/$1.conf user=$2
	shift 2
	list=
	for url; do
		list="$list${list:+, }\"$(echo "$url" | sed "s/USER/$user/")\""
	done
	sed -i "s|^\( *url *= \).*amqp:.*|\1{ $list }|" "$file"
}

note "the first that answers"
urls debmsg consumer "$closed" "$elsewhere" "$good"
ends 0 debmsg consume --queue q --idle-exit 1

note "nobody: each is named, and it is not called final unless all say so"
urls debmsg consumer "$elsewhere" "$closed"
ends 69 debmsg audit
grep -q "$closed_port.*refused" "$work/stderr" || fail "it says $(cat "$work/stderr")"
grep -q 'no-such-host' "$work/stderr" || fail "it says $(cat "$work/stderr")"
[ "$(wc -l <"$work/stderr")" -eq 1 ] || fail "it says $(cat "$work/stderr")"
urls debmsg consumer "$elsewhere" "$elsewhere"
ends 78 debmsg audit

note "a node that hangs up is left for another"
urls debmsg consumer "$useless" "$good"
urls relay relay "$useless" "$good"
debmsg publish --service wiki --type page.edit --subject A >"$work/id"
start_relay
debmsg consume --queue q --limit 1 >"$work/event" 2>"$work/stderr" || fail "consume: $(cat "$work/stderr")"
grep -q '"subject":"A"' "$work/event" || fail "consume: $(cat "$work/event")"
grep -q 'hung up' "$work/proxy.log" || fail "nobody was hung up on"
debmsg audit >"$work/audit" || fail "audit: $(cat "$work/audit")"
