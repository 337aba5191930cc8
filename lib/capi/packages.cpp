// Packages.
#include "tandem/packages.hpp"

#include <memory>
#include <utility>

#include "capi/values.hpp"
#include "tandem/package_calls.hpp"

using namespace tandem;
using namespace tandem::capi;

struct tandem_package_book {
  PackageBook body;
};

namespace {

/// The host's functions as the book calls them.
class Host final : public PackageHost {
 public:
  explicit Host(const tandem_package_host& host) : host_(host) {}

  Result<bool> take(const PackageDue& due) override {
    tandem_package_due given{};
    given.struct_size = sizeof given;
    given.is_rent = due.kind == PackageDue::Kind::rent ? 1 : 0;
    given.must_be_covered = due.must_be_covered ? 1 : 0;
    given.key = due.key.c_str();
    given.account = due.account.c_str();
    given.order = due.order.c_str();
    given.package = due.package.c_str();
    given.period_start_us = due.period_start_us;
    given.amount_units = due.amount.units();
    given.at_us = due.at_us;
    given.phone = due.phone.c_str();
    const int answer = host_.take(&given, host_.user);
    if (answer < 0) return refused("take", answer);
    return answer != 0;
  }
  Result<void> keep(const PackageChange& change) override {
    if (host_.keep == nullptr) return {};
    const std::string json = to_json(change);
    const int answer = host_.keep(json.c_str(), host_.user);
    if (answer < 0) return refused("keep", answer);
    return {};
  }

 private:
  static Error refused(const char* what, int answer) {
    return {ErrorCode::io, std::string(what) + "() of the host answered " + std::to_string(answer)};
  }
  const tandem_package_host& host_;
};

int charge(tandem_package_book* book, const char* account, const char* number, const char* callee,
           int64_t answered_at_us, int64_t talk_time_ms, const tandem_rate* rate,
           const tandem_fee_rules* rules, tandem_packaged_charge* out, tandem_text** use) {
  TANDEM_CAPI_NOT_NULL(book);
  TANDEM_CAPI_TRY(check_result_struct(out, "tandem_packaged_charge"));
  const auto tariff = read_rate(rate);
  TANDEM_CAPI_TRY(tariff);
  const auto start = read_call_start(rate, answered_at_us);
  TANDEM_CAPI_TRY(start);
  const auto fees = read_fee_rules(rules);
  TANDEM_CAPI_TRY(fees);
  const auto charged = charge_call(book->body, view(account), view(callee), talk_time_ms, *tariff,
                                   *fees, *start, view(number));
  TANDEM_CAPI_TRY(charged);
  if (use != nullptr) {
    if (const int given = give(to_text(charged->use), use); given != TANDEM_OK) return given;
  }
  write_struct(
      out, tandem_packaged_charge{0, charged->charge.charge.units(), charged->charge.billed_time_s,
                                  charged->use.money.units(), charged->use.time_s});
  return TANDEM_OK;
}

Result<tandem_package_host> read_host(const tandem_package_host* given) {
  auto host = read_struct(given, "tandem_package_host");
  if (host && host->take == nullptr)
    return Error{ErrorCode::invalid_argument, "take of tandem_package_host was NULL"};
  return host;
}

}  // namespace

extern "C" {

int tandem_package_book_create(tandem_package_book** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    *out = new tandem_package_book;
    return TANDEM_OK;
  });
}

int tandem_package_book_provision(tandem_package_book* book, const char* json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    TANDEM_CAPI_TRY(provision_packages(book->body, view(json)));
    return TANDEM_OK;
  });
}

int tandem_package_book_restore(tandem_package_book* book, const char* change, const char* use) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    const auto step = parse_package_change(view(change));
    TANDEM_CAPI_TRY(step);
    const auto used = parse_package_use(view(use));
    TANDEM_CAPI_TRY(used);
    TANDEM_CAPI_TRY(book->body.restore(*step, *used));
    return TANDEM_OK;
  });
}

int tandem_package_book_advance(tandem_package_book* book, int64_t now_us,
                                const tandem_package_host* host, int64_t* next_us) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    const auto given = read_host(host);
    TANDEM_CAPI_TRY(given);
    Host functions(*given);
    const auto next = book->body.advance(now_us, functions);
    TANDEM_CAPI_TRY(next);
    if (next_us != nullptr) *next_us = *next;
    return TANDEM_OK;
  });
}

int tandem_package_book_recharge(tandem_package_book* book, const char* account, int64_t now_us,
                                 const tandem_package_host* host) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    const auto given = read_host(host);
    TANDEM_CAPI_TRY(given);
    Host functions(*given);
    TANDEM_CAPI_TRY(book->body.recharge(view(account), now_us, functions));
    return TANDEM_OK;
  });
}

int tandem_package_book_current(const tandem_package_book* book, const char* account,
                                tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    TANDEM_CAPI_NOT_NULL(json);
    return give(json_array(book->body.current(view(account))), json);
  });
}

int tandem_package_book_charge(tandem_package_book* book, const char* account, const char* callee,
                               int64_t answered_at_us, int64_t talk_time_ms,
                               const tandem_rate* rate, const tandem_fee_rules* rules,
                               tandem_packaged_charge* out, tandem_text** use) {
  return guarded([&] {
    return charge(book, account, "", callee, answered_at_us, talk_time_ms, rate, rules, out, use);
  });
}

int tandem_package_book_phone_charge(tandem_package_book* book, const char* account,
                                     const char* number, const char* callee, int64_t answered_at_us,
                                     int64_t talk_time_ms, const tandem_rate* rate,
                                     const tandem_fee_rules* rules, tandem_packaged_charge* out,
                                     tandem_text** use) {
  return guarded([&] {
    return charge(book, account, number, callee, answered_at_us, talk_time_ms, rate, rules, out,
                  use);
  });
}

int tandem_package_book_phone_current(const tandem_package_book* book, const char* number,
                                      tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(book);
    TANDEM_CAPI_NOT_NULL(json);
    return give(json_array(book->body.current_of_phone(view(number))), json);
  });
}

int tandem_switch_packages(const tandem_switch* object, const char* account, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    const auto periods = object->body->packages(view(account));
    TANDEM_CAPI_TRY(periods);
    return give(json_array(*periods), json);
  });
}

int tandem_switch_phone_packages(const tandem_switch* object, const char* number,
                                 tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    const auto periods = object->body->phone_packages(view(number));
    TANDEM_CAPI_TRY(periods);
    return give(json_array(*periods), json);
  });
}

void tandem_package_book_destroy(tandem_package_book* book) { delete book; }

}  // extern "C"
