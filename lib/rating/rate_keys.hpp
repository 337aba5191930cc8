// Which rates are there already, while a list of them grows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "tandem/rating.hpp"

namespace tandem::rating {

/// The order of a deck: by prefix, then by the beginning.
[[nodiscard]] inline bool comes_before(const Rate& a, const Rate& b) noexcept {
  const int order = a.prefix.compare(b.prefix);
  return order != 0 ? order < 0 : a.valid_from_us < b.valid_from_us;
}

/// The keys of a growing list of rates: prefix and beginning. Holds places in the list instead of
/// copies of the keys, because lists have millions of rows. Threading: one thread at a time.
class RateKeys {
 public:
  /// The place of the rate in `rates` that has the key of `rate`. When there is none, the key is
  /// noted for the place rates.size(), where the caller puts `rate` next. REQUIRES: `rates` is what
  /// was noted before.
  template <class Rates>
  std::optional<std::size_t> note(const Rates& rates, const Rate& rate) {
    // What was exported or stored is in order, and then the last one is all that has to be asked.
    if (places_.empty()) {
      if (rates.empty() || comes_before(rates.back(), rate)) return std::nullopt;
      for (std::size_t i = 0; i < rates.size(); ++i)
        enter(hash_of(rates[i]), i);
    }
    if ((noted_ + 1) * 2 > places_.size()) grow();
    const std::uint32_t hash = hash_of(rate);
    std::size_t at = hash & (places_.size() - 1);
    for (; places_[at].rate_plus_one != 0; at = (at + 1) & (places_.size() - 1)) {
      if (places_[at].hash != hash) continue;
      const Rate& other = rates[places_[at].rate_plus_one - 1];
      if (other.valid_from_us == rate.valid_from_us && other.prefix == rate.prefix)
        return places_[at].rate_plus_one - 1;
    }
    places_[at] = {hash, static_cast<std::uint32_t>(rates.size()) + 1};
    ++noted_;
    return std::nullopt;
  }
  /// Whether each of the noted rates came behind all before it.
  [[nodiscard]] bool came_in_order() const noexcept { return places_.empty(); }

 private:
  struct Place {
    std::uint32_t hash = 0;
    std::uint32_t rate_plus_one = 0;  // its place in the list; 0: this one is free
  };
  static_assert(RateDeck::rates_max < UINT32_MAX);

  static std::uint32_t hash_of(const Rate& rate) noexcept {
    const std::uint64_t hash =
        std::hash<std::string_view>()(rate.prefix) +
        static_cast<std::uint64_t>(rate.valid_from_us) * 0x9E3779B97F4A7C15ULL;
    return static_cast<std::uint32_t>(hash ^ hash >> 32);
  }
  /// REQUIRES: no rate with this key was entered.
  void enter(std::uint32_t hash, std::size_t rate) {
    if ((noted_ + 1) * 2 > places_.size()) grow();
    std::size_t at = hash & (places_.size() - 1);
    while (places_[at].rate_plus_one != 0)
      at = (at + 1) & (places_.size() - 1);
    places_[at] = {hash, static_cast<std::uint32_t>(rate) + 1};
    ++noted_;
  }
  void grow() {
    std::vector<Place> larger(places_.empty() ? 64 : places_.size() * 2);
    for (const Place& place : places_) {
      if (place.rate_plus_one == 0) continue;
      std::size_t at = place.hash & (larger.size() - 1);
      while (larger[at].rate_plus_one != 0)
        at = (at + 1) & (larger.size() - 1);
      larger[at] = place;
    }
    places_.swap(larger);
  }

  std::vector<Place> places_;  // open addressing; a power of two of them. None: all came in order
  std::size_t noted_ = 0;
};

}  // namespace tandem::rating
