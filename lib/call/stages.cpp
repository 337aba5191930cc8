#include "call/stages.hpp"

#include <algorithm>

namespace tandem::call {

namespace {

constexpr std::size_t candidates_max = 256;  // more vendors than this are not tried for one call

Verdict extract_numbers(CallContext& c, const StageAbilities&) {
  c.caller = number_from_user(c.from_user).value_or(Number());
  c.callee = number_from_user(c.request_user).value_or(Number());
  c.caller_in = c.caller;
  c.callee_in = c.callee;
  return Verdict::go_on();
}

Verdict identify_source(CallContext& c, const StageAbilities&) {
  if (c.asserted_customer) {
    c.customer = c.asserted_customer;
    c.source_match.outcome = SourceMatch::Outcome::identified;
    const auto& numbers = c.tables->sources.numbers(*c.customer);
    c.source_match.restriction = numbers.judge(c.caller.view(), c.callee.view());
    if (c.source_match.restriction != NumberVerdict::accepted)
      c.source_match.outcome = SourceMatch::Outcome::restricted;
    return Verdict::go_on();
  }
  c.source_match = c.tables->sources.identify(c.source, c.caller.view(), c.callee.view());
  if (c.source_match.outcome == SourceMatch::Outcome::unknown)
    return Verdict::reject(Reason::IllegalCall);
  c.customer = c.source_match.customer;
  return Verdict::go_on();
}

Verdict authenticate(CallContext& c, const StageAbilities& abilities) {
  if (!abilities.can_authenticate || c.is_authenticated || !c.customer_entry()->config.auth)
    return Verdict::go_on();
  return Verdict::wait(Verdict::Kind::authenticate);
}

/// Only now, so that who is not known learns nothing of what is a number here.
Verdict require_callee(CallContext& c, const StageAbilities&) {
  return c.callee.empty() ? Verdict::reject(Reason::NotFound) : Verdict::go_on();
}

Verdict admit_source(CallContext& c, const StageAbilities&) {
  const Customer& customer = *c.customer_entry();
  if (customer.config.locked) return Verdict::reject(Reason::GatewayLocked);
  if (c.is_rehearsal) {
    const auto limit = customer.config.line_limit;
    const bool full = limit >= 0 && customer.lines->current() >= static_cast<std::uint32_t>(limit);
    return full ? Verdict::reject(Reason::LineLimitExceeded) : Verdict::go_on();
  }
  c.customer_line = customer.lines->try_take(customer.config.line_limit);
  return c.customer_line ? Verdict::go_on() : Verdict::reject(Reason::LineLimitExceeded);
}

Verdict check_number_policy(CallContext& c, const StageAbilities&) {
  return c.source_match.outcome == SourceMatch::Outcome::restricted
             ? Verdict::reject(Reason::NumberRestricted)
             : Verdict::go_on();
}

bool rewrite(const RewriteRules& rules, Number& number, Random& random) {
  const RewrittenNumber result = rules.apply(number.view(), random);
  if (!result.ok()) return false;
  number = Number(result.view());
  return true;
}

Verdict rewrite_numbers(CallContext& c, const StageAbilities&) {
  const Customer& customer = *c.customer_entry();
  if (!rewrite(customer.rewrite_caller, c.caller, *c.random) ||
      !rewrite(customer.rewrite_callee, c.callee, *c.random) || c.callee.empty()) {
    return Verdict::reject(Reason::NotFound);
  }
  return Verdict::go_on();
}

Verdict ask_policy(CallContext& c, const StageAbilities& abilities) {
  if (!abilities.has_policy) return Verdict::go_on();
  if (!c.policy) return Verdict::wait(Verdict::Kind::ask_policy);
  if (!c.policy->allow) return Verdict::reject(Reason::NoCallPermission);
  for (auto [given, number] :
       {std::pair{&c.policy->caller, &c.caller}, {&c.policy->callee, &c.callee}}) {
    if (given->empty()) continue;
    if (!is_number(*given)) return Verdict::reject(Reason::InternalError);
    *number = Number(*given);
  }
  return Verdict::go_on();
}

Verdict charge_source(CallContext& c, const StageAbilities&) {
  const Payer& payer = c.customer_entry()->payer;
  if (!payer.account) return Verdict::reject(Reason::AccountNotExist);
  if (c.tables->free_numbers.contains(c.callee.view())) {
    c.is_free = true;
    const Reason why = c.state->accounts.check(payer.account, c.wall_us);
    return why == Reason::none ? Verdict::go_on() : Verdict::reject(why);
  }
  if (!payer.has_deck) return Verdict::reject(Reason::RateNotFound);
  const RateMatch match = payer.deck.find(c.callee.view(), c.wall_us, payer.call_level);
  if (!match.ok()) return Verdict::reject(match.reason);
  c.rate = match.rate;
  const auto first = CallMeter::first_hold(*match.rate, c.tables->parameters.fees);
  if (!first) return Verdict::reject(Reason::InternalError);
  if (c.is_rehearsal) {
    if (const Reason why = c.state->accounts.check(payer.account, c.wall_us); why != Reason::none) {
      return Verdict::reject(why);
    }
    // As open_call() does: without any money even a call that costs nothing is refused (B-02).
    const auto account = c.state->accounts.state(payer.account);
    const bool has_money =
        account && account->balance.units() + account->settings.overdraft_limit.units() > 0;
    return has_money && c.state->accounts.usable(payer.account) >= *first
               ? Verdict::go_on()
               : Verdict::reject(Reason::AccountBalanceNotEnough);
  }
  CallAdmission admission = c.state->accounts.open_call(payer.account, *first, c.wall_us);
  if (!admission.ok()) return Verdict::reject(admission.reason);
  c.money = std::move(admission.hold);
  return Verdict::go_on();
}

RouteQuery route_query(const CallContext& c) {
  RouteQuery query;
  query.called = c.callee.view();
  query.calling = c.caller.view();
  query.customer = c.customer_entry()->config.id;
  query.load = c.tables->vendor_lines.get();
  query.rotation = c.tables->rotation.get();
  return query;
}

/// A policy hook may name the vendors to try: only those, in its order.
void keep_named(CallContext& c) {
  if (!c.policy || c.policy->vendor_gateways.empty()) return;
  std::vector<RouteCandidate> kept;
  for (const auto& name : c.policy->vendor_gateways) {
    const auto found = std::find_if(
        c.candidates.begin(), c.candidates.end(),
        [&](const RouteCandidate& candidate) { return candidate.gateway_name == name; });
    if (found != c.candidates.end()) kept.push_back(*found);
  }
  c.candidates = std::move(kept);
}

Verdict find_candidates(CallContext& c, const StageAbilities&) {
  const RouteQuery query = route_query(c);
  if (c.is_rehearsal) {
    c.candidates = c.tables->routes.explain(query).candidates;
  } else {
    c.candidates.resize(std::min(c.tables->routes.size(), candidates_max));
    c.candidates.resize(c.tables->routes.lookup(query, c.candidates));
  }
  keep_named(c);
  return c.candidates.empty() ? Verdict::reject(Reason::NoAvailableRouter) : Verdict::go_on();
}

struct Stage {
  const char* name;
  Verdict (*run)(CallContext&, const StageAbilities&);
};

// The order of A-02. Its stages 1 (datagram admission), 3 (geofence), 7 (blacklists), 10 (number
// transform), 11 (LRN) and 13 (platform phones) have their place between these; 12 is the host's
// policy hook. Numbers are read first, because customers that share an address are told apart by
// them (A-03 point 2).
constexpr Stage stages[] = {
    {"numbers", extract_numbers},            // 5
    {"source", identify_source},             // 2
    {"authentication", authenticate},        // 4
    {"callee", require_callee},              // 5
    {"admission", admit_source},             // 6
    {"number_policy", check_number_policy},  // 8
    {"rewrite", rewrite_numbers},            // 9
    {"policy_hook", ask_policy},             // 12
    {"billing", charge_source},              // 14
    {"routing", find_candidates},            // 15
};

}  // namespace

std::optional<Number> number_from_user(std::string_view user) noexcept {
  std::array<char, 32> kept;
  std::size_t length = 0;
  for (const char c : user) {
    if (c == '-' || c == '.' || c == '(' || c == ')' || c == ' ') continue;
    if (length == kept.size()) return std::nullopt;
    kept[length++] = c;
  }
  const std::string_view text(kept.data(), length);
  if (!is_number(text)) return std::nullopt;
  return Number(text);
}

Verdict run_stages(CallContext& context, const StageAbilities& abilities, std::size_t& next_stage) {
  for (; next_stage < std::size(stages); ++next_stage) {
    const Stage& stage = stages[next_stage];
    const Number caller = context.caller;
    const Number callee = context.callee;
    const Verdict verdict = stage.run(context, abilities);
    if (context.recorder != nullptr) {
      context.recorder->push_back(
          {stage.name, caller, callee, context.caller, context.callee,
           verdict.kind == Verdict::Kind::reject ? reason_facts(verdict.reason).name : "continue"});
    }
    if (verdict.kind != Verdict::Kind::go_on) return verdict;
  }
  return Verdict::go_on();
}

CandidatePlan plan_candidate(const CallContext& context, const RouteCandidate& candidate) {
  CandidatePlan plan;
  plan.vendor = candidate.gateway;
  plan.route = candidate;
  plan.caller_out = context.caller;
  plan.callee_out = context.callee;
  const Vendor& vendor = context.tables->vendors[candidate.gateway];
  if (!rewrite(vendor.rewrite_caller, plan.caller_out, *context.random) ||
      !rewrite(vendor.rewrite_callee, plan.callee_out, *context.random) ||
      plan.callee_out.empty()) {
    plan.excluded = Reason::NumberRestricted;
    return plan;
  }
  if (vendor.payee.has_deck) {
    plan.vendor_rate = vendor.payee.deck.find(context.callee.view(), context.wall_us).rate;
  }
  return plan;
}

}  // namespace tandem::call
