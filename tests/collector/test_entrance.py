"""Who may send, over real sockets: registry, rates, proxies, do-not-track, all as the settings say."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from pipeline.collector.from_settings import parts_of
from pipeline.collector.sites import Denial
from pipeline.collector.sites.in_force import watch_sites
from pipeline.collector.sites.keys import hash_of
from pipeline.settings import SettingsError, load

from .conftest import NOW_MS, Server, Start, hit
from .mmdb import write_mmdb

SECRET = "a secret that nobody guesses"
HOME = {"Origin": "https://shop.example"}
REGISTRY = f"""
[shop]
origins = ["https://shop.example"]
keys.segment = ["wk"]
server_keys.masir = ["{hash_of(SECRET)}"]

[blog]
"""


class Guarded:
    """Starts collectors as settings describe them, and counts whom they deny."""

    def __init__(self, start: Start, directory: Path) -> None:
        self._start = start
        self.directory = directory
        self.denials: Counter[Denial] = Counter()

    async def __call__(self, registry: str = "", **settings: object) -> Server:
        environ = {f"MASIR_{name.upper()}": str(value) for name, value in settings.items()}
        environ["MASIR_DATA"] = str(self.directory)
        if registry:
            (self.directory / "sites.toml").write_text(registry)
            environ["MASIR_SITES"] = str(self.directory / "sites.toml")
        loaded = load(environ)
        self.watched = watch_sites(loaded, {})
        parts = parts_of(loaded, self.watched, denied=lambda denial: self.denials.update([denial]))
        return await self._start(parts.limits, entrance=parts.entrance, salts=parts.salts)


@pytest.fixture
def guarded(start: Start, tmp_path: Path) -> Guarded:
    return Guarded(start, tmp_path)


async def send(client: ClientSession, server: Server, *hits: Any, **headers: str) -> tuple[int, Any, Any]:
    body = json.dumps(list(hits)).encode()
    async with client.post(f"{server.url}/v1/hits", data=body, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers.copy()


async def test_what_may_not_come_in_is_refused_counted_and_not_kept(
    guarded: Guarded, client: ClientSession
) -> None:
    server = await guarded(REGISTRY)
    status, answer, _ = await send(client, server, hit(), hit(site="nobody"), hit(site="blog"), 7, **HOME)
    assert (status, answer["accepted"]) == (200, 2)
    assert [(one["index"], one["reason"]) for one in answer["refused"]] == [
        (1, "unknown_site"),
        (3, "not_object"),
    ]
    assert [json.loads(value) for _, value in server.topic.records][-1] == 7, "a dead letter, as ever"
    assert len(server.topic.records) == 3
    assert server.collector.counts.barred == 1
    status, answer, _ = await send(client, server, hit(), Origin="https://evil.example")
    assert (status, answer["refused"][0]["reason"]) == (400, "origin")
    assert guarded.denials == {Denial.UNKNOWN_SITE: 1, Denial.ORIGIN: 1}


async def test_a_server_with_the_secret_may_bring_old_hits(guarded: Guarded, client: ClientSession) -> None:
    server = await guarded(REGISTRY, backdate_hours=1)
    old = hit(time=NOW_MS - 3_600_001)
    assert (await send(client, server, old, **HOME))[1]["refused"][0]["reason"] == "backdated"
    assert (await send(client, server, old, Authorization=f"Bearer {SECRET}"))[1]["accepted"] == 1
    status, answer, _ = await send(client, server, hit(site="blog"), Authorization=f"Bearer {SECRET}")
    assert (status, answer["refused"][0]["reason"]) == (400, "other_site")


async def test_the_pixel_asks_as_well(guarded: Guarded, client: ClientSession) -> None:
    server = await guarded(REGISTRY)
    query = "event=email_open&user_id=u1"
    for site, taken in (("blog", "1"), ("nobody", "0")):
        async with client.get(f"{server.url}/v1/hit.gif?site={site}&{query}") as answer:
            assert (answer.status, answer.headers["Masir-Accepted"]) == (200, taken)
    assert len(server.topic.records) == 1


async def test_a_changed_registry_holds_for_the_next_request(guarded: Guarded, client: ClientSession) -> None:
    server = await guarded("[blog]")
    assert (await send(client, server, hit()))[0] == 400
    (guarded.directory / "sites.toml").write_text("[blog]\n[shop]\n")
    assert guarded.watched is not None
    assert guarded.watched.refresh()
    assert (await send(client, server, hit()))[0] == 200


async def test_a_tracker_by_its_key(guarded: Guarded, client: ClientSession) -> None:
    server = await guarded(REGISTRY)
    body = {"type": "page", "anonymousId": "v1", "messageId": "m1", "writeKey": "wk"}
    for headers, kept in ((HOME, 1), ({"Origin": "https://evil.example"}, 1)):
        async with client.post(f"{server.url}/v1/p", json=body, headers=headers) as answer:
            assert answer.status < 500
        assert len(server.topic.records) == kept
    assert server.topic.hits[0]["site"] == "shop"


async def test_rate_of_an_address(guarded: Guarded, client: ClientSession) -> None:
    server = await guarded(address_hits_per_second=1)  # ten at once
    assert (await send(client, server, *[hit()] * 9))[0] == 200
    assert (await send(client, server, hit()))[0] == 200
    status, answer, headers = await send(client, server, hit())
    assert (status, answer["accepted"], headers["Retry-After"]) == (429, 0, "1")
    async with client.get(f"{server.url}/v1/hit.gif?site=shop&event=x&user_id=u") as pixel:
        assert (pixel.status, pixel.headers["Retry-After"]) == (429, "1")
    assert len(server.topic.records) == 10
    assert guarded.denials == {Denial.RATE: 2}


async def test_rate_of_a_site_and_addresses_behind_a_proxy(guarded: Guarded, client: ClientSession) -> None:
    server = await guarded(
        site_hits_per_second=0.5, address_hits_per_second=0.4, trusted_proxies="127.0.0.0/8"
    )

    async def by(number: int, *hits: Any) -> int:
        status, _, _ = await send(client, server, *hits, **{"X-Forwarded-For": f"203.0.113.{number}"})
        return status

    assert [await by(1, *[hit()] * 4), await by(1, hit()), await by(2, hit())] == [200, 429, 200]
    assert [await by(3, hit()), await by(3, hit(site="blog"))] == [429, 200], "the site has sent five"


async def test_a_proxy_may_write_a_line_of_its_own_after_the_senders(
    guarded: Guarded, client: ClientSession
) -> None:
    server = await guarded(address_hits_per_second=0.1, trusted_proxies="127.0.0.0/8")

    async def by(written_by_sender: str) -> int:
        forwarded = [("X-Forwarded-For", written_by_sender), ("X-Forwarded-For", "203.0.113.9")]
        async with client.post(f"{server.url}/v1/hits", json=hit(), headers=forwarded) as answer:
            return answer.status

    assert [await by("1.1.1.1"), await by("2.2.2.2")] == [200, 429]


async def test_countries_and_do_not_track(guarded: Guarded, client: ClientSession) -> None:
    file = write_mmdb(guarded.directory / "test.mmdb", {"81.2.69.0/24": "GB"})
    server = await guarded(
        country_database=file, trusted_proxies="127.0.0.1", do_not_track="anonymous", ip="hash"
    )
    from_there = {"X-Forwarded-For": "81.2.69.160"}
    await send(client, server, hit(ip="81.2.69.160"), **from_there)
    await send(client, server, hit(user_id="u1"), **from_there, DNT="1")
    first, second = server.topic.hits
    assert first["country"] == second["country"] == "GB"
    assert "81.2" not in first["ip"]
    assert second["visitor_id"].startswith("anon-")
    assert "user_id" not in second


@pytest.mark.parametrize(
    ("name", "value"),
    [("sites", "nowhere.toml"), ("country_database", "nowhere.mmdb"), ("trusted_proxies", "10.0.0.1/8")],
)
async def test_a_wrong_setting_is_named(guarded: Guarded, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        await guarded(**{name: value})
