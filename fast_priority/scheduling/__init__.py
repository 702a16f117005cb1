"""Which request goes first, and when a refused one should come again. Pure."""
