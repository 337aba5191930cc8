// What the file says of codecs, descriptions and ringing.
#include <doctest/doctest.h>

#include "tandem/config.hpp"
#include "unit/switch/config_errors.hpp"

using namespace tandem;

namespace {

ConfigReading read(const std::string& body) {
  return read_config(R"({"sip": {"listen": ["udp:127.0.0.1:5060"]}, )" + body + "}", "/etc/tandem");
}

/// With one gateway of that kind.
ConfigReading read_gateway(const std::string& kind, const std::string& keys) {
  return read(R"("provision": {")" + kind + R"(": [{"id": "g", "addresses": ["10.0.0.2"], )" +
              keys + "}]}");
}

ConfigReading read_phone(const std::string& keys) {
  return read(R"("provision": {"accounts": [{"id": "a"}], "phones": [{"number": "1001", "password":
                 "x", "account": "a", )" +
              keys + "}]}");
}

}  // namespace

TEST_CASE("read_config: codecs of gateways and phones, in their order (M-07)") {
  const std::string keys = R"("codecs": ["g729a", "PCMA", "speex/16000", "H264"])";
  const std::string names = "G729,PCMA,speex/16000,H264";
  auto reading = read_gateway("customer_gateways", keys);
  REQUIRE(pointers(reading) == Pointers{});
  CHECK(to_string(reading.config.provision.customer_gateways.at(0).codecs) == names);
  reading = read_gateway("vendor_gateways", keys);
  REQUIRE(pointers(reading) == Pointers{});
  CHECK(to_string(reading.config.provision.vendor_gateways.at(0).codecs) == names);
  reading = read_phone(keys + R"(, "media": "off")");
  REQUIRE(pointers(reading) == Pointers{});
  CHECK(to_string(reading.config.provision.phones.at(0).codecs) == names);
  CHECK(reading.config.provision.phones.at(0).media == MediaMode::off);
  CHECK(read_gateway("vendor_gateways", R"("sipCodecs": "PCMA, PCMU")")
            .config.provision.vendor_gateways.at(0)
            .codecs.size() == 2);
}

TEST_CASE("read_config: what is no list of codecs is said at its place (M-07)") {
  CHECK(pointers(read_gateway("vendor_gateways", R"("codecs": ["PCMA", "PCMB", "pcma", "CN"])")) ==
        Pointers{"/provision/vendor_gateways/0/codecs/1", "/provision/vendor_gateways/0/codecs/2",
                 "/provision/vendor_gateways/0/codecs/3"});
  CHECK(pointers(read_gateway("vendor_gateways", R"("codecs": 8)")) ==
        Pointers{"/provision/vendor_gateways/0/codecs"});
  std::string many = R"("codecs": ["PCMA")";
  for (int i = 1; i <= 32; ++i)
    many += ", \"speex/" + std::to_string(i) + '"';
  CHECK(pointers(read_gateway("customer_gateways", many + "]")) ==
        Pointers{"/provision/customer_gateways/0/codecs"});
  CHECK(pointers(read_gateway("customer_gateways", R"("transcode": true)")) ==
        Pointers{"/provision/customer_gateways/0/transcode"});  // it stands in `sip`
}

TEST_CASE("read_config: conversions of codecs and keys, ring tones and prompts (M-07 .. M-14)") {
  auto reading = read_gateway("vendor_gateways",
                              R"("ring_tone": "tone:ringback/us", "ring_tone_after_s": 7,
         "hold_tone": "tone:busy",
         "sip": {"audioCodecTranscodingEnable": true, "dtmf_send": "inband", "dtmf_convert": true,
                 "dtmf_inband": true})");
  REQUIRE(pointers(reading) == Pointers{});
  const VendorGateway& vendor = reading.config.provision.vendor_gateways.at(0);
  CHECK(vendor.ring_tone == "tone:ringback/us");
  CHECK(vendor.ring_tone_after_s == 7);
  CHECK(vendor.hold_tone == "tone:busy");
  CHECK(vendor.sip.transcode);
  CHECK(vendor.sip.dtmf_send == DtmfSend::inband);
  CHECK(vendor.sip.dtmf_convert);
  CHECK(vendor.sip.dtmf_inband);
  CHECK(vendor.sip.gets_converted());
  CHECK_FALSE(vendor.sip.gets_events());
  reading = read_gateway("customer_gateways",
                         R"("prompts": {"AccountBalanceNotEnough": "/var/money.wav"})");
  REQUIRE(pointers(reading) == Pointers{});
  const CustomerGateway& customer = reading.config.provision.customer_gateways.at(0);
  REQUIRE(customer.prompts.size() == 1);
  CHECK(customer.prompts[0].reason == Reason::AccountBalanceNotEnough);
  CHECK(customer.prompts[0].source == "/var/money.wav");
  CHECK(
      pointers(read_gateway("customer_gateways", R"("prompts": {"Nothing": "x", "NoMedia": 3})")) ==
      Pointers{"/provision/customer_gateways/0/prompts/NoMedia",
               "/provision/customer_gateways/0/prompts/Nothing"});
  CHECK(pointers(read_gateway("vendor_gateways", R"("ring_tone_after_s": 61)")) ==
        Pointers{"/provision/vendor_gateways/0/ring_tone_after_s"});
  CHECK(read_gateway("customer_gateways", R"("hold_tone": "/var/wait.wav")")
            .config.provision.customer_gateways.at(0)
            .hold_tone == "/var/wait.wav");
  CHECK(read_phone(R"("hold_tone": "tone:busy")").config.provision.phones.at(0).hold_tone ==
        "tone:busy");
  CHECK(pointers(read_phone(R"("hold_tone": 3)")) == Pointers{"/provision/phones/0/hold_tone"});
  CHECK(pointers(read_phone(R"("transcode": 3)")) == Pointers{"/provision/phones/0/transcode"});
}

TEST_CASE(
    "read_config: what descriptions say, and how a caller is told of ringing (M-08 .. M-12)") {
  const std::string keys = R"("annexb": "no", "annexa": "pass", "ptime_adaptive": true,
                              "g729_mode": "both", "dtmf_payload_type": 100,
                              "nat_sdp_first": true, "remote_ringback": )";
  const auto check = [](const DescriptionOptions& options) {
    CHECK(options.annexb == AnnexMode::no);
    CHECK(options.annexa == AnnexMode::pass);
    CHECK(options.ptime_adaptive);
    CHECK(options.g729_mode == G729Mode::both);
    CHECK(options.dtmf_payload_type == 100);
    CHECK(options.nat_sdp_first);
    CHECK(options.remote_ringback == RemoteRingback::session_progress);
  };
  for (const char* ringback : {"183", "\"183\""}) {
    const std::string all = keys + ringback;
    auto reading = read_gateway("customer_gateways", R"("sip": {)" + all + "}");
    REQUIRE(pointers(reading) == Pointers{});
    check(reading.config.provision.customer_gateways.at(0).sip);
    reading = read_gateway("vendor_gateways", R"("sip": {)" + all + "}");
    REQUIRE(pointers(reading) == Pointers{});
    check(reading.config.provision.vendor_gateways.at(0).sip);
    reading = read_phone(all);
    REQUIRE(pointers(reading) == Pointers{});
    check(reading.config.provision.phones.at(0));
  }
  CHECK(pointers(read_phone(R"("annexb": true, "remote_ringback": 181, "annexa": "maybe")")) ==
        Pointers{"/provision/phones/0/annexa", "/provision/phones/0/annexb",
                 "/provision/phones/0/remote_ringback"});
}

TEST_CASE("read_config: the number of telephone events is a dynamic one, or 0 (M-09)") {
  for (const char* value : {"0", "96", "127"})
    CHECK(pointers(read_phone(std::string("\"dtmf_payload_type\": ") + value)) == Pointers{});
  for (const char* value : {"8", "95", "128", "-1", "true"})
    CHECK(pointers(read_phone(std::string("\"dtmf_payload_type\": ") + value)) ==
          Pointers{"/provision/phones/0/dtmf_payload_type"});
  CHECK(pointers(read_phone("\"g729_mode\": \"G729B\"")) ==
        Pointers{"/provision/phones/0/g729_mode"});
}

TEST_CASE("read_config: fax by both its names (M-11)") {
  for (const char* key : {"t38", "sipT38"}) {
    const auto reading = read_phone('"' + std::string(key) + "\": false");
    REQUIRE(pointers(reading) == Pointers{});
    CHECK_FALSE(reading.config.provision.phones.at(0).t38);
  }
  CHECK(read_phone("\"memo\": \"\"").config.provision.phones.at(0).t38);
}

TEST_CASE("read_config: how keys come and go (M-09)") {
  const auto reading = read_gateway(
      "vendor_gateways", R"("sip": {"dtmf_receive": "signalling", "dtmf_send": "rfc2833"})");
  REQUIRE(pointers(reading) == Pointers{});
  const SipOptions& sip = reading.config.provision.vendor_gateways.at(0).sip;
  CHECK_FALSE(sip.takes_events());
  CHECK(sip.takes_info());
  CHECK(sip.gets_events());
  CHECK_FALSE(sip.gets_info());
  CHECK(pointers(read_phone(R"("dtmf_receive": "info", "dtmf_send": "all")")) ==
        Pointers{"/provision/phones/0/dtmf_receive", "/provision/phones/0/dtmf_send"});
}

TEST_CASE("read_config: encryption of media, and where it may come from (S-01)") {
  const std::string keys = R"("srtp": "required", "srtp_any_transport": true,
      "allow_media_networks": ["10.0.0.0/8", "2001:db8::/32"], "deny_media_networks": ["10.9.9.9"])";
  const auto check = [](const DescriptionOptions& options) {
    CHECK(options.srtp == SrtpMode::required);
    CHECK(options.srtp_any_transport);
    REQUIRE(options.media_sources.allow.size() == 2);
    CHECK(options.media_sources.allow[1].contains(IpAddress::parse("2001:db8::1").value()));
    REQUIRE(options.media_sources.deny.size() == 1);
    CHECK(options.media_sources.deny[0].contains(IpAddress::parse("10.9.9.9").value()));
  };
  auto reading = read_gateway("customer_gateways", R"("sip": {)" + keys + "}");
  REQUIRE(pointers(reading) == Pointers{});
  check(reading.config.provision.customer_gateways.at(0).sip);
  reading = read_phone(keys);
  REQUIRE(pointers(reading) == Pointers{});
  check(reading.config.provision.phones.at(0));
  CHECK(read_phone("\"memo\": \"\"").config.provision.phones.at(0).srtp == SrtpMode::pass);
  CHECK(pointers(read_phone(R"("srtp": true, "allow_media_networks": ["10.0.0.0/8", "10.0.0.0/99"],
                               "deny_media_networks": "10.0.0.0/8")")) ==
        Pointers{"/provision/phones/0/allow_media_networks/1",
                 "/provision/phones/0/deny_media_networks", "/provision/phones/0/srtp"});
}

TEST_CASE("read_config: keys of DTLS, ICE and the certificate of the relay") {
  const std::string keys = R"("srtp": "required", "srtp_keys": "dtls", "ice": "lite")";
  auto reading = read_gateway("vendor_gateways", R"("sip": {)" + keys + "}");
  REQUIRE(pointers(reading) == Pointers{});
  CHECK(reading.config.provision.vendor_gateways.at(0).sip.srtp_keys == SrtpKeySource::dtls);
  CHECK(reading.config.provision.vendor_gateways.at(0).sip.ice == IceMode::lite);
  CHECK(config_warnings(reading.config).empty());  // what it is offered is no secret
  reading = read_phone(R"("srtp_keys": "both")");
  REQUIRE(pointers(reading) == Pointers{});
  CHECK(reading.config.provision.phones.at(0).srtp_keys == SrtpKeySource::both);
  CHECK(reading.config.provision.phones.at(0).ice == IceMode::off);
  CHECK(pointers(read_phone(R"("srtp_keys": "zrtp", "ice": "full")")) ==
        Pointers{"/provision/phones/0/ice", "/provision/phones/0/srtp_keys"});
  reading = read_phone(R"("ice": "lite")");
  const auto warnings = config_warnings(reading.config);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].pointer == "/provision/phones/0/ice");
  CHECK(warnings[0].message == "\"lite\" does nothing without srtp_keys of dtls or both");
}

TEST_CASE("config_warnings: a vendor whose keys may not be offered is named") {
  const auto warned = [](const std::string& sip) {
    const auto reading = read_gateway("vendor_gateways", R"("sip": {)" + sip + "}");
    REQUIRE(pointers(reading) == Pointers{});
    return config_warnings(reading.config);
  };
  const auto warnings = warned(R"("srtp": "required", "transport": "udp")");
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].pointer == "/provision/vendor_gateways/0/sip/srtp");
  CHECK(
      warnings[0].message ==
      "vendor \"g\" is offered no keys over udp, so it is never called; srtp_any_transport offers "
      "them there too");
  CHECK(warned(R"("srtp": "optional", "transport": "udp", "srtp_any_transport": true)").empty());
  CHECK(warned(R"("srtp": "off", "transport": "udp")").empty());
}

TEST_CASE("read_config: the steps of M-01 have parameters by both their names") {
  const auto own = read(R"("parameters": {"media_behind_nat": false, "media_same_nat": true,
                                          "media_between_networks": false})");
  const auto vos = read(R"("parameters": {"SS_MEDIAPROXYBEHINDNAT": "Off",
                            "SS_MEDIAPROXYSAMENAT": "On", "SS_MEDIAPROXYBETWEENNET": "Off"})");
  for (const auto& reading : {own, vos}) {
    REQUIRE(pointers(reading) == Pointers{});
    CHECK_FALSE(reading.config.parameters.media_behind_nat);
    CHECK(reading.config.parameters.media_same_nat);
    CHECK_FALSE(reading.config.parameters.media_between_networks);
  }
}

TEST_CASE("read_config: reminders of accounts, customer gateways and phones (M-14)") {
  const std::string keys = R"("reminder": {"sound": "/var/soon.wav", "to": "both", "times": 3,
                                           "before_s": 45, "of": "money"})";
  const auto check = [](const std::optional<ReminderConfig>& reminder) {
    REQUIRE(reminder.has_value());
    CHECK(reminder->sound == "/var/soon.wav");
    CHECK(reminder->to == Hearers::both);
    CHECK(reminder->times == 3);
    CHECK(reminder->before_s == 45);
    CHECK(reminder->of_money);
    CHECK_FALSE(reminder->of_time);
  };
  auto reading = read_gateway("customer_gateways", keys);
  REQUIRE(pointers(reading) == Pointers{});
  check(reading.config.provision.customer_gateways.at(0).reminder);
  reading = read_phone(keys + R"(, "prompts": {"NoAnswer": "tone:busy"})");
  REQUIRE(pointers(reading) == Pointers{});
  check(reading.config.provision.phones.at(0).reminder);
  CHECK(reading.config.provision.phones.at(0).prompts.at(0).reason == Reason::NoAnswer);
  reading = read(R"("provision": {"accounts": [{"id": "a", )" + keys +
                 R"(}]}, "parameters": {"SS_CALLREMINTIME": 90})");
  REQUIRE(pointers(reading) == Pointers{});
  check(reading.config.provision.accounts.at(0).reminder);
  CHECK(reading.config.parameters.reminder_before_s == 90);
  reading = read_gateway("customer_gateways", R"("reminder": {"sound": "none"})");
  REQUIRE(pointers(reading) == Pointers{});
  CHECK(reading.config.provision.customer_gateways.at(0).reminder->sound.empty());
  CHECK(pointers(read_gateway("customer_gateways",
                              R"("reminder": {"to": "all", "times": 11, "before_s": 0,
                                              "of": "talk", "sound": ""})")) ==
        Pointers{"/provision/customer_gateways/0/reminder/before_s",
                 "/provision/customer_gateways/0/reminder/of",
                 "/provision/customer_gateways/0/reminder/sound",
                 "/provision/customer_gateways/0/reminder/times",
                 "/provision/customer_gateways/0/reminder/to"});
  CHECK(pointers(read_gateway("customer_gateways", R"("reminder": {"times": 2})")) ==
        Pointers{"/provision/customer_gateways/0/reminder/sound"});
  CHECK(pointers(read_gateway("vendor_gateways", keys)) ==
        Pointers{"/provision/vendor_gateways/0/reminder"});
}

TEST_CASE("read_config: voices, and who hears what is left in which (M-14)") {
  const std::string voices = R"("voices": [{"id": "en", "folder": "sounds/en", "memo": "m"},
                                           {"id": "de", "folder": "/de", "grammar": "./de.txt"}])";
  const std::string keys = R"("announce_remaining": "amount", "language": "de",
                              "reminder": {"sound": "tone:warning", "says": "minutes"})";
  auto reading = read(R"("parameters": {"announce_remaining": "minutes", "language": "en"},
                         "provision": {)" +
                      voices + R"(, "accounts": [{"id": "a"}],
                         "phones": [{"number": "1001", "password": "x", "account": "a", )" +
                      keys + R"(}], "customer_gateways": [
                           {"id": "g", "addresses": ["10.0.0.2"], )" +
                      keys + R"(}, {"id": "h", "addresses": ["10.0.0.3"],
                                    "announce_remaining": "default"}]})");
  REQUIRE(pointers(reading) == Pointers{});
  const Provision& provision = reading.config.provision;
  REQUIRE(provision.voices.size() == 2);
  CHECK(provision.voices[0].folder == "sounds/en");
  CHECK(provision.voices[0].grammar.empty());
  CHECK(provision.voices[1].grammar == "./de.txt");
  CHECK(reading.config.parameters.announce_remaining == Remaining::minutes);
  CHECK(reading.config.parameters.language == "en");
  CHECK(provision.customer_gateways.at(0).announce_remaining == Remaining::amount);
  CHECK(provision.customer_gateways.at(0).language == "de");
  CHECK(provision.customer_gateways.at(0).reminder->says == Remaining::minutes);
  CHECK_FALSE(provision.customer_gateways.at(1).announce_remaining.has_value());
  CHECK(provision.phones.at(0).announce_remaining == Remaining::amount);
  CHECK(provision.phones.at(0).language == "de");
  // What nobody could say, and what nobody would hear.
  CHECK(pointers(read(R"("parameters": {"announce_remaining": "minutes"})")) ==
        Pointers{"/parameters/announce_remaining"});
  CHECK(pointers(read(R"("parameters": {"announce_remaining": "default", "language": "xx"})")) ==
        Pointers{"/parameters/announce_remaining", "/parameters/language"});
  CHECK(pointers(read_gateway("customer_gateways", R"("language": "de")")) ==
        Pointers{"/provision/customer_gateways/0/language"});
  CHECK(pointers(read_gateway("customer_gateways", R"("announce_remaining": "amount",
                              "reminder": {"sound": "tone:busy", "says": "amount"})")) ==
        Pointers{"/provision/customer_gateways/0/announce_remaining",
                 "/provision/customer_gateways/0/reminder/says"});
  CHECK(pointers(read_gateway("customer_gateways",
                              R"("reminder": {"sound": "none", "says": "amount"})")) ==
        Pointers{"/provision/customer_gateways/0/reminder/says"});
  CHECK(pointers(read(R"("provision": {"accounts": [{"id": "a",
                           "reminder": {"sound": "tone:busy", "says": "minutes"}}]})")) ==
        Pointers{"/provision/accounts/0/reminder/says"});
  CHECK(pointers(read(R"("provision": {"voices": [{"id": "en", "tone": 1}]})")) ==
        Pointers{"/provision/voices/0/folder", "/provision/voices/0/tone"});
  CHECK(pointers(read_gateway("vendor_gateways", R"("announce_remaining": "amount")")) ==
        Pointers{"/provision/vendor_gateways/0/announce_remaining"});
}

TEST_CASE("read_config: areas, and the fences of the switch, gateways and phones (S-01)") {
  const std::string areas =
      R"("geofence_areas": [{"id": "hk", "ranges": ["203.0.113.0/24", "198.51.100.1-198.51.100.9",
                             {"start": "192.0.2.0", "count": 16}], "memo": "m"}])";
  const std::string keys = R"("geofence": {"mode": "allow", "areas": ["hk"], "sdp": false})";
  const auto check = [](const GeofenceConfig& fence) {
    CHECK(fence.mode == GeofenceMode::allow);
    CHECK(fence.areas == std::vector<std::string>{"hk"});
    CHECK(fence.signalling);
    CHECK_FALSE(fence.sdp);
    CHECK(fence.rtp);
  };
  auto reading = read(R"("parameters": {)" + keys + R"(}, "provision": {)" + areas +
                      R"(, "accounts": [{"id": "a"}],
        "customer_gateways": [{"id": "g", "addresses": ["10.0.0.2"], )" +
                      keys + R"(}],
        "vendor_gateways": [{"id": "v", "addresses": ["10.0.0.3"], )" +
                      keys + R"(}],
        "phones": [{"number": "1001", "password": "x", "account": "a", )" +
                      keys + "}]}");
  REQUIRE(pointers(reading) == Pointers{});
  const Provision& p = reading.config.provision;
  REQUIRE(p.geofence_areas.size() == 1);
  REQUIRE(p.geofence_areas[0].ranges.size() == 3);
  CHECK(p.geofence_areas[0].ranges[2].to_string() == "192.0.2.0-192.0.2.15");
  check(reading.config.parameters.geofence);
  check(p.customer_gateways.at(0).geofence);
  check(p.vendor_gateways.at(0).geofence);
  check(p.phones.at(0).geofence);
  CHECK(pointers(read_gateway("vendor_gateways", keys)) ==
        Pointers{"/provision/vendor_gateways/0/geofence/areas/0",
                 "/provision/vendor_gateways/0/geofence/mode"});
  CHECK(pointers(read(R"("provision": {"geofence_areas": [{"id": "x", "ranges": ["10.0.0.0/40",
              {"start": "10.0.0.0"}, {"start": "255.255.255.255", "count": 2}, 7]}]})")) ==
        Pointers{"/provision/geofence_areas/0/ranges/0",
                 "/provision/geofence_areas/0/ranges/1/count",
                 "/provision/geofence_areas/0/ranges/2", "/provision/geofence_areas/0/ranges/3"});
}
