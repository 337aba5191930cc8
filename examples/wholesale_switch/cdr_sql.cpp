// `cdr sql`: a question in SQL about the stored records.
#include <cstdio>

#include "commands.hpp"

int cdr_sql(const Options& options) {
  std::string format;
  if (!options.allow({"config", "limit", "format", "table"}, {"config"},
                     {"the word sql", "a SELECT about the table cdrs"}) ||
      !read_format(options, {"table", "json", "csv"}, format)) {
    return status_usage;
  }
  std::size_t rows_max = tandem::CdrSqlLimits().rows_max;
  if (options.has("limit")) {
    const auto limit = options.number("limit");
    if (!limit) return status_usage;
    if (*limit < 1) {
      complain("--limit must be at least 1");
      return status_usage;
    }
    rows_max = static_cast<std::size_t>(*limit);
  }
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  const auto answer = tandem::cdr_sql(*config, options.operand(1), rows_max);
  if (!answer) return failed(answer.error());
  const std::string text = format == "csv"    ? tandem::to_csv(*answer)
                           : format == "json" ? tandem::to_json_lines(*answer)
                                              : tandem::to_table(*answer);
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (answer->is_cut)
    complain("there are more than " + std::to_string(rows_max) + " rows; see --limit");
  return status_good;
}
