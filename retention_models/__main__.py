"""``python -m retention_models`` is the command ``retention-models``."""

import sys

from retention_models.cli import main

if __name__ == "__main__":
    sys.exit(main())
