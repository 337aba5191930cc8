#include "cdr/cdr_sqlite.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/text.hpp"
#include "cdr/cdr_json.hpp"
#include "cdr/day_files.hpp"

namespace tandem::cdr {
namespace {

constexpr std::string_view wal_extension = "-wal";

// The columns of a record, in the order in which bind_record() and read_record() count them.
constexpr const char* columns =
    "record_id, call_id, customer_gateway, vendor_gateway, account, caller_in, caller, caller_out, "
    "callee_in, callee, callee_out, started_at_us, answered_at_us, ended_at_us, pdd_ms, "
    "talk_time_ms, billed_time_s, charge, charge_units, rate_prefix, currency, vendor_account, "
    "vendor_billed_time_s, vendor_charge, vendor_charge_units, vendor_rate_prefix, "
    "vendor_currency, end_reason, end_code, sip_status, q850_cause, release_side, attempts, media, "
    "caller_ip, callee_ip, caller_product, callee_product";
constexpr int column_count = 38;

/// Columns that came after the first ones, and what is read of a file that does not have them: one
/// that no sink has opened since. They follow `columns`, in this order.
struct NewerColumn {
  const char* name;
  const char* otherwise;
};
constexpr NewerColumn newer_columns[] = {{"lrn", "''"},
                                         {"callee_region", "''"},
                                         {"caller_region", "''"},
                                         {"rate_deck", "''"},
                                         {"rate_terms", "''"},
                                         {"vendor_rate_deck", "NULL"},
                                         {"vendor_rate_terms", "NULL"},
                                         {"agent_account", "NULL"},
                                         {"agent_billed_time_s", "NULL"},
                                         {"agent_charge", "NULL"},
                                         {"agent_charge_units", "NULL"},
                                         {"agent_rate_prefix", "NULL"},
                                         {"agent_rate_deck", "NULL"},
                                         {"agent_rate_terms", "NULL"},
                                         {"package_charge", "'0.00'"},
                                         {"package_charge_units", "0"},
                                         {"package_time_s", "0"}};

// A view that equals the billing view is found by it, so its index holds only the rows where it
// differs: most numbers are not rewritten, and an index less is a third of a row's cost less.
constexpr store::Migration day_steps[] = {
    {1, R"sql(
      CREATE TABLE cdr(
        record_id INTEGER PRIMARY KEY,
        call_id TEXT NOT NULL,
        customer_gateway TEXT,
        vendor_gateway TEXT,
        account TEXT NOT NULL,
        caller_in TEXT NOT NULL,
        caller TEXT NOT NULL,
        caller_out TEXT NOT NULL,
        callee_in TEXT NOT NULL,
        callee TEXT NOT NULL,
        callee_out TEXT NOT NULL,
        started_at_us INTEGER NOT NULL,
        answered_at_us INTEGER NOT NULL,
        ended_at_us INTEGER NOT NULL,
        pdd_ms INTEGER NOT NULL,
        talk_time_ms INTEGER NOT NULL,
        billed_time_s INTEGER NOT NULL,
        charge TEXT NOT NULL,
        charge_units INTEGER NOT NULL,
        rate_prefix TEXT NOT NULL,
        currency TEXT NOT NULL,
        vendor_account TEXT,
        vendor_billed_time_s INTEGER,
        vendor_charge TEXT,
        vendor_charge_units INTEGER,
        vendor_rate_prefix TEXT,
        vendor_currency TEXT,
        end_reason TEXT NOT NULL,
        end_code INTEGER NOT NULL,
        sip_status INTEGER NOT NULL,
        q850_cause INTEGER NOT NULL,
        release_side TEXT NOT NULL,
        attempts TEXT NOT NULL,
        media TEXT NOT NULL,
        caller_ip TEXT NOT NULL,
        callee_ip TEXT NOT NULL,
        caller_product TEXT NOT NULL,
        callee_product TEXT NOT NULL
      );
      CREATE INDEX cdr_by_end ON cdr(ended_at_us);
      CREATE INDEX cdr_by_caller ON cdr(caller, ended_at_us);
      CREATE INDEX cdr_by_caller_in ON cdr(caller_in, ended_at_us) WHERE caller_in <> caller;
      CREATE INDEX cdr_by_caller_out ON cdr(caller_out, ended_at_us) WHERE caller_out <> caller;
      CREATE INDEX cdr_by_callee ON cdr(callee, ended_at_us);
      CREATE INDEX cdr_by_callee_in ON cdr(callee_in, ended_at_us) WHERE callee_in <> callee;
      CREATE INDEX cdr_by_callee_out ON cdr(callee_out, ended_at_us) WHERE callee_out <> callee;
    )sql"},
    {2, R"sql(
      ALTER TABLE cdr ADD COLUMN lrn TEXT NOT NULL DEFAULT '';
      ALTER TABLE cdr ADD COLUMN callee_region TEXT NOT NULL DEFAULT '';
      ALTER TABLE cdr ADD COLUMN caller_region TEXT NOT NULL DEFAULT '';
      ALTER TABLE cdr ADD COLUMN rate_deck TEXT NOT NULL DEFAULT '';
      ALTER TABLE cdr ADD COLUMN rate_terms TEXT NOT NULL DEFAULT '';
      ALTER TABLE cdr ADD COLUMN vendor_rate_deck TEXT;
      ALTER TABLE cdr ADD COLUMN vendor_rate_terms TEXT;
    )sql"},
    {3, R"sql(
      ALTER TABLE cdr ADD COLUMN agent_account TEXT;
      ALTER TABLE cdr ADD COLUMN agent_billed_time_s INTEGER;
      ALTER TABLE cdr ADD COLUMN agent_charge TEXT;
      ALTER TABLE cdr ADD COLUMN agent_charge_units INTEGER;
      ALTER TABLE cdr ADD COLUMN agent_rate_prefix TEXT;
      ALTER TABLE cdr ADD COLUMN agent_rate_deck TEXT;
      ALTER TABLE cdr ADD COLUMN agent_rate_terms TEXT;
    )sql"},
    {4, R"sql(
      ALTER TABLE cdr ADD COLUMN package_charge TEXT NOT NULL DEFAULT '0.00';
      ALTER TABLE cdr ADD COLUMN package_charge_units INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE cdr ADD COLUMN package_time_s INTEGER NOT NULL DEFAULT 0;
    )sql"},
};

constexpr store::Migration control_steps[] = {
    {1, R"sql(
      CREATE TABLE cdr_position(one INTEGER PRIMARY KEY CHECK(one = 1), sequence INTEGER NOT NULL);
      INSERT INTO cdr_position VALUES(1, 0);
    )sql"},
};

/// Moves what lies in the log beside a day file into it and leaves the log empty. False when a
/// reader or the disk is in the way.
bool empty_log(store::Connection& connection) {
  // Waiting for a reader would hold up today's records; a later batch comes by here again.
  if (!connection.execute("PRAGMA busy_timeout=0")) return false;
  bool is_empty = false;
  if (auto checkpoint = connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)")) {
    const Result<bool> row = checkpoint->step();
    is_empty = row && *row && checkpoint->integer(0) == 0;
  }
  return connection.execute("PRAGMA busy_timeout=5000") && is_empty;
}

void bind_optional(store::Statement& insert, int parameter,
                   const std::optional<std::string>& text) {
  if (text) {
    insert.bind_borrowed(parameter, *text);
  } else {
    insert.bind_null(parameter);
  }
}

/// Binds all columns and runs; everything borrowed lives until the end of this call.
Result<void> insert_record(store::Statement& insert, const Cdr& cdr, std::string& scratch) {
  const std::string charge = cdr.customer.charge.to_string();
  std::string vendor_charge;
  scratch.clear();
  append_attempts_json(scratch, cdr.attempts);
  const std::size_t attempts_bytes = scratch.size();
  append_media_json(scratch, cdr);

  int n = 1;
  insert.bind(n++, static_cast<std::int64_t>(cdr.record_id));
  insert.bind_borrowed(n++, cdr.call_id);
  bind_optional(insert, n++, cdr.customer_gateway);
  bind_optional(insert, n++, cdr.vendor_gateway);
  for (const std::string* text : {&cdr.customer.account, &cdr.caller_in, &cdr.caller,
                                  &cdr.caller_out, &cdr.callee_in, &cdr.callee, &cdr.callee_out}) {
    insert.bind_borrowed(n++, *text);
  }
  for (std::int64_t value : {cdr.started_at_us, cdr.answered_at_us, cdr.ended_at_us, cdr.pdd_ms,
                             cdr.talk_time_ms, cdr.customer.billed_time_s}) {
    insert.bind(n++, value);
  }
  insert.bind_borrowed(n++, charge);
  insert.bind(n++, cdr.customer.charge.units());
  insert.bind_borrowed(n++, cdr.customer.rate_prefix);
  insert.bind_borrowed(n++, cdr.customer.currency);
  if (cdr.vendor) {
    vendor_charge = cdr.vendor->charge.to_string();
    insert.bind_borrowed(n++, cdr.vendor->account);
    insert.bind(n++, cdr.vendor->billed_time_s);
    insert.bind_borrowed(n++, vendor_charge);
    insert.bind(n++, cdr.vendor->charge.units());
    insert.bind_borrowed(n++, cdr.vendor->rate_prefix);
    insert.bind_borrowed(n++, cdr.vendor->currency);
  } else {
    for (int i = 0; i < 6; ++i)
      insert.bind_null(n++);
  }
  insert.bind_borrowed(n++, reason_facts(cdr.end_reason).name);
  for (int value : {cdr.end_code, cdr.sip_status, cdr.q850_cause}) {
    insert.bind(n++, static_cast<std::int64_t>(value));
  }
  insert.bind_borrowed(n++, release_side_name(cdr.release_side));
  insert.bind_borrowed(n++, std::string_view(scratch).substr(0, attempts_bytes));
  insert.bind_borrowed(n++, std::string_view(scratch).substr(attempts_bytes));
  for (const std::string* text :
       {&cdr.caller_ip, &cdr.callee_ip, &cdr.caller_product, &cdr.callee_product, &cdr.lrn,
        &cdr.callee_region, &cdr.caller_region, &cdr.customer.rate_deck,
        &cdr.customer.rate_terms}) {
    insert.bind_borrowed(n++, *text);
  }
  if (cdr.vendor) {
    insert.bind_borrowed(n++, cdr.vendor->rate_deck);
    insert.bind_borrowed(n++, cdr.vendor->rate_terms);
  } else {
    insert.bind_null(n++);
    insert.bind_null(n++);
  }
  std::string agent_charge;
  if (cdr.agent) {  // else the columns are null, as reset() left them
    agent_charge = cdr.agent->charge.to_string();
    insert.bind_borrowed(n, cdr.agent->account);
    insert.bind(n + 1, cdr.agent->billed_time_s);
    insert.bind_borrowed(n + 2, agent_charge);
    insert.bind(n + 3, cdr.agent->charge.units());
    insert.bind_borrowed(n + 4, cdr.agent->rate_prefix);
    insert.bind_borrowed(n + 5, cdr.agent->rate_deck);
    insert.bind_borrowed(n + 6, cdr.agent->rate_terms);
  }
  n += 7;
  const std::string package_charge = cdr.customer.package_charge.to_string();
  insert.bind_borrowed(n++, package_charge);
  insert.bind(n++, cdr.customer.package_charge.units());
  insert.bind(n++, cdr.customer.package_time_s);
  return insert.run();
}

std::optional<std::string> optional_text(const store::Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return std::string(row.text(column));
}

Result<Cdr> read_record(const store::Statement& row) {
  Cdr cdr;
  int n = 0;
  cdr.record_id = static_cast<std::uint64_t>(row.integer(n++));
  cdr.call_id = row.text(n++);
  cdr.customer_gateway = optional_text(row, n++);
  cdr.vendor_gateway = optional_text(row, n++);
  for (std::string* text : {&cdr.customer.account, &cdr.caller_in, &cdr.caller, &cdr.caller_out,
                            &cdr.callee_in, &cdr.callee, &cdr.callee_out}) {
    *text = row.text(n++);
  }
  for (std::int64_t* value : {&cdr.started_at_us, &cdr.answered_at_us, &cdr.ended_at_us,
                              &cdr.pdd_ms, &cdr.talk_time_ms, &cdr.customer.billed_time_s}) {
    *value = row.integer(n++);
  }
  ++n;  // the charge in decimals, for people; the units follow
  cdr.customer.charge = Amount::from_units(row.integer(n++));
  cdr.customer.rate_prefix = row.text(n++);
  cdr.customer.currency = row.text(n++);
  if (!row.is_null(n)) {
    ChargeFacts vendor;
    vendor.account = row.text(n);
    vendor.billed_time_s = row.integer(n + 1);
    vendor.charge = Amount::from_units(row.integer(n + 3));
    vendor.rate_prefix = row.text(n + 4);
    vendor.currency = row.text(n + 5);
    cdr.vendor = std::move(vendor);
  }
  n += 6;
  cdr.end_reason = reason_from_name(row.text(n++)).value_or(Reason::none);
  for (int* value : {&cdr.end_code, &cdr.sip_status, &cdr.q850_cause}) {
    *value = static_cast<int>(row.integer(n++));
  }
  const std::string_view side = row.text(n++);
  for (ReleaseSide each : {ReleaseSide::caller, ReleaseSide::callee, ReleaseSide::server}) {
    if (side == release_side_name(each)) cdr.release_side = each;
  }
  auto attempts = attempts_from_json(row.text(n++));
  if (!attempts) return std::move(attempts).error();
  cdr.attempts = std::move(*attempts);
  if (auto done = media_from_json(row.text(n++), cdr); !done) return std::move(done).error();
  for (std::string* text : {&cdr.caller_ip, &cdr.callee_ip, &cdr.caller_product,
                            &cdr.callee_product, &cdr.lrn, &cdr.callee_region, &cdr.caller_region,
                            &cdr.customer.rate_deck, &cdr.customer.rate_terms}) {
    *text = row.text(n++);
  }
  if (cdr.vendor) {
    cdr.vendor->rate_deck = row.text(n);
    cdr.vendor->rate_terms = row.text(n + 1);
  }
  n += 2;
  if (!row.is_null(n)) {
    ChargeFacts& agent = cdr.agent.emplace();
    agent.account = row.text(n);
    agent.billed_time_s = row.integer(n + 1);
    agent.charge = Amount::from_units(row.integer(n + 3));
    agent.rate_prefix = row.text(n + 4);
    agent.rate_deck = row.text(n + 5);
    agent.rate_terms = row.text(n + 6);
    agent.currency = cdr.customer.currency;  // an agent is in the currency of its customers
  }
  n += 8;  // and the charge of packages in decimals
  cdr.customer.package_charge = Amount::from_units(row.integer(n));
  cdr.customer.package_time_s = row.integer(n + 1);
  return cdr;
}

}  // namespace

SqliteSink::SqliteSink(std::string folder, store::Connection control)
    : folder_(std::move(folder)), control_(std::move(control)) {}

Result<std::unique_ptr<SqliteSink>> SqliteSink::open(std::string folder) {
  PosixDisk disk;
  if (auto made = disk.make_folder(folder); !made) return std::move(made).error();
  auto lock = disk.lock(folder + "/cdr-control.lock");
  if (!lock) return std::move(lock).error();
  auto control = store::Connection::open(folder + "/cdr-control.db");
  if (!control) return std::move(control).error();
  if (auto done = store::migrate(*control, "cdr_control", control_steps); !done) {
    return std::move(done).error();
  }
  std::unique_ptr<SqliteSink> sink(new SqliteSink(std::move(folder), std::move(*control)));
  sink->lock_ = std::move(*lock);
  if (auto opened = sink->open_leftovers(); !opened) return std::move(opened).error();
  sink->close_days();
  return sink;
}

Result<std::uint64_t> SqliteSink::position() {
  auto select = control_.prepare("SELECT sequence FROM cdr_position");
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  if (!*row)
    return Error{ErrorCode::corrupt, "the place of the CDR files in the journal was missing"};
  return static_cast<std::uint64_t>(select->integer(0));
}

Result<SqliteSink::DayFile*> SqliteSink::open_day_file(std::int64_t day) {
  auto connection = store::Connection::open(folder_ + "/" + day_name(day));
  if (!connection) return std::move(connection).error();
  if (auto done = connection->execute("PRAGMA cache_size=-32000; PRAGMA wal_autocheckpoint=8000");
      !done) {
    return std::move(done).error();
  }
  if (auto done = store::migrate(*connection, "cdr", day_steps); !done)
    return std::move(done).error();
  auto file = std::make_unique<DayFile>(std::move(*connection));
  std::string sql = "INSERT INTO cdr(" + std::string(columns);
  std::string places = "?";
  for (int i = 1; i < column_count; ++i)
    places += ",?";
  for (const NewerColumn& column : newer_columns) {
    sql += std::string(", ") + column.name;
    places += ",?";
  }
  sql += ") VALUES(" + places;
  auto insert = file->connection.prepare(sql + ") ON CONFLICT DO NOTHING");
  if (!insert) return std::move(insert).error();
  file->insert = std::move(*insert);
  return days_.insert_or_assign(day, std::move(file)).first->second.get();
}

/// The file of a day, in a transaction.
Result<SqliteSink::DayFile*> SqliteSink::day_file(std::int64_t day) {
  const auto found = days_.find(day);
  DayFile* file = found == days_.end() ? nullptr : found->second.get();
  // A file that was moved away while it is open would swallow what is written to it.
  if (file == nullptr ||
      (!file->transaction && access((folder_ + "/" + day_name(day)).c_str(), F_OK) != 0)) {
    if (file != nullptr) days_.erase(found);
    auto opened = open_day_file(day);
    if (!opened) return opened;
    file = *opened;
  }
  if (!file->transaction) {
    auto transaction = store::Transaction::begin(file->connection);
    if (!transaction) return std::move(transaction).error();
    file->transaction.emplace(std::move(*transaction));
  }
  return file;
}

Result<void> SqliteSink::write_days(std::span<const RecordView> records) {
  std::string scratch;
  DayFile* file = nullptr;
  std::int64_t day = -1;
  for (const RecordView& view : records) {
    if (view.type != RecordType::end) continue;
    auto record = decode_end(view.payload, view.sequence);
    if (!record) return std::move(record).error();
    const std::int64_t wanted = day_of(record->cdr.ended_at_us);
    if (wanted != day) {
      auto found = day_file(wanted);
      if (!found) return std::move(found).error();
      file = *found;
      day = wanted;
    }
    if (auto done = insert_record(file->insert, record->cdr, scratch); !done) return done;
  }
  for (auto& [number, each] : days_) {
    if (!each->transaction) continue;
    if (auto done = each->transaction->commit(); !done) return done;
    each->transaction.reset();
  }
  if (file != nullptr) latest_day_ = day;
  return {};
}

/// Opens the files beside which a process that died left a log, so that close_days() closes them.
Result<void> SqliteSink::open_leftovers() {
  auto names = PosixDisk().list(folder_);
  if (!names) return std::move(names).error();
  for (std::string_view name : *names) {
    if (!name.ends_with(wal_extension)) continue;
    name.remove_suffix(wal_extension.size());
    const auto day = day_from_name(name);
    if (!day || access((folder_ + "/" + day_name(*day)).c_str(), F_OK) != 0) continue;
    // One that is damaged is nobody's concern until a record is written to it; its log stays and
    // tells that it was not closed.
    (void)open_day_file(*day);
  }
  return {};
}

/// Closes all files but that of the latest record, each when its log is empty; SQLite removes the
/// log then.
void SqliteSink::close_days() {
  std::erase_if(days_, [this](auto& entry) {
    return entry.first != latest_day_ && empty_log(entry.second->connection);
  });
}

Result<void> SqliteSink::write_batch(std::span<const RecordView> records, std::uint64_t through) {
  if (auto done = write_days(records); !done) {
    days_.clear();  // rolls back, and looks at the files anew next time
    return done;
  }
  close_days();
  auto place = control_.prepare("UPDATE cdr_position SET sequence = ?");
  if (!place) return std::move(place).error();
  return place->bind(1, static_cast<std::int64_t>(through)).run();
}

namespace {

/// One query on one day file: which view of which number it goes by, and what else must hold.
struct Search {
  std::string where;
  std::vector<std::string> texts;
  std::vector<std::int64_t> integers;
};

/// `column` is `number`, or begins with it when it ends with '*'.
void add_number(Search& search, const std::string& column, const std::string& number) {
  const bool is_prefix = number.ends_with('*');
  const std::string text = is_prefix ? number.substr(0, number.size() - 1) : number;
  if (!is_prefix) {
    search.where += column + " = ?";
    search.texts.push_back(text);
    return;
  }
  // A range instead of LIKE: it uses the index, and minds neither case nor wildcards. Its end is
  // the first text behind all that begin so.
  search.where += "(" + column + " >= ?";
  search.texts.push_back(text);
  std::string end = text;
  while (!end.empty() && end.back() == '\xFF')
    end.pop_back();
  if (!end.empty()) {
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
    search.where += " AND " + column + " < ?";
    search.texts.push_back(std::move(end));
  }
  search.where += ")";
}

void add_any_view(Search& search, const std::string& billing_view, const std::string& number) {
  search.where += " AND (";
  add_number(search, billing_view, number);
  search.where += " OR ";
  add_number(search, billing_view + "_in", number);
  search.where += " OR ";
  add_number(search, billing_view + "_out", number);
  search.where += ")";
}

/// A day file that is read, and what its columns are called in a query.
struct OpenDay {
  store::Connection connection;
  std::string selected;
};

class DaySearch {
 public:
  DaySearch(const CdrQuery& query, std::optional<std::int64_t> before_ended_at_us) : query_(query) {
    // Three searches, one a view, each in the order of its index, instead of one that sorts.
    const std::string* by = !query.caller.empty()   ? &query.caller
                            : !query.callee.empty() ? &query.callee
                                                    : nullptr;
    if (by == nullptr) {
      searches_.push_back(Search{"1", {}, {}});
    } else {
      const std::string view = by == &query.caller ? "caller" : "callee";
      for (const char* suffix : {"", "_in", "_out"}) {
        Search search;
        add_number(search, view + suffix, *by);
        if (*suffix != '\0') search.where += " AND " + view + suffix + " <> " + view;
        searches_.push_back(std::move(search));
      }
    }
    for (Search& search : searches_) {
      if (by == &query.caller && !query.callee.empty())
        add_any_view(search, "callee", query.callee);
      if (!query.reason.empty()) {
        search.where += " AND end_reason = ?";
        search.texts.push_back(query.reason);
      }
      const auto add_integer = [&search](const char* condition, std::int64_t value) {
        search.where += condition;
        search.integers.push_back(value);
      };
      if (query.since_us) add_integer(" AND ended_at_us >= ?", *query.since_us);
      if (query.until_us) add_integer(" AND ended_at_us < ?", *query.until_us);
      if (query.before_record_id) {
        const auto id = static_cast<std::int64_t>(*query.before_record_id);
        if (before_ended_at_us) {
          add_integer(" AND ended_at_us <= ?", *before_ended_at_us);
          add_integer(" AND (ended_at_us < ?", *before_ended_at_us);
          add_integer(" OR record_id < ?)", id);
        } else {
          add_integer(" AND record_id < ?", id);
        }
      }
    }
  }

  /// Appends what one file holds, newest first, up to the limit.
  Result<void> run(OpenDay& day, std::vector<Cdr>& found) const {
    const std::size_t start = found.size();
    std::unordered_set<std::uint64_t> seen;  // two rewritten views of a record may match alike
    for (const Search& search : searches_) {
      auto select =
          day.connection.prepare("SELECT " + day.selected + " FROM cdr WHERE " + search.where +
                                 " ORDER BY ended_at_us DESC, record_id DESC LIMIT ?");
      if (!select) return std::move(select).error();
      int n = 1;
      bind(*select, search, n);
      select->bind(n, static_cast<std::int64_t>(query_.limit - start));
      for (;;) {
        auto row = select->step();
        if (!row) return std::move(row).error();
        if (!*row) break;
        if (!seen.insert(static_cast<std::uint64_t>(select->integer(0))).second) continue;
        auto cdr = read_record(*select);
        if (!cdr) return std::move(cdr).error();
        found.push_back(std::move(*cdr));
      }
    }
    std::sort(found.begin() + static_cast<std::ptrdiff_t>(start), found.end(),
              [](const Cdr& a, const Cdr& b) {
                return a.ended_at_us != b.ended_at_us ? a.ended_at_us > b.ended_at_us
                                                      : a.record_id > b.record_id;
              });
    if (found.size() > query_.limit) found.resize(query_.limit);
    return {};
  }

 private:
  static void bind(store::Statement& select, const Search& search, int& n) {
    // Conditions on numbers and reason come first, those on times and ids after them.
    for (const std::string& text : search.texts)
      select.bind(n++, text);
    for (std::int64_t value : search.integers)
      select.bind(n++, value);
  }

  const CdrQuery& query_;
  std::vector<Search> searches_;
};

/// A day file, or nothing when it was archived or is being made just now.
Result<std::optional<OpenDay>> open_day(const std::string& path) {
  auto connection = store::Connection::open(path, store::OpenMode::read_only);
  if (!connection && connection.error().code == ErrorCode::not_found)
    return std::optional<OpenDay>();
  if (!connection) return std::move(connection).error();
  std::string selected = columns;
  {
    auto table = connection->prepare("SELECT name FROM pragma_table_info('cdr')");
    if (!table) return std::move(table).error();
    std::unordered_set<std::string> there;
    for (;;) {
      auto row = table->step();
      if (!row) return std::move(row).error();
      if (!*row) break;
      there.emplace(table->text(0));
    }
    if (there.empty()) return std::optional<OpenDay>();
    for (const NewerColumn& column : newer_columns)
      selected +=
          std::string(", ") + (there.contains(column.name) ? column.name : column.otherwise);
  }
  return std::optional<OpenDay>(OpenDay{std::move(*connection), std::move(selected)});
}

}  // namespace
}  // namespace tandem::cdr

namespace tandem {

Result<std::unique_ptr<CdrSink>> make_sqlite_sink(std::string folder) {
  auto sink = cdr::SqliteSink::open(std::move(folder));
  if (!sink) return std::move(sink).error();
  return std::unique_ptr<CdrSink>(std::move(*sink));
}

CdrStore::CdrStore(std::string folder) : folder_(std::move(folder)) {}

Result<std::vector<Cdr>> CdrStore::query(const CdrQuery& query) const {
  if (query.limit < 1 || query.limit > 1'000'000) {
    return Error{ErrorCode::invalid_argument,
                 "limit " + std::to_string(query.limit) + " was not in 1..1000000"};
  }
  if (!query.reason.empty() && !reason_from_name(query.reason)) {
    return Error{ErrorCode::invalid_argument, "reason \"" + query.reason + "\" was unknown"};
  }
  cdr::PosixDisk disk;
  auto names = disk.list(folder_);
  if (!names && names.error().code == ErrorCode::not_found) return std::vector<Cdr>();
  if (!names) return std::move(names).error();
  std::vector<std::int64_t> days;
  for (const std::string& name : *names) {
    if (auto day = cdr::day_from_name(name)) days.push_back(*day);
  }
  std::sort(days.rbegin(), days.rend());

  // Pages go by the order of the list, so the end of the call before the page is needed.
  std::optional<std::int64_t> before_ended_at_us;
  if (query.before_record_id) {
    for (std::int64_t day : days) {
      auto file = cdr::open_day(folder_ + "/" + cdr::day_name(day));
      if (!file) return std::move(file).error();
      if (!*file) continue;
      auto select = (*file)->connection.prepare("SELECT ended_at_us FROM cdr WHERE record_id = ?");
      if (!select) return std::move(select).error();
      auto row = select->bind(1, static_cast<std::int64_t>(*query.before_record_id)).step();
      if (!row) return std::move(row).error();
      if (*row) {
        before_ended_at_us = select->integer(0);
        break;
      }
    }
  }

  const cdr::DaySearch search(query, before_ended_at_us);
  std::vector<Cdr> found;
  for (std::int64_t day : days) {
    if (found.size() >= query.limit) break;
    if (query.until_us && day * cdr::day_us >= *query.until_us) continue;
    if (query.since_us && day < cdr::day_of(*query.since_us)) break;
    if (before_ended_at_us && day > cdr::day_of(*before_ended_at_us)) continue;
    auto file = cdr::open_day(folder_ + "/" + cdr::day_name(day));
    if (!file) return std::move(file).error();
    if (!*file) continue;
    if (auto done = search.run(**file, found); !done) return std::move(done).error();
  }
  return found;
}

}  // namespace tandem
