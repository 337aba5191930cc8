// A call that the host serves (T-17): the switch answers it, and plays, collects keys and bridges
// as the host orders.
//
// Nobody stands on the callee's side. A bridge is a call of its own, judged as if the caller had
// dialled the number, at the other end of a loop; once its callee has answered, that end takes the
// free place by what a blind transfer does with a transferor (call_transfer.cpp).
#include <algorithm>
#include <utility>

#include "call/call.hpp"
#include "call/loop_leg.hpp"
#include "sip/sdp.hpp"

namespace tandem::call {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr int forbidden = 403, not_acceptable = 488, request_pending = 491;
constexpr int request_terminated = 487;
constexpr std::int64_t acknowledgement_wait_us = 8'000'000;  // of the PRACK of the description
constexpr std::string_view keys = "0123456789*#ABCD";

Error wrong_state(std::string what) { return {ErrorCode::wrong_state, std::move(what)}; }

}  // namespace

const Vendor& Call::nobody() noexcept {
  static const Vendor none{};
  return none;
}

// --- beginning ---

/// The host serves the call: it is answered, or hears early media.
void Call::begin_service() {
  const ServeOrder order = *context_.setup->policy->serve;
  shadow_notes_.reset();  // no tables say what a host does
  trial_.vendor = no_vendor;
  const SessionBody offer{setup_->offer_type, setup_->offer};
  const MediaSettingsPair settings = media_settings(nullptr);
  const IpAddress::Family family = context_.source.ip.family;
  media_.set_relayed(worker_.commons().relay != nullptr, {family, family});
  Result<std::string> own = Error{ErrorCode::unsupported, "the caller offered no audio"};
  if (worker_.commons().relay != nullptr && !offer.empty() && is_sdp(offer.content_type)) {
    own = media_.pass(MediaSide::caller, SdpRole::offer, offer, settings);
    if (own) own = media_.answer_alone(offer, settings);
  }
  if (!own) {
    worker_.commons().log.write(
        LogLevel::warning, "call", "a call could not be served",
        {{"call_id", std::string(inbound_->call_id())}, {"error", own.error().message}});
    const Reason why =
        own.error().code == ErrorCode::limit ? Reason::AllGatewayBusy : Reason::CodecMismatch;
    return refuse(why, reason_facts(why).sip_status);
  }
  state_ = CallState::progressing;
  note_progress();
  service_ =
      std::make_unique<Service>(order,
                                Service::Handlers{Timer::member<&Call::on_play_end, Call>(),
                                                  Timer::member<&Call::on_key_time, Call>(),
                                                  Timer::member<&Call::on_service_idle, Call>()},
                                this);
  service_->description = std::move(*own);
  if (is_traced_) trace_note("service", "the host serves the call");
  if (order.answers) return answer_service();
  inbound_->progress(183, {"application/sdp", service_->description});
  be_ready();
}

/// As for the answer of a callee: the caller hears of it once it is recorded.
void Call::answer_service() {
  setup_->pending_answer = PendingAnswer{"application/sdp", service_->description, {}};
  inbound_->forget_progress();
  setup_->awaits_acknowledgement = inbound_->awaits_acknowledgement();
  if (!setup_->awaits_acknowledgement) return record_answer();
  worker_.loop().timers().start(setup_->timer, acknowledgement_wait_us);
}

/// The host is told that it may give orders; once. Its time for one begins anew with the answer.
void Call::be_ready() {
  if (!is_served()) return;
  if (std::exchange(service_->is_ready, true)) return await_order();
  report({.what = ServiceReport::What::ready, .digits = {}});
}

void Call::report(ServiceReport what) {
  await_order();
  Host& host = worker_.commons().host;
  if (!host.wants_events()) return;
  Event event;
  event.kind = Event::Kind::call_service;
  event.at_us = worker_.loop().clock().wall_us();
  event.call = view();
  event.service = std::move(what);
  host.publish(std::move(event));
}

/// From now on the host has its time for an order, if it waits for nothing.
void Call::await_order() {
  if (!is_served()) return;
  const bool is_waiting = (service_->is_playing && !service_->repeats) || service_->collection ||
                          transfer_ != nullptr || is_answer_pending();
  if (is_waiting) return service_->idle_timer.cancel();
  worker_.loop().timers().start(service_->idle_timer, parameters().service_idle_s * second_us);
}

/// The host has forgotten the call, or is gone.
void Call::on_service_idle() { end_by_server(Reason::GatewayTimeout); }

// --- orders ---

Result<void> Call::order(const ServiceOrder& what) {
  if (is_over_ || !is_served()) return wrong_state("the call is not served");
  if (!service_->is_ready) return wrong_state("the call was not answered yet");
  auto done = std::visit([this](const auto& one) { return carry_out(one); }, what);
  if (done && !is_over_) await_order();
  return done;
}

Result<void> Call::carry_out(const AnswerOrder&) {
  if (state_ == CallState::answered || is_answer_pending())
    return wrong_state("the call was answered before");
  answer_service();
  return {};
}

Result<void> Call::carry_out(const PlayOrder& order) {
  end_play(ServiceReport::Why::stopped);
  if (auto played = media_.play_over(MediaSide::caller, order.sounds, order.repeats); !played)
    return played;
  service_->is_playing = true;
  service_->repeats = order.repeats;
  service_->stops_at_key = order.stops_at_key;
  if (!order.repeats)
    worker_.loop().timers().start(service_->play_timer, order.sounds.duration_us());
  return {};
}

Result<void> Call::carry_out(const StopOrder&) {
  end_play(ServiceReport::Why::stopped);
  end_collection(ServiceReport::Why::stopped);
  // A callee that the caller is just being led to has answered, and has it.
  if (transfer_ != nullptr && reoffer_from_ != transfer_->target)
    give_back_transferor(request_terminated);
  return {};
}

Result<void> Call::carry_out(const CollectOrder& order) {
  end_collection(ServiceReport::Why::stopped);
  service_->collection = order;
  const std::string earlier = std::exchange(service_->earlier_keys, {});
  for (const char key : order.drops_earlier ? std::string() : earlier) {
    if (service_->collection) {
      collect(key);
    } else {  // for the next one
      service_->earlier_keys += key;
    }
  }
  await_first_key();
  return {};
}

Result<void> Call::carry_out(const HangUpOrder& order) {
  Ending ending{.reason = Reason::NormalCallClearing,
                .side = ReleaseSide::server,
                .end_code = static_cast<int>(Reason::NormalCallClearing),
                .sip_status = 200,
                .q850_cause = order.q850_cause};
  if (state_ == CallState::answered) {
    abandon_transfer();
    if (trial_.leg != nullptr) trial_.leg->release(order.q850_cause);
    inbound_->release(order.q850_cause);
  } else {
    const int status = sip_for_q850(order.q850_cause);
    ending.sip_status = status >= 400 ? status : 480;
    ending.reason = reason_for_response(ending.sip_status);
    ending.end_code = ending.sip_status;
    inbound_->reject(ending.sip_status, order.q850_cause, 0);
  }
  finish(ending);
  return {};
}

// --- playing ---

void Call::on_play_end() { end_play(ServiceReport::Why::finished); }

void Call::end_play(ServiceReport::Why why) {
  if (service_ == nullptr || !std::exchange(service_->is_playing, false)) return;
  service_->play_timer.cancel();
  if (why != ServiceReport::Why::finished) media_.stop_playing_over(MediaSide::caller);
  await_first_key();
  report({.what = ServiceReport::What::played, .why = why, .digits = {}});
}

// --- keys ---

/// A key that came in RTP, or loss.
void Call::on_service_media(const MediaEvent& event) {
  if (event.kind == MediaEvent::Kind::loss_began) return publish_loss(event);
  if (event.kind != MediaEvent::Kind::digit || event.side != MediaSide::caller) return;
  const SipOptions* const options = options_of(MediaSide::caller);
  if (options != nullptr && !options->takes_events() && !options->dtmf_inband) return;
  if (!is_way(told_way_, MediaSide::caller, KeyWay::rtp)) return;
  publish_digit(MediaSide::caller, event.digit, event.duration_ms);
  press_service_key(event.digit);
}

/// Requests of the caller: keys are for the host, all else for nobody.
void Call::answer_served(Leg& leg, const DialogRequest& request) {
  const char key = request.method == "INFO" ? dtmf_key(request.body) : '\0';
  if (key == '\0') return leg.answer_request(request_pending, {});
  // As in other calls: who tells of a key in two ways would take a refusal for a fault.
  leg.answer_request(200, {});
  const SipOptions* const options = options_of(MediaSide::caller);
  if (options != nullptr && !options->takes_info()) return;
  if (!is_way(told_way_, MediaSide::caller, KeyWay::info)) return;
  publish_digit(MediaSide::caller, key, dtmf_duration_ms(request.body));
  press_service_key(key);
}

void Call::press_service_key(char key) {
  if (keys.find(key) == std::string_view::npos) return;
  if (service_->is_playing && service_->stops_at_key) end_play(ServiceReport::Why::key);
  if (service_->collection) return collect(key);
  if (service_->earlier_keys.size() < Service::earlier_keys_max) service_->earlier_keys += key;
}

void Call::collect(char key) {
  const CollectOrder& order = *service_->collection;
  if (order.terminators.find(key) != std::string::npos)
    return end_collection(ServiceReport::Why::terminator);
  service_->digits += key;
  if (service_->digits.size() >= order.max) return end_collection(ServiceReport::Why::full);
  worker_.loop().timers().start(service_->key_timer, order.next_key_ms * 1000);
}

/// The time for it begins when the caller has heard what it is asked.
void Call::await_first_key() {
  if (!service_->collection || !service_->digits.empty()) return;
  if (service_->is_playing && !service_->repeats) return;
  worker_.loop().timers().start(service_->key_timer, service_->collection->first_key_ms * 1000);
}

void Call::on_key_time() {
  end_collection(service_->digits.empty() ? ServiceReport::Why::first_key
                                          : ServiceReport::Why::next_key);
}

void Call::end_collection(ServiceReport::Why why) {
  if (service_ == nullptr || !service_->collection) return;
  service_->key_timer.cancel();
  const std::size_t min = service_->collection->min;
  service_->collection.reset();
  std::string digits = std::exchange(service_->digits, {});
  const bool is_complete = digits.size() >= min && why != ServiceReport::Why::stopped;
  report({.what = ServiceReport::What::collected,
          .why = why,
          .digits = std::move(digits),
          .is_complete = is_complete});
}

// --- changes of the session ---

/// The caller changes its session, or refreshes it, while nobody but the switch is there.
void Call::reoffer_served(Leg& leg, const Reoffer& reoffer) {
  if (state_ != CallState::answered || reoffer_from_ != nullptr || ack_to_ != nullptr)
    return leg.answer_reoffer(request_pending, {});
  if (reoffer.body.empty()) {
    const std::string own = media_.say(MediaSide::caller, service_->description);
    service_->awaits_answer = true;
    return leg.answer_reoffer(200, {"application/sdp", own});
  }
  if (!check_description(MediaSide::caller, reoffer.body)) return leg.answer_reoffer(forbidden, {});
  media_.remember(MediaSide::caller);
  const MediaSettingsPair settings = media_settings(nullptr);
  Result<std::string> own = media_.pass(MediaSide::caller, SdpRole::offer, reoffer.body, settings);
  if (own) own = media_.answer_alone(reoffer.body, settings);
  if (!own) {
    media_.revert();
    (void)media_.hear_alone(service_->description);
    return leg.answer_reoffer(not_acceptable, {});
  }
  media_.forget();
  service_->description = sip::without_directions(*own);
  const std::string answer =
      media_.on_hold() ? media_.say(MediaSide::caller, sip::held(*own)) : std::move(*own);
  leg.answer_reoffer(200, {"application/sdp", answer});
}

/// The caller has asked without an offer, and answers the one that it got.
void Call::confirm_served(const SessionBody& body) {
  if (!std::exchange(service_->awaits_answer, false) || body.empty()) return;
  if (!check_description(MediaSide::caller, body)) return end_by_server(Reason::GeofenceForbidden);
  // One that is none changes nothing: the caller is where it was.
  (void)media_.pass(MediaSide::caller, SdpRole::answer, body, media_settings(nullptr));
}

// --- bridging ---

Result<void> Call::carry_out(const BridgeOrder& order) {
  if (state_ != CallState::answered) return wrong_state("the call is not answered");
  if (transfer_ != nullptr) return wrong_state("the call is being bridged");
  if (parts_left() <= 0)
    return Error{ErrorCode::limit,
                 "the call was bridged " + std::to_string(forward_parts_max) + " times already"};
  // Who may dial now is for the tables of now to say.
  const std::shared_ptr<const Tables> tables = worker_.tables();
  const std::string& id = order.customer.empty() ? party_of(MediaSide::caller) : order.customer;
  const auto payer = tables->find_customer(id);
  if (!payer) return Error{ErrorCode::not_found, "no customer gateway or phone \"" + id + "\""};
  std::string offer = sip::without_directions(media_.shown(MediaSide::callee));
  if (offer.empty()) return wrong_state("the caller has no session");
  end_collection(ServiceReport::Why::stopped);

  transfer_ =
      std::make_unique<Transfer>(MediaSide::callee, Timer::member<&Call::join, Call>(), this);
  transfer_->order = Transfer::Order::keys;  // blind, and nobody is told of it in the call
  auto [out, in] = make_loop(
      worker_.loop(),
      {std::string(arrival_call_id()), inbound_->remote(), true, std::string(inbound_->product())},
      *this);
  transfer_->leg = std::move(out);
  transfer_->target = transfer_->leg.get();
  transfer_->offered = std::move(offer);
  service_->bridged_to = order.callee;

  --parts_left();
  auto forwarding = std::make_unique<Forwarding>();
  forwarding->customer = *payer;
  forwarding->is_transfer = true;
  // A caller that keeps its number has it judged by the rules of its gateway once more.
  const Number came = number_from_user(caller_raw_).value_or(Number());
  const std::string shown(order.caller.empty() ? came.view() : std::string_view(order.caller));
  forwarding->transferor = order.caller.empty() ? context_.caller.view() : order.caller;
  // Whom the host shows is its word; a phone that calls shows its own number, as in any call.
  forwarding->shows_original = !order.caller.empty();
  forwarding->parts_left = parts_left_;
  auto decision = std::make_shared<PolicyAnswer>();
  decision->vendor_gateways = order.vendor_gateways;
  forwarding->decision = std::move(decision);
  InboundCall arrival;
  arrival.source = inbound_->remote();
  arrival.own_host = own_host_;
  arrival.transport = "udp";
  arrival.call_id = transfer_->target->call_id();
  arrival.request_user = order.callee;
  arrival.from_user = shown;
  arrival.body = {"application/sdp", transfer_->offered};
  // Who has called hidden is shown so, which needs an identity beside the From (P-09).
  std::string identity;
  if (order.caller.empty() && privacy_ != nullptr && !shown.empty()) {
    identity = "<sip:" + shown + '@' + own_host_ + '>';
    arrival.headers.push_back({"Privacy", *privacy_});
    arrival.headers.push_back({"P-Asserted-Identity", identity});
  }
  if (is_traced_) trace_note("service", "is bridged to " + order.callee);
  worker_.forward(std::move(in), arrival, tables, std::move(forwarding));
  return {};
}

/// The callee is not there, or the caller could not be led to it.
void Call::fail_bridge(int status) {
  if (!is_served()) return;
  (void)media_.hear_alone(service_->description);  // it may have been led there and back
  service_->bridged_to.clear();
  report({.what = ServiceReport::What::bridge_failed,
          .digits = {},
          .sip_status = status >= 300 && status <= 699 ? status : 503});
}

/// The callee has the caller.
void Call::finish_bridge() {
  if (!is_served()) return;
  // What the host ordered since the callee answered: it would cover the callee.
  end_play(ServiceReport::Why::stopped);
  end_collection(ServiceReport::Why::stopped);
  stop_serving();
  service_->is_bridged = true;
  report({.what = ServiceReport::What::bridged, .digits = {}});
}

/// Nothing comes of the orders any more.
void Call::stop_serving() noexcept {
  if (!is_served()) return;
  service_->play_timer.cancel();
  service_->key_timer.cancel();
  service_->idle_timer.cancel();
  service_->is_playing = false;
  service_->collection.reset();
}

}  // namespace tandem::call
