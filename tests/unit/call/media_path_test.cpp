#include "call/media_path.hpp"

#include <doctest/doctest.h>

using namespace tandem;
using call::is_behind_nat;
using call::is_relayed;
using call::SdpRole;

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

TEST_CASE("M-01: the steps from 7 on are asked in order, each with its parameter") {
  const IpAddress office = IpAddress::parse("10.1.1.1").value();
  const IpAddress other_office = IpAddress::parse("192.168.1.1").value();
  const IpAddress carrier = IpAddress::parse("203.0.113.1").value();
  const IpAddress other_carrier = IpAddress::parse("198.51.100.1").value();
  struct Row {
    IpAddress caller, callee;
    bool is_behind_nat;
    bool by_nat, by_same, by_networks;  // the parameters
    bool relayed;
    const char* rule;
  };
  for (const Row& row :
       {Row{carrier, other_carrier, true, true, false, true, true, "media_behind_nat"},
        Row{carrier, other_carrier, true, false, false, true, false, "otherwise"},
        Row{carrier, carrier, false, true, false, true, false, "media_same_nat"},
        Row{carrier, carrier, false, true, true, true, true, "media_same_nat"},
        Row{carrier, carrier, true, true, false, true, true, "media_behind_nat"},
        Row{office, office, false, true, true, true, false, "otherwise"},
        Row{office, carrier, false, true, false, true, true, "media_between_networks"},
        Row{carrier, office, false, true, false, true, true, "media_between_networks"},
        Row{carrier, office, false, true, false, false, false, "otherwise"},
        Row{office, other_office, false, true, false, true, false, "otherwise"},
        Row{carrier, other_carrier, false, true, false, true, false, "otherwise"}}) {
    CAPTURE(row.rule);
    CAPTURE(row.caller.to_string());
    CAPTURE(row.callee.to_string());
    call::MediaChoice choice;
    choice.parameter = MediaMode::auto_mode;
    choice.caller_is_behind_nat = row.is_behind_nat;
    choice.caller = row.caller;
    choice.callee = row.callee;
    choice.relays_behind_nat = row.by_nat;
    choice.relays_same_nat = row.by_same;
    choice.relays_between_networks = row.by_networks;
    const call::MediaVerdict verdict = call::decide_media(choice);
    CHECK(verdict.is_relayed == row.relayed);
    CHECK(verdict.rule == row.rule);
  }
}

TEST_CASE(
    "M-01: what only the relay can do leads media through it, by name, unless a side is off") {
  CustomerGateway customer;
  VendorGateway vendor;
  CHECK(call::relay_need(customer, vendor).empty());
  customer.sip.transcode = true;  // alone it converts nothing
  CHECK(call::relay_need(customer, vendor).empty());
  vendor.sip.transcode = true;
  CHECK(call::relay_need(customer, vendor) == "transcode");
  customer.sip.transcode = false;
  vendor.sip.dtmf_send = DtmfSend::inband;
  CHECK(call::relay_need(customer, vendor) == "dtmf_convert");
  vendor.sip.dtmf_send = DtmfSend::auto_mode;
  customer.sip.dtmf_inband = true;
  CHECK(call::relay_need(customer, vendor) == "dtmf_inband");
  customer.sip.dtmf_inband = false;
  vendor.sip.dtmf_payload_type = 101;
  CHECK(call::relay_need(customer, vendor) == "dtmf_payload_type");
  vendor.sip.dtmf_payload_type = 0;
  customer.sip.g729_mode = G729Mode::both;  // a caller is offered nothing
  CHECK(call::relay_need(customer, vendor).empty());
  customer.sip.g729_mode = vendor.sip.g729_mode = G729Mode::g729a;
  CHECK(call::relay_need(customer, vendor).empty());
  vendor.sip.g729_mode = G729Mode::both;
  CHECK(call::relay_need(customer, vendor) == "g729_mode");
  vendor.sip.g729_mode = G729Mode::auto_mode;
  vendor.record = true;
  CHECK(call::relay_need(customer, vendor) == "record");
  vendor.record = false;
  vendor.ring_tone = "tone:ringback";
  CHECK(call::relay_need(customer, vendor) == "ring_tone");
  vendor.ring_tone.clear();
  customer.reminder = ReminderConfig{};
  CHECK(call::relay_need(customer, vendor).empty());
  customer.reminder->sound = "tone:warning";
  CHECK(call::relay_need(customer, vendor) == "reminder");

  call::MediaChoice choice;
  choice.parameter = MediaMode::auto_mode;
  choice.need = "record";
  CHECK(call::decide_media(choice).is_relayed);
  CHECK(call::decide_media(choice).rule == "record");
  choice.needs_keys = true;
  CHECK(call::decide_media(choice).rule == "srtp");
  choice.vendor = MediaMode::off;
  CHECK_FALSE(call::decide_media(choice).is_relayed);
}

TEST_CASE("M-07: what two lists leave, and in which order the callee is offered it") {
  const auto list = [](std::initializer_list<const char*> names) {
    std::vector<CodecName> codecs;
    for (const char* name : names)
      codecs.push_back(CodecName::parse(name).value());
    return codecs;
  };
  CHECK_FALSE(call::common_codecs({}, list({"H264"})).has_value());
  CHECK(to_string(*call::common_codecs(list({"PCMA", "PCMU"}), {})) == "PCMA,PCMU");
  CHECK(to_string(*call::common_codecs(list({"PCMA", "PCMU", "H264"}),
                                       list({"G729", "PCMU", "PCMA"}))) == "PCMU,PCMA");
  CHECK(call::common_codecs(list({"PCMA"}), list({"PCMU"}))->empty());
  // "Any rate" of one list is the rates of the other.
  CHECK(to_string(*call::common_codecs(list({"speex/16000", "speex/8000"}), list({"speex"}))) ==
        "speex/16000,speex/8000");
  CHECK(to_string(*call::common_codecs(list({"speex"}), list({"speex/16000"}))) == "speex/16000");
  CHECK(call::have_no_common_codec(list({"PCMA"}), list({"PCMU"})));
  CHECK(call::have_no_common_codec(list({"L16/44100"}), list({"L16/8000"})));
  CHECK_FALSE(call::have_no_common_codec(list({"L16/44100"}), list({"L16"})));
  CHECK_FALSE(call::have_no_common_codec(list({"PCMA"}), list({"H264"})));
  CHECK_FALSE(call::have_no_common_codec({}, list({"PCMU"})));
}

TEST_CASE("M-04: direct media passes a description byte for byte") {
  SeededRandom random(1);
  call::MediaPath path(nullptr, random);
  path.set_relayed(false, {IpAddress::Family::ipv4, IpAddress::Family::ipv4});
  const auto passed = path.pass(MediaSide::caller, SdpRole::offer, {"application/sdp", offer});
  REQUIRE(passed.ok());
  CHECK(*passed == offer);
  CHECK_FALSE(path.has_streams());
}

TEST_CASE("MediaPath: what was refused was not shown (RFC 3264 section 8)") {
  SeededRandom random(1);
  call::MediaPath path(nullptr, random);
  REQUIRE(path.pass(MediaSide::callee, SdpRole::offer, {"application/sdp", offer}));
  std::string other = offer;
  other.replace(other.find("4000"), 4, "5000");
  for (int tries = 0; tries < 2; ++tries) {
    path.remember(MediaSide::callee);
    REQUIRE(path.pass(MediaSide::callee, SdpRole::offer, {"application/sdp", other}));
    CHECK(path.shown(MediaSide::caller) == other);
    path.revert();
    CHECK(path.shown(MediaSide::caller) == offer);
  }
}

TEST_CASE("MediaPath: without a relay a relayed call is an error that names it") {
  SeededRandom random(1);
  call::MediaPath path(nullptr, random);
  path.set_relayed(true, {IpAddress::Family::ipv4, IpAddress::Family::ipv4});
  const auto passed = path.pass(MediaSide::caller, SdpRole::offer, {"application/sdp", offer});
  REQUIRE_FALSE(passed.ok());
  CHECK(passed.error().code == ErrorCode::unsupported);
}

TEST_CASE("MediaPath: a body that is no SDP passes unread") {
  SeededRandom random(1);
  call::MediaPath path(nullptr, random);
  path.set_relayed(true, {IpAddress::Family::ipv4, IpAddress::Family::ipv4});
  const auto passed =
      path.pass(MediaSide::caller, SdpRole::offer, {"application/isup", "\x01\x02"});
  REQUIRE(passed.ok());
  CHECK(*passed == "\x01\x02");
}
