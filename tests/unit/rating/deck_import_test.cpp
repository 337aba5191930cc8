// Price lists as partners send them.
#include "tandem/deck_import.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tandem/clock.hpp"

using namespace tandem;

namespace {

/// "prefix price first/next[ locked][ @time]", a rate a word of the list.
std::string summary(const DeckImport& import) {
  std::string text;
  for (const Rate& rate : import.rates) {
    if (!text.empty()) text += "; ";
    text.append(rate.prefix).append(" ").append(rate.price.to_string());
    text.append(" ").append(std::to_string(rate.first_s));
    text.append("/").append(std::to_string(rate.next_s));
    if (rate.locked) text += " locked";
    if (rate.valid_from_us != 0)
      text.append(" @").append(format_time_us(rate.valid_from_us).substr(0, 16));
  }
  for (const DeckFault& fault : import.faults) {
    text.append(" !row ").append(std::to_string(fault.row)).append(" ").append(fault.column);
    text.append(": ").append(fault.message);
  }
  return text;
}

std::string read(std::string_view list, std::string_view layout = "") {
  const auto known = parse_deck_layout(layout);
  if (!known) return known.error().message;
  const auto import = import_deck(list, *known);
  return import ? summary(*import) : import.error().message;
}

}  // namespace

TEST_CASE("import_deck: B-05 columns are found by the names that partners give them") {
  CHECK(read("Code,Destination,Rate,Interval\n44,UK,0.012,60/60\n4477,UK Mobile,0.1,30/6\n") ==
        "44 0.012 60/60; 4477 0.10 30/6");
  CHECK(read("Destination;Dial Code;Price per min (USD);Billing Increments;Effective Date;Status\n"
             "UK;44;0,012;1/1;2026-12-01;Open\n"
             "UK;447;;60/1;01.12.2026;Blocked\n") ==
        "44 0.012 1/1 @2026-12-01T00:00; 447 0.00 60/1 locked @2026-12-01T00:00");
  CHECK(read("Country\tPrefix\tRate/Min\tMin Duration\tNext Interval\nUK\t+44\t$ 0.5\t30\t6\n") ==
        "44 0.50 30/6");
  CHECK(read("prefix|price\n44|1,234.50\n") == "44 1234.50 1/1");
  CHECK(read("Rate,New Rate,Code\n0.1,0.2,44\n") == "44 0.20 1/1");
  // Our own export is such a list too, tiers and all.
  const auto own = import_deck("prefix,price,per_s,first_s,next_s,tiers\n44,0.60,60,60,6,60:0.3\n");
  REQUIRE(own.ok());
  CHECK(own->ok());
  CHECK(own->rates[0].terms->tiers.size() == 1);
}

TEST_CASE(
    "import_deck: titles above the header, empty lines and a byte order mark are passed over") {
  const auto import = import_deck(
      "\xEF\xBB\xBFPremium rates,,\nValid for partner "
      "X,,\n,,\nArea,Code,Rate\n,,\nUK,44,0.1\n,,\n");
  REQUIRE(import.ok());
  CHECK(import->header_row == 4);
  CHECK(import->rows == 1);
  CHECK(summary(*import) == "44 0.10 1/1");
  CHECK(import->mapping == std::vector<std::pair<std::string, std::string>>{
                               {"Area", "area"}, {"Code", "codes"}, {"Rate", "price"}});
  CHECK(read("Name,Remark\na,b\n") ==
        "no header line with a column of codes and one of prices was found");
}

TEST_CASE("import_deck: a row may have thousands of codes, lists and ranges") {
  CHECK(read("Code,Rate\n\"1201, 1202,1204-1206\",0.1\n") ==
        "1201 0.10 1/1; 1202 0.10 1/1; 1204 0.10 1/1; 1205 0.10 1/1; 1206 0.10 1/1");
  CHECK(read("Country Code,Area Codes,Rate\n1,201;202,0.1\n44,,0.2\n") ==
        "1201 0.10 1/1; 1202 0.10 1/1; 44 0.20 1/1");
  const auto many = import_deck("Code,Rate\n10000-19999,0.1\n");
  REQUIRE(many.ok());
  CHECK(many->rates.size() == 10'000);
  CHECK(many->rates.back().prefix == "19999");
  CHECK(read("Code,Rate\n1203-99,0.1\n").find("both ends of one length") != std::string::npos);
  CHECK(read("Code,Rate\n1000000-1999999,0.1\n").find("more than 100000 codes") !=
        std::string::npos);
}

TEST_CASE("import_deck: dates are read as they stand, and asked for when they can be two") {
  const auto day = [](std::string_view date, std::string_view layout = "") {
    const std::string text =
        read("Code,Rate,Effective Date\n44,1,\"" + std::string(date) + "\"\n", layout);
    const std::size_t at = text.find('@');
    return at == std::string::npos ? text : text.substr(at + 1);
  };
  for (const char* date :
       {"2026-12-01", "2026/12/01", "20261201", "01.12.2026", "1-Dec-2026", "1 December 2026",
        "Dec 1, 2026", "01-Dec-26", "2026-12-01T00:00:00Z", "2026-12-01 00:00:00"}) {
    CAPTURE(date);
    CHECK(day(date) == "2026-12-01T00:00");
  }
  CHECK(day("13/12/2026") == "2026-12-13T00:00");
  CHECK(day("12/13/2026") == "2026-12-13T00:00");
  CHECK(day("03/03/2026 13:30") == "2026-03-03T13:30");
  CHECK(day("03/04/2026").find("a date of known order") != std::string::npos);
  CHECK(day("03/04/2026", "dates=day_first") == "2026-04-03T00:00");
  CHECK(day("03/04/2026", "dates=month_first") == "2026-03-04T00:00");
  CHECK(day("2026-12-01", "timezone=+02:00") == "2026-11-30T22:00");
  CHECK(day("2026-02-30").find("\"2026-02-30\" was not a date") != std::string::npos);
  // The 25th of another row says which is the month.
  CHECK(read("Code,Rate,Date\n44,1,03/04/2026\n45,1,25/04/2026\n") ==
        "44 1.00 1/1 @2026-04-03T00:00; 45 1.00 1/1 @2026-04-25T00:00");
}

TEST_CASE("import_deck: every wrong row is named with its column, the good ones are read") {
  const auto import = import_deck(
      "Code,Rate,Interval,Status,Currency\n"
      "44,0.1,60/60,open,USD\n"
      "4x,0.1,60/60,open,USD\n"
      "45,free,60/60,open,USD\n"
      "46,0.1,x,open,USD\n"
      "47,0.1,60/60,perhaps,USD\n"
      "48,0.1,60/60,open,EUR\n"
      "49,,60/60,open,USD\n"
      "44,0.2,60/60,open,USD\n"
      "50,0.1,60/60,open,USD\n");
  REQUIRE(import.ok());
  CHECK_FALSE(import->ok());
  CHECK(import->fault_count == 7);
  CHECK(import->rows == 9);
  CHECK(import->currency == "USD");
  CHECK(summary(*import) ==
        "44 0.10 60/60; 50 0.10 60/60"
        " !row 3 Code: \"4x\" was not a dial code"
        " !row 4 Rate: \"free\" was not a price"
        " !row 5 Interval: \"x\" was not an interval such as 60/60 or 30/6"
        " !row 6 Status: \"perhaps\" was not a status such as blocked or open"
        " !row 7 Currency: \"EUR\" was not USD"
        " !row 8 Rate: no price was given"
        " !row 9 Code: \"44\" was in row 2 before");
}

TEST_CASE("import_deck: a layout says what the list does not") {
  CHECK(read("44;0.1;x\n45;0.2;y\n", "header=no;codes=#1;price=#2;delimiter=semicolon") ==
        "44 0.10 1/1; 45 0.20 1/1");
  CHECK(read("a,b,c\n1,44,0.1\n", "codes=B;price=c") == "44 0.10 1/1");
  CHECK(read("a,b\n44,0.1\n", "codes=a;price=z") ==
        "no header line with a column of codes and one of prices was found, with codes as \"a\", "
        "with "
        "price as \"z\"");
  CHECK(read("Code,Rate\n44,1\n", "colour=red") ==
        "\"colour\" was not a word of a layout or a column of a rate");
  CHECK(read("Code,Rate\n44,1\n", "dates=backwards") ==
        "\"backwards\" was not day_first or month_first");
  CHECK(read("Code,Rate,Currency\n44,1,EUR\n", "currency=USD") ==
        " !row 2 Currency: \"EUR\" was not USD");
}

TEST_CASE("import_deck: an interval is first and next increment") {
  const auto interval = [](std::string_view text) {
    const std::string found = read("Code,Rate,Interval\n44,1,\"" + std::string(text) + "\"\n");
    return found.substr(found.rfind(' ') + 1);
  };
  CHECK(interval("60/60") == "60/60");
  CHECK(interval("60") == "60/60");
  CHECK(interval("30+6") == "30/6");
  CHECK(interval("1 / 1") == "1/1");
  CHECK(interval("0/1") == "1/1");
}

TEST_CASE("to_json: a look at a list shows mapping, faults and the first rates") {
  const auto import = import_deck("Code,Rate,Remark\n44,0.1,a\n4x,1,b\n");
  REQUIRE(import.ok());
  CHECK(
      to_json(*import, 1) ==
      R"({"rates":1,"rows":2,"header_row":1,"currency":"",)"
      R"("mapping":[{"column":"Code","target":"codes"},{"column":"Rate","target":"price"}],)"
      R"("ignored":["Remark"],"faults":[{"row":3,"column":"Code","message":"\"4x\" was not a dial code"}],)"
      R"("fault_count":1,"preview":[{"prefix":"44","price":"0.10","per_s":60,"first_s":1,"next_s":1}]})");
}
