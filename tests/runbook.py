"""Someone who types what the runbook shows; `python -m tests.runbook` writes what they get."""

import re
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.builders import Repo
from tests.conftest import Factory

PAGE = Path(__file__).parents[1] / "docs" / "operator.md"
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows of a command, or of the report of the run that was named last."""

    command: str
    shown: str
    printed: str


class Reader:
    """A repository, and someone who goes through a page from its first command to its last."""

    def __init__(self, folder: Path) -> None:
        """Make an empty repository, with a home and a folder for plans beside it."""
        self.repo = Repo.make(folder / "repo")
        self.home = folder / "home"
        self.home.mkdir()
        (folder / "plans").mkdir()
        self.factory = Factory(self.repo.path, self.home)

    def read(self, page: str) -> tuple[list[Shown], list[Shown]]:
        """Return what the page shows of commands, and what of reports."""
        blocks = _FENCED.findall(page)
        for script in (content for kind, content in blocks if kind == "sh"):
            self._typed(script)
        for plan in (content for kind, content in blocks if kind == "toml"):
            name = plan.partition("\n")[0].removeprefix("# ")
            (self.repo.path / name).write_text(plan, "utf-8")
        self.repo.commit()
        said, reported, run = [], [], ""
        for kind, content in blocks:
            if kind == "console":
                for command, shown in _commands(content):
                    run = _run_id(command) or run
                    said.append(Shown(command, shown, self._typed(command)))
            elif kind == "text":
                report = self.factory("print-report", "--run-id", run).stdout
                reported.append(Shown(run, content, report))
        return said, reported

    def _typed(self, command: str) -> str:
        """Return what a line of the page prints, without the names of our folders."""
        if command.startswith("factory "):
            ended = self.factory(*shlex.split(command)[1:])
            printed = ended.stderr + ended.stdout
        else:
            done = subprocess.run(
                ["sh", "-e", "-c", command],
                cwd=self.repo.path,
                env=self.factory.environment(),
                capture_output=True,
                check=True,
            )
            printed = done.stdout.decode("utf-8")
        printed = printed.replace(str(self.repo.path), "your/repository")
        printed = printed.replace(str(self.home), "~")
        return "".join(line.rstrip() + "\n" for line in printed.splitlines())


def steady(printed: str) -> str:
    """Return what was printed without dates, times and digests, and in an order of its own.

    Workers side by side end in any order.
    """
    printed = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]{15}Z", "<date>", printed)
    printed = re.sub(r"\b[0-9a-f]{12}\b", "<digest>", printed)
    printed = re.sub(r" +\d+s\b *", " <time> ", printed)
    return "\n".join(sorted(printed.splitlines()))


def refreshed(page: str, said: list[Shown]) -> str:
    """Return the page with what each command printed where that is not what it shows."""
    for one in said:
        if steady(one.shown) != steady(one.printed):
            page = page.replace(f"$ {one.command}\n{one.shown}", f"$ {one.command}\n{one.printed}")
    return page


def _commands(console: str) -> list[tuple[str, str]]:
    """Return each command of a block, with what it shows below it."""
    parts = re.split(r"^\$ (.*)\n", console, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def _run_id(command: str) -> str:
    words = shlex.split(command)
    return words[words.index("--run-id") + 1] if "--run-id" in words else ""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        content = PAGE.read_text("utf-8")
        PAGE.write_text(refreshed(content, Reader(Path(folder)).read(content)[0]), "utf-8")
