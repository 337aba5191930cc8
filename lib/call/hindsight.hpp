// What became of a call, for routing it once more by other tables than its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "tandem/route_table.hpp"

namespace tandem::call {

/// Replaces what only the moment knew: loads, turns and answer ratios. Where nothing but load, turn
/// and name decides between vendors, those that the call met come in the order in which it met
/// them, and before all that it did not meet: so the same tables give the same order again, and a
/// vendor counts as another one only when the tables make it one. Indices are those of the tables
/// that are asked. Threading: one thread at a time.
class Hindsight final : public LineLoad {
 public:
  /// One vendor that the call met, in that order.
  struct Met {
    std::uint32_t vendor = 0;
    bool was_out_of_reach = false;  ///< No line, no number, no address ...: it was passed over.
    bool has_failed = false;        ///< It was tried, and another one or none got the call.
  };
  /// How well a vendor answered then.
  struct AnswerRatio {
    std::uint32_t vendor = 0;
    std::optional<std::uint32_t> percent, talk_time_s;
  };

  void add(Met met) { met_.push_back(met); }
  void add(AnswerRatio ratio) { ratios_.push_back(ratio); }
  void clear() noexcept {
    met_.clear();
    ratios_.clear();
  }

  /// Null: the call did not meet the vendor.
  [[nodiscard]] const Met* find(std::uint32_t vendor) const noexcept {
    const auto found = std::find_if(met_.begin(), met_.end(),
                                    [&](const Met& met) { return met.vendor == vendor; });
    return found == met_.end() ? nullptr : &*found;
  }

  /// Load of the vendor in steps of the order in which vendors were met.
  [[nodiscard]] std::uint32_t current_calls(std::uint32_t vendor) const noexcept override {
    const Met* const met = find(vendor);
    return static_cast<std::uint32_t>(met == nullptr ? met_.size() : met - met_.data());
  }

  void complete(std::uint32_t vendor, VendorStanding& standing) const noexcept {
    if (standing.line_limit != 0)  // one limit for all, so that loads compare as those steps do
      standing.line_limit = static_cast<std::int32_t>(met_.size() + 1);
    const auto ratio = std::find_if(ratios_.begin(), ratios_.end(),
                                    [&](const AnswerRatio& r) { return r.vendor == vendor; });
    if (ratio == ratios_.end()) return;
    standing.answer_percent = ratio->percent;
    standing.talk_time_s = ratio->talk_time_s;
  }

 private:
  std::vector<Met> met_;
  std::vector<AnswerRatio> ratios_;
};

}  // namespace tandem::call
