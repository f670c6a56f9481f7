#!/usr/bin/env python3
"""A management API that says what a test wants it to say.

usage: management.py DIRECTORY

Listens on a free port of 127.0.0.1, which it writes to DIRECTORY/port, and answers
GET /api/PATH with the file DIRECTORY/PATH.json.  DIRECTORY/how makes it misbehave:

  silent      takes connections and says nothing
  drip        one byte a second
  cut         half of the answer, then the end
  redirect    302 to somewhere else
  endless     an answer that has no end
"""
import http.server
import os
import sys
import time
import urllib.parse

directory = sys.argv[1]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *arguments):
        pass

    def how(self):
        try:
            with open(os.path.join(directory, "how"), encoding="ascii") as file:
                return file.read().strip()
        except FileNotFoundError:
            return ""

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path.removeprefix("/api/").replace("/", "-")
        name = os.path.join(directory, os.path.basename(path) + ".json")
        how = self.how()
        if how == "silent":
            time.sleep(60)
            return
        if how == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            return
        if not os.path.exists(name):
            self.send_error(404)
            return
        with open(name, "rb") as file:
            body = file.read()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if how == "cut":
            self.send_header("Content-Length", str(len(body) * 2))
        self.end_headers()
        try:
            if how == "endless":
                while True:
                    self.wfile.write(b'["' + b"x" * 1000000 + b'"]')
            elif how == "drip":
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(1)
            else:
                self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(os.path.join(directory, "port.new"), "w", encoding="ascii") as file:
    file.write(str(server.server_port))
os.rename(os.path.join(directory, "port.new"), os.path.join(directory, "port"))
server.serve_forever()
