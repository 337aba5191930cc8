// Rewrite rules, routes, sources.
#include "binding.hpp"
#include "tandem/clock.hpp"
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

  py::class_<NumberPolicyConfig>(m, "NumberPolicy")
      .def(
          py::init([](std::vector<int> caller_lengths, std::vector<int> callee_lengths,
                      std::vector<std::string> allow_caller, std::vector<std::string> deny_caller,
                      std::vector<std::string> allow_callee, std::vector<std::string> deny_callee) {
            NumberPolicyConfig config{std::move(caller_lengths), std::move(callee_lengths),
                                      std::move(allow_caller),   std::move(deny_caller),
                                      std::move(allow_callee),   std::move(deny_callee)};
            (void)take(NumberPolicy::build(config));  // the check is now, not where it is used
            return config;
          }),
          py::kw_only(), "caller_lengths"_a = py::list(), "callee_lengths"_a = py::list(),
          "allow_caller_prefixes"_a = py::list(), "deny_caller_prefixes"_a = py::list(),
          "allow_callee_prefixes"_a = py::list(), "deny_callee_prefixes"_a = py::list())
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
                       std::vector<std::string> deny, std::optional<NumberPolicyConfig> numbers) {
             return VendorRoute{std::move(gateway),
                                std::move(prefixes),
                                mode,
                                priority,
                                line_limit,
                                locked,
                                std::move(allow),
                                std::move(deny),
                                std::move(numbers).value_or(NumberPolicyConfig())};
           }),
           "gateway"_a, "prefixes"_a = py::list(), py::kw_only(),
           "prefix_mode"_a = PrefixMode::extension, "priority"_a = 0, "line_limit"_a = -1,
           "locked"_a = false, "allow_customers"_a = py::list(), "deny_customers"_a = py::list(),
           "numbers"_a = py::none())
      .def_readonly("gateway", &VendorRoute::gateway)
      .def_readonly("prefixes", &VendorRoute::prefixes)
      .def_readonly("prefix_mode", &VendorRoute::prefix_mode)
      .def_readonly("priority", &VendorRoute::priority)
      .def_readonly("line_limit", &VendorRoute::line_limit)
      .def_readonly("locked", &VendorRoute::locked);

  py::class_<Table, std::shared_ptr<Table>> table(m, "RouteTable");
  const auto query = [](Table& t, const std::string& called, const std::string& calling,
                        const std::string& customer, const NamedLoad& load, bool rotate) {
    RouteQuery q;
    q.called = called;
    q.calling = calling;
    q.customer = customer;
    q.load = &load;
    if (rotate) q.rotation = &t.rotation;
    return q;
  };
  using Loads = std::map<std::string, std::uint32_t>;
  table
      .def(
          "lookup",
          [query](Table& t, const std::string& called, const std::string& calling,
                  const std::string& customer, const Loads& loads, bool rotate) {
            const NamedLoad load(t.body, loads);
            std::vector<std::string> names;
            for (const auto& c : t.body.lookup(query(t, called, calling, customer, load, rotate)))
              names.emplace_back(c.gateway_name);
            return names;
          },
          "called"_a, py::kw_only(), "calling"_a = "", "customer"_a = "", "loads"_a = py::dict(),
          "rotate"_a = false)
      .def(
          "explain",
          [query](Table& t, const std::string& called, const std::string& calling,
                  const std::string& customer, const Loads& loads, bool rotate) {
            const NamedLoad load(t.body, loads);
            const RouteExplanation e =
                t.body.explain(query(t, called, calling, customer, load, rotate));
            py::list candidates, excluded;
            for (const auto& c : e.candidates)
              candidates.append(py::dict("gateway"_a = std::string(c.gateway_name),
                                         "prefix"_a = std::string(c.prefix), "rank"_a = c.rank,
                                         "priority"_a = c.priority, "load_calls"_a = c.load_calls,
                                         "load_limit"_a = c.load_limit, "sequence"_a = c.sequence));
            for (const auto& x : e.excluded)
              excluded.append(py::dict("gateway"_a = std::string(x.gateway_name),
                                       "reason"_a = route_exclusion_reason_name(x.reason),
                                       "number"_a = number_verdict_name(x.number)));
            return py::dict("candidates"_a = candidates, "excluded"_a = excluded);
          },
          "called"_a, py::kw_only(), "calling"_a = "", "customer"_a = "", "loads"_a = py::dict(),
          "rotate"_a = false)
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
