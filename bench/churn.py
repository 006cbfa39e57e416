"""How good the signs of leaving are: on the simulator, whose truth is known, and on the CDNOW customers.

    python -m bench.churn

Runs the cores alone, hit by hit as the pipeline does, without topics or store. *Precision*: of the persons with the
signal, how many said good-bye after it; *recall*: of those who did, how many had it before. *Warning*: days from the
first signal to the good-bye, median. *Silent after*: of the persons with the signal, how many never came again: in the
simulator a story that has ended is silence without a good-bye. The tables are those of docs/churn.md.
"""

import gzip
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np

from agents.hops import intake_rules, load_models
from pipeline.core.intake import Intake
from pipeline.core.persons.fold import Items, Touches, change_items, let_time_pass
from pipeline.core.persons.items import Visit
from pipeline.core.persons.people import People, PersonRules
from pipeline.core.persons.sending import messages_of
from pipeline.core.persons.signal_rules import REASONS, SignalRules
from pipeline.core.persons.signals import BEFORE_ALL
from pipeline.demo.simulator import simulate
from pipeline.journey.lifetime import Customers, alive, fit_bg_nbd
from pipeline.settings import Settings

DAY_MS = 86_400_000
T0 = 1_767_225_600_000
CDNOW = Path(__file__).parents[1] / "tests" / "data" / "cdnow_sample.txt.gz"
CALIBRATION = datetime(1997, 9, 30, tzinfo=UTC)


def simulated(customers: int = 4_000, days: float = 150) -> None:
    """Customers who bought: who of them leaves is known."""
    hits, truth = simulate(seed=21, customers=customers, start_ms=T0, days=days)
    settings = Settings()
    intake = Intake(intake_rules(settings, load_models(settings), bounded=True), 0)
    raw = list(hits)
    intake.take(raw, [0] * len(raw), range(len(raw)))
    output = intake.finish(0, has_records=True, is_caught_up=True, is_final=True)
    people = People(PersonRules(bounded=True), {})
    people.take(message for _, message in output.touched.by_partition("", output.watermark, 1, to_all=True))
    raised: dict[str, dict[str, int]] = defaultdict(dict)
    goodbyes = {hit[0]: hit[2] for hit in output.touched.hits if hit[6] == "subscription_cancel"}
    while True:
        said = people.finish(is_final=True)
        for signal in said.signals:
            if signal.state == "raised" and not signal.withdrawn:
                first = raised[signal.person_id].get(signal.reason, signal.time)
                raised[signal.person_id][signal.reason] = min(first, signal.time)
        if not (messages := [message for _, message in messages_of(said, "", 1)]):
            break
        people.take(messages)
    buyers = {one.user_id: one for one in truth.customers if one.known and one.orders}
    left = {user: goodbyes[f"shop\x1f{user}"] for user, one in buyers.items() if one.left}
    print(f"simulator: {len(buyers)} customers with an order, {len(left)} of them leave")
    last: dict[str, int] = defaultdict(int)
    for told in output.touched.sessions:
        person = told.user_id or told.key.partition("\x1f")[2][1:]
        last[person] = max(last[person], told.end)
    _table(raised, set(buyers), left, last)


def _table(
    raised: Mapping[str, Mapping[str, int]],
    persons: set[str],
    left: Mapping[str, int],
    last: Mapping[str, int],
) -> None:
    print(
        "| reason | persons | precision | recall | warning, days | silent after |\n|---|---|---|---|---|---|"
    )
    for reason in (*REASONS, "two or more"):
        first = {person: _first(raised.get(person, {}), reason) for person in persons}
        told = {person: time for person, time in first.items() if time is not None}
        good = {p: left[p] - time for p, time in told.items() if p in left and time < left[p]}
        if told:
            days = f"{median(good.values()) / DAY_MS:.1f}" if good else "–"
            silent = sum(last[person] <= time for person, time in told.items()) / len(told)
            shares = f"{len(good) / len(told):.2f} | {len(good) / len(left):.2f}"
            print(f"| {reason} | {len(told)} | {shares} | {days} | {silent:.2f} |")


def _first(of: Mapping[str, int], reason: str) -> int | None:
    if reason != "two or more":
        return of.get(reason)
    times = sorted(of.values())
    return times[1] if len(times) > 1 else None


def cdnow() -> None:
    """Customers of a record shop, 1997: told at the end of September, who never buys again by June 1998?"""
    orders: dict[str, set[int]] = defaultdict(set)
    for line in gzip.decompress(CDNOW.read_bytes()).decode().splitlines():
        _, customer, date, *_ = line.split()
        day = datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC)
        orders[customer].add(round(day.timestamp() * 1000))
    end = round(CALIBRATION.timestamp() * 1000)
    known = {who: sorted(t for t in times if t <= end) for who, times in orders.items()}
    gone = {who for who, times in orders.items() if max(times) <= end}
    habit = {who: times for who, times in known.items() if len(times) >= SignalRules().overdue_visits}
    week = 7 * DAY_MS
    rows = [(len(t) - 1, (t[-1] - t[0]) / week, (end - t[0]) / week, 0.0) for t in known.values()]
    customers = Customers(*np.array(rows, dtype=np.float64).T)
    chance = dict(zip(known, alive(fit_bg_nbd(customers), customers).tolist(), strict=True))
    rules: dict[str, set[str]] = {
        "`overdue` raised in this silence": {who for who, times in habit.items() if _is_overdue(times, end)},
        "silent for 90 days": {who for who, times in habit.items() if end - times[-1] > 90 * DAY_MS},
        "P(alive) < 0.5 (BG/NBD)": {who for who in habit if chance[who] < 0.5},
    }
    base = len(gone & habit.keys())
    print(f"\nCDNOW: {len(habit)} customers with 3 orders by then, {base} of them never buy again")
    print("| told by | persons | precision | recall |\n|---|---|---|---|")
    for name, told in rules.items():
        good = len(told & gone)
        print(f"| {name} | {len(told)} | {good / max(1, len(told)):.2f} | {good / base:.2f} |")


def _is_overdue(times: Iterable[int], end: int) -> bool:
    items, rules = Items(), SignalRules()
    visits = [Visit(time, time, str(time), "direct", True) for time in times]
    change_items(rules, items, Touches(visits, []), Touches([], []), BEFORE_ALL)
    let_time_pass(rules, items, end)
    return items.risk is not None and items.risk.is_silence_told  # it ends by itself after 90 days


if __name__ == "__main__":
    simulated()
    cdnow()
