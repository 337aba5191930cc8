// Keys of calendars and of periods.
#include <string>
#include <utility>

#include "base/calendar.hpp"
#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

namespace {

/// When a period holds.
std::vector<Field<PeriodConfig>> period_times() {
  using P = PeriodConfig;
  return {
      {"days", "mon..sun, ranges, work, rest, holiday, any", "any",
       "Days on which the period begins, as comma text or a list (R-13).",
       [](Reader& r, const Json& v, P& p) { read_days(r, v, p.days); }},
      {"from", "time of day", "\"00:00\"", "Local time from which it holds.",
       [](Reader& r, const Json& v, P& p) { read_first_time_of_day(r, v, p.from_s); }},
      {"to", "time of day", "\"24:00\"",
       "Up to this; before `from`: of the next day. `from` and `to` differ.",
       [](Reader& r, const Json& v, P& p) { read_time_of_day(r, v, p.to_s); }},
      {"day_class", "work|rest|holiday", "any", "And only on days of this class (R-12).",
       [](Reader& r, const Json& v, P& p) { read_day_class(r, v, p.day_class.emplace()); }},
      {"timezone", "zone", "the calendar's", "\"Europe/London\", \"+08:00\" or \"UTC\".",
       [](Reader& r, const Json& v, P& p) { read_timezone(r, v, p.timezone); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, P&) { read_memo(r, v); }},
  };
}

std::vector<Field<PeriodConfig>> joined(std::vector<Field<PeriodConfig>> first,
                                        std::vector<Field<PeriodConfig>> second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

const std::vector<Field<PeriodConfig>>& period_fields() {
  using P = PeriodConfig;
  static const std::vector<Field<P>> fields = joined(
      period_times(),
      {
          {"closed", "boolean", "not said", "Takes no calls.",
           [](Reader& r, const Json& v, P& p) { r.boolean(v, p.closed.emplace()); }},
          {"line_limit", "integer -1..1000000", "not said", "Instead of the gateway's.",
           [](Reader& r, const Json& v, P& p) {
             read_optional<std::int32_t, -1, 1'000'000>(r, v, p.line_limit);
           }},
          {"priority", "integer 0..65535", "not said", "Instead of the gateway's.",
           [](Reader& r, const Json& v, P& p) {
             read_optional<std::int32_t, 0, 65535>(r, v, p.priority);
           }},
          {"rewrite_caller", "rules", "not said", "Instead of the gateway's; \"\": none.",
           [](Reader& r, const Json& v, P& p) { read_rewrite(r, v, p.rewrite_caller.emplace()); }},
          {"rewrite_callee", "rules", "not said", "Instead of the gateway's; \"\": none.",
           [](Reader& r, const Json& v, P& p) { read_rewrite(r, v, p.rewrite_callee.emplace()); }},
          {"allow_caller_prefixes", "array", "not said", "Only these callers.",
           [](Reader& r, const Json& v, P& p) { read_prefixes(r, v, p.allow_caller_prefixes); }},
          {"forbid_caller_prefixes", "array", "not said", "Not these callers.",
           [](Reader& r, const Json& v, P& p) { read_prefixes(r, v, p.forbid_caller_prefixes); }},
          {"allow_callee_prefixes", "array", "not said", "Only these callees.",
           [](Reader& r, const Json& v, P& p) { read_prefixes(r, v, p.allow_callee_prefixes); }},
          {"forbid_callee_prefixes", "array", "not said", "Not these callees.",
           [](Reader& r, const Json& v, P& p) { read_prefixes(r, v, p.forbid_callee_prefixes); }},
      });
  return fields;
}

const std::vector<Field<PeriodConfig>>& customer_period_fields() {
  using P = PeriodConfig;
  static const std::vector<Field<P>> fields =
      joined(period_times(),
             {{"closed", "boolean", "not said", "Its calls are refused as if it were locked.",
               [](Reader& r, const Json& v, P& p) { r.boolean(v, p.closed.emplace()); }},
              {"line_limit", "integer -1..1000000", "not said", "Instead of the gateway's.",
               [](Reader& r, const Json& v, P& p) {
                 read_optional<std::int32_t, -1, 1'000'000>(r, v, p.line_limit);
               }}});
  return fields;
}

const std::vector<Field<PeriodConfig>>& group_period_fields() {
  using P = PeriodConfig;
  static const std::vector<Field<P>> fields =
      joined(period_times(),
             {{"line_limit", "integer -1..1000000", "required",
               "Instead of the group's; -1 unlimited, 0 none.", [](Reader& r, const Json& v, P& p) {
                 read_optional<std::int32_t, -1, 1'000'000>(r, v, p.line_limit);
               }}});
  return fields;
}

void read_periods(Reader& r, const Json& v, const std::vector<Field<PeriodConfig>>& fields,
                  std::initializer_list<const char*> required, std::vector<PeriodConfig>& periods) {
  r.each(v, [&](const Json& item) {
    PeriodConfig period;
    read_object(r, item, fields, required, period);
    if (period.from_s == period.to_s) r.fail("\"from\" and \"to\" are the same");
    periods.push_back(std::move(period));
  });
}

const std::vector<Field<CalendarConfig>>& calendar_fields() {
  using C = CalendarConfig;
  static const std::vector<Field<C>> fields = {
      {"id", "id", "required", "Name of the calendar (R-12).",
       [](Reader& r, const Json& v, C& c) { read_id(r, v, c.id); }},
      {"timezone", "zone", "parameter", "Zone that its days are counted in.",
       [](Reader& r, const Json& v, C& c) { read_timezone(r, v, c.timezone); }},
      {"week", "{\"sat\": \"rest\", ...}", "mon-fri work, sat-sun rest", "Class of each weekday.",
       [](Reader& r, const Json& v, C& c) {
         if (!v.is_object()) {
           r.fail("expected an object of days and classes");
           return;
         }
         for (auto item = v.begin(); item != v.end(); ++item) {
           Reader::Step step(r, item.key());
           const auto days = DaySet::parse({item.key()});
           if (!days || days->classes != 0) {
             r.fail("\"" + item.key() + "\" is no weekday such as \"sat\" or \"mon-fri\"");
             continue;
           }
           DayClass kind = DayClass::work;
           read_day_class(r, item.value(), kind);
           for (std::size_t day = 0; day < 7; ++day) {
             if ((days->weekdays >> day & 1) != 0) c.week[day] = kind;
           }
         }
       }},
      {"exceptions", "array of {\"date\": \"2026-12-25\", \"class\": \"holiday\"}", "[]",
       "Dates that are not what their weekday says.",
       [](Reader& r, const Json& v, C& c) {
         struct Exception {
           std::int64_t day = 0;
           DayClass kind = DayClass::holiday;
         };
         static const std::vector<Field<Exception>> keys = {
             {"date", "", "", "",
              [](Reader& rr, const Json& vv, Exception& e) {
                std::string text;
                if (!rr.string(vv, text, 10)) return;
                if (auto day = parse_day(text)) {
                  e.day = *day;
                } else {
                  rr.fail(day.error().message);
                }
              }},
             {"class", "", "", "",
              [](Reader& rr, const Json& vv, Exception& e) { read_day_class(rr, vv, e.kind); }},
             {"memo", "", "", "",
              [](Reader& rr, const Json& vv, Exception&) { read_memo(rr, vv); }},
         };
         r.each(v, [&](const Json& item) {
           Exception exception;
           read_object(r, item, keys, {"date", "class"}, exception);
           c.exceptions[exception.day] = exception.kind;
         });
       }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, C&) { read_memo(r, v); }},
  };
  return fields;
}

}  // namespace tandem::config
