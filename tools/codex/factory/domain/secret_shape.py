"""The forms that makers of tokens gave them, so that one is known without knowing its value."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LEAST_DISTINCT = 6
_LEAST_KEY_CHARACTERS = 60
_MOST_KEY_BYTES = 1 << 16
_MADE_UP = (b"EXAMPLE", b"XXXXX")
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_ESCAPE_BYTES = 24
_ESCAPED = re.compile(
    rb"(?:\\(?:[abefnrtv]|[0-7]{1,3}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})|%[0-9A-Fa-f]{2}"
    rb"|(?:\x1b|\\e|\\033|\\x1[Bb]|\\u001[Bb])(?:\[[0-9;:?]{0,12}[A-Za-z]|[()][A-Z0-9]))\Z"
)
"""The end of what ends in a letter and is no word: `\\n` in source text, `%3D`, a colour."""
_KEY_EDGE = re.compile(rb"-----(BEGIN|END) (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY = re.compile(rb"[A-Za-z0-9+/=\s\\]*")
_NO_KEY_CHARACTER = re.compile(rb"[^A-Za-z0-9+/=]+")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Shape:
    """One form of token: no content without one of `signs` holds it.

    Where `pattern` has a group, that is the token. Each pattern begins with few letters of its own
    and repeats nothing within a repetition, so what it costs grows with the content alone.
    """

    name: str
    signs: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    distinct: int = _LEAST_DISTINCT
    """How many different characters a token has at least: fewer were typed by hand."""
    least: int | None = None
    """How long the shortest is, where one may be longer: what follows makes none made up."""


def _shape(
    name: str,
    signs: str,
    pattern: bytes,
    distinct: int = _LEAST_DISTINCT,
    least: int | None = None,
) -> Shape:
    return Shape(name, tuple(signs.encode().split()), re.compile(pattern), distinct, least)


_END = rb"(?![A-Za-z0-9_-])"
_AWS_SECRET_NAMES = (
    "secret_access_key SECRET_ACCESS_KEY secretAccessKey SecretAccessKey secret-access-key "
    "aws_secret AWS_SECRET awsSecret AwsSecret aws-secret"
)

SHAPES: tuple[Shape, ...] = (
    _shape("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", rb"gh[pousr]_[A-Za-z0-9]{36,}", least=40),
    _shape(
        "a GitHub fine-grained token", "github_pat_", rb"github_pat_[A-Za-z0-9_]{50,}", least=61
    ),
    _shape(
        "a GitLab token",
        "glpat- gldt- glrt- glrtr- glptt- glcbt- glsoat- glft- glimt- glagent- gloas- glffct-",
        rb"gl(?:pat|dt|rtr?|ptt|cbt|soat|ft|imt|agent|oas|ffct)-[A-Za-z0-9_-]{20,}"
        rb"(?:\.[a-z0-9]{2}\.?[a-z0-9]{7,9})?",
        least=25,
    ),
    _shape("a GitLab runner token", "GR1348941", rb"GR1348941[A-Za-z0-9_-]{20}" + _END),
    _shape("an AWS access key id", "AKIA ASIA", rb"A(?:KIA|SIA)[A-Z2-7]{16}" + _END),
    _shape(
        "an AWS secret access key",
        _AWS_SECRET_NAMES,
        rb"(?:[Ss]ecret[_-]?[Aa]ccess[_-]?[Kk]ey|SECRET_ACCESS_KEY"
        rb"|(?:[Aa]ws[_-]?[Ss]ecret|AWS_SECRET)(?:[_-]?[Kk]ey|_KEY)?)"
        rb"[\"'`]?\s{0,4}(?:=>|:=|=|:|,|\s)\s{0,4}[\"'`]?"
        rb"(?![0-9A-Fa-f]{40}(?![A-Za-z0-9/+=]))([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        12,
    ),
    _shape("a Google API key", "AIza", rb"AIza[A-Za-z0-9_-]{35}" + _END, 10),
    _shape("a Google OAuth client secret", "GOCSPX-", rb"GOCSPX-[A-Za-z0-9_-]{28}" + _END, 10),
    _shape(
        "a Slack token",
        "xoxb- xoxp- xoxa- xoxo- xoxr- xoxs- xoxe- xoxe. xapp-",
        rb"(?:xox[bpaors]-[0-9]{8,}-[A-Za-z0-9-]{10,}|xoxe(?:\.xox[bp])?-[0-9]-[A-Za-z0-9]{100,}"
        rb"|xapp-[0-9]-[A-Z0-9]{6,}-[0-9]{6,}-[a-z0-9]{20,})",
    ),
    _shape(
        "a Slack webhook",
        "hooks.slack.com/",
        rb"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,}",
        10,
        least=65,
    ),
    _shape(
        "an OpenAI key",
        "T3BlbkFJ sk-proj- sk-svcacct- sk-admin-",
        rb"sk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{48,}|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})",
        12,
        least=51,
    ),
    _shape("an Anthropic key", "sk-ant-", rb"sk-ant-[a-z]{3,8}[0-9]{2}-[A-Za-z0-9_-]{80,}", 12, 93),
    _shape("an npm token", "npm_", rb"npm_[A-Za-z0-9]{36}" + _END, 10),
    _shape(
        "a PyPI token",
        "pypi-AgEIcHlwaS5vcmc pypi-AgENdGVzdC5weXBpLm9yZw",
        rb"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{50,}",
        least=70,
    ),
    _shape("a Stripe live key", "sk_live_ rk_live_", rb"[sr]k_live_[A-Za-z0-9]{16,}", least=24),
    _shape("a Stripe webhook secret", "whsec_", rb"whsec_[A-Za-z0-9+/]{32,}={0,2}", 10, 38),
    _shape("a Hugging Face token", "hf_", rb"hf_[A-Za-z0-9]{34}" + _END, 10),
    _shape("a SendGrid key", "SG.", rb"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}" + _END, 10),
    _shape(
        "a Docker Hub token", "dckr_pat_ dckr_oat_", rb"dckr_[po]at_[A-Za-z0-9_-]{27,}", least=36
    ),
    _shape("a DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", rb"do[por]_v1_[a-f0-9]{64}" + _END),
    _shape(
        "a Shopify token",
        "shpat_ shpca_ shppa_ shpss_",
        rb"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}" + _END,
    ),
    _shape("a HashiCorp Vault token", "hvs. hvb. hvr.", rb"hv[sbr]\.[A-Za-z0-9_-]{24,}", 10, 28),
    _shape("a RubyGems token", "rubygems_", rb"rubygems_[a-f0-9]{48}" + _END),
    _shape("a Grafana token", "glsa_", rb"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}" + _END, 10),
    _shape("a Databricks token", "dapi", rb"dapi[a-f0-9]{32}(?:-[0-9])?" + _END),
    _shape("a Linear key", "lin_api_", rb"lin_api_[A-Za-z0-9]{40}" + _END, 10),
    _shape("a Postman key", "PMAK-", rb"PMAK-[a-f0-9]{24}-[a-f0-9]{34}" + _END),
    _shape(
        "an age secret key", "AGE-SECRET-KEY-1", rb"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}" + _END, 10
    ),
    _shape("an Azure storage key", "AccountKey=", rb"AccountKey=([A-Za-z0-9+/]{86}==)", 20),
)
"""What is looked for without anybody having named it, private keys in PEM blocks beside."""

PRIVATE_KEY = "a private key"


def shaped(content: bytes) -> Iterator[tuple[str, Span]]:
    """Yield the name of each shape found in `content`, and where its token lies."""
    for shape in SHAPES:
        if not any(sign in content for sign in shape.signs):
            continue
        for match in shape.pattern.finditer(content):
            span = match.span(shape.pattern.groups)
            token = content[slice(*span)]
            if not _is_inside(content, span[0]) and not _is_made_up(
                token, shape.distinct, shape.least
            ):
                yield shape.name, span
    if b"PRIVATE KEY" in content:
        for span in _key_blocks(content):
            yield PRIVATE_KEY, span


def _is_inside(content: bytes, at: int) -> bool:
    """Return whether what begins at `at` goes on with a word; an escape before it is none."""
    if at == 0 or content[at - 1] not in _WORD:
        return False
    return _ESCAPED.search(content[max(0, at - _ESCAPE_BYTES) : at]) is None


def _is_made_up(token: bytes, distinct: int, least: int | None) -> bool:
    """Return whether a token is one of those that documentation shows, or one key held down."""
    upper = token[:least].upper()
    return len(set(token)) < distinct or any(word in upper for word in _MADE_UP)


def _key_blocks(content: bytes) -> Iterator[Span]:
    """Yield where private keys lie: from their first line to their last, or as far as it is key."""
    edges = list(_KEY_EDGE.finditer(content))
    for here, then in zip(edges, [*edges[1:], None], strict=False):
        if here[1] == b"END":
            continue
        is_closed = then is not None and then[1] == b"END"
        if then is not None and is_closed and then.start() - here.end() <= _MOST_KEY_BYTES:
            body, end = content[here.end() : then.start()], then.end()
        else:
            rest = then.start() if then is not None else len(content)
            run = _KEY_BODY.match(content, here.end(), min(rest, here.end() + _MOST_KEY_BYTES))
            assert run is not None
            body, end = run[0], run.end()
        key = _NO_KEY_CHARACTER.sub(b"", body)
        if len(key) >= _LEAST_KEY_CHARACTERS and not _is_made_up(key, 10, _LEAST_KEY_CHARACTERS):
            yield here.start(), end
