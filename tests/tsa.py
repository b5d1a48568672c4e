"""A time-stamp authority made by the `openssl` command, behind a tiny HTTP server: the product's client meets another implementation."""

from __future__ import annotations

import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

OPENSSL = shutil.which("openssl")

_CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
[web]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
[stamping]
dir = {folder}
serial = {folder}/serial
signer_cert = {folder}/{signer}.crt
signer_key = {folder}/{signer}.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
# Without `certs`: OpenSSL 3.0 would write the set of certificates in an order that strict DER readers refuse.


class TestAuthority:
    """A root, an authority below it, and its answers to requests."""

    __test__ = False

    def __init__(self, folder: Path, name: str = "Test TSA", signer: str = "tsa") -> None:
        assert OPENSSL, "these tests need the openssl command"
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "openssl.cnf"
        self._config.write_text(_CONFIG.format(folder=folder, signer=signer))
        (folder / "serial").write_text("01\n")
        self._lock = threading.Lock()
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "30",
                      "-subj", f"/CN={name} root", "-extensions", "ca")  # fmt: skip
        self._openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{signer}.key", "-out", f"{signer}.csr", "-subj", f"/CN={name}"
        )
        self._openssl("x509", "-req", "-in", f"{signer}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "20",
                      "-out", f"{signer}.crt", "-extfile", "openssl.cnf", "-extensions", signer)  # fmt: skip

    @property
    def root(self) -> bytes:
        """The root certificate, PEM."""
        return (self.folder / "ca.crt").read_bytes()

    def answer(self, query: bytes) -> bytes:
        """A DER TimeStampResp for a DER TimeStampReq."""
        with self._lock:
            (self.folder / "query.tsq").write_bytes(query)
            self._openssl(
                "ts", "-reply", "-config", "openssl.cnf", "-section", "stamping", "-queryfile", "query.tsq", "-out", "reply.tsr"
            )
            return (self.folder / "reply.tsr").read_bytes()

    def openssl_verifies(self, message: bytes, reply: bytes) -> bool:
        """What `openssl ts -verify` says: a second opinion that shares nothing with the product's."""
        (self.folder / "message").write_bytes(message)
        (self.folder / "given.tsr").write_bytes(reply)
        found = subprocess.run(
            [OPENSSL, "ts", "-verify", "-data", "message", "-in", "given.tsr", "-CAfile", "ca.crt"],
            cwd=self.folder, capture_output=True, check=False,
        )  # fmt: skip
        return found.returncode == 0

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run([str(OPENSSL), *arguments], cwd=self.folder, capture_output=True, check=False,
                              env={"OPENSSL_CONF": str(self._config), "PATH": "/usr/bin:/bin"})  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()


@contextmanager
def serving(authority: TestAuthority):
    """The authority at an HTTP address on loopback, such as `http://127.0.0.1:43210/`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["content-length"]))
            reply = authority.answer(query)
            self.send_response(200)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
