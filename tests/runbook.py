"""Someone who types what the pages show; `python -m tests.runbook` writes what they get."""

import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.builders import Repo
from tests.conftest import Factory

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("operator.md", "blocked.md", "newcomer.md")
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^[A-Z][A-Z ]+$")
_PERSON = "[user]\n\tname = Ann Operator\n\temail = ann@localhost\n[init]\n\tdefaultBranch = main\n"

_SIDE_BY_SIDE = re.compile(r"[A-Za-z][\w-]*: |check \S+( runs|:)")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows of a command, or of the report of the run that was named last."""

    command: str
    shown: str
    printed: str


class Reader:
    """Someone with a home and an empty folder, who types a page from its top to its end."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, with a home and a folder for plans beside it."""
        self.place, self.home = folder / "repo", folder / "home"
        for made in (self.place, self.home, folder / "plans"):
            made.mkdir()
        (self.home / ".gitconfig").write_text(_PERSON, "utf-8")
        self.factory = Factory(self.place, self.home)

    def read(self, page: str) -> tuple[list[Shown], list[Shown]]:
        """Return what the page shows of commands, and what of reports."""
        blocks = _FENCED.findall(page)
        self._prepared(blocks)
        said, reported, run = [], [], ""
        for kind, content in blocks:
            if kind == "console":
                for command, shown in _commands(content):
                    run = _run_id(command) or run
                    said.append(Shown(command, shown, self._typed(command)))
            elif kind == "toml":
                self._written(content)
            elif kind == "text":
                report = self.factory("print-report", "--run-id", run).stdout
                reported.append(Shown(run, content, report))
        return said, reported

    def _prepared(self, blocks: list[tuple[str, str]]) -> None:
        """Commit what the page says of its repository; a page that says nothing makes its own."""
        scripts = [content for kind, content in blocks if kind == "sh"]
        if not scripts:
            return
        repo = Repo.make(self.place)
        for script in scripts:
            self._typed(script)
        for plan in (content for kind, content in blocks if kind == "toml"):
            self._written(plan)
        repo.commit()

    def _written(self, plan: str) -> None:
        """Write a plan into the file that its first line names."""
        name = plan.partition("\n")[0].removeprefix("# ")
        (self.place / name).write_text(plan, "utf-8")

    def _typed(self, command: str) -> str:
        """Return what a line of the page prints, without the names of our folders."""
        if command.startswith("factory "):
            ended = self.factory(*shlex.split(command)[1:])
            printed = ended.stderr + ended.stdout
        else:
            done = subprocess.run(
                ["sh", "-e", "-c", command],
                cwd=self.place,
                env=self.factory.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            printed = done.stdout.decode("utf-8")
            assert done.returncode == 0, (command, printed)
        printed = printed.replace(str(self.place), "your/repository")
        printed = printed.replace(str(self.home), "~")
        return "".join(line.rstrip() + "\n" for line in printed.splitlines())


def plain(printed: str) -> str:
    """Return what was printed without what differs from host to host and from day to day."""
    printed = re.sub(r"\d{4}-\d\d-\d\dT[0-9:]{8}(\.\d+Z)?", "<date>", printed)
    printed = re.sub(r"\b[0-9a-f]{7,64}\b", "<digest>", printed)
    printed = re.sub(r"\b[0-9.]+ (B|KiB|MiB|GiB|TiB)\b", "<size>", printed)
    printed = re.sub(r"\b\d+s\b", "<time>", printed)
    return re.sub(r"(?<=\S) {2,}", "  ", printed)


def steady(printed: str) -> str:
    """Return what was printed, plain; what workers and checks do side by side is sorted."""
    lines = plain(printed).splitlines()
    groups = groupby(lines, key=lambda line: _SIDE_BY_SIDE.match(line) is not None)
    return "\n".join(
        line for beside, group in groups for line in (sorted(group) if beside else group)
    )


def refreshed(page: str, said: list[Shown], reported: list[Shown]) -> str:
    """Return the page with what each command printed, and each report says, where it differs."""
    # All of a page or nothing: names that one command shows are those that another is given.
    is_old = any(steady(one.shown) != steady(one.printed) for one in said)
    at = 0
    for one in said:
        old = f"$ {one.command}\n{one.shown}"
        at = page.index(old, at)
        if is_old:
            new = f"$ {one.command}\n{one.printed}"
            page, old = page[:at] + new + page[at + len(old) :], new
        at += len(old)
    for one in reported:
        is_begun = all(_HEADING.match(line) for line in one.shown.splitlines())
        if is_begun or plain(one.shown) not in plain(one.printed):
            old, new = f"```text\n{one.shown}```", f"```text\n{_excerpt(one)}```"
            page = page.replace(old, new, 1)
    return page


def _excerpt(one: Shown) -> str:
    """Return the sections of a report that an excerpt shows, from its first line on."""
    lines, wanted = one.printed.splitlines(), one.shown.splitlines()
    first = lines.index(wanted[0])
    last = max(lines.index(line) for line in wanted if _HEADING.match(line))
    end = next((n for n in range(last, len(lines)) if not lines[n]), len(lines))
    return "\n".join(lines[first:end]) + "\n"


def _commands(console: str) -> list[tuple[str, str]]:
    """Return each command of a block, with what it shows below it."""
    parts = re.split(r"^\$ (.*)\n", console, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def _run_id(command: str) -> str:
    words = shlex.split(command)
    return words[words.index("--run-id") + 1] if "--run-id" in words else ""


if __name__ == "__main__":
    for page in sys.argv[1:] or PAGES:
        with tempfile.TemporaryDirectory() as folder:
            content = (DOCS / page).read_text("utf-8")
            shown = Reader(Path(folder)).read(content)
            (DOCS / page).write_text(refreshed(content, *shown), "utf-8")
