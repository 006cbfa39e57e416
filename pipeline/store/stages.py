"""Tells the store the order of the stages of each model, which ``persons.highest_stages`` needs."""

from collections.abc import Mapping, Sequence

from pipeline.store.client import Client


def set_stages(client: Client, stages: Mapping[str, Sequence[str]]) -> None:
    """``stages``: model -> its stages, lowest first. Writes what differs; what is no more is taken away."""
    stored = {(model, stage): place for model, stage, place in client.query("SELECT * FROM stages")}
    wanted = {
        (model, stage): place for model, names in stages.items() for place, stage in enumerate(names, start=1)
    }
    changed = sorted(key for key in stored.keys() | wanted.keys() if stored.get(key) != wanted.get(key))
    if not changed:
        return
    ((version,),) = client.query("SELECT max(version) + 1 FROM stages_rows")
    values = ", ".join(
        f"('{model}', '{stage}', {wanted.get((model, stage), 0)}, {version})" for model, stage in changed
    )
    client.command(f"INSERT INTO stages_rows (model, stage, position, version) VALUES {values}")
