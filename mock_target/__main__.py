"""`python -m mock_target` starts the mock target."""

from mock_target.cli import main

if __name__ == "__main__":
    main()
