#include <doctest/doctest.h>

#include <string>

#include "tandem/switch.hpp"

using namespace tandem;

namespace {

SwitchConfig config() {
  const ConfigReading reading = read_config(R"({
    "sip": {"listen": ["udp:127.0.0.1:5060"]},
    "provision": {
      "accounts": [{"id": "acme", "balance": "100.00", "rate_deck": "retail"},
                   {"id": "north", "kind": "clearing", "rate_deck": "north"},
                   {"id": "south", "kind": "clearing", "rate_deck": "south"}],
      "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]},
                     {"id": "north", "rates": [{"prefix": "", "price": "0.30"}]},
                     {"id": "south", "rates": [{"prefix": "44", "price": "0.59"}]}],
      "customer_gateways": [{"id": "cust", "addresses": ["192.0.2.10"], "account": "acme",
                             "rewrite_callee": "00:", "min_profit_percent": 10}],
      "vendor_gateways": [
        {"id": "north", "addresses": ["192.0.2.20"], "account": "north", "least_cost": true},
        {"id": "south", "addresses": ["192.0.2.21"], "account": "south", "least_cost": true},
        {"id": "closed", "addresses": ["192.0.2.22"], "prefixes": ["7"]}]}
  })",
                                            ".");
  REQUIRE(reading.errors.empty());
  return reading.config;
}

std::string table_of(const ExplainRequest& request) {
  const auto answer = explain(config(), request);
  REQUIRE(answer.ok());
  const auto table = explain_table(*answer);
  REQUIRE(table.ok());
  return *table;
}

/// The line that has `word`, with runs of blanks as one.
std::string line_with(const std::string& text, const std::string& word) {
  const std::size_t at = text.find(word);
  if (at == std::string::npos) return {};
  const std::size_t begin = text.rfind('\n', at) + 1;
  std::string line;
  for (const char c : text.substr(begin, text.find('\n', at) - begin)) {
    if (c != ' ' || line.empty() || line.back() != ' ') line += c;
  }
  while (line.starts_with(' '))
    line.erase(0, 1);
  return line;
}

}  // namespace

TEST_CASE("explain_table: stages, then every vendor with keys, rate, profit and reason (R-23)") {
  const std::string table = table_of({"cust", "1000", "00442079460000", std::nullopt});
  CHECK(table.starts_with("1000 to 442079460000 from cust, rate 0.60/60s (44): 1 vendor to try\n"));
  CHECK(line_with(table, "rewrite ") ==
        "rewrite 1000 00442079460000 -> 442079460000 continue (rewrite_callee[0] 00:)");
  CHECK(line_with(table, "RANK") ==
        "RANK VENDOR PREFIX PROTECT PREFIX LENGTH PRIORITY LOWEST RATE LOAD TURN RATE PROFIT % "
        "QUALITY CALLER OUT CALLEE OUT PASSED OVER");
  CHECK(line_with(table, "0.30/60s") ==
        "0 north (any) false 0 0 0.005 0/unlimited 0 0.30/60s (any) 50.00 - 1000 442079460000");
  CHECK(line_with(table, "ProfitGuard") ==
        "- south (any) false 0 0 0.00983333 0/unlimited 1 0.59/60s (44) 1.66 - - - ProfitGuard "
        "(min_profit_percent)");
  CHECK(line_with(table, "no_prefix_match") == "- closed - - - - - - - - - - - - no_prefix_match");
}

TEST_CASE("explain_table: a refused call says why, and what is no answer is refused") {
  CHECK(line_with(table_of({"cust", "1000", "0033", std::nullopt}), "refused") ==
        "1000 to 33 from cust, rate -: refused, RateNotFound");
  CHECK(line_with(table_of({"203.0.113.9:5060", "1000", "44", std::nullopt}), "refused") ==
        "1000 to 44 from -, rate -: refused, IllegalCall");
  for (const char* text : {"", "{", "[]", "{}", "3", R"({"a": 1})"})
    CHECK_FALSE(explain_table(text).ok());
  for (const char* text :
       {R"({"stages": 1, "candidates": [1, {"keys": 2}], "excluded": [[]], "rate": 3})",
        R"({"stages": [null, "x"], "candidates": {"keys": {}}, "excluded": [{"rule": {}}]})"})
    CHECK(explain_table(text).ok());
}
