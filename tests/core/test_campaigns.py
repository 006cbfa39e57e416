"""Campaigns: the parameters of a url, click ids, and text that is no url."""

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.campaigns import CLICK_IDS, MAX_VALUE_CHARS, campaign_of, is_empty, query_of
from pipeline.core.channels import campaign_channel
from schemas.hit import Campaign


def of_url(url: str) -> Campaign | None:
    return campaign_of(query_of(url))


@pytest.mark.parametrize(
    "parameters",
    [
        ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id"),
        ("mtm_source", "mtm_medium", "mtm_campaign", "mtm_keyword", "mtm_content", "mtm_cid"),
        ("mtm_source", "mtm_medium", "mtm_campaign", "mtm_kwd", "mtm_content", "mtm_cid"),
        ("pk_source", "pk_medium", "pk_campaign", "pk_keyword", "pk_content", "pk_cid"),
        ("pk_source", "pk_medium", "pk_cpn", "pk_kwd", "pk_content", "pk_cid"),
        ("matomo_source", "matomo_medium", "matomo_campaign", "matomo_kwd", "matomo_content", "matomo_cid"),
        ("piwik_source", "piwik_medium", "piwik_campaign", "piwik_kwd", "piwik_content", "piwik_cid"),
    ],
)
def test_six_fields_by_every_name(parameters: tuple[str, ...]) -> None:
    query = "&".join(f"{name}=v{number}" for number, name in enumerate(parameters))
    assert of_url(f"https://a.example/x?page=2&{query}#end") == Campaign("v0", "v1", "v2", "v3", "v4", "v5")


def test_utm_holds_against_the_other_names() -> None:
    assert of_url("/?pk_source=c&mtm_source=b&utm_source=a") == Campaign(source="a")


@pytest.mark.parametrize(
    ("click_id", "channel"),
    [
        ("gclid", "paid_search"),
        ("gbraid", "paid_search"),
        ("wbraid", "paid_search"),
        ("gad_source", "paid_search"),
        ("dclid", "display"),
        ("msclkid", "paid_search"),
        ("yclid", "paid_search"),
        ("fbclid", "organic_social"),
        ("ttclid", "paid_social"),
        ("twclid", "paid_social"),
        ("li_fat_id", "paid_social"),
        ("rdt_cid", "paid_social"),
        ("ScCid", "paid_social"),
        ("irclickid", "affiliate"),
        ("cjevent", "affiliate"),
        ("awc", "affiliate"),
        ("mc_cid", "email"),
        ("_hsmi", "email"),
        ("mkt_tok", "email"),
    ],
)
def test_click_id_alone(click_id: str, channel: str) -> None:
    campaign = of_url(f"https://a.example/?{click_id}=x1")
    assert campaign == Campaign(*CLICK_IDS[click_id])
    assert campaign_channel(campaign) == channel
    assert of_url(f"https://a.example/?{click_id}=") is None
    assert of_url(f"https://a.example/?x{click_id}=x1") is None


def test_every_click_id_is_tested() -> None:
    marks = test_click_id_alone.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in marks[0].args[1]} == set(CLICK_IDS)


def test_click_id_fills_only_what_the_link_does_not_name() -> None:
    assert of_url("/?gclid=1&utm_campaign=may") == Campaign("google", "cpc", "may")
    assert of_url("/?gclid=1&utm_source=crm&utm_medium=email") == Campaign("crm", "email")
    assert of_url("/?fbclid=1&utm_source=ig") == Campaign("ig", "social")
    assert of_url("/?fbclid=1&gclid=2") == Campaign("google", "cpc")


@pytest.mark.parametrize(
    ("url", "campaign"),
    [
        ("https://a.example/utm_source=a", None),
        ("https://a.example/?q=utm_source", None),
        ("https://a.example/?x=1#utm_source=a", None),
        ("https://a.example/?utm_source=", None),
        ("https://a.example/?utm_source=%20", None),
        ("https://a.example/?utm_nonsense=a", None),
        ("https://a.example/?utm_source", None),
        ("https://a.example/?utm_source=a&utm_source=b", Campaign(source="a")),
        ("https://a.example/?utm_source=&utm_source=b", Campaign(source="b")),
        ("https://a.example/?x=1&amp;utm_source=a&amp;utm_medium=b", Campaign("a", "b")),
        ("https://a.example/?utm_source=a+b%20c", Campaign(source="a b c")),
        ("https://a.example/?utm_source=%D8%AA%D9%87%D8%B1%D8%A7%D9%86", Campaign(source="تهران")),
        ("https://a.example/?utm_source=تهران", Campaign(source="تهران")),
        ("https://a.example/?utm_source=%FF", Campaign(source="\ufffd")),
        ("https://a.example/?utm_source=a?b", Campaign(source="a?b")),
        ("https://a.example/#/route?utm_source=a", Campaign(source="a")),
        ("utm_source=a", None),
        ("", None),
    ],
)
def test_named_urls(url: str, campaign: Campaign | None) -> None:
    assert of_url(url) == campaign


def test_value_is_cut_at_256_characters() -> None:
    for length, kept in ((255, 255), (256, 256), (257, 256)):
        campaign = of_url("/?utm_source=" + "é" * length)
        assert campaign is not None
        assert len(campaign.source) == kept
    assert MAX_VALUE_CHARS == 256


def test_is_empty() -> None:
    assert is_empty(None)
    assert is_empty(Campaign())
    assert not is_empty(Campaign(id="1"))


VALUES = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() == text)


@given(
    VALUES, VALUES, VALUES, st.sampled_from([urlencode, lambda fields: urlencode(fields, quote_via=quote)])
)
def test_what_was_encoded_is_read(source, medium, name, encode) -> None:  # type: ignore[no-untyped-def]
    query = encode({"page": "1", "utm_source": source, "utm_medium": medium, "utm_campaign": name})
    assert of_url("https://a.example/?" + query) == Campaign(source, medium, name)


@given(st.text(max_size=60))
def test_any_query_is_safe(text: str) -> None:
    campaign = campaign_of(text)
    assert campaign is None or not is_empty(campaign)
