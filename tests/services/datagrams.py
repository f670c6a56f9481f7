#!/usr/bin/python3
"""Datagrams for a test of the feed of recent changes.

usage: datagrams.py free                    a port that nobody has, for UDP and TCP
       datagrams.py pass PORT TO MODE KEEP  from PORT to TO, as the file MODE says: pass, drop,
                                            half, or cut; what came is added to the file KEEP
       datagrams.py send TO FILE            each line of it
       datagrams.py forge TO                what nobody should believe, and no parser choke on
       datagrams.py flood TO COUNT          so many forged ones, as fast as it goes
"""
import json
import os
import socket
import sys


def local(port=0):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", int(port)))
    return s


def free():
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        with local(tcp.getsockname()[1]):
            print(tcp.getsockname()[1])


def pass_on(port, to, mode, keep):
    s = local(port)
    print("ready", flush=True)
    count = 0
    while True:
        data = s.recv(65536)
        count += 1
        with open(keep, "ab") as out:
            out.write(data + b"\n")
        with open(mode, encoding="ascii") as f:
            word = f.read().strip()
        if word == "cut":
            data = data[:len(data) // 2]
        if word in ("pass", "cut") or (word == "half" and count % 2):
            s.sendto(data, ("127.0.0.1", int(to)))


def send(to, name):
    s = local()
    with open(name, "rb") as lines:
        for line in lines:
            s.sendto(line.rstrip(b"\n"), ("127.0.0.1", int(to)))


def forged(number):
    return json.dumps({"id": number, "type": "edit", "namespace": 0, "title": "Forged",
                       "comment": "", "timestamp": 1795366880, "user": "Mallory", "bot": False,
                       "minor": False, "length": {"old": 1, "new": 2},
                       "revision": {"old": number, "new": number + 1}, "wiki": "wiki"}).encode()


def forge(to):
    s = local()
    good = forged(1)
    bad = [b"", b"{", b"}", b"null", b"[]", b"{}", b"\0" * 100, b"\xff" * 65507, b"x" * 65507,
           b'{"id":' * 9000, b"[" * 60000, b'{"a":' + b"[" * 60000, good[:-1], good + good, good + b"x",
           b'{"id":1,"id":2}', b'{"type":"edit","title":5,"id":1}', b'{"type":{},"title":"x","id":1}',
           b'{"type":"edit","title":"x","id":-1}', b'{"type":"edit","title":"x","id":1e400}',
           b'{"type":"edit","title":"x","id":99999999999999999999}', b'{"type":"edit","title":"\xff","id":3}',
           b'{"type":"edit","title":"a\\u0000b","id":3}', b'{"type":"edit","title":"x","id":"9x"}',
           b'{"type":"edit","title":"' + b"y" * 65000 + b'","id":4}', os.urandom(1000), os.urandom(65507)]
    for data in bad + [forged(n) for n in (1, 2, 3, 1000, 2**31, 2**53, 2**62)]:
        s.sendto(data, ("127.0.0.1", int(to)))


def flood(to, count):
    s = local()
    for n in range(int(count)):
        s.sendto(forged(10**6 + n), ("127.0.0.1", int(to)))


if __name__ == "__main__":
    {"free": free, "pass": pass_on, "send": send, "forge": forge, "flood": flood}[sys.argv[1]](*sys.argv[2:])
