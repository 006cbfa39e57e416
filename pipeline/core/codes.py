"""Kinds of evidence (rules, event, channel) as a few bytes, for state that holds many of them.

Rules, known events and channels become indexes; whatever is not known stays as it is. Good for one set of
models only.
"""

from collections.abc import Iterable
from typing import get_args

import msgspec

from pipeline.core.rules import Channel

Kind = tuple[tuple[int, ...], str, str]

_decode = msgspec.msgpack.Decoder(tuple[tuple[int, ...], int | str, int | str]).decode


class Codes:
    """Packs the kinds of evidence of one set of models."""

    def __init__(self, rule_ids: Iterable[int], events: Iterable[str]) -> None:
        self._rules = sorted(rule_ids)
        self._words = [*get_args(Channel), *sorted(events)]
        self._rule_code = {rule: at for at, rule in enumerate(self._rules)}
        self._word_code = {word: at for at, word in enumerate(self._words)}

    def pack(self, rules: tuple[int, ...], event: str, channel: str) -> bytes:
        """The kind as bytes; ids of no rule of these models are left out."""
        code = self._word_code
        indexes = [self._rule_code[rule] for rule in rules if rule in self._rule_code]
        return msgspec.msgpack.encode((indexes, code.get(event, event), code.get(channel, channel)))

    def unpack(self, packed: bytes) -> Kind:
        """The kind that was packed."""
        indexes, event, channel = _decode(packed)
        return tuple([self._rules[at] for at in indexes]), self._word(event), self._word(channel)

    def _word(self, code: int | str) -> str:
        return code if isinstance(code, str) else self._words[code]
