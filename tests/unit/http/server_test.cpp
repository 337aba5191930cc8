#include "http/server.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "support/fake_network.hpp"

using namespace tandem;
using namespace tandem::http;
using tandem::test::at;

namespace {

const std::string get = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";

/// A client that remembers what it heard.
struct Client final : io::StreamHandler {
  explicit Client(io::Loop& loop) {
    auto connected = loop.connect(at("127.0.0.1:8080"), *this);
    REQUIRE(connected);
    stream = std::move(*connected);
  }
  void on_bytes(std::string_view bytes) override { heard += bytes; }
  void on_closed(const Error&) override { is_closed = true; }
  [[nodiscard]] std::size_t answers() const {
    std::size_t count = 0;
    for (std::size_t i = 0; (i = heard.find("HTTP/1.1 ", i)) != std::string::npos; ++i)
      ++count;
    return count;
  }
  std::string heard;
  bool is_closed = false;
  std::unique_ptr<io::StreamConnection> stream;
};

/// Says what `text` holds, then nothing until `is_over`.
struct FakeStream final : Stream {
  struct Script {
    std::string text;
    bool is_over = false;
    int asked = 0;
    bool is_gone = false;
  };
  explicit FakeStream(Script& said) : script(said) {}
  ~FakeStream() override { script.is_gone = true; }
  std::string next(std::int64_t) override {
    ++script.asked;
    return std::exchange(script.text, {});
  }
  [[nodiscard]] bool is_over() const override { return script.is_over; }
  Script& script;
};

struct Fixture {
  test::FakeNetwork network;
  test::FakeLoop& loop = network.create_loop();
  int asked = 0;
  FakeStream::Script script;
  std::unique_ptr<Server> server;

  Fixture() {
    auto made = Server::create(
        loop, at("127.0.0.1:8080"), [this](const Request& request) { return answer(request); }, {},
        [](const Request& head) { return head.header("x-stranger") == nullptr; });
    REQUIRE(made);
    server = std::move(*made);
  }
  Response answer(const Request& request) {
    ++asked;
    if (request.path[0] == "throw") throw std::runtime_error("no memory");
    Response response{200, "text/plain", request.path[0], {}};
    if (request.path[0] == "stream") response.stream = std::make_unique<FakeStream>(script);
    return response;
  }
  /// As many clients as there may be, each having said `text`.
  std::vector<std::unique_ptr<Client>> crowd(const std::string& text) {
    network.settle();  // earlier ones have left
    std::vector<std::unique_ptr<Client>> clients;
    for (std::size_t i = 0; i < Server::connections_max; ++i) {
      clients.push_back(std::make_unique<Client>(loop));
      if (!text.empty()) REQUIRE(clients.back()->stream->send(text));
    }
    network.settle();
    REQUIRE(server->connections() == Server::connections_max);
    return clients;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "Server: requests of one connection are answered in order") {
  Client client(loop);
  REQUIRE(client.stream->send(get + "GET /y HTTP/1.1\r\nHost: x\r\n\r\n"));
  network.settle();
  CHECK(client.answers() == 2);
  CHECK(client.heard.find("\r\n\r\nx") < client.heard.find("\r\n\r\ny"));
  CHECK_FALSE(client.is_closed);
  CHECK(server->counters().requests == 2);
}

TEST_CASE_FIXTURE(Fixture, "Server: bytes may come one by one") {
  network.segment_bytes = 1;
  Client client(loop);
  REQUIRE(client.stream->send(get));
  network.settle();
  CHECK(client.answers() == 1);
}

TEST_CASE_FIXTURE(Fixture, "Server: an idle connection is closed") {
  Client client(loop);
  REQUIRE(client.stream->send(get));
  network.settle();
  CHECK(server->connections() == 1);
  network.run_for(Server::idle_us - 1'000'000);
  CHECK_FALSE(client.is_closed);
  network.run_for(2'000'000);
  CHECK(client.is_closed);
  CHECK(server->connections() == 0);
  CHECK(server->counters().timeouts == 1);
}

TEST_CASE_FIXTURE(Fixture, "Server: who has never sent a head has less time") {
  Client silent(loop);
  Client dripping(loop);
  Client sending(loop);
  REQUIRE(sending.stream->send("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"));
  network.run_for(Server::head_us / 2);
  REQUIRE(dripping.stream->send("GET"));
  network.run_for(Server::head_us / 2 + 1'000'000);
  CHECK(silent.is_closed);
  CHECK(dripping.is_closed);
  REQUIRE(sending.stream->send("ok"));
  network.settle();
  CHECK(sending.answers() == 1);
}

TEST_CASE_FIXTURE(Fixture, "Server: a request that drips in does not live for ever") {
  Client client(loop);
  network.settle();
  for (int i = 0; i < 20 && !client.is_closed; ++i) {
    if (auto sent = client.stream->send("G"); !sent) break;
    network.run_for(10'000'000);
  }
  CHECK(client.is_closed);
}

TEST_CASE_FIXTURE(Fixture, "Server: a malformed request is answered and its rest forgotten") {
  Client client(loop);
  REQUIRE(client.stream->send("nonsense\r\n\r\n" + get));
  network.settle();
  CHECK(client.heard.starts_with("HTTP/1.1 400 "));
  CHECK(client.answers() == 1);
  CHECK(asked == 0);
  network.run_for(Server::linger_us + 1'000'000);
  CHECK(client.is_closed);
  CHECK(server->counters().requests_refused == 1);
  CHECK(server->counters().timeouts == 0);
}

TEST_CASE_FIXTURE(Fixture, "Server: strangers make room, the oldest first") {
  for (const std::string text : {"", "G", "GET /x HTTP/1.1\r\nHost: x\r\nX-Stranger: 1\r\n\r\n"}) {
    const auto strangers = crowd(text);
    Client client(loop);
    REQUIRE(client.stream->send(get));
    network.settle();
    CHECK(client.answers() == 1);
    CHECK(strangers[0]->is_closed);
    CHECK_FALSE(strangers[1]->is_closed);
    CHECK(server->connections() == Server::connections_max);
  }
  CHECK(server->counters().connections_refused == 0);
  CHECK(server->counters().connections_dropped == 3);
}

TEST_CASE_FIXTURE(Fixture, "Server: beyond the limit known clients stay and others wait") {
  auto clients = crowd("PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
  for (int i = 0; i < 2; ++i)
    clients.push_back(std::make_unique<Client>(loop));
  network.settle();
  CHECK(server->connections() == Server::connections_max);
  CHECK(server->counters().connections_refused == 2);
  CHECK(server->counters().connections_dropped == 0);
  CHECK(clients.back()->is_closed);
  clients.erase(clients.begin(), clients.begin() + 10);
  network.settle();
  CHECK(server->connections() == Server::connections_max - 10);
}

TEST_CASE_FIXTURE(Fixture, "Server: an exception costs one answer, not the server") {
  Client client(loop);
  REQUIRE(client.stream->send("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n" + get));
  network.settle();
  CHECK(client.heard.starts_with("HTTP/1.1 500 "));
  CHECK(client.answers() == 2);
}

TEST_CASE_FIXTURE(Fixture, "Server: it may go while clients are there") {
  Client client(loop);
  network.settle();
  server.reset();
  network.settle();
  CHECK(client.is_closed);
}

TEST_CASE_FIXTURE(Fixture, "Server: a stream follows its answer until it is over") {
  Client client(loop);
  REQUIRE(client.stream->send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n" + get));
  network.run_for(Server::stream_poll_us);
  CHECK(client.answers() == 1);  // what was sent behind is not answered
  CHECK(client.heard.find("Content-Length") == std::string::npos);
  CHECK(client.heard.find("Connection: close") != std::string::npos);
  CHECK(client.heard.ends_with("\r\n\r\nstream"));
  CHECK(server->counters().streams == 1);
  script.text = "first";
  network.run_for(Server::stream_poll_us);
  CHECK(client.heard.ends_with("streamfirst"));
  network.run_for(2 * Server::idle_us);  // silence is no reason to end
  CHECK_FALSE(client.is_closed);
  script.text = "second";
  script.is_over = true;
  network.run_for(2 * Server::stream_poll_us + Server::linger_us);
  CHECK(client.heard.ends_with("firstsecond"));
  CHECK(client.is_closed);
  CHECK(script.is_gone);
  CHECK(server->counters().streams == 0);
  CHECK(server->counters().timeouts == 0);
}

TEST_CASE_FIXTURE(Fixture, "Server: a stream ends with its client") {
  {
    Client client(loop);
    REQUIRE(client.stream->send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
    network.run_for(Server::stream_poll_us);
    CHECK(script.asked > 0);
  }
  network.settle();
  CHECK(script.is_gone);
  CHECK(server->counters().streams == 0);
  const int asked_before = script.asked;
  network.run_for(10 * Server::stream_poll_us);
  CHECK(script.asked == asked_before);
}

TEST_CASE_FIXTURE(Fixture, "Server: a long body counts for as long as somebody holds its request") {
  server.reset();
  std::optional<Request> held;  // as a job that goes on behind its answer
  auto made = Server::create(
      loop, at("127.0.0.1:8080"),
      [&](const Request& request) {
        held = request;
        return Response{202, "text/plain", "begun", {}};
      },
      [](const Request&) { return Server::large_bodies_bytes_max; });
  REQUIRE(made);
  server = std::move(*made);
  const auto head = [](std::size_t bytes) {
    return "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n";
  };
  const auto is_refused = [&](std::size_t bytes) {
    Client client(loop);
    REQUIRE(client.stream->send(head(bytes)));
    network.settle();
    return client.heard.find("HTTP/1.1 413") != std::string::npos;
  };
  constexpr std::size_t own_bytes = RequestReader::body_bytes_max + 1;
  CHECK_FALSE(is_refused(Server::large_bodies_bytes_max));
  network.settle();
  Client client(loop);
  std::string request = head(own_bytes) + std::string(own_bytes, 'x');
  for (std::string_view rest = request; !rest.empty();) {
    const std::string_view piece = rest.substr(0, 65'536);
    REQUIRE(client.stream->send(piece));
    network.settle();
    rest.remove_prefix(piece.size());
  }
  CHECK(client.answers() == 1);
  REQUIRE(held.has_value());
  CHECK(held->body.size() == own_bytes);
  CHECK(is_refused(Server::large_bodies_bytes_max));
  CHECK_FALSE(is_refused(Server::large_bodies_bytes_max - own_bytes));
  network.settle();
  held.reset();
  CHECK_FALSE(is_refused(Server::large_bodies_bytes_max));
}
