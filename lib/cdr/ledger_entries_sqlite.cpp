#include "cdr/ledger_entries_sqlite.hpp"

#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "cdr/ledger_sqlite.hpp"

namespace tandem::cdr {

LedgerEntry read_entry(const store::Statement& row) {
  LedgerEntry entry;
  entry.id = row.integer(0);
  entry.account = row.text(1);
  entry.kind = static_cast<LedgerKind>(row.integer(2));
  entry.amount = Amount::from_units(row.integer(3));
  entry.balance = Amount::from_units(row.integer(4));
  entry.at_us = row.integer(5);
  entry.reference = row.text(6);
  // A charge is about the record that its number comes from.
  const bool is_side_of_call = (entry.id & ((1 << ledger_side_bits) - 1)) != 0 && entry.id > 0;
  if (entry.reference.empty() && is_side_of_call)
    entry.reference = std::to_string(entry.id >> ledger_side_bits);
  entry.memo = row.text(7);
  entry.idempotency_key = row.text(8);
  return entry;
}

namespace {

constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
constexpr auto highest = std::numeric_limits<std::int64_t>::max();
// Of the newest entries this many are looked at for a period, and so many times the limit more.
constexpr std::int64_t newest_looked_at = 1'000;
constexpr std::int64_t looked_at_per_entry = 10;

std::string select_from(const char* index) {
  return std::string("SELECT ") + entry_columns + " FROM ledger INDEXED BY " + index + ' ';
}

/// From the newest entry of the account on, which is the end of its own index. Nothing: these were
/// not enough to tell all of the answer.
Result<std::optional<std::vector<LedgerEntry>>> read_newest(store::Connection& connection,
                                                            const LedgerQuery& query) {
  const bool has_period = query.since_us || query.until_us;
  const auto limit = static_cast<std::int64_t>(query.limit);
  const std::int64_t rows_max = has_period ? newest_looked_at + looked_at_per_entry * limit : limit;
  auto select = connection.prepare(select_from("ledger_by_account") +
                                   "WHERE account = ? AND id < ? ORDER BY id DESC LIMIT ?");
  if (!select) return std::move(select).error();
  select->bind(1, query.account).bind(2, query.before_id.value_or(highest)).bind(3, rows_max);
  std::vector<LedgerEntry> found;
  for (std::int64_t rows = 0; found.size() < query.limit; ++rows) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) {
      if (has_period && rows == rows_max) return std::optional<std::vector<LedgerEntry>>();
      break;
    }
    const std::int64_t at_us = select->integer(5);
    if (at_us >= query.since_us.value_or(lowest) && (!query.until_us || at_us < *query.until_us))
      found.push_back(read_entry(*select));
  }
  return std::optional(std::move(found));
}

/// By their time, however many are newer, and then put in order.
Result<std::vector<LedgerEntry>> read_period(store::Connection& connection,
                                             const LedgerQuery& query) {
  // A database that no switch of this release has opened yet has no such index.
  auto find = connection.prepare("SELECT 1 FROM sqlite_master WHERE name = 'ledger_by_time'");
  if (!find) return std::move(find).error();
  auto has_index = find->step();
  if (!has_index) return std::move(has_index).error();
  auto select = connection.prepare(
      select_from(*has_index ? "ledger_by_time" : "ledger_by_account") +
      "WHERE account = ? AND id < ? AND at_us >= ? AND at_us < ? ORDER BY id DESC LIMIT ?");
  if (!select) return std::move(select).error();
  select->bind(1, query.account).bind(2, query.before_id.value_or(highest));
  select->bind(3, query.since_us.value_or(lowest)).bind(4, query.until_us.value_or(highest));
  select->bind(5, static_cast<std::int64_t>(query.limit));
  std::vector<LedgerEntry> found;
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return found;
    found.push_back(read_entry(*select));
  }
}

}  // namespace

Result<std::vector<LedgerEntry>> read_entries(store::Connection& connection,
                                              const LedgerQuery& query) {
  if (query.account.empty()) return Error{ErrorCode::invalid_argument, "no account was named"};
  if (query.limit < 1 || query.limit > 1'000'000) {
    return Error{ErrorCode::invalid_argument,
                 "limit " + std::to_string(query.limit) + " was not in 1..1000000"};
  }
  // The usual questions are for the newest entries, and for those behind the page before, which are
  // near each other; an index by time would read and sort all of the period for each page.
  auto newest = read_newest(connection, query);
  if (!newest) return std::move(newest).error();
  if (*newest) return std::move(**newest);
  return read_period(connection, query);
}

Result<std::vector<LedgerEntry>> stored_entries(const std::string& path, const LedgerQuery& query) {
  auto connection = store::Connection::open(path, store::OpenMode::read_only);
  if (!connection) return std::move(connection).error();
  return read_entries(*connection, query);
}

}  // namespace tandem::cdr
