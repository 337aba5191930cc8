// WebSocket connections over HTTP in virtual time: who gets one, and what passes.
#include "http/websocket.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>

#include "io/websocket.hpp"
#include "support/fake_network.hpp"
#include "support/websocket.hpp"

using namespace tandem;
using namespace tandem::http;
using namespace tandem::test;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Who connects, and what it reads in the clear.
struct Client final : io::StreamHandler {
  std::unique_ptr<io::StreamConnection> stream;
  std::string received, closed;
  void on_bytes(std::string_view bytes) override { received += bytes; }
  void on_closed(const Error& error) override { closed = error.message; }
};

/// The server's side of one connection.
struct Served final : io::StreamHandler {
  std::unique_ptr<io::StreamConnection> stream;
  std::string log, closed;
  bool is_connected = false;
  int alive = 0;
  std::function<void()> when_told;
  void on_connected() override {
    is_connected = true;
    if (when_told) when_told();
  }
  void on_bytes(std::string_view bytes) override {
    log += "<" + std::string(bytes) + ">";
    if (when_told) when_told();
  }
  void on_alive() override { ++alive; }
  void on_closed(const Error& error) override {
    closed = error.message;
    if (when_told) when_told();
  }
};

struct Bench final : io::AcceptHandler {
  FakeNetwork network;
  FakeLoop& loop = network.create_loop();
  WebSocketRules rules;
  std::unique_ptr<io::StreamListener> listener =
      std::move(*loop.listen(at("127.0.0.1:80"), false, *this));
  Served served;
  Client client;

  Bench() { rules.protocol = "sip"; }
  ~Bench() override {
    client.stream.reset();
    served.stream.reset();
  }
  void on_accept(std::unique_ptr<io::StreamConnection> stream) override {
    served.stream = accept_websocket(loop, std::move(stream), rules);
    served.stream->set_handler(served);
  }
  void connect() {
    client.stream = std::move(*loop.connect(at("127.0.0.1:80"), client));
    network.run_for(1'000);
  }
  /// What the client reads after it has sent this.
  std::string ask(const std::string& bytes) {
    client.received.clear();
    (void)client.stream->send(bytes);
    network.run_for(1'000);
    return client.received;
  }
  void open() {
    connect();
    REQUIRE(has(ask(websocket_request()), "101 Switching Protocols"));
    REQUIRE(served.is_connected);
  }
};

std::string frame(io::WebSocketOpcode opcode, std::string_view payload) {
  std::string text;
  io::append_websocket_frame(text, opcode, payload);
  return text;
}

}  // namespace

TEST_CASE("WebSocket: a request that wants one gets it, however it is cut (P-01, RFC 6455)") {
  for (const std::size_t segment : {0U, 1U, 7U}) {
    CAPTURE(segment);
    Bench bench;
    bench.network.segment_bytes = segment;
    bench.connect();
    CHECK(bench.ask(websocket_request("Origin: https://any.example\r\n")) ==
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sip\r\n"
          "\r\n");
    CHECK(bench.served.is_connected);
    CHECK(bench.ask(websocket_text("one") + websocket_frame(0x01, "tw") +
                    websocket_frame(0x80, "o")) == "");
    CHECK(bench.served.log == "<one><two>");
    CHECK(bench.served.stream->send("three").ok());
    CHECK(bench.served.stream->send("\xff").ok());
    bench.network.run_for(1'000);
    CHECK(bench.client.received ==
          frame(io::WebSocketOpcode::text, "three") + frame(io::WebSocketOpcode::binary, "\xff"));
    CHECK(bench.served.closed.empty());
  }
}

TEST_CASE("WebSocket: what is no good request is refused with its reason (P-01)") {
  struct Row {
    std::string request;
    const char* status;
  };
  const auto without = [](const std::string& line) {
    std::string text = websocket_request();
    const std::size_t begin = text.find(line);
    REQUIRE(begin != std::string::npos);
    return text.erase(begin, text.find("\r\n", begin) + 2 - begin);
  };
  const auto replaced = [](const std::string& from, const std::string& to) {
    std::string text = websocket_request();
    return text.replace(text.find(from), from.size(), to);
  };
  const Row rows[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "426 Upgrade Required"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "413 "},
      {"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/WS a;branch=z9hG4bK1\r\n\r\n", "400 "},
      {"\x16\x03\x01 rubbish\r\n\r\n", "400 "},
      {replaced("GET", "HEAD"), "400 "},
      {replaced("HTTP/1.1", "HTTP/1.0"), "400 "},
      {replaced("keep-alive, Upgrade", "keep-alive"), "400 "},
      {replaced("Version: 13", "Version: 8"), "426 Upgrade Required"},
      {replaced("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"), "400 "},
      {replaced("Protocol: sip", "Protocol: xmpp, sips"), "400 "},
      {without("Host"), "400 "},
      {without("Upgrade: "), "426 Upgrade Required"},
      {without("Sec-WebSocket-Key"), "400 "},
      {without("Sec-WebSocket-Version"), "426 Upgrade Required"},
      {without("Sec-WebSocket-Protocol"), "400 "},
      {websocket_request("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "400 "},
      {websocket_request("Content-Length: 3\r\n"), "413 "},
      {websocket_request() + websocket_text("too soon"), "400 "},
      {websocket_request("X: " + std::string(20'000, 'x') + "\r\n"), "431 "},
  };
  for (const Row& row : rows) {
    CAPTURE(row.request.substr(0, 200));
    Bench bench;
    bench.connect();
    CHECK(bench.ask(row.request).starts_with(std::string("HTTP/1.1 ") + row.status));
    CHECK_FALSE(bench.served.is_connected);
    CHECK(has(bench.served.closed, "was refused: HTTP/1.1 "));
    CHECK_FALSE(bench.client.closed.empty());
  }
  Bench bench;
  bench.connect();
  CHECK(has(bench.ask(replaced("Protocol: sip", "Protocol: xmpp, sip")), "101 "));
}

TEST_CASE("WebSocket: with origins only pages from there connect (P-01)") {
  struct Row {
    const char* line;
    bool is_welcome;
  };
  for (const Row& row :
       {Row{"Origin: https://phone.example\r\n", true},
        Row{"Origin: HTTPS://Phone.Example\r\n", true},
        Row{"Origin: https://phone.example:8443\r\n", true},
        Row{"Origin: http://phone.example\r\n", false},
        Row{"Origin: https://phone.example.net\r\n", false}, Row{"Origin: null\r\n", false},
        Row{"", false}, Row{"Origin: https://phone.example\r\nOrigin: https://b\r\n", false}}) {
    CAPTURE(row.line);
    Bench bench;
    bench.rules.origins = {"https://phone.example", "https://phone.example:8443"};
    bench.connect();
    CHECK(has(bench.ask(websocket_request(row.line)), row.is_welcome ? " 101 " : " 403 "));
    CHECK(bench.served.is_connected == row.is_welcome);
  }
  for (const char* good : {"https://a", "http://a.example:80", "https://[2001:db8::1]:443"})
    CHECK(is_origin(good));
  for (const char* bad : {"", "a", "https://", "https://a/b", "https://a b", "null", "://a"})
    CHECK_FALSE(is_origin(bad));
}

TEST_CASE("WebSocket: pings are answered, and a silent peer is asked (P-01)") {
  Bench bench;
  bench.open();
  CHECK(bench.ask(websocket_frame(0x89, "are you there")) ==
        frame(io::WebSocketOpcode::pong, "are you there"));
  CHECK(bench.served.alive == 1);
  bench.client.received.clear();
  bench.network.run_for(25'000'000);
  CHECK(bench.client.received.empty());
  bench.network.run_for(40'000'000);  // it was heard in the first half minute, and not since
  CHECK(bench.client.received == frame(io::WebSocketOpcode::ping, ""));
  CHECK(bench.ask(websocket_frame(0x8a, "")) == "");
  CHECK(bench.served.alive == 2);
}

TEST_CASE("WebSocket: either side closes it, and the other is told (P-01)") {
  Bench bench;
  bench.open();
  CHECK(bench.ask(websocket_frame(0x88, "\x03\xe9")) ==
        frame(io::WebSocketOpcode::close, "\x03\xe8"));
  CHECK(has(bench.served.closed, "was closed by the peer with 1001"));
  CHECK_FALSE(bench.client.closed.empty());
  CHECK(bench.served.stream->send("late").error().code == ErrorCode::wrong_state);
  Bench other;
  other.open();
  other.client.received.clear();
  other.served.stream.reset();
  other.network.run_for(1'000);
  CHECK(other.client.received == frame(io::WebSocketOpcode::close, "\x03\xe9"));
  CHECK_FALSE(other.client.closed.empty());
}

TEST_CASE("WebSocket: who does not keep to the protocol is told so and cut off (P-01)") {
  struct Row {
    std::string bytes;
    const char* payload;
  };
  for (const Row& row : {Row{"\x81\x01x", "\x03\xea"}, Row{websocket_text("\xff"), "\x03\xef"},
                         Row{websocket_text(std::string(1'001, 'x')), "\x03\xf1"}}) {
    Bench bench;
    bench.rules.message_bytes_max = 1'000;
    bench.open();
    CHECK(bench.ask(row.bytes + websocket_text("behind")) ==
          frame(io::WebSocketOpcode::close, row.payload));
    CHECK(has(bench.served.closed, "was closed for what the peer sent"));
    CHECK(bench.served.log.empty());
  }
}

TEST_CASE("WebSocket: a connection may be destroyed by any of its events (P-01)") {
  for (int event = 1; event <= 3; ++event) {
    CAPTURE(event);
    Bench bench;
    int told = 0;
    bench.served.when_told = [&] {
      if (++told == event) bench.served.stream.reset();
    };
    bench.connect();
    (void)bench.ask(websocket_request());
    (void)bench.ask(websocket_text("one") + websocket_frame(0x88, ""));
    CHECK(bench.served.stream == nullptr);
    CHECK(told == event);
  }
}

TEST_CASE("WebSocket: what the stream below cannot take is refused whole") {
  Bench bench;
  bench.open();
  bench.network.stream_room_bytes = 1'000;
  CHECK(bench.served.stream->room_bytes() == 990);
  CHECK(bench.served.stream->send(std::string(991, 'x')).error().code == ErrorCode::limit);
  CHECK(bench.served.stream->send(std::string(990, 'y')).ok());
  bench.network.run_for(1'000);
  CHECK(bench.served.closed.empty());
}
