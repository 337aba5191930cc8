// Old entries of the ledger are carried forward: one opening stands for all of an account that it
// replaces, so that the sum of what is left is still the balance.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "store/sqlite.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// A step of the ledger's schema.
inline constexpr const char* carry_schema = R"sql(
  -- Entries of records before this one, in the numbers of entries, were carried forward.
  ALTER TABLE ledger_position ADD COLUMN carried_before INTEGER NOT NULL DEFAULT 0;
  -- Bookings whose entries are gone, so that their keys are known for ever.
  CREATE TABLE carried_bookings(
    id INTEGER NOT NULL,
    account TEXT NOT NULL,
    kind INTEGER NOT NULL,
    amount_units INTEGER NOT NULL,
    balance_units INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    reference TEXT,
    memo TEXT,
    idempotency_key TEXT PRIMARY KEY NOT NULL,
    answered_units INTEGER
  ) WITHOUT ROWID;
  CREATE INDEX ledger_by_time ON ledger(account, at_us);
  -- An entry goes when it was carried forward, an opening when a newer one stands for it.
  DROP TRIGGER ledger_never_shrinks;
  CREATE TRIGGER ledger_shrinks_by_carrying_only BEFORE DELETE ON ledger
    WHEN OLD.id >= (SELECT carried_before FROM ledger_position) OR NOT EXISTS (
      SELECT 1 FROM ledger WHERE account = OLD.account AND kind = 1 AND id < OLD.id AND id < 0)
    BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END;
)sql";

/// The step behind it: the time that entries were last judged by; 0: none yet.
inline constexpr const char* retention_time_schema =
    "ALTER TABLE ledger_position ADD COLUMN retention_time_us INTEGER NOT NULL DEFAULT 0;";

/// Carries forward the oldest entries of before `before_us`, those of at least one record and of
/// about `entries_max` at most, in a transaction of its own. Returns how many went; 0: none is that
/// old. Entries go in the order of their numbers: one whose time is later holds up those behind it,
/// as oldest_entry_us() tells. Fails at once when another process writes the file. Errors: corrupt
/// (the entries of an account do not add up: nothing is carried), io.
Result<std::size_t> carry_entries_forward(store::Connection& connection, std::int64_t before_us,
                                          std::size_t entries_max);

/// When the oldest entry that is no opening was made; nothing: there is none. Errors: io.
Result<std::optional<std::int64_t>> oldest_entry_us(store::Connection& connection);

/// The time that was kept; else that of the newest entry, but not after `wall_us`. Errors: io.
Result<std::int64_t> retention_time_us(store::Connection& connection, std::int64_t wall_us);
/// Fails at once when another process writes the file. Errors: io.
Result<void> keep_retention_time(store::Connection& connection, std::int64_t time_us);

}  // namespace tandem::cdr
