// Cases that nobody here wrote: published tariffs and calls with their exact cost.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tandem/rating.hpp"

using namespace tandem;

namespace {

using Json = nlohmann::json;

Amount amount_of(const Json& number) { return Amount::parse(number.dump()).value(); }

// The tariff as one of our rates; nothing when it takes windows, caps, taxes or steps that change
// the price.
std::optional<Rate> rate_of(const Json& tariff) {
  for (const auto& [key, value] : tariff.items()) {
    if (key != "fee" && key != "steps" && key != "round" && key != "dec") return std::nullopt;
  }
  const Json& steps = tariff.at("steps");
  const Json& last = steps.back();
  Rate rate;
  rate.connection_fee = amount_of(tariff.at("fee"));
  rate.price = amount_of(last[1]);
  rate.per_s = last[2];
  rate.next_s = last[3];
  rate.first_s = rate.next_s;
  if (steps.size() > 2) return std::nullopt;
  if (steps.size() == 2) {
    // Ours has one first increment, at the price of the steps after it.
    if (steps[0][1] != last[1] || steps[0][2] != last[2] || steps[0][3] != last[0])
      return std::nullopt;
    rate.first_s = steps[0][3];
  }
  return rate;
}

}  // namespace

TEST_CASE("rate_call: B-06 published rating cases cost what their exact arithmetic says") {
  std::ifstream file(TANDEM_SOURCE_DIR "/../shared/testdata/rating-cases.tsv");
  if (!file) {
    std::printf("rating cases: not run, ../shared/testdata/rating-cases.tsv is not there\n");
    return;
  }
  std::string line;
  std::getline(file, line);  // column names
  int run = 0;
  std::string not_run;
  while (std::getline(file, line)) {
    std::vector<std::string> cells;
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t tab = std::min(line.find('\t', at), line.size());
      cells.push_back(line.substr(at, tab - at));
      at = tab + 1;
    }
    REQUIRE(cells.size() >= 9);
    CAPTURE(cells[0]);
    const Json tariff = Json::parse(cells[2]);
    const Json expected = Json::parse(cells[6]);
    const std::optional<Rate> rate = rate_of(tariff);
    const Json extra = cells[5] == "-" ? Json::object() : Json::parse(cells[5]);
    const bool is_known_extra = extra.empty() || (extra.size() == 1 && extra.contains("balance"));
    if (!rate || !is_known_extra) {
      not_run += " " + cells[0] + "(" + cells[1] + ")";
      continue;
    }
    ++run;
    FeeRules rules;
    rules.precision = tariff.value("dec", 8);
    const std::string round = tariff.value("round", "down");
    rules.rounding = round == "up"       ? FeeRounding::up
                     : round == "middle" ? FeeRounding::half_up
                                         : FeeRounding::down;
    if (expected.contains("max_session_s")) {
      CHECK(available_time_s(*rate, amount_of(extra.at("balance")), rules) ==
            expected["max_session_s"]);
    }
    if (expected.contains("cost")) {
      const Charge charge = rate_call(*rate, std::stoll(cells[4]) * 1000, rules).value();
      std::string cost = expected["cost"].dump();
      if (const std::size_t point = cost.find('.'); point != std::string::npos)
        cost.resize(std::min(cost.size(), point + 9));
      CHECK(charge.charge == Amount::parse(cost).value());
      if (expected.contains("billed_s")) CHECK(charge.billed_time_s == expected["billed_s"]);
    }
  }
  std::printf(
      "rating cases: %d run; not expressible with windows, tiers, caps, gifts and taxes still to "
      "come:%s\n",
      run, not_run.c_str());
  CHECK(run >= 10);
}
