"""`python -m analysis`."""

import sys

from analysis.command.main import main

if __name__ == "__main__":
    sys.exit(main())
