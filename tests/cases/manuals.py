#!/usr/bin/python3
"""Are the manual pages true?  Compares them with the programs, the sources and the schemas.

usage: manuals.py SOURCES BUILD EXAMPLE

Writes the files of the example in debmsg-protocol(7) and its commands, which
t-manuals.sh runs, into the directory EXAMPLE.  Exit status: 0, 1 something is not true.
"""
import json
import pathlib
import re
import subprocess
import sys

sources, build, example = map(pathlib.Path, sys.argv[1:4])
doc = sources / "doc"
pages = {p.name: p.read_text() for p in doc.iterdir() if re.search(r"\.[1578]$", p.name)}
wrong = 0


def say(text):
    global wrong
    wrong += 1
    print(text)


def differ(what, page, real):
    """Both are sets of names."""
    for name in sorted(page - real):
        say(f"{what}: {name} is not there any more")
    for name in sorted(real - page):
        say(f"{what}: {name} is missing")


def section(text, name):
    found = re.search(rf"^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", text, re.M | re.S)
    return found[1] if found else ""


def options_of_help(*command):
    text = subprocess.run(command + ("--help",), capture_output=True, text=True, check=True).stdout
    return text, set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", text)) - {"help"}


def options_of_page(page):
    tags = re.findall(r"^\.It (Fl .*)$", pages[page], re.M)
    return set(re.findall(r"Fl -([a-z][a-z-]*)", " ".join(tags))) - {"help"}


# -- options and commands --

help_text, main_options = options_of_help(str(build / "debmsg"))
commands = re.findall(r"^  ([a-z]+) {2,}", help_text, re.M)
differ("debmsg.1: option --", options_of_page("debmsg.1"), main_options)
listed = re.findall(r"^\.It Cm (\S+) Ta Xr debmsg-(\S+) 1 Ta", pages["debmsg.1"], re.M)
differ("debmsg.1: command", {a for a, b in listed if a == b}, set(commands))
programs = [(f"debmsg-{c}.1", (str(build / "debmsg"), c)) for c in commands]
programs += [
    (f"{p}.1", (str(build / p),)) for p in ("debmsg-alioth", "debmsg-dak", "debmsg-planet", "debmsg-wiki")
]
for page, command in programs:
    if page not in pages:
        say(f"{page}: there is no such page")
        continue
    differ(f"{page}: option --", options_of_page(page), options_of_help(*command)[1])

# -- sections, exit status, references --

known = set(re.findall(r"^\.It (\d+)$", section(pages["debmsg.1"], "EXIT STATUS"), re.M))
makefile = (sources / "Makefile.am").read_text()
for name, text in sorted(pages.items()):
    if f"\tdoc/{name} \\\n" not in makefile:
        say(f"Makefile.am does not install {name}")
    for part in ("NAME", "DESCRIPTION", "SEE ALSO"):
        if not section(text, part):
            say(f"{name}: no section {part}")
    if name[-1] in "18" and not section(text, "EXIT STATUS"):
        say(f"{name}: no section EXIT STATUS")
    if name in dict(programs):
        said = set(re.findall(r"^\.It (\d+)$", section(text, "EXIT STATUS"), re.M))
        for number in sorted(said - known):
            say(f"{name}: exit status {number} is not in debmsg.1")
    for other, number in re.findall(r"^\.Xr (debmsg\S*) (\d)", text, re.M):
        if f"{other}.{number}" not in pages:
            say(f"{name}: there is no {other}({number})")
    see = re.findall(r"^\.Xr (\S+) (\d)", section(text, "SEE ALSO"), re.M)
    if see != sorted(see, key=lambda x: (x[1], x[0])):
        say(f"{name}: SEE ALSO is not in order")
see = {f"{a}.{b}" for a, b in re.findall(r"^\.Xr (\S+) (\d)", section(pages["debmsg.1"], "SEE ALSO"), re.M)}
for name in sorted(set(pages) - see - {"debmsg.1"}):
    if not name.startswith("debmsg-handler-"):
        say(f"debmsg.1: SEE ALSO does not name {name}")

# -- configuration --

for page, file in (("debmsg.conf.5", "conf.c"), ("debmsg-trust.conf.5", "trust.c")):
    code = (sources / "libcore" / file).read_text()
    real = set(re.findall(r"CFG_(?:STR|INT|BOOL)(?:_LIST)?\(\"([a-z-]+)\"", code))
    real |= set(re.findall(r"\{ \"([a-z-]+)\", (?:NULL|\"[a-z]+\"), OPTION_", code))
    text = re.sub(r"\\\n", "", pages[page])
    said = set(re.findall(r"Ic ([a-z-]+)", " ".join(re.findall(r"^\.It (Ic .*)$", text, re.M))))
    differ(f"{page}: option", said, real - {"input"})  # any service's, of adapter.md

# -- the environment --

every = "\n".join(pages.values())
for file in sorted((sources / "libcore").glob("*.c")) + sorted((sources / "cli").glob("*.c")):
    for name in re.findall(r"getenv\(\"(\w+)\"\)", file.read_text()):
        if not re.search(rf"\bEv (?:.* )?{name}\b", every):
            say(f"{file.name} reads {name}, which no page tells")

# -- names of failures --

names = set(re.findall(r"\{ \"([a-z-]+)\", EX_NOT_BELIEVED", (sources / "libcore/err.c").read_text()))
for page, extra in (("debmsg-verify.1", {"equivocation"}), ("debmsg-protocol.7", set())):
    for name in sorted(names - extra):
        if not re.search(rf"^\.(?:It )?Cm .*\b{name}\b", pages[page], re.M):
            say(f"{page}: no word of {name}")

# -- the types of events --

schemas = {}
for path in (sources / "schemas").glob("*.json"):
    schema = json.loads(path.read_text())
    schemas[schema["$id"]] = schema


def members(node, found, required):
    if "$ref" in node:
        base, _, way = node["$ref"].partition("#")
        target = schemas[base]
        for step in way.split("/")[1:]:
            target = target[step]
        members(target, found, required)
    for part in node.get("allOf", []):
        members(part, found, required)
    for name, schema in node.get("properties", {}).items():
        if schema is False:
            found.discard(name)
        else:
            found.add(name)
    required.update(node.get("required", []))


def words(lines):
    return {w for line in lines for w in line.split()[1:] if w not in (",", ".", ";")}


def of_type(block, label):
    found = re.search(rf"^{label}:\n((?:\.Cm .*\n)+)", block, re.M)
    return words(found[1].splitlines()) if found else set()


page = pages["debmsg-events.7"]
upload = words(re.search(r"^The members of an upload are\n((?:\.Cm .*\n)+)", page, re.M)[1].splitlines())
entries = {}
for tags, block in re.findall(r"^\.It Cm ((?:[a-z]+\.[a-z]+\.[a-z]+[ ,]*)+)\n(.*?)(?=^\.It |^\.El)", page, re.M | re.S):
    for name in re.findall(r"[a-z.]+", tags):
        always, perhaps = of_type(block, "Always"), of_type(block, "Perhaps")
        if "the other members of an upload" in block:
            perhaps |= upload - always
        entries[name] = always, perhaps, block
real = {}
for name, schema in schemas.items():
    match = re.fullmatch(r"urn:debmsg:schema:(\w+\.\w+\.\w+):\d+", name)
    if match:
        found, required = set(), set()
        members(schema, found, required)
        real[match[1]] = found, required
differ("debmsg-events.7: type", set(entries), set(real))
for name in sorted(set(entries) & set(real)):
    always, perhaps, block = entries[name]
    found, required = real[name]
    told = {"summary"} | ({"url"} if "url" not in always | perhaps else set())
    differ(f"debmsg-events.7: {name}: always", always, required - told)
    differ(f"debmsg-events.7: {name}: perhaps", perhaps, found - required - told)
    if "\nSubject: " not in block:
        say(f"debmsg-events.7: {name}: no subject")
for service in sorted({name.split(".")[0] for name in real}):
    part = re.search(rf"^\.Ss {service}\b.*?(?=^\.Ss |^\.Sh )", page, re.M | re.S)
    said = set(re.findall(r"^\.It Cm (\w+) Pq ", part[0], re.M)) if part else set()
    used = set()
    for name, (found, _) in real.items():
        if name.startswith(service + ".") and not name.endswith("bus.checkpoint"):
            used |= found
    differ(f"debmsg-events.7: {service}: member", said, used - {"summary"} - ({"url"} - said))

# -- the example of the protocol, for t-manuals.sh to run --

text = section(pages["debmsg-protocol.7"], "EXAMPLES")
blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed\n", text, re.M | re.S)


def plain(block):
    return block.replace("\\e\n", "").replace("\\(em", "\u2014").replace("\\e", "\\")


(example / "event.json").write_text(plain(blocks[0]).rstrip("\n"))
(example / "event.tlog-proof").write_text(plain(blocks[1]))
script = "".join(line[2:] + "\n" for b in blocks[2:] for line in plain(b).splitlines() if line.startswith("$ "))
(example / "commands").write_text(script)
answers = "".join(line + "\n" for b in blocks[2:] for line in plain(b).splitlines() if not line.startswith("$ "))
(example / "answers").write_text(answers)

sys.exit(wrong > 0)
