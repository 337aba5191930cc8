// Records by SQL and as arrays.
#include "tandem/cdr_table.hpp"

#include <utility>

#include "capi/config.hpp"
#include "capi/values.hpp"
#include "cdr/cdr_table_sqlite.hpp"
#include "tandem/cdr_columns.hpp"

using namespace tandem;
using namespace tandem::capi;

struct tandem_cdr_columns {
  CdrColumns columns;
};

namespace {

enum class Format : std::uint8_t { json, csv, table };

Result<Format> read_format(const char* name) {
  const std::string_view format = name == nullptr ? "json" : name;
  if (format == "json") return Format::json;
  if (format == "csv") return Format::csv;
  if (format == "table") return Format::table;
  return Error{ErrorCode::invalid_argument,
               "format \"" + std::string(format) + "\" is not one of json, csv, table"};
}

std::size_t rows_wanted(std::size_t rows_max) {
  return rows_max == 0 ? CdrSqlLimits().rows_max : rows_max;
}

/// Asks and gives the answer's text.
template <class Ask>
int give_answer(const char* sql, const char* format, tandem_text** text, std::int32_t* is_cut,
                Ask&& ask) {
  TANDEM_CAPI_NOT_NULL(sql);
  TANDEM_CAPI_NOT_NULL(text);
  const auto wanted = read_format(format);
  TANDEM_CAPI_TRY(wanted);
  const Result<CdrSqlAnswer> answer = ask(std::string_view(sql));
  TANDEM_CAPI_TRY(answer);
  if (is_cut != nullptr) *is_cut = answer->is_cut ? 1 : 0;
  return give(*wanted == Format::csv     ? to_csv(*answer)
              : *wanted == Format::table ? to_table(*answer)
                                         : to_json_lines(*answer),
              text);
}

/// Reads the request, reads the columns and gives them.
template <class Read>
int give_columns(const tandem_cdr_query* query, const char* const* names, std::size_t count,
                 tandem_cdr_columns** out, Read&& read_columns) {
  TANDEM_CAPI_NOT_NULL(out);
  const auto filter = read_cdr_query(query);
  TANDEM_CAPI_TRY(filter);
  if (filter->before_record_id || (query != nullptr && query->limit != 0)) {
    return fail(ErrorCode::invalid_argument,
                "a limit and before_record_id are of pages, and columns have none");
  }
  CdrColumnsRequest request;
  request.filter = *filter;
  TANDEM_CAPI_TRY(read_texts(names, count, "columns", request.columns));
  Result<CdrColumns> columns = read_columns(request);
  TANDEM_CAPI_TRY(columns);
  *out = new tandem_cdr_columns{std::move(*columns)};
  return TANDEM_OK;
}

bool has_column(const CdrColumns& columns, const char* name) {
  return columns.integers(name) || columns.codes(name);
}

int not_there(const CdrColumns& columns, const char* name, const char* kind) {
  const bool is_there = has_column(columns, name);
  return fail(is_there ? ErrorCode::invalid_argument : ErrorCode::not_found,
              "column \"" + std::string(name) + "\" was " +
                  (is_there ? std::string("none of ") + kind : std::string("not asked for")));
}

}  // namespace

extern "C" {

int tandem_cdr_store_sql(const char* folder, const char* database, const char* sql,
                         const tandem_cdr_guards* guards, size_t rows_max, const char* format,
                         tandem_text** text, int32_t* is_cut) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(folder);
    CdrSqlLimits limits;
    const auto read = read_guards(guards);
    TANDEM_CAPI_TRY(read);
    limits.guards = *read;
    limits.rows_max = rows_wanted(rows_max);
    return give_answer(sql, format, text, is_cut, [&](std::string_view statement) {
      return cdr_sql(CdrPlace(folder, copy(database)), statement, limits);
    });
  });
}

int tandem_config_cdr_sql(const tandem_config* config, const char* sql, size_t rows_max,
                          const char* format, tandem_text** text, int32_t* is_cut) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return give_answer(sql, format, text, is_cut, [&](std::string_view statement) {
      return cdr_sql(**usable, statement, rows_wanted(rows_max));
    });
  });
}

int tandem_cdr_module_register(void* connection, const void* api) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(connection);
    TANDEM_CAPI_TRY(register_cdr_module(connection, api));
    return TANDEM_OK;
  });
}

int tandem_cdr_extension_init(void* connection, char** message, const void* api) {
  return cdr::start_extension(connection, message, api);
}

int tandem_cdr_store_columns(const char* folder, const char* database,
                             const tandem_cdr_query* query, const tandem_cdr_guards* guards,
                             const char* const* columns, size_t count, tandem_cdr_columns** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(folder);
    const auto limits = read_guards(guards);
    TANDEM_CAPI_TRY(limits);
    return give_columns(query, columns, count, out, [&](const CdrColumnsRequest& request) {
      return CdrColumns::read(CdrPlace(folder, copy(database)), request, *limits);
    });
  });
}

int tandem_config_cdr_columns(const tandem_config* config, const tandem_cdr_query* query,
                              const char* const* columns, size_t count, tandem_cdr_columns** out) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return give_columns(query, columns, count, out, [&](const CdrColumnsRequest& request) {
      return cdr_columns(**usable, request);
    });
  });
}

size_t tandem_cdr_columns_rows(const tandem_cdr_columns* columns) {
  return columns == nullptr ? 0 : columns->columns.rows();
}

int tandem_cdr_columns_integers(const tandem_cdr_columns* columns, const char* name,
                                const int64_t** values) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(columns);
    TANDEM_CAPI_NOT_NULL(name);
    TANDEM_CAPI_NOT_NULL(values);
    const auto found = columns->columns.integers(name);
    if (!found) return not_there(columns->columns, name, "whole numbers");
    *values = found->data();
    return TANDEM_OK;
  });
}

int tandem_cdr_columns_codes(const tandem_cdr_columns* columns, const char* name,
                             const int32_t** codes, size_t* texts) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(columns);
    TANDEM_CAPI_NOT_NULL(name);
    TANDEM_CAPI_NOT_NULL(codes);
    TANDEM_CAPI_NOT_NULL(texts);
    const auto found = columns->columns.codes(name);
    if (!found) return not_there(columns->columns, name, "texts");
    *codes = found->data();
    *texts = columns->columns.texts(name).size();
    return TANDEM_OK;
  });
}

int tandem_cdr_columns_text(const tandem_cdr_columns* columns, const char* name, int32_t code,
                            const char** text, size_t* bytes) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(columns);
    TANDEM_CAPI_NOT_NULL(name);
    TANDEM_CAPI_NOT_NULL(text);
    if (!columns->columns.codes(name)) return not_there(columns->columns, name, "texts");
    const auto& texts = columns->columns.texts(name);
    if (code < 0 || static_cast<std::size_t>(code) >= texts.size()) {
      return fail(ErrorCode::invalid_argument, "code " + std::to_string(code) + " of column \"" +
                                                   name + "\" was none of its " +
                                                   std::to_string(texts.size()) + " texts");
    }
    const std::string& found = texts[static_cast<std::size_t>(code)];
    *text = found.c_str();
    if (bytes != nullptr) *bytes = found.size();
    return TANDEM_OK;
  });
}

int tandem_cdr_columns_nulls(const tandem_cdr_columns* columns, const char* name,
                             const uint8_t** nulls) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(columns);
    TANDEM_CAPI_NOT_NULL(name);
    TANDEM_CAPI_NOT_NULL(nulls);
    if (!has_column(columns->columns, name)) return not_there(columns->columns, name, "");
    const auto found = columns->columns.nulls(name);
    *nulls = found.empty() ? nullptr : found.data();
    return TANDEM_OK;
  });
}

void tandem_cdr_columns_destroy(tandem_cdr_columns* columns) { delete columns; }

}  // extern "C"
