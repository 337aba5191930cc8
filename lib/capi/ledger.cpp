// The ledger: booking money, and what moved it.
#include "tandem/ledger.hpp"

#include "capi/config.hpp"
#include "capi/values.hpp"

using namespace tandem;
using namespace tandem::capi;

namespace {

Result<Booking> read_booking(const tandem_booking* given) {
  const auto read = read_struct(given, "tandem_booking");
  if (!read) return read.error();
  Booking booking;
  booking.account = copy(read->account);
  booking.amount = Amount::from_units(read->units);
  if (read->kind != nullptr) {
    const auto kind = ledger_kind_from_name(read->kind);
    if (!kind) return kind.error();
    booking.kind = *kind;
  } else if (read->units < 0) {
    booking.kind = LedgerKind::deduction;
  }
  booking.memo = copy(read->memo);
  booking.reference = copy(read->reference);
  booking.idempotency_key = copy(read->idempotency_key);
  booking.is_covered_only = read->covered_only != 0;
  return booking;
}

Result<LedgerQuery> read_ledger_query(const tandem_ledger_query* given) {
  const auto read = read_struct(given, "tandem_ledger_query");
  if (!read) return read.error();
  LedgerQuery query;
  query.account = copy(read->account);
  if (read->since_us != 0) query.since_us = read->since_us;
  if (read->until_us != 0) query.until_us = read->until_us;
  if (read->before != 0) query.before_id = read->before;
  if (read->limit != 0) query.limit = read->limit;
  return query;
}

std::string to_json_lines(const std::vector<LedgerEntry>& entries) {
  std::string lines;
  for (const LedgerEntry& entry : entries)
    lines += to_json(entry) + '\n';
  return lines;
}

int give_check(const Result<LedgerCheck>& check, int32_t* is_ok, tandem_text** json) {
  TANDEM_CAPI_TRY(check);
  if (is_ok != nullptr) *is_ok = check->ok() ? 1 : 0;
  return give(to_json(*check), json);
}

}  // namespace

extern "C" {

int tandem_switch_book(tandem_switch* object, const tandem_booking* booking,
                       tandem_booking_answer* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(booking);
    if (out != nullptr) {
      TANDEM_CAPI_TRY(check_result_struct(out, "tandem_booking_answer"));
    }
    const auto read = read_booking(booking);
    TANDEM_CAPI_TRY(read);
    const auto answer = object->body->book(*read);
    TANDEM_CAPI_TRY(answer);
    if (out != nullptr) {
      write_struct(out, tandem_booking_answer{0, answer->amount.units(), answer->balance.units(),
                                              answer->id, answer->is_repeated ? 1 : 0});
    }
    return TANDEM_OK;
  });
}

int tandem_switch_ledger(const tandem_switch* object, const tandem_ledger_query* query,
                         tandem_text** json_lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(query);
    TANDEM_CAPI_NOT_NULL(json_lines);
    const auto read = read_ledger_query(query);
    TANDEM_CAPI_TRY(read);
    const auto entries = object->body->ledger(*read);
    TANDEM_CAPI_TRY(entries);
    return give(to_json_lines(*entries), json_lines);
  });
}

int tandem_config_query_ledger(const tandem_config* config, const tandem_ledger_query* query,
                               tandem_text** json_lines) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    TANDEM_CAPI_NOT_NULL(query);
    TANDEM_CAPI_NOT_NULL(json_lines);
    const auto read = read_ledger_query(query);
    TANDEM_CAPI_TRY(read);
    const auto entries = query_ledger(**usable, *read);
    TANDEM_CAPI_TRY(entries);
    return give(to_json_lines(*entries), json_lines);
  });
}

int tandem_switch_check_ledger(const tandem_switch* object, int32_t* is_ok, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give_check(object->body->check_ledger(), is_ok, json);
  });
}

int tandem_config_check_ledger(const tandem_config* config, int32_t* is_ok, tandem_text** json) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    TANDEM_CAPI_NOT_NULL(json);
    return give_check(check_ledger(**usable), is_ok, json);
  });
}

}  // extern "C"
