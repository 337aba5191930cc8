#include "http/client.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "support/certificates.hpp"
#include "support/fake_network.hpp"

using namespace tandem;
using namespace tandem::http;
using tandem::test::at;

namespace {

/// A server that does only what the test says.
struct ScriptedServer final : io::AcceptHandler {
  struct Session final : io::StreamHandler {
    std::unique_ptr<io::StreamConnection> stream;
    std::string heard;
    bool is_closed = false;
    void on_bytes(std::string_view bytes) override { heard += bytes; }
    void on_closed(const Error&) override { is_closed = true; }
    void say(std::string_view text) { REQUIRE(stream->send(text)); }
  };
  explicit ScriptedServer(io::Loop& loop) : own_loop(loop) {
    auto made = loop.listen(at("127.0.0.1:80"), false, *this);
    REQUIRE(made);
    listener = std::move(*made);
  }
  void on_accept(std::unique_ptr<io::StreamConnection> stream) override {
    if (tls != nullptr) {
      auto made = tls->accept(own_loop, std::move(stream), ClientCertificate::none);
      REQUIRE(made);
      stream = std::move(*made);
    }
    sessions.push_back(std::make_unique<Session>());
    sessions.back()->stream = std::move(stream);
    sessions.back()->stream->set_handler(*sessions.back());
  }
  io::Loop& own_loop;
  std::shared_ptr<const io::TlsContext> tls;  // null: HTTP
  std::unique_ptr<io::StreamListener> listener;
  std::vector<std::unique_ptr<Session>> sessions;
};

std::string response(std::string_view body, std::string_view extra = "") {
  return "HTTP/1.1 200 OK\r\n" + std::string(extra) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

struct Fixture : ClientEvents {
  test::FakeNetwork network;
  test::FakeLoop& loop = network.create_loop();
  test::FakeLoop& server_loop = network.create_loop();
  ScriptedServer server{server_loop};
  std::string log;
  std::unique_ptr<Client> client;

  void open(std::size_t connections = 2, std::size_t waiting = 3, ClientTls tls = {}) {
    ClientLimits limits;
    limits.connections_max = connections;
    limits.waiting_max = waiting;
    limits.body_bytes_max = 50;
    client = std::make_unique<Client>(loop, at("127.0.0.1:80"), limits, *this, std::move(tls));
  }
  bool ask(std::uint64_t id) {
    return client->ask(id, "GET /" + std::to_string(id) + " HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  void on_response(std::uint64_t id, ReceivedResponse& got) override {
    log += std::to_string(id) + ":" + std::to_string(got.status) + " " + got.body + ";";
  }
  void on_failure(std::uint64_t id, std::string_view reason) override {
    log += std::to_string(id) + ":" + std::string(reason) + ";";
  }
  std::string take() { return std::exchange(log, std::string()); }
  ScriptedServer::Session& session(std::size_t i) { return *server.sessions.at(i); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "HttpClient: a connection is used again, one question at a time (R-20)") {
  open(1);
  CHECK(ask(1));
  CHECK(ask(2));
  network.settle();
  REQUIRE(server.sessions.size() == 1);
  CHECK(session(0).heard.find("GET /1 ") == 0);
  CHECK(session(0).heard.find("GET /2 ") == std::string::npos);
  session(0).say(response("one"));
  network.settle();
  CHECK(take() == "1:200 one;");
  CHECK(session(0).heard.find("GET /2 ") != std::string::npos);
  session(0).say(response("two"));
  network.settle();
  CHECK(take() == "2:200 two;");
  CHECK(server.sessions.size() == 1);
  network.run_for(21'000'000);  // idle for too long
  CHECK(session(0).is_closed);
  CHECK(client->connections() == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "HttpClient: questions beyond the connections wait, those beyond the "
                  "queue are refused (R-20)") {
  open(2, 3);
  int taken = 0;
  for (std::uint64_t id = 1; id <= 4; ++id)
    taken += ask(id) ? 1 : 0;
  CHECK(taken == 3);
  network.settle();
  CHECK(server.sessions.size() == 2);
  CHECK(client->waiting() == 1);
  session(1).say(response("b"));
  network.settle();
  CHECK(take() == "2:200 b;");
  CHECK(session(1).heard.find("GET /3 ") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture,
                  "HttpClient: failures are told once, and the next question gets a new "
                  "connection (R-20)") {
  open();
  CHECK(ask(1));
  network.settle();
  session(0).say("nonsense\r\n\r\n");
  network.settle();
  CHECK(take() == "1:status line is malformed;");
  CHECK(ask(2));
  network.settle();
  session(1).stream.reset();
  network.settle();
  CHECK(take().starts_with("2:"));
  CHECK(ask(3));
  network.settle();
  session(2).say("HTTP/1.1 200 OK\r\n\r\nto the end");
  session(2).stream.reset();
  network.settle();
  CHECK(take() == "3:200 to the end;");
  server.listener.reset();
  CHECK(ask(4));
  network.settle();
  CHECK(take().starts_with("4:"));
  CHECK(client->connections() == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "HttpClient: a connection that the server closed meanwhile costs no "
                  "question (R-20)") {
  open(1);
  CHECK(ask(1));
  network.settle();
  session(0).say(response("one"));
  network.settle();
  CHECK(take() == "1:200 one;");
  CHECK(ask(2));
  session(0).stream.reset();
  network.settle();
  REQUIRE(server.sessions.size() == 2);
  CHECK(session(1).heard.find("GET /2 ") == 0);
  session(1).say(response("two"));
  network.settle();
  CHECK(take() == "2:200 two;");
}

TEST_CASE_FIXTURE(Fixture,
                  "HttpClient: what is forgotten is not told, and its answer reaches nobody "
                  "else (R-20)") {
  open(1);
  CHECK(ask(1));
  CHECK(ask(2));
  network.settle();
  client->forget(1);
  client->forget(99);
  network.settle();
  CHECK(session(0).is_closed);
  REQUIRE(server.sessions.size() == 2);
  CHECK(session(1).heard.find("GET /2 ") == 0);
  CHECK(ask(3));
  client->forget(3);
  session(1).say(response("two"));
  network.settle();
  CHECK(take() == "2:200 two;");
  CHECK(client->waiting() == 0);
}

TEST_CASE_FIXTURE(Fixture, "HttpClient: bytes that nobody asked for end a connection (R-20)") {
  open(1);
  CHECK(ask(1));
  network.settle();
  session(0).say(response("one") + response("two"));
  network.settle();
  CHECK(take() == "1:200 one;");
  CHECK(client->connections() == 0);
  CHECK(ask(2));
  network.settle();
  session(1).say(response("two"));
  network.settle();
  CHECK(take() == "2:200 two;");
  session(1).say("more");
  network.settle();
  CHECK(client->connections() == 0);
  CHECK(log.empty());
}

TEST_CASE_FIXTURE(Fixture, "HttpClient: it may go while questions are under way (R-20)") {
  open();
  CHECK(ask(1));
  network.settle();
  CHECK(ask(2));
  client->forget(1);
  client.reset();
  network.settle();
  CHECK(log.empty());
}

namespace {

struct TlsFixture : Fixture {
  test::Certificates certificates;

  void serve(const std::string& names) {
    const auto files = certificates.issue("server", {names});
    std::string_view key;
    server.tls = io::TlsContext::create({files.certificate, files.key, "", false, {}}, key).value();
  }
  ClientTls way(const std::string& name) {
    HttpsConfig https;
    https.is_on = true;
    https.name = name;
    https.ca = certificates.authority();
    return open_client_tls(https, ".").value();
  }
};

}  // namespace

TEST_CASE_FIXTURE(TlsFixture,
                  "HttpClient: HTTPS, one handshake for the questions of a connection (R-20)") {
  serve("DNS:*.voice.example");
  open(1, 3, way("lrn.voice.example"));
  CHECK(ask(1));
  CHECK(ask(2));
  network.settle();
  REQUIRE(server.sessions.size() == 1);
  CHECK(session(0).heard == "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
  session(0).say(response("one"));
  network.settle();
  session(0).say(response("two"));
  network.settle();
  CHECK(take() == "1:200 one;2:200 two;");
  CHECK(server.sessions.size() == 1);
  // Closed meanwhile: asked again over a connection of its own, whose handshake comes first.
  CHECK(ask(3));
  session(0).stream.reset();
  network.settle();
  REQUIRE(server.sessions.size() == 2);
  session(1).say(response("three"));
  network.settle();
  CHECK(take() == "3:200 three;");
  // Forgotten in the middle of a handshake.
  open(1, 3, way("lrn.voice.example"));
  CHECK(ask(4));
  client->forget(4);
  network.settle();
  CHECK(take().empty());
}

TEST_CASE_FIXTURE(TlsFixture,
                  "HttpClient: a server that is another hears no question, nor one without TLS "
                  "(R-20)") {
  serve("DNS:other.example");
  open(1, 3, way("lrn.voice.example"));
  CHECK(ask(1));
  network.settle();
  CHECK(take() ==
        "1:TLS with 127.0.0.1:80 failed: the certificate was not for \"lrn.voice.example\";");
  CHECK(session(0).heard.empty());
  server.tls = nullptr;
  CHECK(ask(2));
  network.settle();
  session(1).say(response("two"));
  network.settle();
  CHECK(take().starts_with("2:TLS with 127.0.0.1:80 failed: "));
  CHECK(session(1).heard.find("GET") == std::string::npos);
}

TEST_CASE("HttpClient: files are named by their keys, and an empty name asks for the address") {
  HttpsConfig https;
  https.is_on = true;
  https.ca = "/none/ca.pem";
  const auto opened = open_client_tls(https, ".");
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message.starts_with("tls_ca: "));
  CHECK(open_client_tls({}, ".").value().context == nullptr);
  CHECK(host_of("", at("10.0.0.1:443")) == "10.0.0.1:443");
  CHECK(host_of("lrn.example", at("10.0.0.1:443")) == "lrn.example");
  CHECK(host_of("lrn.example", at("10.0.0.1:8443")) == "lrn.example:8443");
}
