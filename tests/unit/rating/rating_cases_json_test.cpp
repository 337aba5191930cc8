// Cases that nobody here wrote: published tariffs and calls with their exact cost.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/source_folder.hpp"
#include "tandem/clock.hpp"
#include "tandem/rating.hpp"

using namespace tandem;

namespace {

using Json = nlohmann::json;

Amount amount_of(const Json& number) { return Amount::parse(number.dump()).value(); }

// Steps [from, price, per, increment]: the first is the rate, the others are tiers.
template <class Priced>
std::vector<RateTier> read_steps(const Json& steps, Priced& first) {
  first.price = amount_of(steps[0][1]);
  first.per_s = steps[0][2];
  first.first_s = first.next_s = steps[0][3];
  std::vector<RateTier> tiers;
  for (std::size_t i = 1; i < steps.size(); ++i)
    tiers.push_back({steps[i][0], amount_of(steps[i][1]), steps[i][2], steps[i][3]});
  return tiers;
}

std::int32_t second_of(const std::string& time) {
  return std::stoi(time) * 3600 + std::stoi(time.substr(3)) * 60 + std::stoi(time.substr(6));
}

// "1-5", 1 is Monday; ours count from Sunday.
DaySet weekdays_of(const std::string& days) {
  DaySet set;
  const int last = days.size() > 1 ? days[2] - '0' : days[0] - '0';
  for (int day = days[0] - '0'; day <= last; ++day)
    set.weekdays |= static_cast<std::uint8_t>(1u << day % 7);
  return set;
}

struct Tariff {
  Rate rate;
  CallStart start;
  FeeRules rules;
};

// Windows of a date are those of a holiday; a window holds until the next one of its days.
Tariff read_tariff(const Json& json, std::int64_t start_us, const Json& extra) {
  Tariff tariff;
  RateTerms terms;
  CalendarConfig calendar;
  if (json.contains("steps")) {
    tariff.rate.connection_fee = amount_of(json.at("fee"));
    terms.tiers = read_steps(json.at("steps"), tariff.rate);
  }
  struct Weighed {
    RateWindow window;
    int weight;
  };
  std::vector<Weighed> windows;
  for (const Json& each : json.value("windows", Json::array())) {
    RateWindow window;
    if (each.contains("date")) {
      window.days = {0, 1u << static_cast<int>(DayClass::holiday)};
      const std::string year = format_time_us(start_us).substr(0, 4);
      calendar.exceptions[parse_time_us(year + "-" + each["date"].get<std::string>()).value() /
                          86'400'000'000] = DayClass::holiday;
    } else {
      window.days = weekdays_of(each.at("days"));
    }
    window.from_s = second_of(each.at("from"));
    window.connection_fee = amount_of(each.at("fee"));
    Rate first;
    window.tiers = read_steps(each.at("steps"), first);
    window.price = first.price;
    window.per_s = first.per_s;
    window.first_s = first.first_s;
    window.next_s = first.next_s;
    windows.push_back({window, each.value("weight", 0)});
  }
  for (Weighed& each : windows) {
    for (const Weighed& other : windows) {
      if (other.weight == each.weight && other.window.days == each.window.days &&
          other.window.from_s > each.window.from_s)
        each.window.to_s = std::min(each.window.to_s, other.window.from_s);
    }
  }
  std::stable_sort(windows.begin(), windows.end(),
                   [](const Weighed& a, const Weighed& b) { return a.weight > b.weight; });
  for (Weighed& each : windows)
    terms.windows.push_back(std::move(each.window));
  if (json.contains("max_cost")) {
    REQUIRE(json.at("max_mode") == "free");
    terms.maximum = amount_of(json["max_cost"]);
  }
  if (json.contains("vat_pct")) terms.tax_percent = amount_of(json["vat_pct"]);
  terms.free_s = extra.value("free_s", 0);
  tariff.rate.terms = std::move(terms);
  tariff.start = {start_us, RateSchedule::build(calendar, true).value()};
  tariff.rules.precision = json.value("dec", 8);
  const std::string round = json.value("round", "down");
  tariff.rules.rounding = round == "up"       ? FeeRounding::up
                          : round == "middle" ? FeeRounding::half_up
                                              : FeeRounding::down;
  return tariff;
}

}  // namespace

TEST_CASE("rate_call: B-06 published rating cases cost what their exact arithmetic says") {
  std::ifstream file(tandem::test::source_folder() + "/../shared/testdata/rating-cases.tsv");
  if (!file) {
    std::printf("rating cases: not run, ../shared/testdata/rating-cases.tsv is not there\n");
    return;
  }
  std::string line;
  std::getline(file, line);  // column names
  int run = 0;
  while (std::getline(file, line)) {
    std::vector<std::string> cells;
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t tab = std::min(line.find('\t', at), line.size());
      cells.push_back(line.substr(at, tab - at));
      at = tab + 1;
    }
    REQUIRE(cells.size() >= 9);
    CAPTURE(cells[0]);
    const Json expected = Json::parse(cells[6]);
    const Json extra = cells[5] == "-" ? Json::object() : Json::parse(cells[5]);
    const auto [rate, start, rules] =
        read_tariff(Json::parse(cells[2]), parse_time_us(cells[3]).value(), extra);
    REQUIRE(check_rate(rate).ok());
    ++run;
    std::int64_t seconds = std::stoll(cells[4]);
    if (extra.contains("balance")) {
      const std::int64_t most_s =
          available_time_s(rate, amount_of(extra.at("balance")), rules, start);
      const char* const name = expected.contains("granted_s") ? "granted_s" : "max_session_s";
      CHECK(most_s == expected.at(name));
      seconds = std::min(seconds, most_s);
    }
    if (expected.contains("cost")) {
      const Charge charge = rate_call(rate, seconds * 1000, rules, nullptr, start).value();
      std::string cost = expected["cost"].dump();
      if (const std::size_t point = cost.find('.'); point != std::string::npos)
        cost.resize(std::min(cost.size(), point + 9));
      CHECK(charge.charge == Amount::parse(cost).value());
      if (expected.contains("billed_s")) CHECK(charge.billed_time_s == expected["billed_s"]);
    }
    if (extra.contains("prefixes")) {
      RateDeck::Builder builder("published");
      for (const auto& prefix : extra["prefixes"]) {
        Rate entry;
        // Numbers come there with a '+' in front of a country code; ours have digits alone.
        entry.prefix = prefix.get<std::string>();
        entry.prefix.erase(0, entry.prefix[0] == '+' ? 1 : 0);
        REQUIRE(builder.add(entry));
      }
      const RateDeck deck = builder.build().value();
      const RateMatch match = deck.find(extra["number"].get<std::string>(), start.at_us);
      REQUIRE(match.ok());
      CHECK(extra["number"].get<std::string>().starts_with(match.rate->prefix));
    }
  }
  std::printf("rating cases: %d run, all that the file has\n", run);
  CHECK(run >= 20);
}
