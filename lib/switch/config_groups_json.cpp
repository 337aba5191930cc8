// Keys of groups of gateways and numbers, and of the tables of numbers.
#include <set>
#include <string>
#include <utility>

#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

const std::vector<Field<GroupMember>>& member_fields() {
  static const std::vector<Field<GroupMember>> fields = {
      {"gateway", "id", "required", "A customer or vendor gateway, or both of that id.",
       [](Reader& r, const Json& v, GroupMember& m) { read_id(r, v, m.gateway); }},
      {"reserved_lines", "integer 0..1000000", "0",
       "As long as fewer lines of the group are free, this gateway gets none (R-11).",
       [](Reader& r, const Json& v, GroupMember& m) {
         r.number(v, 0, 1'000'000, m.reserved_lines);
       }},
  };
  return fields;
}

const std::vector<Field<GatewayGroup>>& gateway_group_fields() {
  using G = GatewayGroup;
  static const std::vector<Field<G>> fields = {
      {"id", "id", "required", "Name of the group (R-11).",
       [](Reader& r, const Json& v, G& g) { read_id(r, v, g.id); }},
      {"line_limit", "integer -1..1000000", "-1",
       "Simultaneous calls of all members together; -1 unlimited, 0 none.",
       [](Reader& r, const Json& v, G& g) { r.number(v, -1, 1'000'000, g.line_limit); }},
      {"members", "array", "[]", "Its gateways, see below.",
       [](Reader& r, const Json& v, G& g) {
         r.each(v, [&](const Json& item) {
           GroupMember member;
           read_object(r, item, member_fields(), {"gateway"}, member);
           g.members.push_back(std::move(member));
         });
       }},
      {"periods", "array", "[]", "Line limits that hold at times, see below (R-12).",
       [](Reader& r, const Json& v, G& g) {
         read_periods(r, v, group_period_fields(), {"line_limit"}, g.periods);
       }},
      {"calendar", "id", "mon-fri work", "Calendar of its periods.",
       [](Reader& r, const Json& v, G& g) { read_id(r, v, g.calendar); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, G&) { read_memo(r, v); }},
  };
  return fields;
}

const std::vector<Field<NumberGroup>>& number_group_fields() {
  using G = NumberGroup;
  static const std::vector<Field<G>> fields = {
      {"id", "id", "required", "Name of the group.",
       [](Reader& r, const Json& v, G& g) { read_id(r, v, g.id); }},
      {"numbers", "array", "[]", "Its numbers, each once.",
       [](Reader& r, const Json& v, G& g) {
         if (!r.strings(v, g.numbers)) return;
         std::set<std::string_view> seen;
         for (std::size_t i = 0; i < g.numbers.size(); ++i) {
           Reader::Step step(r, i);
           if (!is_number(g.numbers[i])) {
             r.fail("\"" + g.numbers[i] + "\" is no number: 1..32 of 0-9 A-Z a-z + * # _");
           } else if (!seen.insert(g.numbers[i]).second) {
             r.fail("\"" + g.numbers[i] + "\" is there twice");
           }
         }
       }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, G&) { read_memo(r, v); }},
  };
  return fields;
}

const std::vector<Field<NumberTransform>>& number_transform_fields() {
  using T = NumberTransform;
  static const std::vector<Field<T>> fields = {
      {"id", "id", "the number", "Name of the entry.",
       [](Reader& r, const Json& v, T& t) { read_id(r, v, t.id); }},
      {"number", "number", "required", "As it is routed and billed (N-05).",
       [](Reader& r, const Json& v, T& t) { read_number(r, v, t.number); }},
      {"customer_caller", "number", "none", "A customer's caller that stands for it.",
       [](Reader& r, const Json& v, T& t) { read_number(r, v, t.customer_caller); }},
      {"vendor_callee", "number", "none", "What vendors get as callee for it.",
       [](Reader& r, const Json& v, T& t) { read_number(r, v, t.vendor_callee); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, T&) { read_memo(r, v); }},
  };
  return fields;
}

const std::vector<Field<MobileArea>>& mobile_area_fields() {
  using A = MobileArea;
  static const std::vector<Field<A>> fields = {
      {"id", "id", "the prefix", "Name of the entry.",
       [](Reader& r, const Json& v, A& a) { read_id(r, v, a.id); }},
      {"prefix", "number", "required",
       "Mobile numbers that begin so are at home in the area (N-04).",
       [](Reader& r, const Json& v, A& a) { read_number(r, v, a.prefix); }},
      {"area_code", "number", "required", "Goes before the number.",
       [](Reader& r, const Json& v, A& a) { read_number(r, v, a.area_code); }},
      {"area", "text", "required", "Name that gateways choose it by.",
       [](Reader& r, const Json& v, A& a) { r.string(v, a.area, 128); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, A&) { read_memo(r, v); }},
  };
  return fields;
}

const std::vector<Field<NumberingPlanEntry>>& numbering_plan_fields() {
  using E = NumberingPlanEntry;
  static const std::vector<Field<E>> fields = {
      {"id", "id", "the prefix", "Name of the entry.",
       [](Reader& r, const Json& v, E& e) { read_id(r, v, e.id); }},
      {"prefix", "number", "required", "The longest one that a number begins with counts (N-06).",
       [](Reader& r, const Json& v, E& e) { read_number(r, v, e.prefix); }},
      {"kind", "city|mobile|other", "required", "What such numbers are.",
       [](Reader& r, const Json& v, E& e) { read_number_kind(r, v, e.kind); }},
      {"area", "text", "none", "Where they are at home.",
       [](Reader& r, const Json& v, E& e) { r.string(v, e.area, 128); }},
      {"min_length", "integer 1..32", "1", "Characters of a whole number.",
       [](Reader& r, const Json& v, E& e) { r.number(v, 1, 32, e.min_length); }},
      {"max_length", "integer 1..32", "32", "Not below `min_length`.",
       [](Reader& r, const Json& v, E& e) { r.number(v, 1, 32, e.max_length); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, E&) { read_memo(r, v); }},
  };
  return fields;
}

}  // namespace tandem::config
