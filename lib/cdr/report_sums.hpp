// What reports count and add up.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cdr/call_facts.hpp"
#include "tandem/call_reports.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// A sum that cannot overflow while it is made: each part fits 64 bits, and there are fewer than
/// 2^63 of them.
__extension__ using WideSum = __int128;

/// Errors: limit (it is larger than the type that shows it).
Result<std::int64_t> narrowed(WideSum sum, const char* what);
/// part * 100 / whole, cut to hundredths; nothing when there is no whole.
ReportCell percent_cell(std::uint64_t part, std::uint64_t whole);
/// sum / count, cut; nothing when there is no count.
ReportCell mean_cell(WideSum sum, std::uint64_t count);

/// Money of one currency.
struct MoneySums {
  WideSum fee = 0;
  WideSum package_fee = 0;
  WideSum vendor_fee = 0;
};
/// By currency, each of them few.
class MoneyByCurrency {
 public:
  MoneySums& of(std::string_view currency);
  [[nodiscard]] const std::vector<std::pair<std::string, MoneySums>>& all() const { return all_; }

 private:
  std::vector<std::pair<std::string, MoneySums>> all_;  // in the order of the currencies
  std::size_t last_ = 0;                                // the one that was asked for before
};

/// One call, or one attempt of it, as C-10 counts it.
struct Trial {
  Reason reason = Reason::none;
  bool has_response = false;
  bool has_alerted = false;
  bool is_answered = false;
};
Trial trial_of(const CallFacts& call);  ///< The call as a whole; wants legs.
Trial trial_of(const LegFacts& leg);

/// The metrics of C-10 of a group.
struct Metrics {
  std::uint64_t attempts = 0;
  std::uint64_t answered = 0;
  std::uint64_t responses = 0;
  std::uint64_t connected = 0;
  std::uint64_t effective = 0;  ///< Answered, busy, no answer or rejected by the user.
  std::uint64_t alerted = 0;    ///< Those that `pdd_ms` is of.
  WideSum pdd_ms = 0;
  WideSum talk_time_ms = 0;
  WideSum billed_time_s = 0;
  MoneyByCurrency money;

  /// Counts a trial of `call`. Time and money are those of the call, and belong to the trial that
  /// was answered.
  void count(const Trial& trial, const CallFacts& call, bool has_money);
};
inline constexpr Facts metrics_facts{Fact::answered_at, Fact::pdd,        Fact::talk_time,
                                     Fact::billed_time, Fact::currency,   Fact::fee,
                                     Fact::package_fee, Fact::vendor_fee, Fact::vendor_currency,
                                     Fact::reason,      Fact::legs};

/// Ids of the latest records of a group.
class LatestRecords {
 public:
  void add(std::int64_t record_id) {
    for (std::int64_t& each : latest_) {
      if (each < record_id) std::swap(each, record_id);
    }
  }
  void add(const LatestRecords& other) {
    for (const std::int64_t each : other.latest_)
      add(each);
  }
  /// Descending, with blanks between.
  [[nodiscard]] std::string text() const;

 private:
  static constexpr std::int64_t none = std::numeric_limits<std::int64_t>::min();
  std::array<std::int64_t, 3> latest_{none, none, none};  // descending
};

/// The seconds since 1970 that a call is in progress, both included: those that it touches.
struct CallSeconds {
  std::int64_t begin_s = 0;
  std::int64_t end_s = 0;
  bool is_begun = false;  ///< It began in the first of them.
};
/// Of a record whose times cannot be true, only its last month counts.
CallSeconds seconds_of_call(const CallFacts& call);
/// The second since 1970 that a moment lies in.
std::int64_t second_of(std::int64_t time_us);

/// How often each reason came. There are few of them, so looking through is faster than a map.
class ReasonCounts {
 public:
  void add(Reason reason, std::uint64_t times) {
    for (auto& [each, count] : counts_) {
      if (each != reason) continue;
      count += times;
      return;
    }
    counts_.emplace_back(reason, times);
  }
  [[nodiscard]] std::vector<std::pair<Reason, std::uint64_t>> sorted() const {
    auto all = counts_;
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  std::vector<std::pair<Reason, std::uint64_t>> counts_;
};

/// What is kept of many trials together.
struct SlotSums {
  Metrics metrics;
  ReasonCounts reasons;

  void add(const SlotSums& other);
};

/// Groups by slot and up to three texts.
template <class Value>
class Groups {
 public:
  /// They are held together with their rows and text, some kilobytes each, where calls are carried.
  static constexpr std::size_t groups_max = 50'000;
  struct Group {
    std::int64_t slot_us = 0;
    std::vector<std::string> parts;
    Value value;
  };

  /// Errors: limit (there are too many groups).
  template <class... Parts>
  Result<Value*> at(std::int64_t slot_us, Parts... parts) {
    std::size_t& hint = hint_of(slot_us, {std::string_view(parts)...});
    if (hint < groups_.size() && is(groups_[hint], slot_us, {std::string_view(parts)...}))
      return &groups_[hint].value;
    key_.assign(reinterpret_cast<const char*>(&slot_us), sizeof slot_us);
    (add_part(std::string_view(parts)), ...);
    const auto found = places_.find(key_);
    if (found != places_.end()) return &groups_[hint = found->second].value;
    if (groups_.size() == groups_max)
      return Error{ErrorCode::limit, "report had more than " + std::to_string(groups_max) +
                                         " groups; narrow its period or its filter"};
    places_.emplace(key_, groups_.size());
    hint = groups_.size();
    groups_.push_back({slot_us, {std::string(parts)...}, Value{}});
    return &groups_.back().value;
  }
  /// In the order of slot and texts. The groups are of no more use to at().
  const std::vector<Group>& sorted() {
    std::sort(groups_.begin(), groups_.end(), [](const Group& a, const Group& b) {
      return a.slot_us != b.slot_us ? a.slot_us < b.slot_us : a.parts < b.parts;
    });
    return groups_;
  }

 private:
  using Texts = std::initializer_list<std::string_view>;
  /// Where the group of these texts may be, by where they lie: those of a day's columns lie where
  /// they lay before.
  std::size_t& hint_of(std::int64_t slot_us, Texts parts) {
    constexpr std::uint64_t spread = 0x9E37'79B9'7F4A'7C15;
    std::uint64_t mixed = static_cast<std::uint64_t>(slot_us);
    for (const std::string_view part : parts)
      mixed = mixed * spread + reinterpret_cast<std::uintptr_t>(part.data());
    return hints_[mixed * spread >> 52U];
  }
  static bool is(const Group& group, std::int64_t slot_us, Texts parts) {
    return group.slot_us == slot_us &&
           std::equal(parts.begin(), parts.end(), group.parts.begin(), group.parts.end());
  }
  void add_part(std::string_view part) {
    const std::size_t bytes = part.size();  // so that no two lists of parts have the same key
    key_.append(reinterpret_cast<const char*>(&bytes), sizeof bytes).append(part);
  }
  std::string key_;
  std::vector<std::size_t> hints_ = std::vector<std::size_t>(4'096, groups_max);
  std::unordered_map<std::string, std::size_t> places_;
  std::vector<Group> groups_;
};

}  // namespace tandem::cdr
