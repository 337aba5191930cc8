#include "tandem/route_choices.hpp"

#include <doctest/doctest.h>

#include <string>

#include "cdr/cdr_json.hpp"
#include "tandem/clock.hpp"

using namespace tandem;

TEST_CASE("RouteChoice: what is written is read again (R-23)") {
  SeededRandom random(1);
  for (int round = 0; round < 2'000; ++round) {
    std::string text;
    std::vector<RouteChoice> expected;
    const std::size_t count = random.below(5);
    for (std::size_t i = 0; i < count; ++i) {
      RouteChoice choice;
      for (std::uint64_t n = random.below(20); n > 0; --n)
        choice.vendor_gateway += static_cast<char>(random.below(256));
      RouteCandidate candidate;
      candidate.rank = choice.rank = static_cast<std::uint32_t>(random.below(300));
      choice.prefix = std::string("0123456789abc*#+").substr(0, random.below(17));
      candidate.prefix = choice.prefix;
      candidate.is_protect = choice.is_protect = random.below(2) == 0;
      candidate.priority = choice.priority = static_cast<std::uint16_t>(random.below(65'536));
      choice.load_limit = static_cast<std::int32_t>(random.below(4)) - 1;
      candidate.load_calls = static_cast<std::uint32_t>(random.below(3));
      choice.load_calls = choice.load_limit > 0 ? candidate.load_calls : 0;
      candidate.answer_percent = choice.answer_percent =
          static_cast<std::int16_t>(random.below(102)) - 1;
      if (random.below(2) == 0) {
        candidate.price = choice.price =
            Amount::from_units(static_cast<std::int64_t>(random.below(1'000'000)) - 500'000);
        candidate.price_per_s = choice.price_per_s =
            static_cast<std::int64_t>(1 + random.below(3'600));
      }
      if (random.below(2) == 0) {
        choice.passed_over = Reason::ProfitGuard;
        if (random.below(2) == 0) choice.rule = "min_profit_percent";
      }
      append_route_choice(text, candidate, choice.vendor_gateway, choice.load_limit,
                          choice.passed_over, choice.rule);
      expected.push_back(std::move(choice));
    }
    CAPTURE(text);
    const auto read = parse_route_choices(text);
    REQUIRE(read.ok());
    REQUIRE(*read == expected);
  }
}

TEST_CASE(
    "RouteChoice: what is none is refused with its place, and a key of a later release skipped") {
  CHECK(parse_route_choices("").value().empty());
  const auto later = parse_route_choices("2:v1 0 - p1 l0/-1 z5 tried;");
  REQUIRE(later.ok());
  CHECK(later->front().prefix.empty());
  const std::string good = "2:v1 0 44 p1 l3/30 tried;";
  for (const char* bad :
       {"x", "2:v1", "2:v1 0 44 p1 l3/30 tried", "3:v1 0 44 p1 tried;", "2:v1 a 44 p1 tried;",
        "2:v1 0 44 p65536 tried;", "2:v1 0 44 l3 tried;", "2:v1 0 44 p1 Nonsense;",
        "2:v1 0 44  tried;", "99999999999999999999:v 0 - tried;", "2:v1 0 44 xyz tried;"}) {
    CAPTURE(bad);
    const auto read = parse_route_choices(good + bad);
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().code == ErrorCode::invalid_argument);
    CHECK(read.error().message ==
          "no choice of a vendor was at byte " + std::to_string(good.size()));
  }
}

TEST_CASE("RouteChoice: a record's JSON writes choices out, and keeps a text that it cannot read") {
  Cdr cdr;
  cdr.choices =
      "2:v1 0 44 x p1 l3/30 a57 c30000000/60 ProfitGuard:min_profit_percent;2:v2 1 - p2 l0/-1 "
      "tried;";
  const std::string json = to_json(cdr);
  CHECK(
      json.find(R"("choices":[{"vendor_gateway":"v1","rank":0,"prefix":"44","protect":true,)"
                R"("priority":1,"load_calls":3,"load_limit":30,"answer_percent":57,)"
                R"("price":"0.30","per_s":60,"outcome":"ProfitGuard","rule":"min_profit_percent"},)"
                R"({"vendor_gateway":"v2","rank":1,"prefix":"","protect":false,"priority":2,)"
                R"("load_calls":0,"load_limit":-1,"outcome":"tried","rule":""}])") !=
      std::string::npos);
  cdr.choices = "of \"another\" form";
  CHECK(to_json(cdr).find(R"("choices":"of \"another\" form")") != std::string::npos);
}
