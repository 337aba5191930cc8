#include "route/places.hpp"

#include <algorithm>
#include <array>

namespace tandem::route {

std::optional<std::size_t> next_place(const Places& places, TriedPlaces tried, std::uint64_t draw,
                                      std::int64_t now_us) noexcept {
  const std::size_t count = std::min(places.size(), places_max);
  const auto is_tried = [&](std::size_t i) { return (tried >> i & 1U) != 0; };
  std::array<bool, places_max> is_open{};
  std::optional<std::uint32_t> rank, begun;
  for (std::size_t i = 0; i < count; ++i) {
    is_open[i] = !is_tried(i) && places[i].health->is_usable(now_us);
    if (is_open[i] && !rank) rank = places[i].rank;
  }
  if (!rank) return std::nullopt;
  for (std::size_t i = 0; i < count && !begun; ++i) {
    if (!is_open[i] || places[i].rank != *rank) continue;
    for (std::size_t j = 0; j < count; ++j) {
      if (is_tried(j) && places[j].rank == *rank && places[j].host == places[i].host)
        begun = places[i].host;
    }
  }
  // Hosts that may be drawn, each by its first open place; those without weight come first, so
  // that they have a small chance (RFC 2782).
  std::array<std::uint32_t, places_max> hosts{};
  std::array<std::uint16_t, places_max> weights{};
  std::size_t drawn_from = 0;
  std::uint64_t sum = 0;
  if (!begun) {
    for (const bool is_light : {true, false}) {
      for (std::size_t i = 0; i < count; ++i) {
        if (!is_open[i] || places[i].rank != *rank || (places[i].weight == 0) != is_light) continue;
        bool is_known = false;
        for (std::size_t h = 0; h < drawn_from; ++h)
          is_known |= hosts[h] == places[i].host;
        if (is_known) continue;
        hosts[drawn_from] = places[i].host;
        weights[drawn_from++] = places[i].weight;
        sum += places[i].weight;
      }
    }
    // Without any weight, each has the same chance.
    if (sum == 0) {
      begun = hosts[draw % drawn_from];
      draw /= drawn_from;
    } else {
      const std::uint64_t wanted = draw % (sum + 1);
      draw /= sum + 1;
      std::uint64_t running = 0;
      for (std::size_t h = 0; h < drawn_from && !begun; ++h) {
        running += weights[h];
        if (running >= wanted) begun = hosts[h];
      }
    }
  }
  std::array<std::size_t, places_max> open{};
  std::size_t left = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (is_open[i] && places[i].rank == *rank && places[i].host == *begun) open[left++] = i;
  }
  return open[draw % left];
}

std::optional<std::size_t> next_bearing_place(const Places& places, TriedPlaces& tried,
                                              Random& random, std::int64_t now_us) {
  for (;;) {
    const auto next = next_place(places, tried, random.next(), now_us);
    if (!next || !places[*next].health->sheds(random, now_us)) return next;
    tried |= TriedPlaces{1} << *next;
  }
}

}  // namespace tandem::route
