// How many whole calls a simulated world carries in a second of real time.
#include <memory>
#include <string>

#include "bench.hpp"
#include "tandem/sim.hpp"

namespace tandem::bench {
namespace {

constexpr int calls_per_round = 1'000;

SwitchConfig sim_config() {
  return read_config(R"({
    "sip": {"listen": ["udp:10.0.0.1:5060"]},
    "provision": {
      "rate_decks": [{"id": "retail", "rates": [{"prefix": "", "price": "0.60"}]}],
      "accounts": [{"id": "acme", "balance": "100000000", "rate_deck": "retail"}],
      "customer_gateways": [{"id": "cust", "addresses": ["10.0.1.1"], "account": "acme"}],
      "vendor_gateways": [{"id": "v1", "addresses": ["10.0.2.1:5060"]}]}
  })",
                     "/switch")
      .config;
}

}  // namespace

TANDEM_BENCH("sim.calls_per_s", "1/s") {
  sim::World world;
  auto made = world.create_switch(sim_config());
  if (!made) return Figure::skipped(made.error().message);
  const std::unique_ptr<Switch> tandem = std::move(*made);
  if (auto started = tandem->start(); !started) return Figure::skipped(started.error().message);
  auto caller = world.add_endpoint({"10.0.1.1:5060", "10.0.0.1:5060"});
  auto callee = world.add_endpoint({"10.0.2.1:5060", ""});
  if (!caller || !callee) return Figure::skipped("endpoints could not be made");
  sim::AnswerPlan plan;
  plan.ring_after_us = 0;
  plan.answer_after_us = 100'000;
  (*callee)->set_plan(plan);
  sim::DialPlan dial;
  dial.hang_up_after_us = 1'000'000;

  const std::int64_t begin_ns = wall_ns();
  const std::int64_t end_ns = begin_ns + static_cast<std::int64_t>(seconds() * 1e9);
  std::uint64_t calls = 0;
  do {
    for (int i = 0; i < calls_per_round; ++i) {
      (*caller)->dial("442079460000", "1000", dial);
      world.run_for_us(10'000);
    }
    calls += calls_per_round;
  } while (wall_ns() < end_ns);
  world.run_until_idle();
  const double took_s = static_cast<double>(wall_ns() - begin_ns) / 1e9;
  if (tandem->counters().calls_answered != calls || world.cdrs().size() != calls)
    return Figure::skipped("calls failed");
  return Figure(static_cast<double>(calls) / took_s,
                "{\"calls\":" + std::to_string(calls) +
                    ",\"cps_simulated\":100,\"messages_per_call\":15,\"threads\":1}");
}

}  // namespace tandem::bench
