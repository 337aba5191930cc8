// A shadow of a running switch: what waits to be routed by it, and the sums of what it said.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/bounded_queue.hpp"
#include "call/shadow.hpp"
#include "tandem/config.hpp"
#include "tandem/provision.hpp"
#include "tandem/shadow.hpp"

namespace tandem {

/// Money of the calls that both sides have a price for, in one currency. In 128 bits, because a sum
/// of amounts may be larger than an amount.
struct ShadowSums {
  __extension__ using Wide = __int128;
  Wide live_revenue = 0, shadow_revenue = 0, live_cost = 0, shadow_cost = 0;
};

/// Calls of one customer, of one prefix, or all of them.
struct ShadowRow {
  std::uint64_t calls = 0;
  std::uint64_t changed = 0;         ///< Another first vendor.
  std::uint64_t no_route = 0;        ///< A vendor was tried, the shadow has none.
  std::uint64_t gained = 0;          ///< The other way round.
  std::uint64_t answered = 0;        ///< Of the live calls.
  std::uint64_t answered_moved = 0;  ///< Another vendor would have carried it.
  std::uint64_t answered_lost = 0;   ///< Nobody would have carried it.
  std::uint64_t unpriced = 0;        ///< Answered, and not in the sums: a side has no price.
  std::int64_t talk_time_ms = 0;
  std::map<std::string, ShadowSums> money;  ///< By currency.
};

struct ShadowVendorRow {
  std::uint64_t live_first = 0, shadow_first = 0;      ///< Calls for which it was the first choice.
  std::uint64_t live_carried = 0, shadow_carried = 0;  ///< Answered calls.
  std::map<std::string, ShadowSums> money;             ///< Costs only, by currency.
};

/// The sums of a shadow, each list with a bound. Threading: one thread at a time.
class ShadowTally {
 public:
  void add(const call::ShadowCall& call, const call::ShadowDecision& decision);

  ShadowRow all;
  std::map<std::string, ShadowRow, std::less<>> by_customer;
  std::map<std::pair<std::string, std::string>, ShadowRow> by_prefix;  ///< Prefix and area.
  std::map<std::string, ShadowVendorRow, std::less<>> by_vendor;
  /// First vendor of the live call and of the shadow, where they differ; "": none.
  std::map<std::pair<std::string, std::string>, std::uint64_t> moves;
  std::map<std::string, std::uint64_t> refusals;  ///< Reasons why the shadow has no vendor.
};

/// What a shadow is made of.
struct ShadowPlan {
  struct DeckAt {
    std::string id;
    std::uint64_t version = 0;
  };
  std::vector<DeckAt> decks;
  std::vector<ProvisionedObject> puts;
  std::vector<ObjectName> removals;
  std::string parameters;  ///< JSON; "": those in force.
  std::string memo;
};

/// Routes calls that are over on a thread of its own, or at once where there are no threads.
/// Threading: thread-safe; `mutex_` guards router and tally.
class Shadow {
 public:
  /// `config`: what the shadow routes by. Errors: as ShadowRouter::create().
  static Result<std::shared_ptr<Shadow>> start(SwitchConfig config, ShadowPlan plan,
                                               std::unique_ptr<Random> random,
                                               std::int64_t started_at_us, bool has_thread);
  ~Shadow() { stop(); }
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;

  /// Never waits for a call to be routed. What finds no room is dropped and counted.
  void offer(call::ShadowCall call) noexcept;
  /// Takes nothing in any more and returns once all that waits is routed. Idempotent.
  void stop() noexcept;
  /// docs/routing.md has the keys.
  [[nodiscard]] std::string report(std::int64_t now_us) const;

 private:
  Shadow(std::unique_ptr<call::ShadowRouter> router, ShadowPlan plan, std::int64_t started_at_us,
         bool has_thread);
  void run();
  void judge(const call::ShadowCall& call) noexcept;

  const ShadowPlan plan_;
  const std::int64_t started_at_us_;
  const bool has_thread_;
  mutable std::mutex mutex_;
  const std::unique_ptr<call::ShadowRouter> router_;
  ShadowTally tally_;
  std::atomic<std::uint64_t> failed_{0};  // no memory to route or count them
  BoundedQueue<call::ShadowCall> queue_{shadow_queue_calls_max};
  std::mutex stop_mutex_;  // held while stopping, so that a second stop() returns after the first
  std::thread thread_;
};

// --- in shadow_json.cpp ---

/// Errors: invalid_argument (names the place).
Result<ShadowPlan> read_shadow_plan(std::string_view text);
/// The rates of a version of a deck that is in force.
using DeckVersionReader =
    std::function<Result<RateDeck>(const std::string& deck, std::uint64_t version)>;
/// The configuration in force with the plan laid over it. Errors: invalid_argument (names the
/// place), and those of `read_version`.
Result<SwitchConfig> config_of_shadow(const ShadowPlan& plan, SwitchConfig in_force,
                                      const DeckVersionReader& read_version);
/// The report: docs/routing.md has its keys.
std::string to_json(const ShadowTally& tally, const ShadowPlan& plan, std::int64_t started_at_us,
                    std::int64_t at_us, std::uint64_t waiting, std::uint64_t dropped);

}  // namespace tandem
