// Which number a side of a call is rated by (B-14, B-16), and how long a call may be (B-12).
#include <set>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

Rate rate(const std::string& prefix, std::string_view price) {
  Rate one;
  one.prefix = prefix;
  one.price = money(price);
  return one;
}

/// The customer pays by "44" only; the vendor is owed 0.60 for "44" and 6.00 for "0044".
SwitchConfig two_numbers() {
  SwitchConfig config = base_config();
  config.provision.rate_decks[0].rates = {rate("44", "1.20")};
  config.provision.rate_decks[1].rates = {rate("44", "0.60"), rate("0044", "6.00")};
  config.provision.vendor_gateways[0].rewrite_callee = "44:0044";
  return config;
}

}  // namespace

TEST_CASE("Billing: a prefix that steers routing is not rated, and goes to the vendor (B-14)") {
  SwitchConfig config = two_numbers();
  config.parameters.gateway_route_prefix.prefixes = {"99"};
  config.provision.vendor_gateways[0].prefixes = {"99"};
  config.provision.vendor_gateways[0].rewrite_callee.clear();
  Bench bench(config);
  const auto shown =
      bench.tandem->explain({.from = "cust", .caller = "1000", .callee = "99442079460000"});
  REQUIRE(shown.ok());
  CHECK(shown->find(R"("callee_billing":"442079460000")") != std::string::npos);
  CHECK(shown->find(R"("vendor_callee_billing":"442079460000")") != std::string::npos);
  auto call = bench.dial({}, "99442079460000");
  bench.run_s(10);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.callee_out == "99442079460000");
  CHECK(cdr.callee == "442079460000");
  CHECK(cdr.customer.rate_prefix == "44");
  REQUIRE(cdr.vendor);
  CHECK(cdr.vendor->rate_prefix == "44");
}

TEST_CASE("Billing: the vendor's side goes by the number before or after its rules (B-16)") {
  for (const bool is_callout : {false, true}) {
    CAPTURE(is_callout);
    SwitchConfig config = two_numbers();
    config.provision.vendor_gateways[0].clearing_account_use_callout_e164 = is_callout;
    Bench bench(config);
    const auto shown =
        bench.tandem->explain({.from = "cust", .caller = "1000", .callee = "442079460000"});
    REQUIRE(shown.ok());
    const std::string owed = is_callout ? "00442079460000" : "442079460000";
    CHECK(shown->find(R"("vendor_callee_billing":")" + owed + '"') != std::string::npos);
    auto call = bench.connect();
    bench.run_s(10);
    call->hang_up();
    const Cdr& cdr = bench.only_cdr();
    CHECK(cdr.callee_out == "00442079460000");
    REQUIRE(cdr.vendor);
    CHECK(cdr.vendor->rate_prefix == (is_callout ? "0044" : "44"));
    CHECK(cdr.customer.rate_prefix == "44");
  }
}

TEST_CASE("Billing: the lowest rate is that of the number the vendor is owed for (B-16, R-06)") {
  SwitchConfig config = base_config(2);
  config.provision.rate_decks[1].rates = {rate("44", "0.60"), rate("0044", "6.00")};
  config.provision.customer_gateways[0].sort = {RoutePolicy::lowest_rate};
  for (VendorGateway& vendor : config.provision.vendor_gateways)
    vendor.clearing_account_use_callout_e164 = true;
  config.provision.vendor_gateways[0].rewrite_callee = "44:0044";
  Bench bench(config);
  auto call = bench.connect();
  call->hang_up();
  CHECK(bench.only_cdr().vendor_gateway == "v2");
}

TEST_CASE("Billing: of two bounds every call gets a longest time between them (B-12)") {
  SwitchConfig config = base_config();
  config.provision.vendor_gateways[0].max_call_s = MaxCallDuration{20, 22};
  config.provision.customer_gateways[0].max_call_s = MaxCallDuration{0, 0};
  config.parameters.max_call_s = 5;  // both gateways say otherwise
  Bench bench(config);
  std::set<std::int64_t> seen_s;
  for (int i = 0; i < 30; ++i) {
    auto call = bench.connect();
    REQUIRE(bench.world.run_until([&] { return call->is_over(); }, 60 * second_us));
    bench.check_clean();
    const Cdr& cdr = bench.world.cdrs().back();
    CHECK(cdr.end_reason == Reason::MaxDuration);
    seen_s.insert(cdr.talk_time_ms / 1000);
  }
  CHECK(seen_s == std::set<std::int64_t>{20, 21, 22});
  const auto shown =
      bench.tandem->explain({.from = "cust", .caller = "1000", .callee = "442079460000"});
  REQUIRE(shown.ok());
  CHECK(shown->find(R"("max_call_s":[20,22])") != std::string::npos);
}
