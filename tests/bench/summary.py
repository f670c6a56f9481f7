#!/usr/bin/env python3
"""Makes a table of the results of tests/bench/capacity.

A line is: NAME COUNT SECONDS [KIB]; NAME-plain is what NAME is compared with.  Shows
for each the lowest, the middle and the highest rate, and the same of the ratios of
each turn.
"""

import statistics
import sys


def three(values, form):
    return " ".join(form % v for v in (min(values), statistics.median(values), max(values)))


rates, memory = {}, {}
for line in sys.stdin:
    name, count, seconds, *kib = line.split()
    rates.setdefault(name, []).append(int(count) / float(seconds))
    memory.setdefault(name, []).extend(int(k) for k in kib)

print("%-14s %-24s %-18s %s" % ("", "messages/s", "of plain", "RSS, KiB"))
for name, rate in rates.items():
    plain = rates.get(name + "-plain", [])
    ratios = three([a / b for a, b in zip(rate, plain)], "%5.2f") if plain else ""
    most = "%d" % max(memory[name]) if memory[name] else ""
    print(("%-14s %-24s %-18s %s" % (name, three(rate, "%7.0f"), ratios, most)).rstrip())
