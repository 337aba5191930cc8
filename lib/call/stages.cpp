#include "call/stages.hpp"

#include <algorithm>
#include <utility>

#include "call/candidates.hpp"
#include "call/media_path.hpp"
#include "lrn/number.hpp"

namespace tandem::call {

namespace {

/// False: the result would be longer than a number may be.
bool put_before(std::string_view prefix, Number& number) noexcept {
  std::array<char, 32> text;
  if (prefix.size() + number.view().size() > text.size()) return false;
  const std::size_t length = prefix.copy(text.data(), prefix.size());
  number.view().copy(text.data() + length, text.size() - length);
  number = Number({text.data(), length + number.view().size()});
  return true;
}

/// Where a call to a phone goes now.
struct PhoneReach {
  bool is_online = false;
  ForwardChoice forward;          ///< At once, in place of it.
  bool goes_to_gateways = false;  ///< When there is neither.

  [[nodiscard]] bool has_destination() const noexcept {
    return is_online || forward.targets != nullptr;
  }
};

PhoneReach reach_of(const CallContext& c, const Phone& phone) {
  PhoneReach reach;
  reach.is_online =
      c.state->registrar.is_online(c.tables->vendors[phone.vendor].config.id, c.arrived_us);
  reach.forward =
      forward_at_once(phone.config.forward, *phone.calendar, c.wall_us, reach.is_online);
  reach.goes_to_gateways =
      phone.config.offline_to_gateways.value_or(c.tables->parameters.offline_to_gateways);
  return reach;
}

void read_numbers(CallContext& c) {
  c.caller = number_from_user(c.setup->from_user).value_or(Number());
  c.callee = number_from_user(c.setup->request_user).value_or(Number());
  c.setup->callee_in = c.callee;
}

Verdict extract_numbers(CallContext& c, const StageAbilities&) {
  read_numbers(c);
  return Verdict::go_on();
}

/// The customer is known otherwise than by its address: what its numbers are judged by. A phone
/// shows its own number, or another one that it has.
void accept_source(CallContext& c) {
  c.setup->source_match.outcome = SourceMatch::Outcome::identified;
  if (*c.customer >= c.tables->sources.size()) {
    const Phone& phone = c.tables->phones[*c.customer - c.tables->sources.size()];
    if (c.forwarding != nullptr && c.forwarding->shows_original) return;
    if (c.tables->find_phone(c.caller.view()) != &phone) c.caller = Number(phone.config.number);
    return;
  }
  const auto& numbers = c.tables->sources.numbers(*c.customer);
  c.setup->source_match.restriction = numbers.judge(c.caller.view(), c.callee.view());
  if (c.setup->source_match.restriction != NumberVerdict::accepted)
    c.setup->source_match.outcome = SourceMatch::Outcome::restricted;
}

/// The customer has its numbers in other fields (P-10, P-11). Who it is was told by the usual ones.
void read_fields(CallContext& c) {
  const SipOptions& sip = c.customer_entry()->config.sip;
  if (c.setup->arrival == nullptr ||
      (sip.caller_from == CallerField::from && sip.callee_from == CalleeField::request_uri)) {
    return;
  }
  const std::string_view caller = read_caller(*c.setup->arrival, sip.caller_from);
  const std::string_view callee = read_callee(*c.setup->arrival, sip.callee_from);
  if (number_from_user(caller)) c.setup->from_user = caller;
  if (number_from_user(callee)) {
    // What the Request-URI says of portability, it says of its own number.
    if (callee != c.setup->request_user) c.setup->portability_in = {};
    c.setup->request_user = callee;
  }
  read_numbers(c);
  accept_source(c);
}

/// A-03 point 3: by where a phone or gateway is registered, then by the user of the credentials,
/// then by the user of From, who will have to prove it.
std::optional<std::uint32_t> registered_source(const CallContext& c,
                                               const StageAbilities& abilities) {
  const Tables& tables = *c.tables;
  if (tables.registrants.empty()) return std::nullopt;
  const Phone* const phone = tables.find_phone(c.caller.view());
  if (phone != nullptr &&
      c.state->registrar.is_at(tables.customers[phone->customer].config.id, c.source, c.arrived_us))
    return phone->customer;
  // Several may share an address, as the accounts of one PBX do; the credentials tell them apart.
  const std::string user =
      abilities.inbound == nullptr ? std::string() : abilities.inbound->claimed_user({});
  const Registrant* const claimed = user.empty() ? nullptr : tables.find_registrant(user);
  if (claimed != nullptr && claimed->customer &&
      c.state->registrar.is_at(claimed->id, c.source, c.arrived_us))
    return claimed->customer;
  if (const auto id = c.state->registrar.registrant_at(c.source)) {
    if (const auto gateway = tables.find_customer(*id)) return gateway;
  }
  if (claimed != nullptr && claimed->customer) return claimed->customer;
  if (phone != nullptr) return phone->customer;
  const Registrant* const named = tables.find_registrant(c.setup->from_user);
  return named == nullptr ? std::nullopt : named->customer;
}

/// For explain: what a stage decides by. "": nothing to say.
void note_rule(const CallContext& c, std::string rule) {
  if (c.setup->fired != nullptr && !rule.empty()) c.setup->fired->push_back(std::move(rule));
}

/// S-01: where who calls and its media are. Who sends a call on was let in with it.
Verdict check_geofence(CallContext& c) {
  const Geofence* const fence = c.customer_entry()->geofence.get();
  if (fence == nullptr || c.forwarding != nullptr) return Verdict::go_on();
  const IpAddress& source = c.source.ip;
  if (!fence->admits_signalling(source)) {
    note_rule(c, "geofence signalling " + source.to_string());
    return Verdict::reject(Reason::GeofenceForbidden);
  }
  if (c.setup->arrival == nullptr || !is_sdp(c.setup->arrival->body.content_type))
    return Verdict::go_on();
  const auto outside = fence->refused_in(c.setup->arrival->body.bytes);
  if (!outside) return Verdict::go_on();
  note_rule(c, "geofence sdp " + outside->to_string());
  return Verdict::reject(Reason::GeofenceForbidden);
}

Verdict identify_source(CallContext& c, const StageAbilities& abilities) {
  if (c.setup->asserted_customer) {
    c.customer = c.setup->asserted_customer;
    accept_source(c);
    return check_geofence(c);
  }
  c.setup->source_match =
      sources_of(*c.tables, c.names.get()).identify(c.source, c.caller.view(), c.callee.view());
  const bool is_by_address = c.setup->source_match.outcome != SourceMatch::Outcome::unknown;
  // Any page that is looked at behind a customer's address has it too, so over its WebSocket the
  // address comes last, and for a customer that shows a password besides.
  if (is_by_address && !c.is_from_any_page) {
    c.customer = c.setup->source_match.customer;
  } else if (const auto registered = registered_source(c, abilities)) {
    c.customer = registered;
    accept_source(c);
  } else if (is_by_address && c.tables->customers[c.setup->source_match.customer].config.auth) {
    c.customer = c.setup->source_match.customer;
  } else {
    return Verdict::reject(Reason::IllegalCall);
  }
  read_fields(c);
  return check_geofence(c);
}

Verdict authenticate(CallContext& c, const StageAbilities& abilities) {
  if (abilities.can_authenticate && !c.is_authenticated && c.customer_entry()->config.auth)
    return Verdict::wait(Verdict::Kind::authenticate);
  return c.setup->arrival == nullptr ? Verdict::go_on() : Verdict::wait(Verdict::Kind::meet);
}

/// Only now, so that who is not known learns nothing of what is a number here.
Verdict require_callee(CallContext& c, const StageAbilities&) {
  return c.callee.empty() ? Verdict::reject(Reason::NotFound) : Verdict::go_on();
}

Verdict admit_source(CallContext& c, const StageAbilities&) {
  const Customer& customer = *c.customer_entry();
  route::PeriodSettings now;
  if (!customer.periods.empty()) now = customer.periods.at(c.wall_us);
  if (c.setup->fired != nullptr && (now.is_closed || now.line_limit))
    c.setup->fired->emplace_back("periods");
  if (customer.config.locked || now.is_closed) return Verdict::reject(Reason::GatewayLocked);
  const std::int32_t limit = now.line_limit ? *now.line_limit : customer.config.line_limit;
  if (c.is_rehearsal) {
    if (!customer.lines.has_room(limit, c.wall_us))
      return Verdict::reject(Reason::LineLimitExceeded);
    return customer.rate_meter->has_token(customer.call_rate, c.arrived_us)
               ? Verdict::go_on()
               : Verdict::reject(Reason::RateLimited);
  }
  c.customer_line = customer.lines.try_take(limit, c.wall_us);
  if (!c.customer_line) return Verdict::reject(Reason::LineLimitExceeded);
  return customer.rate_meter->try_take(customer.call_rate, c.arrived_us)
             ? Verdict::go_on()
             : Verdict::reject(Reason::RateLimited);
}

/// RFC 3891, T-10: who asks for a place in another call is admitted like a caller, and goes no
/// further.
Verdict admit(CallContext& c, const StageAbilities& abilities) {
  const Verdict verdict = admit_source(c, abilities);
  if (verdict.kind != Verdict::Kind::go_on || c.forwarding != nullptr) return verdict;
  const bool is_pickup = !c.setup->wants_place && pickup_number(c).has_value();
  if (is_pickup && c.setup->fired != nullptr) c.setup->fired->emplace_back("pickup_code");
  return c.setup->wants_place || is_pickup ? Verdict::wait(Verdict::Kind::stand_in) : verdict;
}

Verdict check_number_policy(CallContext& c, const StageAbilities&) {
  if (c.setup->source_match.outcome != SourceMatch::Outcome::restricted) return Verdict::go_on();
  if (c.setup->fired != nullptr) {
    const std::string entry =
        c.tables->sources.numbers(*c.customer).refusing_entry(c.caller.view(), c.callee.view());
    note_rule(c, number_verdict_name(c.setup->source_match.restriction) +
                     (entry.empty() ? "" : " " + entry));
  }
  return Verdict::reject(Reason::NumberRestricted);
}

/// T-15: what the account's phone book says of the number, which then goes on as if it had been
/// dialled.
void take_short_number(CallContext& c, const Payer& account) {
  if (account.phone_book == nullptr) return;
  const std::string_view number = account.phone_book->number_of(c.callee.view());
  if (number.empty()) return;
  note_rule(c, "phone_book " + std::string(c.callee.view()));
  c.callee = Number(number);
}

Verdict rewrite_numbers(CallContext& c, const StageAbilities&) {
  const Customer& customer = *c.customer_entry();
  take_short_number(c, customer.payer);
  if (c.setup->fired != nullptr) {
    note_rule(c, matching_rule("rewrite_caller", customer.rewrite_caller, c.caller));
    note_rule(c, matching_rule("rewrite_callee", customer.rewrite_callee, c.callee));
  }
  if (!rewrite(customer.rewrite_caller, c.caller, *c.random) ||
      !rewrite(customer.rewrite_callee, c.callee, *c.random) ||
      !complete_area(c.tables->mobile_areas, customer.mobile_areas, c.callee) || c.callee.empty()) {
    return Verdict::reject(Reason::NotFound);
  }
  c.callee_billing = c.callee;
  return Verdict::go_on();
}

/// the prefix steers routing; what is billed is the number without it.
Verdict split_calls(CallContext& c, const StageAbilities&) {
  const Customer& customer = *c.customer_entry();
  if (customer.split.empty()) return Verdict::go_on();
  if (!c.setup->split_call)
    c.setup->split_call =
        c.is_rehearsal ? customer.split_turn->peek() : customer.split_turn->take();
  const std::size_t entry = customer.split.entry(*c.setup->split_call);
  const std::string& prefix = customer.config.split[entry].add_prefix;
  if (c.setup->fired != nullptr) note_rule(c, "split[" + std::to_string(entry) + "] " + prefix);
  return put_before(prefix, c.callee) ? Verdict::go_on() : Verdict::reject(Reason::NotFound);
}

/// N-05: a caller that stands for another number.
Verdict transform_numbers(CallContext& c, const StageAbilities&) {
  if (!c.customer_entry()->config.number_transform) return Verdict::go_on();
  const Number known(c.tables->number_transforms.from_customer(c.caller.view()));
  if (c.setup->fired != nullptr && known.view() != c.caller.view())
    note_rule(c, "number_transforms " + std::string(known.view()));
  c.caller = known;
  return Verdict::go_on();
}

/// What the request and the cache know already.
void look_up_here(CallContext& c) {
  const Customer& customer = *c.customer_entry();
  lrn::ResolverState& resolver = *customer.lrn_resolver;
  CallLrn& lrn = *c.lrn;
  const auto find = [&](NumberLookup& lookup, const Number& number) {
    auto record = resolver.cache.find(number.view(), c.arrived_us);
    if (!record) return;
    lookup.settle(record);
    if (!c.is_rehearsal) resolver.cache_hits.fetch_add(1, std::memory_order_relaxed);
  };
  if (lrn.callee.state == NumberLookup::State::unknown && customer.config.lrn->trusts_npdi &&
      c.setup->portability_in.is_dipped) {
    if (const auto record = lrn::make_record(c.setup->portability_in.routing_number, {})) {
      lrn.callee.settle(record);
      lrn.source = CallLrn::Source::request_uri;
    }
  }
  if (lrn.callee.state == NumberLookup::State::unknown) {
    const Number question = lrn_question(c);
    if (question.empty()) {
      lrn.callee.settle(std::nullopt);
    } else {
      find(lrn.callee, question);
      if (lrn.callee.state == NumberLookup::State::found) lrn.source = CallLrn::Source::cache;
    }
  }
  if (lrn.caller.state == NumberLookup::State::unknown && needs_caller_region(c))
    find(lrn.caller, c.caller);
}

/// Billing by region. False: the number would be too long.
bool price_by_region(CallContext& c) {
  const LrnGatewayConfig& config = *c.customer_entry()->config.lrn;
  const std::string& callee = c.lrn->callee.record.region;
  const std::string& caller = c.lrn->caller.record.region;
  std::string_view prefix;
  if (callee.empty() || caller.empty()) {
    prefix = config.undetermined_billing_prefix;
  } else if (callee != caller) {
    prefix = config.interstate_billing_prefix;
  }
  if (prefix.empty()) return true;
  Number priced = c.callee_billing;
  const bool fits = put_before(prefix, priced);
  c.callee_priced = std::make_unique<const Number>(priced);
  return fits;
}

/// The prefix that was not asked for goes in front of the LRN. False: the number would be too long.
bool route_by_lrn(CallContext& c) noexcept {
  const Number question = lrn_question(c);
  std::string_view lrn = c.lrn->callee.record.lrn;
  if (lrn.starts_with('+') && !question.view().starts_with('+')) lrn.remove_prefix(1);
  c.setup->is_dipped = true;
  if (lrn.empty() || lrn == question.view()) return true;  // not ported
  c.setup->callee_by_lrn = Number(lrn);
  return put_before(c.callee.view().substr(0, c.callee.view().size() - question.view().size()),
                    c.setup->callee_by_lrn);
}

/// where the callee was ported to, and whether the call stays in its region. Who is called
/// where he registered has not moved, and needs no resolver that answers.
Verdict look_up_numbers(CallContext& c, const StageAbilities& abilities) {
  using State = NumberLookup::State;
  const Customer& customer = *c.customer_entry();
  if (customer.lrn_resolver == nullptr || is_for_phone(c)) return Verdict::go_on();
  if (c.lrn == nullptr) c.lrn = std::make_unique<CallLrn>();
  look_up_here(c);
  const bool is_callee_known = c.lrn->callee.state != State::unknown;
  const bool is_caller_known = c.lrn->callee.state == State::failed ||
                               c.lrn->caller.state != State::unknown || !needs_caller_region(c);
  if (!is_callee_known || !is_caller_known) {
    if (abilities.can_look_up) return Verdict::wait(Verdict::Kind::look_up);
    if (!is_callee_known) return Verdict::go_on();  // nobody is asked for a rehearsal
  }
  const LrnGatewayConfig& config = *customer.config.lrn;
  const bool is_found = c.lrn->callee.state == State::found;
  if (!is_found && config.failure_action == LrnFailureAction::reject)
    return Verdict::reject(Reason::LrnFailed);
  const bool fits = price_by_region(c) && (!is_found || !config.routes_by_lrn || route_by_lrn(c));
  return fits ? Verdict::go_on() : Verdict::reject(Reason::NotFound);
}

Verdict ask_policy(CallContext& c, const StageAbilities& abilities) {
  if (!abilities.has_policy) return Verdict::go_on();
  if (!c.setup->policy) return Verdict::wait(Verdict::Kind::ask_policy);
  if (!c.setup->policy->allow) return Verdict::reject(Reason::NoCallPermission);
  for (auto [given, number] :
       {std::pair{&c.setup->policy->caller, &c.caller}, {&c.setup->policy->callee, &c.callee}}) {
    if (given->empty()) continue;
    if (!is_number(*given)) return Verdict::reject(Reason::InternalError);
    *number = Number(*given);
    if (number == &c.callee) {  // what was known of another number says nothing of this one
      c.callee_billing = c.callee;
      c.setup->callee_by_lrn = Number();
      c.callee_priced.reset();
      c.setup->is_dipped = false;
    }
  }
  return Verdict::go_on();
}

/// The rate of a payer for the call. A locked one refuses, whatever a package says.
/// `terms`: gets what its packages make of the rate.
RateMatch find_rate(const CallContext& c, const Payer& payer,
                    std::unique_ptr<PackageTerms>& terms) {
  PackagePrices prices =
      c.state->packages.prices(payer.packages, c.billing_number().view(), c.wall_us);
  if (prices.rate != nullptr || prices.overlays != nullptr)
    terms = std::make_unique<PackageTerms>(PackageTerms{std::move(prices), {}});
  RateMatch match;  // RateNotFound
  if (payer.has_deck)
    match = payer.deck.find(c.billing_number().view(), c.wall_us, payer.call_level);
  // An agent's deck need not know the prefix that its customer's has (B-15).
  if (payer.has_deck && c.forwarding != nullptr && match.reason == Reason::RateNotFound)
    match = payer.deck.find(payer.rated(c.callee_billing.view()), c.wall_us, payer.call_level);
  if (!match.ok() && match.reason != Reason::RateNotFound) return match;
  if (terms == nullptr) return match;
  CallStart start;
  const Rate* const rate = terms->prices.choose(match.ok() ? match.rate : nullptr, start);
  terms->overlays = std::move(start.overlays);
  return rate != nullptr ? RateMatch{Reason::none, rate} : match;
}

/// Whether a payer has the first second beside what packages give, as open_call() would judge it.
bool has_first_second(const AccountBook& accounts, const Payer& payer, Amount first, Amount gift) {
  if (!gift.is_zero() && gift == first) return true;
  // Without any money even a call that costs nothing is refused (B-02).
  const auto account = accounts.state(payer.account);
  const bool has_money =
      account && (!gift.is_zero() || !account->settings.is_balance_verified ||
                  account->balance.units() + account->settings.overdraft_limit.units() > 0);
  return has_money && accounts.usable(payer.account).units() >= first.units() - gift.units();
}

/// As hold_first_second() would, without taking anything.
Verdict look_at_first_second(const CallContext& c, const Payer& payer, Amount first,
                             const PackageHold& packages) {
  const AccountBook& accounts = c.state->accounts;
  if (const Reason why = accounts.check(payer.account, c.wall_us); why != Reason::none)
    return Verdict::reject(why);
  const bool is_covered = !first.is_zero() && packages.available_s() > 0;
  const Amount gift = is_covered ? first : std::min(first, packages.available_money());
  if (!has_first_second(accounts, payer, first, gift))
    return Verdict::reject(Reason::AccountBalanceNotEnough);
  const Amount paid = Amount::from_units(first.units() - gift.units());
  return accounts.has_limits_for(payer.account, c.billing_number().view(), paid, meter_first_talk_s,
                                 c.wall_us)
             ? Verdict::go_on()
             : Verdict::reject(Reason::AccountLimitReached);
}

/// Finds what a payer pays for the call, and takes the charge of its first second: of packages, if
/// there are, then of the account, and of the limits that count the call.
Verdict hold_first_second(CallContext& c, const Payer& payer, const RateMatch& match,
                          MoneyHold& money, PackageHold& packages, LimitHold& limits) {
  if (!match.ok()) return Verdict::reject(match.reason);
  const CallStart start = c.call_start(payer, c.wall_us);
  if (c.is_rehearsal) {
    const auto first = CallMeter::first_hold(*match.rate, payer.fees, start);
    return first ? look_at_first_second(c, payer, *first, packages)
                 : Verdict::reject(Reason::InternalError);
  }
  const auto first = CallMeter::first_hold(*match.rate, payer.fees, start, packages);
  if (!first) return Verdict::reject(Reason::InternalError);
  const bool has_gift = packages.covered_s() > 0 || !packages.money().is_zero();
  CallAdmission admission = c.state->accounts.open_call(payer.account, *first, c.wall_us, has_gift);
  if (!admission.ok()) return Verdict::reject(admission.reason);
  if (!c.state->accounts.open_limits(payer.account, c.billing_number().view(), *first,
                                     meter_first_talk_s, c.wall_us, limits))
    return Verdict::reject(Reason::AccountLimitReached);
  money = std::move(admission.hold);
  return Verdict::go_on();
}

/// T-01: a callee that is a phone of this switch, or what it has ordered instead (T-02, T-13). One
/// that is offline may be routed like any other number (R-21, T-12).
Verdict find_phone(CallContext& c, const StageAbilities&) {
  if (is_for_host(c)) return Verdict::go_on();
  const CalleeRestriction restriction = c.customer_entry()->config.callee_restriction;
  if (c.tables->phones.empty() && restriction == CalleeRestriction::none) return Verdict::go_on();
  const Phone* const phone = c.tables->find_phone(c.callee_billing.view());
  if (restriction == (phone != nullptr ? CalleeRestriction::no_phones : CalleeRestriction::phones))
    return Verdict::reject(Reason::NumberRestricted);
  if (phone == nullptr) return Verdict::go_on();
  const Vendor& callee = c.tables->vendors[phone->vendor];
  if (callee.config.locked) return Verdict::reject(Reason::GatewayLocked);
  if (c.forwarding != nullptr) {  // in a circle, or too far
    const auto& before = c.forwarding->phones;
    if (std::find(before.begin(), before.end(), phone->config.number) != before.end())
      return Verdict::reject(Reason::TooManyForwards);
  }
  if (phone->config.do_not_disturb) return Verdict::reject(Reason::CalleeBusy);
  const PhoneReach reach = reach_of(c, *phone);
  const CalledRedirectServers servers = phone->config.called_redirect_servers;
  c.setup->forward = reach.forward;
  if (reach.has_destination()) {
    c.called_phone = phone->vendor;
    if (servers == CalledRedirectServers::first) c.setup->redirect_servers = RedirectServers::first;
    return Verdict::go_on();
  }
  if (servers != CalledRedirectServers::off) {
    c.setup->redirect_servers =
        reach.goes_to_gateways ? RedirectServers::first : RedirectServers::only;
    return Verdict::go_on();
  }
  return reach.goes_to_gateways ? Verdict::go_on() : Verdict::reject(Reason::CalleeNotOnline);
}

/// B-15: the leg of a phone that sends a call on has rates of its own, where the deck has such.
void price_forward(CallContext& c, const Payer& payer) {
  const std::string& prefix = c.tables->parameters.billing_forward_prefix;
  const bool is_forwarded = c.forwarding != nullptr && !c.forwarding->is_transfer;
  if (!is_forwarded || prefix.empty() || !payer.has_deck) return;
  Number priced = c.billing_number();
  if (!put_before(prefix, priced)) return;
  const RateMatch match = payer.deck.find(priced.view(), c.wall_us, payer.call_level);
  const bool is_for_it =
      match.rate != nullptr && std::string_view(match.rate->prefix).starts_with(prefix);
  if (is_for_it) c.callee_priced = std::make_unique<const Number>(priced);
}

Verdict charge_source(CallContext& c, const StageAbilities&) {
  c.paid_by = other_payers(c);
  if (c.setup->fired != nullptr && c.paid_by != nullptr) {
    const bool is_of_phone = c.called_phone != CallContext::no_phone &&
                             c.paid_by == &c.tables->phone_at(c.called_phone).when_called;
    const bool is_bound = std::any_of(c.tables->bound_payers.begin(), c.tables->bound_payers.end(),
                                      [&](const Payers& bound) { return &bound == c.paid_by; });
    c.setup->fired->emplace_back(is_of_phone ? "pays_when_called"
                                 : is_bound  ? "bound_numbers"
                                             : "bill_phones");
  }
  const Payer& payer = c.payers()->payer;
  if (!payer.account) return Verdict::reject(Reason::AccountNotExist);
  const bool is_to_phone = c.called_phone != CallContext::no_phone && !c.setup->is_led_away;
  const bool is_unbilled = is_for_host(c) && !c.setup->policy->serve->is_billed;
  if (is_unbilled || c.tables->free_numbers.contains(payer.rated(c.callee_billing.view())) ||
      (is_to_phone && c.tables->parameters.no_billing_to_phones)) {
    c.is_free = true;
    const Reason why = c.state->accounts.check(payer.account, c.wall_us);
    return why == Reason::none ? Verdict::go_on() : Verdict::reject(why);
  }
  // The agent, if any, is charged by the same number.
  if (const auto rated = payer.rated(c.billing_number().view());
      rated.size() != c.billing_number().view().size())
    c.callee_priced = std::make_unique<const Number>(rated);
  price_forward(c, payer);
  const PackageBook& packages = c.state->packages;
  if (packages.is_exhausted(payer.packages))  // B-18
    return Verdict::reject(Reason::AccountBalanceNotEnough);
  c.setup->packages = packages.open_call(payer.packages, c.billing_number().view(), c.wall_us);
  const RateMatch match = find_rate(c, payer, c.package_terms);
  if (match.ok()) c.rate = match.rate;
  return hold_first_second(c, payer, match, c.setup->money, c.setup->packages, c.setup->limits);
}

/// A locked or empty agent stops its customers (B-17).
Verdict charge_agent(CallContext& c, const StageAbilities&) {
  const Payer& agent = c.payers()->agent;
  if (!agent.account) return Verdict::go_on();
  if (c.is_free) {
    const Reason why = c.state->accounts.check(agent.account, c.wall_us);
    return why == Reason::none ? Verdict::go_on() : Verdict::reject(why);
  }
  c.setup->agent_packages =
      c.state->packages.open_call(agent.packages, c.billing_number().view(), c.wall_us);
  const RateMatch match = find_rate(c, agent, c.agent_package_terms);
  if (match.ok()) c.agent_rate = match.rate;
  return hold_first_second(c, agent, match, c.setup->agent_money, c.setup->agent_packages,
                           c.setup->agent_limits);
}

/// A phone's contacts are tried one after the other, the best first.
void find_contacts(CallContext& c) {
  const Vendor& phone = c.tables->vendors[c.called_phone];
  const std::size_t contacts = c.state->registrar.contacts(phone.config.id, c.arrived_us).size();
  for (std::uint32_t i = 0; i < contacts; ++i) {
    RouteCandidate& candidate = c.setup->candidates.emplace_back();
    candidate.gateway = c.called_phone;
    candidate.rank = static_cast<std::uint32_t>(c.setup->candidates.size() - 1);
    candidate.gateway_name = phone.config.id;
    candidate.prefix = c.callee_billing.view();
    candidate.prefix_length = static_cast<std::uint8_t>(candidate.prefix.size());
    candidate.sequence = i;
  }
}

/// For explain: that redirect servers have a say before all vendors (I-03).
void note_servers(const CallContext& c) {
  const RedirectServers use = use_of_servers(c);
  if (use != RedirectServers::first && use != RedirectServers::only) return;
  note_rule(
      c, std::string(c.setup->redirect_servers ? "called_redirect_servers" : "redirect_servers") +
             (use == RedirectServers::first ? " first" : " only"));
}

Verdict find_candidates(CallContext& c, const StageAbilities&) {
  if (is_for_host(c)) return Verdict::go_on();
  if (c.setup->forward.targets != nullptr) return Verdict::go_on();
  if (c.called_phone != CallContext::no_phone) {
    if (c.setup->redirect_servers) find_redirect_servers(c);
    find_contacts(c);
    note_servers(c);
    return c.setup->candidates.empty() ? Verdict::reject(Reason::CalleeNotOnline)
                                       : Verdict::go_on();
  }
  find_vendors(c);
  note_servers(c);
  if (!c.setup->candidates.empty()) return Verdict::go_on();
  return Verdict::reject(use_of_servers(c) == RedirectServers::only ? Reason::RedirectFailed
                                                                    : Reason::NoAvailableRouter);
}

struct Stage {
  const char* name;
  Verdict (*run)(CallContext&, const StageAbilities&);
};

// The order of A-02. Its stages 1 (datagram admission), 3 (geofence) and 7 (blacklists) have their
// place between these; 12 is the host's policy hook. Numbers are read
// first, because customers that share an address are told apart by them (A-03 point 2).
constexpr Stage stages[] = {
    {"numbers", extract_numbers},             // 5
    {"source", identify_source},              // 2
    {"authentication", authenticate},         // 4
    {"callee", require_callee},               // 5
    {"admission", admit},                     // 6
    {"number_policy", check_number_policy},   // 8
    {"rewrite", rewrite_numbers},             // 9
    {"split", split_calls},                   // 9
    {"number_transform", transform_numbers},  // 10
    {"lrn", look_up_numbers},                 // 11
    {"policy_hook", ask_policy},              // 12
    {"phone", find_phone},                    // 13
    {"billing", charge_source},               // 14
    {"agent", charge_agent},                  // 14
    {"routing", find_candidates},             // 15
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
    const Number callee = context.routing_number();
    std::vector<std::string> rules;
    context.setup->fired = context.setup->recorder != nullptr ? &rules : nullptr;
    const Verdict verdict = stage.run(context, abilities);
    context.setup->fired = nullptr;
    if (context.setup->recorder != nullptr) {
      context.setup->recorder->push_back(
          {stage.name, caller, callee, context.caller, context.routing_number(),
           verdict.kind == Verdict::Kind::reject ? reason_facts(verdict.reason).name : "continue",
           std::move(rules)});
      if (stage.run == find_phone && verdict.kind == Verdict::Kind::go_on &&
          context.setup->forward.targets != nullptr) {
        context.setup->recorder->back().verdict =
            std::string("forward ") + forward_reason_name(context.setup->forward.reason);
      }
    }
    if (verdict.kind != Verdict::Kind::go_on) return verdict;
  }
  return Verdict::go_on();
}

Verdict charge_led_away(CallContext& context) {
  const bool was_to_phone = context.called_phone != CallContext::no_phone;
  if (!was_to_phone || std::exchange(context.setup->is_led_away, true) || !context.is_free)
    return Verdict::go_on();
  context.is_free = false;
  const StageAbilities abilities;
  const Verdict verdict = charge_source(context, abilities);
  return verdict.kind == Verdict::Kind::go_on ? charge_agent(context, abilities) : verdict;
}

std::optional<std::string_view> pickup_number(const CallContext& context) noexcept {
  const Tables& tables = *context.tables;
  const std::string& code = tables.parameters.pickup_code;
  if (code.empty() || !context.customer || *context.customer < tables.sources.size())
    return std::nullopt;
  const Phone& phone = tables.phones[*context.customer - tables.sources.size()];
  std::string_view dialled = context.setup->callee_in.view();
  const bool is_last = tables.parameters.pickup_code_is_last;
  if (phone.config.pickup_group.empty() ||
      !(is_last ? dialled.ends_with(code) : dialled.starts_with(code)))
    return std::nullopt;
  if (is_last) {
    dialled.remove_suffix(code.size());
  } else {
    dialled.remove_prefix(code.size());
  }
  return dialled;
}

std::string_view relay_need(const CallContext& context, const VendorGateway& vendor) noexcept {
  const Customer& customer = *context.customer_entry();
  const std::string_view need = relay_need(customer.config, vendor);
  const Payers* const payers = context.payers();
  if (!need.empty() || payers == nullptr) return need;
  if (payers->payer.record) return "record";
  if (customer.announces != Remaining::none && customer.voice != nullptr)
    return "announce_remaining";
  const Reminder* const reminder =
      customer.reminder != nullptr ? nullptr : payers->payer.reminder.get();
  return reminder != nullptr && !reminder->clip.is_empty() ? "reminder" : "";
}

bool is_for_phone(const CallContext& context) {
  const Phone* const phone = context.tables->find_phone(context.callee_billing.view());
  if (phone == nullptr) return false;
  const PhoneReach reach = reach_of(context, *phone);
  return reach.has_destination() || !reach.goes_to_gateways;
}

const char* lrn_source_name(CallLrn::Source source) noexcept {
  switch (source) {
    case CallLrn::Source::none:
      return "none";
    case CallLrn::Source::request_uri:
      return "request_uri";
    case CallLrn::Source::cache:
      return "cache";
    case CallLrn::Source::resolver:
      return "resolver";
    case CallLrn::Source::given:
      return "given";
  }
  return "";
}

const Payers* other_payers(const CallContext& context) {
  if (context.called_phone != CallContext::no_phone) {
    const Phone& phone = context.tables->phone_at(context.called_phone);
    if (phone.config.pays_when_called) return &phone.when_called;
  }
  const CustomerGateway& gateway = context.customer_entry()->config;
  if (!gateway.bills_phones && !gateway.uses_bound_numbers) return nullptr;
  // The caller that the target of a transfer is shown may be whom the transferor leads there.
  const bool is_transfer = context.forwarding != nullptr && context.forwarding->is_transfer;
  const std::string_view caller =
      is_transfer ? std::string_view(context.forwarding->transferor) : context.caller.view();
  const Tables& tables = *context.tables;
  if (const Phone* const phone = gateway.bills_phones ? tables.find_phone(caller) : nullptr;
      phone != nullptr)
    return &tables.customers[phone->customer];
  return gateway.uses_bound_numbers ? tables.find_bound(caller) : nullptr;
}

Number lrn_question(const CallContext& context) noexcept {
  const std::string_view dialled = context.callee_billing.view();
  const auto eaten =
      static_cast<std::size_t>(context.customer_entry()->config.lrn->eat_prefix_length);
  return Number(dialled.substr(std::min(eaten, dialled.size())));
}

bool needs_caller_region(const CallContext& context) noexcept {
  const LrnGatewayConfig& config = *context.customer_entry()->config.lrn;
  const NumberLookup& callee = context.lrn->callee;
  const bool is_of_no_use =
      callee.state == NumberLookup::State::found && callee.record.region.empty();
  return !context.caller.empty() && !is_of_no_use &&
         !(config.interstate_billing_prefix.empty() && config.undetermined_billing_prefix.empty());
}

bool complete_area(const MobileAreas& areas, const std::vector<bool>& chosen, Number& number) {
  const std::string_view code = areas.area_code(number.view(), chosen);
  return code.empty() || put_before(code, number);
}

std::string matching_rule(std::string_view setting, const RewriteRules& rules,
                          const Number& number) {
  const auto index = rules.matching_rule(number.view());
  if (!index) return {};
  std::string_view text = rules.text();
  for (std::size_t i = 0; i < *index; ++i)
    text.remove_prefix(text.find(',') + 1);
  return std::string(setting) + '[' + std::to_string(*index) + "] " +
         std::string(text.substr(0, text.find(',')));
}

bool rewrite(const RewriteRules& rules, Number& number, Random& random) {
  const RewrittenNumber result = rules.apply(number.view(), random);
  if (!result.ok()) return false;
  number = Number(result.view());
  return true;
}

}  // namespace tandem::call
