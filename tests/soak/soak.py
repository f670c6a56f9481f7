#!/usr/bin/env python3
"""
Events for an hour, as tests/soak/run has set it up.

Four services publish, in trickles and in bursts.  Four consumers have them: one prints all,
one is bound to a subject, one runs a command, and one is stopped and started all the time.
What they print must be each event once, in the order of its log.  Every ten seconds it is
looked at how much memory and how many files each process has, and how large files are.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import threading
import time

# Of a hundred events, and what each service says.
SHARE = {"dak": 50, "wiki": 25, "planet": 20, "alioth": 5}
KIND = {"dak": "upload.accept", "wiki": "page.edit", "planet": "entry.new", "alioth": "branch.push"}
SAMPLE_S = 10
RESTART_S = 20
MIB = 1 << 20


class Reader(threading.Thread):
    """Checks what a consumer prints; its process may be another one each time."""

    NAME = re.compile(rb'^\{"specversion":"1\.0","source":"([^"]+)","id":"(\d+)"')

    def __init__(self, whole):
        super().__init__(daemon=True)
        self.whole = whole  # of every log all events are printed
        self.last, self.count, self.wrong = {}, collections.Counter(), []
        self.done = threading.Event()

    def read(self, stream):
        for line in stream:
            source, number = self.NAME.match(line).groups()
            number, last = int(number), self.last.get(source, -1)
            if number != last + 1 if self.whole else number <= last:
                self.wrong.append("%s/%d after %d" % (source.decode(), number, last))
            self.last[source] = number
            self.count[source.decode().split("/")[1]] += 1


class Consumer:
    def __init__(self, work, name, *arguments, whole=False):
        self.work, self.name = work, name
        self.argv = ["debmsg", "consume", "--queue", name, *arguments]
        self.reader = Reader(whole)
        self.process = None

    def start(self):
        log = open(self.work / (self.name + ".log"), "ab")
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        log.close()
        self.thread = threading.Thread(target=self.reader.read, args=(self.process.stdout,), daemon=True)
        self.thread.start()

    def stop(self):
        self.process.terminate()
        status = self.process.wait(120)
        self.thread.join(120)
        if status:
            sys.exit("soak: the consumer %s ended with %d, see its log" % (self.name, status))


class Publisher(threading.Thread):
    """One service; every tick what is due by then, sometimes nothing for a while, then all at once."""

    def __init__(self, service, count, seconds):
        super().__init__(daemon=True)
        self.service, self.count, self.seconds = service, count, seconds
        self.random = random.Random(service)
        self.number, self.front = 0, 0

    def line(self):
        self.number += 1
        subject = "page-%d" % self.random.randrange(1000)
        if self.number % 100 == 0:
            subject, self.front = "FrontPage", self.front + 1
        return json.dumps({"type": KIND[self.service], "subject": subject,
                           "data": {"summary": "number %d" % self.number,
                                    "text": "x" * self.random.choice((10, 100, 300, 300, 1000, 4000))}})

    def put(self, count):
        lines = "".join(self.line() + "\n" for _ in range(count))
        subprocess.run(["debmsg", "publish", "--service", self.service, "--jsonl"], input=lines.encode(),
                       stdout=subprocess.DEVNULL, check=True)

    def run(self):
        began = time.monotonic()
        while self.number < self.count:
            passed = time.monotonic() - began
            due = min(self.count, int(self.count * passed / self.seconds) + 1) - self.number
            if due > 0:
                self.put(min(due, 5000))
            time.sleep(self.random.choice((0.2, 1, 1, 1, 5)))


def memory(pid):
    """Resident bytes and open files; None when it has ended."""
    try:
        status = pathlib.Path("/proc/%d/status" % pid).read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024, len(os.listdir("/proc/%d/fd" % pid))
    except (OSError, TypeError):
        return None


def size_of(directory, pattern):
    total = 0
    for path in directory.rglob(pattern):
        try:
            total += path.stat().st_size
        except OSError:
            pass  # it was there a moment ago
    return total


class Soak:
    def __init__(self, options):
        self.work, self.events, self.seconds = options.work, options.events, options.seconds
        self.relay = int(pathlib.Path(os.environ["DEBMSG_RELAY_PID"]).read_text())
        self.samples, self.rows = [], []
        handler = self.work / "handler"
        handler.write_text('#!/bin/sh\necho "$DEBMSG_SOURCE $DEBMSG_ID" >>"%s"\n' % (self.work / "acted"))
        handler.chmod(0o755)
        services = [word for service in SHARE for word in ("--bind", service)]
        self.consumers = {c.name: c for c in (
            Consumer(self.work, "all", *services, whole=True),
            Consumer(self.work, "front", "--bind", "org.debian.*.*.*.*.FrontPage"),
            Consumer(self.work, "acts", "--bind", "alioth", "--jobs", "2", "--exec", str(handler)),
            Consumer(self.work, "restarted", "--bind", "wiki", whole=True))}
        self.publishers = {s: Publisher(s, self.events * share // 100, self.seconds) for s, share in SHARE.items()}

    def sample(self):
        now = {"s": time.monotonic() - self.began}
        for name, pid in [("relay", self.relay)] + [(c.name, c.process.pid) for c in self.consumers.values()
                                                    if c.name != "restarted"]:
            found = memory(pid)
            if not found:
                sys.exit("soak: %s has ended" % name)
            now["rss " + name], now["files " + name] = found
        state = self.work / "state"
        now["outboxes"] = size_of(state / "outbox", "outbox.db")
        now["ledgers"] = size_of(state, "consumer.*.db")
        now["write-ahead logs"] = size_of(state, "*-wal")
        now["history"] = size_of(pathlib.Path(os.environ["DEBMSG_BROKER_DIR"]) / "database", "*.segment")
        now["logs"] = size_of(self.work, "*.log") - size_of(pathlib.Path(os.environ["DEBMSG_BROKER_DIR"]), "*.log")
        self.samples.append(now)

    def prune(self):
        """What a year does: the relay itself keeps a day at least."""
        keep = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - self.seconds / 6))
        done = subprocess.run(["debmsg", "outbox", "prune", "--keep", keep], stdout=subprocess.PIPE, check=False)
        if done.returncode:
            sys.exit("soak: outbox prune ended with %d" % done.returncode)

    def progress(self):
        if sys.stderr.isatty():
            print("\r%d of %d published, %d had by all\033[K" % (
                sum(p.number for p in self.publishers.values()), self.events,
                sum(self.consumers["all"].reader.count.values())), end="", file=sys.stderr)

    def run(self):
        for consumer in self.consumers.values():
            consumer.start()
        time.sleep(3)
        self.began = time.monotonic()
        for publisher in self.publishers.values():
            publisher.start()
        restart = self.began + RESTART_S
        while any(p.is_alive() for p in self.publishers.values()):
            self.sample()
            self.progress()
            time.sleep(SAMPLE_S if self.seconds > 600 else 1)
            if time.monotonic() > restart:
                self.consumers["restarted"].stop()
                self.consumers["restarted"].start()
                self.prune()
                restart = time.monotonic() + RESTART_S
        self.drain()
        self.sample()
        self.progress()
        for consumer in self.consumers.values():
            consumer.stop()

    def drain(self):
        """Until all is had; a minute without news is the end, too."""
        before, since = None, time.monotonic()
        while time.monotonic() - since < 60:
            now = (self.had(), self.acted())
            if now == (self.wanted(), self.publishers["alioth"].number):
                return
            if now != before:
                before, since = now, time.monotonic()
            time.sleep(1)

    def wanted(self):
        put = {s: p.number for s, p in self.publishers.items()}
        return {"all": sum(put.values()), "front": sum(p.front for p in self.publishers.values()),
                "restarted": put["wiki"]}

    def had(self):
        # bus.checkpoint is the relay's own, and nobody asked for it
        return {name: sum(self.consumers[name].reader.count.values()) for name in ("all", "front", "restarted")}

    def acted(self):
        acted = self.work / "acted"
        return acted.read_bytes().count(b"\n") if acted.exists() else 0

    # -- what is judged --

    def judge(self, name, value, unit, goal, ok):
        self.rows.append({"name": name, "value": value, "unit": unit, "goal": goal, "ok": bool(ok)})

    def quarter(self, name, number):
        count = len(self.samples) // 4
        return statistics.median(s[name] for s in self.samples[number * count:(number + 1) * count])

    def judge_growth(self):
        for name in ("relay", "all", "front", "acts"):
            first, last = (self.quarter("rss " + name, n) for n in (1, 3))
            # SQLite's cache of pages may still be filling: 2 MB for each file
            self.judge("memory of %s, last quarter beside second" % name, round((last - first) / MIB, 2), "MiB",
                       "<= 4 (now %.1f)" % (last / MIB), last - first <= 4 * MIB)
            first, last = (self.quarter("files " + name, n) for n in (1, 3))
            self.judge("open files of %s" % name, last, "", "<= %d" % (first + 2), last <= first + 2)
        wal = max(s["write-ahead logs"] for s in self.samples)
        self.judge("write-ahead logs, all, at most", round(wal / MIB, 1), "MiB", "<= 100", wal <= 100 * MIB)
        limit = self.events * 500 + 4 * self.events * 25
        history = max(s["history"] for s in self.samples)
        self.judge("history, at most", round(history / MIB), "MiB", "<= %d" % (limit / MIB), history <= limit)
        last = self.samples[-1]
        per = last["ledgers"] / self.events
        self.judge("ledgers, four", round(per), "bytes per event", "<= 400", per <= 400)
        # what was pruned leaves room in the file; what is kept is a sixth, of 1200 bytes each
        outboxes, limit = last["outboxes"], self.events * 600
        self.judge("outboxes, of which a sixth is kept", round(outboxes / MIB, 1), "MiB",
                   "<= %.1f" % (limit / MIB), outboxes <= limit)
        self.judge("logs of relay and consumers", round(last["logs"] / MIB, 1), "MiB", "<= 20",
                   last["logs"] <= 20 * MIB)

    def judge_events(self):
        wanted, had = self.wanted(), self.had()
        for name in wanted:
            wrong = self.consumers[name].reader.wrong
            self.judge("events %s had, each once and in order" % name, had[name], "", str(wanted[name]),
                       had[name] == wanted[name] and not wrong)
            for line in wrong[:5]:
                print("%s: out of order: %s" % (name, line), file=sys.stderr)
        acted = (self.work / "acted").read_text().splitlines()
        put = self.publishers["alioth"].number
        self.judge("events that were acted on, each once", len(acted), "", str(put),
                   len(acted) == put == len(set(acted)))

    def audit(self, *queue):
        done = subprocess.run(["debmsg", "audit", *queue], capture_output=True, text=True, check=False)
        complete = len(re.findall(r": complete \d+\.\.\d+ ", done.stdout))
        return done.returncode == 0, complete, done.stdout + done.stderr

    def judge_audits(self):
        ok, complete, text = self.audit()
        self.judge("logs that audit calls complete", complete, "", "4", ok and complete == 4)
        gone = re.findall(r": complete ([1-9]\d*)\.\.", text)
        self.judge("logs whose beginning retention has cut", len(gone), "", ">= 1", gone)
        for name in self.consumers:
            ok, complete, text = self.audit("--queue", name)
            self.judge("audit --queue %s" % name, complete, "logs complete", ">= 1", ok and complete)
            if not ok:
                print(text, file=sys.stderr)

    def report(self):
        for row in self.rows:
            print("%-55s %12s %-16s %-18s %s" % (row["name"], row["value"], row["unit"], row["goal"],
                                                 "ok" if row["ok"] else "MISSED"))
        pathlib.Path("soak.json").write_text(json.dumps(self.rows, indent=1) + "\n")
        return 0 if all(row["ok"] for row in self.rows) else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    soak = Soak(parser.parse_args())
    soak.run()
    soak.judge_growth()
    soak.judge_events()
    soak.judge_audits()
    sys.exit(soak.report())


if __name__ == "__main__":
    main()
