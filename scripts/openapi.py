"""Write the description of the REST API to docs/openapi.json: `python -m scripts.openapi write`.

Without `write` it says whether the copy is true. `python -m scripts.openapi release` makes it the released one, which
`check_openapi.py` holds later ones against: for a release, and for nothing else.
"""

import json
import sys
from pathlib import Path

from talktime.api.document import document

DOCS = Path(__file__).resolve().parent.parent / "docs"
CURRENT = DOCS / "openapi.json"
RELEASED = DOCS / "openapi-released.json"


def written() -> str:
    """The description as a file that can be compared line by line."""
    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Exit code 1 when the copy is stale."""
    if "write" in sys.argv:
        CURRENT.write_text(written())
        return 0
    if "release" in sys.argv:
        RELEASED.write_text(written())
        return 0
    if not CURRENT.exists() or CURRENT.read_text() != written():
        print("docs/openapi.json is not true any more: run python -m scripts.openapi write and look at it.")
        return 1
    print("docs/openapi.json is what the routes say.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
