"""Options of sessions and of sites through the whole pipeline: two runs, of which the second splits what the first has
closed, and `masir verify` recomputes it all in SQL."""

import random
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from .kit import ask_all, hit, process, verify, write_lines

MINUTE, HOUR = 60_000, 3_600_000
EVENING = round(datetime(2026, 3, 28, 22, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)
SITES = '[shop]\ntime_zone = "Europe/Berlin"\n\n[blog]\nmodels = ["classic5", "funnel4"]\n'


def visits(dice: random.Random) -> list[bytes]:
    """Of forty visitors, in the night in which clocks change; some hits in one millisecond, some with campaigns."""
    found = []
    for number in range(40):
        at = EVENING + dice.randrange(HOUR)
        for _ in range(dice.randrange(1, 40)):
            at += dice.choice([0, 1, MINUTE, 7 * MINUTE, 20 * MINUTE, 30 * MINUTE, 30 * MINUTE + 1])
            more: dict[str, object] = {"site": dice.choice(["shop"] * 8 + ["blog", "other"])}
            if dice.random() < 0.3:
                more["campaign"] = {"name": dice.choice(["spring", "summer"]), "source": "news"}
            if dice.random() < 0.1:
                more |= {"event": "purchase", "revenue": 9.5, "currency": "EUR"}
            url = f"https://shop.example/{dice.randrange(3)}"
            found.append(
                hit(f"v{number}", at, url=url, referrer=dice.choice(["", "https://www.google.com/"]), **more)
            )
    return found


def test_two_runs_with_all_options_agree_with_sql(tmp_path: Path) -> None:
    (tmp_path / "sites.toml").write_text(SITES)
    settings = {
        "session_preset": "matomo",
        "session_max_hours": 1,
        "sites": tmp_path / "sites.toml",
        "time_zone": "Asia/Tokyo",
    }
    dice = random.Random(7)
    hits = visits(dice)
    dice.shuffle(hits)
    data, half = tmp_path / "data", len(hits) // 2
    process(data, write_lines(tmp_path / "1.ndjson", hits[:half]), **settings)
    process(data, write_lines(tmp_path / "2.ndjson", hits[half:]), **settings)
    assert verify(data, **settings)["differences"] == []
    across = "toDate(start_time, 'Europe/Berlin') != toDate(end_time, 'Europe/Berlin')"
    (moved,), (nights,), (longest,), models = ask_all(
        data,
        "SELECT count() AS n FROM session_moves_rows FINAL WHERE notEmpty(ids)",
        f"SELECT countIf({across}) AS n FROM sessions WHERE site = 'shop'",
        "SELECT max(duration_ms) AS n FROM sessions",
        "SELECT site, groupUniqArray(model) AS n FROM transitions GROUP BY site",
    )
    assert moved["n"] > 5
    assert nights["n"] == 0
    assert longest["n"] <= HOUR
    of_site = {row["site"]: set(row["n"]) for row in models}
    assert of_site["blog"] == {"classic5", "funnel4"} < of_site["shop"]
    without = verify(data, sites=tmp_path / "sites.toml")
    assert without["checks"]["sessions"] > 0, "with other options SQL says otherwise"
