"""What workers hand in, in tests: patches, branches, bundle folders, and their plan."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.builders import Repo
from tests.conftest import Ended, Factory

Edit = Callable[[Repo], None]
Document = dict[str, Any]


@dataclass(slots=True)
class Work:
    """A repository, the command, and a plan that grows with each worker."""

    repo: Repo
    factory: Factory
    folder: Path
    workers: list[Document] = field(default_factory=list)

    def patch(self, worker: str, edit: Edit, *flags: str, **fields: object) -> bytes:
        """Let `worker` hand in what `edit` does to the work tree, as a patch made with `flags`."""
        edit(self.repo)
        self.repo.git("add", "-A")
        content = self.repo.git("diff", "--cached", "--binary", "--full-index", *flags)
        self.repo.reset()
        self.raw(worker, content, **fields)
        return content

    def raw(self, worker: str, content: bytes, **fields: object) -> None:
        """Let `worker` hand in these very bytes as a patch."""
        (self.folder / f"{worker}.patch").write_bytes(content)
        self.add(worker, patch=f"{worker}.patch", **fields)

    def branch(self, worker: str, edit: Edit, *, start: str = "HEAD", **fields: object) -> str:
        """Let `worker` hand in what `edit` does as a branch from `start`; return its commit."""
        here = self.repo.git("rev-parse", "--abbrev-ref", "HEAD").decode().strip()
        self.repo.git("checkout", "-q", "-b", f"work/{worker}", start)
        edit(self.repo)
        commit = self.repo.commit(f"work of {worker}")
        self.repo.git("checkout", "-q", here)
        self.add(worker, branch=f"work/{worker}", **fields)
        return commit

    def add(self, worker: str, **fields: object) -> None:
        """Add a worker with these plan fields."""
        self.workers.append({"id": worker, **fields})

    def plan(self, name: str = "plan.json", **more: object) -> str:
        """Write the plan and return its path."""
        document = {"schema_version": 1, "title": "A test", "workers": self.workers, **more}
        path = self.folder / name
        path.write_text(json.dumps(document), "utf-8")
        return str(path)

    def oneshot(self, *words: str, env: Mapping[str, str] | None = None) -> Ended:
        """Run the plan from patch to verdict, answered as JSON."""
        return self.factory("oneshot", "--plan", self.plan(), "--json", *words, env=env)

    def run(self, ended: Ended) -> Path:
        """Return the folder of the run that a command answered about."""
        return self.runs_root / str(ended.answer["run_id"])

    @property
    def runs_root(self) -> Path:
        """Return where the runs of the repository lie."""
        return self.repo.path / "tools" / "codex" / "runs"

    def bundle(self, worker: str, edit: Edit, run_id: str, **fields: object) -> Path:
        """Return a folder with the bundle that this factory would make for `worker`.

        It is made in a runs root of its own, under the same run id, so it fits a run of that id.
        """
        elsewhere = Work(self.repo, self.factory, self.folder / f"make-{worker}")
        elsewhere.folder.mkdir()
        elsewhere.patch(worker, edit, **fields)
        root = str(elsewhere.folder / "runs")
        words = ("launch", "--plan", elsewhere.plan(), "--run-id", run_id, "--runs-root", root)
        ended = self.factory(*words)
        assert ended.exit_code == 0, ended.stderr
        folder = elsewhere.folder / "runs" / run_id / worker
        self.add(worker, bundle=str(folder), **fields)
        return folder


def codes(ended: Ended) -> set[str]:
    """Return the codes of the findings in an answer."""
    return {finding["code"] for finding in ended.answer["findings"]}


def blocking(ended: Ended) -> list[tuple[str, str]]:
    """Return code and subject of each blocking finding, in the order reported."""
    findings = ended.answer["findings"]
    return [(f["code"], f["subject"]) for f in findings if f["severity"] == "blocks"]


def rewrite(path: Path, change: Callable[[Document], None]) -> None:
    """Change a JSON document on disk."""
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


def edit_line(path: str, number: int, text: str) -> Edit:
    """Return an edit that gives line `number` (from 1) of a file a new text."""

    def edit(repo: Repo) -> None:
        lines = (repo.path / path).read_text("utf-8").splitlines(keepends=True)
        lines[number - 1] = text + "\n"
        repo.write(path, "".join(lines))

    return edit


def write_file(path: str, content: str | bytes) -> Edit:
    """Return an edit that writes a file."""

    def edit(repo: Repo) -> None:
        repo.write(path, content)

    return edit


def delete_file(path: str) -> Edit:
    """Return an edit that deletes a file."""

    def edit(repo: Repo) -> None:
        repo.delete(path)

    return edit


def move_file(old: str, new: str) -> Edit:
    """Return an edit that renames a file."""

    def edit(repo: Repo) -> None:
        (repo.path / new).parent.mkdir(parents=True, exist_ok=True)
        repo.git("mv", old, new)

    return edit
