"""Commits of a worker that are in no captured tree: kept as a git bundle, never judged."""

from dataclasses import dataclass

from tools.codex.factory.domain.identity import ObjectId
from tools.codex.factory.repository.checkout import BRANCH
from tools.codex.factory.repository.listing import Lens
from tools.codex.factory.repository.own_git import OwnGit


@dataclass(frozen=True, slots=True)
class Stray:
    """A git bundle, and the refs in it; empty where there is none."""

    bundle: bytes
    refs: tuple[str, ...]


NO_STRAY = Stray(b"", ())


def stray_commits(through: Lens, own: OwnGit, *, base: ObjectId, shallow: bytes) -> Stray:
    """Return the commits on refs beside HEAD that neither HEAD nor the base has.

    Raises RepositoryError where git cannot read them.
    """
    here = {own.head, base, None}
    tips = {name: oid for name, oid in own.refs.items() if oid not in here and name != BRANCH}
    if own.head != own.refs.get(BRANCH) and own.refs.get(BRANCH) not in here:
        tips[BRANCH] = own.refs[BRANCH]
    if not tips:
        return NO_STRAY
    if shallow:
        (through.own / "shallow").write_bytes(shallow)
    known = [f"^{oid}" for oid in (own.head, base) if oid is not None]
    lost = {}
    for name, oid in sorted(tips.items()):
        words = ("rev-list", "--count", "--max-count=1", oid, *known)
        if through.read(*words, more=own.objects).strip() != b"0":
            lost[name] = oid
    if not lost:
        return NO_STRAY
    for name, oid in lost.items():
        ref = through.own / name
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(f"{oid}\n", "ascii")
    made = through.own / "stray.bundle"
    through.read("bundle", "create", "--quiet", str(made), *lost, f"^{base}", more=own.objects)
    return Stray(made.read_bytes(), tuple(lost))
