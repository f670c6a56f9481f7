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

LATENCIES = 50  # of each kind
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


# -- latencies --


class Hook:
    """A repository whose hook is timed, and pushes of one commit each."""

    def __init__(self, bus):
        self.bus = bus
        self.watch = bus.work / "hook"
        self.pushes = 0
        self.clone = bus.work / "clone"
        self.environment = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "DEBMSG_CONF": str(bus.conf),
        }
        for name in ("AUTHOR", "COMMITTER"):
            self.environment["GIT_%s_NAME" % name] = "Anna"
            self.environment["GIT_%s_EMAIL" % name] = "anna@demo.example"
        bare = bus.work / "git/hello.git"
        self.git("init", "--quiet", "--bare", "--initial-branch=main", bare)
        self.git("init", "--quiet", "--initial-branch=main", self.clone)
        self.git("-C", self.clone, "remote", "add", "origin", bare)
        hook = bare / "hooks/post-receive"
        hook.write_text(
            "#!/bin/sh\nexec '%s' '%s' '%s' git\n"
            % (tools / "stopwatch", self.watch, builddir / "debmsg-alioth")
        )
        hook.chmod(0o755)
        self.push()  # the branch is made

    def git(self, *arguments):
        self.bus.run(["git", *arguments], env=self.environment)

    def push(self):
        """Pushes one commit; how the hook ran."""
        self.pushes += 1
        message = "Change number %d" % self.pushes
        self.git("-C", self.clone, "commit", "--quiet", "--allow-empty", "-m", message)
        self.git("-C", self.clone, "push", "--quiet", "origin", "main")
        return Run(self.watch.read_text().splitlines()[-1])


class Handler:
    """A consumer that runs a command for each push: the stopwatch, which says when."""

    def __init__(self, bus):
        self.bus = bus
        self.watch = bus.work / "handler"
        self.count = 0
        self.watch.write_text("")
        queue = ["consume", "--queue", "pushes", "--bind", "alioth.branch"]
        bus.debmsg(*queue, "--idle-exit", "1")
        self.child = bus.start(
            [builddir / "debmsg", "-c", bus.conf, *queue]
            + ["--exec", tools / "stopwatch", self.watch]
        )

    def started(self):
        """When the next handler did."""
        self.count += 1
        deadline = time.monotonic() + 60
        while True:
            lines = self.watch.read_text().splitlines()
            if len(lines) >= self.count:
                return float(lines[self.count - 1])
            if time.monotonic() > deadline:
                sys.exit("no handler runs for push %d" % self.count)
            time.sleep(0.005)

    def end(self):
        self.bus.end(self.child)


def start_relay(bus):
    """A relay that has connected and has nothing to do."""
    child = bus.start([builddir / "debmsg", "-c", bus.relay_conf, "relay"])
    bus.await_sent("dak", "alioth")
    return child


def make_messages(bus, path, count):
    """The messages of so many events, as they were sent."""
    bus.renew_stream()
    bus.run_publish("dak", bus.lines(count, max(0, size - 330)))
    bus.relay(bus.conf_of("dak"))
    with open(path, "wb") as out:
        bus.debmsg("export", "dak", stdout=out)


def publish_once(bus, data):
    options = ["--service", "dak", "--type", "upload.accept", "--subject", "hello"]
    return bus.debmsg("publish", *options, "--data", data)


def publish_plain(bus, message):
    """The same by rabbitmq-c, as a whole process, until the broker has confirmed it."""
    command = [tools / "plain", "publish", bus.vhost, "dak", bus.password("dak")]
    with open(message, "rb") as source:
        return bus.timed(command, stdin=source).seconds


def most(measured):
    return max(run.mib for run in measured)


def broker_up(bus, report, hook, data):
    message = bus.work / "message"
    messages = bus.work / "few-messages"
    bus.debmsg("consume", "--queue", "q", "--bind", "dak", "--idle-exit", "1")
    make_messages(bus, messages, LATENCIES)
    message.write_bytes(messages.read_bytes().splitlines(True)[0])
    bus.purge(QUEUE)
    bus.renew_stream()
    relay = start_relay(bus)

    ours, plain = [], []
    for i in range(LATENCIES):
        progress("publish, broker up: %d" % i)
        ours.append(publish_once(bus, data))
        plain.append(publish_plain(bus, message))
    seconds = [run.seconds for run in ours]
    report.latency("publish, broker up", seconds, 5, 25, plain, most(ours))

    bus.await_sent("dak", "alioth")
    handler = Handler(bus)
    hooks, delays = [], []
    for i in range(LATENCIES):
        progress("git hook, broker up: %d" % i)
        hooks.append(hook.push())
        delays.append(handler.started() - hooks[-1].ended)
    handler.end()
    bus.end(relay)
    seconds = [run.seconds for run in hooks]
    report.latency("git hook, broker up", seconds, 20, 60, plain, most(hooks))
    bus.purge(QUEUE)
    progress("one message by rabbitmq-c")
    consumer = ["consumer", bus.password("consumer"), LATENCIES]
    pings = bus.plain("ping", "dak", QUEUE, *consumer, messages=messages)
    report.latency("hook return to handler start", delays, 60, 200, pings)


def broker_down(bus, report, hook, data):
    private_broker = srcdir / "broker-config/private-broker"
    relay = start_relay(bus)
    bus.run([private_broker, "stop", bus.broker])
    ours, hooks = [], []
    for i in range(LATENCIES):
        progress("publish, broker down: %d" % i)
        ours.append(publish_once(bus, data))
    for i in range(LATENCIES):
        progress("git hook, broker down: %d" % i)
        hooks.append(hook.push())
    bus.end(relay)
    progress("starting the broker again")
    bus.run([private_broker, "start", bus.broker])
    report.latency("publish, broker down", [r.seconds for r in ours], 5, 25, mib=most(ours))
    report.latency("git hook, broker down", [r.seconds for r in hooks], 20, 60, mib=most(hooks))


def latency(bus, report):
    data = bus.work / "data.json"
    data.write_text(json.dumps({"summary": "accepted", "text": "x" * max(0, size - 330)}))
    hook = Hook(bus)
    broker_up(bus, report, hook, data)
    broker_down(bus, report, hook, data)


PARTS = {"rates": rates, "latency": latency}


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
