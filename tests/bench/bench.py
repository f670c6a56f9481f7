#!/usr/bin/env python3
"""The table of doc/DESIGN.md, section 7: see tests/bench/run."""

import json
import os
import sys
import time

import harness
from harness import Run, builddir, events, runs, size, srcdir, tools
from rates import Rates
from report import progress

LATENCIES = 200  # of each kind
TENTH = 10  # the backlog of warming up is so much smaller
MANY_ROWS, FEW_ROWS = 1000000, 1000  # of the outboxes that are compared
QUEUE = "consumer.q"


# -- rates --


def rates(bus, report):
    lines = bus.work / "events"
    measured = Rates(bus, lines)
    progress("warming up")
    bus.write_events(lines, max(1, events // TENTH), size)
    measured.turn(1)
    tenth = measured.start_again()
    bus.write_events(lines, events, size)
    for turn in range(1, runs + 1):
        measured.turn(turn)
    rate, mib = measured.rate, measured.mib
    for name, goal, text in (
        ("relay", 0.90, "relay: outbox, signed, confirmed"),
        ("relay-bare", 0.70, "relay, beside a loop without proofs"),
        ("consume", 0.50, "consume: received, verified, ledger, stdout"),
        ("replay", 0.80, "replay: read, verified, stdout"),
    ):
        ours, plain = name.replace("-bare", ""), name if "bare" in name else name + "-plain"
        report.ratio(text, rate[ours], rate[plain], (">=", goal), mib[ours])
    for name in ("relay", "consume"):
        report.row("memory of " + name, mib[name], "MiB", ("<=", 32), mib=mib[name])
        report.row(
            "memory of %s, beside a tenth of the backlog" % name,
            mib[name] / tenth[name],
            "ratio",
            ("<=", 1.10),
            "%.1f MiB" % mib[name],
            "%.1f MiB" % tenth[name],
        )


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
                raise RuntimeError("no handler runs for push %d" % self.count)
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


# -- outboxes with many rows and with few --


def outbox(bus, report):
    services = {"planet": MANY_ROWS, "wiki": FEW_ROWS}
    append = {name: [] for name in services}
    relay = {name: [] for name in services}
    confs = {name: bus.conf_of(name) for name in services}
    lines = bus.work / "few-events"
    count = max(1, events // 5)
    bus.write_events(lines, count, size)
    progress("an outbox of %d events" % MANY_ROWS)
    bus.make_rows("rows", "planet", MANY_ROWS, size)
    turns = 2 * runs + 1  # they are short
    for turn in range(turns + 1):
        progress("outboxes, turn %d" % turn)
        bus.make_rows("rows", "wiki", FEW_ROWS, size)
        for name in services if turn % 2 else reversed(services):
            appended = bus.publish(name, lines)
            bus.renew_stream()
            relayed = bus.relay(confs[name])
            if turn:  # the first is to warm up
                append[name].append(count / appended.seconds)
                relay[name].append(count / relayed.seconds)
    kinds = (("append", append), ("relay", relay))
    for what, rate in kinds:
        name = "%s, %d rows beside %d" % (what, MANY_ROWS, FEW_ROWS)
        report.ratio(name, rate["planet"], rate["wiki"], (">=", 0.90))


PARTS = {"rates": rates, "latency": latency, "outbox": outbox}


if __name__ == "__main__":
    sys.exit(harness.main(PARTS, "bench.json", __doc__))
