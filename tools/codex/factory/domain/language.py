"""Which language a file is in, by its name."""

from collections import Counter
from collections.abc import Iterable

_EXTENSIONS = {
    "Assembly": "asm s", "C": "c h", "C#": "cs", "C++": "cc cpp cxx hh hpp hxx",
    "CSS": "css less sass scss", "Clojure": "clj cljc cljs", "Dart": "dart", "Elixir": "ex exs",
    "Elm": "elm", "Erlang": "erl hrl", "F#": "fs fsi fsx", "Fortran": "f90 f95", "Go": "go",
    "Groovy": "groovy", "HTML": "htm html", "Haskell": "hs", "Java": "java",
    "JavaScript": "cjs js jsx mjs", "Julia": "jl", "Kotlin": "kt kts", "Lua": "lua",
    "Nix": "nix", "OCaml": "ml mli", "Objective-C": "m mm", "PHP": "php", "Perl": "pl pm",
    "PowerShell": "ps1", "Protocol Buffers": "proto", "Python": "py pyi", "R": "r",
    "Ruby": "rake rb", "Rust": "rs", "SQL": "sql", "Scala": "scala", "Shell": "bash sh zsh",
    "Svelte": "svelte", "Swift": "swift", "Terraform": "tf", "TypeScript": "cts mts ts tsx",
    "Vue": "vue", "Zig": "zig",
}  # fmt: skip
_LANGUAGE_OF = {end: name for name, ends in _EXTENSIONS.items() for end in ends.split()}
_PROSE = frozenset({"adoc", "asciidoc", "markdown", "md", "mdx", "rst"})
_PROSE_NAMES = frozenset(
    {
        *("authors", "changelog", "changes", "code_of_conduct", "contributing", "history"),
        *("news", "readme", "security"),
    }
)
_LOGS_OF_CHANGES = frozenset({"changelog", "changes", "history", "news"})
_DOCS = frozenset({"doc", "docs", "documentation"})
_OF_OTHERS = frozenset(
    {
        *("bower_components", "carthage", "node_modules", "pods", "third-party", "third_party"),
        "vendor",
    }
)


def language(path: str) -> str | None:
    """Return the language that a source file is in; None for every other file."""
    return _LANGUAGE_OF.get(extension(path).lower())


def languages(paths: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Return each language with the number of its files, the most used first."""
    count = Counter(found for path in paths if (found := language(path)) is not None)
    return tuple(sorted(count.items(), key=lambda row: (-row[1], row[0])))


def is_prose(path: str) -> bool:
    """Return whether a file is text for people."""
    stem, end = _stem(path), extension(path).lower()
    return end in _PROSE or (stem in _PROSE_NAMES and end in ("", "txt"))


def is_log_of_changes(path: str) -> bool:
    """Return whether everyone who changes something writes a line into this file."""
    return is_prose(path) and _stem(path) in _LOGS_OF_CHANGES


def is_docs_folder(name: str) -> bool:
    """Return whether a folder of this name is documentation."""
    return name.casefold() in _DOCS


def is_of_others(name: str) -> bool:
    """Return whether a folder of this name holds code that was made elsewhere."""
    return name.casefold() in _OF_OTHERS


def extension(path: str) -> str:
    """Return what stands behind the last dot of a file's name, as it is spelled there."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2] if "." in name[1:] else ""


def _stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0].casefold()
