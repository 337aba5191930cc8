#include "cdr/disputes_sqlite.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "base/time_zone.hpp"
#include "cdr/archived_days.hpp"
#include "cdr/day_files.hpp"
#include "tandem/disputes.hpp"

namespace tandem::cdr {
namespace {

constexpr store::Migration steps[] = {
    {1, R"sql(
      CREATE TABLE disputes(
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        record_id INTEGER NOT NULL,
        day INTEGER NOT NULL,                -- since 1970, UTC, that the call ended on
        at_us INTEGER NOT NULL,
        reason TEXT NOT NULL,
        author TEXT NOT NULL,
        resolved_at_us INTEGER,              -- NULL: it is open
        resolution TEXT NOT NULL DEFAULT '',
        resolver TEXT NOT NULL DEFAULT ''
      );
      CREATE UNIQUE INDEX disputes_open ON disputes(record_id) WHERE resolved_at_us IS NULL;
      CREATE INDEX disputes_by_record ON disputes(record_id, id);
      CREATE INDEX disputes_by_day ON disputes(day, id);
      -- Partitions that sinks deleted: the last ten thousand.
      CREATE TABLE retired_days(
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at_us INTEGER NOT NULL,
        day INTEGER NOT NULL,
        sink TEXT NOT NULL
      );
    )sql"},
};

constexpr const char* columns =
    "id, record_id, day, at_us, reason, author, ifnull(resolved_at_us, 0), resolution, resolver";

Dispute read_row(const store::Statement& row) {
  Dispute dispute;
  dispute.id = static_cast<std::uint64_t>(row.integer(0));
  dispute.record_id = static_cast<std::uint64_t>(row.integer(1));
  dispute.day = format_date(row.integer(2) * day_us);
  dispute.at_us = row.integer(3);
  dispute.reason = row.text(4);
  dispute.author = row.text(5);
  dispute.resolved_at_us = row.integer(6);
  dispute.resolution = row.text(7);
  dispute.resolver = row.text(8);
  return dispute;
}

Error refused(std::string message) { return {ErrorCode::invalid_argument, std::move(message)}; }

Error no_record(std::uint64_t record_id) {
  return {ErrorCode::not_found, "no record " + std::to_string(record_id)};
}

Result<void> check(const DisputeRequest& request, const std::string& database) {
  constexpr auto highest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (database.empty() || database == ":memory:")
    return Error{ErrorCode::unsupported, "there was no main database to keep disputes in"};
  if (request.record_id == 0 || request.record_id > highest)
    return refused("record_id " + std::to_string(request.record_id) + " was not in 1.." +
                   std::to_string(highest));
  if (request.reason.empty()) return refused("reason was empty");
  for (const auto& [what, text] :
       {std::pair("reason", &request.reason), std::pair("author", &request.author)}) {
    if (text->size() > dispute_text_bytes_max)
      return refused(std::string(what) + " of " + std::to_string(text->size()) +
                     " bytes was longer than " + std::to_string(dispute_text_bytes_max));
  }
  return {};
}

/// Nothing: none was given.
Result<std::optional<std::int64_t>> day_in(const std::string& text) {
  if (text.empty()) return std::optional<std::int64_t>();
  const auto day = parse_day(text);
  if (!day) return day.error();
  if (*day < 0 || *day > last_day) return refused("day \"" + text + "\" was out of range");
  return std::optional<std::int64_t>(*day);
}

/// Day of a record that may be disputed.
Result<std::int64_t> day_of_record(const CdrPlace& place, std::uint64_t record_id,
                                   std::optional<std::int64_t> given) {
  if (place.folder.empty()) {
    if (given) return *given;
    return refused("day of record " + std::to_string(record_id) +
                   " was not given, and there are no day files to look in");
  }
  const auto found = CdrStore(place.folder).find(record_id);
  if (!found && found.error().code != ErrorCode::wrong_state) return found.error();
  if (found && *found) {
    const std::int64_t day = day_of((*found)->ended_at_us);
    if (!given || *given == day) return day;
    return refused("record " + std::to_string(record_id) + " was of " + format_date(day * day_us) +
                   " and not of " + format_date(*given * day_us));
  }
  if (!given) {
    if (found) return no_record(record_id);
    return Error{ErrorCode::wrong_state, found.error().message + "; or name the day of the call"};
  }
  // An archive is not opened for it: that it may have the record is enough to keep it.
  const auto archives = archives_that_may_have(place.folder, record_id);
  if (!archives) return archives.error();
  if (std::find(archives->begin(), archives->end(), *given) == archives->end())
    return no_record(record_id);
  auto rows = open_whole_day(place.folder, *given);
  if (!rows) return std::move(rows).error();
  if (*rows) return no_record(record_id);
  return *given;
}

Result<Dispute> read_one(store::Connection& connection, std::int64_t id) {
  auto select =
      connection.prepare(std::string("SELECT ") + columns + " FROM disputes WHERE id = ?");
  if (!select) return std::move(select).error();
  auto row = select->bind(1, id).step();
  if (!row) return std::move(row).error();
  if (!*row) return Error{ErrorCode::io, "dispute " + std::to_string(id) + " was gone"};
  return read_row(*select);
}

/// Id of the dispute of a record that is open; 0: none is.
Result<std::int64_t> open_id(store::Connection& connection, std::uint64_t record_id) {
  auto select =
      connection.prepare("SELECT id FROM disputes WHERE record_id = ? AND resolved_at_us IS NULL");
  if (!select) return std::move(select).error();
  auto row = select->bind(1, static_cast<std::int64_t>(record_id)).step();
  if (!row) return std::move(row).error();
  return *row ? select->integer(0) : 0;
}

}  // namespace

Result<store::Connection> open_disputes(const std::string& database) {
  auto connection = store::Connection::open(database);
  if (!connection) return connection;
  if (auto done = store::migrate(*connection, "disputes", steps); !done)
    return std::move(done).error();
  return connection;
}

Result<std::optional<store::Connection>> read_disputes(const std::string& database) {
  using Found = std::optional<store::Connection>;
  if (database.empty()) return Found();
  auto connection = store::Connection::open(database, store::OpenMode::read_only);
  if (!connection && connection.error().code == ErrorCode::not_found) return Found();
  if (!connection) return std::move(connection).error();
  bool is_there = false;
  {
    auto table = connection->prepare("SELECT 1 FROM sqlite_master WHERE name = 'retired_days'");
    if (!table) return std::move(table).error();
    auto row = table->step();
    if (!row) return std::move(row).error();
    is_there = *row;
  }
  return is_there ? Found(std::move(*connection)) : Found();
}

Result<OpenDisputes> open_disputes_of(store::Connection& connection, std::int64_t day) {
  auto select = connection.prepare(
      "SELECT count(*), ifnull(min(record_id), 0) FROM disputes WHERE day = ? AND resolved_at_us "
      "IS NULL");
  if (!select) return std::move(select).error();
  auto row = select->bind(1, day).step();
  if (!row) return std::move(row).error();
  return OpenDisputes{static_cast<std::uint64_t>(select->integer(0)),
                      static_cast<std::uint64_t>(select->integer(1))};
}

}  // namespace tandem::cdr

namespace tandem {

Result<Dispute> dispute_record(const CdrPlace& place, const DisputeRequest& request,
                               const Clock* clock) {
  const SystemClock system_clock;
  if (auto checked = cdr::check(request, place.database); !checked)
    return std::move(checked).error();
  const auto given = cdr::day_in(request.day);
  if (!given) return given.error();
  const auto day = cdr::day_of_record(place, request.record_id, *given);
  if (!day) return day.error();
  auto connection = cdr::open_disputes(place.database);
  if (!connection) return std::move(connection).error();
  auto transaction = store::Transaction::begin(*connection);
  if (!transaction) return std::move(transaction).error();
  // Days are deleted under this lock: the one that was found is still there, or is missed now.
  if (!place.folder.empty()) {
    const auto days = cdr::stored_days_of(place.folder);
    if (!days) return days.error();
    if (std::find(days->begin(), days->end(), *day) == days->end())
      return cdr::no_record(request.record_id);
  }
  const auto open = cdr::open_id(*connection, request.record_id);
  if (!open) return open.error();
  if (*open != 0)
    return Error{ErrorCode::already_exists,
                 "record " + std::to_string(request.record_id) + " was disputed already"};
  auto insert = connection->prepare(
      "INSERT INTO disputes(record_id, day, at_us, reason, author) VALUES(?, ?, ?, ?, ?)");
  if (!insert) return std::move(insert).error();
  insert->bind(1, static_cast<std::int64_t>(request.record_id)).bind(2, *day);
  insert->bind(3, (clock != nullptr ? *clock : system_clock).wall_us());
  if (auto done = insert->bind(4, request.reason).bind(5, request.author).run(); !done)
    return std::move(done).error();
  const auto id = cdr::open_id(*connection, request.record_id);
  if (!id) return id.error();
  auto made = cdr::read_one(*connection, *id);
  if (!made) return made;
  if (auto done = transaction->commit(); !done) return std::move(done).error();
  return made;
}

Result<Dispute> resolve_dispute(const CdrPlace& place, const DisputeRequest& request,
                                const Clock* clock) {
  const SystemClock system_clock;
  if (auto checked = cdr::check(request, place.database); !checked)
    return std::move(checked).error();
  auto connection = cdr::open_disputes(place.database);
  if (!connection) return std::move(connection).error();
  auto transaction = store::Transaction::begin(*connection);
  if (!transaction) return std::move(transaction).error();
  const auto id = cdr::open_id(*connection, request.record_id);
  if (!id) return id.error();
  if (*id == 0)
    return Error{ErrorCode::not_found,
                 "no dispute of record " + std::to_string(request.record_id) + " was open"};
  auto update = connection->prepare(
      "UPDATE disputes SET resolved_at_us = ?, resolution = ?, resolver = ? WHERE id = ?");
  if (!update) return std::move(update).error();
  update->bind(1, (clock != nullptr ? *clock : system_clock).wall_us()).bind(2, request.reason);
  if (auto done = update->bind(3, request.author).bind(4, *id).run(); !done)
    return std::move(done).error();
  auto made = cdr::read_one(*connection, *id);
  if (!made) return made;
  if (auto done = transaction->commit(); !done) return std::move(done).error();
  return made;
}

Result<std::vector<Dispute>> query_disputes(const CdrPlace& place, const DisputeQuery& query) {
  if (query.limit < 1 || query.limit > 1'000'000)
    return cdr::refused("limit " + std::to_string(query.limit) + " was not in 1..1000000");
  const auto day = cdr::day_in(query.day);
  if (!day) return day.error();
  std::vector<Dispute> found;
  auto connection = cdr::read_disputes(place.database);
  if (!connection) return std::move(connection).error();
  if (!*connection) return found;
  std::string sql = std::string("SELECT ") + cdr::columns + " FROM disputes WHERE id < ?1";
  if (query.record_id != 0) sql += " AND record_id = ?3";
  if (*day) sql += " AND day = ?4";
  if (query.is_open)
    sql += *query.is_open ? " AND resolved_at_us IS NULL" : " AND resolved_at_us IS NOT NULL";
  auto select = (*connection)->prepare(sql + " ORDER BY id DESC LIMIT ?2");
  if (!select) return std::move(select).error();
  constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
  const std::uint64_t before =
      std::min(query.before_id.value_or(highest), static_cast<std::uint64_t>(highest));
  select->bind(1, static_cast<std::int64_t>(before));
  select->bind(2, static_cast<std::int64_t>(query.limit));
  if (query.record_id != 0) select->bind(3, static_cast<std::int64_t>(query.record_id));
  if (*day) select->bind(4, **day);
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return found;
    found.push_back(cdr::read_row(*select));
  }
}

}  // namespace tandem
