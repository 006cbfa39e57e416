"""Tells the store which kind of content a page or an event is, and which segments are the business's own.

Content: path globs of views (``/blog*``) or names of events, the first rule that fits holds, own ones come first;
``props.content`` of a hit wins over all of them. Segments: a name and a condition in SQL over the columns of the
view ``person_facts``. A wrong one raises QueryError, which names the setting.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from pipeline.store.client import Client
from pipeline.store.errors import QueryError
from pipeline.store.sql import pattern, text

BUILT_IN: Final[Mapping[str, str]] = {
    "comparison": "/compare* /comparison* /alternatives* /vs*",
    "review": "/review* /testimonial* /case-stud* /customers* review_submit",
    "trial": "/trial* /demo* /free* trial_start demo_request",
    "discount": "/sale* /offer* /deals* /coupon* /discount* view_promotion select_promotion",
    "loyalty": "/rewards* /loyalty* /club* /invite* /refer*",
    "video": "/video* /watch* /webinar* video_start video_progress video_complete webinar_register",
    "guide": "/guide* /docs* /ebook* /whitepaper* /tutorial* file_download tutorial_complete",
    "support": "/help* /faq* /support* /contact* /knowledge* support_chat chat_start",
    "pricing": "/pricing* /plans*",
    "product": "/product* /shop* /item* view_item",
    "blog": "/blog* /news* /article* /magazine* /stories*",
}
"""Kind -> path globs and events, separated by spaces."""

_IS_OWN_SEGMENTS: Final = "database = currentDatabase() AND name = 'own_segments'"


def content_rules(own: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(kind, event, pattern for LIKE) in order; of event and pattern one is empty."""
    return [*_rules(own), *_rules(BUILT_IN)]


def _rules(kinds: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for kind, rules in kinds.items():
        for rule in rules.split():
            if rule.startswith(("/", "*")):
                yield kind, "", pattern(rule)
            else:
                yield kind, rule, ""


def set_content(client: Client, own: Mapping[str, str]) -> None:
    """Put the rules in force into the store; writes only what differs."""
    set_rules(client, "content_rules", ("content", "event", "path"), content_rules(own))


def set_rules(client: Client, view: str, columns: Sequence[str], rules: Sequence[tuple[str, ...]]) -> None:
    """Make these the rows of the view, in order; writes only what differs. A rule of empty texts is none."""
    wanted = dict(enumerate(rules, start=1))
    stored = {position: tuple(rule) for position, *rule in client.query(f"SELECT * FROM {view}")}
    changed = sorted(at for at in wanted.keys() | stored.keys() if wanted.get(at) != stored.get(at))
    if not changed:
        return
    ((version,),) = client.query(f"SELECT max(version) + 1 FROM {view}_rows")
    none = ("",) * len(columns)
    values = ", ".join(f"({at}, {', '.join(map(text, wanted.get(at, none)))}, {version})" for at in changed)
    client.command(f"INSERT INTO {view}_rows (position, {', '.join(columns)}, version) VALUES {values}")


def set_segments(client: Client, own: Mapping[str, str]) -> None:
    """Make the view ``own_segments`` of these conditions, if it is not made of them; a person may be in several."""
    for name, condition in own.items():
        try:
            client.query(f"SELECT count() FROM person_facts WHERE ({condition}) AND 0")
        except QueryError as error:
            raise QueryError(
                f"segments: the condition of `{name}` is not one over person_facts: {error}"
            ) from error
    names = ", ".join(f"if(({condition}), {text(name)}, '')" for name, condition in own.items())
    view = (
        "SELECT site, person_id, segment FROM person_facts "
        f"ARRAY JOIN arrayFilter(name -> name != '', [{names}]) AS segment"
        if own
        else "SELECT site, person_id, '' AS segment FROM person_facts WHERE 0"
    )
    made_of = blake2b(view.encode(), digest_size=16).hexdigest()
    if client.query(f"SELECT 1 FROM system.tables WHERE {_IS_OWN_SEGMENTS} AND comment = '{made_of}'"):
        return
    client.command(f"CREATE OR REPLACE VIEW own_segments AS {view} COMMENT '{made_of}'")
