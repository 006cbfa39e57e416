"""The sites that may send, and by which rules: read from TOML, watched, changed without a restart.

    file or directory -> ``site`` records (``reading``) -> ``registry`` (who is this, may it?) -> the newest good one
    (``watching``)

``in_force``: the registry that the settings name. ``keys``: secrets of servers. Without a registry any site may send
from any origin, and the settings' rules hold.
"""

from pipeline.collector.sites.reading import SitesError, read_sites
from pipeline.collector.sites.registry import Caller, Denial, Denied, Registry, Trust
from pipeline.collector.sites.site import Privacy, Site
from pipeline.collector.sites.watching import Watched

__all__ = [
    "Caller",
    "Denial",
    "Denied",
    "Privacy",
    "Registry",
    "Site",
    "SitesError",
    "Trust",
    "Watched",
    "read_sites",
]
