"""Turns of relay, replay and consume, and of the plain loops beside them."""

from report import progress


class Rates:
    """
    One log of one service, whose events the file `lines` has.  A relay has `relay_conf`, a
    reader `conf`; name is said beside the progress.

    In each turn debmsg and the plain loop send the same messages to the same exchange, stream
    and queue, each on a stream that is new, and read them from these.  Who begins changes
    from turn to turn.
    """

    def __init__(self, bus, lines, service="dak", name="", relay_conf=None, conf=None):
        self.bus = bus
        self.lines = lines
        self.service = service
        self.name = name
        self.relay_conf = relay_conf or bus.conf_of(service)
        self.conf = conf or bus.conf
        self.messages = bus.work / ("messages-" + (name or service))
        self.queue = service + "-q"
        self.number = 0  # of the turn
        self.count = 0  # of messages that were sent last
        self.rate = {}  # name: messages a second, in each turn
        self.mib = {}  # name: the most of all turns
        bind = service + ".upload.accept"  # not the seed
        self.debmsg("consume", "--queue", self.queue, "--bind", bind, "--idle-exit", "1")

    def start_again(self):
        """What was measured is forgotten; what memory it took."""
        mib, self.mib = self.mib, {}
        self.rate = {}
        return mib

    def debmsg(self, *arguments, **options):
        return self.bus.debmsg(*arguments, conf=self.conf, **options)

    def say(self, text):
        progress("%s turn %d: %s" % (self.name or self.service, self.number, text))

    def note(self, name, count, run):
        """run: what the stopwatch says, or seconds"""
        self.rate.setdefault(name, []).append(count / getattr(run, "seconds", run))
        self.mib[name] = max(getattr(run, "mib", 0), self.mib.get(name, 0))

    def turn(self, number):
        self.number = number
        if number % 2 == 0 and self.count:
            self.plain()
            self.ours(True)
        else:
            self.ours(False)
            self.plain()

    # -- debmsg --

    def ours(self, reader_first):
        self.bus.renew_stream()
        before = self.bus.sent(self.service)
        self.say("outbox")
        run = self.bus.publish(self.service, self.lines)
        self.say("relay")
        run = self.bus.relay(self.relay_conf)
        self.count = self.bus.sent(self.service) - before  # with a bus.checkpoint, perhaps
        self.note("relay", self.count, run)
        readers = [self.replay, self.replay_plain]
        for reader in readers if reader_first else reversed(readers):
            reader()
        self.say("consume")
        run = self.debmsg("consume", "--queue", self.queue, "--limit", self.count)
        self.note("consume", self.count, run)
        self.say("export")
        with open(self.messages, "wb") as out:
            self.debmsg("export", self.service + ".upload.accept", stdout=out)

    def replay(self):
        self.say("replay")
        self.note("replay", self.count + 1, self.debmsg("replay"))  # and the seed

    # -- the plain loops --

    def replay_plain(self):
        self.say("plain stream")
        seconds = self.bus.plain("stream", "consumer", self.count + 1)[0]
        self.note("replay-plain", self.count + 1, seconds)

    def plain(self):
        queue = "consumer." + self.queue
        self.say("plain publish")
        self.bus.renew_stream()
        seconds = self.bus.plain("publish", self.service, messages=self.messages)[0]
        self.note("relay-plain", self.count, seconds)
        self.say("plain consume")
        seconds = self.bus.plain("consume", "consumer", queue, self.count)[0]
        self.note("consume-plain", self.count, seconds)
        self.say("plain publish without proofs")
        self.bus.renew_stream()
        seconds = self.bus.plain("bare", self.service, messages=self.messages)[0]
        self.note("relay-bare", self.count, seconds)
        self.bus.purge(queue)
