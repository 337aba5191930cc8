// What name servers say of numbers.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "lrn/enum_resolver.hpp"
#include "lrn/naptr_rule.hpp"
#include "tandem/clock.hpp"

using namespace tandem;
using namespace tandem::lrn;
using io::dns::NamingAuthority;

namespace {

NamingAuthority naptr(unsigned order, unsigned preference, std::string services, std::string regexp,
                      std::string flags = "u") {
  return {static_cast<std::uint16_t>(order),
          static_cast<std::uint16_t>(preference),
          std::move(flags),
          std::move(services),
          std::move(regexp),
          ""};
}

/// What an answer about +12125550123 with these records stands for.
std::optional<LrnRecord> record_of(const std::vector<NamingAuthority>& authorities,
                                   const std::string& region_key = "region",
                                   const std::string& suffix = "e164.arpa") {
  io::dns::Response response;
  response.question = {"3.2.1.0.5.5.5.2.1.2.1." + suffix, io::dns::RecordType::naptr};
  for (const NamingAuthority& one : authorities)
    response.records.push_back({response.question.name, 300, one});
  response.answers = response.records.size();
  return record_from_naptr(response, suffix, region_key);
}

/// With as many steps as an answer has.
std::optional<std::string> applied(std::string_view rule, std::string_view subject) {
  int steps_left = naptr_steps_max;
  return apply_naptr_rule(rule, subject, steps_left);
}

}  // namespace

TEST_CASE("ENUM: the name of a number is its digits from the last to the first (R-20, RFC 6116)") {
  CHECK(enum_name("+442079460148", "e164.arpa") == "8.4.1.0.6.4.9.7.0.2.4.4.e164.arpa");
  CHECK(enum_name("4", "numbers.example") == "4.numbers.example");
  for (const std::string_view bad : {"", "+", "44*", "44#", "a44", "4+4"})
    CHECK_FALSE_MESSAGE(enum_name(bad, "e164.arpa"), bad);
  CHECK(enum_name(std::string(32, '1'), std::string(60, 'a')));
}

TEST_CASE("ENUM: rules are applied as RFC 3402 has them, and what is none gives nothing (R-20)") {
  struct Row {
    std::string_view rule, subject;
    std::optional<std::string> result;
  };
  const Row rows[] = {
      {"!^.*$!tel:+1;npdi!", "+12125550123", "tel:+1;npdi"},
      {"!^(.*)$!sip:\\1@a!", "+12125550123", "sip:+12125550123@a"},
      {"!^\\+1(...)(.*)$!\\2-\\1!", "+12125550123", "5550123-212"},
      {"/^\\+([0-9]+)$/tel:\\1/", "+44", "tel:44"},
      {"!^(\\+44)2?(0*)([0-9]{8})$!\\1.\\2.\\3!", "+4412345678", "+44..12345678"},
      {"!2(1)2!\\1!", "+12125550123", "1"},  // not anchored: the replacement is the result
      {"!^ABC$!x!i", "abc", "x"},
      {"!^ABC$!x!", "abc", std::nullopt},
      {"!^[^a-c]+$!x!", "+12", "x"},
      {"!^[^0-9]+$!x!", "+12", std::nullopt},
      {"!^[]x]$!y!", "]", "y"},
      {"!^a{2,3}$!y!", "aaa", "y"},
      {"!^a{2,3}$!y!", "aaaa", std::nullopt},
      {"!^a{2,}$!y!", "aaaa", "y"},
      {"!a\\!b!x\\!y!", "a!b", "x!y"},
      {"!^.*$!\\\\!", "1", "\\"},
      {"!((.)(.))!\\1\\3\\2!", "ab", "abba"},
      {"!^$!x!", "", "x"},
      // No rules.
      {"", "1", std::nullopt},
      {"!", "1", std::nullopt},
      {"!^.*$!x", "1", std::nullopt},
      {"!^.*$!x!!", "1", std::nullopt},
      {"!^.*$!x!j", "1", std::nullopt},
      {"1^.*$1x1", "1", std::nullopt},
      {"i^.*$ixi", "1", std::nullopt},
      {"!(.*!x!", "1", std::nullopt},
      {"!.*)!x!", "1", std::nullopt},
      {"!^(a|b)$!x!", "a", std::nullopt},
      {"!(ab)+!x!", "ab", std::nullopt},
      {"!(ab)?c!x!", "c", std::nullopt},
      {"!*!x!", "1", std::nullopt},
      {"![a!x!", "a", std::nullopt},
      {"![[:digit:]]!x!", "1", std::nullopt},
      {"![z-a]!x!", "1", std::nullopt},
      {"!\\d!x!", "1", std::nullopt},
      {"!a{3,2}!x!", "aaa", std::nullopt},
      {"!a{,2}!x!", "aa", std::nullopt},
      {"!a{999}!x!", "a", std::nullopt},
      {"!^.*$!\\1!", "1", std::nullopt},
      {"!^(.*)$!\\0!", "1", std::nullopt},
      {"!^(.*)$!\\2!", "1", std::nullopt},
      {"!^.*$!x\\", "1", std::nullopt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.rule);
    CHECK(applied(row.rule, row.subject) == row.result);
  }
  std::string grows = "!^(.*)$!";
  for (int i = 0; i < 40; ++i)
    grows += "\\1";
  CHECK_FALSE(applied(grows + "!", "+12125550123456"));
  // Work without end where a matcher has no bound.
  std::string slow = "!^";
  for (int i = 0; i < 120; ++i)
    slow += ".*";
  CHECK_FALSE(applied(slow + "x$!y!", std::string(64, '1')));
}

TEST_CASE("ENUM: all rules of an answer share one budget of work (R-20)") {
  std::string slow = "!^.*.*.*.*.*.*.*x$!y!";
  int steps_left = naptr_steps_max;
  CHECK_FALSE(apply_naptr_rule(slow, std::string(32, '1'), steps_left));
  CHECK(steps_left == 0);
  CHECK_FALSE(apply_naptr_rule("!^.*$!x!", "1", steps_left));
  steps_left = naptr_steps_max;
  CHECK(apply_naptr_rule("!^\\+?([0-9]{3})(.*)$!tel:\\1;\\2!", "+12125550123", steps_left));
  CHECK(steps_left > naptr_steps_max - 200);
  // So a good record behind a slow one, or behind many, is not reached.
  const std::string rn = "!^.*$!tel:+1;npdi;rn=646!";
  CHECK_FALSE(record_of({naptr(1, 1, "E2U+pstn:tel", slow), naptr(2, 1, "E2U+pstn:tel", rn)}));
  std::vector<NamingAuthority> many(7, naptr(1, 1, "E2U+pstn:tel", "!x!y!"));
  many.push_back(naptr(2, 1, "E2U+pstn:tel", rn));
  CHECK(record_of(many) == LrnRecord{"646", ""});
  many.insert(many.begin(), naptr(1, 1, "E2U+pstn:tel", "!x!y!"));
  CHECK_FALSE(record_of(many));
}

TEST_CASE("ENUM: digits of the suffix are none of the number (R-20)") {
  const std::vector<NamingAuthority> cut = {
      naptr(1, 1, "E2U+pstn:tel", "!^\\+1(...).*$!tel:+1;npdi;rn=\\1!")};
  for (const char* suffix : {"1.enum.example", "0.e164.example", "4.4"}) {
    CAPTURE(suffix);
    CHECK(record_of(cut, "region", suffix) == LrnRecord{"212", ""});
  }
  io::dns::Response response;
  response.question = {"3.2.1.e164.arpa", io::dns::RecordType::naptr};
  response.records.push_back({response.question.name, 300, cut.front()});
  response.answers = 1;
  CHECK_FALSE(record_from_naptr(response, "e164.example", "region"));
}

TEST_CASE("ENUM: rules of any bytes give a text within its limit or nothing (R-20)") {
  SeededRandom random(3402);
  constexpr std::string_view alphabet = "!/\\^$.*+?{}[]()|-0123456789abi,";
  int results = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string rule = "!";
    for (std::uint64_t length = random.below(6); length > 0; --length)
      rule += alphabet[random.below(alphabet.size())];
    rule += random.below(2) == 0 ? "(.*)!x\\1!" : "!x!";
    const auto result = applied(rule, "+12125550123");
    if (!result) continue;
    ++results;
    REQUIRE(result->size() <= naptr_result_bytes_max);
  }
  CHECK(results > 100);
}

TEST_CASE("ENUM: the first usable record in order is the answer (R-20, RFC 4769)") {
  const std::string rn = "!^.*$!tel:+1-212-555-0123;npdi;rn=+1-646-555-0000;region=NY!";
  const LrnRecord ported{"+16465550000", "NY"};
  CHECK(record_of({naptr(1, 1, "E2U+pstn:tel", rn)}) == ported);
  CHECK(record_of({naptr(1, 1, "e2u+PSTN:tel", rn, "U")}) == ported);
  CHECK(record_of({naptr(1, 1, "E2U+voice:tel+pstn:sip", rn)}) == ported);
  CHECK(record_of({naptr(1, 1, "E2U+pstn:tel", "!^(.*)$!tel:\\1;npdi!")}) == LrnRecord{});
  CHECK(record_of({naptr(1, 1, "E2U+sip", "!^(.*)$!sip:\\1;npdi;rn=646@a.example;user=phone!")}) ==
        LrnRecord{"646", ""});
  CHECK(record_of({naptr(1, 1, "E2U+sip", "!^(.*)$!sips:\\1@a.example;RN=646;state=NY?x=1!")},
                  "state") == LrnRecord{"646", "NY"});
  // Lower order first, then lower preference.
  const std::string other = "!^.*$!tel:+1;rn=1!";
  CHECK(record_of({naptr(2, 1, "E2U+pstn:tel", other), naptr(1, 9, "E2U+pstn:tel", rn)}) == ported);
  CHECK(record_of({naptr(1, 9, "E2U+pstn:tel", other), naptr(1, 2, "E2U+pstn:tel", rn)}) == ported);
  // What cannot be used is passed over.
  CHECK(record_of({naptr(0, 1, "E2U+email:mailto", "!^.*$!mailto:a@b!"),
                   naptr(0, 2, "E2U+sip", "!^.*$!sip:somebody@a.example!"),
                   naptr(0, 3, "E2U+pstn:tel", rn, ""), naptr(0, 4, "E2U+pstn:tel", "!(!x!"),
                   naptr(0, 5, "E2U+pstn:tel", "!^.*$!tel:+1;rn=nobody!"),
                   naptr(9, 1, "E2U+pstn:tel", rn)}) == ported);
  CHECK_FALSE(record_of({}));
  CHECK_FALSE(record_of({naptr(1, 1, "E2U", rn)}));
  CHECK_FALSE(record_of({naptr(1, 1, "x-E2U+pstn:tel", rn)}));
  CHECK_FALSE(record_of({naptr(1, 1, "E2U+pstn:tel", "!^.*$!http://a.example/;rn=1!")}));
  NamingAuthority elsewhere = naptr(1, 1, "E2U+pstn:tel", rn);
  elsewhere.replacement = "a.example";
  CHECK_FALSE(record_of({elsewhere}));
}
