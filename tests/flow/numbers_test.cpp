// What becomes of numbers on their way: where rules apply (N-01), area codes for mobiles (N-04),
// the transform table (N-05), number groups, pairs and the numbering plan (N-06) in whole calls.
#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// Calls, and gives the only record.
Cdr record_of(Bench& bench, const std::string& callee, const std::string& caller) {
  auto call = bench.dial({}, callee, caller);
  bench.run_s(1);
  call->hang_up();
  REQUIRE(bench.world.run_until_idle());
  return bench.world.cdrs().back();
}

}  // namespace

TEST_CASE(
    "Numbers: a caller stands for another number, and a vendor gets its own for a callee (N-05)") {
  SwitchConfig config = base_config(2);
  config.provision.number_transforms = {{"a", "86755100", "1001", "5100"},
                                        {"b", "86755200", "1002", "5200"}};
  config.provision.customer_gateways[0].number_transform = true;
  config.provision.vendor_gateways[0].number_transform = true;
  config.provision.vendor_gateways[0].rewrite_callee = ":99";  // not for what the table says
  Bench bench(config);
  Cdr cdr = record_of(bench, "86755200", "1001");
  CHECK(cdr.caller == "86755100");
  CHECK(cdr.caller_in == "1001");
  CHECK(cdr.caller_out == "86755100");
  CHECK(cdr.callee == "86755200");
  CHECK(cdr.callee_out == "5200");
  cdr = record_of(bench, "86755300", "1003");
  CHECK(cdr.caller == "1003");
  CHECK(cdr.callee_out == "9986755300");
  bench.b->set_plan(refuse(503));
  cdr = record_of(bench, "86755200", "1001");
  CHECK_MESSAGE(cdr.callee_out == "86755200", "v2 has not chosen the table");
  bench.check_clean();
}

TEST_CASE(
    "Numbers: rules of customer, vendor and its hours apply in turn, each view is kept (N-01)") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].rewrite_caller = "0:44";
  config.provision.customer_gateways[0].rewrite_callee = "00:";
  config.provision.vendor_gateways[0].prefixes = {"4420"};  // found behind the customer's rules
  config.provision.vendor_gateways[0].rewrite_caller = "44:8";
  config.provision.vendor_gateways[0].rewrite_callee = "44:9";
  PeriodConfig hours;  // the dial plan of a period replaces the vendor's while it holds
  hours.from_s = 60;
  hours.rewrite_callee = "44:7";
  config.provision.vendor_gateways[0].periods = {hours};
  Bench bench(config);
  Cdr cdr = record_of(bench, "00442079460000", "0161");
  CHECK(cdr.caller_in == "0161");
  CHECK(cdr.caller == "44161");
  CHECK(cdr.caller_out == "8161");
  CHECK(cdr.callee_in == "00442079460000");
  CHECK(cdr.callee == "442079460000");  // billed by this one
  CHECK(cdr.callee_out == "92079460000");
  bench.run_s(61);
  cdr = record_of(bench, "00442079460000", "0161");
  CHECK(cdr.callee == "442079460000");
  CHECK(cdr.callee_out == "72079460000");
  CHECK(cdr.caller_out == "8161");
  bench.check_clean();
}

TEST_CASE("Numbers: mobile numbers of chosen areas get their area code (N-04)") {
  SwitchConfig config = base_config();
  config.provision.mobile_areas = {{"a", "1390000", "010", "Beijing"},
                                   {"b", "1390001", "021", "Shanghai"}};
  config.provision.customer_gateways[0].complete_mobile_areas = {"Beijing"};
  config.provision.vendor_gateways[0].complete_mobile_areas = {"Shanghai"};
  Bench bench(config);
  Cdr cdr = record_of(bench, "13900001234", "1000");
  CHECK(cdr.callee == "01013900001234");
  CHECK(cdr.callee_out == "01013900001234");
  cdr = record_of(bench, "13900011234", "1000");
  CHECK(cdr.callee == "13900011234");
  CHECK(cdr.callee_out == "02113900011234");
  bench.check_clean();
}

TEST_CASE(
    "Numbers: a numbering plan says what callers may be and whose mobiles a vendor takes (N-06)") {
  SwitchConfig config = base_config(2);
  config.provision.numbering_plan = {{"c", "010", NumberKind::city, "Beijing", 11, 12},
                                     {"m", "139", NumberKind::mobile, "Beijing", 11, 11},
                                     {"n", "138", NumberKind::mobile, "Xian", 11, 11}};
  config.provision.customer_gateways[0].numbers.caller_kinds = {NumberKind::city};
  config.provision.vendor_gateways[0].numbers.allow_mobile_areas = {"Beijing"};
  Bench bench(config);
  CHECK(record_of(bench, "13912345678", "01012345678").vendor_gateway == "v1");
  CHECK(record_of(bench, "13812345678", "01012345678").vendor_gateway == "v2");
  CHECK(record_of(bench, "4420", "01012345678").vendor_gateway == "v1");
  for (const char* caller : {"01012", "13912345678", "4420"})
    CHECK(record_of(bench, "4420", caller).end_reason == Reason::NumberRestricted);
  auto text = bench.tandem->explain({"cust", "01012345678", "13812345678", std::nullopt});
  REQUIRE(text.ok());
  CHECK(text->find(
            R"({"gateway":"v1","reason":"number_restricted","rule":"mobile_area_not_allowed"})") !=
        std::string::npos);
  bench.check_clean();
}

TEST_CASE("Numbers: groups and pairs refuse a customer's call and pass over a vendor (N-06)") {
  SwitchConfig config = base_config(2);
  config.provision.number_groups = {{"barred", {"1666"}}, {"staff", {"1001", "1002"}}};
  config.provision.customer_gateways[0].number_groups.deny_caller = {"barred"};
  config.provision.vendor_gateways[0].number_groups.allow_caller = {"staff"};
  config.provision.vendor_gateways[0].numbers.deny_pairs = {{"1001", "4420"}};
  Bench bench(config);
  CHECK(record_of(bench, "4930", "1001").vendor_gateway == "v1");
  CHECK(record_of(bench, "4420", "1001").vendor_gateway == "v2");  // the pair
  CHECK(record_of(bench, "4930", "1003").vendor_gateway == "v2");  // not staff
  const Cdr refused = record_of(bench, "4930", "1666");
  CHECK(refused.end_reason == Reason::NumberRestricted);
  CHECK(refused.sip_status == 403);
  auto text = bench.tandem->explain({"cust", "1001", "4420", std::nullopt});
  REQUIRE(text.ok());
  CHECK(text->find(R"({"gateway":"v1","reason":"number_restricted","rule":"pair_denied")") !=
        std::string::npos);
  bench.check_clean();
}
