// A report as JSON, written by hand: the order of the keys is that of the columns.
#include "base/text.hpp"
#include "cdr/call_report_text.hpp"
#include "cdr/cdr_json.hpp"

namespace tandem {

std::string to_json(const CallReport& report) {
  std::string text = "[";
  for (const auto& row : report.rows) {
    text += text.size() > 1 ? ",{" : "{";
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) text += ',';
      cdr::append_json_string(text, report.columns[i]);
      text += ':';
      if (std::holds_alternative<std::monostate>(row[i])) {
        text += "null";
      } else if (const auto* number = std::get_if<std::int64_t>(&row[i])) {
        append_integer(text, *number);
      } else {
        cdr::append_json_string(text, cdr::cell_text(row[i]));
      }
    }
    text += '}';
  }
  return text += ']';
}

}  // namespace tandem
