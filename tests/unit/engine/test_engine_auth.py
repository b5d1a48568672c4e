"""Who the HTTP API lets through: tokens, JSON Web Tokens of all nine algorithms, and forged ones."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from tightrope.engine.auth import Guard, read_key
from tightrope.engine.edge import Refused
from tightrope.infra.settings import Settings

NOW = 1_800_000_000
SHARED = "a shared secret of more than thirty-two bytes"
RSA = RSAKey.generate_key(2048)
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
EC = {method: ECKey.generate_key(curve) for method, curve in CURVES.items()}
METHODS = ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512")


def private(method: str) -> Any:
    return {"HS": OctKey.import_key(SHARED), "RS": RSA}.get(method[:2]) or EC[method]


def public(method: str) -> str:
    return SHARED if method.startswith("HS") else private(method).as_pem(private=False).decode()


def token(method: str = "HS256", *, signed_by: Any = None, **claims: Any) -> str:
    claims = {"user": {"username": "cw-1-1-e0", "role": "user"}, **claims}
    return jwt.encode({"alg": method}, claims, signed_by or private(method), algorithms=[method])


def guard(method: str = "HS256", **kwargs: Any) -> Guard:
    return Guard(jwt_secret=public(method), method=method, now=lambda: NOW, **kwargs)


def scope(bearer: str | None = None, query: str = "") -> dict[str, Any]:
    headers = [] if bearer is None else [(b"authorization", f"Bearer {bearer}".encode())]
    return {"type": "http", "headers": headers, "query_string": query.encode()}


def refused(made: Guard, asked: dict[str, Any], conversation: str | None = "cw-1-1-e0") -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        made.permit(asked, conversation)
    assert caught.value.body["code"] == caught.value.status
    return caught.value.status, str(caught.value.body["reason"])


def unsigned(claims: dict[str, Any], header: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


class TestTokens:
    def test_without_token_and_secret_the_api_is_open_as_with_rasa(self):
        assert Guard().open
        Guard().permit(scope(), "anybody")

    def test_the_token_in_the_query_opens_everything(self):
        made = Guard(token="geheim+/=&")
        made.permit(scope(query="token=geheim%2B%2F%3D%26&include_events=ALL"))
        for query in (
            "",
            "token=",
            "token=geheim",
            "token=wrong",
            "token=wrong&token=geheim%2B%2F%3D%26",
            "TOKEN=geheim%2B%2F%3D%26",
        ):
            assert refused(made, scope(query=query)) == (401, "NotAuthenticated")

    def test_a_token_that_is_no_ascii_is_refused_and_not_an_error(self):
        assert refused(Guard(token="geheim"), scope(query="token=%E5%AF%86")) == (401, "NotAuthenticated")
        assert refused(Guard(token="geheim"), {**scope(), "query_string": b"token=\xff\xfe"}) == (401, "NotAuthenticated")

    def test_with_both_set_either_will_do(self):
        made = guard(token="geheim")
        made.permit(scope(query="token=geheim"), None)
        made.permit(scope(token()), "cw-1-1-e0")
        assert refused(made, scope(query="token=wrong"))[0] == 401


class TestJsonWebTokens:
    @pytest.mark.parametrize("method", METHODS)
    def test_each_algorithm_that_the_settings_may_name_is_taken(self, method):
        guard(method).permit(scope(token(method)), "cw-1-1-e0")

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("other", METHODS)
    def test_every_other_algorithm_is_refused(self, method, other):
        if method != other:
            assert refused(guard(method), scope(token(other))) == (401, "NotAuthenticated")

    @pytest.mark.parametrize("method", ["RS256", "ES256"])
    def test_a_public_key_is_never_taken_for_a_shared_secret(self, method):
        claims, header = {"user": {"username": "x", "role": "admin"}}, {"alg": "HS256", "typ": "JWT"}
        signed = unsigned(claims, header).rpartition(".")[0]
        signature = hmac.digest(public(method).encode(), signed.encode(), "sha256")
        forged = unsigned(claims, header, signature)
        assert refused(guard(method), scope(forged)) == (401, "NotAuthenticated")

    @pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "None"}, {"alg": ""}, {}, {"alg": "HS256"}])
    def test_an_unsigned_token_is_refused(self, header):
        claims = {"user": {"username": "root", "role": "admin"}}
        assert refused(guard(), scope(unsigned(claims, header))) == (401, "NotAuthenticated")

    def test_a_key_that_the_token_brings_along_is_not_used(self):
        theirs = OctKey.generate_key(256)
        header = {"alg": "HS256", "jwk": theirs.as_dict(), "kid": "x", "jku": "http://evil.example/"}
        forged = jwt.encode(header, {"user": {"username": "x", "role": "admin"}}, theirs, algorithms=["HS256"])
        assert refused(guard(), scope(forged)) == (401, "NotAuthenticated")

    @pytest.mark.parametrize(
        ("claims", "taken"),
        [
            ({"exp": NOW + 60}, True),
            ({"exp": NOW - 1}, False),
            ({"exp": 0}, False),
            ({"exp": "soon"}, False),
            ({"nbf": NOW + 60}, False),
            ({"nbf": NOW - 60}, True),
            ({"iat": NOW + 3600}, False),
        ],
    )
    def test_times_are_kept(self, claims, taken):
        asked = scope(token(**claims))
        if taken:
            guard().permit(asked, "cw-1-1-e0")
        else:
            assert refused(guard(), asked) == (401, "NotAuthenticated")

    @pytest.mark.parametrize(
        ("user", "status"),
        [
            (None, 401),
            ("root", 401),
            ([], 401),
            ({}, 401),
            ({"role": "admin"}, 401),
            ({"username": "", "role": "admin"}, 401),
            ({"username": 5, "role": "admin"}, 401),
            ({"username": "x"}, 403),
            ({"username": "x", "role": "root"}, 403),
            ({"username": "x", "role": ["admin"]}, 403),
        ],
    )
    def test_claims_that_say_nothing_are_refused(self, user, status):
        assert refused(guard(), scope(token(user=user)))[0] == status

    def test_a_user_sees_the_own_conversation_alone_and_an_admin_all(self):
        made = guard()
        own = scope(token())
        made.permit(own, "cw-1-1-e0")
        for other in ("cw-1-2-e0", "cw-1-1-e", "CW-1-1-E0", "", None):
            assert refused(made, own, other) == (403, "NotAuthorized")
        admin = scope(token(user={"username": "anybody", "role": "admin"}))
        for conversation in ("cw-1-1-e0", "cw-1-2-e0", None):
            made.permit(admin, conversation)

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Bearer",
            "Bearer ",
            "Basic dXNlcjpwYXNz",
            "Bearer a.b",
            "Bearer a.b.c",
            "Bearer " + "x" * 9000,
            "Bearer \xff.\xff.\xff",
        ],
    )
    def test_a_header_that_holds_no_token_is_refused(self, header):
        asked = {**scope(), "headers": [(b"authorization", header.encode("latin-1"))]}
        assert refused(guard(), asked) == (401, "NotAuthenticated")

    def test_a_token_that_was_changed_is_refused(self):
        head, claims, signature = token().split(".")
        other = unsigned({"user": {"username": "x", "role": "admin"}}, {}).split(".")[1]
        for forged in (f"{head}.{other}.{signature}", f"{head}.{claims}.", f"{head}.{claims}.{signature[:-4]}AAAA"):
            assert refused(guard(), scope(forged)) == (401, "NotAuthenticated")


class TestSettings:
    @pytest.mark.parametrize(
        ("method", "secret", "told"),
        [
            ("HS256", public("RS256"), "key in PEM"),
            ("RS256", SHARED, "no public key"),
            ("RS256", public("ES256"), "no public key"),
            ("ES256", public("RS256"), "no public key"),
            ("ES384", public("ES256"), "P-384"),
        ],
    )
    def test_a_key_that_does_not_fit_the_method_stops_the_start(self, method, secret, told):
        with pytest.raises(SystemExit, match=told):
            read_key(method, secret)

    def test_production_refuses_an_open_api_and_a_secret_that_can_be_guessed(self, tmp_path):
        mode = {
            "mode": "production", "secrets_dir": tmp_path, "brokerage_url": "http://b", "identity_issuer": "http://i",
            "portal_public_url": "http://p",
        }  # fmt: skip
        with pytest.raises(SystemExit, match="open HTTP API"):
            Guard.of(Settings(**mode))
        with pytest.raises(SystemExit, match="guessed"):
            Guard.of(Settings(**mode, jwt_secret="thisismysecret"))
        assert not Guard.of(Settings(**mode, jwt_secret=SHARED)).open
        (tmp_path / "assistant_token").write_text("geheim")
        Guard.of(Settings(**mode)).permit(scope(query="token=geheim"))

    def test_rasa_s_names_of_the_environment_work(self, monkeypatch, tmp_path):
        monkeypatch.setenv("AUTH_TOKEN", "geheim")
        monkeypatch.setenv("JWT_SECRET", public("RS512"))
        monkeypatch.setenv("JWT_METHOD", "RS512")
        monkeypatch.setenv("COMPRESS_ACTION_SERVER_REQUEST", "True")
        settings = Settings(state_dir=tmp_path)
        made = Guard.of(settings)
        made.permit(scope(query="token=geheim"))
        made.permit(scope(token("RS512")), "cw-1-1-e0")
        assert settings.compress_action_requests
        assert "geheim" not in repr(settings)

    def test_our_own_names_come_before_rasa_s_and_a_mounted_secret_before_both(self, monkeypatch, tmp_path):
        monkeypatch.setenv("AUTH_TOKEN", "rasa")
        monkeypatch.setenv("TIGHTROPE_AUTH_TOKEN", "ours")
        settings = Settings(state_dir=tmp_path)
        Guard.of(settings).permit(scope(query="token=ours"))
        settings.secrets_path.mkdir(parents=True)
        (settings.secrets_path / "assistant_token").write_text("mounted")
        Guard.of(settings).permit(scope(query="token=mounted"))
        assert refused(Guard.of(settings), scope(query="token=ours"))[0] == 401

    def test_a_method_that_signs_nothing_cannot_be_named(self, monkeypatch):
        monkeypatch.setenv("JWT_METHOD", "none")
        with pytest.raises(ValueError, match="JWT_METHOD"):
            Settings()
