// What is kept of packages, derived from the journal, exactly once after any crash.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cdr/sink_runner.hpp"
#include "store/sqlite.hpp"
#include "tandem/error.hpp"
#include "tandem/packages.hpp"

namespace tandem::cdr {

/// Tables `package_orders` and `package_use` of the main database. A sink target: keeps the last
/// step of each order, adds what end records took of periods, and stores its place in the same
/// transaction. Uses are kept under their period, so that a call which ends after it is not counted
/// for the next one. Threading: thread-safe; `mutex_` guards the connection.
class PackageStore final : public SinkTarget {
 public:
  /// The last step of an order, and what calls took of the period that it opened.
  struct Kept {
    std::string change;  ///< PackageRecord::change.
    PackageUse used;
  };

  /// Errors: io, unsupported (written by a later release).
  static Result<std::unique_ptr<PackageStore>> open(const std::string& path);

  /// In order of their ids. Errors: io.
  Result<std::vector<Kept>> orders();

  Result<std::uint64_t> position() override;
  /// Errors: io, corrupt.
  Result<void> write_batch(std::span<const RecordView> records, std::uint64_t through) override;

 private:
  explicit PackageStore(store::Connection connection);
  std::mutex mutex_;
  store::Connection connection_;
};

/// PackageStore::orders() of a database that another process may own. Errors: not_found (no
/// database), io.
Result<std::vector<PackageStore::Kept>> stored_packages(const std::string& path);

}  // namespace tandem::cdr
