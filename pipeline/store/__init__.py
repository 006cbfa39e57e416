"""The store: ClickHouse on a server, or the same engine in this process (chDB). One DDL and one client for
both.

:mod:`client` talks to the engine, :mod:`migrations` brings the tables to this program's state, :mod:`sink`
writes Arrow blocks, :mod:`views` names what readers may rely on, :mod:`query_socket` lets other processes
ask, :mod:`verify` recomputes what the stream said. Every call blocks: from an event loop, use
``asyncio.to_thread``.
"""
