// What is asked of a running switch.
#include "switch/body.hpp"

#include <algorithm>

#include "switch/ask_workers.hpp"
#include "switch/explain.hpp"
#include "switch/name_views.hpp"

namespace tandem {

void Switch::Body::on_worker(std::size_t index, std::function<void(call::Worker&)> task) {
  const std::lock_guard lock(workers_mutex_);
  if (life_ != Life::running) return;
  call::Worker* const worker = seats_[index].worker.get();
  (void)seats_[index].loop->post(
      [worker, task = std::move(task)] { task(*worker); });  // a stopped loop has no calls
}

void Switch::Body::give_workers(const std::shared_ptr<const call::Names>& fresh) {
  ask_workers([fresh](call::Worker& worker) {
    worker.set_names(fresh);
    return true;
  });
}

std::vector<CallView> Switch::Body::calls() {
  std::vector<CallView> views;
  if (life_ != Life::running) return views;
  for (auto& own : ask_workers([](call::Worker& worker) { return worker.views(); })) {
    views.insert(views.end(), std::make_move_iterator(own.begin()),
                 std::make_move_iterator(own.end()));
  }
  std::sort(views.begin(), views.end(),
            [](const CallView& a, const CallView& b) { return a.started_at_us < b.started_at_us; });
  return views;
}

Result<void> Switch::Body::disconnect(std::uint64_t id) {
  if (life_ != Life::running) return Error{ErrorCode::wrong_state, "switch is not running"};
  const auto found =
      ask_worker_of(id, [id](call::Worker& worker) { return worker.disconnect(id); });
  if (std::find(found.begin(), found.end(), true) == found.end())
    return Error{ErrorCode::not_found, "no call " + std::to_string(id)};
  return {};
}

Result<void> Switch::Body::record(std::uint64_t id, bool on) {
  if (life_ != Life::running) return Error{ErrorCode::wrong_state, "switch is not running"};
  auto answers =
      ask_worker_of(id, [id, on](call::Worker& worker) { return worker.record(id, on); });
  if (answers.empty()) return Error{ErrorCode::not_found, "no call " + std::to_string(id)};
  return std::move(answers.front());
}

Result<void> Switch::Body::order(std::uint64_t id, const ServiceOrder& what) {
  if (life_ != Life::running) return Error{ErrorCode::wrong_state, "switch is not running"};
  if (auto checked = check(what); !checked) return checked;
  auto answers =
      ask_worker_of(id, [id, what](call::Worker& worker) { return worker.order(id, what); });
  if (!answers.empty()) return std::move(answers.front());
  // Whoever hears of no call takes it for one that is over, and this one is not.
  if (id >> call::call_id_worker_shift < seats_.size())
    return Error{ErrorCode::limit, "the loop of call " + std::to_string(id) +
                                       " was too busy for an order, which it may still carry out"};
  return Error{ErrorCode::not_found, "no call " + std::to_string(id)};
}

void Switch::Body::answer(std::uint64_t token, const PolicyAnswer& answer) {
  const std::size_t index = token >> call::call_id_worker_shift;
  if (index >= seats_.size()) return;
  on_worker(index, [token, answer](call::Worker& worker) { worker.answer_policy(token, answer); });
}

void Switch::Body::answer_lrn(std::uint64_t token, const LrnAnswer& answer) {
  const std::size_t index = token >> call::call_id_worker_shift;
  if (index >= seats_.size()) return;
  on_worker(index, [token, answer](call::Worker& worker) { worker.answer_lrn(token, answer); });
}

/// Removed accounts keep their balance in the book, and are not shown.
std::vector<AccountState> Switch::Body::accounts() const {
  std::vector<AccountState> all = state_.accounts.snapshot();
  const std::lock_guard lock(config_mutex_);
  std::erase_if(
      all, [this](const AccountState& state) { return !account_ids_.contains(state.settings.id); });
  for (AccountState& state : all) {
    if (!state.settings.limits.empty())
      state.limits = state_.accounts.limits(state_.accounts.find(state.settings.id), wall_us());
  }
  return all;
}

std::optional<AccountState> Switch::Body::account(std::string_view id) const {
  {
    const std::lock_guard lock(config_mutex_);
    if (!account_ids_.contains(id)) return std::nullopt;
  }
  auto state = state_.accounts.state(id);
  if (!state) return std::nullopt;
  state->limits = state_.accounts.limits(state_.accounts.find(id), wall_us());
  return std::move(*state);
}

Result<BookingAnswer> Switch::Body::book(const Booking& booking) {
  if (!account(booking.account))
    return Error{ErrorCode::not_found, "no account \"" + booking.account + "\""};
  if (booking.idempotency_key.starts_with(own_key_prefix))
    return Error{ErrorCode::invalid_argument,
                 "key \"" + booking.idempotency_key + "\" began as those of the switch itself do"};
  auto booked = bookings_->book(booking);
  // Also of a repetition: what failed after the first one is tried again.
  if (booked && !booked->amount.is_negative())
    package_keeper_->recharge(booking.account, wall_us());
  return booked;
}

Result<std::vector<PackagePeriod>> Switch::Body::packages(std::string_view account) const {
  if (!this->account(account))
    return Error{ErrorCode::not_found, "no account \"" + std::string(account) + "\""};
  return state_.packages.current(account);
}

Result<std::vector<PackagePeriod>> Switch::Body::phone_packages(std::string_view number) const {
  const auto known = phone(number);
  if (!known) return Error{ErrorCode::not_found, "no phone \"" + std::string(number) + "\""};
  return state_.packages.current_of_phone(known->number);  // asked for by a DID, perhaps
}

// Through connections of their own, so that the ledger's runner is not held up.
Result<std::vector<LedgerEntry>> Switch::Body::ledger(const LedgerQuery& query) const {
  return environment_.ledger == nullptr ? query_ledger(config_in_force(), query)
                                        : ledger_->entries(query);
}

Result<LedgerCheck> Switch::Body::check_ledger() const {
  return environment_.ledger == nullptr ? tandem::check_ledger(config_in_force())
                                        : ledger_->check({});
}

std::vector<GatewayView> Switch::Body::gateways() const {
  std::shared_ptr<const call::Tables> snapshot;
  std::shared_ptr<const call::Names> known_names;
  {
    const std::lock_guard lock(config_mutex_);
    snapshot = tables_;
    known_names = names_;
  }
  const call::LocatedNames located = located_names();
  const std::int64_t now_us = environment_.network->clock().monotonic_us();
  std::vector<GatewayView> views;
  const auto show_registration = [this](const GatewayConfig& gateway, GatewayView& view) {
    view.registration = gateway.registration;
    if (gateway.registration != GatewayRegistration::dynamic) return;
    view.contacts = contacts_of(gateway.id);
    view.is_registered = !view.contacts.empty();
  };
  for (std::size_t i = 0; i < snapshot->sources.size(); ++i) {
    const call::Customer& customer = snapshot->customers[i];
    GatewayView& view = views.emplace_back();
    view.id = customer.config.id;
    view.calls = static_cast<std::int32_t>(customer.lines.current());
    view.line_limit = customer.config.line_limit;
    view.locked = customer.config.locked;
    show_registration(customer.config, view);
    show_names(customer.config, false, *snapshot, located, now_us, view);
  }
  for (std::uint32_t i = 0; i < snapshot->routes.size(); ++i) {
    const auto& vendor = snapshot->vendors[i].config;
    GatewayView& view = views.emplace_back();
    show_registration(vendor, view);
    if (const auto& uplink = snapshot->vendors[i].uplink; uplink != nullptr) {
      view.is_registered = uplink->is_registered.load();
      view.registered_until_us = uplink->expires_at_us.load();
      view.registration_status = uplink->last_status.load();
    }
    view.id = vendor.id;
    view.is_vendor = true;
    view.calls = static_cast<std::int32_t>(snapshot->vendor_lines->current_calls(i));
    view.line_limit = vendor.line_limit;
    view.locked = vendor.locked;
    show_addresses(snapshot->vendors[i], known_names.get(), now_us, view);
    show_names(vendor, true, *snapshot, located, now_us, view);
  }
  return views;
}

std::vector<ContactView> Switch::Body::contacts_of(std::string_view registrant) const {
  const std::int64_t now_us = environment_.network->clock().monotonic_us();
  const std::int64_t wall_minus_us = wall_minus_monotonic_us();
  std::vector<ContactView> views;
  const auto lines_of = [](std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
      lines.emplace_back(text.substr(0, text.find('\n')));
      text.remove_prefix(std::min(lines.back().size() + 1, text.size()));
    }
    return lines;
  };
  for (phone::Contact& one : state_.registrar.contacts(registrant, now_us)) {
    views.push_back({std::move(one.uri), one.destination, one.source,
                     std::string(transport_name(one.transport)), std::move(one.product),
                     one.q_thousandths, one.registered_at_us + wall_minus_us,
                     one.expires_at_us + wall_minus_us, lines_of(one.path)});
  }
  return views;
}

PhoneView Switch::Body::view_of(const call::Phone& phone, const call::Tables& tables) const {
  const call::Customer& caller = tables.customers[phone.customer];
  PhoneView view;
  view.number = phone.config.number;
  view.dids = phone.config.dids;
  view.account = phone.config.account;
  view.locked = phone.config.locked;
  view.calls_out = static_cast<std::int32_t>(caller.lines.current());
  view.calls_in = static_cast<std::int32_t>(tables.vendors[phone.vendor].lines.current());
  view.line_in = phone.config.line_in;
  view.line_out = phone.config.line_out;
  view.line_limit = phone.config.line_limit;
  view.contacts = contacts_of(caller.config.id);
  return view;
}

std::vector<PhoneView> Switch::Body::phones() const {
  const auto snapshot = tables();
  std::vector<PhoneView> views;
  views.reserve(snapshot->phones.size());
  for (const call::Phone& phone : snapshot->phones)
    views.push_back(view_of(phone, *snapshot));
  return views;
}

std::optional<PhoneView> Switch::Body::phone(std::string_view number) const {
  const auto snapshot = tables();
  const call::Phone* const phone = snapshot->find_phone(number);
  if (phone == nullptr) return std::nullopt;
  return view_of(*phone, *snapshot);
}

std::vector<SuspensionView> Switch::Body::suspensions() const {
  return state_.suspensions.list(environment_.network->clock().monotonic_us());
}

Result<void> Switch::Body::lift_suspension(std::string_view user, std::string_view address) {
  const auto ip = IpAddress::parse(address);
  if (!ip) return ip.error();
  if (state_.suspensions.lift(user, *ip, environment_.network->clock().monotonic_us())) return {};
  return Error{ErrorCode::not_found,
               "no suspension of \"" + std::string(user) + "\" at " + ip->to_string()};
}

SwitchCounters Switch::Body::counters() const {
  SwitchCounters sum;
  std::unique_lock workers_lock(workers_mutex_);
  const bool is_open = life_ != Life::closed;
  for (std::size_t i = 0; is_open && i < seats_.size(); ++i) {
    const call::WorkerCounters& worker = seats_[i].worker->counters();
    sum.calls_started += worker.started.load();
    sum.calls_answered += worker.answered.load();
    sum.calls_ended += worker.ended.load();
    sum.calls_refused += worker.refused.load();
    sum.calls_by_worker.push_back(worker.started.load());
    const sip::StackCounters& sip = stack_->counters(static_cast<unsigned>(i));
    sum.datagrams_received += sip.datagrams_received.load();
    sum.malformed += sip.malformed_dropped.load() + sip.malformed_answered.load();
    sum.retransmissions += sip.retransmissions.load();
    sum.dialogs_live += sip.dialogs_live.load();
    sum.transactions_live += sip.transactions_live.load();
    sum.registers_received += sip.registers_received.load();
    sum.tls_handshakes += sip.tls_handshakes.load();
    sum.tls_failures += sip.tls_failures.load();
    sum.tls_refused += sip.tls_refused.load();
    sum.websockets_opened += sip.websockets_opened.load();
    sum.websocket_failures += sip.websocket_failures.load();
    sum.overload_refused += sip.overload_refused.load();
    sum.overload_dropped += sip.overload_dropped.load();
    sum.overload_waited += sip.arrivals_waited.load();
    sum.connections_live += sip.connections_live.load();
    sum.connections_refused += sip.connections_refused.load() + sip.peer_connections_refused.load();
    sum.connections_unused += sip.connections_unused.load();
    sum.connections_deaf += sip.connections_deaf.load();
    sum.sip_memory_bytes += sip.memory_bytes.load();
    sum.overload_loss_percent =
        std::max(sum.overload_loss_percent, sip.overload_loss_percent.load());
  }
  if (is_open) {
    const io::DnsResolverCounters dns = name_keeper_->counters();
    sum.dns = {
        dns.questions, dns.answers, dns.timeouts, dns.failures, dns.strays, dns.truncated, 0, 0};
    for (const auto& [key, found] : name_keeper_->located()) {
      ++sum.dns.names;
      if (found.is_stale || found.places.empty()) ++sum.dns.names_failing;
    }
  }
  sum.calls_live = live_calls();
  if (is_open && relay_) {
    sum.media = relay_->stats();
    sum.media_backends = relay_->backends();
  }
  if (is_open && recorder_) sum.recorder = recorder_->stats();
  sum.media_sessions_live = sum.media.sessions;
  workers_lock.unlock();
  sum.events_dropped = callbacks_->dropped();
  const std::shared_ptr<const call::Tables> snapshot = tables();  // a reload may end them
  for (const auto& resolver : snapshot->lrn_resolvers)
    sum.lrn.push_back(lrn::counters_of(*resolver));
  sum.event_feeds = hub_->feeds();
  sum.feed_events_lost = hub_->lost();
  const CdrJournalCounters journal = journal_->counters();
  sum.journal_records = journal.appended;
  sum.journal_lag = journal.waiting;
  sum.journal_writable = journal_->is_writable();
  sum.is_draining = commons_->is_draining.load();
  sum.phone_notices = phone_notices();
  sum.registrants_online = state_.registrar.online();
  sum.registers_refused = register_rates_->refused();
  sum.registers_dropped = register_rates_->dropped();
  for (const TraceView& trace : trace_recorder_->traces())
    sum.traces_running += trace.id != 0 && trace.end == TraceEnd::none;
  sum.hep_sent = trace_recorder_->hep().sent.load();
  sum.hep_dropped = trace_recorder_->hep().dropped.load();
  for (const cdr::SinkRunner* runner : {ledger_runner_.get(), package_runner_.get()}) {
    if (runner != nullptr) sum.sinks.push_back(runner->state());
  }
  for (const Sink& sink : sinks_)
    sum.sinks.push_back(sink.runner->state());
  return sum;
}

SwitchConfig Switch::Body::records_config() const {
  SwitchConfig config;
  const std::lock_guard lock(config_mutex_);
  config.folder = config_.folder;
  config.cdr_sinks = config_.cdr_sinks;
  // Corrections of a ledger that was given are not in a file of the configuration's.
  config.database = environment_.ledger == nullptr ? config_.database : std::string();
  config.parameters = config_.parameters;
  config.maintenance = config_.maintenance;
  config.recording = config_.recording;
  return config;
}

Result<std::string> Switch::Body::explain(const ExplainRequest& request) {
  const auto random = make_random(0);
  std::shared_ptr<const call::Tables> snapshot;
  std::shared_ptr<const call::Names> known_names;
  {
    const std::lock_guard lock(config_mutex_);
    snapshot = tables_;
    known_names = names_;
  }
  return explain_call(std::move(snapshot), std::move(known_names), state_, *random,
                      environment_.network->clock(), request);
}

// --- shadow ---

std::shared_ptr<Shadow> Switch::Body::running_shadow() const {
  const std::lock_guard lock(shadow_mutex_);
  return shadow_;
}

/// On the worker of the call.
void Switch::Body::shadow(call::ShadowCall call) noexcept {
  if (const std::shared_ptr<Shadow> running = running_shadow(); running != nullptr)
    running->offer(std::move(call));
}

Result<void> Switch::Body::start_shadow(std::string_view text) {
  const std::lock_guard start_lock(shadow_start_mutex_);
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  if (running_shadow() != nullptr) return Error{ErrorCode::wrong_state, "a shadow runs already"};
  auto plan = read_shadow_plan(text);
  if (!plan) return plan.error();
  auto config = config_of_shadow(*plan, config_in_force(),
                                 [this](const std::string& deck, std::uint64_t version) {
                                   return provisioning_body_->deck_at(deck, version);
                                 });
  if (!config) return config.error();
  constexpr std::uint64_t random_salt = 1'000;  // beyond those of the workers
  auto started = Shadow::start(std::move(*config), std::move(*plan), make_random(random_salt),
                               wall_us(), !is_simulated());
  if (!started) return started.error();
  const std::lock_guard lock(shadow_mutex_);
  shadow_ = std::move(*started);
  has_shadow_.store(true, std::memory_order_relaxed);
  return {};
}

Result<std::string> Switch::Body::shadow_report() const {
  const std::shared_ptr<Shadow> running = running_shadow();
  if (running == nullptr) return Error{ErrorCode::not_found, "no shadow runs"};
  return running->report(wall_us());
}

Result<std::string> Switch::Body::stop_shadow() {
  std::shared_ptr<Shadow> ended;
  {
    const std::lock_guard lock(shadow_mutex_);
    has_shadow_.store(false, std::memory_order_relaxed);
    ended.swap(shadow_);
  }
  if (ended == nullptr) return Error{ErrorCode::not_found, "no shadow runs"};
  ended->stop();
  return ended->report(wall_us());
}

std::vector<ListenConfig> Switch::Body::listening() const {
  std::vector<ListenConfig> result;
  const std::lock_guard lock(workers_mutex_);
  if (life_ == Life::closed) return result;
  for (const sip::ListenAddress& listen : stack_->listening()) {
    result.push_back({listen.transport, listen.address, listen.client_certificate});
  }
  return result;
}

}  // namespace tandem
