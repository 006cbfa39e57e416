"""``masir demo --live``: the demo's history, then a pipeline that runs and customers who come."""

import json
import re
import signal
import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest

from bench.running import MASIR, environment, wait_for


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_customers_come(tmp_path: Path) -> None:
    said = tmp_path / "said"
    command = [MASIR, "demo", "--live", "--data", str(tmp_path / "demo"), "--listen", "127.0.0.1:0"]
    with said.open("wb") as out:
        process = subprocess.Popen(command, env=environment({}), stdout=out, stderr=out)

    def url() -> str:
        assert process.poll() is None, said.read_text()
        found = re.search(r"page +(http://\S+)/", said.read_text())
        return found[1] if found else ""

    try:
        page = wait_for(url, "the page is shown", seconds=200)

        def active() -> int:
            with urlopen(f"{page}/live/events?site=shop", timeout=20) as events:
                for line in events:
                    if line.startswith(b"data: "):
                        now: dict[str, int] = json.loads(line[6:])["now"]
                        return now["active"]
            return 0

        assert wait_for(active, "somebody is there", seconds=60) > 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, said.read_text()
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in said.read_text()
