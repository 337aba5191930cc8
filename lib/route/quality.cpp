#include "route/quality.hpp"

#include <algorithm>

namespace tandem::route {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::uint64_t slice_tag_mask = 0xFFFFFF;
constexpr std::uint64_t no_sample = 0xFF;
constexpr std::uint64_t no_talk_sample = 0xFFFFFF;
constexpr std::uint64_t talk_tag_mask = 0xFFFFF;

std::uint64_t tag_of(std::int64_t slice) noexcept {
  return static_cast<std::uint64_t>(slice) & slice_tag_mask;
}

}  // namespace

QualityMeter::QualityMeter(std::int32_t window_s, std::int32_t slice_s)
    : slice_us_(slice_s * second_us),
      slices_count_(static_cast<std::uint32_t>((window_s + slice_s - 1) / slice_s)),
      slices_(std::make_unique<Slice[]>(slices_count_)) {}

void QualityMeter::add(Count& count, std::int64_t slice, std::uint64_t number) noexcept {
  const std::uint64_t tag = tag_of(slice) << count_bits;
  std::uint64_t old = count.load(std::memory_order_relaxed);
  std::uint64_t fresh = 0;
  do {
    fresh = (old >> count_bits) == tag_of(slice) ? old + number : tag + number;
  } while (!count.compare_exchange_weak(old, fresh, std::memory_order_release,
                                        std::memory_order_relaxed));
}

std::uint64_t QualityMeter::read(const Count& count, std::int64_t slice) noexcept {
  const std::uint64_t value = count.load(std::memory_order_acquire);
  if ((value >> count_bits) != tag_of(slice)) return 0;
  return value & ((std::uint64_t{1} << count_bits) - 1);
}

void QualityMeter::add_attempt(std::int64_t now_us, bool is_answered) noexcept {
  const std::int64_t slice = slice_of(now_us);
  Slice& counts = slices_[static_cast<std::uint64_t>(slice) % slices_count_];
  add(counts.attempts, slice, 1);
  if (is_answered) add(counts.answered, slice, 1);
  changes_.fetch_add(1, std::memory_order_release);
}

void QualityMeter::add_talk(std::int64_t now_us, std::int64_t talk_ms) noexcept {
  const std::int64_t slice = slice_of(now_us);
  Slice& counts = slices_[static_cast<std::uint64_t>(slice) % slices_count_];
  add(counts.ended, slice, 1);
  add(counts.talk_ms, slice, static_cast<std::uint64_t>(std::max<std::int64_t>(0, talk_ms)));
  talk_changes_.fetch_add(1, std::memory_order_release);
}

Quality QualityMeter::at(std::int64_t now_us) const noexcept {
  const std::int64_t last = slice_of(now_us);
  const std::int64_t first = std::max<std::int64_t>(1, last - slices_count_ + 1);
  Quality sum;
  for (std::int64_t slice = first; slice <= last; ++slice) {
    const Slice& counts = slices_[static_cast<std::uint64_t>(slice) % slices_count_];
    // Answers before attempts: one that comes in between is an attempt already.
    sum.answered += read(counts.answered, slice);
    sum.attempts += read(counts.attempts, slice);
    sum.ended += read(counts.ended, slice);
    sum.talk_ms += read(counts.talk_ms, slice);
  }
  sum.answered = std::min(sum.answered, sum.attempts);
  return sum;
}

std::optional<std::uint32_t> QualityMeter::answer_percent(std::int64_t now_us) const noexcept {
  // Read before the sum: a change in between makes what is stored below out of date at once.
  const std::uint64_t changes = changes_.load(std::memory_order_acquire);
  const std::uint64_t key = changes << 24 | tag_of(slice_of(now_us));
  std::uint64_t known = known_.load(std::memory_order_relaxed);
  if (known >> 8 != key) {
    const Quality now = at(now_us);
    known = key << 8 | (now.is_sample() ? now.answer_percent() : no_sample);
    known_.store(known, std::memory_order_relaxed);
  }
  if ((known & 0xFF) == no_sample) return std::nullopt;
  return static_cast<std::uint32_t>(known & 0xFF);
}

std::optional<std::uint32_t> QualityMeter::talk_time_s(std::int64_t now_us) const noexcept {
  const std::uint64_t changes = talk_changes_.load(std::memory_order_acquire) & talk_tag_mask;
  const std::uint64_t key =
      changes << 20 | (static_cast<std::uint64_t>(slice_of(now_us)) & talk_tag_mask);
  std::uint64_t known = known_talk_.load(std::memory_order_relaxed);
  if (known >> 24 != key) {
    const Quality now = at(now_us);
    known = key << 24 | (now.is_talk_sample() ? std::min(now.average_talk_s(), no_talk_sample - 1)
                                              : no_talk_sample);
    known_talk_.store(known, std::memory_order_relaxed);
  }
  if ((known & no_talk_sample) == no_talk_sample) return std::nullopt;
  return static_cast<std::uint32_t>(known & no_talk_sample);
}

}  // namespace tandem::route
