"""What the synthetic people look like and what the synthetic shop sells. Values only.

The user agents are the texts that real browsers send; everything else is invented. Prices are in cents, so
that sums are exact.
"""

from typing import NamedTuple

_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_LINUX = "Mozilla/5.0 (X11; Linux x86_64)"
_ANDROID = "Mozilla/5.0 (Linux; Android 10; K)"
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS"

DESKTOPS = (
    *(f"{_WINDOWS} {_WEBKIT} Chrome/{v}.0.0.0 Safari/537.36" for v in (138, 139, 140, 141, 142)),
    *(f"{_MAC} {_WEBKIT} Chrome/{v}.0.0.0 Safari/537.36" for v in (140, 141, 142)),
    f"{_LINUX} {_WEBKIT} Chrome/141.0.0.0 Safari/537.36",
    *(f"{_WINDOWS} {_WEBKIT} Chrome/{v}.0.0.0 Safari/537.36 Edg/{v}.0.0.0" for v in (140, 141)),
    f"{_WINDOWS} {_WEBKIT} Chrome/140.0.0.0 Safari/537.36 OPR/124.0.0.0",
    *(
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0"
        for v in (128, 143, 144)
    ),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    *(f"{_MAC} {_APPLE} Version/{v} Safari/605.1.15" for v in ("17.6", "18.5", "26.0")),
)
PHONES = (
    *(f"{_ANDROID} {_WEBKIT} Chrome/{v}.0.0.0 Mobile Safari/537.36" for v in (138, 140, 141, 142)),
    *(
        f"{_IPHONE} {os} like Mac OS X) {_APPLE} Version/{v} Mobile/15E148 Safari/604.1"
        for os, v in (("17_6_1", "17.6"), ("18_5", "18.5"), ("18_6_2", "18.6"), ("18_7", "26.0"))
    ),
    f"{_ANDROID} {_WEBKIT} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0",
    f"{_IPHONE} 18_6 like Mac OS X) {_APPLE} CriOS/141.0.7390.41 Mobile/15E148 Safari/604.1",
)
TABLETS = (
    f"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) {_APPLE} Version/18.5 Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (Linux; Android 14; SM-X710) {_WEBKIT} Chrome/140.0.0.0 Safari/537.36",
)
USER_AGENTS = DESKTOPS + PHONES + TABLETS
BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
)

LOCALES = (
    ("en-GB", "GB"), ("en-US", "US"), ("de-DE", "DE"), ("fr-FR", "FR"), ("fa-IR", "IR"), ("ar-EG", "EG"),
    ("ar-AE", "AE"), ("nl-NL", "NL"),
)  # fmt: skip


class Product(NamedTuple):
    sku: str
    name: str
    category: str
    cents: int


PRODUCTS = tuple(
    Product(f"{category[:2].upper()}-{n:02}", f"{name} {n}", category, base + 450 * n)
    for category, name, base in (
        ("coffee", "Beans", 990), ("grinders", "Grinder", 6_900), ("kettles", "Kettle", 3_900), ("cups",
        "Cup", 790),
    )
    for n in range(1, 9)
)  # fmt: skip
ARTICLES = ("first-espresso", "water-matters", "grind-sizes", "cold-brew", "latte-art", "storing-beans")
GUIDES = ("descaling", "returns", "delivery", "warranty", "burr-change")
SEARCHES = ("grinder", "decaf", "gift", "filter paper", "kettle 1l", "subscription")
