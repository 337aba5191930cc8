// Legs as the call room sees them: before and until the answer.
#include <doctest/doctest.h>

#include "sip/digest.hpp"
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
  CHECK(bye->value("Reason") == "Q.850;cause=16;text=\"Normal call clearing\"");
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

TEST_CASE("Leg: a refused call gets no 100 first, and a dropped one gets nothing at all") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  stack.calls().when_called = [](Leg& leg, const InboundCall&) { leg.reject(403, 21, 0); };
  a.request({});
  stack.run_ms(1);
  CHECK(a.all() == "403 INVITE");
  stack.calls().when_called = [](Leg& leg, const InboundCall&) { leg.drop(); };
  Peer::Request second;
  second.call_id = "c2";
  second.branch = "z9hG4bKd";
  a.request(second);
  a.request(second);
  stack.run_ms(1'000);
  stack.calls().legs.clear();
  a.request(second);
  stack.run_ms(1'000);
  CHECK(a.inbox.size() == 2);  // the 403 again, unacknowledged
  CHECK(stack.calls().take_log() == "call; call");
  stack.run_ms(33'000);
  CHECK(stack.transactions() == 0);
  CHECK(stack.dialogs() == 0);
}

TEST_CASE("Leg: a leg that is let go is ended in every state") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer b(stack.network, "127.0.0.1:6000");
  SUBCASE("inbound, unanswered: 500") {
    a.request({});
    stack.run_ms(1);
    stack.calls().legs.clear();
    stack.run_ms(1);
    CHECK(a.all() == "100 INVITE, 500 INVITE");
  }
  SUBCASE("inbound, let go on arrival: 500") {
    stack.calls().when_called = [&](Leg&, const InboundCall&) { stack.calls().legs.clear(); };
    a.request({});
    stack.run_ms(1);
    CHECK(a.all() == "500 INVITE");
  }
  SUBCASE("inbound, confirmed: BYE") {
    answer_call(stack, a);
    stack.calls().legs.clear();
    stack.run_ms(1);
    CHECK(a.all() == "BYE");
  }
  SUBCASE("outbound, nothing came: CANCEL once something does") {
    stack.dial();
    stack.run_ms(1);
    stack.calls().legs.clear();
    const auto invite = b.take();
    b.reply(*invite, 180);
    stack.run_ms(1);
    CHECK(b.all() == "CANCEL");
    b.reply(*invite, 487);
    stack.run_ms(1);
  }
  SUBCASE("outbound, ringing: CANCEL") {
    stack.dial();
    stack.run_ms(1);
    const auto invite = b.take();
    b.reply(*invite, 180);
    stack.run_ms(1);
    stack.calls().legs.clear();
    stack.run_ms(1);
    CHECK(b.all() == "CANCEL");
  }
  SUBCASE("outbound, confirmed: BYE") {
    connect_call(stack, b);
    stack.calls().legs.clear();
    stack.run_ms(1);
    CHECK(b.all() == "BYE");
  }
  SUBCASE("outbound, with a re-INVITE on its way") {
    connect_call(stack, b);
    stack.leg().reoffer({Reoffer::Method::reinvite, offer_body});
    stack.run_ms(1);
    b.reply(*b.take(), 100);
    stack.run_ms(1);
    stack.calls().legs.clear();
    stack.run_ms(1);
    CHECK(b.all() == "CANCEL, BYE");
  }
  stack.calls().take_log();
  stack.run_ms(140'000);
  CHECK(stack.calls().take_log() == "");
  CHECK(stack.dialogs() == 0);
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Leg: a leg may be destroyed from its own event") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.calls().when_told = [&](Leg&, std::string_view) { stack.calls().legs.clear(); };
  stack.dial();
  stack.run_ms(1);
  const auto invite = b.take();
  b.reply(*invite, 200, "b1", answer_sdp);
  stack.run_ms(1);
  CHECK(b.all() == "ACK, BYE");
  stack.run_ms(40'000);
  CHECK(stack.dialogs() == 0);
}

TEST_CASE("Leg: digest credentials are asked for and checked (P-04)") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  const Credentials credentials{"alice", "secret", "tandem"};
  AuthResult result = AuthResult::failed;
  stack.calls().when_called = [&](Leg& leg, const InboundCall&) {
    result = leg.authenticate(credentials);
  };
  a.request({});
  stack.run_ms(1);
  CHECK(result == AuthResult::challenged);
  CHECK(stack.leg().is_over());
  const auto challenge = a.take();
  REQUIRE(challenge->what() == "401 INVITE");
  CHECK(challenge->count("WWW-Authenticate") == 2);
  CHECK(a.all() == "");
  Peer::Request ack;
  ack.method = "ACK";
  ack.to_tag = std::string(challenge->message.to.tag);
  a.request(ack);

  SeededRandom random(1);
  for (const std::string_view password : {"secret", "wrong"}) {
    const auto answer = answer_challenge(challenge->value("WWW-Authenticate"), "alice", password,
                                         "INVITE", "sip:4420@127.0.0.1:5060", 1, random);
    REQUIRE(answer.ok());
    Peer::Request again;
    again.branch = "z9hG4bK" + std::string(password);
    again.cseq = password == "secret" ? 2 : 3;
    again.extra =
        "Authorization: Digest realm=\"other\", username=\"x\", nonce=\"x\", uri=\"x\", "
        "response=\"x\"\r\n";
    again.extra += "Authorization: " + answer->value + "\r\n";
    a.request(again);
    stack.run_ms(1);
    CHECK(result == (password == "secret" ? AuthResult::verified : AuthResult::failed));
    CHECK(a.all() == "100 INVITE");
  }
  CHECK(stack.calls().take_log() == "call; call; call");
}

TEST_CASE("Leg: stale nonces are answered so often and for so long, and no further (P-04)") {
  const std::string fresh = "WWW-Authenticate: Digest realm=\"v\", nonce=\"n1\"\r\n";
  const std::string stale = "WWW-Authenticate: Digest realm=\"v\", nonce=\"n2\", stale=true\r\n";
  for (const bool is_slow : {false, true}) {
    CAPTURE(is_slow);
    Stack stack;
    Peer b(stack.network, "127.0.0.1:6000");
    OutboundCall call;
    call.destination = at("127.0.0.1:6000");
    call.callee = "4420";
    call.caller = "1000";
    call.auth_username = "user";
    call.auth_password = "secret";
    call.body = offer_body;
    call.manners.auth_rounds = 4;
    call.manners.auth_time_us = 1'000'000;
    stack.dial(call);
    int invites = 0;
    for (int i = 0; i < 20; ++i) {
      stack.run_ms(1);
      const auto message = b.take();
      if (message->what() != "INVITE") continue;
      if (is_slow) stack.run_ms(400);
      b.reply(*message, 401, "b" + std::to_string(i), {}, invites++ == 0 ? fresh : stale);
    }
    // The first one at 400 ms begins the time; those at 800 and 1,200 ms are answered.
    CHECK(invites == (is_slow ? 4 : 5));
    CHECK(stack.calls().take_log() == "failure 401");
  }
}

TEST_CASE("Leg: a vendor's challenge is answered once") {
  for (const int status : {401, 407}) {
    CAPTURE(status);
    Stack stack;
    Peer b(stack.network, "127.0.0.1:6000");
    OutboundCall call;
    call.destination = at("127.0.0.1:6000");
    call.callee = "4420";
    call.caller = "1000";
    call.auth_username = "user";
    call.auth_password = "secret";
    call.body = offer_body;
    call.headers = {{"X-Pass", "1"}};
    call.max_forwards = 12;
    stack.dial(call);
    stack.run_ms(1);
    const auto first = b.take();
    CHECK(first->value("Max-Forwards") == "12");
    const std::string header = std::string(status == 401 ? "WWW" : "Proxy") +
                               "-Authenticate: Digest realm=\"v\", nonce=\"n1\", qop=\"auth\"\r\n";
    b.reply(*first, status, "b0", {}, header);
    stack.run_ms(1);
    CHECK(b.take()->what() == "ACK");
    const auto second = b.take();
    REQUIRE(second->what() == "INVITE");
    const std::string_view name = status == 401 ? "Authorization" : "Proxy-Authorization";
    CHECK(second->value(name).find("username=\"user\"") != std::string_view::npos);
    CHECK(second->message.cseq == 2);
    CHECK(second->message.call_id == first->message.call_id);
    CHECK(second->message.from.tag == first->message.from.tag);
    CHECK(second->message.vias[0].branch != first->message.vias[0].branch);
    CHECK(second->message.body == offer);
    CHECK(second->value("X-Pass") == "1");
    CHECK(second->value("Max-Forwards") == "12");
    SUBCASE("accepted") {
      b.reply(*second, 200, "b1", answer_sdp);
      stack.run_ms(1);
      const auto ack = b.take();
      CHECK(ack->what() == "ACK");
      CHECK(ack->value(name) == second->value(name));
      CHECK(stack.calls().take_log() == "answer");
      stack.leg().release(0);
      stack.run_ms(1);
      const auto bye = b.take();
      b.reply(*bye, status, "", {}, header);
      stack.run_ms(1);
      const auto authorised = b.take();
      CHECK(authorised->what() == "BYE");
      CHECK(authorised->count(name) == 1);
    }
    SUBCASE("refused again") {
      b.reply(*second, status, "b1", {}, header);
      stack.run_ms(1);
      CHECK(b.all() == "ACK");
      CHECK(stack.calls().take_log() == "failure " + std::to_string(status));
    }
  }
}

TEST_CASE("Leg: topology of one side does not show on the other") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer b(stack.network, "127.0.0.1:6000");
  stack.calls().when_called = [&](Leg&, const InboundCall& in) {
    OutboundCall out;
    out.destination = at("127.0.0.1:6000");
    out.callee = in.request_user;
    out.caller = in.from_user;
    out.headers = in.headers;
    out.body = in.body;
    out.max_forwards = in.max_forwards - 1;
    stack.dial(out);
  };
  Peer::Request invite;
  invite.call_id = "secret-call@10.9.9.9";
  invite.from_tag = "secret-tag";
  invite.body = offer;
  invite.extra =
      "P-Asserted-Identity: <sip:1@x>\r\nX-Fold: a\r\n b\r\nSupported: 100rel\r\nUser-Agent: "
      "secret-phone\r\n"
      "Record-Route: <sip:10.9.9.9;lr>\r\nDiversion: <sip:2@x>\r\nSession-Expires: 600\r\n";
  a.request(invite);
  stack.run_ms(1);
  const auto out = b.take();
  REQUIRE(out->what() == "INVITE");
  CHECK(out->bytes.find("secret") == std::string::npos);
  CHECK(out->bytes.find("7000") == std::string::npos);
  CHECK(out->bytes.find("10.9.9.9") == std::string::npos);
  CHECK(out->value("P-Asserted-Identity") == "<sip:1@x>");
  CHECK(out->value("Diversion") == "<sip:2@x>");
  CHECK(out->value("X-Fold") == "a b");
  CHECK(out->count("Session-Expires") == 0);
  CHECK(out->count("Supported") == 0);
  CHECK(out->value("Max-Forwards") == "69");
  CHECK(out->value("Contact") == "<sip:1000@127.0.0.1:5060>");
}

TEST_CASE("Leg: numbers and names with special characters are escaped and read back") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  OutboundCall call;
  call.destination = at("127.0.0.1:6000");
  call.callee = "+44#20*1@x";
  call.caller = "a b";
  call.caller_display = "Quote \" and \\";
  stack.dial(call);
  stack.run_ms(1);
  const auto invite = b.take();
  CHECK(invite->message.request_uri == "sip:+44%2320*1%40x@127.0.0.1:6000");
  CHECK(invite->message.from.uri == "sip:a%20b@127.0.0.1");
  CHECK(invite->message.from.value.substr(0, 22) == "\"Quote \\\" and \\\\\" <sip");
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request in;
  in.uri = "sip:+44%2320;phone-context=x@127.0.0.1:5060";
  a.request(in);
  stack.run_ms(1);
  CHECK(stack.calls().request_user == "+44#20");
  in.uri = "tel:+4420;isub=1";
  in.branch = "z9hG4bKtel";
  in.call_id = "tel";
  a.request(in);
  stack.run_ms(1);
  CHECK(stack.calls().request_user == "+4420");
}

TEST_CASE("Leg: without a fitting listen address an attempt fails by its event, not by its call") {
  Stack stack;
  OutboundCall call;
  call.destination = at("[2001:db8::1]:5060");
  call.callee = "1";
  stack.dial(call);
  CHECK(stack.calls().take_log() == "");
  stack.run_ms(5);
  CHECK(stack.calls().take_log() == "failure 503 transport");
  stack.dial(call);
  stack.calls().legs.clear();
  stack.run_ms(5);
  CHECK(stack.calls().take_log() == "");
  CHECK(stack.dialogs() == 0);
}
