// Corrections of what a call that is over was charged (B-25): append-only, each once.
//
// The record of a call is never written again. A correction is a record of its own; the ledger
// moves the difference with it, and whoever reads the call sees what it is charged now, beside what
// it was charged at its end.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/cdr.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/ledger.hpp"
#include "tandem/rerate.hpp"
#include "tandem/values.hpp"

namespace tandem {

struct SwitchConfig;

/// Whose side of a call is meant. On disk: never renumbered.
enum class CallSide : std::uint8_t { customer = 1, vendor = 2, agent = 3 };
/// "customer", "vendor", "agent".
TANDEM_EXPORT const char* call_side_name(CallSide side) noexcept;

/// What one side of a call is to be charged: by values, or by a deck.
struct SideChange {
  std::optional<Amount> charge;               ///< >= 0. Nothing: as it is now.
  std::optional<std::int64_t> billed_time_s;  ///< 0..rated_time_max_s. Nothing: as it is now.
  std::string rate_deck;                      ///< Id of a deck that rates it anew; then no values.
  bool operator==(const SideChange&) const = default;
};

inline constexpr std::size_t correction_text_bytes_max = 1024;  ///< Of a reason or an author.

/// A correction that is asked for.
struct CorrectionRequest {
  std::uint64_t record_id = 0;
  std::map<CallSide, SideChange> sides;  ///< At least one; sides that the call has.
  std::string reason;                    ///< Required.
  std::string author;                    ///< Who asks; "": not said.
  /// What makes a repetition known for ever. "": none. At most idempotency_key_bytes_max bytes.
  std::string idempotency_key;
  bool is_dry_run = false;  ///< Answers what it would do.
};

/// One side of a call before and after a correction.
struct CorrectedSide {
  CallSide side = CallSide::customer;
  std::string account, currency;
  Amount charge_before, charge;
  std::int64_t billed_before_s = 0, billed_time_s = 0;
  /// What it was rated by: of a side that got values, as before and without terms.
  std::string rate_prefix, rate_deck, rate_terms;
  /// What the account gets: before less after; cut at what an amount can be.
  [[nodiscard]] TANDEM_EXPORT Amount difference() const noexcept;
  bool operator==(const CorrectedSide&) const = default;
};

/// One correction, as it is kept.
struct Correction {
  std::uint64_t id = 0;          ///< Of the journal's record; grows with time. 0: a dry run.
  std::uint64_t record_id = 0;   ///< Of the call.
  std::int64_t ended_at_us = 0;  ///< Of the call.
  std::int64_t at_us = 0;        ///< When it was corrected, microseconds since 1970 UTC.
  std::vector<CorrectedSide> sides;
  std::string reason, author, idempotency_key;
  bool is_repeated = false;  ///< Of an answer: it was made before under its key; nothing moved now.
  bool operator==(const Correction&) const = default;
};

/// One JSON object: id record_id ended_at_us at_us reason author idempotency_key sides[] {side
/// account currency charge_before charge difference billed_before_s billed_time_s rate_prefix
/// rate_deck rate_terms} repeated.
TANDEM_EXPORT std::string to_json(const Correction& correction);

/// The body of a request: `customer`, `vendor` and `agent`, each {charge, billed_time_s} or
/// {rate_deck}; `reason`, `author`, `id` (the key), `dry_run`, and `record_id` unless `record_id`
/// here is not 0. Errors: invalid_argument (begins with the JSON pointer).
TANDEM_EXPORT Result<CorrectionRequest> parse_correction(std::string_view json,
                                                         std::uint64_t record_id = 0);

/// Texts, bounds and what must not stand together. Errors: invalid_argument.
TANDEM_EXPORT Result<void> check_correction(const CorrectionRequest& request);

/// Which corrections are wanted.
struct CorrectionQuery {
  std::uint64_t record_id = 0;                  ///< 0: of all calls.
  std::string account;                          ///< "": of all.
  std::optional<std::int64_t> since_us = {};    ///< Inclusive, compared with `at_us`.
  std::optional<std::int64_t> until_us = {};    ///< Exclusive.
  std::optional<std::uint64_t> before_id = {};  ///< Only older ones: the next page.
  std::size_t limit = 100;                      ///< 1..1,000,000.
};

/// Newest first, of a database that a switch may run on. Errors: not_found (no database),
/// invalid_argument (limit), io.
TANDEM_EXPORT Result<std::vector<Correction>> query_corrections(const SwitchConfig& config,
                                                                const CorrectionQuery& query);

/// What becomes of a re-rating that is applied.
struct RerateApplication {
  std::string reason;  ///< Of each correction. Required.
  std::string author;
  bool is_dry_run = true;
};

/// A re-rating with what it did.
struct AppliedRerate {
  Rerater rerater;  ///< Rows and sums; the same of a dry run and of what it announced.
  bool is_dry_run = true;
  std::uint64_t corrected = 0;  ///< Records that were corrected, or would be.
  std::uint64_t refused = 0;  ///< Records that their accounts did not take, for a reason that came
                              ///< up on the way; 0 of a dry run.
};
/// The object of to_json(Rerater) with `dry_run`, `corrected` and `refused`.
TANDEM_EXPORT std::string to_json(const AppliedRerate& applied);

}  // namespace tandem
