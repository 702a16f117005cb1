"""`python -m loadtests` is `fast-priority loadtest`."""

from loadtests.cli import main

if __name__ == "__main__":
    main()
