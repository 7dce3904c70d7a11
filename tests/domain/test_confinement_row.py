"""Whose bundle is believed when it says how its worker was confined."""

import pytest

from tests.builders import base_of
from tests.statuses import a_bundle, a_plan, an_entry
from tools.codex.factory.domain.artifact import ConfinementRecord
from tools.codex.factory.domain.bundle import Bundle
from tools.codex.factory.domain.confined import Confined
from tools.codex.factory.domain.confinement_row import (
    confinement_record,
    trespass_findings,
    worker_confinement_rows,
)
from tools.codex.factory.domain.identity import WorkerId
from tools.codex.factory.domain.overlap import Overlaps
from tools.codex.factory.domain.plan import WorkerEntry
from tools.codex.factory.domain.trespass import Trespass
from tools.codex.factory.domain.verdict import Judgement

RECORD = confinement_record(
    Confined(tier="landlock", demand="auto", weaker="no bwrap", observed=True)
)


def judgement_of(bundle: Bundle | None) -> Judgement:
    """Return the judgement of A_worker, whose bundle may be unreadable."""
    base, blobs = base_of({})
    worker = WorkerId("A_worker")
    return Judgement(
        base=base,
        blobs=blobs,
        bundles={} if bundle is None else {worker: bundle},
        changes_of={},
        overlaps=Overlaps((), {}),
        findings=(),
        included=(),
        own_findings={worker: ()},
    )


@pytest.mark.parametrize(
    ("entry", "record", "expected"),
    [
        (an_entry(patch=None, command=("true",)), RECORD, [("A_worker", "landlock")]),
        (an_entry(patch=None, external=True), RECORD, [("A_worker", "landlock")]),
        (an_entry(patch=None, command=("true",)), None, []),
        (an_entry(patch=None, bundle="x"), RECORD, []),
        (an_entry(), RECORD, []),
    ],
)
def test_only_who_was_run_here_is_in_the_report(
    entry: WorkerEntry, record: ConfinementRecord | None, expected: list[tuple[str, str]]
) -> None:
    judgement = judgement_of(a_bundle(confinement=record))

    rows = worker_confinement_rows(judgement, a_plan(workers=(entry,)))

    assert [(row.who, row.tier) for row in rows] == expected


def test_an_unreadable_bundle_says_nothing() -> None:
    plan = a_plan(workers=(an_entry(patch=None, command=("true",)),))

    assert worker_confinement_rows(judgement_of(None), plan) == ()


def test_long_and_hostile_paths_stand_in_a_message_briefly() -> None:
    tried = (
        Trespass(operation="chmod", path="/\n" + "x" * 4000, program="sh", count=3),
        Trespass(operation="write", path="/\udcff", program="sh", count=1),
    )

    (finding,) = trespass_findings(
        "A_worker", Confined(tier="bubblewrap", demand="auto", observed=True, trespasses=tried)
    )

    assert finding.blocks
    assert finding.message.startswith('4 attempts to write outside: chmod "/\\nxxx')
    assert finding.message.endswith('..., write "/\\377"')
    assert len(finding.message) < 250
