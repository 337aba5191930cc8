// Packages over simulated years against a simulation that goes day by day and knows no periods.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tandem/packages.hpp"

using namespace tandem;

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t day_us = 86'400 * second_us;

/// A calendar by counting: nothing of it is shared with the library.
struct Day {
  int year = 2026, month = 1, day = 1;

  [[nodiscard]] int days_of_month() const {
    const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    const int days[] = {31, is_leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1];
  }
  void next() {
    if (++day <= days_of_month()) return;
    day = 1;
    if (++month <= 12) return;
    month = 1;
    ++year;
  }
};

struct Case {
  Package package;
  PackageOrder order;
  int first_offset = 0;  // of the order's first day, from 2026-01-01
};

/// Whether a period of the order begins on a day, judged from scratch each day.
bool begins(const Case& c, const Day& first, const Day& today, int days_since_first) {
  if (days_since_first < 0) return false;
  if (days_since_first == 0) return true;
  const auto length = static_cast<int>(c.package.rent_period);
  if (c.package.rent_type == RentType::day) return days_since_first % length == 0;
  const int months = (today.year - first.year) * 12 + today.month - first.month;
  const int step = c.package.rent_type == RentType::year ? 12 * length : length;
  if (c.package.nonholonomic_order)
    return today.day == 1 && (today.year * 12 + today.month - 1) % step == 0;
  return months % step == 0 && today.day == std::min(first.day, today.days_of_month());
}

class Host final : public PackageHost {
 public:
  Result<bool> take(const PackageDue& due) override {
    ++asked;
    if (keys.contains(due.key)) return true;
    if (due.must_be_covered && balance_units < due.amount.units()) return false;
    keys[due.key] = due.amount.units();
    balance_units -= due.amount.units();
    return true;
  }
  Result<void> keep(const PackageChange& change) override {
    kept[change.order.order] = change;
    return {};
  }
  std::int64_t balance_units = 0;
  int asked = 0;
  std::map<std::string, std::int64_t> keys;
  std::map<std::string, PackageChange> kept;
};

}  // namespace

TEST_CASE("Packages: four years equal a count day by day, whatever restarts (B-20..B-23)") {
  SeededRandom random(2023);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return low +
           static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
  };
  for (int round = 0; round < 120; ++round) {
    CAPTURE(round);
    Case c;
    c.package.id = "p";
    c.package.rent_type = static_cast<RentType>(random.below(3));
    c.package.rent_period = c.package.rent_type == RentType::day ? pick(1, 45) : pick(1, 5);
    if (c.package.rent_type == RentType::year) c.package.rent_period = pick(1, 2);
    c.package.nonholonomic_order = c.package.rent_type != RentType::day && random.below(2) == 0;
    c.package.rent_fee = Amount::from_units(pick(0, 1'000) * 1'000'003);
    c.package.min_consumption = Amount::from_units(pick(0, 1) * pick(1, 500) * 1'000'000);
    PackageGift gift;
    gift.seconds = pick(0, 5'000);
    gift.cycle_s = static_cast<std::int32_t>(pick(1, 60));
    c.package.gift_times = {gift};
    c.order.id = "o";
    c.order.package = "p";
    c.order.account = "acme";
    c.order.rent_percent = static_cast<std::int32_t>(pick(0, 200));
    c.order.failed_process_mode = static_cast<RentFailure>(
        c.package.rent_type == RentType::year ? 2 * random.below(2) : random.below(3));
    c.first_offset = static_cast<int>(pick(0, 500));
    const std::int64_t begin_us = 1'767'225'600 * second_us;  // 2026-01-01
    c.order.available_day = begin_us / day_us + c.first_offset;

    Host host;
    host.balance_units = pick(0, 40) * 1'000'000'000;
    auto book = std::make_unique<PackageBook>();
    REQUIRE(book->provision({c.package}, {c.order}).ok());

    // What the count knows.
    std::int64_t balance = host.balance_units, spend = 0, gift_left = 0, gift_given = 0;
    bool is_open = false, is_over = false, waits_for_money = false, had_one = false;
    PackageUse used;
    Day today;
    Day first;
    for (int i = 0; i < c.first_offset; ++i)
      first.next();
    int rents = 0;
    for (int offset = 0; offset < 4 * 365 + 1; ++offset, today.next()) {
      const std::int64_t now_us = begin_us + offset * day_us;
      const int since_first = offset - c.first_offset;
      const bool is_begin = begins(c, first, today, since_first);
      if (is_begin && is_open) {
        balance -= std::max<std::int64_t>(0, c.package.min_consumption.units() - spend);
        is_open = false;
      }
      const bool tries = is_begin && !is_over && !waits_for_money;
      const auto try_rent = [&] {
        // Days of the whole period and those that are left of it, counted one after the other.
        int whole = 0, left = 0;
        if (!had_one && c.package.nonholonomic_order) {
          Day scan = today;
          for (int k = since_first;;) {
            ++left;
            scan.next();
            ++k;
            if (scan.day == 1 && begins(c, first, scan, std::max(k, 1))) break;
          }
          Day back{scan.year, scan.month, 1};
          const int step = static_cast<int>(c.package.rent_period) *
                           (c.package.rent_type == RentType::year ? 12 : 1);
          for (int k = 0; k < step; ++k) {
            if (--back.month == 0) {
              back.month = 12;
              --back.year;
            }
            whole += back.days_of_month();
          }
        } else {
          whole = left = 1;
        }
        __extension__ using Wide = __int128;
        const Wide product = Wide{c.package.rent_fee.units()} * c.order.rent_percent * left;
        const Wide divisor = Wide{100} * whole;
        const auto rent = static_cast<std::int64_t>((2 * product + divisor) / (2 * divisor));
        if (balance < rent && rent > 0) {
          waits_for_money = c.order.failed_process_mode == RentFailure::await_recharge;
          is_over = c.order.failed_process_mode == RentFailure::end_order;
          return;
        }
        balance -= rent;
        ++rents;
        is_open = had_one = true;
        waits_for_money = false;
        spend = 0;
        used = {};
        gift_given = gift_left = gift.seconds * left / whole;
      };
      if (tries) try_rent();
      REQUIRE(book->advance(now_us, host).ok());
      CHECK(host.balance_units == balance);

      if (random.below(20) == 0) {  // somebody pays
        const std::int64_t paid = pick(1, 30) * 1'000'000'000;
        balance += paid;
        host.balance_units += paid;
        if (waits_for_money) try_rent();
        REQUIRE(book->recharge("acme", now_us + 3'600 * second_us, host).ok());
        CHECK(host.balance_units == balance);
      }
      const auto periods = book->current("acme");
      REQUIRE(periods.size() == (is_open ? 1 : 0));
      if (is_open) {
        CHECK(periods[0].gifts[0].terms.seconds == gift_given);
        CHECK(gift_given - periods[0].gifts[0].used_s == gift_left);
        CHECK(periods[0].consumption.units() == spend);
      }
      if (random.below(4) == 0) {  // somebody calls: a unit a second beyond the gift
        const std::int64_t talked_s = pick(1, 200);
        PackageHold hold = book->open_call(book->find("acme"), "44", now_us);
        hold.cover(talked_s);
        Rate rate;
        rate.price = Amount::from_units(1'000'000);
        rate.per_s = 1;
        auto charged = rate_with_packages(rate, talked_s * 1000, {}, hold.loan());
        REQUIRE(charged.ok());
        const std::int64_t cycles = is_open ? std::min((talked_s + gift.cycle_s - 1) / gift.cycle_s,
                                                       gift_left / gift.cycle_s)
                                            : 0;
        const std::int64_t covered_s = std::min(talked_s, cycles * gift.cycle_s);
        const std::int64_t charge = (talked_s - covered_s) * 1'000'000;
        CHECK(charged->charge.charge.units() == charge);
        const PackageUse one = hold.settle(std::move(charged->use), charged->charge.charge);
        used.parts.insert(used.parts.end(), one.parts.begin(), one.parts.end());
        gift_left -= cycles * gift.cycle_s;
        spend += is_open ? charge : 0;
        balance -= charge;
        host.balance_units -= charge;
      }
      if (random.below(50) == 0 && host.kept.contains("o")) {  // the process dies
        book = std::make_unique<PackageBook>();
        REQUIRE(book->provision({c.package}, {c.order}).ok());
        REQUIRE(book->restore(parse_package_change(to_json(host.kept.at("o"))).value(), used).ok());
        // What waits for money is tried at once.
        if (waits_for_money) try_rent();
        REQUIRE(book->advance(now_us + 3'601 * second_us, host).ok());
        CHECK(host.balance_units == balance);
      }
    }
    CHECK(std::count_if(host.keys.begin(), host.keys.end(), [](const auto& key) {
            return key.first.ends_with("/rent");
          }) == (c.package.rent_fee.is_zero() || c.order.rent_percent == 0 ? 0 : rents));
  }
}
