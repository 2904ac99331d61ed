"""`python -m hgeisim`: the command without its script."""

import sys

from hgeisim.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
