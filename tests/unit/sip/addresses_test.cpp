// Where responses and requests inside a call go (P-02, P-03).
#include <doctest/doctest.h>

#include "messages.hpp"
#include "stack_fixture.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

namespace {

/// A caller at 127.0.0.1:7000 that names other addresses, and whoever may be meant by them.
struct Caller {
  explicit Caller(const Manners& manners, std::string via = "127.0.0.9:7100",
                  std::string contact = "127.0.0.8:7200", std::string extra = {})
      : via_(std::move(via)), contact_(std::move(contact)), extra_(std::move(extra)) {
    stack.calls().when_called = [manners](Leg& leg, const InboundCall&) {
      CHECK(leg.set_manners(manners) == 0);
    };
  }
  void request(const Peer::Request& request) {
    std::string text = source.text(request);
    text = replaced(text, "SIP/2.0/UDP 127.0.0.1:7000", "SIP/2.0/UDP " + via_);
    text = replaced(text, "Contact: <sip:1000@127.0.0.1:7000>",
                    "Contact: <sip:1000@" + contact_ + ">");
    source.send(text);
    stack.run_ms(1);
  }
  /// "source 100 INVITE; via 180 INVITE": what each has got, and forgets it.
  std::string got() {
    std::string text;
    for (const auto& [name, peer] :
         {std::pair("source", &source), std::pair("via_port", &via_port), std::pair("via", &at_via),
          std::pair("contact_port", &contact_port), std::pair("contact", &at_contact)}) {
      const std::string all = peer->all();
      if (!all.empty()) text += (text.empty() ? "" : "; ") + std::string(name) + ' ' + all;
    }
    return text;
  }
  /// Calls, is answered and acknowledges.
  void connect() {
    Peer::Request invite;
    invite.body = offer;
    invite.extra = extra_;
    request(invite);
    stack.leg().answer(answer_body, {});
    stack.run_ms(1);
    std::string tag;
    for (Peer* peer : {&source, &via_port, &at_via}) {
      for (const auto& received : peer->inbox)
        tag = std::string(received->message.to.tag);
    }
    REQUIRE_FALSE(tag.empty());
    answered = got();
    Peer::Request ack;
    ack.method = "ACK";
    ack.branch = "z9hG4bKack";
    ack.to_tag = tag_ = tag;
    request(ack);
  }
  /// What a request of the caller inside the call gets.
  std::string bye() {
    Peer::Request request_bye;
    request_bye.method = "BYE";
    request_bye.branch = "z9hG4bKbye";
    request_bye.to_tag = tag_;
    request_bye.cseq = 2;
    request(request_bye);
    return got();
  }
  std::string release() {
    stack.leg().release(16);
    stack.run_ms(1);
    return got();
  }

  Stack stack;
  Peer source{stack.network, "127.0.0.1:7000"}, via_port{stack.network, "127.0.0.1:7100"},
      at_via{stack.network, "127.0.0.9:7100"}, contact_port{stack.network, "127.0.0.1:7200"},
      at_contact{stack.network, "127.0.0.8:7200"};
  std::string answered;

 private:
  std::string via_, contact_, extra_, tag_;
};

Manners replying(ReplyAddress address) {
  Manners manners;
  manners.reply_address = address;
  return manners;
}
Manners requesting(RequestAddress address) {
  Manners manners;
  manners.request_address = address;
  return manners;
}

}  // namespace

TEST_CASE("Addresses: responses go to the source, to the port of the Via or to the Via (P-02)") {
  Caller by_socket(replying(ReplyAddress::socket));
  by_socket.connect();
  CHECK(by_socket.answered == "source 100 INVITE, 200 INVITE");
  CHECK(by_socket.bye() == "source 200 BYE");

  Caller by_port(replying(ReplyAddress::via_port));
  by_port.connect();
  CHECK(by_port.answered == "via_port 100 INVITE, 200 INVITE");
  CHECK(by_port.bye() == "via_port 200 BYE");

  Caller by_via(replying(ReplyAddress::via));
  by_via.connect();
  CHECK(by_via.answered == "via 100 INVITE, 200 INVITE");
  CHECK(by_via.bye() == "via 200 BYE");
}

TEST_CASE(
    "Addresses: a Via with a name counts as the source, one behind it is not looked at (P-02)") {
  Caller named(replying(ReplyAddress::via), "sbc.example.com:7100");
  named.connect();
  CHECK(named.answered == "via_port 100 INVITE, 200 INVITE");
  Caller behind_proxy(replying(ReplyAddress::via), "127.0.0.9:7100", "127.0.0.8:7200",
                      "Via: SIP/2.0/UDP 127.0.0.1:7000;branch=z9hG4bKbehind\r\n");
  behind_proxy.connect();
  CHECK(behind_proxy.answered == "via 100 INVITE, 200 INVITE");
}

TEST_CASE("Addresses: an answer is repeated to where it went first (P-02)") {
  Caller caller(replying(ReplyAddress::via));
  Peer::Request invite;
  invite.body = offer;
  caller.request(invite);
  caller.stack.leg().answer(answer_body, {});
  caller.stack.run_ms(600);
  CHECK(caller.got() == "via 100 INVITE, 200 INVITE, 200 INVITE");
}

TEST_CASE(
    "Addresses: requests in a call go to its source, the port of its Contact or its Contact "
    "(P-03)") {
  Caller by_socket(requesting(RequestAddress::socket));
  by_socket.connect();
  CHECK(by_socket.release() == "source BYE");

  Caller by_port(requesting(RequestAddress::contact_port));
  by_port.connect();
  CHECK(by_port.answered == "source 100 INVITE, 200 INVITE");
  CHECK(by_port.release() == "contact_port BYE");

  Caller by_contact(requesting(RequestAddress::contact));
  by_contact.connect();
  CHECK(by_contact.release() == "contact BYE");
}

TEST_CASE(
    "Addresses: a route set comes first, and a Contact with a name counts as the source (P-03)") {
  Caller routed(requesting(RequestAddress::contact), "127.0.0.1:7000", "127.0.0.8:7200",
                "Record-Route: <sip:127.0.0.9:7100;lr>\r\n");
  routed.connect();
  CHECK(routed.release() == "via BYE");
  Caller named(requesting(RequestAddress::contact), "127.0.0.1:7000", "gw.example.com:7200");
  named.connect();
  CHECK(named.release() == "source BYE");
}

TEST_CASE(
    "Addresses: ACK and BYE to a vendor go to the Contact of its answer where that is set (P-03)") {
  Stack stack;
  Peer vendor(stack.network, "127.0.0.1:6000"), contact(stack.network, "127.0.0.7:6100");
  OutboundCall call;
  call.destination = at("127.0.0.1:6000");
  call.transport = "udp";
  call.callee = "4420";
  call.caller = "1000";
  call.body = offer_body;
  call.manners = requesting(RequestAddress::contact);
  stack.dial(call);
  stack.run_ms(1);
  vendor.send(replaced(vendor.reply_text(*vendor.take(), 200, "b1", answer_sdp),
                       "<sip:callee@127.0.0.1:6000>", "<sip:callee@127.0.0.7:6100>"));
  stack.run_ms(1);
  CHECK(contact.all() == "ACK");
  stack.leg().release(16);
  stack.run_ms(1);
  CHECK(contact.all() == "BYE");
  CHECK(vendor.all().empty());
}
