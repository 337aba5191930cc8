#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "cdr/cdr_sqlite.hpp"
#include "cdr/ledger_sqlite.hpp"
#include "ledger_feed.hpp"
#include "temporary_folder.hpp"

using namespace tandem;
using namespace tandem::cdr;
using namespace tandem::cdr::test;

TEST_CASE("Ledger: each movement is one entry with the balance after it, newest first (B-03)") {
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  REQUIRE(ledger->create_account_if_absent("acme", units(1'000), 5).value());
  REQUIRE_FALSE(ledger->create_account_if_absent("acme", units(9), 6).value());
  Feed feed;
  const auto call = feed.end(charged("acme", 300, "v", 200));
  feed.end(charged("acme", 0, "v", 0));  // moves nothing
  const auto rent = feed.pay({"acme", units(-100), "may", "tandem:rent:1", 7,
                              LedgerKind::package_rent, "order-1", units(600)});
  feed.give(*ledger);

  const auto entries = all_of(*ledger, "acme");
  REQUIRE(entries.size() == 3);
  CHECK(entries[0] ==
        LedgerEntry{-1, "acme", LedgerKind::opening, units(1'000), units(1'000), 5, "", "", ""});
  CHECK(entries[1] == LedgerEntry{static_cast<std::int64_t>(call * 8 + 1), "acme",
                                  LedgerKind::charge, units(-300), units(700),
                                  charged("", 0, "", 0).ended_at_us, std::to_string(call), "", ""});
  CHECK(entries[2] == LedgerEntry{static_cast<std::int64_t>(rent * 8), "acme",
                                  LedgerKind::package_rent, units(-100), units(600), 7, "order-1",
                                  "may", "tandem:rent:1"});
  const auto vendor = all_of(*ledger, "v");
  REQUIRE(vendor.size() == 1);
  CHECK(vendor[0].kind == LedgerKind::vendor_charge);
  CHECK(vendor[0].balance == units(-200));
  CHECK(to_json(entries[2]) ==
        "{\"id\":24,\"account\":\"acme\",\"kind\":\"package_rent\",\"amount\":\"-0.000001\","
        "\"balance\":\"0.000006\",\"at_us\":7,\"reference\":\"order-1\",\"memo\":\"may\","
        "\"idempotency_key\":\"tandem:rent:1\"}");

  LedgerQuery query;
  query.account = "acme";
  query.limit = 1;
  CHECK(ledger->entries(query).value().at(0).id == entries[2].id);
  query.before_id = entries[2].id;
  CHECK(ledger->entries(query).value().at(0).id == entries[1].id);
  query = {};
  query.account = "acme";
  query.since_us = 5;
  query.until_us = 7;
  CHECK(ledger->entries(query).value().size() == 1);
  query.limit = 0;
  CHECK(ledger->entries(query).error().code == ErrorCode::invalid_argument);
  CHECK(ledger->entries({}).error().code == ErrorCode::invalid_argument);
}

TEST_CASE(
    "Ledger: a key moves money once, in one batch, in later ones and after a restart (B-03)") {
  TemporaryFolder folder;
  Feed feed;
  const auto pay = [&](std::int64_t amount, const std::string& key) {
    return feed.pay({"acme", units(amount), "", key, 1, LedgerKind::payment, "", units(11)});
  };
  for (int run = 0; run < 3; ++run) {
    auto ledger = Ledger::open(folder / "switch.db").value();
    pay(5, "");
    pay(7, "once");
    pay(7, "once");
    feed.give_and_forget(*ledger);
    pay(7, "once");
    pay(5, "");
    feed.give_and_forget(*ledger);
    CHECK(ledger->balance("acme").value() == units(7 + 10 * (run + 1)));
    const auto booked = ledger->booking("once").value();
    REQUIRE(booked);
    CHECK(booked->entry.id == 2 * 8);
    CHECK(booked->answered == units(11));
    CHECK_FALSE(ledger->booking("never").value());
  }
}

TEST_CASE("Ledger: of any history each balance is the sum of its entries, whatever the batches") {
  SeededRandom random(3);
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  std::map<std::string, std::int64_t> expected;
  Feed feed;
  for (int round = 0; round < 40; ++round) {
    const std::string opened = "a" + std::to_string(random.below(12));
    const auto opening = static_cast<std::int64_t>(random.below(1'000));
    if (ledger->create_account_if_absent(opened, units(opening)).value())
      expected[opened] += opening;
    for (std::uint64_t n = random.below(60); n > 0; --n) {
      const std::string account = "a" + std::to_string(random.below(12));
      const auto amount = static_cast<std::int64_t>(random.below(1'000));
      if (random.below(3) == 0) {
        feed.pay({account, units(amount - 500), "", "", 1, LedgerKind::correction, "r", {}});
        expected[account] += amount - 500;
      } else {
        feed.end(charged(account, amount, "v", amount / 2));
        expected[account] -= amount;
        expected["v"] -= amount / 2;
      }
    }
    feed.give_and_forget(*ledger);
  }
  for (const auto& [account, balance] : expected) {
    std::int64_t sum = 0;
    for (const LedgerEntry& entry : all_of(*ledger, account)) {
      sum += entry.amount.units();
      CHECK(entry.balance.units() == sum);
    }
    CHECK(sum == balance);
    if (ledger->balance(account).value()) CHECK(ledger->balance(account).value() == units(balance));
  }
  const auto check = ledger->check({}).value();
  CHECK(check.ok());
  CHECK(check.accounts == ledger->balances().value().size());
}

TEST_CASE("Ledger: a database of before there were entries begins with its balances") {
  TemporaryFolder folder;
  {
    auto old = store::Connection::open(folder / "switch.db").value();
    REQUIRE(old.execute(R"sql(
      CREATE TABLE accounts(id TEXT PRIMARY KEY NOT NULL, balance_units INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE payments(sequence INTEGER PRIMARY KEY, idempotency_id TEXT UNIQUE,
        account TEXT NOT NULL, amount_units INTEGER NOT NULL, memo TEXT NOT NULL, at_us INTEGER NOT NULL);
      CREATE INDEX payments_by_account ON payments(account, sequence);
      CREATE TABLE ledger_position(one INTEGER PRIMARY KEY CHECK(one = 1), sequence INTEGER NOT NULL);
      INSERT INTO ledger_position VALUES(1, 40);
      INSERT INTO accounts VALUES('acme', 700), ('v', -30);
      INSERT INTO payments VALUES(9, NULL, 'acme', 5, 'cash', 1);
      CREATE TABLE schema_migrations(component TEXT NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY(component, number)) WITHOUT ROWID;
      INSERT INTO schema_migrations VALUES('ledger', 1);
    )sql")
                .ok());
  }
  auto ledger = Ledger::open(folder / "switch.db").value();
  CHECK(ledger->position().value() == 40);
  CHECK(all_of(*ledger, "acme").at(0).balance == units(700));
  CHECK(all_of(*ledger, "v").at(0).kind == LedgerKind::opening);
  Feed feed;
  feed.sequence = 40;
  feed.end(charged("acme", 100, "v", 20));
  feed.give(*ledger);
  CHECK(all_of(*ledger, "acme").at(1).balance == units(600));
  CHECK(ledger->check({}).value().ok());
  CHECK(ledger->create_account_if_absent("new", units(1)).value());
  CHECK(all_of(*ledger, "new").at(0).id == -3);
}

TEST_CASE("Ledger: its entries can neither be changed nor taken out") {
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  REQUIRE(ledger->create_account_if_absent("acme", units(1)).ok());
  auto other = store::Connection::open(folder / "switch.db").value();
  CHECK_FALSE(other.execute("UPDATE ledger SET amount_units = 2").ok());
  CHECK_FALSE(other.execute("DELETE FROM ledger").ok());
}

TEST_CASE("Ledger: the check names each entry and each call that does not add up") {
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  auto sink = SqliteSink::open(folder / "days").value();
  Feed feed;
  REQUIRE(ledger->create_account_if_absent("acme", units(1'000)).ok());
  for (int i = 0; i < 5; ++i)
    feed.end(charged("acme", 10, "v", 5));
  feed.give(*ledger);
  const auto check = [&] {
    return check_stored_ledger(folder / "switch.db", {folder / "days", folder / "absent"}).value();
  };
  CHECK(check().ok());  // the sink has nothing yet: nothing is compared
  CHECK(check().records == 0);
  feed.give(*sink);
  CHECK(check().ok());
  CHECK(check().records == 5);
  CHECK(check().entries == 11);
  CHECK(check().accounts == 2);
  CHECK(
      to_json(check()) ==
      "{\"ok\":true,\"accounts\":2,\"entries\":11,\"records\":5,\"corrections\":0,\"different\":0,"
      "\"differences\":[]}");

  auto main = store::Connection::open(folder / "switch.db").value();
  auto day = store::Connection::open(folder / "days/cdr-20261125.db").value();
  REQUIRE(main.execute(
                  "DROP TRIGGER ledger_never_changes; DROP TRIGGER ledger_shrinks_by_carrying_only")
              .ok());
  const auto finds = [&](store::Connection& connection, const std::string& harm,
                         const std::string& mend, std::uint64_t record_id, std::int64_t entry) {
    CAPTURE(harm);
    REQUIRE(connection.execute(harm).ok());
    const auto found = check();
    CHECK(found.different > 0);
    CHECK(std::any_of(found.differences.begin(), found.differences.end(), [&](const auto& each) {
      return each.record_id == record_id && each.entry == entry;
    }));
    REQUIRE(connection.execute(mend).ok());
    CHECK(check().ok());
  };
  finds(main, "UPDATE accounts SET balance_units = balance_units + 1 WHERE id = 'acme'",
        "UPDATE accounts SET balance_units = balance_units - 1 WHERE id = 'acme'", 0, 0);
  finds(main, "UPDATE ledger SET balance_units = 7 WHERE id = 17",
        "UPDATE ledger SET balance_units = 980 WHERE id = 17", 0, 17);
  finds(main, "INSERT INTO accounts VALUES('ghost', 5)", "DELETE FROM accounts WHERE id = 'ghost'",
        0, 0);
  finds(main, "UPDATE ledger SET account = 'v' WHERE id = 25",
        "UPDATE ledger SET account = 'acme' WHERE id = 25", 3, 25);
  finds(day, "UPDATE cdr SET charge_units = 11 WHERE record_id = 2",
        "UPDATE cdr SET charge_units = 10 WHERE record_id = 2", 2, 17);
  finds(day, "UPDATE cdr SET vendor_charge_units = 6 WHERE record_id = 3",
        "UPDATE cdr SET vendor_charge_units = 5", 3, 26);
  finds(day, "UPDATE cdr SET vendor_charge_units = 0 WHERE record_id = 2",
        "UPDATE cdr SET vendor_charge_units = 5", 2, 18);
  REQUIRE(day.execute("CREATE TABLE kept AS SELECT * FROM cdr").ok());
  finds(day, "DELETE FROM cdr WHERE record_id = 4",
        "INSERT INTO cdr SELECT * FROM kept WHERE record_id = 4", 4, 34);
  REQUIRE(main.execute("CREATE TABLE kept AS SELECT * FROM ledger").ok());
  finds(
      main,
      "DELETE FROM ledger WHERE id = 41; UPDATE accounts SET balance_units = 960 WHERE id = 'acme'",
      "INSERT INTO ledger SELECT * FROM kept WHERE id = 41; "
      "UPDATE accounts SET balance_units = 950 WHERE id = 'acme'",
      5, 41);
}
