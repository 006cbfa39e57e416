"""How people come to the synthetic shop (entries) and what they do there (steps: the hits of a visit).

Only the names of events (GA4's) and the ways of marking links (utm_*, gclid, ...) are those of the world.
"""

from pipeline.demo.catalogue import ARTICLES, GUIDES, SEARCHES, Product
from pipeline.demo.life import Entry, Life, Step

DIRECT = Entry("direct")
NEWSLETTER = Entry("email", "", "?utm_source=newsletter&utm_medium=email&utm_campaign=monthly")
CHAT = Entry("chat", override=True)
RETURNS = (
    DIRECT,
    Entry("sms", "", "?utm_source=reminder&utm_medium=sms&utm_campaign=refill"),
    Entry("push", "", "?utm_source=reminder&utm_medium=push&utm_campaign=refill"),
    Entry("app", override=True),
)
PAID = (
    Entry("paid_search", "https://www.google.com/", "?gclid=EAIaIQobChMIsynthetic"),
    Entry("paid_search", "https://www.bing.com/", "?utm_source=bing&utm_medium=cpc&utm_campaign=brand"),
    Entry(
        "paid_social",
        "https://www.facebook.com/",
        "?utm_source=facebook&utm_medium=paid_social&utm_campaign=autumn",
    ),
    Entry("display", "", "?utm_source=adnetwork&utm_medium=display&utm_campaign=autumn"),
)
DISCOVERIES = (
    *PAID,
    Entry("organic_search", "https://www.google.com/"),
    Entry("organic_search", "https://duckduckgo.com/"),
    Entry("organic_search", "https://www.bing.com/"),
    Entry("organic_social", "https://www.instagram.com/"),
    Entry("organic_social", "https://t.co/"),
    Entry("video", "https://www.youtube.com/"),
    Entry("referral", "https://coffee-notes.example.org/reviews"),
    Entry("affiliate", "", "?utm_source=beanfinder&utm_medium=affiliate&utm_campaign=partners"),
    DIRECT,
)
_WEIGHTS = (9, 4, 7, 3, 22, 5, 6, 8, 4, 4, 7, 4, 17)

HOME = Step("page_view", "/", "Coffee for everyone")


def discovery(life: Life) -> Entry:
    return life.rng.choices(DISCOVERIES, _WEIGHTS)[0]


def page(path: str, title: str) -> Step:
    return Step("page_view", path, title)


def article(life: Life) -> Step:
    name = life.rng.choice(ARTICLES)
    return page(f"/blog/{name}", name.replace("-", " ").title())


def guide(life: Life) -> Step:
    name = life.rng.choice(GUIDES)
    return page(f"/help/{name}", name.title())


def item(product: Product) -> list[Step]:
    path = f"/shop/{product.category}/{product.sku}"
    fields = {"items": [{"item_id": product.sku, "item_name": product.name}]}
    return [page(path, product.name), Step("view_item", path, product.name, fields)]


def search(life: Life) -> list[Step]:
    term = life.rng.choice(SEARCHES)
    path = f"/search?q={term.replace(' ', '+')}"
    return [page(path, "Search"), Step("search", path, "Search", {"props": {"search_term": term}})]


def cart(product: Product) -> list[Step]:
    path = f"/shop/{product.category}/{product.sku}"
    return [Step("add_to_cart", path, product.name, {"items": [{"item_id": product.sku}]})]


def checkout() -> list[Step]:
    return [page("/checkout", "Checkout"), Step("begin_checkout", "/checkout", "Checkout")]


def purchase(life: Life, products: list[Product]) -> list[Step]:
    thanks = "/checkout/thanks"
    return [page(thanks, "Thank you"), Step("purchase", thanks, "Thank you", life.order(products))]
