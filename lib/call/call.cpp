// A call from its arrival to the answer: judging it, trying one vendor after the other.
#include "call/call.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "call/candidates.hpp"
#include "call/cause_map.hpp"
#include "call/register_desk.hpp"
#include "tandem/route_choices.hpp"

namespace tandem::call {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr int refusal_retry_after_s =
    5;  // what a refused caller is told to wait (RFC 3261 section 20.33)
constexpr int rate_retry_after_s = 1;                // one that came too fast
constexpr int places_of_attempt_max = 4;             // of a name, that one attempt calls
constexpr std::int64_t silences_of_attempt_max = 2;  // of whole INVITE time-outs, that it waits for

std::string_view kept_user(std::string_view user) { return user.substr(0, 64); }

bool is_refusal(int status) noexcept { return status >= 400 && status <= 699; }

constexpr int busy_cause = 17;  // ITU-T Q.850

/// By its status, or by the cause of a Reason header (RFC 3326), where a gateway to another network
/// keeps what a status such as 480 no longer says.
bool is_busy(const Failure& failure) noexcept {
  return failure.status == 486 || failure.status == 600 || failure.q850_cause == busy_cause;
}

/// 6xx that speak for the callee everywhere (RFC 3261 section 21.6), 600 aside, which is busy.
bool is_final_everywhere(int status) noexcept {
  return status == 603 || status == 604 || status == 606 || status == 607;
}

/// Statuses whose Retry-After is about the callee; that of others is about the server that sent it
/// (RFC 3261 section 20.33).
bool is_about_callee(int status) noexcept {
  return status == 404 || status == 480 || status == 486 || status == 600 || status == 603;
}

/// What concerns the vendor and us alone: redirects, challenges, extensions.
bool is_between_us(int status) noexcept {
  return status < 400 || status == 401 || status == 407 || (status >= 420 && status <= 422);
}

/// Host, port and parameters of a contact's URI.
std::string_view place_in(std::string_view uri) {
  const std::size_t user_end = uri.find('@');
  uri.remove_prefix((user_end != std::string_view::npos ? user_end : uri.find(':')) + 1);
  return uri.substr(0, uri.find('?'));
}

}  // namespace

Call::Setup::Setup(Call& call, const InboundCall& arrival)
    : max_forwards(arrival.max_forwards),
      offer(arrival.body.bytes),
      offer_type(arrival.body.content_type),
      caller_display(arrival.from_display),
      timer(Timer::member<&Call::on_attempt_timeout, Call>(), &call) {}

Call::Call(Worker& worker, std::uint64_t id, std::unique_ptr<Leg> leg, const InboundCall& arrival,
           std::shared_ptr<const Tables> tables)
    : worker_(worker),
      id_(id),
      setup_(std::make_unique<Setup>(*this, arrival)),
      inbound_(std::move(leg)),
      caller_raw_(kept_user(arrival.from_user)),
      callee_raw_(kept_user(arrival.request_user)),
      own_host_(arrival.own_host),
      media_(worker.commons().relay, worker.random()),
      money_timer_(Timer::member<&Call::on_money_timer, Call>(), this),
      max_timer_(Timer::member<&Call::on_max_timer, Call>(), this) {
  media_.set_tag(id);
  context_.tables = std::move(tables);
  context_.names = worker.names();
  context_.state = &worker.commons().state;
  context_.random = &worker.random();
  context_.wall_us = worker.loop().clock().wall_us();
  context_.arrived_us = worker.loop().clock().monotonic_us();
  context_.source = arrival.source;
  context_.is_from_any_page = arrival.is_from_any_page;
  hides_keys_[0] = arrival.transport == "tls" || arrival.transport == "wss";
  if (worker.commons().host.wants_shadow()) shadow_notes_ = std::make_unique<ShadowNotes>();
  inbound_->set_events(*this);
}

Call::~Call() = default;

void Call::begin(const InboundCall& arrival, std::unique_ptr<Forwarding> forwarding) {
  forwarding_ = std::move(forwarding);
  if (forwarding_ != nullptr) {
    context_.forwarding = forwarding_.get();
    context_.setup->asserted_customer = forwarding_->customer;
    context_.is_authenticated = true;
    shadow_notes_.reset();  // other tables would not have sent it on
    if (forwarding_->decision != nullptr)
      context_.setup->policy = std::make_unique<const PolicyAnswer>(*forwarding_->decision);
  }
  context_.setup->request_user = arrival.request_user;
  context_.setup->from_user = arrival.from_user;
  context_.setup->arrival = &arrival;
  context_.setup->portability_in = arrival.portability;
  trace_arrival();
  if (const Reason why = admission(); why != Reason::none) {
    refuse(why, 503, refusal_retry_after_s);
    return;
  }
  judge();
  context_.setup->arrival = nullptr;
}

/// What the customer's settings say of the arriving call, as soon as it is known. False: it is
/// refused.
bool Call::meet_customer() {
  const InboundCall& arrival = *std::exchange(context_.setup->arrival, nullptr);
  SipOptions believed;  // what was let in with the first call stands
  if (forwarding_ != nullptr) {
    believed = context_.customer_entry()->config.sip;
    believed.recognize_forward = believed.pass_headers.all = true;
    believed.privacy = PrivacyMode::pass;
  }
  const SipOptions& options =
      forwarding_ != nullptr ? believed : context_.customer_entry()->config.sip;
  caller_raw_ = kept_user(context_.setup->from_user);
  callee_raw_ = kept_user(context_.setup->request_user);
  if (const int status = inbound_->set_manners(manners(options)); status != 0) {
    refuse(Reason::ProtocolLimit, status);
    return false;
  }
  setup_->diversions =
      forwarding_ != nullptr ? forwarding_->diversions : KeptHeaders::diversions(arrival, options);
  if (setup_->diversions > diversions_max) {
    refuse(Reason::TooManyForwards, reason_facts(Reason::TooManyForwards).sip_status);
    return false;
  }
  if (forwarding_ != nullptr) {
    if (!forwarding_->is_transfer) context_.setup->forwarder = Number(forwarding_->phones.back());
  } else if (options.recognize_forward && is_diverted(arrival)) {
    context_.setup->forwarder =
        number_from_user(read_callee(arrival, CalleeField::diversion)).value_or(Number());
  }
  if (arrival.replaces != nullptr && forwarding_ == nullptr &&
      options.replaces != ReplacesMode::off) {
    const DialogName& dialog = arrival.replaces->dialog;
    setup_->place = std::make_unique<StandInOrder>(
        StandInOrder{0, std::string(dialog.call_id), std::string(dialog.own_tag),
                     std::string(dialog.peer_tag), arrival.replaces->is_early_only});
    context_.setup->wants_place = true;
  }
  setup_->kept_headers.keep(arrival, options, context_.tables->identity_needs);
  if (options.setup_timeout_s > 0)
    setup_->deadline_us = context_.arrived_us + options.setup_timeout_s * second_us;
  return true;
}

Manners Call::manners(const SipOptions& options) const noexcept {
  const Parameters& p = parameters();
  Manners manners;
  manners.uses_reason = options.reason;
  manners.reply_address = options.reply_address;
  manners.request_address = options.request_address;
  manners.tls = {options.tls_name, options.tls_verify};
  manners.auth_rounds = p.auth_rounds;
  manners.auth_time_us = p.auth_rounds_s * second_us;
  manners.takes_replaces = options.replaces != ReplacesMode::off;
  SessionWatch& watch = manners.watch;
  watch.interval_s = p.session_timer_s;
  watch.refreshes = p.session_refreshes;
  watch.early_hangup_s = p.session_early_hangup_s;
  switch (options.session_timer) {
    case SessionTimerMode::off:
      break;
    case SessionTimerMode::allow:
      watch.mode = ExtensionUse::allow;
      break;
    case SessionTimerMode::require:
      watch.mode = ExtensionUse::require;
      break;
  }
  switch (options.rel100) {
    case Rel100Mode::off:
      break;
    case Rel100Mode::allow:
      manners.rel100 = ExtensionUse::allow;
      break;
    case Rel100Mode::require:
      manners.rel100 = ExtensionUse::require;
      break;
  }
  return manners;
}

/// Tells of the call, once it is one: an INVITE that is challenged comes back as another.
void Call::announce() {
  if (!std::exchange(is_announced_, true)) publish(Event::Kind::call_started);
}

/// What the switch as a whole allows: A-02 stage 1, as far as it is about calls.
Reason Call::admission() const {
  const Commons& commons = worker_.commons();
  if (commons.is_draining.load(std::memory_order_relaxed)) return Reason::ServerShutdown;
  if (!commons.journal.is_writable())
    return Reason::InternalError;  // a call that cannot be recorded is not taken
  const std::int32_t limit = parameters().max_calls;
  if (limit > 0 && commons.live_calls.load(std::memory_order_relaxed) > limit)
    return Reason::LicenseLimit;
  return Reason::none;
}

void Call::judge() {
  const StageAbilities abilities{.can_authenticate = true,
                                 .can_look_up = true,
                                 .has_policy = worker_.commons().host.has_policy(),
                                 .inbound = inbound_.get()};
  for (;;) {
    std::vector<StageRecord> recorded;
    context_.setup->recorder = is_traced_ ? &recorded : nullptr;
    const Verdict verdict = run_stages(context_, abilities, setup_->next_stage);
    context_.setup->recorder = nullptr;
    if (is_traced_) trace_stages(recorded, verdict);
    note_for_shadow(verdict);
    switch (verdict.kind) {
      case Verdict::Kind::go_on:
        announce();
        if (is_for_host(context_)) return begin_service();
        if (!announce_remaining()) try_next_vendor();
        return;
      case Verdict::Kind::reject: {
        const bool by_policy = context_.setup->policy && !context_.setup->policy->allow &&
                               is_refusal(context_.setup->policy->sip_status);
        refuse(verdict.reason,
               by_policy ? context_.setup->policy->sip_status
                         : reason_facts(verdict.reason).sip_status,
               verdict.reason == Reason::RateLimited ? rate_retry_after_s : 0);
        return;
      }
      case Verdict::Kind::stand_in:
        ask_for_place();
        return;
      case Verdict::Kind::meet:
        if (!meet_customer()) return;
        continue;
      case Verdict::Kind::look_up:
        announce();
        if (!look_up()) continue;
        return;
      case Verdict::Kind::ask_policy:
        announce();
        ask_policy();
        return;
      case Verdict::Kind::authenticate:
        if (!authenticate()) return;
        continue;
    }
  }
}

/// Asks the caller for the credentials of its gateway or phone (P-04). False: the call is over.
bool Call::authenticate() {
  const Customer& customer = *context_.customer_entry();
  const GatewayAuth& auth = *customer.config.auth;
  const Commons& commons = worker_.commons();
  phone::Suspensions& suspensions = commons.state.suspensions;
  const IpAddress& address = context_.source.ip;
  if (suspensions.is_suspended(auth.username, address, context_.arrived_us)) {
    refuse(Reason::AuthenticationFailed, 403);
    return false;
  }
  RegistrantNonces nonces(commons.state.registrar, customer.config.id);
  const std::string realm = auth.realm.empty() ? "tandem" : auth.realm;
  phone::ChallengeRounds& challenges = commons.state.challenges;
  const phone::RoundRules rules = round_rules(parameters());
  const bool may_challenge =
      !challenges.is_exhausted(inbound_->call_id(), address, rules, context_.arrived_us);
  // Nothing is recorded of an INVITE that nobody has authenticated, whoever may have sent it.
  const auto forget = [this] {
    is_over_ = true;
    if (trace::Tap* const tap = is_traced_ ? worker_.tap() : nullptr) tap->give_back(id_);
    worker_.remove(id_);
    return false;
  };
  switch (inbound_->authenticate({auth.username, auth.password, realm,
                                  customer.registers ? &nonces : nullptr, may_challenge})) {
    case AuthResult::verified:
      challenges.forget(inbound_->call_id(), address);
      suspensions.note_success(auth.username, address);
      context_.is_authenticated = true;
      return true;
    case AuthResult::challenged:  // the caller comes back with credentials as a new call
      challenges.note(inbound_->call_id(), address, rules, context_.arrived_us);
      return forget();
    case AuthResult::exhausted:
      if (parameters().reply_unauthorized) {
        inbound_->reject(reason_facts(Reason::AuthenticationFailed).sip_status,
                         reason_facts(Reason::AuthenticationFailed).q850_cause, 0);
      } else {
        inbound_->drop();
      }
      return forget();
    case AuthResult::failed:
      challenges.forget(inbound_->call_id(), address);
      note_auth_failure(auth.username, context_.source, parameters(), worker_.commons(),
                        worker_.loop().clock());
      refuse(Reason::AuthenticationFailed, 403);
      return false;
  }
  return false;
}

/// Asks for the numbers that nobody here knows. False: there is nothing to wait for. The look-ups
/// have deadlines of their own.
bool Call::look_up() {
  CallLrn& lrn = *context_.lrn;
  const auto& resolver = context_.customer_entry()->lrn_resolver;
  const auto ask = [&](NumberLookup& lookup, const Number& number, bool is_caller) {
    if (lookup.state != NumberLookup::State::unknown) return false;
    if (worker_.lookups().ask(resolver, number.view(), Worker::waiter_of(id_, is_caller)))
      return true;
    lookup.settle(std::nullopt);
    return false;
  };
  setup_->awaits_callee = ask(lrn.callee, lrn_question(context_), false);
  if (lrn.callee.state == NumberLookup::State::failed) return false;
  setup_->awaits_caller = needs_caller_region(context_) && ask(lrn.caller, context_.caller, true);
  return setup_->awaits_callee || setup_->awaits_caller;
}

void Call::take_lookup(bool is_caller, const std::optional<LrnRecord>& record) {
  if (is_over_ || setup_ == nullptr) return;
  bool& awaits = is_caller ? setup_->awaits_caller : setup_->awaits_callee;
  if (!std::exchange(awaits, false)) return;
  (is_caller ? context_.lrn->caller : context_.lrn->callee).settle(record);
  if (!is_caller) {
    context_.lrn->source = record ? CallLrn::Source::resolver : CallLrn::Source::none;
    // The caller's region would change nothing any more.
    if (!record || !needs_caller_region(context_)) setup_->awaits_caller = false;
  }
  if (!setup_->awaits_callee && !setup_->awaits_caller) judge();
}

void Call::ask_policy() {
  Host& host = worker_.commons().host;
  const Customer& customer = *context_.customer_entry();
  PolicyQuestion question;
  question.token = id_;
  question.call_id = inbound_->call_id();
  question.customer_gateway = customer.config.id;
  const Payers* const others = other_payers(context_);
  question.account = (others != nullptr ? *others : customer).payer.account_id;
  question.caller = context_.caller.view();
  question.callee = context_.callee.view();
  question.caller_in = caller_raw_;
  question.callee_in = callee_raw_;
  question.source = context_.source;
  worker_.loop().timers().start(setup_->timer, host.policy_deadline_us());
  host.ask_policy(std::move(question));
}

void Call::answer_policy(const PolicyAnswer& answer) {
  if (is_over_ || state_ != CallState::arriving || context_.setup->policy)
    return;  // late: the default has held
  setup_->timer.cancel();
  context_.setup->policy = std::make_unique<const PolicyAnswer>(answer);
  judge();
}

void Call::refuse(Reason reason, int sip_status, int retry_after_s) {
  announce();
  worker_.tally().refused.fetch_add(1, std::memory_order_relaxed);
  Ending ending{.reason = reason,
                .side = ReleaseSide::server,
                .end_code = static_cast<int>(reason),
                .sip_status = sip_status,
                .q850_cause = reason_facts(reason).q850_cause};
  const bool is_stranger = reason == Reason::IllegalCall || reason == Reason::GeofenceForbidden;
  if (is_stranger && !parameters().reply_unauthorized) {
    inbound_->drop();
    ending.sip_status = 0;
  } else {
    const Customer* const customer = context_.customer_entry();
    const bool says_when = customer == nullptr || customer->config.sip.retry_after;  // P-16
    if (play_prompt(ending, ending.q850_cause, says_when ? retry_after_s : 0)) return;
    inbound_->reject(sip_status, ending.q850_cause, says_when ? retry_after_s : 0);
  }
  finish(ending);
}

// --- attempts ---

void Call::try_next_vendor() {
  state_ = CallState::trying;
  if (!setup_->forward_hunt && context_.setup->forward.targets != nullptr) {
    const Phone& phone = context_.tables->phone_at(context_.called_phone);
    const ForwardChoice& choice = context_.setup->forward;
    setup_->forward_hunt = std::make_unique<ForwardHunt>(
        begin_hunt(phone.config.forward, choice.reason, *choice.targets, worker_.random()));
  }
  if (!setup_->forward_hunt) {
    if (try_next_candidate()) return;
    if (setup_->directions != nullptr) {
      // Whoever is called by them, the phone is not.
    } else if (attempts_.size() > setup_->asked_servers) {
      (void)forward_instead(setup_->last_failure.reason, setup_->last_failure.failure.status,
                            false);
    } else if (setup_->first_skip) {
      (void)forward_instead(setup_->first_skip->reason, 0, false);
    }
  }
  if (setup_->forward_hunt && try_next_target()) return;
  if (attempts_.empty()) {
    Skip why = setup_->first_skip.value_or(Skip{Reason::NoAvailableRouter, 503});
    if (use_of_servers(context_) == RedirectServers::only) why = {Reason::RedirectFailed, 503};
    refuse(why.reason, why.sip_status);
    return;
  }
  give_up();
}

/// The one whose turn it is; null: none is left.
const RouteCandidate* Call::take_candidate() {
  if (setup_->directions != nullptr) return take_direction();
  const std::uint8_t descended_below = context_.setup->descended_below;
  const RouteCandidate* const candidate =
      next_candidate(context_, setup_->next_candidate, setup_->tried);
  if (context_.setup->descended_below != descended_below) note_ratios();
  return candidate;
}

/// False: no candidate is left. Else one is tried, or the call is refused.
bool Call::try_next_candidate() {
  const std::int64_t now_us = worker_.loop().clock().monotonic_us();
  while (const RouteCandidate* const candidate = take_candidate()) {
    CandidatePlan plan = plan_candidate(context_, *candidate, now_us);
    VendorLease lease;
    if (plan.excluded || !take_vendor(context_, plan, lease, now_us)) {
      const bool is_mismatch = *plan.excluded == Reason::CodecMismatch;
      const int sip_status = is_mismatch ? reason_facts(*plan.excluded).sip_status : 503;
      if (!setup_->first_skip) setup_->first_skip = Skip{*plan.excluded, sip_status};
      note_choice(plan, *plan.excluded, plan.rule);
      note_passed_over(plan);
      continue;
    }
    const SipTransport transport = plan.contact != nullptr ? plan.contact->transport
                                   : plan.place != nullptr
                                       ? plan.place->transport
                                       : context_.tables->vendors[plan.vendor].config.sip.transport;
    const auto offer = prepare_media(plan.vendor, plan.destination(), is_over_tls(transport),
                                     plan.contact != nullptr);
    if (!offer) {
      const ErrorCode code = offer.error().code;
      const Reason why = code == ErrorCode::limit ? Reason::AllGatewayBusy : Reason::CodecMismatch;
      const int sip_status = reason_facts(why).sip_status;
      note_choice(plan, why, {});
      // With an offer that cannot be read, further vendors would only lose of their call rates.
      if (code == ErrorCode::invalid_argument) {
        refuse(why, sip_status);
        return true;
      }
      if (!setup_->first_skip) setup_->first_skip = Skip{why, sip_status};
      if (shadow_notes_ != nullptr) shadow_notes_->met.push_back({plan.vendor, true, false});
      continue;
    }
    note_choice(plan, Reason::none, {});
    setup_->tried.push_back(plan.vendor);
    if (rings_together(plan)) {
      ring_devices(std::move(plan), std::move(lease), *offer);
    } else {
      try_vendor(std::move(plan), std::move(lease), *offer);
    }
    return true;
  }
  return false;
}

/// Keeps for the record why a candidate was tried or passed over.
void Call::note_choice(const CandidatePlan& plan, Reason passed_over, std::string_view rule) {
  if (is_traced_) trace_choice(plan, passed_over, rule);
  if (setup_->choices == route_choices_max) return;
  ++setup_->choices;
  append_route_choice(choices_, plan.route, context_.tables->vendors[plan.vendor].config.id,
                      plan.line_limit, passed_over, rule);
}

/// Keeps for the shadow whether it was rates and routes that decided, and of what the order was
/// made that will not be known later.
void Call::note_for_shadow(const Verdict& verdict) {
  if (shadow_notes_ == nullptr) return;
  shadow_notes_->is_of_interest =
      context_.called_phone == CallContext::no_phone &&
      (verdict.kind == Verdict::Kind::go_on || verdict.reason == Reason::RateNotFound ||
       verdict.reason == Reason::RateLocked || verdict.reason == Reason::NoAvailableRouter);
  note_ratios();
}

/// The answer ratios that the candidates are ordered by; anew when there are more of these.
void Call::note_ratios() {
  if (shadow_notes_ == nullptr) return;
  shadow_notes_->ratios.clear();
  for (const RouteCandidate& candidate : context_.setup->candidates) {
    const auto known = [](std::int64_t value) {
      return value < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(value));
    };
    if (candidate.answer_percent >= 0 || candidate.talk_time_s >= 0) {
      shadow_notes_->ratios.push_back(
          {candidate.gateway, known(candidate.answer_percent), known(candidate.talk_time_s)});
    }
  }
}

/// Keeps for the shadow which vendors could not be had at that moment. What the tables refuse, by
/// prices or rules, is for its own tables to say.
void Call::note_passed_over(const CandidatePlan& plan) {
  if (shadow_notes_ == nullptr) return;
  switch (*plan.excluded) {
    case Reason::NoAvailableRouter:  // no usable address, or too late for a protect vendor
    case Reason::Unregistered:
    case Reason::AllGatewayBusy:
    case Reason::CallerPoolExhausted:
    case Reason::RateLimited:
    case Reason::AccountBalanceNotEnough:
      shadow_notes_->met.push_back({plan.vendor, true, false});
      return;
    default:
      return;
  }
}

void Call::try_vendor(CandidatePlan plan, VendorLease lease, std::string_view offer) {
  if (shadow_notes_ != nullptr) shadow_notes_->met.push_back({plan.vendor, false, true});
  trial_ = begin_trial(plan);
  trial_.lease = std::move(lease);
  trial_.leg = place_leg(placement_of(trial_), offer);
  advance_stage(AttemptStage::invited);
  arm_ring_tone();
}

/// With its attempt, which is the last one.
Call::Trial Call::begin_trial(CandidatePlan& plan) {
  Trial trial;
  trial.vendor = plan.vendor;
  trial.rate = plan.vendor_rate;
  trial.address = plan.address;
  trial.place = plan.place;
  if (plan.place != nullptr) trial.tried_places = 1U << plan.place_index;
  trial.destination = plan.destination();
  trial.contact = std::move(plan.contact);
  trial.started_us = worker_.loop().clock().monotonic_us();
  Attempt attempt;
  attempt.vendor_gateway = context_.tables->vendors[plan.vendor].config.id;
  attempt.started_at_us = worker_.loop().clock().wall_us();
  attempt.caller_out = plan.caller_out.view();
  attempt.callee_out = plan.callee_out.view();
  attempts_.push_back(std::move(attempt));
  return trial;
}

Call::Placement Call::placement_of(const Trial& trial) const {
  const Vendor& vendor = context_.tables->vendors[trial.vendor];
  Placement placement{.transport = transport_name(vendor.config.sip.transport),
                      .local = vendor.config.sip.local_address};
  if (trial.place != nullptr) {
    placement.transport = transport_name(trial.place->transport);
    placement.peer_name = trial.place->name;
  }
  if (const phone::Contact* const contact = trial.contact.get()) {
    placement.transport = transport_name(contact->transport);
    placement.flow = contact->flow;
    // Behind NAT nothing comes through but from where it registered.
    placement.local = contact->local;
    placement.routes = contact->path;
    // A phone answers to its contact; a gateway gets the number there. Proxies on the way go by
    // that place: `destination` is only the first of them.
    if (vendor.is_phone) {
      placement.request_uri = contact->uri;
    } else if (!contact->path.empty()) {
      placement.contact_place = place_in(contact->uri);
    }
  } else if (vendor.uplink != nullptr && !trial.is_elsewhere) {
    placement.routes = vendor.uplink->service_route();
  }
  return placement;
}

/// A leg to where that attempt goes.
std::unique_ptr<Leg> Call::place_leg(const Trial& trial, const Attempt& attempt,
                                     const Placement& placement, std::string_view offer,
                                     LegEvents& events) {
  const Vendor& vendor = context_.tables->vendors[trial.vendor];
  const SipOptions& options = vendor.config.sip;
  OutboundCall out;
  out.destination = trial.destination;
  out.transport = placement.transport;
  out.request_uri = placement.request_uri;
  out.flow = placement.flow;
  out.routes = placement.routes;
  out.contact_place = placement.contact_place;
  out.peer_name = placement.peer_name;
  out.local = placement.local;
  out.manners = manners(options);
  out.manners.tls = trial.is_elsewhere
                        ? TlsName{}
                        : TlsName{placement.peer_name.empty()
                                      ? tls_name_of(vendor, context_.names.get(), trial.destination)
                                      : tls_name_of(vendor, placement.peer_name),
                                  options.tls_verify};
  out.manners.asks_for_load = options.overload_control;
  // Nobody could answer the offer that a reliable response would bring (RFC 3262 section 5), and
  // no caller could answer those of several.
  if (setup_->offer.empty() && (!inbound_->is_reliable() || setup_->branches != nullptr))
    out.manners.rel100 = ExtensionUse::off;
  out.caller = attempt.caller_out.empty() ? std::string_view("anonymous") : attempt.caller_out;
  out.callee = attempt.callee_out;
  if (context_.setup->is_dipped && vendor.config.send_npdi) {
    out.portability.is_dipped = true;
    if (!context_.setup->callee_by_lrn.empty())
      out.portability.routing_number = context_.lrn->callee.record.lrn;
  }
  out.caller_display = setup_->caller_display;
  if (vendor.config.auth && !vendor.registers && !trial.is_elsewhere) {
    out.auth_username = vendor.config.auth->username;
    out.auth_password = vendor.config.auth->password;
  }
  out.body = {setup_->offer_type, offer};
  out.max_forwards = setup_->max_forwards - 1;
  std::vector<std::string> texts;
  present_call(options, vendor.is_phone, setup_->kept_headers,
               {out.caller, out.callee, inbound_->call_id(), context_.payers()->payer.account_id},
               out, texts);
  std::string forwarder;
  const route::CallerPool& pool =
      vendor.forward_pool.is_used() ? vendor.forward_pool : context_.customer_entry()->forward_pool;
  if (pool.is_used() && options.forward_signal)
    replace_forwarder(pool.take(worker_.random()).number, out.headers, forwarder);
  if (trace::Tap* const tap = is_traced_ ? worker_.tap() : nullptr)
    tap->expect_leg(id_, attempt.vendor_gateway);
  auto leg = worker_.legs().call(out, events);
  if (is_traced_) trace_leg(*leg);
  return leg;
}

/// P-21: goes on to the next place that the vendor's redirections name, within the same attempt.
/// False: there is none, or this failure is not for others to mend.
bool Call::follow_redirect(const Failure& failure) {
  const SipOptions& options = vendor().config.sip;
  if (!options.redirects.are_followed) return false;
  std::vector<IpAddress> own = ips_of(vendor(), context_.names.get());
  if (trial_.contact != nullptr) own.push_back(trial_.contact->destination.ip);
  if (!failure.targets.empty()) {
    if (trial_.redirection == nullptr) {
      const SipTransport transport = trial_.contact != nullptr ? trial_.contact->transport
                                     : trial_.place != nullptr ? trial_.place->transport
                                                               : options.transport;
      trial_.redirection =
          std::make_unique<Redirection>(trial_.destination, transport, attempts_.back().callee_out);
    }
    trial_.redirection->add(failure.targets, options.redirects, own);
  }
  const bool is_heard = trial_.has_sdp || trial_.has_ringing || inbound_->has_early_session();
  if (trial_.redirection == nullptr || is_heard || failure.status >= 600) return false;
  const auto target = trial_.redirection->next();
  if (!target) return false;
  const auto offer = prepare_media(trial_.vendor, target->address, is_over_tls(target->transport),
                                   trial_.contact != nullptr);
  if (!offer) return false;
  worker_.retire(std::move(trial_.leg));
  reoffer_from_ = ack_to_ = nullptr;
  inbound_->forget_progress();
  trial_.destination = target->address;
  // The vendor's password is for the vendor's own hosts.
  trial_.is_elsewhere = std::find(own.begin(), own.end(), target->address.ip) == own.end();
  if (!target->user.empty()) attempts_.back().callee_out = kept_user(target->user);
  trial_.stage = AttemptStage::none;
  trial_.leg = place_leg({.transport = transport_name(target->transport),
                          .request_uri = target->uri,
                          .local = options.local_address},
                         *offer);
  advance_stage(AttemptStage::invited);
  return true;
}

/// RFC 3263 section 4.3: goes on to the next place of the vendor's name, within the same attempt,
/// when this one could not be reached, did not respond at all or answered 503. False: there is
/// none, this failure is not for others to mend, or the attempt has had its share of places and of
/// time: it is the next vendor's turn.
bool Call::try_next_place(const Failure& failure, Reason reason) {
  const route::Places* const places = places_of(vendor(), context_.names.get());
  const bool is_elsewhere = trial_.redirection != nullptr && trial_.redirection->is_followed();
  if (places == nullptr || trial_.place == nullptr || is_elsewhere) return false;
  const bool is_heard = trial_.has_sdp || trial_.has_ringing || inbound_->has_early_session();
  // An answer that is of no use here is no silence: it says nothing against the place.
  const bool is_of_no_use = reason == Reason::CodecMismatch || reason == Reason::GeofenceForbidden;
  const bool is_silent = failure.is_local && trial_.stage <= AttemptStage::invited && !is_of_no_use;
  const bool is_unavailable = !failure.is_local && failure.status == 503;
  if (is_heard || !(is_silent || failure.is_transport || is_unavailable)) return false;
  const std::vector<int>& stop_codes = vendor().config.switching.stop_codes;
  if (std::find(stop_codes.begin(), stop_codes.end(), failure.status) != stop_codes.end())
    return false;
  const std::int64_t now_us = worker_.loop().clock().monotonic_us();
  const ProgressTimers& own = vendor().config.sip.timers;
  const std::int64_t invite_s = own.invite_s != 0 ? own.invite_s : parameters().invite_timeout_s;
  if (std::popcount(trial_.tried_places) >= places_of_attempt_max ||
      now_us - trial_.started_us >= silences_of_attempt_max * invite_s * second_us)
    return false;
  route::TriedPlaces tried = trial_.tried_places;
  const auto next = route::next_bearing_place(*places, tried, worker_.random(), now_us);
  if (!next) return false;
  const route::Place& place = (*places)[*next];
  const auto offer =
      prepare_media(trial_.vendor, place.health->address(), is_over_tls(place.transport), false);
  if (!offer) return false;
  // it is one more INVITE to the vendor.
  if (!vendor().rate_meter->try_take(vendor().call_rate, now_us)) return false;
  // Not the last usable one, which is what makes this no way to lose the vendor.
  if (failure.is_local) trial_.address->close_for(context_.tables->place_rest_s, now_us);
  worker_.retire(std::move(trial_.leg));
  reoffer_from_ = ack_to_ = nullptr;
  inbound_->forget_progress();
  trial_.place = &place;
  trial_.tried_places |= 1U << *next;
  trial_.address = place.health.get();
  trial_.destination = place.health->address();
  trial_.stage = AttemptStage::none;
  trial_.leg = place_leg({.transport = transport_name(place.transport),
                          .local = vendor().config.sip.local_address,
                          .peer_name = place.name},
                         *offer);
  advance_stage(AttemptStage::invited);
  return true;
}

/// Chooses the way of the media for this vendor and writes the offer it gets. Errors: those of
/// MediaPath::pass().
Result<std::string> Call::prepare_media(std::uint32_t vendor_index,
                                        const SocketAddress& destination, bool hides_keys,
                                        bool is_registered) {
  const Vendor& vendor = context_.tables->vendors[vendor_index];
  hides_keys_[1] = hides_keys;
  // Its first place was judged when it was chosen; those behind its name or in its redirections
  // are met here.
  const Geofence* const fence = vendor.geofence.get();
  const bool is_admitted = fence == nullptr || fence->admits_signalling(destination.ip);
  auto passed = is_admitted
                    ? lead_media(media_, vendor, destination, is_registered)
                    : Error{ErrorCode::unsupported,
                            destination.to_string() + " was outside of the geofence (S-01)"};
  if (is_admitted && is_traced_)
    trace_note("media", media_.relayed() ? "goes through the relay" : "goes past the switch");
  if (passed) return passed;
  worker_.commons().log.write(LogLevel::warning, "call", "offer could not be passed on",
                              {{"call_id", std::string(inbound_->call_id())},
                               {"vendor", vendor.config.id},
                               {"error", passed.error().message}});
  return passed;
}

Result<std::string> Call::lead_media(MediaPath& media, const Vendor& vendor,
                                     const SocketAddress& destination, bool is_registered) {
  const Parameters& p = parameters();
  const MediaChoice choice{
      // Who sends a call on is not in its media.
      .customer =
          forwarding_ != nullptr ? MediaMode::auto_mode : context_.customer_entry()->config.media,
      .vendor = vendor.config.media,
      .parameter = p.media_mode,
      .needs_keys =
          vendor.config.sip.srtp != SrtpMode::pass ||
          (forwarding_ == nullptr && context_.customer_entry()->config.sip.srtp != SrtpMode::pass),
      .need = forwarding_ != nullptr ? std::string_view() : relay_need(context_, vendor.config),
      .caller_is_behind_nat = is_behind_nat(setup_->offer, context_.source.ip) || is_registered,
      .caller = context_.source.ip,
      .callee = destination.ip,
      .relays_behind_nat = p.media_behind_nat,
      .relays_same_nat = p.media_same_nat,
      .relays_between_networks = p.media_between_networks};
  media.set_relayed(worker_.commons().relay != nullptr && is_relayed(choice),
                    {context_.source.ip.family, destination.ip.family});
  return media.pass(MediaSide::caller, SdpRole::offer, {setup_->offer_type, setup_->offer},
                    media_settings(&vendor.config));
}

MediaSettingsPair Call::media_settings(const GatewayConfig* callee) const noexcept {
  const auto of = [](const GatewayConfig& gateway, bool hides_keys) {
    const SipOptions& options = gateway.sip;
    const bool converts_keys = options.gets_converted();
    return MediaSettings{
        {.codecs = gateway.codecs,
         .annexb = options.annexb,
         .annexa = options.annexa,
         .ptime_adaptive = options.ptime_adaptive,
         .takes_events = options.takes_events(),
         .gets_events = options.gets_events() || converts_keys,
         .transcodes = options.transcode,
         .converts_keys = converts_keys,
         .takes_fax = options.t38,
         .g729_mode = options.g729_mode,
         .events_type = options.dtmf_payload_type},
        options.nat_sdp_first,
        {options.srtp, hides_keys || options.srtp_any_transport, options.srtp_keys, options.ice},
        options.media_sources.is_anybody() ? nullptr : &options.media_sources,
        options.dtmf_send,
        converts_keys,
        options.dtmf_inband};
  };
  // What comes over a loop, and who is being led here over one, is another call's to settle.
  const auto is_settled = [&](MediaSide side) {
    return is_loop(side) || (transfer_ != nullptr && transfer_->place() == side);
  };
  MediaSettingsPair settings;
  if (const StandIn* const in = speaking_in(MediaSide::caller)) {
    settings[0] = of(in->entry().config, in->hides_keys);
  } else if (context_.customer_entry() != nullptr && !is_settled(MediaSide::caller)) {
    settings[0] = of(context_.customer_entry()->config, hides_keys_[0]);
  }
  if (const StandIn* const in = speaking_in(MediaSide::callee)) {
    settings[1] = of(in->entry().config, in->hides_keys);
  } else if (callee != nullptr) {
    settings[1] = of(*callee, hides_keys_[1]);
  }
  return settings;
}

Result<std::string> Call::pass_media(MediaSide from, SdpRole role, const SessionBody& body) {
  if (auto checked = check_description(from, body); !checked) return checked.error();
  const bool is_settled = is_loop(MediaSide::callee) ||
                          (transfer_ != nullptr && transfer_->place() == MediaSide::callee);
  auto passed =
      media_.pass(from, role, body, media_settings(is_settled ? nullptr : &vendor().config));
  if (passed) note_said(from, body);
  return passed;
}

/// M-12: the customer's setting, else the vendor's; nobody's for who is another call.
RemoteRingback Call::remote_ringback() const noexcept {
  if (!is_loop(MediaSide::caller)) {
    const RemoteRingback mode = context_.customer_entry()->config.sip.remote_ringback;
    if (mode != RemoteRingback::auto_mode) return mode;
  }
  return is_loop(MediaSide::callee) ? RemoteRingback::auto_mode
                                    : vendor().config.sip.remote_ringback;
}

void Call::advance_stage(AttemptStage stage) {
  if (stage <= trial_.stage) return;
  trial_.stage = stage;
  if (is_alerting(stage)) setup_->deadline_us = 0;
  if (trial_.is_forward || setup_->branches != nullptr) return arm_target_timer();
  std::int64_t delay_us = stage_limit_s(stage) * second_us;
  if (setup_->deadline_us != 0) {
    const std::int64_t left_us = setup_->deadline_us - worker_.loop().clock().monotonic_us();
    delay_us = std::clamp<std::int64_t>(left_us, 0, delay_us);
  }
  worker_.loop().timers().start(setup_->timer, delay_us);
}

/// How long a callee may stay so far (P-19).
std::int64_t Call::stage_limit_s(AttemptStage stage) const {
  const Parameters& p = parameters();
  const ProgressTimers& own = vendor().config.sip.timers;
  const auto chosen = [](std::int32_t own_s, std::int32_t parameter_s) {
    return own_s != 0 ? own_s : parameter_s;
  };
  std::int64_t seconds = 0;
  switch (stage) {
    case AttemptStage::none:
      break;
    case AttemptStage::invited:
      seconds = chosen(own.invite_s, p.invite_timeout_s);
      break;
    case AttemptStage::trying:
      seconds = chosen(own.trying_s, p.trying_timeout_s);
      break;
    case AttemptStage::progressing:
      seconds = chosen(own.progress_s, p.progress_timeout_s);
      break;
    case AttemptStage::early_media:
      seconds = chosen(own.progress_sdp_s, p.progress_sdp_timeout_s);
      break;
    case AttemptStage::ringing:
      seconds = chosen(own.ringing_s, p.ringing_timeout_s);
      break;
  }
  // A phone that sends on what it does not answer rings for as long as it wants.
  if (is_alerting(stage) && vendor().is_phone) {
    const PhoneForward& forward = context_.tables->phone_at(trial_.vendor).config.forward;
    if (!forward.no_answer.empty()) seconds = std::min<std::int64_t>(seconds, forward.ring_s);
  }
  return seconds;
}

/// As what a callee failed that stayed so far for too long.
Reason Call::overdue_reason(AttemptStage stage) const noexcept {
  if (trial_.is_forward) return Reason::NoAnswer;
  if (stage == AttemptStage::invited) return Reason::InviteTimeout;
  return stage == AttemptStage::trying || stage == AttemptStage::progressing
             ? Reason::GatewayTimeout
             : Reason::NoAnswer;
}

/// The policy hook's deadline, or an attempt that stood still for too long (P-19).
void Call::on_attempt_timeout() {
  if (state_ == CallState::arriving) {
    context_.setup->policy =
        std::make_unique<const PolicyAnswer>(worker_.commons().host.policy_default());
    judge();
    return;
  }
  if (trial_.leg == nullptr && !is_served()) return;
  if (setup_->awaits_acknowledgement) return end_by_server(Reason::ConnectionTimeout);
  if (setup_->pending_answer) {  // the disk does not take the answer record in time
    on_durable();
    return;
  }
  if (trial_.leg == nullptr) return;
  const Reason reason = overdue_reason(trial_.stage);
  trial_.leg->release(reason_facts(reason).q850_cause);
  Failure failure;
  failure.status = reason_facts(reason).sip_status;
  failure.is_local = true;
  attempt_failed(failure, reason);
}

void Call::note_progress() {
  if (pdd_ms_ >= 0) return;
  const std::int64_t now_us = worker_.loop().clock().monotonic_us();
  pdd_ms_ = (now_us - context_.arrived_us - setup_->announced_us) / 1000;
}

void Call::on_progress(Leg& leg, const Progress& progress) {
  if (is_target(&leg)) return on_target_progress(progress);
  if (is_over_ || &leg != trial_.leg.get() || state_ == CallState::answered) return;
  if (progress.status == 100) {
    advance_stage(AttemptStage::trying);
    return;
  }
  const std::string body = pass_early_description(progress);
  if (progress.status == 180 || !body.empty()) note_progress();  // C-01
  if (progress.status == 180) {
    trial_.has_ringing = true;
    advance_stage(AttemptStage::ringing);
    if (state_ != CallState::ringing) {
      state_ = CallState::ringing;
      publish(Event::Kind::call_ringing);
    }
    note_ringing();
  } else {
    advance_stage(trial_.has_sdp ? AttemptStage::early_media : AttemptStage::progressing);
    if (state_ == CallState::trying) state_ = CallState::progressing;
  }
  pass_progress(progress, body);
  if (progress.status == 180 && vendor().is_phone) arm_ring_tone();  // T-14
}

/// Tells the caller how far the callee is, as the customer's and the vendor's settings say (M-12).
void Call::pass_progress(const Progress& progress, const std::string& description) {
  const RemoteRingback mode = remote_ringback();
  if (mode == RemoteRingback::auto_mode || (progress.status != 180 && progress.status != 183))
    return inbound_->progress(progress.status, {progress.body.content_type, description});
  std::string shown = description;
  // What goes out reliably is the answer for good, so it must be the callee's.
  if (shown.empty() && !inbound_->is_reliable()) {
    shown = setup_->early_answer;
    if (shown.empty()) shown = begin_ring_tone();
    if (shown.empty() && !setup_->offer.empty() && is_sdp(setup_->offer_type)) {
      const GatewayConfig* const callee = is_loop(MediaSide::callee) ? nullptr : &vendor().config;
      auto own = media_.answer_early({setup_->offer_type, setup_->offer}, media_settings(callee));
      if (own) shown = std::move(*own);
    }
  }
  // Without one there is nothing to hear, and 180 lets the caller's device ring by itself.
  if (shown.empty()) return inbound_->progress(progress.status, {});
  inbound_->progress(mode == RemoteRingback::ringing ? 180 : 183, {"application/sdp", shown});
}

std::string Call::pass_early_description(const Progress& progress) {
  // Other bodies, such as those of SIP-I, are for this hop alone.
  if (!is_sdp(progress.body.content_type) || progress.body.empty()) return {};
  // What a caller without an offer is shown reliably is an offer, which the vendor must wait for to
  // be answered; others are no more than a hint, and unreliable.
  if (setup_->offer.empty() && inbound_->is_reliable() && !progress.needs_answer) return {};
  const SdpRole role = setup_->offer.empty() ? SdpRole::offer : SdpRole::answer;
  auto passed = pass_media(MediaSide::callee, role, progress.body);
  if (!passed) {
    worker_.commons().log.write(
        LogLevel::warning, "call", "early description could not be passed on",
        {{"vendor", vendor().config.id}, {"error", passed.error().message}});
    return {};
  }
  trial_.has_sdp = true;
  trial_.awaits_answer = progress.needs_answer;
  setup_->early_answer = std::move(*passed);
  return setup_->early_answer;
}

/// The caller has a provisional response for certain. What it answers to an offer in it is for the
/// vendor.
void Call::on_acknowledged(Leg& leg, const SessionBody& body) {
  if (is_over_ || &leg != inbound_.get()) return;
  if (!body.empty() && trial_.leg != nullptr && std::exchange(trial_.awaits_answer, false)) {
    auto passed = pass_media(MediaSide::caller, SdpRole::answer, body);
    trial_.has_answer = true;
    trial_.leg->answer_progress(
        {body.content_type, passed ? std::string_view(*passed) : std::string_view()});
  }
  if (setup_ != nullptr && !leg.awaits_acknowledgement() &&
      std::exchange(setup_->awaits_acknowledgement, false))
    record_answer();
}

/// What the next calls to that place are held to; this one goes on.
void Call::on_load(Leg& leg, const OverloadFeedback& feedback) {
  const bool is_of_vendor = trial_.redirection == nullptr || !trial_.redirection->is_followed();
  if (is_over_ || &leg != trial_.leg.get() || trial_.address == nullptr || !is_of_vendor) return;
  trial_.address->note_loss(feedback.loss_percent, feedback.validity_us, feedback.sequence,
                            worker_.loop().clock().monotonic_us());
}

void Call::on_failure(Leg& leg, const Failure& failure) {
  if (is_target(&leg)) return give_back_transferor(failure.status);
  if (is_over_ || &leg != trial_.leg.get() || state_ == CallState::answered) return;
  attempt_failed(failure, reason_of(failure));
}

void Call::attempt_failed(const Failure& failure, Reason reason) {
  setup_->timer.cancel();
  const SipOptions& options = vendor().config.sip;
  const std::int64_t now_us = worker_.loop().clock().monotonic_us();
  const bool is_too_late = setup_->deadline_us != 0 && now_us >= setup_->deadline_us;
  // R-16; another place says nothing of the vendor's address.
  const bool is_of_vendor = trial_.redirection == nullptr || !trial_.redirection->is_followed();
  if (is_of_vendor && !failure.is_local && failure.status >= 400 &&
      !is_about_callee(failure.status) && failure.retry_after_s > 0 && options.retry_after &&
      trial_.address != nullptr) {
    trial_.address->close_for(failure.retry_after_s, now_us);
  }
  if (!is_too_late && (follow_redirect(failure) || try_next_place(failure, reason))) return;
  if (!is_too_late) count_attempt(false);  // else it is the customer that did not wait
  setup_->last_failure.failure = failure;
  setup_->last_failure.is_from_vendor = !failure.is_local;
  // When the callee can be reached again concerns the caller; when a vendor's server can does not.
  if (!is_about_callee(failure.status)) setup_->last_failure.failure.retry_after_s = 0;
  setup_->last_failure.failure.headers
      .clear();  // views; copies of those that may be shown are kept
  setup_->last_failure.failure.reason_phrase = {};
  setup_->last_failure.failure.targets.clear();
  setup_->last_failure.headers = KeptHeaders::copy_passed(options.pass_headers, failure.headers);
  setup_->last_failure.reason = reason;
  replace_failure(setup_->last_failure.failure, setup_->last_failure.reason);
  if (options.redirects.to_gateways) ++setup_->asked_servers;
  // The targets of a phone come one after the other, whatever the switching rules of vendors say.
  bool may_go_on = !is_too_late && (setup_->forward_hunt ? !inbound_->has_early_session()
                                                         : may_switch(setup_->last_failure.failure,
                                                                      setup_->last_failure.reason));
  // What a redirect server says is the decision, whatever it is; of one that says nothing the own
  // routing takes the place.
  if (options.redirects.to_gateways) {
    if (!failure.is_local) {
      may_go_on = !is_too_late && !inbound_->has_early_session() && take_directions(failure);
    } else if (use_of_servers(context_) == RedirectServers::only) {
      note_own_failure(Reason::RedirectFailed);  // should no other server decide
    }
  }
  const int usual_cause =
      failure.is_local ? reason_facts(reason).q850_cause : cause_for(parameters(), failure.status);
  close_trial(failure.is_local ? 0 : failure.status,
              failure.q850_cause != 0 ? failure.q850_cause : usual_cause, reason);
  // While redirect servers speak the phone has not been called, and what they name comes first.
  const bool is_led = options.redirects.to_gateways || (setup_->directions != nullptr && may_go_on);
  if (!is_too_late && !setup_->forward_hunt && !is_led)
    may_go_on |= forward_instead(setup_->last_failure.reason, setup_->last_failure.failure.status,
                                 may_go_on);
  // In a circle, or too far: no other target makes it better.
  if (setup_->forward_hunt && setup_->last_failure.failure.status == 482) may_go_on = false;
  if (!may_go_on) {
    give_up();
    return;
  }
  setup_->early_answer.clear();
  inbound_->forget_progress();
  try_next_vendor();
}

/// C-09, P-30: what the switch's table and the customer's lists make of a failure, before anything
/// is decided by it.
void Call::replace_failure(Failure& failure, Reason& reason) const {
  const SipOptions& options = context_.customer_entry()->config.sip;
  const int told = failure.is_local ? failure.status
                                    : status_for(parameters(), failure.status, failure.q850_cause);
  if (told != failure.status) {
    failure.status = told;
    reason = reason_for_response(told);
  }
  if (options.replace_reasons.empty() && options.replace_causes.empty()) return;
  const int status = failure.is_local ? reason_facts(reason).sip_status : failure.status;
  const int cause = failure.q850_cause != 0 ? failure.q850_cause
                    : failure.is_local      ? reason_facts(reason).q850_cause
                                            : cause_for(parameters(), failure.status);
  const int new_status = replaced_code(options.replace_reasons, status);
  const int new_cause = replaced_code(options.replace_causes, cause);
  if (new_status != status) {
    failure.status = new_status;
    failure.is_local = failure.is_transport = failure.is_untrusted = false;
    failure.q850_cause = 0;  // that of the new status
    reason = reason_for_response(new_status);
  }
  if (new_cause != cause) failure.q850_cause = new_cause;
}

/// whether the next vendor may be tried after this failure.
bool Call::may_switch(const Failure& failure, Reason reason) const {
  const Parameters& p = parameters();
  const SwitchRules& rules = vendor().config.switching;
  // The caller keeps to what it was told reliably, and the next vendor would say something else.
  if (inbound_->has_early_session()) return false;
  // Redirect servers were asked, and took no call.
  const auto tries = static_cast<std::int64_t>(attempts_.size() - setup_->asked_servers);
  if (p.switch_limit && tries > *p.switch_limit) return false;
  const bool until_connect = rules.until_connect.value_or(p.switch_until_connect);
  const std::int64_t last_rtp_us = media_.last_rtp_us(MediaSide::callee);
  const bool has_rtp = last_rtp_us != 0 && last_rtp_us >= trial_.started_us;
  if (has_rtp && !rules.after_rtp.value_or(!p.stop_switch_after_rtp)) return false;
  if (reason == Reason::CalleeBusy || is_busy(failure)) {
    if (!rules.after_busy.value_or(!p.stop_switch_after_busy)) return false;
  }
  const bool is_unheard =
      reason == Reason::InviteTimeout ||
      (reason == Reason::ConnectionTimeout && trial_.stage == AttemptStage::invited);
  if (is_unheard && p.stop_switch_after_invite_timeout &&
      vendor().config.registration == GatewayRegistration::outbound)
    return false;
  if (!failure.is_local && is_final_everywhere(failure.status)) return false;
  if (std::find(rules.stop_codes.begin(), rules.stop_codes.end(), failure.status) !=
      rules.stop_codes.end()) {
    return false;
  }
  if (trial_.has_sdp && !until_connect && !rules.after_sdp.value_or(!p.stop_switch_after_sdp))
    return false;
  if (trial_.has_ringing && !until_connect && !rules.after_ringing.value_or(false)) return false;
  return true;
}

/// Whether the vendor delivered counts for its quality.
void Call::count_attempt(bool is_answered) {
  if (const auto& quality = vendor().quality; quality != nullptr)
    quality->add_attempt(worker_.loop().clock().monotonic_us(), is_answered);
}

/// Ends the current attempt in the books: what it held is free again, its record complete.
void Call::close_trial(int sip_status, int q850_cause, Reason reason) {
  const std::size_t first =
      setup_->branches != nullptr ? setup_->branches->first_attempt : attempts_.size() - 1;
  for (std::size_t i = first; i < attempts_.size(); ++i)
    end_attempt(attempts_[i], sip_status, q850_cause, reason);
  setup_->branches.reset();
  setup_->ringing.reset();
  reoffer_from_ = nullptr;  // a change before the answer ends with it
  trial_.lease = VendorLease{};
  setup_->forward_line.release();
  worker_.retire(std::move(trial_.leg));
}

/// No further vendor: the caller gets the last one's answer.
void Call::give_up() {
  const Failure& failure = setup_->last_failure.failure;
  const Reason reason = setup_->last_failure.reason;
  const ReasonFacts& facts = reason_facts(reason);
  const bool has_status = !failure.is_local && failure.status >= 300;
  Ending ending;
  ending.reason = reason;
  ending.sip_status = has_status ? failure.status : facts.sip_status != 0 ? facts.sip_status : 503;
  ending.side = setup_->last_failure.is_from_vendor ? ReleaseSide::callee : ReleaseSide::server;
  ending.end_code = has_status ? failure.status : static_cast<int>(reason);
  ending.q850_cause = failure.q850_cause != 0 ? failure.q850_cause
                      : has_status            ? cause_for(parameters(), failure.status)
                                              : facts.q850_cause;
  if (is_between_us(ending.sip_status)) ending.sip_status = 503;
  Refusal refusal;
  refusal.status = ending.sip_status;
  refusal.q850_cause = ending.q850_cause;
  if (context_.customer_entry()->config.sip.retry_after)
    refusal.retry_after_s = failure.retry_after_s;
  if (play_prompt(ending, refusal.q850_cause, refusal.retry_after_s, setup_->last_failure.headers))
    return;
  refusal.headers = views_of(setup_->last_failure.headers);
  inbound_->reject(refusal);
  finish(ending);
}

void Call::on_cancel(Leg& leg, const Release& release) {
  if (!is_over_ && is_target(&leg)) return on_target_cancel();
  if (is_over_ || &leg != inbound_.get()) return;
  // The caller has heard enough of why not.
  if (setup_ != nullptr && setup_->early_audio != nullptr && setup_->early_audio->ending) {
    Ending ending = *setup_->early_audio->ending;
    ending.sip_status = release.is_transport ? 504 : 487;
    return finish(ending);
  }
  const Reason reason = release.is_transport ? Reason::ConnectionTimeout : Reason::CallerCancel;
  if (trial_.leg != nullptr) {
    trial_.leg->release(release.q850_cause);
    // A caller that gave up before the vendor alerted says nothing about the vendor.
    if (!is_answer_pending() && (trial_.has_ringing || trial_.has_sdp)) count_attempt(false);
    close_trial(0, reason_facts(reason).q850_cause, reason);
  }
  finish({.reason = reason,
          .side = release.is_transport ? ReleaseSide::server : ReleaseSide::caller,
          .end_code = static_cast<int>(reason),
          .sip_status = release.is_transport ? 504 : 487,
          .q850_cause = reason_facts(reason).q850_cause});
}

}  // namespace tandem::call
