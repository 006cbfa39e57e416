"""Channels by referrer: kinds of sites, look-alikes, own hosts, apps, and text that is no url."""

import pytest
from channel_kit import traffic

from pipeline.core.channels import Traffic

PAGE = "https://www.shop.example/products/42"
OWN = frozenset({"shop.example", "Müller.example"})


@pytest.mark.parametrize(
    ("referrer", "channel"),
    [
        ("", "direct"),
        ("https://www.google.com/", "organic_search"),
        ("https://google.co.uk/search?q=x", "organic_search"),
        ("https://www.google.com.br/", "organic_search"),
        ("HTTPS://WWW.GOOGLE.DE:443/", "organic_search"),
        ("https://news.google.com/", "organic_search"),
        ("https://mail.google.com/mail/u/0", "referral"),
        ("https://docs.google.com/", "referral"),
        ("https://google.com.evil.example/", "referral"),
        ("https://evilgoogle.com/", "referral"),
        ("https://evil.example/https://google.com/", "referral"),
        ("https://evil.example/?u=https://www.google.com/", "referral"),
        ("https://google.com@evil.example/", "referral"),
        ("https://user:secret@www.bing.com/search", "organic_search"),
        ("https://duckduckgo.com", "organic_search"),
        ("https://yandex.com.tr/", "organic_search"),
        ("https://mail.yandex.ru/", "referral"),
        ("https://uk.search.yahoo.com/", "organic_search"),
        ("https://mail.yahoo.com/", "referral"),
        ("https://m.baidu.com/s", "organic_search"),
        ("https://tieba.baidu.com/", "organic_social"),
        ("https://l.facebook.com/l.php?u=x", "organic_social"),
        ("https://m.facebook.com/", "organic_social"),
        ("https://t.co/abc", "organic_social"),
        ("https://old.reddit.com/r/x", "organic_social"),
        ("https://notfacebook.com/", "referral"),
        ("https://m.youtube.com/watch", "video"),
        ("https://www.aparat.com/v/1", "video"),
        ("https://www.amazon.co.jp/", "referral"),
        ("https://chatgpt.com/", "referral"),
        ("https://www.perplexity.ai/search", "referral"),
        ("https://gemini.google.com/app", "referral"),
        ("https://copilot.microsoft.com/", "referral"),
        ("https://blog.partner.example/post", "referral"),
        ("http://192.168.0.1/", "referral"),
        ("http://[2001:db8::1]:8080/", "referral"),
        ("http://localhost:3000/", "referral"),
        ("//www.google.com/", "organic_search"),
        ("www.google.com", "organic_search"),
        ("google.com/search", "organic_search"),
        ("https://shop.example/", "direct"),
        ("https://checkout.shop.example/", "direct"),
        ("https://www.shop.example.", "direct"),
        ("https://myshop.example/", "referral"),
        ("https://shop.example.evil.test/", "referral"),
        ("https://www.xn--mller-kva.example/x", "direct"),
        ("https://MÜLLER.example/x", "direct"),
        ("android-app://com.google.android.googlequicksearchbox/", "organic_search"),
        ("android-app://com.facebook.katana/", "organic_social"),
        ("android-app://com.google.android.youtube", "video"),
        ("android-app://com.example.reader/", "app"),
        ("ios-app://123456/x", "app"),
        ("about:blank", "direct"),
        ("data:text/html,x", "direct"),
        ("file:///C:/page.html", "direct"),
        ("chrome-extension://abcdef/popup.html", "direct"),
        ("$direct", "direct"),
        ("not a url", "direct"),
        ("https://", "direct"),
        ("https:///path", "direct"),
        ("http://[", "direct"),
        ("\x00\ufffd", "direct"),
        ("https://" + "a" * 2_040, "referral"),
        ("https://" + "ü" * 2_040, "referral"),
        ("https://ü..example/", "referral"),
    ],
)
def test_referrer(referrer: str, channel: str) -> None:
    assert traffic(PAGE, referrer, own_domains=OWN) == Traffic(channel)


def test_the_host_of_the_hit_is_its_own() -> None:
    alone = frozenset[str]()
    assert (
        traffic("https://www.other.example/a", "https://other.example/", own_domains=alone).channel
        == "direct"
    )
    assert (
        traffic("https://other.example/", "https://blog.other.example/", own_domains=alone).channel
        == "direct"
    )
    assert (
        traffic("https://blog.other.example/", "https://other.example/", own_domains=alone).channel
        == "referral"
    )
    assert traffic("", "https://other.example/", own_domains=alone).channel == "referral"


def test_short_own_domain_is_not_taken_for_a_mirror() -> None:
    own_domains = frozenset({"m.example"})
    assert traffic("", "https://m.example/", own_domains=own_domains).channel == "direct"
    assert traffic("", "https://other.example/", own_domains=own_domains).channel == "referral"


def test_own_domain_may_be_a_well_known_one() -> None:
    assert traffic("", "https://www.google.com/", own_domains=frozenset({"google.com"})).channel == "direct"
