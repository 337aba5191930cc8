#include "cdr/ledger_check_sqlite.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "cdr/day_files.hpp"
#include "cdr/disk.hpp"
#include "cdr/ledger_sqlite.hpp"

namespace tandem::cdr {
namespace {

__extension__ using Wide = __int128;

/// All that is read of a database belongs to one moment while this lives.
class Snapshot {
 public:
  static Result<Snapshot> begin(store::Connection& connection) {
    if (auto done = connection.execute("BEGIN"); !done) return std::move(done).error();
    return Snapshot(connection);
  }
  Snapshot(Snapshot&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  Snapshot& operator=(Snapshot&&) = delete;
  ~Snapshot() {
    if (connection_ != nullptr) (void)connection_->execute("ROLLBACK");  // nothing was written
  }

 private:
  explicit Snapshot(store::Connection& connection) noexcept : connection_(&connection) {}
  store::Connection* connection_;
};

std::string units_text(std::int64_t units) { return Amount::from_units(units).to_string(); }

void report(LedgerCheck& check, LedgerDifference difference) {
  ++check.different;
  if (check.differences.size() < LedgerCheck::differences_max)
    check.differences.push_back(std::move(difference));
}

/// The entries of one account after the other.
class Chains {
 public:
  explicit Chains(LedgerCheck& check) : check_(check) {}

  void add(std::string_view account, std::int64_t id, std::int64_t amount, std::int64_t balance,
           std::optional<std::int64_t> stored) {
    if (check_.entries == 0 || account != account_) {
      end();
      account_ = account;
      running_ = 0;
      ++check_.accounts;
    }
    ++check_.entries;
    stored_ = stored;
    if (const Wide sum = running_ + amount; sum != balance) {
      report(check_,
             {account_, id, 0,
              "entry says a balance of " + units_text(balance) + " after " + units_text(amount) +
                  " on " + units_text(static_cast<std::int64_t>(running_))});
    }
    running_ = balance;  // so that one wrong entry is told once
  }

  void end() {
    if (account_.empty() || running_ == stored_.value_or(0)) return;
    report(check_, {account_, 0, 0,
                    "balance is " + units_text(stored_.value_or(0)) + ", its entries end with " +
                        units_text(static_cast<std::int64_t>(running_))});
  }

 private:
  LedgerCheck& check_;
  std::string account_;
  Wide running_ = 0;
  std::optional<std::int64_t> stored_;  // what the table of balances says of the account
};

Result<void> check_chains(store::Connection& ledger, LedgerCheck& check) {
  auto select = ledger.prepare(
      "SELECT ledger.account, ledger.id, amount_units, ledger.balance_units, "
      "accounts.balance_units FROM ledger LEFT JOIN accounts ON accounts.id = ledger.account "
      "ORDER BY ledger.account, ledger.id");
  if (!select) return std::move(select).error();
  Chains chains(check);
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) break;
    chains.add(select->text(0), select->integer(1), select->integer(2), select->integer(3),
               select->is_null(4) ? std::nullopt : std::optional(select->integer(4)));
  }
  chains.end();

  auto silent = ledger.prepare(
      "SELECT id, balance_units FROM accounts WHERE balance_units <> 0 AND "
      "NOT EXISTS (SELECT 1 FROM ledger WHERE account = accounts.id) ORDER BY id");
  if (!silent) return std::move(silent).error();
  for (;;) {
    auto row = silent->step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
    report(check, {std::string(silent->text(0)), 0, 0,
                   "balance is " + units_text(silent->integer(1)) + " without an entry"});
  }
}

/// The agents' charges in a day file, or null of one from before there were agents: one that no
/// sink has opened since.
std::string agent_column(store::Connection& day, const char* name = "agent_charge_units") {
  auto found = day.prepare("SELECT 1 FROM pragma_table_info('cdr') WHERE name = ?");
  const bool is_there = found && found->bind(1, name).step().ok() && !found->is_null(0);
  return is_there ? name : "NULL";
}

/// Which records both sides have: `after` < record_id <= `through`.
struct Reach {
  std::int64_t after = 0;
  std::int64_t through = 0;
};

/// A day file that is read; `connection` is null when there is none.
struct Day {
  std::optional<store::Connection> connection;
  store::Statement find;
};

class Days {
 public:
  explicit Days(std::string folder) : folder_(std::move(folder)) {}

  /// What is wrong with an entry of one side of a call: "" when its call is there and was charged
  /// on that side, or when its day has no file. How much is for check_day().
  Result<std::string> complaint(std::int64_t day, std::int64_t record_id, LedgerSide side) {
    auto opened = open(day);
    if (!opened) return std::move(opened).error();
    Day& file = **opened;
    if (!file.connection) return std::string();
    auto row = file.find.bind(1, record_id).step();
    if (!row) return std::move(row).error();
    std::string text;
    if (!*row) {
      text = "is of a call that is not in \"" + day_name(day) + '"';
    } else if (file.find.integer(static_cast<int>(side) - 1) == 0) {
      text = "is of a call that was charged nothing";
    }
    file.find.reset();
    return text;
  }

 private:
  Result<Day*> open(std::int64_t day) {
    if (const auto found = days_.find(day); found != days_.end()) return &found->second;
    constexpr std::size_t open_max = 16;  // entries follow time, so few days are in turn
    if (days_.size() >= open_max) days_.clear();
    Day file;
    auto connection =
        store::Connection::open(folder_ + "/" + day_name(day), store::OpenMode::read_only);
    if (!connection && connection.error().code != ErrorCode::not_found)
      return std::move(connection).error();
    if (connection) {
      auto find = connection->prepare("SELECT charge_units, vendor_charge_units, " +
                                      agent_column(*connection) + " FROM cdr WHERE record_id = ?");
      if (!find) return std::move(find).error();
      file.connection.emplace(std::move(*connection));
      file.find = std::move(*find);
    }
    return &days_.insert_or_assign(day, std::move(file)).first->second;
  }

  const std::string folder_;
  std::map<std::int64_t, Day> days_;
};

/// Each charge of the ledger has its call.
Result<void> check_charges(store::Connection& ledger, const std::string& folder, const Reach& reach,
                           LedgerCheck& check) {
  auto select = ledger.prepare(
      "SELECT id, account, amount_units, at_us FROM ledger WHERE id > ? AND id <= ? AND kind IN "
      "(?, ?, ?) ORDER BY id");
  if (!select) return std::move(select).error();
  constexpr std::int64_t last_side = (1 << ledger_side_bits) - 1;
  select->bind(1, (reach.after << ledger_side_bits) | last_side);
  select->bind(2, (reach.through << ledger_side_bits) | last_side);
  int parameter = 3;
  for (const LedgerKind kind :
       {LedgerKind::charge, LedgerKind::vendor_charge, LedgerKind::agent_charge})
    select->bind(parameter++, static_cast<std::int64_t>(kind));
  Days days(folder);
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
    const std::int64_t record_id = select->integer(0) >> ledger_side_bits;
    const auto side = static_cast<LedgerSide>(select->integer(0) & last_side);
    auto complaint = days.complaint(day_of(select->integer(3)), record_id, side);
    if (!complaint) return std::move(complaint).error();
    if (complaint->empty()) continue;
    report(check,
           {std::string(select->text(1)), select->integer(0), static_cast<std::uint64_t>(record_id),
            "entry of " + units_text(select->integer(2)) + ' ' + *complaint});
  }
}

/// What the ledger has of one side of a call.
class Sides {
 public:
  static Result<Sides> open(store::Connection& ledger) {
    auto find = ledger.prepare("SELECT account, amount_units FROM ledger WHERE id = ?");
    if (!find) return std::move(find).error();
    return Sides(std::move(*find));
  }

  Result<void> compare(std::int64_t record_id, LedgerSide side, const std::string& account,
                       std::int64_t charge_units, LedgerCheck& check) {
    if (account.empty() || charge_units == 0) return {};
    const std::int64_t id = ledger_entry_id(static_cast<std::uint64_t>(record_id), side);
    auto row = find_.bind(1, id).step();
    if (!row) return std::move(row).error();
    std::string text;
    if (!*row) {
      text = "call was charged " + units_text(charge_units) + " and has no entry";
    } else if (find_.text(0) != account) {
      text = "call was charged to it, its entry to \"" + std::string(find_.text(0)) + '"';
    } else if (find_.integer(1) != -charge_units) {
      text = "call was charged " + units_text(charge_units) + ", its entry says " +
             units_text(find_.integer(1));
    }
    find_.reset();
    if (!text.empty())
      report(check, {account, id, static_cast<std::uint64_t>(record_id), std::move(text)});
    return {};
  }

 private:
  explicit Sides(store::Statement find) : find_(std::move(find)) {}
  store::Statement find_;
};

/// Each charged call has its entries.
Result<void> check_day(store::Connection& day, Sides& sides, const Reach& reach,
                       LedgerCheck& check) {
  auto select =
      day.prepare("SELECT record_id, account, charge_units, vendor_account, vendor_charge_units, " +
                  agent_column(day, "agent_account") + ", " + agent_column(day) +
                  " FROM cdr WHERE record_id > ? AND record_id <= ?");
  if (!select) return std::move(select).error();
  select->bind(1, reach.after).bind(2, reach.through);
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
    ++check.records;
    for (const LedgerSide side : {LedgerSide::customer, LedgerSide::vendor, LedgerSide::agent}) {
      const int column = 2 * static_cast<int>(side) - 1;
      auto done = sides.compare(select->integer(0), side, std::string(select->text(column)),
                                select->integer(column + 1), check);
      if (!done) return done;
    }
  }
}

Result<std::int64_t> first_integer(store::Connection& connection, const char* sql) {
  auto select = connection.prepare(sql);
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  if (!*row) return Error{ErrorCode::corrupt, "a place in the journal was missing"};
  return select->integer(0);
}

Result<void> check_folder(store::Connection& ledger, const std::string& folder, Reach reach,
                          LedgerCheck& check) {
  auto control = store::Connection::open(folder + "/cdr-control.db", store::OpenMode::read_only);
  if (!control && control.error().code == ErrorCode::not_found) return {};
  if (!control) return std::move(control).error();
  auto through = first_integer(*control, "SELECT sequence FROM cdr_position");
  if (!through) return std::move(through).error();
  reach.through = std::min(reach.through, *through);

  if (auto done = check_charges(ledger, folder, reach, check); !done) return done;
  auto sides = Sides::open(ledger);
  if (!sides) return std::move(sides).error();
  auto names = PosixDisk().list(folder);
  if (!names) return std::move(names).error();
  std::sort(names->begin(), names->end());
  for (const std::string& name : *names) {
    if (!day_from_name(name)) continue;
    auto day = store::Connection::open(folder + "/" + name, store::OpenMode::read_only);
    if (!day && day.error().code == ErrorCode::not_found) continue;  // moved away just now
    if (!day) return std::move(day).error();
    if (auto done = check_day(*day, *sides, reach, check); !done) return done;
  }
  return {};
}

}  // namespace

Result<LedgerCheck> check_entries(store::Connection& connection,
                                  const std::vector<std::string>& cdr_folders) {
  auto snapshot = Snapshot::begin(connection);
  if (!snapshot) return std::move(snapshot).error();
  LedgerCheck check;
  if (auto done = check_chains(connection, check); !done) return std::move(done).error();
  auto began = first_integer(connection, "SELECT began FROM ledger_position");
  if (!began) return std::move(began).error();
  auto through = first_integer(connection, "SELECT sequence FROM ledger_position");
  if (!through) return std::move(through).error();
  for (const std::string& folder : cdr_folders) {
    auto done = check_folder(connection, folder, {*began, *through}, check);
    if (!done) return std::move(done).error();
  }
  return check;
}

Result<LedgerCheck> check_stored_ledger(const std::string& path,
                                        const std::vector<std::string>& cdr_folders) {
  auto connection = store::Connection::open(path, store::OpenMode::read_only);
  if (!connection) return std::move(connection).error();
  return check_entries(*connection, cdr_folders);
}

}  // namespace tandem::cdr
