#!/usr/bin/python3
"""Checks events, one a line on stdin, against the JSON Schemas in a directory.

usage: schema.py DIRECTORY      exit status 0, 1 if one does not fit, 77 without python3-jsonschema
"""
import json
import pathlib
import sys

try:
    from jsonschema import Draft202012Validator, RefResolver
except ImportError:
    print("python3-jsonschema is not installed")
    sys.exit(77)

schemas = [json.loads(path.read_text()) for path in pathlib.Path(sys.argv[1]).glob("*.json")]
store = {s["$id"]: s for s in schemas}
validators = {}
for schema in schemas:
    Draft202012Validator.check_schema(schema)
    validators[schema["$id"]] = Draft202012Validator(
        schema,
        resolver=RefResolver.from_schema(schema, store=store),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )

count = 0
for line in sys.stdin.buffer:
    event = json.loads(line)
    if event["dataschema"] not in validators:
        print(f"{event['type']} {event['id']}: there is no schema {event['dataschema']}")
        count += 1
        continue
    for error in validators[event["dataschema"]].iter_errors(event["data"]):
        print(f"{event['type']} {event['id']}: {error.json_path}: {error.message}")
        count += 1
sys.exit(count > 0)
