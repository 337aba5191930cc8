#include <doctest/doctest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tandem/clock.hpp"
#include "tandem/rating.hpp"

using namespace tandem;

namespace {

Rate rate_of(std::string prefix, std::int64_t price_units = 0) {
  Rate rate;
  rate.prefix = std::move(prefix);
  rate.price = Amount::from_units(price_units);
  return rate;
}

RateDeck deck_of(const std::vector<Rate>& rates) {
  RateDeck::Builder builder("retail", "USD");
  for (const Rate& rate : rates)
    REQUIRE(builder.add(rate).ok());
  return builder.build().value();
}

std::string found(const RateDeck& deck, std::string_view callee, std::int64_t at_us = 1,
                  CallLevel level = CallLevel::none) {
  const RateMatch match = deck.find(callee, at_us, level);
  // The way for many finds the same, wherever among others the question stands.
  std::vector<RateQuestion> questions(41, {"9", 1, CallLevel::none});
  std::vector<RateMatch> matches(questions.size());
  questions[7] = questions[40] = {callee, at_us, level};
  deck.find_each(questions, matches);
  for (const std::size_t at : {std::size_t{7}, std::size_t{40}}) {
    CHECK(matches[at].reason == match.reason);
    CHECK(matches[at].rate == match.rate);
  }
  return std::string(match.ok() ? "" : reason_facts(match.reason).name) +
         (match.rate ? "/" + match.rate->prefix : "");
}

}  // namespace

TEST_CASE("RateDeck: B-05 the longest prefix wins and the empty one matches every number") {
  const RateDeck deck = deck_of({rate_of("44"), rate_of("4420"), rate_of("")});
  CHECK(found(deck, "442079460000") == "/4420");
  CHECK(found(deck, "44") == "/44");
  CHECK(found(deck, "4") == "/");
  CHECK(found(deck, "+1555") == "/");
  CHECK(deck.id() == "retail");
  CHECK(deck.currency() == "USD");
  CHECK(deck.size() == 3);
  CHECK(found(deck_of({rate_of("44")}), "45") == "RateNotFound");
  CHECK(found(RateDeck{}, "44") == "RateNotFound");
}

TEST_CASE("RateDeck: B-05 a locked best match refuses and does not fall to a shorter prefix") {
  Rate locked = rate_of("4420");
  locked.locked = true;
  const RateDeck deck = deck_of({rate_of("44"), locked});
  CHECK(found(deck, "442079460000") == "RateLocked/4420");
  CHECK(found(deck, "4421") == "/44");
}

TEST_CASE("RateDeck: N-07 a source needs at least the level of the rate") {
  Rate domestic = rate_of("44");
  domestic.call_level = CallLevel::domestic;
  const RateDeck deck = deck_of({domestic});
  CHECK(found(deck, "44", 1, CallLevel::local) == "NoCallPermission/44");
  CHECK(found(deck, "44", 1, CallLevel::domestic) == "/44");
  CHECK(found(deck, "44", 1, CallLevel::international) == "/44");
  CHECK(found(deck, "44", 1, CallLevel::none) == "/44");
}

TEST_CASE(
    "RateDeck: B-19 a rate counts from valid_from to before valid_until, the latest one first") {
  Rate old_rate = rate_of("44", 1);
  Rate new_rate = rate_of("44", 2);
  new_rate.valid_from_us = 100;
  Rate promotion = rate_of("4420", 3);
  promotion.valid_from_us = 50;
  promotion.valid_until_us = 150;
  const RateDeck deck = deck_of({new_rate, promotion, old_rate});
  const auto price = [&](std::string_view callee, std::int64_t at_us) {
    return deck.find(callee, at_us).rate->price.units();
  };
  CHECK(price("44", 99) == 1);
  CHECK(price("44", 100) == 2);
  CHECK(price("4420", 49) == 1);
  CHECK(price("4420", 50) == 3);
  CHECK(price("4420", 149) == 3);
  CHECK(price("4420", 150) == 2);
}

TEST_CASE(
    "RateDeck::Builder: a duplicate or a bad rate is refused and leaves the builder as it was") {
  RateDeck::Builder builder("retail");
  REQUIRE(builder.add(rate_of("44")).ok());
  const auto twice = builder.add(rate_of("44"));
  REQUIRE(!twice.ok());
  CHECK(twice.error().code == ErrorCode::already_exists);
  CHECK(twice.error().message ==
        "prefix \"44\" was in rate deck \"retail\" before with the same valid_from");
  CHECK(builder.add(rate_of("4 4")).error().code == ErrorCode::invalid_argument);
  const RateDeck deck = builder.build().value();
  CHECK(deck.size() == 1);
  CHECK(builder.build().value().size() == 0);
}

TEST_CASE(
    "RateDeck: lookups agree with a linear search over random decks with times, locks and levels") {
  SeededRandom random(5);
  const auto number = [&](std::size_t longest) {
    std::string text;
    for (std::size_t i = random.below(longest + 1); i > 0; --i)
      text += "0123456789*"[random.below(random.below(9) == 0 ? 11 : 4)];
    return text;
  };
  int wrong = 0;
  for (int round = 0; round < 30; ++round) {
    RateDeck::Builder builder("d");
    std::vector<Rate> rates;
    for (int i = 0; i < 200; ++i) {
      Rate rate = rate_of(number(6), i);
      if (random.below(3) == 0) rate.valid_from_us = static_cast<std::int64_t>(random.below(6));
      if (random.below(3) == 0)
        rate.valid_until_us = rate.valid_from_us + 1 + static_cast<std::int64_t>(random.below(5));
      rate.locked = random.below(10) == 0;
      if (random.below(5) == 0) rate.call_level = CallLevel::domestic;
      if (builder.add(rate).ok()) rates.push_back(rate);
    }
    const RateDeck deck = builder.build().value();
    for (int i = 0; i < 1000; ++i) {
      const std::string callee = number(8);
      const auto at_us = static_cast<std::int64_t>(random.below(10));
      const Rate* best = nullptr;
      for (const Rate& rate : rates) {
        if (!callee.starts_with(rate.prefix) || at_us < rate.valid_from_us) continue;
        if (rate.valid_until_us != 0 && at_us >= rate.valid_until_us) continue;
        if (!best || rate.prefix.size() > best->prefix.size() ||
            (rate.prefix.size() == best->prefix.size() && rate.valid_from_us > best->valid_from_us))
          best = &rate;
      }
      const Reason expected = !best                                 ? Reason::RateNotFound
                              : best->locked                        ? Reason::RateLocked
                              : best->call_level > CallLevel::local ? Reason::NoCallPermission
                                                                    : Reason::none;
      const RateMatch match = deck.find(callee, at_us, CallLevel::local);
      wrong += match.reason != expected || (best != nullptr) != (match.rate != nullptr) ||
               (best && !(*best == *match.rate));
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("FreeNumbers: B-09 exact numbers and prefixes with a trailing star are free") {
  const FreeNumbers numbers = FreeNumbers::from_text("110, 119,800*,8001,80*,*12").value();
  for (const char* number : {"110", "119", "800", "8001555", "80", "809", "*12"})
    CHECK(numbers.contains(number));
  for (const char* number : {"11", "1100", "8", "90", "*123", "12"})
    CHECK(!numbers.contains(number));
  CHECK(!numbers.contains(""));
  CHECK(FreeNumbers::from_text("*").value().contains("1"));
  CHECK(!FreeNumbers{}.contains("110"));
  CHECK(!FreeNumbers::from_text("").value().contains("1"));
  CHECK(FreeNumbers::from_list({"1", "a b"}).error().message ==
        "free number 2 of the list was neither a number nor a number with *");
}

TEST_CASE("rate_number: the rate command finds, refuses and leaves free numbers uncharged") {
  Rate rate = rate_of("44", 60'000'000);
  rate.first_s = 60;
  rate.next_s = 60;
  Rate locked = rate_of("45");
  locked.locked = true;
  const RateDeck deck = deck_of({rate, locked});
  const RatedCall call = rate_number(deck, "442079460000", 61'000, 0, {}).value();
  CHECK(call.charge.charge.to_string() == "1.20");
  CHECK(call.charge.billed_time_s == 120);
  CHECK(call.rate_prefix == "44");
  CHECK(call.currency == "USD");
  CHECK(rate_number(deck, "46", 1000, 0, {}).error().message ==
        "rate deck \"retail\" had no rate for 46");
  CHECK(rate_number(deck, "45", 1000, 0, {}).error().code == ErrorCode::wrong_state);
  CHECK(rate_number(deck, "4 5", 1000, 0, {}).error().code == ErrorCode::invalid_argument);
  const RatedCall free =
      rate_number(deck, "45", 1000, 0, {}, FreeNumbers::from_text("45*").value()).value();
  CHECK(free.charge == Charge{});
  CHECK(
      to_json(free) ==
      R"({"charge":"0.00","billed_time_s":0,"rate_prefix":"45","currency":"USD","steps":[{"step":"free_number"}]})");
}

TEST_CASE("RateDeck: in whatever order rates come, one that was added is found out") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    std::set<std::pair<std::string, std::int64_t>> keys;
    RateDeck::Builder builder("retail", "USD");
    std::string csv = "prefix,price,valid_from\n";
    bool is_twice = false;
    std::uint64_t next = 0;
    const std::size_t in_order = random.below(60);  // then any, some of them again
    for (std::size_t i = 0; i < 60; ++i) {
      next += 1 + random.below(3);
      Rate rate = rate_of(std::to_string(1'000 + (i < in_order ? next : random.below(180))));
      if (i >= in_order)
        rate.valid_from_us = static_cast<std::int64_t>(random.below(2)) * 1'000'000;
      csv += rate.prefix + ",0," + (rate.valid_from_us == 0 ? "" : "1970-01-01T00:00:01Z") + "\n";
      const bool is_new = keys.emplace(rate.prefix, rate.valid_from_us).second;
      is_twice = is_twice || !is_new;
      const auto added = builder.add(rate);
      REQUIRE(added.ok() == is_new);
      if (!added) CHECK(added.error().code == ErrorCode::already_exists);
    }
    CHECK(parse_deck_csv(csv, "deck").ok() == !is_twice);
    const RateDeck deck = builder.build().value();
    REQUIRE(deck.size() == keys.size());
    std::size_t at = 0;
    for (const auto& [prefix, valid_from_us] : keys) {
      CHECK(deck.at(at).prefix == prefix);
      CHECK(deck.at(at++).valid_from_us == valid_from_us);
      CHECK(deck.find(prefix, valid_from_us).ok());
    }
  }
}
