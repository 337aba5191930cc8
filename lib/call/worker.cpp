#include "call/worker.hpp"

#include <algorithm>

#include "call/call.hpp"
#include "call/register_desk.hpp"

namespace tandem::call {

namespace {
constexpr std::int64_t second_us = 1'000'000;
}  // namespace

Worker::Worker(unsigned index, io::Loop& loop, Random& random, Commons& commons,
               std::shared_ptr<const Tables> tables)
    : index_(index),
      loop_(loop),
      random_(random),
      commons_(commons),
      tables_(std::move(tables)),
      lookups_(
          loop, random, commons.log, std::uint64_t{index} << call_id_worker_shift | 1U,
          [&host = commons.host](LrnQuestion question) {
            return host.ask_lrn(std::move(question));
          },
          *this),
      second_(Timer::member<&Worker::on_second, Worker>(), this) {
  loop_.timers().start(second_, second_us);
}

Worker::~Worker() = default;

void Worker::set_legs(LegFactory& legs) {
  legs_ = &legs;
  lookups_.set_legs(legs);
  if (index_ != 0) return;
  vendor_check_ = std::make_unique<HealthCheck>(
      loop_, legs, [this](const CheckedAddress& address) { tell_vendor_change(address); });
  uplinks_ = std::make_unique<Uplinks>(
      loop_, legs, [this](const UplinkOrder& order, const UplinkPlace& place, int status) {
        tell_uplink_change(order, place, status);
      });
  nat_keeper_ = std::make_unique<NatKeeper>(loop_, legs, commons_.state.registrar);
  phone_check_ = std::make_unique<PhoneCheck>(
      loop_, legs, commons_.state.registrar, [this](const phone::ExpiredRegistration& gone) {
        tell_unanswering(gone, *tables_, commons_, loop_.clock());
      });
  check_vendors();
  attend_to_phones();
}

void Worker::set_names(std::shared_ptr<const Names> names) {
  names_ = std::move(names);
  check_vendors();
}

void Worker::set_tables(std::shared_ptr<const Tables> tables, std::shared_ptr<const Names> names) {
  tables_ = std::move(tables);
  names_ = std::move(names);
  lookups_.keep_only(tables_->lrn_resolvers);
  check_vendors();
  attend_to_phones();
}

void Worker::attend_to_phones() {
  if (nat_keeper_ == nullptr) return;
  const Parameters& p = tables_->parameters;
  nat_keeper_->set_rhythm({tables_->registrants.empty() ? std::string() : p.nat_keep_alive_message,
                           p.nat_keep_alive_period_s * second_us,
                           p.nat_keep_alive_interval_ms * std::int64_t{1000},
                           static_cast<std::size_t>(p.nat_keep_alive_batch)});
  phone_check_->set_period(tables_->registrants.empty() ? 0 : p.registration_check_s * second_us);
}

void Worker::check_vendors() {
  if (vendor_check_ == nullptr) return;
  std::vector<CheckedAddress> checked;
  for (const Vendor& vendor : tables_->vendors) {
    if (!vendor.config.options_check) continue;
    const SipOptions& sip = vendor.config.sip;
    const route::Places* const places = places_of(vendor, names_.get());
    for (std::size_t i = 0; places != nullptr && i < places->size(); ++i) {
      const route::Place& place = (*places)[i];
      checked.push_back({vendor.config.id, transport_name(place.transport), sip.local_address,
                         place.health, std::string(tls_name_of(vendor, place.name)),
                         sip.tls_verify});
    }
    for (const auto& address : vendor.addresses) {
      if (vendor.has_names) break;  // they are among the places
      checked.push_back({vendor.config.id, transport_name(sip.transport), sip.local_address,
                         address, sip.tls_name, sip.tls_verify});
    }
  }
  vendor_check_->watch(std::move(checked), tables_->parameters.options_check_s * second_us);
  std::vector<UplinkOrder> orders;
  for (const Vendor& vendor : tables_->vendors) {
    if (vendor.uplink == nullptr) continue;
    UplinkOrder order{
        vendor.config.id, {}, vendor.config.sip.tls_verify, *vendor.config.auth, vendor.uplink};
    if (const route::Places* const places = places_of(vendor, names_.get()); places != nullptr) {
      for (const route::Place& place : *places) {
        const SocketAddress& address = place.health->address();
        order.places.push_back(
            {address, place.transport, std::string(tls_name_of(vendor, place.name)), place.name});
      }
    } else {
      const SocketAddress& address = vendor.addresses.front()->address();
      order.places.push_back(
          {address, vendor.config.sip.transport, vendor.config.sip.tls_name, {}});
    }
    // A name that stands for nothing now: what was registered there is lost with it.
    if (!order.places.empty()) orders.push_back(std::move(order));
  }
  uplinks_->keep(std::move(orders),
                 {tables_->parameters.outbound_expires_s, tables_->parameters.outbound_retry_s});
}

void Worker::leave_vendors() {
  if (uplinks_ != nullptr) uplinks_->leave();
}

void Worker::tell_uplink_change(const UplinkOrder& order, const UplinkPlace& place, int status) {
  const bool is_registered = order.uplink->is_registered.load();
  const std::string where = place.destination.to_string();
  const std::string what =
      is_registered ? "registered at " + where
                    : "could not register at " + where + ": " +
                          (status == 0 ? std::string("no answer") : std::to_string(status));
  commons_.log.write(is_registered ? LogLevel::info : LogLevel::warning, "call", what,
                     {{"gateway", order.gateway}});
  if (!commons_.host.wants_events()) return;
  Event event;
  event.kind = Event::Kind::gateway;
  event.at_us = loop_.clock().wall_us();
  event.gateway = order.gateway;
  event.text = what;
  RegistrationChange& change = event.registration.emplace();
  change.state = is_registered ? "registered" : "unregistered";
  change.address = where;
  commons_.host.publish(std::move(event));
}

RegisterReply Worker::on_register(const RegisterRequest& request) {
  return answer_register(request, *tables_, commons_, loop_.clock());
}

bool Worker::takes_replaces(const SocketAddress& source, std::string_view user) {
  std::optional<std::uint32_t> sender = sources_of(*tables_, names_.get()).owner_of(source);
  const std::int64_t now_us = loop_.clock().monotonic_us();
  if (const Phone* const phone = tables_->find_phone(user); phone != nullptr && !sender) {
    const std::string& id = tables_->customers[phone->customer].config.id;
    if (commons_.state.registrar.is_at(id, source, now_us)) sender = phone->customer;
  }
  if (!sender) {
    if (const auto id = commons_.state.registrar.registrant_at(source))
      sender = tables_->find_customer(*id);
  }
  return sender && tables_->customers[*sender].config.sip.replaces != ReplacesMode::off;
}

void Worker::on_flow_closed(const FlowId& flow) {
  if (!tables_->registrants.empty()) lose_flow(flow, *tables_, commons_, loop_.clock());
}

void Worker::tell_vendor_change(const CheckedAddress& address) {
  const bool is_up = address.health->is_up();
  const std::string where = address.health->address().to_string();
  commons_.log.write(is_up ? LogLevel::info : LogLevel::warning, "call",
                     is_up ? "vendor answers again" : "vendor does not answer",
                     {{"gateway", address.gateway}, {"address", where}});
  if (!commons_.host.wants_events()) return;
  Event event;
  event.kind = Event::Kind::gateway;
  event.at_us = loop_.clock().wall_us();
  event.gateway = address.gateway;
  event.text = where + (is_up ? " answers again" : " does not answer");
  commons_.host.publish(std::move(event));
}

Call& Worker::add_call(std::unique_ptr<Leg> leg, const InboundCall& arrival,
                       std::shared_ptr<const Tables> tables) {
  const std::uint64_t id = (std::uint64_t{index_} << call_id_worker_shift) | next_id_++;
  counters_.started.fetch_add(1, std::memory_order_relaxed);
  commons_.live_calls.fetch_add(1, std::memory_order_relaxed);
  auto call = std::make_unique<Call>(*this, id, std::move(leg), arrival, std::move(tables));
  return *calls_.emplace(id, std::move(call)).first->second;
}

void Worker::on_call(std::unique_ptr<Leg> leg, const InboundCall& arrival) {
  add_call(std::move(leg), arrival, tables_).begin(arrival, nullptr);
}

void Worker::forward(std::unique_ptr<Leg> leg, const InboundCall& arrival,
                     std::shared_ptr<const Tables> tables, std::unique_ptr<Forwarding> forwarding) {
  add_call(std::move(leg), arrival, std::move(tables)).begin(arrival, std::move(forwarding));
}

void Worker::answer_policy(std::uint64_t token, const PolicyAnswer& answer) {
  if (const auto found = calls_.find(token); found != calls_.end())
    found->second->answer_policy(answer);
}

void Worker::on_lookup(lrn::Waiter waiter, const std::optional<LrnRecord>& record) {
  if (const auto found = calls_.find(waiter >> 1U); found != calls_.end())
    found->second->take_lookup((waiter & 1U) != 0, record);
}

bool Worker::disconnect(std::uint64_t id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return false;
  found->second->end_by_server(Reason::AdminDisconnect);
  return true;
}

Result<void> Worker::record(std::uint64_t id, bool on) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return Error{ErrorCode::not_found, "no call " + std::to_string(id)};
  return found->second->record(on);
}

Result<void> Worker::order(std::uint64_t id, const ServiceOrder& what) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return Error{ErrorCode::not_found, "no call " + std::to_string(id)};
  return found->second->order(what);
}

void Worker::on_media(const MediaEvent& event) {
  if (const auto found = calls_.find(event.tag); found != calls_.end())
    found->second->on_media(event);
}

void Worker::end_all(Reason reason) {
  std::vector<std::uint64_t> ids;
  ids.reserve(calls_.size());
  for (const auto& [id, call] : calls_)
    ids.push_back(id);
  for (const std::uint64_t id : ids) {
    if (const auto found = calls_.find(id); found != calls_.end())
      found->second->end_by_server(reason);
  }
}

std::vector<CallView> Worker::views() const {
  std::vector<CallView> views;
  views.reserve(calls_.size());
  for (const auto& [id, call] : calls_)
    views.push_back(call->view());
  return views;
}

void Worker::join(const DialogName& dialog, const std::string& party, std::unique_ptr<Leg> leg) {
  Leg* const there = legs_->find(dialog);
  // Too rare for an index of all legs, which every call would pay for.
  const auto found =
      there == nullptr ? calls_.end()
                       : std::find_if(calls_.begin(), calls_.end(),
                                      [&](const auto& entry) { return entry.second->has(*there); });
  if (found != calls_.end() && found->second->adopt(*there, party, leg)) return;
  leg->reject(481, 0, 0);
  retire(std::move(leg));
}

void Worker::stand_in(const StandInOrder& order, StandIn in) {
  int status = 481;
  if (order.ringing != 0) {
    if (const auto found = calls_.find(order.ringing); found != calls_.end())
      status = found->second->pick_up(nullptr, in);
  } else if (const DialogMatch match = legs_->match(order.dialog());
             match.state == DialogMatch::State::over) {
    status = 603;
  } else if (match.state == DialogMatch::State::up && order.is_early_only) {
    status = 486;
  } else if (match.state >= DialogMatch::State::calling && match.leg != nullptr) {
    // As in join().
    const auto found = std::find_if(calls_.begin(), calls_.end(), [&](const auto& entry) {
      return entry.second->has(*match.leg);
    });
    if (found != calls_.end()) {
      status = match.state == DialogMatch::State::up ? found->second->replace(*match.leg, in)
                                                     : found->second->pick_up(match.leg, in);
    }
  }
  if (in.leg == nullptr) return;
  in.leg->reject(status, 0, 0);
  retire(std::move(in.leg));
}

LegRelay& Worker::keep(std::unique_ptr<LegRelay> relay) {
  return *relays_.emplace_back(std::move(relay));
}

void Worker::forget(LegRelay& relay) {
  const auto found = std::find_if(relays_.begin(), relays_.end(),
                                  [&](const auto& one) { return one.get() == &relay; });
  if (found == relays_.end()) return;
  loop_.defer([shared = std::shared_ptr<LegRelay>(std::move(*found))] {});
  relays_.erase(found);
}

std::unique_ptr<Leg> Worker::take_leg(std::uint64_t call) {
  const auto found = calls_.find(call);
  return found == calls_.end() ? nullptr : found->second->give_leg();
}

void Worker::refuse_place(std::uint64_t call, int status) {
  if (const auto found = calls_.find(call); found != calls_.end())
    found->second->refuse_place(status);
}

void Worker::see_off(std::unique_ptr<Leg> leg, std::uint32_t results) {
  if (leg == nullptr || leg->is_over()) return retire(std::move(leg));
  farewells_.push_back(std::make_unique<Farewell>(*this, std::move(leg), results));
}

void Worker::forget(Farewell& farewell) {
  const auto found = std::find_if(farewells_.begin(), farewells_.end(),
                                  [&](const auto& one) { return one.get() == &farewell; });
  if (found == farewells_.end()) return;
  loop_.defer([shared = std::shared_ptr<Farewell>(std::move(*found))] {});
  farewells_.erase(found);
}

void Worker::retire(std::unique_ptr<Leg> leg) {
  if (leg == nullptr) return;
  // std::function must be copyable, so the leg travels in a shared_ptr that has this one owner.
  loop_.defer([shared = std::shared_ptr<Leg>(std::move(leg))] {});
}

void Worker::remove(std::uint64_t id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  loop_.defer([shared = std::shared_ptr<Call>(std::move(found->second))] {});
  calls_.erase(found);
  counters_.ended.fetch_add(1, std::memory_order_relaxed);
  commons_.live_calls.fetch_sub(1, std::memory_order_relaxed);
}

std::uint64_t Worker::journal(cdr::RecordType type, std::string payload) noexcept {
  const auto appended = commons_.journal.append(type, std::move(payload));
  if (appended) return *appended;
  counters_.unrecorded.fetch_add(1, std::memory_order_relaxed);
  commons_.log.write(LogLevel::error, "call", "journal refused a record",
                     {{"error", appended.error().message}});
  return 0;
}

std::uint64_t Worker::journal_if_room(cdr::RecordType type, std::string payload) noexcept {
  if (!commons_.journal.is_crowded()) return journal(type, std::move(payload));
  counters_.unrecorded.fetch_add(1, std::memory_order_relaxed);
  return 0;
}

void Worker::await_durable(std::uint64_t sequence, std::uint64_t call_id) {
  awaited_.push_back({sequence, call_id});
  awaiting_.store(true);
  commons_.host.hasten_commit();
  // The commit may have passed between append() and the store above; then nobody else comes.
  if (commons_.journal.durable_sequence() >= sequence) loop_.defer([this] { on_durable(); });
}

void Worker::on_durable() {
  const std::uint64_t durable = commons_.journal.durable_sequence();
  while (!awaited_.empty() && awaited_.front().sequence <= durable) {
    const auto found = calls_.find(awaited_.front().call_id);
    awaited_.pop_front();
    if (found != calls_.end()) found->second->on_durable();
  }
  awaiting_.store(!awaited_.empty());
}

void Worker::on_second() {
  loop_.timers().start(second_, second_us);
  if (index_ == 0) expire_registrations(*tables_, commons_, loop_.clock());
  const std::int64_t now_us = loop_.clock().monotonic_us();
  std::vector<std::uint64_t> due;
  for (const auto& [id, call] : calls_) {
    if (call->is_answered()) due.push_back(id);
  }
  for (const std::uint64_t id : due) {  // a call may end here and leave the map
    if (const auto found = calls_.find(id); found != calls_.end()) found->second->on_second(now_us);
  }
}

}  // namespace tandem::call
