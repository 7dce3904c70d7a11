"""The repository and the configuration, as rows: what they are, and what is out of the ordinary."""

from collections.abc import Iterator

from tools.codex.factory.config import CONFIG_FILE, values
from tools.codex.factory.domain.fitness import Row, noted, ok
from tools.codex.factory.errors import FactoryError
from tools.codex.factory.pipelines.standing import Standing
from tools.codex.factory.repository.discovery import Base, UserRepository, base_of
from tools.codex.factory.repository.git import Git
from tools.codex.factory.repository.kind import Kind, kind_of, submodules_in
from tools.codex.factory.repository.work_tree import left_out
from tools.codex.factory.stages.preflight import refused


def repository_rows(standing: Standing, ref: str) -> tuple[Row, ...]:
    """Return rows about the repository; `ref` is what a run would start from."""
    git, repository = standing.git, standing.repository
    if isinstance(repository, FactoryError):
        return (refused("repository", "repository", repository),)
    assert not isinstance(git, FactoryError)
    try:
        return tuple(_repository_rows(git, repository, ref))
    except FactoryError as error:
        return (refused("repository", str(repository.work_tree), error),)


def configuration_rows(standing: Standing) -> tuple[Row, ...]:
    """Return rows about the settings: the layers that were found, and what is not the default."""
    if standing.wrong_settings is not None:
        wrong = refused("configuration", "settings", standing.wrong_settings)
        rest = noted("configuration", "the rows below", "they were asked with the defaults")
        return (wrong, rest)
    settings = standing.settings
    found = values(settings.config)
    layers = settings.provenance
    changed = [
        ok("configuration", key, f"{_said(found[key])} ({layers[key]})")
        for key in sorted(found)
        if layers[key] != "default"
    ]
    passed_over = [
        noted("configuration", note.partition(" ")[0], note, "unset it, or spell it as a setting")
        for note in settings.notes
    ]
    return (_layers(standing), *changed, *passed_over)


def _repository_rows(git: Git, repository: UserRepository, ref: str) -> Iterator[Row]:
    kind = kind_of(git, repository)
    is_what = ["work tree of a repository with several" if kind.is_linked else "SHA-1 objects"]
    is_what += ["shallow"] * kind.is_shallow
    yield ok("repository", str(repository.work_tree), ", ".join(is_what))
    yield _case_row(kind)
    try:
        base = base_of(git, repository, ref)
    except FactoryError as error:
        yield refused("repository", f"base {ref}", error)
        return
    yield _base_row(base, kind)
    count = submodules_in(git, repository, base.commit)
    if count:
        said = f"{count} in the base; they stay as they are, and changing one is BLOCKED"
        yield noted("repository", "submodules", said)
    yield _work_tree_row(left_out(git, repository, base.commit))


def _case_row(kind: Kind) -> Row:
    what = "letter case of names"
    if kind.folds_case and not kind.ignores_case:
        said = "the file system folds it, and core.ignorecase says that it does not"
        return noted("repository", what, said, "git config core.ignorecase true")
    if kind.folds_case:
        said = "the file system folds it: names that differ in it alone cannot both lie here"
        return noted("repository", what, said, "keep such names out of the plan's scopes")
    if kind.ignores_case:
        said = "the file system keeps it, and core.ignorecase says that it does not"
        return noted("repository", what, said, "git config core.ignorecase false")
    return ok("repository", what, "kept")


def _base_row(base: Base, kind: Kind) -> Row:
    where = f" (branch {kind.branch})" if kind.branch else " (detached)"
    said = f"{base.commit}{where if base.ref == 'HEAD' else ''}, all its objects are here"
    return ok("repository", f"base {base.ref}", said)


def _work_tree_row(dirty: int) -> Row:
    if not dirty:
        return ok("repository", "work tree", "what is committed is all there is")
    said = f"{dirty} changed or untracked paths are in no run"
    return noted("repository", "work tree", said, "commit what the workers need to see")


def _layers(standing: Standing) -> Row:
    layers = {layer.partition(" FACTORY_")[0] for layer in standing.settings.provenance.values()}
    files = sorted(layers - {"default", "environment", "command line"})
    others = [name for name in ("environment", "command line") if name in layers]
    repository = standing.repository
    if not files and not isinstance(repository, FactoryError):
        # A file that sets nothing is a layer, too.
        files = [CONFIG_FILE] * (repository.work_tree / CONFIG_FILE).is_file()
    return ok("configuration", "layers", ", ".join(["defaults", *files, *others]))


def _said(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
