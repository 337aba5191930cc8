#include "call/redirection.hpp"

#include <doctest/doctest.h>

using namespace tandem;
using namespace tandem::call;

namespace {

SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }

RedirectTarget target(std::string_view address, std::string_view user = "4420") {
  RedirectTarget made;
  made.uri = "sip:" + std::string(user) + "@" + std::string(address);
  made.user = user;
  if (!address.starts_with("name")) made.address = at(address);
  return made;
}

/// The places it goes to, in order.
std::string all_of(Redirection& redirection) {
  std::string text;
  while (const auto next = redirection.next())
    text += next->address.to_string() + " " + next->user + ", ";
  return text;
}

const std::vector<IpAddress> own = {at("10.0.2.1:1").ip};

}  // namespace

TEST_CASE("Redirection: only hosts of the vendor and of its list are called (P-21)") {
  RedirectRules rules;
  rules.networks = {IpNetwork::parse("10.0.3.0/24").value()};
  Redirection redirection(at("10.0.2.1:5060"), SipTransport::udp, "4420");
  redirection.add({target("10.0.9.9:5060"), target("name"), target("10.0.3.7:5060"),
                   target("[2001:db8::1]:5060"), target("10.0.2.1:5070")},
                  rules, own);
  CHECK(all_of(redirection) == "10.0.3.7:5060 4420, 10.0.2.1:5070 4420, ");
}

TEST_CASE("Redirection: a place is called once, and three all in all (P-21)") {
  const RedirectRules rules;
  Redirection redirection(at("10.0.2.1:5060"), SipTransport::udp, "4420");
  redirection.add({target("10.0.2.1:5060"), target("10.0.2.1:5061"), target("10.0.2.1:5061")},
                  rules, own);
  CHECK(redirection.next()->address.port == 5061);
  CHECK(redirection.is_followed());
  // What the second says comes before what is left of the first.
  redirection.add({target("10.0.2.1:5060"), target("10.0.2.1:5060", "4421")}, rules, own);
  CHECK(redirection.next()->user == "4421");
  redirection.add({target("10.0.2.1:5062"), target("10.0.2.1:5063")}, rules, own);
  CHECK(all_of(redirection) == "10.0.2.1:5062 4420, ");
  redirection.add({target("10.0.2.1:5064")}, rules, own);
  CHECK(all_of(redirection).empty());
}

TEST_CASE("Redirection: the transport makes another place") {
  const RedirectRules rules;
  Redirection redirection(at("10.0.2.1:5060"), SipTransport::udp, "4420");
  RedirectTarget over_tcp = target("10.0.2.1:5060");
  over_tcp.transport = SipTransport::tcp;
  redirection.add({over_tcp}, rules, own);
  const auto next = redirection.next();
  REQUIRE(next);
  CHECK(next->transport == SipTransport::tcp);
}
