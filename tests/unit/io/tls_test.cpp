// TLS over streams in virtual time: who is let in, what passes, and what a peer may not do.
#include "io/tls.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/certificates.hpp"
#include "support/fake_network.hpp"

using namespace tandem;
using namespace tandem::io;
using namespace tandem::test;

namespace {

std::shared_ptr<const TlsContext> open(const TlsConfig& files) {
  std::string_view key;
  auto made = TlsContext::create(files, key);
  if (!made) FAIL(made.error().message);
  return *made;
}

/// One end, and what it was told.
struct End final : StreamHandler {
  std::unique_ptr<StreamConnection> stream;
  bool is_connected = false;
  std::string received;
  std::string closed;  // why; "": open
  std::size_t events_after_close = 0;
  std::function<void()> when_connected, when_received, when_closed;

  void on_connected() override {
    is_connected = true;
    if (when_connected) when_connected();
  }
  void on_bytes(std::string_view bytes) override {
    if (!closed.empty()) ++events_after_close;
    received += bytes;
    if (when_received) when_received();
  }
  void on_closed(const Error& error) override {
    if (!closed.empty()) ++events_after_close;
    closed = error.message;
    if (when_closed) when_closed();
  }
};

/// A listener at 127.0.0.1:5061 and who connects to it.
struct Bench final : AcceptHandler {
  Certificates certificates;
  FakeNetwork network;
  FakeLoop& loop = network.create_loop();
  std::shared_ptr<const TlsContext> server_context, client_context;
  ClientCertificate wants = ClientCertificate::none;
  std::unique_ptr<StreamListener> listener;
  End server, client;

  Bench() {
    server_context = open(server_files("server", {"DNS:gw.example,IP:127.0.0.1"}));
    client_context = open({"", "", certificates.authority(), false});
    listener = *loop.listen(at("127.0.0.1:5061"), false, *this);
  }
  TlsConfig server_files(const std::string& name, const CertificateWish& wish,
                         const std::string& by = "ca") {
    const auto files = certificates.issue(name, wish, by);
    return {files.certificate, files.key, certificates.authority(), false};
  }
  void on_accept(std::unique_ptr<StreamConnection> stream) override {
    auto made = server_context->accept(loop, std::move(stream), wants);
    REQUIRE(made.ok());
    server.stream = std::move(*made);
    server.stream->set_handler(server);
  }
  void connect(const TlsPeer& peer = {"gw.example"}) {
    auto made = client_context->connect(loop, at("127.0.0.1:5061"), peer, client);
    REQUIRE(made.ok());
    client.stream = std::move(*made);
    network.run_for(1'000);
  }
  /// Why the peer was refused; "": it was not.
  std::string meet(const CertificateWish& wish, const TlsPeer& peer, const std::string& by = "ca") {
    server_context = open(server_files("other", wish, by));
    client.closed.clear();
    client.is_connected = false;
    connect(peer);
    CHECK(client.is_connected == client.closed.empty());
    const std::string why = client.closed;
    client.stream.reset();
    network.run_for(1'000);
    server.stream.reset();
    return why;
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("Tls: bytes pass both ways whatever the segments are (P-01)") {
  for (const std::size_t segment : {0U, 1U, 7U, 1400U}) {
    CAPTURE(segment);
    Bench bench;
    bench.network.segment_bytes = segment;
    bench.connect();
    REQUIRE(bench.client.is_connected);
    REQUIRE(bench.server.is_connected);
    std::string large(50'000, 'x');
    for (std::size_t i = 0; i < large.size(); ++i)
      large[i] = static_cast<char>('a' + i % 23);
    CHECK(bench.client.stream->send("hello").ok());
    CHECK(bench.client.stream->send(large).ok());
    CHECK(bench.server.stream->send(large).ok());
    bench.network.run_for(1'000);
    CHECK(bench.server.received == "hello" + large);
    CHECK(bench.client.received == large);
    CHECK(bench.client.stream->remote() == at("127.0.0.1:5061"));
    bench.client.stream.reset();
    bench.network.run_for(1'000);
    CHECK(has(bench.server.closed, "was closed by the peer"));
    CHECK(bench.server.events_after_close == 0);
  }
}

TEST_CASE("Tls: a domain is proved by SIP URIs or DNS names, whole ones only (P-01, RFC 5922)") {
  Bench bench;
  const TlsPeer peer{"gw.example"};
  CHECK(bench.meet({"DNS:gw.example"}, peer) == "");
  CHECK(bench.meet({"DNS:GW.Example"}, peer) == "");
  CHECK(bench.meet({"DNS:other.example,DNS:gw.example"}, peer) == "");
  CHECK(bench.meet({"URI:sip:gw.example"}, peer) == "");
  CHECK(bench.meet({"URI:SIP:gw.example"}, peer) == "");
  const std::string other = "the certificate was not for \"gw.example\"";
  CHECK(has(bench.meet({"DNS:*.example"}, peer), other));
  CHECK(has(bench.meet({"DNS:example"}, peer), other));
  CHECK(has(bench.meet({"DNS:a.gw.example"}, peer), other));
  CHECK(has(bench.meet({"URI:sip:ann@gw.example"}, peer), other));
  CHECK(has(bench.meet({"URI:sips:gw.example"}, peer), other));
  CHECK(has(bench.meet({"URI:https:gw.example"}, peer), other));
  // A SIP URI is the identity then, and DNS names are none (section 7.1).
  CHECK(has(bench.meet({"URI:sip:other.example,DNS:gw.example"}, peer), other));
  CHECK(bench.meet({"URI:https://other.example,DNS:gw.example"}, peer) == "");
  CHECK(has(bench.meet({"", "gw.example"}, peer), other));
  CHECK(has(bench.meet({"IP:127.0.0.1"}, peer), other));
}

TEST_CASE("Tls: a host of the web is proved by DNS names, with a wildcard or without (RFC 9525)") {
  Bench bench;
  const TlsPeer peer{"gw.voice.example", true, true};
  CHECK(bench.meet({"DNS:gw.voice.example"}, peer) == "");
  CHECK(bench.meet({"DNS:*.voice.example"}, peer) == "");
  const std::string other = "the certificate was not for \"gw.voice.example\"";
  CHECK(has(bench.meet({"DNS:g*.voice.example"}, peer), other));
  CHECK(has(bench.meet({"DNS:*.example"}, peer), other));
  CHECK(has(bench.meet({"DNS:*.gw.voice.example"}, peer), other));
  CHECK(has(bench.meet({"URI:sip:gw.voice.example"}, peer), other));
  CHECK(has(bench.meet({"", "gw.voice.example"}, peer), other));
  CHECK(bench.meet({"IP:127.0.0.1"}, {"", true, true}) == "");
  CHECK(has(bench.meet({"DNS:127.0.0.1"}, {"", true, true}), "was not for 127.0.0.1"));
}

TEST_CASE("Tls: without a domain the address must be in the certificate (P-01)") {
  Bench bench;
  CHECK(bench.meet({"IP:127.0.0.1"}, {}) == "");
  CHECK(has(bench.meet({"IP:127.0.0.2"}, {}), "the certificate was not for 127.0.0.1"));
  CHECK(has(bench.meet({"DNS:127.0.0.1"}, {}), "the certificate was not for 127.0.0.1"));
  CHECK(has(bench.meet({}, {}), "the certificate was not for 127.0.0.1"));
}

TEST_CASE("Tls: who cannot be trusted is refused with the reason, unless anybody will do (P-01)") {
  Bench bench;
  const TlsPeer peer{"gw.example"};
  CertificateWish wish{"DNS:gw.example"};
  CHECK(has(bench.meet(wish, peer, "stranger"), "unable to get local issuer certificate"));
  CHECK(has(bench.meet(wish, peer, ""), "self-signed certificate"));
  wish.ends_at_s = 1'000;
  CHECK(has(bench.meet(wish, peer), "certificate has expired"));
  CHECK(bench.meet(wish, {"gw.example", false}) == "");
  wish.begins_at_s = 3'900'000'000;
  wish.ends_at_s = 4'000'000'000;
  CHECK(has(bench.meet(wish, peer), "certificate is not yet valid"));
  CHECK(bench.meet({"DNS:other.example"}, {"", false}, "") == "");
  // The virtual clock counts.
  wish = {"DNS:gw.example"};
  wish.ends_at_s = bench.loop.clock().wall_us() / 1'000'000 + 3'600;
  CHECK(bench.meet(wish, peer) == "");
  bench.network.run_for(std::int64_t{3'700} * 1'000'000);
  CHECK(has(bench.meet(wish, peer), "certificate has expired"));
}

TEST_CASE("Tls: a certificate may itself be the authority (P-01)") {
  Bench bench;
  bench.server_context = open(bench.server_files("mine", {"DNS:gw.example"}, ""));
  bench.client_context = open({"", "", bench.certificates.path("mine.pem"), false});
  bench.connect();
  CHECK(bench.client.is_connected);
}

TEST_CASE("Tls: those who connect show a certificate when they must (P-01)") {
  struct Row {
    ClientCertificate wants;
    const char* by;  // "": none is shown
    bool is_let_in;
  };
  for (const Row& row :
       {Row{ClientCertificate::none, "", true}, Row{ClientCertificate::none, "stranger", true},
        Row{ClientCertificate::ask, "", true}, Row{ClientCertificate::ask, "ca", true},
        Row{ClientCertificate::ask, "stranger", false}, Row{ClientCertificate::require, "", false},
        Row{ClientCertificate::require, "ca", true},
        Row{ClientCertificate::require, "stranger", false}}) {
    CAPTURE(static_cast<int>(row.wants));
    CAPTURE(row.by);
    Bench bench;
    bench.wants = row.wants;
    if (*row.by != '\0')
      bench.client_context = open(bench.server_files("client", {"DNS:client.example"}, row.by));
    bench.connect();
    CHECK(bench.server.is_connected == row.is_let_in);
    CHECK(bench.server.closed.empty() == row.is_let_in);
    CHECK(bench.client.closed.empty() == row.is_let_in);
  }
}

TEST_CASE("Tls: what is not TLS ends the connection, from either side (P-01)") {
  for (const std::string_view bytes :
       {std::string_view("OPTIONS sip:a SIP/2.0\r\n\r\n"),
        std::string_view("GET / HTTP/1.1\r\n\r\n"), std::string_view("\x16\x03\x01\xff\xff", 5),
        std::string_view("\0\0\0\0\0\0\0\0\0\0\0", 11)}) {
    Bench bench;
    End plain;
    plain.stream = *bench.loop.connect(at("127.0.0.1:5061"), plain);
    bench.network.run_for(1'000);
    CHECK(plain.stream->send(bytes).ok());
    CHECK(plain.stream->send(std::string(70'000, 'x')).ok());
    bench.network.run_for(1'000);
    CHECK(has(bench.server.closed, "TLS with "));
    CHECK_FALSE(bench.server.is_connected);
    CHECK(bench.server.received.empty());
  }
  struct Plain final : AcceptHandler {
    End end;
    void on_accept(std::unique_ptr<StreamConnection> stream) override {
      end.stream = std::move(stream);
      end.stream->set_handler(end);
      (void)end.stream->send("SIP/2.0 400 Bad Request\r\n\r\n");
    }
  } plain;
  Bench bench;
  bench.listener = *bench.loop.listen(at("127.0.0.1:5062"), false, plain);
  End client;
  client.stream =
      *bench.client_context->connect(bench.loop, at("127.0.0.1:5062"), {"gw.example"}, client);
  bench.network.run_for(1'000);
  CHECK(has(client.closed, "TLS with 127.0.0.1:5062 failed: wrong version number"));
}

TEST_CASE("Tls: a first message that claims to be huge is not waited for (P-01, S-14)") {
  // What is sent is all that the peer has to give for 128 KiB otherwise.
  const std::string giant("\x16\x03\x01\x00\x04\x01\x02\x00\x00", 9);
  for (const std::size_t segment : {0U, 1U, 3U}) {
    CAPTURE(segment);
    Bench bench;
    bench.network.segment_bytes = segment;
    End plain;
    plain.stream = *bench.loop.connect(at("127.0.0.1:5061"), plain);
    bench.network.run_for(1'000);
    CHECK(plain.stream->send(giant).ok());
    bench.network.run_for(1'000);
    CHECK(has(bench.server.closed, "the first message was malformed or longer than 16384 bytes"));
  }
}

TEST_CASE("Tls: both versions are agreed on byte by byte (P-01)") {
  // The guard of the first message must not mistake anything secret for one.
  for (const bool needs_tls13 : {false, true}) {
    for (int round = 0; round < 20; ++round) {
      Bench bench;
      bench.network.segment_bytes = 1;
      bench.wants = ClientCertificate::require;
      TlsConfig files = bench.server_files("client", {"DNS:client.example"});
      files.needs_tls13 = needs_tls13;
      bench.client_context = open(files);
      bench.connect();
      CHECK(bench.client.is_connected);
      CHECK(bench.server.is_connected);
    }
  }
}

TEST_CASE("Tls: whether a peer would be let in by other files (P-01)") {
  Bench bench;
  bench.wants = ClientCertificate::ask;
  bench.connect();
  REQUIRE(bench.server.is_connected);
  const auto files = bench.certificates.issue("own", {"DNS:gw.example"});
  const auto with = [&](const std::string& authority, bool needs_tls13) {
    return open(
        {files.certificate, files.key, bench.certificates.authority(authority), needs_tls13});
  };
  CHECK(with("ca", false)->would_keep(*bench.server.stream));
  CHECK(with("second", true)->would_keep(*bench.server.stream));  // none was shown
  Bench other;
  other.wants = ClientCertificate::require;
  CertificateWish wish{"DNS:client.example"};
  wish.ends_at_s = other.loop.clock().wall_us() / 1'000'000 + 3'600;
  other.client_context = open(other.server_files("client", wish));
  other.connect();
  REQUIRE(other.server.is_connected);
  const auto again = other.certificates.issue("own", {"DNS:gw.example"});
  const auto trusting = [&](const std::string& authority) {
    return open({again.certificate, again.key, other.certificates.authority(authority), false});
  };
  CHECK(trusting("ca")->would_keep(*other.server.stream));
  CHECK_FALSE(trusting("second")->would_keep(*other.server.stream));
  other.network.run_for(std::int64_t{3'700} * 1'000'000);
  CHECK_FALSE(trusting("ca")->would_keep(*other.server.stream));
  End plain;
  plain.stream = *bench.loop.connect(at("127.0.0.1:5061"), plain);
  CHECK_FALSE(with("ca", false)->would_keep(*plain.stream));
}

TEST_CASE("Tls: a connection may be destroyed by any of its events (P-01)") {
  for (const std::string when : {"connected", "received", "closed"}) {
    CAPTURE(when);
    Bench bench;
    bench.network.segment_bytes = 100;
    const auto end = [&] { bench.server.stream.reset(); };
    if (when == "connected") bench.server.when_connected = end;
    if (when == "received") bench.server.when_received = end;
    if (when == "closed") bench.server.when_closed = end;
    bench.connect();
    if (when != "connected") {
      CHECK(bench.client.stream->send(std::string(40'000, 'x')).ok());
      bench.network.run_for(1'000);
      if (when == "closed") bench.client.stream.reset();
      bench.network.run_for(1'000);
    }
    CHECK(bench.server.stream == nullptr);
    CHECK((bench.client.stream == nullptr || !bench.client.closed.empty()));
  }
}

TEST_CASE("Tls: what the stream below cannot take is refused whole, and the next message passes") {
  Bench bench;
  bench.connect();
  bench.network.stream_room_bytes = 1'000;
  const std::size_t room = bench.client.stream->room_bytes();
  CHECK(room < 1'000);
  CHECK(bench.client.stream->send(std::string(room + 1, 'x')).error().code == ErrorCode::limit);
  CHECK(bench.client.stream->send(std::string(room, 'y')).ok());
  bench.network.run_for(1'000);
  CHECK(bench.server.received == std::string(room, 'y'));
  bench.client.stream->set_tos(0);
  CHECK(bench.client.closed.empty());
}

TEST_CASE("Tls: a peer that changes bytes of a record is cut off") {
  Bench bench;
  End tampered;
  // A handshake of ours through a plain stream that turns one bit of what follows it.
  struct Between final : AcceptHandler, StreamHandler {
    FakeLoop& loop;
    End back;
    std::unique_ptr<StreamConnection> front;
    bool tampers = false;
    explicit Between(FakeLoop& owner) : loop(owner) {}
    void on_accept(std::unique_ptr<StreamConnection> stream) override {
      front = std::move(stream);
      back.stream = *loop.connect(at("127.0.0.1:5061"), back);
      back.when_received = [this] { (void)front->send(std::exchange(back.received, {})); };
      front->set_handler(*this);
    }
    void on_bytes(std::string_view bytes) override {
      std::string copy(bytes);
      if (tampers) copy.back() = static_cast<char>(copy.back() ^ 1);
      (void)back.stream->send(copy);
    }
    void on_closed(const Error&) override {}
  } between(bench.loop);
  const auto listener = *bench.loop.listen(at("127.0.0.1:5062"), false, between);
  tampered.stream =
      *bench.client_context->connect(bench.loop, at("127.0.0.1:5062"), {"gw.example"}, tampered);
  bench.network.run_for(1'000);
  REQUIRE(bench.server.is_connected);
  between.tampers = true;
  CHECK(tampered.stream->send("hello").ok());
  bench.network.run_for(1'000);
  CHECK(bench.server.received.empty());
  CHECK(has(bench.server.closed, "bad record mac"));
}

TEST_CASE("Tls: files that cannot be used are named, with the key they stand behind (P-01)") {
  Certificates certificates;
  const auto good = certificates.issue("good", {"DNS:a.example"});
  const auto other = certificates.issue("other", {"DNS:a.example"});
  const auto refused = [](const TlsConfig& files) {
    std::string_view key;
    const auto made = TlsContext::create(files, key);
    REQUIRE_FALSE(made.ok());
    return std::string(key) + ": " + made.error().message;
  };
  const std::string ca = certificates.authority();
  const std::string none = certificates.path("none.pem");
  CHECK(has(refused({none, "", ca, false}), "certificate: \"" + none + "\" had no usable"));
  CHECK(has(refused({good.certificate, none, ca, false}), "key: \"" + none + "\" had no usable"));
  CHECK(has(refused({good.certificate, "", ca, false}), "certificate: \"" + good.certificate));
  CHECK(refused({good.certificate, other.key, ca, false}) ==
        "key: \"" + other.key + "\" had the key of another certificate");
  CertificateWish of_other_kind;
  of_other_kind.has_rsa_key = true;
  const auto rsa = certificates.issue("rsa", of_other_kind);
  for (const auto& [certificate, key] :
       {std::pair(good.certificate, rsa.key), std::pair(rsa.certificate, good.key)}) {
    CHECK(refused({certificate, key, ca, false}) ==
          "key: \"" + key + "\" had the key of another certificate");
  }
  CHECK(has(refused({good.certificate, good.key, none, false}), "ca: \"" + none + "\" had no"));
  CHECK(has(refused({good.certificate, good.key, good.key, false}), "ca: \"" + good.key));
  std::ofstream(none) << "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n";
  CHECK(has(refused({none, good.key, ca, false}), "certificate: \"" + none));

  std::string_view key;
  const auto made = TlsContext::create({good.certificate, good.key, ca, false}, key);
  REQUIRE(made.ok());
  CHECK((*made)->certificate_ends_at_s() == 4'000'000'000);
  const auto client = TlsContext::create({"", "", ca, true}, key);
  REQUIRE(client.ok());
  CHECK((*client)->certificate_ends_at_s() == 0);
}
