"""Takes secrets out of text, configurations, command lines and environments before they are kept.

A secret is known by its name (``password``, ``api_key``, ``HF_TOKEN``, but not ``max_tokens`` or
``eos_token``) or by its shape (``sk-...``, ``ghp_...``, a JWT, a private key, a password in a
URL). What is taken out becomes ``[redacted]``; the rest stays readable. Every call looks at its
own text alone: a secret that is cut across two lines of a terminal is not recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from quark.errors import SchemaValidationError

REDACTED = "[redacted]"
_MAX_DEPTH = 200


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# ------------------------------------------------------------------------------- secrets by name

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_WORD = re.compile(r"[^A-Za-z0-9]+")
#: Inside a word these always mean a secret, also where it is a number.
_STRONG = re.compile(
    r"password|passwd|passphrase|passcode|secret(?!ar)|credential|apikey|accesskey|privatekey"
    r"|sessionkey|authtoken|accesstoken|refreshtoken|bearertoken|authorization"
)
_STRONG_WORDS = frozenset({"pwd", "cookie", "cookies", "jwt", "bearer", "pgpass"})
#: ``<word>_key`` is a secret after these, and harmless after others (``metric_key``).
_BEFORE_KEY = _words(
    "access account anthropic api app auth aws azure client cohere comet consumer deploy "
    "encryption gcp gemini google groq hf huggingface license master mistral neptune openai "
    "pinecone private quark replicate secret sendgrid service session shared signing ssh storage "
    "stripe subscription tavily together user wandb webhook xai"
)
#: ``<word>_token`` is harmless after these, and a secret after others.
_BEFORE_HARMLESS_TOKEN = _words(
    "additional audio begin bos class cls current decoder dist encoder end eos first generated "
    "image img input label last mask max mean min modality n new next no num output pad per "
    "predicted previous prompt reg register row sample sep single special start stop target text "
    "unk video vision word"
)
_BEFORE_SECRET_TOKENS = _words("access api auth bearer refresh secret")
_BEFORE_PASS = _words(
    "admin database db ftp http ldap mail mysql pg postgres proxy redis root smtp ssh sudo user"
)
_AFTER_AUTH = _words("code data header headers info key string value")

_NO, _WEAK, _CERTAIN = 0, 1, 2  # weak: only text is a secret, a number is a count


@lru_cache(maxsize=4096)
def _name_strength(name: str) -> int:
    words = [word.lower() for word in _NOT_WORD.split(_CAMEL.sub(" ", name[-200:])) if word]
    while len(words) > 1 and words[-1].isdigit():  # GITHUB_TOKEN_2
        words.pop()
    if not words or name in ("PWD", "OLDPWD"):  # where a shell is, no password
        return _NO
    if any(word in _STRONG_WORDS or _STRONG.search(word) for word in words):
        return _CERTAIN
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if any(word in ("key", "keys") and words[i] in _BEFORE_KEY for i, word in enumerate(words[1:])):
        return _CERTAIN
    secret = (
        (last == "token" and before not in _BEFORE_HARMLESS_TOKEN)
        or (last == "tokens" and before in _BEFORE_SECRET_TOKENS)
        or (last == "pass" and (before in _BEFORE_PASS or not before))
        or last in ("auth", "oauth", "userpass", "dbpass")
        or (before in ("auth", "oauth") and last in _AFTER_AUTH)
        or (before == "connection" and last == "string")
    )
    return _WEAK if secret else _NO


def is_secret_name(name: str) -> bool:
    """Say whether what goes by this name is a secret.

    >>> [is_secret_name(name) for name in ("WANDB_API_KEY", "dbPassword", "max_tokens", "author")]
    [True, True, False, False]
    """
    return _name_strength(name) > _NO


def _is_secret_variable(name: str) -> bool:
    # In an environment there are no hyperparameters, so less is given the benefit of the doubt.
    return is_secret_name(name) or name.upper().endswith(("_KEY", "_TOKEN", "_PASS", "_PAT"))


# ------------------------------------------------------------------------------ secrets in text

#: No secret is known by its place without one of these words; looked for in lower case.
_MARKERS = (
    *("pass", "pwd", "secret", "token", "key", "auth", "cookie", "credential", "bearer", "jwt"),
    *("connection", "://", "sig=", "signature=", "pw="),
)
#: None is known by its shape without as many characters on end.
_LONG = re.compile(r"[A-Za-z0-9_.-]{15}")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
#: ``user:password@``, also where a ``/``, ``#`` or ``@`` in the password was not escaped, or a
#: long name alone. Neither a port and a path with ``@`` in it, nor an IPv6 address.
_URL_LOGIN = re.compile(
    r"""(?<=://)(?!\[)(?:[^\s/?#@:"'<>]{0,256}+:(?!\d{1,5}[/?#])[^\s"'<>@/]{0,1024}+"""
    r"""(?:/[^\s"'<>@]{0,200}+)?(?:@[^\s"'<>@/?#:]{0,256}+(?=@))*|[^\s/?#@:"'<>.]{16,1024}+)@"""
)
_WEBHOOK = re.compile(
    r"(hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/)[\w/-]+"
)
_QUERY = re.compile(
    r"""(?<=[?&;])((?:key|token|sig|signature|x-amz-[a-z-]{1,40}|pw)=)[^&\s"'<>#;]+""",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Bearer\s{1,4})(?=\S{0,60}[0-9])[A-Za-z0-9+/_.~-]{8,}=*", re.IGNORECASE)
_NETRC = re.compile(r"(\blogin\s{1,8}\S{1,200}\s{1,8}password\s{1,8})\S+")
_WANDB_KEY = re.compile(r"((?:login|key|wandb)[\s\"'=:(\]]{1,12})[0-9a-f]{40}(?![0-9a-f])", re.I)
#: Only where an access key id was seen, since other things have forty characters too.
_AWS_SECRET = re.compile(
    r"(?<![A-Za-z0-9/+=])(?=\S{0,39}[A-Z/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
)
#: A JSON object in base64: JSON web tokens, Neptune's keys.
_BASE64_JSON = re.compile(
    r"(?<![A-Za-z0-9_/+-])eyJ(?:[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){2,4}"
    r"|[A-Za-z0-9_/+-]{40,}+=*)"
)
_SHAPES = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?=[A-Za-z_-]{0,80}[0-9])[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic, OpenRouter, DeepSeek
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"  # Stripe
    r"|hf_[A-Za-z0-9]{20,}|api_org_[A-Za-z0-9]{20,}"  # Hugging Face
    r"|gh[opsru]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|gl(?:pat|ptt|dt|rt|cbt|ft|soat)-[A-Za-z0-9_.-]{16,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}"
    r"|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|wandb_v1_[A-Za-z0-9_]{20,}|local-[0-9a-f]{40}"
    r"|qk_(?:live_|test_|[0-9a-z]{12}_)?[A-Za-z0-9]{16,}"  # Quark; qk_nope_head_dim is none
    r"|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,}|dckr_pat_[A-Za-z0-9_-]{20,}"
    r"|dop_v1_[0-9a-f]{40,}|r8_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{30,}|xai-[A-Za-z0-9]{30,}"
    r"|dapi[0-9a-f]{32}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
    r")"
)

# ``name = value``: the telling part of a name, its rest, and the separator. The value is looked at
# only after the name has been judged, so that no value hides another name.
_NAMED = re.compile(
    r"(?:pass|pwd|secret|token|key|auth|cookie|credential|bearer|jwt|connection.?string)"
    r"(?P<rest>[\w.-]{0,60}+)"
    r"(?P<separator>[\"'\]]{0,2}\\?[\"']?[ \t]{0,3}(?:=>|:=|={1,2}|:)[ \t]{0,3}|[ \t]{1,3})",
    re.IGNORECASE,
)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAME_CHARACTERS = _LETTERS + "0123456789_.-"
_QUOTED = re.compile(
    r"[rbfRBF]?(?:"
    r'"([^"\\\n]*(?:\\.[^"\\\n]*)*)'
    r"|'([^'\\\n]*(?:\\.[^'\\\n]*)*)"
    r'|\\"([^"\\\n]*(?:\\[^"\n][^"\\\n]*)*)'
    r"|\\'([^'\\\n]*(?:\\[^'\n][^'\\\n]*)*)"
    r")"
)
#: A comma or bracket ends it only before a blank, a quote or another one: ``f(password=a,b)``.
_UNQUOTED = re.compile(
    r"(?:(?:Bearer|Basic|Token|Digest|Negotiate)[ \t]{1,4})?"
    r"""((?:[^\s,;&"'<>)}\]]|[,)}\]](?=[^\s,;"')}\]])|&(?![\w.-]{1,40}=))+)""",
    re.IGNORECASE,
)
_REST_OF_LINE = re.compile(r"""([^\r\n"']+)""")
_HEADER = re.compile(r"-*(?:(?:set-)?cookie|(?:proxy-)?authorization)", re.IGNORECASE)
_SCHEME = re.compile(r"(?:Bearer|Basic|Token|Negotiate)\s", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[\d_.,]+(?:e[-+]?\d+)?%?", re.IGNORECASE)
#: Also what opens a block in YAML.
_NOT_SET = _words(f"none null true false yes no nil undefined | > |- >- |+ >+ {REDACTED}")
_REDACTED_ALREADY = REDACTED[:-1]


def redact_text(text: str) -> str:
    """Return ``text`` with its secrets replaced; text without any comes back as it is.

    Takes time in proportion to the length, whatever the text.

    >>> redact_text("connect to postgres://bob:hunter2@db:5432/runs")
    'connect to postgres://[redacted]@db:5432/runs'
    >>> redact_text("--api-key=abc123 --max-tokens 512")
    '--api-key=[redacted] --max-tokens 512'
    """
    lowered = text.lower()
    for marker in _MARKERS:
        if marker in lowered:
            text = _redact_by_place(text, lowered)
            break
    return _redact_by_shape(text, lowered) if _LONG.search(text) else text


def _redact_by_place(text: str, lowered: str) -> str:
    if "private key" in lowered:
        text = _PRIVATE_KEY.sub(REDACTED, text)
    if "://" in text:
        text = _URL_LOGIN.sub(REDACTED + "@", text)
        text = _WEBHOOK.sub(r"\1" + REDACTED, text)
    text = "".join(_without_named(text))
    if "=" in text and ("?" in text or "&" in text):
        text = _QUERY.sub(r"\1" + REDACTED, text)
    if "bearer" in lowered:
        text = _BEARER.sub(r"\1" + REDACTED, text)
    if "login" in lowered and "password" in lowered:
        text = _NETRC.sub(r"\1" + REDACTED, text)
    return text


def _redact_by_shape(text: str, lowered: str) -> str:
    if "wandb" in lowered:
        text = _WANDB_KEY.sub(r"\1" + REDACTED, text)
    if "akia" in lowered or "asia" in lowered:
        text = _AWS_SECRET.sub(REDACTED, text)
    if "eyj" in lowered:
        text = _BASE64_JSON.sub(REDACTED, text)
    return _SHAPES.sub(REDACTED, text)


def _without_named(text: str) -> Iterator[str]:
    done = position = 0
    while match := _NAMED.search(text, position):
        position = match.end()
        found = _secret_value(text, match)
        if found is not None:
            start, position = found
            yield text[done:start]
            yield REDACTED
            done = position
    yield text[done:]


def _secret_value(text: str, match: re.Match[str]) -> tuple[int, int] | None:
    """Return where the value after a secret's name is, or None if it is no secret."""
    word_before, name = _name_around(text, match)
    separator = match["separator"]
    if separator.isspace() and not name.startswith("-"):
        return None  # "token loss", unlike "--token abc"
    strength = _name_strength(f"{word_before} {name}")
    if strength == _NO:
        return None
    value = _QUOTED.match(text, match.end())
    if value is None:
        is_header = _HEADER.fullmatch(name) and "=" not in separator
        to_the_end = is_header and not _SCHEME.match(text, match.end())
        value = (_REST_OF_LINE if to_the_end else _UNQUOTED).match(text, match.end())
    if value is None or value.lastindex is None:
        return None
    secret = value[value.lastindex]
    if not secret or secret.lower() in _NOT_SET or secret.startswith(_REDACTED_ALREADY):
        return None
    if separator.isspace() and secret[0] == "-":
        return None
    if strength == _WEAK and (len(secret) < 8 or _is_no_key(secret)):
        return None
    return value.span(value.lastindex)


def _name_around(text: str, match: re.Match[str]) -> tuple[str, str]:
    """Return the whole name that ``match`` is a part of, and the word before it ("API key")."""
    before = text[max(0, match.start() - 80) : match.start()]
    outside = before.rstrip(_NAME_CHARACTERS)
    name = before[len(outside) :] + text[match.start() : match.end("rest")]
    words = outside[:-1] if outside.endswith(" ") else ""
    return words[len(words.rstrip(_LETTERS)) :], name


def _is_no_key(value: str) -> bool:
    """Tell a count and a special token such as ``<pad>`` from a key."""
    special = len(value) <= 40 and (value[0], value[-1]) in (("<", ">"), ("[", "]"))
    return special or value[0] == "<" or _NUMBER.fullmatch(value) is not None


# ------------------------------------------------------------------------------------ structures


def redact_mapping(mapping: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a copy of ``mapping`` with its secrets replaced, in nested mappings and lists too.

    A list of strings is read as a command line. Objects that are no plain values are kept as
    they are, unless their name says that they are secrets.

    Raises:
        SchemaValidationError: It nests deeper than 200 levels, or contains itself.

    >>> redact_mapping({"lr": 0.1, "wandb": {"api_key": "abc", "tags": ["a"]}})
    {'lr': 0.1, 'wandb': {'api_key': '[redacted]', 'tags': ['a']}}
    """
    return _redact_mapping(mapping, 0)


def redact_argv(argv: Sequence[str]) -> list[str]:
    """Return a command line with its secrets replaced.

    >>> redact_argv(["train.py", "--hf-token", "abc", "--eos-token", "</s>", "db.password=x"])
    ['train.py', '--hf-token', '[redacted]', '--eos-token', '</s>', 'db.password=[redacted]']
    """
    redacted = []
    expected = _NO  # how surely the next argument is a secret
    before = ""
    for argument in argv:
        name, equals, value = argument.partition("=")
        strength = _name_strength(name) if _ARGUMENT_NAME.fullmatch(name) else _NO
        if expected and not argument.startswith("-"):
            redacted.append(_redact_argument(argument, expected))
        elif before.endswith("login") and _WANDB_KEY_ALONE.fullmatch(argument):
            redacted.append(REDACTED)
        elif equals and value and strength:
            redacted.append(f"{name}={_redact_argument(value, strength)}")
        else:
            redacted.append(redact_text(argument))
        expected = strength if name.startswith("-") and not equals else _NO
        before = argument
    return redacted


def redact_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables with their secrets replaced.

    >>> redact_environment({"HF_TOKEN": "abc", "PWD": "/home/bob", "CUDA_VISIBLE_DEVICES": "0"})
    {'HF_TOKEN': '[redacted]', 'PWD': '/home/bob', 'CUDA_VISIBLE_DEVICES': '0'}
    """
    return {
        name: REDACTED if value and _is_secret_variable(name) else redact_text(value)
        for name, value in variables.items()
    }


_ARGUMENT_NAME = re.compile(r"[-+~]{0,3}[\w./@-]{1,200}")
_WANDB_KEY_ALONE = re.compile(r"[0-9a-f]{40}")


def _redact_argument(value: str, strength: int) -> str:
    kept = not value or value.lower() in _NOT_SET or (strength == _WEAK and _is_no_key(value))
    return value if kept else REDACTED


def _redact_mapping(mapping: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
    redacted = {}
    for key, value in mapping.items():
        strength = _name_strength(key) if isinstance(key, str) else _NO
        safe_key = redact_text(key) if isinstance(key, str) else key
        redacted[safe_key] = _redact_value(value, strength, depth + 1)
    name = mapping.get("name", mapping.get("key"))
    if "value" in mapping and isinstance(name, str) and is_secret_name(name):
        redacted["value"] = _redact_value(mapping["value"], _CERTAIN, depth + 1)
    return redacted


def _redact_value(value: Any, strength: int, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise SchemaValidationError(
            f"The value nests deeper than {_MAX_DEPTH} levels (or contains itself); flatten it."
        )
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        if strength == _NO:
            return _redact_mapping(value, depth)
        return {key: _redact_value(item, strength, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items: list[Any]
        if strength == _NO and value and all(isinstance(item, str) for item in value):
            items = redact_argv(value)
        else:
            items = [_redact_value(item, strength, depth + 1) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, str):
        if strength == _NO:
            return redact_text(value)
        return _redact_argument(value, strength)
    if strength == _NO or (strength == _WEAK and isinstance(value, (int, float))):
        return value
    return REDACTED
