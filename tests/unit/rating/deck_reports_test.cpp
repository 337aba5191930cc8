// Margins between decks, and calls of the past by another deck.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tandem/clock.hpp"
#include "tandem/margin.hpp"
#include "tandem/rerate.hpp"

using namespace tandem;

namespace {

Amount money(std::string_view text) { return Amount::parse(text).value(); }

RateDeck deck_of(const std::string& id, std::string_view csv, const std::string& currency = "USD") {
  RateDeck::Builder builder(id, currency);
  const auto rates = parse_deck_csv(csv, id);
  REQUIRE_MESSAGE(rates.ok(), rates.error().message);
  for (const Rate& rate : *rates)
    REQUIRE(builder.add(rate));
  return builder.build().value();
}

}  // namespace

TEST_CASE("margin_report: B-13 each prefix by its best purchase, losses first") {
  const RateDeck sell =
      deck_of("sell",
              "prefix,price,per_s,area\n44,0.60,60,UK\n447,0.012,1,Mobile\n1,1,60,US\n"
              "49,0,60,Free\n33,1,60,FR\n");
  const std::vector<RateDeck> buys = {
      deck_of("a",
              "prefix,price,per_s\n44,0.50,60\n447,0.80,60\n4420,0.70,60\n1,0.5,60\n49,0.1,60\n"),
      deck_of("b", "prefix,price,per_s\n44,0.40,60\n447,0.60,60\n1,0.25,30\n")};
  const auto rows = margin_report(sell, buys, 1);
  REQUIRE(rows.ok());
  CHECK(to_csv(*rows) ==
        "prefix,area,sell,best_buy,best_deck,average_buy,margin_percent\n"
        "49,Free,0.00,0.10,a,0.10,\n"          // sold for nothing, bought for something
        "447,Mobile,0.72,0.60,b,0.70,16.66\n"  // 0.012 a second
        "44,UK,0.60,0.40,b,0.45,33.33\n"
        "4420,UK,0.60,0.40,b,0.55,33.33\n"  // b has 44 for it
        "1,US,1.00,0.50,a,0.50,50.00\n"     // equal prices: the first deck
        "33,FR,1.00,,,,\n");
  CHECK(rows->front().is_loss);
  CHECK(to_table(*rows).find("447     Mobile  0.72      0.60  b") != std::string::npos);
  const std::vector<RateDeck> euros = {deck_of("e", "prefix,price\n44,1\n", "EUR")};
  CHECK(margin_report(sell, euros, 1).error().message == "deck \"e\" is in EUR, \"sell\" in USD");
}

TEST_CASE("margin_report: a price is that of the window and the day asked for") {
  const RateDeck sell =
      deck_of("sell", "prefix,price,windows\n44,0.60,any 18:00-24:00 price=0.10\n");
  const std::vector<RateDeck> buys = {
      deck_of("a", "prefix,price,valid_from\n44,0.50,\n44,0.20,2026-06-01\n")};
  const auto margin = [&](const char* time) {
    return to_json(margin_report(sell, buys, parse_time_us(time).value()).value());
  };
  CHECK(margin("2026-05-01T12:00:00Z").find("\"margin_percent\":\"16.66\"") != std::string::npos);
  CHECK(margin("2026-05-01T19:00:00Z").find("\"margin_percent\":\"-400.00\"") != std::string::npos);
  CHECK(margin("2026-07-01T19:00:00Z").find("\"margin_percent\":\"-100.00\"") != std::string::npos);
}

TEST_CASE(
    "Rerater: B-25 sums of calls by another deck, account by account, before anything changes") {
  Rerater rerater(deck_of("new",
                          "prefix,price,per_s,first_s,next_s,locked\n44,0.30,60,60,60,\n"
                          "45,1,60,1,1,true\n"),
                  {}, FreeNumbers::from_text("4400*").value());
  std::vector<RerateCall> calls = {
      {"acme", "442079460000", 1, 1, 61'000, money("0.61"), {}},
      {"acme", "442079460000", 1, 1, 60'000, money("0.30"), {}},
      {"bolt", "442079460000", 1, 1, 1'000, money("0.01"), money("10")},
      {"acme", "4511", 1, 1, 1'000, money("0.50"), {}},
      {"acme", "3311", 1, 1, 1'000, money("0.25"), {}},
      {"acme", "4400123", 1, 1, 100'000, money("0.10"), {}},
  };
  REQUIRE(rerater.add(calls));
  CHECK(
      to_json(rerater) ==
      R"({"deck":"new","currency":"USD","accounts":[)"
      R"({"account":"acme","calls":3,"changed":2,"before":"1.01","after":"0.90","difference":"-0.11",)"
      R"("billed_time_s":180,"not_rated":2,"not_rated_before":"0.75"},)"
      R"({"account":"bolt","calls":1,"changed":1,"before":"0.01","after":"0.33","difference":"0.32",)"
      R"("billed_time_s":60,"not_rated":0,"not_rated_before":"0.00"}]})");
  std::vector<RerateOutcome> outcomes(calls.size());
  rerater.rate(calls, outcomes);
  CHECK(outcomes[0].charge.charge == money("0.60"));
  CHECK(outcomes[3].reason == Reason::RateLocked);
  CHECK(outcomes[4].reason == Reason::RateNotFound);
}

TEST_CASE("Rerater: B-25 many calls at once are each what one by one is") {
  SeededRandom random(5);
  std::string csv = "prefix,price,first_s,next_s,connection_fee\n";
  for (int i = 10; i < 100; ++i) {
    csv += std::to_string(i) + ",0." + std::to_string(random.below(1000)) + "," +
           std::to_string(1 + random.below(60)) + ",6,0.01\n";
  }
  const RateDeck deck = deck_of("d", csv);
  std::vector<std::string> numbers;
  for (int i = 0; i < 3000; ++i)
    numbers.push_back(std::to_string(10 + random.below(90)) +
                      std::to_string(random.below(100'000)));
  std::vector<RerateCall> calls;
  for (const std::string& number : numbers)
    calls.push_back({"a", number, 1, 1, static_cast<std::int64_t>(random.below(900'000)), {}, {}});
  std::vector<RerateOutcome> outcomes(calls.size());
  Rerater(deck).rate(calls, outcomes);
  int wrong = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const RateMatch match = deck.find(numbers[i], 1);
    wrong += rate_call(*match.rate, calls[i].talk_time_ms, {}).value() != outcomes[i].charge;
  }
  CHECK(wrong == 0);
}
