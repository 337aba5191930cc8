// Only the rater: what a call costs, and why.
#include <cstdio>

#include "tandem/rating.hpp"

int main() {
  const auto rates = tandem::parse_deck_csv("prefix,price,first_s,next_s\n44,0.60,60,60\n", "deck");
  if (!rates) return 1;
  tandem::RateDeck::Builder builder("retail", "USD");
  for (const tandem::Rate& rate : *rates)
    if (!builder.add(rate)) return 1;
  const auto deck = builder.build();
  if (!deck) return 1;
  const auto call = tandem::rate_number(*deck, "442079460000", 61'000,
                                        tandem::SystemClock().wall_us(), tandem::FeeRules());
  if (!call) {
    std::fprintf(stderr, "%s\n", call.error().message.c_str());
    return 1;
  }
  std::printf("%s\n", call->charge.charge.to_string().c_str());  // 1.20
  std::printf("%s\n", tandem::to_json(*call).c_str());
}
