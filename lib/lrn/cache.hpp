// Answers that are good for a while.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tandem/lrn.hpp"

namespace tandem::lrn {

/// Numbers with what is known of them, bounded in time and number. All answers are good equally
/// long, so the oldest is the first to expire and the one that makes room.
///
/// Threading: thread-safe; each part's `mutex` guards that part and is held for one look-up.
class Cache {
 public:
  /// `entries_max`: at least 1; every part may hold its share, rounded up.
  Cache(std::size_t entries_max, std::int64_t good_for_us);

  /// Nothing: not known, or not any more.
  [[nodiscard]] std::optional<LrnRecord> find(std::string_view number, std::int64_t now_us) const;
  /// `now_us`: monotonic, as in find().
  void put(std::string_view number, const LrnRecord& record, std::int64_t now_us);
  [[nodiscard]] std::size_t size() const;

 private:
  struct Entry {
    std::string number;
    LrnRecord record;
    std::int64_t at_us;
  };
  struct Part {
    mutable std::mutex mutex;
    std::list<Entry> entries;                                                    // oldest first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> by_number;  // into entries
  };
  static constexpr std::size_t parts = 16;

  [[nodiscard]] static std::size_t part_of(std::string_view number) noexcept {
    return std::hash<std::string_view>{}(number) % parts;
  }

  const std::size_t entries_max_;  // of a part
  const std::int64_t good_for_us_;
  std::array<Part, parts> parts_;
};

}  // namespace tandem::lrn
