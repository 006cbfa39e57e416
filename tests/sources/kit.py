"""A naive sessionizer to hold the readers' hits against."""

from collections import defaultdict

from pipeline.core.decode import Flaw, decode
from schemas.hit import Hit

TIMEOUT_MS = 1_800_000


def decoded(raw: bytes) -> Hit:
    hit = decode(raw)
    assert not isinstance(hit, Flaw), (hit, raw)
    return hit


def sessions(hits: list[Hit]) -> dict[tuple[str, int], list[Hit]]:
    """Hits by (visitor, number of the visitor's session): a gap of more than 30 minutes cuts."""
    by_visitor = defaultdict(list)
    for hit in hits:
        by_visitor[str(hit.visitor_id or f"user {hit.user_id}")].append(hit)
    result: dict[tuple[str, int], list[Hit]] = {}
    for visitor, own in by_visitor.items():
        own.sort(key=lambda hit: hit.time)
        number = 0
        for before, hit in zip([None, *own], own, strict=False):
            number += before is not None and hit.time - before.time > TIMEOUT_MS
            result.setdefault((visitor, number), []).append(hit)
    return result
