#include "cdr/ledger_check_sqlite.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "cdr/archived_days.hpp"
#include "cdr/day_files.hpp"
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

/// A column of the agents in a day file, or null of one from before there were agents: one that no
/// sink has opened since.
std::string agent_column(store::Connection& day, const char* name) {
  auto found = day.prepare("SELECT 1 FROM pragma_table_info('cdr') WHERE name = ?");
  const bool is_there = found && found->bind(1, name).step().ok() && !found->is_null(0);
  return is_there ? name : "NULL";
}

/// Which records both sides have: `after` < record_id <= `through`.
struct Reach {
  std::int64_t after = 0;
  std::int64_t through = 0;
};

constexpr std::int64_t last_side = (1 << ledger_side_bits) - 1;

/// Behind all entries of a record.
constexpr std::int64_t last_entry_of(std::int64_t record_id) noexcept {
  return (record_id << ledger_side_bits) | last_side;
}

/// One side of a call as its record has it.
struct StoredSide {
  std::string account;
  std::int64_t charge_units = 0;
  std::int64_t billed_time_s = 0;
};

/// The sides of a call, from the first column on: account, charge and billed time of each.
std::string side_columns(store::Connection& day) {
  return "account, charge_units, billed_time_s, vendor_account, vendor_charge_units, "
         "vendor_billed_time_s, " +
         agent_column(day, "agent_account") + ", " + agent_column(day, "agent_charge_units") +
         ", " + agent_column(day, "agent_billed_time_s");
}

StoredSide stored_side(const store::Statement& row, int first_column, LedgerSide side) {
  const int column = first_column + 3 * (static_cast<int>(side) - 1);
  return {std::string(row.text(column)), row.integer(column + 1), row.integer(column + 2)};
}

/// A day file that is read; `rows` is nothing when there is none.
struct Day {
  std::optional<DayRows> rows;
  store::Statement find;
};

class Days {
 public:
  explicit Days(std::string folder) : folder_(std::move(folder)) {}

  /// One side of a call that ended on `day`.
  struct Found {
    bool has_file = false;
    bool has_record = false;
    StoredSide side;
  };
  Result<Found> find(std::int64_t day, std::int64_t record_id, LedgerSide side) {
    auto opened = open(day);
    if (!opened) return std::move(opened).error();
    Day& file = **opened;
    if (!file.rows) return Found{};
    auto row = file.find.bind(1, record_id).step();
    if (!row) return std::move(row).error();
    Found found{true, *row, {}};
    if (*row) found.side = stored_side(file.find, 0, side);
    file.find.reset();
    return found;
  }

 private:
  Result<Day*> open(std::int64_t day) {
    if (const auto found = days_.find(day); found != days_.end()) return &found->second;
    constexpr std::size_t open_max = 16;  // entries follow time, so few days are in turn
    if (days_.size() >= open_max) days_.clear();
    Day file;
    auto rows = open_whole_day(folder_, day);
    if (!rows) return std::move(rows).error();
    if (*rows) {
      store::Connection& connection = (*rows)->connection();
      auto find = connection.prepare("SELECT " + side_columns(connection) +
                                     " FROM cdr WHERE record_id = ?");
      if (!find) return std::move(find).error();
      file.rows = std::move(*rows);
      file.find = std::move(*find);
    }
    return &days_.insert_or_assign(day, std::move(file)).first->second;
  }

  const std::string folder_;
  std::map<std::int64_t, Day> days_;
};

/// Each charge of the ledger has its call. How much it was charged is for check_day().
Result<void> check_charges(store::Connection& ledger, const std::string& folder, const Reach& reach,
                           LedgerCheck& check) {
  auto select = ledger.prepare(
      "SELECT id, account, amount_units, at_us FROM ledger WHERE id > ? AND id <= ? AND kind IN "
      "(?, ?, ?) ORDER BY id");
  if (!select) return std::move(select).error();
  select->bind(1, last_entry_of(reach.after)).bind(2, last_entry_of(reach.through));
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
    const std::int64_t day = day_of(select->integer(3));
    auto found = days.find(day, record_id, side);
    if (!found) return std::move(found).error();
    if (!found->has_file || (found->has_record && found->side.charge_units != 0)) continue;
    report(check,
           {std::string(select->text(1)), select->integer(0), static_cast<std::uint64_t>(record_id),
            "entry of " + units_text(select->integer(2)) +
                (found->has_record ? " is of a call that was charged nothing"
                                   : " is of a call that is not in \"" + day_name(day) + '"')});
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

  Result<void> compare(std::int64_t record_id, LedgerSide side, const StoredSide& stored,
                       LedgerCheck& check) {
    const auto& [account, charge_units, billed_time_s] = stored;
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
  auto select = day.prepare("SELECT record_id, " + side_columns(day) +
                            " FROM cdr WHERE record_id > ? AND record_id <= ?");
  if (!select) return std::move(select).error();
  select->bind(1, reach.after).bind(2, reach.through);
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
    ++check.records;
    for (const LedgerSide side : {LedgerSide::customer, LedgerSide::vendor, LedgerSide::agent}) {
      auto done = sides.compare(select->integer(0), side, stored_side(*select, 1, side), check);
      if (!done) return done;
    }
  }
}

/// The corrections of a call one after the other (B-25): what each of them says of a side.
struct CorrectionRow {
  std::int64_t id = 0, record_id = 0, ended_at_us = 0;
  LedgerSide side = LedgerSide::customer;
  std::string_view account;
  std::int64_t before_units = 0, after_units = 0, before_s = 0, after_s = 0;
};

/// Whether each correction begins with what the one before it ended with.
class CorrectionChains {
 public:
  /// Null: of the first correction of a side, which begins with the record of the call.
  [[nodiscard]] const StoredSide* before(const CorrectionRow& row) {
    if (row.record_id != record_id_) {
      record_id_ = row.record_id;
      for (auto& last : last_)
        last.reset();
    }
    const auto& last = last_[static_cast<std::size_t>(row.side) & last_side];
    return last ? &*last : nullptr;
  }
  void keep(const CorrectionRow& row) {
    last_[static_cast<std::size_t>(row.side) & last_side] =
        StoredSide{std::string(row.account), row.after_units, row.after_s};
  }

 private:
  std::int64_t record_id_ = 0;
  std::array<std::optional<StoredSide>, last_side + 1> last_;
};

constexpr const char* correction_rows =
    "SELECT corrections.id, record_id, ended_at_us, side, correction_sides.account, "
    "charge_before_units, charge_units, billed_before_s, billed_time_s, ledger.account, "
    "amount_units FROM corrections JOIN correction_sides ON correction = corrections.id "
    "LEFT JOIN ledger ON ledger.id = corrections.id * 8 + side AND kind = ? "
    "ORDER BY record_id, corrections.id, side";

/// Calls `visit(row, statement)` with each side of each correction, by call.
template <class Visit>
Result<void> for_each_correction(store::Connection& ledger, Visit visit) {
  auto select = ledger.prepare(correction_rows);
  if (!select) return std::move(select).error();
  select->bind(1, static_cast<std::int64_t>(LedgerKind::correction));
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
    const CorrectionRow read{select->integer(0), select->integer(1),
                             select->integer(2), static_cast<LedgerSide>(select->integer(3)),
                             select->text(4),    select->integer(5),
                             select->integer(6), select->integer(7),
                             select->integer(8)};
    if (auto done = visit(read, *select); !done) return done;
  }
}

void complain(LedgerCheck& check, const CorrectionRow& row, const std::string& what) {
  report(check,
         {std::string(row.account), ledger_entry_id(static_cast<std::uint64_t>(row.id), row.side),
          static_cast<std::uint64_t>(row.record_id),
          "correction from " + units_text(row.before_units) + " to " + units_text(row.after_units) +
              ' ' + what});
}

std::string charged_text(const StoredSide& side) {
  return units_text(side.charge_units) + " for " + std::to_string(side.billed_time_s) + " s to \"" +
         side.account + '"';
}

bool begins_with(const CorrectionRow& row, const StoredSide& side) {
  return side.account == row.account && side.charge_units == row.before_units &&
         side.billed_time_s == row.before_s;
}

/// Corrections and their entries, in both directions; entries before `carried_before` are gone.
Result<void> check_corrections(store::Connection& ledger, std::int64_t carried_before,
                               LedgerCheck& check) {
  CorrectionChains chains;
  auto done = for_each_correction(
      ledger, [&](const CorrectionRow& row, const store::Statement& entry) -> Result<void> {
        ++check.corrections;
        const StoredSide* const before = chains.before(row);
        if (before != nullptr && !begins_with(row, *before))
          complain(check, row, "follows one that ended with " + charged_text(*before));
        chains.keep(row);
        if (row.id < carried_before >> ledger_side_bits) return {};
        const bool has_entry = !entry.is_null(9);
        if (row.before_units == row.after_units) {
          if (has_entry) complain(check, row, "has an entry of " + units_text(entry.integer(10)));
        } else if (!has_entry) {
          complain(check, row, "has no entry");
        } else if (entry.text(9) != row.account ||
                   Wide{entry.integer(10)} != Wide{row.before_units} - row.after_units) {
          complain(check, row,
                   "has an entry of " + units_text(entry.integer(10)) + " of \"" +
                       std::string(entry.text(9)) + '"');
        }
        return {};
      });
  if (!done) return done;
  // Corrections that were booked by hand are of no call: their side is 0.
  auto orphans = ledger.prepare(
      "SELECT id, account, amount_units FROM ledger WHERE kind = ? AND id > 0 AND id & 7 <> 0 AND "
      "NOT EXISTS (SELECT 1 FROM correction_sides WHERE correction = ledger.id >> 3 AND "
      "side = ledger.id & 7) ORDER BY id");
  if (!orphans) return std::move(orphans).error();
  orphans->bind(1, static_cast<std::int64_t>(LedgerKind::correction));
  for (;;) {
    auto row = orphans->step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
    report(check, {std::string(orphans->text(1)), orphans->integer(0), 0,
                   "entry of " + units_text(orphans->integer(2)) + " has no correction"});
  }
}

/// The first correction of each side begins with the record, as the day files have it.
Result<void> check_corrected_calls(store::Connection& ledger, const std::string& folder,
                                   std::int64_t through, LedgerCheck& check) {
  Days days(folder);
  CorrectionChains chains;
  return for_each_correction(
      ledger, [&](const CorrectionRow& row, const store::Statement&) -> Result<void> {
        const bool is_first = chains.before(row) == nullptr;
        chains.keep(row);
        if (!is_first || row.record_id > through) return {};
        const std::int64_t day = day_of(row.ended_at_us);
        auto found = days.find(day, row.record_id, row.side);
        if (!found) return std::move(found).error();
        if (!found->has_file) return {};
        if (!found->has_record) {
          complain(check, row, "is of a call that is not in \"" + day_name(day) + '"');
        } else if (!begins_with(row, found->side)) {
          complain(check, row, "is of a call that was charged " + charged_text(found->side));
        }
        return {};
      });
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
  if (auto done = check_corrected_calls(ledger, folder, reach.through, check); !done) return done;
  auto sides = Sides::open(ledger);
  if (!sides) return std::move(sides).error();
  auto days = days_in(folder);
  if (!days) return std::move(days).error();
  for (auto day = days->rbegin(); day != days->rend(); ++day) {
    auto rows = DayRows::open(folder, *day);
    if (!rows) return std::move(rows).error();
    if (!*rows) continue;  // moved away just now
    if (auto done = check_day((*rows)->connection(), *sides, reach, check); !done) return done;
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
  // A database that no switch of this release has opened yet has nothing carried forward.
  auto knows_carrying = first_integer(connection,
                                      "SELECT count(*) FROM pragma_table_info('ledger_position') "
                                      "WHERE name = 'carried_before'");
  if (!knows_carrying) return std::move(knows_carrying).error();
  auto carried = first_integer(
      connection, *knows_carrying != 0 ? "SELECT carried_before FROM ledger_position" : "SELECT 0");
  if (!carried) return std::move(carried).error();
  if (auto done = check_corrections(connection, *carried, check); !done)
    return std::move(done).error();
  // Records whose entries were carried forward are compared with nothing any more.
  const std::int64_t after = std::max(*began, (*carried >> ledger_side_bits) - 1);
  auto through = first_integer(connection, "SELECT sequence FROM ledger_position");
  if (!through) return std::move(through).error();
  for (const std::string& folder : cdr_folders) {
    auto done = check_folder(connection, folder, {after, *through}, check);
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
