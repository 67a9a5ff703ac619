"""The tests: a real PostgreSQL, a real browser, real sockets."""
