#!/usr/bin/python3
"""A Jenkins and a Mastodon that write down what they are asked.

    server.py DIRECTORY

The port is in DIRECTORY/port, each request a line of JSON in DIRECTORY/requests.
DIRECTORY/mode says how to answer: ok, crumb, hang, huge, a status, or a path that
is sent as it is.
"""
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

directory = sys.argv[1]


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass

    def do_GET(self):
        self.handle_it()

    def do_POST(self):
        self.handle_it()

    def handle_it(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(directory + "/mode") as file:
            mode = file.read().strip()
        with open(directory + "/requests", "a") as file:
            json.dump({"method": self.command, "path": self.path, "headers": dict(self.headers.items()),
                       "form": parse_qsl(body.decode(), keep_blank_values=True)}, file)
            file.write("\n")
        jenkins = self.path.startswith("/job/")
        if mode == "hang":
            time.sleep(60)
        elif mode == "huge":
            self.answer(500, b"x" * (3 << 20))
        elif mode.isdigit():
            self.answer(int(mode), b"It is \x1b[31mnot\x1b[0m to be\n")
        elif mode == "redirect":
            self.answer(302, b"", [("Location", "http://127.0.0.1:1/elsewhere")])
        elif self.path == "/crumbIssuer/api/json":
            self.answer(200, b'{"crumb":"abc123","crumbRequestField":"Jenkins-Crumb"}',
                        [("Set-Cookie", "JSESSIONID=s1; Path=/")])
        elif mode == "crumb" and jenkins and (self.headers.get("Jenkins-Crumb") != "abc123" or
                                              "JSESSIONID=s1" not in self.headers.get("Cookie", "")):
            self.answer(403, b"No valid crumb was included in the request")
        elif jenkins:
            self.answer(201, b"", [("Location", "http://127.0.0.1/queue/item/5/\x1b[31m")])
        elif self.path.startswith("/api/"):
            self.answer(200, json.dumps({"id": "1", "url": "http://127.0.0.1/@bus/1\x1b"}).encode())
        else:
            with open(mode, "rb") as file:
                self.answer(200, file.read())


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(directory + "/port.new", "w") as port:
    port.write(str(server.server_address[1]))
os.rename(directory + "/port.new", directory + "/port")
server.serve_forever()
