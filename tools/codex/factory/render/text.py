"""Text from strangers, made safe to show."""

import unicodedata


def shown(text: str) -> str:
    """Return `text` on one line, with every character that could steer a screen as an escape.

    Control, format (bidi, zero-width) and line-separating characters are shown, not sent.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_plain(character) else _escaped(character) for character in text)


def shown_lines(text: str) -> str:
    """Return `text` with each of its lines as `shown` gives it; only newlines part them."""
    return "\n".join(shown(line) for line in text.split("\n"))


def _is_plain(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
