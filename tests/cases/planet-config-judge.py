#!/usr/bin/env python3
"""Compares the feeds that debmsg-planet finds in a config.ini with those that Python finds.

usage: planet-config-judge.py FILE < what tests/parse-feed --config said of it      exit status 0 or 1
"""
import configparser
import sys


def line(text):
    return " ".join(text.split())


def get(parser, section, key):
    try:
        return parser.get(section, key, fallback="")
    except configparser.InterpolationError:
        return parser.get(section, key, raw=True)


# Python 2's inline comments, and no empty lines in values
parser = configparser.ConfigParser(strict=False, inline_comment_prefixes=(";",), empty_lines_in_values=False)
with open(sys.argv[1], encoding="utf-8-sig", errors="surrogateescape", newline=None) as file:
    try:
        parser.read_file(file)
        broken = not parser.has_section("Planet")
    except configparser.Error:
        broken = True
names = set()
for section in ["DEFAULT", *parser.sections()]:
    for key in ("template_files", "filters"):
        names |= set(get(parser, section, key).split())
want = []
for section in parser.sections():
    kind = get(parser, section, "content_type")
    if section == "Planet" or section in names or any(k in kind for k in ("opml", "foaf", "csv", "config", ".")):
        continue
    if "://" not in section and section.endswith((".xslt", ".tmpl", ".genshi", ".dj", ".plugin")):
        continue
    want.append("\t".join([line(section), line(get(parser, section, "name")), line(get(parser, section, "face"))]))
got = sys.stdin.read().splitlines()
if broken:
    sys.exit(not (got and got[0].startswith("error\t")))
if sorted(want) != sorted(got):
    print(f"{sys.argv[1]}:", *sorted(set(want) ^ set(got)), sep="\n  ")
    sys.exit(1)
