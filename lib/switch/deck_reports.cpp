#include "tandem/deck_reports.hpp"

#include <algorithm>
#include <utility>

#include "call/tables.hpp"
#include "switch/deck_of.hpp"
#include "switch/past_calls.hpp"
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
  // Sums of the last days must not pass for sums of all.
  const std::int64_t days_max = config.parameters.query_guards.days_max;
  if (days_max > 0 && !query.since_us) {
    return Error{ErrorCode::invalid_argument,
                 "calls of all times were asked for, and query_days_max is " +
                     std::to_string(days_max) + "; say since when"};
  }
  CdrFilter period;
  period.since_us = query.since_us;
  period.until_us = query.until_us;
  // One question, so that one bound of the guards holds for all of it.
  auto cursor = cdr_cursor(config, period);
  if (!cursor) return std::move(cursor).error();
  const auto fetch = [&cursor](const CdrQuery& page) -> Result<std::vector<Cdr>> {
    std::vector<Cdr> found;
    while (found.size() < page.limit) {
      auto next = cursor->next();
      if (!next) return std::move(next).error();
      if (!*next) break;
      found.push_back(std::move(**next));
    }
    return found;
  };
  auto walked = calls->walk(query, fetch);
  if (!walked) return std::move(walked).error();
  return std::move(calls->rerater());
}

}  // namespace tandem
