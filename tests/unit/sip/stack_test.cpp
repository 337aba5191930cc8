// What the stack answers by itself, its streams, and what it leaves behind.
#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "sip/pool.hpp"
#include "sip/transport.hpp"
#include "stack_fixture.hpp"
#include "support/source_folder.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

namespace {

/// Sends one request and gives the only answer.
std::unique_ptr<Received> ask(Stack& stack, Peer& peer, const Peer::Request& request) {
  peer.request(request);
  stack.run_ms(1);
  auto answer = peer.take();
  CHECK(peer.all() == "");
  return answer;
}

/// A TCP client that collects what it is sent.
class StreamPeer final : public io::StreamHandler {
 public:
  StreamPeer(FakeNetwork& network, std::string_view to, std::string_view from = "127.0.0.1:0")
      : loop_(network.create_loop()) {
    loop_.host = at(from).ip;
    auto made = loop_.connect(at(to), *this);
    stream = std::move(*made);
  }
  void on_connected() override { is_connected = true; }
  void on_bytes(std::string_view bytes) override { received += bytes; }
  void on_closed(const Error&) override { is_closed = true; }
  void send(std::string_view text) { CHECK(stream->send(text).ok()); }
  /// "100 INVITE, 200 BYE" of what came, and forgets it.
  std::string all() {
    std::string text;
    std::string_view rest = received;
    auto message = std::make_unique<Message>();
    while (!rest.empty()) {
      if (rest.substr(0, 2) == "\r\n") {
        text += text.empty() ? "pong" : ", pong";
        rest.remove_prefix(2);
        continue;
      }
      if (scan(rest, Framing::stream, *message).kind != Fault::Kind::none) return text + " broken";
      if (!text.empty()) text += ", ";
      text += Received(rest.substr(0, message->size)).what();
      last = rest.substr(0, message->size);
      rest.remove_prefix(message->size);
    }
    received.clear();
    return text;
  }
  std::string received, last;
  bool is_connected = false;
  bool is_closed = false;
  std::unique_ptr<io::StreamConnection> stream;

 private:
  FakeLoop& loop_;
};

/// Accepts connections and answers nothing by itself.
class StreamServer final : public io::AcceptHandler, public io::StreamHandler {
 public:
  StreamServer(FakeNetwork& network, std::string_view address) {
    listener_ = std::move(*network.create_loop().listen(at(address), false, *this));
  }
  void on_accept(std::unique_ptr<io::StreamConnection> connection) override {
    connections.push_back(std::move(connection));
    connections.back()->set_handler(*this);
  }
  void on_bytes(std::string_view bytes) override { received += bytes; }
  void on_closed(const Error&) override { ++closed; }
  std::string received;
  int closed = 0;
  std::vector<std::unique_ptr<io::StreamConnection>> connections;

 private:
  std::unique_ptr<io::StreamListener> listener_;
};

}  // namespace

TEST_CASE("Stack: OPTIONS tells what is understood, and 503 while draining") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request options;
  options.method = "OPTIONS";
  options.max_forwards = 0;  // it has arrived
  auto answer = ask(stack, a, options);
  CHECK(answer->what() == "200 OPTIONS");
  CHECK(answer->value("Allow").find("INVITE") != std::string_view::npos);
  CHECK(answer->value("Accept") == "application/sdp");
  CHECK(answer->count("Supported") == 1);
  CHECK_FALSE(answer->message.to.tag.empty());
  const std::string tag(answer->message.to.tag);
  CHECK(ask(stack, a, options)->message.to.tag == tag);
  stack.group->set_draining(true);
  answer = ask(stack, a, options);
  CHECK(answer->what() == "503 OPTIONS");
  CHECK(answer->value("Retry-After") == "60");
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Stack: requests outside dialogs get the status that RFC 3261 gives them") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  int serial = 0;
  const auto status = [&](auto&& change, std::string_view header = {},
                          std::string_view value = {}) {
    Peer::Request request;
    request.branch = "z9hG4bKs" + std::to_string(++serial);
    request.call_id = "s" + std::to_string(serial);
    change(request);
    const auto answer = ask(stack, a, request);
    if (!header.empty()) CHECK(answer->value(header) == value);
    return answer->message.status;
  };
  using R = Peer::Request;
  CHECK(status([](R& r) { r.method = "REGISTER"; }, "Allow",
               "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO") == 405);
  CHECK(status([](R& r) { r.method = "SUBSCRIBE"; }) == 405);
  CHECK(status([](R& r) { r.method = "MESSAGE"; }) == 405);
  CHECK(status([](R& r) { r.method = "DANCE"; }) == 501);
  CHECK(status([](R& r) { r.method = "BYE"; }) == 481);
  CHECK(status([](R& r) { r.method = "UPDATE"; }) == 481);
  CHECK(status([](R& r) { r.max_forwards = 0; }) == 483);
  CHECK(status([](R& r) { r.uri = "sips:1@127.0.0.1"; }) == 416);
  CHECK(status([](R& r) { r.uri = "http://127.0.0.1"; }) == 416);
  CHECK(status([](R& r) { r.extra = "Require: precondition, x\r\nRequire: y\r\n"; }, "Unsupported",
               "precondition, x, y") == 420);
  CHECK(status([](R& r) { r.has_contact = false; }) == 400);
  CHECK(status(
            [](R& r) {
              r.body = "x";
              r.content_type = "text/plain";
            },
            "Accept", "application/sdp") == 415);
  CHECK(status(
            [](R& r) {
              r.body = offer;
              r.extra = "Content-Encoding: gzip\r\n";
            },
            "Accept-Encoding", "identity") == 415);
  CHECK(status([](R& r) { r.extra = "Accept: text/plain, application/pidf+xml\r\n"; }) == 406);
  CHECK(status([](R& r) { r.cseq_method = "BYE"; }) == 400);
  CHECK(stack.calls().take_log() == "");
  CHECK(stack.transactions() == 0);
  CHECK(stack.dialogs() == 0);

  // And these are calls.
  CHECK(status([](R& r) { r.extra = "Accept: text/plain;q=0.1, application/*\r\n"; }) == 100);
  CHECK(status([](R& r) {
          r.content_type = "multipart/mixed;boundary=\"b\"";
          r.body =
              "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: "
              "application/sdp\r\n\r\n" +
              std::string(offer) + "--b--\r\n";
        }) == 100);
  CHECK(stack.calls().body == offer);
  CHECK(stack.calls().take_log() == "call; call");
}

TEST_CASE("Stack: the same request over two paths is one call (RFC 3261 section 8.2.2.2)") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request invite;
  a.request(invite);
  invite.branch = "z9hG4bKother";
  a.request(invite);
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE, 482 INVITE");
  CHECK(stack.calls().take_log() == "call");
}

TEST_CASE("Stack: beyond its transactions new calls get 503, requests inside dialogs pass") {
  StackConfig config;
  config.transactions_max = 4;
  Stack stack(1, config);
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request bye;
  bye.to_tag = answer_call(stack, a);
  Peer::Request invite;
  for (int i = 0; i < 3; ++i) {
    invite.branch = "z9hG4bKx" + std::to_string(i);
    invite.call_id = "x" + std::to_string(i);
    a.request(invite);
  }
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE, 100 INVITE, 100 INVITE");
  invite.branch = "z9hG4bKy";
  invite.call_id = "y";
  const auto refused = ask(stack, a, invite);
  CHECK(refused->what() == "503 INVITE");
  CHECK(refused->count("Retry-After") == 1);
  CHECK(stack.counters().overload_refused == 1);
  bye.method = "BYE";
  bye.branch = "z9hG4bKbye";
  bye.cseq = 2;
  CHECK(ask(stack, a, bye)->what() == "200 BYE");
  stack.calls().take_log();
  stack.dial();
  stack.run_ms(5);
  CHECK(stack.calls().take_log() == "failure 503 local");
}

TEST_CASE("Stack: garbage, stray ACKs and keep-alives are dropped and counted, never answered") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  a.send("\r\n\r\n");
  a.send("\r\n");
  a.send("HELLO");
  a.send(std::string("\0\xff junk", 7));
  a.send("SIP/2.0 200 OK\r\n\r\n");
  Peer::Request ack;
  ack.method = "ACK";
  ack.to_tag = "nobody";
  a.request(ack);
  stack.run_ms(1);
  CHECK(a.all() == "");
  CHECK(stack.counters().strays_dropped == 1);
  CHECK(stack.counters().malformed_dropped == 3);
}

TEST_CASE("Stack: a switch without a usable listen address is not made") {
  Stack base;
  std::vector<io::Loop*> loops{base.loops[0]};
  std::vector<InboundCalls*> inbound{base.recorders[0].get()};
  std::vector<Random*> randoms{base.randoms[0].get()};
  StackConfig config;
  CHECK(StackGroup::create(config, loops, inbound, randoms, base.log).error().code ==
        ErrorCode::invalid_argument);
  config.listen = {{Transport::udp, at("127.0.0.1:5060")}};
  CHECK(StackGroup::create(config, loops, inbound, randoms, base.log).error().code ==
        ErrorCode::already_exists);
  config.listen = {{Transport::udp, at("0.0.0.0:5070")}};
  CHECK(StackGroup::create(config, loops, inbound, randoms, base.log).error().code ==
        ErrorCode::invalid_argument);
  config.listen[0].advertised = at("192.0.2.7:0");
  auto made = StackGroup::create(config, loops, inbound, randoms, base.log);
  REQUIRE(made.ok());
  CHECK((*made)->listening()[0].address == at("0.0.0.0:5070"));
  config.listen = {{Transport::udp, at("127.0.0.1:0")}};
  made = StackGroup::create(config, loops, inbound, randoms, base.log);
  REQUIRE(made.ok());
  CHECK((*made)->listening()[0].address.port != 0);
}

TEST_CASE("StreamFramer: messages come out whole wherever the segments end") {
  const std::string one = "OPTIONS sip:a SIP/2.0\r\nContent-Length: 5\r\n\r\nhello";
  const std::string two = "BYE sip:a SIP/2.0\r\nl:\r\n 0\r\nX: y\r\n\r\n";
  const std::string stream = "\r\n" + one + "\r\n\r\n" + two + two + "\r\n\r\n\r\n" + one;
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    CAPTURE(first);
    StreamFramer framer;
    std::string seen;
    const auto drain = [&] {
      for (;;) {
        const auto outcome = framer.next();
        if (outcome == StreamFramer::Outcome::more) return;
        REQUIRE(outcome != StreamFramer::Outcome::broken);
        if (outcome == StreamFramer::Outcome::ping) {
          seen += "P";
        } else {
          const std::string_view message = framer.bytes();
          seen += message == one ? "1" : message == two ? "2" : "?";
          framer.take();
        }
      }
    };
    framer.append(std::string_view(stream).substr(0, first));
    drain();
    framer.append(std::string_view(stream).substr(first));
    drain();
    CHECK(seen == "1P22P1");
  }
}

TEST_CASE("StreamFramer: a head without end, and a length that is none, break the stream") {
  for (const std::string_view head :
       {"Content-Length: x", "Content-Length: 1\r\nl: 2", "Content-Length: -1",
        "Content-Length: 99999", "Content-Length: 99999999999999999999"}) {
    StreamFramer framer;
    framer.append("INVITE sip:a SIP/2.0\r\n" + std::string(head) + "\r\n\r\n");
    CHECK(framer.next() == StreamFramer::Outcome::broken);
  }
  StreamFramer framer;
  for (int i = 0; i < 66; ++i) {
    framer.append(std::string(1000, 'x'));
    if (framer.next() == StreamFramer::Outcome::broken) return;
  }
  FAIL("a head of 66,000 bytes was waited for");
}

TEST_CASE(
    "Stack: a call over TCP passes byte by byte, answers come back on its connection (P-01)") {
  Stack stack;
  StreamPeer a(stack.network, "127.0.0.1:5060");
  Peer text(stack.network, "127.0.0.1:7000");
  stack.run_ms(1);
  REQUIRE(a.is_connected);
  stack.network.segment_bytes = 1;
  Peer::Request invite;
  invite.transport = "TCP";
  invite.body = offer;
  a.send("\r\n\r\n" + text.text(invite));
  stack.run_ms(1);
  CHECK(a.all() == "pong, 100 INVITE");
  CHECK(stack.calls().body == offer);
  stack.leg().answer(answer_body, {});
  stack.run_ms(1);
  CHECK(a.all() == "200 INVITE");
  Received ok(a.last);
  CHECK(ok.value("Contact") == "<sip:4420@127.0.0.1:5060;transport=tcp>");
  stack.run_ms(500);
  CHECK(a.all() == "200 INVITE");  // repeated over TCP too (RFC 3261 section 13.3.1.4)
  Peer::Request ack = invite;
  ack.method = "ACK";
  ack.branch = "z9hG4bKack";
  ack.to_tag = std::string(ok.message.to.tag);
  ack.body.clear();
  a.send(text.text(ack));
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "call; confirmed");
  stack.leg().release(16);
  stack.run_ms(5'000);
  CHECK(a.all() == "BYE");  // once: timer E is for UDP
  Received bye(a.last);
  CHECK(bye.message.vias[0].transport == "TCP");
  a.send(text.reply_text(bye, 200));
  stack.run_ms(1);
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
}

TEST_CASE(
    "Stack: outbound calls over TCP share a connection, and its loss fails what is unanswered") {
  Stack stack;
  StreamServer b(stack.network, "127.0.0.1:6000");
  stack.dial("127.0.0.1:6000", offer_body, "tcp");
  stack.dial("127.0.0.1:6000", offer_body, "tcp");
  stack.run_ms(40);
  CHECK(b.connections.size() == 1);
  Received invite(b.received);
  CHECK(invite.message.request_uri == "sip:4420@127.0.0.1:6000;transport=tcp");
  CHECK(stack.counters().connections_live == 1);
  b.connections.clear();
  stack.run_ms(5);
  CHECK(stack.calls().take_log() == "failure 503 transport; failure 503 transport");
  CHECK(stack.counters().connections_live == 0);
  stack.dial("127.0.0.1:6001", offer_body, "tcp");
  stack.run_ms(5);
  CHECK(stack.calls().take_log() == "failure 503 transport");
}

TEST_CASE(
    "Stack: connections of peers are bounded, all and each one's, and leave room for ours (S-14)") {
  StackConfig config;
  config.inbound_connections_max = 3;
  config.outbound_connections_max = 2;
  config.peer_connections_max = 2;
  Stack stack(1, config);
  std::vector<std::unique_ptr<StreamPeer>> peers;
  const auto connect = [&](std::string_view from) {
    peers.push_back(std::make_unique<StreamPeer>(stack.network, "127.0.0.1:5060", from));
    stack.run_ms(1);
    return !peers.back()->is_closed;
  };
  CHECK(connect("127.0.0.2:0"));
  CHECK(connect("127.0.0.2:0"));
  CHECK_FALSE(connect("127.0.0.2:0"));
  CHECK(stack.counters().peer_connections_refused == 1);
  CHECK(connect("127.0.0.3:0"));
  CHECK_FALSE(connect("127.0.0.4:0"));
  CHECK(stack.counters().connections_refused == 1);
  peers[0].reset();
  CHECK(connect("127.0.0.2:0"));

  StreamServer b(stack.network, "127.0.0.2:6000");
  StreamServer c(stack.network, "127.0.0.3:6000");
  stack.dial("127.0.0.2:6000", offer_body, "tcp");
  stack.dial("127.0.0.3:6000", offer_body, "tcp");
  stack.run_ms(5);
  CHECK(b.connections.size() == 1);
  CHECK(c.connections.size() == 1);
  CHECK(stack.calls().take_log() == "");
  stack.dial("127.0.0.4:6000", offer_body, "tcp");
  stack.run_ms(5);
  CHECK(stack.calls().take_log() == "failure 503 transport");
  CHECK(stack.counters().connections_refused == 2);
  CHECK(stack.counters().connections_live == 5);
}

TEST_CASE("Stack: a connection without a whole message is closed soon, an idle one later (S-14)") {
  Stack stack;
  Peer text(stack.network, "127.0.0.1:7000");
  StreamPeer silent(stack.network, "127.0.0.1:5060");
  StreamPeer chatty(stack.network, "127.0.0.1:5060");
  StreamPeer slow(stack.network, "127.0.0.1:5060");
  StreamPeer good(stack.network, "127.0.0.1:5060");
  StreamPeer kept(stack.network, "127.0.0.1:5060");
  stack.run_ms(1);
  Peer::Request options;
  options.method = "OPTIONS";
  options.transport = "TCP";
  good.send(text.text(options));
  kept.send(text.text(options));
  for (const char c : std::string_view("OPTIONS x")) {
    chatty.send("\r\n\r\n");
    slow.send(std::string(1, c));
    stack.run_ms(1'000);
  }
  CHECK_FALSE(silent.is_closed);
  CHECK_FALSE(chatty.is_closed);
  CHECK_FALSE(slow.is_closed);
  stack.run_ms(1'100);
  CHECK(silent.is_closed);
  CHECK(chatty.is_closed);
  CHECK(slow.is_closed);
  CHECK(stack.counters().connections_unused == 3);
  for (int i = 0; i < 4; ++i) {
    good.send("O");  // of a message that does not end
    kept.send("\r\n");
    stack.run_ms(50'000);
  }
  CHECK(good.is_closed);
  CHECK_FALSE(kept.is_closed);
  stack.run_ms(181'000);
  CHECK(kept.is_closed);
  CHECK(stack.counters().connections_live == 0);
  CHECK(stack.counters().connections_unused == 3);
}

TEST_CASE("Stack: a peer that does not read what it asks for is cut off, and nobody else (S-14)") {
  Stack stack;
  Peer text(stack.network, "127.0.0.1:7000");
  StreamPeer deaf(stack.network, "127.0.0.1:5060");
  StreamPeer good(stack.network, "127.0.0.1:5060");
  stack.run_ms(1);
  Peer::Request options;
  options.method = "OPTIONS";
  options.transport = "TCP";
  good.send(text.text(options));
  deaf.send(text.text(options));
  stack.run_ms(1);
  CHECK(stack.counters().connections_live == 2);
  const std::size_t room_bytes = stack.network.stream_room_bytes;
  deaf.send(text.text(options));
  stack.network.stream_room_bytes = 10;  // of what waits for it already, all is taken
  stack.run_ms(2);
  stack.network.stream_room_bytes = room_bytes;
  CHECK(deaf.is_closed);
  CHECK_FALSE(good.is_closed);
  CHECK(stack.counters().connections_deaf == 1);
  CHECK(stack.counters().connections_live == 1);
  good.received.clear();
  good.send(text.text(options));
  stack.run_ms(1);
  CHECK(good.received.starts_with("SIP/2.0 200"));
}

TEST_CASE("Stack: a connection that is not made in time fails what waits for it, for good (S-14)") {
  Stack stack;
  StreamServer b(stack.network, "127.0.0.1:6000");
  bool is_away = true;
  stack.network.ignores_connect = [&](const SocketAddress& to) {
    return is_away && to == at("127.0.0.1:6000");
  };
  stack.dial("127.0.0.1:6000", offer_body, "tcp");
  stack.run_ms(3'000);
  stack.dial("127.0.0.1:6000", offer_body, "tcp");
  stack.run_ms(1'900);
  CHECK(stack.calls().take_log() == "");
  stack.run_ms(200);
  CHECK(stack.calls().take_log() == "failure 503 transport; failure 503 transport");
  CHECK(stack.counters().connect_timeouts == 1);
  CHECK(stack.counters().connections_live == 0);
  is_away = false;
  stack.dial("127.0.0.1:6000", offer_body, "tcp");
  stack.run_ms(1);
  CHECK(b.connections.size() == 1);
  Received invite(b.received);
  CHECK(invite.what() == "INVITE");
  CHECK(invite.message.size == b.received.size());  // none of those that were given up
}

TEST_CASE("Stack: requests in a dialog follow the peer to its new connection (P-03)") {
  Stack stack;
  Peer text(stack.network, "127.0.0.1:7000");
  auto first = std::make_unique<StreamPeer>(stack.network, "127.0.0.1:5060");
  Peer::Request invite;
  invite.transport = "TCP";
  invite.body = offer;
  first->send(text.text(invite));
  stack.run_ms(1);
  stack.leg().answer(answer_body, {});
  stack.run_ms(1);
  first->all();
  Peer::Request next = invite;
  next.to_tag = std::string(Received(first->last).message.to.tag);
  next.body.clear();
  next.method = "ACK";
  next.branch = "z9hG4bKack";
  const auto info = [&] {
    next.method = "INFO";
    next.cseq = 2;
    next.branch = "z9hG4bKinfo";
    return text.text(next);
  };
  std::unique_ptr<StreamPeer> second;
  SUBCASE("that its ACK came over") {
    second = std::make_unique<StreamPeer>(stack.network, "127.0.0.1:5060");
    stack.run_ms(1);
    second->send(text.text(next));
  }
  SUBCASE("that a later request came over, from another host of the peer too") {
    first->send(text.text(next));
    second = std::make_unique<StreamPeer>(stack.network, "127.0.0.1:5060", "127.0.0.2:0");
    stack.run_ms(1);
    second->send(info());
    stack.run_ms(1);
    stack.leg().answer_request(200, {});
    stack.run_ms(1);
    CHECK(second->all() == "200 INFO");
  }
  first.reset();
  stack.run_ms(1);
  stack.leg().release(16);
  stack.run_ms(5);
  CHECK(second->all() == "BYE");
  second.reset();  // its loss is seen although the BYE is on its way
  stack.run_ms(5);
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
}

TEST_CASE("Stack: requests to a callee follow it to a connection of its own (P-03)") {
  Stack stack;
  StreamServer b(stack.network, "127.0.0.1:6000");
  Peer text(stack.network, "127.0.0.1:6000");
  stack.dial("127.0.0.1:6000", offer_body, "tcp");
  stack.run_ms(1);
  Received invite(b.received);
  b.received.clear();
  REQUIRE(b.connections[0]->send(text.reply_text(invite, 200, "b1", answer_sdp)).ok());
  stack.run_ms(1);
  Received ack(b.received);
  REQUIRE(ack.what() == "ACK");
  StreamPeer own(stack.network, "127.0.0.1:5060");
  stack.run_ms(1);
  own.send(text.text(callee_request(ack, "OPTIONS", 1)));
  stack.run_ms(1);
  CHECK(own.all() == "200 OPTIONS");
  b.connections.clear();
  stack.network.ignores_connect = [](const SocketAddress&) { return true; };
  stack.run_ms(1);
  stack.leg().release(16);
  stack.run_ms(1);
  CHECK(own.all() == "BYE");
}

TEST_CASE("Stack: a stream that cannot be framed is answered and closed") {
  Stack stack;
  StreamPeer a(stack.network, "127.0.0.1:5060");
  StreamPeer b(stack.network, "127.0.0.1:5060");
  Peer text(stack.network, "127.0.0.1:7000");
  stack.run_ms(1);
  std::string broken = text.text({});
  broken.replace(broken.find("Content-Length: 0"), 17, "Content-Length: -1");
  a.send(broken);
  b.send("NONSENSE\r\n\r\n");
  stack.run_ms(1);
  CHECK(a.all() == "400 INVITE");
  CHECK(a.is_closed);
  CHECK(b.is_closed);
  REQUIRE(stack.calls().closed_flows.size() == 2);  // whoever has registered over them is told
  CHECK(stack.calls().closed_flows[0].is_set());
  CHECK_FALSE(stack.calls().closed_flows[0] == stack.calls().closed_flows[1]);
}

TEST_CASE("Stack: ten thousand calls leave nothing behind") {
  Stack stack;
  stack.network.keeps_sent = false;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer b(stack.network, "127.0.0.1:6000");
  Recorder& calls = stack.calls();
  b.on_message = [&](const Received& r) {
    if (r.what() == "INVITE") b.reply(r, 200, "b1", answer_sdp);
    if (r.what() == "BYE") b.reply(r, 200);
  };
  std::unique_ptr<Leg> inbound;
  std::unique_ptr<Leg> outbound;
  calls.when_called = [&](Leg&, const InboundCall& call) {
    inbound = std::move(calls.legs.back());
    calls.legs.clear();
    OutboundCall out;
    out.destination = at("127.0.0.1:6000");
    out.callee = call.request_user;
    out.body = call.body;
    outbound = stack.group->legs(0).call(out, calls);
  };
  calls.when_told = [&](Leg&, std::string_view event) {
    if (event == "answer") inbound->answer(answer_body, {});
    if (event == "release") outbound->release(16);
  };
  Peer::Request invite;
  invite.body = offer;
  for (int i = 0; i < 10'000; ++i) {
    invite.call_id = "m" + std::to_string(i);
    invite.branch = "z9hG4bKm" + std::to_string(i);
    a.request(invite);
    stack.network.settle();
    Peer::Request next = invite;
    next.body.clear();
    next.method = "ACK";
    next.branch += "a";
    next.to_tag = std::string(a.inbox.back()->message.to.tag);
    a.request(next);
    next.method = "BYE";
    next.branch += "b";
    next.cseq = 2;
    a.request(next);
    stack.network.settle();
    REQUIRE(a.inbox.back()->what() == "200 BYE");
    a.inbox.clear();
    b.inbox.clear();
    inbound.reset();
    outbound.reset();
    calls.log.clear();
    if (i % 100 == 0) stack.run_ms(100);
  }
  CHECK(stack.dialogs() == 0);
  CHECK(stack.counters().calls_in == 10'000);
  CHECK(stack.counters().retransmissions == 0);
  stack.run_ms(33'000);
  CHECK(stack.transactions() == 0);
  stack.run_ms(15'000);  // memory goes back a piece at a time
  CHECK(stack.counters().memory_bytes < 4'000'000);
  CHECK(stack.loops[0]->timers().pending() == 0);
}

TEST_CASE("Stack: it may end with calls, transactions and connections alive") {
  StackConfig config;
  config.transactions_max = 1'000'000;  // large enough for its tables to be unmapped when freed
  Stack stack(2, config);
  Peer a(stack.network, "127.0.0.1:7000");
  Peer b(stack.network, "127.0.0.1:6000");
  StreamPeer c(stack.network, "127.0.0.1:5060");
  for (int i = 0; i < 8; ++i) {
    Peer::Request invite;
    invite.call_id = "e" + std::to_string(i);
    invite.branch = "z9hG4bKe" + std::to_string(i);
    a.request(invite);
  }
  stack.dial();
  stack.dial();
  stack.run_ms(1);
  b.reply(*b.take(), 180);
  b.reply(*b.take(), 200, "b1", answer_sdp);
  stack.run_ms(1);
  CHECK(stack.transactions() == 10);
}

TEST_CASE("BufferPool: every block is given back, whatever its size") {
  BufferPool pool;
  std::vector<Bytes> all(300);
  SeededRandom random(3);
  for (int round = 0; round < 20; ++round) {
    for (Bytes& bytes : all) {
      const std::string text(random.below(9000), static_cast<char>('a' + round));
      bytes.assign(pool, text);
      REQUIRE(bytes.view() == text);
    }
    for (Bytes& bytes : all) {
      REQUIRE(bytes.view().find_first_not_of(static_cast<char>('a' + round)) ==
              std::string_view::npos);
    }
  }
  Bytes moved = std::move(all[0]);
  all.clear();
  moved.clear();
  CHECK(pool.bytes_used() == 0);
}

TEST_CASE("Stack: torture messages get the right status on the wire (P-26, RFC 4475, RFC 5118)") {
  const auto folder = std::filesystem::path(tandem::test::source_folder()) / ".." / "shared" /
                      "testdata" / "sip-torture";
  std::ifstream table(folder / "expected.tsv");
  if (!table) {
    std::printf(
        "not run: torture messages through the stack (no ../shared/testdata/sip-torture)\n");
    return;
  }
  std::string line;
  std::getline(table, line);
  int messages = 0;
  while (std::getline(table, line)) {
    std::vector<std::string> columns(1);
    for (const char c : line) {
      if (c == '\t') {
        columns.emplace_back();
      } else {
        columns.back() += c;
      }
    }
    REQUIRE(columns.size() >= 9);
    CAPTURE(columns[0]);
    std::ifstream file(folder / columns[0], std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    REQUIRE_FALSE(bytes.empty());
    Stack stack;
    Peer a(stack.network, "127.0.0.1:7000");
    a.send(bytes);
    stack.run_ms(1);
    ++messages;
    const std::string status =
        a.inbox.empty() ? "drop" : std::to_string(a.inbox.front()->message.status);
    CAPTURE(status);
    CHECK(a.inbox.size() <= 1);
    const std::string wanted = columns[6] + " | " + columns[7];
    const bool is_response = columns[5].substr(0, 8) == "response";
    // What this switch says to a sound request that it does not serve, or that belongs to no
    // dialog.
    const bool is_taken =
        status == "100" || status == "200" || status == "405" || status == "481" || status == "501";
    if (is_response) {
      CHECK(status == "drop");
    } else if (wanted.find("accept") != std::string::npos ||
               wanted.find("answer OPTIONS") != std::string::npos) {
      CHECK((is_taken || wanted.find(status) != std::string::npos));
    } else {
      CHECK(wanted.find(status) != std::string::npos);
    }
  }
  CHECK(messages >= 62);
}
