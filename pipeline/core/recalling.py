"""What journeys keep of hits that the store does not have any more, for a history that is made anew by other models.

A piece of evidence was matched by the models of its time. Rules of models that are the same still hold. By the others
it is matched again, as far as it tells: event, url and channel. Conditions on goal, props and score it cannot answer: a
rule that has one holds where a rule of its name held then. Of a person whose oldest evidence was folded for good, the
stages in the models that are the same are kept, and the orders.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from pipeline.core.ids import SEPARATOR
from pipeline.core.models import Models, deciding
from pipeline.core.stage_fold import State
from schemas.evidence import Evidence


class Remembered(NamedTuple):
    """Of one person or visitor: ``evidence``, oldest first, and the state before it, None: that of nobody known.

    ``since``: before that time nothing can be told of single pieces; None: all are there.
    """

    evidence: list[Evidence]
    checkpoint: State | None = None
    since: int | None = None


class Recalling:
    """``before``: digests of the models that the evidence was matched with, in the order of the models then; what is
    recalled is older than ``until``, ms.
    """

    def __init__(self, models: Models, before: Mapping[str, int], until: int) -> None:
        self._models = models
        self._until = until
        places = {name: at for at, name in enumerate(before)}
        self._places = [
            places[name] if before.get(name) == digest else None for name, digest in models.digests.items()
        ]
        self._known: dict[tuple[tuple[int, ...], str, str, str, str], tuple[int, ...]] = {}

    def recall(self, histories: Iterable[tuple[str, list[Evidence], State | None]]) -> dict[str, Remembered]:
        """(key, evidence, checkpoint) of all, as it is kept -> what is good for these models."""
        found = {}
        for key, history, checkpoint in histories:
            site = key.partition(SEPARATOR)[0]
            old = [one for one in history if one.time < self._until]
            evidence = [again for one in old if (again := self._again(site, one)) is not None]
            if checkpoint is None or checkpoint.last is None:
                if evidence:
                    found[key] = Remembered(evidence)
            elif checkpoint.last < self._until:
                found[key] = Remembered(evidence, self._translated(checkpoint), checkpoint.last + 1)
            else:  # it holds what the store has, too
                found[key] = Remembered([], None, self._until)
        return found

    def _again(self, site: str, one: Evidence) -> Evidence | None:
        """The piece as these models see it; None: not at all."""
        key = (one.rules, one.event, one.url, one.channel, site)
        rules = self._known.get(key)
        if rules is None:
            rules = self._known[key] = self._rules(site, one)
        return replace(one, rules=rules) if rules else None

    def _rules(self, site: str, one: Evidence) -> tuple[int, ...]:
        models = self._models
        said = [rule for rule in one.rules if rule in models.rules]
        held = {rule for rule in said if self._is_same(rule) or self._asks_more(rule)}
        now = models.touchpoint(one.event, one.url, one.channel, False, None, None)
        held |= {rule for rule in now if not self._is_same(rule) and not self._asks_more(rule)}
        rules = deciding([models.rules[rule] for rule in held])
        return models.applying(rules, models.sites.get(site))

    def _is_same(self, rule: int) -> bool:
        """Is its model as it was?"""
        return self._places[self._models.rules[rule].model] is not None

    def _asks_more(self, rule: int) -> bool:
        """Does it look at what evidence does not tell?"""
        one = self._models.rules[rule].rule
        return one.goal is not None or one.props is not None or one.score is not None

    def _translated(self, before: State) -> State:
        """The state of a person in the models that are the same; in the others it begins anew."""
        rules = self._models.rules
        return replace(
            before,
            stages=bytes(_moved(before.stages, self._places)),
            entered=_moved(before.entered, self._places),
            steps=_moved(before.steps, self._places),
            recent={
                rule: times for rule, times in before.recent.items() if rule in rules and self._is_same(rule)
            },
        )


def _moved(values: Iterable[int], places: Sequence[int | None]) -> tuple[int, ...]:
    old = tuple(values)
    return tuple(0 if place is None else old[place] for place in places)
