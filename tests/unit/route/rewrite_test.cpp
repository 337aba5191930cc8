#include "tandem/rewrite.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tandem/clock.hpp"
#include "tandem/values.hpp"

using namespace tandem;

namespace {

RewriteRules rules_of(std::string_view text) {
  auto rules = RewriteRules::compile(text);
  if (!rules.ok()) FAIL(text << ": " << rules.error().message);
  return *rules;
}

std::string rewritten(std::string_view text, std::string_view number, std::uint64_t seed = 1) {
  SeededRandom random(seed);
  const RewrittenNumber result = rules_of(text).apply(number, random);
  if (!result.ok()) return "too long";
  return std::string(result.view());
}

std::string message_of(std::string_view text) {
  auto rules = RewriteRules::compile(text);
  if (rules.ok()) return "accepted";
  return rules.error().message;
}

}  // namespace

TEST_CASE("RewriteRules: N-02 the worked examples of sources without star") {
  CHECK(rewritten("00:", "004420") == "4420");
  CHECK(rewritten("0044:44", "00442079460000") == "442079460000");
  CHECK(rewritten(":00", "4420") == "004420");
  CHECK(rewritten(":00", "") == "00");
}

TEST_CASE("RewriteRules: N-02 the star of the target is what the star of the source matched") {
  CHECK(rewritten("*:a*", "4420") == "a4420");
  CHECK(rewritten("0*:86*", "0755123") == "86755123");
  CHECK(rewritten("0*9:*", "0129") == "12");
  CHECK(rewritten("0*9:*", "01291") == "01291");  // With a star the source is the whole number.
  CHECK(rewritten("*:86", "0755") == "86");
  CHECK(rewritten("*:", "0755") == "");
  CHECK(rewritten("1*2*3:a*b*c", "1x2y2z3") == "axby2zc");  // The shortest runs from the left.
  CHECK(rewritten("*2*:*", "112233") == "11");
  CHECK(rewritten("**:*9*", "12") == "912");
}

TEST_CASE("RewriteRules: N-02 a source without star lets the target place the rest") {
  CHECK(rewritten("0:86*", "0755") == "86755");
  CHECK(rewritten("0:86*#", "0755") == "86755#");
  CHECK(rewritten("00:$$$*", "0012") == "0012");
}

TEST_CASE("RewriteRules: N-03 the worked examples of selection") {
  constexpr std::string_view text = "0:86,00:,*:86*";
  CHECK(rewritten(text, "0755123") == "86755123");
  CHECK(rewritten(text, "00447") == "447");
  CHECK(rewritten(text, "13800") == "8613800");
  CHECK(rewritten("1390000????:1390000$$$$", "13900001234") == "13900001234");
}

TEST_CASE("RewriteRules: N-03 a question mark in the target is a random digit") {
  std::set<char> digits;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::string number = rewritten("139:138????????", "13912345678", seed);
    REQUIRE(number.size() == 11);
    REQUIRE(number.starts_with("138"));
    for (char c : number)
      REQUIRE((c >= '0' && c <= '9'));
    digits.insert(number.begin() + 3, number.end());
  }
  CHECK(digits.size() == 10);
}

TEST_CASE("RewriteRules: N-02 what lies beyond the matched part is kept or taken one by one") {
  CHECK(rewritten("139:138", "13912345678") == "13812345678");
  CHECK(rewritten("00:999$", "00123") == "999123");  // `$` takes the 1, the rest follows.
  CHECK(rewritten("00:9$$", "00447") == "90447");    // Position 1 is matched, position 2 is not.
  CHECK(rewritten("139:a$", "1395") == "a35");       // `$` at position 1 is the number's second.
  CHECK(rewritten("1:1$$$", "12") == "12");          // Nothing left for the last two.
  const std::string number = rewritten("139:138????????", "139123456789");
  CHECK(number.size() == 12);
  CHECK(number.back() == '9');  // Eight were replaced, the ninth is kept.
  CHECK(rewritten("139:138??", "139").size() == 5);
}

TEST_CASE("RewriteRules: N-02 a question mark in the source is exactly one character") {
  CHECK(rewritten("1?3:9", "1a345") == "945");
  CHECK(rewritten("1?3:9", "13345") == "945");
  CHECK(rewritten("1?3:9", "1") == "1");
  CHECK(rewritten("???:9", "12") == "12");
}

TEST_CASE("RewriteRules: N-02 length conditions look at the whole number") {
  CHECK(rewritten("0\\=5:9", "01234") == "91234");
  CHECK(rewritten("0\\=5:9", "012345") == "012345");
  CHECK(rewritten("\\<5:9", "1234") == "91234");
  CHECK(rewritten("\\<5:9", "12345") == "12345");
  CHECK(rewritten("\\>4\\<7*:9*", "1234") == "1234");
  CHECK(rewritten("\\>4\\<7*:9*", "12345") == "912345");
  CHECK(rewritten("\\>4\\<7*:9*", "1234567") == "1234567");
  CHECK(rewritten("\\=3:a,\\=4:b", "1234") == "b1234");
}

TEST_CASE("RewriteRules: N-03 longest source, then more literals, then first; no chaining") {
  CHECK(rewritten("1:a,12:b,123:c", "1234") == "c4");
  CHECK(rewritten("1?:a,12:b", "1234") == "b34");
  CHECK(rewritten("12:a,12:b", "1234") == "a34");
  CHECK(rewritten("*12:a,12:b", "12") == "a");
  CHECK(rewritten("1:2,2:3,3:4", "1") == "2");
  CHECK(rules_of("1:a,12:b").matching_rule("1234") == 1);
  CHECK(rules_of("1:a,12:b").matching_rule("13") == 0);
  CHECK_FALSE(rules_of("1:a,12:b").matching_rule("2").has_value());
}

TEST_CASE("RewriteRules: N-03 without a match the number is unchanged") {
  SeededRandom random(1);
  const RewrittenNumber result = rules_of("00:44").apply("33", random);
  CHECK(result.outcome == RewrittenNumber::Outcome::unchanged);
  CHECK(result.view() == "33");
  CHECK(RewriteRules().apply("+4420#", random).view() == "+4420#");
  CHECK(RewriteRules().empty());
  CHECK(rules_of("").empty());
}

TEST_CASE("RewriteRules: N-02 several targets are chosen about equally often") {
  const RewriteRules rules = rules_of("0:1;2;;3*4");
  SeededRandom random(5);
  std::map<std::string, int> seen;
  for (int i = 0; i < 4000; ++i)
    ++seen[std::string(rules.apply("09", random).view())];
  REQUIRE(seen.size() == 4);
  for (const char* number : {"19", "29", "9", "394"}) {
    CHECK(seen[number] > 850);
    CHECK(seen[number] < 1150);
  }
}

TEST_CASE(
    "RewriteRules: N-01 a result of more than 32 characters is an outcome, not a cut number") {
  const std::string number(32, '7');
  CHECK(rewritten("7:8", number).size() == 32);
  CHECK(rewritten(":0", number) == "too long");
  CHECK(rewritten("*:*0", number) == "too long");
  CHECK(rewritten("8:0", std::string(33, '7')) == "too long");
  CHECK(rewritten("7:" + std::string(40, '1'), "7") == "too long");
}

TEST_CASE("RewriteRules: N-02 bad rule text is refused with rule number and offset") {
  CHECK(message_of("00") == "rewrite rule 1 had no \":\" at offset 2");
  CHECK(message_of("0:86,00,*:1") == "rewrite rule 2 had no \":\" at offset 7");
  CHECK(message_of("0:86,") == "rewrite rule 2 had no \":\" at offset 5");
  CHECK(message_of("0:8 6") == "rewrite rule 1 had byte 0x20 in its target at offset 3");
  CHECK(message_of("0:8:6") == "rewrite rule 1 had \":\" in its target at offset 3");
  CHECK(message_of("1:1,-1:2") == "rewrite rule 2 had \"-\" in its source at offset 4");
  CHECK(message_of("$:2") == "rewrite rule 1 had \"$\" in its source at offset 0");
  CHECK(message_of("0*:**") ==
        "rewrite rule 1 had more \"*\" in its target than in its source at offset 4");
  CHECK(message_of("0\\~3:1") == "rewrite rule 1 had no <, > or = behind the \\ at offset 1");
  CHECK(message_of("0\\=:1") == "rewrite rule 1 had a length condition without number at offset 1");
  CHECK(message_of("0\\") == "rewrite rule 1 had no <, > or = behind the \\ at offset 1");
  CHECK(message_of("\\<0:1") ==
        "rewrite rule 1 had a length condition that no number meets at offset 0");
  CHECK(message_of("\\>5\\<6:1") ==
        "rewrite rule 1 had a length condition that no number meets at offset 3");
  CHECK(message_of("\\=34:1") == "rewrite rule 1 had a length condition above 33 at offset 0");
  CHECK(message_of("\\=99999999999999999999:1") ==
        "rewrite rule 1 had a length condition above 33 at offset 0");
  CHECK(message_of("123\\=2:1") ==
        "rewrite rule 1 had a source longer than its length condition allows at offset 0");
  CHECK(message_of(std::string(33, '1') + ":2") ==
        "rewrite rule 1 had a source longer than 32 characters at offset 32");
  CHECK(message_of("*1*1*1*1*1*1*1*1*:") ==
        "rewrite rule 1 had more than 8 \"*\" in its source at offset 16");
  CHECK(RewriteRules::compile(std::string(65537, '1')).error().code == ErrorCode::limit);
  std::string targets = "1:";
  for (int i = 0; i < 64; ++i)
    targets += "2;";
  CHECK(RewriteRules::compile(targets).error().code == ErrorCode::limit);
  std::string many = ":1";
  for (int i = 0; i < 4095; ++i)
    many += ",:1";
  CHECK(RewriteRules::compile(many).value().size() == 4096);
  CHECK(RewriteRules::compile(many + ",:1").error().code == ErrorCode::limit);
}

namespace {

/// Source matching by trying everything, as a check on the compiled form.
bool matches_naively(std::string_view source, std::string_view number) {
  if (source.empty()) return number.empty();
  if (source[0] == '*') {
    for (std::size_t i = 0; i <= number.size(); ++i) {
      if (matches_naively(source.substr(1), number.substr(i))) return true;
    }
    return false;
  }
  return !number.empty() && (source[0] == '?' || source[0] == number[0]) &&
         matches_naively(source.substr(1), number.substr(1));
}

}  // namespace

TEST_CASE("RewriteRules: N-02, N-03 random rules select and keep as the plain reading does") {
  SeededRandom random(99);
  const auto text = [&](std::size_t length, std::string_view alphabet) {
    std::string s;
    for (std::size_t i = 0; i < length; ++i)
      s += alphabet[random.below(alphabet.size())];
    return s;
  };
  int matched = 0, prefixes = 0;
  for (int round = 0; round < 3000; ++round) {
    struct Plain {
      std::string source, target;
    };
    std::vector<Plain> plain;
    std::string rules_text;
    for (std::uint64_t i = 1 + random.below(6); i > 0; --i) {
      Plain rule{text(random.below(5), random.below(3) == 0 ? "12?*" : "12?"),
                 text(random.below(4), "ab")};
      rules_text += (plain.empty() ? "" : ",") + rule.source + ":" + rule.target;
      plain.push_back(rule);
    }
    const RewriteRules rules = rules_of(rules_text);
    REQUIRE(rules.size() == plain.size());
    REQUIRE(rules.text() == rules_text);
    for (int i = 0; i < 30; ++i) {
      const std::string number = text(random.below(7), "12");
      std::optional<std::size_t> best;
      const auto count = [](const std::string& s, std::string_view of) {
        return std::count_if(s.begin(), s.end(), [&](char c) { return of.find(c) != of.npos; });
      };
      for (std::size_t r = 0; r < plain.size(); ++r) {
        const bool has_star = plain[r].source.find('*') != std::string::npos;
        const std::string source = plain[r].source + (has_star ? "" : "*");
        if (!matches_naively(source, number)) continue;
        const auto key = [&](std::size_t k) {
          return std::pair(count(plain[k].source, "12?"), count(plain[k].source, "12"));
        };
        if (!best || key(r) > key(*best)) best = r;
      }
      REQUIRE(rules.matching_rule(number) == best);
      const RewrittenNumber result = rules.apply(number, random);
      if (!best) {
        REQUIRE(result.outcome == RewrittenNumber::Outcome::unchanged);
        REQUIRE(result.view() == number);
        continue;
      }
      ++matched;
      const Plain& rule = plain[*best];
      const bool has_star = rule.source.find('*') != std::string::npos;
      prefixes += !has_star;
      const std::string rest = has_star ? "" : number.substr(rule.source.size());
      REQUIRE(result.view() == rule.target + rest);
    }
  }
  CHECK(matched > 20000);
  CHECK(prefixes > 10000);
}

TEST_CASE("RewriteRules: N-02 any accepted rule keeps results numbers of at most 32 characters") {
  SeededRandom random(4);
  const auto text = [&](std::size_t length, std::string_view alphabet) {
    std::string s;
    for (std::size_t i = 0; i < length; ++i)
      s += alphabet[random.below(alphabet.size())];
    return s;
  };
  int accepted = 0, too_long = 0;
  for (int round = 0; round < 20000; ++round) {
    const std::string rule =
        text(random.below(8), "12?*a") + ":" + text(random.below(20), "1?$*#a");
    auto rules = RewriteRules::compile(rule);
    if (!rules.ok()) continue;
    ++accepted;
    const std::string number = text(random.below(33), "12a");
    const RewrittenNumber result = rules->apply(number, random);
    if (!result.ok()) {
      ++too_long;
      REQUIRE(result.view().empty());
      continue;
    }
    REQUIRE((result.view().empty() || is_number(result.view())));
  }
  CHECK(accepted > 2000);
  CHECK(too_long > 20);
}
