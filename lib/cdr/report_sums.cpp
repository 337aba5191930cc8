#include "cdr/report_sums.hpp"

#include <algorithm>
#include <limits>

#include "base/text.hpp"

namespace tandem::cdr {
Result<std::int64_t> narrowed(WideSum sum, const char* what) {
  if (sum > std::numeric_limits<std::int64_t>::max() ||
      sum < std::numeric_limits<std::int64_t>::min())
    return Error{ErrorCode::limit, std::string("sum of ") + what + " was larger than 64 bits"};
  return static_cast<std::int64_t>(sum);
}

ReportCell percent_cell(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return std::monostate();
  return Hundredths{static_cast<std::int64_t>(WideSum{part} * 10'000 / whole)};
}

ReportCell mean_cell(WideSum sum, std::uint64_t count) {
  if (count == 0) return std::monostate();
  return static_cast<std::int64_t>(sum / static_cast<WideSum>(count));  // no larger than a part
}

MoneySums& MoneyByCurrency::of(std::string_view currency) {
  if (last_ < all_.size() && all_[last_].first == currency) return all_[last_].second;
  const auto place = std::lower_bound(
      all_.begin(), all_.end(), currency,
      [](const auto& entry, std::string_view wanted) { return entry.first < wanted; });
  last_ = static_cast<std::size_t>(place - all_.begin());
  if (place != all_.end() && place->first == currency) return place->second;
  return all_.emplace(place, std::string(currency), MoneySums{})->second;
}

Trial trial_of(const CallFacts& call) {
  Trial trial{call.reason, call.is_answered(), call.pdd_ms >= 0, call.is_answered()};
  trial.has_response = trial.has_response || trial.has_alerted ||
                       std::any_of(call.legs.begin(), call.legs.end(),
                                   [](const LegFacts& leg) { return leg.has_response; });
  return trial;
}

Trial trial_of(const LegFacts& leg) {
  return {leg.reason, leg.has_response, leg.has_alerted, leg.is_answered};
}

void Metrics::count(const Trial& trial, const CallFacts& call, bool has_money) {
  ++attempts;
  answered += trial.is_answered ? 1 : 0;
  responses += trial.has_response ? 1 : 0;
  connected += trial.has_alerted || trial.is_answered ? 1 : 0;
  effective += trial.is_answered || trial.reason == Reason::CalleeBusy ||
                       trial.reason == Reason::NoAnswer || trial.reason == Reason::CalleeDeclined
                   ? 1
                   : 0;
  if (trial.has_alerted && call.pdd_ms >= 0) {
    ++alerted;
    pdd_ms += call.pdd_ms;
  }
  if (!has_money) return;
  talk_time_ms += call.talk_time_ms;
  billed_time_s += call.billed_time_s;
  if (!call.currency.empty()) {
    MoneySums& sums = money.of(call.currency);
    sums.fee += call.fee_units;
    sums.package_fee += call.package_fee_units;
  }
  if (!call.vendor_currency.empty())
    money.of(call.vendor_currency).vendor_fee += call.vendor_fee_units;
}

std::string LatestRecords::text() const {
  std::string text;
  for (const std::int64_t each : latest_) {
    if (each == none) continue;
    if (!text.empty()) text += ' ';
    append_integer(text, static_cast<std::uint64_t>(each));
  }
  return text;
}

std::int64_t second_of(std::int64_t time_us) {
  constexpr std::int64_t second_us = 1'000'000;
  return time_us >= 0 ? time_us / second_us : -((-(time_us + 1)) / second_us) - 1;
}

CallSeconds seconds_of_call(const CallFacts& call) {
  constexpr std::int64_t longest_s = 31 * 86'400;
  const std::int64_t end_s = second_of(call.ended_at_us);
  const std::int64_t start_s = second_of(call.started_at_us);
  const std::int64_t begin_s = std::clamp(start_s, end_s - longest_s, end_s);
  return {begin_s, end_s, begin_s == start_s};
}

void SlotSums::add(const SlotSums& other) {
  const Metrics& from = other.metrics;
  metrics.attempts += from.attempts;
  metrics.answered += from.answered;
  metrics.responses += from.responses;
  metrics.connected += from.connected;
  metrics.effective += from.effective;
  metrics.alerted += from.alerted;
  metrics.pdd_ms += from.pdd_ms;
  metrics.talk_time_ms += from.talk_time_ms;
  metrics.billed_time_s += from.billed_time_s;
  for (const auto& [currency, sums] : from.money.all()) {
    MoneySums& own = metrics.money.of(currency);
    own.fee += sums.fee;
    own.package_fee += sums.package_fee;
    own.vendor_fee += sums.vendor_fee;
  }
  for (const auto& [reason, times] : other.reasons.sorted())
    reasons.add(reason, times);
}

}  // namespace tandem::cdr
