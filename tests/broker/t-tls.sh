#!/bin/sh
# TLS with real certificates: what is accepted, what is refused and in which words,
# and client certificates (SASL EXTERNAL) for a consumer and for the relay.
. "${DEBMSG_SRCDIR:-.}/tests/broker/lib.sh"
services='dak wiki'
unset DEBMSG_TEST_BROKER	# this broker has a TLS listener

### Certificates

pki=$(mktemp -d "${TMPDIR:-/tmp}/debmsg.XXXXXX")
trap 'rm -rf "$pki"' EXIT

# authority NAME
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$pki/$1.key" -out "$pki/$1.pem" 2>"$pki/log" || fail "openssl: $(cat "$pki/log")"
}

# certificate FILE AUTHORITY COMMON-NAME EXTENSION
certificate() {
	echo "$4" >"$pki/$1.ext"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$3" \
		-keyout "$pki/$1.key" -out "$pki/$1.csr" 2>"$pki/log" || fail "openssl: $(cat "$pki/log")"
	openssl x509 -req -in "$pki/$1.csr" -CA "$pki/$2.pem" -CAkey "$pki/$2.key" -CAcreateserial \
		-days 2 -extfile "$pki/$1.ext" -out "$pki/$1.pem" 2>"$pki/log" || fail "openssl: $(cat "$pki/log")"
}

authority servers-ca
authority clients-ca
authority strangers-ca
certificate server servers-ca bus.demo.example 'subjectAltName = DNS:localhost'
for name in qa wiki dak nobody; do
	certificate $name clients-ca $name 'extendedKeyUsage = clientAuth'
done
certificate impostor strangers-ca qa 'extendedKeyUsage = clientAuth'

tls=$pki/tls
mkdir "$tls"
cp "$pki/server.pem" "$pki/server.key" "$pki/clients-ca.pem" "$tls"

### The test

setup
trap 'status=$?; set +e; rm -rf "$pki"; (exit $status); cleanup' EXIT
debmsg_broker --vhost "$vhost" add consumer qa --certificate
debmsg_broker --vhost "$vhost" add consumer other --certificate

# configured NAME SED…: $work/NAME.conf, for TLS, with changes.
configured() {
	name=$1
	shift
	sed -e "s,amqp://consumer@127.0.0.1:$DEBMSG_AMQP_PORT,amqps://consumer@localhost:$DEBMSG_AMQPS_PORT," \
		-e "s,^  password-file.*consumer.*,&\n  ca-file = \"$pki/servers-ca.pem\"," "$work/debmsg.conf" >"$work/tls.conf"
	sed "$@" "$work/tls.conf" >"$work/$name.conf"
	chmod 600 "$work/$name.conf"
}

# refused NAME STATUS TEXT COMMAND…: in one line, and soon.
refused() {
	file=$work/$1.conf wanted=$2 text=$3
	shift 3
	ends "$wanted" timeout 60 debmsg -c "$file" "$@"
	[ "$(wc -l <"$work/stderr")" -eq 1 ] || fail "not in one line: $(cat "$work/stderr")"
	grep -q "$text" "$work/stderr" || fail "not '$text': $(cat "$work/stderr")"
}

# with_certificate NAME USER: SED commands that log USER in with the certificate NAME.
with_certificate() {
	echo "s,consumer@,$2@,; s,^  password-file.*consumer.*,  cert-file = \"$pki/$1.pem\" key-file = \"$pki/$1.key\","
}

note "with the right authority and a password"
configured good ''
ends 0 debmsg -c "$work/good.conf" consume --queue all --idle-exit 1

note "wrong authority, wrong name, no file, plain text"
configured wrong-ca "s,servers-ca,strangers-ca,"
refused wrong-ca 69 "not by an authority in ca-file $pki/strangers-ca.pem" tail --limit 1
configured wrong-name "s,localhost,127.0.0.1,"
refused wrong-name 69 'not for the host name 127.0.0.1' tail --limit 1
configured no-file "s,servers-ca,nothing-ca,"
refused no-file 78 "ca-file $pki/nothing-ca.pem" tail --limit 1
configured no-ca "/ca-file/d"
refused no-ca 78 'amqps needs ca-file' tail --limit 1
configured plain "s,amqps://,amqp://,"
refused plain 69 'does this port speak TLS' tail --limit 1
configured tls-to-plain "s,:$DEBMSG_AMQPS_PORT,:$DEBMSG_AMQP_PORT,"
refused tls-to-plain 69 'speak TLS' tail --limit 1

note "versions of TLS: 1.2 and 1.3, and none below"
speaks() {
	openssl s_client -connect "127.0.0.1:$DEBMSG_AMQPS_PORT" -CAfile "$pki/servers-ca.pem" -verify_return_error \
		-cipher 'ALL:@SECLEVEL=0' "$1" </dev/null >"$work/s_client" 2>&1
}
for version in -tls1_2 -tls1_3; do
	speaks $version || fail "$version is not spoken: $(cat "$work/s_client")"
done
for version in -tls1 -tls1_1; do
	speaks $version && fail "$version is spoken"
	grep -q 'alert protocol version' "$work/s_client" || fail "$version: $(tail -n 5 "$work/s_client")"
done

note "a client certificate in place of the password: relay, consume, audit"
debmsg_broker --vhost "$vhost" remove wiki
debmsg_broker --vhost "$vhost" add adapter wiki --certificate
configured relay "$(with_certificate qa qa); s,^  user = \"wiki\".*,  user = \"wiki\" cert-file = \"$pki/wiki.pem\" key-file = \"$pki/wiki.key\","
configured qa "$(with_certificate qa qa)"
ends 0 debmsg -c "$work/qa.conf" consume --queue all --bind wiki --idle-exit 1
debmsg publish --service wiki --type page.edit --subject Front >"$work/id"
ends 0 debmsg -c "$work/relay.conf" relay --once
ends 0 debmsg -c "$work/qa.conf" consume --queue all --limit 1 >"$work/printed"
jq -e '.subject == "Front"' "$work/printed" >/dev/null || fail "printed: $(cat "$work/printed")"
ends 0 debmsg -c "$work/qa.conf" audit >/dev/null

note "a certificate of another name, of no user, of a strange authority, without its key"
configured other-name "$(with_certificate qa other)"
refused other-name 78 "refused for user 'qa'" consume --queue all --idle-exit 1
configured nobody "$(with_certificate nobody nobody)"
refused nobody 78 'certificate .*nobody.pem.*--certificate' consume --queue all --idle-exit 1
configured impostor "$(with_certificate impostor qa)"
refused impostor 69 'the authority that made cert-file' consume --queue all --idle-exit 1
configured torn "$(with_certificate qa qa); s,qa.key,wiki.key,"
refused torn 78 'do not belong together' consume --queue all --idle-exit 1
debmsg publish --service wiki --type page.edit --subject Second >"$work/id"
sed "s,$pki/wiki\.,$pki/dak.,g" "$work/relay.conf" >"$work/relay-dak.conf"
ends 78 debmsg -c "$work/relay-dak.conf" relay --once
grep -q "wiki.*'dak'" "$work/stderr" || fail "a relay with dak's certificate: $(cat "$work/stderr")"

note "nobody logs in as a certificate's user with a password, an empty one least of all"
: >"$work/empty.password"
echo guess >"$work/guess.password"
for password in guess empty; do
	configured guess "s,consumer@,qa@,; s,$secrets/consumer.password,$work/$password.password,"
	ends 78 debmsg -c "$work/guess.conf" tail --limit 1
done
