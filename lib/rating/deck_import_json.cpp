#include <algorithm>
#include <nlohmann/json.hpp>

#include "tandem/deck_import.hpp"

namespace tandem {

std::string to_json(const DeckImport& import, std::size_t preview_max) {
  using Json = nlohmann::ordered_json;
  Json json = {{"rates", import.rates.size()},    {"rows", import.rows},
               {"header_row", import.header_row}, {"currency", import.currency},
               {"mapping", Json::array()},        {"ignored", import.ignored},
               {"faults", Json::array()},         {"fault_count", import.fault_count},
               {"preview", Json::array()}};
  for (const auto& [column, target] : import.mapping)
    json["mapping"].push_back({{"column", column}, {"target", target}});
  for (const DeckFault& fault : import.faults)
    json["faults"].push_back(
        {{"row", fault.row}, {"column", fault.column}, {"message", fault.message}});
  for (std::size_t i = 0; i < std::min(preview_max, import.rates.size()); ++i)
    json["preview"].push_back(Json::parse(to_json(import.rates[i])));
  // Names of columns are the partner's text and may be no UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tandem
