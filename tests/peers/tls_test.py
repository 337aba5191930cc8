#!/usr/bin/env python3
"""SIP over TLS (P-01) with peers of others: OpenSSL's s_client, Python's ssl, baresip, Kamailio; and with peers that mean no good."""
import glob
import ssl

from interworking_test import BOB_IP, NAMESPACE, SWITCH_IP, Kamailio, Namespace, baresip
from peers import *
from phones_test import online, phone, with_phones


def openssl(*words):
    run = subprocess.run(["openssl", *words], capture_output=True, text=True)
    expect(run.returncode == 0, "openssl " + words[0], run.stderr)


class Authority:
    """Certificates made for this run, in a folder of it."""

    def __init__(self, path):
        self.path = path
        self.file = os.path.join(path, "ca.pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=test authority", "-keyout", os.path.join(path, "ca.key"), "-out", self.file)

    def issue(self, name, names):
        """Paths of certificate and key."""
        base = os.path.join(self.path, name)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
                "-keyout", base + ".key", "-out", base + ".csr")
        with open(base + ".ext", "w") as out:
            out.write("subjectAltName=%s\n" % names)
        openssl("x509", "-req", "-in", base + ".csr", "-CA", self.file, "-CAkey", os.path.join(self.path, "ca.key"),
                "-CAcreateserial", "-days", "2", "-extfile", base + ".ext", "-out", base + ".pem")
        return base + ".pem", base + ".key"


def with_tls(switch, port):
    """The switch with a listener for TLS and certificates of its own."""
    switch.authority = Authority(switch.folder)
    certificate, key = switch.authority.issue("switch", "DNS:switch.example,IP:" + switch.address)
    switch.tls_port = port
    switch.config["sip"]["listen"].append("tls:%s:%d" % (switch.address, port))
    switch.config["sip"]["tls"] = {"certificate": certificate, "key": key, "ca": switch.authority.file}
    switch.write()
    return switch


def options(number):
    return ("OPTIONS sip:switch.example SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK%d;rport\r\n"
            "Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:switch.example>\r\nCall-ID: o%d\r\n"
            "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n" % (number, number)).encode()


def connect(switch, name="switch.example"):
    context = ssl.create_default_context(cafile=switch.authority.file)
    plain = socket.create_connection(("127.0.0.1", switch.tls_port), timeout=10)
    return context.wrap_socket(plain, server_hostname=name)


def expect_answer(stream, number):
    stream.sendall(options(number))
    expect(stream.recv(65536).startswith(b"SIP/2.0 200 "), "an OPTIONS over TLS is answered")


def s_client(switch, *words, sends=b""):
    return subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % switch.tls_port, "-CAfile",
                           switch.authority.file, "-verify_return_error", *words], input=sends, capture_output=True,
                          timeout=30)


def openssl_as_client():
    """Versions, names and renegotiation as s_client sees them."""
    with with_tls(Switch("tls_openssl", [{"id": "v1", "addresses": ["127.0.0.1:9"]}]), free_port()) as switch:
        for version in ("-tls1_2", "-tls1_3"):
            run = s_client(switch, version, "-verify_hostname", "switch.example", "-quiet", "-no_ign_eof",
                           sends=options(1))
            expect(run.returncode == 0, "the certificate and its name are good", run)
        run = s_client(switch, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        expect(run.returncode != 0, "TLS 1.1 is refused", run.stdout)
        run = s_client(switch, "-tls1_2", "-cipher", "AES128-SHA:AES256-SHA")
        expect(run.returncode != 0, "ciphers without forward secrecy are refused", run.stdout)
        run = s_client(switch, "-tls1_2", sends=b"R\n")
        expect(b"no renegotiation" in run.stderr, "no renegotiation", run.stderr)
        with connect(switch) as stream:
            expect_answer(stream, 2)
        try:
            connect(switch, "other.example")
            raise Failure("a wrong name was taken")
        except ssl.SSLCertVerificationError:
            pass


def certificates_are_reloaded():
    """SIGHUP takes new files for new connections; a broken one leaves all as it is."""
    with with_tls(Switch("tls_reload", [{"id": "v1", "addresses": ["127.0.0.1:9"]}]), free_port()) as switch:
        with connect(switch) as before:
            expect_answer(before, 1)
            files = switch.config["sip"]["tls"]
            with open(files["key"]) as kept:
                good = kept.read()
            with open(files["key"], "w") as out:
                out.write("rubbish\n")
            switch.process.send_signal(signal.SIGHUP)
            wait_until(lambda: files["key"] in switch.log_text(), 10, "the log names the file")
            with connect(switch) as stream:
                expect_answer(stream, 2)
            with open(files["key"], "w") as out:
                out.write(good)
            fresh = switch.authority.issue("fresh", "DNS:renamed.example")
            shutil.copy(fresh[0], files["certificate"])
            shutil.copy(fresh[1], files["key"])
            switch.process.send_signal(signal.SIGHUP)

            def is_renamed():
                try:
                    connect(switch, "renamed.example").close()
                    return True
                except ssl.SSLCertVerificationError:
                    return False
            wait_until(is_renamed, 10, "new connections see the new certificate")
            expect_answer(before, 3)


def bad_peers_hurt_nobody():
    """Half-open, plain and giant things on the port for TLS, while calls go on over UDP."""
    uas_port = free_port()
    with with_tls(Switch("tls_bad", [{"id": "v1", "addresses": ["127.0.0.1:%d" % uas_port]}], workers=2),
                  free_port()) as switch:
        rss = switch.rss_bytes()
        open_ones = []
        for host in range(3, 13):
            for _ in range(40):
                plain = socket.create_connection(("127.0.0.1", switch.tls_port), timeout=10,
                                                 source_address=("127.0.0.%d" % host, 0))
                open_ones.append(plain)
        rubbish = (b"OPTIONS sip:a SIP/2.0\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 65535, b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\x00",
                   b"\x16\x03\x01\x00\x04\x01\x02\x00\x00", b"\x15\x03\x03\x00\x02\x02\x00", b"\0" * 300000)
        for number, plain in enumerate(open_ones[:100]):
            with contextlib.suppress(OSError):
                plain.sendall(rubbish[number % len(rubbish)])
        with Sipp(switch, "uas", port=uas_port, calls=40) as callee, uac(switch, "-d", "500", "-r", "20", calls=40) as caller:
            caller.expect_good()
            del callee
        with connect(switch) as stream:
            expect_answer(stream, 1)
        expect(switch.rss_bytes() - rss < 64 << 20, "memory is bounded", rss, switch.rss_bytes())

        def gone():
            metrics = switch.metrics()
            return metrics["tandem_sip_tls_failures_total"] + metrics["tandem_sip_tls_refused_total"]
        wait_until(lambda: gone() >= 390, 20, "they are counted and gone")
        for plain in open_ones:
            plain.close()
        switch.expect_idle()


KAMAILIO = """
listen=udp:127.0.0.1:{port}
listen=tls:127.0.0.1:{tls}
enable_tls=yes
children=2
tcp_children=2
log_stderror=yes
debug=1
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "sl.so"
loadmodule "maxfwd.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "{certificate}")
modparam("tls", "private_key", "{key}")
modparam("tls", "ca_list", "{ca}")
modparam("tls", "verify_certificate", 1)
modparam("tls", "require_certificate", 1)
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK") && t_check_trans()) {{ t_relay(); exit; }}
  }} else {{
    record_route();
  }}
  $du = "{target}";  # SIPp's caller follows no route
  t_relay();
}}
"""


def secured_kamailio(switch, target):
    """A Kamailio that shows a certificate, wants one, and passes calls on to `target`."""
    certificate, key = switch.authority.issue("kamailio", "DNS:kamailio.example")
    tls = free_port()
    text = KAMAILIO.replace("{tls}", str(tls)).replace("{certificate}", certificate).replace("{key}", key)
    text = text.replace("{ca}", switch.authority.file).replace("{target}", target)
    made = Kamailio(switch.folder, free_port(), 0, text)
    made.tls = tls
    return made


def kamailio_over_tls():
    """Kamailio as a vendor and as a customer; each end asks the other for its certificate and looks at it."""
    module = "/usr/lib/*/kamailio/modules/tls.so"
    if not glob.glob(module):
        not_run("Kamailio over TLS: there is no " + module)
        return
    # Calls that come over UDP go to it, and it passes them on to SIPp.
    tls, uas_port = free_port(), free_port()
    with_vendor = Switch("tls_kamailio_vendor", [{"id": "v1", "addresses": ["127.0.0.1:1"]}])
    with_tls(with_vendor, tls)
    with secured_kamailio(with_vendor, "sip:127.0.0.1:%d" % uas_port) as kamailio:
        with_vendor.config["provision"]["vendor_gateways"][0].update(
            addresses=["127.0.0.1:%d" % kamailio.tls], sip={"transport": "tls", "tls_name": "kamailio.example"})
        with_vendor.config["sip"]["listen"][-1] = {"address": "tls:127.0.0.1:%d" % tls, "client_certificate": "require"}
        with_vendor.write()
        with with_vendor as switch:
            with Sipp(switch, "uas", port=uas_port, calls=20) as callee, \
                    uac(switch, "-d", "300", "-r", "20", calls=20) as caller:
                caller.expect_good()
                del callee
            records = switch.wait_cdrs(20)
            expect(all(r["vendor_gateway"] == "v1" and r["answered_at_us"] for r in records), "calls to Kamailio", records)
            switch.expect_idle()
    # Calls that come from it go out over UDP.
    uas_port = free_port()
    with_customer = Switch("tls_kamailio_customer", [{"id": "v1", "addresses": ["127.0.0.1:%d" % uas_port]}],
                           customers=[{"id": "kamailio", "addresses": ["127.0.0.1"], "account": "acme"}])
    with_tls(with_customer, tls)
    with_customer.config["sip"]["listen"][-1] = {"address": "tls:127.0.0.1:%d" % tls, "client_certificate": "require"}
    with_customer.write()
    with with_customer as switch:
        with secured_kamailio(switch, "sip:127.0.0.1:%d;transport=tls" % tls) as kamailio:
            with Sipp(switch, "uas", port=uas_port, calls=20) as callee, \
                    Sipp(switch, "uac", "-s", "442079460000", "-d", "300", "-r", "20", calls=20,
                         target="127.0.0.1:%d" % kamailio.port) as caller:
                caller.expect_good()
                del callee
        records = switch.wait_cdrs(20)
        expect(all(r["customer_gateway"] == "kamailio" and r["answered_at_us"] for r in records), "calls of Kamailio", records)
        switch.expect_idle()


def baresip_over_tls():
    """baresip registers over TLS and is called over that connection; and as a vendor that proves who it is."""
    with Namespace() as problem:
        if problem:
            not_run("baresip over TLS: a network namespace with an interface cannot be made here: " + problem)
            return
        runner = ["ip", "netns", "exec", NAMESPACE]
        vendor = {"id": "v1", "addresses": [BOB_IP + ":5081"], "sip": {"transport": "tls"},
                  "rewrite_callee": "442079460000:1002"}
        switch = Switch("tls_baresip", [vendor], address=SWITCH_IP, media="on", parameters={"auth_sha256": False},
                        customers=[{"id": "none", "addresses": ["192.0.2.1"]}], runner=runner)
        with_tls(with_phones(switch, phone("1001"), phone("1002")), 5061)
        switch.config["media"]["ports"] = [30000, 30099]
        switch.write()
        account = ("<sip:%s@" + SWITCH_IP + ":5061;transport=tls>;auth_pass=secret;regint=60;answermode=auto;"
                   "audio_codecs=PCMA/8000/1\n")
        certificate, key = switch.authority.issue("bob", "IP:" + BOB_IP)
        both = os.path.join(switch.folder, "bob-both.pem")
        with open(both, "w") as out:
            out.write(open(certificate).read() + open(key).read())
        with switch:
            bob = baresip(switch, "bob", "1002", BOB_IP, 5080, 440, "-t", "24", account=account % "1002",
                          settings="sip_certificate %s\n" % both)
            wait_until(lambda: online(switch) == {"1002"}, 8, "bob is on line")
            contact = json.loads(switch.api("/api/v1/phones/1002"))["contacts"][0]
            expect(contact["transport"] == "tls", "bob registered over TLS", contact)
            for number, way in (("1002", "phone:1002"), ("442079460000", "v1")):
                alice = baresip(switch, "alice" + number, "1001", BOB_IP, 5090, 1000, "-t", "8", "-e",
                                "/dial " + number, account=account % "1001")
                alice.wait(30)
                record = switch.wait_cdrs(1 if way == "phone:1002" else 2)[-1]
                expect(record["vendor_gateway"] == way and record["answered_at_us"], "a call over TLS to " + way, record,
                       switch.log_text())
                expect(min(record["media"][side]["packets_received"] for side in ("caller", "callee")) > 50,
                       "RTP both ways", record["media"])
            bob.wait(40)


if __name__ == "__main__":
    main({f.__name__: f for f in (openssl_as_client, certificates_are_reloaded, bad_peers_hurt_nobody,
                                  kamailio_over_tls, baresip_over_tls)})
