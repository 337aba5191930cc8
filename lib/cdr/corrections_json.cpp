#include "base/text.hpp"
#include "cdr/cdr_json.hpp"
#include "tandem/corrections.hpp"

namespace tandem {
namespace {

void append_key(std::string& out, std::string_view key) {
  out += out.back() == '{' ? "\"" : ",\"";
  out += key;
  out += "\":";
}

void append_text(std::string& out, std::string_view key, std::string_view value) {
  append_key(out, key);
  cdr::append_json_string(out, value);
}

template <class Integer>
void append_number(std::string& out, std::string_view key, Integer value) {
  append_key(out, key);
  out += std::to_string(value);
}

}  // namespace

std::string to_json(const Correction& correction) {
  std::string out = "{";
  append_number(out, "id", correction.id);
  append_number(out, "record_id", correction.record_id);
  append_number(out, "ended_at_us", correction.ended_at_us);
  append_number(out, "at_us", correction.at_us);
  append_text(out, "reason", correction.reason);
  append_text(out, "author", correction.author);
  append_text(out, "idempotency_key", correction.idempotency_key);
  append_key(out, "sides");
  out += '[';
  for (const CorrectedSide& side : correction.sides) {
    if (out.back() != '[') out += ',';
    out += '{';
    append_text(out, "side", call_side_name(side.side));
    append_text(out, "account", side.account);
    append_text(out, "currency", side.currency);
    append_text(out, "charge_before", side.charge_before.to_string());
    append_text(out, "charge", side.charge.to_string());
    append_text(out, "difference", side.difference().to_string());
    append_number(out, "billed_before_s", side.billed_before_s);
    append_number(out, "billed_time_s", side.billed_time_s);
    append_text(out, "rate_prefix", side.rate_prefix);
    append_text(out, "rate_deck", side.rate_deck);
    append_text(out, "rate_terms", side.rate_terms);
    out += '}';
  }
  out += ']';
  append_key(out, "repeated");
  out += correction.is_repeated ? "true}" : "false}";
  return out;
}

}  // namespace tandem
