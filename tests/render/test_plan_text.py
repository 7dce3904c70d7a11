"""The text of a first plan: TOML that every reader understands alike."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from tools.codex.factory.render.plan_text import toml_string


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_from_toml_as_it_was(text: str) -> None:
    written = toml_string(text)

    assert tomllib.loads(f"x = {written}") == {"x": text}
    assert written.isascii() or "\u202e" not in written
