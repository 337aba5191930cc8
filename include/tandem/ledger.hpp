// The ledger: every movement of every balance, one entry each, never changed afterwards.
//
// At every moment the balance of an account is the sum of its entries, and each entry says what the
// balance was after it. With `ledger_retention_days` old entries are carried forward: one opening
// stands for all of an account that it replaced. The keys of bookings are kept for ever.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/values.hpp"

namespace tandem {

struct SwitchConfig;

/// Why money moved (B-03). On disk: never renumbered.
enum class LedgerKind : std::uint8_t {
  opening = 1,            ///< What the account was made with, or was carried forward.
  payment = 2,            ///< Recharge: puts money on the account.
  deduction = 3,          ///< Takes it.
  zeroing = 4,            ///< Takes or puts what makes the balance zero.
  charge = 5,             ///< A call, the customer's side.
  vendor_charge = 6,      ///< A call, what it costs us.
  agent_charge = 7,       ///< A call, the side of the customer's agent (B-17).
  package_rent = 8,       ///< Other income: rent of a package (B-23).
  package_shortfall = 9,  ///< What was missing to a package's minimum consumption.
  phone_rent = 10,        ///< Monthly rent of a phone (B-18).
  phone_shortfall = 11,   ///< What was missing to a phone's monthly minimum.
  correction = 12,        ///< A changed record of a call (B-25); puts or takes.
};
/// "opening", "payment" ... "correction".
TANDEM_EXPORT const char* ledger_kind_name(LedgerKind kind) noexcept;
/// Errors: invalid_argument.
TANDEM_EXPORT Result<LedgerKind> ledger_kind_from_name(std::string_view name);

/// Whether a host may book it: all but openings and the sides of calls.
TANDEM_EXPORT bool ledger_kind_is_booked(LedgerKind kind) noexcept;

/// One movement of one balance.
struct LedgerEntry {
  /// Grows with time. Eight times the number of the journal's record, plus the side: 0 a booking, 1
  /// the customer, 2 the vendor, 3 the agent. Negative: an opening, which is of no record.
  std::int64_t id = 0;
  std::string account;
  LedgerKind kind = LedgerKind::payment;
  Amount amount;           ///< Negative: taken from the account. Zero for an opening only.
  Amount balance;          ///< After it.
  std::int64_t at_us = 0;  ///< Microseconds since 1970 UTC; of a call: its end. 0: not known.
  std::string reference;   ///< What it is about: the `record_id` of a call, an order; "": nothing.
  std::string memo;
  std::string idempotency_key;  ///< "": none was given.
  bool operator==(const LedgerEntry&) const = default;
};

/// One JSON object: id account kind amount balance at_us reference memo idempotency_key.
TANDEM_EXPORT std::string to_json(const LedgerEntry& entry);

/// Aligned text for people, a header line and one line an entry.
TANDEM_EXPORT std::string to_table(const std::vector<LedgerEntry>& entries);

/// Which entries are wanted.
struct LedgerQuery {
  std::string account;                         ///< Required.
  std::optional<std::int64_t> since_us = {};   ///< Inclusive, compared with `at_us`.
  std::optional<std::int64_t> until_us = {};   ///< Exclusive.
  std::optional<std::int64_t> before_id = {};  ///< Only older entries: the next page.
  std::size_t limit = 100;                     ///< 1..1,000,000.
};

inline constexpr std::size_t idempotency_key_bytes_max = 128;
/// Keys that begin so are those of the switch's own bookings, such as rents.
inline constexpr std::string_view own_key_prefix = "tandem:";

/// Money that is to be moved.
struct Booking {
  std::string account;
  /// Positive: put on the account, negative: taken. Zero for `zeroing` only, which finds its own.
  Amount amount;
  /// payment: positive. deduction, rents and shortfalls: negative. correction: either. Not opening
  /// and not a side of a call.
  LedgerKind kind = LedgerKind::payment;
  std::string memo{};       ///< At most 1024 bytes.
  std::string reference{};  ///< At most 128 bytes.
  /// What makes a repetition of the same booking known for ever; one of other contents is refused.
  /// "": none. At most idempotency_key_bytes_max bytes.
  std::string idempotency_key{};
  /// Refused when the account does not have it (balance + overdraft limit - held); else a booking
  /// may take it below its limit.
  bool is_covered_only = false;
};

/// What became of a booking.
struct BookingAnswer {
  Amount amount;             ///< That was moved.
  Amount balance;            ///< Right after it; of a repetition: what the first was answered with.
  std::int64_t id = 0;       ///< LedgerEntry::id.
  bool is_repeated = false;  ///< It was booked before under its key; nothing was moved now.
};

/// A booking's fields, apart from its account's existence. Errors: invalid_argument.
TANDEM_EXPORT Result<void> check_booking(const Booking& booking);

/// Something that does not add up.
struct LedgerDifference {
  std::string account;
  std::int64_t entry = 0;       ///< LedgerEntry::id; 0: not about one.
  std::uint64_t record_id = 0;  ///< Of a call; 0: not about one.
  std::string text;             ///< What is wrong, with both values.
};

/// What check_ledger() found.
struct LedgerCheck {
  static constexpr std::size_t differences_max = 1'000;
  std::uint64_t accounts = 0;
  std::uint64_t entries = 0;
  std::uint64_t records = 0;      ///< Stored calls that were compared.
  std::uint64_t corrections = 0;  ///< Corrected sides of calls that were compared.
  std::uint64_t different = 0;
  std::vector<LedgerDifference> differences;  ///< The first differences_max.
  [[nodiscard]] bool ok() const noexcept { return different == 0; }
};

/// One JSON object: ok accounts entries records corrections different differences[] {account entry
/// record_id text}.
TANDEM_EXPORT std::string to_json(const LedgerCheck& check);

/// The same as text for people: a line for what was looked at, and one for each difference.
TANDEM_EXPORT std::string to_table(const LedgerCheck& check);

/// Adds up each account's entries, compares the charges with the calls of the configured SQLite
/// sinks, in both directions, for the days whose files are there, and the corrections of calls with
/// their entries, with each other and with the calls. What was carried forward is an opening, and
/// the calls before it are compared with nothing. Works beside a running switch,
/// whose files are only read. Blocks; memory does not grow with the ledger. Errors: not_found (no
/// database), io, corrupt.
TANDEM_EXPORT Result<LedgerCheck> check_ledger(const SwitchConfig& config);

/// Newest first. Of a database that a switch may run on. Errors: not_found (no database),
/// invalid_argument (limit, no account given), io.
TANDEM_EXPORT Result<std::vector<LedgerEntry>> query_ledger(const SwitchConfig& config,
                                                            const LedgerQuery& query);

}  // namespace tandem
