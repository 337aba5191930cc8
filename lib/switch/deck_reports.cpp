#include "tandem/deck_reports.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "call/tables.hpp"
#include "switch/provisioning.hpp"
#include "tandem/switch.hpp"

namespace tandem {
namespace {

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

}  // namespace

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
  auto deck = deck_of(config, query.deck);
  if (!deck) return std::move(deck).error();
  auto free_numbers = FreeNumbers::from_list(config.parameters.free_numbers);
  if (!free_numbers) return std::move(free_numbers).error();
  Rerater rerater(std::move(*deck), config.parameters.fees, std::move(*free_numbers));
  const std::string& currency = rerater.deck().currency();

  std::map<std::string, Amount> taxes;
  for (const AccountConfig& account : config.provision.accounts)
    taxes[account.id] = account.tax_percent;

  CdrQuery page;
  page.since_us = query.since_us;
  page.until_us = query.until_us;
  page.limit = 100'000;
  for (;;) {
    const auto cdrs = query_cdrs(config, page);
    if (!cdrs) return cdrs.error();
    std::vector<RerateCall> calls;
    for (const Cdr& cdr : *cdrs) {
      if (cdr.answered_at_us == 0 || (query.is_vendor && !cdr.vendor)) continue;
      const ChargeFacts& side = query.is_vendor ? *cdr.vendor : cdr.customer;
      if (side.account.empty() || side.currency != currency) continue;
      if (!query.account.empty() && side.account != query.account) continue;
      const auto tax = taxes.find(side.account);
      calls.push_back({side.account, cdr.callee, cdr.started_at_us, cdr.answered_at_us,
                       cdr.talk_time_ms, side.charge, tax != taxes.end() ? tax->second : Amount{}});
    }
    if (auto added = rerater.add(calls); !added) return std::move(added).error();
    if (cdrs->size() < page.limit) return rerater;
    page.before_record_id = cdrs->back().record_id;
  }
}

}  // namespace tandem
