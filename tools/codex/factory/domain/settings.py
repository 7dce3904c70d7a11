"""Every setting: its section, its default, what it means."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.codex.factory.domain.confinement import Demand, Quota, Role
from tools.codex.factory.domain.document import canonical
from tools.codex.factory.domain.identity import Digest, digest_of
from tools.codex.factory.domain.plan import Duration, PatternText, Policy

AbsolutePath = Annotated[str, Field(pattern="^(/|~/)[^\\x00]*$")]
VariableName = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Runs(_Section):
    """Where runs are kept."""

    root: Annotated[str, Field(min_length=1)] = "tools/codex/runs"
    """Runs root; relative to the repository's top folder."""


class Overlap(_Section):
    """How bundles are held against each other."""

    allow_identical: bool = False
    """The same edit of a shared file by several workers counts once instead of blocking."""


class Scope(_Section):
    """How bundles are held against their scope locks."""

    grant_requests: bool = False
    """A path that a worker asks for, and nobody else writes, is granted."""


class Integrate(_Section):
    """What happens when a bundle is blocked."""

    on_blocked: Literal["strict", "exclude"] = "strict"
    """strict: nothing is merged. exclude: the rest is merged, and the status stays BLOCKED."""


class LimitSettings(_Section):
    """How much one bundle may hold."""

    patch_bytes: Annotated[int, Field(ge=1)] = 256 << 20
    """Largest DIFF.patch, in bytes."""
    file_bytes: Annotated[int, Field(ge=1)] = 100 << 20
    """Largest file that a bundle may touch, in bytes."""
    bundle_bytes: Annotated[int, Field(ge=1)] = 512 << 20
    """Most that all files of one bundle together may inflate to, in bytes."""


class Work(_Section):
    """How workers are run."""

    root: str = ""
    """Where checkouts lie; empty: the user's cache folder. Never below another repository."""
    jobs: Annotated[int, Field(ge=1, le=256)] = 4
    """How many workers run at a time."""
    keep: bool = False
    """Keep the checkouts of workers that were captured."""
    timeout: Duration = "1h"
    """How long a worker may run, where the plan does not say."""
    setup_timeout: Duration = "15m"
    """How long each setup command may run, of workers and of the integration."""
    grace: Duration = "5s"
    """How long what must end may take before it is killed."""
    log_bytes: Annotated[int, Field(ge=1024)] = 16 << 20
    """How much of each stdout and stderr is kept, in bytes."""
    environment: tuple[VariableName, ...] = (
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM",
        "XDG_CONFIG_HOME", "XDG_DATA_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    )  # fmt: skip
    """The variables that a worker gets from the operator's environment, beside our own."""


class Checks(_Section):
    """How checks are run."""

    timeout: Duration = "30m"
    """How long a check may run, where the plan does not say."""
    budget: Duration = "15m"
    """How long the search for who made a check red may take, and again that for what is green."""
    always_run: bool = False
    """Run a check also where it passed on the same tree, by the same command and tools."""
    environment: tuple[VariableName, ...] = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
    """The variables that a check gets from the operator's environment, beside our own."""


class Sandbox(_Section):
    """How workers, checks and the integrator are confined."""

    mode: Demand = "auto"
    """required: BLOCKED where the host lacks sandbox.least. auto: the best that the host has, and
    it is said. off: nothing is confined."""
    worker: Demand | Literal[""] = ""
    """Of workers and their setup; empty: as sandbox.mode."""
    check: Demand | Literal[""] = ""
    """Of checks and the integration's setup; empty: as sandbox.mode."""
    integrator: Demand | Literal[""] = ""
    """Of the integrator; empty: as sandbox.mode."""
    least: Literal["bubblewrap", "landlock"] = "bubblewrap"
    """The weakest tier that `required` takes."""
    network: Literal["on", "off"] = "on"
    """Whether workers, their setup and the integration's setup may reach other hosts."""
    check_network: Literal["on", "off"] = "off"
    """Whether checks may reach other hosts."""
    writable: tuple[AbsolutePath, ...] = ()
    """Folders beside their own that workers may write, like a shared cache."""
    hidden: tuple[AbsolutePath, ...] = (
        "~/.ssh", "~/.gnupg", "~/.aws", "~/.azure", "~/.kube", "~/.docker", "~/.netrc",
        "~/.git-credentials", "~/.pypirc", "~/.config/gcloud", "~/.config/gh",
        "~/.password-store", "~/.local/share/keyrings",
    )  # fmt: skip
    """Files and folders that nobody confined may read."""
    on_attempt: Literal["note", "block"] = "note"
    """What comes of a worker that tried to write outside, and was stopped."""
    on_change: Literal["block", "note"] = "block"
    """What comes of a ref, the configuration or a hook of the repository that changed while
    something unconfined ran."""
    memory_bytes: Annotated[int, Field(ge=0)] = 0
    """Most memory that a worker or check may hold; 0: no limit."""
    file_bytes: Annotated[int, Field(ge=0)] = 0
    """Largest file that a worker or check may write; 0: no limit."""
    checkout_bytes: Annotated[int, Field(ge=0)] = 0
    """Most that may lie in a checkout and its own folders; 0: no limit."""
    processes: Annotated[int, Field(ge=0)] = 4096
    """Most processes of one worker or check at a time; 0: no limit."""

    def demand(self, role: Role) -> Demand:
        """Return what is asked for `role`."""
        return {"worker": self.worker, "check": self.check, "integrator": self.integrator}[
            role
        ] or self.mode

    def quota(self) -> Quota:
        """Return how much one worker or check may take."""
        return Quota(
            memory_bytes=self.memory_bytes,
            file_bytes=self.file_bytes,
            checkout_bytes=self.checkout_bytes,
            processes=self.processes,
        )


class Capture(_Section):
    """How a checkout becomes a bundle."""

    ignore: tuple[PatternText, ...] = ("__pycache__/", ".pytest_cache/", ".DS_Store")
    """Patterns of what is in no bundle, beside the repository's own .gitignore files."""


class SecretSettings(_Section):
    """What is secret, beside variables whose names say so, and what only looks like it."""

    names: tuple[VariableName, ...] = ()
    """Variables of the operator's environment whose values are in no patch, log or text."""
    accept: tuple[PatternText, ...] = ()
    """Patterns of paths in which made-up values may stand that look like tokens."""


class Report(_Section):
    """In which other forms the report is written, beside FINAL_REPORT.txt."""

    markdown: bool = False
    """FINAL_REPORT.md, for the summary page of continuous integration."""
    junit: bool = False
    """CHECKS.junit.xml: a case for each declared check."""
    sarif: bool = False
    """FINDINGS.sarif, for code scanning."""

    def forms(self) -> tuple[str, ...]:
        """Return the forms that are asked for."""
        return tuple(name for name, is_on in self.model_dump().items() if is_on)


class Config(_Section):
    """Every setting. Feature flags are off by default."""

    runs: Runs = Runs()
    overlap: Overlap = Overlap()
    scope: Scope = Scope()
    integrate: Integrate = Integrate()
    limits: LimitSettings = LimitSettings()
    work: Work = Work()
    checks: Checks = Checks()
    sandbox: Sandbox = Sandbox()
    capture: Capture = Capture()
    secrets: SecretSettings = SecretSettings()
    report: Report = Report()

    def policy(self) -> Policy:
        """Return the settings that can change a verdict, to be sealed with the plan."""
        return Policy(
            allow_identical=self.overlap.allow_identical,
            grant_requests=self.scope.grant_requests,
            on_blocked=self.integrate.on_blocked,
            patch_bytes=self.limits.patch_bytes,
            file_bytes=self.limits.file_bytes,
            bundle_bytes=self.limits.bundle_bytes,
            capture_ignore=self.capture.ignore,
            secrets_accept=self.secrets.accept,
        )

    def digest(self) -> Digest:
        """Return the fingerprint of the whole configuration."""
        return digest_of(canonical(self))
