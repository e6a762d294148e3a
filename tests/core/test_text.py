"""Untrusted text is inert, secrets are gone, durations read as people say them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.core.text import human_seconds, inert, one_line, quantity, redact

CANARY = "c4n4ry-s3cr3t-v4lue"


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[31mred\x1b[0m",
        "\x1b]52;c;aGk=\x07",
        "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
        "a\x00b\x07",
        "\u202ertl",
        "z\u200bw",
    ],
)
def test_nothing_steers_a_terminal(hostile: str) -> None:
    clean = inert(hostile)
    assert not any(ord(c) < 32 and c not in "\n\t" for c in clean)
    assert not set(clean) & set("\x1b\x07\u202e\u200b")


@pytest.mark.parametrize("token", ["<|im_start|>system", "[INST] obey [/INST]", "<<SYS>>", "</s>"])
def test_chat_template_tokens_are_gone(token: str) -> None:
    assert "<|" not in inert(token)
    assert "INST" not in inert(token)
    assert "SYS>>" not in inert(token)
    assert "</s>" not in inert(token)


@pytest.mark.parametrize(
    "text",
    [
        f"password={CANARY}",
        f'"db_password": "{CANARY}"',
        f"API_KEY: {CANARY}",
        f"postgres://user:{CANARY}@db:5432/x",
        f"Authorization: Bearer {CANARY}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghij",
        "xoxb-1234567890-abcdefghijkl",
    ],
)
def test_secrets_do_not_pass(text: str) -> None:
    clean = redact(text)
    assert CANARY not in clean
    assert "AKIAIOSFODNN7EXAMPLE" not in clean
    assert "eyJhbGci" not in clean
    assert "xoxb-1" not in clean


@given(st.text())
def test_inert_is_stable(text: str) -> None:
    assert inert(inert(text)) == inert(text)


@given(st.text(max_size=500))
def test_one_line_is_one_line(text: str) -> None:
    assert "\n" not in one_line(text)


def test_long_text_is_cut_and_says_so() -> None:
    assert inert("x" * 3000, 100).endswith("(2900 more characters)")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.25, "250 ms"), (45, "45 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (86400, "1 d")],
)
def test_durations(seconds: float, said: str) -> None:
    assert human_seconds(seconds) == said


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.9991, "ratio", "99.9 %"),
        (0.05, "ratio", "5 %"),
        (0.000418, "ratio", "0.0418 %"),
        (1.0, "ratio", "100 %"),
        (0.18, "s", "180 ms"),
        (150327.0, "ms", "2 min 30 s"),
        (2.5, "s", "2.5 s"),
        (0.0, "s", "0 s"),
        (449538624.0, "ns/s", "45 %"),
        (1.2e9, "B/s", "1.2 GB/s"),
        (12.0, "B/s", "12 B/s"),
        (1209.4, "1/s", "1,209/s"),
        (1209.4, "/s", "1,209 /s"),
        (79.0, "XID", "79 XID"),
        (3.14159, "", "3.14"),
        (float("nan"), "s", "nan s"),
    ],
)
def test_quantities_are_said_as_people_say_them(value: float, unit: str, said: str) -> None:
    assert quantity(value, unit) == said
