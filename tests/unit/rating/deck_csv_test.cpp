#include <doctest/doctest.h>

#include <string>

#include "tandem/rating.hpp"

using namespace tandem;

namespace {

std::string error_of(std::string_view text) {
  const auto rates = parse_deck_csv(text, "more.csv");
  return rates ? std::to_string(rates->size()) + " rates" : rates.error().message;
}

}  // namespace

TEST_CASE("parse_deck_csv: every column arrives, in any order") {
  const auto rates = parse_deck_csv(
      "price,prefix,area,per_s,first_s,next_s,connection_fee,minimum,locked,call_level,valid_from,"
      "valid_until,sections\r\n"
      "0.60,44,\"London, "
      "\"\"inner\"\"\",30,60,6,0.01,0.05,true,domestic,2026-01-01,2026-02-01T00:00:00+01:00,30:0."
      "05;0:0.01\r\n"
      "\r\n"
      "0.012,4420,,,,,,,,,,,\r\n",
      "deck");
  REQUIRE(rates.ok());
  REQUIRE(rates->size() == 2);
  const Rate& full = rates->at(0);
  CHECK(full.prefix == "44");
  CHECK(full.area == "London, \"inner\"");
  CHECK(full.price.to_string() == "0.60");
  CHECK(full.per_s == 30);
  CHECK(full.first_s == 60);
  CHECK(full.next_s == 6);
  CHECK(full.connection_fee.to_string() == "0.01");
  CHECK(full.minimum.to_string() == "0.05");
  CHECK(full.locked);
  CHECK(full.call_level == CallLevel::domestic);
  CHECK(full.valid_from_us == 1'767'225'600'000'000);
  CHECK(full.valid_until_us == 1'767'225'600'000'000 + 31 * 86'400'000'000 - 3'600'000'000);
  REQUIRE(full.sections.size() == 2);
  CHECK(full.sections[0] == RateSection{Amount::parse("0.05").value(), 30});
  CHECK(full.sections[1] == RateSection{Amount::parse("0.01").value(), 0});
  Rate plain;
  plain.prefix = "4420";
  plain.price = Amount::parse("0.012").value();
  CHECK(rates->at(1) == plain);
}

TEST_CASE(
    "parse_deck_csv: semicolons, a byte order mark, quoted line ends and no last line end are "
    "read") {
  CHECK(error_of("\xEF\xBB\xBFprefix;price\n44;0.60\n45;\"0.70\"") == "2 rates");
  CHECK(error_of("prefix,price,area\n44,0.60,\"two\nlines\"\n45,1,x\n") == "2 rates");
  CHECK(error_of("\"prefix\",\"price\"\n , 0.60 \n") == "1 rates");
  CHECK(error_of("prefix;price;sections\n44;0.60;\"30:0.05;0:0.01\"\n") == "1 rates");
}

TEST_CASE("parse_deck_csv: errors name the file, the row and the column") {
  CHECK(error_of("") == "more.csv row 1: header line was missing");
  CHECK(error_of("prefix\n44\n") == "more.csv row 1: column \"price\" was missing");
  CHECK(error_of("prefix,price,colour\n") == "more.csv row 1: column \"colour\" was unknown");
  CHECK(error_of("prefix,price,prefix\n") == "more.csv row 1: column \"prefix\" was there twice");
  CHECK(error_of("prefix,price,windows\n44,1,mon 10:00\n") ==
        "more.csv row 2: column \"windows\": \"\" is no time of day such as \"18:00\"");
  CHECK(error_of("prefix,price,tiers\n44,1,60\n") ==
        "more.csv row 2: column \"tiers\": \"60\" was not a tier such as 60:0.50/60/10");
  CHECK(error_of("prefix,price\n44\n") == "more.csv row 2: row had 1 cells, the header 2");
  CHECK(error_of("prefix,price\n44,1,2\n") == "more.csv row 2: row had 3 cells, the header 2");
  CHECK(error_of("prefix,price\n44,1\n44,2\n") ==
        "more.csv row 3: column \"prefix\": \"44\" was in row 2 before");
  CHECK(error_of("prefix,price\n44,1\n4a!,2\n") ==
        "more.csv row 3: prefix was \"4a!\", not 0..32 characters of a number");
  CHECK(error_of("prefix,price,per_s\n44,1,1.5\n") ==
        "more.csv row 2: column \"per_s\": \"1.5\" was not a number of seconds");
  CHECK(error_of("prefix,price,locked\n44,1,maybe\n") ==
        "more.csv row 2: column \"locked\": \"maybe\" was not true or false");
  CHECK(error_of("prefix,price,per_s\n44,1,0\n") ==
        "more.csv row 2: per_s was 0, not 1..100000000");
  CHECK(error_of("prefix,price,area\n44,1,\xff\n") ==
        "more.csv row 2: column \"area\": \"?\" was not UTF-8");
  CHECK(error_of("prefix,price\n44,\"1\"x\n") ==
        "more.csv row 2: cell 2 went on after its closing quote");
  CHECK(error_of("prefix,price\n44,\"1\n") == "more.csv row 2: cell 2 had no closing quote");
  CHECK(error_of("prefix,price\n4\"4,1\n") == "more.csv row 2: cell 1 had a quote inside");
  CHECK(error_of("prefix,price\n44,\n").find("more.csv row 2: column \"price\": ") == 0);
  CHECK(error_of("prefix,price\n44," + std::string(17000, '1') + "\n") ==
        "more.csv row 2: cell 2 was longer than 16384 bytes");
  CHECK(error_of("prefix,price\n44,\"" + std::string(17000, '1') + "\"\n") ==
        "more.csv row 2: cell 2 was longer than 16384 bytes");
  CHECK(error_of(std::string(300, ',')) == "more.csv row 1: more than 256 cells were in the row");
}

TEST_CASE(
    "parse_deck_csv: two rates of a prefix are no duplicate when they begin at different times") {
  CHECK(error_of("prefix,price,valid_from\n44,1,\n44,2,2026-01-01\n") == "2 rates");
}

TEST_CASE("load_deck_csv: a missing file and a folder are errors that name the path") {
  CHECK(load_deck_csv("/nonexistent/more.csv").error().message ==
        "/nonexistent/more.csv could not be opened");
  CHECK(load_deck_csv("/").error().code == ErrorCode::io);
}

TEST_CASE("parse_sections: only seconds:price lists are read") {
  CHECK(parse_sections("")->empty());
  CHECK(parse_sections(" 30 : 0.05 ; 0:0.01 ")->size() == 2);
  CHECK(!parse_sections("30"));
  CHECK(!parse_sections("a:1"));
  CHECK(!parse_sections("30:x"));
  CHECK(!parse_sections("30:1;;0:1"));
  std::string many;
  for (int i = 0; i < 17; ++i)
    many += "1:1;";
  CHECK(parse_sections(many).error().code == ErrorCode::limit);
}

TEST_CASE("to_csv: reading what was written gives the deck again, equal decks equal texts (B-05)") {
  const auto rates = parse_deck_csv(
      "prefix,price,area,per_s,first_s,next_s,connection_fee,minimum,locked,call_level,valid_from,"
      "valid_until,sections\n"
      "44,0.60,\"London, \"\"inner\"\"\nand more\",30,60,6,0.01,0.05,true,domestic,2026-01-01,"
      "2026-02-01T00:00:00.000001Z,30:0.05;0:0.01\n"
      "4420,0.00000001,,,,,,,,,,,\n"
      ",92233720368.54775807,,,,,,,,,,,\n"
      "44,0.70,,,,,,,,,2026-03-01,,\n",
      "deck");
  REQUIRE(rates.ok());
  RateDeck::Builder forwards("d");
  for (const Rate& rate : *rates)
    REQUIRE(forwards.add(rate));
  RateDeck::Builder backwards("other");
  for (auto rate = rates->rbegin(); rate != rates->rend(); ++rate)
    REQUIRE(backwards.add(*rate));
  const RateDeck deck = forwards.build().value();
  const std::string text = to_csv(deck);
  CHECK(text == to_csv(backwards.build().value()));
  const auto again = parse_deck_csv(text, "written");
  REQUIRE(again.ok());
  REQUIRE(again->size() == deck.size());
  for (std::size_t i = 0; i < deck.size(); ++i)
    CHECK(again->at(i) == deck.at(i));
  CHECK(parse_deck_csv(to_csv(RateDeck()), "empty").value().empty());
}

TEST_CASE("to_json: a rate has the keys of the configuration, money as text (B-05)") {
  Rate rate;
  rate.prefix = "44";
  rate.price = Amount::parse("0.60").value();
  CHECK(to_json(rate) == R"({"prefix":"44","price":"0.60","per_s":60,"first_s":1,"next_s":1})");
  rate.locked = true;
  rate.area = "London";
  rate.valid_from_us = 1'767'225'600'000'000;
  rate.sections = {{Amount::parse("0.05").value(), 30}};
  CHECK(to_json(rate) ==
        R"({"prefix":"44","area":"London","price":"0.60","per_s":60,"first_s":1,"next_s":1,)"
        R"("locked":true,"valid_from":"2026-01-01T00:00:00.000000Z",)"
        R"("sections":[{"price":"0.05","seconds":30}]})");
}
