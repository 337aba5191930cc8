#include "cdr/call_facts_sqlite.hpp"

#include <utility>

#include "cdr/cdr_json.hpp"

namespace tandem::cdr {
namespace {

struct FactColumn {
  Fact fact;
  const char* name;
};
// In the order in which next() reads them.
constexpr FactColumn fact_columns[] = {{Fact::started_at, "started_at_us"},
                                       {Fact::answered_at, "answered_at_us"},
                                       {Fact::pdd, "pdd_ms"},
                                       {Fact::talk_time, "talk_time_ms"},
                                       {Fact::customer_gateway, "customer_gateway"},
                                       {Fact::vendor_gateway, "vendor_gateway"},
                                       {Fact::account, "account"},
                                       {Fact::currency, "currency"},
                                       {Fact::rate_deck, "rate_deck"},
                                       {Fact::rate_prefix, "rate_prefix"},
                                       {Fact::callee_region, "callee_region"},
                                       {Fact::vendor_currency, "vendor_currency"},
                                       {Fact::billed_time, "billed_time_s"},
                                       {Fact::fee, "charge_units"},
                                       {Fact::package_fee, "package_charge_units"},
                                       {Fact::package_time, "package_time_s"},
                                       {Fact::vendor_fee, "vendor_charge_units"},
                                       {Fact::reason, "end_reason"},
                                       {Fact::release_side, "release_side"},
                                       {Fact::call_level, "call_level"},
                                       {Fact::legs, "legs"}};
static_assert(std::size(fact_columns) == fact_count);

}  // namespace

Result<CallFactsReader> CallFactsReader::open(DayRows& day, const CdrFilter& filter, Facts wanted) {
  // What says something of attempts where the column is not filled.
  if (wanted.has(Fact::legs))
    wanted = wanted | Facts(Fact::started_at, Fact::answered_at, Fact::pdd);
  CallFactsReader reader(day, wanted);
  std::string sql = "SELECT record_id, ended_at_us";
  for (const FactColumn& column : fact_columns) {
    if (wanted.has(column.fact)) sql += ", " + day.column(column.name);
  }
  const RowCondition condition = condition_of(filter, day);
  sql += std::string(" FROM ") + DayRows::source() + " WHERE " + condition.text();
  auto rows = day.connection().prepare(sql);
  if (!rows) return std::move(rows).error();
  condition.bind(*rows, 1);
  reader.rows_ = std::move(*rows);
  return reader;
}

Result<bool> CallFactsReader::next(CallFacts& call) {
  auto row = rows_.step();
  if (!row || !*row) return row;
  call.record_id = rows_.integer(0);
  call.ended_at_us = rows_.integer(1);
  int column = 2;
  const auto integer = [&](Fact fact, std::int64_t& value) {
    if (wanted_.has(fact)) value = rows_.integer(column++);
  };
  const auto text = [&](Fact fact, std::string_view& value) {
    if (wanted_.has(fact)) value = rows_.text(column++);
  };
  integer(Fact::started_at, call.started_at_us);
  integer(Fact::answered_at, call.answered_at_us);
  integer(Fact::pdd, call.pdd_ms);
  integer(Fact::talk_time, call.talk_time_ms);
  text(Fact::customer_gateway, call.customer_gateway);
  text(Fact::vendor_gateway, call.vendor_gateway);
  text(Fact::account, call.account);
  text(Fact::currency, call.currency);
  text(Fact::rate_deck, call.rate_deck);
  text(Fact::rate_prefix, call.rate_prefix);
  text(Fact::callee_region, call.callee_region);
  text(Fact::vendor_currency, call.vendor_currency);
  integer(Fact::billed_time, call.billed_time_s);
  integer(Fact::fee, call.fee_units);
  integer(Fact::package_fee, call.package_fee_units);
  integer(Fact::package_time, call.package_time_s);
  integer(Fact::vendor_fee, call.vendor_fee_units);
  if (wanted_.has(Fact::reason)) call.reason = reason_of(rows_.text(column++));
  if (wanted_.has(Fact::release_side)) call.release_side = release_side_of(rows_.text(column++));
  if (wanted_.has(Fact::call_level))
    call.call_level = call_level_from_name(rows_.text(column++)).value_or(CallLevel::none);
  if (wanted_.has(Fact::legs)) {
    if (auto done = read_legs_column(column, call); !done) return std::move(done).error();
  }
  return true;
}

Result<void> CallFactsReader::read_legs_column(int column, CallFacts& call) {
  const auto damaged = [&call] {
    return Error{ErrorCode::corrupt,
                 "attempts of record " + std::to_string(call.record_id) + " were not readable"};
  };
  if (!rows_.is_null(column)) {
    if (!read_legs(rows_.text(column), legs_)) return damaged();
    call.legs = legs_;
    return {};
  }
  if (!attempts_) {
    auto prepared = day_->connection().prepare(std::string("SELECT attempts FROM ") +
                                               DayRows::source() + " WHERE record_id = ?");
    if (!prepared) return std::move(prepared).error();
    attempts_ = std::move(*prepared);
  }
  auto row = attempts_.bind(1, call.record_id).step();
  if (!row) return std::move(row).error();
  if (!*row) return damaged();
  auto attempts = attempts_from_json(attempts_.text(0));
  attempts_.reset();
  if (!attempts) return std::move(attempts).error();
  parsed_ = std::move(*attempts);
  legs_ = legs_of({&parsed_, call.started_at_us, call.answered_at_us, call.pdd_ms});
  call.legs = legs_;
  return {};
}

Reason CallFactsReader::reason_of(std::string_view name) {
  // A file has few of them, each again and again, and most often the one before.
  if (last_reason_ != nullptr && last_reason_->first == name) return last_reason_->second;
  const auto [found, is_new] = reasons_.try_emplace(std::string(name));
  if (is_new) found->second = reason_from_name(name).value_or(Reason::none);
  last_reason_ = &*found;
  return found->second;
}

}  // namespace tandem::cdr
