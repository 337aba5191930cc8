#include <nlohmann/json.hpp>

#include "call/stages.hpp"
#include "switch/explain.hpp"

namespace tandem {

namespace {

using Json = nlohmann::ordered_json;
__extension__ using Wide = __int128;

Json stages_json(const std::vector<call::StageRecord>& records) {
  Json stages = Json::array();
  for (const call::StageRecord& record : records) {
    stages.push_back({{"name", record.name},
                      {"caller_before", record.caller_before.view()},
                      {"callee_before", record.callee_before.view()},
                      {"caller_after", record.caller_after.view()},
                      {"callee_after", record.callee_after.view()},
                      {"verdict", record.verdict}});
  }
  return stages;
}

Json keys_json(const RouteCandidate& route) {
  return {{"prefix_length", route.prefix_length},
          {"priority", route.priority},
          {"load",
           std::to_string(route.load_calls) + "/" +
               (route.load_calls == 0 && route.load_limit == 1 ? "unlimited"
                                                               : std::to_string(route.load_limit))},
          {"turn", route.sequence}};
}

/// A rate with what its price is the price of.
Json rate_json(const Rate* rate) {
  if (rate == nullptr) return nullptr;
  return {{"prefix", rate->prefix}, {"price", rate->price.to_string()}, {"per_s", rate->per_s}};
}

/// B-13: (sell - buy) / sell in percent with two decimals, by steady-cycle prices; null when a side
/// has no price.
Json profit_json(const Rate* sell, const Rate* buy) {
  if (sell == nullptr || buy == nullptr || sell->price.is_zero()) return nullptr;
  const Wide sell_rate = static_cast<Wide>(sell->price.units()) * buy->per_s;
  const Wide buy_rate = static_cast<Wide>(buy->price.units()) * sell->per_s;
  const Wide hundredths = (sell_rate - buy_rate) * 10'000 / sell_rate;
  constexpr Wide bound = INT64_MAX / 1'000'000;
  if (hundredths > bound || hundredths < -bound) return nullptr;
  return Amount::from_units(static_cast<std::int64_t>(hundredths) * (Amount::scale / 100))
      .to_string();
}

/// The price as its deck states it; null when the vendor has no rate for the number.
Json price_json(const Rate* rate) {
  if (rate == nullptr) return nullptr;
  return rate->price.to_string();
}

void add_candidates(Json& answer, const call::CallContext& context) {
  Json candidates = Json::array();
  Json excluded = Json::array();
  for (const RouteCandidate& route : context.candidates) {
    const call::CandidatePlan plan = call::plan_candidate(context, route);
    const call::Vendor& vendor = context.tables->vendors[plan.vendor];
    std::optional<Reason> why = plan.excluded;
    if (!why && vendor.payee.account) {
      const Reason account = context.state->accounts.check(vendor.payee.account, context.wall_us);
      if (account != Reason::none) why = account;
    }
    const int limit = vendor.config.line_limit;
    const auto calls = context.tables->vendor_lines->current_calls(plan.vendor);
    if (!why && limit >= 0 && calls >= static_cast<std::uint32_t>(limit))
      why = Reason::AllGatewayBusy;
    if (why) {
      excluded.push_back({{"gateway", vendor.config.id}, {"reason", reason_facts(*why).name}});
      continue;
    }
    candidates.push_back({{"gateway", vendor.config.id},
                          {"prefix", route.prefix},
                          {"rank", candidates.size()},
                          {"keys", keys_json(route)},
                          {"caller_out", plan.caller_out.view()},
                          {"callee_out", plan.callee_out.view()},
                          {"vendor_price", price_json(plan.vendor_rate)},
                          {"profit_percent", profit_json(context.rate, plan.vendor_rate)},
                          {"vendor_rate", rate_json(plan.vendor_rate)}});
  }
  RouteQuery query;
  query.called = context.callee.view();
  query.calling = context.caller.view();
  if (const auto* customer = context.customer_entry()) query.customer = customer->config.id;
  query.load = context.tables->vendor_lines.get();
  query.rotation = context.tables->rotation.get();
  for (const RouteExclusion& exclusion : context.tables->routes.explain(query).excluded) {
    Json row = {{"gateway", exclusion.gateway_name},
                {"reason", route_exclusion_reason_name(exclusion.reason)}};
    if (exclusion.number != NumberVerdict::accepted)
      row["rule"] = number_verdict_name(exclusion.number);
    excluded.push_back(std::move(row));
  }
  answer["candidates"] = std::move(candidates);
  answer["excluded"] = std::move(excluded);
}

Result<void> set_source(call::CallContext& context, const std::string& from) {
  if (auto address = SocketAddress::parse(from, 5060)) {
    context.source = *address;
    return {};
  }
  context.asserted_customer = context.tables->find_customer(from);
  if (!context.asserted_customer) {
    return Error{ErrorCode::not_found,
                 "\"" + from + "\" is neither a customer gateway nor an address"};
  }
  return {};
}

}  // namespace

Result<std::string> explain_call(std::shared_ptr<const call::Tables> tables,
                                 call::SharedState& state, Random& random, const Clock& clock,
                                 const ExplainRequest& request) {
  std::vector<call::StageRecord> recorded;
  call::CallContext context;
  context.tables = std::move(tables);
  context.state = &state;
  context.random = &random;
  context.wall_us = request.at_us.value_or(clock.wall_us());
  context.is_rehearsal = true;
  context.recorder = &recorded;
  context.request_user = request.callee;
  context.from_user = request.caller;
  if (auto source = set_source(context, request.from); !source) return source.error();

  std::size_t next_stage = 0;
  const call::Verdict verdict =
      call::run_stages(context, {.can_authenticate = false, .has_policy = false}, next_stage);
  Json answer;
  answer["stages"] = stages_json(recorded);
  answer["caller"] = context.caller.view();
  answer["callee"] = context.callee.view();
  answer["callee_billing"] = context.callee.view();
  if (const auto* customer = context.customer_entry()) {
    answer["customer_gateway"] = customer->config.id;
  } else {
    answer["customer_gateway"] = nullptr;
  }
  answer["rate"] = rate_json(context.rate);
  add_candidates(answer, context);
  if (verdict.kind == call::Verdict::Kind::reject) {
    answer["reject"] = reason_facts(verdict.reason).name;
  } else if (answer["candidates"].empty()) {
    answer["reject"] =
        answer["excluded"].empty() ? Json("NoAvailableRouter") : answer["excluded"][0]["reason"];
  } else {
    answer["reject"] = nullptr;
  }
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> explain(const SwitchConfig& config, const ExplainRequest& request) {
  call::SharedState state;
  auto tables = call::build_tables(config, state, nullptr);
  if (!tables) return tables.error();
  SecureRandom random;
  return explain_call(std::move(*tables), state, random, SystemClock(), request);
}

}  // namespace tandem
