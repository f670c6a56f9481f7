#!/usr/bin/env python3
"""Writes a mail as dak does: a template, filled in, through Python's email package.

usage: render.py KIND NAME=VALUE...     the mail goes to stdout

KIND is accepted, announce, bug-close, new, rejected, prod, rm, override, command, or
changes, which makes the text of a signed .changes of a package that does not exist.
Names: changes, source, version, architecture, suite, action, program, rejection,
contents (a file), reason, warnings; signed=1 makes it multipart/signed.
"""
import email
import email.encoders
import email.message
import email.mime.application
import email.mime.multipart
import email.policy
import sys

HEAD = """From: Debian FTP Masters <ftpmaster@ftp-master.debian.org>
To: =?utf-8?b?RMOpdmVsb3BwZXVyIFNub3dtYW4g4piD?= <dev@example.org>
X-DAK: dak {program}
Bcc: archive@example.org
Bcc: dispatch@example.org
{extra}X-Debian: DAK
X-Debian-Package: {source}
"""
FACTS = """Debian: DAK
Debian-Changes: {changes}
Debian-Source: {source}
Debian-Version: {version}
Debian-Architecture: {architecture}
"""
SUITE = "Debian-Suite: {suite}\n"
ACTION = "Debian-Archive-Action: {action}\n"
TAIL = """Precedence: bulk
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: 8bit
Subject: """
TEMPLATE = {
    "accepted": HEAD + FACTS + SUITE + ACTION + TAIL + "{changes} ACCEPTED into {suite}\n\n"
        "Thank you for your contribution to Debian.\n\n{warnings}\n\nAccepted:\n\n{contents}\n",
    "announce": HEAD + FACTS + SUITE + ACTION + TAIL +
        "Accepted {source} {version} ({architecture}) into {suite}\n\n{contents}\n",
    "bug-close": HEAD + FACTS + SUITE + ACTION + TAIL + "Bug#123456: fixed in {source} {version}\n\n"
        "Source: {source}\nDebian-Source: evil\n\n{contents}\n",
    "new": HEAD + FACTS + ACTION + TAIL + "{changes} is NEW\n\nYour package has been put into NEW.\n",
    "rejected": HEAD + FACTS + ACTION + TAIL + "{changes} REJECTED\n\n{reason}\n\n\n===\n\n"
        "Please feel free to respond to this email if you don't understand why\n",
    "prod": HEAD + FACTS + TAIL + "Comments regarding {changes}\n\n{reason}\n",
    "rm": HEAD + "Debian-Source: {source}\n" + SUITE + ACTION + TAIL +
        "Bug#1: Removed package(s) from {suite}\n\nWe believe\n",
    "override": HEAD + TAIL + "Bug#2: fixed\n\nConcerning package {source}...\n",
    "command": HEAD + TAIL + "Results of processing x-1.dak-commands\n\n> Action: dm\n",
    "old": HEAD + TAIL + "{changes} ACCEPTED into {suite}\n\nAccepted:\n\n{contents}\n",
}
# The packet of a signature that names its key; nobody verifies it here.
CHANGES = """-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Format: 1.8
Date: Mon, 02 Jan 2023 03:04:05 +0000
Source: {source}
Architecture: {architecture}
Version: {version}
Distribution: {suite}
Maintainer: Dev <dev@example.org>
Changes:
 {source} ({version}) {suite}; urgency=medium
 .
   * A change.
Checksums-Sha256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 {source}_{version}.dsc
Files:
 d41d8cd98f00b204e9800998ecf8427e 0 misc optional {source}_{version}.dsc
-----BEGIN PGP SIGNATURE-----

iHUEARYIAB0WIQT8l/vy3FVoKey41tYJiP4gbTOnnwUCawK79AAKCRAJiP4gbTOn
n5bhAP9+5JKPDuOj5wUN+5ku4l3KjVhBuENWMNaZ6QisKuagXQEAnnLzj+O/FhVy
iBqJXTFGvShSCovOgb6BROxNaUahygg=
=JOS9
-----END PGP SIGNATURE-----
"""


def main():
    kind = sys.argv[1]
    value = {"program": "process-upload", "architecture": "source", "version": "1.0",
             "suite": "unstable", "action": "accept", "warnings": "", "reason": "No.", "extra": "",
             "contents": ""}
    value.update(arg.split("=", 1) for arg in sys.argv[2:])
    if kind == "changes":
        sys.stdout.write(CHANGES.format(**value))
        return
    if kind in ("new", "rejected", "rm"):
        value["action"] = {"new": "new", "rejected": "reject", "rm": "remove"}[kind]
    if "rejection" in value:
        value["extra"] = f"X-DAK-Rejection: {value['rejection']}\n"
    if value["contents"]:
        with open(value["contents"], encoding="utf-8") as file:
            value["contents"] = file.read()
    message = email.message_from_string(TEMPLATE[kind].format(**value), policy=email.policy.default)
    message.set_content(message.get_payload(), cte="quoted-printable")
    if value.get("signed"):
        text = email.message.EmailMessage()
        text.set_content(message.get_content(), cte="quoted-printable")
        del text["MIME-Version"]
        whole = email.mime.multipart.MIMEMultipart(
            "signed", None, [text], policy=email.policy.default, micalg="pgp-sha256",
            protocol="application/pgp-signature")
        whole.attach(email.mime.application.MIMEApplication(
            b"not one", "pgp-signature", email.encoders.encode_7or8bit))
        for name, content in message.items():
            if not name.lower().startswith(("content-", "mime-version", "bcc")):
                whole[name] = content
        message = whole
    sys.stdout.buffer.write(message.as_bytes(policy=email.policy.default))


main()
