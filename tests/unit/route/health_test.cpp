// Retry-After and OPTIONS checks of vendor addresses.
#include <doctest/doctest.h>

#include "route/by_id.hpp"
#include "route/health.hpp"

using namespace tandem;
using namespace tandem::route;

namespace {

SocketAddress at(std::string_view text) { return SocketAddress::parse(text, 5060).value(); }

constexpr std::int64_t second_us = 1'000'000;

/// 0, 1, 2, ...
class Counting final : public Random {
 public:
  std::uint64_t next() noexcept override { return count_++; }

 private:
  std::uint64_t count_ = 0;
};

}  // namespace

TEST_CASE("Address health: Retry-After keeps an address out for its seconds and no longer (R-16)") {
  AddressHealth health(at("192.0.2.1"));
  CHECK(health.is_usable(0));
  health.close_for(5, 100 * second_us);
  CHECK(health.closed_us(100 * second_us) == 5 * second_us);
  CHECK_FALSE(health.is_usable(105 * second_us - 1));
  CHECK(health.is_usable(105 * second_us));
  CHECK(health.closed_us(200 * second_us) == 0);
}

TEST_CASE("Address health: a longer Retry-After wins and more than an hour counts as one (R-16)") {
  AddressHealth health(at("192.0.2.1"));
  health.close_for(60, 0);
  health.close_for(5, second_us);  // its response was on the way for long
  CHECK(health.closed_us(second_us) == 59 * second_us);
  health.close_for(100'000, 0);
  CHECK(health.closed_us(0) == 3'600 * second_us);
  health.close_for(-1, 0);
  CHECK(health.closed_us(0) == 3'600 * second_us);
}

TEST_CASE(
    "Address health: two failed checks in a row take it out, one answer brings it back (R-17)") {
  AddressHealth health(at("192.0.2.1"));
  CHECK_FALSE(health.note_probe(false));
  CHECK(health.is_up());
  CHECK_FALSE(health.note_probe(true));  // not in a row
  CHECK_FALSE(health.note_probe(false));
  CHECK(health.note_probe(false));
  CHECK_FALSE(health.is_up());
  CHECK_FALSE(health.is_usable(0));
  CHECK_FALSE(health.note_probe(false));
  CHECK(health.note_probe(true));
  CHECK(health.is_up());
  CHECK_FALSE(health.note_probe(false));  // and again two are needed
  CHECK(health.is_up());
  health.note_probe(false);
  health.forget_probes();
  CHECK(health.is_up());
}

TEST_CASE("Address health: the first usable address is taken, in the order of the list (R-17)") {
  const GatewayAddresses addresses = {std::make_shared<AddressHealth>(at("192.0.2.1")),
                                      std::make_shared<AddressHealth>(at("192.0.2.2"))};
  CHECK(first_usable(addresses, 0) == addresses[0].get());
  addresses[0]->close_for(1, 0);
  CHECK(first_usable(addresses, 0) == addresses[1].get());
  addresses[1]->note_probe(false);
  addresses[1]->note_probe(false);
  CHECK(first_usable(addresses, 0) == nullptr);
  CHECK(first_usable(addresses, second_us) == addresses[0].get());
  CHECK(first_usable({}, 0) == nullptr);
}

TEST_CASE("Address health: an address keeps its state as long as a table names it (R-16)") {
  ById<AddressHealth> book;
  const auto entry = [&](std::string_view gateway, std::string_view address) {
    return book.of(health_id(gateway, at(address)), at(address));
  };
  auto first = entry("v1", "192.0.2.1");
  first->close_for(60, 0);
  CHECK(entry("v1", "192.0.2.1") == first);
  CHECK(entry("v2", "192.0.2.1") != first);
  CHECK(entry("v1", "192.0.2.1:5070") != first);
  CHECK(book.forget_unused() == 2);
  first.reset();
  CHECK(book.forget_unused() == 1);
  CHECK(entry("v1", "192.0.2.1")->is_usable(0));
}

TEST_CASE("Address health: what a place wants kept back holds for its time, the newest first") {
  AddressHealth health(at("192.0.2.1"));
  CHECK(health.loss_percent(0) == 0);
  Counting random;
  CHECK_FALSE(health.sheds(random, 0));
  health.note_loss(30, 2 * second_us, 10, 0);
  CHECK(health.loss_percent(0) == 30);
  CHECK(health.is_usable(0));  // the others go there
  int shed = 0;
  for (int i = 0; i < 1'000; ++i)
    shed += health.sheds(random, second_us) ? 1 : 0;
  CHECK(shed == 300);
  health.note_loss(90, second_us, 9, second_us);  // responses cross
  CHECK(health.loss_percent(second_us) == 30);
  CHECK(health.loss_percent(2 * second_us) == 0);
  // When nothing holds any more, one that counts anew is believed.
  health.note_loss(40, second_us, 1, 3 * second_us);
  CHECK(health.loss_percent(3 * second_us) == 40);
  health.note_loss(0, 0, 2, 3 * second_us);
  CHECK(health.loss_percent(3 * second_us) == 0);
  health.note_loss(1'000, second_us, 3, 3 * second_us);
  CHECK(health.loss_percent(3 * second_us) == 100);
}

TEST_CASE("Address health: what one address keeps back another one of the gateway takes") {
  const GatewayAddresses addresses = {std::make_shared<AddressHealth>(at("192.0.2.1")),
                                      std::make_shared<AddressHealth>(at("192.0.2.2")),
                                      std::make_shared<AddressHealth>(at("192.0.2.3"))};
  Counting random;
  CHECK(first_bearing(addresses, random, 0) == addresses[0].get());
  addresses[0]->note_loss(100, second_us, 1, 0);
  CHECK(first_bearing(addresses, random, 0) == addresses[1].get());
  addresses[1]->close_for(1, 0);
  CHECK(first_bearing(addresses, random, 0) == addresses[2].get());
  addresses[2]->note_loss(100, second_us, 1, 0);
  CHECK(first_bearing(addresses, random, 0) == nullptr);
  CHECK(first_bearing(addresses, random, second_us) == addresses[0].get());
}
