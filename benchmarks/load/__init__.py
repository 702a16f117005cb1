"""Load by programs that are not ours, and by the load tests."""
