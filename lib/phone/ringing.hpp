// Which calls ring at phones now, for those that may pick them up (T-10).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tandem::phone {

/// A call that rings at a phone.
struct RingingCall {
  unsigned worker = 0;
  std::uint64_t call = 0;
};

/// The ringing phones that are in a pickup group: one entry for each call, as long as it rings.
///
/// Threading: thread-safe; one lock, held for one entry. Phones without a group cost nothing.
class RingingBoard {
  struct Line {
    std::string phone;
    RingingCall call;
  };
  // Equal keys stay in the order of their arrival, so the first one has rung longest.
  using Lines = std::multimap<std::string, Line, std::less<>>;

 public:
  /// Takes its call off the board when it goes. The board outlives it.
  class Entry {
   public:
    Entry(RingingBoard& board, Lines::iterator at) noexcept : board_(board), at_(at) {}
    ~Entry() {
      const std::lock_guard lock(board_.mutex_);
      board_.lines_.erase(at_);
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    RingingBoard& board_;
    Lines::iterator at_;
  };

  /// To be kept where the call is; see Entry.
  [[nodiscard]] std::unique_ptr<Entry> add(std::string group, std::string phone, RingingCall call) {
    const std::lock_guard lock(mutex_);
    return std::make_unique<Entry>(*this,
                                   lines_.emplace(std::move(group), Line{std::move(phone), call}));
  }

  /// What has rung longest at a phone of the group; `phone`: at that one, "": at any. Nothing rings
  /// there: nothing.
  [[nodiscard]] std::optional<RingingCall> longest(std::string_view group,
                                                   std::string_view phone) const {
    const std::lock_guard lock(mutex_);
    const auto [begin, end] = lines_.equal_range(group);
    for (auto at = begin; at != end; ++at) {
      if (phone.empty() || at->second.phone == phone) return at->second.call;
    }
    return std::nullopt;
  }

 private:
  mutable std::mutex mutex_;
  Lines lines_;
};

}  // namespace tandem::phone
