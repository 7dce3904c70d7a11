"""Commits of a worker that are in no captured tree: kept as a git bundle, never judged."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.errors import raise_spent
from tools.codex.factory.repository.listing import Lens
from tools.codex.factory.repository.own_git import OwnGit

# What git-check-ref-format(1) refuses, and what is not below refs/.
_REFUSED = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|[./]$")
_ODD = re.compile(r"[^A-Za-z0-9]+")
_MOST_NAME = 60


@dataclass(frozen=True, slots=True)
class Stray:
    """A git bundle, and what its tips were called; empty where there is none."""

    bundle: bytes
    names: tuple[str, ...]


NO_STRAY = Stray(b"", ())


def stray_commits(
    through: Lens, own: OwnGit, *, base: ObjectId, shallow: bytes, limit: int
) -> Stray:
    """Return the commits that some tip has, and neither HEAD nor the base.

    Raises RepositoryError where git cannot read them, ValueError where their bundle has more than
    `limit` bytes.
    """
    known = {own.head, base} - {None}
    tips = {name: oid for name, oid in _in_order(own.tips) if oid not in known}
    if not tips:
        return NO_STRAY
    if shallow:
        (through.own / "shallow").write_bytes(shallow)
    asked = "".join(f"{oid}\n" for oid in sorted(set(tips.values())))
    asked += "".join(f"^{oid}\n" for oid in sorted(map(str, known)))
    words = ("rev-list", "--parents", "--stdin")
    said = through.read(*words, feed=asked.encode(), more=own.objects)
    rows = [line.split() for line in said.decode("ascii").splitlines()]
    # A commit that another lost one follows comes along with that.
    lost = {row[0] for row in rows}.difference(parent for row in rows for parent in row[1:])
    peeled = _peeled(through, own, tips.values())
    named: dict[ObjectId, str] = {}
    for name, oid in tips.items():
        if peeled.get(oid, oid) in lost:
            lost.discard(peeled.get(oid, oid))
            named[oid] = name
    if not named:
        return NO_STRAY
    refs = [_kept(through, name, oid, n) for n, (oid, name) in enumerate(named.items(), 1)]
    made = through.own / "stray.bundle"
    through.read("bundle", "create", "--quiet", str(made), *refs, f"^{base}", more=own.objects)
    if made.stat().st_size > limit:
        raise ValueError(f"they take {made.stat().st_size} bytes, more than {limit}")
    return Stray(made.read_bytes(), tuple(named.values()))


def _peeled(through: Lens, own: OwnGit, oids: Iterable[ObjectId]) -> dict[ObjectId, str]:
    """Return what each object leads to: a tag is no commit, and names one."""
    asked = sorted(set(oids))
    said = through.read(
        "cat-file", "--batch-check=%(objectname)",
        feed="".join(f"{oid}^{{}}\n" for oid in asked).encode(),
        more=own.objects,
    )  # fmt: skip
    return dict(zip(asked, said.decode("ascii", "replace").splitlines(), strict=True))


def _kept(through: Lens, name: str, oid: ObjectId, number: int) -> str:
    """Make a ref for `oid` and return its name: the worker's, or one of ours that resembles it.

    A worker's own may be none that git takes, or stand in another's way.
    """
    invented = f"refs/stray/{number}{_suffix(name)}"
    for ref in (
        (name, invented) if name.startswith("refs/") and not _REFUSED.search(name) else (invented,)
    ):
        try:
            (through.own / ref).parent.mkdir(parents=True, exist_ok=True)
            (through.own / ref).write_text(f"{oid}\n", "ascii")
            return ref
        except OSError as error:
            raise_spent(error, f"commits beside HEAD cannot be kept in {str(through.own)!r}")
            continue
    raise ValueError(f"no name can be found for {name!r}")


def _in_order(tips: Mapping[str, ObjectId]) -> list[tuple[str, ObjectId]]:
    """Return refs before what only a log knows: a commit goes by the name that it still has."""
    return sorted(tips.items(), key=lambda tip: ("@{" in tip[0], tip[0]))


def _suffix(name: str) -> str:
    plain = _ODD.sub("-", name.removeprefix("refs/").removeprefix("heads/")).strip("-")
    return f"-{plain[:_MOST_NAME]}" if plain else ""
