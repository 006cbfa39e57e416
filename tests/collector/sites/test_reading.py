"""The registry's files: what they may say, and where they are wrong."""

from pathlib import Path

import pytest

from pipeline.collector.gate import OWN
from pipeline.collector.protocols.table import ROUTES
from pipeline.collector.sites import SitesError, read_sites
from pipeline.collector.sites.keys import hash_of

HASH = hash_of("a secret that nobody guesses")
WHOLE = f"""
[shop]
origins = ["https://shop.example", "https://*.shop.example", "http://localhost:8080"]
own_domains = ["shop.example"]
goal_events = ["purchase"]
goal_urls = ["/thanks*"]
currency = "EUR"
time_zone = "America/Argentina/Buenos_Aires"
models = ["classic5"]
keys.segment = ["wk_1", "wk_2"]
server_keys.segment = ["{HASH}"]
secrets.mailgun = "env:MAILGUN_KEY"

[shop.privacy]
ip = "drop"
do_not_track = "anonymous"

["blog.example"]
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_file_holds_a_table_per_site(tmp_path: Path) -> None:
    shop, blog = read_sites(write(tmp_path / "sites.toml", WHOLE), {"classic5", "funnel4"})
    assert (shop.name, shop.currency, shop.keys) == ("shop", "EUR", {"segment": ("wk_1", "wk_2")})
    assert (shop.privacy.ip, shop.privacy.do_not_track, shop.privacy.consent) == ("drop", "anonymous", None)
    assert (shop.time_zone, shop.models) == ("America/Argentina/Buenos_Aires", ("classic5",))
    assert (blog.name, blog.origins, blog.goal_events) == ("blog.example", (), None)
    assert (blog.time_zone, blog.models) == (None, None)


def test_a_directory_holds_a_file_per_site(tmp_path: Path) -> None:
    write(tmp_path / "shop.toml", 'currency = "EUR"')
    write(tmp_path / "blog.example.toml", "")
    write(tmp_path / "notes.txt", "not TOML")
    assert [site.name for site in read_sites(tmp_path)] == ["blog.example", "shop"]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("\n[shop]\norigin = []", 3, "`origin` is no field; there is origins"),
        ("\n[shop]\n\n[shop.privacy]\nips = 'cut'", 5, "`ips` is no field; there is ip"),
        ("[shop]\n[shop.privacy]\nip = 'all'", 3, "'all'; allowed are 'cut', 'drop', 'hash'"),
        ("[shop]\norigins = 'https://a.example'", 2, "origins"),
        ("[shop]\norigins = ['a.example']", 2, "no origin"),
        ("[shop]\norigins = ['https://a.example/']", 2, "no origin"),
        ("[shop]\norigins = ['*']", 2, "no origin"),
        ("[shop]\ncurrency = 'euro'", 2, "currency"),
        ("[shop]\n\ntime_zone = 'Europe/Atlantis'", 3, "'Europe/Atlantis' is no time zone"),
        ("[shop]\ntime_zone = 'Europe'", 2, "no time zone"),
        ("[shop]\ntime_zone = ''", 2, "no time zone"),
        ("[shop]\ntime_zone = '../UTC'", 2, "no time zone"),
        (
            "[shop]\ncurrency = 'EUR'\nmodels = ['funnel4', 'funnel5']",
            3,
            "'funnel5' is no stage model; there is funnel4",
        ),
        ("[shop]\nserver_keys.segment = ['in the clear']", 2, "its hash"),
        (f"[shop]\nkeys.segment = ['{HASH}']", 2, "not a hash"),
        ("[shop]\nkeys.segment = ['']", 2, "1 to 256"),
        ("[shop]\nkeys.'A b' = ['x']", 2, "no protocol"),
        ("[shop]\n\nkeys.segmnet = ['wk']", 3, "'segmnet' is no protocol; there is segment"),
        (f"[shop]\nserver_keys.plausibel = ['{HASH}']", 2, "there is plausible"),
        ("[shop]\nsecrets.mailgunn = 'env:KEY'", 2, "there is mailgun"),
        (
            "[shop]\nkeys.rudderstack = ['wk']",
            2,
            "there is cloudevents, delighted, ga4, jitsu, mail, mailgun, masir",
        ),
        ("[shop]\nsecrets.mailgun = 'the secret itself'", 2, "env:NAME or file:PATH"),
        ("[shop]\nname = 'other'", 2, "name is that of its table"),
        ("['no name']", 1, "no name of a site"),
        ("shop = 1", 1, "a table per site"),
        ("[shop]\norigins = [", 2, "not TOML"),
        ("[shop]\nkeys.ga4 = ['G-1']\n[blog]\nkeys.ga4 = ['G-1']", 4, "site shop has the same key"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    file = write(tmp_path / "sites.toml", text)
    with pytest.raises(SitesError) as caught:
        read_sites(file, {"funnel4"})
    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert says in str(caught.value)


def test_a_file_of_a_directory_is_named_too(tmp_path: Path) -> None:
    write(tmp_path / "a.toml", "keys.ga4 = ['G-1']")
    write(tmp_path / "b.toml", "\nkeys.ga4 = ['G-1']")
    with pytest.raises(SitesError, match=r"b\.toml:2: .*site a has the same key"):
        read_sites(tmp_path)


def test_what_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(SitesError, match="no such file"):
        read_sites(tmp_path / "nowhere.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SitesError, match="not UTF-8"):
        read_sites(tmp_path / "binary.toml")


def test_every_protocol_of_the_table_and_our_own_may_have_keys(tmp_path: Path) -> None:
    names = sorted({route.protocol for route in ROUTES} | {OWN})
    text = "[shop]\n" + "".join(f"keys.{name} = ['k']\n" for name in names)
    (shop,) = read_sites(write(tmp_path / "sites.toml", text))
    assert sorted(shop.keys) == names


def test_the_same_key_for_two_protocols_is_fine(tmp_path: Path) -> None:
    text = "[a]\nkeys.ga4 = ['1']\nkeys.matomo = ['1']\n[b]\nkeys.segment = ['1']"
    assert len(read_sites(write(tmp_path / "sites.toml", text))) == 2
