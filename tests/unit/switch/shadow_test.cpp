#include "switch/shadow.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace tandem;

namespace {

SwitchConfig config() {
  const ConfigReading reading = read_config(R"({
    "sip": {"listen": ["udp:127.0.0.1:5060"]},
    "provision": {
      "accounts": [{"id": "acme", "balance": "0.00", "rate_deck": "retail"},
                   {"id": "north", "kind": "clearing", "rate_deck": "north"}],
      "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]},
                     {"id": "north", "rates": [{"prefix": "", "price": "0.30"}]}],
      "customer_gateways": [{"id": "cust", "addresses": ["192.0.2.10"], "account": "acme"}],
      "vendor_gateways": [{"id": "north", "addresses": ["192.0.2.20"], "account": "north"}]}
  })",
                                            ".");
  REQUIRE(reading.errors.empty());
  return reading.config;
}

call::ShadowCall call_to(const std::string& callee, const std::string& vendor) {
  call::ShadowCall call;
  call.arrived_wall_us = 1'767'225'600'000'000;
  call.source = SocketAddress::parse("192.0.2.10:5060").value();
  call.caller_user = "1000";
  call.callee_user = callee;
  call.customer_gateway = "cust";
  call.rate_prefix = "44";
  call.is_rated = true;
  call.met = {{vendor, false, false}};
  call.is_answered = true;
  call.talk_time_ms = 60'000;
  call.revenue = call::ShadowMoney{Amount::parse("0.60").value(), "USD"};
  call.cost = call::ShadowMoney{Amount::parse("0.40").value(), "USD"};
  return call;
}

std::shared_ptr<Shadow> start(bool has_thread) {
  auto started = Shadow::start(config(), ShadowPlan{}, std::make_unique<SeededRandom>(1), 1'000'000,
                               has_thread);
  REQUIRE(started.ok());
  return *started;
}

bool says(const std::string& text, const std::string& part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE(text << " does not say " << part);
  return found;
}

}  // namespace

TEST_CASE("Shadow: what waits is routed before stop() returns, what comes later is dropped") {
  const auto shadow = start(true);
  for (int i = 0; i < 1000; ++i)
    shadow->offer(call_to("442079460000", "south"));
  shadow->stop();
  shadow->stop();
  CHECK(says(shadow->report(2'000'000), R"("waiting":0,"dropped":0,"calls":1000,"changed":1000,)"));
  CHECK(says(shadow->report(2'000'000), R"("live_cost":"400.00","shadow_cost":"300.00",)"));
  shadow->offer(call_to("442079460000", "south"));
  CHECK(says(shadow->report(2'000'000), R"("dropped":1,"calls":1000,)"));
}

TEST_CASE("Shadow: accounts without money are no reason, locked vendors are") {
  const auto shadow = start(false);
  shadow->offer(call_to("442079460000", "north"));  // the account has no money
  CHECK(says(shadow->report(0), R"("calls":1,"changed":0,"no_route":0,)"));
  shadow->offer(call_to("33", "north"));
  CHECK(says(shadow->report(0), R"("refusals":[{"reason":"RateNotFound","calls":1}])"));
}

TEST_CASE("ShadowTally: no list grows beyond its bound, and no call is lost to it") {
  ShadowTally tally;
  const std::size_t keys = shadow_rows_max + 500;
  for (std::size_t i = 0; i < keys; ++i) {
    call::ShadowCall call = call_to("44", "v" + std::to_string(i));
    call.customer_gateway = "c" + std::to_string(i);
    call.rate_prefix = std::to_string(i);
    call::ShadowDecision decision;
    decision.reject = Reason::NoAvailableRouter;
    tally.add(call, decision);
  }
  CHECK(tally.by_customer.size() == shadow_rows_max + 1);
  CHECK(tally.by_prefix.size() == shadow_rows_max + 1);
  CHECK(tally.by_vendor.size() == shadow_rows_max + 1);
  CHECK(tally.moves.size() == shadow_rows_max + 1);
  CHECK(tally.by_customer.at("(others)").calls == 500);
  CHECK(tally.by_vendor.at("(others)").live_first == 500);
  CHECK(tally.all.calls == keys);
  CHECK(tally.all.no_route == keys);
}

TEST_CASE("ShadowTally: sums may be larger than an amount") {
  ShadowTally tally;
  call::ShadowCall call = call_to("44", "north");
  call.cost->amount = Amount::from_units(INT64_MAX);
  call.revenue->amount = Amount::from_units(INT64_MAX);
  call::ShadowDecision decision;
  decision.first_vendor = "north";
  decision.carrier = "north";
  decision.revenue = call::ShadowMoney{Amount(), "USD"};
  decision.cost = call::ShadowMoney{Amount::from_units(1), "USD"};
  for (int i = 0; i < 4; ++i)
    tally.add(call, decision);
  const std::string report = to_json(tally, ShadowPlan{}, 0, 0, 0, 0);
  CHECK(says(report, R"("live_revenue":"368934881474.19103228","shadow_revenue":"0.00",)"));
  CHECK(says(report, R"("shadow_cost":"0.00000004",)"));
  CHECK(says(report,
             R"("cost_difference":"-368934881474.19103224","margin_difference":"-0.00000004")"));
}
