#!/usr/bin/python3
"""An HTTP server that answers as no API should.

usage: liar.py PORT KIND [CERTIFICATE]
       KIND: busy, maxlag, redirect, html, huge, deep, many, loop, endless, back, timeless, slow; or a file with its clock
       in the first line, and in the others time and rcid of a change

Prints "ready", and the time of each request.
"""
import http.server
import json
import ssl
import sys
import time
import urllib.parse

port, kind = int(sys.argv[1]), sys.argv[2]
row = {"type": "edit", "ns": 0, "title": "Lie", "rcid": 1, "revid": 5, "timestamp": "2026-11-22T17:01:22Z"}
good = {"curtimestamp": "2026-11-22T17:01:22Z", "query": {"recentchanges": [row]},
        "continue": {"rccontinue": "1|1", "continue": "-||"}}
replies = {
    "busy": (503, "busy"),
    "maxlag": (200, json.dumps({"error": {"code": "maxlag", "info": "Waiting"}})),
    "redirect": (302, ""),
    "html": (200, "<html>Fatal error</html>"),
    "huge": (200, "[" + " " * (20 << 20)),
    "deep": (200, '{"a":' * 10000),
    "many": (200, '{"a":[' + "[]," * (2 << 20) + "0]}"),
    "loop": (200, json.dumps(good)),
    "timeless": (200, json.dumps({"query": {"recentchanges": []}})),
    "slow": (200, ""),
}


def endless(count):
    """The same row again and again, with another continuation each time."""
    return 200, json.dumps(dict(good, **{"continue": {"rccontinue": f"1|{count}", "continue": "-||"}}))


def back(count):
    """A clock that goes back by 700 seconds each time."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1795366880 - 700 * count))
    return 200, json.dumps({"curtimestamp": now, "query": {"recentchanges": []}})


def from_file(name, path):
    query = urllib.parse.parse_qs(urllib.parse.urlparse(path).query)
    with open(name, encoding="ascii") as lines:
        now, *rows = [line.split() for line in lines]
    rows = [{"type": "edit", "ns": 0, "title": f"Row {rcid}", "rcid": int(rcid), "revid": int(rcid), "timestamp": when}
            for when, rcid in rows if when >= query.get("rcstart", [""])[0]]
    return 200, json.dumps({"curtimestamp": now[0], "query": {"recentchanges": rows}})


class Liar(http.server.BaseHTTPRequestHandler):
    count = 0

    def do_GET(self):
        print(time.time(), flush=True)
        Liar.count += 1
        if kind in ("endless", "back"):
            status, body = {"endless": endless, "back": back}[kind](Liar.count)
        else:
            status, body = replies.get(kind) or from_file(kind, self.path)
        self.send_response(status)
        self.send_header("Retry-After", "6")
        self.send_header("Location", "file:///etc/passwd")
        self.end_headers()
        try:
            self.wfile.write(body.encode())
            while kind == "slow":
                self.wfile.write(b" ")
                time.sleep(1)
        except OSError:
            pass

    def log_message(self, *args):
        pass


server = http.server.HTTPServer(("127.0.0.1", port), Liar)
if len(sys.argv) > 3:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[3])
    server.socket = tls.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
