// What calls feel of table swaps: the turn of a worker that routes calls, with and without a
// builder that puts new tables in force all the time.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "call/choice.hpp"
#include "call/retired_tables.hpp"
#include "call/stages.hpp"
#include "tandem/clock.hpp"

namespace tandem::bench {
namespace {

constexpr std::size_t vendors_count = 50;
constexpr std::size_t swaps_count = 1000;
constexpr std::size_t large_every = 100;        // every 100th table is a large one
constexpr std::size_t small_prefixes = 200;     // of a vendor
constexpr std::size_t large_prefixes = 20'000;  // a million rows in all
constexpr std::size_t live_calls = 64;          // each keeps the tables that it began with

/// 50 vendors with a deck each; `salt` makes tables differ.
SwitchConfig config_of(std::size_t prefixes_per_vendor, std::uint64_t salt) {
  SwitchConfig config;
  const auto priced = [](std::string prefix, std::int64_t units) {
    Rate rate;
    rate.prefix = std::move(prefix);
    rate.price = Amount::from_units(units);
    return rate;
  };
  RateDeckConfig retail;
  retail.id = "retail";
  retail.rates = {priced("", 60'000'000)};
  config.provision.rate_decks.push_back(std::move(retail));
  AccountConfig payer;
  payer.id = "acme";
  payer.balance = account_amount_max;
  payer.rate_deck = "retail";
  config.provision.accounts.push_back(payer);
  CustomerGateway customer;
  customer.id = "cust";
  customer.account = "acme";
  customer.addresses.emplace_back();
  customer.addresses.back().network = IpNetwork::parse("192.0.2.1").value();
  config.provision.customer_gateways.push_back(customer);
  SeededRandom random(salt);
  for (std::size_t v = 0; v < vendors_count; ++v) {
    const std::string id = "vendor-" + std::to_string(v);
    RateDeckConfig deck;
    deck.id = id;
    deck.rates = {priced("", 1'000'000 + static_cast<std::int64_t>(random.below(50'000'000)))};
    config.provision.rate_decks.push_back(std::move(deck));
    AccountConfig clearing;
    clearing.id = id;
    clearing.kind = AccountKind::clearing;
    clearing.rate_deck = id;
    config.provision.accounts.push_back(clearing);
    VendorGateway vendor;
    vendor.id = id;
    vendor.account = id;
    vendor.least_cost = true;
    vendor.addresses.emplace_back();
    vendor.addresses.back().network = IpNetwork::parse("192.0.2.2").value();
    for (std::size_t i = 0; i < prefixes_per_vendor; ++i)
      vendor.prefixes.push_back(std::to_string(100'000 + i * 7 % 900'000) + std::to_string(v % 10));
    vendor.prefixes.emplace_back();
    config.provision.vendor_gateways.push_back(std::move(vendor));
  }
  return config;
}

/// One call of the worker, up to the vendor whose line it takes.
struct Call {
  call::CallContext context;
  call::VendorLease lease;
};

std::unique_ptr<Call> route_call(std::shared_ptr<const call::Tables> tables,
                                 call::SharedState& state, Random& random,
                                 const std::string& callee, std::int64_t now_us) {
  auto one = std::make_unique<Call>();
  call::CallContext& context = one->context;
  context.tables = std::move(tables);
  context.state = &state;
  context.random = &random;
  context.wall_us = now_us;
  context.arrived_us = now_us;
  context.setup->asserted_customer = 0;
  context.setup->from_user = "1000";
  context.setup->request_user = callee;
  std::size_t next_stage = 0;
  (void)call::run_stages(context, {}, next_stage);
  for (const RouteCandidate& candidate : context.setup->candidates) {
    call::CandidatePlan plan = call::plan_candidate(context, candidate, now_us);
    if (!plan.excluded && call::take_vendor(context, plan, one->lease, now_us)) break;
  }
  return one;
}

/// Durations of turns, in ns.
class Durations {
 public:
  explicit Durations(std::size_t expected) { all_.reserve(expected); }
  void add(std::int64_t ns) {
    if (all_.size() < all_.capacity()) all_.push_back(ns);  // never allocates while it measures
    max_ = std::max(max_, ns);
  }
  [[nodiscard]] std::size_t count() const { return all_.size(); }
  [[nodiscard]] std::int64_t max() const { return max_; }
  [[nodiscard]] std::string json() {
    std::sort(all_.begin(), all_.end());
    const auto at = [&](double share) {
      return std::to_string(
          all_.empty()
              ? 0
              : all_[static_cast<std::size_t>(static_cast<double>(all_.size() - 1) * share)]);
    };
    return "{\"p50\":" + at(0.5) + ",\"p99\":" + at(0.99) + ",\"p999\":" + at(0.999) +
           ",\"p9999\":" + at(0.9999) + ",\"max\":" + std::to_string(max_) + "}";
  }

 private:
  std::vector<std::int64_t> all_;
  std::int64_t max_ = 0;
};

/// A worker: takes what was handed to it, as a posted task does, then routes a call and ends an old
/// one.
class Worker {
 public:
  Worker(call::SharedState& state, std::shared_ptr<const call::Tables> tables)
      : state_(state), tables_(std::move(tables)), calls_(live_calls) {}

  void hand(std::shared_ptr<const call::Tables> tables) {
    const std::lock_guard lock(mutex_);
    handed_ = std::move(tables);
    is_handed_.store(true, std::memory_order_release);
  }
  [[nodiscard]] bool has_taken() const { return !is_handed_.load(std::memory_order_acquire); }

  void turn(Durations& cpu, Durations& wall) {
    const std::int64_t wall_before_ns = wall_ns(), cpu_before_ns = thread_cpu_ns();
    std::shared_ptr<const call::Tables> old;
    if (is_handed_.load(std::memory_order_acquire)) {
      const std::lock_guard lock(mutex_);
      old = std::exchange(tables_, std::move(handed_));
      is_handed_.store(false, std::memory_order_release);
    }
    old.reset();
    callee_ = std::to_string(100'000 + turns_ * 7919 % 900'000) + "5550100";
    calls_[turns_++ % live_calls] =
        route_call(tables_, state_, random_, callee_, clock_.monotonic_us());
    const std::int64_t cpu_used_ns = thread_cpu_ns() - cpu_before_ns;
    wall.add(wall_ns() - wall_before_ns);
    cpu.add(cpu_used_ns);
  }

 private:
  call::SharedState& state_;
  std::shared_ptr<const call::Tables> tables_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::string callee_;
  SeededRandom random_{3};
  SystemClock clock_;
  std::uint64_t turns_ = 0;
  std::mutex mutex_;  // guards handed_
  std::shared_ptr<const call::Tables> handed_;
  std::atomic<bool> is_handed_{false};
};

}  // namespace

TANDEM_BENCH("route.swap_stall_max_us", "us_cpu") {
  call::SharedState state;
  const auto retired = std::make_shared<call::RetiredTables>();
  const auto build = [&](const SwitchConfig& config, const call::Tables* previous) {
    // Made here and not refused.
    return retired->watch(std::move(*call::build_tables(config, state, previous)));
  };
  const SwitchConfig small[] = {config_of(small_prefixes, 1), config_of(small_prefixes, 2)};
  const SwitchConfig large = config_of(large_prefixes, 3);
  std::shared_ptr<const call::Tables> in_force = build(small[0], nullptr);
  Worker worker(state, in_force);

  constexpr std::size_t turns_max = 8'000'000;
  Durations quiet_cpu(turns_max / 10), quiet_wall(turns_max / 10);
  for (std::size_t i = 0; i < 20'000; ++i)
    worker.turn(quiet_cpu, quiet_wall);  // warm
  quiet_cpu = Durations(turns_max / 10);
  quiet_wall = Durations(turns_max / 10);
  const std::int64_t quiet_end_ns = wall_ns() + static_cast<std::int64_t>(seconds() * 1e9);
  while (wall_ns() < quiet_end_ns)
    worker.turn(quiet_cpu, quiet_wall);

  Durations cpu(turns_max), wall(turns_max);
  std::atomic<bool> is_over{false};
  std::thread builder([&] {
    for (std::size_t i = 0; i < swaps_count; ++i) {
      const bool is_large = i % large_every == large_every - 1;
      auto fresh = build(is_large ? large : small[i % 2], in_force.get());
      worker.hand(fresh);
      while (!worker.has_taken())
        std::this_thread::yield();
      in_force = std::move(fresh);  // as a switch: the old ones are kept until all have the new
      retired->free_all();
    }
    is_over.store(true);
  });
  while (!is_over.load(std::memory_order_relaxed))
    worker.turn(cpu, wall);
  builder.join();

  auto dropped = std::move(*call::build_tables(large, state, nullptr));
  const std::int64_t free_before_ns = thread_cpu_ns();
  dropped.reset();
  const std::int64_t free_us = (thread_cpu_ns() - free_before_ns) / 1000;
  const double stall_us = static_cast<double>(cpu.max()) / 1000.0;
  return Figure{stall_us,
                "{\"swaps\":" + std::to_string(swaps_count) +
                    ",\"large_tables\":" + std::to_string(swaps_count / large_every) +
                    ",\"rows_of_large\":" + std::to_string(vendors_count * (large_prefixes + 1)) +
                    ",\"rows_of_small\":" + std::to_string(vendors_count * (small_prefixes + 1)) +
                    ",\"calls\":" + std::to_string(cpu.count()) + ",\"cpu_ns\":" + cpu.json() +
                    ",\"quiet_cpu_ns\":" + quiet_cpu.json() + ",\"wall_ns\":" + wall.json() +
                    ",\"quiet_wall_ns\":" + quiet_wall.json() + ",\"free_of_large_us\":" +
                    std::to_string(free_us) + ",\"threads\":\"one worker, one builder\"}"};
}

}  // namespace tandem::bench
