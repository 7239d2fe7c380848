"""Holds every JSON output against its schema in `schemas/`: fields that nobody described are mistakes, too."""

import functools
import json
import os

import jsonschema

PLACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schemas")


@functools.cache
def validator(name):
    with open(os.path.join(PLACE, name + ".json"), encoding="utf-8") as stream:
        schema = json.load(stream)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def mistakes(name, document):
    """What the schema has against the document, a line each."""
    return [f"{error.json_path}: {error.message[:300]}" for error in validator(name).iter_errors(document)]
