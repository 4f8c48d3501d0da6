"""Names that reach C, as identifiers, string literals and comments: whatever a model calls itself is only a name."""

from __future__ import annotations

import re

_ESCAPED = frozenset(b'"\\?')


def c_identifier(name: str) -> str:
    """``name`` as a lower-case C identifier: other characters become underscores, an empty name ``network``."""
    cleaned = re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_") or "network"
    return f"n{cleaned}" if cleaned[0].isdigit() else cleaned


def c_string(text: str) -> str:
    """``text`` as a string literal in UTF-8. All but plain ASCII is an octal escape, ``?`` too, against trigraphs."""
    encoded = text.encode("utf-8", errors="replace")
    plain = (chr(b) if 32 <= b < 127 and b not in _ESCAPED else f"\\{b:03o}" for b in encoded)
    return f'"{"".join(plain)}"'


def c_comment(text: str) -> str:
    """``text`` as it may stand inside a block comment: one line of ASCII that neither ends nor begins a comment."""
    ascii_text = text.encode("ascii", errors="backslashreplace").decode("ascii")
    printable = "".join(ch if " " <= ch <= "~" else " " for ch in ascii_text)
    return re.sub(r"\?(?=\?)", "? ", printable.replace("*/", "* /").replace("/*", "/ *"))
