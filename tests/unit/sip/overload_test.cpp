// More calls than a worker can serve: which it serves, and what it tells its peers (RFC 7339).
#include "sip/overload.hpp"

#include <doctest/doctest.h>

#include <map>

#include "sip/arrivals.hpp"
#include "stack_fixture.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

namespace {

constexpr std::int64_t call_us = 60, message_us = 5;  // what the simulated processor takes

/// A stack whose work takes time, and a caller that offers calls at a rate, whatever becomes of
/// them. A call is INVITE, 200, ACK, BYE, 200.
struct Overloaded {
  struct Sums {
    std::uint64_t invited = 0, kept_back = 0, answered = 0, completed = 0, refused = 0,
                  bye_refused = 0, with_retry_after = 0;
    std::int64_t slowest_us = 0;
  };

  Stack stack;
  Peer peer{stack.network, "127.0.0.1:7000"};
  std::string via;            // parameters that the caller adds
  unsigned loss_percent = 0;  // what it was told to keep back
  Sums now;

  Overloaded() {
    stack.network.keeps_sent = false;
    stack.calls().when_called = [this](Leg& leg, const InboundCall&) {
      spend(call_us);
      leg.answer(answer_body, {});
    };
    stack.network.tap = [this](const tandem::test::FakeDatagram& datagram) {
      if (datagram.from == at("127.0.0.1:5060")) spend(message_us);
    };
    peer.on_message = [this](const Received& message) { hear(message); };
  }

  /// Offers so many calls a second for so long; `drains`: then waits until nothing is under way.
  Sums offer(std::int64_t calls_per_s, std::int64_t ms, bool drains = true) {
    now = {};
    interval_ns_ = 1'000'000'000 / calls_per_s;
    next_ns_ = clock_us() * 1'000;
    end_us_ = clock_us() + ms * 1'000;
    while (clock_us() < end_us_) {
      feed();
      stack.network.settle();
      stack.loops[0]->timers().advance(clock_us());
      if (next_ns_ / 1'000 >= clock_us())
        stack.network.clock.advance_us(next_ns_ / 1'000 - clock_us() + 1);
    }
    if (!drains) return now;
    const Sums offered = now;  // what is completed later does not count for the rate
    stack.run_ms(5'000);
    CHECK(now.completed + now.bye_refused == now.answered);
    stack.calls().legs.clear();
    stack.calls().take_log();
    Sums sums = now;
    sums.completed = offered.completed;
    return sums;
  }

 private:
  [[nodiscard]] std::int64_t clock_us() const { return stack.network.clock.monotonic_us(); }
  void spend(std::int64_t us) {
    stack.network.clock.advance_us(us);
    feed();
  }
  void feed() {
    while (next_ns_ <= clock_us() * 1'000 && next_ns_ < end_us_ * 1'000) {
      next_ns_ += interval_ns_;
      if (draw_.below(100) < loss_percent) {
        ++now.kept_back;
        continue;
      }
      ++now.invited;
      Peer::Request invite;
      invite.call_id = "o" + std::to_string(++serial_);
      invite.branch = "z9hG4bK" + invite.call_id + via;
      began_us_[invite.call_id] = clock_us();
      peer.request(invite);
    }
  }
  void hear(const Received& message) {
    while (peer.inbox.size() > 1)
      peer.inbox.pop_front();
    const Message& m = message.message;
    if (const auto told = overload_feedback(m.vias[0])) loss_percent = told->loss_percent;
    Peer::Request next;
    next.call_id = m.call_id;
    next.to_tag = m.to.tag;
    next.branch = "z9hG4bK" + next.call_id;
    if (m.cseq_method == Method::bye) {
      m.status == 200 ? ++now.completed : ++now.bye_refused;
    } else if (m.status == 503) {
      ++now.refused;
      if (m.find(HeaderId::retry_after) != nullptr) ++now.with_retry_after;
      next.method = "ACK";
      peer.request(next);
    } else if (m.status == 200) {
      ++now.answered;
      now.slowest_us = std::max(now.slowest_us, clock_us() - began_us_[next.call_id]);
      next.method = "ACK";
      next.branch += "ack";
      peer.request(next);
      next.method = "BYE";
      next.branch += "bye";
      next.cseq = 2;
      peer.request(next);
    }
    if (m.status >= 200) began_us_.erase(std::string(m.call_id));
  }

  SeededRandom draw_{5};
  std::map<std::string, std::int64_t> began_us_;
  std::int64_t interval_ns_ = 1, next_ns_ = 0, end_us_ = 0;
  std::uint64_t serial_ = 0;
};

/// The Via of a message whose own has these parameters.
Via via_with(std::string_view parameters, std::string& text) {
  text = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx" + std::string(parameters);
  Via via;
  CHECK(parse_via(text, via));
  return via;
}

}  // namespace

TEST_CASE("Overload: ten times the calls complete at nine tenths of the peak, and no BYE is shed") {
  Overloaded bench;
  const Overloaded::Sums half = bench.offer(6'000, 100);
  CHECK(half.refused == 0);
  CHECK(half.answered == half.invited);
  CHECK(half.slowest_us < 5'000);
  const Overloaded::Sums peak = bench.offer(14'000, 150);
  const Overloaded::Sums flood = bench.offer(140'000, 150);
  CHECK(flood.completed * 10 >= peak.completed * 9);
  CHECK(flood.bye_refused == 0);
  CHECK(flood.refused > 0);
  CHECK(flood.with_retry_after == flood.refused);
  CHECK(flood.slowest_us < 250'000);  // what is taken has not waited in vain
  CHECK(bench.stack.counters().overload_dropped > 0);
  // At once: nothing of the flood is left to be served first.
  const Overloaded::Sums after = bench.offer(6'000, 100);
  CHECK(after.answered == after.invited);
  CHECK(after.refused == 0);
  CHECK(after.slowest_us < 5'000);
  bench.stack.run_ms(40'000);
  CHECK(bench.stack.dialogs() == 0);
  CHECK(bench.stack.transactions() == 0);
}

TEST_CASE("Overload: a peer that takes feedback soon sends what can be served (RFC 7339)") {
  Overloaded bench;
  bench.via = ";oc;oc-algo=\"loss\"";
  CHECK(bench.offer(6'000, 100).refused == 0);
  CHECK(bench.loss_percent == 0);
  (void)bench.offer(40'000, 700, false);
  CHECK(bench.loss_percent > 50);
  CHECK(bench.loss_percent < 90);
  CHECK(bench.stack.counters().overload_loss_percent > 0);
  CHECK(bench.now.with_retry_after == 0);  // it shall send less, not nothing
  const Overloaded::Sums later = bench.offer(40'000, 200);
  CHECK(later.refused < later.invited / 5);
  CHECK(later.kept_back > 0);
  CHECK(later.bye_refused == 0);
  CHECK(bench.stack.counters().overload_loss_percent == 0);  // nobody called for some seconds
  // Nothing is asked for any more when there is no need.
  (void)bench.offer(1'000, 4'000);
  CHECK(bench.loss_percent == 0);
}

TEST_CASE("Overload: a CANCEL finds its INVITE among those that wait") {
  Overloaded bench;
  bool is_first = true;
  Stack& stack = bench.stack;
  Peer b(stack.network, "127.0.0.1:7001");
  stack.calls().when_called = [&](Leg&, const InboundCall&) {
    if (std::exchange(is_first, false)) stack.network.clock.advance_us(10'000);
  };
  Peer::Request invite;
  for (int i = 0; i < 3; ++i) {
    invite.call_id = "w" + std::to_string(i);
    invite.branch = "z9hG4bKw" + std::to_string(i);
    b.request(invite);
  }
  invite.method = "CANCEL";
  b.request(invite);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "call; call; call; cancel");
  CHECK(b.all() == "100 INVITE, 100 INVITE, 100 INVITE, 200 CANCEL, 487 INVITE");
  // One of no INVITE is told so at once.
  invite.branch = "z9hG4bKnobody";
  b.request(invite);
  stack.run_ms(1);
  CHECK(b.all() == "481 CANCEL");
}

TEST_CASE("Overload: a repetition of a call that was taken is not refused") {
  StackConfig config;
  config.arrivals_max = 1;
  Stack stack(1, config);
  Peer a(stack.network, "127.0.0.1:7000");
  bool is_slow = false;
  stack.calls().when_called = [&](Leg&, const InboundCall&) {
    if (is_slow) stack.network.clock.advance_us(10'000);
  };
  Peer::Request taken;
  a.request(taken);
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE");
  is_slow = true;
  Peer::Request more;
  for (int i = 0; i < 3; ++i) {
    more.call_id = "m" + std::to_string(i);
    more.branch = "z9hG4bKm" + std::to_string(i);
    a.request(more);  // taken, waits, refused
  }
  a.request(taken);
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE, 503 INVITE, 100 INVITE, 100 INVITE");
  CHECK(stack.counters().overload_refused == 1);
}

TEST_CASE("Overload: what was refused is refused again when it is repeated, and never taken") {
  StackConfig config;
  config.arrivals_max = 1;
  Stack stack(1, config);
  Peer a(stack.network, "127.0.0.1:7000");
  bool is_slow = true;
  stack.calls().when_called = [&](Leg&, const InboundCall&) {
    if (is_slow) stack.network.clock.advance_us(10'000);
  };
  Peer::Request more;
  for (int i = 0; i < 3; ++i) {
    more.call_id = "m" + std::to_string(i);
    more.branch = "z9hG4bKm" + std::to_string(i);
    a.request(more);  // taken, waits, refused
  }
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE, 503 INVITE, 100 INVITE");
  // One was sent before the 503 came. There is time for it now, but nobody who waits for it.
  is_slow = false;
  a.request(more);
  stack.run_ms(1);
  CHECK(a.all() == "503 INVITE");
  // Among those that wait, too.
  is_slow = true;
  Peer::Request other;
  other.call_id = "o";
  other.branch = "z9hG4bKo";
  a.request(other);
  a.request(more);
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE, 503 INVITE");
  CHECK(stack.counters().calls_in == 3);
  // Tried again it is another request.
  more.branch = "z9hG4bKagain";
  more.cseq = 2;
  a.request(more);
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE");
  // Nor is it known for ever.
  stack.run_ms(33'000);
  a.all();
  more.branch = "z9hG4bKm2";
  more.cseq = 1;
  a.request(more);
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE");
}

TEST_CASE("Overload: each call that came on a stream is answered, since nobody repeats it") {
  struct Client final : io::StreamHandler {
    std::map<std::string, int> answers;  // by the first line
    void on_bytes(std::string_view bytes) override {
      constexpr std::string_view begin = "SIP/2.0 ";
      for (std::size_t at = bytes.starts_with(begin) ? 0 : bytes.find("\nSIP/2.0 ");
           at != std::string_view::npos; at = bytes.find("\nSIP/2.0 ", at + 1))
        ++answers[std::string(bytes.substr(bytes.find(begin, at) + begin.size(), 3))];
    }
    void on_closed(const Error&) override {}
  };
  for (const unsigned workers : {1U, 2U}) {
    StackConfig config;
    config.arrivals_max = 1;
    config.handover_bytes = 4'096;
    Stack stack(workers, config);
    for (unsigned i = 0; i < workers; ++i)
      stack.calls(i).when_called = [&](Leg&, const InboundCall&) {
        stack.network.clock.advance_us(10'000);
      };
    Client client;
    io::Loop& loop = stack.network.create_loop();
    const auto stream = loop.connect(at("127.0.0.1:5060"), client);
    REQUIRE(stream.ok());
    stack.run_ms(1);
    const Peer text(stack.network, "127.0.0.1:7000");
    std::string all;
    constexpr int calls = 200;
    for (int i = 0; i < calls; ++i) {
      Peer::Request invite;
      invite.transport = "TCP";
      invite.call_id = "s" + std::to_string(i);
      invite.branch = "z9hG4bKs" + std::to_string(i);
      all += text.text(invite);
    }
    REQUIRE((*stream)->send(all).ok());
    stack.run_ms(1);
    CHECK(client.answers["100"] >= 2);
    CHECK(client.answers["503"] > 64);
    CHECK(client.answers["100"] + client.answers["503"] == calls);
    CHECK(stack.counters().overload_dropped == 0);
    for (unsigned i = 0; i < workers; ++i)
      stack.calls(i).legs.clear();
  }
}

TEST_CASE("RefusedCalls: knows a refusal for as long as a transaction would") {
  RefusedCalls calls;
  CHECK_FALSE(calls.are_any(0));
  CHECK_FALSE(calls.has(7, 0));
  calls.note(7, 1'000);
  calls.note(8, 2'000'000);
  CHECK(calls.has(7, 32'000'999));
  CHECK_FALSE(calls.has(7, 32'001'000));
  CHECK(calls.has(8, 32'001'000));
  CHECK_FALSE(calls.has(0, 32'001'000));
  CHECK_FALSE(calls.are_any(34'000'000));
}

TEST_CASE("Arrivals: keeps the order while it grows, and refuses beyond its bounds") {
  Arrivals queue(40, 1'000);
  int pushed = 0, taken = 0;
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 3 && queue.push({}, std::to_string(pushed), pushed, false); ++i)
      ++pushed;
    if (round % 2 == 0) {
      CHECK(queue.front().bytes == std::to_string(taken));
      CHECK(queue.front().at_us == taken);
      queue.pop();
      ++taken;
    }
  }
  CHECK(queue.size() == 40);
  CHECK_FALSE(queue.push({}, "x", 0, false));
  CHECK(queue.push({}, "x", 0, true));
  for (; taken < pushed; ++taken) {
    CHECK(queue.front().bytes == std::to_string(taken));
    queue.pop();
  }
  queue.pop();
  CHECK(queue.empty());
  CHECK_FALSE(queue.push({}, std::string(1'001, 'x'), 0, false));
  CHECK(queue.push({}, std::string(1'000, 'x'), 0, false));
  CHECK_FALSE(queue.push({}, "x", 0, false));
}

TEST_CASE("Overload: what a Via says of load is read as RFC 7339 has it, and no further") {
  std::string text;
  CHECK(takes_overload_feedback(via_with(";oc;oc-algo=\"loss\"", text)));
  CHECK(takes_overload_feedback(via_with(";oc-algo=\"rate, loss\";oc", text)));
  CHECK_FALSE(takes_overload_feedback(via_with(";oc", text)));
  CHECK_FALSE(takes_overload_feedback(via_with(";oc;oc-algo=\"rate\"", text)));
  CHECK_FALSE(takes_overload_feedback(via_with(";oc=20;oc-algo=\"loss\"", text)));
  CHECK_FALSE(takes_overload_feedback(via_with("", text)));

  auto told = overload_feedback(
      via_with(";oc=20;oc-algo=\"loss\";oc-validity=700;oc-seq=1282321615.782", text));
  REQUIRE(told);
  CHECK(told->loss_percent == 20);
  CHECK(told->validity_us == 700'000);
  CHECK(told->sequence == 128'232'161'578'200);
  told = overload_feedback(via_with(";oc=0;oc-algo=\"loss\"", text));
  REQUIRE(told);
  CHECK(told->validity_us == 500'000);
  CHECK(told->sequence == 0);
  for (const char* wrong :
       {";oc=101;oc-algo=\"loss\"", ";oc=-1;oc-algo=\"loss\"", ";oc=9", ";oc=9;oc-algo=\"rate\"",
        ";oc=x;oc-algo=\"loss\"", ";oc=9;oc-algo=\"loss\";oc-validity=x", ";oc;oc-algo=\"loss\""})
    CHECK_FALSE(overload_feedback(via_with(wrong, text)));
  // What is written is what is read.
  const std::string written = overload_parameters(35, 1'700'000'000'012'345);
  CHECK(written == ";oc=35;oc-algo=\"loss\";oc-validity=1500;oc-seq=1700000000.012");
  told = overload_feedback(via_with(written, text));
  REQUIRE(told);
  CHECK(told->sequence == 170'000'000'001'200);
}

TEST_CASE("Overload: the answer to a peer that asks tells of load in its own Via alone") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request invite;
  invite.branch = "z9hG4bKq;oc;oc-algo=\"A;x,loss\"";
  a.request(invite);
  stack.run_ms(1);
  auto answer = a.take();
  CHECK(answer->what() == "100 INVITE");
  const std::string via(answer->message.vias[0].value);
  CHECK(via.find(";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=") != std::string::npos);
  CHECK(via.find("A;x") == std::string::npos);
  CHECK(via.find(";oc;") == std::string::npos);
  CHECK(via.find("received=127.0.0.1") != std::string::npos);
  // Who does not ask is told nothing.
  invite.branch = "z9hG4bKr";
  invite.call_id = "r";
  a.request(invite);
  stack.run_ms(1);
  CHECK(std::string(a.take()->message.vias[0].value).find("oc") == std::string::npos);
}

TEST_CASE("Overload: a leg that asks is told what its peer says of its load") {
  struct Listener final : LegEvents {
    std::vector<unsigned> losses;
    void on_load(Leg&, const OverloadFeedback& f) override { losses.push_back(f.loss_percent); }
    void on_progress(Leg&, const Progress&) override {}
    void on_answer(Leg&, const Answer&) override {}
    void on_failure(Leg&, const Failure&) override {}
    void on_cancel(Leg&, const Release&) override {}
    void on_confirmed(Leg&, const SessionBody&) override {}
    void on_release(Leg&, const Release&) override {}
    void on_reoffer(Leg&, const Reoffer&) override {}
    void on_reoffer_result(Leg&, int, const SessionBody&) override {}
    void on_request(Leg&, const DialogRequest&) override {}
    void on_request_result(Leg&, int, const SessionBody&) override {}
  };
  for (const bool asks : {true, false}) {
    Stack stack;
    Peer b(stack.network, "127.0.0.1:6000");
    Listener listener;
    OutboundCall call;
    call.destination = at("127.0.0.1:6000");
    call.callee = "4420";
    call.caller = "1000";
    call.body = offer_body;
    call.manners.asks_for_load = asks;
    const auto leg = stack.group->legs(0).call(call, listener);
    stack.run_ms(1);
    const auto invite = b.take();
    std::string text(invite->message.vias[0].value);
    CHECK((text.find(";oc;oc-algo=\"loss\"") != std::string::npos) == asks);
    std::string reply = b.reply_text(*invite, 503);
    const std::string said = ";rport;oc=40;oc-algo=\"loss\";oc-validity=900;oc-seq=7.1";
    reply.replace(reply.find(";rport"), asks ? 6 + overload_offer.size() : 6, said);
    b.send(reply);
    stack.run_ms(1);
    CHECK(listener.losses == (asks ? std::vector<unsigned>{40} : std::vector<unsigned>{}));
  }
}
