"""Runs whose plan has checks: a small world, checks as shell lines, and what was said of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.builders import Repo
from tests.conftest import Ended, Factory
from tests.work import Document, Work, write_file

SETTINGS = {"FACTORY_WORK__GRACE": "1s", "FACTORY_WORK__LOG_BYTES": "65536"}


@dataclass(frozen=True, slots=True)
class Checked:
    """A run that was integrated, read back from its folder."""

    work: Work
    ended: Ended

    @property
    def run_id(self) -> str:
        return str(self.ended.answer["run_id"])

    @property
    def folder(self) -> Path:
        return self.work.run(self.ended) / "Z_integrator"

    @property
    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.folder / "STATUS.json").read_text())
        return document

    @property
    def above(self) -> str:
        """Return the report down to THIS RUN."""
        return self._parts[0]

    @property
    def this_run(self) -> str:
        return self._parts[1]

    @property
    def _parts(self) -> tuple[str, str]:
        text = (self.folder / "FINAL_REPORT.txt").read_text()
        above, line, below = text.partition("\nTHIS RUN\n")
        assert line, text
        return above, below

    @property
    def results(self) -> dict[str, str]:
        return {row["name"]: row["result"] for row in self.status["checks"]}

    def row(self, name: str) -> dict[str, Any]:
        row: dict[str, Any] = {row["name"]: row for row in self.status["checks"]}[name]
        return row

    @property
    def table(self) -> dict[tuple[str, str | None], str]:
        """Return the attribution: what came of each trial."""
        return {
            (row["tried"], row["worker_id"]): row["result"] for row in self.status["attribution"]
        }

    def message(self, code: str) -> str:
        """Return what the one finding of this code says."""
        (message,) = [f["message"] for f in self.status["findings"] if f["code"] == code]
        return str(message)

    def said(self, name: str) -> str:
        """Return the log of a name."""
        return (self.folder / "LOGS" / name).read_text("utf-8", "replace")

    @property
    def blocking(self) -> list[tuple[str, str]]:
        findings = self.status["findings"]
        return [(f["code"], f["subject"]) for f in findings if f["severity"] == "blocks"]


def sh(name: str, script: str, **fields: object) -> Document:
    """Return a check that is a line of shell."""
    return {"name": name, "command": ["sh", "-c", script], **fields}


def probe(name: str, script: str, **fields: object) -> Document:
    """Return a check that stops nobody."""
    return sh(name, script, required=False, **fields)


def counted(path: Path) -> str:
    """Return a line of shell that leaves one more mark in a file."""
    return f"printf x >> '{path}'"


def a_work(top: Path) -> Work:
    """Return a repository in `top` that ignores *.ignored, the command, and an empty plan."""
    repo = Repo.make(top / "repo")
    repo.write(".gitignore", "*.ignored\n")
    repo.write("README.md", "# A small world\n")
    repo.write("src/app.txt", "".join(f"line {n}\n" for n in range(1, 21)))
    repo.commit()
    (top / "home").mkdir()
    (top / "incoming").mkdir()
    return Work(repo, Factory(repo.path, top / "home"), top / "incoming")


def workers(work: Work, *names: str) -> None:
    """Let each of `names` hand in one file of its own: NAME.txt."""
    for name in names:
        work.patch(name, write_file(f"{name}.txt", f"{name}\n"), allow=["*.txt"])


def checked(
    work: Work,
    checks: Sequence[Document],
    *words: str,
    env: Mapping[str, str] | None = None,
    **more: Any,
) -> Checked:
    """Run the plan with these checks from patch to verdict."""
    named = ("oneshot", "--plan", work.plan(checks=list(checks), **more), "--json", *words)
    ended = work.factory(*named, env={**SETTINGS, **(env or {})})
    assert "run_id" in ended.answer, (ended.stdout, ended.stderr)
    return Checked(work, ended)


def integrated(
    work: Work, run_id: str, *words: str, env: Mapping[str, str] | None = None
) -> Checked:
    """Integrate a run again."""
    named = ("integrate", "--run-id", run_id, "--json", *words)
    ended = work.factory(*named, env={**SETTINGS, **(env or {})})
    assert "run_id" in ended.answer, (ended.stdout, ended.stderr)
    return Checked(work, ended)
