"""Records pushed to a real HTTP server: one that fails, cuts connections, and checks signatures (C-06, I-06)."""
import hashlib
import hmac
import http.server
import json
import ssl
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Iterator

import pytest
import tandem

SECRET = "topsecret"


class Receiver(http.server.ThreadingHTTPServer):
    """Answers by a script of statuses; 0 cuts the connection behind the body. Behind its end all is 200."""

    daemon_threads = True

    def __init__(self, script: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.ids: Counter[int] = Counter()  # of bodies that were stored, which one whose connection is cut is too
        self.keys: list[str] = []
        self.wrong: list[str] = []
        self.changed = threading.Condition()

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.ids) >= count, 60), (self.ids, self.wrong)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        expected = hmac.new(SECRET.encode(), self.headers["X-Tandem-Timestamp"].encode() + b"." + body, hashlib.sha256)
        server = self.server
        with server.changed:
            if self.headers["X-Tandem-Signature"] != "sha256=" + expected.hexdigest():
                server.wrong.append("signature")
            if abs(time.time() - int(self.headers["X-Tandem-Timestamp"])) > 300:
                server.wrong.append("timestamp")
            if self.headers["Authorization"] != "Bearer tok" or self.headers["X-Site"] != "one":
                server.wrong.append("headers")
            status = server.script.pop(0) if server.script else 200
            if status in (0, 200):
                server.ids.update(record["record_id"] for record in json.loads(body))
                server.keys.append(self.headers["Idempotency-Key"])
            server.changed.notify_all()
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver([500, 200, 0])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def sink(folder: Path, server: Receiver) -> tandem.RemoteCdrSink:
    return tandem.cdr_push_sink(str(folder / "push"), f"http://127.0.0.1:{server.server_port}/cdrs", token="tok",
                                secret=SECRET, headers=["X-Site: one"], batch_records=4)


def test_a_real_server_gets_each_record_whatever_it_answers(tmp_path: Path, receiver: Receiver) -> None:
    numbers = []
    for _ in range(2):  # the second process goes on where the first one was
        with tandem.CdrJournal(str(tmp_path / "journal"), {"push": sink(tmp_path, receiver)},
                               segment_bytes=1 << 20) as journal:
            numbers += [journal.append(tandem.Cdr()) for _ in range(10)]
            receiver.wait_for(len(numbers))
            if len(numbers) == 10:
                assert journal.sinks()[0]["failures"] >= 1
    assert receiver.wrong == []
    assert set(receiver.ids) == set(numbers)
    # Only the batch whose connection was cut came twice, and its key tells.
    twice = {number for number, times in receiver.ids.items() if times > 1}
    assert 1 <= len(twice) <= 4 and max(receiver.ids.values()) == 2
    assert len(receiver.keys) - len(set(receiver.keys)) == 1


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server's certificate and a client's, and an authority that signed neither."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "other"):
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    for name, names in (("server", "IP:127.0.0.1"), ("stranger", "DNS:elsewhere.example"), ("client", "DNS:switch")):
        (folder / f"{name}.cnf").write_text(f"subjectAltName={names}\n", encoding="ascii")
        openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
                "-extfile", f"{name}.cnf", "-out", f"{name}.pem")
    return folder


def shown(folder: Path, name: str, receiver: Receiver) -> ssl.SSLContext:
    """Has the receiver speak TLS with that certificate, and ask for one of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    context.load_verify_locations(folder / "ca.pem")
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True, do_handshake_on_connect=False)
    return context


def pushed_with_tls(tmp_path: Path, receiver: Receiver, certificates: Path, ca: str, client: str) -> tuple[int, str]:
    """Records that arrived, and what the sink said when none could."""
    push = tandem.cdr_push_sink(
        str(tmp_path / "push"), f"https://127.0.0.1:{receiver.server_port}/cdrs", token="tok", secret=SECRET,
        headers=["X-Site: one"], batch_records=4, tls_ca=str(certificates / f"{ca}.pem"),
        tls_certificate=str(certificates / f"{client}.pem") if client else "",
        tls_key=str(certificates / f"{client}.key") if client else "")
    for number in range(1, 11):
        cdr = tandem.Cdr()
        cdr.record_id = number
        push.write(cdr)
    try:
        push.flush()
    except tandem.Error as error:
        return len(receiver.ids), error.message
    return len(receiver.ids), ""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_with_tls_gets_each_record_and_sees_the_certificate(
        tmp_path: Path, receiver: Receiver, certificates: Path, version: ssl.TLSVersion) -> None:
    receiver.script = []
    context = shown(certificates, "server", receiver)
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    assert pushed_with_tls(tmp_path, receiver, certificates, "ca", "client") == (10, "")
    assert receiver.wrong == [] and max(receiver.ids.values()) == 1


@pytest.mark.parametrize("server, ca, client, said", [
    ("server", "other", "", "certificate was refused"),
    ("stranger", "ca", "", "not for \"127.0.0.1\""),
    ("server", "ca", "other", "our certificate was refused"),
    ("server", "ca", "", "our certificate was refused"),
])
def test_a_server_or_client_that_is_another_gets_nothing(tmp_path: Path, receiver: Receiver, certificates: Path,
                                                         server: str, ca: str, client: str, said: str) -> None:
    receiver.script = []
    context = shown(certificates, server, receiver)
    context.verify_mode = ssl.CERT_REQUIRED if ca == "ca" and server == "server" else ssl.CERT_NONE
    stored, error = pushed_with_tls(tmp_path, receiver, certificates, ca, client)
    assert stored == 0 and said in error, error


def test_a_sink_is_of_one_journal_only(tmp_path: Path, receiver: Receiver) -> None:
    push = sink(tmp_path, receiver)
    with tandem.CdrJournal(str(tmp_path / "journal"), {"push": push}, segment_bytes=1 << 20):
        with pytest.raises(tandem.Error) as raised:
            push.flush()
        assert raised.value.code == tandem.ErrorCode.wrong_state
        with pytest.raises(tandem.Error) as raised:
            sink(tmp_path, receiver)
        assert raised.value.code == tandem.ErrorCode.already_exists


def test_what_cannot_work_is_refused(tmp_path: Path) -> None:
    with pytest.raises(tandem.Error) as raised:
        tandem.cdr_push_sink(str(tmp_path), "https://127.0.0.1/", tls_ca=str(tmp_path / "absent.pem"))
    assert raised.value.code == tandem.ErrorCode.io and "absent.pem" in raised.value.message
    with pytest.raises(tandem.Error) as raised:
        tandem.cdr_push_sink(str(tmp_path), "http://127.0.0.1/", tls_ca="ca.pem")
    assert raised.value.code == tandem.ErrorCode.invalid_argument
    for make in (tandem.cdr_postgresql_sink, tandem.cdr_mariadb_sink):
        with pytest.raises(tandem.Error) as raised:
            make(str(tmp_path), "database=cdr", table="no name")
        assert raised.value.code == tandem.ErrorCode.invalid_argument
