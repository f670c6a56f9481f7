"""Announces changes of branches on Debian's message bus.

Runs debmsg-alioth(1), which must be in the PATH, when the tip of a branch has
changed.  Whatever goes wrong, the push goes on.
"""

import subprocess

from breezy.branch import Branch

TIMEOUT = 5  # seconds; it takes some milliseconds
NEWEST = 20  # revisions
WALK = 10000  # revisions that are looked through for the old one
TEXT_MAX = 100000  # bytes of a message
NULL = b"null:"


def local_path(transport):
    """A directory of this host, also below what "brz serve" shows of it."""
    while True:
        if hasattr(transport, "server"):
            path = transport._filter(".")
            transport = transport.server.backing_transport.clone(path)
            continue
        return transport.local_abspath(".").rstrip("/")


def is_ancestor(params):
    if params.old_revid == NULL:
        return b"1"
    if params.new_revno <= params.old_revno:
        return b"0"
    if params.new_revno - params.old_revno > WALK:
        return b""
    return b"1" if params.branch.get_rev_id(params.old_revno) == params.old_revid else b"0"


def newest(params):
    """Of the main line, newest first."""
    repository = params.branch.repository
    ids = []
    stop = (NULL, params.old_revid)
    for revid in repository.get_graph().iter_lefthand_ancestry(params.new_revid, stop):
        ids.append(revid)
        if len(ids) == NEWEST:
            break
    for revision in repository.get_revisions(ids):
        yield revision.revision_id
        yield (revision.get_apparent_authors() or [""])[0]
        yield str(int(revision.timestamp))
        yield revision.message.encode("utf-8", "replace")[:TEXT_MAX]


def field(value):
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    return b"%d %s\n" % (len(value), value)


def facts(params):
    yield "debmsg-bzr 1"
    yield local_path(params.branch.user_transport)
    yield str(params.old_revno)
    yield params.old_revid
    yield str(params.new_revno)
    yield params.new_revid
    yield is_ancestor(params)
    if params.new_revid != NULL:
        yield from newest(params)


def announce(params):
    try:
        if params.old_revid == params.new_revid:
            return
        text = b"".join(field(value) for value in facts(params))
        child = subprocess.Popen(
            ["debmsg-alioth", "bzr"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        try:
            child.communicate(text, timeout=TIMEOUT)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    except Exception:  # a branch of another host, a program that is not there
        pass


Branch.hooks.install_named_hook("post_change_branch_tip", announce, "debmsg")
