// Reconciliation (B-27): whether both ends of an interconnect count the same calls, call by call
// with a partner's list, and period by period with another switch.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/cdr.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/values.hpp"

namespace tandem {

struct SwitchConfig;

/// Whose calls are counted: those of one gateway that ended in a period.
struct InterconnectQuery {
  std::string gateway;        ///< Required.
  bool is_vendor = true;      ///< A vendor gateway, else a customer gateway.
  std::int64_t since_us = 0;  ///< Inclusive, microseconds since 1970 UTC.
  std::int64_t until_us = 0;  ///< Exclusive; after `since_us`.
};

/// What was counted.
struct InterconnectTotals {
  std::uint64_t calls = 0;
  std::uint64_t answered = 0;
  std::int64_t billed_time_s = 0;  ///< Of the gateway's side.
  Amount charge;                   ///< The same; with all corrections.
  std::string currency{};          ///< Of `charge`; "": nothing was charged, or it is not known.
  bool operator==(const InterconnectTotals&) const = default;
};
/// One JSON object: calls answered billed_time_s charge currency.
TANDEM_EXPORT std::string to_json(const InterconnectTotals& totals);
/// Reads it. Errors: invalid_argument.
TANDEM_EXPORT Result<InterconnectTotals> parse_interconnect_totals(std::string_view json);

/// The totals of the SQLite sink of a configuration, whether a switch runs on it or not. Errors:
/// invalid_argument (no gateway, an empty period), unsupported (no SQLite sink), limit (a sum),
/// wrong_state (the calls of the period were charged in two currencies), io.
TANDEM_EXPORT Result<InterconnectTotals> interconnect_totals(const SwitchConfig& config,
                                                             const InterconnectQuery& query);

/// What the switch at the other end of a vendor gateway counted, by its `reconciliation`; waits for
/// the answer, up to two minutes. Errors: not_found (no such gateway, or it names no switch),
/// timeout, io (it does not answer, refuses, or a file of TLS cannot be read), invalid_argument (it
/// answered something else).
TANDEM_EXPORT Result<InterconnectTotals> peer_totals(const SwitchConfig& config,
                                                     const InterconnectQuery& query);

/// One call as either end has it.
struct InterconnectCall {
  std::uint64_t record_id = 0;      ///< Of ours; of a partner's the line of the file.
  std::string caller, callee;       ///< As they went over the interconnect.
  std::int64_t answered_at_us = 0;  ///< By the clock of its end.
  std::int64_t billed_time_s = 0;
  Amount charge;
  std::string currency{};  ///< Of `charge`; "": not known, as in a partner's list.
  bool operator==(const InterconnectCall&) const = default;
};

/// The answered calls of the query, oldest first. Errors: as interconnect_totals(), limit (more
/// than interconnect_calls_max).
TANDEM_EXPORT Result<std::vector<InterconnectCall>> interconnect_calls(
    const SwitchConfig& config, const InterconnectQuery& query);
inline constexpr std::size_t interconnect_calls_max = 10'000'000;

/// How a partner's file is read: a header line, comma, semicolon or tab, quotes as in RFC 4180.
/// Which column is what, by the name in the header, without regard to case.
struct PartnerLayout {
  std::string caller;  ///< "": the file has no callers, they are not compared.
  std::string callee = "callee";
  std::string answered_at = "answered_at";
  std::string billed_time_s = "billed_time_s";
  std::string charge;  ///< "": no charges, they are not compared.
  /// Time as text in this zone unless it says its own: RFC 3339, "YYYY-MM-DD hh:mm:ss", or seconds,
  /// milliseconds or microseconds since 1970 by their size.
  std::string timezone = "UTC";
};
/// "callee=Called,answered_at=Start,billed_time_s=Seconds,charge=Amount,timezone=Europe/Berlin".
/// Errors: invalid_argument (an unknown word).
TANDEM_EXPORT Result<PartnerLayout> parse_partner_layout(std::string_view text);
/// Errors: invalid_argument (names line and column), limit (more than interconnect_calls_max).
TANDEM_EXPORT Result<std::vector<InterconnectCall>> read_partner_calls(
    std::string_view csv, const PartnerLayout& layout = {});

/// What counts as the same.
struct ReconcileRules {
  std::int64_t time_tolerance_s = 60;     ///< Between the answers, after the offset; 0..86400.
  std::int64_t clock_offset_s = 0;        ///< Their clock less ours; -86400..86400.
  std::int64_t duration_tolerance_s = 1;  ///< 0..86400.
  Amount charge_tolerance;                ///< >= 0, of one call.
  bool compares_callers = true;
  bool compares_charges = true;
  std::int32_t line_hundredths = 100;  ///< From this deviation of a total on it is exceeded.
  std::size_t rows_max = 1'000;        ///< Rows that are listed; all are counted.
};

/// A call that is not the same at both ends, or at one end only.
struct ReconcileRow {
  enum class Kind : std::uint8_t { missing_here, missing_there, duration, charge } kind;
  std::optional<InterconnectCall> ours, theirs;
};

/// Deviation in hundredths of a percent of the larger value; 0 when both are 0.
TANDEM_EXPORT std::int64_t deviation_hundredths(std::int64_t ours, std::int64_t theirs) noexcept;

/// What reconcile() found.
struct ReconcileReport {
  std::uint64_t matched = 0;   ///< The same call at both ends, whatever differs.
  std::uint64_t agreeing = 0;  ///< Of these, with nothing that differs.
  std::uint64_t missing_here = 0, missing_there = 0;
  std::uint64_t duration_differs = 0, charge_differs = 0;  ///< One call may be in both.
  InterconnectTotals ours, theirs;                         ///< Answered calls.
  std::array<std::int64_t, 3> deviations{};  ///< Of calls, billed time and charge, in hundredths.
  bool is_exceeded = false;                  ///< One of them came to the line.
  std::vector<ReconcileRow> rows;
};
/// One JSON object; docs/reconciliation.md lists its keys.
TANDEM_EXPORT std::string to_json(const ReconcileReport& report);

/// Finds the calls of one end among those of the other: by callee (and caller), in the order of
/// their answers and within the tolerance, each call once. Errors: invalid_argument (a rule out of
/// range), limit (a sum), wrong_state (charges are compared, and are in two currencies).
TANDEM_EXPORT Result<ReconcileReport> reconcile(std::vector<InterconnectCall> ours,
                                                std::vector<InterconnectCall> theirs,
                                                const ReconcileRules& rules = {});

/// The calls of the query, of a configuration's records, against all of a partner's list: of which
/// calls that is has to be agreed with the partner. Callers and charges are compared when the list
/// has them, whatever `rules` say. Errors: those of interconnect_calls(), read_partner_calls() and
/// reconcile().
TANDEM_EXPORT Result<ReconcileReport> reconcile(const SwitchConfig& config,
                                                const InterconnectQuery& query,
                                                std::string_view csv, const PartnerLayout& layout,
                                                ReconcileRules rules = {});

/// The last comparison with the switch at the other end of a vendor gateway.
struct PeerCheck {
  std::string gateway;  ///< Ours.
  std::int64_t since_us = 0, until_us = 0;
  InterconnectTotals ours, theirs;
  std::array<std::int64_t, 4> deviations{};  ///< Of calls, answered, billed time, charge.
  bool is_exceeded = false;
  std::string failure;  ///< Why nothing was compared; "": it was.
};
/// The check of a period. `line_hundredths`: from this deviation on it is exceeded. Charges in two
/// currencies are a failure.
TANDEM_EXPORT PeerCheck compare_totals(const InterconnectQuery& query,
                                       const InterconnectTotals& ours,
                                       const InterconnectTotals& theirs,
                                       std::int64_t line_hundredths);
/// One JSON object: gateway since until ours theirs deviations_percent exceeded failure.
TANDEM_EXPORT std::string to_json(const PeerCheck& check);

}  // namespace tandem
