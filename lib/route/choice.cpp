#include "route/choice.hpp"

#include <algorithm>

namespace tandem::route {

namespace {

__extension__ using Wide = __int128;

/// Below 0 when a second costs less at a's price. Exact: the fractions are cross-multiplied.
int compare_per_second(Amount a, std::int64_t a_per_s, Amount b, std::int64_t b_per_s) noexcept {
  const Wide left = static_cast<Wide>(a.units()) * b_per_s;
  const Wide right = static_cast<Wide>(b.units()) * a_per_s;
  return left < right ? -1 : left > right ? 1 : 0;
}

/// Unlimited is 0/1 and no lines is 1/0, which this orders as zero and infinity.
int compare_loads(const RouteCandidate& a, const RouteCandidate& b) noexcept {
  const std::uint64_t left = std::uint64_t{a.load_calls} * b.load_limit;
  const std::uint64_t right = std::uint64_t{b.load_calls} * a.load_limit;
  return left < right ? -1 : left > right ? 1 : 0;
}

}  // namespace

void Choice::note(const RouteCandidate& candidate) noexcept {
  ++noted_;
  percents_.note(candidate.answer_percent);
  talk_times_.note(candidate.talk_time_s);
  if (candidate.price_per_s > 0 &&
      (lowest_per_s_ == 0 || compare_per_second(candidate.price, candidate.price_per_s,
                                                lowest_price_, lowest_per_s_) < 0)) {
    lowest_price_ = candidate.price;
    lowest_per_s_ = candidate.price_per_s;
  }
  if (count_ < out_.size()) out_[count_++] = candidate;
}

/// Keeps the answer as a heap with its worst on top, which gives way to a better one.
void Choice::offer(const RouteCandidate& candidate) noexcept {
  const auto before = [this](const RouteCandidate& a, const RouteCandidate& b) {
    return goes_before(a, b);
  };
  if (count_ < out_.size()) {
    out_[count_++] = candidate;
    std::push_heap(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(count_), before);
  } else if (goes_before(candidate, out_.front())) {
    std::pop_heap(out_.begin(), out_.end(), before);
    out_.back() = candidate;
    std::push_heap(out_.begin(), out_.end(), before);
  }
}

std::size_t Choice::finish() noexcept {
  std::sort(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(count_),
            [this](const RouteCandidate& a, const RouteCandidate& b) { return goes_before(a, b); });
  return count_;
}

/// 0: its price is compared. 1: it has one that only could have been the lowest. 2: it has none.
int Choice::price_class(const RouteCandidate& candidate) const noexcept {
  if (candidate.price_per_s == 0) return 2;
  const bool is_compared =
      candidate.compares_price ||
      compare_per_second(candidate.price, candidate.price_per_s, lowest_price_, lowest_per_s_) == 0;
  return is_compared ? 0 : 1;
}

int Choice::compare_prices(const RouteCandidate& a, const RouteCandidate& b) const noexcept {
  const int left = price_class(a), right = price_class(b);
  if (left != right) return left - right;
  return left == 0 ? compare_per_second(a.price, a.price_per_s, b.price, b.price_per_s) : 0;
}

int Choice::compare(const RouteSort::Place& place, const RouteCandidate& a,
                    const RouteCandidate& b) const noexcept {
  for (const RoutePolicy policy : place) {
    int order = 0;
    if (policy == RoutePolicy::lowest_rate) order = compare_prices(a, b);
    if (policy == RoutePolicy::answer_ratio)  // higher first, as the next one
      order = static_cast<int>(percents_.of(b.answer_percent) - percents_.of(a.answer_percent));
    if (policy == RoutePolicy::talk_time) {
      const std::int64_t left = talk_times_.of(a.talk_time_s),
                         right = talk_times_.of(b.talk_time_s);
      order = left > right ? -1 : left < right ? 1 : 0;
    }
    if (order != 0) return order;
  }
  return 0;
}

bool Choice::goes_before(const RouteCandidate& a, const RouteCandidate& b) const noexcept {
  if (a.is_protect != b.is_protect) return b.is_protect;
  if (const int order = compare(sort_.before_prefix, a, b); order != 0) return order < 0;
  if (a.prefix_length != b.prefix_length) return a.prefix_length > b.prefix_length;
  if (const int order = compare(sort_.after_prefix, a, b); order != 0) return order < 0;
  if (a.priority != b.priority) return a.priority < b.priority;
  if (const int order = compare(sort_.after_priority, a, b); order != 0) return order < 0;
  if (const int order = compare_loads(a, b); order != 0) return order < 0;
  if (a.sequence != b.sequence) return a.sequence < b.sequence;
  return a.gateway_name < b.gateway_name;
}

}  // namespace tandem::route
