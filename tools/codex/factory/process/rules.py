"""What the kernel is to hold a child to, as values; the thread that starts it applies them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tools.codex.factory.domain.trespass import UNBOUND, Bounds
from tools.codex.factory.process.observed import Observing


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRules:
    """A Landlock ruleset: what is `handled` is refused, but where `allowed` grants it by folder.

    With something `hidden`, reading is handled too, and granted for the rest. Rights are bits of
    LANDLOCK_ACCESS_FS_*, `network` of LANDLOCK_ACCESS_NET_*, `scopes` of LANDLOCK_SCOPE_*. A kernel
    that does not know a right yet leaves it out.
    """

    handled: int
    allowed: tuple[tuple[str, int], ...]
    hidden: tuple[str, ...] = ()
    network: int = 0
    scopes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds a child and all that it starts.

    `filters` are seccomp programs; of the calls in `observing` the parent is told, and counts those
    outside `bounds`. `fed` are contents that the child reads from open files, whose numbers take
    the place of the given words in its command line. `limits` are those of `resource`. With
    `status` the child is the `wrapper`, or becomes it, that starts the program `wraps` and says
    how that ended: into the open file whose number takes the place of that word.
    """

    files: FileRules | None = None
    filters: tuple[bytes, ...] = ()
    observing: Observing | None = None
    bounds: Bounds = UNBOUND
    drops_capabilities: bool = False
    fed: Mapping[str, bytes] = field(default_factory=dict)
    limits: tuple[tuple[int, int], ...] = ()
    status: str = ""
    wraps: str = ""
    wrapper: str = ""


FREE = Rules()
"""Nothing is held."""
