// Which numbers vendors take (N-06) when routing goes by another number: that with the prefix of a
// split (R-19) or of the customer (B-14), or where the callee was ported to (R-20).
#include <optional>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

constexpr const char* dialled = "442079460000";
constexpr const char* caller = "441000";

/// Every list of a vendor that refuses calls from `caller` to `dialled`, each with what it is
/// called.
struct Refusal {
  const char* rule;
  void (*set)(SwitchConfig& config, VendorGateway& vendor);
};

NumberPolicyConfig& lists(VendorGateway& vendor) { return vendor.numbers; }

const Refusal refusals[] = {
    {"callee_denied",
     [](SwitchConfig&, VendorGateway& v) { lists(v).deny_callee_prefixes = {"4420"}; }},
    {"callee_not_allowed",
     [](SwitchConfig&, VendorGateway& v) {
       lists(v).allow_callee_prefixes = {"a", "1646"};
     }},
    {"callee_denied",
     [](SwitchConfig& c, VendorGateway& v) {
       c.provision.number_groups = {{"g", {dialled}}};
       v.number_groups.deny_callee = {"g"};
     }},
    {"callee_length",
     [](SwitchConfig&, VendorGateway& v) {
       lists(v).callee_lengths = {10, 11, 13};
     }},
    {"pair_denied",
     [](SwitchConfig&, VendorGateway& v) {
       lists(v).deny_pairs = {{"44", "4420"}};
     }},
    {"city_denied", [](SwitchConfig&, VendorGateway& v) { lists(v).deny_same_city = {"44"}; }},
    {"callee_kind",
     [](SwitchConfig& c, VendorGateway& v) {
       c.provision.numbering_plan = {{"", "442", NumberKind::city, "London", 12, 12}};
       lists(v).callee_kinds = {NumberKind::mobile, NumberKind::other};
     }},
    {"mobile_area_denied",
     [](SwitchConfig& c, VendorGateway& v) {
       c.provision.numbering_plan = {{"", "442", NumberKind::mobile, "London", 12, 12}};
       lists(v).deny_mobile_areas = {"London"};
     }},
    {"callee_denied",
     [](SwitchConfig&, VendorGateway& v) {
       v.periods.emplace_back().forbid_callee_prefixes = {"4420"};
     }},
    {"callee_not_allowed",
     [](SwitchConfig&, VendorGateway& v) {
       v.periods.emplace_back().allow_callee_prefixes = {"a", "1646"};
     }},
};

/// v1 and v2 get the calls to `dialled` by another number, as `steer` and `plan` have it; v1 does
/// not want them.
void check_refusals(void (*steer)(SwitchConfig& config), const DialPlan& plan,
                    const std::optional<LrnRecord>& lrn) {
  for (const Refusal& refusal : refusals) {
    CAPTURE(refusal.rule);
    SwitchConfig config = base_config(2);
    config.provision.vendor_gateways[1].priority = 1;
    steer(config);
    refusal.set(config, config.provision.vendor_gateways[0]);
    Bench bench(config);
    auto call = bench.dial(plan, dialled, caller);
    bench.run_s(1);
    CHECK(bench.vendors[0]->received("INVITE") == 0);
    CHECK(bench.vendors[1]->received("INVITE") == 1);
    const auto answer = bench.tandem->explain({"cust", caller, dialled, std::nullopt, lrn});
    REQUIRE(answer.ok());
    CHECK(answer->find(R"({"gateway":"v1","reason":"number_restricted","rule":")" +
                       std::string(refusal.rule) + '"') != std::string::npos);
    call->hang_up();
    bench.check_clean();
  }
}

}  // namespace

TEST_CASE("Lists: a vendor judges who sent a call on (N-06, P-13)") {
  SwitchConfig config = base_config(2);
  config.provision.vendor_gateways[1].priority = 1;
  config.provision.customer_gateways[0].sip.recognize_forward = true;
  VendorGateway& first = config.provision.vendor_gateways[0];
  std::string forwarder = "<sip:442079990000@a.example>;reason=user-busy";
  int expected = 0;
  const char* rule = "deny_forward_prefixes";
  SUBCASE("a denied one") { first.deny_forward_prefixes = {"4420"}; }
  SUBCASE("one that is not allowed") {
    first.allow_forward_prefixes = {"44207999000012", "33"};
    rule = "allow_forward_prefixes";
  }
  SUBCASE("deny outranks allow") {
    first.allow_forward_prefixes = {"44"};
    first.deny_forward_prefixes = {"442079990000"};
  }
  SUBCASE("an allowed one") {
    first.allow_forward_prefixes = {"4420"};
    expected = 1;
  }
  SUBCASE("one without a number is none that is allowed") {
    first.allow_forward_prefixes = {"4"};
    forwarder = "<sip:442079990000442079990000442079990000@a.example>";
    rule = "allow_forward_prefixes";
  }
  SUBCASE("one without a number is none that is denied") {
    first.deny_forward_prefixes = {"4"};
    forwarder = "<sip:442079990000442079990000442079990000@a.example>";
    expected = 1;
  }
  SUBCASE("the last one that did counts") {
    forwarder += ", <sip:33@a.example>";
    first.deny_forward_prefixes = {"33"};
    expected = 1;
  }
  SUBCASE("nobody did") {
    first.allow_forward_prefixes = {"33"};
    forwarder.clear();
    expected = 1;
  }
  SUBCASE("the customer is not believed") {
    config.provision.customer_gateways[0].sip.recognize_forward = false;
    first.deny_forward_prefixes = {"4420"};
    expected = 1;
  }
  Bench bench(config);
  DialPlan plan;
  if (!forwarder.empty()) plan.headers = {{"Diversion", forwarder}};
  auto call = bench.dial(plan);
  bench.run_s(1);
  CHECK(bench.vendors[0]->received("INVITE") == expected);
  CHECK(bench.vendors[1]->received("INVITE") == 1 - expected);
  call->hang_up();
  bench.check_clean();
  if (expected == 0)
    CHECK(bench.world.cdrs().back().choices.find("NumberRestricted:" + std::string(rule)) !=
          std::string::npos);
}

TEST_CASE("Lists: a phone here that sends a call on is judged by its number (N-06, T-02)") {
  SwitchConfig config = base_config(2);
  config.provision.vendor_gateways[1].priority = 1;
  config.provision.vendor_gateways[0].deny_forward_prefixes = {"100"};
  PhoneConfig phone;
  phone.id = phone.number = "1001";
  phone.password = "secret";
  phone.account = "acme";
  ForwardTarget target;
  target.number = dialled;
  phone.forward.unconditional = {target};
  config.provision.phones = {phone};
  Bench bench(config);
  auto call = bench.dial({}, "1001");
  bench.run_s(2);
  CHECK(bench.vendors[0]->received("INVITE") == 0);
  CHECK(bench.vendors[1]->received("INVITE") == 1);
  call->hang_up();
  bench.check_clean();
}

TEST_CASE("Lists: a vendor judges the callee without the prefix of a split (N-06, R-19)") {
  check_refusals(
      [](SwitchConfig& config) {
        config.provision.customer_gateways[0].split = {{1, "a"}};
        for (VendorGateway& vendor : config.provision.vendor_gateways) {
          vendor.prefixes = {"a"};
          vendor.rewrite_callee = "a:";
        }
      },
      {}, std::nullopt);
}

TEST_CASE("Lists: a vendor judges the callee without a prefix that only steers (N-06, B-14)") {
  check_refusals(
      [](SwitchConfig& config) {
        config.parameters.gateway_route_prefix.prefixes = {"88"};
        config.provision.rate_decks[0].rates[0].prefix = "44";
        config.provision.customer_gateways[0].rewrite_callee = ":88";
        for (VendorGateway& vendor : config.provision.vendor_gateways) {
          vendor.prefixes = {"88"};
          vendor.rewrite_callee = "88:";
        }
      },
      {}, std::nullopt);
}

TEST_CASE("Lists: a prefix that the customer's deck has rates for is of the number (N-06, B-14)") {
  SwitchConfig config = base_config(2);
  config.provision.vendor_gateways[1].priority = 1;
  config.parameters.gateway_route_prefix.prefixes = {"88"};
  config.provision.rate_decks[0].rates[0].prefix = "88";
  config.provision.vendor_gateways[0].numbers.deny_callee_prefixes = {"4420"};
  Bench bench(config);
  auto call = bench.dial({}, "88" + std::string(dialled));
  bench.run_s(1);
  CHECK(bench.vendors[0]->received("INVITE") == 1);
  call->hang_up();
  bench.check_clean();
}

TEST_CASE("Lists: a vendor judges what was dialled, not where it was ported to (N-06, R-20)") {
  DialPlan ported;
  ported.npdi = true;
  ported.rn = "16465550000";
  check_refusals(
      [](SwitchConfig& config) {
        LrnResolverConfig resolver;
        resolver.id = "host";
        resolver.kind = LrnResolverKind::host;
        config.provision.lrn_resolvers = {resolver};
        LrnGatewayConfig& lrn = config.provision.customer_gateways[0].lrn.emplace();
        lrn.resolver = "host";
        lrn.trusts_npdi = true;
        for (VendorGateway& vendor : config.provision.vendor_gateways)
          vendor.prefixes = {"1646"};
      },
      ported, LrnRecord{"16465550000", ""});
}
