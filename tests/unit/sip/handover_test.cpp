// Messages that arrive at one worker and belong to another (O-11).
#include <doctest/doctest.h>

#include <deque>
#include <thread>

#include "sip/handover.hpp"
#include "stack_fixture.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

TEST_CASE("HandoverRing: records come out as they went in, and a full ring refuses") {
  HandoverRing ring(1);
  SeededRandom random(5);
  std::deque<std::string> expected;
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (random.below(2) == 0) {
      const std::string text(random.below(100) == 0 ? random.below(65'536) : random.below(2'000),
                             static_cast<char>('a' + i % 26));
      Path path;
      path.remote.port = static_cast<std::uint16_t>(text.size());
      if (ring.push(HandoverRing::Kind::message, path, text)) {
        expected.push_back(text);
      } else {
        ++refused;
      }
    } else {
      HandoverRing::Record record;
      REQUIRE(ring.peek(record) == !expected.empty());
      if (expected.empty()) continue;
      REQUIRE(record.bytes == expected.front());
      REQUIRE(record.path.remote.port == static_cast<std::uint16_t>(expected.front().size()));
      ring.release();
      expected.pop_front();
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("HandoverRing: two threads lose and mix up nothing") {
  HandoverRing ring(1);
  constexpr int messages = 50'000;
  std::thread sender([&ring] {
    for (int i = 0; i < messages; ++i) {
      const std::string text =
          std::to_string(i) + std::string(static_cast<std::size_t>(i % 700), '.');
      while (!ring.push(HandoverRing::Kind::output, {}, text))
        std::this_thread::yield();
    }
  });
  int wrong = 0;
  for (int i = 0; i < messages; ++i) {
    HandoverRing::Record record;
    while (!ring.peek(record))
      std::this_thread::yield();
    const std::string text =
        std::to_string(i) + std::string(static_cast<std::size_t>(i % 700), '.');
    if (record.bytes != text || record.kind != HandoverRing::Kind::output) ++wrong;
    ring.release();
  }
  sender.join();
  CHECK(wrong == 0);
}

TEST_CASE("Stack: calls of one trunk spread evenly over four workers, and none is lost") {
  Stack stack(4);
  stack.network.keeps_sent = false;
  Peer a(stack.network, "127.0.0.1:7000");
  constexpr int calls = 400;
  Peer::Request invite;
  for (int i = 0; i < calls; ++i) {
    invite.call_id = "h" + std::to_string(i);
    invite.branch = "z9hG4bKh" + std::to_string(i);
    a.request(invite);
  }
  stack.run_ms(1);
  CHECK(a.inbox.size() == calls);
  a.inbox.clear();
  std::size_t taken = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const std::size_t legs = stack.calls(i).legs.size();
    CAPTURE(i);
    CHECK(legs > calls / 4 * 6 / 10);
    CHECK(legs < calls / 4 * 14 / 10);
    taken += legs;
    // Woken once for a batch, not for every message.
    CHECK(stack.loops[i]->posts <= 8);
    for (auto& leg : stack.calls(i).legs)
      leg->answer(answer_body, {});
  }
  CHECK(taken == calls);
  stack.run_ms(1);
  REQUIRE(a.inbox.size() == calls);
  for (int i = 0; i < calls; ++i) {
    const auto ok = a.take();
    Peer::Request ack;
    ack.method = "ACK";
    ack.call_id = std::string(ok->message.call_id);
    ack.to_tag = std::string(ok->message.to.tag);
    ack.branch = "z9hG4bKack" + ack.call_id;
    a.request(ack);
    ack.method = "BYE";
    ack.cseq = 2;
    ack.branch = "z9hG4bKbye" + ack.call_id;
    a.request(ack);
  }
  stack.run_ms(1);
  CHECK(a.inbox.size() == calls);
  for (const auto& answer : a.inbox)
    CHECK(answer->what() == "200 BYE");
  std::uint64_t handed_over = 0;
  for (unsigned i = 0; i < 4; ++i) {
    handed_over += stack.counters(i).handed_over;
    CHECK(stack.counters(i).handover_drops == 0);
    CHECK(stack.counters(i).strays_dropped == 0);
    stack.calls(i).legs.clear();
  }
  CHECK(handed_over > calls);
  CHECK(stack.dialogs() == 0);
}

TEST_CASE(
    "Stack: responses find their worker by the branch, CANCEL and retransmissions by the Call-ID") {
  Stack stack(4);
  Peer a(stack.network, "127.0.0.1:7000");
  Peer b(stack.network, "127.0.0.1:6000");
  for (unsigned worker = 0; worker < 4; ++worker) {
    OutboundCall call;
    call.destination = at("127.0.0.1:6000");
    call.callee = "1";
    call.body = offer_body;
    stack.calls(worker).legs.push_back(stack.group->legs(worker).call(call, stack.calls(worker)));
    stack.run_ms(1);
    const auto invite = b.take();
    b.reply(*invite, 180);
    stack.run_ms(1);
    b.reply(*invite, 200, "b1", answer_sdp);
    stack.run_ms(1);
    CHECK(b.all() == "ACK");
    CHECK(stack.calls(worker).take_log() == "progress 180; answer");
  }
  for (int i = 0; i < 12; ++i) {
    Peer::Request invite;
    invite.call_id = "c" + std::to_string(i);
    invite.branch = "z9hG4bKc" + std::to_string(i);
    a.request(invite);
    a.request(invite);
    stack.run_ms(1);
    CHECK(a.all() == "100 INVITE, 100 INVITE");
    invite.method = "CANCEL";
    a.request(invite);
    stack.run_ms(1);
    CHECK(a.take()->what() == "200 CANCEL");
    const auto terminated = a.take();
    CHECK(terminated->what() == "487 INVITE");
    invite.method = "ACK";
    invite.to_tag = std::string(terminated->message.to.tag);
    a.request(invite);
    stack.run_ms(1);
  }
  stack.run_ms(600);
  CHECK(a.all() == "");  // every 487 was acknowledged
}

TEST_CASE("Stack: what comes over a stream is answered on it by whichever worker owns it") {
  class Client final : public io::StreamHandler {
   public:
    void on_bytes(std::string_view bytes) override { received += bytes; }
    void on_closed(const Error&) override {}
    std::string received;
  };
  Stack stack(4);
  Peer text(stack.network, "127.0.0.1:7000");
  Client client;
  auto stream = stack.network.create_loop().connect(at("127.0.0.1:5060"), client);
  REQUIRE(stream.ok());
  stack.run_ms(1);
  Peer::Request invite;
  invite.transport = "TCP";
  for (int i = 0; i < 20; ++i) {
    invite.call_id = "t" + std::to_string(i);
    invite.branch = "z9hG4bKt" + std::to_string(i);
    REQUIRE((*stream)->send(text.text(invite)).ok());
  }
  stack.run_ms(1);
  std::size_t answers = 0;
  for (std::size_t at = client.received.find("SIP/2.0 100"); at != std::string::npos;
       at = client.received.find("SIP/2.0 100", at + 1)) {
    ++answers;
  }
  CHECK(answers == 20);
  unsigned busy_workers = 0;
  for (unsigned i = 0; i < 4; ++i)
    busy_workers += stack.calls(i).legs.empty() ? 0 : 1;
  CHECK(busy_workers >= 3);
}

TEST_CASE("Stack: a ring that is full drops and counts") {
  StackConfig config;
  config.handover_bytes = 1;  // the least there is: 128 KiB
  Stack stack(2, config);
  stack.network.keeps_sent = false;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request invite;
  invite.body = std::string(offer) + std::string(1'500, ' ');
  constexpr int sent = 1'000;
  for (int i = 0; i < sent; ++i) {
    invite.call_id = "f" + std::to_string(i);
    invite.branch = "z9hG4bKf" + std::to_string(i);
    a.request(invite);
  }
  stack.run_ms(1);
  const std::uint64_t dropped = stack.counters(0).handover_drops + stack.counters(1).handover_drops;
  CHECK(dropped > 0);
  CHECK(a.inbox.size() + dropped == sent);
}
