#include "cdr/ledger_sqlite.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "cdr/ledger_carry_sqlite.hpp"
#include "cdr/ledger_check_sqlite.hpp"
#include "cdr/ledger_entries_sqlite.hpp"

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
    // `payments` keeps those of before there was a ledger; newer ones are entries.
    {2, R"sql(
      CREATE TABLE ledger(
        id INTEGER PRIMARY KEY,              -- 8 * sequence of the journal record + side
        account TEXT NOT NULL,
        kind INTEGER NOT NULL,               -- LedgerKind
        amount_units INTEGER NOT NULL,
        balance_units INTEGER NOT NULL,      -- after it
        at_us INTEGER NOT NULL,
        reference TEXT,                      -- NULL: nothing, or of a charge the record itself
        memo TEXT,
        idempotency_key TEXT,
        answered_units INTEGER               -- the balance that the payer was told
      );
      CREATE INDEX ledger_by_account ON ledger(account);
      CREATE UNIQUE INDEX ledger_by_key ON ledger(idempotency_key)
        WHERE idempotency_key IS NOT NULL;
      CREATE INDEX ledger_by_reference ON ledger(reference) WHERE reference IS NOT NULL;
      INSERT INTO ledger(id, account, kind, amount_units, balance_units, at_us, memo)
        SELECT -row_number() OVER (ORDER BY id), id, 1, balance_units, balance_units, 0,
               'balance when the ledger began' FROM accounts;
      CREATE TRIGGER ledger_never_changes BEFORE UPDATE ON ledger
        BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END;
      CREATE TRIGGER ledger_never_shrinks BEFORE DELETE ON ledger
        BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END;
      ALTER TABLE ledger_position ADD COLUMN began INTEGER NOT NULL DEFAULT 0;
      UPDATE ledger_position SET began = sequence;
    )sql"},
    // What the limits of accounts have counted, as long as their windows may matter.
    {3, R"sql(
      CREATE TABLE limit_use(
        account TEXT NOT NULL,
        limit_key TEXT NOT NULL,
        start_us INTEGER NOT NULL,
        until_us INTEGER NOT NULL,
        charge_units INTEGER NOT NULL,
        talk_s INTEGER NOT NULL,
        calls INTEGER NOT NULL,
        PRIMARY KEY(account, limit_key, start_us)
      ) WITHOUT ROWID;
    )sql"},
    {4, corrections_schema},
    // Calls that other systems carried, by their flow numbers (B-26).
    {5, R"sql(
      CREATE TABLE external_calls(flow_number TEXT PRIMARY KEY NOT NULL, record_id INTEGER NOT NULL)
        WITHOUT ROWID;
    )sql"},
    {6, carry_schema},
    {7, retention_time_schema},
};

__extension__ using Wide = __int128;

// How long what a limit counted is kept behind the end of its window.
constexpr std::int64_t limit_kept_us = std::int64_t{7} * 86'400 * 1'000'000;

std::int64_t saturating_add(std::int64_t a, std::int64_t b) noexcept {
  const Wide sum = Wide{a} + b;
  return sum > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(sum);
}

/// One movement of a batch. The texts live as long as its record.
struct Movement {
  std::int64_t id;
  std::string_view account;
  LedgerKind kind;
  Wide amount_units;
  std::int64_t at_us;
};

/// The movements of one batch, in a transaction of its own.
class Batch {
 public:
  static Result<Batch> begin(store::Connection& connection) {
    Batch batch(connection);
    struct Text {
      store::Statement* statement;
      const char* sql;
    };
    for (const auto& [statement, sql] :
         {Text{&batch.read_, "SELECT balance_units FROM accounts WHERE id = ?"},
          Text{&batch.write_,
               "INSERT INTO accounts VALUES(?1, ?2) ON CONFLICT(id) DO UPDATE SET balance_units = "
               "?2"},
          // A key that was used before, and nothing else, leaves a booking out.
          Text{&batch.insert_,
               "INSERT INTO ledger VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
          Text{&batch.keep_,
               "INSERT INTO corrections VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
          Text{&batch.keep_side_,
               "INSERT INTO correction_sides VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
          Text{&batch.carried_key_, "SELECT 1 FROM carried_bookings WHERE idempotency_key = ?"},
          Text{&batch.keep_flow_,
               "INSERT INTO external_calls VALUES(?, ?) ON CONFLICT DO NOTHING"}}) {
      auto prepared = connection.prepare(sql);
      if (!prepared) return std::move(prepared).error();
      *statement = std::move(*prepared);
    }
    return batch;
  }

  /// Lowers the balance of the account of one side of a call.
  Result<void> charge(const Movement& movement) {
    auto running = balance_of(movement.account);
    if (!running) return std::move(running).error();
    auto moved = enter(movement, **running);
    if (!moved) return std::move(moved).error();
    if (*moved) return {};
    return Error{ErrorCode::corrupt,
                 "entry " + std::to_string(movement.id) + " of the ledger was there already"};
  }

  Result<void> book(const PaymentRecord& record, std::uint64_t sequence) {
    if (!record.idempotency_id.empty()) {
      auto carried = carried_key_.bind(1, record.idempotency_id).step();
      if (!carried) return std::move(carried).error();
      carried_key_.reset();
      if (*carried) return {};
    }
    auto running = balance_of(record.account);
    if (!running) return std::move(running).error();
    const auto bind_text = [this](int parameter, const std::string& text) {
      if (!text.empty()) insert_.bind_borrowed(parameter, text);
    };
    bind_text(7, record.reference);
    bind_text(8, record.memo);
    bind_text(9, record.idempotency_id);
    insert_.bind(10, record.answered.units());
    const Movement movement{ledger_entry_id(sequence, LedgerSide::booking), record.account,
                            record.kind, record.amount.units(), record.at_us};
    auto moved = enter(movement, **running);
    if (!moved) return std::move(moved).error();
    if (*moved || !record.idempotency_id.empty()) return {};
    return Error{ErrorCode::corrupt,
                 "entry " + std::to_string(movement.id) + " of the ledger was there already"};
  }

  /// Keeps a correction and moves what it changes. One with a key that was used before is left out.
  Result<void> correct(const Correction& correction) {
    keep_.bind(1, static_cast<std::int64_t>(correction.id));
    keep_.bind(2, static_cast<std::int64_t>(correction.record_id));
    keep_.bind(3, correction.ended_at_us).bind(4, correction.at_us);
    keep_.bind(5, correction.reason).bind(6, correction.author);
    if (!correction.idempotency_key.empty()) keep_.bind(7, correction.idempotency_key);
    if (auto done = keep_.run(); !done) return done;
    if (connection_->changes() != 1) return {};
    const std::string reference = std::to_string(correction.record_id);
    for (const CorrectedSide& side : correction.sides) {
      keep_side_.bind(1, static_cast<std::int64_t>(correction.id));
      keep_side_.bind(2, static_cast<std::int64_t>(side.side));
      keep_side_.bind(3, side.account).bind(4, side.currency);
      keep_side_.bind(5, side.charge_before.units()).bind(6, side.charge.units());
      keep_side_.bind(7, side.billed_before_s).bind(8, side.billed_time_s);
      keep_side_.bind(9, side.rate_prefix).bind(10, side.rate_deck).bind(11, side.rate_terms);
      if (auto done = keep_side_.run(); !done) return done;
      if (side.charge == side.charge_before) continue;
      auto running = balance_of(side.account);
      if (!running) return std::move(running).error();
      insert_.bind(7, reference).bind(8, correction.reason);
      const Movement movement{ledger_entry_id(correction.id, static_cast<LedgerSide>(side.side)),
                              side.account, LedgerKind::correction,
                              static_cast<Wide>(side.charge_before.units()) - side.charge.units(),
                              correction.at_us};
      auto moved = enter(movement, **running);
      if (!moved) return std::move(moved).error();
      if (!*moved)
        return Error{ErrorCode::corrupt,
                     "entry " + std::to_string(movement.id) + " of the ledger was there already"};
    }
    return {};
  }

  Result<void> keep_flow_number(const std::string& flow_number, std::uint64_t record_id) {
    if (flow_number.empty()) return {};
    return keep_flow_.bind(1, flow_number).bind(2, static_cast<std::int64_t>(record_id)).run();
  }

  /// Adds to what a limit has counted.
  void count(const LimitUse& use, std::int64_t at_us) {
    LimitUse& sum = limits_[{use.account, use.limit, use.start_us}];
    sum.until_us = use.until_us;
    sum.charge = Amount::add(sum.charge, use.charge).value_or(Amount::from_units(INT64_MAX));
    sum.talk_s = saturating_add(sum.talk_s, use.talk_s);
    sum.calls = saturating_add(sum.calls, use.calls);
    latest_us_ = std::max(latest_us_, at_us);
  }

  Result<void> finish() {
    for (const auto& [account, balance] : balances_) {
      if (!balance.is_changed) continue;
      auto done = write_.bind(1, account).bind(2, balance.units).run();
      if (!done) return done;
    }
    return write_limits();
  }

 private:
  /// In C++, because SQLite would turn an overflow into a floating number.
  Result<void> write_limits() {
    if (limits_.empty()) return {};
    auto read = connection_->prepare(
        "SELECT charge_units, talk_s, calls FROM limit_use "
        "WHERE account = ? AND limit_key = ? AND start_us = ?");
    if (!read) return std::move(read).error();
    auto write =
        connection_->prepare("INSERT OR REPLACE INTO limit_use VALUES(?, ?, ?, ?, ?, ?, ?)");
    if (!write) return std::move(write).error();
    for (const auto& [place, sum] : limits_) {
      const auto& [account, limit, start_us] = place;
      auto row = read->bind(1, account).bind(2, limit).bind(3, start_us).step();
      if (!row) return std::move(row).error();
      const std::int64_t before[] = {*row ? read->integer(0) : 0, *row ? read->integer(1) : 0,
                                     *row ? read->integer(2) : 0};
      read->reset();
      write->bind(1, account).bind(2, limit).bind(3, start_us).bind(4, sum.until_us);
      write->bind(5, saturating_add(before[0], sum.charge.units()));
      write->bind(6, saturating_add(before[1], sum.talk_s));
      if (auto done = write->bind(7, saturating_add(before[2], sum.calls)).run(); !done)
        return done;
    }
    // A clock that is set back by less than this finds what was used.
    auto forget = connection_->prepare("DELETE FROM limit_use WHERE until_us < ?");
    if (!forget) return std::move(forget).error();
    return forget->bind(1, latest_us_ - limit_kept_us).run();
  }

  struct Balance {
    std::int64_t units = 0;
    bool is_changed = false;
  };

  explicit Batch(store::Connection& connection) : connection_(&connection) {}

  Result<Balance*> balance_of(std::string_view account) {
    auto found = balances_.find(account);
    if (found == balances_.end()) {
      auto row = read_.bind(1, account).step();
      if (!row) return std::move(row).error();
      found = balances_.emplace(account, Balance{*row ? read_.integer(0) : 0}).first;
      read_.reset();
    }
    return &found->second;
  }

  /// False: the entry was left out, because its key was used before.
  Result<bool> enter(const Movement& movement, Balance& balance) {
    // Wide, because SQLite would turn an overflow into a floating number.
    const Wide after = balance.units + movement.amount_units;
    if (after > INT64_MAX || after < INT64_MIN) {
      return Error{ErrorCode::limit, "the balance of account \"" + std::string(movement.account) +
                                         "\" left its range"};
    }
    insert_.bind(1, movement.id);
    insert_.bind_borrowed(2, movement.account);
    insert_.bind(3, static_cast<std::int64_t>(movement.kind));
    insert_.bind(4, static_cast<std::int64_t>(movement.amount_units));
    insert_.bind(5, static_cast<std::int64_t>(after));
    if (auto done = insert_.bind(6, movement.at_us).run(); !done) return std::move(done).error();
    if (connection_->changes() != 1) return false;
    balance = {static_cast<std::int64_t>(after), true};
    return true;
  }

  using LimitKey = std::tuple<std::string, std::string, std::int64_t>;

  store::Connection* connection_;
  store::Statement read_, write_, insert_, keep_, keep_side_, keep_flow_, carried_key_;
  std::map<LimitKey, LimitUse> limits_;  // sums by account, key and start
  std::int64_t latest_us_ = 0;
  std::map<std::string, Balance, std::less<>> balances_;
};

/// The sides of a call that moved money.
Result<void> charge_call(Batch& batch, const Cdr& cdr) {
  const auto charge = [&](LedgerSide side, LedgerKind kind, const ChargeFacts& facts) {
    if (facts.account.empty() || facts.charge.is_zero()) return Result<void>();
    return batch.charge({ledger_entry_id(cdr.record_id, side), facts.account, kind,
                         -static_cast<Wide>(facts.charge.units()), cdr.ended_at_us});
  };
  if (auto done = charge(LedgerSide::customer, LedgerKind::charge, cdr.customer); !done)
    return done;
  if (cdr.vendor) {
    auto done = charge(LedgerSide::vendor, LedgerKind::vendor_charge, *cdr.vendor);
    if (!done) return done;
  }
  if (!cdr.agent) return {};
  return charge(LedgerSide::agent, LedgerKind::agent_charge, *cdr.agent);
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

Result<bool> Ledger::create_account_if_absent(std::string_view id, Amount balance,
                                              std::int64_t at_us) {
  const std::lock_guard guard(mutex_);
  auto transaction = store::Transaction::begin(connection_);
  if (!transaction) return std::move(transaction).error();
  auto insert = connection_.prepare("INSERT INTO accounts VALUES(?, ?) ON CONFLICT(id) DO NOTHING");
  if (!insert) return std::move(insert).error();
  if (auto done = insert->bind(1, id).bind(2, balance.units()).run(); !done)
    return std::move(done).error();
  if (connection_.changes() != 1) return false;
  // Openings count down from -1, before all that the journal's records make.
  auto open = connection_.prepare(
      "INSERT INTO ledger(id, account, kind, amount_units, balance_units, at_us) "
      "SELECT min(coalesce(min(id), 0), 0) - 1, ?1, ?2, ?3, ?3, ?4 FROM ledger");
  if (!open) return std::move(open).error();
  open->bind(1, id).bind(2, static_cast<std::int64_t>(LedgerKind::opening));
  if (auto done = open->bind(3, balance.units()).bind(4, at_us).run(); !done)
    return std::move(done).error();
  if (auto done = transaction->commit(); !done) return std::move(done).error();
  return true;
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

Result<std::vector<LimitUse>> Ledger::limit_uses(std::int64_t until_us) {
  const std::lock_guard guard(mutex_);
  auto select = connection_.prepare(
      "SELECT account, limit_key, start_us, until_us, charge_units, talk_s, calls FROM limit_use "
      "WHERE until_us > ? ORDER BY account, limit_key, start_us");
  if (!select) return std::move(select).error();
  select->bind(1, until_us);
  std::vector<LimitUse> uses;
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return uses;
    uses.push_back({std::string(select->text(0)), std::string(select->text(1)), select->integer(2),
                    select->integer(3), Amount::from_units(select->integer(4)), select->integer(5),
                    select->integer(6)});
  }
}

Result<std::optional<std::uint64_t>> Ledger::external_call(std::string_view flow_number) {
  const std::lock_guard guard(mutex_);
  auto select = connection_.prepare("SELECT record_id FROM external_calls WHERE flow_number = ?");
  if (!select) return std::move(select).error();
  auto row = select->bind(1, flow_number).step();
  if (!row) return std::move(row).error();
  if (!*row) return std::optional<std::uint64_t>();
  return std::optional<std::uint64_t>(static_cast<std::uint64_t>(select->integer(0)));
}

Result<std::vector<Correction>> Ledger::corrections(const CorrectionQuery& query) {
  const std::lock_guard guard(mutex_);
  return read_corrections(connection_, query);
}

Result<std::optional<Correction>> Ledger::correction(std::string_view idempotency_key) {
  const std::lock_guard guard(mutex_);
  return find_correction(connection_, idempotency_key);
}

Result<void> Ledger::merge_corrections(std::span<Cdr> cdrs) {
  const std::lock_guard guard(mutex_);
  return cdr::merge_corrections(connection_, cdrs);
}

Result<std::vector<SideDifference>> Ledger::corrected_sides(std::int64_t since_us,
                                                            std::int64_t until_us) {
  const std::lock_guard guard(mutex_);
  return cdr::corrected_sides(connection_, since_us, until_us);
}

Result<std::vector<LedgerEntry>> Ledger::entries(const LedgerQuery& query) {
  const std::lock_guard guard(mutex_);
  return read_entries(connection_, query);
}

Result<std::optional<Ledger::Booked>> Ledger::booking(std::string_view idempotency_key) {
  const std::lock_guard guard(mutex_);
  const std::string columns = std::string("SELECT ") + entry_columns + ", answered_units FROM ";
  auto select = connection_.prepare(columns + "ledger WHERE idempotency_key = ?1 UNION ALL " +
                                    columns + "carried_bookings WHERE idempotency_key = ?1");
  if (!select) return std::move(select).error();
  auto row = select->bind(1, idempotency_key).step();
  if (!row) return std::move(row).error();
  if (!*row) return std::optional<Booked>();
  return std::optional<Booked>(
      Booked{read_entry(*select), Amount::from_units(select->integer(entry_column_count))});
}

Result<LedgerCheck> Ledger::check(const std::vector<std::string>& cdr_folders) {
  const std::lock_guard guard(mutex_);
  return check_entries(connection_, cdr_folders);
}

Result<std::size_t> Ledger::carry_forward(std::int64_t before_us, std::size_t entries_max) {
  const std::lock_guard guard(mutex_);
  return carry_entries_forward(connection_, before_us, entries_max);
}

Result<std::optional<std::int64_t>> Ledger::oldest_entry_us() {
  const std::lock_guard guard(mutex_);
  return cdr::oldest_entry_us(connection_);
}

Result<std::int64_t> Ledger::retention_time_us(std::int64_t wall_us) {
  const std::lock_guard guard(mutex_);
  return cdr::retention_time_us(connection_, wall_us);
}

Result<void> Ledger::keep_retention_time(std::int64_t time_us) {
  const std::lock_guard guard(mutex_);
  return cdr::keep_retention_time(connection_, time_us);
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
  if (!place) return std::move(place).error();
  auto batch = Batch::begin(connection_);
  if (!batch) return std::move(batch).error();
  for (const RecordView& view : records) {
    if (view.type == RecordType::end) {
      auto record = decode_end(view.payload, view.sequence);
      if (!record) return std::move(record).error();
      if (auto done = charge_call(*batch, record->cdr); !done) return done;
      for (const LimitUse& use : record->limits)
        batch->count(use, record->cdr.ended_at_us);
      if (auto done = batch->keep_flow_number(record->flow_number, view.sequence); !done)
        return done;
    } else if (view.type == RecordType::payment) {
      auto payment = decode_payment(view.payload);
      if (!payment) return std::move(payment).error();
      if (auto done = batch->book(*payment, view.sequence); !done) return done;
    } else if (view.type == RecordType::correction) {
      auto correction = decode_correction(view.payload, view.sequence);
      if (!correction) return std::move(correction).error();
      if (auto done = batch->correct(*correction); !done) return done;
    }
  }
  if (auto done = batch->finish(); !done) return done;
  if (auto done = place->bind(1, static_cast<std::int64_t>(through)).run(); !done) return done;
  return transaction->commit();
}

}  // namespace tandem::cdr
