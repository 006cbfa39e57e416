"""Following a file: each line once, in order, whatever is done to the file and wherever the reader is restarted."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.errors import SourceError
from pipeline.sources.follow import GRACE_S, Follower, Position
from pipeline.sources.lines import MAX_LINE_BYTES


class Watch:
    """A reader of ``path`` with a clock of its own."""

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        self.now = 0.0
        self.path = path
        self.told: list[str] = []
        self.from_end = from_end
        self.start(None)
        _watches.append(self)

    def start(self, position: Position | None) -> None:
        self.follower = Follower(
            self.path, position, from_end=self.from_end, clock=lambda: self.now, told=self.told.append
        )

    def restart(self) -> None:
        position = self.follower.position
        self.follower.close()
        self.start(position)

    def read(self, limit: int = 100) -> list[bytes]:
        return [line.text for line in self.follower.read(limit)]

    def read_all(self, rounds: int = 6) -> list[bytes]:
        """Until nothing has come for longer than the grace."""
        found: list[bytes] = []
        for _ in range(rounds):
            self.now += GRACE_S / 2
            while lines := self.read():
                found += lines
        return found


_watches: list[Watch] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _watches:
        _watches.pop().follower.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def write(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def test_lines_as_they_come(log: Path) -> None:
    watch = Watch(log)
    assert watch.read() == []  # there is no file yet
    write(log, b"a\nb\r\nhalf")
    assert watch.read() == [b"a", b"b"]
    assert watch.read() == []
    write(log, b" and half\n")
    assert watch.read() == [b"half and half"]


def test_restart_goes_on_where_it_stopped(log: Path) -> None:
    write(log, b"a\nb\nc\n")
    watch = Watch(log)
    assert watch.read(2) == [b"a", b"b"]
    watch.restart()
    assert watch.read() == [b"c"]


def test_renamed_file_is_read_to_its_end_and_then_the_new_one(log: Path) -> None:
    write(log, b"a\n")
    watch = Watch(log)
    assert watch.read() == [b"a"]
    log.rename(f"{log}.1")
    assert watch.read() == []
    write(log, b"c\n")
    assert watch.read() == []  # the writer may not know yet
    write(Path(f"{log}.1"), b"b\n")
    watch.now += GRACE_S
    assert watch.read() == [b"b"]
    assert watch.read() == []
    watch.now += GRACE_S - 0.001
    assert watch.read() == []
    watch.now += 0.001
    assert watch.read() == [b"c"]


def test_last_line_of_a_renamed_file_needs_no_end(log: Path) -> None:
    write(log, b"a\nlast")
    watch = Watch(log)
    assert watch.read() == [b"a"]
    log.rename(f"{log}.1")
    write(log, b"b\n")
    assert watch.read_all() == [b"last", b"b"]


def test_several_rotations_while_nobody_was_looking(log: Path) -> None:
    write(log, b"a\n")
    watch = Watch(log)
    assert watch.read() == [b"a"]
    for number, text in enumerate((b"b\n", b"c\n", b"d\n")):
        write(log, b"+" + text)
        for older in range(number, 0, -1):
            Path(f"{log}.{older}").rename(f"{log}.{older + 1}")
        log.rename(f"{log}.1")
        os.utime(f"{log}.1", (1_000 + number, 1_000 + number))
    write(log, b"e\n")
    watch.restart()
    assert watch.read_all(20) == [b"+b", b"+c", b"+d", b"e"]
    assert watch.told == []


def test_a_generation_may_go_while_they_are_listed(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    going = log.with_name("access.log.9")
    was_file = Path.is_file

    def is_file(path: Path) -> bool:
        was = was_file(path)
        if path == going:
            going.unlink(missing_ok=True)
        return was

    log.write_bytes(b"one\n")
    watch = Watch(log)
    assert watch.read() == [b"one"]
    going.write_bytes(b"old\n")
    log.rename(log.with_name("access.log.1"))
    log.write_bytes(b"two\n")
    monkeypatch.setattr(Path, "is_file", is_file)
    assert watch.read_all() == [b"two"]
    assert not going.exists()


def test_truncated_file_is_read_from_its_start(log: Path) -> None:
    write(log, b"aaaa\n")
    watch = Watch(log)
    assert watch.read() == [b"aaaa"]
    shutil.copy(log, f"{log}.1")
    os.truncate(log, 0)
    assert watch.read() == []
    write(log, b"b\n")
    assert watch.read() == [b"b"]


def test_inode_that_is_used_again_is_another_file(log: Path) -> None:
    write(log, b"old first line\n")
    watch = Watch(log)
    assert watch.read() == [b"old first line"]
    os.truncate(log, 0)
    write(log, b"new first line\nsecond\n")  # longer than what was read
    watch.restart()
    assert watch.read() == [b"new first line", b"second"]
    assert len(watch.told) == 1


def test_compressed_predecessor_is_told(log: Path) -> None:
    write(log, b"a\n")
    watch = Watch(log)
    assert watch.read() == [b"a"]
    log.rename(f"{log}.1.gz")
    write(log, b"b\n")
    watch.restart()
    assert watch.read() == [b"b"]
    assert "is gone or compressed" in watch.told[0]


def test_from_end_leaves_out_what_is_there_the_first_time_only(log: Path) -> None:
    write(log, b"a\n")
    watch = Watch(log, from_end=True)
    assert watch.read() == []
    write(log, b"b\n")
    watch.restart()
    assert watch.read() == [b"b"]


def test_too_long_line_is_cut_and_the_next_is_whole(log: Path) -> None:
    write(log, b"x" * (3 * MAX_LINE_BYTES) + b"\nb\n")
    assert Watch(log).read() == [b"x" * MAX_LINE_BYTES, b"b"]
    log.unlink()
    write(log, b"x" * MAX_LINE_BYTES + b"\r\nb\n")
    assert Watch(log).read() == [b"x" * MAX_LINE_BYTES, b"b"]


def test_line_has_the_same_name_whenever_it_is_read(log: Path) -> None:
    write(log, b"a\na\n")
    one, two = Watch(log).follower.read(9)
    assert one.name != two.name
    assert [line.name for line in Watch(log).follower.read(9)] == [one.name, two.name]


def test_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "access.log").mkdir()
    with pytest.raises(SourceError, match=r"access\.log"):
        Watch(tmp_path / "access.log").read()


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 4)),
        st.tuples(st.just("part"), st.integers(1, 3)),
        st.tuples(st.sampled_from(("rotate", "restart")), st.just(0)),
        st.tuples(st.just("read"), st.integers(1, 3)),
        st.tuples(st.just("wait"), st.integers(1, 3)),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(_steps)
def test_each_line_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    """Against the list of what was written; a file is renamed, and the writer opens a new one."""
    with TemporaryDirectory() as folder:
        log = Path(folder) / "access.log"
        log.touch()
        watch = Watch(log)
        written, rotations, is_open = 0, 0, False
        read = watch.read()  # it has seen the first file
        for what, count in steps:
            if what == "write":
                for _ in range(count):
                    write(log, b"line %d\n" % written if not is_open else b" %d\n" % written)
                    written, is_open = written + 1, False
            elif what == "part" and not is_open:
                write(log, b"line")
                is_open = True
            elif what == "rotate" and not is_open:
                rotations += 1
                os.utime(log, (rotations, rotations))
                log.rename(f"{log}.{rotations:03}")
                log.touch()
            elif what == "restart":
                watch.restart()
            elif what == "read":
                read += watch.read(count)
            elif what == "wait":
                watch.now += count * GRACE_S / 2
        if is_open:
            write(log, b" %d\n" % written)
            written += 1
        for _ in range(rotations + 1):
            read += watch.read_all()
        _watches.pop().follower.close()
        assert read == [b"line %d" % number for number in range(written)]
        assert watch.told == []
