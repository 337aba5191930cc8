// Corrections in the ledger: what the check finds, and how records get them (B-25).
#include <doctest/doctest.h>

#include "cdr/cdr_sqlite.hpp"
#include "ledger_feed.hpp"
#include "temporary_folder.hpp"

using namespace tandem;
using namespace tandem::cdr;
using namespace tandem::cdr::test;

namespace {

CorrectedSide side_of(CallSide side, const std::string& account, std::int64_t before,
                      std::int64_t after) {
  CorrectedSide changed;
  changed.side = side;
  changed.account = account;
  changed.currency = "USD";
  changed.charge_before = units(before);
  changed.charge = units(after);
  changed.billed_before_s = changed.billed_time_s = 1;
  return changed;
}

std::uint64_t correct(Feed& feed, std::uint64_t record_id, std::vector<CorrectedSide> sides) {
  Correction correction;
  correction.record_id = record_id;
  correction.ended_at_us = charged("", 0, "", 0).ended_at_us;
  correction.at_us = correction.ended_at_us + 5;
  correction.sides = std::move(sides);
  correction.reason = "ticket";
  return feed.add(RecordType::correction, encode(correction));
}

}  // namespace

TEST_CASE("Ledger: the check joins corrections with their entries, each other and the calls") {
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  auto sink = SqliteSink::open(folder / "days").value();
  Feed feed;
  REQUIRE(ledger->create_account_if_absent("acme", units(1'000)).ok());
  for (int i = 0; i < 3; ++i)
    feed.end(charged("acme", 10, "v", 5));
  const CorrectedSide vendor = side_of(CallSide::vendor, "v", 5, 4);
  correct(feed, 2, {side_of(CallSide::customer, "acme", 10, 8), vendor});    // record 4
  correct(feed, 2, {side_of(CallSide::customer, "acme", 8, 8)});             // 5 moves nothing
  correct(feed, 2, {side_of(CallSide::customer, "acme", 8, 12)});            // 6
  feed.pay({"acme", units(3), "", "", 1, LedgerKind::correction, "r", {}});  // 7, by hand
  feed.give(*ledger);
  const auto check = [&] {
    return check_stored_ledger(folder / "switch.db", {folder / "days"}).value();
  };
  CHECK(check().ok());  // the sink has nothing yet
  feed.give(*sink);
  CHECK(check().ok());
  CHECK(check().corrections == 4);

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
    CHECK(std::any_of(found.differences.begin(), found.differences.end(), [&](const auto& each) {
      return each.record_id == record_id && each.entry == entry;
    }));
    REQUIRE(connection.execute(mend).ok());
    CHECK(check().ok());
  };
  const std::string set_side = "UPDATE correction_sides SET ";
  // A charge that its entry does not say, and that the next correction does not begin with.
  finds(main, set_side + "charge_units = 7 WHERE correction = 4 AND side = 1",
        set_side + "charge_units = 8 WHERE correction = 4 AND side = 1", 2, 4 * 8 + 1);
  finds(main, set_side + "charge_before_units = 7, charge_units = 7 WHERE correction = 5",
        set_side + "charge_before_units = 8, charge_units = 8 WHERE correction = 5", 2, 6 * 8 + 1);
  finds(main, set_side + "billed_before_s = 2 WHERE correction = 6",
        set_side + "billed_before_s = 1 WHERE correction = 6", 2, 6 * 8 + 1);
  finds(main, set_side + "account = 'w' WHERE correction = 4 AND side = 2",
        set_side + "account = 'v' WHERE correction = 4 AND side = 2", 2, 4 * 8 + 2);
  // One side of the two is gone.
  REQUIRE(main.execute("CREATE TABLE kept AS SELECT * FROM ledger; "
                       "CREATE TABLE kept_sides AS SELECT * FROM correction_sides")
              .ok());
  finds(main, "DELETE FROM ledger WHERE id = 34",
        "INSERT INTO ledger SELECT * FROM kept WHERE id = 34", 2, 4 * 8 + 2);
  finds(main, "DELETE FROM correction_sides WHERE correction = 6",
        "INSERT INTO correction_sides SELECT * FROM kept_sides WHERE correction = 6", 0, 6 * 8 + 1);
  // The first one begins with another charge than the record has.
  finds(day, "UPDATE cdr SET billed_time_s = 9 WHERE record_id = 2",
        "UPDATE cdr SET billed_time_s = 1 WHERE record_id = 2", 2, 4 * 8 + 1);
  finds(day, "UPDATE cdr SET vendor_charge_units = 6 WHERE record_id = 2",
        "UPDATE cdr SET vendor_charge_units = 5 WHERE record_id = 2", 2, 4 * 8 + 2);

  // Entries that were carried forward are missed by nobody; what corrections say still is compared.
  REQUIRE(ledger->carry_forward(INT64_MAX, 1'000).value() > 0);
  CHECK(check().ok());
  finds(main, set_side + "charge_before_units = 7 WHERE correction = 6",
        set_side + "charge_before_units = 8 WHERE correction = 6", 2, 6 * 8 + 1);
}

TEST_CASE("Corrections: records get theirs, however far apart their numbers lie (B-25)") {
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db").value();
  Feed feed;
  for (int i = 0; i < 300; ++i)
    feed.end(charged("acme", 10, "v", 5));
  SeededRandom random(4);
  std::map<std::uint64_t, std::int64_t> now;
  for (int i = 0; i < 400; ++i) {
    const std::uint64_t id = 1 + random.below(300);
    const std::int64_t before = now.contains(id) ? now[id] : 10;
    now[id] = static_cast<std::int64_t>(random.below(50));
    correct(feed, id, {side_of(CallSide::customer, "acme", before, now[id])});
  }
  feed.give_and_forget(*ledger);
  for (const std::uint64_t step : {1, 2, 7, 8, 9, 40, 299}) {
    std::vector<Cdr> cdrs;
    for (std::uint64_t id = 300; id >= 1; id -= std::min(id, step)) {
      Cdr cdr = charged("acme", 10, "v", 5);
      cdr.record_id = id;
      cdrs.push_back(cdr);
    }
    REQUIRE(ledger->merge_corrections(cdrs).ok());
    for (const Cdr& cdr : cdrs) {
      const auto corrected = now.find(cdr.record_id);
      CHECK(cdr.original.has_value() == (corrected != now.end()));
      CHECK(cdr.customer.charge == units(corrected == now.end() ? 10 : corrected->second));
    }
  }
}
