"""How a command was confined, and what it tried outside, as its supervisor says it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from tools.codex.factory.domain.confinement import Confinement, Demand, Tier
from tools.codex.factory.domain.trespass import (
    MOST_KEPT,
    MOST_PATH,
    MOST_PROGRAM,
    NOTHING,
    Operation,
    Seen,
    Trespass,
    together,
)
from tools.codex.factory.domain.wording import brief

_MOST_NUMBER = 1 << 53
_MOST_TEXT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Confined:
    """What kept a command, and what it tried.

    `weaker` says why the tier is weaker than the strongest ("": it is not), `unobserved` why
    nothing could be seen of what it tried ("": it was seen). `beyond` are trespasses more than
    were kept, `caches` what programs try by habit, which is no trespass.
    """

    tier: Tier
    demand: Demand
    weaker: str = ""
    observed: bool = False
    unobserved: str = ""
    trespasses: tuple[Trespass, ...] = ()
    beyond: int = 0
    caches: int = 0

    @property
    def seen(self) -> Seen:
        """Return what it tried."""
        return Seen(trespasses=self.trespasses, beyond=self.beyond, caches=self.caches)

    @property
    def tried(self) -> int:
        """Return how often it tried to write outside."""
        return sum(one.count for one in self.trespasses) + self.beyond


def confined_by(confinement: Confinement, seen: Seen = NOTHING, unobserved: str = "") -> Confined:
    """Return what kept a command of `confinement`, which was `seen` to try so much.

    Where that could not be seen, `unobserved` says why, and nothing counts.
    """
    counts = seen if not unobserved else NOTHING
    return Confined(
        tier=confinement.tier,
        demand=confinement.demand,
        weaker=confinement.weaker,
        observed=not unobserved,
        unobserved=unobserved,
        trespasses=counts.trespasses,
        beyond=counts.beyond,
        caches=counts.caches,
    )


def confined_together(several: Sequence[Confined]) -> Confined:
    """Return as one what kept commands of one confinement, of which there is one at least."""
    unobserved = next((one.unobserved for one in several if not one.observed), "")
    seen = together(one.seen for one in several)
    return replace(
        several[0],
        observed=not unobserved,
        unobserved=unobserved,
        trespasses=seen.trespasses,
        beyond=seen.beyond,
        caches=seen.caches,
    )


def confined_from(said: dict[str, Any] | None) -> Confined | None:
    """Return what `dataclasses.asdict` made `said` of, after a way through JSON.

    Raises ValueError, TypeError or KeyError for what no supervisor writes: a worker may have.
    """
    if said is None:
        return None
    confined = Confined(**{**said, "trespasses": tuple(map(_trespass, said["trespasses"]))})
    if confined.tier not in get_args(Tier) or confined.demand not in get_args(Demand):
        raise ValueError("a confinement that is none")
    for text in (confined.weaker, confined.unobserved):
        _refuse_odd_text(text, _MOST_TEXT)
    if type(confined.observed) is not bool or confined.observed == bool(confined.unobserved):
        raise ValueError("it is not said why nothing was observed")
    if len(confined.trespasses) > MOST_KEPT or (confined.tried and not confined.observed):
        raise ValueError("trespasses that nobody can have seen")
    for count in (confined.beyond, confined.caches):
        _refuse_odd_count(count)
    return confined


def _trespass(said: dict[str, Any]) -> Trespass:
    trespass = Trespass(**said)
    if trespass.operation not in get_args(Operation):
        raise ValueError(f"{brief(str(trespass.operation))} is no way to write")
    _refuse_odd_text(trespass.path, MOST_PATH)
    _refuse_odd_text(trespass.program, MOST_PROGRAM)
    if not trespass.path.startswith("/") or "\0" in trespass.path:
        raise ValueError(f"{brief(trespass.path)} is no absolute path")
    _refuse_odd_count(trespass.count)
    return trespass


def _refuse_odd_count(count: object) -> None:
    if type(count) is not int or not 0 <= count <= _MOST_NUMBER:
        raise ValueError("a number that nobody can have counted")


def _refuse_odd_text(text: object, most: int) -> None:
    if not isinstance(text, str) or len(text) > most:
        raise ValueError("a text that is none, or too long")
    text.encode("utf-8", "surrogateescape")
