"""How records travel: topics as a log on SQLite (``log``), its Faust driver (``driver``), the unit of work (``unit``).

``batch`` is what an agent is handed; ``state`` is what a hop remembers of one partition.
"""
