"""What git cannot keep, must not open, or would follow out of the checkout: told, never obeyed."""

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.repository.checkouts import (
    NEEDS_MODES,
    NO_LIMITS,
    Site,
    a_ground,
    a_site,
    blocks,
    codes,
    everything_in,
    watched_pipe,
)
from tools.codex.factory.errors import FactoryError

NESTED = "git init -q -b main {0}; git -C {0} commit -q --allow-empty -m n; echo x > {0}/x; "
LIB = "1" * 40
WITH_SUBMODULE = f"""
    mkdir src; echo a > src/a; git add src
    git update-index --add --cacheinfo 160000,{LIB},lib --cacheinfo 160000,{LIB},deep/lib
    git commit -qm base
"""


@pytest.fixture
def super_site(tmp_path: Path) -> Site:
    return a_site(a_ground(tmp_path / "ground", WITH_SUBMODULE), tmp_path / "site")


@pytest.mark.parametrize(
    "script",
    (
        NESTED.format("n"),
        "git init -q n",
        NESTED.format("n") + "git add n",
        "mkdir n; git init -q --bare n/.git",
        "git worktree add -q n -b n",
    ),
    ids=("with a commit", "empty", "added", "bare", "work tree"),
)
def test_a_repository_in_the_checkout_blocks(site: Site, script: str) -> None:
    site.worker(script + " 2>/dev/null")

    captured = site.captured()

    assert "capture.nested_repository n/" in blocks(captured)
    assert not captured.is_whole


def test_a_repository_deep_in_a_folder_blocks_by_its_path(site: Site) -> None:
    site.worker(NESTED.format("src/deep/n"))

    captured = site.captured()

    assert blocks(captured) == ["capture.nested_repository src/deep/n/"]
    assert site.changes(captured) == {}


def test_a_repository_that_is_ignored_is_left_out(site: Site) -> None:
    site.worker(NESTED.format("n") + "echo n/ > .gitignore")

    captured = site.captured()

    assert codes(captured) == ["capture.left_out checkout"]
    assert site.changes(captured) == {".gitignore": ("100644", b"n/\n")}


def test_a_repository_begun_around_the_base_s_own_files_is_told(site: Site) -> None:
    site.worker(NESTED.format("src"))

    captured = site.captured()

    assert "capture.nested_repository src/" in blocks(captured)


def test_no_program_of_a_nested_repository_is_run(site: Site) -> None:
    settings = ("core.fsmonitor", "core.hooksPath", "filter.x.clean", "diff.external")
    site.worker(NESTED.format("n") + "echo '* filter=x' > n/.gitattributes")
    site.worker("; ".join(f"git -C n config {one} 'touch {site.ran}'" for one in settings))

    site.captured()

    assert not site.ran.exists()


@pytest.mark.parametrize("name", ("HEAD", "commondir", "packed-refs", "config", "refs/heads/main"))
@pytest.mark.parametrize("folder", ("n", "lib"))
def test_no_pipe_in_a_nested_repository_is_opened(super_site: Site, folder: str, name: str) -> None:
    pipe = f"{folder}/.git/{name}"
    super_site.worker(f"{NESTED.format(folder)} git -C {folder} pack-refs --all; rm -f {pipe}")

    with watched_pipe(super_site.folder / pipe) as readers:
        captured = super_site.once()

    assert readers == []
    assert blocks(captured) != []


def test_submodules_that_nobody_touched_are_no_change(super_site: Site) -> None:
    captured = super_site.captured()

    assert (captured.patch, captured.findings) == (b"", ())
    assert super_site.dirt() == ()


@pytest.mark.parametrize(
    ("script", "changes"),
    (
        ("rmdir lib", {"lib": None}),
        ("rmdir lib; echo x > lib", {"lib": ("100644", b"x\n")}),
        ("rmdir lib; ln -s src lib", {"lib": ("120000", b"src")}),
        (
            "git rm -q --cached lib; echo x > lib/x; git add lib; git commit -qm w",
            {"lib": None, "lib/x": ("100644", b"x\n")},
        ),
        ("git sparse-checkout set --cone src", {}),
        ("git update-index --skip-worktree lib; rmdir lib", {}),
    ),
    ids=("removed", "a file", "a link", "files of its own", "sparse", "skip-worktree"),
)
def test_what_became_of_a_submodule_is_captured_as_git_would_add_it(
    super_site: Site, script: str, changes: dict[str, tuple[str, bytes] | None]
) -> None:
    super_site.worker(script)

    captured = super_site.captured()

    assert blocks(captured) == []
    assert super_site.changes(captured) == changes
    assert super_site.tree(captured) == super_site.added_tree()


def test_a_submodule_that_was_filled_is_captured_as_its_head(super_site: Site) -> None:
    super_site.worker("git init -q lib; git -C lib commit -q --allow-empty -m n")
    head = super_site.worker("git -C lib rev-parse HEAD").strip()

    captured = super_site.captured()

    assert super_site.changes(captured) == {"lib": ("160000", head)}


def test_files_in_the_empty_folder_of_a_submodule_are_not_lost_without_a_word(
    super_site: Site,
) -> None:
    super_site.worker("echo work > lib/work")

    captured = super_site.captured()

    assert not captured.is_whole or "lib/work" in super_site.changes(captured)


PIPES = (".gitignore", ".gitattributes", ".gitmodules", "src/.gitignore", "src/deep/.gitattributes")


@pytest.mark.parametrize("path", PIPES)
def test_a_pipe_that_git_would_open_is_taken_away_and_told(site: Site, path: str) -> None:
    os.mkfifo(site.folder / path)

    captured = site.once()

    assert blocks(captured) == [f"capture.special_file {path}"]
    assert (captured.patch, captured.is_whole) == (b"", False)


@pytest.mark.parametrize(
    "script",
    (
        "rm README.md; mkfifo README.md",
        ("echo README.md > .git/info/exclude; rm README.md; mkfifo README.md"),
    ),
)
def test_a_pipe_in_place_of_a_file_is_told(site: Site, script: str) -> None:
    site.worker(script)

    captured = site.captured()

    assert blocks(captured) == ["capture.special_file README.md"]


def test_a_pipe_in_place_of_a_staged_file_is_told(site: Site) -> None:
    site.worker("echo x > x; git add x; rm x; mkfifo x")

    captured = site.captured()

    assert blocks(captured) == ["capture.special_file x"]


def test_links_by_git_s_own_names_are_kept_and_not_followed(site: Site) -> None:
    (site.beside / "hidden").write_text("n\n")
    site.worker("ln -s ../hidden .gitignore; ln -s /dev/zero src/.gitattributes; echo n > n")

    captured = site.captured()

    assert site.changes(captured) == {
        ".gitignore": ("120000", b"../hidden"),
        "n": ("100644", b"n\n"),
        "src/.gitattributes": ("120000", b"/dev/zero"),
    }


def test_a_link_leads_nothing_in_from_outside(site: Site) -> None:
    site.worker("mkdir ../out; echo secret > ../out/app.txt; echo secret > ../out/more")
    site.worker("rm -r src; ln -s ../out src")
    site.worker(
        "git update-index --add --replace --cacheinfo 100644,$(git hash-object README.md),src/more"
    )

    captured = site.captured()

    assert site.changes(captured) == {
        "src": ("120000", b"../out"),
        "src/app.txt": None,
        "src/deep/er/leaf.txt": None,
    }


@pytest.mark.parametrize("name", (".GIT", "git~1", "a\\b", ".git ", ".git::$DATA", ".g\u200cit"))
def test_a_name_that_not_every_system_takes_blocks_and_the_rest_is_captured(
    site: Site, name: str
) -> None:
    site.write(name, b"x")
    site.write("n", b"n")

    captured = site.captured()

    assert [said.split()[0] for said in blocks(captured)] == ["capture.path_refused"]
    assert site.changes(captured) == {"n": ("100644", b"n")}


def test_a_hidden_name_that_not_every_system_takes_blocks_and_the_rest_is_captured(
    site: Site,
) -> None:
    site.worker("echo n > n; o=$(git hash-object -w n)")
    site.worker("git update-index --add --cacheinfo 100644,$(git hash-object -w n),'a\\b'")
    site.worker("git update-index --skip-worktree 'a\\b'")

    captured = site.captured()

    assert [said.split()[0] for said in blocks(captured)] == ["capture.path_refused"]
    assert site.changes(captured) == {"n": ("100644", b"n\n")}


def test_a_file_larger_than_it_may_be_blocks_and_the_rest_is_captured(site: Site) -> None:
    site.write("a", b"x" * 101)
    site.write("b", b"x" * 100)
    limits = replace(NO_LIMITS, file_bytes=100)

    captured = site.captured(limits=limits)

    assert blocks(captured) == ["capture.too_large a"]
    assert site.changes(captured) == {"b": ("100644", b"x" * 100)}


def test_files_that_are_too_much_together_block(site: Site) -> None:
    site.worker("for n in a b c; do head -c 40 /dev/zero > $n; done")
    limits = replace(NO_LIMITS, bundle_bytes=100)

    captured = site.captured(limits=limits)

    assert blocks(captured) == ["capture.too_large c"]


def test_one_file_too_large_does_not_spend_what_the_others_may_take(site: Site) -> None:
    site.worker("head -c 1000 /dev/zero > a; echo b > b; echo c > c")
    limits = replace(NO_LIMITS, file_bytes=100, bundle_bytes=200)

    captured = site.captured(limits=limits)

    assert blocks(captured) == ["capture.too_large a"]


def test_a_hidden_file_larger_than_it_may_be_blocks_and_the_rest_is_captured(site: Site) -> None:
    site.worker("head -c 1000 /dev/zero > a; git add a; git update-index --skip-worktree a; rm a")
    site.write("n", b"n")
    limits = replace(NO_LIMITS, file_bytes=100)

    captured = site.captured(limits=limits)

    assert blocks(captured) == ["capture.too_large a"]
    assert site.changes(captured) == {"n": ("100644", b"n")}


@pytest.mark.parametrize(
    "limits",
    ({"patch_bytes": 50}, {"lines": 9}, {"sections": 1}),
    ids=("bytes", "lines", "files"),
)
def test_a_diff_larger_than_it_may_be_blocks(site: Site, limits: dict[str, int]) -> None:
    site.write("a", b"x" * 100)
    site.write("b", b"1\n2\n")

    captured = site.captured(limits=replace(NO_LIMITS, **limits))

    assert blocks(captured) == ["capture.too_large checkout"]


@pytest.mark.parametrize(
    "script",
    ("rm -r $PWD", "mv $PWD ../c; ln -s c $PWD", "rm -r $PWD; echo x > $PWD"),
    ids=("removed", "a link", "a file"),
)
def test_a_checkout_that_is_gone_is_told(site: Site, script: str) -> None:
    site.worker(script)

    captured = site.captured()

    assert (captured.patch, codes(captured)) == (None, ["capture.checkout_gone checkout"])
    assert not captured.is_whole


MODES = {
    "read-only": "echo n > src/n; chmod -R a-w .",
    "a folder nobody may read": "echo n > src/n; chmod 000 src",
    "folders in folders": "echo n > src/n; chmod 000 src/deep/er src/deep src",
    "files nobody may read": "echo n > src/n; chmod 000 src/n src/app.txt README.md",
    "the whole checkout": "echo n > src/n; chmod 000 .",
}


@pytest.mark.parametrize("script", MODES.values(), ids=MODES)
def test_modes_do_not_keep_the_work_from_us(site: Site, script: str) -> None:
    site.worker(script)

    captured = site.captured()

    assert (blocks(captured), captured.is_whole) == ([], True)
    assert site.changes(captured) == {"src/n": ("100644", b"n\n")}


@NEEDS_MODES
@pytest.mark.parametrize("path", (".git/index", ".git/HEAD", ".git/refs", ".git/objects"))
def test_a_git_directory_that_nobody_may_read_is_opened_or_told(site: Site, path: str) -> None:
    site.worker(f"echo '*.o' > .gitignore; echo o > a.o; git add -f a.o; chmod 000 {path}")

    captured = site.captured()

    assert blocks(captured) == ["capture.git_unreadable .git"] or "a.o" in site.changes(captured)


def test_nothing_behind_a_link_in_place_of_the_checkout_is_touched(site: Site) -> None:
    site.worker("mkdir -p ../out/closed; mkfifo ../out/.gitignore; chmod 0500 ../out/closed")
    site.worker("rm -r $PWD; ln -s out $PWD")
    before = everything_in(site.beside / "out")

    with suppress(FactoryError):
        site.dirt()
    captured = site.once()

    assert codes(captured) == ["capture.checkout_gone checkout"]
    assert everything_in(site.beside / "out") == before
