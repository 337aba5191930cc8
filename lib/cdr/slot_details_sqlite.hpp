// What sums of slots keep beside the metrics: load by the second, failures with their latest
// records, and how many records waited (C-11c, C-11e).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/time_zone.hpp"
#include "cdr/call_facts.hpp"
#include "cdr/report_collectors.hpp"
#include "cdr/report_slots.hpp"
#include "cdr/report_sums.hpp"
#include "store/sqlite.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// A step of the schema of "slots.db".
inline constexpr const char* slot_details_schema = R"sql(
  -- What is new here began with this step: a minute behind the last call that was counted.
  ALTER TABLE slot_place ADD COLUMN details_from_us INTEGER NOT NULL DEFAULT 0;
  UPDATE slot_place SET details_from_us = max(complete_from_us,
    CASE WHEN newest_us > -9000000000000000000 THEN newest_us + 60000000 ELSE complete_from_us END);
  CREATE TABLE slot_load(
    width INTEGER NOT NULL,         -- ReportSlot
    start_us INTEGER NOT NULL,
    call_seconds INTEGER NOT NULL DEFAULT 0,
    calls_max INTEGER NOT NULL DEFAULT 0,   -- in progress in one second
    begun INTEGER NOT NULL DEFAULT 0,
    begun_max INTEGER NOT NULL DEFAULT 0,   -- in one second
    queue_max INTEGER NOT NULL DEFAULT 0,   -- records that waited; 0: not told
    seconds BLOB,                   -- of five minutes: calls in progress and begun, each second
    PRIMARY KEY(width, start_us)
  ) WITHOUT ROWID;
  CREATE TABLE slot_failures(
    width INTEGER NOT NULL,
    start_us INTEGER NOT NULL,
    is_vendor INTEGER NOT NULL,
    gateway TEXT NOT NULL,
    reason INTEGER NOT NULL,
    count INTEGER NOT NULL,
    latest TEXT NOT NULL,           -- up to three records, ids with blanks between
    PRIMARY KEY(width, start_us, is_vendor, gateway, reason)
  ) WITHOUT ROWID;
)sql";

/// The most that was in progress in a second cannot be had of sums. But calls are only ever added
/// to a second, so that the highest second of five minutes, and of the hours and days over them,
/// only ever grows: it is kept up to date while the seconds are there.
///
/// Threading: one thread at a time. Errors of members: io, corrupt.
class SlotDetails {
 public:
  /// Seconds before `kept_us` are of no slot that is kept, and those from `known_us` on of calls by
  /// a clock that was wrong.
  SlotDetails(const TimeZone& zone, std::int64_t kept_us, std::int64_t known_us);

  /// Counts the call in the seconds that it touches, from INVITE to release, its last month at
  /// most.
  void add_load(const CallFacts& call);
  /// Counts what did not come to an answer, in a slot of the call's end. `call` has its legs.
  void add_failures(ReportSlot width, std::int64_t start_us, const CallFacts& call);
  /// Adds all to what is stored, in a transaction of the caller's. Once.
  Result<void> write(store::Connection& connection);

 private:
  struct FiveMinutes {
    std::vector<std::int32_t> steps;  // of calls in progress, from second to second
    std::vector<std::uint32_t> begun;
    std::int64_t call_seconds = 0;
    std::int64_t begun_sum = 0;
  };
  struct Failures {
    std::uint64_t count = 0;
    LatestRecords latest;
  };
  Result<void> write_load(store::Connection& connection);
  Result<void> write_failures(store::Connection& connection);
  void fail_once(ReportSlot width, std::int64_t start_us, bool is_vendor, std::string_view gateway,
                 Reason reason, std::int64_t record_id);

  ReportSlots five_minutes_, hours_, days_;
  const std::int64_t kept_us_, known_us_;
  std::map<std::int64_t, FiveMinutes> load_;
  using FailureKey = std::tuple<ReportSlot, std::int64_t, bool, std::string, Reason>;
  std::map<FailureKey, Failures> failures_;
};

/// So many records waited to be taken at `at_us`.
Result<void> write_queue(store::Connection& connection, const TimeZone& zone, std::int64_t at_us,
                         std::uint64_t records);
/// Slots of a width that began before `before_us`.
Result<void> forget_details(store::Connection& connection, ReportSlot width,
                            std::int64_t before_us);
/// All, but how many records waited, which nothing else tells: in another zone that of five
/// minutes.
Result<void> clear_details(store::Connection& connection, bool is_same_zone);

/// Gives the collector the details of a width from `since_us` on and before `until_us`.
Result<void> collect_load(store::Connection& connection, ReportSlot width, std::int64_t since_us,
                          std::int64_t until_us, ReportCollector& collector);
/// `gateway`: that one alone; "": all.
Result<void> collect_failures(store::Connection& connection, ReportSlot width,
                              std::int64_t since_us, std::int64_t until_us, bool is_vendor,
                              const std::string& gateway, ReportCollector& collector);

}  // namespace tandem::cdr
