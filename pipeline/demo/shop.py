"""The archetypes of the synthetic shop: each lives a customer's life from the first touchpoint on.

Together they pass every stage of the built-in models, every channel, the surveys, e-mails, orders, support,
and leave for a reason. The shares and habits are invented.
"""

from collections.abc import Callable
from typing import Any

from pipeline.demo.catalogue import PRODUCTS
from pipeline.demo.life import CURRENCY, DAY_MS, HOUR_MS, Entry, Life, Step
from pipeline.demo.touchpoints import (
    CHAT,
    DIRECT,
    HOME,
    NEWSLETTER,
    RETURNS,
    article,
    cart,
    checkout,
    discovery,
    guide,
    item,
    page,
    purchase,
    search,
)

REASONS = ("too expensive", "delivery too slow", "quality fell", "moved to a competitor", "no longer needed")
FEE = {"revenue": 14.9, "currency": CURRENCY}


def survey(life: Life, metric: str, score: int, **props: Any) -> None:
    answer = {"score": score, "scale": 10, "props": {"metric": metric, **props}}
    life.event("survey_response", answer, after_ms=HOUR_MS)


def email(life: Life, name: str, steps: list[Step], *, click: float) -> None:
    """Sent; mostly delivered; perhaps opened; perhaps clicked, which is a visit of ``steps``."""
    if life.over:
        return
    rng = life.rng
    fields = {
        "campaign": {"source": "newsletter", "medium": "email", "name": name},
        "channel": "email",
        "props": {"email_id": f"{name}-{life.customer.key}-{len(life.hits)}"},
    }
    life.event("email_sent", fields)
    if rng.random() < 0.03:
        life.event("email_bounce", fields, after_ms=30_000)
        return
    life.event("email_delivered", fields, after_ms=20_000)
    if rng.random() < max(0.3, click):
        delay = int(rng.uniform(2, 9) * HOUR_MS)
        life.event("email_open", fields, after_ms=delay)
        if rng.random() < click:
            life.now += delay + 60_000
            life.visit(NEWSLETTER._replace(query=NEWSLETTER.query.replace("monthly", name)), steps)


def reader(life: Life) -> None:
    """Reads an article or two and is never seen again; some come back."""
    rng = life.rng
    life.visit(discovery(life), [article(life)] + [article(life) for _ in range(rng.choice((0, 0, 0, 1, 2)))])
    while rng.random() < 0.25:
        life.wait(1, 9)
        life.visit(discovery(life), [HOME, article(life)] if rng.random() < 0.4 else [article(life)])


def browser(life: Life) -> None:
    """Looks at products, compares, fills a cart and leaves it."""
    rng = life.rng
    for _ in range(rng.choice((1, 1, 2, 3))):
        product = rng.choice(PRODUCTS)
        steps = [HOME, *search(life), *item(product)]
        if rng.random() < 0.5:
            steps.append(page("/compare", "Compare grinders"))
        if rng.random() < 0.3:
            steps += [*cart(product), *(checkout() if rng.random() < 0.4 else [])]
        life.visit(discovery(life), steps)
        life.wait(1, 6)


def trialist(life: Life) -> None:
    """Leaves an address for an e-book, watches the demo, tries the coffee subscription; some keep it."""
    rng = life.rng
    life.visit(
        discovery(life),
        [article(life), page("/webinar", "Webinar"), Step("video_start", "/webinar", "Webinar")],
    )
    life.wait(1, 3)
    form = [
        page("/ebook", "The e-book"),
        Step("generate_lead", "/ebook", "The e-book", {"props": {"offer": "e-book"}}),
    ]
    life.visit(DIRECT, form)
    life.wait(1, 3)
    email(life, "welcome", [page("/pricing", "Plans"), page("/compare", "Compare plans")], click=0.8)
    life.wait(1, 4)
    account = [page("/signup", "Your account"), Step("sign_up", "/signup", "Your account")]
    life.visit(DIRECT, [page("/pricing", "Plans"), *account, Step("trial_start", "/signup", "Your account")])
    life.wait(5, 8)
    email(life, "trial-ends", [page("/pricing", "Plans")], click=0.5)
    if rng.random() < 0.5:
        life.wait(1, 3)
        _subscribe(life)


def buyer(life: Life) -> None:
    """From the first click to the first order, and some good or middling use of it."""
    rng = life.rng
    product = rng.choice(PRODUCTS)
    life.visit(discovery(life), [article(life), *([HOME] if rng.random() < 0.6 else [])])
    life.wait(0.5, 4)
    tour = [page("/reviews", "What others say"), *item(product), page("/pricing", "Plans")]
    life.visit(discovery(life), tour)
    life.wait(0.5, 3)
    account = [page("/signup", "Your account"), Step("sign_up", "/signup", "Your account")]
    order = [*cart(product), *checkout(), *purchase(life, [product])]
    life.visit(rng.choice((DIRECT, discovery(life))), [*item(product), *account, *order])
    life.event("order_shipped", {"order_id": life.order_id}, after_ms=DAY_MS)
    life.wait(2, 5)
    onboarding = [
        page("/docs/first-cup", "Your first cup"),
        Step("tutorial_complete", "/docs/first-cup", "Done"),
    ]
    email(life, "first-cup", onboarding, click=0.6)
    if rng.random() < 0.6:
        survey(life, "csat", rng.randint(6, 10))
    if rng.random() < 0.3:
        survey(life, "ces", rng.randint(2, 9), question="How easy was your order?")
    life.wait(2, 9)
    if rng.random() < 0.5:
        life.visit(DIRECT, [guide(life)])


def loyal(life: Life) -> None:
    """Comes back: larger orders, the subscription and its renewals, support, orders in the shop downtown."""
    buyer(life)
    life.wait(3, 7)
    _subscribe(life)
    _come_back(life, life.rng.randint(2, 5))


def _come_back(life: Life, times: int) -> None:
    rng = life.rng
    for _ in range(times):
        life.wait(3, 9)
        products = rng.sample(PRODUCTS, rng.randint(1, 3))
        life.event("subscription_renew", FEE)
        if rng.random() < 0.2:
            life.in_store(life.order(products))
        elif rng.random() < 0.6:
            steps = [*item(products[0]), *cart(products[0]), *checkout(), *purchase(life, products)]
            email(life, "monthly", steps, click=1.0)
        else:
            login = [page("/account", "Your account"), Step("login", "/account", "Your account")]
            life.visit(rng.choice(RETURNS), login)
        life.wait(0.5, 2)
        if rng.random() < 0.3:
            life.visit(CHAT, [Step("support_chat", "/help", "Chat"), guide(life)])
            survey(life, "csat", rng.randint(7, 10))


def promoter(life: Life) -> None:
    """A loyal customer who says so: a high NPS, a review, shares, and friends who come by the code."""
    buyer(life)
    life.wait(1, 4)
    _subscribe(life)
    _come_back(life, life.rng.randint(1, 2))
    life.wait(1, 3)
    survey(life, "nps", life.rng.randint(9, 10))
    code = f"FRIEND-{life.customer.key}"
    review = [page("/reviews/new", "Your review"), Step("review_submit", "/reviews/new", "Your review")]
    friends = [
        page("/invite", "Invite friends"),
        Step("referral_sent", "/invite", "Invite friends", {"props": {"code": code}}),
    ]
    life.visit(DIRECT, [*review, Step("share", "/reviews/new", "Your review"), *friends])
    for _ in range(life.rng.randint(1, 3)):
        life.invite(code)


def leaver(life: Life) -> None:
    """Buys, meets trouble, grows silent, and leaves with a reason."""
    buyer(life)
    rng = life.rng
    life.wait(2, 5)
    _subscribe(life)
    life.wait(3, 8)
    ticket = {
        "props": {"ticket_id": f"ticket-{life.customer.key}", "topic": rng.choice(("delivery", "quality"))}
    }
    life.visit(DIRECT, [guide(life), page("/contact", "Contact")])
    life.event("support_ticket_open", ticket)
    if rng.random() < 0.5:
        life.event("support_ticket_close", ticket, after_ms=4 * DAY_MS)
    survey(life, "csat", rng.randint(1, 4))
    life.wait(3, 7)
    if rng.random() < 0.4:
        life.event("payment_failed", FEE)
    survey(life, "nps", rng.randint(0, 6))
    if rng.random() < 0.5:
        life.refund(life.customer.cents)
    life.wait(3, 9)
    life.visit(DIRECT, [page("/account", "Your account"), page("/account/cancel", "Cancel")])
    life.event("subscription_cancel")
    life.event("email_unsubscribe", {"channel": "email"}, after_ms=60_000)
    life.leave(rng.choice(REASONS))


def friend(life: Life, code: str) -> None:
    """Comes by a promoter's code and buys soon."""
    product = life.rng.choice(PRODUCTS)
    invitation = Entry(
        "referral", "", f"?utm_source=friend&utm_medium=referral&utm_campaign=invite&code={code}"
    )
    life.visit(invitation, [page("/welcome", "A friend sends you"), *item(product)])
    life.wait(0.5, 4)
    life.visit(DIRECT, [*item(product), *cart(product), *checkout(), *purchase(life, [product])])


def _subscribe(life: Life) -> None:
    plan = Step("subscribe", "/pricing", "Plans", {"props": {"plan": "monthly"}})
    life.visit(DIRECT, [page("/account", "Your account"), page("/pricing", "Plans"), plan])


# share of the arrivals, whether a user_id is known, how it lives
ARCHETYPES: dict[str, tuple[int, bool, Callable[[Life], None]]] = {
    "reader": (42, False, reader),
    "browser": (25, False, browser),
    "trialist": (6, True, trialist),
    "buyer": (12, True, buyer),
    "loyal": (8, True, loyal),
    "promoter": (3, True, promoter),
    "leaver": (4, True, leaver),
}
