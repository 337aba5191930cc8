// Line counters: how many calls each object carries, and who may take one more.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tandem/route_table.hpp"

namespace tandem::route {

class LineLease;

/// Calls of one object now. Threading: thread-safe, without locks.
class LineCounter : public std::enable_shared_from_this<LineCounter> {
 public:
  /// Takes one line unless `limit` are taken: -1 is unlimited, 0 refuses always. An empty lease
  /// means full. A limit below the current number refuses new calls and touches none that runs.
  [[nodiscard]] LineLease try_take(int limit) noexcept;

  [[nodiscard]] std::uint32_t current() const noexcept {
    return current_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t refused() const noexcept {
    return refused_.load(std::memory_order_relaxed);
  }

 private:
  friend class LineLease;
  void give_back() noexcept { current_.fetch_sub(1, std::memory_order_relaxed); }
  std::atomic<std::uint32_t> current_{0};
  std::atomic<std::uint64_t> refused_{0};
};

/// One line, held until it is released or destroyed: given back exactly once.
/// Threading: one thread at a time.
class [[nodiscard]] LineLease {
 public:
  LineLease() noexcept = default;
  LineLease(LineLease&& other) noexcept : counter_(std::move(other.counter_)) {}
  LineLease& operator=(LineLease&& other) noexcept {
    if (this != &other) {
      release();
      counter_ = std::move(other.counter_);
    }
    return *this;
  }
  ~LineLease() { release(); }

  [[nodiscard]] bool held() const noexcept { return counter_ != nullptr; }
  explicit operator bool() const noexcept { return held(); }
  void release() noexcept {  ///< Again: no-op.
    if (auto counter = std::exchange(counter_, nullptr)) counter->give_back();
  }

 private:
  friend class LineCounter;
  explicit LineLease(std::shared_ptr<LineCounter> counter) noexcept
      : counter_(std::move(counter)) {}
  std::shared_ptr<LineCounter> counter_;
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

/// The counters of a route table's vendors by index: what a lookup reads and an attempt takes from.
/// Threading: immutable; any number of threads may call it at once.
class VendorLines final : public LineLoad {
 public:
  VendorLines(const RouteTable& table, LineCounters& counters);
  [[nodiscard]] std::uint32_t current_calls(std::uint32_t gateway) const noexcept override {
    return counters_[gateway]->current();
  }
  /// One line of the vendor, or an empty lease: full, go on with the next candidate.
  [[nodiscard]] LineLease try_take(std::uint32_t gateway) const noexcept {
    return counters_[gateway]->try_take(limits_[gateway]);
  }

 private:
  std::vector<std::shared_ptr<LineCounter>> counters_;
  std::vector<int> limits_;
};

}  // namespace tandem::route
