"""What each finding code means, and what to do: one sentence of each, for every code there is."""

from collections.abc import Mapping

from tools.codex.factory.domain.bundle_meaning import BUNDLE_MEANING
from tools.codex.factory.domain.bundle_meaning import Meaning as Meaning
from tools.codex.factory.domain.finding import Code

MEANING: Mapping[Code, Meaning] = {
    **BUNDLE_MEANING,
    Code.SCOPE_FILTERED_PATH: Meaning(
        "The worker changed a path to which the base gives a filter (LFS, git-crypt), and its "
        "checkout has that path raw.",
        "Change such files by hand, outside a run; `factory amend --drop W` leaves the worker out.",
    ),
    Code.SCOPE_OUTSIDE_LOCK: Meaning(
        "The worker changed a path that no pattern of its `allow` or `shared` names.",
        "`factory amend --allow W:PATTERN` grants it, `factory amend --drop-path W:PATH` leaves it "
        "out.",
    ),
    Code.SCOPE_DENIED: Meaning(
        "The worker changed a path that a pattern of its `deny` names.",
        "`factory amend --deny W:!PATTERN` takes the denial back, "
        "`factory amend --drop-path W:PATH` leaves the path out.",
    ),
    Code.SCOPE_ALWAYS_DENIED: Meaning(
        "The worker changed a path in the runs root, which no worker may write whatever its lock "
        "says.",
        "`factory amend --drop-path W:PATH` leaves it out.",
    ),
    Code.SCOPE_SENSITIVE: Meaning(
        "The worker changed a path that acts on others (.gitattributes, .gitmodules, CI, a hook, "
        "a submodule, a link out of the tree), and no pattern names that very path.",
        "Read the change; `factory amend --allow W:PATTERN` with the path itself grants it, "
        "`factory amend --drop-path W:PATH` leaves it out.",
    ),
    Code.SCOPE_LOCK_DIFFERS: Meaning(
        "SCOPE_LOCK.json in the bundle is not the lock that the plan gives to the worker.",
        "Hand in the bundle with the lock of the plan, in a new run, or leave the worker out with "
        "`factory amend --drop W`.",
    ),
    Code.SCOPE_REQUESTED: Meaning(
        "The worker changed a path outside its scope, and asks for it in HANDOFF_NOTE.json.",
        "Read its reason; `factory amend --allow W:PATTERN` grants the path, "
        "`factory amend --drop-path W:PATH` leaves it out.",
    ),
    Code.SCOPE_GRANTED: Meaning(
        "scope.grant_requests gave the worker a path that it asked for and nobody else writes.",
        "Read the change; `factory amend --drop-path W:PATH` leaves it out.",
    ),
    Code.SCOPE_CHECK_DEFINITION: Meaning(
        "The worker changed a file that a check of the plan, or its setup, names.",
        "Read the change: it decides what the check says.",
    ),
    Code.SCOPE_EXECUTABLE: Meaning(
        "A file gains the executable bit.",
        "Look whether it is meant to be run.",
    ),
    Code.SCOPE_SENSITIVE_ALLOWED: Meaning(
        "The worker changed a path that acts on others, and its lock names that very path.",
        "Read the change before you publish it.",
    ),
    Code.OVERLAP_SAME_PATH: Meaning(
        "Several workers changed one path, and not all of them share it, or it is shared and one "
        "did more than edit its text.",
        "`factory amend --share PATTERN` unites edits of text, `factory amend --drop-path W:PATH` "
        "leaves the path to the others.",
    ),
    Code.OVERLAP_HUNKS: Meaning(
        "Two workers who share a file edited lines that touch, or added lines at one place.",
        "`factory amend --drop-path W:PATH` leaves the file to the other; in a new run, leave an "
        "untouched line between the edits.",
    ),
    Code.OVERLAP_FILE_DIRECTORY: Meaning(
        "One worker writes below a path that another makes a file, a link or a submodule.",
        "`factory amend --drop-path W:PATH` leaves the path of one out.",
    ),
    Code.OVERLAP_NAME: Meaning(
        "Two names are the same where case or Unicode form is ignored, so some systems cannot hold "
        "both.",
        "`factory amend --drop W` leaves the work of one out; in a new run, choose another name.",
    ),
    Code.OVERLAP_GLOBAL_FILE: Meaning(
        "Several workers changed files such as .gitattributes, which act on other paths; one "
        "worker alone may.",
        "`factory amend --drop-path W:PATH` leaves it to one of them.",
    ),
    Code.OVERLAP_EMPTIED: Meaning(
        "One worker adds a file to a folder whose files another takes away or moves.",
        "Look whether the new file belongs where the others went.",
    ),
    Code.PROOF_FAILED: Meaning(
        "Git did not reach, from the merged DIFF.patch, the tree that our engine made, or refused "
        "the objects of the merge; nothing is merged.",
        "Keep the run folder and report this: two engines disagree.",
    ),
    Code.CHECK_FAILED: Meaning(
        "A check failed on the merged tree, each time that it was run.",
        "Read its log in Z_integrator/LOGS and who made it red under CHECKS; "
        "`factory integrate --salvage` seeks what is green together, `factory amend --drop W` "
        "leaves a worker out.",
    ),
    Code.CHECK_FLAKY: Meaning(
        "A check failed, and then passed on the same tree.",
        "Make it steady, or give it `retries` in the plan, which makes this a note, in a new run.",
    ),
    Code.CHECK_NOT_RUN: Meaning(
        "A check was not run: the setup of the integration failed, or the check could not begin.",
        "Read the reason, mend `[integration]` setup or what it needs, and `factory integrate` "
        "again; a changed plan needs a new run.",
    ),
    Code.CHECK_RED_ON_BASE: Meaning(
        "In a rehearsal, a check failed on the base commit, before any work.",
        "Mend the base commit or the check first: no worker can make it green.",
    ),
    Code.PLAN_SCOPES_OVERLAP: Meaning(
        "Two workers of the plan may write one path, and not both have it in `shared`.",
        "Narrow `allow` of one, `deny` it there, or let both have it in `shared`; nothing has been "
        "started yet.",
    ),
    Code.PLAN_MATCHES_NOTHING: Meaning(
        "A pattern of the plan matches no file of the base commit.",
        "Right where the worker is to make the file; else correct the pattern.",
    ),
    Code.PLAN_EMPTY_SCOPE: Meaning(
        "No pattern allows a worker any path.",
        "Give it `allow`, unless it is to change nothing.",
    ),
    Code.PLAN_SENSITIVE_PATH: Meaning(
        "The patterns of a worker reach a path that acts on others or that automation runs; "
        "writing it blocks unless a pattern names it.",
        "Name the path itself in `allow` where that is meant, `deny` it where it is not.",
    ),
    Code.PLAN_SHARED_LOCK_FILE: Meaning(
        "A lock file that a program writes is shared, and edits united line by line may be no "
        "lock that it would write.",
        "Let one worker own it, and write it anew after the merge.",
    ),
    Code.SECRET_IN_PATCH: Meaning(
        "The worker would bring a secret into the repository: the value of a variable that is one, "
        "or what has the well-known form of a token or a private key.",
        "Revoke it, and `factory amend --drop-path W:PATH`; where the value is made up, "
        "`factory amend --accept-secret W:PATH`, or name the path in secrets.accept for new runs.",
    ),
    Code.SECRET_REDACTED: Meaning(
        "A log or a text held a secret; in the copy that the run keeps, a mark stands in its "
        "place.",
        "Find out why it was said, and revoke it where others may have read it.",
    ),
    Code.SANDBOX_WEAKER: Meaning(
        "`sandbox.mode = required`, and this host confines by less than `sandbox.least`.",
        "`factory doctor` says what the host lacks; or set `sandbox.least`, or `sandbox.mode = "
        "auto`, for a new attempt.",
    ),
    Code.SANDBOX_REPOSITORY: Meaning(
        "A ref, the stash, the configuration, a hook, a file of info/ or the alternates of your "
        "repository changed while workers or checks ran that no kernel tier confined.",
        "Look at what changed; where that was you, `factory integrate` again with "
        "FACTORY_SANDBOX__ON_CHANGE=note.",
    ),
    Code.SANDBOX_LEDGER: Meaning(
        "The ledger was replaced or changed, or holds a line of this run that the command which "
        "holds it did not write, while workers or checks ran.",
        "Hold it against `factory ledger-replay`, find out who wrote it, and start a new run.",
    ),
    Code.POLICY_WRITE_OUTSIDE: Meaning(
        "A link or another thing stood in the way of the integrator and would have led its write "
        "out of the run folder; it was set aside. Or its own code tried to write there, and was "
        "refused.",
        "Find out who put it there, and `factory integrate` again; of its own code, report it.",
    ),
}
