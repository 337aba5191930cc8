#include "phone/source_rates.hpp"

#include <algorithm>

namespace tandem::phone {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr unsigned time_bits = 48;
constexpr std::uint64_t time_mask = (std::uint64_t{1} << time_bits) - 1;

std::uint64_t mixed(std::uint64_t x) noexcept {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ x >> 33;
}

std::uint64_t source_word(const IpAddress& source) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 8; ++i)
    word = word << 8 | source.bytes[i];
  return word;
}

/// The bucket takes one more when it will be full soon enough: then when it is full after that,
/// else 0.
std::int64_t one_more(std::int64_t full_at_us, std::int64_t now_us, std::int64_t step_us,
                      std::int64_t burst_us) noexcept {
  const std::int64_t next_us = std::max(full_at_us, now_us) + step_us;
  return next_us - now_us <= burst_us ? next_us : 0;
}

/// False: the bucket is empty.
bool take(std::atomic<std::int64_t>& full_at_us, std::int64_t now_us, std::int64_t step_us,
          std::int64_t burst_us) noexcept {
  std::int64_t kept_us = full_at_us.load(std::memory_order_relaxed);
  for (;;) {
    const std::int64_t next_us = one_more(kept_us, now_us, step_us, burst_us);
    if (next_us == 0) return false;
    if (full_at_us.compare_exchange_weak(kept_us, next_us, std::memory_order_relaxed)) return true;
  }
}

}  // namespace

SourceRates::SourceRates(std::uint64_t hash_key) : hash_key_(hash_key) {}

void SourceRates::set(bool is_open, const RegisterRates& rates) noexcept {
  const auto step = [](std::int32_t per_s) { return per_s > 0 ? second_us / per_s : 0; };
  step_us_.store(step(rates.per_source));
  burst_us_.store(step(rates.per_source) * std::max(rates.burst, 1));
  total_step_us_.store(step(rates.total));
  if (is_open && slots_ == nullptr) slots_ = std::make_unique<Slot[]>(slots);
  is_open_.store(is_open, std::memory_order_release);
}

RegisterGate::Verdict SourceRates::admit(const IpAddress& source, std::int64_t now_us) noexcept {
  if (!is_open()) return Verdict::closed;
  if (!take_of_source(source, now_us)) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return Verdict::flood;
  }
  const std::int64_t step_us = total_step_us_.load(std::memory_order_relaxed);
  if (step_us == 0 || take(total_full_at_us_, now_us, step_us, second_us)) return Verdict::pass;
  const bool is_answered = take(refusals_full_at_us_, now_us, step_us, second_us);
  (is_answered ? refused_ : dropped_).fetch_add(1, std::memory_order_relaxed);
  return is_answered ? Verdict::overload : Verdict::flood;
}

bool SourceRates::take_of_source(const IpAddress& source, std::int64_t now_us) noexcept {
  const std::int64_t step_us = step_us_.load(std::memory_order_relaxed);
  if (step_us == 0) return true;
  const std::int64_t burst_us = burst_us_.load(std::memory_order_relaxed);
  const std::uint64_t hash = mixed(source_word(source) ^ hash_key_);
  const std::uint64_t mark = hash >> time_bits;
  Slot* const places = &slots_[hash % (slots / ways) * ways];
  Slot* place = nullptr;
  for (std::size_t i = 0; i < ways && place == nullptr; ++i) {
    if (places[i].load(std::memory_order_relaxed) >> time_bits == mark) place = &places[i];
  }
  // A full bucket is as good as none, so its place is free.
  for (std::size_t i = 0; i < ways && place == nullptr; ++i) {
    const std::uint64_t kept = places[i].load(std::memory_order_relaxed);
    if (static_cast<std::int64_t>(kept & time_mask) <= now_us) place = &places[i];
  }
  if (place == nullptr) place = &places[hash / slots % ways];
  std::uint64_t kept = place->load(std::memory_order_relaxed);
  for (;;) {
    const std::int64_t next_us =
        one_more(static_cast<std::int64_t>(kept & time_mask), now_us, step_us, burst_us);
    if (next_us == 0) return false;
    const std::uint64_t next =
        mark << time_bits | (static_cast<std::uint64_t>(next_us) & time_mask);
    if (place->compare_exchange_weak(kept, next, std::memory_order_relaxed)) return true;
  }
}

}  // namespace tandem::phone
