"""``masir attribution``, ``clv``, ``funnel`` and ``map``: what they print and write, what they refuse."""

import json
import random
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from store.kit import hit

from pipeline.cli import main
from pipeline.store.client import STORE_DIRECTORY, connect
from pipeline.store.migrations import migrate
from pipeline.store.sink import Sink

from .kit import DAY, order, put, visit
from .map_kit import fill

COMMANDS = ("attribution", "clv", "funnel", "map")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store: the small shop of the map, and forty customers who order now and then for a year."""
    directory = tmp_path_factory.mktemp("journey") / "data"
    rng = random.Random(3)
    with connect(directory / STORE_DIRECTORY) as client:
        migrate(client)
        sink = Sink(client)
        fill(client, sink)
        orders, visits = [], []
        for number in range(40):
            who, at = f"c{number}", rng.randrange(60)
            for _ in range(rng.choice((1, 1, 2, 4, 8))):
                visits.append(visit(at * DAY - 1000, who, rng.choice(("email", "direct", "sms"))))
                orders.append(order(at * DAY, who, rng.randrange(10, 90)))
                at += rng.randrange(5, 60)
        put(sink, [*orders, hit(420 * DAY, "last")], visits)
    return directory


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MASIR_CONFIG", "MASIR_DATA", "MASIR_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def masir(command: str, data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [command, *arguments, "--data", str(data)])


def said(command: str, data: Path, *arguments: str) -> dict[str, object]:
    result = masir(command, data, *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.output)
    return found


@pytest.mark.parametrize("by", ["channel", "campaign"])
def test_attribution_shares_all_conversions_in_every_model(data: Path, by: str) -> None:
    found = said("attribution", data, "--model", "all", "--by", by, "--goal", "purchase")
    sums = {
        model: (sum(one["conversions"] for one in of), sum(one["revenue"].get("EUR", 0) for one in of))
        for model, of in found["models"].items()
    }
    assert len(sums) == 9
    expected = next(iter(sums.values()))
    assert all(pair == pytest.approx(expected) for pair in sums.values())
    assert expected[0] > 40


def test_attribution_as_a_table(data: Path) -> None:
    result = masir("attribution", data, "--model", "markov")
    assert result.exit_code == 0
    assert result.output.startswith("markov, shop, 2026-01-01 to 2027-02-25")
    assert "removal effect" in result.output
    assert "…" not in result.output
    only = said("attribution", data, "--model", "linear", "--from", "2026-01-01", "--to", "2026-01-08")
    assert (only["model"], only["by"]) == ("linear", "channel")


def test_clv_of_customers_who_order_again(data: Path) -> None:
    found = said("clv", data, "--days", "90", "--customers", "2")
    model, usual = found["model"], said("clv", data)["model"]
    assert (model["days"], model["customers"], found["currency"]) == (90, 41, "EUR")
    assert 10 <= model["repeat_customers"] < 41
    assert 0 < model["expected_orders"] < usual["expected_orders"]
    assert [one["lifetime_value"] for one in found["customers"]] == sorted(
        (one["lifetime_value"] for one in found["customers"]), reverse=True
    )
    discounted = said("clv", data, "--discount", "0.5")["model"]
    assert discounted["mean_lifetime_value"] < usual["mean_lifetime_value"]
    assert "BG/NBD" in masir("clv", data).output


def test_clv_without_enough_orders_is_the_formula_and_why_there_is_no_model(data: Path) -> None:
    result = masir("clv", data, "--to", "2026-01-08")
    assert result.exit_code == 0
    assert "By the formula, shop, EUR" in result.output
    assert "No model: " in result.output
    assert "10 are needed to learn from" in result.output
    found = said("clv", data, "--to", "2026-01-08")
    assert (found["model"], found["customers"]) == (None, [])
    assert found["formula"] == said("clv", data)["formula"]
    assert "10 are needed" in str(found["no_model"])


def test_clv_without_an_order_is_code_2(data: Path) -> None:
    result = masir("clv", data, "--currency", "USD")
    assert result.exit_code == 2
    assert "shop has no orders in USD" in result.output


def test_funnel_as_tables_and_as_json(data: Path) -> None:
    result = masir("funnel", data, "--model", "m")
    assert result.exit_code == 0
    assert "narrowest: 11 of 13 (85%) in awareness have not reached consideration" in result.output
    assert all(row in result.output for row in ("(left)", "(new)", "(back)"))
    found = said("funnel", data, "--model", "m")
    assert [step["reached"] for step in found["steps"]] == [13, 2, 1, 0]
    assert found["went"][0] == {"from_stage": "", "to_stage": "awareness", "returned": False, "persons": 13}
    assert found["findings"][0]["kind"] in ("narrow", "leaves")


def test_map_writes_what_the_ending_says(data: Path, tmp_path: Path) -> None:
    for name in ("map.html", "map.md", "map.csv", "map.svg"):
        result = masir("map", data, name, "--model", "m", "--lang", "fa", "--campaigns", "1")
        assert result.exit_code == 0, result.output
        written = result.output.split()
        assert written == (["map.svg", "map-2.svg"] if name == "map.svg" else [name])
    assert (tmp_path / "map.html").read_text("utf-8").startswith('<!doctype html><html lang="fa" dir="rtl">')
    assert (tmp_path / "map.md").read_text("utf-8").startswith("# نقشهٔ سفر مشتری")
    assert len((tmp_path / "map.csv").read_text("utf-8").splitlines()) > 40
    for name in ("map.svg", "map-2.svg"):
        ET.parse(tmp_path / name)


def test_map_takes_the_labels_of_the_model_files(data: Path, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "schemas/models/funnel4.toml").read_text("utf-8")
    own = text.replace('name = "funnel4"', 'name = "m"').replace('en = "Awareness"', 'en = "Heard of us"')
    (tmp_path / "m.toml").write_text(own, "utf-8")
    result = CliRunner().invoke(
        main, ["map", "map.md", "--model", "m", "--data", str(data)], env={"MASIR_MODELS": "m.toml"}
    )
    assert result.exit_code == 0, result.output
    assert "| Heard of us |" in (tmp_path / "map.md").read_text("utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_site_or_time_is_code_2_and_names_what_there_is(data: Path, command: str) -> None:
    for arguments, says in (
        (["--site", "nowhere"], "there are shop"),
        (["--from", "yesterday"], "'yesterday' is no time"),
        (["--from", "2026-02-01", "--to", "2026-01-01"], "--to must be later"),
    ):
        result = masir(command, data, *arguments)
        assert result.exit_code == 2
        assert says in result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_without_a_store_is_code_2(tmp_path: Path, command: str) -> None:
    result = masir(command, tmp_path / "nothing")
    assert result.exit_code == 2
    assert "holds no store" in result.output


@pytest.mark.parametrize("command", ["funnel", "map"])
def test_a_model_that_is_not_there(data: Path, command: str) -> None:
    result = masir(command, data, "--model", "classic6")
    assert result.exit_code == 2
    assert "no model classic6; there are m" in result.output


def test_map_refuses_an_ending_it_does_not_know(data: Path) -> None:
    result = masir("map", data, "map.pdf")
    assert result.exit_code == 2
    assert "allowed are .html, .svg, .md, .csv" in result.output
