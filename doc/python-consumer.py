#!/usr/bin/python3
# A complete consumer of debmsg: PROTOCOL section 5, step by step, then act().  consumer-guide.md explains it.
import base64, datetime, functools, itertools, json, re, sqlite3, sys, time, urllib.parse
import gpg, gpg.errors as errors, pika, pika.data  # Debian packages python3-gpg and python3-pika
from hashlib import sha256
N, LOG, B = "(?:0|[1-9][0-9]{0,17})", "[!-*,-~]{1,183}/[0-9]{8}T[0-9]{6}Z", "[A-Za-z0-9+/]"
HASH, BASE64 = f"{B}{{42}}[AEIMQUYcgkosw048]=", f"(?:{B}{{4}}){{2,}}(?:{B}{{2}}[AEIMQUYcgkosw048]=|{B}[AQgw]==)?"
OTHERS, WORDS = f"(?:\u2014 [^\0-\x20\x7f+]+ {BASE64}\n)*?", "[a-z0-9][a-z0-9_-]*(?:\\.[a-z0-9][a-z0-9_-]*){2}"
PROOF = re.compile(f"c2sp\\.org/tlog-proof@v1\nindex ({N})\n((?:{HASH}\n){{0,63}})\n"
                   f"(({LOG})\n({N})\n({HASH})\n)\n{OTHERS}\u2014 \\4 ({BASE64})\n{OTHERS}")
NAMES = ["specversion", "datacontenttype", "source", "id", "typesequence", "time", "type", "dataschema"]
BODY = re.compile(f"1\\.0\napplication/json\n{LOG}\n{N}\n(?!0){N}\n[0-9-]{{10}}T[0-9:]{{8}}\\.[0-9]{{6}}Z\n(?!.{{161}})"
                  f"org\\.debian\\.(?:production|stg|dev)\\.({WORDS})\nurn:debmsg:schema:\\1:{N}\n[^\r\n]{{0,200}}")
FAILURES = {errors.NO_PUBKEY: "unknown-key", errors.KEY_EXPIRED: "expired-key", errors.DIGEST_ALGO: "weak-signature",
            errors.SIG_EXPIRED: "expired-key", errors.CERT_REVOKED: "revoked-key"}

class Rejected(Exception): "The failure's name in PROTOCOL section 5, and what is wrong."
def need(holds, reason, text):
    if not holds: raise Rejected(reason, text)
def once(pairs):  # what a JSON object is made of
    return need(len(dict(pairs)) == len(pairs), "malformed-event", "a name twice") or dict(pairs)
def matches(pattern, key):  # as the broker does it
    words = ({"#": r"(\.[^.]+)*", "*": r"\.[^.]+"}.get(word, re.escape("." + word)) for word in pattern.split("."))
    return re.fullmatch("".join(words), "." + key)
def decode_table(encoded, offset, decode=pika.data.decode_table):  # pika dies of headers like dates after 9999
    try: return decode(encoded, offset)
    except Exception: return {}, offset + 4 + int.from_bytes(encoded[offset:offset + 4], "big")
pika.data.decode_table = decode_table
def root_of(node, index, size, path):  # RFC 6962 section 2.1.1, from the top down
    need(bool(path) == (size > 1), "malformed-proof", "the path has not the right length")
    if not path: return node
    split, sibling = 1 << (size - 1).bit_length() - 1, base64.b64decode(path[-1])
    below = root_of(node, index % split, split if index < split else size - split, path[:-1])
    return sha256(b"\1" + (below + sibling if index < split else sibling + below)).digest()

@functools.lru_cache(1000)  # for ten minutes, so that revocation and expiry bite
def signer_of(checkpoint, signature, _minutes):
    head = 2 + (signature[0] & 1)  # exactly one packet of version 4, for binary documents
    need(re.match(b"(?s)(\x88.|\x89..)\x04\\x00", signature) and len(signature) == head +
         int.from_bytes(signature[1:head], "big"), "bad-signature", "not one OpenPGP signature")
    ctx = gpg.Context(home_dir=conf["homedir"], offline=True)  # its keys, and no others
    ctx.set_ctx_flag("trust-model", "always")  # whom to trust for what, conf["trust"] says
    try: ctx.op_verify(gpg.Data(signature), gpg.Data(checkpoint), None)
    except errors.GPGMEError as e:  # but for these, GnuPG is in trouble, and nothing is known
        if e.getcode() not in (errors.NO_DATA, errors.BAD_DATA): raise
    for sig in ctx.op_verify_result().signatures:
        code, who = sig.status & 0xFFFF, "by key " + sig.fpr
        need(code == 0 and not sig.wrong_key_usage, FAILURES.get(code, "bad-signature"), who)
        keys = [k for i, k in enumerate(ctx.get_key(sig.fpr).subkeys) if i == 0 or k.fpr == sig.fpr]
        short = any(k.length < 2048 and k.pubkey_algo in (1, 3, 17) for k in keys)  # RSA, DSA
        need(sig.hash_algo in (8, 9, 10) and not short, "weak-signature", who)  # SHA-256, -384, -512
        return {keys[0].fpr, sig.fpr + "!"}  # what conf["trust"] may call it
    raise Rejected("bad-signature", "not an OpenPGP signature")

def check(body, proof, key):  # the event, or Rejected
    need(len(body) <= 65536, "oversize", "the body is larger than 64 KiB")  # step 1
    need(body and proof and isinstance(proof, (str, bytes)), "unsigned", "no body, or no tlog-proof")
    match = isinstance(proof, str) and len(proof.encode()) <= 16384 and PROOF.fullmatch(proof)  # step 2
    need(match and int(match[1]) < int(match[5]), "malformed-proof", "not a c2sp.org/tlog-proof@v1")
    index, path, checkpoint, origin, size, root, signature = match.groups()
    leaf = sha256(b"\0" + body).digest()  # step 3
    need(root_of(leaf, int(index), int(size), path.split()) == base64.b64decode(root), "not-included", "another body")
    signer = signer_of(checkpoint.encode(), base64.b64decode(signature)[4:], time.time() // 600)  # step 4
    try:  # step 5
        brackets = re.findall(r"[][{}]", re.sub(r'(?s)"[^"\\]*(?:\\.[^"\\]*)*("|\\?\Z)', "", text := body.decode()))
        need(max(itertools.accumulate(1 if b in "[{" else -1 for b in brackets), default=0) <= 32 and
             not re.search(r"(?<!\\)(?:\\\\)*\\u0000", text), "malformed-event", "nested too deep, or NUL")
        event = json.loads(text, object_pairs_hook=once)
        json.dumps(event, allow_nan=False, ensure_ascii=False).encode()  # neither NaN nor half a surrogate pair
        kind, subject, data = event["type"], event.get("subject", ""), event["data"]
        "".join([subject, data.get("url", "")]), datetime.datetime.fromisoformat(event["time"])  # texts; a real day
        counts = data["types"] if kind.endswith(".bus.checkpoint") else {}  # how far the log has come
        need(BODY.fullmatch("\n".join([event[name] for name in NAMES] + [data["summary"]])) and
             max([0, *counts.values()]) < 2**63, "malformed-event", "an attribute is not as in section 1")
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise Rejected("malformed-event", repr(e)[:200]) from e
    need((event["source"], event["id"]) == (origin, index), "identity-mismatch", f"it is leaf {index} of {origin}")
    word = urllib.parse.quote(subject, safe="+").replace(".", "%2E")  # step 6
    if len(kind) + len(word) > 254:  # cut, but not within an escape
        word = re.match("(%..|[^%])*", word[:237 - len(kind)])[0] + "~" + sha256(subject.encode()).hexdigest()[:16]
    need(key == f"{kind}.{word}".rstrip(".") and any(matches(p, key) for p in conf["bind"]), "misrouted", kind + word)
    need(any(name == origin.rpartition("/")[0] and who in signer and matches(pattern, kind)  # step 7
             for name, who, pattern in conf["trust"]), "untrusted-signer", f"{kind} of {origin}, signed by {signer}")
    return event, leaf, counts

def act(event):  # what you want to do; what it writes into db is done once, whatever is killed when
    print(json.dumps(event), flush=True)
conf, option = json.load(open(sys.argv[1])), sys.argv[2:]
for line in map(json.loads, open(option[1]) if option else ()):  # --verify FILE: messages in export form
    body = line["body"].encode() if "body" in line else base64.b64decode(line["body_base64"])
    try: print("ok", check(body, line["proof"], line["routing_key"])[0]["id"])
    except Rejected as e: print(*e.args)
if option: sys.exit()
db, login = sqlite3.connect(conf["ledger"]), pika.URLParameters(conf["broker"])
db.execute("CREATE TABLE IF NOT EXISTS ledger (name TEXT PRIMARY KEY, value)")
get = lambda name: (db.execute("SELECT value FROM ledger WHERE name = ?", (name,)).fetchone() or [None])[0]
login.credentials = pika.PlainCredentials(conf["user"], open(conf["password-file"]).readline().strip())
channel, queue = pika.BlockingConnection(login).channel(), conf["user"] + "." + conf["queue"]
channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
for pattern in conf["bind"]: channel.queue_bind(queue, "debmsg", pattern)
channel.confirm_delivery(), channel.basic_qos(prefetch_count=100)
for method, properties, body in channel.consume(queue):
    proof = (properties.headers or {}).get("tlog-proof")
    try:
        event, leaf, counts = check(body, proof, method.routing_key)
        log, own, name = event["source"] + " ", event["type"], event["source"] + "/" + event["id"]
        need(get(name) in (None, leaf), "equivocation", "another body came before under this source and id")
        with db:  # one transaction
            for kind, count in {**counts, own: int(event["typesequence"]) - 1}.items() if not get(name) else ():
                last = get(log + kind)
                if (last or count) < count: print(f"gap: {log}{kind}: {last + 1}..{count}", file=sys.stderr)
                db.execute("REPLACE INTO ledger VALUES (?, ?)", (log + kind, max(last or 0, count + (kind == own))))
            if not get(name) and not own.endswith(".bus.checkpoint"): act(event)
            db.execute("REPLACE INTO ledger VALUES (?, ?)", (name, leaf))
    except Rejected as e:
        headers = dict(zip(("debmsg-reason", "debmsg-text", "debmsg-queue", "tlog-proof"), (*e.args, queue, proof)))
        headers = {name: value[:16384] for name, value in headers.items() if isinstance(value, (str, bytes))}
        parked = pika.BasicProperties(headers=headers, message_id=properties.message_id, delivery_mode=2)
        channel.basic_publish("debmsg.dead", method.routing_key, body, parked, mandatory=True)
    channel.basic_ack(method.delivery_tag)
