// The stack over WebSocket (RFC 7118): one message of the one is one of the other, and a browser is
// called over the connection that it made.
#include <doctest/doctest.h>

#include "io/websocket.hpp"
#include "sip/transport_name.hpp"
#include "stack_fixture.hpp"
#include "support/certificates.hpp"
#include "support/websocket.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;
using namespace tandem::test;

namespace {

StackConfig web_config() {
  StackConfig config;
  config.listen = {{Transport::udp, at("127.0.0.1:5060")}, {Transport::ws, at("127.0.0.1:80")}};
  return config;
}

/// A browser's connection to the stack.
class Browser final : public io::StreamHandler {
 public:
  Browser(FakeNetwork& network, const io::TlsContext* context = nullptr, bool asks = true)
      : network_(network), loop_(network.create_loop()) {
    auto made = context != nullptr
                    ? context->connect(loop_, at("127.0.0.1:443"), {"stack.example"}, *this)
                    : loop_.connect(at("127.0.0.1:80"), *this);
    stream = std::move(*made);
    network_.run_for(1'000);
    if (asks) upgrade();
  }
  void upgrade(std::string_view more = {}) {
    (void)stream->send(websocket_request(more));
    network_.run_for(1'000);
    const std::size_t end = received_.find("\r\n\r\n");
    answer = received_.substr(0, received_.find('\r'));
    received_.erase(0, end == std::string::npos ? received_.size() : end + 4);
    is_open = answer.find(" 101 ") != std::string::npos;
  }
  void send(std::string_view message) {
    (void)stream->send(websocket_text(message));
    network_.run_for(1'000);
  }
  /// The next message that came; "" for none. Pings are counted and answered.
  std::unique_ptr<Received> take() {
    std::string_view bytes = received_;
    std::string text;
    for (;;) {
      const auto outcome = reader_.read(bytes);
      if (outcome == io::WebSocketReader::Outcome::ping) {
        ++pings;
        (void)stream->send(websocket_frame(0x8a, reader_.payload()));
        continue;
      }
      if (outcome == io::WebSocketReader::Outcome::message) text = reader_.payload();
      break;
    }
    received_ = std::string(bytes);
    return std::make_unique<Received>(text);
  }
  void on_connected() override {}
  void on_bytes(std::string_view bytes) override { received_ += bytes; }
  void on_closed(const Error& error) override { closed = error.message; }

  std::unique_ptr<io::StreamConnection> stream;
  std::string answer, closed;
  bool is_open = false;
  int pings = 0;

 private:
  FakeNetwork& network_;
  FakeLoop& loop_;
  std::string received_;
  io::WebSocketReader reader_{false, 100'000};
};

struct Bench {
  Stack stack;
  Peer text{stack.network, "127.0.0.1:7000"};
  explicit Bench(unsigned workers = 1, const StackConfig& config = web_config())
      : stack(workers, config) {
    REQUIRE(stack.group != nullptr);
  }
  [[nodiscard]] std::string options(const std::string& branch) const {
    Peer::Request request;
    request.method = "OPTIONS";
    request.transport = "WS";
    request.branch = branch;
    return text.text(request);
  }
};

}  // namespace

TEST_CASE("WebSocket: a call of a browser is answered and ended over its connection (P-01)") {
  Bench bench;
  Browser a(bench.stack.network);
  REQUIRE(a.is_open);
  Peer::Request invite;
  invite.transport = "WS";
  invite.body = offer;
  a.send(bench.text.text(invite));
  CHECK(a.take()->what() == "100 INVITE");
  bench.stack.leg().answer(answer_body, {});
  bench.stack.run_ms(1);
  const auto ok = a.take();
  CHECK(ok->what() == "200 INVITE");
  CHECK(ok->value("Contact") == "<sip:4420@127.0.0.1:80;transport=ws>");
  Peer::Request ack = invite;
  ack.method = "ACK";
  ack.branch = "z9hG4bKack";
  ack.to_tag = std::string(ok->message.to.tag);
  ack.body.clear();
  a.send(bench.text.text(ack));
  bench.stack.leg().release(16);
  bench.stack.run_ms(1);
  const auto bye = a.take();
  CHECK(bye->what() == "BYE");
  CHECK(bye->message.vias[0].transport == "WS");
  CHECK(bye->message.vias[0].port == 80);
  a.send(bench.text.reply_text(*bye, 200));
  bench.stack.run_ms(40'000);
  bench.stack.calls().legs.clear();
  CHECK(bench.stack.dialogs() == 0);
  CHECK(bench.stack.transactions() == 0);
  CHECK(bench.stack.counters().websockets_opened == 1);
  CHECK(bench.stack.counters().websocket_failures == 0);
}

TEST_CASE("WebSocket: a browser is called over its own connection and no other (P-01, RFC 5626)") {
  Bench bench;
  Browser a(bench.stack.network);
  a.send(bench.options("z9hG4bK1"));
  CHECK(a.take()->what() == "200 OPTIONS");
  OutboundCall call;
  call.destination = a.stream->local();
  call.transport = "ws";
  call.callee = "1002";
  call.caller = "1000";
  call.body = offer_body;
  call.request_uri = "sip:k3j2h@browser.invalid;transport=ws";
  call.flow = {0, 1};
  bench.stack.dial(call);
  bench.stack.run_ms(1);
  const auto invite = a.take();
  CHECK(invite->what() == "INVITE");
  CHECK(invite->message.request_uri == "sip:k3j2h@browser.invalid;transport=ws");
  CHECK(invite->value("Contact") == "<sip:1000@127.0.0.1:80;transport=ws>");
  a.send(bench.text.reply_text(*invite, 200, "b1", answer_sdp));
  CHECK(bench.stack.calls().take_log() == "answer");
  // Once it is gone nobody is connected to, and the call fails at once.
  a.stream.reset();
  bench.stack.run_ms(1);
  CHECK(bench.stack.calls().closed_flows.size() == 1);
  bench.stack.dial(call);
  bench.stack.run_ms(20);
  CHECK(bench.stack.calls().take_log().find("failure 503 transport") != std::string::npos);
  CHECK(bench.stack.counters().connections_live == 0);
}

TEST_CASE("WebSocket: one message is one of SIP, without Content-Length too (P-01, RFC 7118)") {
  Bench bench;
  Browser a(bench.stack.network);
  std::string request = bench.options("z9hG4bK1");
  const std::size_t length = request.find("Content-Length: 0\r\n");
  REQUIRE(length != std::string::npos);
  a.send(request.erase(length, 19));
  CHECK(a.take()->what() == "200 OPTIONS");
  // In parts of WebSocket, with a question between them.
  const std::string again = bench.options("z9hG4bK2");
  (void)a.stream->send(websocket_frame(0x01, again.substr(0, 50)) + websocket_frame(0x89, "?") +
                       websocket_frame(0x80, again.substr(50)));
  bench.stack.run_ms(1);
  (void)a.take();  // the pong is no message
  CHECK(a.take()->what() == "200 OPTIONS");
  // Half a message is none, and what is no SIP ends the connection.
  a.send("hello");
  CHECK_FALSE(a.closed.empty());
  CHECK(bench.stack.counters().malformed_dropped == 1);
}

TEST_CASE("WebSocket: a browser that keeps alive is kept, one that says nothing is not (P-01)") {
  Bench bench;
  Browser pings(bench.stack.network);  // answers pings when it is looked at
  Browser crlf(bench.stack.network);
  Browser silent(bench.stack.network);
  pings.send(bench.options("z9hG4bK1"));
  crlf.send(bench.options("z9hG4bK2"));
  silent.send(bench.options("z9hG4bK3"));
  pings.take();
  crlf.take();
  for (int i = 0; i < 10; ++i) {
    bench.stack.run_ms(60'000);
    (void)pings.take();
    (void)crlf.stream->send(websocket_text("\r\n\r\n"));
    bench.stack.run_ms(1);
  }
  CHECK(pings.closed.empty());
  CHECK(pings.pings >= 9);
  CHECK(crlf.closed.empty());
  CHECK_FALSE(silent.closed.empty());
  CHECK(bench.stack.counters().connections_live == 2);
}

TEST_CASE("WebSocket: what does not become one in time, or at all, is gone and counted (P-01)") {
  StackConfig config = web_config();
  config.listen.back().origins = {"https://phone.example"};
  Bench bench(1, config);
  Browser silent(bench.stack.network, nullptr, false);
  Browser stranger(bench.stack.network);
  CHECK(stranger.answer == "HTTP/1.1 403 Forbidden");
  Browser plain(bench.stack.network, nullptr, false);
  (void)plain.stream->send(bench.options("z9hG4bK1"));
  Browser good(bench.stack.network, nullptr, false);
  good.upgrade("Origin: https://phone.example\r\n");
  CHECK(good.is_open);
  bench.stack.run_ms(6'000);
  CHECK_FALSE(silent.closed.empty());
  CHECK_FALSE(stranger.closed.empty());
  CHECK_FALSE(plain.closed.empty());
  CHECK(good.closed.empty());
  CHECK(bench.stack.counters().websocket_failures == 3);
  CHECK(bench.stack.counters().websockets_opened == 1);
  bench.stack.run_ms(6'000);  // no message in ten seconds
  CHECK_FALSE(good.closed.empty());
  CHECK(bench.stack.counters().connections_unused == 1);
  CHECK(bench.stack.counters().connections_live == 0);
}

TEST_CASE("WebSocket: over TLS it says so, and sips: is taken (P-01)") {
  Certificates certificates;
  const auto files = certificates.issue("own", {"DNS:stack.example"});
  std::string_view key;
  const auto context =
      io::TlsContext::create({files.certificate, files.key, certificates.authority(), false}, key);
  REQUIRE(context.ok());
  StackConfig config;
  config.listen = {{Transport::udp, at("127.0.0.1:5060")}, {Transport::wss, at("127.0.0.1:443")}};
  config.tls = *context;
  Bench bench(1, config);
  Browser a(bench.stack.network, context->get());
  REQUIRE(a.is_open);
  Peer::Request invite;
  invite.transport = "WSS";
  invite.body = offer;
  for (const bool is_secure : {false, true}) {
    invite.call_id = invite.branch = is_secure ? "z9hG4bK2" : "z9hG4bK1";
    invite.uri = is_secure ? "sips:4420@127.0.0.1:443" : "sip:4420@127.0.0.1:443";
    a.send(bench.text.text(invite));
    CHECK(a.take()->what() == "100 INVITE");
    bench.stack.leg(is_secure ? 1 : 0).answer(answer_body, {});
    bench.stack.run_ms(1);
    const auto ok = a.take();
    CHECK(ok->what() == "200 INVITE");
    CHECK(ok->value("Contact") ==
          (is_secure ? "<sips:4420@127.0.0.1:443>" : "<sip:4420@127.0.0.1:443;transport=ws>"));
  }
  CHECK(bench.stack.counters().tls_handshakes == 1);
  CHECK(bench.stack.counters().websockets_opened == 1);
  // A reload that would let it in keeps it.
  bench.stack.group->set_tls(*context, {0, 0});
  a.send(bench.options("z9hG4bK3"));
  CHECK(a.closed.empty());
}

TEST_CASE("WebSocket: a call of one worker goes over the connection of another (P-01)") {
  Bench bench(3);
  std::vector<std::unique_ptr<Browser>> browsers;
  std::uint64_t handed_over = 0;
  for (int i = 0; i < 8; ++i) {
    browsers.push_back(std::make_unique<Browser>(bench.stack.network));
    REQUIRE(browsers.back()->is_open);
    Peer::Request invite;
    invite.transport = "WS";
    invite.call_id = "call-" + std::to_string(i);
    invite.branch = "z9hG4bK" + std::to_string(i);
    invite.body = offer;
    browsers.back()->send(bench.text.text(invite));
    CHECK(browsers.back()->take()->what() == "100 INVITE");
  }
  for (unsigned i = 0; i < 3; ++i)
    handed_over += bench.stack.counters(i).handed_over;
  CHECK(handed_over > 0);
  for (auto& recorder : bench.stack.recorders) {
    for (auto& leg : recorder->legs)
      leg->reject(486, 0, 0);
  }
  bench.stack.run_ms(1);
  for (auto& browser : browsers)
    CHECK(browser->take()->what() == "486 INVITE");
}

TEST_CASE("WebSocket: names of the transports, and what URIs say of them (P-01, RFC 7118)") {
  CHECK(transport_of("WS") == SipTransport::ws);
  CHECK(transport_of("wss") == SipTransport::wss);
  CHECK(uri_transport("sip", "ws", SipTransport::udp) == SipTransport::ws);
  CHECK(uri_transport("sips", "ws", SipTransport::udp) == SipTransport::wss);
  CHECK(uri_transport("sips", "tcp", SipTransport::udp) == SipTransport::tls);
  for (const SipTransport one : {SipTransport::udp, SipTransport::tcp, SipTransport::tls,
                                 SipTransport::ws, SipTransport::wss}) {
    CHECK(transport_of(transport_name(one)) == one);
  }
  CHECK(via_protocol(SipTransport::wss) == "SIP/2.0/WSS ");
  CHECK(transport_param(SipTransport::wss) == ";transport=ws");
  CHECK(default_port(SipTransport::ws) == 80);
  CHECK(default_port(SipTransport::wss) == 443);
}
