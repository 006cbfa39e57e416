"""The newest good reading of the registry. A broken file keeps the old one, and says so once, with file and line."""

import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from pipeline.collector.sites.reading import SitesError, files_of, read_sites
from pipeline.collector.sites.registry import Registry

_log = logging.getLogger(__name__)
_Marks = tuple[tuple[str, int, int, int], ...]


class Watched:
    """``current`` is swapped as a whole. The first reading must be good: :class:`SitesError` if not.

    ``models``: names of the stage models that a site may name.
    """

    def __init__(
        self,
        place: Path,
        environ: Mapping[str, str],
        *,
        models: Collection[str] = (),
        on_change: Callable[[Registry], object] = lambda _: None,
    ) -> None:
        self._place = place
        self._environ = environ
        self._models = models
        self._on_change = on_change
        self._marks = self._look()
        self.current = Registry(read_sites(place, models), environ=environ)
        self.error = ""

    def refresh(self) -> bool:
        """Read again if a file has changed; True if there is a new reading. Never raises for what is in the files."""
        try:
            marks = self._look()
            if marks == self._marks:
                return False
            self._marks = marks
            registry = Registry(read_sites(self._place, self._models), environ=self._environ)
        except SitesError as error:
            if str(error) != self.error:
                self.error = str(error)
                _log.error("the sites stay as they were: %s", error)
            return False
        self.current, self.error = registry, ""
        _log.warning("sites read again: %d of them", len(registry.sites))
        self._on_change(registry)
        return True

    def _look(self) -> _Marks:
        """What changes when a file does: name, time, size, and the file itself where one took another's place."""
        marks = []
        for file in files_of(self._place):
            try:
                stat = file.stat()
            except OSError:
                continue
            marks.append((str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return tuple(marks)
