"""The bus that faults.py breaks: its processes, what is put into it, what comes out."""

import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import threading
import time

SERVICES = ("dak", "wiki", "planet", "alioth")
RESTART_S = 0.3
# Exit statuses after which a service manager starts nothing again.
NEEDS_OPERATOR = (64, 78)


class Broken(Exception):
    """Something does not hold."""


def await_(seconds, condition, what):
    """Until condition(); raises Broken when the time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Broken("not within %d s: %s" % (seconds, what() if callable(what) else what))
        time.sleep(0.05)


class Between:
    """The program between debmsg and its broker (between.c)."""

    def __init__(self, program, broker_port, seed):
        self.lock = threading.Lock()
        self.process = subprocess.Popen([program, str(broker_port), str(seed)], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.tell("port"))

    def tell(self, command):
        with self.lock:
            self.process.stdin.write(command + "\n")
            answer = self.process.stdout.readline().strip()
        if not answer and command not in ("links",) or answer.startswith("not understood"):
            raise Broken("between: %s: %s" % (command, answer or "it has died"))
        return answer

    def rule(self, name, user="*", count=1, skip=0, argument=0):
        self.tell("%s %s %d %d %d" % (name, user, count, skip, argument))

    def numbers(self, command):
        return {name: int(n) for name, n in (word.split("=") for word in self.tell(command).split())}

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


class Disk:
    """A directory whose files can be full, read-only, or back at what was synced."""

    def __init__(self, directory, journal, mounted):
        self.directory, self.journal, self.mounted = directory, journal, mounted
        journal.mkdir()

    def remount(self, options):
        subprocess.run(["mount", "-o", "remount," + options, str(self.directory)], check=True,
                       stderr=subprocess.PIPE)

    def fill(self, pages):
        """True: so many pages are left; false: meanwhile it has grown."""
        fs = os.statvfs(self.directory)
        try:
            self.remount("size=%d" % ((fs.f_blocks - fs.f_bfree + pages) * fs.f_frsize))
        except subprocess.CalledProcessError:
            return False
        return True

    def empty(self):
        self.remount("size=256m")

    def read_only(self, on):
        """For who opens files now: nobody may have one open for writing."""
        self.remount("ro" if on else "rw")

    def fail(self, on):
        """For those who have files open, too, as when a kernel has found an error."""
        mark = self.journal / "readonly"
        mark.touch() if on else mark.unlink()

    def refused(self):
        """How often a write, a truncation or a sync has failed for one of these reasons."""
        count = self.journal / "refused"
        return count.stat().st_size if count.exists() else 0

    def slow(self, milliseconds):
        """Every sync takes so long, and the first write behind one; 0: as long as it takes."""
        mark = self.journal / "slow"
        mark.write_text("%d\n" % milliseconds) if milliseconds else mark.unlink(missing_ok=True)

    def is_slow(self):
        return (self.journal / "slow").exists()

    def is_awaited(self, pid):
        """Only a slow disk shows it."""
        return (self.journal / ("waiting.%d" % pid)).exists()

    def forget(self):
        """Undoes what was not synced (forgetful.c).  Returns how many writes that were."""
        undone = 0
        for path in sorted(p for p in self.directory.rglob("*") if p.is_file()):
            if path.name.endswith("-shm"):
                path.unlink()
                continue
            notes = self.journal / str(path.stat().st_ino)
            if notes.exists():
                undone += undo(path, notes.read_bytes())
        for left in (*self.journal.glob("[0-9]*"), *self.journal.glob("waiting.*")):
            left.unlink()
        return undone


def undo(path, journal):
    notes, at = [], 0
    while at + 24 <= len(journal):
        size, offset, length = struct.unpack_from("=QQQ", journal, at)
        at += 24
        if at + length > len(journal):  # killed while it was noted: nothing was written yet
            break
        notes.append((size, offset, journal[at:at + length]))
        at += length
    with open(path, "r+b") as f:
        for size, offset, old in reversed(notes):
            f.seek(offset)
            f.write(old)
            f.truncate(size)
    return len(notes)


class Service:
    """A program that is started again when it ends, as by systemd."""

    def __init__(self, bus, name, argv, env):
        self.bus, self.name, self.argv, self.env = bus, name, argv, env
        self.process, self.wanted, self.runs = None, False, 0
        self.lock = threading.RLock()  # one starts it at a time

    def start(self):
        with self.bus.power[self.env], self.lock:
            self.runs += 1
            out = open(self.bus.work / ("%s.%d.out" % (self.name, self.runs)), "ab")
            log = open(self.bus.work / (self.name + ".log"), "ab")
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                                            env=self.bus.env(self.env), cwd=self.bus.work,
                                            start_new_session=True)
            out.close()
            log.close()
        self.wanted = True

    def look(self):
        """Starts it again; an end that nobody may cause is a finding."""
        with self.bus.power[self.env], self.lock:
            if self.wanted and self.process.poll() is not None:
                self.start_after(self.process.returncode)

    def start_after(self, status):
        if status in NEEDS_OPERATOR and not self.bus.operator_awaited:
            raise Broken("%s ended with %d and would stay away: %s" % (self.name, status, self.last_words()))
        if status == 70 or status in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS):
            raise Broken("%s ended with %d: %s" % (self.name, status, self.last_words()))
        if status not in NEEDS_OPERATOR:
            self.start()

    def last_words(self):
        return " | ".join((self.bus.work / (self.name + ".log")).read_text(errors="replace").splitlines()[-3:])

    def log_lines(self, text):
        return (self.bus.work / (self.name + ".log")).read_text(errors="replace").count(text)

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(60)

    def stop(self):
        with self.lock:
            self.wanted = False
        if self.process and self.process.poll() is None:
            self.kill(signal.SIGTERM)


class Bus:
    def __init__(self, work, seed):
        self.work = work
        self.source, self.build = (pathlib.Path(os.environ[name]) for name in ("DEBMSG_SRCDIR", "DEBMSG_BUILDDIR"))
        self.mounts = os.environ["DEBMSG_FAULTS_INSIDE"] == "mounts"
        self.broker = work / "broker"
        self.broker_port = os.environ["DEBMSG_AMQP_PORT"]
        self.ctl_program = os.environ["RABBITMQCTL"]
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        # Whoever starts a program of a host has its lock; a power cut takes it.
        self.power = {"sender": threading.RLock(), "receiver": threading.RLock()}
        self.disk = {"sender": Disk(work / "state", work / "journal.state", self.mounts),
                     "receiver": Disk(work / "ledger", work / "journal.ledger", self.mounts)}
        self.clock = {name: work / ("clock." + name) for name in self.disk}
        for clock in self.clock.values():
            clock.write_text("0\n")
        self.operator_awaited = False
        self.read, self.rows, self.events = {}, [], []
        # What was accepted: token -> "source/id"; what may be: the tokens of those that were killed.
        self.accepted, self.maybe = {}, set()
        self.refs, self.maybe_refs, self.lines = set(), set(), 0
        self.may_repeat, self.keepers_killed = set(), 0
        self.numbers = iter(range(1, 1 << 60))
        self.sent_forgeries = 0
        self.finding = None
        self.between = Between(str(self.build / "tests/faults/between"), self.broker_port, seed % (1 << 31))
        for name in ("debmsg", "relay", "receiver"):
            conf = work / (name + ".conf")
            conf.write_text(conf.read_text().replace(":%s/" % self.broker_port, ":%d/" % self.between.port))
        self.make_handler()
        self.make_repository()
        debmsg = str(self.build / "debmsg")
        consume = [debmsg, "-c", str(work / "receiver.conf"), "consume", "--queue"]
        self.relay = Service(self, "relay", [debmsg, "-c", str(work / "relay.conf"), "relay"], "sender")
        self.watcher = Service(self, "watcher", [str(self.build / "debmsg-wiki"), "--from-start"], "sender")
        self.doer = Service(self, "doer", consume + ["doer", "--jobs", "4", "--timeout", "120", "--exec",
                                                     str(work / "handler"), str(work / "record")], "receiver")
        self.printer = Service(self, "printer", consume + ["printer", "--no-heal"], "receiver")
        self.services = (self.relay, self.watcher, self.doer, self.printer)

    def env(self, host):
        env = dict(os.environ, LD_PRELOAD=str(self.build / "tests/faults/faults.so"),
                   DEBMSG_CONF=str(self.work / ("debmsg.conf" if host == "sender" else "receiver.conf")),
                   PATH="%s:%s" % (self.build, os.environ["PATH"]),
                   FAULTS_CLOCK=str(self.clock[host]),
                   FORGETFUL_DIRECTORY=str(self.disk[host].directory),
                   FORGETFUL_JOURNAL=str(self.disk[host].journal))
        options = "verify_asan_link_order=0:detect_leaks=0"
        env["ASAN_OPTIONS"] = options + ":" + env["ASAN_OPTIONS"] if "ASAN_OPTIONS" in env else options
        return env

    def make_handler(self):
        """Some take a moment, so that they can be killed; one write, so that four do not mix."""
        handler = self.work / "handler"
        handler.write_text("""#!/bin/sh
[ $((DEBMSG_ID % 4)) -gt 0 ] || sleep 0.1
printf '%s %s %s %s %s\\n' "$DEBMSG_SOURCE" "$DEBMSG_ID" "${DEBMSG_RETRY:--}" \\
\t"${DEBMSG_DATA_TOKEN:-${DEBMSG_DATA_REF:-${DEBMSG_DATA_COMMENT:--}}}" "$DEBMSG_SUBJECT" >>"$1"
""")
        handler.chmod(0o755)
        (self.work / "record").touch()

    def make_repository(self):
        self.repository = self.work / "git/demo/hello.git"
        git = ["git", "-c", "user.name=Tester", "-c", "user.email=tester@demo.example"]
        quiet = dict(check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(git + ["init", "--bare", str(self.repository)], **quiet)
        tree = subprocess.run(git + ["-C", str(self.repository), "mktree"], input=b"", check=True,
                              stdout=subprocess.PIPE).stdout.decode().strip()
        self.commit = subprocess.run(git + ["-C", str(self.repository), "commit-tree", "-m", "Hello", tree],
                                     check=True, stdout=subprocess.PIPE).stdout.decode().strip()
        subprocess.run(git + ["-C", str(self.repository), "update-ref", "refs/heads/main", self.commit], **quiet)
        (self.work / "wiki/data/pages").mkdir()
        (self.work / "wiki/data/edit-log").touch()

    def run(self, host, *argv, check=None, timeout=300):
        """A debmsg command, as somebody types it; its output."""
        with self.power[host]:
            process = subprocess.Popen([str(self.build / "debmsg"), *argv], env=self.env(host), text=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=timeout)
        if check is not None and process.returncode not in check:
            raise Broken("debmsg %s: exit status %d: %s%s" % (" ".join(argv), process.returncode,
                                                              out[-2000:], err[-1000:]))
        return process.returncode, out, err

    def ask(self, *argv, check=None):
        """
        The same, by one of the receivers, who asks again where there was no answer: a
        broker on a busy machine may be silent for longer than its heartbeat.
        """
        deadline = time.monotonic() + 300
        while True:
            answer = self.run("receiver", *argv)
            if answer[0] not in (69, 75) or time.monotonic() > deadline:
                break
            time.sleep(1)
        if check is not None and answer[0] not in check:
            raise Broken("debmsg %s: exit status %d: %s%s" % (" ".join(argv), answer[0],
                                                              answer[1][-2000:], answer[2][-1000:]))
        return answer

    def ctl(self, *argv):
        subprocess.run([self.ctl_program, "-q", *argv], check=True, stdout=subprocess.DEVNULL)

    # -- broker --

    def start_broker(self):
        subprocess.run([str(self.source / "broker-config/private-broker"), "start", str(self.broker)], check=True)

    def stop_broker(self):
        subprocess.run([str(self.source / "broker-config/private-broker"), "stop", str(self.broker)], check=True)

    def has_publishers(self):
        """Is a service connected?  Forgeries come as one, but not by way of between."""
        users = subprocess.run([self.ctl_program, "-q", "list_connections", "user", "client_properties"],
                               check=True, text=True, stdout=subprocess.PIPE).stdout
        return "debmsg relay" in users

    def stream_record(self, doing):
        """Erlang that does something with the record of the history's `Name`."""
        self.ctl("eval", 'Name = {resource, <<"debmsg">>, queue, <<"debmsg.log">>}, %s.' % doing)

    def kill_broker(self):
        pid = int(pathlib.Path(os.environ["DEBMSG_BROKER_PID"]).read_text())
        os.kill(pid, signal.SIGKILL)
        await_(30, lambda: not is_in(pid, self.broker), "the broker dies")

    # -- processes --

    def processes(self, host):
        """All of a host, adapters, keepers and handlers included: {pid: environment}."""
        mark = b"FORGETFUL_DIRECTORY=" + str(self.disk[host].directory).encode()
        found = {}
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == os.getpid():
                continue
            try:
                env = pathlib.Path("/proc", name, "environ").read_bytes().split(b"\0")
                state = pathlib.Path("/proc", name, "stat").read_text().rpartition(") ")[2][0]
            except OSError:
                continue
            if mark in env and state != "Z":
                found[int(name)] = env
        return found

    def handlers(self):
        """{pid: "source/id"} of the handlers that run."""
        found = {}
        for pid, env in self.processes("receiver").items():
            try:
                argv = pathlib.Path("/proc/%d/cmdline" % pid).read_bytes().split(b"\0")
            except OSError:
                continue
            if str(self.work / "handler").encode() in argv[:3] and b"consume" not in argv:
                values = dict(v.decode(errors="replace").split("=", 1) for v in env if b"=" in v)
                if "DEBMSG_ID" in values:
                    found[pid] = values["DEBMSG_SOURCE"] + "/" + values["DEBMSG_ID"]
        return found

    def keepers(self):
        """Those processes of the consumer's own program that are not the consumer."""
        program = os.path.realpath(self.build / "debmsg")
        found = []
        for pid, env in self.processes("receiver").items():
            try:
                if os.path.realpath("/proc/%d/exe" % pid) != program:
                    continue
                argv = pathlib.Path("/proc/%d/cmdline" % pid).read_bytes().split(b"\0")
            except OSError:
                continue
            if b"consume" not in argv and b"audit" not in argv and b"parked" not in argv:
                found.append(pid)
        return found

    def programs(self, host, name):
        """Those of this name."""
        found = []
        for pid in self.processes(host):
            try:
                if os.path.basename(os.readlink("/proc/%d/exe" % pid)) == name:
                    found.append(pid)
            except OSError:
                pass
        return found

    def agents(self):
        return [int(p) for p in os.listdir("/proc") if p.isdigit() and self.is_agent(p)]

    def is_agent(self, pid):
        try:
            argv = pathlib.Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return argv[0].endswith(b"gpg-agent") and str(self.work / "keys/gnupg").encode() in argv

    # -- what is put in --

    def publish(self, service, count, kill_after=None):
        """Some events by `debmsg publish`; returns its exit status."""
        tokens = ["t%d" % next(self.numbers) for _ in range(count)]
        lines = "".join(json.dumps({"type": "page.edit", "subject": "subject-%d" % (int(t[1:]) % 7),
                                    "data": {"token": t}}) + "\n" for t in tokens)
        with self.power["sender"]:
            process = subprocess.Popen([str(self.build / "debmsg"), "publish", "--service", service, "--jsonl"],
                                       env=self.env("sender"), text=True, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(lines, timeout=kill_after or 300)
        except subprocess.TimeoutExpired:
            process.kill()
            if not kill_after:
                raise Broken("publish hangs")
            out, err = process.communicate()
        ids = out.splitlines()
        if out and not out.endswith("\n"):
            ids.pop()
        if process.returncode == 0 and len(ids) != count:
            raise Broken("publish printed %d of %d ids" % (len(ids), count))
        if process.returncode not in (0, 75, -signal.SIGKILL, 78 if self.operator_awaited else 0):
            raise Broken("publish: exit status %d: %s" % (process.returncode, err))
        with self.lock:
            for token, event in zip(tokens, ids):
                if event in self.accepted.values():
                    raise Broken("%s was given twice" % event)
                self.accepted[token] = event
            self.maybe.update(tokens[len(ids):])
        return process.returncode

    def hook(self):
        """As git calls it after a push; returns the process and the ref."""
        ref = "refs/heads/b%d" % next(self.numbers)
        with self.power["sender"]:
            process = subprocess.Popen([str(self.build / "debmsg-alioth"), "git"], text=True, cwd=self.repository,
                                       env=dict(self.env("sender"), GIT_DIR="."), stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        process.stdin.write("%s %s %s\n" % ("0" * 40, self.commit, ref))
        process.stdin.close()
        process.stdin = None
        return process, ref

    def hook_ended(self, process, ref):
        err = process.communicate(timeout=300)[1]
        if process.returncode not in (0, -signal.SIGKILL):
            raise Broken("the hook ended with %d, which git shows: %s" % (process.returncode, err))
        with self.lock:
            (self.refs if process.returncode == 0 and not err else self.maybe_refs).add(ref)

    def edit(self):
        """A line in the wiki's log."""
        self.lines += 1
        page = "Page%d" % (self.lines % 5)
        with open(self.work / "wiki/data/edit-log", "a") as f:
            f.write("%d000000\t00000001\tSAVE\t%s\t192.0.2.7\thost.demo.example\t1405902296.85.43837\t\tn=%d\n"
                    % (int(time.time()), page, self.lines))

    def forge(self):
        """A message that nobody must believe, by one who has a service's password."""
        key, body, proof = self.random.choice(self.forgeries)
        argv = [str(self.build / "tests/broker/forge"), "--port", self.broker_port, "--vhost", "debmsg",
                "--user", "wiki", "--password-file", str(self.work / "secrets/wiki.password"), "--key", key]
        if proof:
            argv += ["--proof", str(proof)]
        done = subprocess.run(argv, input=body, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.sent_forgeries += done.returncode == 0

    # -- what comes out --

    def lines_of(self, path):
        """What is new in a file since the last look, without a line that is not whole."""
        with open(path, "rb") as f:
            f.seek(self.read.get(path, 0))
            data = f.read()
        data = data[:data.rfind(b"\n") + 1]
        self.read[path] = self.read.get(path, 0) + len(data)
        return data.decode().splitlines()

    def recorded(self):
        """What the handler did: tuples of source/id, retry, what was put in, subject."""
        for line in self.lines_of(self.work / "record"):
            source, number, retry, what, subject = line.split(" ", 4)
            self.rows.append(("%s/%s" % (source, number), retry, what, subject))
        return self.rows

    def printed(self):
        """What consume printed; what a killed one had not finished is nothing."""
        for n in range(1, self.printer.runs + 1):
            self.events += map(json.loads, self.lines_of(self.work / ("printer.%d.out" % n)))
        return self.events

    def kill_all(self, host):
        """Everything of a host ends at once; the caller has its lock."""
        seen = set()
        while True:
            more = set(self.processes(host)) - seen
            if not more:
                break
            for pid in more:
                kill(pid, signal.SIGSTOP)
            seen |= more
        if host == "receiver":
            self.may_repeat.update(self.handlers().values())
            self.keepers_killed += len(self.keepers())
        for pid in seen:
            kill(pid, signal.SIGKILL)
        await_(30, lambda: not self.processes(host), "all of a host die")

    def start_again(self, host):
        """As an operator does who has mended what was wrong."""
        for service in self.services:
            if service.env == host:
                service.stop()
                service.start()
        self.operator_awaited = False

    def power_cut(self, host):
        """The disk has what was synced."""
        with self.power[host]:
            self.kill_all(host)
            return self.disk[host].forget()

    def stop(self):
        for service in self.services:
            service.stop()
        self.between.stop()
        for pid in list(self.processes("sender")) + list(self.processes("receiver")):
            kill(pid, signal.SIGKILL)
        shutil.rmtree(self.work / "journal.state", ignore_errors=True)


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def is_in(pid, directory):
    try:
        return os.readlink("/proc/%d/cwd" % pid) == str(directory)
    except OSError:
        return False
