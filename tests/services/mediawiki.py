#!/usr/bin/python3
"""Edits a MediaWiki through its api.php, and looks into its table of recent changes.

usage: mediawiki.py api URL [USER PASSWORD] -- NAME=VALUE...   one request; its JSON
       mediawiki.py edit URL PAGE COUNT                        so many edits of pages PAGE 1...
       mediawiki.py changes DATABASE                           revisions of edits that may be told of
       mediawiki.py fill DATABASE COUNT                        so many rows of a year ago
       mediawiki.py rebuild DATABASE                           all rows get new numbers
"""
import http.cookiejar
import json
import sqlite3
import sys
import urllib.parse
import urllib.request


class Wiki:
    def __init__(self, url):
        self.url = url
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)

    def call(self, **query):
        query.update(format="json", formatversion="2")
        body = urllib.parse.urlencode(query).encode()
        with self.opener.open(self.url, body, timeout=60) as reply:
            answer = json.load(reply)
        if "error" in answer:
            sys.exit(f"{query.get('action')}: {answer['error']}")
        return answer

    def token(self, kind="csrf"):
        answer = self.call(action="query", meta="tokens", type=kind)
        return answer["query"]["tokens"][kind + "token"]

    def login(self, user, password):
        answer = self.call(action="login", lgname=user, lgpassword=password,
                           lgtoken=self.token("login"))
        if answer["login"]["result"] != "Success":
            sys.exit(f"login: {answer}")


def api(url, *args):
    wiki = Wiki(url)
    split = args.index("--")
    if split:
        wiki.login(*args[:split])
    query = dict(arg.split("=", 1) for arg in args[split + 1:])
    query["token"] = wiki.token("rollback" if query["action"] == "rollback" else "csrf")
    print(json.dumps(wiki.call(**query)))


def edit(url, page, count):
    wiki = Wiki(url)
    token = wiki.token()
    for i in range(int(count)):
        wiki.call(action="edit", title=f"{page} {i % 7}", text=f"text {page} {i}", summary=f"number {i}",
                  token=token)


def changes(database):
    with sqlite3.connect(database, timeout=60) as db:
        for (revision,) in db.execute("SELECT rc_this_oldid FROM recentchanges WHERE rc_type < 2 AND "
                                      "NOT (rc_namespace = 3 AND rc_title LIKE '192.%')"):
            print(revision)


def copy_rows(db, sql, *values):
    names = [row[1] for row in db.execute("PRAGMA table_info(recentchanges)") if row[1] != "rc_id"]
    selected = [sql.get(name, name) for name in names]
    db.execute(f"INSERT INTO recentchanges ({','.join(names)}) SELECT {','.join(selected)} "
               f"FROM {sql['from']}", values)


def fill(database, count):
    with sqlite3.connect(database, timeout=60) as db:
        copy_rows(db, {
            "rc_timestamp": "strftime('%Y%m%d%H%M%S', 'now', '-30 days', (n / 3) || ' seconds')",
            "rc_this_oldid": "1000000 + n",
            "rc_type": "0",
            "from": "(SELECT * FROM recentchanges WHERE rc_type < 2 LIMIT 1), (WITH RECURSIVE c(n) AS "
                    "(SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) SELECT n FROM c)",
        }, int(count))


def rebuild(database):
    with sqlite3.connect(database, timeout=60) as db:
        db.execute("CREATE TEMPORARY TABLE old AS SELECT * FROM recentchanges ORDER BY rc_id DESC")
        db.execute("DELETE FROM recentchanges")
        copy_rows(db, {"from": "old"})


if __name__ == "__main__":
    {"api": api, "edit": edit, "changes": changes, "fill": fill, "rebuild": rebuild}[sys.argv[1]](*sys.argv[2:])
