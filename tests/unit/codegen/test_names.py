"""Whatever a model calls itself is only a name in C."""

from __future__ import annotations

import pytest

from tinyml.codegen.names import c_comment, c_identifier, c_string

HOSTILE = ['"; system("x', "*/ int main(void) { } /*", "a\\", "??/", "né\n#error\r\t\0", "日本", "\u202e", "%s%n", "'"]


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("network", "network"),
        ("KWS-model v2", "kws_model_v2"),
        ("", "network"),
        ("***", "network"),
        ("2048", "n2048"),
        ('"; system("x', "system_x"),
        ("_x_", "x"),
        ("é", "network"),
    ],
)
def test_identifiers(name: str, identifier: str) -> None:
    assert c_identifier(name) == identifier


@pytest.mark.parametrize("text", HOSTILE)
def test_string_literals_hold_the_text_in_plain_ascii(text: str) -> None:
    literal = c_string(text)
    assert literal.isascii() and literal.isprintable()
    body = literal[1:-1]
    assert '"' not in body and "??" not in body
    assert body.encode().decode("unicode_escape").encode("latin-1").decode("utf-8") == text


@pytest.mark.parametrize("text", HOSTILE)
def test_comments_stay_one_comment(text: str) -> None:
    comment = c_comment(text)
    assert comment.isascii() and comment.isprintable()
    assert "*/" not in comment and "/*" not in comment and "??" not in comment


def test_a_slash_and_a_star_that_meet_after_replacement() -> None:
    for text in ("**//", "*//*", "/*/", "//**"):
        comment = c_comment(text)
        assert "*/" not in comment and "/*" not in comment
