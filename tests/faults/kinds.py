"""Every kind of fault: a function that makes it on a bus, and returns how often it did."""

import threading
import time

from bus import SERVICES, Broken, await_, kill

LET_GO_S = 20  # what a rule of between waits for comes within seconds; a slow machine may be slower


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
    """The hook itself and what it left in the background."""
    made = 0
    for _ in range(8):
        process, ref = f.bus.hook()
        f.hold(0, 0.03)
        with f.bus.lock:
            f.bus.maybe_refs.add(ref)
        for pid in f.bus.programs("sender", "debmsg-alioth"):
            made += kill(pid)
        process.communicate()
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


def blocked(f):
    f.wait_for(lambda: "takes no events" in f.bus.relay.last_words())
    f.hold(0, 3)


@kind
def memory_alarm(f):
    f.bus.ctl("set_vm_memory_high_watermark", "0.00001")
    blocked(f)
    f.bus.ctl("set_vm_memory_high_watermark", "0.4")
    return 1


@kind
def disk_alarm(f):
    f.bus.ctl("set_disk_free_limit", "1000000GB")
    blocked(f)
    f.bus.ctl("set_disk_free_limit", "100MB")
    return 1


# -- connections --

def somebody(f):
    return f.choice.choice(SERVICES + ("consumer",))


@kind
def cut_in_handshake(f):
    """After each frame of it once, begin to end; it is the next connection that is cut."""
    made = 0
    for frames in f.choice.sample(range(1, 8), 4):
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
    ok = f.wait_for(lambda: before <= set(live(f)) and
                    log.read_text().count("missed heartbeats from client") >= noticed + made, 180)
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
    noticed = f.wait_for(lambda: all(s.log_lines("trying again") > n for s, n in said), 120)
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
    made = 0
    for _ in range(3):
        made += f.bus.disk[host].fill(f.choice.randint(0, 6))
        f.hold(0.5, 2)
        f.bus.disk[host].empty()
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
    their operator must act, and he does.
    """
    f.bus.operator_awaited = True
    with f.bus.power[host]:
        f.bus.kill_all(host)
        f.bus.disk[host].read_only(True)
    f.hold(2, 4)
    f.bus.disk[host].read_only(False)
    f.bus.start_again(host)
    return 1


@needs_mount
def outbox_disk_read_only(f):
    return read_only(f, "sender")


@needs_mount
def ledger_disk_read_only(f):
    return read_only(f, "receiver")


def failing(f, host):
    """It becomes so while programs are at work."""
    f.bus.disk[host].fail(True)
    f.hold(1, 4)
    f.bus.disk[host].fail(False)
    return 1


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
            f.wait_for(lambda: f.bus.disk[host].is_syncing(victim.process.pid), 3)
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
