// Deck CSV from outside: no input may crash, and whatever is accepted is valid and makes a deck.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tandem/rating.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto rates = tandem::parse_deck_csv(text, "fuzz.csv");
  if (!rates) {
    if (rates.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  tandem::RateDeck::Builder builder("fuzz");
  for (const tandem::Rate& rate : *rates) {
    if (!builder.add(rate)) std::abort();
    const auto charge = tandem::rate_call(rate, 61'000, {});
    if (charge) {
      const std::int64_t time_s = tandem::available_time_s(rate, charge->charge, {});
      if (time_s < 61) std::abort();
    }
  }
  const auto deck = builder.build();
  if (!deck || deck->size() != rates->size()) std::abort();
  const auto again = tandem::parse_deck_csv(tandem::to_csv(*deck), "written");
  if (!again || again->size() != deck->size()) std::abort();
  for (std::size_t i = 0; i < deck->size(); ++i) {
    if ((*again)[i] != deck->at(i)) std::abort();
  }
  for (const tandem::Rate& rate : *rates) {
    if (!rate.prefix.empty() && deck->find(rate.prefix, rate.valid_from_us).rate == nullptr)
      std::abort();
  }
  return 0;
}
