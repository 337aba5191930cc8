// Which call records are wanted, and how they are read back (C-13).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/cdr.hpp"
#include "tandem/clock.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/values.hpp"

namespace tandem {

/// What records have in common that are wanted. Every member that is set must hold; empty texts and
/// nothing mean: any. Numbers compare exactly; a trailing '*' makes a prefix of them.
struct CdrFilter {
  std::optional<std::int64_t> since_us;  ///< Inclusive, compared with `ended_at_us`.
  std::optional<std::int64_t> until_us;  ///< Exclusive.
  std::string caller;                    ///< Any of the three views of the number.
  std::string callee;
  std::string caller_in, caller_billing, caller_out;  ///< That view alone.
  std::string callee_in, callee_billing, callee_out;
  std::string account;  ///< The customer's.
  std::string vendor_account;
  std::string agent_account;
  std::string customer_gateway;
  std::string vendor_gateway;  ///< The last one tried.
  std::string call_id;
  std::string rate_prefix;  ///< Exactly; "" means any.
  std::string reason;       ///< Name of C-08.
  std::optional<int> sip_status;
  std::optional<ReleaseSide> release_side;
  std::optional<bool> is_answered;
  std::optional<bool> is_free;              ///< The customer was charged nothing, gifts included.
  std::optional<std::int64_t> talk_min_ms;  ///< Inclusive.
  std::optional<std::int64_t> talk_max_ms;  ///< Inclusive.
  /// What of the period is archived (O-08) is left out. Else it is an error, wrong_state, to come
  /// by a day that is archived and not restored: less than is wanted is never given in silence.
  bool skips_archived = false;
};

/// Sets one member from text, as command lines and queries of URLs have it. `name`: the member's,
/// in which '-' may stand for '_', with `since`, `until`, `answered`, `free`, `skip_archived` for
/// the members that have another name. Times are read by parse_time_us(), flags are `yes` or `no`,
/// sides `caller`, `callee` or `server`. False: there is no such member. Errors: invalid_argument
/// (the text says what is wrong with the value; the filter is as before).
TANDEM_EXPORT Result<bool> set_filter(CdrFilter& filter, std::string_view name,
                                      std::string_view value);
/// Names that set_filter() knows, in the order of the members. Live for ever.
TANDEM_EXPORT const std::vector<std::string_view>& cdr_filter_names();

/// A page of records.
struct CdrQuery : CdrFilter {
  /// Only what comes behind this record in the order newest first.
  std::optional<std::uint64_t> before_record_id;
  std::size_t limit = 100;  ///< 1..1,000,000.
};

/// Where records lie.
struct CdrPlace {
  std::string
      folder;  ///< Of the day files. Looked at on each query, so that it need not exist yet.
  /// Main database of a switch: charges are given as they are after its corrections (B-25). "", or
  /// none there: as they were written.
  std::string database;

  /// Folder of the sums that a "slots" sink keeps (C-11), which reports read where these tell as
  /// much as the records; "": there are none.
  std::string slots{};

  CdrPlace(std::string day_files, std::string corrections = {})
      : folder(std::move(day_files)), database(std::move(corrections)) {}
};

/// What one question may cost (C-13).
struct CdrGuards {
  /// Longest period. A question for a longer one is refused, and one without a beginning looks so
  /// far back only, from its end or from now; what is behind a record of before that is refused. 0:
  /// any.
  std::int64_t days_max = 0;
  std::uint64_t rows_max = 30'000'000;  ///< Records that are read. 0: any number.
  std::int64_t time_max_ms = 30'000;    ///< Time spent in reading. 0: any.
};

/// Records one after the other, newest first. Holds no transaction between two calls, and no lock
/// that a sink waits for, so that it may be left lying: it then goes on with what is stored at that
/// time, but for what comes late to a sealed day that it is in the middle of. Maintenance puts the
/// day off that it is in the middle of (docs/maintenance.md). Threading: one thread at a time.
class TANDEM_EXPORT CdrCursor {
 public:
  CdrCursor(CdrCursor&&) noexcept;
  CdrCursor& operator=(CdrCursor&&) noexcept;
  ~CdrCursor();
  /// Nothing: there are no more. Errors: io (a day file could not be read), timeout (the time of
  /// the guards is used up; the text says how far it came), limit (more records match than the
  /// guards allow), wrong_state (the next day is archived; the text says which ones are and how
  /// they are restored). An error comes again with every further call.
  Result<std::optional<Cdr>> next();

 private:
  friend class CdrStore;
  struct Body;
  explicit CdrCursor(std::unique_ptr<Body> body) noexcept;
  std::unique_ptr<Body> body_;
};

/// Reads the day files that make_sqlite_sink() writes, beside a running switch or without one.
/// Threading: immutable; any number of threads may call it at once.
class TANDEM_EXPORT CdrStore {
 public:
  /// `clock` measures the time of the guards and outlives the store; null: the system's.
  explicit CdrStore(CdrPlace place, CdrGuards guards = {}, const Clock* clock = nullptr);
  /// Newest first: by `ended_at_us`, then `record_id`. A record is visible within 2 s of the end of
  /// its call. Errors: invalid_argument (limit, unknown reason, a period that is too long), and
  /// those of CdrCursor::next().
  Result<std::vector<Cdr>> query(const CdrQuery& query) const;
  /// One record. Nothing: it is not there. Errors: io, wrong_state (it may be of a day that is
  /// archived; the text says of which).
  Result<std::optional<Cdr>> find(std::uint64_t record_id) const;
  /// All records of a filter, or those behind one of them. A filter judges what a record was
  /// written with. Errors: invalid_argument, io, timeout.
  Result<CdrCursor> cursor(const CdrFilter& filter,
                           std::optional<std::uint64_t> before_record_id = std::nullopt) const;

 private:
  CdrPlace place_;
  CdrGuards guards_;
  const Clock* clock_;
};

}  // namespace tandem
