// How languages say numbers, time and money (M-14).
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tandem/spoken.hpp"

using namespace tandem;

namespace {

/// "digits/20 digits/3" on one line, without "digits/" and with the first of alternatives.
std::string line(const Result<SpokenPhrase>& phrase) {
  if (!phrase) return phrase.error().message;
  std::string text;
  for (std::string file : *phrase) {
    file = file.substr(0, file.find('|'));
    if (file.starts_with("digits/")) file.erase(0, 7);
    text += (text.empty() ? "" : " ") + file;
  }
  return text;
}

SpokenGrammar grammar(const char* language) { return SpokenGrammar::built_in(language).value(); }
Amount money(const char* text) { return Amount::parse(text).value(); }

std::string fault(const char* text) {
  const auto parsed = SpokenGrammar::parse(text);
  return parsed ? "none" : parsed.error().message;
}

}  // namespace

TEST_CASE("SpokenGrammar en: numbers are said as English says them") {
  const SpokenGrammar en = grammar("en");
  CHECK(line(en.number(0)) == "0");
  CHECK(line(en.number(13)) == "13");
  CHECK(line(en.number(20)) == "20");
  CHECK(line(en.number(21)) == "20 1");
  CHECK(line(en.number(99)) == "90 9");
  CHECK(line(en.number(100)) == "1 hundred");
  CHECK(line(en.number(345)) == "3 hundred 40 5");
  CHECK(line(en.number(1000)) == "1 thousand");
  CHECK(line(en.number(12'011)) == "12 thousand 11");
  CHECK(line(en.number(7'000'000)) == "7 million");
  CHECK(line(en.number(999'999'999'999)) ==
        "9 hundred 90 9 billion 9 hundred 90 9 million 9 hundred 90 9 thousand 9 hundred 90 9");
  CHECK(en.number(1'000'000'000'000).error().message ==
        "section \"number\" does not say 1000000000000");
}

TEST_CASE("SpokenGrammar en: time is said in whole minutes, below one in seconds") {
  const SpokenGrammar en = grammar("en");
  CHECK(line(en.remaining_time(0)) == "vm-youhave 0 seconds");
  CHECK(line(en.remaining_time(1)) == "vm-youhave 1 second");
  CHECK(line(en.remaining_time(59)) == "vm-youhave 50 9 seconds");
  CHECK(line(en.remaining_time(60)) == "vm-youhave 1 minute");
  CHECK(line(en.remaining_time(119)) == "vm-youhave 1 minute");
  CHECK(line(en.remaining_time(180)) == "vm-youhave 3 minutes");
  CHECK(line(en.remaining_time(7'500)) == "vm-youhave 1 hundred 20 5 minutes");
}

TEST_CASE("SpokenGrammar en: amounts are rounded down, never up to what nobody has") {
  const SpokenGrammar en = grammar("en");
  const auto said = [&](const char* text, const char* currency = "USD") {
    return line(en.remaining_amount(money(text), currency));
  };
  CHECK(said("12.50") == "vm-youhave 12 dollars vm-and 50 cents");
  CHECK(said("12.99999999") == "vm-youhave 12 dollars vm-and 90 9 cents");
  CHECK(said("12.009") == "vm-youhave 12 dollars");
  CHECK(said("1.01") == "vm-youhave 1 dollar vm-and 1 cent");
  CHECK(said("0.00999") == "vm-youhave 0 dollars");
  CHECK(said("-3") == "vm-youhave 0 dollars");
  CHECK(said("0.07") == "vm-youhave 0 dollars vm-and 7 cents");
  CHECK(said("2.5", "EUR") == "vm-youhave 2 euros vm-and 50 cents");
  CHECK(said("2.5", "CHF") == "vm-youhave 2 currency/CHF vm-and 50");
  CHECK(said("1234.56", "JPY") == "vm-youhave 1 thousand 2 hundred 30 4 currency/JPY");
}

TEST_CASE("SpokenGrammar es: hundreds, thousands and one have forms of their own") {
  const SpokenGrammar es = grammar("es");
  CHECK(line(es.number(29)) == "29");
  CHECK(line(es.number(31)) == "30 and 1");
  CHECK(line(es.number(100)) == "100");
  CHECK(line(es.number(101)) == "100-and 1");
  CHECK(line(es.number(555)) == "500 50 and 5");
  CHECK(line(es.number(1000)) == "thousand");
  CHECK(line(es.number(1999)) == "thousand 900 90 and 9");
  CHECK(line(es.number(21'000)) == "21 thousand");
  CHECK(line(es.number(1'000'001)) == "1M million 1");
  CHECK(line(es.number(2'000'000)) == "2 millions");
  CHECK(line(es.remaining_time(60)) == "vm-youhave 1M minute");
  CHECK(line(es.remaining_time(120)) == "vm-youhave 2 minutes");
  CHECK(line(es.remaining_amount(money("1.50"), "USD")) == "vm-youhave 1M dollar vm-and 50 cents");
}

TEST_CASE("SpokenGrammar zh: groups of four, zeros between, and two before measure words") {
  const SpokenGrammar zh = grammar("zh");
  CHECK(line(zh.number(10)) == "10");
  CHECK(line(zh.number(15)) == "10 5");
  CHECK(line(zh.number(20)) == "2 10");
  CHECK(line(zh.number(102)) == "1 hundred 0 2");
  CHECK(line(zh.number(110)) == "1 hundred 1 10");
  CHECK(line(zh.number(115)) == "1 hundred 1 10 5");
  CHECK(line(zh.number(2000)) == "2-liang thousand");
  CHECK(line(zh.number(1005)) == "1 thousand 0 5");
  CHECK(line(zh.number(1015)) == "1 thousand 0 1 10 5");
  CHECK(line(zh.number(1100)) == "1 thousand 1 hundred");
  CHECK(line(zh.number(10'020)) == "1 ten-thousand 0 2 10");
  CHECK(line(zh.number(10'200)) == "1 ten-thousand 0 2 hundred");
  CHECK(line(zh.number(120'000)) == "10 2 ten-thousand");
  CHECK(line(zh.number(123'456)) == "10 2 ten-thousand 3 thousand 4 hundred 5 10 6");
  CHECK(line(zh.number(200'000'003)) == "2-liang hundred-million 0 3");
  CHECK(line(zh.remaining_time(120)) == "vm-youhave 2-liang minutes");
  CHECK(line(zh.remaining_time(720)) == "vm-youhave 10 2 minutes");
  CHECK(line(zh.remaining_amount(money("12.50"), "CNY")) == "vm-youhave 10 2 currency/CNY 5 jiao");
  CHECK(line(zh.remaining_amount(money("2.05"), "CNY")) ==
        "vm-youhave 2-liang currency/CNY 0 5 fen");
  CHECK(line(zh.remaining_amount(money("0.55"), "CNY")) == "vm-youhave 5 jiao 5 fen");
  CHECK(line(zh.remaining_amount(money("0"), "CNY")) == "vm-youhave 0 currency/CNY");
  CHECK(line(zh.remaining_amount(money("3.20"), "USD")) == "vm-youhave 3 currency/USD 2 10 cents");
}

TEST_CASE("SpokenGrammar: a language of the user's may put units before tens") {
  const auto de = SpokenGrammar::parse(
      "# German\r\n"
      "[number]\r\n"
      "0: digits/#\r\n"
      "20: >ones digits/20\r\n"
      "30: >ones digits/30\r\n"
      "40: !\r\n"
      "[ones]\r\n"
      "1: digits/1N-and\r\n"
      "2: digits/#-and\r\n"
      "10: !\r\n"
      "[remaining_time]\r\n"
      "0/60: <number minutes left\r\n");
  REQUIRE(de.ok());
  CHECK(line(de->number(20)) == "20");
  CHECK(line(de->number(21)) == "1N-and 20");
  CHECK(line(de->number(35)) == "5-and 30");
  CHECK(line(de->remaining_time(1'560)) == "6-and 20 minutes left");
  CHECK(de->number(40).error().code == ErrorCode::not_found);
  CHECK(de->remaining_amount(money("1"), "EUR").error().message ==
        "the grammar had no section \"remaining_amount\"");
}

TEST_CASE("SpokenGrammar: every built-in number to a million has files of its vocabulary") {
  for (const std::string& language : SpokenGrammar::built_in_languages()) {
    CAPTURE(language);
    const SpokenGrammar one = grammar(language.c_str());
    for (const char* currency : {"USD", "EUR", "CNY", "JPY", "CHF"}) {
      const auto known = one.vocabulary("remaining_amount", currency).value();
      REQUIRE(std::is_sorted(known.begin(), known.end()));
      std::size_t strange = 0;
      for (std::int64_t n = 0; n < 100'000'000; n += n < 1'200 ? 1 : 199'933) {
        const auto said =
            one.remaining_amount(Amount::from_units(n * (Amount::scale / 100)), currency);
        if (!said) {
          ++strange;
          continue;
        }
        for (const std::string& file : *said)
          strange += !std::binary_search(known.begin(), known.end(), file);
      }
      CHECK(strange == 0);
    }
  }
}

TEST_CASE("SpokenGrammar: what is wrong with a grammar is said with its line") {
  CHECK(fault("0: x") == "line 1: a rule stands before the first section");
  CHECK(fault("[a\n") == "line 1: \"[a\" is no \"[section]\" or \"[section CURRENCY]\"");
  CHECK(fault("[a B C]\n") == "line 1: \"[a B C]\" is no \"[section]\" or \"[section CURRENCY]\"");
  CHECK(fault("[]\n") == "line 1: \"[]\" is no \"[section]\" or \"[section CURRENCY]\"");
  CHECK(fault("[a]\n[a]\n") == "line 2: section \"a\" is there twice");
  CHECK(fault("[a]\n\n# note\nx: y\n") ==
        "line 4: \"x: y\" is no \"NUMBER: ...\" or \"NUMBER/DIVISOR: ...\"");
  CHECK(fault("[a]\n1/0: y\n") ==
        "line 2: \"1/0: y\" is no \"NUMBER: ...\" or \"NUMBER/DIVISOR: ...\"");
  CHECK(fault("[a]\n5: y\n5: z\n") == "line 3: rule 5 does not follow 5");
  for (const char* file : {"../x", "/x", "a//../b", "a|/b", "|a", "a||b", "a\\b"})
    CHECK(fault(("[a]\n0: " + std::string(file) + "\n").c_str()) ==
          "line 2: \"" + std::string(file) + "\" is no file below the folder of a voice");
  CHECK(fault("[a]\n0: <b.c\n") == "line 2: \"b.c\" is no section");
  CHECK(fault("[a]\n0: =b\n") == "section \"a\" names a section \"b\" that is not there");
  CHECK(fault("[a]\n0: =b\n[b USD]\n0: x\n") == "none");
  CHECK(fault("[a]\n7: x/#\n") ==
        "section \"a\": the \"#\" from 7 on stands for more than 1000 files");
  CHECK(fault("[a]\n0: x/#\n1001: y\n") ==
        "section \"a\": the \"#\" from 0 on stands for more than 1000 files");
  CHECK(SpokenGrammar::parse(std::string(65'537, '\n')).error().code == ErrorCode::limit);
  CHECK(SpokenGrammar::built_in("xx").error().message == "no grammar of \"xx\" was built in");
}

TEST_CASE("SpokenGrammar: one that leads in a circle or says too much says nothing") {
  const auto circle = SpokenGrammar::parse("[number]\n0: =\n").value();
  CHECK(circle.number(3).error().message == "section \"number\" never came to an end with 3");
  CHECK(circle.vocabulary("number").value().empty());
  const auto wide = SpokenGrammar::parse(
                        "[number]\n0: =a =a =a =a =a =a =a =a\n"
                        "[a]\n0: =b =b =b =b =b =b =b =b\n"
                        "[b]\n0: x x\n")
                        .value();
  CHECK(wide.number(0).error().message == "a phrase was longer than 64 files");
  std::string silent = "[number]\n0: =a0 =a0\n";
  for (int i = 0; i < 30; ++i)
    silent += "[a" + std::to_string(i) + "]\n0: =a" + std::to_string(i + 1) + " =a" +
              std::to_string(i + 1) + "\n";
  silent += "[a30]\n0:\n";
  CHECK(SpokenGrammar::parse(silent).value().number(0).error().message.find("too many pieces") !=
        std::string::npos);
  CHECK(SpokenGrammar().number(1).error().message == "the grammar was empty");
}
