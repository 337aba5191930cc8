#include "base/text.hpp"
#include "base/text_table.hpp"
#include "tandem/ledger.hpp"

namespace tandem {

std::string to_table(const std::vector<LedgerEntry>& entries) {
  constexpr auto right = TextTable::Align::right;
  TextTable table;
  table.column("ENTRY", right);
  table.column("AT");
  table.column("KIND");
  table.column("AMOUNT", right);
  table.column("BALANCE", right);
  table.column("REFERENCE");
  table.column("MEMO");
  for (const LedgerEntry& entry : entries) {
    table.row({std::to_string(entry.id),
               entry.at_us == 0 ? "-" : format_time_us(entry.at_us).substr(0, 19) + "Z",
               ledger_kind_name(entry.kind), entry.amount.to_string(), entry.balance.to_string(),
               entry.reference, entry.memo});
  }
  return table.to_string();
}

std::string to_table(const LedgerCheck& check) {
  std::string out = std::to_string(check.accounts) + " accounts, " + std::to_string(check.entries) +
                    " entries, " + std::to_string(check.records) + " calls, " +
                    std::to_string(check.corrections) + " corrections: " +
                    (check.ok() ? "all add up" : std::to_string(check.different) + " differences") +
                    '\n';
  for (const LedgerDifference& difference : check.differences) {
    out += "account " + printable_text(difference.account);
    if (difference.record_id != 0) out += ", call " + std::to_string(difference.record_id);
    if (difference.entry != 0) out += ", entry " + std::to_string(difference.entry);
    out += ": " + printable_text(difference.text) + '\n';
  }
  if (check.different > check.differences.size())
    out += "... and " + std::to_string(check.different - check.differences.size()) + " more\n";
  return out;
}

}  // namespace tandem
