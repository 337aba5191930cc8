#include "cdr/cdr_rows_sqlite.hpp"

#include <algorithm>

#include "cdr/call_facts.hpp"
#include "cdr/cdr_json.hpp"
#include "cdr/day_files.hpp"
#include "cdr/disk.hpp"
#include "cdr/record_row.hpp"

namespace tandem::cdr {
namespace {

// The columns of a record, in the order in which insert_record() and read_record() count them.
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
                                         {"package_time_s", "0"},
                                         {"legs", "NULL"},
                                         {"choices", "''"},
                                         {"agent_package_charge", "NULL"},
                                         {"agent_package_charge_units", "NULL"},
                                         {"agent_package_time_s", "NULL"},
                                         {"call_level", "''"}};

// A view that equals the billing view is found by it, so its index holds only the rows where it
// differs: most numbers are not rewritten, and an index less is a third of a row's cost less.
constexpr store::Migration steps[] = {
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
    // Everything that reports read is in one index, so that they leave the records themselves
    // alone, which are six times as large.
    {5, R"sql(
      ALTER TABLE cdr ADD COLUMN legs TEXT;
      DROP INDEX cdr_by_end;
      CREATE INDEX cdr_facts ON cdr(ended_at_us, record_id, customer_gateway, answered_at_us,
        talk_time_ms, pdd_ms, currency, charge_units, package_charge_units, end_reason,
        billed_time_s, rate_prefix, account, vendor_gateway, vendor_currency, vendor_charge_units,
        started_at_us, rate_deck, package_time_s, legs, release_side, callee_region);
    )sql"},
    {6, "ALTER TABLE cdr ADD COLUMN choices TEXT NOT NULL DEFAULT ''"},
    {7, R"sql(
      ALTER TABLE cdr ADD COLUMN agent_package_charge TEXT;
      ALTER TABLE cdr ADD COLUMN agent_package_charge_units INTEGER;
      ALTER TABLE cdr ADD COLUMN agent_package_time_s INTEGER;
    )sql"},
    {8, R"sql(
      ALTER TABLE cdr ADD COLUMN call_level TEXT NOT NULL DEFAULT '';
      DROP INDEX cdr_facts;
      CREATE INDEX cdr_facts ON cdr(ended_at_us, record_id, customer_gateway, answered_at_us,
        talk_time_ms, pdd_ms, currency, charge_units, package_charge_units, end_reason,
        billed_time_s, rate_prefix, account, vendor_gateway, vendor_currency, vendor_charge_units,
        started_at_us, rate_deck, package_time_s, legs, release_side, callee_region, call_level);
    )sql"},
};

void bind_optional(store::Statement& insert, int parameter,
                   const std::optional<std::string>& text) {
  if (text) {
    insert.bind_borrowed(parameter, *text);
  } else {
    insert.bind_null(parameter);
  }
}

}  // namespace

const std::span<const store::Migration> day_steps = steps;

Result<store::Statement> prepare_insert(store::Connection& day) {
  std::string sql = "INSERT INTO cdr(" + std::string(columns);
  std::string places = "?";
  for (int i = 1; i < column_count; ++i)
    places += ",?";
  for (const NewerColumn& column : newer_columns) {
    sql += std::string(", ") + column.name;
    places += ",?";
  }
  return day.prepare(sql + ") VALUES(" + places + ") ON CONFLICT DO NOTHING");
}

// Everything borrowed lives until the end of this call.
Result<void> insert_record(store::Statement& insert, const Cdr& cdr, std::string& scratch) {
  const std::string charge = cdr.customer.charge.to_string();
  std::string vendor_charge;
  scratch.clear();
  append_attempts_json(scratch, cdr.attempts);
  const std::size_t attempts_bytes = scratch.size();
  append_media_json(scratch, cdr);
  const std::size_t json_bytes = scratch.size();
  append_legs(scratch, legs_of({&cdr.attempts, cdr.started_at_us, cdr.answered_at_us, cdr.pdd_ms}));
  const std::string_view made = scratch;

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
  insert.bind_borrowed(n++, made.substr(0, attempts_bytes));
  insert.bind_borrowed(n++, made.substr(attempts_bytes, json_bytes - attempts_bytes));
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
  insert.bind_borrowed(n++, made.substr(json_bytes));
  insert.bind_borrowed(n++, cdr.choices);
  std::string agent_package_charge;
  if (cdr.agent) {
    agent_package_charge = cdr.agent->package_charge.to_string();
    insert.bind_borrowed(n, agent_package_charge);
    insert.bind(n + 1, cdr.agent->package_charge.units());
    insert.bind(n + 2, cdr.agent->package_time_s);
  }
  n += 3;
  insert.bind_borrowed(n, call_level_name(cdr.call_level));
  return insert.run();
}

Result<std::unordered_set<std::string>> columns_there(store::Connection& day) {
  std::unordered_set<std::string> there;
  auto table = day.prepare("SELECT name FROM pragma_table_info('cdr')");
  if (!table) return std::move(table).error();
  for (;;) {
    auto row = table->step();
    if (!row) return std::move(row).error();
    if (!*row) return there;
    there.emplace(table->text(0));
  }
}

std::string column_in(const std::unordered_set<std::string>& there, std::string_view name) {
  for (const NewerColumn& column : newer_columns) {
    if (name == column.name && !there.contains(column.name)) return column.otherwise;
  }
  return std::string(name);
}

Result<std::optional<DayRows>> DayRows::open(const std::string& folder, std::int64_t day,
                                             const store::Connection::Watch* watch) {
  auto lock = DayLock::reading(folder, day);
  if (!lock) return std::move(lock).error();
  auto connection =
      store::Connection::open(folder + "/" + day_name(day), store::OpenMode::read_only);
  if (!connection && connection.error().code == ErrorCode::not_found)
    return std::optional<DayRows>();
  if (!connection) return std::move(connection).error();
  auto there = columns_there(*connection);
  if (!there) return std::move(there).error();
  if (there->empty()) return std::optional<DayRows>();
  if (watch != nullptr) connection->watch(*watch);
  return std::optional<DayRows>(
      DayRows(std::move(*lock), std::move(*connection), std::move(*there)));
}

std::string DayRows::column(std::string_view name) const { return column_in(there_, name); }

Result<store::Statement> DayRows::select_records(std::string_view rest) {
  std::string sql = std::string("SELECT ") + columns;
  for (const NewerColumn& newer : newer_columns)
    sql += ", " + column(newer.name);
  return connection_.prepare((sql += std::string(" FROM ") + source() + ' ').append(rest));
}

Result<Cdr> DayRows::read_record(const store::Statement& row) { return read_record_of(row); }

Result<std::vector<std::int64_t>> days_in(const std::string& folder) {
  std::vector<std::int64_t> days;
  auto names = PosixDisk().list(folder);
  if (!names && names.error().code == ErrorCode::not_found) return days;
  if (!names) return std::move(names).error();
  for (const std::string& name : *names) {
    if (auto day = day_from_name(name)) days.push_back(*day);
  }
  std::sort(days.rbegin(), days.rend());
  return days;
}

}  // namespace tandem::cdr
