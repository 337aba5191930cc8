// Reports over call records: analysis (C-10, C-11), statements (C-12), and what ghost calls leave
// behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tandem/cdr_query.hpp"
#include "tandem/clock.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/rating.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// What docs/reports.md lists, with its columns.
enum class CallReportKind : std::uint8_t {
  customer_gateways,  ///< C-11a.
  vendor_gateways,    ///< C-11b; counts attempts.
  performance,        ///< C-11c; hours when no slot is asked for.
  calls,              ///< C-11d; the latest calls with the ladder of their attempts.
  failures,           ///< C-11e.
  days,               ///< C-11f; always by hour.
  areas,              ///< C-11g.
  gateway_areas,      ///< C-11h.
  area_totals,        ///< C-11i.
  account_statement,  ///< C-12.
  phone_statement,    ///< C-12.
  area_statement,     ///< C-12.
  ghost_calls,
};
/// "customer-gateways"; lives for ever.
TANDEM_EXPORT const char* call_report_name(CallReportKind kind) noexcept;
TANDEM_EXPORT std::optional<CallReportKind> call_report_from_name(std::string_view name) noexcept;

/// Pieces of time, by the end of the call, as the clocks of a zone show them.
enum class ReportSlot : std::uint8_t { none, five_minutes, hour, day, month };

/// What makes a call suspicious.
struct GhostRules {
  std::int64_t long_s = 600;          ///< Talk time from which a call should have cost something.
  Amount tiny_fee;                    ///< ... more than this.
  std::int64_t calls_min = 10;        ///< Calls that make a pattern; 1..1,000,000.
  std::int64_t cluster_percent = 20;  ///< Share of a route's answered calls; 1..100.
  std::int64_t same_duration_s = 30;  ///< Shorter calls of one length are no pattern.
  std::int64_t acd_factor = 3;        ///< How far a route's ACD may be from the others'; 2..1000.
};

struct CallReportRequest {
  CallReportKind kind = CallReportKind::customer_gateways;
  CdrFilter filter;
  ReportSlot by = ReportSlot::none;
  bool is_vendor = false;   ///< failures, gateway_areas: attempts at vendors instead of calls.
  std::size_t limit = 100;  ///< calls: rows; 1..100,000.
  GhostRules ghost;
  /// Of slots: "UTC", an offset such as "+05:30", or a name such as "Europe/London". "": UTC, and
  /// where there is a configuration its parameter `timezone`.
  std::string timezone{};
};

/// Sets one member from text: `by` (none, 5min, hour, day, month), `timezone`, `side` (customer,
/// vendor), `limit`, `long_s`, `tiny_fee`, `calls_min`, `cluster_percent`, `same_duration_s`,
/// `acd_factor`, and those of the filter. '-' may stand for '_'. False: there is no such member.
/// Errors: invalid_argument (the request is as before).
TANDEM_EXPORT Result<bool> set_report_option(CallReportRequest& request, std::string_view name,
                                             std::string_view value);
/// Names that set_report_option() knows beside those of the filter. Live for ever.
TANDEM_EXPORT const std::vector<std::string_view>& call_report_option_names();

/// A number with two decimals, as an integer.
struct Hundredths {
  std::int64_t value = 0;
  bool operator==(const Hundredths&) const = default;
};

/// Nothing, a text, a count or a time, an amount, or a number with two decimals.
using ReportCell = std::variant<std::monostate, std::string, std::int64_t, Amount, Hundredths>;

struct CallReport {
  CallReportKind kind = CallReportKind::customer_gateways;
  std::vector<std::string> columns;
  std::vector<std::vector<ReportCell>> rows;  ///< As many cells each as there are columns.
  std::uint64_t records_read = 0;
  bool operator==(const CallReport&) const = default;
};

/// Which level calls by a rate have that began at `at_us`, microseconds since 1970 UTC; for
/// statements.
using RateLevel =
    std::function<CallLevel(std::string_view deck, std::string_view prefix, std::int64_t at_us)>;

/// The report over the records of a place. `clock` null: the system's; `level` empty: no call
/// has one. Quotients are cut to whole units. Blocks. Threading: immutable; any number of threads
/// may call it at once. Errors: invalid_argument (a member out of its range, no such zone, a period
/// longer than the guards allow), io, timeout and limit (of the guards, too many groups, a sum that
/// is larger than its type).
TANDEM_EXPORT Result<CallReport> call_report(const CdrPlace& place,
                                             const CallReportRequest& request,
                                             const CdrGuards& guards = {},
                                             const Clock* clock = nullptr,
                                             const RateLevel& level = {});

/// A JSON array with an object a row; amounts and numbers with decimals are text.
TANDEM_EXPORT std::string to_json(const CallReport& report);
/// RFC 4180 with a header line; what there is not is an empty cell.
TANDEM_EXPORT std::string to_csv(const CallReport& report);
/// Aligned text for people.
TANDEM_EXPORT std::string to_table(const CallReport& report);

}  // namespace tandem
