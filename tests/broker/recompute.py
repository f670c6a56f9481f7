#!/usr/bin/env python3
"""Checks an export of the bus's history without any code of debmsg.

usage: recompute.py [--keyring FILE] < EXPORT

Reads the lines that `debmsg export` writes and recomputes, from RFC 6962 and
PROTOCOL alone: every inclusion proof, every signed root, the compact range that
grows event by event, identities, routing keys, type sequences.  With --keyring
(public keys, not armoured) gpgv checks the signature of every checkpoint too.

Prints a line for each log and exits 0, or says what is wrong and exits 1.
"""

import base64
import collections
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

Proof = collections.namedtuple("Proof", "index path origin size root text signatures")


class Wrong(Exception):
    pass


def check(holds, *what):
    if not holds:
        raise Wrong(" ".join(str(w) for w in what))


# -- RFC 6962, section 2.1 ------------------------------------------------------


def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """The recursive definition of MTH; subtrees that are full are kept."""

    def __init__(self, leaves):
        self.leaves = leaves
        self.full = {}

    def root(self, begin, end):
        size = end - begin
        if size == 1:
            return self.leaves[begin]
        is_full = size & (size - 1) == 0
        if is_full and (begin, end) in self.full:
            return self.full[begin, end]
        split = 1 << ((size - 1).bit_length() - 1)
        value = node_hash(
            self.root(begin, begin + split), self.root(begin + split, end)
        )
        if is_full:
            self.full[begin, end] = value
        return value


def included_root(leaf, index, size, path):
    """Root by leaf and path (RFC 9162, 2.1.3.2); and the left-hand siblings."""
    here, last, value, left = index, size - 1, leaf, []
    for sibling in path:
        check(last != 0, "path is too long")
        if here & 1 or here == last:
            left.append(sibling)
            value = node_hash(sibling, value)
            while not here & 1 and here:
                here >>= 1
                last >>= 1
        else:
            value = node_hash(value, sibling)
        here >>= 1
        last >>= 1
    check(last == 0, "path is too short")
    return value, left


def grow(fringe, leaf):
    """fringe: (height, hash) of the full subtrees, the largest first."""
    node = (0, leaf)
    while fringe and fringe[-1][0] == node[0]:
        height, sibling = fringe.pop()
        node = (height + 1, node_hash(sibling, node[1]))
    fringe.append(node)


# -- PROTOCOL, sections 1 to 3 --------------------------------------------------


def decimal(text):
    check(re.fullmatch(r"0|[1-9][0-9]{0,18}", text), "not a number:", text)
    return int(text)


def hash_of(text):
    value = base64.b64decode(text, validate=True)
    check(len(value) == 32, "not a hash:", text)
    return value


def parse_proof(text):
    head, _, note = text.partition("\n\n")
    lines = head.split("\n")
    check(lines[0] == "c2sp.org/tlog-proof@v1", "first line of a proof:", lines[0])
    check(lines[1].startswith("index "), "second line of a proof:", lines[1])
    checkpoint, _, signatures = note.partition("\n\n")
    parts = checkpoint.split("\n")
    check(len(parts) == 3, "lines of a checkpoint:", len(parts))
    check(signatures.endswith("\n"), "a note must end in a newline")
    return Proof(
        decimal(lines[1][6:]),
        [hash_of(line) for line in lines[2:]],
        parts[0],
        decimal(parts[1]),
        hash_of(parts[2]),
        checkpoint.encode() + b"\n",
        signatures[:-1].split("\n"),
    )


def routing_key(event):
    key, subject = event["type"], event.get("subject")
    if not subject:
        return key
    tokens = [
        chr(b) if re.match(rb"[A-Za-z0-9_~+-]", bytes([b])) else "%%%02X" % b
        for b in subject.encode()
    ]
    key += "." + "".join(tokens)
    if len(key) <= 255:
        return key
    key, room = event["type"] + ".", 255 - 17
    for token in tokens:  # the cut splits no escape
        if len(key) + len(token) > room:
            break
        key += token
    return key + "~" + hashlib.sha256(subject.encode()).hexdigest()[:16]


def no_repeats(pairs):
    names = [name for name, _ in pairs]
    check(len(set(names)) == len(names), "a name twice in one object:", names)
    return dict(pairs)


def parse_event(body):
    event = json.loads(body.decode(), object_pairs_hook=no_repeats)
    parts = event["type"].split(".")
    check(len(parts) == 6 and parts[:2] == ["org", "debian"], "type:", event["type"])
    check(event["specversion"] == "1.0", "specversion:", event["specversion"])
    check(event["datacontenttype"] == "application/json", "datacontenttype")
    prefix = "urn:debmsg:schema:" + ".".join(parts[3:]) + ":"
    check(event["dataschema"].startswith(prefix), "dataschema:", event["dataschema"])
    check(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["time"]),
        "time:",
        event["time"],
    )
    check(0 < len(event["data"]["summary"]) <= 200, "summary:", event["data"])
    return event


# -- signatures -----------------------------------------------------------------


def verify_signature(keyring, proof):
    for line in proof.signatures:
        dash, origin, value = line.split(" ")
        check(dash == "\u2014" and origin == proof.origin, "signature line:", line)
        value = base64.b64decode(value, validate=True)
        fingerprint = gpgv(keyring, proof.text, value[4:])
        named = proof.origin.encode() + b"\n\xffopenpgp" + bytes.fromhex(fingerprint)
        check(hashlib.sha256(named).digest()[:4] == value[:4], "key id of", line)


def gpgv(keyring, text, signature):
    with tempfile.TemporaryDirectory() as directory:
        name = os.path.join(directory, "signature")
        with open(name, "wb") as f:
            f.write(signature)
        result = subprocess.run(
            ["gpgv", "--status-fd", "1", "--keyring", keyring, name, "-"],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    valid = re.findall(rb"(?m)^\[GNUPG:\] VALIDSIG ([0-9A-F]+) ", result.stdout)
    check(result.returncode == 0 and len(valid) == 1, "gpgv does not believe", text)
    return valid[0].decode()


# -- the history ------------------------------------------------------------------


class Log:
    def __init__(self):
        self.events = {}  # index -> (body, left-hand siblings)
        self.order = []  # indexes as they came first
        self.proofs = {}  # size -> proof
        self.messages = 0

    def add(self, body, proof, left):
        self.messages += 1
        known = self.proofs.setdefault(proof.size, proof)
        check(known.root == proof.root, "two roots for size", proof.size)
        if proof.index not in self.events:
            self.order.append(proof.index)
        known = self.events.setdefault(proof.index, (body, left))
        check(known[0] == body, "two bodies for event", proof.index)
        check(known[1] == left, "two pasts before event", proof.index)

    def finish(self):
        size = max(self.proofs)
        missing = set(range(size)) - set(self.events)
        check(not missing, len(missing), "events are missing, such as", min(missing | {0}))
        check(len(self.events) == size, "there are events that no checkpoint covers")
        check(self.order == sorted(self.order), "events came first in another order")
        leaves = [leaf_hash(self.events[i][0]) for i in range(size)]
        tree = Tree(leaves)
        for proof in self.proofs.values():
            check(
                tree.root(0, proof.size) == proof.root,
                "the root signed for size",
                proof.size,
                "is not that of the events",
            )
        self.check_ranges(leaves)
        self.check_sequences()

    def check_ranges(self, leaves):
        fringe = []
        for i, leaf in enumerate(leaves):
            left = [value for _, value in reversed(fringe)]
            check(self.events[i][1] == left, "the compact range before event", i)
            grow(fringe, leaf)

    def check_sequences(self):
        counts = collections.Counter()
        for i in range(len(self.events)):
            event = json.loads(self.events[i][0])
            counts[event["type"]] += 1
            check(
                decimal(event["typesequence"]) == counts[event["type"]],
                "typesequence of event",
                i,
            )


def add_line(logs, line):
    message = json.loads(line)
    if "body" in message:
        body = message["body"].encode()
    else:
        body = base64.b64decode(message["body_base64"], validate=True)
    proof = parse_proof(message["proof"])
    root, left = included_root(leaf_hash(body), proof.index, proof.size, proof.path)
    check(root == proof.root, "event", proof.index, "is not under the root")
    event = parse_event(body)
    check(event["source"] == proof.origin, "source:", event["source"])
    check(event["id"] == str(proof.index), "id:", event["id"])
    check(message["routing_key"] == routing_key(event), "key:", message["routing_key"])
    logs.setdefault(proof.origin, Log()).add(body, proof, left)


def recompute(keyring):
    logs = {}
    for number, line in enumerate(sys.stdin, 1):
        try:
            add_line(logs, line)
        except (Wrong, ValueError, KeyError, IndexError) as e:
            raise Wrong("line %d: %s" % (number, e)) from e
    check(logs, "no messages")
    for origin, log in sorted(logs.items()):
        try:
            log.finish()
            for proof in log.proofs.values():
                if keyring:
                    verify_signature(keyring, proof)
        except Wrong as e:
            raise Wrong("%s: %s" % (origin, e)) from e
        print(
            "%s: %d events in %d messages under %d checkpoints"
            % (origin, len(log.events), log.messages, len(log.proofs))
        )


def main():
    keyring = None
    if len(sys.argv) == 3 and sys.argv[1] == "--keyring":
        keyring = os.path.abspath(sys.argv[2])
    elif len(sys.argv) != 1:
        sys.exit(__doc__)
    try:
        recompute(keyring)
    except Wrong as e:
        sys.exit("recompute: " + str(e))


if __name__ == "__main__":
    main()
