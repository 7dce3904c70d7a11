"""Every `factory amend` line that a hint or a report prints, typed as it stands in a shell."""

import os
import re
import subprocess

import pytest

from tests.conftest import Ended
from tests.work import Work, blocking, edit_line, write_file

pytestmark = pytest.mark.slow

LEVER = re.compile(r"`factory (amend .*?) --reason WHY`", re.DOTALL)
PATHS = [
    "with space/a b.txt",
    "two spaces  ",
    " begins with one",
    "star*what?.txt",
    "brackets[0-9].txt",
    "open[only",
    "[[:alpha:]]x",
    "!bang",
    "#hash",
    "--reason",
    "a:b;c&d|e>f",
    "single'and\"double",
    "`touch mark` $HOME/$(id)",
    "tab\tnew\nline\r",
    "escape\x1b[31mred",
    "ümläut/日本\U0001f600.txt",
    "no\u00a0break",
    "x/**/y",
    "~/home",
    os.fsdecode(b"latin\xe9.txt"),
]
HIDDEN = ["joined\u200dname", "right\u202eto left", "soft\u00adhyphen", "line\u2028end"]


def typed(work: Work, line: str) -> Ended:
    """Return what becomes of a line that is typed into sh."""
    script = f"factory() {{ printf '%s\\0' \"$@\"; }}\nfactory {line} --reason x\n"
    done = subprocess.run(["sh", "-c", os.fsencode(script)], capture_output=True, check=True)
    return work.factory(*os.fsdecode(done.stdout).split("\0")[:-1], "--run-id", "r1")


def hinted(ended: Ended) -> list[str]:
    """Return each lever that the blocking findings of an answer name."""
    findings = [one for one in ended.answer["findings"] if one["severity"] == "blocks"]
    return [line for finding in findings for line in LEVER.findall(finding["hint"])]


def reported(work: Work) -> list[str]:
    """Return each lever that the report shows on a screen."""
    return LEVER.findall(work.factory("print-report", "--run-id", "r1").stdout)


@pytest.mark.parametrize("which", [0, -1])
@pytest.mark.parametrize("path", [*PATHS, *HIDDEN], ids=ascii)
def test_a_lever_for_a_path_outside_of_its_lock_mends_it(work: Work, path: str, which: int) -> None:
    work.patch("A_worker", write_file(path, "x\n"), allow=["src/**"])
    said = hinted(work.oneshot("--run-id", "r1"))

    ended = typed(work, said[which])
    after = work.factory("integrate", "--run-id", "r1", "--json")

    assert (ended.exit_code, after.exit_code) == (0, 0), (said, ended.stderr, blocking(after))
    assert not (work.repo.path / "mark").exists()


@pytest.mark.parametrize(
    "path",
    [
        *PATHS,
        *(path for path in HIDDEN),
    ],
    ids=ascii,
)
def test_a_lever_read_off_the_screen_is_the_one_that_is_meant(work: Work, path: str) -> None:
    work.patch("A_worker", write_file(path, "x\n"), allow=["src/**"])
    assert work.oneshot("--run-id", "r1").exit_code == 3

    ended = typed(work, reported(work)[-1])

    assert ended.exit_code == 0, ended.stderr
    assert work.factory("integrate", "--run-id", "r1").exit_code == 0


@pytest.mark.parametrize("which", [0, -1])
@pytest.mark.parametrize("path", ["a b[1]*.txt", 'it\'s "so"', "!x/#y", "ä\u00a0b", "new\nline"])
def test_a_lever_for_a_denied_path_mends_it(work: Work, path: str, which: int) -> None:
    work.patch("A_worker", write_file(path, "x\n"), allow=["*"], deny=["*"])
    said = hinted(work.oneshot("--run-id", "r1"))

    ended = typed(work, said[which])
    after = work.factory("integrate", "--run-id", "r1", "--json")

    assert (ended.exit_code, after.exit_code) == (0, 0), (said, ended.stderr, blocking(after))


@pytest.mark.parametrize(
    ("path", "which"),
    [
        *(("a b[1]*.txt", which) for which in range(2)),
        *(('it\'s "so"', which) for which in range(2)),
        *(("!x#y", which) for which in range(2)),
    ],
)
def test_a_lever_for_a_path_that_two_write_mends_it(work: Work, path: str, which: int) -> None:
    work.repo.write(path, "".join(f"{n}\n" for n in range(20)))
    work.repo.commit()
    work.patch("A_worker", edit_line(path, 1, "a"), allow=["*"])
    work.patch("B_worker", edit_line(path, 15, "b"), allow=["*"])
    said = hinted(work.oneshot("--run-id", "r1"))
    assert len(said) == 2

    ended = typed(work, said[which])
    after = work.factory("integrate", "--run-id", "r1", "--json")

    assert (ended.exit_code, after.exit_code) == (0, 0), (said, ended.stderr, blocking(after))


@pytest.mark.parametrize("which", [0, -1])
@pytest.mark.parametrize(
    "path", [".github/workflows/a b*.yml", "it's/.gitattributes", "x[1]/.gitmodules"]
)
def test_a_lever_for_a_sensitive_path_mends_it(work: Work, path: str, which: int) -> None:
    work.patch("A_worker", write_file(path, "\n"), allow=["*"])
    said = hinted(work.oneshot("--run-id", "r1"))

    ended = typed(work, said[which])
    after = work.factory("integrate", "--run-id", "r1", "--json")

    assert (ended.exit_code, after.exit_code) == (0, 0), (said, ended.stderr, blocking(after))
