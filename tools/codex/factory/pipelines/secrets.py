"""Which variables of the operator's environment are secret, and what they hold."""

from collections.abc import Mapping
from dataclasses import asdict

from tools.codex.factory.config import Settings
from tools.codex.factory.domain.amendment import Wish
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.path import path_bytes
from tools.codex.factory.domain.plan import Plan
from tools.codex.factory.domain.secret import LEAST_CHARACTERS, Secrets, is_telling
from tools.codex.factory.errors import ConfigurationError, FactoryError
from tools.codex.factory.host import Host


def secrets_of(settings: Settings, host: Host) -> Secrets:
    """Return what is looked for; raise ConfigurationError where a value is too short for that."""
    variables = {**host.git_variables, **host.variables}
    held = {name: variables[name] for name in _names(settings) if variables.get(name, "").strip()}
    for name, value in held.items():
        if len(value.strip()) < LEAST_CHARACTERS:
            raise ConfigurationError(
                f"the value of {name!r} is shorter than {LEAST_CHARACTERS} characters, and cannot "
                "be told from other text",
                hint=f"give it a longer value, or take it out of {_layer(settings, name)}",
            )
    return Secrets(held)


def unset_notes(settings: Settings, host: Host) -> tuple[str, ...]:
    """Return a note for each listed variable that holds nothing."""
    variables: Mapping[str, str] = {**host.git_variables, **host.variables}
    return tuple(
        f"{name} of secrets.names is not set, so no value of it is looked for"
        for name in settings.config.secrets.names
        if not variables.get(name, "").strip()
    )


def refuse_in_plan(plan: Plan, secrets: Secrets) -> None:
    """Raise ConfigurationError where the plan holds a named value: it is sealed, and shown."""
    # As JSON writes it: a value is looked for in that form, too.
    held = secrets.names_in(canonical(plan))
    if held:
        raise ConfigurationError(
            f"the plan holds the value of {held[0]!r}",
            hint="let the command read the variable; the plan is sealed as it is, and shown",
        )


def refuse_in_wish(wish: Wish, secrets: Secrets) -> None:
    """Raise ConfigurationError where an amendment would hold a named value."""
    held = secrets.names_in(canonical(asdict(wish)))
    if held:
        raise ConfigurationError(
            f"the amendment holds the value of {held[0]!r}",
            hint="say it in other words; an amendment is sealed, and the report shows it",
        )


def refuse_in_branch(branch: str, secrets: Secrets) -> None:
    """Raise ConfigurationError where the name of a branch holds a named value."""
    held = secrets.names_in(path_bytes(branch))
    if held:
        raise ConfigurationError(
            f"the name of the branch holds the value of {held[0]!r}",
            hint="name another branch; the ledger records it, and whoever fetches it sees it",
        )


def hide(error: FactoryError, secrets: Secrets) -> None:
    """Take every secret out of what an error says, its log with it."""
    error.args = tuple(secrets.text(str(one)) for one in error.args)
    error.hint, error.log = secrets.text(error.hint), secrets.text(error.log)


def _names(settings: Settings) -> list[str]:
    config = settings.config
    passed = [*config.work.environment, *config.checks.environment]
    return sorted({*config.secrets.names, *(name for name in passed if is_telling(name))})


def _layer(settings: Settings, name: str) -> str:
    """Return the setting that makes a variable secret."""
    config = settings.config
    lists = {
        "secrets.names": config.secrets.names,
        "work.environment": config.work.environment,
        "checks.environment": config.checks.environment,
    }
    return next(key for key, names in lists.items() if name in names)
