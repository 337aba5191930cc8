// Takes the steps of packages that are due, and keeps them: money by the ledger's bookings, the
// rest in the journal.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "cdr/journal.hpp"
#include "switch/bookings.hpp"
#include "tandem/log.hpp"
#include "tandem/packages.hpp"

namespace tandem {

/// A step is a booking and then a record of what it opened or closed. When the process dies between
/// the two, the step is taken again at the next start, and its key leaves the booking out.
///
/// Threading: thread-safe. May wait for the disk.
class PackageKeeper final : public PackageHost {
 public:
  /// All outlive this object. `alarm`: told of a rent that failed, and of steps that cannot be
  /// taken.
  PackageKeeper(PackageBook& book, Bookings& bookings, cdr::Journal& journal, Log& log,
                std::function<void(std::string)> alarm)
      : book_(book), bookings_(bookings), journal_(journal), log_(log), alarm_(std::move(alarm)) {}

  /// Takes what is due. Cheap when nothing is.
  void advance(std::int64_t now_us);
  /// Money came to an account.
  void recharge(std::string_view account, std::int64_t now_us);

  // PackageHost; within the two above
  Result<bool> take(const PackageDue& due) override;
  Result<void> keep(const PackageChange& change) override;
  void tell(const PackageNews& news) override;

 private:
  void report(const Result<void>& done);

  PackageBook& book_;
  Bookings& bookings_;
  cdr::Journal& journal_;
  Log& log_;
  const std::function<void(std::string)> alarm_;
  std::mutex mutex_;     // held for whole steps; guards failure_
  std::string failure_;  // said before
};

}  // namespace tandem
