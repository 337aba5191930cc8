#include "cdr/ledger_sqlite.hpp"

#include <map>

#include "cdr/records.hpp"

namespace tandem::cdr {
namespace {

constexpr store::Migration steps[] = {
    {1, R"sql(
      CREATE TABLE accounts(
        id TEXT PRIMARY KEY NOT NULL,
        balance_units INTEGER NOT NULL       -- 1e-8 of the account's currency
      ) WITHOUT ROWID;
      CREATE TABLE payments(
        sequence INTEGER PRIMARY KEY,        -- of the journal record
        idempotency_id TEXT UNIQUE,          -- NULL: none was given
        account TEXT NOT NULL,
        amount_units INTEGER NOT NULL,
        memo TEXT NOT NULL,
        at_us INTEGER NOT NULL
      );
      CREATE INDEX payments_by_account ON payments(account, sequence);
      CREATE TABLE ledger_position(one INTEGER PRIMARY KEY CHECK(one = 1), sequence INTEGER NOT NULL);
      INSERT INTO ledger_position VALUES(1, 0);
    )sql"},
};

__extension__ using Wide = __int128;

// Sums of a batch; wide, because SQLite would turn an overflow into a floating number.
using Sums = std::map<std::string, Wide, std::less<>>;

Result<void> apply_sums(store::Connection& connection, const Sums& sums) {
  auto read = connection.prepare("SELECT balance_units FROM accounts WHERE id = ?");
  if (!read) return std::move(read).error();
  auto write = connection.prepare(
      "INSERT INTO accounts VALUES(?1, ?2) ON CONFLICT(id) DO UPDATE SET balance_units = ?2");
  if (!write) return std::move(write).error();
  for (const auto& [account, sum] : sums) {
    if (sum == 0) continue;
    auto found = read->bind(1, account).step();
    if (!found) return std::move(found).error();
    const Wide balance = (*found ? read->integer(0) : 0) + sum;
    read->reset();
    if (balance > INT64_MAX || balance < INT64_MIN) {
      return Error{ErrorCode::limit, "the balance of account \"" + account + "\" left its range"};
    }
    auto done = write->bind(1, account).bind(2, static_cast<std::int64_t>(balance)).run();
    if (!done) return done;
  }
  return {};
}

}  // namespace

Ledger::Ledger(store::Connection connection) : connection_(std::move(connection)) {}

Result<std::unique_ptr<Ledger>> Ledger::open(const std::string& path) {
  auto connection = store::Connection::open(path);
  if (!connection) return std::move(connection).error();
  if (auto done = store::migrate(*connection, "ledger", steps); !done)
    return std::move(done).error();
  return std::unique_ptr<Ledger>(new Ledger(std::move(*connection)));
}

Result<bool> Ledger::create_account_if_absent(std::string_view id, Amount balance) {
  const std::lock_guard guard(mutex_);
  auto insert = connection_.prepare("INSERT INTO accounts VALUES(?, ?) ON CONFLICT(id) DO NOTHING");
  if (!insert) return std::move(insert).error();
  if (auto done = insert->bind(1, id).bind(2, balance.units()).run(); !done) {
    return std::move(done).error();
  }
  return connection_.changes() == 1;
}

Result<std::vector<std::pair<std::string, Amount>>> Ledger::balances() {
  const std::lock_guard guard(mutex_);
  auto select = connection_.prepare("SELECT id, balance_units FROM accounts ORDER BY id");
  if (!select) return std::move(select).error();
  std::vector<std::pair<std::string, Amount>> found;
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return found;
    found.emplace_back(select->text(0), Amount::from_units(select->integer(1)));
  }
}

Result<std::optional<Amount>> Ledger::balance(std::string_view id) {
  const std::lock_guard guard(mutex_);
  auto select = connection_.prepare("SELECT balance_units FROM accounts WHERE id = ?");
  if (!select) return std::move(select).error();
  auto row = select->bind(1, id).step();
  if (!row) return std::move(row).error();
  if (!*row) return std::optional<Amount>();
  return std::optional<Amount>(Amount::from_units(select->integer(0)));
}

Result<std::uint64_t> Ledger::position() {
  const std::lock_guard guard(mutex_);
  auto select = connection_.prepare("SELECT sequence FROM ledger_position");
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  if (!*row) return Error{ErrorCode::corrupt, "the ledger's place in the journal was missing"};
  return static_cast<std::uint64_t>(select->integer(0));
}

Result<void> Ledger::write_batch(std::span<const RecordView> records, std::uint64_t through) {
  const std::lock_guard guard(mutex_);
  auto transaction = store::Transaction::begin(connection_);
  if (!transaction) return std::move(transaction).error();
  auto place = connection_.prepare("UPDATE ledger_position SET sequence = ?");
  auto pay =
      connection_.prepare("INSERT INTO payments VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
  if (!place) return std::move(place).error();
  if (!pay) return std::move(pay).error();
  Sums sums;
  for (const RecordView& view : records) {
    if (view.type == RecordType::end) {
      auto record = decode_end(view.payload, view.sequence);
      if (!record) return std::move(record).error();
      const Cdr& cdr = record->cdr;
      if (!cdr.customer.account.empty()) sums[cdr.customer.account] -= cdr.customer.charge.units();
      if (cdr.vendor && !cdr.vendor->account.empty()) {
        sums[cdr.vendor->account] -= cdr.vendor->charge.units();
      }
    } else if (view.type == RecordType::payment) {
      auto payment = decode_payment(view.payload);
      if (!payment) return std::move(payment).error();
      pay->bind(1, static_cast<std::int64_t>(view.sequence));
      if (!payment->idempotency_id.empty()) pay->bind(2, payment->idempotency_id);
      pay->bind(3, payment->account).bind(4, payment->amount.units()).bind(5, payment->memo);
      if (auto done = pay->bind(6, payment->at_us).run(); !done) return done;
      // No row: a payment of that idempotency id was applied before.
      if (connection_.changes() == 1) sums[payment->account] += payment->amount.units();
    }
  }
  if (auto done = apply_sums(connection_, sums); !done) return done;
  if (auto done = place->bind(1, static_cast<std::int64_t>(through)).run(); !done) return done;
  return transaction->commit();
}

}  // namespace tandem::cdr
