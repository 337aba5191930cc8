#include "base/prefix_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/sanitizers.hpp"
#include "tandem/clock.hpp"

using namespace tandem;

namespace {

using Table = PrefixTable<>;
using Oracle = std::map<std::string, std::uint32_t, std::less<>>;

// Every prefix of `number` that is in the oracle, the longest first.
std::vector<Table::Match> naive(const Oracle& oracle, std::string_view number,
                                std::size_t most = 33) {
  std::vector<Table::Match> found;
  for (std::size_t length = std::min<std::size_t>(number.size(), 32) + 1;
       length-- > 0 && found.size() < most;) {
    const auto entry = oracle.find(number.substr(0, length));
    if (entry != oracle.end()) found.push_back({entry->second, static_cast<std::uint8_t>(length)});
  }
  return found;
}

Table build(const Oracle& oracle) {
  Table::Builder builder;
  for (const auto& [prefix, value] : oracle)
    REQUIRE(builder.add(prefix, value));
  return builder.build();
}

void add_random(Oracle& oracle, SeededRandom& random, std::size_t length, const char* alphabet,
                std::size_t letters) {
  std::string prefix;
  for (std::size_t i = 0; i < length; ++i)
    prefix += alphabet[random.below(letters)];
  oracle.emplace(prefix, static_cast<std::uint32_t>(random.next() & Table::value_max));
}

// Compares `lookups` numbers: extensions, truncations, neighbours of prefixes, and random ones.
// Counts instead of a CHECK each: the numbers are many.
std::size_t differences(const Oracle& oracle, const Table& table, SeededRandom& random,
                        std::size_t lookups, bool with_letters) {
  std::vector<std::string_view> prefixes;
  for (const auto& entry : oracle)
    prefixes.push_back(entry.first);
  const std::string_view alphabet = with_letters ? "0123456789#*+_aZ." : "0123456789";
  std::size_t differing = 0;
  std::string number;
  std::vector<std::string> numbers;
  for (std::size_t i = 0; i < lookups; ++i) {
    number.clear();
    if (!prefixes.empty() && random.below(8) != 0) number = prefixes[random.below(prefixes.size())];
    switch (random.below(6)) {
      case 0:
        number.resize(random.below(number.size() + 1));
        break;
      case 1:
        number.append(random.below(6), '0');
        break;  // pitfall: a padded number is not its padding
      case 2:
        number.append(random.below(6), '9');
        break;
      case 3:
        if (!number.empty()) number.back() = alphabet[random.below(alphabet.size())];
        break;
      default:
        break;
    }
    for (auto more = random.below(8); more > 0; --more)
      number += alphabet[random.below(alphabet.size())];
    const auto wanted = naive(oracle, number, i % 16 == 0 ? 33 : 1);
    const auto found = table.find(number);
    if (wanted.empty() ? found.has_value() : found != wanted.front()) ++differing;
    if (i % 16 == 0) {
      std::vector<Table::Match> all;
      table.for_each_match(number, [&all](const Table::Match& match) { all.push_back(match); });
      if (all != wanted) ++differing;
    }
    numbers.push_back(number);
  }
  const std::vector<std::string_view> views(numbers.begin(), numbers.end());
  std::size_t taken = 0;
  table.find_each(views, [&](std::size_t i, const std::optional<Table::Match>& match) {
    if (i != taken++ || match != table.find(views[i])) ++differing;
  });
  if (taken != views.size()) ++differing;
  return differing;
}

}  // namespace

TEST_CASE("PrefixTable: siblings of any number and at any distance are told apart (R-01)") {
  // What lies below six digits is kept in one of several forms, by how many ranges there are and
  // how far apart their bounds.
  SeededRandom random(17);
  Oracle oracle;
  std::uint32_t value = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i)  // so that the table goes by six digits
    oracle.emplace("9" + std::to_string(1'000'000 + i), ++value);
  for (std::size_t siblings = 1; siblings <= 40; ++siblings) {
    for (std::size_t digits = 1; digits <= 7; ++digits) {
      std::string head = std::to_string(100'000 + 10 * siblings + digits);
      for (std::size_t i = 0; i < siblings; ++i) {
        std::string prefix = head;
        for (std::size_t digit = 0; digit < digits; ++digit)
          prefix += static_cast<char>('0' + random.below(10));
        oracle.emplace(prefix, ++value);
      }
    }
  }
  for (const char* prefix : {"2000000", "2000009", "2000009999999", "2000010", "2000010000000",
                             "2000010000001", "200001", "2000020000000", "2000029999999"})
    oracle.emplace(prefix, ++value);
  CHECK(differences(oracle, build(oracle), random, 300'000, false) == 0);
}

TEST_CASE("PrefixTable: an empty table matches nothing") {
  const Table table = Table::Builder().build();
  CHECK_FALSE(table.find(""));
  CHECK_FALSE(table.find("44"));
  CHECK(Table().size() == 0);
  CHECK_FALSE(Table().find("1"));
  const std::string_view one[] = {"1"};
  table.find_each(one, [](std::size_t, const auto& match) { CHECK_FALSE(match); });
  Table().find_each(one, [](std::size_t, const auto& match) { CHECK_FALSE(match); });
}

TEST_CASE("PrefixTable: the longest prefix wins and is never longer than the number (R-01)") {
  const Oracle oracle{{"", 1}, {"44", 2}, {"4420", 3}, {"442000000000", 4}, {"4", 5}};
  const Table table = build(oracle);
  CHECK(table.find("442")->value == 2);
  CHECK(table.find("4420")->value == 3);
  CHECK(table.find("44200")->value == 3);
  CHECK(table.find("44200000000")->value == 3);
  CHECK(table.find("442000000000")->value == 4);
  CHECK(table.find("442000000000")->prefix_length == 12);
  CHECK(table.find("1")->value == 1);
  CHECK(table.find("")->value == 1);
  CHECK(table.find("")->prefix_length == 0);
  CHECK(table.size() == 5);
}

TEST_CASE("PrefixTable: letters, signs and very long prefixes match too (R-01)") {
  const Oracle oracle{{"#31#", 1}, {"*", 2},
                      {"44a", 3},  {"44", 4},
                      {"+44", 5},  {std::string(32, '7'), 6},
                      {"777", 7},  {"44a99999999999999999", 8},
                      {"_x", 9},   {"77777777777777777", 10}};
  const Table table = build(oracle);
  CHECK(table.find("#31#123")->value == 1);
  CHECK(table.find("*99")->value == 2);
  CHECK(table.find("44a1")->value == 3);
  CHECK(table.find("44b1")->value == 4);
  CHECK(table.find("+441")->value == 5);
  CHECK(table.find(std::string(32, '7'))->value == 6);
  CHECK(table.find(std::string(40, '7'))->value == 6);
  CHECK(table.find(std::string(31, '7'))->value == 10);
  CHECK(table.find(std::string(16, '7'))->value == 7);
  CHECK(table.find("44a999999999999999999")->value == 8);
  CHECK_FALSE(table.find("_X"));
  CHECK_FALSE(table.find("\xff"));
}

TEST_CASE("PrefixTable: a prefix twice or a malformed one is refused and changes nothing") {
  Table::Builder builder;
  CHECK(builder.add("44", 1));
  CHECK(builder.add("44", 2).error().code == ErrorCode::already_exists);
  CHECK(builder.add("a", 1));
  CHECK(builder.add("a", 2).error().code == ErrorCode::already_exists);
  CHECK(builder.add("", 1));
  CHECK(builder.add("", 2).error().code == ErrorCode::already_exists);
  CHECK(builder.add("4 4", 1).error().code == ErrorCode::invalid_argument);
  CHECK(builder.add(std::string(33, '1'), 1).error().code == ErrorCode::invalid_argument);
  CHECK(builder.size() == 3);
  CHECK(builder.build().find("441")->value == 1);
  CHECK(builder.size() == 0);
  CHECK(builder.add("44", 2));
}

TEST_CASE("PrefixTable: the walk goes from the longest match to the shortest and stops when told") {
  const Table table =
      build({{"", 0}, {"4", 1}, {"44", 2}, {"4420", 4}, {"4420794", 7}, {"4420795", 8}});
  std::vector<unsigned> lengths;
  table.for_each_match("44207946",
                       [&](const Table::Match& match) { lengths.push_back(match.prefix_length); });
  CHECK(lengths == std::vector<unsigned>{7, 4, 2, 1, 0});
  lengths.clear();
  table.for_each_match("44207946", [&](const Table::Match& match) {
    lengths.push_back(match.prefix_length);
    return lengths.size() < 2;
  });
  CHECK(lengths == std::vector<unsigned>{7, 4});
}

TEST_CASE("PrefixTable: agrees with the naive oracle at every size of table") {
  SeededRandom random(3);
  for (std::size_t size : {1u, 2u, 3u, 10u, 26u, 120u, 1'000u, 5'000u, 26'000u}) {
    CAPTURE(size);
    Oracle oracle;
    while (oracle.size() < size)
      add_random(oracle, random, random.below(size < 20 ? 4 : 16), "0123456789", 10);
    const Table table = build(oracle);
    CHECK(table.size() == oracle.size());
    CHECK(differences(oracle, table, random, 70'000, false) == 0);
  }
}

TEST_CASE("PrefixTable: agrees with the naive oracle where prefixes nest densely") {
  SeededRandom random(5);
  for (int round = 0; round < 20; ++round) {
    Oracle oracle;
    // Two or three digits and any length: nearly every prefix lies in others and shares ends with
    // them.
    for (int i = 0; i < 3'000; ++i)
      add_random(oracle, random, random.below(20), round % 2 ? "09" : "459", round % 2 ? 2 : 3);
    CHECK(differences(oracle, build(oracle), random, 13'000, false) == 0);
  }
}

TEST_CASE("PrefixTable: agrees with the naive oracle on letters, signs and all lengths") {
  SeededRandom random(9);
  for (int round = 0; round < 10; ++round) {
    Oracle oracle;
    for (int i = 0; i < 2'000; ++i) {
      add_random(oracle, random, random.below(33), "0123456789", 10);
      add_random(oracle, random, random.below(5), "01#*+_aZ", 8);
      add_random(oracle, random, random.below(18), "000000a", 7);
    }
    CHECK(differences(oracle, build(oracle), random, 13'000, true) == 0);
  }
}

constexpr unsigned exhaustive_digits = checked_build::is_sanitized ? 4 : 6;

TEST_CASE("PrefixTable: agrees with the naive oracle on every number of six digits below a stem") {
  // For each number of `exhaustive_digits` digits and less below the stem, the oracle writes down
  // which prefix is the longest: one prefix after the other, shorter ones first.
  struct Expected {
    std::uint32_t value = 0;
    std::uint8_t length = 0xff;
  };
  std::uint32_t power = 1;
  for (unsigned i = 0; i < exhaustive_digits; ++i)
    power *= 10;
  SeededRandom random(11);
  std::size_t looked_up = 0;
  for (const std::string stem : {"", "44207", "4420790", "4420790018"}) {
    for (const std::size_t wanted_prefixes : {30u, 2'000u, 60'000u}) {
      std::vector<std::pair<std::string, std::uint32_t>> prefixes;
      Table::Builder builder;
      const std::size_t tries = std::min<std::size_t>(wanted_prefixes, power / 4);
      for (std::size_t i = 0; i < tries; ++i) {
        std::string prefix = stem;
        for (auto more = random.below(exhaustive_digits + 1); more > 0; --more)
          prefix += static_cast<char>('0' + random.below(10));
        // Few values, so that neighbours are often equal.
        const auto value = static_cast<std::uint32_t>(random.below(3));
        if (builder.add(prefix, value)) prefixes.emplace_back(prefix, value);
      }
      std::sort(prefixes.begin(), prefixes.end(),
                [](const auto& a, const auto& b) { return a.first.size() < b.first.size(); });
      const Table table = builder.build();
      // expected[k]: numbers of k digits below the stem.
      std::vector<std::vector<Expected>> expected(exhaustive_digits + 1);
      std::uint32_t count = 1;
      for (auto& numbers : expected) {
        numbers.resize(count);
        count *= 10;
      }
      for (const auto& [prefix, value] : prefixes) {
        const auto below = static_cast<unsigned>(prefix.size() - stem.size());
        std::uint32_t first = 0;
        for (const char c : prefix.substr(stem.size()))
          first = first * 10 + static_cast<std::uint32_t>(c - '0');
        std::uint32_t width = 1;
        for (unsigned k = below; k <= exhaustive_digits; ++k) {
          std::fill_n(expected[k].begin() + first * width, width,
                      Expected{value, static_cast<std::uint8_t>(prefix.size())});
          width *= 10;
        }
      }
      std::size_t differing = 0;
      for (unsigned k = 0; k <= exhaustive_digits; ++k) {
        std::string number = stem + std::string(k, '0');
        for (const Expected& wanted : expected[k]) {
          const auto found = table.find(number);
          const bool is_equal =
              wanted.length == 0xff ? !found : found == Table::Match{wanted.value, wanted.length};
          if (!is_equal) ++differing;
          for (std::size_t i = number.size(); i-- > stem.size();) {
            if (number[i] != '9') {
              ++number[i];
              break;
            }
            number[i] = '0';
          }
        }
        looked_up += expected[k].size();
      }
      CAPTURE(stem);
      CAPTURE(wanted_prefixes);
      CHECK(differing == 0);
    }
  }
  if (exhaustive_digits == 6) CHECK(looked_up > 10'000'000);
}

TEST_CASE("PrefixTable: blocks of every number of ranges agree with the naive oracle") {
  SeededRandom random(13);
  std::size_t differing = 0;
  // One entry of the direct table holds them all: blocks grow from two ranges to many lines.
  for (std::size_t size = 1; size <= 400; size += size < 40 ? 1 : 13) {
    Oracle oracle;
    while (oracle.size() < size) {
      std::string prefix = "1";
      for (auto more = 1 + random.below(6); more > 0; --more)
        prefix += static_cast<char>('0' + random.below(10));
      oracle.emplace(prefix, static_cast<std::uint32_t>(random.below(Table::value_max)));
    }
    differing += differences(oracle, build(oracle), random, 3'000, false);
  }
  CHECK(differing == 0);
}

TEST_CASE("PrefixTable: a number is read no further than its end, whatever its length") {
  const Oracle oracle{{"", 1}, {"123", 2}, {"12345678", 3}, {"1234567890123", 4}};
  const Table table = build(oracle);
  const std::string digits = "12345678901234567890123456789012";
  for (std::size_t length = 0; length <= digits.size(); ++length) {
    // Exactly this long, so that a sanitizer sees a read behind it; and followed by more digits.
    const std::vector<char> alone(digits.begin(),
                                  digits.begin() + static_cast<std::ptrdiff_t>(length));
    const auto wanted = naive(oracle, std::string_view(digits).substr(0, length), 1).front();
    CHECK(table.find({alone.data(), alone.size()}) == wanted);
    CHECK(table.find(std::string_view(digits).substr(0, length)) == wanted);
  }
  // Every character is judged alone: none of them makes its neighbours look like digits.
  for (int c = 0; c < 256; ++c) {
    for (std::size_t at = 0; at < 14; ++at) {
      std::string number = digits.substr(0, 14);
      number[at] = static_cast<char>(c);
      CHECK(table.find(number) == naive(oracle, number, 1).front());
    }
  }
}

TEST_CASE("PrefixTable: a value that needs more than 28 bits is refused") {
  Table::Builder builder;
  CHECK(builder.add("44", Table::value_max));
  CHECK(builder.add("4", Table::value_max));
  CHECK(builder.add("#", Table::value_max));
  CHECK(builder.add("45", Table::value_max + 1).error().code == ErrorCode::limit);
  CHECK(builder.add("*", 0xFFFFFFFF).error().code == ErrorCode::limit);
  CHECK(builder.size() == 3);
  const Table table = builder.build();
  CHECK(table.find("441")->value == Table::value_max);
  CHECK(table.find("4")->value == Table::value_max);
  CHECK(table.find("#1")->value == Table::value_max);
  CHECK_FALSE(table.find("5"));
}

TEST_CASE("PrefixTable: 300,000 prefixes cost at most 20 bytes each and small tables stay small") {
  // Laid out like a dial plan: operators own runs of neighbouring prefixes.
  Table::Builder builder;
  SeededRandom random(1);
  while (builder.size() < 300'000) {
    const std::string stem =
        std::to_string(10'000 + random.below(90'000)) + std::to_string(random.below(100));
    const std::uint64_t run = 1 + random.below(10);
    for (std::uint64_t digit = random.below(10); digit < run; ++digit) {
      (void)builder.add(stem + std::to_string(digit), 1);  // one drawn before is refused
      for (char last = '0'; random.below(2) == 0 && last <= '9'; ++last) {
        (void)builder.add(stem + std::to_string(digit) + last,
                          static_cast<std::uint32_t>(random.below(50)));
      }
    }
  }
  CHECK(builder.build().memory_bytes() <= 20 * 300'000);
  CHECK(build({{"44", 1}, {"49", 2}}).memory_bytes() < 1'000);
}

TEST_CASE("PrefixTable: values of other types come back as they went in") {
  enum class Verdict : std::uint32_t { allow, deny };
  PrefixTable<Verdict>::Builder builder;
  CHECK(builder.add("44", Verdict::deny));
  CHECK(builder.build().find("441")->value == Verdict::deny);
}

TEST_CASE("place_of_code: prefixes of any one length spread over a hash table") {
  for (const int digits : {4, 6, 7, 8, 10, 14}) {
    CAPTURE(digits);
    constexpr std::size_t count = 10'000, size = 32'768;
    std::vector<unsigned> found(size);
    for (std::size_t i = 0; i < count; ++i) {
      std::string text = std::to_string(i);
      text.insert(0, static_cast<std::size_t>(digits) - text.size(), '4');
      if (const auto code = code_of_digits(text)) ++found[place_of_code(*code + 1, size)];
    }
    CHECK(*std::max_element(found.begin(), found.end()) <= 8);
  }
}

TEST_CASE("PrefixTable: in whatever order prefixes come, one that was added is found out") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    Oracle oracle;
    Table::Builder builder;
    std::uint64_t next = 0;
    const std::size_t in_order = random.below(40);  // then any, some of them again
    for (std::size_t i = 0; i < 80; ++i) {
      next += i == 0 ? 0 : 1 + random.below(3);
      const std::uint64_t number = i < in_order ? next : random.below(200);
      std::string prefix = std::to_string(1'000 + number);
      if (random.below(10) == 0) prefix += 'a';
      if (i >= in_order && random.below(4) == 0) prefix.resize(random.below(prefix.size()));
      const auto value = static_cast<std::uint32_t>(i);
      const auto added = builder.add(prefix, value);
      REQUIRE(added.ok() == oracle.emplace(prefix, value).second);
      if (!added) CHECK(added.error().code == ErrorCode::already_exists);
    }
    CHECK(builder.size() == oracle.size());
    CHECK(differences(oracle, builder.build(), random, 500, true) == 0);
  }
}
