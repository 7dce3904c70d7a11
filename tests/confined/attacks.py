"""The attacks, as values: what is tried, what stands against it, the answer of each tier."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tools.codex.factory.domain.confinement import TIERS, Role, Tier

Answer = Literal["stopped", "found", "harmless", "open"]
ANSWERS: dict[Answer, str] = {
    "stopped": "the kernel refused it, or it was ended with the command that began it",
    "found": "it can happen, and is found: the run is BLOCKED or fails, or a finding names it",
    "harmless": "it happens in the command's own folders alone, or the factory does not read it",
    "open": "it succeeds",
}
_ALL: tuple[Role, ...] = ("worker", "check", "integrator")
_BOTH: tuple[Role, ...] = ("worker", "check")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One attack by some roles. `answers` are those of TIERS, in their order.

    `deeds` are what attacker.py does of it; `tests` hold what is no matter of tiers, or more of it.
    `finding` is what names it where it is found, a code or a command.
    """

    number: int
    tried: str
    against: str
    answers: tuple[Answer, Answer, Answer]
    roles: tuple[Role, ...] = ("worker",)
    deeds: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    finding: str = ""

    def answer(self, tier: Tier) -> Answer:
        """Return what comes of it under a tier."""
        return self.answers[TIERS.index(tier)]


_KEPT: tuple[Answer, Answer, Answer] = ("stopped", "stopped", "open")
_BUBBLEWRAP_ONLY: tuple[Answer, Answer, Answer] = ("stopped", "open", "open")
_OPEN: tuple[Answer, Answer, Answer] = ("open", "open", "open")
_FOUND: tuple[Answer, Answer, Answer] = ("found", "found", "found")
_HARMLESS: tuple[Answer, Answer, Answer] = ("harmless", "harmless", "harmless")
_STOPPED: tuple[Answer, Answer, Answer] = ("stopped", "stopped", "stopped")

ATTACKS = (
    Attack(
        number=1,
        tried="write, append, cut, create outside, in the work tree too",
        against="all but its own folders is read-only",
        answers=_KEPT,
        roles=_ALL,
        deeds=("write",),
    ),
    Attack(
        number=2,
        tried="delete, rename in or out",
        against="the same",
        answers=_KEPT,
        roles=_ALL,
        deeds=("remove",),
    ),
    Attack(
        number=3,
        tried="change mode, times or extended attributes of what belongs to the operator",
        against="read-only mounts; Landlock does not know these",
        answers=_BUBBLEWRAP_ONLY,
        roles=_ALL,
        deeds=("mode", "times", "attribute"),
    ),
    Attack(
        number=3,
        tried="give a file to another group or user",
        against="read-only mounts, no capabilities",
        answers=_KEPT,
        roles=_ALL,
        deeds=("owner",),
    ),
    Attack(
        number=4,
        tried="write through a link that leads outside",
        against="the kernel looks at where it leads",
        answers=_KEPT,
        deeds=("through_link",),
    ),
    Attack(
        number=5,
        tried="a link to a secret in place of a text for the bundle",
        against="only plain files are taken in, and no link is followed",
        answers=_FOUND,
        deeds=("link_as_text",),
        tests=(
            "tests/storage/test_intake.py::test_what_is_no_plain_file_is_not_taken_in_and_named",
        ),
        finding="worker.outbox",
    ),
    Attack(
        number=6,
        tried="a hard link to an outside file, written then",
        against="its folders are mounts of their own; a link across folders is a right of its own",
        answers=_KEPT,
        deeds=("hard_link",),
    ),
    Attack(
        number=7,
        tried="ways around through `/proc/*/root`, `/proc/*/cwd`, `/proc/self/fd`",
        against="the same mounts and rules hold there",
        answers=_KEPT,
        roles=_ALL,
        deeds=("through_proc",),
    ),
    Attack(
        number=8,
        tried="read the environment of other processes",
        against="processes of its own; under Landlock none outside may be looked into",
        answers=_KEPT,
        roles=_ALL,
        deeds=("read_environment",),
    ),
    Attack(
        number=9,
        tried="use files that were left open",
        against="none is handed over",
        answers=_HARMLESS,
        roles=_BOTH,
        deeds=("open_files",),
        tests=(
            "tests/process/test_watched.py"
            "::test_a_command_has_no_terminal_no_input_and_no_file_of_ours",
        ),
    ),
    Attack(
        number=10,
        tried="name programs in the checkout's git configuration: hooks, fsmonitor, pager",
        against="git of the factory has a git directory and an environment of its own",
        answers=_HARMLESS,
        deeds=("own_git",),
        tests=(
            "tests/repository/test_git.py"
            "::test_a_hostile_repository_and_user_change_no_answer_and_run_nothing",
        ),
    ),
    Attack(
        number=11,
        tried="filters and diff programs by .gitattributes",
        against="the factory's own git directory defines none",
        answers=_HARMLESS,
        deeds=("own_git",),
        tests=(
            "tests/repository/test_git.py"
            "::test_a_filter_with_an_equals_sign_in_its_name_does_not_run",
        ),
    ),
    Attack(
        number=12,
        tried="includes, aliases, ssh, credential and signing programs",
        against="the same",
        answers=_HARMLESS,
        deeds=("own_git",),
        tests=(
            "tests/repository/test_git.py"
            "::test_the_environment_of_whoever_starts_us_changes_no_answer",
        ),
    ),
    Attack(
        number=13,
        tried="alternates, grafts and replaced objects in the checkout's git directory",
        against="HEAD, index and refs are read as files; its objects are not believed",
        answers=_HARMLESS,
        deeds=("borrowed",),
        tests=(
            "tests/pipelines/test_bad_endings.py"
            "::test_a_git_directory_that_is_a_link_to_the_users_is_not_followed",
        ),
    ),
    Attack(
        number=14,
        tried="a repository inside the checkout whose configuration names programs",
        against="it is refused before git is run",
        answers=_FOUND,
        deeds=("nested",),
        tests=(
            "tests/repository/test_capture_hostile.py"
            "::test_no_program_of_a_nested_repository_is_run",
        ),
        finding="capture.nested_repository",
    ),
    Attack(
        number=15,
        tried="a patch with `..`, `.git/` or a path through a link",
        against="every byte of a patch is read by our own grammar",
        answers=_FOUND,
        tests=("tests/hostile/test_patches.py::test_a_hostile_patch_is_answered_by_name",),
        finding="patch.*",
    ),
    Attack(
        number=16,
        tried="bring in what runs by itself: attributes, submodules, CI, hooks",
        against="such a path must be named by the plan itself",
        answers=_FOUND,
        tests=(
            "tests/domain/test_scope.py::test_a_sensitive_path_needs_a_pattern_that_names_it",
            "tests/domain/test_scope.py::test_an_executable_bit_gained_is_a_note",
        ),
        finding="scope.sensitive",
    ),
    Attack(
        number=17,
        tried="read or poison by variables of the environment",
        against="a command is given an allow-list; the factory builds its own",
        answers=_HARMLESS,
        deeds=("read_own_environment",),
        tests=(
            "tests/repository/test_git.py"
            "::test_the_built_environment_holds_what_is_named_and_nothing_else",
        ),
    ),
    Attack(
        number=18,
        tried="modules and programs in the checkout that are found before the real ones",
        against="no process of the factory looks for code in a checkout",
        answers=_HARMLESS,
        deeds=("planted",),
    ),
    Attack(
        number=19,
        tried="write into another worker's checkout or sealed bundle",
        against="neither is there; a seal shows what was changed",
        answers=("stopped", "stopped", "found"),
        deeds=("sibling",),
        tests=(
            "tests/storage/test_intake.py"
            "::test_one_changed_byte_of_any_file_breaks_the_seal_and_names_it",
        ),
        finding="bundle.seal_broken",
    ),
    Attack(
        number=19,
        tried="the same, while the merged tree is checked",
        against="neither is there; a seal shows what was changed",
        answers=("stopped", "stopped", "found"),
        roles=("check",),
        deeds=("sibling",),
        finding="factory ledger-replay",
    ),
    Attack(
        number=19,
        tried="the same, in the integrator's place",
        against="bundles are mounted read-only again; Landlock takes no right back inside a folder",
        answers=("stopped", "found", "found"),
        roles=("integrator",),
        deeds=("sibling",),
        finding="factory ledger-replay",
    ),
    Attack(
        number=20,
        tried="change the own work after it was captured",
        against="all that a command started is ended before the capture; what counts is sealed",
        answers=_STOPPED,
        deeds=("linger",),
        tests=(
            "tests/hostile/test_bundles.py"
            "::test_a_file_that_changes_while_it_is_read_is_refused_or_as_it_was_at_one_moment",
        ),
    ),
    Attack(
        number=21,
        tried="leave a daemon behind, out of its session and deaf to signals",
        against="a namespace of processes; without it the supervisor ends all below it",
        answers=_STOPPED,
        roles=_BOTH,
        deeds=("linger",),
        tests=(
            "tests/process/test_watched.py::test_what_a_command_leaves_behind_is_ended_and_reaped",
        ),
    ),
    Attack(
        number=22,
        tried="start processes without end",
        against="they are ended with the command; `sandbox.processes` bounds them",
        answers=_STOPPED,
        deeds=("multiply",),
        tests=("tests/process/test_watched.py::test_a_process_that_forks_on_and_on_is_ended",),
    ),
    Attack(
        number=23,
        tried="fill the disk",
        against="a reserve for the end of the work; `sandbox.file_bytes`, `sandbox.checkout_bytes`",
        answers=_FOUND,
        tests=(
            "tests/pipelines/test_full_disk.py"
            "::test_work_that_was_done_is_not_done_again_though_its_end_had_no_room",
        ),
        finding="exit 20",
    ),
    Attack(
        number=24,
        tried="say more than any log can hold",
        against="the middle of a log is left out, and it is said",
        answers=_FOUND,
        tests=(
            "tests/pipelines/test_bad_endings.py::test_a_flood_is_cut_in_the_middle_and_takes_little_memory",
        ),
        finding="worker.log_truncated",
    ),
    Attack(
        number=25,
        tried="take memory or time without end",
        against="a time limit for each command; `sandbox.memory_bytes`",
        answers=_FOUND,
        tests=(
            "tests/pipelines/test_bad_endings.py::test_how_a_worker_ended_is_told_and_its_work_is_kept",
        ),
        finding="worker.timed_out",
    ),
    Attack(
        number=26,
        tried="kill or trace processes outside",
        against="processes of its own; under Landlock no signal leads out",
        answers=_KEPT,
        roles=_ALL,
        deeds=("signals", "trace"),
    ),
    Attack(
        number=27,
        tried="type into the operator's terminal",
        against="a session and terminals of its own; the call is refused",
        answers=_KEPT,
        roles=_BOTH,
        deeds=("type_into_terminal",),
    ),
    Attack(
        number=27,
        tried="write on the operator's terminal, by its name",
        against="terminals of its own; Landlock cannot tell one terminal from another",
        answers=_BUBBLEWRAP_ONLY,
        roles=_BOTH,
        deeds=("write_on_terminal",),
    ),
    Attack(
        number=28,
        tried="speak with a service through a socket in /tmp or /run (docker, ssh-agent, dbus)",
        against="/tmp and /run of its own; Landlock does not know sockets with a path",
        answers=_BUBBLEWRAP_ONLY,
        roles=_BOTH,
        deeds=("socket_in_tmp", "socket_in_run"),
    ),
    Attack(
        number=28,
        tried="the same through a socket in any other folder",
        against="nothing, but that the folder can be hidden (`sandbox.hidden`)",
        answers=_OPEN,
        roles=_BOTH,
        deeds=("socket_elsewhere",),
    ),
    Attack(
        number=29,
        tried="speak with a service through an abstract socket (X11, dbus)",
        against="a scope of Landlock (Linux 6.12), a network of its own",
        answers=_KEPT,
        roles=_ALL,
        deeds=("abstract_socket",),
    ),
    Attack(
        number=29,
        tried="reach other hosts, and this one, by TCP, UDP, multipath TCP",
        against="nothing: a worker has the network, unless `sandbox.network` is off",
        answers=_OPEN,
        deeds=("tcp", "udp", "multipath"),
    ),
    Attack(
        number=29,
        tried="reach other hosts, and this one, by TCP, UDP, multipath TCP",
        against="no network: one of its own, or no sockets but those with a path",
        answers=_KEPT,
        roles=("check", "integrator"),
        deeds=("tcp", "udp", "multipath"),
    ),
    Attack(
        number=30,
        tried="read keys and tokens in the operator's home",
        against="`sandbox.hidden`; nothing of them is in the environment",
        answers=_KEPT,
        roles=_ALL,
        deeds=("read_key",),
    ),
    Attack(
        number=30,
        tried="read the operator's work tree, also what is in no commit",
        against="nothing: a worker may read the repository that it works for",
        answers=_OPEN,
        deeds=("read_work_tree",),
    ),
    Attack(
        number=30,
        tried="read the operator's work tree, also what is in no commit",
        against="it is hidden from checks",
        answers=_KEPT,
        roles=("check",),
        deeds=("read_work_tree",),
    ),
    Attack(
        number=31,
        tried="a pipe, socket or folder in place of a text for the bundle",
        against="looked at before it is opened, and opened so that nothing waits",
        answers=_FOUND,
        deeds=("odd_outbox",),
        tests=(
            "tests/storage/test_intake.py::test_what_is_no_plain_file_is_not_taken_in_and_named",
            "tests/repository/test_capture_hostile.py::test_a_pipe_in_place_of_a_file_is_told",
        ),
        finding="worker.outbox",
    ),
    Attack(
        number=32,
        tried="documents that burst: huge, deep, ambiguous; too many files",
        against="limits of bytes, depth and count before anything is read; nothing is unpacked",
        answers=_FOUND,
        tests=(
            "tests/hostile/test_bundles.py::test_a_hostile_bundle_is_answered_by_name",
            "tests/storage/test_intake.py::test_a_huge_file_is_not_read_and_named",
        ),
        finding="bundle.*",
    ),
    Attack(
        number=33,
        tried="text that steers a terminal, in logs, names and notes",
        against="it is shown escaped, everywhere",
        answers=_HARMLESS,
        tests=(
            "tests/cli/test_hostile_text.py"
            "::test_a_plan_and_a_worker_of_hostile_text_steer_no_screen",
        ),
    ),
    Attack(
        number=34,
        tried="names with line ends, dashes, odd bytes, other spellings of a name",
        against="paths are bytes, kept as they are; names that one system takes for one are found",
        answers=_FOUND,
        tests=(
            "tests/repository/test_capture_hostile.py"
            "::test_a_name_that_not_every_system_takes_blocks_and_the_rest_is_captured",
            "tests/cli/test_hostile_text.py"
            "::test_a_merged_run_of_hostile_names_is_published_and_shown_safely",
        ),
        finding="overlap.name_collision",
    ),
    Attack(
        number=35,
        tried="take the ledger away, forge PASS, change the sealed plan",
        against="the runs root is hidden; what is sealed names each other",
        answers=("stopped", "stopped", "found"),
        deeds=("ruin",),
        tests=("tests/test_promises.py::test_a_ledger_whose_end_is_cut_off_is_noticed",),
        finding="exit 1",
    ),
    Attack(
        number=36,
        tried="undo mounts, in namespaces of its own too",
        against="no capabilities outside a namespace of its own, whose mounts are locked",
        answers=_KEPT,
        roles=_ALL,
        deeds=("undo_mounts",),
    ),
    Attack(
        number=37,
        tried="make calls through io_uring, past every filter",
        against="it is refused",
        answers=_KEPT,
        roles=_ALL,
        deeds=("ring",),
    ),
    Attack(
        number=38,
        tried="read or leave keys in the kernel's keyring",
        against="it is refused",
        answers=_KEPT,
        roles=_ALL,
        deeds=("key",),
    ),
    Attack(
        number=39,
        tried="leave a setuid program",
        against="a bundle has no such bit, the work root is the operator's alone",
        answers=_HARMLESS,
        deeds=("setuid",),
    ),
    Attack(
        number=40,
        tried="poison caches that the operator's programs load from",
        against="a home and caches of its own; all others are read-only",
        answers=_KEPT,
        roles=_ALL,
        deeds=("poison_cache",),
    ),
    Attack(
        number=41,
        tried="exchange what a path leads to while it is opened",
        against="the kernel decides on what was opened, never a report on a path",
        answers=_KEPT,
        deeds=("race",),
    ),
)


def cases() -> Iterator[tuple[Attack, Role, Tier]]:
    """Yield each attack that is tried here, by each role and under each tier."""
    for tier in TIERS:
        for attack in ATTACKS:
            for role in attack.roles:
                if attack.deeds:
                    yield attack, role, tier
