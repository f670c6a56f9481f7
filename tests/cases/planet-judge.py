#!/usr/bin/env python3
"""Says of XML files what debmsg-planet must make of them, by other means than its own.

usage: planet-judge.py LIST      reads on stdin what tests/parse-feed said of the files in LIST, one a line

A file is well-formed if Python's codecs can decode it as it says, and expat can read that.  The
number of posts is that of its elements `item` or `entry` outside of one another.  Prints where the
two differ, then one line with the counts; exit status 1 if they differ anywhere.
"""
import re
import sys
import xml.parsers.expat

ROOTS = {"feed", "rss", "rdf", "entry", "channel"}
MARKS = [(b"\x00\x00\xfe\xff", "utf-32-be"), (b"\xff\xfe\x00\x00", "utf-32-le"), (b"\xef\xbb\xbf", "utf-8"),
         (b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le")]
BEGINS = [(b"\x00\x00\x00<", "utf-32-be"), (b"<\x00\x00\x00", "utf-32-le"), (b"\x00<", "utf-16-be"),
          (b"<\x00", "utf-16-le")]


class Refused(Exception):
    """It is well-formed, but has what is not read: declarations, or no feed."""


def decode(raw):
    for mark, codec in MARKS:
        if raw.startswith(mark):
            return raw[len(mark):].decode(codec)
    for begin, codec in BEGINS:
        if raw.startswith(begin):
            return raw.decode(codec)
    declared = re.match(rb"""<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""", raw)
    return raw.decode(declared[1].decode() if declared else "utf-8")


def count_posts(text):
    parser = xml.parsers.expat.ParserCreate()
    state = {"depth": 0, "post": 0, "count": 0}

    def start(name, _attributes):
        local = name.rsplit(":")[-1].lower()
        state["depth"] += 1
        if state["depth"] == 1 and local not in ROOTS:
            raise Refused(local)
        if not state["post"] and (local == "entry" or (local == "item" and state["depth"] > 1)):
            state["post"] = state["depth"]
            state["count"] += 1

    def end(_name):
        if state["post"] == state["depth"]:
            state["post"] = 0
        state["depth"] -= 1

    def doctype(_name, _system, _public, has_internal_subset):
        if has_internal_subset:
            raise Refused("declarations")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    parser.Parse(text, True)
    return state["count"]


def judge(path):
    with open(path, "rb") as file:
        raw = file.read()
    try:
        return "ok", count_posts(decode(raw))
    except (UnicodeError, LookupError, Refused, xml.parsers.expat.ExpatError) as why:
        return "error", f"{type(why).__name__}: {why}"


said = {}
for line in sys.stdin.buffer:
    result, detail, path = line.decode().rstrip("\n").split("\t", 2)
    said[path] = (result, detail)
wrong = good = bad = 0
with open(sys.argv[1], encoding="utf-8") as listed:
    paths = listed.read().splitlines()
for path in paths:
    result, detail = judge(path)
    got = said.get(path, ("nothing", ""))
    good += result == "ok"
    bad += result == "error"
    if got[0] != result or (result == "ok" and got[1] != str(detail)) or (result == "error" and not got[1]):
        print(f"{path}: {got[0]} ({got[1]}), should be {result} ({detail})")
        wrong += 1
print(f"{good} are read, {bad} are refused, {wrong} wrongly")
sys.exit(wrong > 0)
