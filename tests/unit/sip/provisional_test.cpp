// Reliable provisional responses (P-17, RFC 3262), both ways.
#include "sip/provisional.hpp"

#include <doctest/doctest.h>

#include "stack_fixture.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

namespace {

constexpr std::string_view supported = "Supported: 100rel\r\n";

/// A caller and the leg of its call, which is taken with `rel100`.
struct Arrival {
  Stack stack;
  Peer a{stack.network, "127.0.0.1:5070"};
  int refused = 0;
  std::uint32_t cseq = 1;
  std::string to_tag;

  explicit Arrival(ExtensionUse rel100 = ExtensionUse::allow, std::string_view headers = supported,
                   std::string_view body = offer) {
    stack.calls().when_called = [this, rel100](Leg& leg, const InboundCall&) {
      Manners manners;
      manners.rel100 = rel100;
      refused = leg.set_manners(manners);
      if (refused != 0) leg.reject(refused, 0, 0);
    };
    Peer::Request invite;
    invite.extra = headers;
    invite.body = body;
    a.request(invite);
    run();
    if (refused == 0) CHECK(a.all() == "100 INVITE");
    stack.calls().take_log();
  }
  void run(std::int64_t ms = 1) { stack.run_ms(ms); }
  std::unique_ptr<Received> take() {
    auto message = a.take();
    if (to_tag.empty()) to_tag = message->message.to.tag;
    return message;
  }
  /// A request in the early dialog. `extra`: header lines.
  void send(const std::string& method, const std::string& extra, std::string_view body = {}) {
    Peer::Request request;
    request.method = method;
    request.cseq = ++cseq;
    request.branch = "z9hG4bKr" + std::to_string(cseq);
    request.to_tag = to_tag;
    request.extra = extra;
    request.body = body;
    a.request(request);
    run();
  }
  void prack(std::string_view rseq, std::string_view body = {}) {
    send("PRACK", "RAck: " + std::string(rseq) + " 1 INVITE\r\n", body);
  }
  /// Acknowledges what came last. The RSeq.
  std::string acknowledge(std::string_view body = {}) {
    const auto response = take();
    const std::string rseq(response->value("RSeq"));
    prack(rseq, body);
    return rseq;
  }
};

/// A callee and the leg that calls it with `rel100`.
struct Departure {
  Stack stack;
  Peer b{stack.network, "127.0.0.1:6000"};
  std::unique_ptr<Received> invite;

  explicit Departure(ExtensionUse rel100 = ExtensionUse::allow,
                     const SessionBody& body = offer_body) {
    OutboundCall call;
    call.destination = at("127.0.0.1:6000");
    call.callee = "4420";
    call.caller = "1000";
    call.body = body;
    call.manners.rel100 = rel100;
    stack.dial(call);
    run();
    invite = b.take();
  }
  void run(std::int64_t ms = 1) { stack.run_ms(ms); }
  void progress(int status, std::uint32_t rseq, std::string_view body = {},
                std::string_view tag = "b1") {
    b.reply(*invite, status, tag, body,
            "Require: 100rel\r\nRSeq: " + std::to_string(rseq) + "\r\nAllow: UPDATE\r\n");
    run();
  }
};

}  // namespace

TEST_CASE("Provisional: what is acknowledged is read strictly (RFC 3262 section 7.2)") {
  Rack rack;
  REQUIRE(parse_rack(" 776656 \t1\r\n INVITE", rack));
  CHECK(rack.rseq == 776656);
  CHECK(rack.cseq == 1);
  CHECK(rack.method == "INVITE");
  for (const char* bad : {"", "1", "1 2", "1 2 INVITE x", "-1 2 INVITE", "1a 2 INVITE",
                          "4294967296 2 INVITE", "1 INVITE 2", "0x1 2 INVITE"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_rack(bad, rack));
  }
}

TEST_CASE("Provisional: a caller that can take it gets them reliably (P-17)") {
  Arrival arrival;
  arrival.stack.leg().progress(180, {});
  arrival.run();
  const auto ringing = arrival.take();
  CHECK(ringing->what() == "180 INVITE");
  CHECK(ringing->value("Require") == "100rel");
  CHECK(ringing->value("Allow").find("PRACK") != std::string_view::npos);
  CHECK_FALSE(ringing->value("Contact").empty());
  const std::uint32_t rseq = read_rseq(ringing->message);
  CHECK(rseq >= 1);
  CHECK(rseq <= first_rseq_max);
  arrival.prack(std::to_string(rseq));
  CHECK(arrival.a.all() == "200 PRACK");
  CHECK(arrival.stack.calls().take_log() == "acknowledged");
  arrival.run(40'000);
  CHECK(arrival.a.all() == "");
  arrival.stack.leg().progress(183, answer_body);
  arrival.run();
  const auto session = arrival.take();
  CHECK(session->what() == "183 INVITE");
  CHECK(read_rseq(session->message) == rseq + 1);
  arrival.stack.calls().legs.clear();
}

TEST_CASE("Provisional: it is not spoken with who did not ask for it, nor without the option") {
  SUBCASE("the caller cannot") {
    Arrival arrival(ExtensionUse::allow, "");
    arrival.stack.leg().progress(180, {});
    arrival.run(5'000);
    CHECK(arrival.a.inbox.size() == 1);
    CHECK(arrival.take()->value("RSeq").empty());
    CHECK_FALSE(arrival.stack.leg().is_reliable());
    arrival.stack.calls().legs.clear();
  }
  SUBCASE("the option is off") {
    Arrival arrival(ExtensionUse::off);
    arrival.stack.leg().progress(180, {});
    arrival.run(5'000);
    CHECK(arrival.a.inbox.size() == 1);
    CHECK(arrival.take()->value("RSeq").empty());
    arrival.stack.calls().legs.clear();
  }
  SUBCASE("off, and the caller requires it") {
    Arrival arrival(ExtensionUse::off, "Require: 100rel\r\n");
    const auto refusal = arrival.take();
    CHECK(refusal->what() == "420 INVITE");
    CHECK(refusal->value("Unsupported") == "100rel");
  }
  SUBCASE("off, and it requires session timers too") {
    Arrival arrival(ExtensionUse::off, "Require: timer, 100rel\r\n");
    CHECK(arrival.take()->value("Unsupported") == "timer, 100rel");
  }
  SUBCASE("required, and the caller cannot") {
    Arrival arrival(ExtensionUse::require, "");
    const auto refusal = arrival.take();
    CHECK(refusal->what() == "421 INVITE");
    CHECK(refusal->value("Require") == "100rel");
  }
  SUBCASE("only an INVITE may require it") {
    Arrival arrival;
    arrival.stack.leg().progress(180, {});
    arrival.run();
    arrival.acknowledge();
    arrival.a.all();
    arrival.send("UPDATE", "Require: 100rel\r\n");
    CHECK(arrival.a.all() == "420 UPDATE");
    arrival.stack.calls().legs.clear();
  }
}

TEST_CASE("Provisional: one without PRACK is repeated, and ends the call (RFC 3262 section 3)") {
  Arrival arrival;
  arrival.stack.leg().progress(180, {});
  arrival.run(31'900);
  CHECK(schedule(arrival.stack.network, "127.0.0.1:5060", "SIP/2.0 180") ==
        "0 500 1500 3500 7500 15500 31500");
  CHECK(arrival.stack.calls().take_log() == "");
  arrival.a.inbox.clear();
  arrival.run(200);
  const auto refusal = arrival.a.take();
  CHECK(refusal->what() == "504 INVITE");
  CHECK(refusal->value("Reason") == "Q.850;cause=102;text=\"Recovery on timer expiry\"");
  CHECK(arrival.stack.calls().take_log() == "cancel");
  CHECK(arrival.stack.calls().released.is_transport);
  arrival.stack.calls().legs.clear();
  CHECK(arrival.stack.dialogs() == 0);
  arrival.run(65'000);
  CHECK(arrival.stack.transactions() == 0);
}

TEST_CASE("Provisional: a PRACK for something else is refused (RFC 3262 section 3)") {
  Arrival arrival;
  arrival.stack.leg().progress(180, {});
  arrival.run();
  const auto ringing = arrival.take();
  const std::uint32_t rseq = read_rseq(ringing->message);
  const std::string good = std::to_string(rseq);
  arrival.prack(std::to_string(rseq + 1));
  CHECK(arrival.a.all() == "481 PRACK");
  arrival.send("PRACK", "RAck: " + good + " 2 INVITE\r\n");
  CHECK(arrival.a.all() == "481 PRACK");
  arrival.send("PRACK", "RAck: " + good + " 1 UPDATE\r\n");
  CHECK(arrival.a.all() == "481 PRACK");
  arrival.send("PRACK", "RAck: one\r\n");
  CHECK(arrival.a.all() == "400 PRACK");
  arrival.send("PRACK", "");
  CHECK(arrival.a.all() == "400 PRACK");
  CHECK(arrival.stack.calls().take_log() == "");
  arrival.run(500);
  CHECK(arrival.a.all() == "180 INVITE");  // it still waits
  arrival.prack(good);
  CHECK(arrival.a.all() == "200 PRACK");
  arrival.prack(good);  // a new request for what is acknowledged
  CHECK(arrival.a.all() == "481 PRACK");
  CHECK(arrival.stack.calls().take_log() == "acknowledged");
  arrival.stack.calls().legs.clear();
}

TEST_CASE("Provisional: the next one waits for the acknowledgement, and not too many wait") {
  Arrival arrival;
  for (int i = 0; i < 12; ++i)
    arrival.stack.leg().progress(180 + i, {});
  arrival.run();
  CHECK(arrival.stack.counters().provisionals_dropped == 3);
  std::uint32_t last = 0;
  for (int i = 0; i < 9; ++i) {
    CHECK(arrival.a.inbox.size() == 1);
    const auto response = arrival.take();
    CHECK(response->message.status == 180 + i);
    const std::uint32_t rseq = read_rseq(response->message);
    if (i > 0) CHECK(rseq == last + 1);
    last = rseq;
    arrival.prack(std::to_string(rseq));
    CHECK(arrival.a.take()->what() == "200 PRACK");
  }
  CHECK(arrival.a.all() == "");
  arrival.stack.calls().legs.clear();
}

TEST_CASE("Provisional: no 200 before the PRACK of a description (RFC 3262 section 3)") {
  Arrival arrival;
  Leg& leg = arrival.stack.leg();
  leg.progress(183, answer_body);
  arrival.run();
  CHECK(leg.awaits_acknowledgement());
  CHECK(leg.has_early_session());
  leg.answer(answer_body, {});
  arrival.run();
  CHECK(arrival.a.inbox.size() == 1);
  arrival.acknowledge();
  CHECK(arrival.a.all() == "200 PRACK");
  CHECK_FALSE(leg.awaits_acknowledgement());
  SUBCASE("and it does not say the same again") { leg.answer(answer_body, {}); }
  SUBCASE("but what is new") { leg.answer(offer_body, {}); }
  arrival.run();
  const auto answer = arrival.a.take();
  CHECK(answer->what() == "200 INVITE");
  CHECK((answer->message.body.empty() || answer->message.body == offer));
  arrival.stack.calls().legs.clear();
}

TEST_CASE("Provisional: without a description the final response need not wait") {
  Arrival arrival;
  arrival.stack.leg().progress(180, {});
  arrival.stack.leg().progress(183, answer_body);  // waits, and is not sent any more
  arrival.run();
  const auto ringing = arrival.take();
  SUBCASE("200, and a PRACK is welcome still") {
    arrival.stack.leg().answer(answer_body, {});
    arrival.run();
    const auto answer = arrival.a.take();
    CHECK(answer->what() == "200 INVITE");
    CHECK(answer->message.body == answer_sdp);
    arrival.prack(ringing->value("RSeq"));
    CHECK(arrival.a.all() == "200 PRACK");
    arrival.run(600);
    CHECK(arrival.a.all() == "200 INVITE");  // repeated; the 180 is not
  }
  SUBCASE("a refusal") {
    arrival.stack.leg().reject(486, 17, 0);
    arrival.run(600);
    CHECK(arrival.a.all() == "486 INVITE, 486 INVITE");
  }
  SUBCASE("487 to a CANCEL") {
    Peer::Request cancel;
    cancel.method = "CANCEL";
    arrival.a.request(cancel);
    arrival.run(600);
    CHECK(arrival.a.all() == "200 CANCEL, 487 INVITE, 487 INVITE");
    CHECK_FALSE(arrival.stack.calls().released.is_transport);
  }
  arrival.stack.calls().legs.clear();
}

TEST_CASE("Provisional: an offer in a response is answered in the PRACK (RFC 3262 section 5)") {
  Arrival arrival(ExtensionUse::allow, "Require: 100rel\r\n", "");
  Leg& leg = arrival.stack.leg();
  leg.progress(183, offer_body);
  arrival.run();
  const auto response = arrival.take();
  CHECK(response->message.body == offer);
  arrival.prack(response->value("RSeq"));
  CHECK(arrival.a.all() == "400 PRACK");  // the answer is missing
  CHECK(leg.awaits_acknowledgement());
  arrival.prack(response->value("RSeq"), answer_sdp);
  CHECK(arrival.a.all() == "200 PRACK");
  CHECK(arrival.stack.calls().take_log() == "acknowledged");
  CHECK(arrival.stack.calls().body == answer_sdp);
  leg.answer(offer_body, {});
  arrival.run();
  CHECK(arrival.a.take()->message.body.empty());
  Peer::Request ack;
  ack.method = "ACK";
  ack.branch = "z9hG4bKack";
  ack.to_tag = arrival.to_tag;
  arrival.a.request(ack);
  arrival.run();
  CHECK(arrival.stack.calls().take_log() == "confirmed");
  arrival.stack.calls().legs.clear();
}

TEST_CASE("Provisional: an offer in a PRACK is answered, whatever the other side says") {
  Arrival arrival;
  Leg& leg = arrival.stack.leg();
  leg.progress(183, answer_body);
  arrival.run();
  SUBCASE("with its answer") {
    arrival.stack.calls().when_told = [](Leg& told, std::string_view event) {
      if (event == "update") told.answer_reoffer(200, offer_body);
    };
    arrival.acknowledge(offer);
    const auto answer = arrival.a.take();
    CHECK(answer->what() == "200 PRACK");
    CHECK(answer->message.body == offer);
  }
  SUBCASE("or with what was said before") {
    arrival.stack.calls().when_told = [](Leg& told, std::string_view event) {
      if (event == "update") told.answer_reoffer(488, {});
    };
    arrival.acknowledge(offer);
    const auto answer = arrival.a.take();
    CHECK(answer->what() == "200 PRACK");
    CHECK(answer->message.body == answer_sdp);
  }
  CHECK(arrival.stack.calls().take_log() == "update; acknowledged");
  arrival.stack.calls().legs.clear();
}

TEST_CASE("Provisional: a session that is agreed on early is changed by UPDATE (RFC 3311)") {
  Arrival arrival(ExtensionUse::allow, "Supported: 100rel\r\nAllow: INVITE, UPDATE\r\n");
  Leg& leg = arrival.stack.leg();
  leg.progress(183, answer_body);
  arrival.run();
  const auto response = arrival.take();
  arrival.send("UPDATE", "", offer);
  CHECK(arrival.a.all() == "500 UPDATE");  // an offer of its own is not answered yet
  arrival.prack(response->value("RSeq"));
  CHECK(arrival.a.all() == "200 PRACK");
  arrival.stack.calls().take_log();
  arrival.send("UPDATE", "", offer);
  CHECK(arrival.stack.calls().take_log() == "update");
  leg.answer_reoffer(200, answer_body);
  arrival.run();
  CHECK(arrival.a.all() == "200 UPDATE");
  leg.reoffer({Reoffer::Method::update, answer_body});
  arrival.run();
  const auto update = arrival.a.take();
  REQUIRE(update->what() == "UPDATE");
  CHECK(update->message.to.tag == "f1");
  arrival.a.reply(*update, 481, "");
  arrival.run();
  CHECK(arrival.stack.calls().take_log() == "reoffer 481");  // and the call goes on
  CHECK_FALSE(leg.is_over());
  leg.reoffer({Reoffer::Method::update, answer_body});
  arrival.run();
  CHECK(arrival.a.all() == "UPDATE");
  leg.reject(486, 17, 0);
  arrival.run();
  CHECK(arrival.a.all() == "486 INVITE");
  arrival.stack.calls().legs.clear();
  CHECK(arrival.stack.dialogs() == 0);
}

TEST_CASE("Provisional: each reliable response is acknowledged once, in order (P-17)") {
  Departure departure;
  CHECK(departure.invite->value("Supported") == "100rel");
  CHECK(departure.invite->value("Allow").find("PRACK") != std::string_view::npos);
  departure.progress(180, 7000);
  auto prack = departure.b.take();
  REQUIRE(prack->what() == "PRACK");
  CHECK(prack->value("RAck") == "7000 1 INVITE");
  CHECK(prack->message.request_uri == "sip:callee@127.0.0.1:6000");
  CHECK(prack->message.to.tag == "b1");
  CHECK(prack->message.cseq == 2);
  departure.progress(180, 7000);  // a repetition
  departure.progress(183, 7002);  // one is missing
  CHECK(departure.b.all() == "");
  CHECK(departure.stack.calls().take_log() == "progress 180");
  departure.b.reply(*prack, 200);
  departure.progress(183, 7001, answer_sdp);
  prack = departure.b.take();
  CHECK(prack->value("RAck") == "7001 1 INVITE");
  CHECK(prack->message.cseq == 3);
  CHECK(prack->message.body.empty());
  CHECK(departure.stack.calls().take_log() == "progress 183");
  CHECK(departure.stack.leg().has_early_session());
  departure.b.reply(*prack, 481);  // says nothing of the call
  departure.b.reply(*departure.invite, 200, "b1");
  departure.run();
  const auto ack = departure.b.take();
  CHECK(ack->what() == "ACK");
  CHECK(ack->message.cseq == 1);
  departure.stack.leg().release(16);
  departure.run();
  const auto bye = departure.b.take();
  CHECK(bye->what() == "BYE");
  CHECK(bye->message.cseq == 4);
  departure.b.reply(*bye, 200);
  departure.stack.calls().legs.clear();
  departure.run(65'000);
  CHECK(departure.stack.dialogs() == 0);
  CHECK(departure.stack.transactions() == 0);
}

TEST_CASE("Provisional: an unanswered PRACK is repeated like any request") {
  Departure departure;
  departure.progress(180, 1);
  departure.run(3'600);
  CHECK(schedule(departure.stack.network, "127.0.0.1:5060", "PRACK") == "0 500 1500 3500");
  CHECK(departure.stack.calls().take_log() == "progress 180");
  departure.run(40'000);
  CHECK_FALSE(departure.stack.leg().is_over());
  departure.stack.calls().legs.clear();
}

TEST_CASE("Provisional: what is required is said, and what was not asked for is not acknowledged") {
  SUBCASE("required") {
    Departure departure(ExtensionUse::require);
    CHECK(departure.invite->value("Require") == "100rel");
    departure.b.reply(*departure.invite, 180);  // all the same: who can ring can be heard
    departure.run();
    CHECK(departure.stack.calls().take_log() == "progress 180");
    CHECK(departure.b.all() == "");
    departure.stack.calls().legs.clear();
  }
  SUBCASE("off") {
    Departure departure(ExtensionUse::off);
    CHECK(departure.invite->value("Supported").empty());
    departure.progress(180, 1);
    CHECK(departure.b.all() == "");
    CHECK(departure.stack.calls().take_log() == "progress 180");
    departure.stack.calls().legs.clear();
  }
}

TEST_CASE("Provisional: branches of a fork count for themselves (RFC 3262 section 4)") {
  Departure departure;
  departure.progress(180, 10, {}, "left");
  departure.progress(180, 500, {}, "right");
  departure.progress(183, 11, {}, "left");
  std::string acknowledged;
  for (int i = 0; i < 3; ++i) {
    const auto prack = departure.b.take();
    acknowledged += std::string(prack->message.to.tag) + " " + std::string(prack->value("RAck")) +
                    " " + std::to_string(prack->message.cseq) + ", ";
  }
  CHECK(acknowledged == "left 10 1 INVITE 2, right 500 1 INVITE 3, left 11 1 INVITE 4, ");
  departure.b.reply(*departure.invite, 200, "right", answer_sdp);
  departure.b.reply(*departure.invite, 200, "left", answer_sdp);
  departure.run();
  CHECK(departure.b.take()->what() == "ACK");
  CHECK(departure.b.take()->what() == "ACK");
  const auto bye = departure.b.take();
  REQUIRE(bye->what() == "BYE");
  CHECK(bye->message.to.tag == "left");
  CHECK(bye->message.cseq == 5);  // behind its PRACKs
  departure.stack.calls().legs.clear();
}

TEST_CASE("Provisional: branches beyond a bound are left to themselves") {
  Departure departure;
  for (int i = 0; i < 12; ++i)
    departure.progress(180, 1, {}, "tag" + std::to_string(i));
  CHECK(departure.b.inbox.size() == 8);
  departure.stack.calls().legs.clear();
}

TEST_CASE("Provisional: the offer of a callee waits for the answer of the caller (P-17)") {
  Departure departure(ExtensionUse::allow, {});
  departure.progress(183, 1, answer_sdp);
  CHECK(departure.stack.calls().take_log() == "progress 183");
  departure.progress(183, 1, answer_sdp);
  departure.progress(180, 2);
  departure.progress(183, 9, answer_sdp, "other");  // another branch's, which nobody answers
  CHECK(departure.b.all() == "");
  departure.stack.leg().answer_progress(offer_body);
  departure.stack.leg().answer_progress(offer_body);
  departure.run();
  const auto prack = departure.b.take();
  REQUIRE(prack->what() == "PRACK");
  CHECK(prack->message.body == offer);
  CHECK(prack->value("RAck") == "1 1 INVITE");
  CHECK(departure.b.all() == "");
  departure.b.reply(*prack, 200);
  departure.b.reply(*departure.invite, 200, "b1");
  departure.run();
  const auto ack = departure.b.take();
  CHECK(ack->what() == "ACK");  // at once: nothing is open
  CHECK(ack->message.body.empty());
  departure.stack.calls().legs.clear();
}

TEST_CASE("Provisional: a PRACK that is challenged brings credentials") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  OutboundCall call;
  call.destination = at("127.0.0.1:6000");
  call.callee = "4420";
  call.caller = "1000";
  call.body = offer_body;
  call.auth_username = "user";
  call.auth_password = "secret";
  call.manners.rel100 = ExtensionUse::allow;
  stack.dial(call);
  stack.run_ms(1);
  const auto invite = b.take();
  b.reply(*invite, 180, "b1", {}, "Require: 100rel\r\nRSeq: 5\r\n");
  stack.run_ms(1);
  const auto first = b.take();
  b.reply(*first, 401, "", {}, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n");
  stack.run_ms(1);
  const auto second = b.take();
  REQUIRE(second->what() == "PRACK");
  CHECK(second->value("RAck") == "5 1 INVITE");
  CHECK_FALSE(second->value("Authorization").empty());
  stack.calls().legs.clear();  // and nothing is left that would speak to a dialog that is gone
  b.reply(*second, 200);
  b.reply(*invite, 487);
  stack.run_ms(65'000);
  CHECK(stack.dialogs() == 0);
  CHECK(stack.transactions() == 0);
}
