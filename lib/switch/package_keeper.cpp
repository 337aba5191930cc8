#include "switch/package_keeper.hpp"

#include <utility>

#include "cdr/records.hpp"

namespace tandem {
namespace {

LedgerKind kind_of(const PackageDue& due) noexcept {
  const bool is_rent = due.kind == PackageDue::Kind::rent;
  if (due.package.empty()) return is_rent ? LedgerKind::phone_rent : LedgerKind::phone_shortfall;
  return is_rent ? LedgerKind::package_rent : LedgerKind::package_shortfall;
}

}  // namespace

void PackageKeeper::advance(std::int64_t now_us) {
  const std::lock_guard lock(mutex_);
  const auto next_us = book_.advance(now_us, *this);
  report(next_us ? Result<void>() : Result<void>(next_us.error()));
}

void PackageKeeper::recharge(std::string_view account, std::int64_t now_us) {
  const std::lock_guard lock(mutex_);
  report(book_.recharge(account, now_us, *this));
}

/// A failure is told once; the step is tried again each time.
void PackageKeeper::report(const Result<void>& done) {
  std::string failure = done ? std::string() : "packages: " + done.error().message;
  if (!failure.empty() && failure != failure_) alarm_(failure);
  failure_ = std::move(failure);
}

Result<bool> PackageKeeper::take(const PackageDue& due) {
  Booking booking;
  booking.account = due.account;
  booking.amount = Amount::from_units(-due.amount.units());
  booking.kind = kind_of(due);
  booking.reference = due.order;
  booking.memo = due.package;
  booking.idempotency_key = std::string(own_key_prefix) + "package/" + due.key;
  booking.is_covered_only = due.must_be_covered;
  auto booked = bookings_.book_ahead(booking);
  if (booked) return true;
  switch (booked.error().code) {
    case ErrorCode::wrong_state:  // it is not there
      return false;
    case ErrorCode::already_exists:  // booked with another amount, before the order was changed
      return true;
    case ErrorCode::not_found:  // the account is gone: no rent is paid, and nothing is owed
      return !due.must_be_covered;
    default:
      return booked.error();
  }
}

Result<void> PackageKeeper::keep(const PackageChange& change) {
  if (!journal_.is_writable()) return Error{ErrorCode::io, "journal cannot be written"};
  cdr::PackageRecord record;
  record.order = change.order.order;
  record.is_open = change.order.phase == PackagePhase::open;
  if (change.period) record.period_start_us = change.period->start_us;
  record.change = to_json(change);
  auto sequence = journal_.append(cdr::RecordType::package, cdr::encode(record));
  if (!sequence) return sequence.error();
  return {};
}

void PackageKeeper::tell(const PackageNews& news) {
  const bool has_failed = news.kind == PackageNews::Kind::rent_failed;
  log_.write(has_failed ? LogLevel::warning : LogLevel::info, "packages",
             package_news_name(news.kind),
             {{"order", news.order},
              {"package", news.package},
              {"account", news.account},
              {"phone", news.phone},
              {"amount", news.amount.to_string()},
              {"at", format_time_us(news.at_us)}});
  if (has_failed) {
    alarm_("rent " + news.amount.to_string() + " of package order \"" + news.order +
           "\" could not be paid by account \"" + news.account + '"');
  }
}

}  // namespace tandem
