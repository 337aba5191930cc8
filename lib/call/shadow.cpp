#include "call/shadow.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "call/candidates.hpp"
#include "call/choice.hpp"

namespace tandem::call {

std::string_view ShadowCall::first_vendor() const noexcept {
  const auto first =
      std::find_if(met.begin(), met.end(), [](const Vendor& v) { return !v.was_out_of_reach; });
  return first == met.end() ? std::string_view() : std::string_view(first->id);
}

std::string_view ShadowCall::carrier() const noexcept {
  if (!is_answered) return {};
  const auto last = std::find_if(
      met.begin(), met.end(), [](const Vendor& v) { return !v.was_out_of_reach && !v.has_failed; });
  return last == met.end() ? std::string_view() : std::string_view(last->id);
}

Result<std::unique_ptr<ShadowRouter>> ShadowRouter::create(SwitchConfig config,
                                                           std::unique_ptr<Random> random) {
  for (AccountConfig& account : config.provision.accounts) {
    account.balance = account_amount_max;
    account.limits.clear();
  }
  std::unique_ptr<ShadowRouter> router(new ShadowRouter(std::move(random)));
  auto tables = build_tables(config, router->state_, nullptr);
  if (!tables) return tables.error();
  router->tables_ = std::move(*tables);
  for (std::uint32_t i = 0; i < router->tables_->vendors.size(); ++i)
    router->vendors_.emplace(router->tables_->vendors[i].config.id, i);
  return router;
}

ShadowDecision ShadowRouter::route(const ShadowCall& call) {
  hindsight_.clear();
  for (const ShadowCall::Vendor& vendor : call.met) {
    if (const auto found = vendors_.find(vendor.id); found != vendors_.end())
      hindsight_.add(Hindsight::Met{found->second, vendor.was_out_of_reach, vendor.has_failed});
  }
  for (const ShadowCall::AnswerRatio& ratio : call.ratios) {
    if (const auto found = vendors_.find(ratio.id); found != vendors_.end())
      hindsight_.add(Hindsight::AnswerRatio{found->second, ratio.percent, ratio.talk_time_s});
  }

  CallContext context;
  context.tables = tables_;
  context.state = &state_;
  context.random = random_.get();
  context.wall_us = call.arrived_wall_us;
  context.is_rehearsal = true;
  context.setup->hindsight = &hindsight_;
  context.source = call.source;
  context.is_from_any_page = call.is_from_any_page;
  context.setup->request_user = call.callee_user;
  context.setup->from_user = call.caller_user;
  if (call.policy) context.setup->policy = std::make_unique<const PolicyAnswer>(*call.policy);
  context.setup->split_call = call.split_call;
  context.lrn = std::make_unique<CallLrn>(call.lrn);
  context.setup->forwarder = call.forwarder;
  // Who registered then is not known here any more, but who it was is.
  if (const auto caller = tables_->find_customer(call.customer_gateway);
      caller && tables_->customers[*caller].registers)
    context.setup->asserted_customer = caller;
  std::size_t next_stage = 0;
  const Verdict verdict = run_stages(
      context,
      {.can_authenticate = false, .can_look_up = false, .has_policy = call.policy.has_value()},
      next_stage);

  ShadowDecision decision;
  if (context.rate != nullptr) {
    decision.is_rated = true;
    decision.rate_prefix = context.rate->prefix;
    decision.area = context.rate->area;
  }
  if (verdict.kind != Verdict::Kind::go_on) {  // nobody is asked anything here
    decision.reject =
        verdict.kind == Verdict::Kind::reject ? verdict.reason : Reason::InternalError;
    return decision;
  }
  std::optional<Reason> first_skip;
  std::vector<std::uint32_t> tried;
  std::size_t next = 0;
  while (const RouteCandidate* const candidate = next_candidate(context, next, tried)) {
    const Hindsight::Met* const met = hindsight_.find(candidate->gateway);
    if (met != nullptr && met->was_out_of_reach) continue;
    CandidatePlan plan = plan_candidate(context, *candidate, context.arrived_us);
    VendorLease nothing;  // a rehearsal only looks
    if (plan.excluded || !take_vendor(context, plan, nothing, context.arrived_us)) {
      if (!first_skip) first_skip = plan.excluded;
      continue;
    }
    tried.push_back(plan.vendor);
    const Vendor& vendor = tables_->vendors[plan.vendor];
    if (decision.first_vendor.empty()) decision.first_vendor = vendor.config.id;
    if (!call.is_answered) return decision;
    if (met != nullptr && met->has_failed) continue;
    decision.carrier = vendor.config.id;
    const auto price = [&](const Rate* rate, const Payer& side) {
      std::optional<ShadowMoney> money;
      if (rate == nullptr) return money;
      if (const auto charge = rate_call(*rate, call.talk_time_ms, side.fees, nullptr,
                                        context.call_start(side, call.answered_wall_us)))
        money = ShadowMoney{charge->charge, side.currency};
      return money;
    };
    const Payer& payer = context.payers()->payer;
    decision.revenue =
        context.is_free ? ShadowMoney{Amount(), payer.currency} : price(context.rate, payer);
    decision.cost = price(plan.vendor_rate, vendor.payee);
    return decision;
  }
  if (decision.first_vendor.empty())
    decision.reject = first_skip.value_or(Reason::AllGatewayBusy);  // those met were out of reach
  return decision;
}

}  // namespace tandem::call
