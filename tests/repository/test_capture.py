"""States of a checkout that honest work leaves: each is captured as git itself would add it."""

import os

import pytest

from tests.repository.checkouts import Site, blocks, codes

STATES = {
    "clean": "true",
    "committed": "echo x >> src/app.txt; git commit -qam w",
    "staged": "echo x >> src/app.txt; echo n > new; git add -A",
    "unstaged": "echo x >> src/app.txt; echo n > new; rm README.md",
    "partly committed": (
        "echo x >> src/app.txt; git commit -qam w; echo y > y; git add y; echo z > z"
    ),
    "staged, then edited": "echo x > new; git add new; echo y > new",
    "staged, then deleted": "echo x > new; git add new src; rm new; rm src/app.txt",
    "on another branch": (
        "git checkout -qb other; echo x > x; git add x; git commit -qm w; echo y >> x"
    ),
    "detached": "git checkout -q --detach; echo x > x; git add x; git commit -qm w",
    "amended": (
        "echo x > README.md; git commit -qam w; echo y > y; git add y; git commit -q --amend -m v"
    ),
    "base amended": "echo x > README.md; git commit -q --amend -am v",
    "orphan without commit": "git checkout -q --orphan o; echo x > x",
    "orphan emptied": "git checkout -q --orphan o; git rm -qrf .; echo x > x",
    "orphan with commit": (
        "git checkout -q --orphan o; git rm -qrf docs; git commit -qm o; echo x > x"
    ),
    "moved": "git mv src/app.txt moved.txt; mv docs papers",
    "ignored forced into the index": (
        "echo '*.o' > .gitignore; echo o > a.o; echo p > b.o; git add -f a.o; rm b.o"
    ),
    "ignored committed": (
        "echo '*.o' > .gitignore; echo o > a.o; git add -f a.o; git commit -qm w; echo q > a.o"
    ),
    "ignored forced, then deleted": "echo '*.o' > .gitignore; echo o > a.o; git add -f a.o; rm a.o",
    "intent to add": "touch new gone; git add -N new gone; echo n > new; rm gone",
    "index of version 4": (
        "echo n > new; git update-index --index-version 4; git add new; rm docs/guide.txt"
    ),
    "split index": (
        "git update-index --split-index; echo '*.o' > .gitignore; echo o > a.o; "
        "git add -f a.o; git commit -qm w; git config core.splitIndex true; "
        "echo b > b.o; git add -f b.o"
    ),
    "untracked cache": (
        "git update-index --untracked-cache; git config core.untrackedCache true; "
        "echo n > new; git status --short; echo m > src/new"
    ),
    "packed and collected": (
        "echo n > new; git add new; git commit -qm w; git gc -q --prune=now; echo m > new"
    ),
    "sparse by folders": "git sparse-checkout set --cone src; echo x >> src/app.txt",
    "sparse by patterns": "git sparse-checkout set --no-cone '/src/app.txt'; echo x >> src/app.txt",
    "sparse index": "git sparse-checkout set --cone --sparse-index src; echo x >> src/app.txt",
    "sparse after a commit": (
        "echo two > docs/guide.txt; git commit -qam w; git sparse-checkout set --cone src"
    ),
    "sparse index after a commit": (
        "echo two > docs/guide.txt; git commit -qam w; "
        "git sparse-checkout set --cone --sparse-index src"
    ),
    "sparse after a new file": (
        "mkdir lib; echo l > lib/l; git add lib; git commit -qm w; "
        "git sparse-checkout set --cone src"
    ),
    "sparse after a removal": (
        "git rm -q docs/guide.txt; git commit -qm w; git sparse-checkout set --cone src"
    ),
    "skip-worktree with another entry": (
        "o=$(echo two | git hash-object -w --stdin); "
        "git update-index --cacheinfo 100644,$o,README.md; "
        "git update-index --skip-worktree README.md; rm README.md"
    ),
    "executable": "chmod +x README.md; chmod -x run.sh",
    "executable and edited": "chmod +x README.md; echo x >> README.md; git commit -qam w",
    "a file becomes a folder": "rm README.md; mkdir README.md; echo x > README.md/x",
    "a file becomes an empty folder": "rm README.md; mkdir README.md",
    "a folder becomes a file": "rm -r src; echo x > src",
    "a folder becomes a link": "rm -r src; ln -s docs src",
    "a folder moves and becomes a link": "mv docs papers; ln -s papers docs",
    "a folder becomes a link to files of the same names": (
        "cp -r docs papers; echo other > papers/guide.txt; rm -r docs; "
        "ln -s papers docs; git add -A; git commit -qm w"
    ),
    "a folder becomes a staged file and a folder again": (
        "mv docs papers; echo x > docs; git add docs; rm docs; mv papers docs"
    ),
    "a new file is committed and becomes a folder": (
        "echo x > new; git add new; git commit -qm w; rm new; mkdir new; echo y > new/y"
    ),
    "a folder becomes a link that is committed, and a folder again": (
        "mv docs papers; ln -s papers docs; git add -A; git commit -qm w; rm docs; mkdir docs; "
        "echo x > docs/other"
    ),
    "a link becomes a folder": "rm latest; mkdir latest; echo x > latest/x",
    "a link becomes a file of the same bytes": "rm latest; printf docs/guide.txt > latest",
    "a link leads elsewhere": "ln -sfn /etc/passwd latest; ln -s nowhere dangling; ln -s . self",
    "a file becomes a link": "rm README.md; ln -s run.sh README.md",
    "empty": "rm -r src docs README.md latest run.sh",
    "its own git began anew": (
        "rm -rf .git; git init -q; echo n > new; git add new; git commit -qm w"
    ),
    "an ignored file of the base is edited": "echo README.md > .gitignore; echo x > README.md",
    "no longer followed, and ignored": (
        "echo README.md > .gitignore; git rm -q --cached README.md; git add .gitignore; "
        "git commit -qm w"
    ),
    "no longer followed, and not committed": (
        "echo README.md > .gitignore; git rm -q --cached README.md"
    ),
    "contents and names": (
        "printf '\\000\\001\\377' > b; printf '\\000' >> README.md; printf 'x\\r\\n' > crlf; "
        "printf 'one\\ntwo' > docs/guide.txt; : > empty; mkdir nothing; ln src/app.txt second; "
        "echo 1 > Case; echo 2 > case; mkdir SRC; echo 3 > SRC/app.txt; "
        "touch ' ' '\"' \"a'b\" 'a b' '*' '$x' -f ':x' '#' '!x' 'a\tb' 'a\nb'"
    ),
    "attributes of its own": (
        "printf '*.txt text\\n*.bin diff\\n*.dat -diff\\n*.i ident\\n"
        "*.w text eol=crlf\\n' > .gitattributes; "
        "printf 'a\\r\\nb\\r\\n' > n.txt; printf 'a\\0b\\r\\n' > n.bin; echo x > n.dat; "
        "printf '$Id: 1$\\n' > n.i; printf 'a\\r\\n' > n.w"
    ),
    "odd times": (
        "touch -d 2001-01-01 README.md; touch -d 2101-01-01 src/app.txt; "
        "echo x >> src/app.txt; touch -d 2101-01-01 src/app.txt"
    ),
}


@pytest.mark.parametrize("script", STATES.values(), ids=STATES)
def test_a_state_is_captured_as_git_would_add_it(site: Site, script: str) -> None:
    site.worker(script)

    captured = site.captured()

    assert (blocks(captured), captured.is_whole) == ([], True)
    assert site.tree(captured) == site.added_tree()


def test_a_checkout_that_nobody_touched_holds_nothing(site: Site) -> None:
    captured = site.captured()

    assert (captured.patch, captured.findings, captured.stray) == (b"", (), b"")
    assert captured.is_whole
    assert site.dirt() == ()


def test_what_differs_is_told_by_its_quoted_paths(site: Site) -> None:
    site.worker("echo '*.o' > .gitignore; touch a.o 'n\newline'; rm README.md; git init -q own")

    assert site.dirt() == ('"n\\newline"', ".gitignore", "README.md", "own/")


def test_ignored_files_are_left_out_and_counted(site: Site) -> None:
    site.worker(
        "echo '*.o' > .gitignore; touch a.o b.o c.o; mkdir __pycache__; touch __pycache__/p"
    )
    site.worker("git add -f c.o")

    captured = site.captured()

    assert codes(captured) == ["capture.left_out checkout"]
    assert captured.findings[0].message == "3 ignored paths are in no bundle"
    assert captured.is_whole
    assert site.changes(captured) == {
        ".gitignore": ("100644", b"*.o\n"),
        "c.o": ("100644", b""),
    }


@pytest.mark.parametrize("hide", ("assume-unchanged", "skip-worktree"))
def test_what_lies_there_counts_where_the_index_was_told_not_to_look(site: Site, hide: str) -> None:
    site.worker(f"git update-index --{hide} README.md; echo edited > README.md")

    captured = site.captured()

    assert site.changes(captured) == {"README.md": ("100644", b"edited\n")}


def test_an_edit_of_the_same_size_is_seen_though_its_time_was_put_back(site: Site) -> None:
    place = site.folder / "README.md"
    before = place.stat()
    place.write_bytes(place.read_bytes().swapcase())
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))

    captured = site.captured()

    assert site.changes(captured) == {"README.md": ("100644", b"# a SMALL WORLD\n")}


def test_an_edit_of_the_same_size_is_seen_in_a_file_renamed_into_place(site: Site) -> None:
    site.worker(
        "cp -p README.md new; printf x | dd of=new conv=notrunc 2>&1; touch -r README.md new"
    )
    site.worker("mv new README.md")

    captured = site.captured()

    assert site.changes(captured) == {"README.md": ("100644", b"x A small world\n")}


@pytest.mark.parametrize("there", ["ln -s src docs", "echo x > docs"])
def test_what_lies_in_place_of_a_folder_counts_though_files_were_hidden_in_that(
    site: Site, there: str
) -> None:
    site.worker(
        "o=$(echo two | git hash-object -w --stdin); "
        "git update-index --cacheinfo 100644,$o,docs/guide.txt; "
        f"git update-index --skip-worktree docs/guide.txt; rm -r docs; {there}"
    )

    captured = site.captured()

    assert (blocks(captured), captured.is_whole) == ([], True)
    assert site.changes(captured).keys() == {"docs", "docs/guide.txt"}


def test_a_name_of_bytes_that_are_no_text_is_kept(site: Site) -> None:
    site.write(os.fsdecode(b"n\xff\n\"'"), b"odd")

    captured = site.captured()

    assert site.changes(captured) == {"n\udcff\n\"'": ("100644", b"odd")}
    assert site.tree(captured) == site.added_tree()


def test_names_as_long_as_they_may_be_are_kept(site: Site) -> None:
    site.worker("n=$(head -c 255 /dev/zero | tr '\\0' n); mkdir $n; echo x > $n/$n; git add $n")

    captured = site.captured()

    assert site.changes(captured) == {f"{'n' * 255}/{'n' * 255}": ("100644", b"x\n")}


def test_an_ignored_file_in_head_alone_is_kept(site: Site) -> None:
    site.worker("echo '*.o' > .gitignore; echo o > a.o; git add -f a.o; git commit -qm w")
    site.worker("rm .git/index")

    captured = site.captured()

    assert site.changes(captured) == {
        ".gitignore": ("100644", b"*.o\n"),
        "a.o": ("100644", b"o\n"),
    }
