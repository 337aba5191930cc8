// What the journal holds: the records of calls and payments as values, and their bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/account_limits.hpp"
#include "tandem/cdr.hpp"
#include "tandem/corrections.hpp"
#include "tandem/error.hpp"
#include "tandem/ledger.hpp"
#include "tandem/packages.hpp"
#include "tandem/values.hpp"

namespace tandem::cdr {

/// Never renumbered: they are on disk.
enum class RecordType : std::uint16_t {
  empty = 0,       ///< Holds a sequence number and nothing else.
  answer = 1,      ///< AnswerRecord.
  mark = 2,        ///< MarkRecord.
  end = 3,         ///< EndRecord.
  payment = 4,     ///< PaymentRecord.
  closed = 5,      ///< The writer ended in good order; everything before it is durable.
  package = 6,     ///< PackageRecord.
  correction = 7,  ///< Correction.
};  // 8..1023 are reserved for tandem, 1024 and above for hosts; readers skip what they do not
    // know.

/// A call was answered: enough to bill it when the process dies before its end.
struct AnswerRecord {
  std::uint64_t call_id =
      0;               ///< The switch's own number of the call; unique among calls that are up.
  Cdr cdr;             ///< As known at answer; `record_id` is not kept.
  std::string rating;  ///< What the call layer needs to charge; opaque here.
  bool operator==(const AnswerRecord&) const = default;
};

/// A call is still up.
struct MarkRecord {
  std::uint64_t call_id = 0;
  std::int64_t at_us = 0;         ///< Wall clock, microseconds since 1970 UTC.
  std::int64_t talk_time_ms = 0;  ///< Monotonic, so far.
  std::string charge;             ///< State of charging; opaque here.
  bool operator==(const MarkRecord&) const = default;
};

/// A call ended, with its charges. `record_id` is the sequence number of this record; it is not in
/// the payload.
struct EndRecord {
  std::uint64_t call_id = 0;
  Cdr cdr;
  std::vector<PackageUse::Part> packages{};  ///< What the call took of them, and what they count.
  std::vector<LimitUse> limits{};            ///< What limits of accounts count.
  std::string flow_number{};  ///< Key of a call that another system billed (B-26); "": our own.
  bool operator==(const EndRecord&) const = default;
};

/// Money put on an account, or taken when negative: any movement that is no side of a call.
struct PaymentRecord {
  std::string account;
  Amount amount;
  std::string memo;
  std::string idempotency_id;  ///< "": none. A second record with the same one moves nothing.
  std::int64_t at_us = 0;      ///< Wall clock, microseconds since 1970 UTC.
  LedgerKind kind = LedgerKind::payment;  ///< Of a record without one: by the sign of `amount`.
  std::string reference{};
  Amount answered{};  ///< The balance that the payer was told, so that a repetition tells it again.
  bool operator==(const PaymentRecord&) const = default;
};

/// A step of a package order (B-23).
struct PackageRecord {
  std::string order;
  bool is_open = false;              ///< A period is open from now on, else none is.
  std::int64_t period_start_us = 0;  ///< Of that period.
  std::string change;                ///< PackageChange as JSON; opaque here.
  bool operator==(const PackageRecord&) const = default;
};

/// Payloads for Journal::append() with the record type of the same name.
std::string encode(const AnswerRecord& record);
std::string encode(const MarkRecord& record);
std::string encode(const EndRecord& record);
std::string encode(const PaymentRecord& record);
std::string encode(const PackageRecord& record);
std::string encode(const Correction& correction);  ///< Without its id.

/// Fields added by a later release are skipped, fields that an earlier one did not know keep their
/// default. Errors: corrupt (not such a payload), unsupported (of an incompatible later release).
Result<AnswerRecord> decode_answer(std::string_view payload);
Result<MarkRecord> decode_mark(std::string_view payload);
/// `sequence`: of the record; becomes `record_id`.
Result<EndRecord> decode_end(std::string_view payload, std::uint64_t sequence);
/// EndRecord::packages, without decoding the rest. Errors: corrupt.
Result<std::vector<PackageUse::Part>> decode_end_packages(std::string_view payload);
/// Limits alone, with zero numbers, as the terms of an answered call keep them. Errors: corrupt.
std::string encode(const std::vector<LimitUse>& limits);
Result<std::vector<LimitUse>> decode_limits(std::string_view bytes);
Result<PaymentRecord> decode_payment(std::string_view payload);
Result<PackageRecord> decode_package(std::string_view payload);
/// `sequence`: of the record; becomes the id.
Result<Correction> decode_correction(std::string_view payload, std::uint64_t sequence);
/// The call of an answer, mark or end record, without decoding the rest. Errors: corrupt.
Result<std::uint64_t> decode_call_id(std::string_view payload);

}  // namespace tandem::cdr
