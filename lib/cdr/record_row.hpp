// A record from a row of a table or of columns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "cdr/cdr_json.hpp"
#include "tandem/cdr.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// The record of a row: `Row` has integer(), text() and is_null() by column, in the order in which
/// select_records() names them, whatever it is a row of. Errors: corrupt.
template <class Row>
Result<Cdr> read_record_of(const Row& row) {
  const auto optional_text = [](const Row& from, int column) {
    return from.is_null(column) ? std::optional<std::string>()
                                : std::optional<std::string>(from.text(column));
  };
  Cdr cdr;
  int n = 0;
  cdr.record_id = static_cast<std::uint64_t>(row.integer(n++));
  cdr.call_id = row.text(n++);
  cdr.customer_gateway = optional_text(row, n++);
  cdr.vendor_gateway = optional_text(row, n++);
  for (std::string* text : {&cdr.customer.account, &cdr.caller_in, &cdr.caller, &cdr.caller_out,
                            &cdr.callee_in, &cdr.callee, &cdr.callee_out}) {
    *text = row.text(n++);
  }
  for (std::int64_t* value : {&cdr.started_at_us, &cdr.answered_at_us, &cdr.ended_at_us,
                              &cdr.pdd_ms, &cdr.talk_time_ms, &cdr.customer.billed_time_s}) {
    *value = row.integer(n++);
  }
  ++n;  // the charge in decimals, for people; the units follow
  cdr.customer.charge = Amount::from_units(row.integer(n++));
  cdr.customer.rate_prefix = row.text(n++);
  cdr.customer.currency = row.text(n++);
  if (!row.is_null(n)) {
    ChargeFacts vendor;
    vendor.account = row.text(n);
    vendor.billed_time_s = row.integer(n + 1);
    vendor.charge = Amount::from_units(row.integer(n + 3));
    vendor.rate_prefix = row.text(n + 4);
    vendor.currency = row.text(n + 5);
    cdr.vendor = std::move(vendor);
  }
  n += 6;
  cdr.end_reason = reason_from_name(row.text(n++)).value_or(Reason::none);
  for (int* value : {&cdr.end_code, &cdr.sip_status, &cdr.q850_cause}) {
    *value = static_cast<int>(row.integer(n++));
  }
  const auto side = row.text(n++);
  for (ReleaseSide each : {ReleaseSide::caller, ReleaseSide::callee, ReleaseSide::server}) {
    if (side == release_side_name(each)) cdr.release_side = each;
  }
  auto attempts = attempts_from_json(row.text(n++));
  if (!attempts) return std::move(attempts).error();
  cdr.attempts = std::move(*attempts);
  if (auto done = media_from_json(row.text(n++), cdr); !done) return std::move(done).error();
  for (std::string* text : {&cdr.caller_ip, &cdr.callee_ip, &cdr.caller_product,
                            &cdr.callee_product, &cdr.lrn, &cdr.callee_region, &cdr.caller_region,
                            &cdr.customer.rate_deck, &cdr.customer.rate_terms}) {
    *text = row.text(n++);
  }
  if (cdr.vendor) {
    cdr.vendor->rate_deck = row.text(n);
    cdr.vendor->rate_terms = row.text(n + 1);
  }
  n += 2;
  if (!row.is_null(n)) {
    ChargeFacts& agent = cdr.agent.emplace();
    agent.account = row.text(n);
    agent.billed_time_s = row.integer(n + 1);
    agent.charge = Amount::from_units(row.integer(n + 3));
    agent.rate_prefix = row.text(n + 4);
    agent.rate_deck = row.text(n + 5);
    agent.rate_terms = row.text(n + 6);
    agent.currency = cdr.customer.currency;  // an agent is in the currency of its customers
  }
  n += 8;  // and the charge of packages in decimals
  cdr.customer.package_charge = Amount::from_units(row.integer(n));
  cdr.customer.package_time_s = row.integer(n + 1);
  cdr.choices = row.text(n + 3);  // behind what reports want of the attempts
  n += 5;                         // and the charge of the agent's packages in decimals
  if (cdr.agent && !row.is_null(n)) {
    cdr.agent->package_charge = Amount::from_units(row.integer(n));
    cdr.agent->package_time_s = row.integer(n + 1);
  }
  n += 2;
  cdr.call_level = call_level_from_name(row.text(n)).value_or(CallLevel::none);
  return cdr;
}

}  // namespace tandem::cdr
