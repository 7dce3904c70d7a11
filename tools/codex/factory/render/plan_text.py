"""A proposal as the text of factory.plan.toml, each line explained."""

import textwrap
from collections.abc import Iterable, Sequence

from tools.codex.factory.domain.proposal import Proposal, ProposedWorker, command_names
from tools.codex.factory.domain.toolchain import Suggestion
from tools.codex.factory.render.text import shown

_WIDE = 100
_MOST_SAID = 12

_HEAD = """\
# The plan of a run: who may write what, where each worker's work comes from, what must hold in
# the end. `factory init` proposed it from the files of the last commit; it is yours to edit.
#
#   factory oneshot --dry-run   rehearses it: built-in workers, all else real
#   factory oneshot             runs it
"""
_DEFAULTS = """\
# What holds for every worker; a worker's own value wins.
[defaults]
# deny = ["*.lock"]              # patterns that take away from what `allow` gives
# timeout = "30m"                # how long a command may run
# retries = 1                    # how often a command that ended badly is begun again
"""
_WORKERS = """\
# One worker each. `allow` are git's own patterns, as in .gitignore; what no pattern names, nobody
# may write, and no two workers share a path. `external` is where the work comes from: `factory
# oneshot` makes a checkout for each and waits (exit 4), you or a tool work there, and `factory
# collect` takes in what is found. To let a program do the work instead, replace that line, for
# example by one of these:
#
#   command = ["your-agent", "{prompt_file}"]   # that file holds `task`; argv, no shell
#   branch = "feature/one"                      # made elsewhere, in this repository
#   patch = "incoming/one.patch"                # made by git diff --binary --full-index
"""
_NO_CHECK = """\
# No tests were found. A check is a command that must exit 0 on the merged tree:
#
# [[checks]]
# name = "tests"
# command = ["make", "test"]     # argv, no shell; in a fresh checkout, with a home of its own
"""
_CHECKS = """\
# A check must exit 0 on the merged tree. It runs in a fresh checkout, with a home of its own; a
# rehearsal runs it once on the base commit.
"""
_SETUP = """\
# Run in that checkout before each check; what it leaves must be ignored by .gitignore.
"""


def plan_text(proposal: Proposal) -> str:
    """Return the text of a plan file."""
    blocks = [
        _HEAD + _found(proposal),
        'schema_version = 1\ntitle = "A first run"            # heads every report\n',
        _DEFAULTS + _shared(proposal.shared),
        _WORKERS,
        *(_worker(worker) for worker in proposal.workers),
        _left_out(proposal.left_out),
        _integration(proposal.checks),
        *_checks(proposal.checks),
    ]
    return "\n".join(block for block in blocks if block)


def proposal_lines(proposal: Proposal, files: Sequence[str]) -> list[str]:
    """Return what the operator is told once the plan is written."""
    names = command_names(proposal.checks).items()
    return [
        *(f"wrote {name}" for name in files),
        *(f"{one.id}: {shown(', '.join(one.share.places))}" for one in proposal.workers),
        *(
            f"{name}: {shown(' '.join(one.command))}" + (f" ({one.missing})" * bool(one.missing))
            for name, one in names
        ),
        "then: edit the plan, and rehearse it with: factory oneshot --dry-run",
    ]


def toml_string(text: str) -> str:
    """Return `text` as TOML writes it; what could steer a screen stands as an escape."""
    return '"' + "".join(_letter(letter) for letter in text) + '"'


def _letter(letter: str) -> str:
    if letter in '"\\\\':
        return f"\\{letter}"
    if shown(letter) == letter:
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


def _found(proposal: Proposal) -> str:
    if not proposal.languages:
        return ""
    most = ", ".join(f"{name} ({files})" for name, files in proposal.languages[:_MOST_SAID])
    return "#\n" + _comment(f"Files by language: {most}.")


def _shared(shared: Sequence[str]) -> str:
    if not shared:
        return ""
    return f"# shared = {_strings(shared)}   # lines that every worker may add, side by side\n"


def _worker(worker: ProposedWorker) -> str:
    places = ", ".join(worker.share.places[:_MOST_SAID])
    allow = _list("allow", [toml_string(text) for text in worker.share.allow])
    task = toml_string(f"Say here what is to be done in {shown(places)}")
    return f'[[workers]]\nid = "{worker.id}"\ntask = {task}\n{allow}external = true\n'


def _left_out(rows: Sequence[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = [f"#   {shown(path)}: {reason}\n" for path, reason in rows[:_MOST_SAID]]
    more = len(rows) - _MOST_SAID
    rest = f"#   and {more} more\n" if more > 0 else ""
    return "# In no worker's scope:\n" + "".join(lines) + rest


def _integration(checks: Sequence[Suggestion]) -> str:
    runs = [argv for one in checks if not one.missing for argv in one.setup]
    maybe = [argv for one in checks for argv in (one.maybe or (one.setup if one.missing else ()))]
    if runs:
        return _SETUP + "[integration]\n" + _list("setup", [_strings(argv) for argv in runs])
    if not maybe:
        return ""
    lines = "[integration]\n" + _list("setup", [_strings(argv) for argv in maybe])
    reason = (
        "# What a check needs and the host lacks can be brought here; it may need the network:\n"
    )
    return _SETUP + reason + _commented(lines)


def _checks(checks: Sequence[Suggestion]) -> list[str]:
    if not checks:
        return [_NO_CHECK]
    blocks = [_check(name, one) for name, one in command_names(checks).items()]
    return [_CHECKS + blocks[0], *blocks[1:]]


def _check(name: str, one: Suggestion) -> str:
    lines = f"[[checks]]\nname = {toml_string(name)}\n" + _list(
        "command", [toml_string(word) for word in one.command]
    )
    found = _comment(f"Found by {one.found}.")
    if not one.missing:
        return found + lines
    return found + _comment(f"It is a comment because {one.missing}.") + _commented(lines)


def _list(key: str, items: Sequence[str]) -> str:
    line = f"{key} = [{', '.join(items)}]\n"
    if len(line) <= _WIDE:
        return line
    return f"{key} = [\n" + "".join(f"    {item},\n" for item in items) + "]\n"


def _strings(texts: Iterable[str]) -> str:
    return "[" + ", ".join(toml_string(text) for text in texts) + "]"


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(shown(text), _WIDE - 2))


def _commented(lines: str) -> str:
    return "".join(f"# {line}\n" for line in lines.splitlines())
