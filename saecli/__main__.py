"""`python -m saecli`."""

import sys

from saecli.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
