// OPTIONS to a peer, to learn whether it is there.
#include <doctest/doctest.h>

#include "stack_fixture.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

namespace {

struct Asked final : ProbeEvents {
  std::string log;
  std::unique_ptr<Probe> probe;
  bool ends_itself = false;
  void ask(Stack& stack, std::string_view destination, std::string_view transport = "udp") {
    probe = stack.group->legs(0).probe({at(destination), transport, {}, {}}, *this);
  }
  void on_probe(Probe& told, bool is_answered) override {
    CHECK(&told == probe.get());
    log += is_answered ? "answered;" : "silent;";
    if (ends_itself) probe.reset();
  }
};

}  // namespace

TEST_CASE(
    "Probe: OPTIONS goes out as RFC 3261 section 11.1 has it, and any final answer counts (R-17)") {
  for (const int status : {200, 404, 486, 503, 603}) {
    CAPTURE(status);
    Stack stack;
    Peer peer(stack.network, "127.0.0.1:6000");
    Asked asked;
    asked.ends_itself = status == 200;
    asked.ask(stack, "127.0.0.1:6000");
    CHECK(asked.log == "");
    stack.run_ms(1);
    const auto options = peer.take();
    CHECK(options->what() == "OPTIONS");
    CHECK(options->message.request_uri == "sip:127.0.0.1:6000");
    CHECK(options->message.max_forwards == 70);
    CHECK(options->value("To") == "<sip:127.0.0.1:6000>");
    CHECK(options->value("Contact") == "<sip:127.0.0.1:5060>");
    CHECK(options->value("Accept") == "application/sdp");
    peer.reply(*options, 100);
    stack.run_ms(1);
    CHECK(asked.log == "");
    peer.reply(*options, status);
    stack.run_ms(1);
    CHECK(asked.log == "answered;");
    peer.reply(*options, status);
    stack.run_ms(60'000);
    CHECK(asked.log == "answered;");
    CHECK(peer.all() == "");
    CHECK(stack.transactions() == 0);
  }
}

TEST_CASE(
    "Probe: without an answer it repeats itself for 64*T1, then tells of silence once (R-17)") {
  Stack stack;
  Peer peer(stack.network, "127.0.0.1:6000");
  Asked asked;
  asked.ask(stack, "127.0.0.1:6000");
  stack.run_ms(31'000);
  CHECK(asked.log == "");
  CHECK(peer.inbox.size() == 10);  // 0, .5, 1.5, 3.5, then every 4 s
  stack.run_ms(2'000);
  CHECK(asked.log == "silent;");
  stack.run_ms(60'000);
  CHECK(asked.log == "silent;");
  CHECK(stack.transactions() == 0);
}

TEST_CASE(
    "Probe: what has no way out is told later, and a forgotten question is never told (R-17)") {
  Stack stack;
  Asked asked;
  asked.ask(stack, "[::1]:6000");  // no listener of that family
  CHECK(asked.log == "");
  stack.run_ms(5);
  CHECK(asked.log == "silent;");

  Peer peer(stack.network, "127.0.0.1:6000");
  Asked forgotten;
  forgotten.ask(stack, "127.0.0.1:6000");
  stack.run_ms(1);
  const auto options = peer.take();
  forgotten.probe.reset();
  peer.reply(*options, 200);
  stack.run_ms(60'000);
  CHECK(forgotten.log == "");
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Probe: two questions at once are told apart, and another's answer is not taken (R-17)") {
  Stack stack;
  Peer peer(stack.network, "127.0.0.1:6000");
  Asked first, second;
  first.ask(stack, "127.0.0.1:6000");
  second.ask(stack, "127.0.0.1:6000");
  stack.run_ms(1);
  (void)peer.take();
  const auto options = peer.take();
  std::string forged = peer.reply_text(*options, 200);
  const std::size_t at_id = forged.find("Call-ID: ") + 9;
  forged[at_id] = forged[at_id] == 'a' ? 'b' : 'a';
  peer.send(forged);
  stack.run_ms(1);
  CHECK(second.log == "");
  peer.reply(*options, 200);
  stack.run_ms(1);
  CHECK(first.log == "");
  CHECK(second.log == "answered;");
}
