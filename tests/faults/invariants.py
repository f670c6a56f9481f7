"""What has to hold after every fault (DESIGN section 8)."""

import collections
import json
import re
import subprocess
import time

from bus import SERVICES, Broken

# The longest pause between two attempts is 30 s, and this machine may be slow: so long
# nothing may change at all, and so long it may take altogether.
PATIENCE_S, END_S = 240, 1200


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Invariants:
    def __init__(self, bus):
        self.bus = bus
        self.counted = collections.Counter()
        self.late, self.late_of_type = set(), set()  # events whose order is not the log's
        self.since = [now(), now()]
        self.killed_handlers = set()  # of these events a handler was killed: they are parked

    # -- waiting until all is through --

    def drain(self):
        bus, began, looked = self.bus, time.monotonic(), 0
        changed, before = began, None
        subprocess.run([str(bus.build / "debmsg-alioth"), "git", "--pending"], env=bus.env("sender"),
                       cwd=bus.work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
        while True:
            if bus.finding:
                raise bus.finding
            missing = self.missing()
            if not missing:
                return
            if missing != before:
                changed, before = time.monotonic(), missing
            if time.monotonic() > changed + PATIENCE_S or time.monotonic() > began + END_S:
                raise Broken("not within %d s: %s" % (time.monotonic() - began, missing))
            if self.killed_handlers and time.monotonic() - looked > 3:
                # what a killed handler left is for its operator to try again
                bus.run("receiver", "parked", "retry", "--all", "--queue", "doer", "--reason", "handler-failed",
                        check=(0, 1, 69, 75))
                looked = time.monotonic()
            time.sleep(0.3)

    def missing(self):
        """What is not there yet, in words."""
        bus = self.bus
        with bus.lock:
            accepted, refs = set(bus.accepted.values()), set(bus.refs)
        late = self.look_for_late()
        done = {row[0] for row in bus.recorded()}
        inputs = {row[2] for row in bus.recorded()}
        seen = {"%s/%s" % (event["source"], event["id"]) for event in bus.printed()}
        for what, wanted, there in (
                ("accepted, not acted on", accepted, done), ("accepted, not printed", accepted - late, seen),
                ("printed, not acted on", seen, done), ("acted on, not printed", done - late, seen),
                ("pushed, not acted on", refs, inputs),
                ("in the wiki's log, not acted on", {"n=%d" % n for n in range(1, bus.lines + 1)}, inputs)):
            if wanted - there:
                return "%s: %d, %s" % (what, len(wanted - there), ", ".join(sorted(wanted - there)[:5]))
        status = bus.run("sender", "outbox", "status", "--json", check=(0, 75))[1]
        waiting = {name: int(n) for name, n in re.findall(r'"service":"(\w+)".*?"waiting":(\d+)', status)}
        if len(waiting) < len(SERVICES) or any(waiting.values()):
            return "outbox status: %s" % status
        return None

    # -- checks --

    def look_for_late(self):
        """
        What the broker lost before any queue or history took it, and said so.  It is sent
        again, behind what was sent meanwhile, and what was refused is then in the history
        only: who does not heal does not get it.
        """
        for swallowed in self.bus.between.tell("swallowed").split()[1:]:
            source, number, kind, sequence = swallowed.rsplit("/", 3)
            self.late.add("%s/%s" % (source, number))
            self.late_of_type.add("%s of type %s/%s" % (source, kind, sequence))
        return self.late

    def check(self, whole=False):
        """whole: all that is in the history is audited, not only what came in the last rounds."""
        self.counted["times all was drained"] += 1
        self.check_actions()
        self.check_printed()
        self.check_parked()
        self.check_audit(None if whole else self.since[0])
        self.since = [self.since[1], now()]

    def check_actions(self):
        """Once each; what is not sure to have run before may run again, and is told so."""
        times, again, last = collections.Counter(), 0, {}
        for event, retry, token, subject in self.bus.recorded():
            self.check_genuine(event, token, subject)
            if retry != "-":
                again += 1
                continue
            times[event] += 1
            if times[event] > 1 and event not in self.bus.may_repeat:
                raise Broken("acted on %d times: %s" % (times[event], event))
            if event in self.bus.may_repeat or event in self.late:
                continue
            source, _, number = event.rpartition("/")
            if last.get((source, subject), -1) >= int(number):
                raise Broken("acted on out of order: %s after %d, subject %s" % (
                    event, last[source, subject], subject))
            last[source, subject] = int(number)
        if again > self.bus.keepers_killed:
            raise Broken("%d actions were repeated as unsure, for %d keepers killed" % (
                again, self.bus.keepers_killed))
        self.counted["actions, each done once"] = len(times)

    def check_genuine(self, event, token, subject):
        if subject == "Forged" or token == "forged":
            raise Broken("a forgery was believed: %s" % event)
        if not re.fullmatch(r"t\d+", token):
            return
        if self.bus.accepted.get(token, event) != event:
            raise Broken("%s was accepted as %s and delivered as %s" % (token, self.bus.accepted[token], event))
        if token not in self.bus.accepted and token not in self.bus.maybe:
            raise Broken("nobody put in %s, %s" % (event, token))

    def check_printed(self):
        bodies, last, inputs = {}, {}, {}
        for event in self.bus.printed():
            source, number = event["source"], int(event["id"])
            name = "%s/%d" % (source, number)
            if name not in bodies and name not in self.late:
                if number < last.get(source, -1):
                    raise Broken("printed out of order: %s after %d" % (name, last[source]))
                last[source] = number
            if bodies.setdefault(name, event) != event:
                raise Broken("two bodies of %s" % name)
            self.check_genuine(name, event["data"].get("token", "-"), event.get("subject"))
            for put_in in ("token", "ref", "comment"):
                value = event["data"].get(put_in)
                if value and inputs.setdefault((put_in, value), name) != name:
                    raise Broken("%s %s became %s and %s" % (put_in, value, inputs[put_in, value], name))
        self.counted["events printed, in the order of their logs"] = len(bodies)

    def check_parked(self):
        out = self.bus.ask("parked", "list", "--json", check=(0,))[1]
        rejected = 0
        for line in out.splitlines():
            message = json.loads(line)
            if message["reason"] in ("unsigned", "unknown-key", "bad-signature"):
                rejected += 1
            elif message["reason"] != "handler-failed" or message["message_id"] not in self.killed_handlers:
                raise Broken("parked: %s" % line)
        self.counted["forgeries rejected, of two queues"] = rejected

    def check_audit(self, since):
        bus, option = self.bus, ["--since", since] if since else []
        first = r"\d+" if since else "0"
        out = bus.ask("audit", *option, check=(0,))[1]
        for service in SERVICES:
            if not re.search(r"^demo\.example/%s/\S+: complete %s\.\.\d+ " % (service, first), out, re.M):
                raise Broken("audit of %s: %s" % (service, out))
        if not since:
            self.counted["events in the last audit of everything"] = sum(
                int(n) for n in re.findall(r"\((\d+) events", out))
        for queue in ("doer", "printer"):
            status, out, err = bus.ask("audit", "--queue", queue, *option)
            missing = self.missing_in(out)
            if queue == "printer" and status == 1 and missing and missing <= self.late | self.late_of_type:
                continue
            if status or missing or len(re.findall(r": complete %s\.\." % first, out)) != len(SERVICES):
                raise Broken("audit --queue %s: exit status %d: %s%s" % (queue, status, out, err))
        self.counted["audits, of the logs and both queues"] += 1

    @staticmethod
    def missing_in(audit):
        """As look_for_late() names them."""
        found = set()
        for line in audit.splitlines():
            what, _, ranges = line.partition(": missing ")
            of_type = re.match(r"(of type \S+): its ", ranges)
            if of_type:
                what += " " + of_type.group(1)
            for first, last in re.findall(r"(\d+)\.\.(\d+)", ranges.partition(" (")[0]):
                found.update("%s/%d" % (what, n) for n in range(int(first), int(last) + 1))
        return found
