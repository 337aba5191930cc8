// The table of CDRs in a database server: its columns, and the values of a record in their order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cdr/cdr_json.hpp"
#include "cdr/day_files.hpp"
#include "tandem/cdr.hpp"

namespace tandem::remote {

enum class SqlType : std::uint8_t {
  name,    ///< Short text that may have an index.
  text,    ///< Text of any length.
  number,  ///< 64 bits.
  small,   ///< 32 bits.
  amount,  ///< 19 digits, 8 of them behind the point: every Amount.
  time,    ///< UTC, microseconds.
  json,
};

struct SqlColumn {
  const char* name;
  SqlType type;
  bool is_nullable;
};

/// In the order of write_sql_row(). Tables that lack new ones get them when they are opened.
extern const std::span<const SqlColumn> sql_columns;
/// Their names with commas.
[[nodiscard]] std::string sql_column_names();
/// "name TYPE NOT NULL, ..." by the names that a server has for the types.
[[nodiscard]] std::string sql_column_definitions(const char* (*type_name)(SqlType));

/// What a table of an earlier version lacks.
struct MissingColumns {
  std::string names;      ///< With commas; "": nothing.
  std::string additions;  ///< "ADD COLUMN IF NOT EXISTS ..., ...", each NULL in the rows there are.
};
/// `present`: names of the table's columns with blanks between them.
[[nodiscard]] MissingColumns sql_missing_columns(std::string_view present,
                                                 const char* (*type_name)(SqlType));

/// A time that every server can hold: years 1970 to 9999.
[[nodiscard]] constexpr std::int64_t sql_time_us(std::int64_t time_us) noexcept {
  return std::clamp<std::int64_t>(time_us, 0, 253'402'300'799'999'999);
}
/// The day whose partition holds a record.
[[nodiscard]] inline std::int64_t sql_day(const Cdr& cdr) {
  return cdr::day_of(sql_time_us(cdr.ended_at_us));
}

/// "<table>_YYYYMMDD", the partition of a day; and back, nothing for other names.
[[nodiscard]] std::string partition_of_day(std::string_view table, std::int64_t day);
[[nodiscard]] std::optional<std::int64_t> day_of_partition(std::string_view name,
                                                           std::string_view table);

/// `Writer`: text(string_view), number(int64), amount(Amount), time(us), null(), each for one
/// column.
template <class Writer>
void write_sql_row(Writer& row, const Cdr& cdr, std::string_view source, std::string& scratch) {
  const auto optional_text = [&row](const std::optional<std::string>& text) {
    text ? row.text(*text) : row.null();
  };
  const auto optional_side = [&row](const ChargeFacts* side, auto write, int columns) {
    if (side != nullptr) return write(*side);
    for (int i = 0; i < columns; ++i)
      row.null();
  };
  const ChargeFacts* const vendor = cdr.vendor ? &*cdr.vendor : nullptr;
  const ChargeFacts* const agent = cdr.agent ? &*cdr.agent : nullptr;
  row.text(source);
  row.number(static_cast<std::int64_t>(cdr.record_id));
  row.text(cdr.call_id);
  optional_text(cdr.customer_gateway);
  optional_text(cdr.vendor_gateway);
  cdr.customer.account.empty() ? row.null() : row.text(cdr.customer.account);
  for (const std::string* number :
       {&cdr.caller_in, &cdr.caller, &cdr.caller_out, &cdr.callee_in, &cdr.callee, &cdr.callee_out})
    row.text(*number);
  row.time(cdr.started_at_us);
  cdr.answered_at_us == 0 ? row.null() : row.time(cdr.answered_at_us);
  row.time(cdr.ended_at_us);
  cdr.pdd_ms < 0 ? row.null() : row.number(cdr.pdd_ms);
  row.number(cdr.talk_time_ms);
  row.number(cdr.customer.billed_time_s);
  row.amount(cdr.customer.charge);
  row.text(cdr.customer.rate_prefix);
  optional_side(
      vendor,
      [&row](const ChargeFacts& side) {
        row.text(side.account);
        row.number(side.billed_time_s);
        row.amount(side.charge);
      },
      3);
  row.text(cdr.customer.currency);
  row.text(reason_facts(cdr.end_reason).name);
  for (const int value : {cdr.end_code, cdr.sip_status, cdr.q850_cause})
    row.number(value);
  row.text(release_side_name(cdr.release_side));
  scratch.clear();
  cdr::append_attempts_json(scratch, cdr.attempts);
  row.text(scratch);
  scratch.clear();
  cdr::append_media_json(scratch, cdr);
  row.text(scratch);
  for (const std::string* text :
       {&cdr.caller_ip, &cdr.callee_ip, &cdr.caller_product, &cdr.callee_product, &cdr.lrn,
        &cdr.callee_region, &cdr.caller_region, &cdr.customer.rate_deck, &cdr.customer.rate_terms})
    row.text(*text);
  optional_side(
      vendor,
      [&row](const ChargeFacts& side) {
        row.text(side.rate_prefix);
        row.text(side.currency);
        row.text(side.rate_deck);
        row.text(side.rate_terms);
      },
      4);
  optional_side(
      agent,
      [&row](const ChargeFacts& side) {
        row.text(side.account);
        row.number(side.billed_time_s);
        row.amount(side.charge);
        row.text(side.rate_prefix);
        row.text(side.rate_deck);
        row.text(side.rate_terms);
      },
      6);
  row.amount(cdr.customer.package_charge);
  row.number(cdr.customer.package_time_s);
  scratch.clear();
  cdr::append_choices_json(scratch, cdr.choices);
  row.text(scratch);
  optional_side(
      agent,
      [&row](const ChargeFacts& side) {
        row.amount(side.package_charge);
        row.number(side.package_time_s);
      },
      2);
  row.text(call_level_name(cdr.call_level));
}

}  // namespace tandem::remote
