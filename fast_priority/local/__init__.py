"""Parts of the whole as processes of this machine: a Redis, workers and a gateway, started and stopped together."""
