// Rewrite rules, routes, sources.
#include <map>
#include <set>

#include "binding.hpp"
#include "tandem/clock.hpp"
#include "tandem/number_transform.hpp"
#include "tandem/rewrite.hpp"
#include "tandem/route_table.hpp"
#include "tandem/sources.hpp"

using namespace tandem;
using namespace pybind11::literals;

namespace binding {
namespace {

struct Table {
  explicit Table(RouteTable table) : body(std::move(table)), rotation(body) {}
  RouteTable body;
  RouteRotation rotation;
};

/// Exact numbers as one set; none: no restriction.
std::vector<NumberSet> number_sets(const std::vector<std::string>& numbers) {
  if (numbers.empty()) return {};
  return {take(NumberSet::build(numbers))};
}

NumberKind number_kind(const std::string& name) {
  if (const auto kind = number_kind_from_name(name)) return *kind;
  return take(
      Result<NumberKind>(Error{ErrorCode::invalid_argument,
                               "kind of number \"" + name + "\" was none of city, mobile, other"}));
}

using PlanRow = std::tuple<std::string, std::string, std::string, int, int>;

NumberingPlan numbering_plan(const std::vector<PlanRow>& rows) {
  std::vector<NumberingPlanEntry> entries;
  for (const auto& [prefix, kind, area, min_length, max_length] : rows)
    entries.push_back({{}, prefix, number_kind(kind), area, min_length, max_length});
  return take(NumberingPlan::build(entries));
}

/// Loads by gateway name, as a Python host has them. A copy, so that no lock is needed.
class NamedLoad final : public LineLoad {
 public:
  NamedLoad(const RouteTable& table, const std::map<std::string, std::uint32_t>& loads) {
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      const auto found = loads.find(std::string(table.gateway_name(i)));
      calls_.push_back(found == loads.end() ? 0 : found->second);
    }
  }
  [[nodiscard]] std::uint32_t current_calls(std::uint32_t gateway) const noexcept override {
    return calls_[gateway];
  }

 private:
  std::vector<std::uint32_t> calls_;
};

/// What a Python host knows of vendors, by gateway name. A copy, so that no lock is needed.
class NamedConditions final : public RouteConditions {
 public:
  using Prices = std::map<std::string, std::pair<Amount, std::int64_t>>;
  using Percents = std::map<std::string, std::uint32_t>;

  NamedConditions(const RouteTable& table, const Prices& prices, const Percents& percents,
                  const std::set<std::string>& closed, const Percents& talk_times_s) {
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      const std::string name(table.gateway_name(i));
      Facts facts;
      if (const auto price = prices.find(name); price != prices.end()) {
        facts.price = price->second.first;
        facts.price_per_s = price->second.second;
      }
      if (const auto percent = percents.find(name); percent != percents.end())
        facts.percent = std::min<std::uint32_t>(percent->second, 100);
      if (const auto talk = talk_times_s.find(name); talk != talk_times_s.end())
        facts.talk_time_s = talk->second;
      facts.is_closed = closed.contains(name);
      facts_.push_back(facts);
    }
  }
  void judge(std::uint32_t gateway, const RouteQuery& /*query*/,
             VendorStanding& standing) const noexcept override {
    const Facts& facts = facts_[gateway];
    if (facts.is_closed) standing.excluded = RouteExclusionReason::closed;
    standing.price = facts.price;
    standing.price_per_s = facts.price_per_s;
    standing.answer_percent = facts.percent;
    standing.talk_time_s = facts.talk_time_s;
  }

 private:
  struct Facts {
    Amount price;
    std::int64_t price_per_s = 0;
    std::optional<std::uint32_t> percent, talk_time_s;
    bool is_closed = false;
  };
  std::vector<Facts> facts_;
};

RouteSort sort_of(const std::vector<std::string>& names, const std::string& place) {
  RouteSort sort;
  RouteSort::Place* const at = place == "before_prefix"    ? &sort.before_prefix
                               : place == "after_prefix"   ? &sort.after_prefix
                               : place == "after_priority" ? &sort.after_priority
                                                           : nullptr;
  if (at == nullptr)
    throw py::value_error("place is before_prefix, after_prefix or after_priority");
  if (names.size() > at->size()) throw py::value_error("sort has at most two policies");
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (const RoutePolicy policy :
         {RoutePolicy::answer_ratio, RoutePolicy::lowest_rate, RoutePolicy::talk_time}) {
      if (names[i] == route_policy_name(policy)) (*at)[i] = policy;
    }
    if ((*at)[i] == RoutePolicy::none)
      throw py::value_error("sort knows answer_ratio, lowest_rate and talk_time, not " + names[i]);
  }
  return sort;
}

/// One question with all that it borrows from.
struct Question {
  Question(Table& table, const std::string& called, const std::string& calling,
           const std::string& customer, const std::map<std::string, std::uint32_t>& loads,
           bool rotate, const NamedConditions::Prices& prices,
           const NamedConditions::Percents& percents, const std::set<std::string>& closed,
           const std::vector<std::string>& sort, const std::string& sort_place,
           const std::string& callee, std::uint8_t shorter_than,
           const NamedConditions::Percents& talk_times_s)
      : load(table.body, loads), conditions(table.body, prices, percents, closed, talk_times_s) {
    query.called = called;
    query.calling = calling;
    query.customer = customer;
    query.callee = callee;
    query.shorter_than = shorter_than;
    query.load = &load;
    if (rotate) query.rotation = &table.rotation;
    query.sort = sort_of(sort, sort_place);
    if (!prices.empty() || !percents.empty() || !closed.empty() || !talk_times_s.empty())
      query.conditions = &conditions;
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;
  const NamedLoad load;
  const NamedConditions conditions;
  RouteQuery query;
};

}  // namespace

void bind_routing(py::module_& m) {
  py::class_<RewriteRules>(m, "RewriteRules")
      .def(py::init([](const std::string& text) { return take(RewriteRules::compile(text)); }),
           "text"_a)
      .def(
          "apply",
          [](const RewriteRules& rules, const std::string& number,
             std::uint64_t draw) -> std::optional<std::string> {
            SeededRandom random(draw);
            const RewrittenNumber result = rules.apply(number, random);
            if (!result.ok()) return std::nullopt;
            return std::string(result.view());
          },
          "number"_a, "draw"_a = 0)
      .def(
          "matching_rule",
          [](const RewriteRules& rules, const std::string& number) {
            return rules.matching_rule(number);
          },
          "number"_a)
      .def("__len__", &RewriteRules::size)
      .def_property_readonly("text", [](const RewriteRules& r) { return std::string(r.text()); });

  py::class_<NumberTransforms>(m, "NumberTransforms")
      .def(py::init([](const std::vector<std::tuple<std::string, std::string, std::string>>& rows) {
             std::vector<NumberTransform> entries;
             for (const auto& [number, customer_caller, vendor_callee] : rows)
               entries.push_back({{}, number, customer_caller, vendor_callee});
             return take(NumberTransforms::build(entries));
           }),
           "entries"_a)
      .def(
          "from_customer",
          [](const NumberTransforms& transforms, const std::string& caller) {
            return std::string(transforms.from_customer(caller));
          },
          "caller"_a)
      .def(
          "to_vendor",
          [](const NumberTransforms& transforms, const std::string& callee) {
            return std::string(transforms.to_vendor(callee));
          },
          "callee"_a);

  py::class_<MobileAreas>(m, "MobileAreas")
      .def(py::init([](const std::vector<std::tuple<std::string, std::string, std::string>>& rows) {
             std::vector<MobileArea> entries;
             for (const auto& [prefix, area_code, area] : rows)
               entries.push_back({{}, prefix, area_code, area});
             return take(MobileAreas::build(entries));
           }),
           "entries"_a)
      .def(
          "complete",
          [](const MobileAreas& areas, const std::string& number,
             const std::vector<std::string>& chosen) {
            return std::string(areas.area_code(number, take(areas.choose(chosen)))) + number;
          },
          "number"_a, "chosen"_a);

  py::class_<NumberPolicyConfig>(m, "NumberPolicy")
      .def(py::init([](std::vector<int> caller_lengths, std::vector<int> callee_lengths,
                       std::vector<std::string> allow_caller_prefixes,
                       std::vector<std::string> deny_caller_prefixes,
                       std::vector<std::string> allow_callee_prefixes,
                       std::vector<std::string> deny_callee_prefixes,
                       const std::vector<std::string>& allow_callers,
                       const std::vector<std::string>& deny_callers,
                       const std::vector<std::string>& allow_callees,
                       const std::vector<std::string>& deny_callees,
                       const std::vector<std::string>& allow_pairs,
                       const std::vector<std::string>& deny_pairs,
                       std::vector<std::string> allow_same_city,
                       std::vector<std::string> deny_same_city, const std::vector<PlanRow>& plan,
                       const std::vector<std::string>& caller_kinds,
                       const std::vector<std::string>& callee_kinds,
                       std::vector<std::string> allow_mobile_areas,
                       std::vector<std::string> deny_mobile_areas) {
             NumberPolicyConfig config;
             config.plan = numbering_plan(plan);
             for (const std::string& kind : caller_kinds)
               config.caller_kinds.push_back(number_kind(kind));
             for (const std::string& kind : callee_kinds)
               config.callee_kinds.push_back(number_kind(kind));
             config.allow_mobile_areas = std::move(allow_mobile_areas);
             config.deny_mobile_areas = std::move(deny_mobile_areas);
             config.caller_lengths = std::move(caller_lengths);
             config.callee_lengths = std::move(callee_lengths);
             config.allow_caller_prefixes = std::move(allow_caller_prefixes);
             config.deny_caller_prefixes = std::move(deny_caller_prefixes);
             config.allow_callee_prefixes = std::move(allow_callee_prefixes);
             config.deny_callee_prefixes = std::move(deny_callee_prefixes);
             config.allow_callers = number_sets(allow_callers);
             config.deny_callers = number_sets(deny_callers);
             config.allow_callees = number_sets(allow_callees);
             config.deny_callees = number_sets(deny_callees);
             for (const std::string& pair : allow_pairs)
               config.allow_pairs.push_back(take(NumberPair::parse(pair)));
             for (const std::string& pair : deny_pairs)
               config.deny_pairs.push_back(take(NumberPair::parse(pair)));
             config.allow_same_city = std::move(allow_same_city);
             config.deny_same_city = std::move(deny_same_city);
             (void)take(NumberPolicy::build(config));  // the check is now, not where it is used
             return config;
           }),
           py::kw_only(), "caller_lengths"_a = py::list(), "callee_lengths"_a = py::list(),
           "allow_caller_prefixes"_a = py::list(), "deny_caller_prefixes"_a = py::list(),
           "allow_callee_prefixes"_a = py::list(), "deny_callee_prefixes"_a = py::list(),
           "allow_callers"_a = py::list(), "deny_callers"_a = py::list(),
           "allow_callees"_a = py::list(), "deny_callees"_a = py::list(),
           "allow_pairs"_a = py::list(), "deny_pairs"_a = py::list(),
           "allow_same_city"_a = py::list(), "deny_same_city"_a = py::list(), "plan"_a = py::list(),
           "caller_kinds"_a = py::list(), "callee_kinds"_a = py::list(),
           "allow_mobile_areas"_a = py::list(), "deny_mobile_areas"_a = py::list())
      .def(
          "judge",
          [](const NumberPolicyConfig& config, const std::string& caller,
             const std::string& callee) {
            return std::string(
                number_verdict_name(take(NumberPolicy::build(config)).judge(caller, callee)));
          },
          "caller"_a, "callee"_a);

  py::enum_<PrefixMode>(m, "PrefixMode")
      .value("extension", PrefixMode::extension)
      .value("expiration", PrefixMode::expiration);

  py::class_<VendorRoute>(m, "VendorRoute")
      .def(py::init([](std::string gateway, std::vector<std::string> prefixes, PrefixMode mode,
                       int priority, int line_limit, bool locked, std::vector<std::string> allow,
                       std::vector<std::string> deny, std::optional<NumberPolicyConfig> numbers,
                       bool protect) {
             return VendorRoute{std::move(gateway),
                                std::move(prefixes),
                                mode,
                                priority,
                                line_limit,
                                locked,
                                std::move(allow),
                                std::move(deny),
                                std::move(numbers).value_or(NumberPolicyConfig()),
                                protect};
           }),
           "gateway"_a, "prefixes"_a = py::list(), py::kw_only(),
           "prefix_mode"_a = PrefixMode::extension, "priority"_a = 0, "line_limit"_a = -1,
           "locked"_a = false, "allow_customers"_a = py::list(), "deny_customers"_a = py::list(),
           "numbers"_a = py::none(), "protect"_a = false)
      .def_readonly("gateway", &VendorRoute::gateway)
      .def_readonly("prefixes", &VendorRoute::prefixes)
      .def_readonly("prefix_mode", &VendorRoute::prefix_mode)
      .def_readonly("priority", &VendorRoute::priority)
      .def_readonly("line_limit", &VendorRoute::line_limit)
      .def_readonly("locked", &VendorRoute::locked)
      .def_readonly("protect", &VendorRoute::protect);

  py::class_<Table, std::shared_ptr<Table>> table(m, "RouteTable");
  using Loads = std::map<std::string, std::uint32_t>;
  using Prices = NamedConditions::Prices;
  using Percents = NamedConditions::Percents;
  table
      .def(
          "lookup",
          [](Table& t, const std::string& called, const std::string& calling,
             const std::string& customer, const Loads& loads, bool rotate, const Prices& prices,
             const Percents& percents, const std::set<std::string>& closed,
             const std::vector<std::string>& sort, const std::string& sort_place,
             const std::string& callee, std::uint8_t shorter_than, const Percents& talk_times_s) {
            const Question question(t, called, calling, customer, loads, rotate, prices, percents,
                                    closed, sort, sort_place, callee, shorter_than, talk_times_s);
            std::vector<std::string> names;
            for (const auto& c : t.body.lookup(question.query))
              names.emplace_back(c.gateway_name);
            return names;
          },
          "called"_a, py::kw_only(), "calling"_a = "", "customer"_a = "", "loads"_a = py::dict(),
          "rotate"_a = false, "prices"_a = py::dict(), "answer_percents"_a = py::dict(),
          "closed"_a = py::set(), "sort"_a = py::list(), "sort_place"_a = "after_priority",
          "callee"_a = "", "shorter_than"_a = 0, "talk_times_s"_a = py::dict())
      .def(
          "explain",
          [](Table& t, const std::string& called, const std::string& calling,
             const std::string& customer, const Loads& loads, bool rotate, const Prices& prices,
             const Percents& percents, const std::set<std::string>& closed,
             const std::vector<std::string>& sort, const std::string& sort_place,
             const std::string& callee, std::uint8_t shorter_than, const Percents& talk_times_s) {
            const Question question(t, called, calling, customer, loads, rotate, prices, percents,
                                    closed, sort, sort_place, callee, shorter_than, talk_times_s);
            const RouteExplanation e = t.body.explain(question.query);
            py::list candidates, excluded;
            for (const auto& c : e.candidates) {
              py::object percent = py::none(), price = py::none();
              if (c.answer_percent >= 0) percent = py::int_(static_cast<int>(c.answer_percent));
              if (c.price_per_s > 0) price = py::cast(c.price);
              py::object talk = py::none();
              if (c.talk_time_s >= 0) talk = py::int_(c.talk_time_s);
              candidates.append(py::dict(
                  "gateway"_a = std::string(c.gateway_name), "prefix"_a = std::string(c.prefix),
                  "rank"_a = c.rank, "priority"_a = c.priority, "load_calls"_a = c.load_calls,
                  "load_limit"_a = c.load_limit, "sequence"_a = c.sequence,
                  "protect"_a = c.is_protect, "answer_percent"_a = percent, "talk_time_s"_a = talk,
                  "price"_a = price, "price_per_s"_a = c.price_per_s));
            }
            for (const auto& x : e.excluded)
              excluded.append(py::dict("gateway"_a = std::string(x.gateway_name),
                                       "reason"_a = route_exclusion_reason_name(x.reason),
                                       "number"_a = number_verdict_name(x.number)));
            return py::dict("candidates"_a = candidates, "excluded"_a = excluded);
          },
          "called"_a, py::kw_only(), "calling"_a = "", "customer"_a = "", "loads"_a = py::dict(),
          "rotate"_a = false, "prices"_a = py::dict(), "answer_percents"_a = py::dict(),
          "closed"_a = py::set(), "sort"_a = py::list(), "sort_place"_a = "after_priority",
          "callee"_a = "", "shorter_than"_a = 0, "talk_times_s"_a = py::dict())
      .def("__len__", [](const Table& t) { return t.body.size(); })
      .def_property_readonly("prefix_count", [](const Table& t) { return t.body.prefix_count(); });

  py::class_<RouteTable::Builder>(table, "Builder")
      .def(py::init<>())
      .def(
          "add", [](RouteTable::Builder& b, const VendorRoute& vendor) { take(b.add(vendor)); },
          "vendor"_a)
      .def("build", [](RouteTable::Builder& b) {
        return unlocked([&] { return std::make_shared<Table>(b.build()); });
      });

  py::class_<SourceTable> sources(m, "SourceTable");
  sources
      .def(
          "identify",
          [](const SourceTable& t, const SocketAddress& source, const std::string& caller,
             const std::string& callee) -> py::object {
            const SourceMatch match = t.identify(source, caller, callee);
            if (match.outcome == SourceMatch::Outcome::unknown) return py::none();
            return py::dict("customer"_a = std::string(t.id(match.customer)),
                            "accepted"_a = match.outcome == SourceMatch::Outcome::identified,
                            "restriction"_a = number_verdict_name(match.restriction),
                            "locked"_a = t.locked(match.customer));
          },
          "source"_a, "caller"_a = "", "callee"_a = "")
      .def("__len__", &SourceTable::size);
  py::class_<SourceTable::Builder>(sources, "Builder")
      .def(py::init<>())
      .def(
          "add",
          [](SourceTable::Builder& b, std::string id, const std::vector<std::string>& addresses,
             int priority, bool locked, std::optional<NumberPolicyConfig> numbers) {
            CustomerSource source;
            source.id = std::move(id);
            for (const std::string& text : addresses)
              source.addresses.push_back(take(SourceAddress::parse(text)));
            source.priority = priority;
            source.locked = locked;
            source.numbers = std::move(numbers).value_or(NumberPolicyConfig());
            take(b.add(std::move(source)));
          },
          "id"_a, "addresses"_a, py::kw_only(), "priority"_a = 0, "locked"_a = false,
          "numbers"_a = py::none())
      .def("build", &SourceTable::Builder::build);
}

}  // namespace binding
