#include "call/media_path.hpp"

#include <doctest/doctest.h>

using namespace tandem;
using call::is_behind_nat;
using call::is_relayed;

namespace {

constexpr const char* offer =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 4000 "
    "RTP/AVP 8\r\n";

}  // namespace

TEST_CASE("M-01: must_on beats off, off beats on, the parameter decides between two autos") {
  using enum MediaMode;
  struct Row {
    MediaMode customer, vendor, parameter;
    bool relayed;
  };
  for (const Row& row :
       {Row{must_on, off, off, true}, Row{off, must_on, off, true}, Row{off, on, on, false},
        Row{on, off, on, false}, Row{on, auto_mode, off, true}, Row{auto_mode, on, off, true},
        Row{auto_mode, auto_mode, on, true}, Row{auto_mode, auto_mode, off, false},
        Row{off, off, must_on, true}, Row{auto_mode, auto_mode, auto_mode, false}}) {
    CAPTURE(static_cast<int>(row.customer));
    CAPTURE(static_cast<int>(row.vendor));
    CAPTURE(static_cast<int>(row.parameter));
    CHECK(is_relayed({row.customer, row.vendor, row.parameter, false}) == row.relayed);
  }
}

TEST_CASE("M-01: with auto everywhere a caller behind NAT is relayed") {
  CHECK(is_relayed({MediaMode::auto_mode, MediaMode::auto_mode, MediaMode::auto_mode, true}));
}

TEST_CASE(
    "M-01 step 7: signalling from another address than the SDP names is NAT, and so is a private "
    "address") {
  CHECK_FALSE(is_behind_nat(offer, IpAddress::parse("192.0.2.10").value()));
  CHECK(is_behind_nat(offer, IpAddress::parse("198.51.100.1").value()));
  std::string private_offer = offer;
  for (std::size_t at = 0; (at = private_offer.find("192.0.2.10")) != std::string::npos;) {
    private_offer.replace(at, 10, "10.0.0.1");
  }
  CHECK(is_behind_nat(private_offer, IpAddress::parse("10.0.0.1").value()));
  CHECK_FALSE(is_behind_nat("no sdp", IpAddress::parse("10.0.0.1").value()));
}

TEST_CASE("M-04: direct media passes a description byte for byte") {
  SeededRandom random(1);
  call::MediaPath path(nullptr, random);
  path.set_relayed(false, {IpAddress::Family::ipv4, IpAddress::Family::ipv4});
  const auto passed = path.pass(MediaSide::caller, {"application/sdp", offer});
  REQUIRE(passed.ok());
  CHECK(*passed == offer);
  CHECK_FALSE(path.has_streams());
}

TEST_CASE("MediaPath: without a relay a relayed call is an error that names it") {
  SeededRandom random(1);
  call::MediaPath path(nullptr, random);
  path.set_relayed(true, {IpAddress::Family::ipv4, IpAddress::Family::ipv4});
  const auto passed = path.pass(MediaSide::caller, {"application/sdp", offer});
  REQUIRE_FALSE(passed.ok());
  CHECK(passed.error().code == ErrorCode::unsupported);
}

TEST_CASE("MediaPath: a body that is no SDP passes unread") {
  SeededRandom random(1);
  call::MediaPath path(nullptr, random);
  path.set_relayed(true, {IpAddress::Family::ipv4, IpAddress::Family::ipv4});
  const auto passed = path.pass(MediaSide::caller, {"application/isup", "\x01\x02"});
  REQUIRE(passed.ok());
  CHECK(*passed == "\x01\x02");
}
