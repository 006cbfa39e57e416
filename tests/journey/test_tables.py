"""Tables for people to read."""

import pytest

from pipeline.journey.tables import show, table


def test_a_wide_table_is_not_cut_in_a_pipe_and_text_is_no_wider_than_is_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = table("revenue", "channel", "money", "share")
    made.add_row(
        "email",
        " + ".join(f"14,400,000,000,000.00 {of}" for of in ("EUR", "IRR", "IQD", "USD", "AED")),
        "40 %",
    )
    show(made, "word " * 40)
    *_, row, first, _second = capsys.readouterr().out.splitlines()
    assert row.split()[-5:] == ["+", "14,400,000,000,000.00", "AED", "40", "%"]
    assert len(first) <= 120 < len(row)
