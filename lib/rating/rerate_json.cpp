#include <nlohmann/json.hpp>

#include "tandem/rerate.hpp"

namespace tandem {

std::string to_json(const Rerater& rerater) {
  using Json = nlohmann::ordered_json;
  Json json = {{"deck", rerater.deck().id()},
               {"currency", rerater.deck().currency()},
               {"accounts", Json::array()}};
  for (const auto& [account, total] : rerater.totals()) {
    json["accounts"].push_back({{"account", account},
                                {"calls", total.calls},
                                {"changed", total.changed},
                                {"before", total.before.to_string()},
                                {"after", total.after.to_string()},
                                {"difference", total.difference().to_string()},
                                {"billed_time_s", total.billed_time_s},
                                {"not_rated", total.not_rated},
                                {"not_rated_before", total.not_rated_before.to_string()}});
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tandem
