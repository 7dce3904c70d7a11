"""The front door is `cli.main`."""

import sys

from tools.codex.factory.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
