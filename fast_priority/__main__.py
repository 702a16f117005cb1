"""`python -m fast_priority` is `fast-priority`."""

from fast_priority.cli import main

if __name__ == "__main__":
    main()
