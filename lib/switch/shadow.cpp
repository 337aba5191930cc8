#include "switch/shadow.hpp"

#include <algorithm>
#include <exception>

#include "base/thread.hpp"

namespace tandem {

namespace {

constexpr std::string_view others = "(others)";

/// The row of a key; once the list is full, of all other keys together.
template <class Map, class Key>
auto& row_of(Map& rows, Key key, Key other) {
  if (const auto found = rows.find(key); found != rows.end()) return found->second;
  return rows.size() < shadow_rows_max ? rows[std::move(key)] : rows[std::move(other)];
}
template <class Map>
auto& row_of(Map& rows, std::string_view key) {
  return row_of(rows, std::string(key), std::string(others));
}

void add_money(std::map<std::string, ShadowSums>& money, const call::ShadowMoney& amount,
               ShadowSums::Wide ShadowSums::*sum) {
  money[amount.currency].*sum += amount.amount.units();
}

/// What one call says, before it is known whose rows it belongs to.
struct Comparison {
  Comparison(const call::ShadowCall& live, const call::ShadowDecision& other)
      : call(live),
        decision(other),
        live_first(live.first_vendor()),
        live_carrier(live.carrier()),
        is_lost(live.is_answered && other.carrier.empty()),
        // A call that nobody carries earns nothing and costs nothing.
        is_priced(live.is_answered && live.revenue && live.cost &&
                  (is_lost || (other.revenue && other.cost))) {}

  void add_to(ShadowRow& row) const {
    ++row.calls;
    if (live_first.empty() != decision.first_vendor.empty()) {
      ++(live_first.empty() ? row.gained : row.no_route);
    } else if (live_first != decision.first_vendor) {
      ++row.changed;
    }
    if (!call.is_answered) return;
    ++row.answered;
    row.talk_time_ms += call.talk_time_ms;
    if (is_lost) {
      ++row.answered_lost;
    } else if (live_carrier != decision.carrier) {
      ++row.answered_moved;
    }
    if (!is_priced) {
      ++row.unpriced;
      return;
    }
    add_money(row.money, *call.revenue, &ShadowSums::live_revenue);
    add_money(row.money, *call.cost, &ShadowSums::live_cost);
    if (is_lost) return;
    add_money(row.money, *decision.revenue, &ShadowSums::shadow_revenue);
    add_money(row.money, *decision.cost, &ShadowSums::shadow_cost);
  }

  const call::ShadowCall& call;
  const call::ShadowDecision& decision;
  const std::string_view live_first, live_carrier;
  const bool is_lost, is_priced;
};

}  // namespace

void ShadowTally::add(const call::ShadowCall& call, const call::ShadowDecision& decision) {
  const Comparison compared(call, decision);
  compared.add_to(all);
  compared.add_to(row_of(by_customer, call.customer_gateway));
  const bool has_live_rate = call.is_rated || !decision.is_rated;
  compared.add_to(row_of(by_prefix,
                         std::pair(has_live_rate ? call.rate_prefix : decision.rate_prefix,
                                   has_live_rate ? call.area : decision.area),
                         std::pair(std::string(others), std::string())));

  if (!compared.live_first.empty()) ++row_of(by_vendor, compared.live_first).live_first;
  if (!decision.first_vendor.empty()) ++row_of(by_vendor, decision.first_vendor).shadow_first;
  if (!compared.live_carrier.empty()) {
    ShadowVendorRow& row = row_of(by_vendor, compared.live_carrier);
    ++row.live_carried;
    if (compared.is_priced) add_money(row.money, *call.cost, &ShadowSums::live_cost);
  }
  if (!decision.carrier.empty()) {
    ShadowVendorRow& row = row_of(by_vendor, decision.carrier);
    ++row.shadow_carried;
    if (compared.is_priced) add_money(row.money, *decision.cost, &ShadowSums::shadow_cost);
  }
  if (compared.live_first != decision.first_vendor) {
    ++row_of(moves, std::pair(std::string(compared.live_first), std::string(decision.first_vendor)),
             std::pair(std::string(others), std::string(others)));
  }
  if (decision.reject != Reason::none) ++refusals[reason_facts(decision.reject).name];
}

Result<std::shared_ptr<Shadow>> Shadow::start(SwitchConfig config, ShadowPlan plan,
                                              std::unique_ptr<Random> random,
                                              std::int64_t started_at_us, bool has_thread) {
  auto router = call::ShadowRouter::create(std::move(config), std::move(random));
  if (!router) return router.error();
  std::shared_ptr<Shadow> shadow(
      new Shadow(std::move(*router), std::move(plan), started_at_us, has_thread));
  if (has_thread)
    shadow->thread_ = start_thread("tandem-shadow", [raw = shadow.get()] { raw->run(); });
  return shadow;
}

Shadow::Shadow(std::unique_ptr<call::ShadowRouter> router, ShadowPlan plan,
               std::int64_t started_at_us, bool has_thread)
    : plan_(std::move(plan)),
      started_at_us_(started_at_us),
      has_thread_(has_thread),
      router_(std::move(router)) {}

void Shadow::offer(call::ShadowCall call) noexcept {
  if (!has_thread_) {
    judge(call);
    return;
  }
  try {
    (void)queue_.try_push(std::move(call));  // a full queue counts what it turns away
  } catch (const std::exception&) {
    failed_.fetch_add(1, std::memory_order_relaxed);
  }
}

void Shadow::run() {
  std::vector<call::ShadowCall> waiting;
  while (queue_.pop_all(waiting)) {
    for (const call::ShadowCall& call : waiting)
      judge(call);
    waiting.clear();
  }
}

void Shadow::judge(const call::ShadowCall& call) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    tally_.add(call, router_->route(call));
  } catch (const std::exception&) {
    failed_.fetch_add(1, std::memory_order_relaxed);
  }
}

void Shadow::stop() noexcept {
  const std::lock_guard lock(stop_mutex_);
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

std::string Shadow::report(std::int64_t now_us) const {
  const std::uint64_t waiting = queue_.size();
  const std::uint64_t dropped = queue_.dropped() + failed_.load(std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  return to_json(tally_, plan_, started_at_us_, now_us, waiting, dropped);
}

}  // namespace tandem
