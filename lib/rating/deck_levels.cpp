#include "rating/deck_levels.hpp"

#include <cstddef>

namespace tandem::rating {

CallLevel level_of_rate(const RateDeck& deck, std::string_view prefix, std::int64_t at_us) {
  std::size_t low = 0;
  std::size_t high = deck.size();  // behind the last rate whose prefix is not above the wanted
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (deck.at(middle).prefix <= prefix) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (high == 0 || deck.at(high - 1).prefix != prefix) return CallLevel::none;
  // Of several that are valid the latest applies, and they are in that order.
  for (std::size_t i = high; i > 0 && deck.at(i - 1).prefix == prefix; --i) {
    const Rate& rate = deck.at(i - 1);
    if (at_us >= rate.valid_from_us && (rate.valid_until_us == 0 || at_us < rate.valid_until_us))
      return rate.call_level;
  }
  return deck.at(high - 1).call_level;
}

}  // namespace tandem::rating
