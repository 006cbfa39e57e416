"""What the registry of sites says reaches the rules of the hops, and a new reading of it replaces the old one."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agents.hops import intake_rules, load_models, metrics_of, put_sites
from pipeline.collector.sites.in_force import watch_sites
from pipeline.core.parts import Splits
from pipeline.core.site_rules import SiteRules
from pipeline.settings import Settings, SettingsError
from schemas.outcome import Outcome


def test_zones_and_models_of_sites_change_with_the_registry(tmp_path: Path) -> None:
    file = tmp_path / "sites.toml"
    file.write_text('[shop]\ntime_zone = "Asia/Tehran"\nmodels = ["classic5"]\n[blog]\ngoal_urls = ["/x"]\n')
    settings, rules = Settings(sites=str(file)), SiteRules()
    watched = watch_sites(settings, {}, on_change=lambda registry: put_sites(rules, registry, settings))
    assert watched is not None
    put_sites(rules, watched.current, settings)
    assert (rules.zones, rules.models) == (
        {"shop": ZoneInfo("Asia/Tehran")},
        {"shop": frozenset({"classic5"})},
    )
    assert rules.own == {"shop", "blog"}
    assert load_models(settings).sites == {"shop": ("classic5",)}
    file.write_text("[shop]\nmodels = ['funnel4', 'buyer3']\n")
    assert watched.refresh()
    assert (rules.zones, rules.models) == ({}, {"shop": frozenset({"funnel4", "buyer3"})})
    file.write_text("[shop]\nmodels = ['funnel5']\n")
    assert not watched.refresh()
    assert "no stage model" in watched.error
    with pytest.raises(SettingsError, match=r"sites\.toml:2: .*funnel5"):
        watch_sites(settings, {})


def test_sites_of_the_registry_keep_their_names_on_metrics(tmp_path: Path) -> None:
    file = tmp_path / "sites.toml"
    file.write_text("[mine]\n")
    metrics = metrics_of(Settings(sites=str(file)))
    metrics.hits({(f"site{number}", Outcome.BOT): 1 for number in range(60)})
    metrics.hits({("mine", Outcome.BOT): 7})
    assert b'masir_hits_total{outcome="bot",site="mine"} 7.0' in metrics.expose()


def test_settings_of_sessions_reach_the_rules() -> None:
    settings = Settings(
        session_preset="matomo", session_max_hours=0.5, time_zone="Asia/Tokyo", session_timeout_seconds=60.0
    )
    rules = intake_rules(settings, load_models(settings), bounded=True).sessions
    assert rules.splits == Splits(True, True, 1_800_000, ZoneInfo("Asia/Tokyo"))
    assert not intake_rules(Settings(), load_models(Settings()), bounded=True).sessions.splits.any
    own = Settings(split_campaign=True, session_preset="ga4")
    assert own.splits == Splits(campaign=True, zone=ZoneInfo("UTC"))
