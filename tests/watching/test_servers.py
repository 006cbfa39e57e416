"""The override of the tests: durations become shorter, nothing else changes."""

from watching.servers import shortened


def test_durations_become_shorter_and_labels_stay() -> None:
    rule = 'expr: x{window="1h"}[10m:1m] offset 2h > 60 * avg_over_time(y[7d] offset 1h)\nfor: 5m'
    assert shortened(rule) == (
        'expr: x{window="1h"}[10000ms:1000ms] offset 120000ms > 60 * avg_over_time(y[10080000ms] offset 60000ms)\n'
        "for: 5000ms"
    )
    text = "repeat_interval: 12h\ngroup_wait: 30s"
    assert shortened(text, faster=30) == "repeat_interval: 1440000ms\ngroup_wait: 1000ms"
