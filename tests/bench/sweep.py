#!/usr/bin/env python3
"""How rates change with what they may depend on: see tests/bench/run."""

import os
import re
import secrets
import signal
import subprocess
import sys
import time

import harness
from harness import builddir, events, runs, size, tools
from rates import Rates
from report import progress

BATCHES = (1, 10, 100, 1000, 10000)
SIZES = (200, 1024, 16384)
LEAVES = {"dak": 10**2, "wiki": 10**4, "planet": 10**6, "alioth": 10**7}
LOGS = (1, 10, 100)


def by_turns(scenarios):
    """Each has one turn to warm up, and then they take turns."""
    for turn in range(runs + 1):
        for scenario in scenarios:
            scenario.turn(turn)
            if not turn:
                scenario.start_again()


def report_rates(report, scenarios, names=("relay", "consume", "replay")):
    for name in names:
        for s in scenarios:
            rate = s.rate
            report.ratio(
                "%s: %s" % (s.name, name), rate[name], rate[name + "-plain"], mib=s.mib[name]
            )


# -- what an event is --


def sizes(bus, report):
    """An event has 300 bytes and more beside its data: 200 B is what has no text at all."""
    scenarios = []
    for body in SIZES:
        lines = bus.work / ("events-%d" % body)
        bus.write_events(lines, max(1, events * 1024 // max(body, 1024)), body)
        scenarios.append(Rates(bus, lines, name="events of %d B" % body))
    by_turns(scenarios)
    report_rates(report, scenarios)


def batches(bus, report):
    """So many events come at once, and no more before these are confirmed."""
    bus.renew_stream()
    bus.run_publish("dak", bus.lines(1, 0))
    relay = bus.start([builddir / "debmsg", "-c", bus.conf_of("dak"), "relay"])
    bus.await_sent("dak")
    rate = {batch: [] for batch in BATCHES}
    for turn in range(runs + 1):
        for batch in BATCHES:
            progress("batches of %d, turn %d" % (batch, turn))
            count = max(batch, min(events, 100 * batch))
            seconds = float(
                bus.run(
                    [tools / "outbox", "feed", "dak", count, batch, size],
                    env=bus.environment,
                    stdout=subprocess.PIPE,
                )
            )
            if turn:
                rate[batch].append(count / seconds)
    bus.end(relay)
    for batch, found in rate.items():
        report.rate("batches of %d: append and relay" % batch, found)


# -- the logs --


def leaves(bus, report):
    lines = bus.work / "events"
    bus.write_events(lines, events, size)
    scenarios = []
    for service, count in LEAVES.items():
        progress("a log of %d leaves" % count)
        bus.make_rows("leaves", service, count)
        name = "a log of %d leaves" % count
        scenarios.append(Rates(bus, lines, service=service, name=name))
    by_turns(scenarios)
    report_rates(report, scenarios)


def make_user(bus, name):
    """One that may publish for all services; the sections of debmsg.conf that say so."""
    password = secrets.token_hex(16)
    with open(os.open(bus.password(name), os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
        out.write(password + "\n")
    bus.api("PUT", "users/" + name, {"password": password, "tags": ""})
    rights = {"configure": "^$", "write": ".*", "read": ".*"}
    bus.api("PUT", "permissions/%s/%s" % (bus.vhost, name), rights)


def conf_of_logs(bus, services, user):
    """A relay's configuration with these services, and a reader's trust in them."""
    head = bus.relay_conf.read_text().split('service "')[0]
    section = 'service "%s" {\n  origin = "demo.example/%s"\n  user = "%s"  password-file = "%s"\n}\n'
    entry = 'log "demo.example/%s" {\n  keys = { "%s" }\n  types = { "org.debian.*.%s.#" }\n}\n'
    fingerprint = (bus.keys / "fingerprint").read_text().strip()
    trust_head = (bus.work / "trust.conf").read_text().split('log "')[0]
    entries = (entry % (s, fingerprint, s) for s in services)
    bus.write_conf("trust-logs.conf", trust_head + "".join(entries))
    sections = (section % (s, s, user, bus.password(user)) for s in services)
    text = head.replace("/trust.conf", "/trust-logs.conf") + "".join(sections)
    return bus.write_conf("logs.conf", text)


class Logs:
    """So many logs of one relay, which runs; `events` are divided among them."""

    def __init__(self, bus, count):
        self.bus = bus
        self.services = ["l%d" % i for i in range(count)]
        self.each = max(1, events // count)
        self.lines = bus.work / "events"
        self.conf = conf_of_logs(bus, self.services, "bench")
        self.rate, self.plain = [], []
        bus.write_events(self.lines, self.each, size)
        bus.renew_stream()
        for service in self.services:
            bus.run_publish(service, bus.lines(1, 0), conf=self.conf)
        self.relay = bus.start([builddir / "debmsg", "-c", self.conf, "relay"])
        bus.await_sent(*self.services)

    def turn(self, number):
        """
        The relay is stopped while its logs are filled.  It has looked for each of them in
        the history before, which it does once, and which is no part of the rate.
        """
        self.relay.send_signal(signal.SIGSTOP)
        for service in self.services:
            self.bus.publish(service, self.lines, conf=self.conf)
        self.bus.renew_stream()
        began = time.time()
        self.relay.send_signal(signal.SIGCONT)
        self.bus.await_sent(*self.services)
        ask = "SELECT sent_time FROM log"
        ended = max(self.bus.ask_outbox(s, ask) for s in self.services) / 1e6
        messages = self.bus.work / "messages"
        with open(messages, "wb") as out:
            self.bus.debmsg("export", *self.services, conf=self.conf, stdout=out)
        self.bus.renew_stream()
        seconds = self.bus.plain("publish", "bench", messages=messages)[0]
        if number:  # the first is to warm up
            self.rate.append(self.each * len(self.services) / (ended - began))
            self.plain.append(self.each * len(self.services) / seconds)

    def end(self):
        self.bus.end(self.relay)
        for service in self.services:
            self.bus.forget(service)


def logs(bus, report):
    make_user(bus, "bench")
    for count in LOGS:
        measured = Logs(bus, count)
        for turn in range(runs + 1):
            progress("%d logs, turn %d" % (count, turn))
            measured.turn(turn)
        measured.end()
        report.ratio("%d logs: relay" % count, measured.rate, measured.plain)


# -- the keys --


def gpg(bus, homedir, *arguments):
    command = ["gpg", "--homedir", homedir, "--batch", "--quiet", *arguments]
    return bus.run(command, stdout=subprocess.PIPE).decode(errors="replace")  # names of 1995


def make_key(bus, algorithm):
    """One more that may sign for dak; its fingerprint."""
    home = bus.keys / "gnupg"
    user = "%s <%s@demo.example>" % (algorithm, algorithm)
    gpg(bus, home, "--passphrase", "", "--quick-generate-key", user, algorithm, "sign", "never")
    listing = gpg(bus, home, "--with-colons", "--list-keys", user)
    fingerprint = [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")][0]
    public = bus.work / "key.asc"
    public.write_text(gpg(bus, home, "--armor", "--export", fingerprint))
    trust = bus.work / "trust.conf"
    trust.write_text(trust.read_text().replace("keys  = {", 'keys  = { "%s",' % fingerprint))
    bus.debmsg("keys", "import", public)
    return fingerprint


def keys(bus, report):
    lines = bus.work / "events"
    bus.write_events(lines, events, size)
    fingerprint = make_key(bus, "rsa4096")
    text = bus.conf_of("dak").read_text()
    text = re.sub(r'key = "[0-9A-F]+"', 'key = "%s"' % fingerprint, text)
    rsa = bus.write_conf("relay-rsa.conf", text)
    scenarios = [
        Rates(bus, lines, name="Ed25519"),
        Rates(bus, lines, name="RSA-4096", relay_conf=rsa),
    ]
    by_turns(scenarios)
    report_rates(report, scenarios)


def whole_keyring(bus):
    """A reader's configuration that knows all keys of the package, and ours."""
    listing = bus.run(["dpkg-query", "-L", "debian-keyring"], stdout=subprocess.PIPE).decode()
    rings = [name for name in listing.splitlines() if name.endswith(".gpg")]
    home = bus.keys / "all"
    home.mkdir(mode=0o700)
    for ring in (bus.keys / "key.asc", *rings):
        gpg(bus, home, "--import", ring)
    trust = (bus.work / "trust.conf").read_text()
    bus.write_conf("trust-all.conf", trust.replace("/trusted", "/all"))
    return bus.write_conf("all.conf", bus.conf.read_text().replace("/trust.conf", "/trust-all.conf"))


def count_keys(bus, home):
    listing = gpg(bus, bus.keys / home, "--with-colons", "--list-keys")
    return sum(line.startswith("pub:") for line in listing.splitlines())


def trust(bus, report):
    lines = bus.work / "events"
    bus.write_events(lines, events, size)
    if count_keys(bus, "trusted") == 1:
        make_key(bus, "ed25519")
    progress("reading the package debian-keyring")
    conf = whole_keyring(bus)
    form = "a trust store of %d keys"
    few = Rates(bus, lines, name=form % count_keys(bus, "trusted"))
    many = Rates(bus, lines, name=form % count_keys(bus, "all"), conf=conf)
    by_turns([few, many])
    report_rates(report, [few, many], ("consume", "replay"))
    gpg_agents = ["gpgconf", "--homedir", bus.keys / "all", "--kill", "all"]
    bus.run(gpg_agents)


PARTS = {
    "batch": batches,
    "size": sizes,
    "leaves": leaves,
    "logs": logs,
    "keys": keys,
    "trust": trust,
}

if __name__ == "__main__":
    sys.exit(harness.main(PARTS, "bench-sweep.json", __doc__))
