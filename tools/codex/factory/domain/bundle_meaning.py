"""What each finding about one worker's bundle means, and what to do: taken in, proven, captured."""

from collections.abc import Mapping
from dataclasses import dataclass

from tools.codex.factory.domain.finding import Code


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says is so, and what the operator does about it; one sentence each."""

    meaning: str
    remedy: str


_AGAIN = "`factory launch --only W` makes a new attempt"
_WITHOUT = "or leave the worker out with `factory amend --drop W`"

BUNDLE_MEANING: Mapping[Code, Meaning] = {
    Code.ARTIFACT_MISSING: Meaning(
        "One of the eight artifacts is not in the bundle.",
        f"Hand in all eight artifacts in a new run, {_WITHOUT}.",
    ),
    Code.TOO_LARGE: Meaning(
        "A file, or the bundle as a whole, is larger than its limit or holds too many files.",
        "Leave the file out, or raise limits.file_bytes or limits.bundle_bytes, in a new run; "
        "`factory amend --drop W` goes on without the worker.",
    ),
    Code.NOT_A_FILE: Meaning(
        "Something in the bundle folder is a link, a hard link, a device or a pipe where a plain "
        "file belongs, or has a name that no artifact and no log has.",
        f"Hand in plain files, each a copy of its own, in a new run, {_WITHOUT}.",
    ),
    Code.SCHEMA: Meaning(
        "A JSON artifact of the bundle does not meet its schema.",
        f"Hold it against the schema that `factory schemas export` writes, and hand it in in a new "
        f"run, {_WITHOUT}.",
    ),
    Code.IDENTITY: Meaning(
        "An artifact names another run, another worker or another base commit than this run has.",
        f"Hand in the bundle made for this run, or its DIFF.patch alone as a `patch`, in a new "
        f"run, {_WITHOUT}.",
    ),
    Code.SEAL_BROKEN: Meaning(
        "A sealed file was changed, removed or added after it was sealed, or its seal is gone.",
        "Put the sealed bytes back, or start a new run; `factory amend` changes what a plan "
        "allows, an editor never.",
    ),
    Code.DIFF_DISAGREES: Meaning(
        "FILES_CHANGED.json does not say what DIFF.patch does.",
        f"Write FILES_CHANGED.json from the patch, and hand both in in a new run, {_WITHOUT}.",
    ),
    Code.TREE_DISAGREES: Meaning(
        "STATUS.json names another tree as captured than DIFF.patch makes of the base.",
        f"Hand in patch and status of one and the same work, in a new run, {_WITHOUT}.",
    ),
    Code.LOG_DISAGREES: Meaning(
        "LOGS/INDEX.json and the logs in the bundle disagree.",
        f"Hand in every log that the index names, and no other, in a new run, {_WITHOUT}.",
    ),
    Code.HANDOFF_CONTRADICTS: Meaning(
        "HANDOFF_NOTE.json declares a path that DIFF.patch does not change, or says that nothing "
        "was changed where something was.",
        f"Correct the note or the work, in a new run, {_WITHOUT}.",
    ),
    Code.UNDECLARED_PATH: Meaning(
        "DIFF.patch changes a path that HANDOFF_NOTE.json, which declares others, does not name.",
        "Read the change; if it is not meant, `factory amend --drop-path W:PATH` leaves it out.",
    ),
    Code.NO_CHANGE: Meaning(
        "The worker changed nothing.",
        f"Nothing, if that is right; else read its SUMMARY.md and LOGS; {_AGAIN}.",
    ),
    Code.PATCH_GRAMMAR: Meaning(
        "DIFF.patch is not what `git diff --binary --full-index` writes, or names a path that "
        "cannot be one; the message names the line.",
        f"Make the patch with `git diff --binary --full-index`, add nothing to it, and hand it in "
        f"in a new run, {_WITHOUT}.",
    ),
    Code.PATCH_PATH_TWICE: Meaning(
        "DIFF.patch writes one path twice, or deletes and adds it.",
        f"Write each path once, in a new run, {_WITHOUT}.",
    ),
    Code.PATCH_BASE_DIFFERS: Meaning(
        "DIFF.patch was made on something else than the base commit: the path, mode or blob that "
        "it starts from is not the one there.",
        f"Make the patch again on the base commit of the run, for a new run, {_WITHOUT}.",
    ),
    Code.PATCH_DOES_NOT_APPLY: Meaning(
        "A hunk does not fit the base blob that it names exactly; there is no fuzz and no offset.",
        f"Make the patch again with `git diff --binary --full-index`, for a new run, {_WITHOUT}.",
    ),
    Code.PATCH_RESULT_DIFFERS: Meaning(
        "Applied exactly, the patch makes another blob than the one that it declares.",
        f"Make the patch again with `git diff --binary --full-index`, for a new run, {_WITHOUT}.",
    ),
    Code.PATCH_TREE_SHAPE: Meaning(
        "The changes leave a name that is both a file and a folder, or add a path that the base "
        "has already.",
        f"Take the one away in the same patch or use another name, in a new run, {_WITHOUT}; if "
        "`--drop-path` left out half of a move, leave out the other half too.",
    ),
    Code.SOURCE_NOT_CARRIED: Meaning(
        "The branch of the worker does not start at the base commit, and what it changes cannot be "
        "carried over exactly.",
        f"Rebase the branch on the base commit and start a new run, {_WITHOUT}.",
    ),
    Code.WORKER_ENDED_BADLY: Meaning(
        "A bundle made elsewhere says that its worker did not end well, or names findings that "
        "block.",
        f"Mend what its STATUS.json says, and hand the bundle in in a new run, {_WITHOUT}.",
    ),
    Code.WORKER_EXIT_CODE: Meaning(
        "The command of the worker exited with another code than 0; what it did until then is in "
        "its bundle.",
        f"Read its LOGS and mend what it needs: {_AGAIN}; a changed plan needs a new run "
        f"(`retries` tries again by itself), {_WITHOUT}.",
    ),
    Code.WORKER_SIGNALLED: Meaning(
        "A signal ended the command of the worker; what it did until then is in its bundle.",
        f"Read its LOGS: {_AGAIN} (`retries` in a plan does so by itself), {_WITHOUT}.",
    ),
    Code.WORKER_TIMED_OUT: Meaning(
        "The command ran longer than its `timeout` and was ended; what it did until then is in its "
        "bundle.",
        f"{_AGAIN}, which helps where it was the host that was slow; else raise `timeout` in the "
        f"plan, in a new run, {_WITHOUT}.",
    ),
    Code.WORKER_IDLE: Meaning(
        "The command said nothing for longer than its `idle_timeout` and was ended; what it did "
        "until then is in its bundle.",
        f"{_AGAIN}; a higher `idle_timeout` in the plan needs a new run, {_WITHOUT}.",
    ),
    Code.WORKER_OVER_QUOTA: Meaning(
        "The command took more than it may of memory, of processes, of one file, of its checkout "
        "or of the disk: it was ended, its bundle has what it did until then; or, as a note, it "
        "was refused more and went on.",
        "Raise the setting that the message names (sandbox.memory_bytes, sandbox.processes, "
        f"sandbox.file_bytes, sandbox.checkout_bytes): {_AGAIN}, {_WITHOUT}.",
    ),
    Code.WORKER_STOPPED: Meaning(
        "The command was stopped together with the factory, twice.",
        f"{_AGAIN}, {_WITHOUT}.",
    ),
    Code.WORKER_LOST: Meaning(
        "The supervisor of the worker was killed, so how the command ended is not known.",
        f"Look into its LOGS for what killed it: {_AGAIN}, {_WITHOUT}.",
    ),
    Code.WORKER_NOT_STARTED: Meaning(
        "The program of the worker is not there or cannot be started, or its checkout could not "
        "be made.",
        f"Install the program: {_AGAIN}; a changed plan needs a new run, {_WITHOUT}.",
    ),
    Code.WORKER_SETUP_FAILED: Meaning(
        "A `setup` command did not exit 0, so the worker was not started.",
        f"Read the LOGS of the worker and bring what `setup` needs: {_AGAIN}; a changed plan needs "
        f"a new run, {_WITHOUT}.",
    ),
    Code.WORKER_SETUP_DIRTY: Meaning(
        "`setup` changed a path that is not ignored, so the worker was not started.",
        "Let `setup` write ignored paths only (.gitignore, capture.ignore), in a new run, "
        f"{_WITHOUT}.",
    ),
    Code.WORKER_PROCESSES_LEFT: Meaning(
        "Processes that the command started are still there: they belong to another user, or "
        "sleep in the kernel.",
        f"Find and end them: {_AGAIN}, {_WITHOUT}.",
    ),
    Code.WORKER_LOG_TRUNCATED: Meaning(
        "The command said more than work.log_bytes; the log keeps its begin and its end.",
        "Raise work.log_bytes, or let the command say less, if the middle matters.",
    ),
    Code.WORKER_OUTBOX: Meaning(
        "The outbox is gone, or a text in it is a link, too large or no file; or, as a note, other "
        "things lie in it, which are in no bundle.",
        "Let the worker leave nothing in its outbox but SUMMARY.md, SUGGESTIONS.md and "
        f"HANDOFF_NOTE.json, each a plain file of at most 1 MiB, in a new run, {_WITHOUT}.",
    ),
    Code.SANDBOX_TRESPASS: Meaning(
        "The worker tried to write outside what it may write, and sandbox.on_attempt is `block`; "
        "its STATUS.json and THIS RUN list what it tried.",
        "Read what it wanted there; sandbox.writable lets workers write a folder more, "
        f'sandbox.on_attempt = "note" only lists attempts: {_AGAIN}, {_WITHOUT}.',
    ),
    Code.CAPTURE_FAILED: Meaning(
        "What lies in the checkout could not be captured; the message says why.",
        f"Mend what the message names, take over from the kept checkout what you need, and start a "
        f"new run, {_WITHOUT}.",
    ),
    Code.CAPTURE_CHECKOUT_GONE: Meaning(
        "The checkout is gone or a link, so there is nothing to capture.",
        f"Let the command neither remove nor move its own checkout, in a new run, {_WITHOUT}.",
    ),
    Code.CAPTURE_GIT_GONE: Meaning(
        "The worker removed `.git`: its files are captured, its commits are gone.",
        "Nothing, if the files are all that you want.",
    ),
    Code.CAPTURE_GIT_REPLACED: Meaning(
        "`.git` is a link or another repository's; the files are captured, nothing in `.git` is "
        "read.",
        f"Let the command leave `.git` alone, in a new run, {_WITHOUT}.",
    ),
    Code.CAPTURE_GIT_UNREADABLE: Meaning(
        "The worker's index, HEAD or commits cannot be read; the files are captured.",
        f"Look at `.git` in the kept checkout, and start a new run, {_WITHOUT}.",
    ),
    Code.CAPTURE_UNMERGED: Meaning(
        "The worker ended in the middle of a merge or rebase; the files are captured as they lie.",
        f"Let the worker finish or abort it before it ends, in a new run, {_WITHOUT}.",
    ),
    Code.CAPTURE_NESTED_REPOSITORY: Meaning(
        "A repository lies inside the checkout, or files lie in the folder of a submodule; what is "
        "in it is in no bundle.",
        "Ignore it by .gitignore, or let the worker take its `.git` away, in a new run, "
        f"{_WITHOUT}.",
    ),
    Code.CAPTURE_SPECIAL_FILE: Meaning(
        "A pipe, a device or a socket lies where a file should; the rest is captured.",
        f"Let the worker remove it before it ends, in a new run, {_WITHOUT}.",
    ),
    Code.CAPTURE_PATH_REFUSED: Meaning(
        "A path has a name that not every system takes, or that some system takes for `.git`.",
        f"Give it another name, in a new run, {_WITHOUT}.",
    ),
    Code.CAPTURE_TOO_LARGE: Meaning(
        "A file or the diff is larger than its limit; the rest is captured.",
        "Ignore the file, or raise limits.file_bytes, limits.patch_bytes or limits.bundle_bytes, "
        f"in a new run, {_WITHOUT}.",
    ),
    Code.CAPTURE_LEFT_OUT: Meaning(
        "Ignored files, or the files of a filled submodule, are in no bundle.",
        "Nothing, if they may be lost; else take them out of .gitignore and capture.ignore.",
    ),
    Code.CAPTURE_OTHER_REFS: Meaning(
        "Commits on other branches, or stashes, are not in the work.",
        "`git fetch` reads them from LOGS/stray.bundle of the worker, if you want them.",
    ),
}
