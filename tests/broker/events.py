#!/usr/bin/env python3
"""Makes events to be published with `debmsg publish --jsonl`.

usage: events.py COUNT [FIRST]

Types, subjects and sizes are mixed; the same numbers give the same events.  Each
has its number, from FIRST on (by default 0), in data.number.
"""

import json
import sys

TYPES = ["page.edit", "page.create", "page.delete", "page.rename", "attachment.add"]
SUBJECTS = [
    "FrontPage",
    "libsigc++-2.0",
    "Übergröße/日本語/🐧",
    "*",
    "#",
    ".",
    "a.*.#",
    "..",
    "%2E %",
    'quote " and \\ backslash',
    "tab\tin it",
    "x" * 300,
    "ü" * 150,
    "日" * 100,
    "." * 300,
    "~" * 300,
    None,
    "",
]


def event(number):
    made = {
        "type": TYPES[number * 7 // 3 % len(TYPES)],
        "data": {"number": number, "text": "é" * (number * 37 % 300)},
    }
    subject = SUBJECTS[number % len(SUBJECTS)]
    if subject is not None:
        made["subject"] = subject
    if number % 5 == 0:
        made["time"] = "2026-11-22T10:%02d:%02d.5+01:00" % (number // 60 % 60, number % 60)
    if number % 11 == 0:
        made["data"]["summary"] = "Nummer %d – größer" % number
    return made


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    first = int(sys.argv[2]) if len(sys.argv) == 3 else 0
    for number in range(first, first + int(sys.argv[1])):
        print(json.dumps(event(number), ensure_ascii=number % 2 == 0))


if __name__ == "__main__":
    main()
