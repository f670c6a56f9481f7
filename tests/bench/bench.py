#!/usr/bin/env python3
"""The table of doc/DESIGN.md, section 7: see tests/bench/run."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import harness
from harness import Run, builddir, events, progress, runs, size, srcdir, tools

LATENCIES = 200  # of each kind
ROWS = (1000, 1000000)  # of the outboxes that are compared
QUEUE = "consumer.q"


# -- rates --


class Rates:
    """By turns: relay, replay, consume, and the plain loops beside them."""

    def __init__(self, bus):
        self.bus = bus
        self.rate = {}
        self.mib = {}
        self.lines = bus.work / "events"
        self.messages = bus.work / "messages"
        self.conf = bus.conf_of("dak")

    def note(self, name, count, seconds, mib=0.0):
        self.rate.setdefault(name, []).append(count / seconds)
        self.mib[name] = max(mib, self.mib.get(name, 0))

    def fill(self):
        """A backlog in the outbox; how many messages it will be."""
        before = self.bus.sent("dak")
        run = self.bus.publish("dak", self.lines)
        self.note("publish", events, run.seconds, run.mib)
        return before

    def replay(self, count):
        run = self.bus.debmsg("replay")
        self.note("replay", count, run.seconds, run.mib)

    def replay_plain(self, count):
        self.note("replay-plain", count, self.bus.plain("stream", "consumer", count)[0])

    def ours(self, turn):
        self.bus.renew_stream()
        before = self.fill()
        progress("turn %d: relay" % turn)
        run = self.bus.relay(self.conf)
        count = self.bus.sent("dak") - before
        self.note("relay", count, run.seconds, run.mib)
        progress("turn %d: replay" % turn)
        readers = [self.replay, self.replay_plain]
        for reader in readers if turn % 2 else reversed(readers):
            reader(count + 1)  # and the seed
        progress("turn %d: consume" % turn)
        run = self.bus.debmsg("consume", "--queue", "q", "--limit", count)
        self.note("consume", count, run.seconds, run.mib)
        progress("turn %d: what plain loops will send" % turn)
        with open(self.messages, "wb") as out:
            self.bus.debmsg("export", "dak", stdout=out)
        return count

    def plain(self, turn, count):
        """Sends what `ours` sent last to the same exchange, stream and queue."""
        progress("turn %d: plain loops" % turn)
        self.bus.renew_stream()
        seconds = self.bus.plain("publish", "dak", messages=self.messages)[0]
        self.note("relay-plain", count, seconds)
        seconds = self.bus.plain("consume", "consumer", QUEUE, count)[0]
        self.note("consume-plain", count, seconds)
        self.bus.renew_stream()
        self.note("relay-bare", count, self.bus.plain("bare", "dak", messages=self.messages)[0])
        self.bus.purge(QUEUE)

    def measure(self):
        self.bus.debmsg("consume", "--queue", "q", "--bind", "dak", "--idle-exit", "1")
        self.bus.write_events(self.lines, min(events, 10000), size)
        progress("warming up")
        count = self.ours(1)
        self.plain(1, count)
        self.rate.clear()
        self.mib.clear()
        self.bus.write_events(self.lines, events, size)
        for turn in range(1, runs + 1):
            if turn % 2 == 0:
                self.plain(turn, count)
                count = self.ours(turn)
            else:
                count = self.ours(turn)
                self.plain(turn, count)

    def report(self, report):
        rate, mib = self.rate, self.mib
        report.ratio(
            "relay: outbox, signed, confirmed",
            rate["relay"],
            rate["relay-plain"],
            (">=", 0.90),
            mib["relay"],
        )
        report.ratio(
            "relay, beside a loop without proofs", rate["relay"], rate["relay-bare"], (">=", 0.70)
        )
        report.ratio(
            "consume: received, verified, ledger, stdout",
            rate["consume"],
            rate["consume-plain"],
            (">=", 0.50),
            mib["consume"],
        )
        report.ratio(
            "replay: read, verified, stdout",
            rate["replay"],
            rate["replay-plain"],
            (">=", 0.80),
            mib["replay"],
        )


def rates(bus, report):
    measured = Rates(bus)
    measured.measure()
    measured.report(report)


PARTS = {"rates": rates}


def main():
    arguments = harness.arguments(PARTS, __doc__)
    harness.about_the_machine()
    report = harness.Report(builddir / "bench.json")
    bus = harness.Bus(arguments)
    bus.make_seed()
    for part in arguments.part or PARTS:
        PARTS[part](bus, report)
    sys.exit(report.finish())


if __name__ == "__main__":
    main()
