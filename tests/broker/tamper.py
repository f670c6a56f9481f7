#!/usr/bin/env python3
"""Takes a message apart, and perhaps changes something.

usage: tamper.py HOW NAME < LINE

Reads one line in export form and writes NAME.key, NAME.body and NAME.proof.
HOW is `nothing`, or what is to be changed:

  body            one byte of it
  signature       its last byte
  key-id          which is a hint only: the message stays good
  path            its first hash
  index           one more
  short-path      without its last hash
  junk            a line after the signatures
  signed-by=DIR   the signature: a new one, by the key in this GnuPG home
"""

import base64
import json
import subprocess
import sys


def change_signature(proof, at):
    head, _, line = proof[:-1].rpartition("\n")
    dash, origin, value = line.split(" ")
    value = bytearray(base64.b64decode(value))
    value[at] ^= 1
    value = base64.b64encode(value).decode()
    return "%s\n%s %s %s\n" % (head, dash, origin, value)


def sign_anew(proof, homedir):
    head, _, line = proof[:-1].rpartition("\n")
    checkpoint = head.split("\n\n")[1]
    signature = subprocess.run(
        ["gpg", "--homedir", homedir, "--batch", "--quiet", "--detach-sign"],
        input=checkpoint.encode(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    dash, origin, value = line.split(" ")
    value = base64.b64decode(value)[:4] + signature
    return "%s\n%s %s %s\n" % (head, dash, origin, base64.b64encode(value).decode())


def change(how, body, proof):
    lines = proof.split("\n")
    blank = lines.index("")
    if how == "body":
        body[len(body) // 2] ^= 1
    elif how == "signature":
        proof = change_signature(proof, -1)
    elif how == "key-id":
        proof = change_signature(proof, 0)
    elif how == "path":
        lines[2] = base64.b64encode(bytes(32)).decode()
        proof = "\n".join(lines)
    elif how == "index":
        lines[1] = "index %d" % (int(lines[1][6:]) + 1)
        proof = "\n".join(lines)
    elif how == "short-path":
        proof = "\n".join(lines[: blank - 1] + lines[blank:])
    elif how == "junk":
        proof += "junk\n"
    elif how.startswith("signed-by="):
        proof = sign_anew(proof, how[10:])
    elif how != "nothing":
        sys.exit(__doc__)
    return body, proof


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    message = json.loads(sys.stdin.readline())
    if "body" in message:
        body = message["body"].encode()
    else:
        body = base64.b64decode(message["body_base64"])
    body, proof = change(sys.argv[1], bytearray(body), message["proof"])
    with open(sys.argv[2] + ".key", "w", encoding="ascii") as f:
        f.write(message["routing_key"])
    with open(sys.argv[2] + ".body", "wb") as f:
        f.write(body)
    with open(sys.argv[2] + ".proof", "w", encoding="utf-8") as f:
        f.write(proof)


if __name__ == "__main__":
    main()
