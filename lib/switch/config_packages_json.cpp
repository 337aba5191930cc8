// Keys of packages and of orders for them.
#include <string>
#include <utility>

#include "base/text.hpp"
#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

namespace {

/// A name, or the number that the reference has for it.
template <class Enum, std::size_t Count>
void read_choice(Reader& r, const Json& v, const std::pair<const char*, Enum> (&names)[Count],
                 Enum& out) {
  if (v.is_number()) {
    std::int64_t number = 0;
    if (r.integer(v, 0, static_cast<std::int64_t>(Count) - 1, number))
      out = static_cast<Enum>(number);
    return;
  }
  std::string text;
  if (!r.string(v, text)) return;
  std::string known;
  for (const auto& [name, value] : names) {
    if (text == name) {
      out = value;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  r.fail("\"" + text + "\" is not one of " + known);
}

void read_amount(Reader& r, const Json& v, Amount& out) {
  if (r.amount(v, out) && out.is_negative()) r.fail(out.to_string() + " is negative");
}

/// A date is one of the package's zone, a time is any moment of the day.
void read_available_time(Reader& r, const Json& v, PackageOrder& order) {
  std::string text;
  std::int64_t zero = 0;
  if (v.is_number()) {
    r.integer(v, 0, 0, zero);
    return;
  }
  if (!r.string(v, text)) return;
  if (const auto date = parse_date(text)) {
    order.available_day = days_from_civil(*date);
  } else if (r.time(v, order.available_us.emplace())) {
    order.available_day.reset();
  }
}

}  // namespace

const std::vector<Field<PackageGift>>& package_gift_fields() {
  using G = PackageGift;
  static const std::vector<Field<G>> fields = {
      {"prefixes", "array", "every number",
       "Callees that it is for; of several gifts the longest match goes first (B-22).",
       [](Reader& r, const Json& v, G& g) { read_prefixes(r, v, g.prefixes); }},
      {"from", "time of day", "\"00:00\"", "Local time from which calls that begin may use it.",
       [](Reader& r, const Json& v, G& g) { read_first_time_of_day(r, v, g.from_s); }, "begin"},
      {"to", "time of day", "\"24:00\"",
       "Up to this; before `from`: of the next day. `from` and `to` differ.",
       [](Reader& r, const Json& v, G& g) { read_time_of_day(r, v, g.to_s); }, "end"},
      {"seconds", "integer 0..1000000000", "required", "Talk time of each period.",
       [](Reader& r, const Json& v, G& g) { r.number(v, 0, rated_time_max_s, g.seconds); }},
      {"cycle_s", "integer 1..86400", "1", "Calls take it in steps of so many seconds.",
       [](Reader& r, const Json& v, G& g) { r.number(v, 1, 86400, g.cycle_s); }, "billing_cycle"},
  };
  return fields;
}

const std::vector<Field<PackageRate>>& package_rate_fields() {
  using P = PackageRate;
  static const std::vector<Field<P>> fields = {
      {"prefix", "text", "\"\"", "Leading digits of the callee; the longest match counts (B-24).",
       [](Reader& r, const Json& v, P& p) { read_billing_prefix(r, v, p.prefix); }},
      {"days", "mon..sun, ranges, work, rest, holiday, any", "any",
       "Days on which its hours begin, as comma text or a list.",
       [](Reader& r, const Json& v, P& p) { read_days(r, v, p.days); }},
      {"from", "time of day", "\"00:00\"", "Local time from which calls that begin have it.",
       [](Reader& r, const Json& v, P& p) { read_first_time_of_day(r, v, p.from_s); }, "begin"},
      {"to", "time of day", "\"24:00\"",
       "Up to this; before `from`: of the next day. `from` and `to` differ.",
       [](Reader& r, const Json& v, P& p) { read_time_of_day(r, v, p.to_s); }, "end"},
      {"price", "decimal >= 0", "\"0\"", "Price of `per_s` seconds.",
       [](Reader& r, const Json& v, P& p) { read_amount(r, v, p.price); }, "fee"},
      {"period", "integer 1..86400", "none", "Sets the next three at once.",
       [](Reader& r, const Json& v, P& p) {
         r.number(v, 1, 86400, p.per_s);
         p.first_s = p.next_s = p.per_s;
       }},
      {"per_s", "integer 1..86400", "60", "Seconds that `price` buys.",
       [](Reader& r, const Json& v, P& p) { r.number(v, 1, 86400, p.per_s); }},
      {"first_s", "integer 1..86400", "1", "First billing increment.",
       [](Reader& r, const Json& v, P& p) { r.number(v, 1, 86400, p.first_s); }},
      {"next_s", "integer 1..86400", "1", "Further billing increments.",
       [](Reader& r, const Json& v, P& p) { r.number(v, 1, 86400, p.next_s); }},
  };
  return fields;
}

const std::vector<Field<PackageConfig>>& package_fields() {
  using P = PackageConfig;
  static const std::vector<Field<P>> fields = {
      {"id", "id", "required", "Name of the package (B-20).",
       [](Reader& r, const Json& v, P& p) { read_id(r, v, p.id); }},
      {"rent_type", "day|month|year|once, or 0..3", "month", "Unit of `rent_period`.",
       [](Reader& r, const Json& v, P& p) {
         constexpr std::pair<const char*, RentType> names[] = {{"day", RentType::day},
                                                               {"month", RentType::month},
                                                               {"year", RentType::year},
                                                               {"once", RentType::once}};
         read_choice(r, v, names, p.rent_type);
       }},
      {"rent_period", "integer >= 1", "1",
       "Length of a period, at most 1200; `once`: in seconds, at most 1000000000.",
       [](Reader& r, const Json& v, P& p) { r.number(v, 1, rated_time_max_s, p.rent_period); }},
      {"nonholonomic_order", "boolean", "false",
       "Periods are months or years of the calendar, and of the first one rent and gifts are "
       "scaled "
       "by its days; else they are counted from the order's first day (B-23).",
       [](Reader& r, const Json& v, P& p) { r.boolean(v, p.nonholonomic_order); }},
      {"rent_fee", "decimal >= 0", "\"0\"", "Taken at the start of each period.",
       [](Reader& r, const Json& v, P& p) { read_amount(r, v, p.rent_fee); }},
      {"min_consumption", "decimal >= 0", "\"0\"",
       "What is missing to it is charged at the end of a period.",
       [](Reader& r, const Json& v, P& p) { read_amount(r, v, p.min_consumption); }},
      {"lower_consumption", "decimal >= 0", "\"0\"",
       "Gifts may be used once the spend of the period has come to it.",
       [](Reader& r, const Json& v, P& p) { read_amount(r, v, p.lower_consumption); }},
      {"gift_money", "decimal >= 0", "\"0\"", "For calls of each period.",
       [](Reader& r, const Json& v, P& p) { read_amount(r, v, p.gift_money); }},
      {"gift_times", "array", "[]", "Talk time for calls of each period, see below.",
       [](Reader& r, const Json& v, P& p) {
         r.each(v, [&](const Json& item) {
           PackageGift gift;
           read_object(r, item, package_gift_fields(), {"seconds"}, gift);
           if (gift.from_s == gift.to_s) r.fail("\"from\" and \"to\" are the same");
           p.gift_times.push_back(std::move(gift));
         });
       }},
      {"period_rates", "array", "[]", "Prices instead of the tariff's, see below (B-24).",
       [](Reader& r, const Json& v, P& p) {
         r.each(v, [&](const Json& item) {
           PackageRate rate;
           read_object(r, item, package_rate_fields(), {}, rate);
           if (rate.from_s == rate.to_s) r.fail("\"from\" and \"to\" are the same");
           p.period_rates.push_back(std::move(rate));
         });
       }},
      {"split_windows", "boolean", "false",
       "`period_rates` hold for the billing increments that begin in their hours, the tariff's for "
       "the others; else those of the call's arrival hold for all of it (B-24).",
       [](Reader& r, const Json& v, P& p) { r.boolean(v, p.split_windows); }},
      {"calendar", "id", "mon-fri work", "Classes of its days (R-12).",
       [](Reader& r, const Json& v, P& p) { read_id(r, v, p.calendar); }},
      {"timezone", "zone", "the calendar's", "Zone of its midnights and hours.",
       [](Reader& r, const Json& v, P& p) { read_timezone(r, v, p.timezone); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, P&) { read_memo(r, v); }},
  };
  return fields;
}

const std::vector<Field<PackageOrder>>& package_order_fields() {
  using O = PackageOrder;
  static const std::vector<Field<O>> fields = {
      {"id", "id without '/' and ';'", "required",
       "Name of the order (B-21); one that is over does not begin again.",
       [](Reader& r, const Json& v, O& o) {
         read_id(r, v, o.id);
         if (o.id.find_first_of("/;") != std::string::npos)
           r.fail("\"" + o.id + "\" has a '/' or ';'");
       }},
      {"package", "id", "required", "What is ordered.",
       [](Reader& r, const Json& v, O& o) { read_id(r, v, o.package); }},
      {"account", "id", "the phone's", "Who pays and may use it; required without a `phone`.",
       [](Reader& r, const Json& v, O& o) { read_id(r, v, o.account); }},
      {"phone", "number", "none",
       "The phone whose calls alone may use it; its account pays (B-21).",
       [](Reader& r, const Json& v, O& o) { read_number(r, v, o.phone); }},
      {"available_time", "date or time", "at once",
       "First day, from local midnight on; 0 or absent: today, and at once.", read_available_time},
      {"expire_time", "time", "never",
       "No period begins from then on; of a one-off package its end.",
       [](Reader& r, const Json& v, O& o) { r.time(v, o.expire_us); }},
      {"priority", "integer 0..2147483647", "2147483647", "Lower is used first (B-22).",
       [](Reader& r, const Json& v, O& o) { r.number(v, 0, int32_max, o.priority); }},
      {"rent_percent", "integer 0..10000", "100", "Of the rent fee.",
       [](Reader& r, const Json& v, O& o) { r.number(v, 0, 10'000, o.rent_percent); }},
      {"failed_process_mode", "recharge|period|delete, or 0..2", "recharge",
       "When the rent cannot be paid: wait for the next recharge, for the next period (by the day "
       "or month only), or delete the order.",
       [](Reader& r, const Json& v, O& o) {
         constexpr std::pair<const char*, RentFailure> names[] = {
             {"recharge", RentFailure::await_recharge},
             {"period", RentFailure::await_period},
             {"delete", RentFailure::end_order}};
         read_choice(r, v, names, o.failed_process_mode);
       }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, O&) { read_memo(r, v); }},
  };
  return fields;
}

}  // namespace tandem::config
