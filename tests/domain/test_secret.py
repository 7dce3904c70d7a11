"""Secrets in bytes: each form found, its near misses not; what is redacted holds none of them."""

import json
import re
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.codex.factory.domain.secret import Secrets, is_telling
from tools.codex.factory.domain.secret_shape import SHAPES

# Made here from pieces: no line of this file is a token that a scanner would take for one.
_ALPHABET = "q7Rt2Zw9Lk4Vb8Nc3Xy6Mh1Gf5Jd0PsAeUiOoTuBvCxDzEyFwKgQjSnYrWmHpIl"
_HEX = "9f3b27d1c84e60a5f27b9d13e5c8a640" * 3
_UPPER = "Q7RT2ZW4LKVB3NCX6YMHG5FJDPSA"


def some(count: int) -> str:
    """Return letters and digits that look like chance."""
    return (_ALPHABET * 4)[:count]


def pem(body: str, kind: str = "RSA PRIVATE KEY") -> str:
    """Return a PEM block."""
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----"


TOKENS = {
    "a GitHub token": "ghp_" + some(36),
    "a GitHub fine-grained token": "github_pat_" + some(22) + "_" + some(59),
    "a GitLab token": "glpat-" + some(20),
    "a GitLab runner token": "GR1348941" + some(20),
    "an AWS access key id": "AKIA" + _UPPER[:16],
    "a Google API key": "AIza" + some(35),
    "a Google OAuth client secret": "GOCSPX-" + some(28),
    "a Slack token": "xoxb-" + "123456789012-" + some(24),
    "a Slack webhook": "hooks.slack.com/" + "services/T01234567/B01234567/" + some(24),
    "an OpenAI key": "sk-" + some(20) + "T3Blbk" + "FJ" + some(20),
    "an Anthropic key": "sk-ant-" + "api03-" + some(93) + "AA",
    "an npm token": "npm_" + some(36),
    "a PyPI token": "pypi-" + "AgEIcHlwaS5vcmc" + some(70),
    "a Stripe live key": "sk_live_" + some(24),
    "a Stripe webhook secret": "whsec_" + some(32),
    "a Hugging Face token": "hf_" + some(34),
    "a SendGrid key": "SG." + some(22) + "." + some(43),
    "a Docker Hub token": "dckr_pat_" + some(27),
    "a DigitalOcean token": "dop_v1_" + _HEX[:64],
    "a Shopify token": "shpat_" + _HEX[:32],
    "a HashiCorp Vault token": "hvs." + some(24),
    "a RubyGems token": "rubygems_" + _HEX[:48],
    "a Grafana token": "glsa_" + some(32) + "_" + _HEX[:8],
    "a Databricks token": "dapi" + _HEX[:32],
    "a Linear key": "lin_api_" + some(40),
    "a Postman key": "PMAK-" + _HEX[:24] + "-" + _HEX[:34],
    "an age secret key": "AGE-SECRET-KEY-1" + ("QZ7RT2W9LK4V8NC3XY6MH0GF5JDPSAEU" * 2)[:58],
}
IN_CONTEXT = {
    "an AWS secret access key": ("aws_secret_access_key = ", some(39) + "/"),
    "an Azure storage key": ("DefaultEndpoints;AccountKey=", some(86) + "=="),
}


def names(content: str | bytes, secrets: Secrets | None = None) -> list[str]:
    """Return the names of what is found."""
    text = content.encode() if isinstance(content, str) else content
    return [one.name for one in (secrets or Secrets()).found(text)]


def test_every_shape_has_a_token_here() -> None:
    assert {shape.name for shape in SHAPES} == TOKENS.keys() | IN_CONTEXT.keys()


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_is_found_where_it_stands_and_redacted(name: str) -> None:
    token = TOKENS[name]

    content, count = Secrets().redacted(f'key = "{token}"\nrest\n'.encode())

    assert (content.decode(), count) == (f'key = "[factory: {name} redacted]"\nrest\n', 1)


@pytest.mark.parametrize("name", IN_CONTEXT)
def test_a_token_without_a_form_is_found_beside_its_name_alone(name: str) -> None:
    before, token = IN_CONTEXT[name]

    content, count = Secrets().redacted(f"{before}{token}\n".encode())

    assert (content.decode(), count) == (f"{before}[factory: {name} redacted]\n", 1)
    assert names(token) == []


@pytest.mark.parametrize("name", TOKENS)
def test_what_is_part_of_a_word_too_short_or_made_up_is_no_token(name: str) -> None:
    token = TOKENS[name]
    prefix = next(
        sign.decode()
        for s in SHAPES
        if s.name == name
        for sign in s.signs
        if sign.decode() in token
    )

    assert names("word" + token) == []
    assert names(token[: len(prefix) + 9]) == []
    assert names(prefix + "x" * (len(token) - len(prefix))) == []


_BEFORE = [
    "\x1b[32m",
    "\x1b[1;38;5;9m",
    "\x1b(B",
    r"\u001b[32m",
    r"\033[0m",
    r"\n",
    r"\t",
    r"\r",
    r"\b",
    r"\f",
    r"\0",
    r"\u000a",
    r"\x0A",
    "%3D",
    "%0a",
]


@pytest.mark.parametrize("before", _BEFORE)
def test_an_escape_before_a_token_ends_the_word(before: str) -> None:
    token = TOKENS["a GitHub token"]

    content, count = Secrets().redacted(f"word{before}{token}\n".encode())

    assert (content.decode(), count) == (f"word{before}[factory: a GitHub token redacted]\n", 1)


@pytest.mark.parametrize("before", ["n", "[32m", "3D", "u000a", "x0A", "%zD"])
def test_letters_that_only_resemble_an_escape_are_of_a_word(before: str) -> None:
    assert names(before + TOKENS["a GitHub token"]) == []


@pytest.mark.parametrize("name", TOKENS)
def test_no_token_of_any_form_is_made_up_for_what_follows_it(name: str) -> None:
    shape = next(one for one in SHAPES if one.name == name)

    # What has one length ends where a longer word goes on.
    if shape.least is not None:
        assert shape.least <= len(TOKENS[name])
        assert names(TOKENS[name] + "XXXXX") == [name]
        assert names(TOKENS[name] + "EXAMPLE") == [name]


@pytest.mark.parametrize(
    "form",
    [
        "p%40ss%2Fw+rd%21",
        "p%40ss%2Fw%20rd%21",
        "p%40ss/w%20rd%21",
        "p%40ss%2Fw%20rd!",
        "p@ss\\/w rd!",
    ],
)
def test_a_value_is_found_as_an_address_has_it_and_with_its_slashes_escaped(form: str) -> None:
    secrets = Secrets({"PASSWORD": "p@ss/w rd!"})

    assert secrets.redacted(f"https://me:{form}@localhost/".encode()) == (
        b"https://me:[factory: PASSWORD redacted]@localhost/",
        1,
    )


@pytest.mark.parametrize(
    "text",
    [
        "secret_access_key = " + _HEX[:40],
        "AKIA" + "IOSFODNN7" + "EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        "git commit " + _HEX[:40],
        "sha512-" + some(86) + "==",
        "npm_config_cache npm_lifecycle_event_and_more_words_here",
        "hf_hub_download(repo_id, filename=filename, token=token)",
        "risk-proj-and-so-on",
        pem("..."),
        pem(""),
        pem(some(200), "PUBLIC KEY"),
        "-----BEGIN PRIVATE KEY----- is how it begins",
        "a PRIVATE KEY in words",
        "-----END PRIVATE KEY-----",
        "AKIA" + "A" * 16,
    ],
)
def test_what_only_resembles_a_token_is_none(text: str) -> None:
    assert names(text) == []


@pytest.mark.parametrize(
    "kind",
    ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"],
)
def test_a_private_key_is_found_whole_in_one_line_and_without_an_end(kind: str) -> None:
    block = pem("\n".join([some(64)] * 3), kind)

    assert Secrets().redacted(f"a\n{block}\nb".encode()) == (
        b"a\n[factory: a private key redacted]\nb",
        1,
    )
    assert names(json.dumps({"key": block})) == ["a private key"]
    assert names(block.rpartition("\n")[0]) == ["a private key"]
    assert names(block + "\n" + block) == ["a private key"] * 2


def test_a_named_value_is_found_whatever_it_looks_like_and_its_name_is_said() -> None:
    secrets = Secrets({"DB_PASSWORD": "hunter2", "GITHUB_TOKEN": TOKENS["a GitHub token"]})

    content, count = secrets.redacted(f"x=hunter2 y={TOKENS['a GitHub token']}".encode())

    assert content == b"x=[factory: DB_PASSWORD redacted] y=[factory: GITHUB_TOKEN redacted]"
    assert count == 2
    assert "hunter2" not in repr(secrets)


def test_a_value_of_several_lines_is_found_by_each_that_is_long() -> None:
    body = [some(64), some(40)[::-1], "short"]
    secrets = Secrets({"KEY": pem("\n".join(body)) + "\n"})

    assert [names(line, secrets) for line in body] == [["KEY"], ["KEY"], []]
    assert names(f"  {body[0]}\r\n", secrets) == ["KEY"]
    assert names("-----BEGIN RSA PRIVATE KEY-----", secrets) == []
    assert names(pem("\n".join(body)), secrets) == ["KEY"]


def test_a_value_is_found_as_json_writes_it() -> None:
    secrets = Secrets({"PASSWORD": 'a"b\\c/d\ne\u00e9'})
    note = {"say": ['it is a"b\\c/d\ne\u00e9', 1], 'a"b\\c/d\ne\u00e9': None}

    assert names(json.dumps(note), secrets) == ["PASSWORD"] * 2
    assert names(json.dumps(note, ensure_ascii=False), secrets) == ["PASSWORD"] * 2
    assert secrets.document(note) == (
        {"say": ["it is [factory: PASSWORD redacted]", 1], "[factory: PASSWORD redacted]": None},
        2,
    )


def test_the_halves_of_a_named_value_at_a_cut_go() -> None:
    secrets = Secrets({"TOKEN": "alpha-beta-gamma"})

    assert secrets.severed(b"say alpha-b", b"eta-gamma end") == (
        b"say [factory: TOKEN redacted]",
        b"[factory: TOKEN redacted] end",
        2,
    )
    assert secrets.severed(b"nothing", b"here") == (b"nothing", b"here", 0)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("GITHUB_TOKEN", True),
        ("api_key", True),
        ("Db_Password", True),
        ("AWS_CREDENTIALS", True),
        ("SSH_AUTH_SOCK", False),
        ("TOKENS_DIR", False),
        ("GPG_PUBLIC_KEY", False),
        ("GOOGLE_APPLICATION_CREDENTIALS", False),
        ("PATH", False),
    ],
)
def test_a_variable_says_by_its_name_that_it_is_secret(name: str, told: bool) -> None:
    assert is_telling(name) is told


_VALUES = st.text(ascii_letters + digits + "-_/+ \n\"'", min_size=6, max_size=40).filter(
    lambda text: len(text.strip()) >= 6
)


@given(st.lists(st.one_of(st.binary(max_size=30), _VALUES), max_size=6), _VALUES, st.data())
def test_what_is_redacted_holds_no_value_and_nothing_else_changes(
    around: list[bytes | str], value: str, data: st.DataObject
) -> None:
    secrets = Secrets({"A_SECRET": value})
    pieces = [one if isinstance(one, bytes) else one.encode() for one in around]
    at = data.draw(st.integers(0, len(pieces)))
    content = b"".join([*pieces[:at], value.strip().encode(), *pieces[at:]])

    redacted, count = secrets.redacted(content)

    assert count >= 1
    assert value.strip().encode() not in redacted
    assert secrets.found(redacted) == ()
    # Every piece between the marks stands in the content, in the same order.
    left = 0
    for piece in re.split(rb"\[factory: [^\]]* redacted\]", redacted):
        left = content.index(piece, left) + len(piece)


@given(st.binary(max_size=200))
def test_bytes_without_a_secret_stay_as_they_are(content: bytes) -> None:
    assert Secrets({"A_SECRET": "never-in-there-\x00\x01"}).redacted(content) == (content, 0)


@pytest.mark.parametrize("name", [*TOKENS, *IN_CONTEXT])
def test_a_flood_of_what_begins_like_a_token_is_read_in_steps_that_grow_with_it(name: str) -> None:
    shape = next(one for one in SHAPES if one.name == name)

    # A repetition within a repetition is what makes a search explode; a bounded one cannot.
    nested = re.compile(rb"[+*}]\)[+*{]")
    assert not nested.search(shape.pattern.pattern.replace(rb"{0,3}PRIVATE", b""))
    assert all(len(names(sign * 20_000)) <= 1 for sign in shape.signs)


def test_a_flood_of_first_lines_of_keys_is_no_key() -> None:
    assert names(b"-----BEGIN PRIVATE KEY-----" * 20_000) == []
    assert names(b"-----BEGIN PRIVATE KEY-----\n" * 20_000 + b"-----END PRIVATE KEY-----") == []
