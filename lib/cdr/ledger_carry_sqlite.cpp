#include "cdr/ledger_carry_sqlite.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "cdr/ledger_sqlite.hpp"
#include "tandem/clock.hpp"
#include "tandem/ledger.hpp"

namespace tandem::cdr {
namespace {

__extension__ using Wide = __int128;

/// What one opening will stand for.
struct Carried {
  Wide balance_units = 0;
  std::int64_t at_us = 0;  // of the last entry
  std::size_t entries = 0;
};

/// The oldest entries, account by account.
class Oldest {
 public:
  static Result<Oldest> open(store::Connection& connection) {
    Oldest oldest;
    auto opening = connection.prepare(
        "SELECT balance_units FROM ledger WHERE account = ? AND id < 0 ORDER BY id DESC LIMIT 1");
    if (!opening) return std::move(opening).error();
    oldest.opening_ = std::move(*opening);
    return oldest;
  }

  Result<void> add(const store::Statement& entry) {
    const std::string_view account = entry.text(1);
    auto place = accounts_.find(account);
    if (place == accounts_.end()) {
      auto row = opening_.bind(1, account).step();
      if (!row) return std::move(row).error();
      place = accounts_.emplace(std::string(account), Carried{}).first;
      if (*row) place->second.balance_units = opening_.integer(0);
      opening_.reset();
    }
    Carried& carried = place->second;
    carried.balance_units += entry.integer(2);
    if (carried.balance_units != entry.integer(3))
      return Error{ErrorCode::corrupt, "entry " + std::to_string(entry.integer(0)) +
                                           " of account \"" + std::string(account) +
                                           "\" does not add up: nothing was carried forward"};
    carried.at_us = entry.integer(4);
    ++carried.entries;
    ++entries_;
    last_record_ = entry.integer(0) >> ledger_side_bits;
    return {};
  }

  [[nodiscard]] std::size_t entries() const noexcept { return entries_; }
  [[nodiscard]] std::int64_t last_record() const noexcept { return last_record_; }
  [[nodiscard]] const auto& accounts() const noexcept { return accounts_; }

 private:
  Oldest() = default;
  store::Statement opening_;
  std::map<std::string, Carried, std::less<>> accounts_;
  std::size_t entries_ = 0;
  std::int64_t last_record_ = 0;
};

/// Whole records, because the entries of one are compared with its call together.
Result<Oldest> read_oldest(store::Connection& connection, std::int64_t before_us,
                           std::size_t entries_max) {
  auto oldest = Oldest::open(connection);
  if (!oldest) return oldest;
  auto select = connection.prepare(
      "SELECT id, account, amount_units, balance_units, at_us FROM ledger WHERE id > 0 "
      "ORDER BY id");
  if (!select) return std::move(select).error();
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row || select->integer(4) >= before_us) return oldest;
    if (oldest->entries() >= entries_max &&
        select->integer(0) >> ledger_side_bits != oldest->last_record())
      return oldest;
    if (auto done = oldest->add(*select); !done) return std::move(done).error();
  }
}

Result<void> replace(store::Connection& connection, const Oldest& oldest,
                     std::int64_t carried_before) {
  auto place = connection.prepare("UPDATE ledger_position SET carried_before = ?");
  if (!place) return std::move(place).error();
  if (auto done = place->bind(1, carried_before).run(); !done) return done;
  auto keep = connection.prepare(
      "INSERT INTO carried_bookings SELECT id, account, kind, amount_units, balance_units, at_us, "
      "reference, memo, idempotency_key, answered_units FROM ledger WHERE id > 0 AND id < ? AND "
      "idempotency_key IS NOT NULL");
  if (!keep) return std::move(keep).error();
  if (auto done = keep->bind(1, carried_before).run(); !done) return done;
  auto open = connection.prepare(
      "INSERT INTO ledger(id, account, kind, amount_units, balance_units, at_us, memo) "
      "SELECT min(coalesce(min(id), 0), 0) - 1, ?1, ?2, ?3, ?3, ?4, ?5 FROM ledger");
  if (!open) return std::move(open).error();
  // The opening that was there before has a number above that of the new one.
  auto remove = connection.prepare(
      "DELETE FROM ledger WHERE account = ?1 AND id < ?2 AND "
      "id <> (SELECT min(id) FROM ledger WHERE account = ?1)");
  if (!remove) return std::move(remove).error();
  for (const auto& [account, carried] : oldest.accounts()) {
    open->bind(1, account).bind(2, static_cast<std::int64_t>(LedgerKind::opening));
    open->bind(3, static_cast<std::int64_t>(carried.balance_units)).bind(4, carried.at_us);
    open->bind(5, "carried forward at " + format_time_us(carried.at_us));
    if (auto done = open->run(); !done) return done;
    if (auto done = remove->bind(1, account).bind(2, carried_before).run(); !done) return done;
  }
  return {};
}

Result<std::optional<std::int64_t>> one_time(store::Connection& connection, const char* sql) {
  auto select = connection.prepare(sql);
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  if (!*row) return std::optional<std::int64_t>();
  return std::optional<std::int64_t>(select->integer(0));
}

/// Does not wait for another writer of the file: payments would wait behind, and the next try is a
/// second away.
class Impatience {
 public:
  explicit Impatience(store::Connection& connection) noexcept : connection_(connection) {
    connection_.wait_for_lock(0);
  }
  ~Impatience() { connection_.wait_for_lock(store::Connection::lock_wait_ms); }
  Impatience(const Impatience&) = delete;
  Impatience& operator=(const Impatience&) = delete;

 private:
  store::Connection& connection_;
};

}  // namespace

Result<std::size_t> carry_entries_forward(store::Connection& connection, std::int64_t before_us,
                                          std::size_t entries_max) {
  const Impatience here(connection);
  auto transaction = store::Transaction::begin(connection);
  if (!transaction) return std::move(transaction).error();
  auto oldest = read_oldest(connection, before_us, entries_max);
  if (!oldest) return std::move(oldest).error();
  if (oldest->entries() == 0) return std::size_t{0};
  const std::int64_t carried_before = (oldest->last_record() + 1) << ledger_side_bits;
  if (auto done = replace(connection, *oldest, carried_before); !done)
    return std::move(done).error();
  if (auto done = transaction->commit(); !done) return std::move(done).error();
  return oldest->entries();
}

Result<std::optional<std::int64_t>> oldest_entry_us(store::Connection& connection) {
  return one_time(connection, "SELECT at_us FROM ledger WHERE id > 0 ORDER BY id LIMIT 1");
}

Result<std::int64_t> retention_time_us(store::Connection& connection, std::int64_t wall_us) {
  auto kept = one_time(connection, "SELECT retention_time_us FROM ledger_position");
  if (!kept) return std::move(kept).error();
  if (*kept && **kept != 0) return **kept;
  auto newest =
      one_time(connection, "SELECT at_us FROM ledger WHERE id > 0 ORDER BY id DESC LIMIT 1");
  if (!newest) return std::move(newest).error();
  return std::min(wall_us, newest->value_or(wall_us));
}

Result<void> keep_retention_time(store::Connection& connection, std::int64_t time_us) {
  const Impatience here(connection);
  auto update = connection.prepare("UPDATE ledger_position SET retention_time_us = ?");
  if (!update) return std::move(update).error();
  return update->bind(1, time_us).run();
}

}  // namespace tandem::cdr
