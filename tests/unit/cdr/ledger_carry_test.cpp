// Old entries of the ledger are carried forward into openings.
#include <doctest/doctest.h>

#include <map>

#include "cdr/cdr_sqlite.hpp"
#include "ledger_feed.hpp"
#include "store/sqlite.hpp"
#include "temporary_folder.hpp"

using namespace tandem;
using namespace tandem::cdr;
using namespace tandem::cdr::test;

namespace {

/// A call that ended at `at_us`.
Cdr charged_at(std::int64_t at_us, const std::string& account, std::int64_t charge) {
  Cdr cdr = charged(account, charge, "v", charge / 2);
  cdr.ended_at_us = at_us;
  return cdr;
}

PaymentRecord payment(std::int64_t at_us, std::int64_t amount, const std::string& key) {
  return {"acme", units(amount), "memo", key, at_us, LedgerKind::payment, "ref", units(77)};
}

}  // namespace

TEST_CASE("Ledger: what is carried forward leaves one opening, and all still adds up (B-03)") {
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  REQUIRE(ledger->create_account_if_absent("acme", units(1'000), 1).value());
  REQUIRE(ledger->create_account_if_absent("idle", units(5), 1).value());
  Feed feed;
  for (std::int64_t at = 10; at <= 60; at += 10)
    feed.end(charged_at(at, "acme", 100));
  feed.give_and_forget(*ledger);
  CHECK(ledger->carry_forward(10, 1'000).value() == 0);
  CHECK(all_of(*ledger, "acme").size() == 7);
  CHECK(ledger->carry_forward(40, 1'000).value() == 6);

  const auto left = all_of(*ledger, "acme");
  REQUIRE(left.size() == 4);
  CHECK(left[0].kind == LedgerKind::opening);
  CHECK(left[0].amount == units(700));
  CHECK(left[0].balance == units(700));
  CHECK(left[0].at_us == 30);
  CHECK(left[1].at_us == 40);
  CHECK(left[1].balance == units(600));
  CHECK(ledger->balance("acme").value() == units(400));
  CHECK(all_of(*ledger, "v").at(0).amount == units(-150));
  CHECK(all_of(*ledger, "idle").size() == 1);
  CHECK(ledger->check({}).value().ok());
  CHECK(ledger->carry_forward(40, 1'000).value() == 0);
  // An opening takes the place of the one before it.
  CHECK(ledger->carry_forward(1'000, 1'000).value() == 6);
  CHECK(all_of(*ledger, "acme").size() == 1);
  CHECK(all_of(*ledger, "acme")[0].amount == units(400));
  CHECK(ledger->check({}).value().ok());
  // And what comes then goes on from there.
  feed.end(charged_at(2'000, "acme", 1));
  feed.give_and_forget(*ledger);
  CHECK(all_of(*ledger, "acme").back().balance == units(399));
  CHECK(ledger->check({}).value().ok());
}

TEST_CASE("Ledger: who else writes the file is not waited for, and nothing is lost by it (B-03)") {
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  Feed feed;
  for (std::int64_t at = 10; at <= 30; at += 10)
    feed.end(charged_at(at, "acme", 100));
  feed.give_and_forget(*ledger);
  auto other = store::Connection::open(folder / "switch.db").value();
  {
    auto import = store::Transaction::begin(other);
    REQUIRE(import.ok());
    CHECK(ledger->carry_forward(40, 1'000).error().code == ErrorCode::io);
    CHECK(ledger->keep_retention_time(1).error().code == ErrorCode::io);
  }
  CHECK(all_of(*ledger, "acme").size() == 3);
  CHECK(ledger->carry_forward(40, 1'000).value() == 6);
  CHECK(ledger->keep_retention_time(1).ok());
  CHECK(ledger->balance("acme").value() == units(-300));
  CHECK(ledger->check({}).value().ok());
}

TEST_CASE("Ledger: keys of bookings whose entries were carried forward are known for ever (B-03)") {
  TemporaryFolder folder;
  Feed feed;
  for (int run = 0; run < 2; ++run) {
    auto ledger = Ledger::open(folder / "switch.db").value();
    feed.pay(payment(10, 7, "once"));
    feed.give_and_forget(*ledger);
    CHECK(ledger->balance("acme").value() == units(7));
    CHECK(ledger->carry_forward(1'000, 1'000).value() == (run == 0 ? 1 : 0));
    const auto booked = ledger->booking("once").value();
    REQUIRE(booked);
    CHECK(booked->entry == LedgerEntry{8, "acme", LedgerKind::payment, units(7), units(7), 10,
                                       "ref", "memo", "once"});
    CHECK(booked->answered == units(77));
    CHECK_FALSE(ledger->booking("never").value());
  }
}

TEST_CASE("Ledger: carried in any parts, each account's openings and entries are its balance") {
  SeededRandom random(11);
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  Feed feed;
  std::map<std::string, std::int64_t> expected;
  std::int64_t now = 100;
  std::size_t carried = 0, given = 0;
  for (int round = 0; round < 60; ++round) {
    const std::string account = "a" + std::to_string(random.below(6));
    if (ledger->create_account_if_absent(account, units(500), now).value())
      expected[account] += 500;
    for (std::uint64_t n = random.below(20); n > 0; --n) {
      const auto charge = static_cast<std::int64_t>(2 + random.below(100));
      feed.end(charged_at(now += 1, account, charge));
      expected[account] -= charge;
      expected["v"] -= charge / 2;
      given += 2;
    }
    feed.give_and_forget(*ledger);
    const auto step = ledger->carry_forward(now - 30, 1 + random.below(15)).value();
    carried += step;
    CHECK(step <= 17);  // the rest of the last record comes with it
    REQUIRE(ledger->check({}).value().ok());
  }
  CHECK(carried > given / 4);
  for (const auto& [account, balance] : expected)
    CHECK(ledger->balance(account).value().value_or(units(0)) == units(balance));
  std::size_t left = 0;
  for (const auto& [account, balance] : expected)
    for (const LedgerEntry& entry : all_of(*ledger, account))
      left += entry.id > 0;
  CHECK(left + carried == given);
}

TEST_CASE("Ledger: entries that do not add up are not carried forward") {
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  REQUIRE(ledger->create_account_if_absent("acme", units(1'000), 1).value());
  Feed feed;
  for (std::int64_t at = 10; at <= 30; at += 10)
    feed.end(charged_at(at, "acme", 100));
  feed.give_and_forget(*ledger);
  auto main = store::Connection::open(folder / "switch.db").value();
  REQUIRE(main.execute("DROP TRIGGER ledger_never_changes; "
                       "UPDATE ledger SET amount_units = -99 WHERE id = 17")
              .ok());
  const auto refused = ledger->carry_forward(1'000, 1'000);
  CHECK(refused.error().code == ErrorCode::corrupt);
  CHECK(refused.error().message.find("entry 17") != std::string::npos);
  CHECK(all_of(*ledger, "acme").size() == 4);
}

TEST_CASE("Ledger: the check compares what was not carried forward with the calls, and no more") {
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  auto sink = SqliteSink::open(folder / "days").value();
  REQUIRE(ledger->create_account_if_absent("acme", units(1'000), 1).value());
  Feed feed;
  std::int64_t at_us = charged("", 0, "", 0).ended_at_us;
  for (int i = 0; i < 6; ++i)
    feed.end(charged_at(at_us + i, "acme", 10));
  feed.give(*ledger);
  feed.give(*sink);
  const auto check = [&] {
    return check_stored_ledger(folder / "switch.db", {folder / "days"}).value();
  };
  CHECK(check().records == 6);
  REQUIRE(ledger->carry_forward(at_us + 4, 1'000).value() == 8);
  CHECK(check().ok());
  CHECK(check().records == 2);
  auto main = store::Connection::open(folder / "switch.db").value();
  CHECK_FALSE(main.execute("DELETE FROM ledger WHERE id > 0").ok());
  CHECK_FALSE(main.execute("DELETE FROM ledger WHERE id < 0").ok());
  // An opening that is not what its entries came to is found.
  REQUIRE(main.execute("DROP TRIGGER ledger_never_changes; UPDATE ledger SET amount_units = 961, "
                       "balance_units = 961 WHERE id < 0 AND account = 'acme'")
              .ok());
  CHECK_FALSE(check().ok());
}

TEST_CASE("Ledger: entries of a period are found by their time, in the order of their numbers") {
  SeededRandom random(5);
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  Feed feed;
  for (int i = 0; i < 200; ++i)
    feed.end(charged_at(static_cast<std::int64_t>(1 + random.below(100)), "acme", 1));
  feed.give_and_forget(*ledger);
  const auto all = all_of(*ledger, "acme");
  REQUIRE(all.size() == 200);
  for (int i = 0; i < 200; ++i) {
    LedgerQuery query;
    query.account = "acme";
    if (random.below(3) != 0) query.since_us = static_cast<std::int64_t>(random.below(110));
    if (random.below(3) != 0) query.until_us = static_cast<std::int64_t>(random.below(110));
    if (random.below(2) == 0) query.before_id = all[random.below(200)].id;
    query.limit = 1 + random.below(60);
    std::vector<LedgerEntry> expected;
    for (auto entry = all.rbegin(); entry != all.rend() && expected.size() < query.limit; ++entry) {
      if (query.since_us && entry->at_us < *query.since_us) continue;
      if (query.until_us && entry->at_us >= *query.until_us) continue;
      if (query.before_id && entry->id >= *query.before_id) continue;
      expected.push_back(*entry);
    }
    REQUIRE(ledger->entries(query).value() == expected);
  }
}

TEST_CASE("Ledger: a period far behind the newest entries is found, its pages and its end too") {
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  Feed feed;
  constexpr std::int64_t count = 3'000;  // more than are looked at from the newest one on
  for (std::int64_t at_us = 1; at_us <= count; ++at_us)
    feed.end(charged_at(at_us, "acme", 1));
  feed.give_and_forget(*ledger);
  LedgerQuery query;
  query.account = "acme";
  query.since_us = 101;
  query.until_us = 131;
  query.limit = 20;
  auto page = ledger->entries(query).value();
  REQUIRE(page.size() == 20);
  CHECK(page.front().at_us == 130);
  CHECK(page.back().at_us == 111);
  query.before_id = page.back().id;
  page = ledger->entries(query).value();
  REQUIRE(page.size() == 10);
  CHECK(page.front().at_us == 110);
  CHECK(page.back().at_us == 101);
  query.before_id = page.back().id;
  CHECK(ledger->entries(query).value().empty());
  query = {};
  query.account = "acme";
  query.since_us = 101;
  CHECK(ledger->entries(query).value().size() == 100);
}

TEST_CASE("Ledger: an entry of the future is told, because nothing behind it is carried forward") {
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  CHECK_FALSE(ledger->oldest_entry_us().value());
  CHECK(ledger->retention_time_us(77).value() == 77);  // nothing is there that could be lost
  Feed feed;
  feed.end(charged_at(9'000, "acme", 2));
  feed.end(charged_at(10, "acme", 2));
  feed.give_and_forget(*ledger);
  CHECK(ledger->carry_forward(1'000, 1'000).value() == 0);
  CHECK(ledger->oldest_entry_us().value() == 9'000);
  CHECK(ledger->retention_time_us(77).value() == 10);
  CHECK(ledger->retention_time_us(5).value() == 5);
  REQUIRE(ledger->keep_retention_time(50).ok());
  CHECK(ledger->retention_time_us(77).value() == 50);
}

TEST_CASE("Ledger: a database of before there was carrying is read and checked as it is") {
  TemporaryFolder folder;
  const std::string path = folder / "switch.db";
  Feed feed;
  {
    auto ledger = Ledger::open(path).value();
    for (std::int64_t at_us = 1; at_us <= 3'000; ++at_us)
      feed.end(charged_at(at_us, "acme", 1));
    feed.give_and_forget(*ledger);
  }
  auto main = store::Connection::open(path).value();
  REQUIRE(main.execute("DROP TRIGGER ledger_shrinks_by_carrying_only; DROP INDEX ledger_by_time; "
                       "ALTER TABLE ledger_position DROP COLUMN carried_before; "
                       "ALTER TABLE ledger_position DROP COLUMN retention_time_us")
              .ok());
  CHECK(check_stored_ledger(path, {}).value().ok());
  LedgerQuery query;
  query.account = "acme";
  query.since_us = 5;
  query.until_us = 15;
  CHECK(stored_entries(path, query).value().size() == 10);
}
