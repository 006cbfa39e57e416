"""What a bounce is, by preset. A session without any view is never a bounce (nor counted in the ratio).

``pages``: exactly one page or screen view, whatever else was done. ``plausible``: one view and no other
interactive hit. ``ga4``: not engaged, that is one view, shorter than 10 s (10.000 s is engaged), no
conversion.
"""

from typing import Final, Literal, get_args

from pipeline.core.slots import Array, Index

Preset = Literal["pages", "plausible", "ga4"]
PRESETS: Final[tuple[str, ...]] = get_args(Preset)
GA4_ENGAGED_MS = 10_000


def bounced(preset: str, *, views: Index, hits: Index, duration_ms: Index, conversions: Index) -> Array:
    """Which sessions are bounces. Columns: ``hits`` are all interactive hits, views and goals among them."""
    one_view: Array = views == 1
    if preset == "pages":
        return one_view
    if preset == "plausible":
        one_view &= hits == 1
        return one_view
    if preset == "ga4":
        one_view &= (duration_ms < GA4_ENGAGED_MS) & (conversions == 0)
        return one_view
    raise ValueError(f"bounce preset is {preset!r}; allowed are {', '.join(PRESETS)}")
