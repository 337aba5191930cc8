#include "cdr/cdr_text.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.hpp"
#include "base/text_table.hpp"
#include "cdr/cdr_json.hpp"
#include "tandem/phones.hpp"

namespace tandem {
namespace {

constexpr std::array<std::string_view, 54> csv_columns = {"record_id",
                                                          "call_id",
                                                          "customer_gateway",
                                                          "vendor_gateway",
                                                          "account",
                                                          "caller_in",
                                                          "caller",
                                                          "caller_out",
                                                          "callee_in",
                                                          "callee",
                                                          "callee_out",
                                                          "started_at_us",
                                                          "answered_at_us",
                                                          "ended_at_us",
                                                          "pdd_ms",
                                                          "talk_time_ms",
                                                          "billed_time_s",
                                                          "charge",
                                                          "rate_prefix",
                                                          "vendor_account",
                                                          "vendor_billed_time_s",
                                                          "vendor_charge",
                                                          "currency",
                                                          "end_reason",
                                                          "end_code",
                                                          "sip_status",
                                                          "q850_cause",
                                                          "release_side",
                                                          "attempts",
                                                          "media",
                                                          "caller_ip",
                                                          "callee_ip",
                                                          "caller_product",
                                                          "callee_product",
                                                          "lrn",
                                                          "callee_region",
                                                          "caller_region",
                                                          "rate_deck",
                                                          "rate_terms",
                                                          "vendor_rate_prefix",
                                                          "vendor_rate_deck",
                                                          "vendor_rate_terms",
                                                          "agent_account",
                                                          "agent_billed_time_s",
                                                          "agent_charge",
                                                          "agent_rate_prefix",
                                                          "agent_rate_deck",
                                                          "agent_rate_terms",
                                                          "package_charge",
                                                          "package_time_s",
                                                          "choices",
                                                          "agent_package_charge",
                                                          "agent_package_time_s",
                                                          "call_level"};

/// Adds the fields of one line (RFC 4180 section 2).
class CsvLine {
 public:
  explicit CsvLine(std::size_t columns_max = csv_columns.size()) : columns_left_(columns_max) {}

  void text(std::string_view value) {
    if (!begin()) return;
    if (value.find_first_of(",\"\r\n") == std::string_view::npos) {
      line_ += value;
      return;
    }
    line_ += '"';
    for (char c : value) {
      if (c == '"') line_ += '"';
      line_ += c;
    }
    line_ += '"';
  }
  template <std::integral Integer>
  void number(Integer value) {
    if (begin()) append_integer(line_, value);
  }
  void nothing() { (void)begin(); }
  std::string take() { return std::move(line_); }

 private:
  /// False: the line has all the columns it may have.
  bool begin() {
    if (columns_left_ == 0) return false;
    --columns_left_;
    if (!is_first_) line_ += ',';
    is_first_ = false;
    return true;
  }
  std::string line_;
  std::size_t columns_left_;
  bool is_first_ = true;
};

}  // namespace

std::string csv_header() {
  CsvLine line;
  for (std::string_view column : csv_columns)
    line.text(column);
  return line.take();
}

std::string to_csv_row(const Cdr& cdr) { return cdr::to_csv_row(cdr, csv_columns.size()); }

std::string cdr::to_csv_row(const Cdr& cdr, std::size_t columns) {
  CsvLine line(columns);
  line.number(cdr.record_id);
  line.text(cdr.call_id);
  line.text(cdr.customer_gateway.value_or(""));
  line.text(cdr.vendor_gateway.value_or(""));
  line.text(cdr.customer.account);
  for (const std::string* number : {&cdr.caller_in, &cdr.caller, &cdr.caller_out, &cdr.callee_in,
                                    &cdr.callee, &cdr.callee_out}) {
    line.text(*number);
  }
  for (std::int64_t value : {cdr.started_at_us, cdr.answered_at_us, cdr.ended_at_us, cdr.pdd_ms,
                             cdr.talk_time_ms, cdr.customer.billed_time_s}) {
    line.number(value);
  }
  line.text(cdr.customer.charge.to_string());
  line.text(cdr.customer.rate_prefix);
  if (cdr.vendor) {
    line.text(cdr.vendor->account);
    line.number(cdr.vendor->billed_time_s);
    line.text(cdr.vendor->charge.to_string());
  } else {
    for (int i = 0; i < 3; ++i)
      line.nothing();
  }
  line.text(cdr.customer.currency);
  line.text(reason_facts(cdr.end_reason).name);
  for (int value : {cdr.end_code, cdr.sip_status, cdr.q850_cause})
    line.number(value);
  line.text(release_side_name(cdr.release_side));
  std::string json;
  cdr::append_attempts_json(json, cdr.attempts);
  line.text(json);
  json.clear();
  cdr::append_media_json(json, cdr);
  line.text(json);
  for (const std::string* text :
       {&cdr.caller_ip, &cdr.callee_ip, &cdr.caller_product, &cdr.callee_product, &cdr.lrn,
        &cdr.callee_region, &cdr.caller_region, &cdr.customer.rate_deck,
        &cdr.customer.rate_terms}) {
    line.text(*text);
  }
  const ChargeFacts vendor = cdr.vendor.value_or(ChargeFacts{});
  for (const std::string* text : {&vendor.rate_prefix, &vendor.rate_deck, &vendor.rate_terms})
    line.text(*text);
  if (cdr.agent) {
    line.text(cdr.agent->account);
    line.number(cdr.agent->billed_time_s);
    for (const std::string& text : {cdr.agent->charge.to_string(), cdr.agent->rate_prefix,
                                    cdr.agent->rate_deck, cdr.agent->rate_terms})
      line.text(text);
  } else {
    for (int i = 0; i < 6; ++i)
      line.nothing();
  }
  line.text(cdr.customer.package_charge.to_string());
  line.number(cdr.customer.package_time_s);
  line.text(cdr.choices);
  if (cdr.agent) {
    line.text(cdr.agent->package_charge.to_string());
    line.number(cdr.agent->package_time_s);
  } else {
    line.nothing();
    line.nothing();
  }
  line.text(call_level_name(cdr.call_level));
  return line.take();
}

std::string to_table(const std::vector<Cdr>& cdrs) {
  constexpr auto right = TextTable::Align::right;
  TextTable table;
  table.column("RECORD", right);
  for (const char* title : {"ENDED", "CUSTOMER", "VENDOR", "CALLER", "CALLEE"})
    table.column(title);
  table.column("TALK", right);
  table.column("CHARGE", right);
  table.column("REASON");
  table.column("STATUS", right);
  for (const Cdr& cdr : cdrs) {
    std::string talk;
    append_integer(talk, cdr.talk_time_ms / 1'000);
    std::string milliseconds;
    append_integer(milliseconds, cdr.talk_time_ms % 1'000);
    talk +=
        '.' + std::string(3 - std::min<std::size_t>(milliseconds.size(), 3), '0') + milliseconds;
    table.row({std::to_string(cdr.record_id), format_time_us(cdr.ended_at_us).substr(0, 19) + "Z",
               cdr.customer_gateway.value_or("-"), cdr.vendor_gateway.value_or("-"), cdr.caller,
               cdr.callee, talk, cdr.customer.charge.to_string(), reason_facts(cdr.end_reason).name,
               std::to_string(cdr.sip_status)});
  }
  return table.to_string();
}

}  // namespace tandem

namespace tandem::cdr {
namespace {

/// "192.0.2.1:5060" and "[2001:db8::1]:5060" without port and brackets.
std::string_view without_port(std::string_view address) {
  if (address.starts_with('[')) return address.substr(1, address.find(']') - 1);
  return address.substr(0, address.rfind(':'));
}

/// A phone is no gateway in that layout.
std::string_view gateway(const std::optional<std::string>& name) {
  return !name || name->starts_with(phone_id_prefix) ? std::string_view() : *name;
}

}  // namespace

std::size_t csv_columns_under(std::string_view text) {
  const std::string_view header = text.substr(0, text.find("\r\n"));
  const bool is_former = !header.empty() && header.size() < text.size() &&
                         csv_header().starts_with(std::string(header) + ',');
  if (!is_former) return csv_columns.size();
  return static_cast<std::size_t>(std::count(header.begin(), header.end(), ',')) + 1;
}

std::string to_pipe_row(const Cdr& cdr) {
  std::string line;
  auto field = [&line, is_first = true](std::string_view text) mutable {
    if (!is_first) line += '|';
    is_first = false;
    for (char c : text)
      line += c == '|' || c == '\r' || c == '\n' ? ' ' : c;
  };
  const std::int64_t start_us = cdr.answered_at_us != 0 ? cdr.answered_at_us : cdr.started_at_us;
  const std::int64_t hold_s = cdr.talk_time_ms / 1'000 + (cdr.talk_time_ms % 1'000 >= 50 ? 1 : 0);
  field(cdr.caller);
  field(cdr.callee);
  field(std::to_string(start_us / 1'000));
  field(std::to_string(cdr.ended_at_us / 1'000));
  field(std::to_string(hold_s));
  field(std::to_string(cdr.end_code));
  field(std::to_string(static_cast<int>(cdr.release_side)));
  field(gateway(cdr.customer_gateway));
  field(gateway(cdr.vendor_gateway));
  field(without_port(cdr.caller_ip));
  field(without_port(cdr.callee_ip));
  field(cdr.caller_product);
  field(cdr.callee_product);
  field(cdr.caller_out);
  field(cdr.callee_out);
  field("0");
  field("0");
  field(std::to_string(cdr.record_id));
  return line;
}

}  // namespace tandem::cdr
