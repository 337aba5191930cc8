#include "cdr/packages_sqlite.hpp"

#include "cdr/records.hpp"

namespace tandem::cdr {
namespace {

constexpr store::Migration steps[] = {
    {1, R"sql(
      CREATE TABLE package_orders(
        id TEXT PRIMARY KEY NOT NULL,
        is_open INTEGER NOT NULL,            -- a period is
        period_start_us INTEGER NOT NULL,    -- of that period
        change TEXT NOT NULL                 -- the last step, JSON
      ) WITHOUT ROWID;
      CREATE TABLE package_use(
        order_id TEXT NOT NULL,
        period_start_us INTEGER NOT NULL,
        gift INTEGER NOT NULL,               -- -1: money and spend
        seconds INTEGER NOT NULL,
        money_units INTEGER NOT NULL,
        spend_units INTEGER NOT NULL,
        PRIMARY KEY(order_id, period_start_us, gift)
      ) WITHOUT ROWID;
      CREATE TABLE package_position(one INTEGER PRIMARY KEY CHECK(one = 1), sequence INTEGER NOT NULL);
      INSERT INTO package_position VALUES(1, 0);
    )sql"},
};

Result<std::vector<PackageStore::Kept>> read_orders(store::Connection& connection) {
  auto orders =
      connection.prepare("SELECT id, period_start_us, change FROM package_orders ORDER BY id");
  if (!orders) return std::move(orders).error();
  auto uses = connection.prepare(
      "SELECT gift, seconds, money_units, spend_units FROM package_use "
      "WHERE order_id = ? AND period_start_us = ? ORDER BY gift");
  if (!uses) return std::move(uses).error();
  std::vector<PackageStore::Kept> kept;
  for (;;) {
    auto row = orders->step();
    if (!row) return std::move(row).error();
    if (!*row) return kept;
    PackageStore::Kept& order = kept.emplace_back();
    order.change = orders->text(2);
    const std::string id(orders->text(0));
    const std::int64_t start_us = orders->integer(1);
    uses->bind(1, id).bind(2, start_us);
    for (;;) {
      auto use = uses->step();
      if (!use) return std::move(use).error();
      if (!*use) break;
      order.used.parts.push_back({id, start_us, static_cast<std::int32_t>(uses->integer(0)),
                                  uses->integer(1), Amount::from_units(uses->integer(2)),
                                  Amount::from_units(uses->integer(3))});
    }
    uses->reset();
  }
}

}  // namespace

PackageStore::PackageStore(store::Connection connection) : connection_(std::move(connection)) {}

Result<std::unique_ptr<PackageStore>> PackageStore::open(const std::string& path) {
  auto connection = store::Connection::open(path);
  if (!connection) return std::move(connection).error();
  if (auto done = store::migrate(*connection, "packages", steps); !done)
    return std::move(done).error();
  return std::unique_ptr<PackageStore>(new PackageStore(std::move(*connection)));
}

Result<std::vector<PackageStore::Kept>> PackageStore::orders() {
  const std::lock_guard guard(mutex_);
  return read_orders(connection_);
}

Result<std::uint64_t> PackageStore::position() {
  const std::lock_guard guard(mutex_);
  auto select = connection_.prepare("SELECT sequence FROM package_position");
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  if (!*row) return Error{ErrorCode::corrupt, "the packages' place in the journal was missing"};
  return static_cast<std::uint64_t>(select->integer(0));
}

Result<void> PackageStore::write_batch(std::span<const RecordView> records, std::uint64_t through) {
  const std::lock_guard guard(mutex_);
  auto transaction = store::Transaction::begin(connection_);
  if (!transaction) return std::move(transaction).error();
  auto place = connection_.prepare("UPDATE package_position SET sequence = ?");
  if (!place) return std::move(place).error();
  auto step = connection_.prepare("INSERT OR REPLACE INTO package_orders VALUES(?, ?, ?, ?)");
  if (!step) return std::move(step).error();
  auto use = connection_.prepare(
      "INSERT INTO package_use VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET "
      "seconds = seconds + ?4, money_units = money_units + ?5, spend_units = spend_units + ?6");
  if (!use) return std::move(use).error();
  for (const RecordView& view : records) {
    if (view.type == RecordType::package) {
      auto record = decode_package(view.payload);
      if (!record) return std::move(record).error();
      step->bind(1, record->order).bind(2, static_cast<std::int64_t>(record->is_open ? 1 : 0));
      step->bind(3, record->period_start_us).bind(4, record->change);
      if (auto done = step->run(); !done) return done;
    } else if (view.type == RecordType::end) {
      auto parts = decode_end_packages(view.payload);
      if (!parts) return std::move(parts).error();
      for (const PackageUse::Part& part : *parts) {
        use->bind(1, part.order).bind(2, part.period_start_us);
        use->bind(3, static_cast<std::int64_t>(part.gift)).bind(4, part.seconds);
        use->bind(5, part.money.units()).bind(6, part.spend.units());
        if (auto done = use->run(); !done) return done;
      }
    }
  }
  if (auto done = place->bind(1, static_cast<std::int64_t>(through)).run(); !done) return done;
  return transaction->commit();
}

Result<std::vector<PackageStore::Kept>> stored_packages(const std::string& path) {
  auto connection = store::Connection::open(path, store::OpenMode::read_only);
  if (!connection) return std::move(connection).error();
  return read_orders(*connection);
}

}  // namespace tandem::cdr
