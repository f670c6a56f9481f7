#!/usr/bin/env python3
"""Makes faults of every kind on a bus, and checks after each what has to hold.

usage: tests/faults/run [--seed N] [--seconds N] [--kinds A,B,...] [--list]

First all kinds in a random order, then any until the time is up.  After each, when
no events are put in any more: every event that was accepted is delivered at least
once and acted on once, nothing unverified reaches an action, the order of each log
holds, and audit says complete, of the logs and of the queues.

  --seed N      the same faults, with the same choices, as the run that printed it
  --seconds N   by default 600; it ends when each kind was made, even if that takes longer
  --kinds A,B   only these
  --list        names of all kinds
"""

import argparse
import collections
import os
import pathlib
import random
import sys
import threading
import time
import traceback

from bus import Broken, Bus
from invariants import Invariants
from kinds import KINDS, NEED_MOUNT, Fault
from load import Load, make_forgeries


AGAIN = 5  # attempts at a kind that needs some luck, before it counts as never made


def say(text):
    print(text, flush=True)


def supervise(bus, ending):
    while not ending.wait(0.3):
        for service in bus.services:
            try:
                service.look()
            except Broken as error:
                bus.finding = bus.finding or error
                return


class Run:
    def __init__(self, work, options):
        self.options, self.work = options, work
        self.choice = random.Random(options.seed)
        self.kinds = [name for name in KINDS if name in (options.kinds or KINDS)]
        self.left_out = []
        if os.environ["DEBMSG_FAULTS_INSIDE"] != "mounts":
            self.left_out = [name for name in self.kinds if name in NEED_MOUNT]
        self.kinds = [name for name in self.kinds if name not in NEED_MOUNT or name not in self.left_out]
        self.made, self.history = collections.Counter(), []
        self.began = time.monotonic()

    def schedule(self):
        """Names: first each once, then any; at last, what did not come about is tried again."""
        first = self.kinds[:]
        self.choice.shuffle(first)
        yield from first
        while time.monotonic() - self.began < self.options.seconds:
            yield self.choice.choice(self.kinds)
        for _ in range(AGAIN):
            yield from [name for name in self.kinds if not self.made[name]]

    def one(self, name):
        self.history.append(name)
        choice = random.Random("%d %d %s" % (self.options.seed, len(self.history), name))
        began = time.monotonic()
        self.load.on()
        fault = Fault(self.bus, self.load, self.invariants, choice)
        fault.hold(0.2, 1)
        times = int(KINDS[name](fault))
        fault.hold(0, 0.5)
        self.load.off()
        middle = time.monotonic()
        self.invariants.drain()
        self.invariants.check(whole=len(self.history) % 20 == 0)
        for clock in self.bus.clock.values():
            clock.write_text("0\n")
        self.made[name] += times
        say("%5d s  %-24s %3d times, %2d s; all is well after %d s more, %d events" % (
            time.monotonic() - self.began, name, times, middle - began, time.monotonic() - middle,
            len(self.bus.accepted)))

    def prepare(self):
        self.bus = Bus(self.work, self.options.seed)
        self.bus.forgeries = make_forgeries(self.bus)
        self.invariants = Invariants(self.bus)
        for queue in ("doer", "printer"):
            self.bus.run("receiver", "consume", "--queue", queue, "--idle-exit", "1", check=(0,))
        for service in self.bus.services:
            service.start()
        self.ending = threading.Event()
        threading.Thread(target=supervise, args=(self.bus, self.ending), daemon=True).start()
        self.load = Load(self.bus, self.options.seed)

    def report(self):
        say("\nfaults made:")
        for name in self.kinds:
            say("  %-24s %5d" % (name, self.made[name]))
        for name in self.left_out:
            say("  %-24s     - needs a mount, which this user may not make" % name)
        say("checked:")
        say("  %-50s %d" % ("events accepted", len(self.bus.accepted)))
        say("  %-50s %d" % ("forgeries sent", self.bus.sent_forgeries))
        for what, count in sorted(self.invariants.counted.items()):
            say("  %-50s %d" % (what, count))

    def run(self):
        say("SEED=%d, %d s, %d kinds" % (self.options.seed, self.options.seconds, len(self.kinds)))
        status = 0
        try:
            self.prepare()
            for name in self.schedule():
                self.one(name)
            self.invariants.check(whole=True)
            never = [name for name in self.kinds + self.left_out if not self.made[name]]
            if never:
                raise Broken("never made: %s" % ", ".join(never))
        except Exception as error:
            status = 1
            if not isinstance(error, Broken):
                traceback.print_exc()
            say("\nFAIL: %s" % error)
            say("FAIL: SEED=%d, the last faults: %s" % (self.options.seed, ", ".join(self.history[-5:])))
        if hasattr(self, "load"):
            self.load.end()
            self.ending.set()
            self.report()
        if hasattr(self, "bus"):
            self.bus.stop()
        return status


def main():
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--kinds", type=lambda text: text.split(","))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--help", action="store_true")
    parser.add_argument("--work", type=pathlib.Path)
    options = parser.parse_args()
    if options.help:
        print(__doc__, end="")
        return 0
    if options.list:
        print("\n".join(KINDS))
        return 0
    for name in options.kinds or ():
        if name not in KINDS:
            sys.exit("faults.py: no kind %s; --list names them" % name)
    return Run(options.work, options).run()


if __name__ == "__main__":
    sys.exit(main())
