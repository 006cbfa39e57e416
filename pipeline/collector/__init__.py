"""HTTP in: hits from sites, apps and servers, acknowledged once they are durable in the topic ``hits``.

    request -> body -> single hits -> stamped and keyed -> one publish per event-loop turn -> answer

``masir.js`` is the tracker that this server hands out.
"""

from pipeline.collector.limits import Limits
from pipeline.collector.publisher import Publisher, Record, Unavailable
from pipeline.collector.server import Collector, Counts

__all__ = ["Collector", "Counts", "Limits", "Publisher", "Record", "Unavailable"]
