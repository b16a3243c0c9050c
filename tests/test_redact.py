"""Redaction: a corpus of secrets that must not survive and of values that must."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest
from hypothesis import given, strategies as st

from quark.errors import SchemaValidationError
from quark.redact import (
    REDACTED,
    is_secret_name,
    redact_argv,
    redact_environment,
    redact_mapping,
    redact_text,
)

_random = random.Random(0)


def made_up(length: int, characters: str = string.ascii_letters + string.digits) -> str:
    """Something that looks like a key, and is none. Has a digit and an upper-case letter."""
    return "7Q" + "".join(_random.choices(characters, k=length - 2))


HEX40 = made_up(40, "0123456789abcdef").replace("Q", "a")
AWS_SECRET = made_up(30) + "/" + made_up(9)
JWT = f"eyJ{made_up(20)}.eyJ{made_up(40)}.{made_up(43)}"
PEM_BODY = "\n".join(made_up(64) for _ in range(3))

SECRET_NAMES = """
    password PASSWORD passwd pwd user_password dbPassword PGPASSWORD MYSQL_PWD db_pass SMTP_PASS
    passphrase secret client_secret SECRET_KEY token hf_token HF_TOKEN GITHUB_TOKEN_2
    accessToken apiTokens auth_token use_auth_token id_token api_key apikey apiKey APIKey X-Api-Key
    WANDB_API_KEY api_keys access_key AWS_SECRET_ACCESS_KEY aws_access_key_id
    private_key PrivateKey session_key
    sessionKey credential credentials GOOGLE_APPLICATION_CREDENTIALS auth basic_auth oauth
    Authorization Proxy-Authorization cookie Set-Cookie jwt bearer AccountKey SharedAccessKey
    QUARK_USER_KEY OPENAI_KEY ssh_key encryption_key connection_string wandb.api_key
"""

HARMLESS_NAMES = """
    max_tokens maxTokens tokenizer TOKENIZERS_PARALLELISM tokenizer_name token_count num_tokens
    tokens tokens_per_second token_ids pad_token_id eos_token bos_token pad_token mask_token
    cls_token image_token special_tokens max_new_tokens token_type_ids per_token author authors
    authority key keys keyboard monkey metric_key primary_key sort_key key_dim query_key_norm
    public_key forward_pass passes bypass pass_rate compass secretary PWD OLDPWD lr learning_rate
    batch_size seed hidden_size qk_norm qk_nope_head_dim SSH_AUTH_SOCK auth_method git_sha
    session_id num_keypoints attention_keys
"""


def test_names_are_judged_by_their_words() -> None:
    assert [name for name in SECRET_NAMES.split() if not is_secret_name(name)] == []
    assert [name for name in HARMLESS_NAMES.split() if is_secret_name(name)] == []


# (text, what of it must not survive)
SECRETS_IN_TEXT: list[tuple[str, str]] = [
    # by name
    (f"WANDB_API_KEY={HEX40}", HEX40),
    (f"export WANDB_API_KEY='{HEX40}' # mine", HEX40),
    (f'os.environ["WANDB_API_KEY"] = "{HEX40}"', HEX40),
    ("password=hunter2", "hunter2"),
    ("password: hunter2, lr: 0.1", "hunter2"),
    ("Password = 'hunt\\'er 2'", "er 2"),
    ('{"user": "bob", "password": "hun\\"ter2", "lr": 0.1}', "ter2"),
    ('"{\\"password\\": \\"hunter2\\"}"', "hunter2"),
    ("{'db': {'passwd': 'hunter2'}}", "hunter2"),
    ("Namespace(api_key='hunter2', lr=0.1)", "hunter2"),
    ("Config(password=hunter,2)x, lr=0.1)", "2)x"),
    ("your API key: hunter2hunter", "hunter2hunter"),
    ("secret key is: hunter2; api key = hunter3", "hunter3"),
    ("key: api_key=hunter2", "hunter2"),
    ("token token=hunter2hunter2", "hunter2hunter2"),
    ("metric_key=a password=hunter2", "hunter2"),
    ("python train.py --api-key hunter2 --lr 1", "hunter2"),
    ("python train.py --api-key=hunter2 --lr 1", "hunter2"),
    ("python train.py --password hunter2", "hunter2"),
    ("+ train --hf_token  hunter2hunter", "hunter2hunter"),
    (f"aws_access_key_id=AKIA{'7Q' * 8} aws_secret_access_key={AWS_SECRET}", AWS_SECRET),
    (f"AccountName=a;AccountKey={made_up(60)}==;EndpointSuffix=x", "=="),
    ("machine api.wandb.ai login user password hunter2", "hunter2"),
    (f"wandb login {HEX40}", HEX40),
    (f"wandb login --relogin {HEX40}", HEX40),
    (f'wandb.login(key="{HEX40}")', HEX40),
    # headers
    (f"Authorization: Bearer {JWT}", JWT),
    ("Authorization: Basic Ym9iOmh1bnRlcjI=", "Ym9iOmh1bnRlcjI"),
    ("authorization: token hunter2hunter", "hunter2hunter"),
    ("curl -H 'Authorization: Bearer hunter2hunter' https://api.example.com", "hunter2hunter"),
    ("{'Authorization': 'Bearer hunter2hunter'}", "hunter2hunter"),
    ("sent Bearer abcdefgh1234 to it", "abcdefgh1234"),
    ("Authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=beef77", "beef77"),
    ("Cookie: sessionid=hunter2; csrf=hunter3", "hunter3"),
    ("X-Api-Key: hunter2", "hunter2"),
    # URLs
    ("postgresql://bob:hunter2@db.example.com:5432/runs", "hunter2"),
    ("postgresql://bob:hun@ter2@db.example.com/runs", "hun"),
    ("postgresql://bob:hun@ter2@db.example.com/runs", "ter2"),
    ("postgresql://bob:hun/ter#2@db.example.com/runs", "hun/ter#2"),
    ("redis://:hunter2@cache:6379/0", "hunter2"),
    ("amqp://bob:12345@mq/vhost", "12345"),
    (f"git clone https://{made_up(24)}@github.com/a/b.git", "7Q"),
    (f"https://oauth2:{made_up(20)}@gitlab.com/a/b", "7Q"),
    ("https://maps.example.com/v1?zoom=3&key=hunter2&token=hunter3", "hunter2"),
    ("https://maps.example.com/v1?zoom=3&key=hunter2&token=hunter3", "hunter3"),
    ("GET /v1?access_token=hunter2hunter HTTP/1.1", "hunter2hunter"),
    ("https://a.blob.core.windows.net/c?sv=2022&sig=hunter2%3D", "hunter2"),
    ("https://b.s3.amazonaws.com/k?X-Amz-Signature=beef77&X-Amz-Date=1", "beef77"),
    (f"https://hooks.slack.com/services/T0/B0/{made_up(24)}", "7Q"),
    (f"https://discord.com/api/webhooks/1/{made_up(60)}", "7Q"),
    # by shape
    *(
        (text.format(key), key)
        for text in ("using {}", '["{}"]', "x={}", "key:{},", "({})")
        for key in (
            f"local-{HEX40}",
            f"wandb_v1_{made_up(60)}",
            f"hf_{made_up(34)}",
            f"sk-{made_up(48)}",
            f"sk-proj-{made_up(40)}-{made_up(20)}_x",
            f"sk-ant-api03-{made_up(80)}",
            f"sk-or-v1-{made_up(64, '0123456789abcdef')}",
            f"AKIA{made_up(16, string.ascii_uppercase + string.digits)}",
            f"ASIA{made_up(16, string.ascii_uppercase + string.digits)}",
            f"ghp_{made_up(36)}",
            f"gho_{made_up(36)}",
            f"ghs_{made_up(36)}",
            f"github_pat_{made_up(22)}_{made_up(59)}",
            f"glpat-{made_up(20)}",
            f"xoxb-{made_up(12)}-{made_up(24)}",
            f"xapp-1-{made_up(30)}",
            f"AIza{made_up(35)}",
            f"ya29.{made_up(60)}",
            JWT,
            f"eyJ{made_up(60)}==",
            f"qk_{made_up(24)}",
            f"qk_live_{made_up(24)}",
            f"qk_{made_up(12).lower()}_{made_up(40).lower()}",
            f"npm_{made_up(36)}",
            f"pypi-AgEI{made_up(80)}",
            f"dckr_pat_{made_up(27)}",
            f"r8_{made_up(37)}",
            f"gsk_{made_up(52)}",
            f"sk_live_{made_up(24)}",
            f"dapi{made_up(32, '0123456789abcdef').replace('Q', 'a')}",
            f"SG.{made_up(22)}.{made_up(43)}",
        )
    ),
    (f"aws: AKIA{'7Q' * 8} {AWS_SECRET}", AWS_SECRET),
    (f"-----BEGIN RSA PRIVATE KEY-----\n{PEM_BODY}\n-----END RSA PRIVATE KEY-----", PEM_BODY[:64]),
    (f"-----BEGIN OPENSSH PRIVATE KEY-----\n{PEM_BODY}", PEM_BODY[-64:]),
    (f'{{"private_key": "-----BEGIN PRIVATE KEY-----\\n{PEM_BODY[:64]}\\n"}}', PEM_BODY[:64]),
]

HARMLESS_TEXT = [
    "",
    "step 1200/50000 | loss 1.2345 | lr 3.0e-04 | grad_norm 0.98 | 123.4 ms/step | ETA 01:23:45",
    "Epoch 3:  45%|####5     | 1234/2750 [12:34<15:20,  1.65it/s, loss=0.234, acc=0.912]",
    f"HEAD is now at {HEX40} Fix the token loss",
    f"sha256:{'0a1b' * 16}",
    f"{'0a1b' * 16}  model.safetensors",
    "run 123e4567-e89b-12d3-a456-426614174000 started",
    "max_tokens=4096 tokenizer=gpt2 num_tokens: 1000000 token_count=12345678",
    "tokens: 12345678, tokens/s: 1234567.8, time_per_token: 0.0012",
    "pad_token_id=50256 eos_token=<|endoftext|> bos_token: '<s>' pad_token='[PAD]'",
    "token: <pad> token: 0.25 next token: something",
    "author: Alice Example <alice@example.com>",
    "key: value, metric_key=train/loss, keyboard: qwerty12345",
    "with api_key=None password: null token=False secret=''",
    "qk_nope_head_dim=128 qk_rope_head_dim: 64 use_qk_norm=True qk_layernorm",
    "sk-learn and sk-transformers-large-uncased-model, task-specific-tokenizer-name-here",
    "hf_transformers_model_name_that_is_long",
    "https://example.com:8080/runs/a@2x.png?step=3&epoch=1",
    "http://[::1]:8080/a@b ssh://git@github.com/a/b.git git@github.com:a/b.git",
    "s3://bucket/checkpoints/step-1000.pt",
    "-----BEGIN PUBLIC KEY-----",
    "forward_pass: 12 ms, pass_rate=0.75",
    "the password is wrong",
    "resnet50.a1_in1k vit_base_patch16_224.augreg2_in21k_ft_in1k",
    "NVIDIA A100-SXM4-80GB, driver 535.104.05, cuda 12.2",
    "/data/experiments/2024-01-01_12-00-00/checkpoints/epoch=3-step=1200.ckpt",
    "lr=1e-3;wd=0.01;betas=(0.9,0.999);scheduler=cosine;warmup=1000",
    "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQ=",
]


@pytest.mark.parametrize(("text", "secret"), SECRETS_IN_TEXT)
def test_no_part_of_a_secret_survives_in_text_wherever_the_text_is(text: str, secret: str) -> None:
    in_text = redact_text(text)
    in_config = redact_mapping({"a": {"b": [text, {"c": (text,)}]}})
    in_argv = redact_argv(["train.py", text])
    in_environment = redact_environment({"EXTRA_ARGS": text})

    assert REDACTED in in_text
    for result in (in_text, repr(in_config), repr(in_argv), repr(in_environment)):
        assert secret not in result
        assert secret[-8:] not in result or len(secret) <= 12
    assert redact_text(in_text) == in_text


@pytest.mark.parametrize("text", HARMLESS_TEXT)
def test_harmless_text_comes_through_unchanged_wherever_it_is(text: str) -> None:
    assert redact_text(text) == text
    assert redact_mapping({"a": {"b": [text, 1]}}) == {"a": {"b": [text, 1]}}
    assert redact_argv(["train.py", text]) == ["train.py", text]
    assert redact_environment({"EXTRA_ARGS": text}) == {"EXTRA_ARGS": text}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://bob:pw@db:5432/runs?x=1", "postgresql://[redacted]@db:5432/runs?x=1"),
        ("--api-key=abc --lr 0.1", "--api-key=[redacted] --lr 0.1"),
        ('{"password": "a b", "lr": 0.1}', '{"password": "[redacted]", "lr": 0.1}'),
        ("Config(token='abcdefgh1', lr=0.1)", "Config(token='[redacted]', lr=0.1)"),
        ("Authorization: Bearer abcdefgh1 ok", "Authorization: Bearer [redacted] ok"),
        ("https://h/p?key=a&zoom=3", "https://h/p?key=[redacted]&zoom=3"),
        ("a=1 password=b\nlr: 2", "a=1 password=[redacted]\nlr: 2"),
    ],
)
def test_what_is_around_a_secret_stays_readable(text: str, expected: str) -> None:
    assert redact_text(text) == expected


def test_a_mapping_is_redacted_by_its_keys_and_values_to_any_depth() -> None:
    original: dict[Any, Any] = {
        "lr": 3e-4,
        "max_tokens": 512,
        "eos_token": "</s>",
        "token": 5,
        "password": 123456,
        "use_auth_token": True,
        "secret": None,
        "api_key": "",
        "nested": {"tokens": ["a", "b"], "credentials": {"user": "bob", "pin": 1234}},
        "list": [{"hf_token": "abc"}, ("x", 1)],
        "launch": ["train.py", "--wandb-key", "abc", "--lr", "1"],
        "env": [{"name": "API_KEY", "value": "abc"}, {"name": "SEED", "value": "1"}],
        "private_key": b"abc",
        3: "password=abc",
        "hf_" + "x1" * 15: "a key that is a secret",
    }

    assert redact_mapping(original) == {
        "lr": 3e-4,
        "max_tokens": 512,
        "eos_token": "</s>",
        "token": 5,
        "password": REDACTED,
        "use_auth_token": True,
        "secret": None,
        "api_key": "",
        "nested": {"tokens": ["a", "b"], "credentials": {"user": REDACTED, "pin": REDACTED}},
        "list": [{"hf_token": REDACTED}, ("x", 1)],
        "launch": ["train.py", "--wandb-key", REDACTED, "--lr", "1"],
        "env": [{"name": "API_KEY", "value": REDACTED}, {"name": "SEED", "value": "1"}],
        "private_key": REDACTED,
        3: f"password={REDACTED}",
        REDACTED: "a key that is a secret",
    }
    assert original["password"] == 123456


def test_a_mapping_that_contains_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless

    with pytest.raises(SchemaValidationError, match="nests deeper than 200 levels"):
        redact_mapping(endless)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--api-key", "abc", "--lr", "1"], ["--api-key", REDACTED, "--lr", "1"]),
        (["--api-key=abc"], [f"--api-key={REDACTED}"]),
        (["--password", "a b c"], ["--password", REDACTED]),
        (["--use-auth-token", "--lr", "1"], ["--use-auth-token", "--lr", "1"]),
        (["--use-auth-token", "True"], ["--use-auth-token", "True"]),
        (["--max-tokens", "512", "--eos-token", "</s>"], None),
        (["--tokenizer", "gpt2", "--author", "bob", "--key", "k"], None),
        (["+wandb.api_key=abc", "model.lr=1"], [f"+wandb.api_key={REDACTED}", "model.lr=1"]),
        (["wandb", "login", HEX40], ["wandb", "login", REDACTED]),
        (["--git-sha", HEX40], None),
        (['{"password":"a=b"}'], [f'{{"password":"{REDACTED}"}}']),
        (["-H", "Authorization: Bearer abcdefgh1"], ["-H", f"Authorization: Bearer {REDACTED}"]),
        (["--url", "http://a:b@h/x"], ["--url", "http://[redacted]@h/x"]),
        ([], []),
    ],
)
def test_a_command_line_loses_the_values_of_its_secret_options(
    argv: list[str], expected: list[str] | None
) -> None:
    assert redact_argv(argv) == (argv if expected is None else expected)


def test_an_environment_is_given_less_benefit_of_the_doubt() -> None:
    harmless = {
        "PWD": "/home/bob",
        "CUDA_VISIBLE_DEVICES": "0,1",
        "SSH_AUTH_SOCK": "/tmp/agent.1",
        "TOKENIZERS_PARALLELISM": "false",
        "SLURM_JOB_ID": "123",
        "QUARK_STORAGE_DIR": "/data",
    }
    names = ("HF_TOKEN", "X_KEY", "SOME_TOKEN", "MY_PASS", "AZURE_PAT", "QUARK_USER_KEY")
    secret = dict.fromkeys(names, "hunter2")

    assert redact_environment(harmless) == harmless
    assert redact_environment(secret) == dict.fromkeys(secret, REDACTED)


@given(st.text())
def test_any_text_can_be_redacted_and_redacting_it_twice_changes_nothing_more(text: str) -> None:
    once = redact_text(text)

    assert redact_text(once) == once


HOSTILE = [
    "a", "key", "key=", "a" * 60 + "key=", "token ", "--token ", 'token="', 'token=\\"', "://",
    "://a:", "://a:/b", "://a:b@", "eyJ", "eyJ-", "eyJaaaaaaaa.", "sk-", "sk-abcdefghijklmnop ",
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "-", "bearer ", "login a password ", "?key=",
    "&sig=a", "AKIA " + "a" * 41 + "/", 'password="\\', "password=,a)]", "token" + " " * 50,
    "SG.aaaaaaaaaaaaaaaaaaaa", "token=&a", "hooks.slack.com/services/", "authorization: ",
]  # fmt: skip


@pytest.mark.parametrize("length", [1_000_000, 150_000])
def test_hostile_text_takes_time_in_proportion_to_its_length(length: int) -> None:
    # Quadratic work on so much text takes minutes, so that the time limit of the test ends it.
    for unit in HOSTILE if length < 1_000_000 else HOSTILE[:4]:
        text = (unit * (length // len(unit) + 1))[:length] + "\nthe end: --api-key=hunter2"

        assert "hunter2" not in redact_text(text)
