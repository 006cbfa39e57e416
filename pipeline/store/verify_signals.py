"""The batch side of "stream equals batch" for the signs of leaving: each step, recomputed and compared.

How far time has come is not in the hits. A timer's step after all else may be missing if time may not have come to it
yet, and if no later step of the reason was said. Weights are those of today's settings. Persons that have outgrown
their limit and then met late hits may differ.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from pipeline.core.persons.signal_rules import REASONS, SignalRules
from pipeline.store.checks import PERSON, Check, Rules, batch_visits, stream_visits
from pipeline.store.signal_notes import notes
from pipeline.store.signal_steps import rhythm, steps
from pipeline.store.verify_transitions import SURELY_PASSED

_SETTLE_MS: Final = 3_600_000  # a silence is believed so much later
_KEY: Final = "Tuple(site String, person_id String, reason String, time DateTime64(3, 'UTC'), ordinal Int64)"
_ROW: Final = "Tuple(state String, score Float64, evidence String)"


class SignalSources(NamedTuple):
    """What the recomputation must know of the settings."""

    rules: Rules = Rules()
    signals: SignalRules = SignalRules()
    cancel_urls: Iterable[str] = ()
    regress_models: Iterable[str] = ()


def signal_check(sources: SignalSources) -> Check:
    """Of all reasons."""
    return Check(
        "signals",
        _difference(sources, batch_visits(sources.rules)),
        shorter=_difference(sources, stream_visits()),
        given=("sessions",),
        by=PERSON,
    )


def batch_signals(sources: SignalSources, visits: str) -> str:
    """The recomputed steps, as in the view; ``may_lack``: time may not have come to it. ``visits``: a query of them."""
    weights = f"transform(reason, {list(REASONS)}, {list(sources.signals.weights)}, 0.)"
    return f"""
    WITH
        notes AS ({notes(sources.cancel_urls, sources.regress_models)}),
        visits AS ({rhythm(visits)})
    SELECT
        site, person_id, reason, {weights} AS score, if(is_raised, 'raised', 'cleared') AS state,
        fromUnixTimestamp64Milli(time, 'UTC') AS time, evidence,
        toInt64(row_number() OVER (PARTITION BY site, person_id, reason ORDER BY place) - 1) AS ordinal,
        is_open AND s.time + if(reason = 'overdue', {_SETTLE_MS}, 0) >= ({SURELY_PASSED}) AS may_lack
    FROM ({steps(sources.signals)}) AS s
    """


def _difference(sources: SignalSources, visits: str) -> str:
    """Rows on one side only, or not the same."""
    key = f"(site, person_id, reason, time, ordinal)::{_KEY}"
    # In JSON 4.0 is what SQL calls 4.
    number = "toString(JSONExtractFloat(evidence, name))"
    value = f"if(JSONType(evidence, name) = 'String', JSONExtractString(evidence, name), {number})"
    said = f"arraySort(arrayMap(name -> (name, {value}), JSONExtractKeys(evidence)))"
    found = "arraySort(arrayZip(mapKeys(evidence), mapValues(evidence)))"
    return f"""
    SELECT
        key,
        if(in_stream > 0, (said.1, said.2, {_shown("said.3")})::{_ROW}, NULL) AS stream,
        if(in_batch > 0, (found.1, found.2, {_shown("found.3")})::{_ROW}, NULL) AS batch
    FROM
    (
        SELECT
            *,
            max(if(in_stream > 0, key.ordinal, -1)) OVER (PARTITION BY key.site, key.person_id, key.reason) AS latest
        FROM
        (
            SELECT
                key, countIf(is_stream) AS in_stream, countIf(NOT is_stream) AS in_batch,
                anyIf(value, is_stream) AS said, anyIf(value, NOT is_stream) AS found, max(may_lack) AS may_lack
            FROM
            (
                SELECT true AS is_stream, {key} AS key, (state, score, {said}) AS value, 0 AS may_lack FROM signals
                UNION ALL
                SELECT false AS is_stream, {key} AS key, (state, score, {found}) AS value, may_lack
                FROM ({batch_signals(sources, visits)})
            )
            GROUP BY key
        )
    )
    WHERE (in_stream != 1 OR in_batch != 1 OR stream != batch)
        AND NOT (in_stream = 0 AND may_lack = 1 AND key.ordinal > latest)
    ORDER BY key
    """


def _shown(evidence: str) -> str:
    return f"arrayStringConcat(arrayMap(one -> concat(one.1, ' = ', one.2), {evidence}), ', ')"
