// Keys of what a phone has ordered for calls to it (T-02, T-03, T-09).
#include <string>
#include <utility>

#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

namespace {

constexpr std::int64_t ring_max_s = 600;

/// A number, or an object with one.
void read_target(Reader& r, const Json& v, std::vector<ForwardTarget>& targets) {
  ForwardTarget target;
  if (v.is_object()) {
    using T = ForwardTarget;
    static const std::vector<Field<T>> fields = {
        {"number", "", "", "",
         [](Reader& rr, const Json& vv, T& t) { read_number(rr, vv, t.number); }},
        {"ring_s", "", "", "",
         [](Reader& rr, const Json& vv, T& t) { rr.number(vv, 1, ring_max_s, t.ring_s); }},
    };
    read_object(r, v, fields, {"number"}, target);
  } else {
    read_number(r, v, target.number);
  }
  if (!target.number.empty()) targets.push_back(std::move(target));
}

void read_targets(Reader& r, const Json& v, std::vector<ForwardTarget>& targets) {
  if (v.is_array()) {
    r.each(v, [&](const Json& item) { read_target(r, item, targets); });
  } else {
    read_target(r, v, targets);
  }
  if (targets.size() > forward_targets_max)
    r.fail(std::to_string(targets.size()) + " targets are more than " +
           std::to_string(forward_targets_max));
}

void read_forward_periods(Reader& r, const Json& v, std::vector<ForwardPeriod>& periods) {
  using P = ForwardPeriod;
  static const std::vector<Field<P>> fields = {
      {"days", "", "", "", [](Reader& rr, const Json& vv, P& p) { read_days(rr, vv, p.days); }},
      {"from", "", "", "",
       [](Reader& rr, const Json& vv, P& p) { read_first_time_of_day(rr, vv, p.from_s); }},
      {"to", "", "", "",
       [](Reader& rr, const Json& vv, P& p) { read_time_of_day(rr, vv, p.to_s); }},
      {"targets", "", "", "",
       [](Reader& rr, const Json& vv, P& p) { read_targets(rr, vv, p.targets); }},
  };
  r.each(v, [&](const Json& item) {
    ForwardPeriod period;
    const auto errors_before = r.error_count();
    read_object(r, item, fields, {"targets"}, period);
    if (period.targets.empty() && r.error_count() == errors_before)
      r.fail("a period without targets sends nothing on");
    if (period.from_s == period.to_s) r.fail("\"from\" and \"to\" are the same");
    periods.push_back(std::move(period));
  });
  if (periods.size() > forward_periods_max)
    r.fail(std::to_string(periods.size()) + " periods are more than " +
           std::to_string(forward_periods_max));
}

}  // namespace

const std::vector<Field<PhoneForward>>& forward_fields() {
  using F = PhoneForward;
  static const std::vector<Field<F>> fields = {
      {"periods", "array of {\"days\", \"from\", \"to\", \"targets\"}", "[]",
       "Hours in which calls go elsewhere; the first that holds (T-03).",
       [](Reader& r, const Json& v, F& f) { read_forward_periods(r, v, f.periods); }},
      {"calendar", "id", "Monday to Friday work",
       "Of the days of `periods`; without one the zone is the parameter `timezone` (R-12).",
       [](Reader& r, const Json& v, F& f) { read_id(r, v, f.calendar); }},
      {"unconditional", "number, {\"number\", \"ring_s\"}, or a list of these", "[]",
       "All calls go there (T-02). At most 8, called as `method` says.",
       [](Reader& r, const Json& v, F& f) { read_targets(r, v, f.unconditional); }},
      {"offline", "the same", "[]",
       "Calls while the phone is not registered, or out of reach (T-12).",
       [](Reader& r, const Json& v, F& f) { read_targets(r, v, f.offline); }},
      {"busy", "the same", "[]", "Calls that find it busy.",
       [](Reader& r, const Json& v, F& f) { read_targets(r, v, f.busy); }},
      {"no_answer", "the same", "[]", "Calls that it did not answer within `ring_s`.",
       [](Reader& r, const Json& v, F& f) { read_targets(r, v, f.no_answer); }},
      {"method", "sequential|random|simultaneous", "sequential",
       "Targets come one after the other, in their order or in any, or ring all at once.",
       [](Reader& r, const Json& v, F& f) {
         r.choice<ForwardMethod>(v,
                                 {{"sequential", ForwardMethod::sequential},
                                  {"random", ForwardMethod::random},
                                  {"simultaneous", ForwardMethod::simultaneous}},
                                 f.method);
       }},
      {"display", "original|own", "parameter",
       "Whom the target sees calling: who called, or this phone (T-09).",
       [](Reader& r, const Json& v, F& f) {
         r.choice<ForwardDisplay>(
             v, {{"original", ForwardDisplay::original}, {"own", ForwardDisplay::own}}, f.display);
       }},
      {"ring_s", "integer 1..600", "20",
       "Until a target, or the phone before `no_answer`, is given up; the last target has as long "
       "as any call.",
       [](Reader& r, const Json& v, F& f) { r.number(v, 1, ring_max_s, f.ring_s); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, F&) { read_memo(r, v); }},
  };
  return fields;
}

}  // namespace tandem::config
