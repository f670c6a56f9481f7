"""What happens on the bus all the time: events of four services, and forgeries."""

import base64
import hashlib
import json
import random
import subprocess
import threading

from bus import SERVICES, Broken


class Load:
    """Threads that put events in while on() and not off()."""

    def __init__(self, bus, seed):
        self.bus = bus
        self.going, self.ending = threading.Event(), threading.Event()
        jobs = [lambda r, s=s: bus.publish(s, r.randint(1, 10)) for s in SERVICES]
        jobs += [lambda r: bus.hook_ended(*bus.hook()), lambda r: bus.edit(), lambda r: bus.forge()]
        self.locks = [threading.Lock() for _ in jobs]
        self.threads = [threading.Thread(target=self.work, args=(job, lock, random.Random(seed + i)), daemon=True)
                        for i, (job, lock) in enumerate(zip(jobs, self.locks))]
        for thread in self.threads:
            thread.start()

    def work(self, job, lock, choice):
        while not self.ending.is_set():
            self.going.wait()
            with lock:
                if not self.going.is_set():
                    continue
                try:
                    job(choice)
                except Broken as error:
                    self.bus.finding = self.bus.finding or error
            self.ending.wait(choice.uniform(0.2, 1))

    def on(self):
        self.going.set()

    def off(self):
        """When it returns, nobody puts anything in any more."""
        self.going.clear()
        for lock in self.locks:
            with lock:
                pass

    def end(self):
        self.ending.set()
        self.going.set()


def make_forgeries(bus, count=6):
    """Events that lack nothing but an honest signer: (routing key, body, file with the proof)."""
    made = []
    for n in range(count):
        origin = "demo.example/wiki/20200101T0000%02dZ" % n
        body = json.dumps({"specversion": "1.0", "source": origin, "id": "0", "type": "org.debian.dev.wiki.page.edit",
                           "subject": "Forged", "time": "2026-11-22T10:15:00.000000Z",
                           "datacontenttype": "application/json", "dataschema": "urn:debmsg:schema:wiki.page.edit:1",
                           "typesequence": "1", "data": {"summary": "Forged", "token": "forged"}},
                          separators=(",", ":")).encode()
        # a tree of one leaf: the leaf is the root
        root = base64.b64encode(hashlib.sha256(b"\0" + body).digest()).decode()
        text = "%s\n1\n%s\n" % (origin, root)
        signature = subprocess.run(["gpg", "--homedir", str(bus.work / "stranger/gnupg"), "--batch", "--quiet",
                                    "--detach-sign"], input=text.encode(), check=True,
                                   stdout=subprocess.PIPE).stdout
        if n % 3 == 1:  # one that signed something else
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        proof = bus.work / ("forged.%d" % n)
        proof.write_text("c2sp.org/tlog-proof@v1\nindex 0\n\n%s\n\u2014 %s %s\n" % (
            text, origin, base64.b64encode(b"\0\0\0\0" + signature).decode()))
        key = "org.debian.dev.wiki.page.edit.Forged"
        made.append((key, body, None if n % 3 == 2 else proof))
        export = bus.work / "forged.export"
        export.write_text(json.dumps({"routing_key": key, "proof": proof.read_text(), "body": body.decode()}) + "\n")
        said = bus.run("receiver", "verify", "--json", str(export), check=(76,))[1]
        if '"result":"unknown-key"' not in said:
            raise Broken("a forgery lacks more than its key: %s" % said)
    subprocess.run(["gpgconf", "--homedir", str(bus.work / "stranger/gnupg"), "--kill", "all"], check=True)
    return made
