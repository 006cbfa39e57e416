"""What stands on the /metrics page about the disk."""

from pathlib import Path
from shutil import disk_usage

from pipeline.disk_metrics import Disk
from pipeline.metrics import Metrics
from tests.test_metrics import value


def test_the_disk_is_that_of_the_data_directory_as_soon_as_there_is_one(tmp_path: Path) -> None:
    metrics = Metrics(version="1.2.3")
    metrics.register(Disk(tmp_path / "data"))
    assert value(metrics, "masir_disk_free_bytes") is None
    (tmp_path / "data").mkdir()
    size = value(metrics, "masir_disk_size_bytes")
    assert size == disk_usage(tmp_path).total
    assert 0 < (value(metrics, "masir_disk_free_bytes") or 0) < size
