#include "cdr/call_report_text.hpp"

#include "base/csv.hpp"
#include "base/text.hpp"
#include "base/text_table.hpp"

namespace tandem {
namespace cdr {
namespace {

std::string hundredths_text(std::int64_t value) {
  const bool is_negative = value < 0;
  const std::uint64_t size = is_negative ? std::uint64_t{0} - static_cast<std::uint64_t>(value)
                                         : static_cast<std::uint64_t>(value);
  std::string text = is_negative ? "-" : "";
  append_integer(text, size / 100);
  text += '.';
  text += static_cast<char>('0' + size / 10 % 10);
  text += static_cast<char>('0' + size % 10);
  return text;
}

}  // namespace

std::string cell_text(const ReportCell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&cell)) return std::to_string(*number);
  if (const auto* amount = std::get_if<Amount>(&cell)) return amount->to_string();
  if (const auto* decimal = std::get_if<Hundredths>(&cell)) return hundredths_text(decimal->value);
  return {};
}

}  // namespace cdr

std::string to_csv(const CallReport& report) {
  return csv_table(report.columns, report.rows,
                   [](const auto& cell) { return cdr::cell_text(cell); });
}

std::string to_table(const CallReport& report) {
  TextTable table;
  for (std::size_t i = 0; i < report.columns.size(); ++i) {
    bool is_number = true;
    for (const auto& row : report.rows)
      is_number = is_number && !std::holds_alternative<std::string>(row[i]);
    std::string title = report.columns[i];
    for (char& c : title)
      c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    table.column(title, is_number ? TextTable::Align::right : TextTable::Align::left);
  }
  for (const auto& row : report.rows) {
    std::vector<std::string> cells;
    for (const ReportCell& cell : row)
      cells.push_back(cdr::cell_text(cell));
    table.row(std::move(cells));
  }
  return table.to_string();
}

}  // namespace tandem
