#include "cdr/cdr_table_sqlite.hpp"

#include <sqlite3.h>
// For the structure alone. A host may have its own copy of SQLite, and what belongs to a connection
// is asked by the functions of its copy: nothing here calls SQLite by name.
#ifndef SQLITE_CORE
#define SQLITE_CORE 1
#endif
#include <sqlite3ext.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cdr/record_scan_sqlite.hpp"
#include "tandem/cdr_table.hpp"

namespace tandem::cdr {
namespace {

using Api = sqlite3_api_routines;

constexpr int version_min = 3'026'000;
[[maybe_unused]] constexpr int version_of_is_interrupted = 3'041'000;  // older headers lack it

/// Those of the library that tandem is linked with, as far as they are used here.
const Api& own_api() {
  static const Api own = [] {
    Api api{};
    api.libversion_number = sqlite3_libversion_number;
    api.create_module_v2 = sqlite3_create_module_v2;
    api.declare_vtab = sqlite3_declare_vtab;
    api.errmsg = sqlite3_errmsg;
    api.malloc = sqlite3_malloc;
    api.free = sqlite3_free;
    api.value_type = sqlite3_value_type;
    api.value_numeric_type = sqlite3_value_numeric_type;
    api.value_int64 = sqlite3_value_int64;
    api.value_double = sqlite3_value_double;
    api.value_text = sqlite3_value_text;
    api.value_bytes = sqlite3_value_bytes;
    api.result_int64 = sqlite3_result_int64;
    api.result_null = sqlite3_result_null;
    api.result_text64 = sqlite3_result_text64;
    api.result_error = sqlite3_result_error;
    api.vtab_collation = sqlite3_vtab_collation;
#if SQLITE_VERSION_NUMBER >= 3041000
    api.is_interrupted = sqlite3_is_interrupted;
#endif
    return api;
  }();
  return own;
}

// The table: the columns of the day files, but for `legs`, which only says again what `attempts`
// says.

struct TableColumn {
  std::string_view name;
  std::size_t place = 0;    // among record_columns
  bool is_decimal = false;  // of the units of that one
};

constexpr std::string_view units_suffix = "_units";
constexpr std::size_t left_out = column_of("legs");
constexpr std::size_t decimal_count = 5;
constexpr std::size_t table_column_count = record_column_count - 1 + decimal_count;
static_assert(table_column_count <= 63, "the mask of used columns has a bit for each");

constexpr auto table_columns = [] {
  std::array<TableColumn, table_column_count> all{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < record_column_count; ++i) {
    if (i == left_out) continue;
    const std::string_view name = record_columns[i].name;
    if (name.ends_with(units_suffix))
      all[at++] = {name.substr(0, name.size() - units_suffix.size()), i, true};
    all[at++] = {name, i, false};
  }
  return all;
}();
static_assert(!table_columns.back().name.empty());

consteval int table_column_of(std::string_view name) {
  int at = 0;
  while (table_columns[static_cast<std::size_t>(at)].name != name)
    ++at;
  return at;
}

bool is_text(const TableColumn& column) {
  return column.is_decimal || record_columns[column.place].kind == ColumnKind::text;
}

std::string declaration() {
  std::string sql = "CREATE TABLE cdrs(";
  for (const TableColumn& column : table_columns)
    sql.append(sql.back() == '(' ? "" : ", ")
        .append(column.name)
        .append(is_text(column) ? " TEXT" : " INTEGER");
  return sql + ")";
}

/// A column that a filter narrows by; what a constraint says of others SQLite looks at itself.
struct NarrowingColumn {
  int column;
  std::string CdrFilter::*member;
  bool is_number;       // knows beginnings too
  double rows_divisor;  // about, for the planner
};
// No rate_prefix: corrections change it, and a filter judges what was written.
constexpr NarrowingColumn narrowing_columns[] = {
    {table_column_of("call_id"), &CdrFilter::call_id, false, 1e5},
    {table_column_of("caller"), &CdrFilter::caller_billing, true, 1e5},
    {table_column_of("caller_in"), &CdrFilter::caller_in, true, 1e5},
    {table_column_of("caller_out"), &CdrFilter::caller_out, true, 1e5},
    {table_column_of("callee"), &CdrFilter::callee_billing, true, 1e5},
    {table_column_of("callee_in"), &CdrFilter::callee_in, true, 1e5},
    {table_column_of("callee_out"), &CdrFilter::callee_out, true, 1e5},
    {table_column_of("account"), &CdrFilter::account, false, 20},
    {table_column_of("vendor_account"), &CdrFilter::vendor_account, false, 20},
    {table_column_of("agent_account"), &CdrFilter::agent_account, false, 20},
    {table_column_of("customer_gateway"), &CdrFilter::customer_gateway, false, 20},
    {table_column_of("vendor_gateway"), &CdrFilter::vendor_gateway, false, 20},
    {table_column_of("end_reason"), &CdrFilter::reason, false, 10}};

const NarrowingColumn* narrowing_column(int column) {
  for (const NarrowingColumn& each : narrowing_columns) {
    if (each.column == column) return &each;
  }
  return nullptr;
}

constexpr int ended_at_column = table_column_of("ended_at_us");
constexpr int record_id_column = table_column_of("record_id");
constexpr int rowid_column = -1;

// What the planner and the filter tell each other: the order as a number, and in a text the mask of
// columns and then ",COLUMN:OPERATOR" for each value.

std::string plan_text(std::uint64_t mask, const std::vector<std::pair<int, int>>& values) {
  std::string text = std::to_string(mask);
  for (const auto& [column, op] : values)
    text += ',' + std::to_string(column) + ':' + std::to_string(op);
  return text;
}

template <class Integer>
Integer take_integer(std::string_view& text) {
  Integer value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  if (!text.empty()) text.remove_prefix(1);
  return error == std::errc() ? value : Integer{};
}

/// What a module was registered with.
struct Module {
  const Api* api;
  TableTerms* terms;
  TableTerms own_terms;
};

struct Table : sqlite3_vtab {
  Table(Module& of, sqlite3* on, CdrPlace at)
      : sqlite3_vtab{}, module(&of), connection(on), place(std::move(at)) {}
  Module* module;
  sqlite3* connection;
  CdrPlace place;

  /// Says why something failed; what is returned to SQLite.
  int fail(const Error& error) {
    module->terms->failed = error;
    say(error.message);
    return SQLITE_ERROR;
  }
  void say(std::string_view text) noexcept {
    const Api& api = *module->api;
    api.free(zErrMsg);
    const std::size_t bytes = std::min<std::size_t>(text.size(), 4'096);
    zErrMsg = static_cast<char*>(api.malloc(static_cast<int>(bytes) + 1));
    if (zErrMsg == nullptr) return;
    std::memcpy(zErrMsg, text.data(), bytes);
    zErrMsg[bytes] = 0;
  }
};

struct Cursor : sqlite3_vtab_cursor {
  Cursor() : sqlite3_vtab_cursor{} { slots.fill(no_slot); }
  static constexpr std::uint8_t no_slot = 0xFF;
  std::unique_ptr<RecordScan> scan;
  std::array<std::uint8_t, record_column_count> slots;  // where the scan has a column
  bool is_over = true;
};
static_assert(record_column_count < Cursor::no_slot);

Table& table_of(sqlite3_vtab* table) { return static_cast<Table&>(*table); }
Cursor& cursor_of(sqlite3_vtab_cursor* cursor) { return static_cast<Cursor&>(*cursor); }

/// Nothing thrown reaches SQLite.
template <class Body>
int guarded(Table& table, Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return SQLITE_NOMEM;
  } catch (const std::exception& e) {
    table.say(e.what());
    return SQLITE_ERROR;
  } catch (...) {
    return SQLITE_ERROR;
  }
}

/// An argument of CREATE VIRTUAL TABLE: a literal, or a word as it stands.
std::string argument(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  text = text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
  const char quote = text.front();
  if (text.size() < 2 || (quote != '\'' && quote != '"') || text.back() != quote)
    return std::string(text);
  text = text.substr(1, text.size() - 2);
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    plain += text[i];
    if (text[i] == quote && i + 1 < text.size() && text[i + 1] == quote) ++i;
  }
  return plain;
}

int connect_table(sqlite3* connection, void* of, int count, const char* const* words,
                  sqlite3_vtab** out, char** message) {
  Module& module = *static_cast<Module*>(of);
  const auto complain = [&](const char* text) {
    const std::size_t bytes = std::strlen(text) + 1;
    *message = static_cast<char*>(module.api->malloc(static_cast<int>(bytes)));
    if (*message != nullptr) std::memcpy(*message, text, bytes);
    return SQLITE_ERROR;
  };
  try {
    constexpr int arguments_at = 3;  // behind module, database and table
    const int arguments = count - arguments_at;
    if (arguments < 1 || arguments > 2)
      return complain("tandem_cdr needs the folder of the day files, and may have the database");
    CdrPlace place(argument(words[arguments_at]),
                   arguments > 1 ? argument(words[arguments_at + 1]) : std::string());
    if (place.folder.empty()) return complain("the folder of the day files was empty");
    if (const int code = module.api->declare_vtab(connection, declaration().c_str());
        code != SQLITE_OK)
      return code;
    *out = new Table(module, connection, std::move(place));
    return SQLITE_OK;
  } catch (...) {
    return SQLITE_NOMEM;
  }
}

// Another function than connect_table(), else SQLite had the table without a CREATE.
int create_table(sqlite3* connection, void* of, int count, const char* const* words,
                 sqlite3_vtab** out, char** message) {
  return connect_table(connection, of, count, words, out, message);
}

int disconnect_table(sqlite3_vtab* table) {
  delete &table_of(table);
  return SQLITE_OK;
}

/// Whether a value of the constraint could narrow what is read.
bool narrows(const Api& api, sqlite3_index_info* info, int at) {
  const auto& constraint = info->aConstraint[at];
  if (constraint.usable == 0) return false;
  const int op = constraint.op;
  if (constraint.iColumn == ended_at_column)
    return op == SQLITE_INDEX_CONSTRAINT_EQ || op == SQLITE_INDEX_CONSTRAINT_GT ||
           op == SQLITE_INDEX_CONSTRAINT_GE || op == SQLITE_INDEX_CONSTRAINT_LT ||
           op == SQLITE_INDEX_CONSTRAINT_LE;
  if (constraint.iColumn == record_id_column || constraint.iColumn == rowid_column)
    return op == SQLITE_INDEX_CONSTRAINT_EQ;
  const NarrowingColumn* const column = narrowing_column(constraint.iColumn);
  if (column == nullptr) return false;
  if (op == SQLITE_INDEX_CONSTRAINT_LIKE || op == SQLITE_INDEX_CONSTRAINT_GLOB)
    return column->is_number;
  if (op != SQLITE_INDEX_CONSTRAINT_EQ) return false;
  const char* const collation = api.vtab_collation(info, at);
  return collation != nullptr && std::strcmp(collation, "BINARY") == 0;
}

double rows_divisor(int column, int op) {
  constexpr double of_bound = 8, of_beginning = 50, of_record = 1e7;
  if (column == ended_at_column) return of_bound;
  if (column == record_id_column || column == rowid_column) return of_record;
  if (op != SQLITE_INDEX_CONSTRAINT_EQ) return of_beginning;
  return narrowing_column(column)->rows_divisor;
}

/// The order that the statement wants, when it is that of the scan.
ScanOrder order_of(const sqlite3_index_info& info) {
  const auto* const terms = info.aOrderBy;
  if (info.nOrderBy < 1 || terms[0].iColumn != ended_at_column) return ScanOrder::any;
  // Whatever follows the record decides nothing more.
  if (info.nOrderBy > 1 &&
      ((terms[1].iColumn != record_id_column && terms[1].iColumn != rowid_column) ||
       terms[1].desc != terms[0].desc))
    return ScanOrder::any;
  return terms[0].desc != 0 ? ScanOrder::newest_first : ScanOrder::oldest_first;
}

int best_index(sqlite3_vtab* of, sqlite3_index_info* info) {
  Table& table = table_of(of);
  return guarded(table, [&] {
    const Api& api = *table.module->api;
    std::vector<std::pair<int, int>> values;
    double rows = 1e7;
    bool is_one = false;
    for (int i = 0; i < info->nConstraint; ++i) {
      if (!narrows(api, info, i)) continue;
      const auto& constraint = info->aConstraint[i];
      values.emplace_back(constraint.iColumn, constraint.op);
      // SQLite looks at it again: what is read may be more than what is wanted.
      info->aConstraintUsage[i].argvIndex = static_cast<int>(values.size());
      info->aConstraintUsage[i].omit = 0;
      rows /= rows_divisor(constraint.iColumn, constraint.op);
      is_one =
          is_one || constraint.iColumn == record_id_column || constraint.iColumn == rowid_column;
    }
    rows = std::max(rows, 1.0);
    const ScanOrder order = order_of(*info);
    info->orderByConsumed = order != ScanOrder::any ? 1 : 0;
    info->idxNum = static_cast<int>(order);
    constexpr double of_days = 1e3;
    info->estimatedCost = rows + of_days;
    info->estimatedRows = static_cast<sqlite3_int64>(rows);
    if (is_one) info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
    const std::string plan = plan_text(info->colUsed, values);
    info->idxStr = static_cast<char*>(api.malloc(static_cast<int>(plan.size()) + 1));
    if (info->idxStr == nullptr) return SQLITE_NOMEM;
    std::memcpy(info->idxStr, plan.c_str(), plan.size() + 1);
    info->needToFreeIdxStr = 1;
    return SQLITE_OK;
  });
}

int open_cursor(sqlite3_vtab* of, sqlite3_vtab_cursor** out) {
  return guarded(table_of(of), [&] {
    *out = new Cursor();
    return SQLITE_OK;
  });
}

int close_cursor(sqlite3_vtab_cursor* cursor) {
  delete &cursor_of(cursor);
  return SQLITE_OK;
}

void set_since(CdrFilter& filter, std::int64_t us) {
  filter.since_us = std::max(us, filter.since_us.value_or(us));
}
void set_until(CdrFilter& filter, std::int64_t us) {
  filter.until_us = std::min(us, filter.until_us.value_or(us));
}

/// Narrows the period by "ended_at_us OP value", exactly: a day, or a moment of the longest period,
/// that is not asked for is not to be missed. A value that is no whole number stands for those
/// around it.
void narrow_period(const Api& api, CdrFilter& filter, int op, sqlite3_value* value) {
  std::int64_t low = 0;
  std::int64_t high = 0;  // low <= value <= high
  const int type = api.value_numeric_type(value);
  if (type == SQLITE_INTEGER) {
    low = high = api.value_int64(value);
  } else if (type == SQLITE_FLOAT) {
    constexpr double far = 9e18;
    const double number = api.value_double(value);
    if (!(number > -far && number < far)) return;
    low = static_cast<std::int64_t>(std::floor(number));
    high = static_cast<std::int64_t>(std::ceil(number));
  } else {
    return;
  }
  // The first moment behind those up to the value.
  const bool is_last = low == std::numeric_limits<std::int64_t>::max();
  const std::int64_t behind = is_last ? low : low + 1;
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
      set_since(filter, high);
      if (!is_last) set_until(filter, behind);
      return;
    case SQLITE_INDEX_CONSTRAINT_GE:
      return set_since(filter, high);
    case SQLITE_INDEX_CONSTRAINT_GT:
      return set_since(filter, behind);
    case SQLITE_INDEX_CONSTRAINT_LT:
      return set_until(filter, high);
    default:
      if (!is_last) set_until(filter, behind);
  }
}

/// What all texts begin with that a pattern can mean. LIKE takes letters of either case for one, so
/// it ends at the first letter.
std::string_view beginning_of(std::string_view pattern, int op) {
  const bool is_like = op == SQLITE_INDEX_CONSTRAINT_LIKE;
  std::size_t length = 0;
  for (; length < pattern.size(); ++length) {
    const char c = pattern[length];
    const auto byte = static_cast<unsigned char>(c);
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_like ? c == '%' || c == '_' || is_letter : c == '*' || c == '?' || c == '[') break;
    if (byte == 0 || byte >= 0x80) break;  // SQLite takes bytes that are no UTF-8 for U+FFFD
  }
  return pattern.substr(0, length);
}

void narrow_text(const Api& api, CdrFilter& filter, const NarrowingColumn& column, int op,
                 sqlite3_value* value) {
  // A number may be compared as one, by which '044' is 44. The filter knows texts only.
  if (api.value_type(value) != SQLITE_TEXT) return;
  const auto* const bytes = reinterpret_cast<const char*>(api.value_text(value));
  if (bytes == nullptr) return;
  const std::string_view text(bytes, static_cast<std::size_t>(api.value_bytes(value)));
  std::string& member = filter.*column.member;
  if (op == SQLITE_INDEX_CONSTRAINT_EQ) {
    if (column.member == &CdrFilter::reason && !reason_from_name(text)) return;
    // With a '*' at the end it means more in a filter, which does no harm.
    if (member.empty() || member.ends_with('*')) member = text;
    return;
  }
  const std::string_view beginning = beginning_of(text, op);
  if (!beginning.empty() && member.empty()) member.assign(beginning).append("*");
}

/// False: nothing can be equal to NULL.
bool read_constraint(const Api& api, ScanWish& wish, int column, int op, sqlite3_value* value) {
  if (api.value_type(value) == SQLITE_NULL) return false;
  if (column == ended_at_column) {
    narrow_period(api, wish.filter, op, value);
  } else if (column == record_id_column || column == rowid_column) {
    if (api.value_numeric_type(value) == SQLITE_INTEGER) wish.record_id = api.value_int64(value);
  } else if (const NarrowingColumn* const narrowing = narrowing_column(column)) {
    narrow_text(api, wish.filter, *narrowing, op, value);
  }
  return true;
}

int advance(Table& table, Cursor& cursor) {
  auto more = cursor.scan->next();
  cursor.is_over = !more || !*more;
  if (more) return SQLITE_OK;
  cursor.scan.reset();
#if SQLITE_VERSION_NUMBER >= 3041000
  const Api& api = *table.module->api;
  if (api.libversion_number() >= version_of_is_interrupted &&
      api.is_interrupted(table.connection) != 0)
    return SQLITE_INTERRUPT;
#endif
  return table.fail(more.error());
}

int filter_rows(sqlite3_vtab_cursor* at, int order, const char* plan, int count,
                sqlite3_value** values) {
  Table& table = table_of(at->pVtab);
  Cursor& cursor = cursor_of(at);
  return guarded(table, [&] {
    const Api& api = *table.module->api;
    const TableTerms& terms = *table.module->terms;
    cursor.scan.reset();
    cursor.is_over = true;
    ScanWish wish;
    wish.order = static_cast<ScanOrder>(order);
    std::string_view text = plan == nullptr ? "0" : plan;
    const auto mask = take_integer<std::uint64_t>(text);
    for (int i = 0; i < count; ++i) {
      const int column = take_integer<int>(text);
      const int op = take_integer<int>(text);
      if (!read_constraint(api, wish, column, op, values[i])) return SQLITE_OK;
    }
    cursor.slots.fill(Cursor::no_slot);
    for (std::size_t i = 0; i < table_column_count; ++i) {
      std::uint8_t& slot = cursor.slots[table_columns[i].place];
      if ((mask >> i & 1U) == 0 || slot != Cursor::no_slot) continue;
      slot = static_cast<std::uint8_t>(wish.columns.size());
      wish.columns.push_back(table_columns[i].place);
    }
    if (terms.guards.days_max > 0 && !wish.filter.since_us && !wish.record_id) {
      return table.fail({ErrorCode::invalid_argument,
                         "questions may be about " + std::to_string(terms.guards.days_max) +
                             " days: say since when (ended_at_us >= ...)"});
    }
    auto scan = RecordScan::open(table.place, std::move(wish), terms.guards, terms.clock);
    if (!scan) return table.fail(scan.error());
    cursor.scan = std::move(*scan);
#if SQLITE_VERSION_NUMBER >= 3041000
    if (api.libversion_number() >= version_of_is_interrupted) {
      cursor.scan->end_when(
          [&api, connection = table.connection] { return api.is_interrupted(connection) != 0; });
    }
#endif
    return advance(table, cursor);
  });
}

int next_row(sqlite3_vtab_cursor* at) {
  Table& table = table_of(at->pVtab);
  return guarded(table, [&] { return advance(table, cursor_of(at)); });
}

int is_over(sqlite3_vtab_cursor* at) { return cursor_of(at).is_over ? 1 : 0; }

int give_column(sqlite3_vtab_cursor* at, sqlite3_context* context, int number) {
  Table& table = table_of(at->pVtab);
  return guarded(table, [&] {
    const Api& api = *table.module->api;
    const Cursor& cursor = cursor_of(at);
    if (number < 0 || static_cast<std::size_t>(number) >= table_column_count) return SQLITE_RANGE;
    const TableColumn& column = table_columns[static_cast<std::size_t>(number)];
    const std::size_t slot = cursor.slots[column.place];
    const auto give_text = [&](std::string_view text) {
      api.result_text64(context, text.data() == nullptr ? "" : text.data(), text.size(),
                        SQLITE_TRANSIENT, SQLITE_UTF8);
    };
    if (slot == Cursor::no_slot) return SQLITE_INTERNAL;
    if (cursor.scan->is_null(slot)) {
      api.result_null(context);
    } else if (column.is_decimal) {
      give_text(Amount::from_units(cursor.scan->integer(slot)).to_string());
    } else if (is_text(column)) {
      give_text(cursor.scan->text(slot));
    } else {
      api.result_int64(context, cursor.scan->integer(slot));
    }
    return SQLITE_OK;
  });
}

int give_rowid(sqlite3_vtab_cursor* at, sqlite3_int64* rowid) {
  *rowid = cursor_of(at).scan->record_id();
  return SQLITE_OK;
}

int rename_table(sqlite3_vtab*, const char*) { return SQLITE_OK; }

const sqlite3_module& callbacks() {
  static const sqlite3_module made = [] {
    sqlite3_module module{};
    module.xCreate = create_table;
    module.xConnect = connect_table;
    module.xBestIndex = best_index;
    module.xDisconnect = disconnect_table;
    module.xDestroy = disconnect_table;
    module.xOpen = open_cursor;
    module.xClose = close_cursor;
    module.xFilter = filter_rows;
    module.xNext = next_row;
    module.xEof = is_over;
    module.xColumn = give_column;
    module.xRowid = give_rowid;
    module.xRename = rename_table;
    return module;
  }();
  return made;
}

}  // namespace

Result<void> register_table_module(void* connection, const void* given, TableTerms* terms) {
  if (connection == nullptr)
    return Error{ErrorCode::invalid_argument, "connection of SQLite was NULL"};
  const Api& api = given != nullptr ? *static_cast<const Api*>(given) : own_api();
  if (api.libversion_number() < version_min) {
    return Error{ErrorCode::unsupported, "SQLite " + std::to_string(api.libversion_number()) +
                                             " was older than " + std::to_string(version_min)};
  }
  auto module = std::make_unique<Module>(Module{&api, terms, {}});
  if (terms == nullptr) module->terms = &module->own_terms;
  auto* const to = static_cast<sqlite3*>(connection);
  // It takes the module at once, also when it fails.
  const int code = api.create_module_v2(to, "tandem_cdr", &callbacks(), module.release(),
                                        [](void* made) { delete static_cast<Module*>(made); });
  if (code != SQLITE_OK)
    return Error{ErrorCode::io, std::string("database refused: ") + api.errmsg(to)};
  return {};
}

int start_extension(void* connection, char** message, const void* given) noexcept {
  try {
    auto done = register_table_module(connection, given, nullptr);
    if (done) return SQLITE_OK;
    const std::string& text = done.error().message;
    const Api& api = given != nullptr ? *static_cast<const Api*>(given) : own_api();
    if (message != nullptr) {
      *message = static_cast<char*>(api.malloc(static_cast<int>(text.size()) + 1));
      if (*message != nullptr) std::memcpy(*message, text.c_str(), text.size() + 1);
    }
    return SQLITE_ERROR;
  } catch (...) {
    return SQLITE_NOMEM;
  }
}

}  // namespace tandem::cdr

namespace tandem {

Result<void> register_cdr_module(void* connection, const void* api) {
  return cdr::register_table_module(connection, api, nullptr);
}

}  // namespace tandem
