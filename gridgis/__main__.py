"""`python -m gridgis` is the command `gridgis`."""

import sys

from gridgis.cli import main

if __name__ == "__main__":
    sys.exit(main())
