"""``python -m tinyml``."""

from __future__ import annotations

import sys

from tinyml.cli import main

if __name__ == "__main__":
    sys.exit(main())
