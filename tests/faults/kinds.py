"""Every kind of fault: a function that makes it on a bus, and returns how often it did."""

import threading
import time

from bus import SERVICES, Broken, await_, kill

LET_GO_S = 40  # what a rule of between waits for comes within seconds; a slow machine may be slower


class Fault:
    """What a kind may use: the bus, the load, and random choices that a seed repeats."""

    def __init__(self, bus, load, invariants, choice):
        self.bus, self.load, self.invariants, self.choice = bus, load, invariants, choice

    def hold(self, low, high=None):
        """The fault lasts for so long."""
        end = time.monotonic() + self.choice.uniform(low, high or low)
        while time.monotonic() < end:
            if self.bus.finding:
                raise self.bus.finding
            time.sleep(0.02)

    def wait_for(self, condition, seconds=LET_GO_S):
        """Until condition(); false: the time is up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return True
            self.hold(0.05)
        return False

    def burst(self, service, count=40):
        """Events enough for what happens among confirms."""
        self.bus.publish(service, count)

    def struck(self, rule, seconds=LET_GO_S):
        """Waits until the rule has struck at least once, ends it, and counts."""
        before = self.made_before
        self.wait_for(lambda: self.bus.between.numbers("made")[rule] > before, seconds)
        self.bus.between.tell("clear")
        return self.bus.between.numbers("made")[rule] - before

    def arm(self, rule, **how):
        self.made_before = self.bus.between.numbers("made")[rule]
        self.bus.between.rule(rule, **how)


KINDS, NEED_MOUNT = {}, set()


def kind(function):
    KINDS[function.__name__] = function
    return function


def needs_mount(function):
    NEED_MOUNT.add(function.__name__)
    return kind(function)


def slow_disk(f, host):
    """Often more time for what happens between two syncs."""
    f.bus.disk[host].slow(f.choice.choice((0, 30, 150, 400)))


def await_disk(f, host, service):
    """Half of the time, if the disk is slow: until that program waits for it."""
    if f.choice.random() < 0.5 and f.bus.disk[host].is_slow():
        f.wait_for(lambda: f.bus.disk[host].is_awaited(service.process.pid), 3)


# -- processes --

@kind
def kill_publish(f):
    made = 0
    for _ in range(20):
        made += f.bus.publish(f.choice.choice(SERVICES), 40, f.choice.uniform(0.002, 0.08)) == -9
        if made == 4:
            break
    return made


@kind
def kill_hook(f):
    """The hook itself and what it left in the background; it takes but milliseconds."""
    made = 0
    for _ in range(60):
        process, ref = f.bus.hook()
        time.sleep(f.choice.uniform(0, 0.02))
        process.kill()
        for pid in f.bus.programs("sender", "debmsg-alioth"):
            made += kill(pid)
        process.communicate()
        made += process.returncode == -9
        with f.bus.lock:
            f.bus.maybe_refs.add(ref)
        if made >= 4:
            break
    return made


@kind
def kill_adapter(f):
    for _ in range(3):
        for _ in range(f.choice.randint(1, 8)):
            with f.load.locks[5]:  # only one writes into the wiki's log
                f.bus.edit()
        f.hold(0, 0.3)
        f.bus.watcher.kill()
        f.wait_for(lambda: f.bus.watcher.process.poll() is None)
    return 3


@kind
def kill_relay(f):
    slow_disk(f, "sender")
    for _ in range(3):
        f.burst(f.choice.choice(SERVICES))
        f.hold(0, 1.5)
        await_disk(f, "sender", f.bus.relay)
        f.bus.relay.kill()
        f.wait_for(lambda: f.bus.relay.process.poll() is None)
    f.bus.disk["sender"].slow(0)
    return 3


@kind
def kill_consumer(f):
    slow_disk(f, "receiver")
    for consumer in (f.bus.doer, f.bus.printer, f.bus.doer, f.bus.printer):
        f.burst(f.choice.choice(SERVICES), 30)
        f.hold(0, 1)
        await_disk(f, "receiver", consumer)
        consumer.kill()
        f.wait_for(lambda: consumer.process.poll() is None)
    f.bus.disk["receiver"].slow(0)
    return 4


@kind
def kill_handler(f):
    made = 0

    def one():
        for pid, event in f.bus.handlers().items():
            f.bus.may_repeat.add(event)
            f.invariants.killed_handlers.add(event)
            return kill(pid)
        return False
    for _ in range(3):
        f.burst(f.choice.choice(SERVICES), 10)
        made += f.wait_for(one)
    return made


@kind
def kill_keeper(f):
    made = 0

    def one():
        for pid in f.bus.keepers():
            f.bus.keepers_killed += 1
            return kill(pid)
        return False
    for _ in range(3):
        f.burst(f.choice.choice(SERVICES), 10)
        f.wait_for(f.bus.handlers)
        made += f.wait_for(one)
    return made


@kind
def kill_gpg_agent(f):
    made = 0
    for _ in range(3):
        f.wait_for(f.bus.agents)
        made += sum(kill(pid) for pid in f.bus.agents())
        f.burst(f.choice.choice(SERVICES), 5)
        f.hold(0, 1)
    return made


@kind
def hang_gpg_agent(f):
    f.wait_for(f.bus.agents)
    pids = f.bus.agents()
    for pid in pids:
        kill(pid, 19)
    f.hold(3, 10)
    for pid in pids:
        kill(pid, 18)
    return len(pids)


@kind
def key_removed(f):
    """The operator puts it back, and starts the relay again."""
    keys = list((f.bus.work / "keys/gnupg/private-keys-v1.d").glob("*.key"))
    said = (f.bus.work / "relay.log").stat().st_size
    f.bus.operator_awaited = True
    for key in keys:
        key.rename(key.with_suffix(".away"))
    noticed = f.wait_for(lambda: (f.bus.work / "relay.log").stat().st_size > said)
    f.hold(0, 2)
    for key in keys:
        key.with_suffix(".away").rename(key)
    f.bus.start_again("sender")
    if not noticed:
        raise Broken("the relay says nothing of a key that is gone")
    return len(keys)


@kind
def hooks_100_at_once(f):
    hooks = [f.bus.hook() for _ in range(100)]
    for process, ref in hooks:
        f.bus.hook_ended(process, ref)
    return len(hooks)


# -- broker --

@kind
def broker_killed(f):
    f.burst(f.choice.choice(SERVICES))
    f.hold(0, 0.5)
    f.bus.kill_broker()
    f.hold(0, 2)
    f.bus.start_broker()
    return 1


@kind
def broker_restarted(f):
    f.bus.stop_broker()
    f.hold(0, 2)
    f.bus.start_broker()
    return 1


def alarm(f, setting, low, normal):
    """It counts if the relay was told of it."""
    before = f.bus.relay.log_lines("takes no events")
    f.bus.ctl(setting, low)
    told = f.wait_for(lambda: f.bus.relay.log_lines("takes no events") > before, 60)
    f.hold(0, 3)
    f.bus.ctl(setting, normal)
    return told


@kind
def memory_alarm(f):
    return alarm(f, "set_vm_memory_high_watermark", "0.00001", "0.4")


@kind
def disk_alarm(f):
    return alarm(f, "set_disk_free_limit", "1000000GB", "100MB")


@kind
def broker_without_stream(f):
    """
    As for half a second after its start: queues take events, and their history is away.
    It counts if the relay saw that.  Who is connected does not find it so: such a one
    is away, too, until it is.
    """
    before = f.bus.relay.log_lines("debmsg.log")
    relay = f.bus.relay.process.pid
    kill(relay, 19)
    try:
        f.bus.between.tell("cut * abort")
        if not f.wait_for(lambda: not f.bus.has_publishers(), 60):
            raise Broken("the broker does not see that connections have ended")
        f.bus.stream_record("mnesia:dirty_delete(rabbit_queue, Name)")
    finally:
        kill(relay, 18)
    for service in SERVICES:
        f.burst(service, 5)
    told = f.wait_for(lambda: f.bus.relay.log_lines("debmsg.log") > before)
    f.hold(0, 2)
    f.bus.stream_record("[Queue] = mnesia:dirty_read(rabbit_durable_queue, Name), "
                        "mnesia:dirty_write(rabbit_queue, Queue)")
    return told


# -- connections --

def somebody(f):
    return f.choice.choice(SERVICES + ("consumer",))


@kind
def cut_in_handshake(f):
    """
    After any frame of it, up to what is asked first on the new channel; it is the next
    connection that is cut.
    """
    made = 0
    for frames in f.choice.sample(range(1, 11), 5):
        f.arm("handshake", argument=frames)
        f.bus.between.tell("cut %s abort" % somebody(f))
        made += f.struck("handshake", 40)
    return made


@kind
def cut_before_confirm(f):
    made = 0
    for _ in range(3):
        service = f.choice.choice(SERVICES)
        f.arm("confirm", user=service, skip=f.choice.randint(0, 3))
        f.burst(service)
        made += f.struck("confirm")
    return made


@kind
def cut_in_frame_to_broker(f):
    service = f.choice.choice(SERVICES)
    f.arm("publish", user=service, skip=f.choice.randint(0, 40))
    f.burst(service)
    return f.struck("publish")


@kind
def cut_in_frame_to_client(f):
    f.arm("deliver", user="consumer", skip=f.choice.randint(0, 40))
    f.burst(f.choice.choice(SERVICES))
    return f.struck("deliver")


@kind
def slow_link(f):
    f.arm("slow", argument=f.choice.randint(4000, 40000))
    f.burst(f.choice.choice(SERVICES))
    f.hold(4, 8)
    return f.struck("slow") > 0


def live(f):
    return [name for name in f.bus.between.numbers("links") if not name.endswith("!")]


@kind
def half_open_link(f):
    """Each end has to find out for itself, and the broker keeps the old consumer until then."""
    log = f.bus.broker / "broker.log"
    before = set(live(f))
    noticed = log.read_text().count("missed heartbeats from client")
    made = f.bus.between.numbers("made")["dead"]
    f.bus.between.tell("dead *")
    made = f.bus.between.numbers("made")["dead"] - made
    f.hold(10)
    f.load.off()  # enough is on its way
    ok = f.wait_for(lambda: before <= set(live(f)) and
                    log.read_text().count("missed heartbeats from client") >= noticed + made, 300)
    f.bus.between.tell("bury")
    if not ok:
        raise Broken("half-open connections are not noticed: %s" % f.bus.between.tell("links"))
    return made


@kind
def heartbeats_missed(f):
    """Nothing else is said meanwhile."""
    f.load.off()
    said = [(service, service.log_lines("trying again")) for service in (f.bus.relay, f.bus.printer)]
    f.arm("mute")
    noticed = f.wait_for(lambda: all(s.log_lines("trying again") > n for s, n in said), 300)
    made = f.struck("mute", 0)
    f.load.on()
    if not noticed:
        raise Broken("nobody notices that heartbeats are missing")
    return made


@kind
def confirms_out_of_order(f):
    f.arm("shuffle")
    for service in SERVICES:
        f.burst(service, 60)
    return f.struck("shuffle")


@kind
def confirms_multiple(f):
    f.arm("merge")
    for service in SERVICES:
        f.burst(service, 60)
    return f.struck("merge")


@kind
def nacks(f):
    service = f.choice.choice(SERVICES)
    f.arm("nack", user=service, count=f.choice.randint(1, 20), skip=f.choice.randint(0, 20))
    f.burst(service)
    f.hold(0.5)
    return f.struck("nack")


def nacks_on_slow_link(f):
    """
    What comes behind them is so long on its way that a consumer sees the hole first; and
    until it has looked in the history, they are not there.  True: it did.
    """
    service, doer, relay = f.choice.choice(SERVICES), f.bus.doer, f.bus.relay.process.pid
    f.load.off()
    # a hole in another type's events would have the history looked at, too
    f.wait_for(lambda: not f.invariants.missing(), 120)
    holes, misses = doer.log_lines("did not come"), doer.log_lines(": missing: ")
    f.bus.between.rule("slow", user=service, argument=f.choice.randint(2000, 5000))
    f.arm("nack", user=service, count=f.choice.randint(1, 10), skip=f.choice.randint(1, 10))
    f.burst(service)
    looked = f.wait_for(lambda: doer.log_lines("did not come") > holes, 30)
    kill(relay, 19)
    try:
        looked = looked and f.wait_for(lambda: doer.log_lines(": missing: ") > misses)
    finally:
        kill(relay, 18)
    return f.struck("nack", 0) > 0 and looked


@kind
def nacks_seen_too_early(f):
    return nacks_on_slow_link(f)


@kind
def nacks_and_kill_consumer(f):
    """It must remember to look again."""
    made = nacks_on_slow_link(f)
    f.bus.doer.kill()
    return made


@kind
def returned_messages(f):
    service = f.choice.choice(SERVICES)
    f.arm("return", user=service, count=f.choice.randint(1, 2), skip=f.choice.randint(0, 20))
    f.burst(service)
    return f.struck("return")


@kind
def channel_closed(f):
    made = 0
    for user in f.choice.sample(SERVICES, 2) + ["consumer"]:
        f.arm("close", user=user, skip=f.choice.randint(0, 5), argument=541)
        f.burst(user if user in SERVICES else f.choice.choice(SERVICES))
        made += f.struck("close")
    return made


@kind
def connection_aborted(f):
    made = 0
    for _ in range(4):
        f.hold(0, 0.7)
        made += int(f.bus.between.tell("cut * %s" % f.choice.choice(("abort", "end"))))
    return made


# -- disks and power --

def full(f, host):
    """It counts if a write failed for it."""
    made, disk = 0, f.bus.disk[host]
    for _ in range(3):
        before = disk.refused()
        pages = f.choice.randint(0, 6)
        f.wait_for(lambda pages=pages: disk.fill(pages))
        f.burst(f.choice.choice(SERVICES))
        made += f.wait_for(lambda before=before: disk.refused() > before)
        f.hold(0.5, 2)
        disk.empty()
        f.hold(0, 0.5)
    return made


@needs_mount
def outbox_disk_full(f):
    return full(f, "sender")


@needs_mount
def ledger_disk_full(f):
    return full(f, "receiver")


def read_only(f, host):
    """
    It is so when programs start: none may have a file open for writing.  They say that
    their operator must act, and he does.  It counts if each has said so.
    """
    concerned = [service for service in f.bus.services if service.env == host]
    said = {service: service.log_lines("Read-only") for service in concerned}
    f.bus.operator_awaited = True
    with f.bus.power[host]:
        f.bus.kill_all(host)
        f.bus.disk[host].read_only(True)
    made = f.wait_for(lambda: all(service.log_lines("Read-only") > said[service] for service in concerned))
    f.hold(1, 3)
    f.bus.disk[host].read_only(False)
    f.bus.start_again(host)
    return made


@needs_mount
def outbox_disk_read_only(f):
    return read_only(f, "sender")


@needs_mount
def ledger_disk_read_only(f):
    return read_only(f, "receiver")


def failing(f, host):
    """It becomes so while programs are at work."""
    before = f.bus.disk[host].refused()
    f.bus.disk[host].fail(True)
    made = f.wait_for(lambda: f.bus.disk[host].refused() > before)
    f.hold(1, 4)
    f.bus.disk[host].fail(False)
    return made


@kind
def outbox_disk_fails(f):
    return failing(f, "sender")


@kind
def ledger_disk_fails(f):
    return failing(f, "receiver")


def power_cuts(f, host):
    """Some at any moment, some while a program waits for its disk."""
    victims = [f.bus.relay] if host == "sender" else [f.bus.doer, f.bus.printer]
    for victim in 2 * [None] + 2 * victims:
        if victim:
            f.bus.disk[host].slow(f.choice.choice((150, 400)))
        f.burst(f.choice.choice(SERVICES), 20)
        f.hold(0, 0.6)
        if victim:
            f.wait_for(lambda: f.bus.disk[host].is_awaited(victim.process.pid), 3)
        f.bus.power_cut(host)
        f.bus.disk[host].slow(0)
        f.wait_for(lambda: all(s.process.poll() is None for s in f.bus.services))
    return 2 + 2 * len(victims)


@kind
def power_cut_of_sender(f):
    return power_cuts(f, "sender")


@kind
def power_cut_of_receiver(f):
    return power_cuts(f, "receiver")


# -- clocks --

def clock(f, sign):
    """It jumps, stays there until all is checked, and jumps back at the next fault of this sort."""
    hosts = f.choice.choice((("sender",), ("receiver",), ("sender", "receiver")))
    for host in hosts:
        f.bus.clock[host].write_text("%d\n" % (sign * f.choice.choice((90, 3600, 7 * 3600, 86400))))
    f.hold(1, 3)
    f.burst(f.choice.choice(SERVICES), 20)
    if f.choice.random() < 0.5:
        for host in hosts:
            f.bus.clock[host].write_text("0\n")
        f.hold(1)
    return len(hosts)


@kind
def clock_forward(f):
    return clock(f, 1)


@kind
def clock_back(f):
    return clock(f, -1)
