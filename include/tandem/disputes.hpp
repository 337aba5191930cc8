// Disputed calls: marks on records that keep them from being deleted (O-09).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/cdr_query.hpp"
#include "tandem/clock.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

struct SwitchConfig;

/// A call of which somebody says that it was not so. The record itself is never changed by it.
struct Dispute {
  std::uint64_t id = 0;  ///< Grows with time.
  std::uint64_t record_id = 0;
  std::string day;         ///< "YYYY-MM-DD", the UTC day that the call ended on.
  std::int64_t at_us = 0;  ///< When it was disputed, microseconds since 1970 UTC.
  std::string reason, author;
  std::int64_t resolved_at_us = 0;  ///< 0: it is open, and its day is not deleted.
  std::string resolution, resolver;
  bool operator==(const Dispute&) const = default;
};

inline constexpr std::size_t dispute_text_bytes_max = 1024;  ///< Of each of its texts.

/// A record is disputed, or its dispute is over.
struct DisputeRequest {
  std::uint64_t record_id = 0;
  std::string reason;  ///< Why, or what came of it. Required.
  std::string author;  ///< Who says so; "": not said.
  /// "YYYY-MM-DD", the UTC day that its call ended on. Needed when the record cannot be looked up,
  /// because its day is archived, or because there are no day files; else it is checked when given.
  std::string day;
};

/// Which disputes are wanted.
struct DisputeQuery {
  std::uint64_t record_id = 0;                  ///< 0: of all calls.
  std::string day = {};                         ///< "": of all.
  std::optional<bool> is_open = {};             ///< Nothing: both.
  std::optional<std::uint64_t> before_id = {};  ///< Only older ones: the next page.
  std::size_t limit = 100;                      ///< 1..1,000,000.
};

/// Marks a record, durably: the day that it is of is not deleted before the dispute is resolved.
/// `place.database` keeps the marks, and is made when absent; in `place.folder` the record is
/// looked up ("": there are no day files). `clock` (null: the system's) says when. Any thread;
/// blocks. Errors: invalid_argument (a text, a day that is not the record's), not_found (no such
/// record, or no such day), already_exists (it is disputed), wrong_state (it may be of an archived
/// day: name the day), unsupported (no database file to keep it in), io.
TANDEM_EXPORT Result<Dispute> dispute_record(const CdrPlace& place, const DisputeRequest& request,
                                             const Clock* clock = nullptr);
/// Ends the dispute of a record; `request.day` is not looked at. Errors: invalid_argument,
/// not_found (no dispute of it is open), unsupported (as above), io.
TANDEM_EXPORT Result<Dispute> resolve_dispute(const CdrPlace& place, const DisputeRequest& request,
                                              const Clock* clock = nullptr);
/// Newest first. Errors: invalid_argument (limit, day), io.
TANDEM_EXPORT Result<std::vector<Dispute>> query_disputes(const CdrPlace& place,
                                                          const DisputeQuery& query);

/// The same of a configuration, whether a switch runs on it or not.
TANDEM_EXPORT Result<Dispute> dispute_record(const SwitchConfig& config,
                                             const DisputeRequest& request);
TANDEM_EXPORT Result<Dispute> resolve_dispute(const SwitchConfig& config,
                                              const DisputeRequest& request);
TANDEM_EXPORT Result<std::vector<Dispute>> query_disputes(const SwitchConfig& config,
                                                          const DisputeQuery& query);

/// The body of a request: `reason`, `author`, `day`, and `record_id` unless `record_id` here is not
/// 0. Errors: invalid_argument (begins with the JSON pointer).
TANDEM_EXPORT Result<DisputeRequest> parse_dispute(std::string_view json,
                                                   std::uint64_t record_id = 0);
/// One JSON object: id record_id day at_us reason author resolved_at_us (null: open) resolution
/// resolver.
TANDEM_EXPORT std::string to_json(const Dispute& dispute);

}  // namespace tandem
