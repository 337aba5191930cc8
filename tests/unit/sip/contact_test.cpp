#include "sip/contact.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace tandem;
using namespace tandem::sip;

namespace {

std::vector<RedirectTarget> targets_of(int status, const std::string& headers) {
  const std::string text = "SIP/2.0 " + std::to_string(status) +
                           " X\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\n"
                           "From: <sip:2@10.0.0.2>;tag=a\r\nTo: <sip:1@10.0.0.1>;tag=b\r\n"
                           "Call-ID: c\r\nCSeq: 1 INVITE\r\n" +
                           headers + "Content-Length: 0\r\n\r\n";
  Message message;
  REQUIRE(scan(text, Framing::datagram, message).kind == Fault::Kind::none);
  return redirect_targets(message);
}

}  // namespace

TEST_CASE("Contact: a redirection's places come in the order of q (RFC 3261 section 8.1.3.4)") {
  const auto targets = targets_of(
      302,
      "Contact: <sip:%2b4420@10.0.3.1>;q=0.2, \"B\" <sip:4421;rn=7@10.0.3.2:5070;transport=TCP>\r\n"
      "m: sip:4422@gateway.example ;q=0.7\r\n");
  REQUIRE(targets.size() == 3);
  CHECK(targets[0].user == "4421");
  CHECK(targets[0].transport == SipTransport::tcp);
  CHECK(targets[0].address.to_string() == "10.0.3.2:5070");
  CHECK(targets[1].user == "4422");
  CHECK(targets[1].address.port == 0);
  CHECK(targets[1].q_thousandths == 700);
  CHECK(targets[2].user == "+4420");
  CHECK(targets[2].address.to_string() == "10.0.3.1:5060");
}

TEST_CASE("Contact: what a call cannot go to is no place, and headers of a URI are left out") {
  const auto targets = targets_of(
      300,
      "Contact: <tel:4420>, <sips:1@10.0.3.1;transport=udp>, <sip:1@10.0.3.1;transport=ws>, *, "
      "<mailto:a@b>, "
      "<sip:1@10.0.3.1?Route=%3Csip:evil%3E>\r\n");
  REQUIRE(targets.size() == 1);
  CHECK(targets[0].uri == "sip:1@10.0.3.1");
  CHECK(targets_of(302, "").empty());
}

TEST_CASE("Contact: a place on TLS is named by scheme or transport, on its own port (P-01, P-21)") {
  const auto targets =
      targets_of(302,
                 "Contact: <sips:1@10.0.3.1>;q=0.9, <sip:2@10.0.3.2;transport=tls>;q=0.8, "
                 "<sips:3@10.0.3.3:7000;transport=tcp>;q=0.7\r\n");
  REQUIRE(targets.size() == 3);
  for (const RedirectTarget& target : targets)
    CHECK(target.transport == SipTransport::tls);
  CHECK(targets[0].address.to_string() == "10.0.3.1:5061");
  CHECK(targets[1].address.to_string() == "10.0.3.2:5061");
  CHECK(targets[2].address.to_string() == "10.0.3.3:7000");
}

TEST_CASE("Contact: only 300, 301 and 302 name places, and not without end") {
  const std::string contact = "Contact: <sip:1@10.0.3.1>\r\n";
  for (const int status : {300, 301, 302})
    CHECK(targets_of(status, contact).size() == 1);
  for (const int status : {305, 380, 200, 404, 485})
    CHECK(targets_of(status, contact).empty());
  std::string many = "Contact: <sip:0@10.0.3.1>";
  for (int i = 1; i < 40; ++i)
    many += ", <sip:" + std::to_string(i) + "@10.0.3.1>";
  CHECK(targets_of(302, many + "\r\n").size() == redirect_targets_max);
  CHECK(targets_of(302, "Contact: <sip:" + std::string(600, '1') + "@10.0.3.1>\r\n").empty());
}
