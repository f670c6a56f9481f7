# shellcheck shell=sh
# What the broker answers to a user: sourced after lib.sh, used after setup_broker.
# shellcheck disable=SC2154 # lib.sh sets what is not set here

# joined SEQUENCE…: [SEQUENCE], [SEQUENCE]
joined() {
	printf '[%s]' "$1"
	shift
	[ $# -eq 0 ] || printf ', [%s]' "$@"
}

# attempt USER SEQUENCE…: what the broker answers to AMQP methods that USER sends over
# the network, one connection for all, a channel for each sequence: "[ok,403]", where a
# number is the code of the refusal.  The Erlang client that comes with RabbitMQ speaks;
# a method is written as it writes one, a sequence has commas between methods.
attempt() {
	user=$1
	shift
	"$RABBITMQCTL" -q eval "
		{ok, Params} = amqp_uri:parse(\"amqp://$user:$(cat "$secrets/$user.password")@127.0.0.1:$DEBMSG_AMQP_PORT/$vhost\"),
		{ok, Connection} = amqp_connection:start(Params),
		Send = fun
			(Channel, {Method, Body}) ->
				Properties = erlang:make_tuple(15, undefined, [{1, 'P_basic'}]),
				amqp_channel:call(Channel, Method, {amqp_msg, Properties, Body}),
				true = amqp_channel:wait_for_confirms(Channel, 10);
			(Channel, Method) ->
				amqp_channel:call(Channel, Method)
		end,
		Try = fun(Methods) ->
			{ok, Channel} = amqp_connection:open_channel(Connection),
			amqp_channel:call(Channel, {'confirm.select', false}),
			try lists:foreach(fun(Method) -> Send(Channel, Method) end, Methods), ok
			catch exit:{{shutdown, {server_initiated_close, Code, _}}, _} -> Code
			end
		end,
		Answers = lists:map(Try, [$(joined "$@")]),
		catch amqp_connection:close(Connection),
		Answers." | tr -d ' \n'
}

publish() {
	echo "{{'basic.publish', 0, <<\"$1\">>, <<\"$2\">>, false, false}, <<\"{}\">>}"
}

declare_exchange() {
	echo "{'exchange.declare', 0, <<\"$1\">>, <<\"topic\">>, false, true, false, false, false, []}"
}

# declare_queue NAME [TYPE [MORE ARGUMENTS]]
declare_queue() {
	echo "{'queue.declare', 0, <<\"$1\">>, false, true, false, false, false,
		[{<<\"x-queue-type\">>, longstr, <<\"${2-quorum}\">>}${3-}]}"
}

delete_queue() {
	echo "{'queue.delete', 0, <<\"$1\">>, false, false, false}"
}

bind() {
	echo "{'queue.bind', 0, <<\"$1\">>, <<\"debmsg\">>, <<\"$2\">>, false, []}"
}

bind_exchange() {
	echo "{'exchange.bind', 0, <<\"$1\">>, <<\"$2\">>, <<\"#\">>, false, []}"
}

purge() {
	echo "{'queue.purge', 0, <<\"$1\">>, false}"
}

get() {
	echo "{'basic.get', 0, <<\"$1\">>, false}"
}

read_history() {
	echo "{'basic.qos', 0, 1, false}, {'basic.consume', 0, <<\"debmsg.log\">>, <<>>, false, false, false, false, []}"
}

# allowed USER METHOD…: all of them, one after another
allowed() {
	answers=$(attempt "$1" "$(shift && printf '%s, ' "$@" | sed 's/, $//')")
	[ "$answers" = '[ok]' ] || fail "$* was answered $answers; should be allowed"
}

# refused USER METHOD…: each by itself
refused() {
	answers=$(attempt "$@")
	echo "$answers" | grep -qx '\[403\(,403\)*\]' || fail "$* was answered $answers; should be refused"
}
