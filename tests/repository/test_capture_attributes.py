"""Attributes: what git would make of a file, and what stays as it is since nobody touched it."""

from pathlib import Path

import pytest

from tests.repository.checkouts import Site, a_ground, a_site, codes

CRLF = "printf 'a\\r\\nb\\r\\n' > a.txt; git add a.txt; "
MIXED = "printf 'a\\r\\nb\\n' > a.txt; git add a.txt; "
IDENT = "printf '$Id: 0123 $\\n' > a.txt; git add a.txt; "
UTF_8 = "printf 'caf\\303\\251\\n' > a.txt; git add a.txt; "
LATIN_1 = "printf 'caf\\351\\n' > a.txt; git add a.txt; "
COMMIT = "git update-index --add .gitattributes; git commit -qm base"

BASES = {
    "text": CRLF + "echo '* text' > .gitattributes; ",
    "text=auto": CRLF + "echo '* text=auto' > .gitattributes; ",
    "eol=lf": CRLF + "echo '* eol=lf' > .gitattributes; ",
    "eol=crlf": CRLF + "echo '* eol=crlf' > .gitattributes; ",
    "eol=crlf, mixed": MIXED + "echo '*.txt eol=crlf' > .gitattributes; ",
    "text=auto eol=crlf, mixed": MIXED + "echo '* text=auto eol=crlf' > .gitattributes; ",
    "ident": IDENT + "echo '*.txt ident' > .gitattributes; ",
    "encoding": UTF_8 + "echo '*.txt working-tree-encoding=UTF-16' > .gitattributes; ",
    "encoding, not UTF-8": LATIN_1 + "echo '*.txt working-tree-encoding=UTF-16' > .gitattributes; ",
    "filter": CRLF + "echo '*.txt filter=lfs -text' > .gitattributes; ",
}


def site_of(tmp_path: Path, script: str) -> Site:
    return a_site(a_ground(tmp_path / "ground", script), tmp_path / "site")


@pytest.fixture(scope="module", params=list(BASES.values()), ids=list(BASES))
def shaped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(tmp_path_factory.mktemp("shaped"), request.param + COMMIT)


def test_what_nobody_touched_is_no_change_whatever_its_attributes(shaped: Site) -> None:
    captured = shaped.captured()

    assert (shaped.changes(captured), codes(captured)) == ({}, [])


def test_what_nobody_touched_is_no_dirt_whatever_its_attributes(shaped: Site) -> None:
    dirt = shaped.dirt()

    assert dirt == ()


def test_carriage_returns_of_the_base_stay_in_an_edited_file_where_git_leaves_them(
    tmp_path: Path,
) -> None:
    site = site_of(tmp_path, BASES["text=auto"] + COMMIT)
    site.worker("printf 'c\\r\\n' >> a.txt")

    captured = site.captured()

    assert site.changes(captured) == {"a.txt": ("100644", b"a\r\nb\r\nc\r\n")}
    assert site.tree(captured) == site.added_tree()


@pytest.mark.parametrize(
    ("attribute", "content", "kept"),
    (
        ("text", b"a\r\nb\n", b"a\nb\n"),
        ("eol=crlf", b"a\r\nb\r\n", b"a\nb\n"),
        ("-text", b"a\r\nb\r\n", b"a\r\nb\r\n"),
        ("ident", b"$Id: 1 $\n", b"$Id$\n"),
        ("working-tree-encoding=UTF-16LE", "\u00e9\n".encode("utf-16-le"), b"\xc3\xa9\n"),
        ("diff", b"a\0b\r\nc", b"a\0b\r\nc"),
        ("-diff", b"a\n", b"a\n"),
        ("binary", b"a\r\n", b"a\r\n"),
    ),
)
def test_a_new_file_is_kept_as_the_worker_s_attributes_say(
    site: Site, attribute: str, content: bytes, kept: bytes
) -> None:
    site.write(".gitattributes", f"n {attribute}\n".encode())
    site.write("n", content)

    captured = site.captured()

    assert site.changes(captured)["n"] == ("100644", kept)
    assert site.tree(captured) == site.added_tree()


def test_new_attributes_leave_what_nobody_touched(tmp_path: Path) -> None:
    site = site_of(tmp_path, CRLF + "git commit -qm base")
    site.write(".gitattributes", b"* text\n")

    captured = site.captured()

    assert site.changes(captured) == {".gitattributes": ("100644", b"* text\n")}


def test_a_worker_that_makes_all_line_ends_one_kind_is_heard(tmp_path: Path) -> None:
    site = site_of(tmp_path, CRLF + "git commit -qm base")
    site.worker("printf 'a\\nb\\n' > a.txt")

    captured = site.captured()

    assert site.changes(captured) == {"a.txt": ("100644", b"a\nb\n")}


def test_attributes_taken_away_count_no_more(tmp_path: Path) -> None:
    site = site_of(
        tmp_path,
        "printf 'a\\n' > a.txt; echo '* eol=crlf' > .gitattributes; git add a.txt; " + COMMIT,
    )
    site.worker("git rm -q .gitattributes; git commit -qm w; printf 'a\\r\\nb\\r\\n' > a.txt")

    captured = site.captured()

    assert site.changes(captured) == {
        ".gitattributes": None,
        "a.txt": ("100644", b"a\r\nb\r\n"),
    }


def test_a_path_that_the_base_filters_is_blocked_where_it_was_touched(tmp_path: Path) -> None:
    script = "echo pointer | tee big.bin kept.bin gone.bin own.dat > no.bin; git add .; "
    script += "echo '*.bin filter=lfs\nno.bin -filter\n*.dat filter' > .gitattributes; "
    site = site_of(tmp_path, script + COMMIT)
    site.worker("echo x | tee big.bin new.bin own.dat > no.bin; rm gone.bin .gitattributes")

    captured = site.captured()

    assert codes(captured) == [
        "scope.filtered_path big.bin",
        "scope.filtered_path gone.bin",
        "scope.filtered_path new.bin",
        "scope.filtered_path own.dat",
    ]
    assert not captured.is_whole
    assert site.changes(captured)["big.bin"] == ("100644", b"x\n")
