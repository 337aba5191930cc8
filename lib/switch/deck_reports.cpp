#include "tandem/deck_reports.hpp"

#include <algorithm>
#include <utility>

#include "call/tables.hpp"
#include "switch/deck_of.hpp"
#include "switch/past_calls.hpp"
#include "switch/past_records.hpp"
#include "switch/provisioning.hpp"
#include "tandem/switch.hpp"

namespace tandem {

Result<RateDeck> deck_of(const SwitchConfig& config, const std::string& id) {
  const auto& decks = config.provision.rate_decks;
  const auto found =
      std::find_if(decks.begin(), decks.end(), [&](const auto& deck) { return deck.id == id; });
  if (found == decks.end())
    return Error{ErrorCode::invalid_argument, "no rate deck \"" + id + "\""};
  auto built = build_deck(*found);
  if (!built) return std::move(built).error();
  auto schedule = call::rate_schedule(config, *found);
  if (!schedule) return std::move(schedule).error();
  return built->with_schedule(std::move(*schedule));
}

Result<std::vector<MarginRow>> margin_report(const SwitchConfig& config, const std::string& sell,
                                             const std::vector<std::string>& buys,
                                             std::optional<std::int64_t> at_us) {
  auto sold = deck_of(config, sell);
  if (!sold) return std::move(sold).error();
  std::vector<RateDeck> bought;
  for (const std::string& id : buys) {
    auto deck = deck_of(config, id);
    if (!deck) return std::move(deck).error();
    bought.push_back(std::move(*deck));
  }
  return margin_report(*sold, bought, at_us.value_or(SystemClock().wall_us()));
}

Result<Rerater> rerate_history(const SwitchConfig& config, const RerateQuery& query) {
  auto calls = PastCalls::create(config, query.deck);
  if (!calls) return std::move(calls).error();
  auto place = record_place(config);
  if (!place) return std::move(place).error();
  if (auto allowed = check_period(query, place->guards, SystemClock().wall_us()); !allowed)
    return std::move(allowed).error();
  auto records = PastRecords::open(*place, query);
  if (!records) return std::move(records).error();
  auto walked = calls->walk(query, [&](std::size_t count) { return records->next(count); });
  if (!walked) return std::move(walked).error();
  return std::move(calls->rerater());
}

}  // namespace tandem
