#include "switch/bookings.hpp"

#include <utility>

namespace tandem {
namespace {

constexpr std::int64_t durable_wait_ms = 5'000;
// Bookings with a key that the ledger has not taken; it lags by so many only when it fails.
constexpr std::size_t waiting_max = 100'000;

/// Whether a booking asks for what an earlier one of its key did.
bool is_repetition(const Booking& booking, const Booking& earlier) {
  return booking.account == earlier.account && booking.kind == earlier.kind &&
         (booking.kind == LedgerKind::zeroing || booking.amount == earlier.amount) &&
         booking.memo == earlier.memo && booking.reference == earlier.reference;
}

}  // namespace

Result<BookingAnswer> Bookings::book(const Booking& booking, bool waits_for_disk) {
  if (auto checked = check_booking(booking); !checked) return std::move(checked).error();
  const std::string& key = booking.idempotency_key;
  Booked booked;
  if (key.empty()) {
    auto appended = append(booking);
    if (!appended) return std::move(appended).error();
    booked = std::move(*appended);
  } else {
    const std::lock_guard lock(mutex_);
    auto earlier = find(key);
    if (!earlier) return std::move(earlier).error();
    if (*earlier) {
      booked = std::move(**earlier);
      if (!is_repetition(booking, booked.booking))
        return Error{ErrorCode::already_exists, "key \"" + key + "\" was used for another booking"};
      booked.answer.is_repeated = true;
    } else {
      if (waiting_.size() >= waiting_max)
        return Error{ErrorCode::io, "ledger was " + std::to_string(waiting_max) +
                                        " bookings behind: no further one is taken"};
      auto appended = append(booking);
      if (!appended) return std::move(appended).error();
      booked = std::move(*appended);
      waiting_.emplace(key, booked);
    }
  }
  if (!waits_for_disk) return booked.answer;
  if (auto durable = journal_.wait_durable(booked.sequence, durable_wait_ms); !durable)
    return Error{ErrorCode::io,
                 "payment is booked but not yet on disk: " + durable.error().message};
  return booked.answer;
}

Result<std::optional<Bookings::Booked>> Bookings::find(const std::string& key) {
  const std::uint64_t taken = ledger_runner_.state().position;
  std::erase_if(waiting_, [taken](const auto& entry) { return entry.second.sequence <= taken; });
  if (const auto found = waiting_.find(key); found != waiting_.end())
    return std::optional<Booked>(found->second);
  auto stored = ledger_.booking(key);
  if (!stored) return std::move(stored).error();
  if (!*stored) return std::optional<Booked>();
  const LedgerEntry& entry = (*stored)->entry;
  Booked booked;
  booked.booking = {entry.account,   entry.amount, entry.kind, entry.memo,
                    entry.reference, key,          false};
  booked.answer = {entry.amount, (*stored)->answered, entry.id, false};
  booked.sequence = static_cast<std::uint64_t>(entry.id >> cdr::ledger_side_bits);
  return std::optional<Booked>(std::move(booked));
}

Result<Bookings::Booked> Bookings::append(const Booking& booking) {
  const AccountHandle account = accounts_.find(booking.account);
  if (!account) return Error{ErrorCode::not_found, "no account \"" + booking.account + "\""};
  if (booking.amount > account_amount_max ||
      booking.amount < Amount::from_units(-account_amount_max.units())) {
    return Error{ErrorCode::invalid_argument,
                 "amount " + booking.amount.to_string() + " was out of range"};
  }
  if (!journal_.is_writable()) return Error{ErrorCode::io, "journal cannot be written"};
  Amount amount = booking.amount;
  if (booking.kind == LedgerKind::zeroing)
    amount = Amount::from_units(-accounts_.balance(account).units());
  // First in memory, because only the account knows whether it has the money and whether the
  // balance stays in its range.
  auto balance = amount.is_zero() ? Result<Amount>(accounts_.balance(account))
                 : booking.is_covered_only && amount.is_negative()
                     ? accounts_.withdraw(account, Amount::from_units(-amount.units()))
                     : accounts_.pay(account, amount);
  if (!balance) return std::move(balance).error();
  cdr::PaymentRecord record;
  record.account = booking.account;
  record.amount = amount;
  record.memo = booking.memo;
  record.idempotency_id = booking.idempotency_key;
  record.at_us = clock_.wall_us();
  record.kind = booking.kind;
  record.reference = booking.reference;
  record.answered = *balance;
  auto sequence = journal_.append(cdr::RecordType::payment, cdr::encode(record));
  if (!sequence) {
    if (!amount.is_zero())
      (void)accounts_.pay(account, Amount::from_units(-amount.units()));  // as it was before
    // A queue that is full waits for the disk; `limit` is what the account itself does not bear.
    return Error{ErrorCode::io, "payment was not booked: " + sequence.error().message};
  }
  return Booked{
      booking,
      {amount, *balance, cdr::ledger_entry_id(*sequence, cdr::LedgerSide::booking), false},
      *sequence};
}

}  // namespace tandem
