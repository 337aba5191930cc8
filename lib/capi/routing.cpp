// Numbers, rewrite rules, routes and sources.
#include <algorithm>
#include <limits>

#include "capi/values.hpp"
#include "tandem/clock.hpp"
#include "tandem/rewrite.hpp"
#include "tandem/route_table.hpp"
#include "tandem/sources.hpp"

using namespace tandem;
using namespace tandem::capi;

template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_route_query> =
    offsetof(tandem_route_query, callee);

struct tandem_number_policy {
  NumberPolicy body;
};

struct tandem_rewrite_rules {
  RewriteRules body;
};

struct tandem_route_table {
  explicit tandem_route_table(RouteTable table) : body(std::move(table)), rotation(body) {
    names.reserve(body.size());
    for (std::uint32_t i = 0; i < body.size(); ++i)
      names.emplace_back(body.gateway_name(i));
  }
  RouteTable body;
  mutable RouteRotation rotation;  // thread-safe: turns are atomic
  std::vector<std::string> names;  // with a NUL at the end, which the table's own do not promise
};
struct tandem_route_table_builder {
  RouteTable::Builder body;
};

struct tandem_source_table {
  explicit tandem_source_table(SourceTable table) : body(std::move(table)) {
    for (std::uint32_t i = 0; i < body.size(); ++i)
      names.emplace_back(body.id(i));
  }
  SourceTable body;
  std::vector<std::string> names;
};
struct tandem_source_table_builder {
  SourceTable::Builder body;
};

namespace tandem::capi {

static_assert(TANDEM_NUMBER_CALLEE_DENIED == static_cast<int>(NumberVerdict::callee_denied));
static_assert(TANDEM_NUMBER_MOBILE_AREA_DENIED ==
              static_cast<int>(NumberVerdict::mobile_area_denied));
static_assert(TANDEM_REWRITE_TOO_LONG == static_cast<int>(RewrittenNumber::Outcome::too_long));
static_assert(TANDEM_PREFIX_EXPIRATION == static_cast<int>(PrefixMode::expiration));
static_assert(TANDEM_ROUTE_POLICY_LOWEST_RATE == static_cast<int>(RoutePolicy::lowest_rate));
static_assert(TANDEM_ROUTE_POLICY_TALK_TIME == static_cast<int>(RoutePolicy::talk_time));
static_assert(TANDEM_SOURCE_RESTRICTED == static_cast<int>(SourceMatch::Outcome::restricted));

namespace {

Result<void> read_number_set(const char* const* numbers, std::size_t count, const char* name,
                             std::vector<NumberSet>& to) {
  std::vector<std::string> list;
  if (auto read = read_texts(numbers, count, name, list); !read) return read;
  if (list.empty()) return {};
  auto set = NumberSet::build(list);
  if (!set) return std::move(set).error();
  to.push_back(std::move(*set));
  return {};
}

Result<void> read_pairs(const char* const* pairs, std::size_t count, const char* name,
                        std::vector<NumberPair>& to) {
  std::vector<std::string> list;
  if (auto read = read_texts(pairs, count, name, list); !read) return read;
  for (const std::string& text : list) {
    auto pair = NumberPair::parse(text);
    if (!pair) return std::move(pair).error();
    to.push_back(std::move(*pair));
  }
  return {};
}

Result<NumberKind> read_kind(const char* name) {
  if (const auto kind = number_kind_from_name(name == nullptr ? "" : name)) return *kind;
  return Error{ErrorCode::invalid_argument,
               "kind of number \"" + copy(name) + "\" was none of city, mobile, other"};
}

Result<void> read_kinds(const char* const* kinds, std::size_t count, const char* name,
                        std::vector<NumberKind>& to) {
  std::vector<std::string> list;
  if (auto read = read_texts(kinds, count, name, list); !read) return read;
  for (const std::string& text : list) {
    const auto kind = read_kind(text.c_str());
    if (!kind) return kind.error();
    to.push_back(*kind);
  }
  return {};
}

Result<void> read_plan(const tandem_numbering_plan_entry* plan, std::size_t count,
                       NumberingPlan& to) {
  if (count > 0 && plan == nullptr)
    return Error{ErrorCode::invalid_argument, "plan was NULL with a count"};
  std::vector<NumberingPlanEntry> entries;
  for (std::size_t i = 0; i < count; ++i) {
    const auto kind = read_kind(plan[i].kind);
    if (!kind) return kind.error();
    entries.push_back({{},
                       copy(plan[i].prefix),
                       *kind,
                       copy(plan[i].area),
                       plan[i].min_length,
                       plan[i].max_length});
  }
  auto built = NumberingPlan::build(entries);
  if (!built) return std::move(built).error();
  to = std::move(*built);
  return {};
}

}  // namespace

Result<NumberPolicyConfig> read_number_policy(const tandem_number_policy_config* given) {
  NumberPolicyConfig out;
  if (given == nullptr) return out;
  const auto config = read_struct(given, "tandem_number_policy_config");
  if (!config) return config.error();
  const auto lengths = [](const int32_t* list, std::size_t count, const char* name,
                          std::vector<int>& to) -> Result<void> {
    if (count > 0 && list == nullptr)
      return Error{ErrorCode::invalid_argument, std::string(name) + " was NULL with a count"};
    if (count > 0) to.assign(list, list + count);
    return {};
  };
  const Result<void> steps[] = {
      lengths(config->caller_lengths, config->caller_lengths_count, "caller_lengths",
              out.caller_lengths),
      lengths(config->callee_lengths, config->callee_lengths_count, "callee_lengths",
              out.callee_lengths),
      read_texts(config->allow_caller_prefixes, config->allow_caller_prefixes_count,
                 "allow_caller_prefixes", out.allow_caller_prefixes),
      read_texts(config->deny_caller_prefixes, config->deny_caller_prefixes_count,
                 "deny_caller_prefixes", out.deny_caller_prefixes),
      read_texts(config->allow_callee_prefixes, config->allow_callee_prefixes_count,
                 "allow_callee_prefixes", out.allow_callee_prefixes),
      read_texts(config->deny_callee_prefixes, config->deny_callee_prefixes_count,
                 "deny_callee_prefixes", out.deny_callee_prefixes),
      read_number_set(config->allow_callers, config->allow_callers_count, "allow_callers",
                      out.allow_callers),
      read_number_set(config->deny_callers, config->deny_callers_count, "deny_callers",
                      out.deny_callers),
      read_number_set(config->allow_callees, config->allow_callees_count, "allow_callees",
                      out.allow_callees),
      read_number_set(config->deny_callees, config->deny_callees_count, "deny_callees",
                      out.deny_callees),
      read_pairs(config->allow_pairs, config->allow_pairs_count, "allow_pairs", out.allow_pairs),
      read_pairs(config->deny_pairs, config->deny_pairs_count, "deny_pairs", out.deny_pairs),
      read_texts(config->allow_same_city, config->allow_same_city_count, "allow_same_city",
                 out.allow_same_city),
      read_texts(config->deny_same_city, config->deny_same_city_count, "deny_same_city",
                 out.deny_same_city),
      read_plan(config->plan, config->plan_count, out.plan),
      read_kinds(config->caller_kinds, config->caller_kinds_count, "caller_kinds",
                 out.caller_kinds),
      read_kinds(config->callee_kinds, config->callee_kinds_count, "callee_kinds",
                 out.callee_kinds),
      read_texts(config->allow_mobile_areas, config->allow_mobile_areas_count, "allow_mobile_areas",
                 out.allow_mobile_areas),
      read_texts(config->deny_mobile_areas, config->deny_mobile_areas_count, "deny_mobile_areas",
                 out.deny_mobile_areas),
  };
  for (const auto& step : steps)
    if (!step) return step.error();
  return out;
}

namespace {

class HostLoad final : public LineLoad {
 public:
  HostLoad(tandem_line_load_fn function, void* user) : function_(function), user_(user) {}
  [[nodiscard]] std::uint32_t current_calls(std::uint32_t gateway) const noexcept override {
    return function_(gateway, user_);
  }

 private:
  tandem_line_load_fn function_;
  void* user_;
};

class HostConditions final : public RouteConditions {
 public:
  HostConditions(tandem_vendor_conditions_fn function, void* user)
      : function_(function), user_(user) {}
  void judge(std::uint32_t gateway, const RouteQuery& /*query*/,
             VendorStanding& standing) const noexcept override {
    tandem_vendor_standing told{};
    told.struct_size = sizeof told;
    told.priority = standing.priority;
    told.line_limit = standing.line_limit;
    told.answer_percent = -1;
    told.talk_time_s = -1;
    function_(gateway, &told, user_);
    if (told.closed != 0) standing.excluded = RouteExclusionReason::closed;
    standing.priority = static_cast<std::uint16_t>(
        std::clamp<std::int32_t>(told.priority, 0, std::numeric_limits<std::uint16_t>::max()));
    standing.line_limit = std::max(told.line_limit, -1);
    if (told.answer_percent >= 0)
      standing.answer_percent = static_cast<std::uint32_t>(std::min(told.answer_percent, 100));
    if (told.talk_time_s >= 0) standing.talk_time_s = static_cast<std::uint32_t>(told.talk_time_s);
    standing.price = Amount::from_units(told.price_units);
    standing.price_per_s = std::max<std::int64_t>(told.price_per_s, 0);
    standing.compares_price = told.price_as_lowest_only == 0;
  }

 private:
  tandem_vendor_conditions_fn function_;
  void* user_;
};

Result<RouteSort> read_sort(const tandem_route_query& given) {
  if (given.shorter_than < 0 || given.shorter_than > 255) {
    return Error{ErrorCode::invalid_argument,
                 "shorter_than " + std::to_string(given.shorter_than) + " was not in 0..255"};
  }
  RouteSort sort;
  for (auto [from, to] : {std::pair{given.sort_before_prefix, &sort.before_prefix},
                          {given.sort_after_prefix, &sort.after_prefix},
                          {given.sort_after_priority, &sort.after_priority}}) {
    for (std::size_t i = 0; i < to->size(); ++i) {
      const auto policy = read_enum(from[i], RoutePolicy::talk_time, "sort");
      if (!policy) return policy.error();
      (*to)[i] = *policy;
    }
  }
  return sort;
}

/// A C query as the table takes it; borrows from the caller's structure.
struct Query {
  Query(const tandem_route_query& given, const RouteSort& sort, RouteRotation& rotation)
      : load(given.load, given.load_user), conditions(given.conditions, given.conditions_user) {
    query.called = view(given.called);
    query.calling = view(given.calling);
    query.customer = view(given.customer);
    query.callee = view(given.callee);
    query.shorter_than = static_cast<std::uint8_t>(given.shorter_than);
    if (given.load != nullptr) query.load = &load;
    if (given.rotate != 0) query.rotation = &rotation;
    if (given.conditions != nullptr) query.conditions = &conditions;
    query.sort = sort;
  }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  const HostLoad load;  // asked only when there is a function, as are the conditions
  const HostConditions conditions;
  RouteQuery query;
};

std::string explanation_json(const RouteExplanation& explanation) {
  std::string out = "{\"candidates\":[";
  for (const RouteCandidate& c : explanation.candidates) {
    if (c.rank > 0) out += ',';
    out += "{\"gateway\":" + json_quoted(c.gateway_name) + ",\"prefix\":" + json_quoted(c.prefix) +
           ",\"rank\":" + std::to_string(c.rank) + ",\"priority\":" + std::to_string(c.priority) +
           ",\"load_calls\":" + std::to_string(c.load_calls) +
           ",\"load_limit\":" + std::to_string(c.load_limit) +
           ",\"sequence\":" + std::to_string(c.sequence) +
           ",\"protect\":" + (c.is_protect ? "true" : "false") + ",\"answer_percent\":" +
           (c.answer_percent < 0 ? "null" : std::to_string(c.answer_percent)) +
           ",\"talk_time_s\":" + (c.talk_time_s < 0 ? "null" : std::to_string(c.talk_time_s)) +
           ",\"price\":" + (c.price_per_s == 0 ? "null" : json_quoted(c.price.to_string())) +
           ",\"price_per_s\":" + std::to_string(c.price_per_s) + '}';
  }
  out += "],\"excluded\":[";
  bool is_first = true;
  for (const RouteExclusion& e : explanation.excluded) {
    if (!is_first) out += ',';
    is_first = false;
    out += "{\"gateway\":" + json_quoted(e.gateway_name) +
           ",\"reason\":" + json_quoted(route_exclusion_reason_name(e.reason)) +
           ",\"number\":" + json_quoted(number_verdict_name(e.number)) + '}';
  }
  return out += "]}";
}

}  // namespace
}  // namespace tandem::capi

extern "C" {

int tandem_number_policy_create(const tandem_number_policy_config* config,
                                tandem_number_policy** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(config);
    TANDEM_CAPI_NOT_NULL(out);
    const auto read = read_number_policy(config);
    TANDEM_CAPI_TRY(read);
    auto policy = NumberPolicy::build(*read);
    TANDEM_CAPI_TRY(policy);
    *out = new tandem_number_policy{std::move(*policy)};
    return TANDEM_OK;
  });
}

int tandem_number_policy_judge(const tandem_number_policy* policy, const char* caller,
                               const char* callee, int32_t* verdict) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(policy);
    TANDEM_CAPI_NOT_NULL(verdict);
    *verdict = static_cast<int32_t>(policy->body.judge(view(caller), view(callee)));
    return TANDEM_OK;
  });
}

void tandem_number_policy_destroy(tandem_number_policy* policy) { delete policy; }

int tandem_rewrite_rules_compile(const char* text, tandem_rewrite_rules** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    auto rules = RewriteRules::compile(view(text));
    TANDEM_CAPI_TRY(rules);
    *out = new tandem_rewrite_rules{std::move(*rules)};
    return TANDEM_OK;
  });
}

int tandem_rewrite_rules_apply(const tandem_rewrite_rules* rules, const char* number, uint64_t draw,
                               tandem_rewritten_number* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(rules);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_rewritten_number"));
    SeededRandom random(draw);
    const RewrittenNumber rewritten = rules->body.apply(view(number), random);
    tandem_rewritten_number result{};
    result.outcome = static_cast<int32_t>(rewritten.outcome);
    rewritten.view().copy(result.number, sizeof result.number - 1);
    write_struct(out, result);
    return TANDEM_OK;
  });
}

int tandem_rewrite_rules_match(const tandem_rewrite_rules* rules, const char* number,
                               size_t* rule) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(rules);
    TANDEM_CAPI_NOT_NULL(rule);
    const auto index = rules->body.matching_rule(view(number));
    if (!index) return fail(ErrorCode::not_found, "no rule matched \"" + copy(number) + "\"");
    *rule = *index;
    return TANDEM_OK;
  });
}

size_t tandem_rewrite_rules_size(const tandem_rewrite_rules* rules) {
  return rules == nullptr ? 0 : rules->body.size();
}

void tandem_rewrite_rules_destroy(tandem_rewrite_rules* rules) { delete rules; }

int tandem_route_table_builder_create(tandem_route_table_builder** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    *out = new tandem_route_table_builder;
    return TANDEM_OK;
  });
}

int tandem_route_table_builder_add(tandem_route_table_builder* builder,
                                   const tandem_vendor_route* vendor) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(builder);
    const auto given = read_struct(vendor, "tandem_vendor_route");
    TANDEM_CAPI_TRY(given);
    auto numbers = read_number_policy(given->numbers);
    TANDEM_CAPI_TRY(numbers);
    const auto mode = read_enum(given->prefix_mode, PrefixMode::expiration, "prefix_mode");
    TANDEM_CAPI_TRY(mode);
    VendorRoute route;
    route.gateway = copy(given->gateway);
    TANDEM_CAPI_TRY(read_texts(given->prefixes, given->prefixes_count, "prefixes", route.prefixes));
    TANDEM_CAPI_TRY(read_texts(given->allow_customers, given->allow_customers_count,
                               "allow_customers", route.allow_customers));
    TANDEM_CAPI_TRY(read_texts(given->deny_customers, given->deny_customers_count, "deny_customers",
                               route.deny_customers));
    route.prefix_mode = *mode;
    route.priority = given->priority;
    route.line_limit = given->line_limit;
    route.locked = given->locked != 0;
    route.protect = given->protect != 0;
    route.numbers = std::move(*numbers);
    TANDEM_CAPI_TRY(builder->body.add(std::move(route)));
    return TANDEM_OK;
  });
}

int tandem_route_table_builder_build(tandem_route_table_builder* builder,
                                     tandem_route_table** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(builder);
    TANDEM_CAPI_NOT_NULL(out);
    *out = new tandem_route_table(builder->body.build());
    return TANDEM_OK;
  });
}

void tandem_route_table_builder_destroy(tandem_route_table_builder* builder) { delete builder; }

int tandem_route_table_lookup(const tandem_route_table* table, const tandem_route_query* query,
                              const char** gateways, size_t capacity, size_t* count) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(table);
    TANDEM_CAPI_NOT_NULL(count);
    if (capacity > 0) TANDEM_CAPI_NOT_NULL(gateways);
    const auto given = read_struct(query, "tandem_route_query");
    TANDEM_CAPI_TRY(given);
    const auto sort = read_sort(*given);
    TANDEM_CAPI_TRY(sort);
    const Query q(*given, *sort, table->rotation);
    constexpr std::size_t few = 16;
    RouteCandidate on_stack[few];
    std::vector<RouteCandidate> on_heap;
    // A table has no more candidates than vendors, however large the caller's array is.
    std::size_t wanted = std::min(capacity, table->body.size());
    if (wanted > few) on_heap.resize(wanted);
    RouteCandidate* const candidates = wanted > few ? on_heap.data() : on_stack;
    *count = table->body.lookup(q.query, {candidates, wanted});
    for (std::size_t i = 0; i < *count; ++i)
      gateways[i] = table->names[candidates[i].gateway].c_str();
    return TANDEM_OK;
  });
}

int tandem_route_table_explain(const tandem_route_table* table, const tandem_route_query* query,
                               tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(table);
    TANDEM_CAPI_NOT_NULL(json);
    const auto given = read_struct(query, "tandem_route_query");
    TANDEM_CAPI_TRY(given);
    const auto sort = read_sort(*given);
    TANDEM_CAPI_TRY(sort);
    const Query q(*given, *sort, table->rotation);
    return give(explanation_json(table->body.explain(q.query)), json);
  });
}

size_t tandem_route_table_size(const tandem_route_table* table) {
  return table == nullptr ? 0 : table->names.size();
}

const char* tandem_route_table_gateway(const tandem_route_table* table, size_t index) {
  return table == nullptr || index >= table->names.size() ? nullptr : table->names[index].c_str();
}

void tandem_route_table_destroy(tandem_route_table* table) { delete table; }

int tandem_source_table_builder_create(tandem_source_table_builder** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    *out = new tandem_source_table_builder;
    return TANDEM_OK;
  });
}

int tandem_source_table_builder_add(tandem_source_table_builder* builder,
                                    const tandem_customer_source* source) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(builder);
    const auto given = read_struct(source, "tandem_customer_source");
    TANDEM_CAPI_TRY(given);
    auto numbers = read_number_policy(given->numbers);
    TANDEM_CAPI_TRY(numbers);
    std::vector<std::string> addresses;
    TANDEM_CAPI_TRY(read_texts(given->addresses, given->addresses_count, "addresses", addresses));
    CustomerSource customer;
    customer.id = copy(given->id);
    for (const std::string& text : addresses) {
      auto address = SourceAddress::parse(text);
      TANDEM_CAPI_TRY(address);
      customer.addresses.push_back(*address);
    }
    customer.priority = given->priority;
    customer.locked = given->locked != 0;
    customer.numbers = std::move(*numbers);
    TANDEM_CAPI_TRY(builder->body.add(std::move(customer)));
    return TANDEM_OK;
  });
}

int tandem_source_table_builder_build(tandem_source_table_builder* builder,
                                      tandem_source_table** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(builder);
    TANDEM_CAPI_NOT_NULL(out);
    *out = new tandem_source_table(builder->body.build());
    return TANDEM_OK;
  });
}

void tandem_source_table_builder_destroy(tandem_source_table_builder* builder) { delete builder; }

int tandem_source_table_identify(const tandem_source_table* table, const char* source,
                                 const char* caller, const char* callee, tandem_source_match* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(table);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_source_match"));
    const auto address = SocketAddress::parse(view(source));
    TANDEM_CAPI_TRY(address);
    const SourceMatch match = table->body.identify(*address, view(caller), view(callee));
    tandem_source_match result{};
    result.outcome = static_cast<int32_t>(match.outcome);
    result.restriction = static_cast<int32_t>(match.restriction);
    if (match.outcome != SourceMatch::Outcome::unknown) {
      result.customer = table->names[match.customer].c_str();
      result.locked = table->body.locked(match.customer) ? 1 : 0;
    }
    write_struct(out, result);
    return TANDEM_OK;
  });
}

void tandem_source_table_destroy(tandem_source_table* table) { delete table; }

}  // extern "C"
