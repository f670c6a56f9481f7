#!/usr/bin/env python3
"""Checks events, one a line on stdin, against the JSON Schemas in a directory.

usage: schema.py DIRECTORY      exit status 0, 1 if one does not fit, 77 without python3-jsonschema
"""
import json
import pathlib
import sys

try:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource
except ImportError:
    sys.exit(77)

schemas = [json.loads(path.read_text()) for path in pathlib.Path(sys.argv[1]).glob("*.json")]
registry = Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in schemas)
validators = {s["$id"]: Draft202012Validator(s, registry=registry) for s in schemas}
for schema in schemas:
    Draft202012Validator.check_schema(schema)

count = 0
for line in sys.stdin.buffer:
    event = json.loads(line)
    for error in validators[event["dataschema"]].iter_errors(event["data"]):
        print(f"{event['type']} {event['id']}: {error.json_path}: {error.message}")
        count += 1
sys.exit(count > 0)
