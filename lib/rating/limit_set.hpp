// The limits of one account with what was used of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/time_zone.hpp"
#include "tandem/account_limits.hpp"

namespace tandem::rating {

/// The window of a moment.
struct LimitSpan {
  std::int64_t start_us = 0, until_us = 0;
};
[[nodiscard]] LimitSpan limit_span(LimitWindow window, const TimeZone& zone,
                                   std::int64_t at_us) noexcept;

/// Collects news of all accounts until they are asked for. Threading: thread-safe.
class LimitNewsBoard {
 public:
  static constexpr std::size_t news_max = 1000;  ///< More are dropped: they are a convenience.
  void put(LimitNews news);
  [[nodiscard]] std::vector<LimitNews> take();

 private:
  std::mutex mutex_;
  std::vector<LimitNews> news_;
};

/// Numbers of calls in one window.
struct LimitSums {
  Amount charge;
  std::int64_t talk_s = 0;
  std::int64_t calls = 0;
};

struct LimitCounter;
struct LimitWindowState {
  std::int64_t until_us = 0;
  LimitSums used, held;
  std::int64_t open_calls = 0;  ///< Holds that refer to it: it stays as long as there are some.
  bool is_told = false;
};

/// One limit that counts a call. Both live as long as the hold is open.
struct LimitPlace {
  LimitCounter* counter = nullptr;
  LimitWindowState* window = nullptr;
  std::int64_t start_us = 0;
};

class LimitSet;

/// What an open hold has. Most calls have none: they meet no limit.
struct LimitClaim {
  LimitSet* set = nullptr;
  std::vector<LimitPlace> places;
  Amount charge;
  std::int64_t talk_s = 0;
  std::size_t refused_by = 0;  ///< Index of the place.
};

/// Threading: thread-safe; `mutex_` guards everything, and is held for a few comparisons.
class LimitSet {
 public:
  /// `news` outlives this object.
  LimitSet(std::string account, LimitNewsBoard& news);
  ~LimitSet();

  /// New bounds count at once, for running calls too; calls that are up count on in limits that are
  /// gone. `limits` passed check_account_limits(). Errors: invalid_argument (a zone).
  Result<void> provision(const std::vector<AccountLimit>& limits);
  /// Errors: invalid_argument (not what calls can have used).
  static Result<void> check(const LimitUse& use);
  /// Adds what calls used before this book was made. `use` passed check().
  void restore(const LimitUse& use);

  /// False: a limit does not grant the beginning of the call. A hold of no limit stays closed.
  [[nodiscard]] bool open(std::string_view callee, Amount charge, std::int64_t talk_s,
                          std::int64_t at_us, LimitHold& out);
  /// The same without taking anything.
  [[nodiscard]] bool grants(std::string_view callee, Amount charge, std::int64_t talk_s,
                            std::int64_t at_us);
  [[nodiscard]] std::vector<LimitState> states(std::int64_t at_us);

  [[nodiscard]] bool renew(LimitClaim& claim, Amount charge, std::int64_t talk_s) noexcept;
  /// The largest totals of the call that renew() would grant now, each for itself.
  [[nodiscard]] LimitSums reachable(const LimitClaim& claim) const noexcept;
  void tell_refusal(const LimitClaim& claim) noexcept;
  void lower(LimitClaim& claim, Amount charge, std::int64_t talk_s) noexcept;
  /// Gives back what the claim has, and counts what the call used.
  void close(LimitClaim& claim, const LimitSums& used) noexcept;
  [[nodiscard]] std::vector<LimitUse> uses(const LimitClaim& claim, const LimitSums& sums) const;

 private:
  static LimitPlace place_of(LimitCounter& counter, std::int64_t at_us);
  static LimitPlace look(LimitCounter& counter, std::int64_t at_us, LimitWindowState& unused);
  LimitCounter* find(std::string_view key);
  void tell(const LimitPlace& place) noexcept;
  static void forget_old(LimitCounter& counter, std::int64_t start_us);

  const std::string account_;
  LimitNewsBoard& news_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<LimitCounter>> counters_;  // those in force first, in their order
};

}  // namespace tandem::rating
