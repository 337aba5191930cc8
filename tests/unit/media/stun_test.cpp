// Checks of connectivity: the messages of RFC 5769, what is written and read back, and what is
// none.
#include <doctest/doctest.h>

#include <string>

#include "media/stun.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

std::string from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    bytes.push_back(static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
    i += 2;
  }
  return bytes;
}

PackedAddress at(const char* address) { return pack(*SocketAddress::parse(address)); }

const std::string password = "VOkJxbRl1RmTxUk/WvJxBt";  // RFC 5769 section 2.1
const std::string request = from_hex(
    "00010058 2112a442 b7e7a701 bc34d686 fa87dfae 80220010 5354554e 20746573 7420636c 69656e74"
    "00240004 6e0001ff 80290008 932ff9b1 51263b36 00060009 6576746a 3a683676 59202020"
    "00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2 80280004 e57a3bcf");
const std::string answer4 = from_hex(
    "0101003c 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220"
    "00200008 0001a147 e112a643 00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7"
    "80280004 c07d4c96");
const std::string answer6 = from_hex(
    "01010048 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220"
    "00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9 00080014 a382954e 4be67bf1 1784c97c"
    "8292c275 bfe3ed41 80280004 c8fb0b4c");

StunCheck check_of(std::string_view username, std::string_view with) {
  StunCheck check;
  check.transaction = "abcdefghijkl";
  check.username = username;
  check.password = with;
  check.priority = 1234567;
  check.nominates = true;
  return check;
}

}  // namespace

TEST_CASE("STUN: the request and the answers of RFC 5769 are read, and their integrity holds") {
  const auto read = parse_stun(request);
  REQUIRE(read);
  CHECK(read->kind == StunKind::request);
  CHECK(read->username == "evtj:h6vY");
  CHECK(read->priority == 0x6E0001FF);
  CHECK(read->is_controlled);
  CHECK_FALSE(read->nominates);
  CHECK(read->has_fingerprint);
  CHECK(read->is_authentic(password));
  CHECK_FALSE(read->is_authentic(password + "x"));
  CHECK_FALSE(read->is_authentic(""));
  const auto four = parse_stun(answer4);
  REQUIRE(four);
  CHECK(four->kind == StunKind::success);
  CHECK(four->is_authentic(password));
  REQUIRE(four->mapped);
  CHECK(*four->mapped == at("192.0.2.1:32853"));
  const auto six = parse_stun(answer6);
  REQUIRE(six);
  CHECK(six->is_authentic(password));
  REQUIRE(six->mapped);
  CHECK(*six->mapped == at("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
}

TEST_CASE("STUN: no byte of a request can change and it still be authentic") {
  for (std::size_t i = 0; i < request.size(); ++i) {
    CAPTURE(i);
    std::string forged = request;
    forged[i] = static_cast<char>(forged[i] ^ 1);
    const auto read = parse_stun(forged);
    CHECK_FALSE((read && read->has_fingerprint && read->is_authentic(password)));
  }
}

TEST_CASE("STUN: what is written is read, with the address of who asked") {
  const std::string wire = stun_request(check_of("ours:theirs", "secret of ours is long"));
  const auto asked = parse_stun(wire);
  REQUIRE(asked);
  CHECK(asked->username == "ours:theirs");
  CHECK(asked->priority == 1234567);
  CHECK(asked->nominates);
  CHECK_FALSE(asked->is_controlled);
  CHECK(asked->is_authentic("secret of ours is long"));
  for (const char* from : {"192.0.2.7:4000", "[2001:db8::7]:65535"}) {
    const std::string reply = stun_success(*asked, at(from), "secret of ours is long");
    const auto got = parse_stun(reply);
    REQUIRE(got);
    CHECK(got->kind == StunKind::success);
    CHECK(got->transaction == "abcdefghijkl");
    CHECK(got->has_fingerprint);
    CHECK(got->is_authentic("secret of ours is long"));
    CHECK(got->mapped == at(from));
  }
  const std::string refusal = stun_error(*asked, 487, "Role Conflict", "secret of ours is long");
  const auto refused = parse_stun(refusal);
  REQUIRE(refused);
  CHECK(refused->kind == StunKind::error);
  CHECK(refused->error_code == 487);
}

TEST_CASE(
    "STUN: what is cut short, too long, of another method or without the cookie is no message") {
  for (std::size_t length = 0; length < request.size(); ++length)
    CHECK_FALSE(parse_stun(std::string_view(request).substr(0, length)));
  std::string other = request;
  other[1] = '\x03';  // Allocate
  CHECK_FALSE(parse_stun(other));
  other = request;
  other[4] = '\x20';
  CHECK_FALSE(parse_stun(other));
  CHECK_FALSE(parse_stun(request + std::string(4, '\0')));
  CHECK_FALSE(parse_stun(std::string(4000, '\0')));
}

TEST_CASE("STUN: an attribute that must be understood and is not is told of") {
  // The request with SOFTWARE under a number of the first half.
  std::string wire = request.substr(0, request.size() - 8);
  wire[20] = '\x00';
  wire[21] = '\x77';
  wire[3] = static_cast<char>(wire.size() - 20);
  const auto read = parse_stun(wire);
  REQUIRE(read);
  CHECK(read->unknown == 0x77);
  CHECK_FALSE(read->has_fingerprint);
}

TEST_CASE("STUN: the first byte tells what a datagram of a media port is (RFC 7983)") {
  const auto kind = [](int first) {
    return port_traffic(std::string(1, static_cast<char>(first)));
  };
  CHECK(port_traffic("") == PortTraffic::other);
  CHECK(kind(0) == PortTraffic::stun);
  CHECK(kind(3) == PortTraffic::stun);
  CHECK(kind(4) == PortTraffic::other);
  CHECK(kind(19) == PortTraffic::other);
  CHECK(kind(20) == PortTraffic::dtls);
  CHECK(kind(63) == PortTraffic::dtls);
  CHECK(kind(64) == PortTraffic::other);  // TURN
  CHECK(kind(127) == PortTraffic::other);
  CHECK(kind(128) == PortTraffic::rtp);
  CHECK(kind(191) == PortTraffic::rtp);
  CHECK(kind(192) == PortTraffic::other);
}
