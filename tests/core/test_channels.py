"""Channels: GA4's default channel group, each rule met and just missed; safety; remembering."""

import pytest
from channel_kit import traffic
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.channels import CHANNELS, Classifier, Traffic, campaign_channel, language
from schemas.hit import Campaign

PAGE = "https://www.shop.example/products/42"
OWN = frozenset({"shop.example", "Müller.example"})


@pytest.mark.parametrize(
    ("source", "medium", "name", "channel"),
    [
        ("(direct)", "(none)", "", "direct"),
        ("(direct)", "(not set)", "", "direct"),
        ("(direct)", "email", "", "email"),
        ("anything", "anything", "eu-cross-network-1", "paid_search"),
        ("google", "organic", "cross network", "organic_search"),
        ("google", "cpc", "", "paid_search"),
        ("GOOGLE", "CPC", "", "paid_search"),
        ("bing", "ppc", "", "paid_search"),
        ("www.google.de", "retargeting", "", "paid_search"),
        ("google", "paidsearch", "", "paid_search"),
        ("google", "cpm", "", "paid_search"),
        ("google", "ppcx", "", "organic_search"),
        ("google", "unpaid", "", "organic_search"),
        ("amazon.de", "cpc", "", "paid_search"),
        ("unknown", "cpc", "Summer Shopping", "paid_search"),
        ("unknown", "cpc", "eshop", "paid_search"),
        ("unknown", "cpc", "workshop", "other"),
        ("unknown", "cpc", "my-shop", "paid_search"),
        ("unknown", "cpc", "", "other"),
        ("unknown", "paid_social", "", "paid_social"),
        ("unknown", "paid-search", "", "paid_search"),
        ("facebook", "cpc", "", "paid_social"),
        ("l.facebook.com", "paid", "", "paid_social"),
        ("fb", "paid_social", "", "paid_social"),
        ("facebook", "cpc", "shopping", "paid_social"),
        ("youtube", "cpv", "", "video"),
        ("youtube", "cpc", "", "video"),
        ("publisher", "display", "", "display"),
        ("publisher", "banner", "", "display"),
        ("publisher", "expandable", "", "display"),
        ("publisher", "interstitial", "", "display"),
        ("publisher", "cpm", "", "display"),
        ("facebook", "banner", "", "display"),
        ("publisher", "banners", "", "other"),
        ("facebook", "", "", "organic_social"),
        ("facebook", "email", "", "organic_social"),
        ("blog", "social", "", "organic_social"),
        ("blog", "social-network", "", "organic_social"),
        ("blog", "social media", "", "organic_social"),
        ("blog", "sm", "", "organic_social"),
        ("google", "social", "", "organic_social"),
        ("blog", "socials", "", "other"),
        ("vimeo", "referral", "", "video"),
        ("blog", "in-video-link", "", "video"),
        ("blog", "vide0", "", "other"),
        ("google", "", "", "organic_search"),
        ("duckduckgo.com", "referral", "", "organic_search"),
        ("intranet", "organic", "", "organic_search"),
        ("intranet", "organics", "", "other"),
        ("partner.example", "referral", "", "referral"),
        ("partner.example", "link", "", "referral"),
        ("partner.example", "links", "", "other"),
        ("partner.example", "app", "", "app"),
        ("chatgpt.com", "", "", "referral"),
        ("assistant", "ai-assistant", "", "referral"),
        ("amazon", "", "", "referral"),
        ("amazon", "email", "", "email"),
        ("newsletter", "email", "", "email"),
        ("newsletter", "E-Mail", "", "email"),
        ("newsletter", "e_mail", "", "email"),
        ("newsletter", "e mail", "", "email"),
        ("email", "whatever", "", "email"),
        ("newsletter", "mail", "", "other"),
        ("newsletter", "email", "summer shop", "email"),
        ("newsletter", "", "", "other"),
        ("cj", "affiliate", "", "affiliate"),
        ("cj", "affiliates", "", "affiliate"),
        ("cj", "affiliated", "", "other"),
        ("podcast", "audio", "", "other"),
        ("sms", "blast", "", "sms"),
        ("crm", "sms", "", "sms"),
        ("crm", "smsx", "", "other"),
        ("crm", "web-push", "", "push"),
        ("crm", "pushed", "", "other"),
        ("crm", "mobile-banner", "", "push"),
        ("crm", "notification", "", "push"),
        ("firebase", "x", "", "push"),
        ("site", "chat", "", "chat"),
        ("site", "live_chat", "", "chat"),
        ("site", "chats", "", "other"),
        ("store", "qr_code", "", "offline"),
        ("store", "offline", "", "offline"),
        ("store", "offliner", "", "other"),
        ("", "", "only-a-name", ""),
    ],
)
def test_campaign(source: str, medium: str, name: str, channel: str) -> None:
    assert campaign_channel(Campaign(source=source, medium=medium, name=name)) == channel


def test_campaign_of_the_url_holds_against_the_referrer() -> None:
    found = traffic(
        PAGE + "?utm_source=crm&utm_medium=email&utm_campaign=may", "https://google.com/", own_domains=OWN
    )
    assert found == Traffic("email", "crm", "email", "may")


def test_campaign_without_source_and_medium_leaves_the_channel_to_the_referrer() -> None:
    found = traffic(PAGE + "?utm_campaign=may", "https://google.com/", own_domains=OWN)
    assert found == Traffic("organic_search", name="may")


def test_given_campaign_replaces_that_of_the_url() -> None:
    given_campaign = Campaign(source="crm", medium="sms", id="7")
    url = PAGE + "?utm_source=google&utm_medium=cpc&utm_term=hat"
    assert traffic(url, "", campaign=given_campaign, own_domains=OWN) == Traffic("sms", "crm", "sms", id="7")
    assert traffic(url, "", campaign=Campaign(), own_domains=OWN).channel == "paid_search"


@pytest.mark.parametrize(
    ("channel", "found"),
    [
        ("email", "email"),
        ("Paid Search", "paid_search"),
        (" push ", "push"),
        ("newsletter", "other"),
        (" ", "other"),
    ],
)
def test_given_channel_holds_and_the_campaign_stays(channel: str, found: str) -> None:
    url = PAGE + "?utm_source=google&utm_medium=cpc"
    assert traffic(url, "", channel=channel, own_domains=OWN) == Traffic(found, "google", "cpc")


@pytest.mark.parametrize(
    ("tags", "found"),
    [("en-US,en;q=0.9", "en-us"), ("fa", "fa"), ("de;q=0.5", "de"), ("", ""), (" AR , en", "ar"), ("*", "*")],
)
def test_language_is_the_first_tag_in_lower_case(tags: str, found: str) -> None:
    assert language(tags) == found


WORDS = """http https : / // /// ? # & = @ [ ] . .. \\ www. m. shop.example google.com facebook.com utm_source
    utm_medium gclid amp; %20 %ff + cpc email ü xn-- android-app httpx"""
FRAGMENTS = st.sampled_from([*WORDS.split(), " ", "\x00", "\n"])
URLS = st.one_of(st.text(max_size=40), st.lists(FRAGMENTS, max_size=14).map("".join))
TEXTS = st.one_of(st.just(""), st.text(max_size=12), FRAGMENTS)
CAMPAIGNS = st.none() | st.builds(Campaign, TEXTS, TEXTS, TEXTS)
REMEMBERING = Classifier(OWN)
FORGETTING = Classifier(OWN, cache_entries=0)


@given(URLS, URLS, TEXTS, CAMPAIGNS)
def test_any_text_has_a_channel_remembered_or_not(
    url: str, referrer: str, channel: str, campaign: Campaign | None
) -> None:
    found = traffic(url, referrer, channel=channel, campaign=campaign, own_domains=OWN)
    assert found.channel in CHANNELS
    for classifier in (REMEMBERING, REMEMBERING, FORGETTING):
        assert classifier.traffic(url, referrer, channel, campaign) == found


@pytest.mark.parametrize(
    ("url", "referrer", "channel"),
    [
        ("https://shop.test", "https://shop.test.evil.test/", "referral"),
        ("https://shop.test/", "https://shop.test.evil.test/", "referral"),
        ("https://shop.test?a=/b", "https://shop.test/", "direct"),
        ("https://shop.test#/b", "https://shop.test/", "direct"),
        ("https://", "https://google.com/", "organic_search"),
        ("http://a", "http://ab/", "referral"),
        ("httpfoo://shop.test/", "https://shop.test/", "direct"),
        ("android-app://com.shop/", "android-app://com.reader/", "app"),
        ("android-app://com.shop/", "android-app://com.shop/", "direct"),
        ("", "google.com ", "organic_search"),
    ],
)
def test_remembering_keeps_hosts_apart(url: str, referrer: str, channel: str) -> None:
    assert traffic(url, referrer, own_domains=OWN).channel == channel
    assert Classifier(OWN).traffic(url, referrer).channel == channel


def test_lone_surrogates_are_safe() -> None:
    assert (
        traffic("https://\ud800/?utm_source=\udfff", "https://\ud800.example/", own_domains=OWN).channel
        == "other"
    )
    assert traffic("", "https://\ud800.example/", own_domains=OWN).channel == "referral"


def test_pages_share_what_is_remembered() -> None:
    classifier = Classifier(cache_entries=2)
    google = classifier.traffic("https://shop.example/a", "https://google.com/1")
    for page in range(50):
        again = classifier.traffic(f"https://shop.example/{page}?color={page}", f"https://google.com/{page}")
        assert again is google


def test_what_is_remembered_is_bounded() -> None:
    classifier = Classifier(cache_entries=2)
    url = "https://shop.example/?utm_source=a{}&utm_medium=email"
    first = classifier.traffic(url.format(0), "")
    assert classifier.traffic(url.format(0), "") is first
    for number in range(1, 4):
        classifier.traffic(url.format(number), "")
    again = classifier.traffic(url.format(0), "")
    assert again == first
    assert again is not first
