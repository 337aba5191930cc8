// Balances and the ledger, derived from the journal, exactly once after any crash.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cdr/corrections_sqlite.hpp"
#include "cdr/records.hpp"
#include "cdr/sink_runner.hpp"
#include "store/sqlite.hpp"
#include "tandem/corrections.hpp"
#include "tandem/error.hpp"
#include "tandem/ledger.hpp"
#include "tandem/values.hpp"

namespace tandem::cdr {

/// Whose movement of a record an entry is: the low three bits of LedgerEntry::id.
enum class LedgerSide : std::uint8_t { booking = 0, customer = 1, vendor = 2, agent = 3 };
inline constexpr int ledger_side_bits = 3;
constexpr std::int64_t ledger_entry_id(std::uint64_t sequence, LedgerSide side) noexcept {
  return static_cast<std::int64_t>(sequence << ledger_side_bits) | static_cast<std::int64_t>(side);
}

/// Tables `accounts`, `ledger`, `limit_use`, `corrections` and `external_calls` of the main
/// database. A sink target:
/// applies the sides of each end record, each payment and each correction, one entry for each
/// movement, adds to what limits have counted, and stores its place in the same transaction. The
/// charges of a call lower the balance of their account. An account that is not there yet is made
/// with balance zero, so that no charge is lost.
///
/// At start: open(), create_account_if_absent() for each provisioned account,
/// SinkRunner::catch_up() to the journal's last sequence, then balances() are those that the switch
/// goes on with. Threading: thread-safe; `mutex_` guards the connection.
class Ledger final : public SinkTarget {
 public:
  /// A database of before there were entries gets one opening entry for each account. Errors: io,
  /// unsupported (written by a later release).
  static Result<std::unique_ptr<Ledger>> open(const std::string& path);

  /// True: made with `balance`, and with its opening entry of `at_us`. False: it was there, and is
  /// left as it is. Errors: io.
  Result<bool> create_account_if_absent(std::string_view id, Amount balance,
                                        std::int64_t at_us = 0);
  /// In order of id. Errors: io.
  Result<std::vector<std::pair<std::string, Amount>>> balances();
  /// Nothing: no such account. Errors: io.
  Result<std::optional<Amount>> balance(std::string_view id);

  /// What limits counted in windows that end after `until_us`. Errors: io.
  Result<std::vector<LimitUse>> limit_uses(std::int64_t until_us);

  /// Newest first. Errors: invalid_argument (limit, no account), io.
  Result<std::vector<LedgerEntry>> entries(const LedgerQuery& query);

  /// A booking that was applied, with what its payer was told.
  struct Booked {
    LedgerEntry entry;
    Amount answered;
  };
  /// The record of a call that another system billed, by its flow number; nothing: none is kept.
  /// Errors: io.
  Result<std::optional<std::uint64_t>> external_call(std::string_view flow_number);

  /// Newest first. Errors: invalid_argument (limit), io.
  Result<std::vector<Correction>> corrections(const CorrectionQuery& query);
  /// By its key; nothing: none was applied. Errors: io.
  Result<std::optional<Correction>> correction(std::string_view idempotency_key);
  /// Gives records as they were written the charges of now. Errors: io.
  Result<void> merge_corrections(std::span<Cdr> cdrs);
  /// See corrected_sides(). Errors: io.
  Result<std::vector<SideDifference>> corrected_sides(std::int64_t since_us, std::int64_t until_us);

  /// By its key; nothing: none was applied. Errors: io.
  Result<std::optional<Booked>> booking(std::string_view idempotency_key);

  /// See check_ledger(). `cdr_folders`: of the SQLite sinks. Errors: io, corrupt.
  Result<LedgerCheck> check(const std::vector<std::string>& cdr_folders);

  /// See carry_entries_forward(). Errors: corrupt, io.
  Result<std::size_t> carry_forward(std::int64_t before_us, std::size_t entries_max);
  /// See the functions of these names of ledger_carry_sqlite.hpp. Errors: io.
  Result<std::optional<std::int64_t>> oldest_entry_us();
  Result<std::int64_t> retention_time_us(std::int64_t wall_us);
  Result<void> keep_retention_time(std::int64_t time_us);

  Result<std::uint64_t> position() override;
  /// Errors: io, limit (a balance would leave its range), corrupt.
  Result<void> write_batch(std::span<const RecordView> records, std::uint64_t through) override;

 private:
  explicit Ledger(store::Connection connection);
  std::mutex mutex_;
  store::Connection connection_;
};

/// Ledger::entries() and Ledger::check() of a database that another process may own. Errors:
/// not_found (no database), and those of the two.
Result<std::vector<LedgerEntry>> stored_entries(const std::string& path, const LedgerQuery& query);
Result<LedgerCheck> check_stored_ledger(const std::string& path,
                                        const std::vector<std::string>& cdr_folders);

}  // namespace tandem::cdr
