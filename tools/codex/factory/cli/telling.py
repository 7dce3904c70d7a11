"""What an event is in words: the progress of a run that goes on, and of one that is watched."""

from typing import TYPE_CHECKING

from tools.codex.factory.cli.command import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.codex.factory.domain.event import Event, LedgerLine

_STAGE_EVENTS = {
    "RUN_START": "run {run} on base {base_commit}",
    "RUN_CONTINUED": "run {run} continues on base {base_commit}",
    "SANDBOX_WEAKER": "{kept}: {why}; `factory doctor` says what helps",
    "CHECKOUT_MADE": "{actor}: checkout made",
    "WORKER_STARTED": "{actor}: started (attempt {attempt})",
    "WORKER_ENDED": "{actor}: {how}",
    "ATTEMPT_KEPT": "{actor}: attempt {attempt} is kept; another follows",
    "WORKER_WAITING": "{actor}: waits in {at} {why}",
    "CHECKOUT_KEPT": "{actor}: its checkout is kept: {at}",
    "LAUNCH_END": "launch ends",
    "VALIDATE_END": "bundles judged: {status}",
    "MERGED": "{paths} of {workers} merged",
    "PROVED": "git reaches the same tree",
    "CHECK_STARTED": "check {check} runs on {on}",
    "CHECKED": "check {check}: {result}",
    "RUN_AMENDED": "the plan is amended, revision {revision}: {reason}",
    "RUN_REOPENED": "{of}: a new attempt is wanted {because}",
    "PUBLISHED": "published as branch {branch}",
    "RUN_PRUNED": "the run's folder is removed",
}
_HOW = {
    "exited": "ended; its work is captured",
    "signalled": "ended by a signal; its work is captured",
    "timed_out": "ran longer than it may, and was ended; its work is captured",
    "idle": "said nothing for longer than it may, and was ended; its work is captured",
    "over_quota": "took more than it may, and was ended; its work is captured",
    "stopped": "stopped with the factory; its work is captured",
    "lost": "lost with its supervisor; what is left of its work is captured",
    "not_started": "was not started",
    "waiting": "its work is collected",
}


class _Said(dict[str, object]):
    """What an event says; another version may leave something out."""

    def __missing__(self, name: str) -> str:
        return "?"


def teller(call: Call) -> "Callable[[Event], None]":
    """Return what tells the operator of events: stages at level info, all at level debug."""

    def tell(event: "Event") -> None:
        words = told(event)
        if words is not None:
            call.screen.progress(words)
        else:
            call.screen.progress(named(event), level="debug")

    return tell


def told(event: "Event | LedgerLine") -> str | None:
    """Return the line about an event of a stage; None for one that is only for level debug."""
    from tools.codex.factory.domain.wording import kept
    from tools.codex.factory.render.text import shown

    words = _STAGE_EVENTS.get(event.event_type)
    if words is None:
        return None
    said = _Said({**event.details, **event.file_counts})
    said |= {"run": event.run_id, "actor": event.actor}
    said["how"] = _HOW.get(str(said["how"]), str(said["how"]))
    said["kept"] = kept(str(said["of"]), str(said["tier"]))
    for name, noun in (("paths", "path"), ("workers", "bundle")):
        said[name] = f"{said[name]} {noun}{'' if said[name] == 1 else 's'}"
    said["because"] = f"({said['reason']})" if said.get("reason") else ""
    said["of"] = str(said["of"]).replace(",", ", ")
    said["result"] = str(said["result"]).replace("_", " ")
    return shown(words.format_map(said)).rstrip()


def named(event: "Event | LedgerLine") -> str:
    """Return the line about any event: its type, who it is about, and its exit code."""
    from tools.codex.factory.render.text import shown

    code = "-" if event.rc is None else event.rc
    return shown(f"{event.event_type} {event.actor} {code}")
