"""What bench.py and sweep.py share: the bus, and how commands are timed."""

import argparse
import atexit
import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

from report import Report, progress

builddir = pathlib.Path(os.environ["DEBMSG_BUILDDIR"])
srcdir = pathlib.Path(os.environ["DEBMSG_SRCDIR"])
tools = builddir / "tests/bench"
events = int(os.environ["EVENTS"])
size = int(os.environ["SIZE"])
runs = int(os.environ["RUNS"])


class Run:
    """How long a command took, and what memory it had at most."""

    def __init__(self, line):
        self.began, self.ended, kib = (float(word) for word in line.split())
        self.seconds = self.ended - self.began
        self.mib = kib / 1024


class Bus:
    """The bus that tests/bench/run has set up."""

    def __init__(self, arguments):
        self.work = pathlib.Path(arguments.work)
        self.vhost = arguments.vhost
        self.secrets = arguments.secrets
        self.keys = pathlib.Path(arguments.keys)
        self.broker = arguments.broker
        self.conf = self.work / "debmsg.conf"
        self.relay_conf = self.work / "relay.conf"
        self.environment = {**os.environ, "DEBMSG_CONF": str(self.conf)}
        self.children = []
        self.api_base = "http://127.0.0.1:%s/api/" % os.environ["DEBMSG_MGMT_PORT"]
        password = pathlib.Path(self.password("admin")).read_text().strip()
        self.authorization = base64.b64encode(("admin:" + password).encode()).decode()
        self.log = open(self.work / "commands.log", "ab")
        self.seed = None
        self.make_room()
        atexit.register(self.close)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def close(self):
        progress("")
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait()

    def password(self, user):
        return "%s/%s.password" % (self.secrets, user)

    # -- commands --

    def start(self, command, **options):
        """A process that is ended with us, if it has not ended before."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", self.log)
        child = subprocess.Popen([str(word) for word in command], **options)
        self.children.append(child)
        return child

    def end(self, child):
        child.terminate()
        child.wait()
        self.children.remove(child)

    def run(self, command, **options):
        """Its output, if stdout=subprocess.PIPE."""
        child = self.start(command, **options)
        output = child.communicate()[0]
        self.children.remove(child)
        if child.returncode:
            self.log.flush()
            raise RuntimeError("%s: exit status %d" % (" ".join(map(str, command)), child.returncode))
        return output

    def timed(self, command, **options):
        watch = self.work / "stopwatch"
        watch.unlink(missing_ok=True)
        self.run([tools / "stopwatch", watch, *command], **options)
        return Run(watch.read_text())

    def debmsg(self, *arguments, conf=None, **options):
        command = [builddir / "debmsg", "-c", conf or self.conf, *arguments]
        return self.timed(command, **options)

    def plain(self, mode, user, *arguments, messages=None):
        """A loop of rabbitmq-c: what it says, in seconds."""
        source = open(messages, "rb") if messages else subprocess.DEVNULL
        out = self.run(
            [tools / "plain", mode, self.vhost, user, self.password(user), *arguments],
            stdin=source,
            stdout=subprocess.PIPE,
        )
        if messages:
            source.close()
        return [float(line) for line in out.split()]

    # -- events --

    def ask_outbox(self, service, question):
        """A number out of an outbox."""
        path = self.work / "state/outbox" / service / "outbox.db"
        with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as db:
            return db.execute(question).fetchone()[0]

    def sent(self, service):
        return self.ask_outbox(service, "SELECT sent FROM log")

    def await_sent(self, *services):
        """Until a relay that runs has had all of these confirmed."""
        deadline = time.monotonic() + 120
        for service in services:
            while not self.ask_outbox(service, "SELECT sent = size FROM log"):
                if time.monotonic() > deadline:
                    raise RuntimeError("the relay does not send what %s has" % service)
                time.sleep(0.05)

    def write_events(self, path, count, body):
        """Input of publish --jsonl; body: bytes of an event, as far as it can be that small."""
        self.run_publish("dak", self.lines(1, 0))
        least = self.ask_outbox("dak", "SELECT length(body) FROM event ORDER BY id DESC LIMIT 1")
        path.write_bytes(self.lines(count, max(0, body - least)))

    @staticmethod
    def lines(count, pad):
        form = '{"type":"upload.accept","subject":"page-%03d","data":{"summary":"accepted","text":"%s"}}'
        return "".join(form % (i % 1000, "x" * pad) + "\n" for i in range(count)).encode()

    def run_publish(self, service, lines, conf=None):
        path = self.work / "lines"
        path.write_bytes(lines)
        return self.publish(service, path, conf)

    def publish(self, service, path, conf=None):
        with open(path, "rb") as lines:
            return self.debmsg("publish", "--service", service, "--jsonl", stdin=lines, conf=conf)

    def relay(self, conf):
        return self.debmsg("relay", "--once", conf=conf)

    def make_rows(self, kind, service, *numbers):
        """A new log, by outbox.c."""
        self.forget(service)
        self.run([tools / "outbox", kind, service, *numbers], env=self.environment)

    def forget(self, service):
        """An outbox that is made anew begins a new log."""
        shutil.rmtree(self.work / "state/outbox" / service, ignore_errors=True)

    def write_conf(self, name, text):
        path = self.work / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def conf_of(self, service):
        """A configuration of the relay with one of the services only."""
        head, *blocks = self.relay_conf.read_text().split('service "')
        kept = [block for block in blocks if block.split('"')[0] == service]
        return self.write_conf("relay-%s.conf" % service, head + 'service "' + kept[0])

    # -- the broker --

    def api(self, method, path, data=None):
        request = urllib.request.Request(
            self.api_base + path,
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers={
                "Authorization": "Basic " + self.authorization,
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def queue_path(self, queue):
        vhost = urllib.parse.quote(self.vhost, safe="")
        return "queues/%s/%s" % (vhost, queue)

    def make_room(self):
        """A consumer's queue drops what is more than a million messages."""
        vhost = urllib.parse.quote(self.vhost, safe="")
        policy = self.api("GET", "policies/%s/consumers" % vhost)
        if events < policy["definition"]["max-length"] // 2:
            return
        policy["definition"]["max-length"] = 4 * events
        policy["definition"]["max-length-bytes"] *= 10
        policy["priority"] += 1
        self.api("PUT", "policies/%s/bench" % vhost, policy)

    def purge(self, queue):
        self.api("DELETE", self.queue_path(queue) + "/contents")

    def renew_stream(self):
        """
        The history made anew, with its own settings and bindings, so that each publisher
        begins with an empty one.  One message of another log is put there: a relay waits
        for a second before it believes that a stream is empty.
        """
        path = self.queue_path("debmsg.log")
        queue = self.api("GET", path)
        bindings = [b for b in self.api("GET", path + "/bindings") if b["source"]]
        self.api("DELETE", path)
        settings = {"durable": True, "auto_delete": False, "arguments": queue["arguments"]}
        deadline = time.monotonic() + 60
        while True:
            try:
                self.api("PUT", path, settings)
                break
            except urllib.error.HTTPError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        for binding in bindings:
            self.api(
                "POST",
                "bindings/%s/e/%s/q/debmsg.log"
                % (urllib.parse.quote(self.vhost, safe=""), binding["source"]),
                {"routing_key": binding["routing_key"], "arguments": binding["arguments"]},
            )
        if self.seed:
            self.plain("publish", "alioth", messages=self.seed)

    def make_seed(self):
        self.run_publish("alioth", b'{"type":"branch.push","subject":"seed"}\n')
        self.relay(self.conf_of("alioth"))
        seed = self.work / "seed"
        with open(seed, "wb") as out:
            self.debmsg("export", "alioth", stdout=out)
        self.seed = seed


def about_the_machine():
    cpu = [line for line in open("/proc/cpuinfo") if line.startswith("model name")]
    versions = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}, "]
        + ["rabbitmq-server", "erlang-base", "librabbitmq4", "libsqlite3-0", "gnupg"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    print("machine: %s, %d processors" % (cpu[0].split(":")[1].strip() if cpu else "?", os.cpu_count()))
    print("versions: %s" % versions.rstrip(", "))
    print("load before: %s" % " ".join(open("/proc/loadavg").read().split()[:3]))
    print("%d events of %d bytes, %d turns\n" % (events, size, runs), flush=True)


def main(parts, name, description):
    """Measures the parts that are asked for, or all; the exit status."""
    parser = argparse.ArgumentParser(description=description)
    for option in ("work", "vhost", "secrets", "keys", "broker"):
        parser.add_argument("--" + option, required=True)
    parser.add_argument("part", nargs="*")
    arguments = parser.parse_args()
    unknown = [part for part in arguments.part if part not in parts]
    if unknown:
        print("there is no part %s; there are %s" % (unknown[0], ", ".join(parts)), file=sys.stderr)
        return 64
    about_the_machine()
    report = Report(builddir / name)
    try:
        bus = Bus(arguments)
        bus.make_seed()
        for part in arguments.part or parts:
            parts[part](bus, report)
    except Exception:  # 1 is for a goal that was missed
        progress("")
        traceback.print_exc()
        return 70
    return report.finish()
