"""What the commands that bring an operator and a repository together say as JSON."""

from tools.codex.factory.domain.answer import Answer
from tools.codex.factory.domain.artifact import Artifact


class CompletionAnswer(Answer):
    """What `completion` says with `--json`."""

    shell: str
    script: str


class OpenAnswer(Answer):
    """What `open-report` and `open-run` say with `--json`: the path, which is opened by nobody."""

    run_id: str
    path: str


class LanguageSaid(Artifact):
    """A language of the repository, and how many files are in it."""

    language: str
    files: int


class CheckSaid(Artifact):
    """A check that was found. `missing` says why the plan has it as a comment only, if it does."""

    name: str
    command: tuple[str, ...]
    missing: str


class WorkerSaid(Artifact):
    """A worker of the plan, and what it may write."""

    worker_id: str
    allow: tuple[str, ...]


class InitAnswer(Answer):
    """What `init` says with `--json`: what it found, what it wrote, and the plan itself."""

    files: tuple[str, ...]
    languages: tuple[LanguageSaid, ...]
    checks: tuple[CheckSaid, ...]
    workers: tuple[WorkerSaid, ...]
    plan: str
