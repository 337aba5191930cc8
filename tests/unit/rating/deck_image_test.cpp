#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/crc32c.hpp"
#include "rating/deck_image.hpp"
#include "tandem/clock.hpp"
#include "tandem/rating.hpp"

using namespace tandem;

namespace {

const std::string digest(64, 'a');

std::string image_of(const RateDeck& deck, const std::string& name = digest) {
  std::string image;
  const auto written = rating::write_deck_image(
      deck, name, [&](std::uint64_t offset, std::string_view bytes) -> Result<void> {
        image.resize(std::max<std::size_t>(image.size(), offset + bytes.size()));
        bytes.copy(image.data() + offset, bytes.size());
        return {};
      });
  if (!written) FAIL(written.error().message);
  return image;
}

Result<RateDeck> read(std::string_view image, std::string_view name = digest) {
  return rating::read_deck_image(image, name, "retail", "USD");
}

/// The same bytes with a check value that fits, so that what lies behind it is reached.
std::string repaired(std::string image) {
  const std::uint32_t crc = crc32c(image.data() + 16, image.size() - 16);
  for (int i = 0; i < 4; ++i)
    image[12 + static_cast<std::size_t>(i)] = static_cast<char>(crc >> (8 * i) & 0xFF);
  return image;
}

/// The deck by the long way: as text, and read again.
RateDeck the_long_way(const RateDeck& deck) {
  auto rates = parse_deck_csv(to_csv(deck), "stored");
  if (!rates) FAIL(rates.error().message);
  RateDeck::Builder builder("retail", "USD");
  for (Rate& rate : *rates)
    REQUIRE(builder.add(std::move(rate)).ok());
  return builder.build().value();
}

Amount amount(Random& random, std::uint64_t below) {
  return Amount::from_units(static_cast<std::int64_t>(random.below(below)));
}

std::string utf8(Random& random) {
  static const std::vector<std::string> pieces = {
      "a",    "London", " ",  "\"", ",", ";", "\n", "\r\n", "\t", std::string(1, '\0'),
      "\x7f", "é",      "漢", "😀",  "=", "'"};
  std::string text;
  for (std::size_t left = random.below(12); left > 0; --left)
    text += pieces[random.below(pieces.size())];
  return text;
}

std::vector<RateTier> tiers(Random& random) {
  std::vector<RateTier> all;
  for (std::int64_t from_s = 1; all.size() < random.below(4); from_s += 60) {
    RateTier tier;
    tier.from_s = from_s;
    tier.price = amount(random, 1'000'000'000);
    if (random.below(2) == 0) tier.per_s = 30;
    if (random.below(2) == 0) tier.next_s = static_cast<std::int32_t>(1 + random.below(60));
    all.push_back(tier);
  }
  return all;
}

RateTerms terms(Random& random) {
  RateTerms made;
  made.tiers = tiers(random);
  for (std::size_t left = random.below(4); left > 0; --left) {
    RateWindow window;
    if (random.below(2) == 0) window.days = {static_cast<std::uint8_t>(1 + random.below(0x7F)), 0};
    if (random.below(3) == 0) window.days.classes = static_cast<std::uint8_t>(1 + random.below(7));
    window.from_s = static_cast<std::int32_t>(random.below(86'400));
    window.to_s = static_cast<std::int32_t>(1 + random.below(86'400));
    if (window.to_s == window.from_s) window.to_s = window.from_s + 1;
    if (random.below(2) == 0) window.price = amount(random, 2);
    if (random.below(2) == 0) window.per_s = 60;
    if (random.below(2) == 0) window.first_s = 30;
    if (random.below(2) == 0) window.next_s = 6;
    if (random.below(2) == 0) window.connection_fee = amount(random, 3);
    window.tiers = tiers(random);
    made.windows.push_back(window);
  }
  if (random.below(2) == 0) made.grace_s = static_cast<std::int64_t>(random.below(10));
  if (random.below(2) == 0) made.free_s = static_cast<std::int64_t>(random.below(10));
  if (random.below(2) == 0) made.maximum = Amount::from_units(INT64_MAX);
  if (random.below(2) == 0) made.tax_percent = Amount::from_units(1'900'000'000);
  return made;
}

/// Any rate that a deck takes, or one that it does not.
Rate any_rate(Random& random) {
  static constexpr std::string_view characters = "0123456789012345678901234567890123456789ABz+*#_";
  Rate rate;
  for (std::size_t left = random.below(random.below(8) == 0 ? 33 : 6); left > 0; --left)
    rate.prefix += characters[random.below(characters.size())];
  if (random.below(3) != 0) rate.area = utf8(random);
  rate.price = random.below(16) == 0 ? Amount::from_units(INT64_MAX) : amount(random, 100'000'000);
  if (random.below(3) == 0) rate.connection_fee = amount(random, 100'000'000);
  if (random.below(3) == 0) rate.minimum = amount(random, 100'000'000);
  rate.per_s = random.below(2) == 0 ? 60 : 1;
  rate.first_s = static_cast<std::int32_t>(1 + random.below(60));
  rate.next_s = random.below(9) == 0 ? 100'000'000 : 6;
  rate.locked = random.below(4) == 0;
  rate.call_level = std::vector{CallLevel::none, CallLevel::internal, CallLevel::local,
                                CallLevel::domestic, CallLevel::international}[random.below(5)];
  if (random.below(3) == 0) {
    rate.valid_from_us = static_cast<std::int64_t>(random.below(4)) * 1'000'001;
    if (random.below(2) == 0) rate.valid_until_us = rate.valid_from_us + 1;
  }
  if (random.below(5) == 0) {
    for (std::size_t left = random.below(17); left > 0; --left)
      rate.sections.push_back({amount(random, 1'000), static_cast<std::int64_t>(random.below(90))});
  }
  if (random.below(3) == 0) rate.terms = terms(random);
  return rate;
}

RateDeck random_deck(Random& random, std::size_t tries) {
  RateDeck::Builder builder("retail", "USD");
  for (; tries > 0; --tries)
    (void)builder.add(any_rate(random));  // those that a deck does not take are left out
  return builder.build().value();
}

RateDeck small_deck() {
  RateDeck::Builder builder("retail", "USD");
  Rate rate;
  rate.prefix = "44";
  rate.area = "London";
  rate.price = Amount::parse("0.60").value();
  rate.sections = {{Amount::parse("0.05").value(), 30}};
  RateTerms with;
  with.tiers = {{60, Amount::parse("0.50").value(), 60, 10}};
  with.windows = parse_windows("sat,sun 18:00-24:00 price=0.30 connection_fee=0.01").value();
  with.tax_percent = Amount::parse("19").value();
  rate.terms = with;
  REQUIRE(builder.add(rate).ok());
  rate.prefix = "4420";
  rate.sections.clear();
  REQUIRE(builder.add(rate).ok());
  rate.prefix = "45";
  rate.area = "Danmark";
  rate.terms = {};
  REQUIRE(builder.add(rate).ok());
  return builder.build().value();
}

}  // namespace

TEST_CASE("deck image: the deck of an image is the deck of the long way, in every field") {
  std::size_t seen = 0, with_terms = 0, with_sections = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    const RateDeck deck = random_deck(random, seed == 1 ? 0 : 8 * seed);
    const RateDeck by_text = the_long_way(deck);
    const auto by_image = read(image_of(deck));
    if (!by_image) FAIL(by_image.error().message);
    CHECK(by_image->id() == by_text.id());
    CHECK(by_image->currency() == by_text.currency());
    REQUIRE(by_image->size() == by_text.size());
    for (std::size_t i = 0; i < by_text.size(); ++i)
      REQUIRE(by_image->at(i) == by_text.at(i));
    CHECK(rating::have_equal_rates(*by_image, by_text));
    CHECK(to_csv(*by_image) == to_csv(deck));
    for (std::size_t i = 0; i < 300; ++i) {
      std::string callee = any_rate(random).prefix + std::to_string(random.below(1'000));
      const auto at_us = static_cast<std::int64_t>(random.below(5'000'000));
      const RateMatch a = by_image->find(callee, at_us), b = by_text.find(callee, at_us);
      REQUIRE(a.reason == b.reason);
      REQUIRE((a.rate == nullptr) == (b.rate == nullptr));
      if (a.rate == nullptr) continue;
      REQUIRE(*a.rate == *b.rate);
      const auto cost = rate_call(*a.rate, 61'000, {}), same = rate_call(*b.rate, 61'000, {});
      REQUIRE(cost.ok() == same.ok());
      if (cost) REQUIRE(*cost == *same);
    }
    seen += deck.size();
    for (std::size_t i = 0; i < deck.size(); ++i) {
      with_terms += deck.at(i).terms ? 1 : 0;
      with_sections += deck.at(i).sections.empty() ? 0 : 1;
    }
  }
  CHECK(seen > 2'000);  // so that the draw is not an empty one
  CHECK(with_terms > 200);
  CHECK(with_sections > 200);
}

TEST_CASE("deck image: a deck of more rows than a piece is written and read") {
  RateDeck::Builder builder("retail", "USD");
  for (int i = 0; i < 40'000; ++i) {
    Rate rate;
    rate.prefix = std::to_string(10'000'000 + 3 * i);
    rate.area = "Destination number " + std::to_string(i % 9'000);
    rate.price = Amount::from_units(i);
    REQUIRE(builder.add(std::move(rate)).ok());
  }
  const RateDeck deck = builder.build().value();
  const auto again = read(image_of(deck));
  REQUIRE(again.ok());
  CHECK(rating::have_equal_rates(*again, deck));
}

TEST_CASE("deck image: no byte can be another one") {
  const std::string image = image_of(small_deck());
  REQUIRE(read(image).ok());
  for (std::size_t at = 0; at < image.size(); ++at) {
    for (const int bits : {0x01, 0x80, 0xFF}) {
      std::string other = image;
      other[at] = static_cast<char>(other[at] ^ bits);
      CAPTURE(at);
      CHECK_FALSE(read(other).ok());
    }
  }
}

TEST_CASE("deck image: no end can be missing and nothing can follow") {
  const std::string image = image_of(small_deck());
  for (std::size_t size = 0; size < image.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(read(image.substr(0, size)).ok());
    if (size >= 16) CHECK_FALSE(read(repaired(image.substr(0, size))).ok());
  }
  CHECK_FALSE(read(image + '\0').ok());
  CHECK_FALSE(read(repaired(image + '\0')).ok());
}

TEST_CASE("deck image: whatever has a check value is refused or makes valid rates in order") {
  const std::string image = image_of(small_deck());
  std::size_t taken = 0, refused = 0;
  for (std::size_t at = 16; at < image.size(); ++at) {
    for (const int bits : {0x01, 0x02, 0x10, 0x80, 0xFF}) {
      std::string other = image;
      other[at] = static_cast<char>(other[at] ^ bits);
      CAPTURE(at);
      const auto deck = read(repaired(other));
      ++(deck ? taken : refused);
      if (!deck) continue;
      REQUIRE(at >= 160);  // the head says one thing only
      for (std::size_t i = 0; i < deck->size(); ++i)
        CHECK(check_rate(deck->at(i)).ok());
      CHECK(rating::have_equal_rates(read(image_of(*deck)).value(), *deck));
    }
  }
  CHECK(taken > 0);  // prices and names are what they are
  CHECK(refused > 100);
}

TEST_CASE("deck image: one of other rates, another form or another release is not taken") {
  const std::string image = image_of(small_deck());
  CHECK(read(image, std::string(64, 'b')).error().code == ErrorCode::corrupt);
  std::string other = image;
  other[8] = 2;
  CHECK(read(repaired(other)).error().code == ErrorCode::unsupported);
  other = image;
  other[72] = '9';
  CHECK(read(repaired(other)).error().code == ErrorCode::unsupported);
}

TEST_CASE("deck image: what the text form cannot hold has no image") {
  RateDeck::Builder builder("retail", "USD");
  Rate rate;
  rate.area = "\xFF";
  REQUIRE(builder.add(rate).ok());
  const RateDeck deck = builder.build().value();
  const auto written = rating::write_deck_image(
      deck, digest, [](std::uint64_t, std::string_view) -> Result<void> { return {}; });
  CHECK(written.error().code == ErrorCode::invalid_argument);
  CHECK_FALSE(parse_deck_csv(to_csv(deck), "stored").ok());
}

TEST_CASE("deck image: the failure of a sink ends the writing, whichever piece it is") {
  const RateDeck deck = small_deck();
  for (int n = 1;; ++n) {
    int calls = 0;
    const auto written = rating::write_deck_image(
        deck, digest, [&](std::uint64_t, std::string_view) -> Result<void> {
          if (++calls == n) return Error{ErrorCode::limit, "disk was full"};
          return {};
        });
    if (written) {
      CHECK(n > 2);
      break;
    }
    CHECK(written.error().code == ErrorCode::limit);
    CHECK(calls == n);
  }
}
