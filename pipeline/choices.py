"""What a field may say that must say one of a few: msgspec names the value that is wrong, not those that are right."""

import re

import msgspec

_FIELD = re.compile(r" - at `\$\.(\w+)")


def told(error: Exception, record: type[msgspec.Struct]) -> str:
    """The error's message, with the choices if it is about one of a field of ``record``."""
    message = str(error)
    field = _FIELD.search(message)
    return message + allowed(message, record, field[1]) if field else message


def allowed(message: str, record: type[msgspec.Struct], field: str) -> str:
    """What is to be said after msgspec's message about a field of ``record``; "" if the fault is another."""
    if not message.startswith("Invalid enum value"):
        return ""
    of_field = msgspec.json.schema(record)["$defs"][record.__name__]["properties"][field]
    kinds = [of_field, of_field.get("items", {}), *of_field.get("anyOf", ())]
    choices = next(kind["enum"] for kind in kinds if "enum" in kind)
    return f"; allowed are {', '.join(map(repr, choices))}"
