// Line counters: how many calls each object carries, and who may take one more.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "route/periods.hpp"
#include "tandem/route_table.hpp"

namespace tandem::route {

class LineLease;

/// Calls of one object now. Threading: thread-safe, without locks.
class LineCounter : public std::enable_shared_from_this<LineCounter> {
 public:
  /// Takes one line unless `limit` are taken: -1 is unlimited, 0 refuses always. An empty lease
  /// means full. A limit below the current number refuses new calls and touches none that runs.
  [[nodiscard]] LineLease try_take(int limit) noexcept;

  [[nodiscard]] bool has_room(int limit) const noexcept {
    return limit < 0 || current() < static_cast<std::uint32_t>(limit);
  }
  [[nodiscard]] std::uint32_t current() const noexcept {
    return current_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t refused() const noexcept {
    return refused_.load(std::memory_order_relaxed);
  }

 private:
  friend class LineLease;
  friend class GatewayLines;
  bool try_add(int limit) noexcept;
  void give_back() noexcept { current_.fetch_sub(1, std::memory_order_relaxed); }
  std::atomic<std::uint32_t> current_{0};
  std::atomic<std::uint64_t> refused_{0};
};

/// A gateway's place in a group.
class GroupShare {
 public:
  /// `group_limit`: -1 is unlimited. `reserved_lines`: as long as fewer lines of the group are
  /// free, this gateway gets none. `hours`: where they say a limit, it is the group's; null:
  /// always `group_limit`.
  GroupShare(std::shared_ptr<LineCounter> group, int group_limit, int reserved_lines,
             std::shared_ptr<const Periods> hours = nullptr) noexcept
      : lines_(std::move(group)),
        hours_(std::move(hours)),
        group_limit_(group_limit),
        reserved_lines_(reserved_lines) {}

  [[nodiscard]] LineCounter& lines() const noexcept { return *lines_; }
  /// What the group's current calls must stay below for this gateway to get one; -1: unlimited.
  /// `wall_us`: of the call's arrival, microseconds since 1970 UTC.
  [[nodiscard]] int limit_at(std::int64_t wall_us) const noexcept {
    const int limit = hours_ ? hours_->at(wall_us).line_limit.value_or(group_limit_) : group_limit_;
    return limit < 0 ? -1 : std::max(0, limit + 1 - std::max(reserved_lines_, 1));
  }

 private:
  std::shared_ptr<LineCounter> lines_;
  std::shared_ptr<const Periods> hours_;
  int group_limit_;
  int reserved_lines_;
};

/// One line, and one of each group of its gateway, held until it is released or destroyed: given
/// back exactly once. Threading: one thread at a time.
class [[nodiscard]] LineLease {
 public:
  LineLease() noexcept = default;
  LineLease(LineLease&& other) noexcept
      : counter_(std::move(other.counter_)), groups_(std::move(other.groups_)) {}
  LineLease& operator=(LineLease&& other) noexcept {
    if (this != &other) {
      release();
      counter_ = std::move(other.counter_);
      groups_ = std::move(other.groups_);
    }
    return *this;
  }
  ~LineLease() { release(); }

  [[nodiscard]] bool held() const noexcept { return counter_ != nullptr; }
  explicit operator bool() const noexcept { return held(); }
  void release() noexcept {  ///< Again: no-op.
    if (auto groups = std::exchange(groups_, nullptr)) {
      for (const GroupShare& share : *groups)
        share.lines().give_back();
    }
    if (auto counter = std::exchange(counter_, nullptr)) counter->give_back();
  }

 private:
  friend class LineCounter;
  friend class GatewayLines;
  explicit LineLease(std::shared_ptr<LineCounter> counter) noexcept
      : counter_(std::move(counter)) {}
  std::shared_ptr<LineCounter> counter_;
  std::shared_ptr<const std::vector<GroupShare>> groups_;  // Null: in no group.
};

/// What a call on a gateway takes: a line of the gateway and one of each of its groups.
/// Threading: immutable; any number of threads may call it at once.
class GatewayLines {
 public:
  GatewayLines() = default;
  GatewayLines(std::shared_ptr<LineCounter> own, std::vector<GroupShare> groups)
      : own_(std::move(own)),
        groups_(groups.empty() ? nullptr
                               : std::make_shared<std::vector<GroupShare>>(std::move(groups))) {}

  /// An empty lease: the gateway or one of its groups is full, and nothing is taken. `wall_us`: of
  /// the call's arrival; groups with hours look at it.
  [[nodiscard]] LineLease try_take(int limit, std::int64_t wall_us) const noexcept;
  /// What try_take() would answer now.
  [[nodiscard]] bool has_room(int limit, std::int64_t wall_us) const noexcept;
  [[nodiscard]] std::uint32_t current() const noexcept { return own_->current(); }

 private:
  std::shared_ptr<LineCounter> own_;
  std::shared_ptr<const std::vector<GroupShare>> groups_;
};

/// Counters by object id. They outlive the tables, so a reload neither forgets a running call nor
/// counts it twice. Kinds of objects that may share ids (customer and vendor gateways, groups) have
/// a registry each. Threading: thread-safe; `mutex_` guards `counters_` and is never taken on the
/// call path, where counters are held by pointer.
class LineCounters {
 public:
  /// The counter of `id`, made when there is none.
  [[nodiscard]] std::shared_ptr<LineCounter> counter(std::string_view id);
  /// Calls of `id` now; 0 for an unknown one.
  [[nodiscard]] std::uint32_t current(std::string_view id) const;
  /// Forgets the counters that nobody holds and that count nothing; returns how many. For use after
  /// a new table is published.
  std::size_t forget_unused();
  [[nodiscard]] std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<LineCounter>> counters_;
};

/// The lines of a route table's vendors by index: what a lookup reads and an attempt takes from.
/// Threading: immutable; any number of threads may call it at once.
class VendorLines final : public LineLoad {
 public:
  /// The groups of a vendor, by the name of its gateway.
  using GroupsOf = std::function<std::vector<GroupShare>(std::string_view gateway)>;

  /// `groups_of`: empty when there are no groups.
  VendorLines(const RouteTable& table, LineCounters& counters, const GroupsOf& groups_of = {});
  [[nodiscard]] std::uint32_t current_calls(std::uint32_t gateway) const noexcept override {
    return lines_[gateway].current();
  }
  /// One line of the vendor, or an empty lease: full, go on with the next candidate.
  [[nodiscard]] LineLease try_take(std::uint32_t gateway, std::int64_t wall_us) const noexcept {
    return lines_[gateway].try_take(limits_[gateway], wall_us);
  }
  [[nodiscard]] const GatewayLines& lines(std::uint32_t gateway) const noexcept {
    return lines_[gateway];
  }

 private:
  std::vector<GatewayLines> lines_;
  std::vector<int> limits_;
};

}  // namespace tandem::route
