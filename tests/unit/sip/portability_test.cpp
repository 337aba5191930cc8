// Number portability on the wire (RFC 4694), and asking a redirect server for it.
#include "sip/portability.hpp"

#include <doctest/doctest.h>

#include "unit/sip/stack_fixture.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

TEST_CASE("Portability: rn and npdi are found in the number and in the URI (R-20, RFC 4694)") {
  struct Row {
    std::string_view uri;
    bool npdi;
    std::string_view rn;
  };
  for (const Row& row : {
           Row{"sip:+12125550123;npdi;rn=+16465550000@gw.example;user=phone", true, "+16465550000"},
           Row{"sip:2125550123;rn=6465550000;npdi@127.0.0.1:5060", true, "6465550000"},
           Row{"sip:2125550123@127.0.0.1;npdi;rn=6465550000", true, "6465550000"},
           Row{"sip:2125550123;npdi=yes@127.0.0.1", true, ""},
           Row{"tel:+1-212-555-0123;npdi;rn=+1-646-555-0000", true, "+1-646-555-0000"},
           Row{"sip:2125550123@127.0.0.1;rn=646", false, "646"},
           Row{"sip:2125550123@127.0.0.1;NPDI;RN=646", true, "646"},
           Row{"sip:2125550123@127.0.0.1", false, ""},
           Row{"sip:npdi@127.0.0.1", false, ""},
           Row{"sip:127.0.0.1", false, ""},
           Row{"", false, ""},
           Row{"nonsense", false, ""},
       }) {
    CAPTURE(row.uri);
    const Portability found = portability(row.uri);
    CHECK(found.is_dipped == row.npdi);
    CHECK(found.routing_number == row.rn);
  }
  CHECK(number_param("sip:1;region=NY@h;lata=132", "region") == "NY");
  CHECK(number_param("sip:1;region=NY@h;lata=132", "lata") == "132");
  CHECK(number_param("sip:1@h", "region") == "");
  CHECK(number_param("sip:1@h", "") == "");
}

TEST_CASE("Portability: an outbound call shows it, an inbound one is told of it (R-20)") {
  Stack stack;
  Peer peer(stack.network, "127.0.0.1:6000");
  OutboundCall call;
  call.destination = at("127.0.0.1:6000");
  call.callee = "4420";
  call.caller = "1000";
  call.portability = {true, "+4477"};
  Leg& leg = stack.dial(call);
  stack.run_ms(10);
  const auto invite = peer.take();
  CHECK(invite->message.request_uri == "sip:4420;npdi;rn=+4477@127.0.0.1:6000;user=phone");
  CHECK(invite->message.to.uri == "sip:4420@127.0.0.1");
  leg.release(0);
  Portability told;
  stack.calls().when_called = [&](Leg&, const InboundCall& arrived) {
    CHECK(arrived.request_user == "4420");
    CHECK(arrived.portability.is_dipped);
    CHECK(arrived.portability.routing_number == "4477");
  };
  Peer::Request request;
  request.uri = "sip:4420;rn=4477;npdi@127.0.0.1:5060;user=phone";
  peer.request(request);
  stack.run_ms(10);
  CHECK(stack.calls().log == "call");
}

namespace {

struct Asking final : RedirectEvents {
  explicit Asking(Stack& its_stack) : stack(its_stack) {}
  void ask(std::string_view transport = "udp") {
    RedirectQuestion question;
    question.id = 7;
    question.destination = at("127.0.0.1:6000");
    question.transport = transport;
    question.callee = "2125550123";
    question.caller = "acme";
    question.parameter = "region";
    query = stack.group->legs(0).ask_redirect(question, *this);
  }
  void on_redirect(std::uint64_t id, const Redirect& redirect) override {
    CHECK(id == 7);
    ++told;
    status = redirect.status;
    npdi = redirect.portability.is_dipped;
    rn = redirect.portability.routing_number;
    region = redirect.parameter;
    query.reset();
  }
  Stack& stack;
  std::unique_ptr<RedirectQuery> query;
  int told = 0, status = -1;
  bool npdi = false;
  std::string rn, region;
};

}  // namespace

TEST_CASE(
    "RedirectQuery: a redirection is acknowledged and told with what its Contact says "
    "(R-20)") {
  Stack stack;
  Peer peer(stack.network, "127.0.0.1:6000");
  Asking asking(stack);
  asking.ask();
  CHECK(asking.told == 0);
  stack.run_ms(10);
  const auto invite = peer.take();
  REQUIRE(invite->what() == "INVITE");
  CHECK(invite->message.request_uri == "sip:2125550123@127.0.0.1:6000");
  CHECK(invite->message.from.uri == "sip:acme@127.0.0.1:5060");
  CHECK(invite->message.body.empty());
  peer.reply(*invite, 100);
  stack.run_ms(10);
  CHECK(asking.told == 0);
  peer.reply(*invite, 302, "s1", {},
             "Contact: <sip:2125550123;npdi;rn=6465550000@127.0.0.1;region=NY>;q=1, "
             "<sip:other@127.0.0.1>\r\n");
  stack.run_ms(10);
  CHECK(asking.told == 1);
  CHECK(asking.status == 302);
  CHECK(asking.npdi);
  CHECK(asking.rn == "6465550000");
  CHECK(asking.region == "NY");
  CHECK(peer.all() == "ACK");
  peer.reply(*invite, 302, "s1");  // the ACK was lost
  stack.run_ms(10);
  CHECK(peer.all() == "ACK");
  CHECK(asking.told == 1);
  stack.run_ms(40'000);
  CHECK(stack.transactions() == 0);
}

TEST_CASE("RedirectQuery: refusals, silence and a dead transport are told once (R-20)") {
  Stack stack;
  Peer peer(stack.network, "127.0.0.1:6000");
  Asking refused(stack);
  refused.ask();
  stack.run_ms(10);
  peer.reply(*peer.take(), 404);
  stack.run_ms(10);
  CHECK(refused.told == 1);
  CHECK(refused.status == 404);
  CHECK_FALSE(refused.npdi);
  CHECK(peer.all() == "ACK");

  Asking silent(stack);
  silent.ask();
  stack.run_ms(33'000);
  CHECK(silent.told == 1);
  CHECK(silent.status == 0);

  Asking dead(stack);
  dead.ask("tcp");  // nobody listens there
  stack.run_ms(1'000);
  CHECK(dead.told == 1);
  CHECK(dead.status == 0);
}

TEST_CASE("RedirectQuery: a server that takes the call instead hears ACK and BYE (R-20)") {
  Stack stack;
  Peer peer(stack.network, "127.0.0.1:6000");
  Asking asking(stack);
  asking.ask();
  stack.run_ms(10);
  const auto invite = peer.take();
  peer.reply(*invite, 200, "b1", answer_sdp);
  stack.run_ms(10);
  CHECK(asking.status == 200);
  REQUIRE(peer.inbox.size() == 2);
  CHECK(peer.take()->what() == "ACK");
  const auto bye = peer.take();
  CHECK(bye->what() == "BYE");
  peer.reply(*bye, 200);
  stack.run_ms(70'000);
  CHECK(stack.transactions() == 0);
}

TEST_CASE(
    "RedirectQuery: given up, it is cancelled when that is allowed and soon forgotten when it "
    "is not (R-20)") {
  Stack stack;
  Peer peer(stack.network, "127.0.0.1:6000");
  Asking trying(stack);
  trying.ask();
  stack.run_ms(10);
  const auto invite = peer.take();
  peer.reply(*invite, 100);
  stack.run_ms(10);
  trying.query.reset();
  stack.run_ms(10);
  const auto cancel = peer.take();
  REQUIRE(cancel->what() == "CANCEL");
  peer.reply(*cancel, 200);
  peer.reply(*invite, 487);
  stack.run_ms(10);
  CHECK(peer.all() == "ACK");
  CHECK(trying.told == 0);

  Asking silent(stack);
  silent.ask();
  stack.run_ms(10);
  CHECK(peer.all() == "INVITE");
  silent.query.reset();
  stack.run_ms(4'000);
  CHECK(peer.all() == "");  // not sent again
  stack.run_ms(40'000);
  CHECK(silent.told == 0);
  CHECK(stack.transactions() == 0);

  Asking late(stack);
  late.ask();
  stack.run_ms(10);
  const auto other = peer.take();
  late.query.reset();
  stack.run_ms(1'000);
  peer.reply(*other, 302);
  stack.run_ms(10);
  CHECK(peer.all() == "ACK");
  CHECK(late.told == 0);
}
