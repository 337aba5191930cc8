#include <nlohmann/json.hpp>

#include "tandem/margin.hpp"

namespace tandem {

std::string to_json(const std::vector<MarginRow>& rows) {
  using Json = nlohmann::ordered_json;
  const auto money = [](const std::optional<Amount>& amount) {
    return amount ? Json(amount->to_string()) : Json();
  };
  Json list = Json::array();
  for (const MarginRow& row : rows) {
    Json json = {{"prefix", row.prefix}, {"area", row.area}, {"sell", row.sell.to_string()}};
    json["best_buy"] = money(row.best_buy);
    json["best_deck"] = row.best_buy ? Json(row.best_deck) : Json();
    json["average_buy"] = money(row.average_buy);
    json["margin_percent"] = nullptr;
    if (row.margin_hundredths) {
      // Two decimals, as text: no share of money is a binary fraction here.
      constexpr std::int64_t units = Amount::scale / 100;
      std::int64_t bounded = *row.margin_hundredths;
      if (bounded > INT64_MAX / units) bounded = INT64_MAX / units;
      if (bounded < INT64_MIN / units) bounded = INT64_MIN / units;
      json["margin_percent"] = Amount::from_units(bounded * units).to_string();
    }
    list.push_back(std::move(json));
  }
  return list.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tandem
