"""The report in the forms that other programs read, each written only where it is asked for."""

from collections.abc import Callable, Collection

from tools.codex.factory.domain.artifact import RENDITIONS
from tools.codex.factory.domain.evidence import IntegratorStatus
from tools.codex.factory.domain.plan import Plan


def rendered(forms: Collection[str], plan: Plan, status: IntegratorStatus) -> dict[str, bytes]:
    """Return the files of these forms (keys of RENDITIONS), all from one STATUS.json."""
    makers: dict[str, Callable[[Plan, IntegratorStatus], bytes]] = {
        "markdown": _markdown,
        "junit": _junit,
        "sarif": _sarif,
    }
    return {RENDITIONS[form]: makers[form](plan, status) for form in sorted(forms)}


# Few runs want these, and every integrator would pay for their imports.


def _markdown(plan: Plan, status: IntegratorStatus) -> bytes:
    from tools.codex.factory.render.markdown import markdown_report

    return markdown_report(plan, status).encode()


def _junit(plan: Plan, status: IntegratorStatus) -> bytes:
    from tools.codex.factory.render.junit import junit

    return junit(plan, status)


def _sarif(_: Plan, status: IntegratorStatus) -> bytes:
    from tools.codex.factory.domain.document import canonical
    from tools.codex.factory.render.sarif import sarif

    return canonical(sarif(status))
