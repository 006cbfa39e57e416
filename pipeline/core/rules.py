"""Stage models as they are written in TOML: models have stages, stages have rules, rules have conditions.

A rule holds when all its conditions hold; a condition that lists values holds when one of them fits. The
conditions ``event url channel goal props score`` look at the hit alone; ``orders count since`` also at the
person's earlier evidence. Days become milliseconds, both ends of every range belong to it. Nothing here does
more than say what is written: ``pipeline.core.model_check`` reads and checks, ``pipeline.core.models``
matches.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

DAY_MS: Final = 86_400_000
ORDER_EVENT: Final = "purchase"
MAX_STAGES: Final = 64

Channel = Literal[
    "direct", "organic_search", "paid_search", "organic_social", "paid_social", "email", "referral",
    "display", "affiliate", "video", "sms", "push", "chat", "offline", "app", "other",
]  # fmt: skip
Metric = Literal["csat", "ces", "nps"]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")]
Text = Annotated[str, Meta(min_length=1)]
Days = Annotated[float, Meta(ge=0, le=36_500)]
Nth = Annotated[int, Meta(ge=0, le=1_000)]


class Score(Struct, frozen=True, forbid_unknown_fields=True):
    """The normalised score of one survey metric (``pipeline.core.scores``) lies in the range."""

    metric: Metric
    min: float = 0.0
    max: float = 10.0


class Orders(Struct, frozen=True, forbid_unknown_fields=True):
    """The person has made so many orders (event ``purchase``), this one counted."""

    min: Nth = 0
    max: Nth | None = None


class Count(Struct, frozen=True, forbid_unknown_fields=True):
    """So many pieces of evidence, this one counted, met the rule's conditions on the hit within the days."""

    min: Annotated[int, Meta(ge=2, le=1_000)]
    days: Annotated[float, Meta(gt=0, le=36_500)]

    @property
    def window_ms(self) -> int:
        return round(self.days * DAY_MS)


class Since(Struct, frozen=True, forbid_unknown_fields=True):
    """So many days lie between an earlier piece of evidence and this one. Without an earlier one: no.

    ``of``: the last ``order``, the ``previous`` evidence, or the ``first`` evidence, of any model.
    """

    of: Literal["order", "previous", "first"]
    min_days: Days = 0.0
    max_days: Days | None = None

    @property
    def min_ms(self) -> int:
        return round(self.min_days * DAY_MS)

    @property
    def max_ms(self) -> int | None:
        return None if self.max_days is None else round(self.max_days * DAY_MS)


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """Which evidence puts a person into the stage.

    ``fallback``: only when no other rule of the model holds for that evidence. ``back``: whether it may move
    a person back to this stage; absent, the model's ``backward`` decides.
    """

    name: Name
    event: tuple[Text, ...] | None = None
    url: tuple[Text, ...] | None = None
    channel: tuple[Channel, ...] | None = None
    goal: bool | None = None
    props: dict[str, str | bool | tuple[str | bool, ...]] | None = None
    score: Score | None = None
    orders: Orders | None = None
    count: Count | None = None
    since: Since | None = None
    fallback: bool = False
    back: bool | None = None

    @property
    def stateless(self) -> bool:
        """Whether the hit alone decides."""
        return self.orders is None and self.count is None and self.since is None

    @property
    def timed(self) -> bool:
        """Whether the times of earlier evidence decide."""
        return self.count is not None or self.since is not None

    def allowed_props(self) -> dict[str, tuple[str | bool, ...]]:
        """The condition on props, each key with its list of values."""
        return {key: v if isinstance(v, tuple) else (v,) for key, v in (self.props or {}).items()}


class Labels(Struct, frozen=True, forbid_unknown_fields=True):
    """A name in English, Persian and Arabic."""

    en: Text
    fa: Text
    ar: Text


class Stage(Struct, frozen=True, forbid_unknown_fields=True):
    """One stage; its place in the model is its order."""

    id: Name
    labels: Labels
    rule: tuple[Rule, ...] = ()


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """``backward``: may evidence of a lower stage move a person back? ``lapse_days``: silence that ends a journey."""

    name: Name
    labels: Labels
    description: Text
    stage: Annotated[tuple[Stage, ...], Meta(min_length=2, max_length=MAX_STAGES)]
    backward: Literal["always", "never"] = "never"
    lapse_days: Annotated[int, Meta(ge=1, le=3_650)] = 90

    def back(self, rule: Rule) -> bool:
        """Whether evidence of this rule may move a person back."""
        return self.backward == "always" if rule.back is None else rule.back
