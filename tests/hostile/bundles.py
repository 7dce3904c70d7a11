"""Every hostile bundle, by name; and the odd ones that are taken as they are."""

import os

from tests.hostile import documents, files, patched
from tests.hostile.ground import BundleCase

CASES: tuple[BundleCase, ...] = (*documents.CASES, *files.CASES, *patched.CASES)
TAKEN: tuple[BundleCase, ...] = documents.TAKEN


def cannot_be(case: BundleCase) -> str:
    """Return why this user cannot make the case; empty where it can be made."""
    is_root = os.geteuid() == 0
    if case.needs_root and not is_root:
        return "only root makes devices"
    if case.needs_user and is_root:
        return "root reads everything"
    return ""
