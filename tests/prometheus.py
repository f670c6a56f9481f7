#!/usr/bin/env python3
"""Checks a file in the Prometheus text format, and what it says.

usage: prometheus.py FILE [CONDITION...]

Strict: a file passes only if every reader of the format (version 0.0.4) must
take it, node_exporter's textfile collector too, and if its names follow the
conventions that `promtool check metrics` looks for.  A condition is

    name{label="value",...} OP NUMBER       with OP one of == != < <= > >=
    !name{label="value",...}                there is no such sample

with all labels of the sample, in any order.  If promtool is installed it is
asked as well.  Prints what is wrong and exits 1.
"""

import operator
import re
import shutil
import subprocess
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
LABELS = re.compile(r"%s(,%s)*" % (LABEL, LABEL))
SAMPLE = re.compile(r"(%s)(?:\{(.*)\})? (-?[0-9]+(?:\.[0-9]+)?)" % NAME)
COMPARE = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NOT_BASE = "milliseconds|microseconds|minutes|hours|days|kilobytes|megabytes|bits|percent|ms|us|sec|mins"


class Wrong(Exception):
    pass


def check(holds, *what):
    if not holds:
        raise Wrong(" ".join(str(w) for w in what))


def unescape(text):
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)


def parse_labels(text):
    if text is None:
        return ()
    check(LABELS.fullmatch(text), "labels:", text)
    pairs = [(name, unescape(value)) for name, value in re.findall(LABEL, text)]
    names = [name for name, _ in pairs]
    check(len(set(names)) == len(names), "a label twice:", text)
    check(not any(n.startswith("__") or n in ("le", "quantile") for n in names), "reserved:", text)
    check(all(re.fullmatch("[a-z][a-z0-9_]*", n) for n in names), "label names:", text)
    return tuple(sorted(pairs))


def check_family(name, kind, text):
    check(re.fullmatch("debmsg_(relay|consume)_[a-z0-9_]+", name), "name:", name)
    check((kind == "counter") == name.endswith("_total"), "_total and counter:", name, kind)
    check(not re.search("_(count|sum|bucket|info)$", name), "reserved end:", name)
    check(not re.search("counter|gauge|metric", name), "the type is in the name:", name)
    check(not re.search("_(%s)(_|$)" % NOT_BASE, name), "not a base unit:", name)
    check(text and (text[0].isupper() or text[0].isdigit()) and text.endswith("."), "help:", text)


def parse(data):
    check(data.endswith(b"\n") and b"\r" not in data and b"\0" not in data, "lines")
    samples, families, family, kind, empty = {}, set(), None, None, False
    lines = iter(data.decode("utf-8").split("\n")[:-1])
    for line in lines:
        if line.startswith("# HELP "):
            check(not line.split(" ")[2:3] == [family], "two heads:", line)
            family, text = line[7:].split(" ", 1)
            check(re.fullmatch(r"(?:[^\\]|\\[\\n])*", text), "escapes:", line)
            head = next(lines).split(" ")
            check(head[:3] == ["#", "TYPE", family] and len(head) == 4, "after HELP:", head)
            kind = head[3]
            check(kind in ("counter", "gauge"), "type:", kind)
            check(family not in families, "twice:", family)
            families.add(family)
            check_family(family, kind, text)
            continue
        found = SAMPLE.fullmatch(line)
        check(found, "not a sample:", line)
        check(found[1] == family, "not of", family, ":", line)
        key = (found[1], parse_labels(found[2]))
        check(key not in samples, "twice:", line)
        samples[key] = float(found[3])
        check(kind != "counter" or samples[key] >= 0, "negative:", line)
        check("_total" not in family or "." not in found[3] or "_seconds" in family, "part of an event:", line)
    check(samples, "no samples")
    return samples


def holds(samples, condition):
    absent = re.fullmatch(r"!(%s)(?:\{(.*)\})?" % NAME, condition)
    if absent:
        return (absent[1], parse_labels(absent[2])) not in samples
    found = re.fullmatch(r"(%s)(?:\{(.*)\})? *(==|!=|<=?|>=?) *(-?[0-9.]+)" % NAME, condition)
    check(found, "bad condition:", condition)
    value = samples.get((found[1], parse_labels(found[2])))
    check(value is not None, "no sample for", condition)
    check(COMPARE[found[3]](value, float(found[4])), condition, "but it is", value)
    return True


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    try:
        samples = parse(data)
        for condition in sys.argv[2:]:
            check(holds(samples, condition), condition, "is there")
    except (Wrong, UnicodeDecodeError, StopIteration, ValueError) as wrong:
        sys.exit("%s: %s" % (sys.argv[1], wrong))
    if shutil.which("promtool"):
        sys.exit(subprocess.run(["promtool", "check", "metrics"], input=data, check=False).returncode)


main()
