// Moves money that is no side of a call: first in memory, then in the journal, each key once.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "cdr/journal.hpp"
#include "cdr/ledger_sqlite.hpp"
#include "cdr/sink_runner.hpp"
#include "tandem/accounts.hpp"
#include "tandem/clock.hpp"
#include "tandem/ledger.hpp"

namespace tandem {

/// A key is known from the moment at which its booking is in the journal: here until the ledger
/// has taken it, in the ledger for ever. A booking that the process took with it when it died was
/// answered to nobody, and its repetition is the first.
///
/// Threading: thread-safe. May wait for the disk.
class Bookings {
 public:
  /// All outlive this object. `ledger` must have caught up with the journal by the first book().
  Bookings(AccountBook& accounts, cdr::Journal& journal, cdr::Ledger& ledger,
           const cdr::SinkRunner& ledger_runner, const Clock& clock)
      : accounts_(accounts),
        journal_(journal),
        ledger_(ledger),
        ledger_runner_(ledger_runner),
        clock_(clock) {}

  /// Returns when the booking is on disk. Errors: not_found (no such account), invalid_argument
  /// (check_booking()), already_exists (its key was used for another booking), wrong_state (it was
  /// to be covered and is not), limit (the balance would leave its range), io (the journal cannot
  /// be written, or the disk did not take it in time: it is booked then, and a repetition with its
  /// key waits again).
  Result<BookingAnswer> book(const Booking& booking) { return book(booking, true); }
  /// The same without waiting for the disk, for what is followed in the journal by a record that
  /// says it.
  Result<BookingAnswer> book_ahead(const Booking& booking) { return book(booking, false); }

 private:
  struct Booked {
    Booking booking;
    BookingAnswer answer;
    std::uint64_t sequence = 0;
  };

  Result<BookingAnswer> book(const Booking& booking, bool waits_for_disk);
  Result<std::optional<Booked>> find(const std::string& key);
  Result<Booked> append(const Booking& booking);

  AccountBook& accounts_;
  cdr::Journal& journal_;
  cdr::Ledger& ledger_;
  const cdr::SinkRunner& ledger_runner_;
  const Clock& clock_;
  std::mutex mutex_;  // guards waiting_; held while a key is looked up and used
  std::map<std::string, Booked> waiting_;  // by key: what the ledger may not have yet
};

}  // namespace tandem
