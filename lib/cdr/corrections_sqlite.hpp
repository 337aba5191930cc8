// Corrections as the main database keeps them, and records as they are with them (B-25).
//
// Readers of day files give their records to merge_corrections(); those that read a few columns
// only add corrected_sides() of the same period.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/sqlite.hpp"
#include "tandem/cdr.hpp"
#include "tandem/corrections.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// A step of the ledger's schema.
inline constexpr const char* corrections_schema = R"sql(
  CREATE TABLE corrections(
    id INTEGER PRIMARY KEY,              -- number of the journal record
    record_id INTEGER NOT NULL,          -- of the call
    ended_at_us INTEGER NOT NULL,        -- of the call
    at_us INTEGER NOT NULL,
    reason TEXT NOT NULL,
    author TEXT NOT NULL,
    idempotency_key TEXT                 -- NULL: none was given
  );
  CREATE UNIQUE INDEX corrections_by_key ON corrections(idempotency_key)
    WHERE idempotency_key IS NOT NULL;
  CREATE INDEX corrections_by_record ON corrections(record_id, id);
  CREATE INDEX corrections_by_end ON corrections(ended_at_us);
  CREATE TABLE correction_sides(
    correction INTEGER NOT NULL REFERENCES corrections(id),
    side INTEGER NOT NULL,               -- CallSide
    account TEXT NOT NULL,
    currency TEXT NOT NULL,
    charge_before_units INTEGER NOT NULL,
    charge_units INTEGER NOT NULL,
    billed_before_s INTEGER NOT NULL,
    billed_time_s INTEGER NOT NULL,
    rate_prefix TEXT NOT NULL,
    rate_deck TEXT NOT NULL,
    rate_terms TEXT NOT NULL,
    PRIMARY KEY(correction, side)
  ) WITHOUT ROWID;
  CREATE INDEX correction_sides_by_account ON correction_sides(account, correction);
)sql";

/// Newest first. Errors: invalid_argument (limit), io.
Result<std::vector<Correction>> read_corrections(store::Connection& connection,
                                                 const CorrectionQuery& query);
/// The same of a database that another process may own. Errors: not_found (no database) too.
Result<std::vector<Correction>> stored_corrections(const std::string& database,
                                                   const CorrectionQuery& query);
/// By its key; nothing: none was made. Errors: io.
Result<std::optional<Correction>> find_correction(store::Connection& connection,
                                                  std::string_view idempotency_key);

/// Gives a record the charges of a correction, and keeps the first ones; does nothing when the
/// record has this correction or a newer one. Sides that the record has not are left out.
void apply_correction(Cdr& cdr, const Correction& correction);

/// Gives records as day files have them the charges of now. `cdrs` in any order. Errors: io.
Result<void> merge_corrections(store::Connection& connection, std::span<Cdr> cdrs);
/// The main database of a switch for reading what was corrected. Nothing: "", absent, or of a
/// release without corrections. Errors: io.
Result<std::optional<store::Connection>> open_corrections(const std::string& database);

/// What all corrections of a side of a call together changed.
struct SideDifference {
  std::uint64_t record_id = 0;
  CallSide side = CallSide::customer;
  std::string account;
  Amount charge;                   ///< Now less at the end of the call; may be negative.
  std::int64_t billed_time_s = 0;  ///< The same.
  std::int64_t ended_at_us = 0;    ///< Of the call.
};
/// Of calls that ended from `since_us` on and before `until_us`, by record. Errors: io.
Result<std::vector<SideDifference>> corrected_sides(store::Connection& connection,
                                                    std::int64_t since_us, std::int64_t until_us);

}  // namespace tandem::cdr
