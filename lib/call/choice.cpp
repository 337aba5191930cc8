#include "call/choice.hpp"

#include <algorithm>
#include <utility>

#include "call/hindsight.hpp"
#include "call/media_path.hpp"

namespace tandem::call {

namespace {

__extension__ using Wide = __int128;
constexpr std::int64_t second_us = 1'000'000;

/// B-13 by steady-cycle prices: whether (sell - buy) / sell is at least `min_hundredths` of a
/// percent. Nothing sold: only a vendor that costs nothing leaves no loss.
bool has_profit(const SteadyPrice& sell, const SteadyPrice& buy,
                std::int32_t min_hundredths) noexcept {
  // Both over one denominator, sell.per_s * buy.per_s.
  const Wide sells = static_cast<Wide>(sell.price.units()) * buy.per_s;
  const Wide buys = static_cast<Wide>(buy.price.units()) * sell.per_s;
  if (sells == 0) return buys == 0 && min_hundredths <= 0;
  return (sells - buys) * 10'000 >= sells * min_hundredths;
}

bool is_dearer(const SteadyPrice& price, Amount max_per_s) noexcept {
  return static_cast<Wide>(price.price.units()) >
         static_cast<Wide>(max_per_s.units()) * price.per_s;
}

/// The guards of R-18 by price. Who asks is told the name of the setting that refuses; "" when none
/// does. A call that nobody pays for, and a vendor without a price, are not judged.
std::string_view refusing_guard(const CallContext& c, const Vendor& vendor,
                                const Rate* rate) noexcept {
  if (rate == nullptr || c.rate == nullptr) return {};
  const GatewayConfig& customer = c.customer_entry()->config;
  const SteadyPrice sell = steady_price(*c.rate, c.call_start(c.payers()->payer, c.wall_us));
  const SteadyPrice buy = steady_price(*rate, vendor.payee.call_start(c.wall_us));
  for (const GatewayConfig* gateway :
       {&customer, static_cast<const GatewayConfig*>(&vendor.config)}) {
    if (gateway->max_price_per_s && is_dearer(buy, *gateway->max_price_per_s))
      return "max_price_per_s";
    if (gateway->min_profit_hundredths && !has_profit(sell, buy, *gateway->min_profit_hundredths))
      return "min_profit_percent";
  }
  return {};
}

/// The vendor's account: locked, expired, or with less than the parameter asks for.
std::optional<Reason> refusing_account(const CallContext& c, const Vendor& vendor) noexcept {
  if (!vendor.payee.account) return std::nullopt;
  const Reason why = c.state->accounts.check(vendor.payee.account, c.wall_us);
  if (why != Reason::none) return why;
  const auto& minimum = c.tables->parameters.vendor_balance_minimum;
  if (minimum && c.state->accounts.balance(vendor.payee.account) < *minimum)
    return Reason::AccountBalanceNotEnough;
  return std::nullopt;
}

/// Which list of the vendor refuses who sent the call on (N-06); "": none, or nobody did.
std::string_view refusing_forward_list(const CallContext& c, const Vendor& vendor) noexcept {
  if (!c.setup->forwarder) return {};
  const std::string_view forwarder = c.setup->forwarder->view();
  if (!vendor.allow_forwarders.empty() && !vendor.allow_forwarders.has_prefix_of(forwarder))
    return "allow_forward_prefixes";
  return vendor.deny_forwarders.has_prefix_of(forwarder) ? "deny_forward_prefixes" : "";
}

/// The callee as a vendor gets it: what the transform table says of it, else what its rules, or
/// those of the hours, make of it. False: that is no number.
bool write_callee(const CallContext& c, const Vendor& vendor, const RewriteRules* period_rules,
                  Number& callee) {
  callee = c.callee;
  if (vendor.config.number_transform) {
    const std::string_view wanted = c.wanted_number().view();
    const std::string_view known = c.tables->number_transforms.to_vendor(wanted);
    if (known != wanted) {
      callee = Number(known);
      return !callee.empty();
    }
  }
  return rewrite(period_rules != nullptr ? *period_rules : vendor.rewrite_callee, callee,
                 *c.random) &&
         complete_area(c.tables->mobile_areas, vendor.mobile_areas, callee) && !callee.empty();
}

/// The rate of the vendor's side for a callee that it gets as `callee_out` (B-16); `rated` is the
/// number that it was found by.
RateMatch find_vendor_rate(const CallContext& c, const Vendor& vendor, const Number& callee_out,
                           Number& rated) noexcept {
  const Number& owed =
      vendor.config.clearing_account_use_callout_e164 ? callee_out : c.callee_billing;
  rated = Number(vendor.payee.rated(owed.view()));
  if (!vendor.payee.has_deck) return {};  // RateNotFound
  return vendor.payee.deck.find(rated.view(), c.wall_us);
}

/// The callee that a vendor's lists judge (N-06): without what only steers routing, the prefix of a
/// split and that which the customer's deck leaves out (B-14), and as it was dialled;
/// or as a redirect server wants it (I-03).
std::string_view listed_callee(const CallContext& c) noexcept {
  if (!c.setup->callee_by_server.empty()) return c.setup->callee_by_server.view();
  const Payers* const payers = c.payers();
  const std::string_view callee = c.callee_billing.view();
  return payers == nullptr ? callee : payers->payer.rated(callee);
}

/// T-15: the caller as a phone that wants that is shown it, by its account's phone book; "": as it
/// is.
std::string_view short_caller_for(const CallContext& c, std::uint32_t vendor) {
  if (!c.tables->vendors[vendor].is_phone) return {};
  const Phone& phone = c.tables->phone_at(vendor);
  const PhoneBook* const book = c.tables->customers[phone.customer].payer.phone_book.get();
  if (!phone.config.shows_short_callers || book == nullptr) return {};
  return book->short_of(c.routing_caller().view());
}

/// Where a vendor that has names is called first. False: nowhere now; `is_kept_back` where some
/// place could be called, but wants fewer calls.
bool choose_place(const CallContext& context, const route::Places& places, std::int64_t now_us,
                  CandidatePlan& plan, bool& is_kept_back) {
  route::TriedPlaces keep_back = 0;
  const auto chosen = route::next_bearing_place(places, keep_back, *context.random, now_us);
  is_kept_back = keep_back != 0;
  if (!chosen) return false;
  plan.place_index = *chosen;
  plan.place = &places[*chosen];
  plan.address = plan.place->health.get();
  return true;
}

std::string_view why_no_place(const route::Places& places) {
  if (places.empty()) return "dns";
  const bool is_any_up = std::any_of(places.begin(), places.end(),
                                     [](const auto& place) { return place.health->is_up(); });
  return is_any_up ? "retry_after" : "options_check";
}

}  // namespace

VendorConditions::VendorConditions(const CallContext& context, bool has_servers_before) noexcept
    : context_(context),
      customer_(*context.customer_entry()),
      has_servers_before_(has_servers_before),
      uses_prices_(customer_.sort.uses(RoutePolicy::lowest_rate)),
      uses_quality_(customer_.sort.uses(RoutePolicy::answer_ratio)),
      uses_talk_time_(customer_.sort.uses(RoutePolicy::talk_time)) {}

bool VendorConditions::are_needed() const noexcept {
  return has_servers_before_ || context_.tables->has_periods || !customer_.denied_vendors.empty() ||
         uses_prices_ || uses_quality_ || uses_talk_time_ || context_.setup->hindsight != nullptr;
}

void VendorConditions::judge(std::uint32_t gateway, const RouteQuery& query,
                             VendorStanding& standing) const noexcept {
  const Vendor& vendor = context_.tables->vendors[gateway];
  const bool was_before = has_servers_before_ && vendor.config.sip.redirects.to_gateways;
  if (was_before || (!customer_.denied_vendors.empty() && customer_.denied_vendors[gateway])) {
    standing.excluded = RouteExclusionReason::customer_not_allowed;
    return;
  }
  const RewriteRules* period_rules = nullptr;
  if (!vendor.periods.empty()) {
    const route::PeriodSettings now = vendor.periods.at(context_.wall_us);
    period_rules = now.rewrite_callee;
    if (now.is_closed) {
      standing.excluded = RouteExclusionReason::closed;
      return;
    }
    for (const NumberPolicy* policy : {now.callers, now.callees}) {
      if (policy == nullptr) continue;
      standing.number = policy->judge(query.calling, query.listed_callee());
      if (standing.number == NumberVerdict::accepted) continue;
      standing.excluded = RouteExclusionReason::number_restricted;
      return;
    }
    if (now.priority) standing.priority = static_cast<std::uint16_t>(*now.priority);
    if (now.line_limit) standing.line_limit = *now.line_limit;
  }
  if (uses_prices_ && vendor.payee.has_deck) {
    Number callee_out, rated;
    const bool has_number = !vendor.config.clearing_account_use_callout_e164 ||
                            write_callee(context_, vendor, period_rules, callee_out);
    const RateMatch match =
        has_number ? find_vendor_rate(context_, vendor, callee_out, rated) : RateMatch{};
    if (match.ok()) {
      const SteadyPrice steady =
          steady_price(*match.rate, vendor.payee.call_start(context_.wall_us));
      standing.price = steady.price;
      standing.price_per_s = steady.per_s;
    }
    // A customer that asks for the lowest rate gets them compared; the parameter leaves it to the
    // vendors.
    standing.compares_price = vendor.config.least_cost || !customer_.config.sort.empty();
  }
  if (context_.setup->hindsight != nullptr) {
    context_.setup->hindsight->complete(gateway, standing);
  } else if (vendor.quality != nullptr) {
    if (uses_quality_)
      standing.answer_percent = vendor.quality->answer_percent(context_.arrived_us);
    if (uses_talk_time_) standing.talk_time_s = vendor.quality->talk_time_s(context_.arrived_us);
  }
}

RouteQuery route_query(const CallContext& context, const VendorConditions& conditions) noexcept {
  const Customer& customer = *context.customer_entry();
  RouteQuery query;
  query.called = context.routing_number().view();
  query.calling = context.routing_caller().view();
  query.callee = listed_callee(context);
  query.customer = customer.config.id;
  query.load = context.setup->hindsight != nullptr
                   ? static_cast<const LineLoad*>(context.setup->hindsight)
                   : context.tables->vendor_lines.get();
  query.rotation = context.tables->rotation.get();
  if (conditions.are_needed()) {
    query.conditions = &conditions;
    query.sort = customer.sort;
  }
  return query;
}

CandidatePlan plan_candidate(const CallContext& context, const RouteCandidate& candidate,
                             std::int64_t now_us) {
  const Vendor& vendor = context.tables->vendors[candidate.gateway];
  CandidatePlan plan;
  plan.vendor = candidate.gateway;
  plan.route = candidate;
  plan.caller_out = context.routing_caller();
  plan.line_limit = vendor.config.line_limit;
  const auto exclude = [&plan](Reason why, std::string_view rule = {}) -> CandidatePlan {
    plan.excluded = why;
    plan.rule = rule;
    return std::move(plan);
  };

  const std::int64_t protect_delay_us = context.tables->parameters.protect_delay_s * second_us;
  if (candidate.is_protect && protect_delay_us > 0 &&
      now_us - context.arrived_us > protect_delay_us) {
    return exclude(Reason::NoAvailableRouter, "protect_delay_s");
  }
  if (const CalleeRestriction restriction = vendor.config.callee_restriction;
      restriction != CalleeRestriction::none) {
    const bool is_phone = context.tables->find_phone(context.wanted_number().view()) != nullptr;
    if (is_phone != (restriction == CalleeRestriction::phones))
      return exclude(Reason::NumberRestricted, "callee_restriction");
  }
  // Who sends a call on has no codecs of its own in it.
  if (context.forwarding == nullptr &&
      !can_transcode(context.customer_entry()->config, vendor.config) &&
      have_no_common_codec(context.customer_entry()->config.codecs, vendor.config.codecs))
    return exclude(Reason::CodecMismatch, "codecs");
  if (const std::string_view list = refusing_forward_list(context, vendor); !list.empty())
    return exclude(Reason::NumberRestricted, list);
  // What is registered now says nothing of a call that is routed once more.
  const bool is_live = context.setup->hindsight == nullptr;
  if (vendor.uplink != nullptr && is_live &&
      (!vendor.uplink->is_registered.load() ||
       vendor.uplink->expires_at_us.load() <= context.wall_us))
    return exclude(Reason::Unregistered, "registration");
  if (vendor.registers) {
    auto contacts = context.state->registrar.contacts(vendor.config.id, now_us);
    const std::size_t which = vendor.is_phone ? candidate.sequence : 0;
    if (which < contacts.size()) {
      plan.contact = std::make_unique<phone::Contact>(std::move(contacts[which]));
    } else if (is_live) {
      return exclude(vendor.is_phone ? Reason::CalleeNotOnline : Reason::Unregistered,
                     "registration");
    }
  } else if (const route::Places* const places = places_of(vendor, context.names.get());
             places != nullptr) {
    // What names stood for is not known any more of a call that is routed once more.
    bool is_kept_back = false;
    if (is_live && !choose_place(context, *places, now_us, plan, is_kept_back)) {
      return is_kept_back ? exclude(Reason::RateLimited, "overload")
                          : exclude(Reason::NoAvailableRouter, why_no_place(*places));
    }
  } else {
    plan.address = route::first_usable(vendor.addresses, now_us);
    // RFC 7339: each has said for itself how many of the calls it can take.
    if (is_live && plan.address != nullptr && plan.address->loss_percent(now_us) > 0) {
      plan.address = route::first_bearing(vendor.addresses, *context.random, now_us);
      if (plan.address == nullptr) return exclude(Reason::RateLimited, "overload");
    }
  }
  if (plan.address == nullptr && !vendor.registers && !vendor.has_names) {
    const bool is_any_up = std::any_of(vendor.addresses.begin(), vendor.addresses.end(),
                                       [](const auto& address) { return address->is_up(); });
    return exclude(Reason::NoAvailableRouter, is_any_up ? "retry_after" : "options_check");
  }
  if (const Geofence* const fence = vendor.geofence.get();
      fence != nullptr && is_live && !fence->admits_signalling(plan.destination().ip))
    return exclude(Reason::GeofenceForbidden, "geofence");
  const RewriteRules* caller_rules = &vendor.rewrite_caller;
  const RewriteRules* callee_rules = nullptr;
  if (!vendor.periods.empty()) {  // judged at the call's arrival
    const route::PeriodSettings now = vendor.periods.at(context.wall_us);
    if (now.rewrite_caller != nullptr) caller_rules = now.rewrite_caller;
    callee_rules = now.rewrite_callee;
    if (now.line_limit) plan.line_limit = *now.line_limit;
  }
  // T-15: by a name of its own rules have nothing to say.
  const std::string_view short_caller = short_caller_for(context, plan.vendor);
  if (!short_caller.empty()) plan.caller_out = Number(short_caller);
  if ((short_caller.empty() && !rewrite(*caller_rules, plan.caller_out, *context.random)) ||
      !write_callee(context, vendor, callee_rules, plan.callee_out)) {
    return exclude(Reason::NumberRestricted);
  }
  if (const auto why = refusing_account(context, vendor)) {
    const bool is_minimum = *why == Reason::AccountBalanceNotEnough;
    return exclude(*why, is_minimum ? "vendor_balance_minimum" : "");
  }
  const RateMatch match = find_vendor_rate(context, vendor, plan.callee_out, plan.vendor_callee);
  if (match.reason == Reason::RateLocked) return exclude(match.reason);
  if (!match.ok() && vendor.config.require_rate) return exclude(match.reason, "require_rate");
  plan.vendor_rate = match.ok() ? match.rate : nullptr;
  if (const auto guard = refusing_guard(context, vendor, plan.vendor_rate); !guard.empty())
    return exclude(Reason::ProfitGuard, guard);
  return plan;
}

std::vector<std::string> matching_vendor_rules(const CallContext& context, std::uint32_t vendor) {
  const Vendor& chosen = context.tables->vendors[vendor];
  const route::PeriodSettings now =
      chosen.periods.empty() ? route::PeriodSettings() : chosen.periods.at(context.wall_us);
  std::vector<std::string> rules;
  const auto note = [&rules](std::string rule) {
    if (!rule.empty()) rules.push_back(std::move(rule));
  };
  if (const std::string_view shown = short_caller_for(context, vendor); !shown.empty()) {
    note("phone_book " + std::string(shown));
  } else {
    note(matching_rule("rewrite_caller",
                       now.rewrite_caller != nullptr ? *now.rewrite_caller : chosen.rewrite_caller,
                       context.routing_caller()));
  }
  const std::string_view dialled = context.callee_billing.view();
  if (chosen.config.number_transform &&
      context.tables->number_transforms.to_vendor(dialled) != dialled) {
    note("number_transforms " + std::string(dialled));
  } else {
    note(matching_rule("rewrite_callee",
                       now.rewrite_callee != nullptr ? *now.rewrite_callee : chosen.rewrite_callee,
                       context.callee));
  }
  return rules;
}

std::string refusing_list_entry(const CallContext& context, std::uint32_t vendor) {
  const std::string_view caller = context.routing_caller().view();
  const std::string_view listed = listed_callee(context);
  const std::string_view callee = listed.empty() ? context.routing_number().view() : listed;
  const NumberPolicy& own = context.tables->routes.numbers(vendor);
  if (own.judge(caller, callee) != NumberVerdict::accepted)
    return own.refusing_entry(caller, callee);
  const Vendor& chosen = context.tables->vendors[vendor];
  if (chosen.periods.empty()) return {};
  const route::PeriodSettings now = chosen.periods.at(context.wall_us);
  for (const NumberPolicy* policy : {now.callers, now.callees}) {
    if (policy != nullptr && policy->judge(caller, callee) != NumberVerdict::accepted)
      return policy->refusing_entry(caller, callee);
  }
  return {};
}

bool take_vendor(const CallContext& context, CandidatePlan& plan, VendorLease& lease,
                 std::int64_t now_us) {
  const Vendor& vendor = context.tables->vendors[plan.vendor];
  const route::GatewayLines& lines =
      vendor.is_phone ? vendor.lines : context.tables->vendor_lines->lines(plan.vendor);
  const auto fail = [&](Reason why, std::string_view rule) {
    lease = VendorLease{};
    plan.excluded = why;
    plan.rule = rule;
    return false;
  };
  const bool takes = !context.is_rehearsal;
  if (takes) {
    lease.line = lines.try_take(plan.line_limit, context.wall_us);
    if (!lease.line) return fail(Reason::AllGatewayBusy, "line_limit");
  } else if (!lines.has_room(plan.line_limit, context.wall_us)) {
    return fail(Reason::AllGatewayBusy, "line_limit");
  }
  if (vendor.caller_pool.is_used()) {
    route::PoolNumber lent =
        takes ? vendor.caller_pool.take(*context.random) : vendor.caller_pool.look(*context.random);
    if (lent.number.empty()) return fail(Reason::CallerPoolExhausted, "caller_pool");
    plan.caller_out = Number(lent.number);
    lease.caller_number = std::move(lent.line);
  }
  // Last, because a token does not come back.
  if (takes ? !vendor.rate_meter->try_take(vendor.call_rate, now_us)
            : !vendor.rate_meter->has_token(vendor.call_rate, now_us)) {
    return fail(Reason::RateLimited, "calls_per_second");
  }
  return true;
}

}  // namespace tandem::call
