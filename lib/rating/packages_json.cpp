// Periods and steps of packages as JSON: what is shown, and what is kept and read again.
#include <nlohmann/json.hpp>
#include <utility>

#include "base/calendar.hpp"
#include "base/json_depth.hpp"
#include "tandem/packages.hpp"

namespace tandem {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json time_json(std::int64_t time_us) {
  return time_us == package_never_us ? Json(nullptr) : Json(format_time_us(time_us));
}

Json gift_json(const PackagePeriod::Gift& gift, bool is_shown) {
  Json json = {{"prefixes", gift.terms.prefixes},
               {"from", format_time_of_day(gift.terms.from_s)},
               {"to", format_time_of_day(gift.terms.to_s)},
               {"seconds", gift.terms.seconds},
               {"cycle_s", gift.terms.cycle_s},
               {"used_s", gift.used_s}};
  if (is_shown) {
    json["held_s"] = gift.held_s;
    json["left_s"] = gift.terms.seconds - gift.used_s - gift.held_s;
  }
  return json;
}

Json rate_json(const PackageRate& rate) {
  return {{"prefix", rate.prefix},
          {"days", rate.days.to_string()},
          {"from", format_time_of_day(rate.from_s)},
          {"to", format_time_of_day(rate.to_s)},
          {"price", rate.price.to_string()},
          {"per_s", rate.per_s},
          {"first_s", rate.first_s},
          {"next_s", rate.next_s}};
}

Json period_json(const PackagePeriod& period, bool is_shown) {
  Json json = {{"order", period.order},
               {"package", period.package},
               {"account", period.account},
               {"phone", period.phone},
               {"start", format_time_us(period.start_us)},
               {"start_us", period.start_us},
               {"end", time_json(period.end_us)},
               {"end_us", period.end_us},
               {"priority", period.priority},
               {"rent", period.rent.to_string()},
               {"min_consumption", period.min_consumption.to_string()},
               {"lower_consumption", period.lower_consumption.to_string()},
               {"max_consumption", period.max_consumption.to_string()},
               {"consumption", period.consumption.to_string()},
               {"gift_money", period.gift_money.to_string()},
               {"gift_money_used", period.gift_money_used.to_string()}};
  if (is_shown) {
    json["gift_money_held"] = period.gift_money_held.to_string();
    json["gift_money_left"] =
        Amount::from_units(period.gift_money.units() - period.gift_money_used.units() -
                           period.gift_money_held.units())
            .to_string();
  }
  json["gift_times"] = Json::array();
  for (const PackagePeriod::Gift& gift : period.gifts)
    json["gift_times"].push_back(gift_json(gift, is_shown));
  json["period_rates"] = Json::array();
  for (const PackageRate& rate : period.period_rates)
    json["period_rates"].push_back(rate_json(rate));
  json["schedule"] = period.schedule;
  return json;
}

/// Reads what this file wrote; a key that is missing or of another type ends it.
class Reader {
 public:
  [[nodiscard]] bool is_bad() const noexcept { return is_bad_; }

  /// Null where there is none.
  const Json& at(const Json& json, const char* key) {
    static const Json null;
    if (!json.is_object()) return fail(null);
    const auto found = json.find(key);
    return found == json.end() ? fail(null) : *found;
  }
  std::string text(const Json& json, const char* key) {
    const Json& value = at(json, key);
    return value.is_string() ? value.get<std::string>() : fail(std::string());
  }
  std::string text_if_there(const Json& json, const char* key) {
    return json.is_object() && json.contains(key) ? text(json, key) : std::string();
  }
  template <class Int>
  void integer(const Json& json, const char* key, Int& out) {
    const Json& value = at(json, key);
    if (value.is_number_integer()) {
      out = value.get<Int>();
    } else {
      is_bad_ = true;
    }
  }
  bool boolean(const Json& json, const char* key) {
    const Json& value = at(json, key);
    return value.is_boolean() ? value.get<bool>() : fail(false);
  }
  void amount(const Json& json, const char* key, Amount& out) {
    take(Amount::parse(text(json, key)), out);
  }
  void time_of_day(const Json& json, const char* key, std::int32_t& out_s) {
    take(parse_time_of_day(text(json, key)), out_s);
  }
  const Json& list(const Json& json, const char* key) {
    static const Json none = Json::array();
    const Json& value = at(json, key);
    return value.is_array() ? value : fail(none);
  }
  template <class T>
  void take(Result<T> read, T& out) {
    if (read) {
      out = std::move(*read);
    } else {
      is_bad_ = true;
    }
  }

 private:
  template <class T>
  T&& fail(T&& otherwise) {
    is_bad_ = true;
    return std::forward<T>(otherwise);
  }
  bool is_bad_ = false;
};

PackagePeriod::Gift read_gift(Reader& r, const Json& json) {
  PackagePeriod::Gift gift;
  for (const Json& prefix : r.list(json, "prefixes")) {
    if (prefix.is_string()) gift.terms.prefixes.push_back(prefix.get<std::string>());
  }
  r.time_of_day(json, "from", gift.terms.from_s);
  r.time_of_day(json, "to", gift.terms.to_s);
  r.integer(json, "seconds", gift.terms.seconds);
  r.integer(json, "cycle_s", gift.terms.cycle_s);
  r.integer(json, "used_s", gift.used_s);
  return gift;
}

PackageRate read_rate(Reader& r, const Json& json) {
  PackageRate rate;
  rate.prefix = r.text(json, "prefix");
  r.take(DaySet::from_text(r.text(json, "days")), rate.days);
  r.time_of_day(json, "from", rate.from_s);
  r.time_of_day(json, "to", rate.to_s);
  r.amount(json, "price", rate.price);
  r.integer(json, "per_s", rate.per_s);
  r.integer(json, "first_s", rate.first_s);
  r.integer(json, "next_s", rate.next_s);
  return rate;
}

PackagePeriod read_period(Reader& r, const Json& json) {
  PackagePeriod period;
  period.order = r.text(json, "order");
  period.package = r.text(json, "package");
  period.account = r.text(json, "account");
  period.phone = r.text_if_there(json, "phone");  // not in steps of before phones had packages
  r.integer(json, "start_us", period.start_us);
  r.integer(json, "end_us", period.end_us);
  r.integer(json, "priority", period.priority);
  r.amount(json, "rent", period.rent);
  r.amount(json, "min_consumption", period.min_consumption);
  r.amount(json, "lower_consumption", period.lower_consumption);
  r.amount(json, "max_consumption", period.max_consumption);
  r.amount(json, "consumption", period.consumption);
  r.amount(json, "gift_money", period.gift_money);
  r.amount(json, "gift_money_used", period.gift_money_used);
  for (const Json& gift : r.list(json, "gift_times"))
    period.gifts.push_back(read_gift(r, gift));
  for (const Json& rate : r.list(json, "period_rates"))
    period.period_rates.push_back(read_rate(r, rate));
  period.schedule = r.text(json, "schedule");
  return period;
}

/// What keeps periods usable: a text that was damaged must not divide by zero.
bool is_sound(const PackagePeriod& period) {
  Package package;
  package.id = "kept";
  for (const PackagePeriod::Gift& gift : period.gifts)
    package.gift_times.push_back(gift.terms);
  package.period_rates = period.period_rates;
  package.gift_money = period.gift_money;
  return check_package(package).ok();
}

}  // namespace

std::string to_json(const PackagePeriod& period) { return dump(period_json(period, true)); }

std::string to_json(const PackageChange& change) {
  const PackageOrderState& order = change.order;
  Json json = {{"order", order.order},
               {"phase", package_phase_name(order.phase)},
               {"first_day", order.first_day},
               {"next_us", order.next_us},
               {"has_had_period", order.has_had_period},
               {"is_closed", change.is_closed},
               {"period", nullptr}};
  if (change.period) json["period"] = period_json(*change.period, false);
  return dump(json);
}

Result<PackageChange> parse_package_change(std::string_view text) {
  const Json json = too_deep_at(text) ? Json() : Json::parse(text, nullptr, false);
  Reader r;
  PackageChange change;
  change.order.order = r.text(json, "order");
  const std::string phase = r.text(json, "phase");
  bool is_known = false;
  for (const PackagePhase known :
       {PackagePhase::accepted, PackagePhase::open, PackagePhase::awaits_recharge,
        PackagePhase::awaits_period, PackagePhase::ended}) {
    if (phase != package_phase_name(known)) continue;
    change.order.phase = known;
    is_known = true;
  }
  r.integer(json, "first_day", change.order.first_day);
  r.integer(json, "next_us", change.order.next_us);
  change.order.has_had_period = r.boolean(json, "has_had_period");
  change.is_closed = r.boolean(json, "is_closed");
  if (const Json& period = r.at(json, "period"); !period.is_null())
    change.period = read_period(r, period);
  if (r.is_bad() || !is_known || change.order.order.empty() ||
      (change.period && !is_sound(*change.period)))
    return Error{ErrorCode::corrupt, "a kept step of a package order was damaged"};
  return change;
}

}  // namespace tandem
