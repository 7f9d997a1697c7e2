"""No secret of a URL is told, wherever in it the secret is and however it is written."""

import logging
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amnl_tune.cli.options import DiscreetFormatter
from amnl_tune.errors import AmnlTuneError, StorageAwayError, StorageError, StorageKind
from amnl_tune.masking import has_stray_at, masked, without_secrets
from amnl_tune.settings import Settings

SECRET = "s3cr3tpw"
HIDDEN = [
    (f"postgresql://me:{SECRET}@h:5432/d", "postgresql://me:***@h:5432/d"),
    (f"postgresql+psycopg://me:{SECRET}@[::1]:5432/d", "postgresql+psycopg://me:***@[::1]:5432/d"),
    (f"postgresql://:{SECRET}@h/d", "postgresql://:***@h/d"),
    (f"postgresql://me:se@{SECRET}@h/d", "postgresql://me:***@h/d"),
    (f"postgresql://me:a/{SECRET}@h/d", "postgresql://me:***@h/d"),
    (f"postgresql://me:a?{SECRET}@h/d", "postgresql://***"),
    (f"postgresql://me:a#{SECRET}@h/d", "postgresql://***"),
    (f"postgresql://me:a%40{SECRET}@h/d", "postgresql://me:***@h/d"),
    (f"postgresql://me:{SECRET}:5432/d", "postgresql://me:***/d"),
    (f"postgresql://me:{SECRET}@h:port/d", "postgresql://me:***@h:port/d"),
    (f"postgresql://h/d?user=me&password={SECRET}", "postgresql://h/d?user=me&password=***"),
    (f"postgresql://h/d?PASSWORD={SECRET}", "postgresql://h/d?PASSWORD=***"),
    (f"postgresql://h/d?p%61ssword={SECRET}", "postgresql://h/d?***"),
    (f"postgresql://h/d?password=a&{SECRET}", "postgresql://h/d?password=***&***"),
    (
        f"postgresql://me@h/d?sslmode=require&sslpassword={SECRET}",
        "postgresql://me@h/d?sslmode=require&sslpassword=***",
    ),
    (f"postgresql://me@h/d?whatever={SECRET}", "postgresql://me@h/d?whatever=***"),
    (f"postgrs://me:{SECRET}@h/d", "postgrs://***@h/d"),
    (f"postgresql:me:{SECRET}@h/d", "postgresql:***@h/d"),
    (f"postgresql:/me:{SECRET}@h/d", "postgresql:/***@h/d"),
    (f"postgresql:///me:{SECRET}@h/d", "postgresql:///***@h/d"),
    (f"postgresql//me:{SECRET}@h/d", "***@h/d"),
    (f"me:{SECRET}@h/d", "me:***@h/d"),
    (f"host=h user=me password={SECRET}", "host=h user=me password=***"),
    (f"s3://KEY:{SECRET}@bucket/x", "s3://***@bucket/x"),
    (f"s3://KEY:a/b+{SECRET}@bucket/x", "s3://***@bucket/x"),
    (f"s3://{SECRET}@bucket/x", "s3://***@bucket/x"),
    (f"https://me:{SECRET}@h/x", "https://***@h/x"),
    (f"https://{SECRET}@h/x", "https://***@h/x"),
    (f"https://h/x?token={SECRET}", "https://h/x?token=***"),
    (f"https://h/x?sv=1&sig={SECRET}", "https://h/x?sv=***&sig=***"),
    (f"https://h/x#access_token={SECRET}", "https://h/x#access_token=***"),
    (f"sftp://me:{SECRET}@h/x", "sftp://me:***@h/x"),
    (f"ray://:{SECRET}@head:10001", "ray://***@head:10001"),
    (f"sqlite://me:{SECRET}@h/x.db", "sqlite://***@h/x.db"),
    (f"sqlite://me:a?{SECRET}@h/x.db", "sqlite://***@h/x.db"),
    ("postgresql://me:1234567/d", "postgresql://me:***/d"),
    (f"host=h password='a?{SECRET}' dbname=d", "host=h password='***' dbname=d"),
    (f"host=h password=a;&){SECRET} dbname=d", "host=h password=*** dbname=d"),
    (f"sqlite:////home/x.db?password={SECRET}", "sqlite:////home/x.db?password=***"),
]
SHOWN = [
    "sqlite:////home/me@corp:x#y?z/amnl.db",
    "sqlite:///storage/local/amnl_tune.db",
    "/mnt/a:b@c/artifacts",
    "exports/a@b:c",
    "~/a:b@c",
    "file:///home/me@corp/x",
    "s3://bucket/me@2x",
    "abfs://container@account.dfs.core.windows.net/x",
    "postgresql://me@h/d",
    "postgresql://h:5432/d?host=/run/postgresql&sslmode=verify-full",
    "postgresql://h1:5432,h2:5432/d",
    "postgresql://USER:PASSWORD@HOST/DATABASE",
    "",
]


@pytest.mark.parametrize(("url", "told"), HIDDEN, ids=[told for _, told in HIDDEN])
def test_what_is_told_of_a_url(url: str, told: str) -> None:
    assert masked(url) == masked(told) == told
    for text in (f"must answer, but got {url!r}; mend it", f"({url}), and so on", f"{url}: refused"):
        assert SECRET not in without_secrets(text)
        assert without_secrets(without_secrets(text)) == without_secrets(text)


@pytest.mark.parametrize("mark", ["'", '"', "(", "<", "`", ">", "?", "#"])
def test_a_password_with_punctuation_in_it(mark: str) -> None:
    url = f"postgresql://me:a{mark}{SECRET}@h/d"
    for text in (f"must answer, but got {url!r}; mend it", f"Got unexpected extra argument(s) ({url})", f"{url}: no"):
        assert SECRET not in without_secrets(text)
    assert without_secrets(f"no such user: a{mark}{SECRET}", url) == "no such user: ***"
    assert SECRET not in without_secrets(f"['sqlite:///x.db','s3://me:{SECRET}@b']")


@pytest.mark.parametrize("url", SHOWN)
def test_what_has_no_secret_stays_as_it_is(url: str) -> None:
    assert masked(url) == url
    assert without_secrets(f"must answer, but got {url!r}; mend it") == f"must answer, but got {url!r}; mend it"


@given(st.text(st.sampled_from("ab@:/?#&=%+;, '\"*"), min_size=1, max_size=12))
def test_a_password_of_any_characters_is_hidden(odd: str) -> None:
    for url in (
        f"postgresql://me:x{odd}{SECRET}@h/d",
        f"s3://KEY:{odd}{SECRET}@b/x",
        f"https://h/x?token={odd}{SECRET}",
    ):
        assert SECRET not in masked(url)
        assert masked(masked(url)) == masked(url)


@pytest.mark.parametrize(
    "text",
    [
        f"connection to h failed: password={SECRET} user=me",
        f"connection to h failed: password='{SECRET}'",
        f"invalid connection info {{'user': 'me', 'password': '{SECRET}'}}",
        f"Max retries exceeded with url: /api/2.0/runs?token={SECRET}",
        f"401 for Authorization: Bearer {SECRET}",
        f"AWS_SECRET_ACCESS_KEY={SECRET}",
    ],
)
def test_what_drivers_say_of_a_secret(text: str) -> None:
    assert SECRET not in without_secrets(text)


def test_a_driver_that_takes_a_part_of_a_url_for_something_else() -> None:
    url = "https://me:s3%40cr3tpw@h/x?key=abcdef&user=me"
    assert (
        without_secrets("no such host s3@cr3tpw, s3%40cr3tpw, abcdef of me", url) == "no such host ***, ***, *** of me"
    )
    assert without_secrets("the role postgres", "postgresql://postgres:postgres@h/d") == "the role postgres"


def test_an_at_that_nobody_encoded() -> None:
    assert has_stray_at("postgresql://me:a@b@h/d")
    assert has_stray_at("postgresql://me:a@b/c@h/d")
    assert not has_stray_at("postgresql://me:a%40b@h/d?user=me@corp")
    assert not has_stray_at("sqlite:////home/a@b/c@d.db")


def test_every_error_of_ours_is_without_secrets() -> None:
    error = StorageError(f"`--storage` must answer, but got postgresql://me:{SECRET}@h/d; mend it")
    for told in (str(error), repr(error), str(error.args), str(pickle.loads(pickle.dumps(error)))):  # noqa: S301
        assert SECRET not in told
        assert "mend it" in told


def test_the_log_is_without_secrets() -> None:
    try:
        raise ValueError(f"cannot open postgresql://me:{SECRET}@h/d")
    except ValueError as error:
        record = logging.LogRecord("a", logging.WARNING, __file__, 1, f"https://me:{SECRET}@h: %s", ("why",), None)
        record.exc_info = (type(error), error, error.__traceback__)
    told = DiscreetFormatter("%(levelname)s %(message)s").format(record)
    assert told.startswith("WARNING https://***@h: why\nTraceback")
    assert SECRET not in told


def test_reprs_are_without_secrets() -> None:
    environ = {"AMNL_TUNE_STORAGE": f"postgresql://h/d?password={SECRET}", "AMNL_TUNE_ARTIFACTS": f"s3://K:{SECRET}@b"}
    assert SECRET not in repr(Settings.resolve(environ))


def test_an_error_is_what_and_remedy_and_neither_has_a_secret() -> None:
    url, hidden = HIDDEN[0]
    error = StorageError(f"{url} must answer, but does not", f"mend {url}")
    assert (error.what, error.remedy) == (f"{hidden} must answer, but does not", f"mend {hidden}")
    assert str(error) == f"{error.what}; {error.remedy}"
    assert error.kind is StorageKind.REFUSED
    assert str(AmnlTuneError("a rule; a remedy")) == AmnlTuneError("a rule; a remedy").what == "a rule; a remedy"
    away = pickle.loads(pickle.dumps(StorageAwayError("a rule", "a remedy")))  # noqa: S301
    assert (str(away), away.what, away.remedy, away.kind) == ("a rule; a remedy", "a rule", "a remedy", "away")
