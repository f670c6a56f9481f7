"""What is told: progress, the table and the JSON."""

import json
import math
import statistics
import sys


def progress(text):
    """For people: one line, which the next one overwrites."""
    if sys.stderr.isatty():
        sys.stderr.write("\r%s\033[K" % text)
        sys.stderr.flush()


def percentile(values, percent):
    """The smallest value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


class Report:
    """The rows, as a table and as JSON."""

    HEAD = ("", "debmsg", "beside", "value", "goal", "", "RSS, MiB")

    def __init__(self, path):
        self.path = path
        self.rows = []
        self.lines = [self.HEAD]
        self.failed = False

    def row(self, name, value, unit, goal=None, ours="", plain="", spread="", mib=None):
        """goal: ("<=" or ">=", number), or None where there is only something to see"""
        ok = goal is None or (value <= goal[1] if goal[0] == "<=" else value >= goal[1])
        self.failed = self.failed or not ok
        wanted = "%s %g" % goal if goal else ""
        self.rows.append(
            {
                "name": name,
                "value": round(value, 3),
                "unit": unit,
                "goal": wanted or None,
                "ok": ok,
            }
        )
        shown = "%.2f%s%s" % (value, "" if unit == "ratio" else " " + unit, spread)
        verdict = "" if not goal else "ok" if ok else "MISSED"
        self.lines.append((name, ours, plain, shown, wanted, verdict, "%.1f" % mib if mib else ""))

    def ratio(self, name, ours, plain, goal=None, mib=None):
        """Rates of debmsg and of what it is compared with, turn by turn."""
        ratios = [a / b for a, b in zip(ours, plain)]
        self.row(
            name,
            statistics.median(ratios),
            "ratio",
            goal,
            "%.0f/s" % statistics.median(ours),
            "%.0f/s" % statistics.median(plain),
            " (%.2f to %.2f)" % (min(ratios), max(ratios)) if len(ratios) > 1 else "",
            mib,
        )

    def rate(self, name, ours):
        """With nothing beside it."""
        spread = " (%.0f to %.0f)" % (min(ours), max(ours)) if len(ours) > 1 else ""
        self.row(name, statistics.median(ours), "events/s", spread=spread)

    def latency(self, name, seconds, p50, p99, plain=None, mib=None):
        for percent, goal in ((50, p50), (99, p99)):
            ms = 1000 * percentile(seconds, percent)
            other = "%.2f ms" % (1000 * percentile(plain, percent)) if plain else ""
            self.row(
                "%s, p%d" % (name, percent), ms, "ms", ("<=", goal), "%.2f ms" % ms, other, mib=mib
            )

    def finish(self):
        progress("")
        widths = [max(len(line[i]) for line in self.lines) for i in range(len(self.HEAD))]
        for line in self.lines:
            cells = [
                cell.ljust(width) if i in (0, 5) else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths))
            ]
            print("  ".join(cells).rstrip())
        text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in self.rows)
        self.path.write_text("[\n%s\n]\n" % text)
        print("\n%s" % self.path)
        return 1 if self.failed else 0
