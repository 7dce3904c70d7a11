"""The tables of docs/security.md: the attacks. `python -m tests.attacks_page` writes them."""

from collections.abc import Iterator
from pathlib import Path

from tests.confined.attacks import ANSWERS, ATTACKS, Attack

PAGE = Path(__file__).parents[1] / "docs" / "security.md"
_BEGIN, _END = "<!-- attacks: written by `python -m tests.attacks_page` -->", "<!-- end -->"


def page(text: str) -> str:
    """Return the page with its tables as the attacks are now."""
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    return "\n".join(
        [before + _BEGIN, "", *_answers(), "", *_attacks(), "", *_others(), "", _END]
    ) + (after)


def _answers() -> Iterator[str]:
    for name, meaning in ANSWERS.items():
        yield f"* **{name}**: {meaning}"


def _attacks() -> Iterator[str]:
    yield "| | what is tried | by | what stands against it | bubblewrap | Landlock | nothing |"
    yield "|---|---|---|---|---|---|---|"
    for attack in ATTACKS:
        answers = " | ".join(_shown(attack, answer) for answer in attack.answers)
        by = ", ".join(attack.roles)
        yield f"| {attack.number} | {attack.tried} | {by} | {attack.against} | {answers} |"


def _shown(attack: Attack, answer: str) -> str:
    if answer == "found":
        return f"found: `{attack.finding}`"
    return f"**{answer}**" if answer == "open" else answer


def _others() -> Iterator[str]:
    yield "Of these, what is no matter of the tier is held by tests of its own as well:"
    yield ""
    yield "| | test |"
    yield "|---|---|"
    for attack in ATTACKS:
        for test in attack.tests:
            yield f"| {attack.number} | `{test}` |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
