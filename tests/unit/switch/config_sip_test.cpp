// The `sip` object of gateways as the file gives it.
#include <doctest/doctest.h>

#include "tandem/config.hpp"
#include "unit/switch/config_errors.hpp"

using namespace tandem;

namespace {

ConfigReading read(const std::string& body) {
  return read_config(R"({"sip": {"listen": ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"],
                                 "product": "Gate 7"}, )" +
                         body + "}",
                     "/etc/tandem");
}

/// With one gateway of that kind.
ConfigReading read_gateway(const std::string& kind, const std::string& keys) {
  return read(R"("provision": {")" + kind + R"(": [{"id": "g", "addresses": ["10.0.0.2"], )" +
              keys + "}]}");
}

}  // namespace

TEST_CASE("read_config: rel100 is a switch, or says that it must be spoken (P-17)") {
  const struct {
    const char* value;
    Rel100Mode mode;
  } cases[] = {{"true", Rel100Mode::allow},
               {"false", Rel100Mode::off},
               {"\"require\"", Rel100Mode::require},
               {"\"allow\"", Rel100Mode::allow},
               {"\"off\"", Rel100Mode::off}};
  for (const auto& one : cases) {
    CAPTURE(one.value);
    const std::string keys = std::string(R"("sip": {"rel100": )") + one.value + "}";
    auto reading = read_gateway("customer_gateways", keys);
    CHECK(reading.errors.empty());
    CHECK(reading.config.provision.customer_gateways.at(0).sip.rel100 == one.mode);
    reading = read_gateway("vendor_gateways", keys);
    CHECK(reading.config.provision.vendor_gateways.at(0).sip.rel100 == one.mode);
  }
  CHECK(pointers(read_gateway("vendor_gateways", R"("sip": {"rel100": "always"})")) ==
        Pointers{"/provision/vendor_gateways/0/sip/rel100"});
}

TEST_CASE("read_config: who may transfer is said of each gateway (P-25, T-04)") {
  const struct {
    const char* value;
    ReferMode mode;
  } cases[] = {{"off", ReferMode::off}, {"local", ReferMode::local}, {"relay", ReferMode::relay}};
  for (const auto& one : cases) {
    CAPTURE(one.value);
    const std::string keys =
        std::string(R"("sip": {"transfer_keys": true, "refer": ")") + one.value + "\"}";
    auto reading = read_gateway("customer_gateways", keys);
    REQUIRE(pointers(reading) == Pointers{});
    CHECK(reading.config.provision.customer_gateways.at(0).sip.refer == one.mode);
    CHECK(reading.config.provision.customer_gateways.at(0).sip.transfer_keys);
    reading = read_gateway("vendor_gateways", keys);
    CHECK(reading.config.provision.vendor_gateways.at(0).sip.refer == one.mode);
  }
  const auto unsaid = read_gateway("customer_gateways", R"("memo": "")");
  CHECK(unsaid.config.provision.customer_gateways.at(0).sip.refer == ReferMode::off);
  CHECK_FALSE(unsaid.config.provision.customer_gateways.at(0).sip.transfer_keys);
  CHECK(pointers(read_gateway("vendor_gateways", R"("sip": {"refer": true})")) ==
        Pointers{"/provision/vendor_gateways/0/sip/refer"});
}

TEST_CASE("read_config: whose place a gateway may ask for (RFC 3891)") {
  const auto mode_of = [](const std::string& keys) {
    const auto reading = read_gateway("customer_gateways", keys);
    REQUIRE(pointers(reading) == Pointers{});
    return reading.config.provision.customer_gateways.at(0).sip.replaces;
  };
  CHECK(mode_of(R"("memo": "")") == ReplacesMode::off);
  CHECK(mode_of(R"("sip": {"replaces": "off"})") == ReplacesMode::off);
  CHECK(mode_of(R"("sip": {"replaces": "own"})") == ReplacesMode::own);
  CHECK(mode_of(R"("sip": {"replaces": "account"})") == ReplacesMode::account);
  CHECK(mode_of(R"("sip": {"replaces": "any"})") == ReplacesMode::any);
  CHECK(pointers(read_gateway("vendor_gateways", R"("sip": {"replaces": "all"})")) ==
        Pointers{"/provision/vendor_gateways/0/sip/replaces"});
}

TEST_CASE("read_config: redirections of a vendor are followed, or decide (P-21, I-03)") {
  const auto rules_of = [](const std::string& value) {
    const auto reading =
        read_gateway("vendor_gateways", R"("sip": {"follow_redirects": )" + value + "}");
    REQUIRE(reading.errors.empty());
    return reading.config.provision.vendor_gateways.at(0).sip.redirects;
  };
  CHECK(rules_of(R"("gateways")").to_gateways);
  CHECK_FALSE(rules_of(R"("gateways")").are_followed);
  CHECK_FALSE(rules_of("true").to_gateways);
  CHECK(rules_of("true").are_followed);
  CHECK(rules_of(R"(["10.0.0.0/8"])").networks.size() == 1);
  CHECK(pointers(read_gateway("vendor_gateways", R"("sip": {"follow_redirects": "vendors"})")) ==
        Pointers{"/provision/vendor_gateways/0/sip/follow_redirects"});
}

TEST_CASE("read_config: what SIP says with a customer is read whole (P-10..P-19, P-28, P-30)") {
  const auto reading = read_gateway("customer_gateways", R"("caller_from": "pai",
      "callee_from": "diversion", "sip": {"privacy": "pass", "recognize_forward": true,
      "retry_after": false, "reason": "Off", "session_timer": "require",
      "pass_headers": ["X-One", "X-Two"], "replace_reasons": [{"from": 503, "to": "486"},
      {"from": 0, "to": 480}], "replace_causes": [{"from": 34, "to": 17}],
      "timers": {"setup_timeout_s": 30}, "memo": "x"})");
  REQUIRE(reading.errors.empty());
  CHECK(reading.config.sip_product == "Gate 7");
  const SipOptions& sip = reading.config.provision.customer_gateways[0].sip;
  CHECK(sip.caller_from == CallerField::pai);
  CHECK(sip.callee_from == CalleeField::diversion);
  CHECK(sip.privacy == PrivacyMode::pass);
  CHECK(sip.recognize_forward);
  CHECK_FALSE(sip.retry_after);
  CHECK_FALSE(sip.reason);
  CHECK(sip.session_timer == SessionTimerMode::require);
  CHECK(sip.pass_headers.passes("x-TWO"));
  CHECK_FALSE(sip.pass_headers.passes("X-Three"));
  CHECK(sip.replace_reasons == std::vector<CodeReplacement>{{503, 486}, {0, 480}});
  CHECK(sip.replace_causes == std::vector<CodeReplacement>{{34, 17}});
  CHECK(sip.setup_timeout_s == 30);
}

TEST_CASE("read_config: what SIP says with a vendor is read whole (P-01, P-07..P-19)") {
  const auto reading = read_gateway("vendor_gateways", R"("sip": {"transport": "tcp",
      "local_address": "127.0.0.1:5060", "local_domain": "sw.example", "user_phone": true,
      "display": false, "rpid": true, "privacy": "id", "pai": "caller", "ppi": "pass",
      "forward_signal": true, "invite_headers": ["X-A: ${caller}", "X-B:"],
      "pass_headers": true, "timers": {"invite_timeout_s": 3, "trying_timeout_s": 4,
      "progress_timeout_s": 5, "progress_sdp_timeout_s": 6, "ringing_timeout_s": 7},
      "overload_control": true})");
  REQUIRE(reading.errors.empty());
  const SipOptions& sip = reading.config.provision.vendor_gateways[0].sip;
  CHECK(sip.transport == SipTransport::tcp);
  CHECK(sip.local_address.to_string() == "127.0.0.1:5060");
  CHECK(sip.local_domain == "sw.example");
  CHECK(sip.user_phone);
  CHECK(sip.overload_control);
  CHECK_FALSE(sip.display);
  CHECK(sip.rpid);
  CHECK(sip.privacy == PrivacyMode::id);
  CHECK(sip.pai == IdentityMode::caller);
  CHECK(sip.ppi == IdentityMode::pass);
  CHECK(sip.forward_signal);
  CHECK(sip.pass_headers.passes("Anything"));
  REQUIRE(sip.invite_headers.size() == 2);
  CHECK(sip.invite_headers[0] == HeaderTemplate{"X-A", "${caller}"});
  CHECK(sip.invite_headers[1] == HeaderTemplate{"X-B", ""});
  CHECK(sip.timers.invite_s == 3);
  CHECK(sip.timers.ringing_s == 7);
}

TEST_CASE("read_config: a vendor's own keys are none of a customer, and the other way round") {
  CHECK(pointers(read_gateway("customer_gateways", R"("sip": {"pai": "caller"})")) ==
        Pointers{"/provision/customer_gateways/0/sip/pai"});
  CHECK(pointers(read_gateway("vendor_gateways", R"("sip": {"replace_reasons": []})")) ==
        Pointers{"/provision/vendor_gateways/0/sip/replace_reasons"});
}

TEST_CASE("read_config: what is wrong in `sip` is named where it stands (P-01, P-14, P-30)") {
  const std::string vendor = "/provision/vendor_gateways/0/sip";
  CHECK(pointers(read_gateway("vendor_gateways", R"("sip": {"local_domain": "a b",
      "invite_headers": ["X-A ${caller}", "Via: x", "X B: 1", "X: ${me}", "X: a\nb"],
      "pass_headers": ["X-Ok", "Via", "Privacy", "X Y"],
      "timers": {"invite_timeout_s": 9999}})")) ==
        Pointers{vendor + "/invite_headers/0", vendor + "/invite_headers/1",
                 vendor + "/invite_headers/2", vendor + "/invite_headers/3",
                 vendor + "/invite_headers/4", vendor + "/local_domain", vendor + "/pass_headers/1",
                 vendor + "/pass_headers/2", vendor + "/pass_headers/3",
                 vendor + "/timers/invite_timeout_s"});
  for (const char* address : {"127.0.0.2:5060", "[::1]:5060"}) {
    CAPTURE(address);
    const auto found = pointers(read_gateway(
        "vendor_gateways", R"("sip": {"local_address": ")" + std::string(address) + R"("})"));
    REQUIRE_FALSE(found.empty());
    CHECK(found.front() == vendor + "/local_address");
  }
  const std::string list = "/provision/customer_gateways/0/sip/replace_reasons";
  const auto found = pointers(read_gateway("customer_gateways", R"("sip": {"replace_reasons": [
      {"from": 200, "to": 480}, {"from": 501}, {"from": 503, "to": 700}, {"from": 504, "to": 302},
      {"from": 505, "to": 407}, {"from": 505, "to": 480}]})"));
  CHECK(found == Pointers{list + "/0/from", list + "/1/to", list + "/2/to", list + "/3/to",
                          list + "/4/to", list + "/5"});
}

TEST_CASE("read_config: session timers have parameters under the names of VOS too (P-18)") {
  const auto reading = read(R"("parameters": {"SS_SIP_SESSION_TTL": "1800",
      "SS_SIP_SESSION_UPDATE_SEGMENT": 3, "SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP": 5,
      "SS_SIP_NO_TIMER_REINVITE_INTERVAL": 7200})");
  REQUIRE(reading.errors.empty());
  const Parameters& p = reading.config.parameters;
  CHECK(p.session_timer_s == 1800);
  CHECK(p.session_refreshes == 3);
  CHECK(p.session_early_hangup_s == 5);
  CHECK(p.no_timer_max_call_s == 7200);
  CHECK(pointers(read(R"("parameters": {"session_timer_s": 89})")) ==
        Pointers{"/parameters/session_timer_s"});
}

TEST_CASE("read_config: the switch's tables of statuses and causes (C-09)") {
  const auto reading = read(R"("parameters": {"q850_for_sip": [{"from": 503, "to": 42},
      {"from": "486", "to": 31}], "sip_for_q850": [{"from": 21, "to": 603}]})");
  REQUIRE(pointers(reading) == Pointers{});
  const Parameters& p = reading.config.parameters;
  CHECK(p.q850_for_sip == std::vector<CodeReplacement>{{503, 42}, {486, 31}});
  CHECK(p.sip_for_q850 == std::vector<CodeReplacement>{{21, 603}});
  CHECK(read("\"parameters\": {}").config.parameters.q850_for_sip.empty());
  CHECK(pointers(read(R"("parameters": {"q850_for_sip": [{"from": 0, "to": 42},
      {"from": 503, "to": 0}, {"from": 504, "to": 128}, {"from": 200, "to": 1}, {"from": 486}],
      "sip_for_q850": [{"from": 21, "to": 200}, {"from": 22, "to": 407}, {"from": 128, "to": 603},
      {"from": 34, "to": 503}, {"from": 34, "to": 486}, {"from": 1, "to": 0}]})")) ==
        Pointers{"/parameters/q850_for_sip/0/from", "/parameters/q850_for_sip/1/to",
                 "/parameters/q850_for_sip/2/to", "/parameters/q850_for_sip/3/from",
                 "/parameters/q850_for_sip/4/to", "/parameters/sip_for_q850/0/to",
                 "/parameters/sip_for_q850/1/to", "/parameters/sip_for_q850/2/from",
                 "/parameters/sip_for_q850/4", "/parameters/sip_for_q850/5/to"});
}
