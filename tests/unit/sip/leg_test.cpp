// Legs as the call room sees them: before and until the answer.
#include <doctest/doctest.h>

#include "stack_fixture.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

TEST_CASE("Leg: an inbound call is answered, confirmed and hung up by the caller") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request invite;
  invite.body = offer;
  a.request(invite);
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE");
  CHECK(stack.calls().take_log() == "call");
  CHECK(stack.calls().body == offer);
  CHECK(stack.calls().request_user == "4420");
  CHECK(stack.calls().from_user == "1000");
  CHECK(stack.calls().from_display == "A");

  stack.leg().progress(180, {});
  stack.leg().answer(answer_body, {});
  stack.run_ms(1);
  CHECK(a.take()->what() == "180 INVITE");
  const auto ok = a.take();
  CHECK(ok->what() == "200 INVITE");
  CHECK(ok->message.body == answer_sdp);
  CHECK(ok->value("Contact") == "<sip:4420@127.0.0.1:5060>");
  CHECK(ok->value("Server") == "tandem");
  const std::string tag(ok->message.to.tag);

  Peer::Request ack;
  ack.method = "ACK";
  ack.branch = "z9hG4bKa2";
  ack.to_tag = tag;
  a.request(ack);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "confirmed");
  stack.run_ms(40'000);
  CHECK(a.all() == "");

  Peer::Request bye = ack;
  bye.method = "BYE";
  bye.branch = "z9hG4bKa3";
  bye.cseq = 2;
  bye.extra = "Reason: Q.850;cause=31;text=\"x\"\r\n";
  a.request(bye);
  stack.run_ms(1);
  CHECK(a.all() == "200 BYE");
  CHECK(stack.calls().take_log() == "release");
  CHECK(stack.calls().released.q850_cause == 31);
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
  stack.run_ms(33'000);
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Leg: an outbound call is answered, acknowledged at once and hung up by us") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  const auto invite = b.take();
  REQUIRE(invite->what() == "INVITE");
  CHECK(invite->message.request_uri == "sip:4420@127.0.0.1:6000");
  CHECK(invite->message.body == offer);
  CHECK(invite->value("Max-Forwards") == "70");
  CHECK(invite->value("User-Agent") == "tandem");
  CHECK(invite->message.via_count == 1);
  b.reply(*invite, 100);
  b.reply(*invite, 183, "b1", answer_sdp);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "progress 100; progress 183");
  b.reply(*invite, 200, "b1", answer_sdp, "Server: other/1\r\n");
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "answer");
  CHECK(stack.calls().body == answer_sdp);
  CHECK(stack.leg().product() == "other/1");
  const auto ack = b.take();
  REQUIRE(ack->what() == "ACK");
  CHECK(ack->message.request_uri == "sip:callee@127.0.0.1:6000");
  CHECK(ack->message.to.tag == "b1");
  CHECK(ack->message.cseq == 1);
  CHECK(ack->message.vias[0].branch != invite->message.vias[0].branch);

  stack.leg().release(16);
  stack.run_ms(1);
  const auto bye = b.take();
  REQUIRE(bye->what() == "BYE");
  CHECK(bye->value("Reason") == "Q.850;cause=16");
  CHECK(bye->message.cseq == 2);
  b.reply(*bye, 200);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "");
  CHECK(stack.leg().is_over());
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
  stack.run_ms(33'000);
  CHECK(stack.transactions() == 0);
}
