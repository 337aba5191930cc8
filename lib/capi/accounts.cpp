// Accounts, money holds and call meters.
#include "tandem/accounts.hpp"
#include "capi/values.hpp"

using namespace tandem;
using namespace tandem::capi;

template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_account_settings> =
    offsetof(tandem_account_settings, agent);
template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_account_state> =
    offsetof(tandem_account_state, largest_overdraft_units);
template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_meter_verdict> =
    offsetof(tandem_meter_verdict, reason);

struct tandem_account_book {
  AccountBook body;
};
struct tandem_money_hold {
  MoneyHold body;
};
struct tandem_call_meter {
  tandem_call_meter(Rate given, const FeeRules& rules, MoneyHold hold, CallStart start,
                    LimitHold limits)
      : rate(std::move(given)),
        body(rate, rules, std::move(hold), std::move(start), 0, {}, std::move(limits)) {}
  const Rate rate;  // the meter refers to it
  CallMeter body;
};

static_assert(TANDEM_ACCOUNT_CLEARING == static_cast<int>(AccountKind::clearing));
static_assert(TANDEM_ACCOUNT_AGENT == static_cast<int>(AccountKind::agent));
static_assert(TANDEM_ACCOUNT_CARD == static_cast<int>(AccountKind::card));

namespace {

int give_balance(Result<Amount> balance, int64_t* balance_units) {
  TANDEM_CAPI_TRY(balance);
  if (balance_units != nullptr) *balance_units = balance->units();
  return TANDEM_OK;
}

int give_verdict(const MeterVerdict& verdict, tandem_meter_verdict* out) {
  write_struct(out, tandem_meter_verdict{0, verdict.must_end ? 1 : 0, verdict.check_us,
                                         static_cast<int32_t>(verdict.reason)});
  return TANDEM_OK;
}

}  // namespace

extern "C" {

int tandem_account_book_create(tandem_account_book** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    *out = new tandem_account_book;
    return TANDEM_OK;
  });
}

int tandem_account_book_provision(tandem_account_book* book,
                                  const tandem_account_settings* settings, int64_t opening_units) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    const auto given = read_struct(settings, "tandem_account_settings");
    TANDEM_CAPI_TRY(given);
    const auto kind = read_enum(given->kind, AccountKind::card, "kind");
    TANDEM_CAPI_TRY(kind);
    const auto level = read_call_level(given->call_level);
    TANDEM_CAPI_TRY(level);
    AccountSettings account;
    account.id = copy(given->id);
    account.tax_percent = Amount::from_units(given->tax_percent_units);
    account.kind = *kind;
    account.overdraft_limit = Amount::from_units(given->overdraft_limit_units);
    account.currency = copy(given->currency);
    account.rate_deck = copy(given->rate_deck);
    account.locked = given->locked != 0;
    account.valid_until_us = given->valid_until_us;
    account.call_level = *level;
    account.memo = copy(given->memo);
    account.agent = copy(given->agent);
    account.is_balance_verified = given->is_unbound == 0;
    if (given->limits_json != nullptr) {
      auto limits = parse_account_limits(given->limits_json);
      TANDEM_CAPI_TRY(limits);
      account.limits = std::move(*limits);
    }
    TANDEM_CAPI_TRY(book->body.provision(account, Amount::from_units(opening_units)));
    return TANDEM_OK;
  });
}

int tandem_account_book_restore(tandem_account_book* book, const char* id, int64_t balance_units) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    TANDEM_CAPI_TRY(book->body.restore(view(id), Amount::from_units(balance_units)));
    return TANDEM_OK;
  });
}

int tandem_account_book_pay(tandem_account_book* book, const char* id, int64_t units,
                            int64_t* balance_units) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    return give_balance(book->body.pay(book->body.find(view(id)), Amount::from_units(units)),
                        balance_units);
  });
}

int tandem_account_book_charge(tandem_account_book* book, const char* id, int64_t units,
                               int64_t* balance_units) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    return give_balance(
        book->body.charge_unchecked(book->body.find(view(id)), Amount::from_units(units)),
        balance_units);
  });
}

int tandem_account_book_state(const tandem_account_book* book, const char* id,
                              tandem_account_state* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_account_state"));
    const auto state = book->body.state(view(id));
    TANDEM_CAPI_TRY(state);
    const auto overdraft = largest_overdraft(*state);
    write_struct(out, tandem_account_state{0, state->balance.units(), state->held.units(),
                                           book->body.usable(book->body.find(view(id))).units(),
                                           state->open_holds, state->refused_calls,
                                           overdraft ? overdraft->units() : -1});
    return TANDEM_OK;
  });
}

int tandem_account_book_snapshot(const tandem_account_book* book, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    TANDEM_CAPI_NOT_NULL(json);
    return give(json_array(book->body.snapshot()), json);
  });
}

int tandem_account_book_limits(const tandem_account_book* book, const char* id, int64_t at_us,
                               tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    TANDEM_CAPI_NOT_NULL(json);
    return give(limits_to_json(book->body.limits(book->body.find(view(id)), at_us)), json);
  });
}

int tandem_account_book_restore_limit(tandem_account_book* book, const tandem_limit_use* use) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    const auto given = read_struct(use, "tandem_limit_use");
    TANDEM_CAPI_TRY(given);
    TANDEM_CAPI_TRY(book->body.restore_limit(
        {copy(given->account), copy(given->limit), given->start_us, given->until_us,
         Amount::from_units(given->charge_units), given->talk_s, given->calls}));
    return TANDEM_OK;
  });
}

void tandem_account_book_destroy(tandem_account_book* book) { delete book; }

int tandem_money_hold_open(tandem_account_book* book, const char* account, int64_t units,
                           int64_t now_us, int32_t* reason, tandem_money_hold** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    TANDEM_CAPI_NOT_NULL(reason);
    TANDEM_CAPI_NOT_NULL(out);
    if (units < 0)
      return fail(ErrorCode::invalid_argument,
                  "a hold of " + Amount::from_units(units).to_string() + " was asked for");
    CallAdmission admission =
        book->body.open_call(book->body.find(view(account)), Amount::from_units(units), now_us);
    // The hold belongs to the new object before anything else can fail: it gives back by itself.
    *out = admission.ok() ? new tandem_money_hold{std::move(admission.hold)} : nullptr;
    *reason = static_cast<int32_t>(admission.reason);
    return TANDEM_OK;
  });
}

int tandem_money_hold_renew(tandem_money_hold* hold, int64_t units) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(hold);
    if (!hold->body.is_open()) return fail(ErrorCode::wrong_state, "the hold was closed before");
    if (!hold->body.renew(Amount::from_units(units)))
      return fail(ErrorCode::limit,
                  "the account did not have " + Amount::from_units(units).to_string() + " to hold");
    return TANDEM_OK;
  });
}

int tandem_money_hold_settle(tandem_money_hold* hold, int64_t charge_units, int64_t* taken_units) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(hold);
    if (!hold->body.is_open()) return fail(ErrorCode::wrong_state, "the hold was closed before");
    if (charge_units < 0)
      return fail(ErrorCode::invalid_argument,
                  "a charge of " + Amount::from_units(charge_units).to_string() + " was asked for");
    const Amount taken = hold->body.settle(Amount::from_units(charge_units));
    if (taken_units != nullptr) *taken_units = taken.units();
    return TANDEM_OK;
  });
}

int64_t tandem_money_hold_units(const tandem_money_hold* hold) {
  return hold == nullptr ? 0 : hold->body.held().units();
}

void tandem_money_hold_destroy(tandem_money_hold* hold) { delete hold; }

int tandem_call_meter_open(tandem_account_book* book, const char* account, const tandem_rate* rate,
                           const tandem_fee_rules* rules, int64_t now_us, int32_t* reason,
                           tandem_call_meter** out) {
  return tandem_call_meter_open_to(book, account, nullptr, rate, rules, now_us, reason, out);
}

int tandem_call_meter_open_to(tandem_account_book* book, const char* account, const char* callee,
                              const tandem_rate* rate, const tandem_fee_rules* rules,
                              int64_t now_us, int32_t* reason, tandem_call_meter** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    TANDEM_CAPI_NOT_NULL(reason);
    TANDEM_CAPI_NOT_NULL(out);
    auto read = read_rate(rate);
    TANDEM_CAPI_TRY(read);
    const auto fees = read_fee_rules(rules);
    TANDEM_CAPI_TRY(fees);
    auto start = read_call_start(rate, now_us);
    TANDEM_CAPI_TRY(start);
    const auto first = CallMeter::first_hold(*read, *fees, *start);
    TANDEM_CAPI_TRY(first);
    const AccountHandle payer = book->body.find(view(account));
    CallAdmission admission = book->body.open_call(payer, *first, now_us);
    LimitHold limits;
    if (admission.ok() &&
        !book->body.open_limits(payer, view(callee), *first, meter_first_talk_s, now_us, limits))
      admission.reason = Reason::AccountLimitReached;
    *out = admission.ok()
               ? new tandem_call_meter(std::move(*read), *fees, std::move(admission.hold),
                                       std::move(*start), std::move(limits))
               : nullptr;
    *reason = static_cast<int32_t>(admission.reason);
    return TANDEM_OK;
  });
}

int tandem_call_meter_start(tandem_call_meter* meter, int64_t now_monotonic_us,
                            tandem_meter_verdict* out) {
  return tandem_call_meter_start_at(meter, now_monotonic_us, 0, out);
}

int tandem_call_meter_start_at(tandem_call_meter* meter, int64_t now_monotonic_us,
                               int64_t answered_at_us, tandem_meter_verdict* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(meter);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_meter_verdict"));
    return give_verdict(meter->body.start(now_monotonic_us, answered_at_us), out);
  });
}

int tandem_call_meter_on_timer(tandem_call_meter* meter, int64_t now_monotonic_us,
                               tandem_meter_verdict* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(meter);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_meter_verdict"));
    return give_verdict(meter->body.on_timer(now_monotonic_us), out);
  });
}

int tandem_call_meter_finish(tandem_call_meter* meter, int64_t talk_time_ms, tandem_charge* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(meter);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_charge"));
    const Charge charge = meter->body.finish(talk_time_ms);
    write_struct(out, tandem_charge{0, charge.charge.units(), charge.billed_time_s});
    return TANDEM_OK;
  });
}

void tandem_call_meter_destroy(tandem_call_meter* meter) { delete meter; }

}  // extern "C"
