// The machines of RFC 3261 section 17 and RFC 6026, timer by timer, on the wire.
#include <doctest/doctest.h>

#include "sip/token.hpp"
#include "stack_fixture.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

TEST_CASE(
    "Transaction: an INVITE without answer is repeated by timer A and ends by timer B with 408 "
    "(P-20)") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(31'990);
  CHECK(stack.calls().take_log() == "");
  stack.run_ms(20);
  CHECK(stack.calls().take_log() == "failure 408 local");
  stack.run_ms(60'000);
  CHECK(schedule(stack.network, "127.0.0.1:5060", "INVITE") == "0 500 1500 3500 7500 15500 31500");
  CHECK(stack.counters().retransmissions == 6);
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Transaction: timers follow T1 and T2 where others are wanted (P-20)") {
  StackConfig config;
  config.t1_us = 100'000;
  config.t2_us = 400'000;
  Stack stack(1, config);
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(6'390);
  CHECK(stack.calls().take_log() == "");
  stack.run_ms(20);
  CHECK(stack.calls().take_log() == "failure 408 local");
  CHECK(schedule(stack.network, "127.0.0.1:5060", "INVITE") == "0 100 300 700 1500 3100 6300");
}

TEST_CASE(
    "Transaction: a schedule of its own says when a request is repeated and given up (P-20)") {
  StackConfig config;
  config.resend_us = {300'000, 300'000, 1'000'000, 2'000'000};
  Stack stack(1, config);
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(3'590);
  CHECK(stack.calls().take_log() == "");
  stack.run_ms(20);
  CHECK(stack.calls().take_log() == "failure 408 local");
  stack.run_ms(60'000);
  CHECK(schedule(stack.network, "127.0.0.1:5060", "INVITE") == "0 300 600 1600");
  CHECK(stack.counters().retransmissions == 3);
  stack.calls().legs.clear();  // A BYE too.
  b.inbox.clear();
  connect_call(stack, b);
  stack.leg().release(0);
  stack.run_ms(10'000);
  CHECK(schedule(stack.network, "127.0.0.1:5060", "BYE") == "0 300 600 1600");
  // On TCP nothing is repeated, and a peer has as long to answer.
  stack.calls().legs.clear();
  stack.calls().take_log();
  stack.network.ignores_connect = [](const SocketAddress&) { return true; };
  stack.dial("127.0.0.1:6001", offer_body, "tcp");
  stack.run_ms(3'590);
  CHECK(stack.calls().take_log() == "");
  stack.run_ms(20);
  CHECK(stack.calls().take_log() == "failure 408 local");
  for (const std::vector<std::int64_t>& wrong :
       {std::vector<std::int64_t>{0}, std::vector<std::int64_t>(21, 1'000)}) {
    config.resend_us = wrong;
    CHECK(Stack(1, config).group == nullptr);
  }
}

TEST_CASE(
    "Transaction: a provisional response ends timer A, and the user decides how long to wait "
    "(P-19)") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(600);
  b.reply(*b.take(), 100);
  stack.run_ms(300'000);
  CHECK(schedule(stack.network, "127.0.0.1:5060", "INVITE") == "0 500");
  CHECK(stack.calls().take_log() == "progress 100");
}

TEST_CASE("Transaction: a failure is acknowledged again for every repetition until timer D ends") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  const auto invite = b.take();
  b.reply(*invite, 486, "b1", {}, "Reason: Q.850;cause=17\r\n");
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "failure 486");
  CHECK(stack.calls().failure.q850_cause == 17);
  const auto ack = b.take();
  REQUIRE(ack->what() == "ACK");
  CHECK(ack->message.request_uri == invite->message.request_uri);
  CHECK(ack->message.vias[0].branch == invite->message.vias[0].branch);
  CHECK(ack->message.to.tag == "b1");
  CHECK(ack->message.cseq == invite->message.cseq);
  CHECK(ack->message.body.empty());
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
  stack.run_ms(31'000);
  b.reply(*invite, 486);
  stack.run_ms(1);
  CHECK(b.all() == "ACK");
  CHECK(stack.transactions() == 1);
  stack.run_ms(1'100);
  CHECK(stack.transactions() == 0);
  b.reply(*invite, 486);
  stack.run_ms(1);
  CHECK(b.all() == "");
  CHECK(stack.counters().strays_dropped == 1);
  CHECK(stack.calls().take_log() == "");
}

TEST_CASE(
    "Transaction: a BYE without answer is repeated by timer E and given up by timer F (P-23)") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  connect_call(stack, b);
  stack.leg().release(0);
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 1);
  stack.run_ms(31'990);
  CHECK(stack.dialogs() == 1);
  stack.run_ms(20);
  CHECK(stack.dialogs() == 0);
  CHECK(schedule(stack.network, "127.0.0.1:5060", "BYE") ==
        "0 500 1500 3500 7500 11500 15500 19500 23500 27500 31500");
  stack.run_ms(1'000);
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Transaction: after a provisional response timer E is T2") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  connect_call(stack, b);
  stack.leg().release(0);
  stack.run_ms(1);
  b.reply(*b.take(), 100);
  stack.run_ms(40'000);
  CHECK(schedule(stack.network, "127.0.0.1:5060", "BYE") ==
        "0 500 4500 8500 12500 16500 20500 24500 28500");
}

TEST_CASE("Transaction: repeated final responses of a BYE are absorbed until timer K ends") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  connect_call(stack, b);
  stack.run_ms(33'000);  // the INVITE is over
  stack.leg().release(0);
  stack.run_ms(1);
  const auto bye = b.take();
  b.reply(*bye, 200);
  stack.run_ms(1);
  b.reply(*bye, 200);
  stack.run_ms(4'900);
  CHECK(stack.transactions() == 1);
  CHECK(stack.counters().strays_dropped == 0);
  stack.run_ms(200);
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Transaction: a failure of ours is repeated by timer G until timer H ends") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  stack.calls().when_called = [](Leg& leg, const InboundCall&) { leg.reject(486, 17, 5); };
  a.request({});
  stack.run_ms(1);
  const auto busy = a.take();
  REQUIRE(busy->what() == "486 INVITE");
  CHECK(busy->value("Reason") == "Q.850;cause=17;text=\"User busy\"");
  CHECK(busy->value("Retry-After") == "5");
  stack.run_ms(31'900);
  CHECK(stack.transactions() == 1);
  stack.run_ms(200);
  CHECK(stack.transactions() == 0);
  CHECK(schedule(stack.network, "127.0.0.1:5060", "SIP/2.0 486") ==
        "0 500 1500 3500 7500 11500 15500 19500 23500 27500 31500");
  CHECK(schedule(stack.network, "127.0.0.1:5060", "SIP/2.0 100") == "");
}

TEST_CASE("Transaction: the ACK of a failure ends timer G, and timer I absorbs what follows") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  stack.calls().when_called = [](Leg& leg, const InboundCall&) { leg.reject(486, 0, 0); };
  a.request({});
  stack.run_ms(1);
  Peer::Request ack;
  ack.method = "ACK";
  ack.to_tag = std::string(a.take()->message.to.tag);
  a.request(ack);
  stack.run_ms(1);
  a.request(ack);
  a.request({});  // an INVITE that was long on its way
  stack.run_ms(4'900);
  CHECK(a.all() == "");
  CHECK(stack.transactions() == 1);
  CHECK(stack.calls().take_log() == "call");
  stack.run_ms(200);
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Transaction: a repeated BYE gets the stored answer until timer J ends") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request bye;
  bye.to_tag = answer_call(stack, a);
  bye.method = "BYE";
  bye.branch = "z9hG4bKbye";
  bye.cseq = 2;
  a.request(bye);
  stack.run_ms(31'000);
  a.request(bye);
  stack.run_ms(1);
  CHECK(a.all() == "200 BYE, 200 BYE");
  CHECK(stack.calls().take_log() == "release");
  stack.calls().legs.clear();
  stack.run_ms(1'500);
  a.request(bye);
  stack.run_ms(1);
  CHECK(a.all() == "481 BYE");
}

TEST_CASE(
    "Transaction: a repeated INVITE gets the last provisional response, and nothing once it was "
    "answered") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  a.request({});
  a.request({});
  stack.run_ms(1);
  CHECK(a.all() == "100 INVITE, 100 INVITE");
  stack.leg().progress(180, {});
  a.request({});
  stack.run_ms(1);
  CHECK(a.all() == "180 INVITE, 180 INVITE");
  stack.leg().answer(answer_body, {});
  a.request({});
  stack.run_ms(1);
  CHECK(a.all() == "200 INVITE");
  CHECK(stack.calls().take_log() == "call");
}

TEST_CASE("Transaction: a 2xx is repeated until its ACK, up to T2 apart") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  const std::string tag = answer_call(stack, a, false);
  stack.run_ms(8'000);
  CHECK(schedule(stack.network, "127.0.0.1:5060", "SIP/2.0 200") == "0 500 1500 3500 7500");
  Peer::Request ack;
  ack.method = "ACK";
  ack.to_tag = tag;
  ack.branch = "z9hG4bKlate";
  a.request(ack);
  stack.run_ms(20'000);
  CHECK(schedule(stack.network, "127.0.0.1:5060", "SIP/2.0 200") == "0 500 1500 3500 7500");
  CHECK(stack.calls().take_log() == "confirmed");
  a.request({});  // timer L: still absorbed
  a.request(ack);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "");
}

TEST_CASE(
    "Transaction: without ACK a call is ended by BYE after 64*T1 (RFC 3261 section 13.3.1.4)") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  answer_call(stack, a, false);
  stack.run_ms(32'100);
  CHECK(schedule(stack.network, "127.0.0.1:5060", "SIP/2.0 200") ==
        "0 500 1500 3500 7500 11500 15500 19500 23500 27500 31500");
  CHECK(stack.calls().take_log() == "lost");
  std::unique_ptr<Received> last;
  while (!a.inbox.empty())
    last = a.take();
  REQUIRE(last != nullptr);
  CHECK(last->what() == "BYE");
  a.reply(*last, 200);
  stack.run_ms(1);
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
}

TEST_CASE("Transaction: every repetition of a 2xx is acknowledged again until timer M ends") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  const auto invite = b.take();
  b.reply(*invite, 200, "b1", answer_sdp);
  stack.run_ms(500);
  b.reply(*invite, 200, "b1", answer_sdp);
  stack.run_ms(1);
  const auto first = b.take();
  const auto second = b.take();
  CHECK(first->what() == "ACK");
  CHECK(first->bytes == second->bytes);
  CHECK(stack.calls().take_log() == "answer");
  // The ACK needs no dialog any more.
  stack.leg().release(0);
  stack.run_ms(1);
  b.reply(*b.take(), 200);
  stack.calls().legs.clear();
  stack.run_ms(1);
  CHECK(stack.dialogs() == 0);
  b.reply(*invite, 200, "b1", answer_sdp);
  stack.run_ms(1);
  CHECK(b.all() == "ACK");
  stack.run_ms(32'000);
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Transaction: a request inside a dialog that nobody answers gets 500 after 64*T1") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request info;
  info.to_tag = answer_call(stack, a);
  info.method = "INFO";
  info.branch = "z9hG4bKinfo";
  info.cseq = 2;
  a.request(info);
  stack.run_ms(31'000);
  CHECK(stack.calls().take_log() == "request INFO");
  CHECK(a.all() == "");
  stack.run_ms(1'500);
  CHECK(a.all() == "500 INFO");
  stack.leg().answer_request(200, {});
  stack.run_ms(1);
  CHECK(a.all() == "");
}

TEST_CASE(
    "Transaction: requests without the branch cookie of RFC 3261 are matched by RFC 2543's rules") {
  Stack stack;
  Peer a(stack.network, "127.0.0.1:7000");
  Peer::Request invite;
  invite.branch = "1";
  a.request(invite);
  a.request(invite);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "call");
  CHECK(a.all() == "100 INVITE, 100 INVITE");
  Peer::Request cancel = invite;
  cancel.method = "CANCEL";
  a.request(cancel);
  stack.run_ms(1);
  CHECK(stack.calls().take_log() == "cancel");
}

TEST_CASE(
    "Transaction: an unreachable peer fails its unanswered requests at once (RFC 3261 section "
    "8.1.3.1)") {
  Stack stack;
  stack.network.answers_unreachable = true;
  stack.dial();
  stack.run_ms(5);
  CHECK(stack.calls().take_log() == "failure 503 transport");
  stack.calls().legs.clear();
  CHECK(stack.dialogs() == 0);
  CHECK(stack.transactions() == 0);
}

TEST_CASE("Transaction: responses that do not fit their request are dropped and counted") {
  Stack stack;
  Peer b(stack.network, "127.0.0.1:6000");
  stack.dial();
  stack.run_ms(1);
  const auto invite = b.take();
  const auto altered = [&](std::string_view what, std::string_view with) {
    std::string text = b.reply_text(*invite, 200, "b1", answer_sdp);
    text.replace(text.find(what), what.size(), with);
    b.send(text);
  };
  altered(std::string(invite->message.call_id), "elsewhere");
  altered(std::string(invite->message.from.tag), "forged");
  altered("CSeq: 1 ", "CSeq: 2 ");
  const std::string branch(invite->message.vias[0].branch);
  altered(branch, branch.substr(0, branch.size() - 1) + (branch.back() == '0' ? "1" : "0"));
  altered(branch, "z9hG4bKnotours");
  altered("Via: ", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nVia: ");
  stack.run_ms(1);
  CHECK(stack.counters().strays_dropped == 6);
  CHECK(stack.calls().take_log() == "");
  CHECK(b.all() == "");
}

TEST_CASE("Token: text and number are the same thing, and nothing else is a token") {
  const Token token{63, 0x00abcdef, 0x0123456789abcdefULL};
  const Token::Text text = token.text();
  Token read;
  REQUIRE(Token::parse(sip::view(text), read));
  CHECK(read.worker == 63);
  CHECK(read.slot == token.slot);
  CHECK(read.random == token.random);
  REQUIRE(parse_branch(branch_text(token).view(), read));
  CHECK(read.random == token.random);
  std::string broken(sip::view(text));
  for (std::size_t i = 0; i < broken.size(); ++i) {
    std::string other = broken;
    other[i] = 'G';
    CHECK_FALSE(Token::parse(other, read));
  }
  CHECK_FALSE(Token::parse(broken.substr(1), read));
  CHECK_FALSE(Token::parse(broken + "0", read));
  CHECK_FALSE(Token::parse("", read));
}

TEST_CASE("KeyedHash: pieces are not run together, and the key decides") {
  const KeyedHash::Key key{1, 2};
  CHECK(KeyedHash(key).add("a").add("bc").value() != KeyedHash(key).add("ab").add("c").value());
  CHECK(KeyedHash(key).add("abc").value() != KeyedHash({1, 3}).add("abc").value());
  CHECK(KeyedHash(key).add("abcdefgh").value() != KeyedHash(key).add("abcdefgh").add("").value());
  CHECK(KeyedHash(key).add("abc").value() == KeyedHash(key).add("abc").value());
}
