// Balances derived from the journal, exactly once after any crash.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cdr/sink_runner.hpp"
#include "store/sqlite.hpp"
#include "tandem/error.hpp"
#include "tandem/values.hpp"

namespace tandem::cdr {

/// Table `accounts` of the main database. A sink target: applies the customer's and the vendor's
/// charge of each end record and each payment, and stores its place in the same transaction. Both
/// charges lower the balance of their account. An account that is not there yet is made with
/// balance zero, so that no charge is lost.
///
/// At start: open(), create_account_if_absent() for each provisioned account,
/// SinkRunner::catch_up() to the journal's last sequence, then balances() are those that the switch
/// goes on with. Threading: thread-safe; `mutex_` guards the connection.
class Ledger final : public SinkTarget {
 public:
  /// Errors: io, unsupported (written by a later release).
  static Result<std::unique_ptr<Ledger>> open(const std::string& path);

  /// True: made with `balance`. False: it was there, and is left as it is. Errors: io.
  Result<bool> create_account_if_absent(std::string_view id, Amount balance);
  /// In order of id. Errors: io.
  Result<std::vector<std::pair<std::string, Amount>>> balances();
  /// Nothing: no such account. Errors: io.
  Result<std::optional<Amount>> balance(std::string_view id);

  Result<std::uint64_t> position() override;
  /// Errors: io, limit (a balance would leave its range), corrupt.
  Result<void> write_batch(std::span<const RecordView> records, std::uint64_t through) override;

 private:
  explicit Ledger(store::Connection connection);
  std::mutex mutex_;
  store::Connection connection_;
};

}  // namespace tandem::cdr
