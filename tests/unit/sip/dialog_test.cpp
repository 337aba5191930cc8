// Races, forks and requests inside dialogs.
#include <doctest/doctest.h>

#include "stack_fixture.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

TEST_CASE("Dialog: CANCEL waits for a provisional response (P-24)") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  const auto invite = b.take();
  stack.leg().cancel();
  stack.run_ms(100);
  CHECK(b.all() == "");
  b.reply(*invite, 100);
  stack.run_ms(1);
  const auto cancel = b.take();
  REQUIRE(cancel->what() == "CANCEL");
  CHECK(cancel->message.request_uri == invite->message.request_uri);
  CHECK(cancel->message.vias[0].branch == invite->message.vias[0].branch);
  CHECK(cancel->message.cseq == invite->message.cseq);
  CHECK(cancel->message.to.value == invite->message.to.value);
  b.reply(*cancel, 200);
  b.reply(*invite, 487);
  stack.run_ms(1);
  CHECK(b.all() == "ACK");
  CHECK(stack.calls().take_log() == "failure 487");
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
  stack.run_ms(33'000);
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Dialog: a 200 that overtakes our CANCEL is acknowledged and ended (P-24)") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  const auto invite = b.take();
  b.reply(*invite, 180);
  stack.run_ms(1);
  stack.leg().cancel();
  b.reply(*invite, 200, "b1", answer_sdp);
  stack.run_ms(1);
  CHECK(b.take()->what() == "CANCEL");
  CHECK(b.take()->what() == "ACK");
  const auto bye = b.take();
  CHECK(bye->what() == "BYE");
  CHECK(stack.calls().take_log() == "progress 180; failure 487");
  CHECK(stack.leg().is_over());
  b.reply(*bye, 200);
  stack.calls().legs.clear();
  stack.run_ms(1);
  CHECK(stack.dialogs() == 0);
  stack.run_ms(65'000);
  CHECK(stack.transactions() == 0);
}

TEST_CASE(
    "Dialog: a 200 before any provisional response, after the call was given up, is ended too") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  const auto invite = b.take();
  stack.leg().release(16);
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 1);
  b.reply(*invite, 200, "b1", answer_sdp);
  stack.run_ms(1);
  CHECK(b.take()->what() == "ACK");
  const auto bye = b.take();
  CHECK(bye->what() == "BYE");
  CHECK(bye->value("Reason") == "Q.850;cause=16;text=\"Normal call clearing\"");
  CHECK(stack.calls().take_log() == "");
}

TEST_CASE(
    "Dialog: a peer that never ends a cancelled INVITE is left after 64*T1 (RFC 3261 section "
    "9.1)") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  b.reply(*b.take(), 180);
  stack.run_ms(10'000);
  stack.leg().cancel();
  stack.run_ms(31'900);
  CHECK(stack.calls().take_log() == "progress 180");
  stack.run_ms(200);
  CHECK(stack.calls().take_log() == "failure 487 local");
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Dialog: CANCEL of an inbound call is answered 200 and the INVITE 487") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  a.request({});
  stack.run_ms(1);
  stack.leg().progress(180, {});
  Peer::Request cancel;
  cancel.method = "CANCEL";
  cancel.extra = "Reason: SIP;cause=200;text=\"a, b\", Q.850;cause=26\r\n";
  a.request(cancel);
  a.request(cancel);
  stack.run_ms(1);
  CHECK(a.take()->what() == "100 INVITE");
  const auto ringing = a.take();
  const auto ok = a.take();
  CHECK(ok->what() == "200 CANCEL");
  CHECK(ok->message.to.tag == ringing->message.to.tag);
  CHECK(a.all() == "487 INVITE, 200 CANCEL");
  CHECK(stack.calls().take_log() == "call; cancel");
  CHECK(stack.calls().released.q850_cause == 26);
  stack.leg().answer(answer_body, {});
  stack.run_ms(1);
  CHECK(a.all() == "");
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
}

TEST_CASE("Dialog: CANCEL after the answer, or for nothing, changes nothing") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  answer_call(stack, a, false);
  Peer::Request cancel;
  cancel.method = "CANCEL";
  a.request(cancel);
  cancel.branch = "z9hG4bKother";
  a.request(cancel);
  stack.run_ms(1);
  CHECK(a.all() == "200 CANCEL, 481 CANCEL");
  CHECK(stack.calls().take_log() == "");
}

TEST_CASE(
    "Dialog: of a forked INVITE the first 2xx wins, further ones are acknowledged and ended") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  const auto invite = b.take();
  b.reply(*invite, 180, "x");
  b.reply(*invite, 180, "y");
  b.reply(*invite, 200, "x", answer_sdp);
  stack.run_ms(1);
  CHECK(b.take()->message.to.tag == "x");
  b.reply(*invite, 200, "y", answer_sdp, "Record-Route: <sip:127.0.0.1:6000;lr>\r\n");
  stack.run_ms(1);
  const auto ack = b.take();
  REQUIRE(ack->what() == "ACK");
  CHECK(ack->message.to.tag == "y");
  CHECK(ack->message.request_uri == "sip:callee@127.0.0.1:6000");
  CHECK(ack->value("Route") == "<sip:127.0.0.1:6000;lr>");
  const auto bye = b.take();
  REQUIRE(bye->what() == "BYE");
  CHECK(bye->message.to.tag == "y");
  CHECK(bye->message.cseq == 2);
  b.reply(*bye, 200);
  b.reply(*invite, 200, "y", answer_sdp);  // its ACK was lost
  b.reply(*invite, 200, "x", answer_sdp);
  stack.run_ms(1);
  CHECK(b.all() == "ACK, ACK");
  CHECK(stack.calls().take_log() == "progress 180; progress 180; answer");
  CHECK_FALSE(stack.leg().is_over());
}

TEST_CASE("Dialog: a forked 2xx is ended even when the call has gone") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  const auto invite = b.take();
  b.reply(*invite, 200, "x", answer_sdp);
  stack.run_ms(1);
  stack.leg().release(0);
  stack.run_ms(1);
  CHECK(b.take()->what() == "ACK");
  b.reply(*b.take(), 200);
  stack.run_ms(1);
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
  b.reply(*invite, 200, "y", answer_sdp);
  stack.run_ms(1);
  CHECK(b.all() == "ACK, BYE");
}

TEST_CASE("Dialog: a change that is agreed to after the end is acknowledged by way of its proxy") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  Peer proxy(stack.network, "127.0.0.1:7100");
  stack.dial();
  stack.run_ms(1);
  b.reply(*b.take(), 200, "b1", answer_sdp, "Record-Route: <sip:127.0.0.1:7100;lr>\r\n");
  stack.run_ms(1);
  CHECK(proxy.all() == "ACK");
  stack.leg().reoffer({Reoffer::Method::reinvite, offer_body});
  stack.run_ms(1);
  const auto change = proxy.take();
  REQUIRE(change->what() == "INVITE");
  stack.leg().release(0);
  stack.calls().legs.clear();
  stack.run_ms(1);
  (void)proxy.all();
  (void)b.all();
  for (int time = 0; time < 2; ++time) {  // it comes again until the ACK has arrived
    proxy.reply(*change, 200, "b1", answer_sdp);
    stack.run_ms(1);
    CHECK(b.all() == "");
    const auto ack = proxy.take();
    CHECK(ack->what() == "ACK");
    CHECK(ack->count("Route") == 1);
  }
}

TEST_CASE("Dialog: without an offer in our INVITE the ACK carries the answer") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial("127.0.0.1:6000", {});
  stack.run_ms(1);
  const auto invite = b.take();
  CHECK(invite->message.body.empty());
  b.reply(*invite, 200, "b1", offer);
  stack.run_ms(1'000);
  CHECK(stack.calls().take_log() == "answer");
  CHECK(stack.calls().body == offer);
  CHECK(b.all() == "");
  b.reply(*invite, 200, "b1", offer);
  stack.run_ms(1);
  CHECK(b.all() == "");
  stack.leg().acknowledge(answer_body);
  stack.run_ms(1);
  const auto ack = b.take();
  CHECK(ack->what() == "ACK");
  CHECK(ack->message.body == answer_sdp);
  b.reply(*invite, 200, "b1", offer);
  stack.run_ms(1);
  CHECK(b.take()->bytes == ack->bytes);
}

TEST_CASE(
    "Dialog: a call without an offer that is dropped before its ACK is acknowledged and ended") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial("127.0.0.1:6000", {});
  stack.run_ms(1);
  b.reply(*b.take(), 200, "b1", offer);
  stack.run_ms(1);
  stack.calls().legs.clear();
  stack.run_ms(1);
  CHECK(b.all() == "ACK, BYE");
}

TEST_CASE("Dialog: the ACK of an inbound call without an offer brings the answer") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  a.request({});
  stack.run_ms(1);
  stack.leg().answer(offer_body, {});
  stack.run_ms(1);
  std::string tag;
  while (!a.inbox.empty())
    tag = std::string(a.take()->message.to.tag);
  Peer::Request ack;
  ack.method = "ACK";
  ack.branch = "z9hG4bKack";
  ack.to_tag = tag;
  ack.body = answer_sdp;
  a.request(ack);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "call; confirmed");
  CHECK(stack.calls().body == answer_sdp);
}

TEST_CASE("Dialog: a BYE of ours waits for the ACK of our 2xx (RFC 3261 section 15)") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  const std::string tag = answer_call(stack, a, false);
  stack.calls().legs.clear();
  stack.run_ms(400);
  CHECK(a.all() == "");
  Peer::Request ack;
  ack.method = "ACK";
  ack.branch = "z9hG4bKack";
  ack.to_tag = tag;
  a.request(ack);
  stack.run_ms(1);
  const auto bye = a.take();
  REQUIRE(bye->what() == "BYE");
  CHECK(bye->message.from.tag == tag);
  CHECK(bye->message.to.tag == "f1");
  CHECK(bye->message.request_uri == "sip:1000@127.0.0.1:7000");
  a.reply(*bye, 200);
  stack.run_ms(1);
  CHECK(stack.dialogs() == 0);
  CHECK(stack.calls().take_log() == "");
}

TEST_CASE("Dialog: both sides may hang up at once") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request bye;
  bye.to_tag = answer_call(stack, a);
  bye.method = "BYE";
  bye.branch = "z9hG4bKbye";
  bye.cseq = 2;
  stack.leg().release(16);
  a.request(bye);
  stack.run_ms(1);
  const auto ours = a.take();
  CHECK(ours->what() == "BYE");
  CHECK(a.all() == "200 BYE");
  a.reply(*ours, 481);
  stack.run_ms(1);
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
  CHECK(stack.calls().take_log() == "");
}

TEST_CASE("Dialog: the caller may end an early dialog by BYE (RFC 3261 section 15)") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  a.request({});
  stack.run_ms(1);
  stack.leg().progress(180, {});
  stack.run_ms(1);
  a.take();
  Peer::Request bye;
  bye.method = "BYE";
  bye.branch = "z9hG4bKbye";
  bye.cseq = 2;
  bye.to_tag = std::string(a.take()->message.to.tag);
  a.request(bye);
  stack.run_ms(1);
  CHECK(a.all() == "200 BYE, 487 INVITE");
  CHECK(stack.calls().take_log() == "call; cancel");
}

TEST_CASE("Dialog: a BYE of the callee whose 2xx was lost ends the attempt") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  const auto invite = b.take();
  b.reply(*invite, 180);
  stack.run_ms(1);
  Peer::Request bye = callee_request(*invite, "BYE", 1);
  bye.from_tag = "b1";
  bye.to_tag = std::string(invite->message.from.tag);
  b.request(bye);
  stack.run_ms(1);
  CHECK(b.all() == "200 BYE, CANCEL");
  CHECK(stack.calls().take_log() == "progress 180; failure 480");
  stack.calls().legs.clear();
  stack.run_ms(70'000);
  CHECK(stack.dialogs() == 0);
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Dialog: a re-INVITE passes both ways (P-25)") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request invite;
  invite.to_tag = answer_call(stack, a);
  invite.branch = "z9hG4bKre";
  invite.cseq = 2;
  invite.body = offer;
  invite.extra = "Subject: x\r\n";
  a.request(invite);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "reinvite");
  CHECK(stack.calls().body == offer);
  CHECK(a.all() == "100 INVITE");
  stack.leg().answer_reoffer(200, answer_body);
  stack.run_ms(600);
  const auto ok = a.take();
  CHECK(ok->what() == "200 INVITE");
  CHECK(ok->message.body == answer_sdp);
  CHECK(a.all() == "200 INVITE");  // repeated until the ACK
  Peer::Request ack = invite;
  ack.method = "ACK";
  ack.branch = "z9hG4bKreack";
  ack.body.clear();
  a.request(ack);
  stack.run_ms(10'000);
  CHECK(a.all() == "");
  CHECK(stack.calls().take_log() == "");

  stack.leg().reoffer({Reoffer::Method::reinvite, offer_body});
  stack.run_ms(1);
  const auto ours = a.take();
  REQUIRE(ours->what() == "INVITE");
  CHECK(ours->message.to.tag == "f1");
  CHECK(ours->message.cseq == 1);
  a.reply(*ours, 200, "", answer_sdp);
  stack.run_ms(1);
  CHECK(a.all() == "ACK");
  CHECK(stack.calls().take_log() == "reoffer 200");
  CHECK(stack.calls().body == answer_sdp);
}

TEST_CASE("Dialog: a re-INVITE without an offer gets one, and the ACK brings the answer") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request invite;
  invite.to_tag = answer_call(stack, a);
  invite.branch = "z9hG4bKre";
  invite.cseq = 2;
  a.request(invite);
  stack.run_ms(1);
  stack.leg().answer_reoffer(200, offer_body);
  Peer::Request ack = invite;
  ack.method = "ACK";
  ack.branch = "z9hG4bKreack";
  ack.body = answer_sdp;
  a.request(ack);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "reinvite; confirmed");
  CHECK(stack.calls().body == answer_sdp);
  a.all();

  stack.leg().reoffer({Reoffer::Method::reinvite, {}});
  stack.run_ms(1);
  const auto ours = a.take();
  a.reply(*ours, 200, "", offer);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "reoffer 200");
  CHECK(a.all() == "");
  stack.leg().acknowledge(answer_body);
  stack.run_ms(1);
  const auto our_ack = a.take();
  CHECK(our_ack->what() == "ACK");
  CHECK(our_ack->message.cseq == ours->message.cseq);
  CHECK(our_ack->message.body == answer_sdp);
}

TEST_CASE("Dialog: re-INVITEs that cross get 491 (RFC 3261 section 14.1)") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request invite;
  invite.to_tag = answer_call(stack, a);
  invite.branch = "z9hG4bKre";
  invite.cseq = 2;
  invite.body = offer;
  stack.leg().reoffer({Reoffer::Method::reinvite, offer_body});
  a.request(invite);
  stack.run_ms(1);
  const auto ours = a.take();
  CHECK(ours->what() == "INVITE");
  CHECK(a.all() == "491 INVITE");
  a.reply(*ours, 491);
  stack.run_ms(1);
  CHECK(a.all() == "ACK");
  CHECK(stack.calls().take_log() == "reoffer 491");

  // While theirs is unanswered ours is refused here, and a second one of theirs with 500.
  Peer::Request ack = invite;
  ack.method = "ACK";
  ack.body.clear();
  a.request(ack);
  invite.cseq = 3;
  invite.branch = "z9hG4bKre3";
  a.request(invite);
  invite.cseq = 4;
  invite.branch = "z9hG4bKre4";
  a.request(invite);
  stack.run_ms(1);
  CHECK(a.take()->what() == "100 INVITE");
  const auto refused = a.take();
  CHECK(refused->what() == "500 INVITE");
  CHECK(refused->count("Retry-After") == 1);
  stack.leg().reoffer({Reoffer::Method::update, offer_body});
  stack.run_ms(5);
  CHECK(stack.calls().take_log() == "reinvite; reoffer 491");
  CHECK(a.all() == "");
}

TEST_CASE("Dialog: UPDATE passes both ways, and without an offer is answered here (RFC 3311)") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  const auto ack = connect_call(stack, b);
  Peer::Request update = callee_request(*ack, "UPDATE", 1);
  b.request(update);
  stack.run_ms(1);
  CHECK(b.all() == "200 UPDATE");
  CHECK(stack.calls().take_log() == "");
  update = callee_request(*ack, "UPDATE", 2);
  update.body = offer;
  b.request(update);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "update");
  stack.leg().answer_reoffer(200, answer_body);
  stack.run_ms(600);
  CHECK(b.all() == "200 UPDATE");
  stack.leg().reoffer({Reoffer::Method::update, offer_body});
  stack.run_ms(1);
  const auto ours = b.take();
  CHECK(ours->what() == "UPDATE");
  b.reply(*ours, 200, "", answer_sdp);
  stack.run_ms(1);
  CHECK(b.all() == "");
  CHECK(stack.calls().take_log() == "reoffer 200");
}

TEST_CASE("Dialog: an UPDATE with an offer before the answer is refused as RFC 3311 says") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request invite;
  invite.body = offer;
  a.request(invite);
  stack.run_ms(1);
  stack.leg().progress(183, answer_body);
  stack.run_ms(1);
  a.take();
  Peer::Request update = invite;
  update.method = "UPDATE";
  update.branch = "z9hG4bKup";
  update.cseq = 2;
  update.to_tag = std::string(a.take()->message.to.tag);
  a.request(update);
  stack.run_ms(1);
  CHECK(a.all() == "500 UPDATE");

  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  const auto out = b.take();
  b.reply(*out, 183);
  stack.run_ms(1);
  Peer::Request theirs = callee_request(*out, "UPDATE", 1);
  theirs.from_tag = "b1";
  theirs.to_tag = std::string(out->message.from.tag);
  theirs.body = offer;
  b.request(theirs);
  stack.run_ms(1);
  CHECK(b.all() == "491 UPDATE");
}

TEST_CASE("Dialog: other requests pass in order, one at a time (P-25)") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request info;
  info.to_tag = answer_call(stack, a);
  info.method = "INFO";
  info.body = "Signal=5\r\n";
  info.content_type = "application/dtmf-relay";
  info.extra = "Info-Package: x\r\nSupported: 100rel\r\n";
  info.cseq = 2;
  info.branch = "z9hG4bKi2";
  a.request(info);
  info.cseq = 3;
  info.branch = "z9hG4bKi3";
  a.request(info);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "request INFO; request INFO");
  CHECK(stack.calls().body == "Signal=5\r\n");
  stack.leg().answer_request(200, {});
  stack.leg().answer_request(415, {});
  stack.run_ms(1);
  auto first = a.take();
  CHECK(first->message.cseq == 2);
  CHECK(first->message.status == 200);
  CHECK(a.take()->message.status == 415);

  DialogRequest request;
  request.method = "NOTIFY";
  request.body = {"text/plain", "x"};
  request.headers = {
      {"Event", "refer"}, {"Via", "SIP/2.0/UDP evil"}, {"X-Bad", "a\r\nEvil: 1"}, {"X-Good", "b"}};
  stack.leg().request(request);
  request.method = "INFO";
  stack.leg().request(request);
  stack.run_ms(1);
  auto notify = a.take();
  CHECK(notify->what() == "NOTIFY");
  CHECK(notify->value("Event") == "refer");
  CHECK(notify->value("X-Good") == "b");
  CHECK(notify->count("X-Bad") == 0);
  CHECK(notify->count("Evil") == 0);
  CHECK(notify->message.via_count == 1);
  CHECK(notify->message.body == "x");
  CHECK(a.all() == "");
  a.reply(*notify, 200);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "result 200");
  CHECK(a.all() == "INFO");
  stack.run_ms(33'000);
  CHECK(stack.calls().take_log() == "result 408");
}

TEST_CASE("Dialog: an answer given at once is for the request that just came (P-25)") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request request;
  request.to_tag = answer_call(stack, a);
  request.method = "INFO";
  request.cseq = 2;
  request.branch = "z9hG4bKi2";
  a.request(request);
  stack.run_ms(1);
  stack.calls().when_told = [](Leg& leg, std::string_view event) {
    if (event == "request REFER") leg.answer_request(603, {});
  };
  request.method = "REFER";
  request.cseq = 3;
  request.branch = "z9hG4bKi3";
  a.request(request);
  stack.run_ms(1);
  CHECK(a.all() == "603 REFER");
  stack.leg().answer_request(200, {});
  stack.run_ms(1);
  CHECK(a.all() == "200 INFO");
}

TEST_CASE(
    "Dialog: a request with a lower CSeq gets 500, one of a stranger 481 (RFC 3261 section "
    "12.2.2)") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request info;
  info.to_tag = answer_call(stack, a);
  info.method = "INFO";
  info.branch = "z9hG4bK5";
  info.cseq = 5;
  a.request(info);
  info.branch = "z9hG4bK4";
  info.cseq = 4;
  a.request(info);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "request INFO");
  CHECK(a.all() == "500 INFO");
  info.cseq = 6;
  info.branch = "z9hG4bK6";
  Peer::Request other = info;
  other.from_tag = "stranger";
  a.request(other);
  other = info;
  other.call_id = "another";
  other.branch = "z9hG4bK7";
  a.request(other);
  other = info;
  other.to_tag = "tffffffffffffffffffffffffff";
  other.branch = "z9hG4bK8";
  a.request(other);
  other.to_tag = "foreign";
  other.branch = "z9hG4bK9";
  other.method = "BYE";
  a.request(other);
  stack.run_ms(1);
  CHECK(a.all() == "481 INFO, 481 INFO, 481 INFO, 481 BYE");
  CHECK(stack.calls().take_log() == "");
}

TEST_CASE("Dialog: BYE answers pending requests with 487") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request r;
  r.to_tag = answer_call(stack, a);
  r.method = "INFO";
  r.branch = "z9hG4bK2";
  r.cseq = 2;
  a.request(r);
  r.method = "INVITE";
  r.branch = "z9hG4bK3";
  r.cseq = 3;
  a.request(r);
  r.method = "BYE";
  r.branch = "z9hG4bK4";
  r.cseq = 4;
  a.request(r);
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE, 200 BYE, 487 INVITE, 487 INFO");
  CHECK(stack.calls().take_log() == "request INFO; reinvite; release");
}

TEST_CASE("Dialog: 481 or silence to a re-INVITE ends the call (RFC 3261 section 12.2.1.2)") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  connect_call(stack, b);
  stack.leg().reoffer({Reoffer::Method::reinvite, offer_body});
  stack.run_ms(1);
  b.reply(*b.take(), 481);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "reoffer 481; release");
  CHECK(b.all() == "ACK, BYE");

  connect_call(stack, b);
  stack.calls().legs.back()->reoffer({Reoffer::Method::reinvite, offer_body});
  stack.run_ms(32'100);
  CHECK(stack.calls().take_log() == "reoffer 408; release");
}

TEST_CASE("Dialog: a re-INVITE of ours that gets only 1xx is cancelled after 64*T1 (P-25)") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  connect_call(stack, b);
  stack.leg().reoffer({Reoffer::Method::reinvite, offer_body});
  stack.run_ms(1);
  const auto invite = b.take();
  b.reply(*invite, 100);
  stack.run_ms(20'000);
  b.reply(*invite, 183);  // it still works on it: the time begins anew
  stack.run_ms(31'900);
  CHECK(b.all() == "");
  stack.run_ms(200);
  const auto cancel = b.take();
  REQUIRE(cancel->what() == "CANCEL");
  CHECK(cancel->message.cseq == invite->message.cseq);
  CHECK(stack.calls().take_log() == "");
  SUBCASE("and its 487 leaves the session as it was") {
    b.reply(*cancel, 200);
    b.reply(*invite, 487);
    stack.run_ms(1);
    CHECK(b.all() == "ACK");
    CHECK(stack.calls().take_log() == "reoffer 487");
  }
  SUBCASE("and a 2xx that crosses the CANCEL is taken") {
    b.reply(*invite, 200, "", answer_sdp);
    b.reply(*cancel, 200);
    stack.run_ms(1);
    CHECK(b.all() == "ACK");
    CHECK(stack.calls().take_log() == "reoffer 200");
  }
  SUBCASE("and counts as cancelled when only the CANCEL is answered (RFC 3261 section 9.1)") {
    b.reply(*cancel, 200);
    stack.run_ms(32'100);
    CHECK(b.all() == "");
    CHECK(stack.calls().take_log() == "reoffer 487");
  }
  SUBCASE("and silence to both ends the call (RFC 3261 section 12.2.1.2)") {
    stack.run_ms(32'100);
    CHECK(stack.calls().take_log() == "reoffer 408; release");
    CHECK(stack.leg().is_over());
    while (!b.inbox.empty()) {
      const auto last = b.take();
      if (last->what() == "BYE") b.reply(*last, 200);
    }
    stack.calls().legs.clear();
    stack.run_ms(33'000);
    CHECK(stack.dialogs() == 0);
    CHECK(stack.transactions() == 0);
    return;
  }
  CHECK_FALSE(stack.leg().is_over());
  stack.leg().reoffer({Reoffer::Method::reinvite, offer_body});
  stack.run_ms(1);
  CHECK(b.all() == "INVITE");
}

TEST_CASE("Dialog: a re-INVITE whose call ended before its first 1xx leaves nothing behind") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  connect_call(stack, b);
  stack.leg().reoffer({Reoffer::Method::reinvite, offer_body});
  stack.leg().release(0);
  stack.calls().legs.clear();
  stack.run_ms(1);
  const auto invite = b.take();
  REQUIRE(invite->what() == "INVITE");
  b.reply(*b.take(), 200);
  b.reply(*invite, 100);
  stack.run_ms(1);
  CHECK(b.all() == "CANCEL");
  stack.run_ms(33'000);
  CHECK(stack.dialogs() == 0);
  CHECK(stack.transactions() == 0);
}

TEST_CASE(
    "Dialog: CANCEL of a re-INVITE is answered 200 and the re-INVITE 487, and the call lives") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request invite;
  invite.to_tag = answer_call(stack, a);
  invite.branch = "z9hG4bKre";
  invite.cseq = 2;
  Peer::Request cancel = invite;
  cancel.method = "CANCEL";
  a.request(invite);
  a.request(cancel);
  a.request(cancel);
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE, 200 CANCEL, 487 INVITE, 200 CANCEL");
  CHECK(stack.calls().take_log() == "reinvite");
  Peer::Request ack = invite;
  ack.method = "ACK";
  a.request(ack);
  stack.run_ms(1);
  // The other side agreed too late: whoever waits for the ACK is told that none will bring an
  // answer.
  stack.leg().answer_reoffer(200, offer_body);
  CHECK(stack.calls().take_log() == "");
  stack.run_ms(600);
  CHECK(stack.calls().take_log() == "confirmed");
  CHECK(stack.calls().body.empty());
  CHECK(a.all() == "");
  CHECK_FALSE(stack.leg().is_over());
  invite.cseq = 3;
  invite.branch = "z9hG4bKre3";
  a.request(invite);
  stack.run_ms(1);
  stack.leg().answer_reoffer(200, offer_body);
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE, 200 INVITE");
  CHECK(stack.calls().take_log() == "reinvite");
}

TEST_CASE(
    "Dialog: a loose route set is followed, in order for the callee and reversed for the caller") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer proxy(stack.network, "127.0.0.1:7100");
  Peer::Request invite;
  invite.extra =
      "Record-Route: <sip:127.0.0.1:7100;lr>, <sip:p2.example.com;lr>\r\nRecord-Route: \"x,y\" "
      "<sip:p3;lr>;q=1\r\n";
  a.request(invite);
  stack.run_ms(1);
  stack.leg().answer(answer_body, {});
  stack.run_ms(1);
  a.take();
  const auto ok = a.take();
  CHECK(ok->count("Record-Route") == 2);
  Peer::Request ack;
  ack.method = "ACK";
  ack.branch = "z9hG4bKa2";
  ack.to_tag = std::string(ok->message.to.tag);
  a.request(ack);
  stack.run_ms(1);
  stack.leg().release(0);
  stack.run_ms(1);
  CHECK(a.all() == "");
  const auto bye = proxy.take();
  REQUIRE(bye->what() == "BYE");
  CHECK(bye->message.request_uri == "sip:1000@127.0.0.1:7000");
  CHECK(bye->count("Route") == 3);
  CHECK(bye->value("Route") == "<sip:127.0.0.1:7100;lr>");

  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  b.reply(*b.take(), 200, "b1", answer_sdp,
          "Record-Route: <sip:far;lr>\r\nRecord-Route: <sip:127.0.0.1:7100;lr>\r\n");
  stack.run_ms(1);
  const auto our_ack = proxy.take();
  REQUIRE(our_ack->what() == "ACK");
  CHECK(our_ack->message.request_uri == "sip:callee@127.0.0.1:6000");
  CHECK(our_ack->value("Route") == "<sip:127.0.0.1:7100;lr>");
}

TEST_CASE("Dialog: a strict router gets the request in its own name (RFC 3261 section 12.2.1.1)") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  Peer proxy(stack.network, "127.0.0.1:7100");
  stack.dial();
  stack.run_ms(1);
  b.reply(*b.take(), 200, "b1", answer_sdp,
          "Record-Route: <sip:far;lr>\r\nRecord-Route: <sip:127.0.0.1:7100>\r\n");
  stack.run_ms(1);
  const auto ack = proxy.take();
  REQUIRE(ack->what() == "ACK");
  CHECK(ack->message.request_uri == "sip:127.0.0.1:7100");
  CHECK(ack->count("Route") == 2);
  CHECK(ack->value("Route") == "<sip:far;lr>");
  CHECK(ack->bytes.find("Route: <sip:callee@127.0.0.1:6000>") != std::string::npos);
}

TEST_CASE(
    "Dialog: requests go to where the call came from, whatever Via and Contact say (P-02, P-03)") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  std::string text = a.text({});
  const std::string here = a.address();
  for (std::size_t at = text.find(here); at != std::string::npos; at = text.find(here, at)) {
    text.replace(at, here.size(), "10.1.2.3:9999");
  }
  a.send(text);
  stack.run_ms(1);
  const auto trying = a.take();
  REQUIRE(trying->what() == "100 INVITE");
  CHECK(trying->message.vias[0].received == "127.0.0.1");
  CHECK(trying->message.vias[0].rport == 7000);
  stack.leg().answer(answer_body, {});
  stack.run_ms(1);
  Peer::Request ack;
  ack.method = "ACK";
  ack.branch = "z9hG4bKa2";
  ack.to_tag = std::string(a.take()->message.to.tag);
  a.request(ack);
  stack.run_ms(1);
  stack.leg().release(0);
  stack.run_ms(1);
  const auto bye = a.take();
  REQUIRE(bye->what() == "BYE");
  CHECK(bye->message.request_uri == "sip:1000@10.1.2.3:9999");
}

TEST_CASE("Dialog: a call passes whatever single datagram is lost") {
  for (std::size_t lost = 0; lost < 12; ++lost) {
    CAPTURE(lost);
    Stack stack;
    Peer a(stack.network, "127.0.0.1:7000");
    Peer b(stack.network, "127.0.0.1:6000");
    // Both ends repeat what the RFC has them repeat.
    std::string to_tag;
    std::vector<std::string> answered;
    Peer::Request invite;
    invite.body = offer;
    Peer::Request ack;
    ack.method = "ACK";
    ack.branch = "z9hG4bKack";
    bool has_answer = false;
    bool is_hung_up = false;
    a.on_message = [&](const Received& r) {
      if (r.what() == "200 INVITE") {
        has_answer = true;
        ack.to_tag = std::string(r.message.to.tag);
        a.request(ack);
      }
      if (r.what() == "200 BYE") is_hung_up = true;
    };
    std::string ok_text;
    bool is_acknowledged = false;
    bool b_is_over = false;
    b.on_message = [&](const Received& r) {
      if (r.what() == "INVITE") {
        ok_text = b.reply_text(r, 200, "b1", answer_sdp);
        b.send(ok_text);
      } else if (r.what() == "ACK") {
        is_acknowledged = true;
      } else if (r.what() == "BYE") {
        b_is_over = true;
        b.reply(r, 200);
      }
    };
    Recorder& calls = stack.calls();
    // A back-to-back user agent in its plainest form.
    calls.when_called = [&](Leg&, const InboundCall&) { stack.dial(); };
    std::string body;
    calls.when_told = [&](Leg& leg, std::string_view event) {
      if (event == "answer") {
        calls.legs[0]->answer(answer_body, {});
      } else if (event == "release") {
        for (auto& other : calls.legs) {
          if (other.get() != &leg) other->release(16);
        }
      }
    };
    stack.network.loses = [lost](std::size_t index, const auto&) { return index == lost; };
    a.request(invite);
    for (int i = 0; i < 20 && !has_answer; ++i) {
      stack.run_ms(500);
      if (!has_answer && a.inbox.empty()) a.request(invite);
      if (!is_acknowledged && !ok_text.empty()) b.send(ok_text);
    }
    CHECK(has_answer);
    for (int i = 0; i < 8; ++i) {
      stack.run_ms(500);
      if (!is_acknowledged) b.send(ok_text);
    }
    CHECK(is_acknowledged);
    Peer::Request bye = ack;
    bye.method = "BYE";
    bye.branch = "z9hG4bKbye";
    bye.cseq = 2;
    for (int i = 0; i < 8 && !is_hung_up; ++i) {
      a.request(bye);
      stack.run_ms(500);
    }
    stack.run_ms(5'000);
    CHECK(is_hung_up);
    CHECK(b_is_over);
    calls.legs.clear();
    stack.run_ms(70'000);
    CHECK(stack.dialogs() == 0);
    CHECK(stack.transactions() == 0);
  }
}
