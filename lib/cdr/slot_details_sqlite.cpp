#include "cdr/slot_details_sqlite.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/text.hpp"
#include "cdr/wire.hpp"

namespace tandem::cdr {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::size_t seconds_of_five_minutes = 300;

/// Calls in progress and begun in each second of five minutes.
struct Seconds {
  std::array<std::uint32_t, seconds_of_five_minutes> in_progress{};
  std::array<std::uint32_t, seconds_of_five_minutes> begun{};
};

std::string to_bytes(const Seconds& seconds) {
  std::string bytes;
  WireWriter out(bytes);
  for (std::size_t i = 0; i < seconds_of_five_minutes; ++i) {
    out.number(seconds.in_progress[i]);
    out.number(seconds.begun[i]);
  }
  return bytes;
}

/// Of no bytes nothing: none was up then.
Result<Seconds> from_bytes(std::string_view bytes) {
  Seconds seconds;
  WireReader in(bytes);
  for (std::size_t i = 0; i < seconds_of_five_minutes; ++i) {
    seconds.in_progress[i] = static_cast<std::uint32_t>(in.number());
    seconds.begun[i] = static_cast<std::uint32_t>(in.number());
  }
  if (in.is_bad()) return Error{ErrorCode::corrupt, "seconds of a slot were not readable"};
  return seconds;
}

std::int64_t highest(const std::array<std::uint32_t, seconds_of_five_minutes>& counts) {
  return std::int64_t{*std::max_element(counts.begin(), counts.end())};
}

std::string to_text(const LatestRecords& latest) { return latest.text(); }

Result<LatestRecords> from_text(std::string_view text) {
  LatestRecords latest;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const auto id = parse_integer<std::uint64_t>(text.substr(0, end));
    if (!id) return Error{ErrorCode::corrupt, "records of a slot were not readable"};
    latest.add(static_cast<std::int64_t>(*id));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return latest;
}

}  // namespace

SlotDetails::SlotDetails(const TimeZone& zone, std::int64_t kept_us, std::int64_t known_us)
    : five_minutes_(ReportSlot::five_minutes, zone),
      hours_(ReportSlot::hour, zone),
      days_(ReportSlot::day, zone),
      kept_us_(kept_us),
      known_us_(known_us) {}

void SlotDetails::add_load(const CallFacts& call) {
  const CallSeconds seconds = seconds_of_call(call);
  std::int64_t at_s = seconds.begin_s;
  while (at_s <= seconds.end_s) {
    const std::int64_t start_us = five_minutes_.start_us(at_s * second_us);
    const std::int64_t start_s = second_of(start_us);
    const std::int64_t next_s = start_s + static_cast<std::int64_t>(seconds_of_five_minutes);
    if (next_s <= at_s || start_us >= known_us_) return;
    const std::int64_t last_s = std::min(seconds.end_s, next_s - 1);
    if (start_us >= kept_us_) {
      FiveMinutes& slot = load_[start_us];
      if (slot.steps.empty()) {
        slot.steps.resize(seconds_of_five_minutes + 1);
        slot.begun.resize(seconds_of_five_minutes);
      }
      ++slot.steps[static_cast<std::size_t>(at_s - start_s)];
      --slot.steps[static_cast<std::size_t>(last_s - start_s) + 1];
      slot.call_seconds += last_s - at_s + 1;
      if (seconds.is_begun && at_s == seconds.begin_s) {
        ++slot.begun[static_cast<std::size_t>(at_s - start_s)];
        ++slot.begun_sum;
      }
    }
    at_s = next_s;
  }
}

void SlotDetails::fail_once(ReportSlot width, std::int64_t start_us, bool is_vendor,
                            std::string_view gateway, Reason reason, std::int64_t record_id) {
  Failures& failures = failures_[{width, start_us, is_vendor, std::string(gateway), reason}];
  ++failures.count;
  failures.latest.add(record_id);
}

void SlotDetails::add_failures(ReportSlot width, std::int64_t start_us, const CallFacts& call) {
  if (!call.is_answered())
    fail_once(width, start_us, false, call.customer_gateway, call.reason, call.record_id);
  for (const LegFacts& leg : call.legs) {
    if (!leg.is_answered) fail_once(width, start_us, true, leg.gateway, leg.reason, call.record_id);
  }
}

Result<void> SlotDetails::write(store::Connection& connection) {
  if (auto done = write_load(connection); !done) return done;
  return write_failures(connection);
}

Result<void> SlotDetails::write_load(store::Connection& connection) {
  auto select =
      connection.prepare("SELECT seconds FROM slot_load WHERE width = ? AND start_us = ?");
  if (!select) return std::move(select).error();
  auto add = connection.prepare(
      "INSERT INTO slot_load(width, start_us, call_seconds, calls_max, begun, begun_max, seconds) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(width, start_us) DO UPDATE SET "
      "call_seconds = call_seconds + ?3, calls_max = max(calls_max, ?4), begun = begun + ?5, "
      "begun_max = max(begun_max, ?6), seconds = ?7");
  if (!add) return std::move(add).error();
  struct Sum {
    std::int64_t call_seconds = 0, calls_max = 0, begun = 0, begun_max = 0;
  };
  const auto put = [&](ReportSlot width, std::int64_t start_us, const Sum& sum,
                       const std::string* seconds) {
    add->bind(1, static_cast<std::int64_t>(width)).bind(2, start_us).bind(3, sum.call_seconds);
    add->bind(4, sum.calls_max).bind(5, sum.begun).bind(6, sum.begun_max);
    if (seconds != nullptr) {
      add->bind_blob(7, *seconds);
    } else {
      add->bind_null(7);
    }
    return add->run();
  };
  std::map<std::pair<ReportSlot, std::int64_t>, Sum> wider;
  for (const auto& [start_us, added] : load_) {
    select->bind(1, static_cast<std::int64_t>(ReportSlot::five_minutes)).bind(2, start_us);
    auto row = select->step();
    if (!row) return std::move(row).error();
    auto seconds = from_bytes(*row ? select->text(0) : std::string_view());
    if (!seconds) return std::move(seconds).error();
    select->reset();
    std::int64_t in_progress = 0;
    for (std::size_t i = 0; i < seconds_of_five_minutes; ++i) {
      in_progress += added.steps[i];
      seconds->in_progress[i] += static_cast<std::uint32_t>(in_progress);
      seconds->begun[i] += added.begun[i];
    }
    const Sum sum{added.call_seconds, highest(seconds->in_progress), added.begun_sum,
                  highest(seconds->begun)};
    const std::string bytes = to_bytes(*seconds);
    if (auto done = put(ReportSlot::five_minutes, start_us, sum, &bytes); !done) return done;
    for (ReportSlots* slots : {&hours_, &days_}) {
      Sum& over = wider[{slots->kind(), slots->start_us(start_us)}];
      over.call_seconds += sum.call_seconds;
      over.calls_max = std::max(over.calls_max, sum.calls_max);
      over.begun += sum.begun;
      over.begun_max = std::max(over.begun_max, sum.begun_max);
    }
  }
  for (const auto& [slot, sum] : wider) {
    if (auto done = put(slot.first, slot.second, sum, nullptr); !done) return done;
  }
  return {};
}

Result<void> SlotDetails::write_failures(store::Connection& connection) {
  auto select = connection.prepare(
      "SELECT count, latest FROM slot_failures WHERE width = ? AND start_us = ? AND is_vendor = ? "
      "AND gateway = ? AND reason = ?");
  if (!select) return std::move(select).error();
  auto insert = connection.prepare("INSERT OR REPLACE INTO slot_failures VALUES(?,?,?,?,?,?,?)");
  if (!insert) return std::move(insert).error();
  for (auto& [key, added] : failures_) {
    for (store::Statement* statement : {&*select, &*insert}) {
      statement->bind(1, static_cast<std::int64_t>(std::get<0>(key))).bind(2, std::get<1>(key));
      statement->bind(3, std::int64_t{std::get<2>(key) ? 1 : 0}).bind(4, std::get<3>(key));
      statement->bind(5, static_cast<std::int64_t>(std::get<4>(key)));
    }
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (*row) {
      added.count += static_cast<std::uint64_t>(select->integer(0));
      auto before = from_text(select->text(1));
      if (!before) return std::move(before).error();
      added.latest.add(*before);
    }
    select->reset();
    insert->bind(6, static_cast<std::int64_t>(added.count)).bind(7, to_text(added.latest));
    if (auto done = insert->run(); !done) return done;
  }
  return {};
}

Result<void> write_queue(store::Connection& connection, const TimeZone& zone, std::int64_t at_us,
                         std::uint64_t records) {
  auto add = connection.prepare(
      "INSERT INTO slot_load(width, start_us, queue_max) VALUES(?1, ?2, ?3) "
      "ON CONFLICT(width, start_us) DO UPDATE SET queue_max = max(queue_max, ?3)");
  if (!add) return std::move(add).error();
  for (const ReportSlot width : {ReportSlot::five_minutes, ReportSlot::hour, ReportSlot::day}) {
    add->bind(1, static_cast<std::int64_t>(width));
    add->bind(2, ReportSlots(width, zone).start_us(at_us));
    if (auto done = add->bind(3, static_cast<std::int64_t>(records)).run(); !done) return done;
  }
  return {};
}

Result<void> forget_details(store::Connection& connection, ReportSlot width,
                            std::int64_t before_us) {
  for (const char* table : {"slot_load", "slot_failures"}) {
    auto forget = connection.prepare(std::string("DELETE FROM ") + table +
                                     " WHERE width = ? AND start_us < ?");
    if (!forget) return std::move(forget).error();
    if (auto done = forget->bind(1, static_cast<std::int64_t>(width)).bind(2, before_us).run();
        !done)
      return done;
  }
  return {};
}

Result<void> clear_details(store::Connection& connection, bool is_same_zone) {
  const std::string five_minutes =
      std::to_string(static_cast<std::int64_t>(ReportSlot::five_minutes));
  return connection.execute(
      "DELETE FROM slot_failures; DELETE FROM slot_load WHERE queue_max = 0" +
      (is_same_zone ? std::string() : " OR width <> " + five_minutes) +
      "; UPDATE slot_load SET call_seconds = 0, calls_max = 0, begun = 0, begun_max = 0, seconds = "
      "NULL;");
}

Result<void> collect_load(store::Connection& connection, ReportSlot width, std::int64_t since_us,
                          std::int64_t until_us, ReportCollector& collector) {
  auto rows = connection.prepare(
      "SELECT start_us, call_seconds, calls_max, begun, begun_max, queue_max FROM slot_load "
      "WHERE width = ? AND start_us >= ? AND start_us < ?");
  if (!rows) return std::move(rows).error();
  rows->bind(1, static_cast<std::int64_t>(width)).bind(2, since_us).bind(3, until_us);
  for (;;) {
    auto row = rows->step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
    auto added = collector.add_load({rows->integer(0), rows->integer(1), rows->integer(2),
                                     rows->integer(3), rows->integer(4), rows->integer(5)});
    if (!added) return added;
  }
}

Result<void> collect_failures(store::Connection& connection, ReportSlot width,
                              std::int64_t since_us, std::int64_t until_us, bool is_vendor,
                              const std::string& gateway, ReportCollector& collector) {
  auto rows = connection.prepare(
      "SELECT start_us, gateway, reason, count, latest FROM slot_failures WHERE width = ? AND "
      "start_us >= ? AND start_us < ? AND is_vendor = ?");
  if (!rows) return std::move(rows).error();
  rows->bind(1, static_cast<std::int64_t>(width)).bind(2, since_us).bind(3, until_us);
  rows->bind(4, std::int64_t{is_vendor ? 1 : 0});
  for (;;) {
    auto row = rows->step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
    if (!gateway.empty() && rows->text(1) != gateway) continue;
    auto latest = from_text(rows->text(4));
    if (!latest) return std::move(latest).error();
    auto added = collector.add_failures({rows->integer(0), rows->text(1),
                                         static_cast<Reason>(rows->integer(2)),
                                         static_cast<std::uint64_t>(rows->integer(3)), &*latest});
    if (!added) return added;
  }
}

}  // namespace tandem::cdr
