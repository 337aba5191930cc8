#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "call/candidates.hpp"
#include "call/choice.hpp"
#include "call/media_path.hpp"
#include "call/stages.hpp"
#include "lrn/number.hpp"
#include "rating/package_charge.hpp"
#include "switch/config_reader_json.hpp"
#include "switch/explain.hpp"
#include "switch/name_keeper.hpp"

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
    if (!record.rules.empty()) stages.back()["rules"] = record.rules;
  }
  return stages;
}

/// The price of a second, cut to 1e-8; the order compares exact fractions.
Json per_second_json(const RouteCandidate& route) {
  if (route.price_per_s == 0) return nullptr;
  return Amount::from_units(route.price.units() / route.price_per_s).to_string();
}

/// What is known of where the callee is; null when the customer's calls do not ask, or it is
/// a phone here.
Json lrn_json(const call::CallContext& context) {
  const call::Customer* customer = context.customer_entry();
  if (customer == nullptr || customer->lrn_resolver == nullptr || call::is_for_phone(context))
    return nullptr;
  const auto record = [](const call::NumberLookup& lookup, const std::string& text) {
    return lookup.state == call::NumberLookup::State::found ? Json(text) : Json(nullptr);
  };
  const call::CallLrn& lrn = *context.lrn;
  return {{"resolver", customer->lrn_resolver->config.id},
          {"number", call::lrn_question(context).view()},
          {"source", call::lrn_source_name(lrn.source)},
          {"lrn", record(lrn.callee, lrn.callee.record.lrn)},
          {"callee_region", record(lrn.callee, lrn.callee.record.region)},
          {"caller_region", record(lrn.caller, lrn.caller.record.region)}};
}

void add_policies(Json& keys, const RouteSort::Place& place, const RouteCandidate& route) {
  for (const RoutePolicy policy : place) {
    if (policy == RoutePolicy::lowest_rate) keys["lowest_rate"] = per_second_json(route);
    if (policy == RoutePolicy::answer_ratio) {
      keys["answer_ratio"] = route.answer_percent < 0 ? Json(nullptr) : Json(route.answer_percent);
    }
    if (policy == RoutePolicy::talk_time)
      keys["talk_time"] = route.talk_time_s < 0 ? Json(nullptr) : Json(route.talk_time_s);
  }
}

/// The keys in the order in which they are compared.
Json keys_json(const RouteCandidate& route, const RouteSort& sort) {
  Json keys = {{"protect", route.is_protect}};
  add_policies(keys, sort.before_prefix, route);
  keys["prefix_length"] = route.prefix_length;
  add_policies(keys, sort.after_prefix, route);
  keys["priority"] = route.priority;
  add_policies(keys, sort.after_priority, route);
  const bool is_unlimited = route.load_calls == 0 && route.load_limit == 1;
  keys["load"] = std::to_string(route.load_calls) + "/" +
                 (is_unlimited ? "unlimited" : std::to_string(route.load_limit));
  keys["turn"] = route.sequence;
  return keys;
}

/// What the vendor's answers were in the window; null when they are not counted.
Json quality_json(const call::Vendor& vendor, std::int64_t now_us) {
  if (vendor.quality == nullptr) return nullptr;
  const route::Quality quality = vendor.quality->at(now_us);
  return {
      {"attempts", quality.attempts},
      {"answer_percent", quality.attempts == 0 ? Json(nullptr) : Json(quality.answer_percent())},
      {"average_talk_s", quality.ended == 0 ? Json(nullptr) : Json(quality.average_talk_s())}};
}

/// What a gateway says of the longest call (B-12): a number, two bounds, or null when the parameter
/// holds.
Json max_call_json(const GatewayConfig& gateway) {
  const auto& limit = gateway.max_call_s;
  if (!limit) return nullptr;
  if (limit->lower_s == limit->upper_s) return limit->upper_s;
  return Json::array({limit->lower_s, limit->upper_s});
}

/// Whether media is relayed and what says so (M-01). Null where the call's own offer or source
/// decides, which are not known here.
Json media_json(const call::CallContext& context, const call::CandidatePlan& plan,
                const VendorGateway& vendor) {
  const Parameters& p = context.tables->parameters;
  call::MediaChoice choice{
      .customer = context.customer_entry()->config.media,
      .vendor = vendor.media,
      .parameter = p.media_mode,
      .needs_keys = vendor.sip.srtp != SrtpMode::pass ||
                    context.customer_entry()->config.sip.srtp != SrtpMode::pass,
      .need = call::relay_need(context, vendor),
      .caller_is_behind_nat = plan.contact != nullptr,
      .relays_behind_nat = p.media_behind_nat};
  const call::MediaVerdict verdict = call::decide_media(choice);
  if (verdict.rule == "otherwise") return {{"relayed", nullptr}, {"rule", "by the call"}};
  return {{"relayed", verdict.is_relayed}, {"rule", verdict.rule}};
}

/// The audio codecs that the lists leave, in the order that the vendor is offered them where it has
/// a list; null: any (M-07).
Json codecs_json(const call::CallContext& context, const GatewayConfig& vendor) {
  const auto common = call::common_codecs(context.customer_entry()->config.codecs, vendor.codecs);
  if (!common) return nullptr;
  // Without one in common those that it is offered are the other side's, converted.
  const bool is_converted =
      common->empty() && call::can_transcode(context.customer_entry()->config, vendor);
  Json names = Json::array();
  for (const CodecName& codec : is_converted ? vendor.codecs : *common) {
    if (!codec.is_video) names.push_back(codec.to_string());
  }
  return names;
}

/// A rate with what its price is the price of.
Json rate_json(const Rate* rate) {
  if (rate == nullptr) return nullptr;
  return {{"prefix", rate->prefix}, {"price", rate->price.to_string()}, {"per_s", rate->per_s}};
}

/// How long the call could be (B-10): what packages have, then what the account has.
std::int64_t available_s(const call::CallContext& context, const call::Payer& payer,
                         const Rate& rate, const PackageHold& packages) {
  const CallStart start = context.call_start(payer, context.wall_us);
  Amount paid = std::max(Amount(), context.state->accounts.usable(payer.account));
  for (const Amount gift : {packages.available_money(),
                            rating::worth_of(rate, packages.available_s(), payer.fees, start)})
    paid = Amount::add(paid, gift).value_or(Amount::from_units(INT64_MAX));
  return available_time_s(rate, paid, payer.fees, start);
}

/// What packages have for the call (B-22, B-24); null when the account has none.
Json packages_json(const PackageHold& packages, const Rate* package_rate) {
  if (!packages.is_open()) return nullptr;
  return {{"gift_s", packages.available_s()},
          {"gift_money", packages.available_money().to_string()},
          {"period_rate", rate_json(package_rate)}};
}

/// What a payer's money says of the call (B-02, B-11); null when it is not charged.
Json money_json(const call::CallContext& context, const call::Payer& payer, const Rate* rate,
                const PackageHold& packages) {
  if (!payer.account) return nullptr;
  const AccountBook& accounts = context.state->accounts;
  const auto state = accounts.state(payer.account);
  if (!state) return nullptr;
  const auto overdraft = largest_overdraft(*state);
  Json first = nullptr;
  if (rate != nullptr) {
    if (const auto hold =
            CallMeter::first_hold(*rate, payer.fees, context.call_start(payer, context.wall_us)))
      first = hold->to_string();
  }
  const std::int32_t advance_min = context.tables->parameters.overdraft_advance_min;
  return {{"account", payer.account_id},
          {"rate", rate_json(rate)},
          {"usable", accounts.usable(payer.account).to_string()},
          {"first_hold", std::move(first)},
          {"available_time_s",
           rate == nullptr ? Json(nullptr) : Json(available_s(context, payer, *rate, packages))},
          {"advance_s", advance_min == 0 ? 10 : 60 * advance_min},
          {"limits",
           config::json_or_null(limits_to_json(accounts.limits(payer.account, context.wall_us)))},
          {"largest_overdraft", overdraft ? Json(overdraft->to_string()) : Json(nullptr)}};
}

/// B-13: (sell - buy) / sell in percent with two decimals, by steady-cycle prices; null when a side
/// has no price, or what is sold for nothing costs something: there is no number below all others.
Json profit_json(const std::optional<SteadyPrice>& sell, const std::optional<SteadyPrice>& buy) {
  if (!sell || !buy) return nullptr;
  if (sell->price.is_zero()) return buy->price.is_zero() ? Json("0.00") : Json(nullptr);
  const Wide sell_rate = static_cast<Wide>(sell->price.units()) * buy->per_s;
  const Wide buy_rate = static_cast<Wide>(buy->price.units()) * sell->per_s;
  const Wide hundredths = (sell_rate - buy_rate) * 10'000 / sell_rate;
  constexpr Wide bound = INT64_MAX / 1'000'000;
  if (hundredths > bound || hundredths < -bound) return nullptr;
  return Amount::from_units(static_cast<std::int64_t>(hundredths) * (Amount::scale / 100))
      .to_string();
}

/// The price of a side at the time of the call; nothing without a rate.
std::optional<SteadyPrice> price_of(const call::CallContext& context, const call::Payer& payer,
                                    const Rate* rate) {
  if (rate == nullptr) return std::nullopt;
  return steady_price(*rate, context.call_start(payer, context.wall_us));
}

/// The price as its deck states it; null when the vendor has no rate for the number.
Json price_json(const std::optional<SteadyPrice>& price) {
  if (!price) return nullptr;
  return price->price.to_string();
}

Json excluded_json(std::string_view gateway, const char* reason, std::string_view rule) {
  Json row = {{"gateway", gateway}, {"reason", reason}};
  if (!rule.empty()) row["rule"] = rule;
  return row;
}

/// The vendors that the list of candidates does not have: kept out by the table, or behind more
/// candidates than a call tries.
void add_excluded(Json& excluded, const call::CallContext& context, const RouteQuery& query) {
  const auto is_listed = [&](std::uint32_t gateway) {
    return std::any_of(context.setup->candidates.begin(), context.setup->candidates.end(),
                       [&](const auto& known) { return known.gateway == gateway; });
  };
  const RouteExplanation table = context.tables->routes.explain(query);
  for (const RouteCandidate& candidate : table.candidates) {
    if (is_listed(candidate.gateway)) continue;
    const bool is_by_servers = context.customer_entry() != nullptr &&
                               call::use_of_servers(context) == RedirectServers::only;
    excluded.push_back(excluded_json(candidate.gateway_name, "not_come_to",
                                     is_by_servers ? "redirect_servers" : "candidates_max"));
  }
  for (const RouteExclusion& exclusion : table.excluded) {
    if (is_listed(exclusion.gateway)) continue;
    const bool is_by_list = exclusion.number != NumberVerdict::accepted;
    const bool is_unwanted_server =
        exclusion.reason == RouteExclusionReason::customer_not_allowed &&
        context.customer_entry() != nullptr &&
        context.customer_entry()->config.redirect_servers == RedirectServers::off &&
        context.tables->vendors[exclusion.gateway].config.sip.redirects.to_gateways;
    excluded.push_back(excluded_json(exclusion.gateway_name,
                                     route_exclusion_reason_name(exclusion.reason),
                                     is_by_list           ? number_verdict_name(exclusion.number)
                                     : is_unwanted_server ? "redirect_servers"
                                                          : ""));
    if (!is_by_list) continue;
    if (std::string entry = call::refusing_list_entry(context, exclusion.gateway); !entry.empty())
      excluded.back()["entry"] = std::move(entry);
  }
}

/// A call of nobody's: no conditions could be asked, and every vendor is out of its reach.
void add_unasked(Json& excluded, call::CallContext& context, Reason refused) {
  RouteQuery query;
  query.called = context.routing_number().view();
  query.calling = context.caller.view();
  context.setup->candidates = context.tables->routes.explain(query).candidates;
  for (const RouteCandidate& route : context.setup->candidates) {
    excluded.push_back(
        excluded_json(route.gateway_name, "call_refused", reason_facts(refused).name));
  }
  add_excluded(excluded, context, query);
}

/// Every vendor, in order of trial or with what keeps it from it. `refused`: why the call is, when
/// it comes to no vendor.
void add_candidates(Json& answer, call::CallContext& context, Reason refused) {
  Json candidates = Json::array();
  Json excluded = Json::array();
  if (context.customer_entry() == nullptr) {
    add_unasked(excluded, context, refused);
  } else {
    const call::VendorConditions conditions(context);
    const RouteQuery query = call::route_query(context, conditions);
    std::vector<std::uint32_t> able;
    std::size_t next = 0;
    while (const RouteCandidate* const candidate = call::next_candidate(context, next, able)) {
      const RouteCandidate& route = *candidate;
      call::CandidatePlan plan = call::plan_candidate(context, route, context.arrived_us);
      const call::Vendor& vendor = context.tables->vendors[plan.vendor];
      call::VendorLease nothing;  // a rehearsal only looks
      Json keys = keys_json(route, query.sort);
      const auto buy = price_of(context, vendor.payee, plan.vendor_rate);
      const auto sell = price_of(context, context.payers()->payer, context.rate);
      const bool is_able =
          !plan.excluded && call::take_vendor(context, plan, nothing, context.arrived_us);
      if (is_able) able.push_back(plan.vendor);
      if (!is_able || refused != Reason::none) {
        Json row =
            is_able ? excluded_json(vendor.config.id, "call_refused", reason_facts(refused).name)
                    : excluded_json(vendor.config.id, reason_facts(*plan.excluded).name, plan.rule);
        row["prefix"] = route.prefix;
        row["keys"] = std::move(keys);
        row["profit_percent"] = profit_json(sell, buy);
        row["vendor_rate"] = rate_json(plan.vendor_rate);
        excluded.push_back(std::move(row));
        continue;
      }
      candidates.push_back({{"gateway", vendor.config.id},
                            {"prefix", route.prefix},
                            {"rank", candidates.size()},
                            {"keys", std::move(keys)},
                            {"caller_out", plan.caller_out.view()},
                            {"callee_out", plan.callee_out.view()},
                            {"vendor_price", price_json(buy)},
                            {"profit_percent", profit_json(sell, buy)},
                            {"vendor_rate", rate_json(plan.vendor_rate)},
                            {"quality", quality_json(vendor, context.arrived_us)},
                            {"vendor_callee_billing", plan.vendor_callee.view()},
                            {"max_call_s", max_call_json(vendor.config)},
                            {"media", media_json(context, plan, vendor.config)},
                            {"codecs", codecs_json(context, vendor.config)}});
      // It decides instead of taking the call (I-03).
      if (vendor.config.sip.redirects.to_gateways) candidates.back()["redirect_server"] = true;
      if (plan.contact != nullptr) candidates.back()["contact"] = plan.contact->uri;
      if (plan.address != nullptr)
        candidates.back()["address"] = plan.address->address().to_string();
      if (plan.place != nullptr) {
        candidates.back()["transport"] = transport_name(plan.place->transport);
        if (!plan.place->name.empty()) candidates.back()["name"] = plan.place->name;
      }
      if (auto rules = call::matching_vendor_rules(context, plan.vendor); !rules.empty())
        candidates.back()["rules"] = std::move(rules);
    }
    // Who is called where he registered is not looked for among vendors.
    if (!call::is_for_phone(context)) add_excluded(excluded, context, query);
  }
  answer["candidates"] = std::move(candidates);
  answer["excluded"] = std::move(excluded);
}

/// Goes through the stages behind the one that refused, so that vendors are known as they would
/// have been asked: numbers rewritten, prices found. A phone that may not be called is not looked
/// for among vendors, so that none of them is told as one that would have been tried. Nothing is
/// taken, nothing recorded.
void find_vendors_nevertheless(call::CallContext& context, std::size_t next_stage,
                               const call::StageAbilities& abilities) {
  if (context.customer_entry() == nullptr) return;
  context.setup->recorder = nullptr;
  call::Verdict verdict = call::Verdict::reject(Reason::none);
  while (verdict.kind == call::Verdict::Kind::reject && !call::is_for_phone(context))
    verdict = call::run_stages(context, abilities, ++next_stage);
}

Result<void> set_source(call::CallContext& context, const std::string& from) {
  if (auto address = SocketAddress::parse(from, 5060)) {
    context.source = *address;
    return {};
  }
  context.setup->asserted_customer = context.tables->find_customer(from);
  if (!context.setup->asserted_customer) {
    return Error{ErrorCode::not_found,
                 "\"" + from + "\" is neither a customer gateway, a phone nor an address"};
  }
  return {};
}

}  // namespace

Result<std::string> explain_call(std::shared_ptr<const call::Tables> tables,
                                 std::shared_ptr<const call::Names> names, call::SharedState& state,
                                 Random& random, const Clock& clock,
                                 const ExplainRequest& request) {
  std::vector<call::StageRecord> recorded;
  call::CallContext context;
  context.tables = std::move(tables);
  context.names = std::move(names);
  context.state = &state;
  context.random = &random;
  context.wall_us = request.at_us.value_or(clock.wall_us());
  context.arrived_us = clock.monotonic_us();
  context.is_rehearsal = true;
  context.setup->recorder = &recorded;
  context.setup->request_user = request.callee;
  context.setup->from_user = request.caller;
  context.lrn = std::make_unique<call::CallLrn>();
  if (request.lrn) {
    if (!lrn::make_record(request.lrn->lrn, request.lrn->region)) {
      return Error{ErrorCode::invalid_argument, "\"" + request.lrn->lrn + "\" is no LRN, or \"" +
                                                    request.lrn->region + "\" no region"};
    }
    context.lrn->callee.settle(request.lrn);
    context.lrn->source = call::CallLrn::Source::given;
  }
  if (request.caller_region) context.lrn->caller.settle(LrnRecord{{}, *request.caller_region});
  if (request.forwarder) {
    if (!is_number(*request.forwarder)) {
      return Error{ErrorCode::invalid_argument,
                   "forwarder \"" + *request.forwarder + "\" was not a number of 1..32 characters"};
    }
    context.setup->forwarder = call::Number(*request.forwarder);
  }
  if (auto source = set_source(context, request.from); !source) return source.error();

  const call::StageAbilities abilities{
      .can_authenticate = false, .can_look_up = false, .has_policy = false};
  std::size_t next_stage = 0;
  const call::Verdict verdict = call::run_stages(context, abilities, next_stage);
  const bool is_refused = verdict.kind == call::Verdict::Kind::reject;
  Json answer;
  answer["stages"] = stages_json(recorded);
  answer["caller"] = context.caller.view();
  answer["callee"] = context.callee.view();
  answer["callee_billing"] =
      (context.billing_number().empty() ? context.callee : context.billing_number()).view();
  answer["callee_routing"] = context.routing_number().view();
  answer["lrn"] = lrn_json(context);
  if (const auto* customer = context.customer_entry()) {
    answer["customer_gateway"] = customer->config.id;
  } else {
    answer["customer_gateway"] = nullptr;
  }
  answer["rate"] = rate_json(context.rate);
  const call::Payers* const payers = context.payers();
  answer["money"] = payers != nullptr
                        ? money_json(context, payers->payer, context.rate, context.setup->packages)
                        : Json(nullptr);
  answer["agent"] = payers != nullptr ? money_json(context, payers->agent, context.agent_rate,
                                                   context.setup->agent_packages)
                                      : Json(nullptr);
  const auto rate_of = [](const call::PackageTerms* terms) {
    return terms != nullptr ? terms->prices.rate.get() : nullptr;
  };
  answer["agent_packages"] =
      packages_json(context.setup->agent_packages, rate_of(context.agent_package_terms.get()));
  answer["packages"] = packages_json(context.setup->packages, rate_of(context.package_terms.get()));
  if (const auto* targets = context.setup->forward.targets) {
    Json numbers = Json::array();
    for (const ForwardTarget& target : *targets)
      numbers.push_back(target.number);
    const ForwardMethod method =
        context.tables->phone_at(context.called_phone).config.forward.method;
    answer["forward"] = {{"reason", forward_reason_name(context.setup->forward.reason)},
                         {"targets", std::move(numbers)},
                         {"method", forward_method_name(method)}};
  }
  const bool is_forwarded = context.setup->forward.targets != nullptr;
  const bool is_pickup = verdict.kind == call::Verdict::Kind::stand_in;
  if (is_refused) find_vendors_nevertheless(context, next_stage, abilities);
  add_candidates(answer, context, is_refused ? verdict.reason : Reason::none);
  if (is_refused) {
    answer["reject"] = reason_facts(verdict.reason).name;
  } else if (answer["candidates"].empty() && !is_forwarded && !is_pickup) {
    answer["reject"] =
        answer["excluded"].empty() ? Json("NoAvailableRouter") : answer["excluded"][0]["reason"];
  } else {
    answer["reject"] = nullptr;
  }
  return answer.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> explain(const SwitchConfig& config, const ExplainRequest& request) {
  constexpr std::int64_t names_wait_us = 5'000'000;
  call::SharedState state;
  auto tables = call::build_tables(config, state, nullptr);
  if (!tables) return tables.error();
  const auto names = call::build_names(
      **tables, state, locate_now(config.dns, call::wanted_locations(**tables), names_wait_us));
  SecureRandom random;
  return explain_call(std::move(*tables), names, state, random, SystemClock(), request);
}

}  // namespace tandem
