"""The collector over real sockets, and its tracker script in a real browser."""
