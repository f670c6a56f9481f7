#!/usr/bin/env python3
"""Prints what is in debmsg.parked, by the management API, and leaves it there.

usage: parked.py PORT VHOST PASSWORD-FILE

One line a message, of the user admin: message id, reason, queue.
"""

import base64
import json
import sys
import urllib.parse
import urllib.request


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    port, vhost, password_file = sys.argv[1:]
    with open(password_file, encoding="ascii") as f:
        login = base64.b64encode(("admin:" + f.readline().strip()).encode()).decode()
    request = urllib.request.Request(
        "http://127.0.0.1:%s/api/queues/%s/debmsg.parked/get"
        % (port, urllib.parse.quote(vhost, safe="")),
        data=json.dumps(
            {
                "count": 1000,
                "ackmode": "ack_requeue_true",
                "encoding": "base64",
                "truncate": 100,
            }
        ).encode(),
        headers={"Authorization": "Basic " + login, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        messages = json.load(answer)
    for message in messages:
        properties = message["properties"]
        headers = properties.get("headers", {})
        print(
            properties.get("message_id", "-"),
            headers.get("debmsg-reason", "-"),
            headers.get("debmsg-queue", "-"),
        )


if __name__ == "__main__":
    main()
