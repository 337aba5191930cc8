// The example of docs/testing.md: a test of a third party's own switch.
#include <doctest/doctest.h>

#include "tandem/sim.hpp"

TEST_CASE("Example: a call that its vendor refuses goes to the next one and is charged") {
  using namespace tandem;
  sim::World world;  // seed 1; the clock stands at 2026-01-01

  auto reading = read_config(R"({
    "sip": {"listen": ["udp:10.0.0.1:5060"]},
    "provision": {
      "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]}],
      "accounts": [{"id": "acme", "balance": "5.00", "rate_deck": "retail"}],
      "customer_gateways": [{"id": "cust", "addresses": ["10.0.1.1"], "account": "acme"}],
      "vendor_gateways": [
        {"id": "cheap", "addresses": ["10.0.2.1:5060"], "prefixes": ["44"], "priority": 0},
        {"id": "solid", "addresses": ["10.0.2.2:5060"], "prefixes": ["44"], "priority": 1}]}
  })",
                             "/switch");
  REQUIRE(reading.errors.empty());
  auto tandem = world.create_switch(reading.config);
  REQUIRE(tandem.ok());
  REQUIRE((*tandem)->start().ok());

  sim::Endpoint* caller = *world.add_endpoint({"10.0.1.1:5060", "10.0.0.1:5060"});
  sim::Endpoint* cheap = *world.add_endpoint({"10.0.2.1:5060", ""});
  sim::Endpoint* solid = *world.add_endpoint({"10.0.2.2:5060", ""});
  sim::AnswerPlan refusal;
  refusal.status = 503;
  cheap->set_plan(refusal);
  sim::AnswerPlan answer;
  answer.ring_after_us = 0;
  answer.answer_after_us = 2'000'000;
  solid->set_plan(answer);

  auto call = caller->dial("442079460000", "1000");
  REQUIRE(world.run_until([&] { return call->was_answered(); }, 10'000'000));
  world.run_for_us(30'000'000);  // half a minute of talk, in no time
  call->hang_up();
  REQUIRE(world.run_until_idle());

  REQUIRE(world.cdrs().size() == 1);
  CHECK(world.cdrs()[0].vendor_gateway == "solid");
  CHECK(world.cdrs()[0].attempts.size() == 2);
  CHECK(world.cdrs()[0].customer.charge.to_string() == "0.30");
  CHECK((*tandem)->account("acme")->balance.to_string() == "4.70");
  CHECK(caller->received("200 BYE") == 1);
}
