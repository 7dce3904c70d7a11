"""Settings: their four layers, and where each value came from."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tools.codex.factory.domain.document import NotStrictJson, strict_json
from tools.codex.factory.domain.nearest import did_you_mean
from tools.codex.factory.domain.settings import Config
from tools.codex.factory.errors import ConfigurationError

CONFIG_FILE = "tools/codex/factory/factory.config.json"
PREFIX = "FACTORY_"


@dataclass(frozen=True, slots=True)
class Layer:
    """Values of one layer by dotted key, with the name that each has in that layer."""

    name: str
    values: Mapping[str, object]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Settings:
    """The resolved configuration, the layer of each key, and notes on what was passed over."""

    config: Config
    provenance: Mapping[str, str]
    notes: tuple[str, ...]


def load(
    *,
    work_tree: Path,
    explicit: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, object],
) -> Settings:
    """Return the settings of a repository; raise ConfigurationError naming key, value, layer."""
    variables, notes = _environment_layer(environment)
    layers = [_file_layer(work_tree, explicit), variables, _flag_layer(flags)]
    return resolve([layer for layer in layers if layer is not None], notes)


def resolve(layers: Sequence[Layer], notes: tuple[str, ...] = ()) -> Settings:
    """Return defaults overlaid by `layers`, the last winning."""
    known = keys()
    nested: dict[str, dict[str, object]] = {}
    provenance = dict.fromkeys(known, "default")
    for layer in layers:
        for key, value in layer.values.items():
            said = layer.names.get(key, key)
            if key not in known:
                raise ConfigurationError(
                    f"unknown setting {said!r} ({layer.name})", hint=did_you_mean(key, known)
                )
            section, _, name = key.partition(".")
            nested.setdefault(section, {})[name] = (
                tuple(value) if isinstance(value, list) else value
            )
            provenance[key] = layer.name if said == key else f"{layer.name} {said}"
    try:
        config = Config.model_validate(nested)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"{key} = {first['input']!r} ({provenance.get(key, '?')}): {first['msg'].lower()}",
            hint="docs/configuration.md lists every setting with what it takes",
        ) from error
    return Settings(config, provenance, notes)


def keys() -> dict[str, object]:
    """Return every dotted key with its default."""
    return _flat(Config().model_dump())


def values(config: Config) -> dict[str, object]:
    """Return every dotted key with its value."""
    return _flat(config.model_dump())


def _flat(nested: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    return {f"{s}.{k}": v for s, section in nested.items() for k, v in section.items()}


def _file_layer(work_tree: Path, explicit: Path | None) -> Layer | None:
    path = explicit or work_tree / CONFIG_FILE
    try:
        if path.exists() and not path.is_file():
            raise ConfigurationError(
                f"configuration file {str(path)!r} is no plain file", hint="put a JSON file there"
            )
        content = path.read_bytes()
    except FileNotFoundError:
        if explicit is None:
            return None
        raise ConfigurationError(
            f"configuration file {str(explicit)!r} is not there", hint="name another with --config"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"configuration file {str(path)!r}: {error.strerror}", hint="look at its permissions"
        ) from error
    shown = str(explicit) if explicit else CONFIG_FILE
    hint = "the file is one JSON object"
    try:
        document = strict_json(content)
    except NotStrictJson as error:
        raise ConfigurationError(f"configuration file {shown!r}: {error}", hint=hint) from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"configuration file {shown!r} is no object", hint=hint)
    found: dict[str, object] = {}
    for section, content_of in document.items():
        sections = Config.model_fields
        if section in sections and not isinstance(content_of, dict):
            raise ConfigurationError(
                f"setting {section!r} is {content_of!r} ({shown}), not an object",
                hint=f"its settings are {', '.join(k for k in keys() if k.startswith(section))}",
            )
        if section not in sections:
            raise ConfigurationError(
                f"unknown setting {section!r} ({shown})", hint=did_you_mean(section, sections)
            )
        found |= {f"{section}.{key}": value for key, value in dict(content_of).items()}
    return Layer(shown, found, {})


def _environment_layer(environment: Mapping[str, str]) -> tuple[Layer, tuple[str, ...]]:
    known = keys()
    found: dict[str, object] = {}
    names: dict[str, str] = {}
    notes: list[str] = []
    for name in sorted(environment):
        if not name.startswith(PREFIX):
            continue
        section, double, rest = name.removeprefix(PREFIX).lower().partition("__")
        if not double or section not in Config.model_fields:
            notes.append(f"{name} is no setting of this factory and was passed over{_meant(name)}")
            continue
        key = f"{section}.{rest}"
        names[key] = name
        found[key] = _typed(known.get(key), environment[name])
    return Layer("environment", found, names), tuple(notes)


def _meant(name: str) -> str:
    """Return a hint where `name` is one of our variables but for its underscores."""
    for key in keys():
        spelled = PREFIX + key.upper().replace(".", "__")
        if spelled.replace("_", "") == name.upper().replace("_", ""):
            return f"; did you mean {spelled!r}?"
    return ""


def _typed(default: object, text: str) -> object:
    """Return `text` as the type of `default`; a text that does not fit is left for the model."""
    if isinstance(default, tuple):
        with suppress(NotStrictJson):
            return strict_json(text.encode())
        return text
    if isinstance(default, bool):
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    if isinstance(default, int) and text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    return text


def _flag_layer(flags: Mapping[str, object]) -> Layer:
    given = {key: value for key, value in flags.items() if value is not None}
    return Layer("command line", given, {})
