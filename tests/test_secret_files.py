"""Files of secrets: nobody else may read them, at no moment."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.collector.salts import Salts
from pipeline.transport.erasures import KEY_FILE, ErasureRequests


@pytest.mark.parametrize(
    ("make", "names"),
    [(lambda at: Salts(at).at(0), "salt-*"), (ErasureRequests, KEY_FILE)],
    ids=["salts", "key of erasures"],
)
def test_it_is_nobody_elses_from_its_first_byte(
    make: Callable[[Path], object], names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "chmod", lambda *_: None)  # it would come too late
    make(tmp_path)
    assert (files := list(tmp_path.glob(names)))
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
