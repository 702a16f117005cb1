"""Tools that know neither HTTP nor queues."""
