#include "base/text.hpp"
#include "cdr/cdr_json.hpp"
#include "tandem/ledger.hpp"

namespace tandem {
namespace {

void append_text(std::string& out, std::string_view key, std::string_view value) {
  out += out.back() == '{' ? "\"" : ",\"";
  out += key;
  out += "\":";
  cdr::append_json_string(out, value);
}

template <class Integer>
void append_number(std::string& out, std::string_view key, Integer value) {
  out += out.back() == '{' ? "\"" : ",\"";
  out += key;
  out += "\":" + std::to_string(value);
}

}  // namespace

std::string to_json(const LedgerEntry& entry) {
  std::string out = "{";
  append_number(out, "id", entry.id);
  append_text(out, "account", entry.account);
  append_text(out, "kind", ledger_kind_name(entry.kind));
  append_text(out, "amount", entry.amount.to_string());
  append_text(out, "balance", entry.balance.to_string());
  append_number(out, "at_us", entry.at_us);
  append_text(out, "reference", entry.reference);
  append_text(out, "memo", entry.memo);
  append_text(out, "idempotency_key", entry.idempotency_key);
  return out + '}';
}

std::string to_json(const LedgerCheck& check) {
  std::string out = check.ok() ? "{\"ok\":true" : "{\"ok\":false";
  append_number(out, "accounts", check.accounts);
  append_number(out, "entries", check.entries);
  append_number(out, "records", check.records);
  append_number(out, "corrections", check.corrections);
  append_number(out, "different", check.different);
  out += ",\"differences\":[";
  for (const LedgerDifference& difference : check.differences) {
    if (out.back() != '[') out += ',';
    std::string one = "{";
    append_text(one, "account", difference.account);
    append_number(one, "entry", difference.entry);
    append_number(one, "record_id", difference.record_id);
    append_text(one, "text", difference.text);
    out += one + '}';
  }
  return out + "]}";
}

}  // namespace tandem
