// What a configuration answers without a running switch.
#include <algorithm>
#include <utility>

#include "call/tables.hpp"
#include "switch/provisioning.hpp"
#include "tandem/switch.hpp"

namespace tandem {

Result<std::string> rate(const SwitchConfig& config, std::string_view deck, std::string_view callee,
                         std::int64_t seconds, std::optional<std::int64_t> at_us) {
  const auto& decks = config.provision.rate_decks;
  const auto found =
      std::find_if(decks.begin(), decks.end(), [&](const auto& d) { return d.id == deck; });
  if (found == decks.end())
    return Error{ErrorCode::invalid_argument, "no rate deck \"" + std::string(deck) + "\""};
  if (!is_number(callee)) {
    return Error{ErrorCode::invalid_argument, "\"" + std::string(callee) + "\" is no number"};
  }
  if (seconds < 0 || seconds > rated_time_max_s) {
    return Error{ErrorCode::invalid_argument, std::to_string(seconds) + " seconds are not in 0.." +
                                                  std::to_string(rated_time_max_s)};
  }
  auto built = build_deck(*found);
  if (!built) return built.error();
  auto schedule = call::rate_schedule(config, *found);
  if (!schedule) return schedule.error();
  auto free_numbers = FreeNumbers::from_list(config.parameters.free_numbers);
  if (!free_numbers) return free_numbers.error();
  callee.remove_prefix(
      BillingPrefixes(config.parameters.gateway_route_prefix, *built).length_in(callee));
  auto rated =
      rate_number(built->with_schedule(std::move(*schedule)), callee, seconds * 1000,
                  at_us.value_or(SystemClock().wall_us()), config.parameters.fees, *free_numbers);
  if (!rated) return rated.error();
  return to_json(*rated);
}

}  // namespace tandem
