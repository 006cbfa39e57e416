"""Tells the store the order of the stages of each model, and after how many days of silence a journey has ended."""

from collections.abc import Mapping, Sequence

from pipeline.store.client import Client


def set_stages(
    client: Client, stages: Mapping[str, Sequence[str]], lapse_days: Mapping[str, int] | None = None
) -> None:
    """``stages``: model -> its stages, lowest first. Writes what differs; what is no more is taken away.

    ``lapse_days``: by model; without it silence ends nothing.
    """
    days = lapse_days or {}
    stored = {(model, stage): rest for model, stage, *rest in client.query("SELECT * FROM stages")}
    wanted = {
        (model, stage): [place, days.get(model, 0)]
        for model, names in stages.items()
        for place, stage in enumerate(names, start=1)
    }
    changed = sorted(key for key in stored.keys() | wanted.keys() if stored.get(key) != wanted.get(key))
    if not changed:
        return
    ((version,),) = client.query("SELECT max(version) + 1 FROM stages_rows")
    rows = [(model, stage, *wanted.get((model, stage), (0, 0)), version) for model, stage in changed]
    values = ", ".join(
        f"('{model}', '{stage}', {place}, {lapse}, {version})" for model, stage, place, lapse, version in rows
    )
    client.command(f"INSERT INTO stages_rows (model, stage, position, lapse_days, version) VALUES {values}")
