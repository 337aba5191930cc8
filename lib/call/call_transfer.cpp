// An answered call that leads one of its parties to somebody else (T-04, RFC 3515, RFC 5589).
//
// The call goes on with the party that stays, and so does what is paid for it. The transferor's way
// to the target is a call of its own, as if it had dialled, or one that it has made before: it is
// judged, billed, limited and recorded for itself. Between the two is a loop leg, which takes the
// transferor's place when the target has answered and the party that stays has agreed to be led
// there.
#include <algorithm>
#include <utility>

#include "call/call.hpp"
#include "call/cause_map.hpp"
#include "call/loop_leg.hpp"
#include "sip/content.hpp"
#include "sip/sdp.hpp"

namespace tandem::call {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr int bad_request = 400, forbidden = 403, unavailable = 480, no_such_call = 481;
constexpr int loop_detected = 482, not_acceptable = 488, request_pending = 491;

constexpr std::size_t index_of(MediaSide side) noexcept {
  return side == MediaSide::caller ? 0 : 1;
}
constexpr MediaSide opposite(MediaSide side) noexcept {
  return side == MediaSide::caller ? MediaSide::callee : MediaSide::caller;
}

/// The session is being changed by somebody else.
bool is_for_later(int status) noexcept { return status == request_pending || status == 500; }

/// As a NOTIFY may say it was refused.
int final_status(int status) noexcept { return status >= 300 && status <= 699 ? status : 503; }

/// A user part, cut to what is a number.
Number as_number(std::string_view user) noexcept {
  return number_from_user(user).value_or(Number());
}

}  // namespace

std::unique_ptr<Leg>& Call::leg_of(MediaSide side) noexcept {
  return side == MediaSide::caller ? inbound_ : trial_.leg;
}

/// Another call stands there.
bool Call::is_loop(MediaSide side) const noexcept {
  return is_joined_[index_of(side)] ||
         (side == MediaSide::caller ? forwarding_ != nullptr : trial_.is_forward);
}

/// What that party's REFER is for. Another call has decided about what comes over a loop.
ReferMode Call::refer_mode(MediaSide side) const noexcept {
  if (const StandIn* const in = stand_in(side)) return in->entry().config.sip.refer;
  if (is_loop(side)) return ReferMode::relay;
  return side == MediaSide::caller ? context_.customer_entry()->config.sip.refer
                                   : vendor().config.sip.refer;
}

const std::string& Call::party_of(MediaSide side) const noexcept {
  if (const StandIn* const in = stand_in(side)) return in->id();
  return side == MediaSide::caller ? context_.customer_entry()->config.id : vendor().config.id;
}

/// Whether a party may have the other one led to a number: 0, or the status that refuses it.
int Call::judge_transfer(MediaSide side, Transfer::Order order, TransferPlan& plan) {
  if (transfer_ != nullptr) return request_pending;
  // Who may dial now is for the tables of now to say.
  plan.tables = worker_.tables();
  const auto payer = plan.tables->find_customer(party_of(side));
  if (!payer) return forbidden;
  if (parts_left() <= 0) return loop_detected;
  plan.payer = *payer;
  // Of who it is to speak with first.
  const bool asks_first = order == Transfer::Order::consult;
  plan.offer = sip::without_directions(media_.shown(asks_first ? opposite(side) : side));
  return plan.offer.empty() ? not_acceptable : 0;
}

/// Whether what costs a party money may come from `source`: who knows the tags of a dialog is not
/// yet its party. Registrations, the flow of the dialog and the addresses of gateways say so.
bool Call::may_order(MediaSide side, const SocketAddress& source) {
  if (source.ip == leg_of(side)->remote().ip) return true;
  const std::int64_t now_us = worker_.loop().clock().monotonic_us();
  if (context_.state->registrar.is_at(party_of(side), source, now_us)) return true;
  if (stand_in(side) != nullptr) return false;
  if (side == MediaSide::caller) {
    const Number caller = as_number(caller_raw_), callee = as_number(callee_raw_);
    const auto match = sources_of(*context_.tables, context_.names.get())
                           .identify(source, caller.view(), callee.view());
    return match.outcome != SourceMatch::Outcome::unknown && match.customer == context_.customer;
  }
  const std::vector<IpAddress> addresses = ips_of(vendor(), context_.names.get());
  return std::find(addresses.begin(), addresses.end(), source.ip) != addresses.end();
}

/// Answers a REFER that is for this switch, and leads on.
void Call::transfer(Leg& leg, const DialogRequest& request) {
  const MediaSide side = side_of(leg);
  if (request.referral == nullptr) return leg.answer_request(bad_request, {});
  const Referral& referral = *request.referral;
  if (!referral.replaces.call_id.empty()) return lead_to_call(leg, referral);
  TransferPlan plan;
  if (const int refused = judge_transfer(side, Transfer::Order::refer, plan); refused != 0)
    return leg.answer_request(refused, {});
  plan.callee = referral.user;
  plan.referred_by = referral.referred_by;
  std::unique_ptr<Leg> in = begin_transfer(side, Transfer::Order::refer, worker_.loop());
  accept_referral(leg, referral);
  call_target(std::move(in), std::move(plan));
}

/// Returns the end of the loop that is for the target's call, which lives on `to`.
std::unique_ptr<Leg> Call::begin_transfer(MediaSide side, Transfer::Order order, io::Loop& to) {
  transfer_ = std::make_unique<Transfer>(side, Timer::member<&Call::join, Call>(), this);
  transfer_->order = order;
  transfer_->earlier_requests = own_requests_[index_of(side)];
  transfer_->tone = hold_tone_of(side);
  const Leg& leg = *leg_of(side);
  LoopFacts facts{std::string(arrival_call_id()), leg.remote(), true, std::string(leg.product())};
  auto [out, in] =
      &to == &worker_.loop()
          ? make_loop(to, std::move(facts), *this)
          : make_loop(worker_.loop(), to, worker_.commons().is_closed, std::move(facts), *this);
  transfer_->leg = std::move(out);
  transfer_->target = transfer_->leg.get();
  return std::move(in);
}

void Call::accept_referral(Leg& leg, const Referral& referral) {
  transfer_->event = "refer";
  // RFC 3515 section 2.4.6: the first one needs no name.
  if (referrals_[index_of(transfer_->side)]++ > 0)
    transfer_->event += ";id=" + std::to_string(referral.sequence);
  leg.answer_request(202, {});
  tell_transferor(100, false);
}

/// Blind transfer: the target is a number (T-04).
void Call::call_target(std::unique_ptr<Leg> in, TransferPlan plan) {
  const MediaSide side = transfer_->side;
  const bool is_caller = side == MediaSide::caller;
  const std::string_view calling = context_.caller.view();
  const std::string_view called = context_.callee_billing.view();
  const Tables& tables = *plan.tables;
  --parts_left();
  auto forwarding = std::make_unique<Forwarding>();
  forwarding->customer = plan.payer;
  forwarding->is_transfer = true;
  const StandIn* const in_place = stand_in(side);
  forwarding->transferor = in_place != nullptr ? in_place->number : is_caller ? calling : called;
  if (plan.payer >= tables.sources.size())
    forwarding->phones.push_back(tables.phones[plan.payer - tables.sources.size()].config.number);
  forwarding->parts_left = parts_left_;
  forwarding->shows_original = transfer_->order == Transfer::Order::consult
                                   ? tables.parameters.call_transfer_ask_using_original_caller
                                   : tables.parameters.call_transfer_using_original_caller;

  // Of the two of this call, whom the target sees. A transferor's own number comes as it came
  // first, for the rules of its gateway are applied to it again.
  const bool shows_calling = forwarding->shows_original != is_caller;
  const bool shows_stand_in = in_place != nullptr && !forwarding->shows_original;
  const bool is_hidden = privacy_ != nullptr;  // who called
  const Number came_first = as_number(caller_raw_);
  const std::string shown(shows_stand_in   ? std::string_view(in_place->number)
                          : !shows_calling ? called
                          : is_caller      ? came_first.view()
                                           : calling);
  const auto uri_of = [this](std::string_view number) {
    std::string uri = "<sip:";
    sip::append_user(number, uri);
    if (!number.empty()) uri += '@';
    return uri.append(own_host_) + ">";
  };
  if (plan.referred_by.empty() && (in_place != nullptr || !(is_caller && is_hidden)))
    plan.referred_by = uri_of(forwarding->transferor);
  transfer_->offered = std::move(plan.offer);
  InboundCall arrival;
  arrival.source = leg_of(side)->remote();
  arrival.own_host = own_host_;
  arrival.transport = "udp";
  arrival.call_id = transfer_->target->call_id();
  arrival.request_user = plan.callee;
  arrival.from_user = shown;
  arrival.body = {"application/sdp", transfer_->offered};
  if (!plan.referred_by.empty()) arrival.headers.push_back({"Referred-By", plan.referred_by});
  // Who has called hidden is shown so, which needs an identity beside the From (P-09).
  std::string identity;
  if (shows_calling && !shows_stand_in && is_hidden && !shown.empty()) {
    identity = uri_of(shown);
    arrival.headers.push_back({"Privacy", *privacy_});
    arrival.headers.push_back({"P-Asserted-Identity", identity});
  }
  worker_.forward(std::move(in), arrival, plan.tables, std::move(forwarding));
}

/// Whether keys of `side` count when they come by `way`: the first one settles it.
bool Call::is_way(std::array<KeyWay, 2>& ways, MediaSide side, KeyWay way) noexcept {
  KeyWay& settled = ways[index_of(side)];
  if (settled == KeyWay::none) settled = way;
  return settled == way;
}

/// T-04, T-06: what a party orders by keys. False: the request is for the other side.
bool Call::take_key(Leg& leg, const DialogRequest& request) {
  if (request.method != "INFO") return false;
  const char key = dtmf_key(request.body);
  if (key == '\0') return false;
  const MediaSide side = side_of(leg);
  if (state_ == CallState::answered && is_way(told_way_, side, KeyWay::info))
    publish_digit(side, key, 0);
  // A key of somebody who may order nothing must not silence the way of the one who may.
  if (!has_keys(side) || !may_order(side, request.source)) return false;
  if (!is_way(key_way_, side, KeyWay::info)) return false;
  return press_key(side, key, &leg) != KeyAction::pass;
}

/// A key that came in RTP has gone on to the other side: media waits for nobody.
void Call::on_media(const MediaEvent& event) {
  if (is_over_) return;
  if (is_served()) return on_service_media(event);
  if (state_ != CallState::answered) return;
  if (event.kind == MediaEvent::Kind::loss_began) return publish_loss(event);
  if (event.kind != MediaEvent::Kind::digit) return;
  // M-09: its keys come another way, or not at all; what it sends so all the same is no order.
  const SipOptions* const options = options_of(event.side);
  if (options != nullptr && !options->takes_events() && !options->dtmf_inband) return;
  if (is_way(told_way_, event.side, KeyWay::rtp)) {
    publish_digit(event.side, event.digit, event.duration_ms);
    tell_key(event);
  }
  const std::unique_ptr<Leg>& leg = leg_of(event.side);
  if (leg == nullptr || !has_keys(event.side) || is_target(leg.get())) return;
  // Whoever could put a packet into the stream must not lead the call elsewhere.
  const std::optional<SocketAddress> from = media_.remote(event.side);
  if (!from || (!media_.is_from_described(event.side) && !may_order(event.side, *from))) return;
  if (!is_way(key_way_, event.side, KeyWay::rtp)) return;
  (void)press_key(event.side, event.digit, nullptr);
}

void Call::tell_key(const MediaEvent& event) {
  constexpr std::uint32_t waiting_max = 16;
  const MediaSide to = opposite(event.side);
  Leg* const leg = leg_of(to).get();
  std::uint32_t& waiting = own_requests_[index_of(to)];
  if (leg == nullptr || is_target(leg) || !media_.tells_keys(to) || waiting >= waiting_max) return;
  ++waiting;
  const std::string body = dtmf_relay(event.digit, event.duration_ms);
  leg->request({.method = "INFO", .body = {"application/dtmf-relay", body}, .headers = {}});
}

/// What becomes of a key, and does it. `teller`: whose request brought it, which is answered unless
/// the key is for the other side; null: it came in media.
KeyAction Call::press_key(MediaSide side, char key, Leg* teller) {
  if (keys_ != nullptr && keys_->side != side) return KeyAction::pass;
  if (keys_ == nullptr)
    keys_ = std::make_unique<KeyInput>(side, Timer::member<&Call::on_key_timer, Call>(), this);
  const bool is_own = transfer_ != nullptr && transfer_->side == side;
  const bool asks = is_own && transfer_->order == Transfer::Order::consult;
  const bool is_ordered =
      is_own && transfer_->order == Transfer::Order::keys && transfer_->answer.empty();
  const KeyAction action = keys_->press(key, transfer_ == nullptr, asks || is_ordered, asks);
  const std::string number = keys_->number();
  const bool asks_first = keys_->asks_first();
  if (keys_->is_idle()) {
    keys_.reset();
  } else {  // T-07
    const Parameters& p = parameters();
    const bool is_first = action == KeyAction::take && keys_->is_empty();
    worker_.loop().timers().start(
        keys_->timer, (is_first ? p.transfer_first_key_s : p.transfer_key_s) * second_us);
  }
  // Before the leg may be hung up.
  if (action != KeyAction::pass && teller != nullptr) teller->answer_request(200, {});
  if (action == KeyAction::cancel)
    give_back_transferor(reason_facts(Reason::CallerCancel).sip_status);
  if (action == KeyAction::finish) end_consultation();
  if (action == KeyAction::dial) dial_by_keys(side, number, asks_first);
  return action;
}

void Call::dial_by_keys(MediaSide side, const std::string& number, bool asks_first) {
  TransferPlan plan;
  const Transfer::Order order = asks_first ? Transfer::Order::consult : Transfer::Order::keys;
  // Nobody can be told why not: the two stay together.
  if (judge_transfer(side, order, plan) != 0) return;
  plan.callee = number;
  call_target(begin_transfer(side, order, worker_.loop()), std::move(plan));
}

void Call::on_key_timer() { keys_.reset(); }

/// Whether that party may order by keys.
bool Call::has_keys(MediaSide side) const noexcept {
  if (const StandIn* const in = stand_in(side)) return in->entry().config.sip.transfer_keys;
  if (is_loop(side)) return false;
  return side == MediaSide::caller ? context_.customer_entry()->config.sip.transfer_keys
                                   : vendor().config.sip.transfer_keys;
}

/// Attended transfer: the target is who the transferor speaks with in another call (T-05). That
/// call may be another worker's.
void Call::lead_to_call(Leg& leg, const Referral& referral) {
  const MediaSide side = side_of(leg);
  if (transfer_ != nullptr) return leg.answer_request(request_pending, {});
  const std::shared_ptr<const Tables> tables = worker_.tables();
  const auto payer = tables->find_customer(party_of(side));
  if (!payer) return leg.answer_request(forbidden, {});
  // A look-up among all calls of a worker is as dear as a new call, also when it comes to nothing.
  if (parts_left() <= 0) return leg.answer_request(loop_detected, {});
  const Customer& customer = tables->customers[*payer];
  if (!customer.rate_meter->try_take(customer.call_rate, worker_.loop().clock().monotonic_us()))
    return leg.answer_request(503, {});
  --parts_left();
  const std::vector<Worker*>& workers = worker_.commons().workers;
  const auto owner = worker_.legs().owner_of(referral.replaces);
  const bool is_here = owner && *owner < workers.size();
  Worker& there = is_here ? *workers[*owner] : worker_;
  const auto join = [&there, call_id = std::string(referral.replaces.call_id),
                     own_tag = std::string(referral.replaces.own_tag),
                     peer_tag = std::string(referral.replaces.peer_tag),
                     party = party_of(side)](std::unique_ptr<Leg> in) {
    there.join({call_id, own_tag, peer_tag}, party, std::move(in));
  };
  // std::function must be copyable; the leg has one owner all the same.
  const auto held = std::make_shared<std::unique_ptr<Leg>>(
      begin_transfer(side, Transfer::Order::refer, there.loop()));
  accept_referral(leg, referral);
  if (!is_here) return (*held)->reject(no_such_call, 0, 0);
  if (!there.loop().post([join, held] { join(std::move(*held)); })) (*held)->reject(503, 0, 0);
}

/// The other part of an attended transfer: `leg` shall take the place of `there`, a leg of `party`,
/// as soon as it brings the description of who is led here. False: it cannot, and stays the
/// asker's.
bool Call::adopt(Leg& there, std::string_view party, std::unique_ptr<Leg>& leg) {
  const MediaSide side = side_of(there);
  if (is_over_ || state_ != CallState::answered || transfer_ != nullptr || is_served() ||
      leg->is_over())
    return false;
  const std::string shown = sip::without_directions(media_.shown(side));
  if (party_of(side) != party || shown.empty()) return false;
  transfer_ = std::make_unique<Transfer>(side, Timer::member<&Call::join, Call>(), this);
  transfer_->order = Transfer::Order::other_call;
  transfer_->leg = std::move(leg);
  transfer_->target = transfer_->leg.get();
  transfer_->target->set_events(*this);
  transfer_->target->answer({"application/sdp", shown}, {});
  return true;
}

/// `leg` brings the description that it was to bring: it takes its place. False: it is another leg,
/// or another change is under way.
bool Call::take_over(const Leg& leg) {
  if (!is_target(&leg) || transfer_->order != Transfer::Order::other_call) return false;
  if (reoffer_from_ != nullptr || ack_to_ != nullptr) return false;
  part_with_transferor();
  transfer_.reset();
  return true;
}

/// Tells the transferor how far the target is (RFC 3515 section 2.4.4).
void Call::tell_transferor(int status, bool is_final) {
  if (transfer_->has_left || transfer_->is_unsubscribed ||
      transfer_->order != Transfer::Order::refer)
    return;
  if (!is_final && status == transfer_->told) return;
  transfer_->told = status;
  std::string text;
  ++own_requests_[index_of(transfer_->side)];
  leg_of(transfer_->side)->request(referral_notice(transfer_->event, status, is_final, text));
}

void Call::on_target_progress(const Progress& progress) {
  if (progress.status == 100) return;
  tell_transferor(progress.status, false);
  if (!is_sdp(progress.body.content_type) || progress.body.empty()) return;
  transfer_->early = progress.body.bytes;
  let_ring();
}

/// T-08: who has nobody to hear any more hears how the target is being called. While the transferor
/// is there it is the transferor whom the other party hears, and to whom it may come back.
void Call::let_ring() {
  let_wait();
  const bool is_wanted = parameters().call_transfer_remote_ring && transfer_->has_left;
  if (is_wanted && transfer_->answer.empty() && !transfer_->early.empty() &&
      reoffer_from_ == nullptr && ack_to_ == nullptr) {
    lead_staying(transfer_->early);
  }
}

void Call::on_target_answer(const Answer& answer) {
  if (!is_sdp(answer.body.content_type) || answer.body.empty())
    return give_back_transferor(not_acceptable);
  transfer_->answer = answer.body.bytes;
  if (transfer_->order == Transfer::Order::consult) return begin_consultation();
  end_play(ServiceReport::Why::stopped);  // it would cover the callee
  join();
}

/// Leads the party that stays to the target that has answered, as soon as no other change of its
/// session is under way.
void Call::join() {
  if (transfer_->consultation != nullptr) return consult();
  if (transfer_->led_to == transfer_->answer) return finish_join();
  if (++transfer_->tries > join_tries_max) return give_back_transferor(request_pending);
  if (reoffer_from_ != nullptr || ack_to_ != nullptr) return start_again(transfer_->timer);
  lead_staying(transfer_->answer);
}

void Call::lead_staying(const std::string& description) {
  const MediaSide side = transfer_->side;
  media_.remember(side);
  // To be led back to, if the target goes away meanwhile.
  if (transfer_->order == Transfer::Order::replaces)
    transfer_->heard = media_.shown(opposite(side));
  const auto passed = pass_media(side, SdpRole::offer, {"application/sdp", description});
  if (!passed) {
    media_.revert();
    if (!transfer_->answer.empty()) give_back_transferor(not_acceptable);
    return;
  }
  transfer_->offering = description;
  reoffer_from_ = transfer_->target;
  leg_of(opposite(side))->reoffer({Reoffer::Method::reinvite, {"application/sdp", *passed}});
}

/// RFC 3261 section 14.1.
void Call::start_again(Timer& timer) {
  worker_.loop().timers().start(
      timer, 2'100'000 + static_cast<std::int64_t>(worker_.random().below(1'900'000)));
}

/// The party that stays has answered to where it is led.
void Call::on_join_result(Leg& staying, int status, const SessionBody& body) {
  reoffer_from_ = nullptr;
  if (transfer_->is_given_up) return take_back_staying(staying, status);
  const bool is_answered = !transfer_->answer.empty();
  if (status < 300 && std::exchange(transfer_->has_tone, false))
    media_.stop_playing_over(side_of(staying));
  auto passed = status < 300 ? pass_media(side_of(staying), SdpRole::answer, body)
                             : Result<std::string>(std::string());
  if (status < 300 && passed.ok()) {
    media_.forget();
    transfer_->led_to = std::move(transfer_->offering);
    transfer_->heard = std::move(*passed);
    if (!is_answered) return;
    transfer_->timer.cancel();
    return join();
  }
  media_.revert();
  if (!is_answered) return;  // it does not hear it ring
  if (is_for_later(status)) return start_again(transfer_->timer);
  give_back_transferor(status < 300 ? not_acceptable : status);
}

/// The two are together: the transferor is not needed any more.
void Call::finish_join() {
  Leg& target = *transfer_->target;
  if (transfer_->order == Transfer::Order::replaces) {
    target.answer({"application/sdp", transfer_->heard}, {});
    return finish_transfer();
  }
  const bool is_needed = transfer_->offered.empty();
  std::string heard = std::move(transfer_->heard);
  const bool has_moved = is_needed || leads_elsewhere(transfer_->offered, heard);
  finish_transfer();
  if (!has_moved) return;
  rejoin_ = std::make_unique<Rejoin>(target, std::move(heard), is_needed,
                                     Timer::member<&Call::rejoin, Call>(), this);
  rejoin();
}

/// Tells the target of the party that stays, as soon as no other change is under way.
void Call::rejoin() {
  if (++rejoin_->tries > join_tries_max) return give_up_rejoin();
  if (reoffer_from_ != nullptr || ack_to_ != nullptr) return start_again(rejoin_->timer);
  reoffer_from_ = other(rejoin_->target);
  is_own_reoffer_ = true;
  rejoin_->is_asked = true;
  rejoin_->target.reoffer({Reoffer::Method::reinvite, {"application/sdp", rejoin_->offer}});
}

/// The target does not take the description.
void Call::give_up_rejoin() {
  const bool is_needed = rejoin_->is_needed;
  rejoin_.reset();
  if (is_needed) end_by_server(Reason::CodecMismatch);
}

/// The other side of a call that this one is joined to, or that nobody waits for any more, has
/// answered a change of its session.
void Call::take_own_reoffer(Leg& leg, int status, const SessionBody& body) {
  reoffer_from_ = nullptr;
  is_own_reoffer_ = false;
  if (is_asked_to_consult(leg)) return on_consult_result(leg, status, body);
  auto passed = status < 300 ? pass_media(side_of(leg), SdpRole::answer, body)
                             : Result<std::string>(std::string());
  answer_as_before(leg);
  if (rejoin_ != nullptr && std::exchange(rejoin_->is_asked, false)) {
    if (status < 300) {
      const std::unique_ptr<Rejoin> done = std::move(rejoin_);
      tell_other(*done, passed ? std::move(*passed) : std::string());
    } else if (is_for_later(status)) {
      start_again(rejoin_->timer);
    } else {
      give_up_rejoin();
    }
    return;
  }
  if (rejoin_ != nullptr) {  // it has waited for this
    rejoin_->timer.cancel();
    return rejoin();
  }
  if (transfer_ == nullptr) return;
  if (transfer_->answer.empty()) return let_ring();
  transfer_->timer.cancel();
  join();
}

/// Who has waited for somebody knows it again; now the other one is told.
void Call::tell_other(const Rejoin& done, std::string description) {
  if (done.next == Rejoin::Next::nobody || description.empty()) return;
  if (done.next == Rejoin::Next::when_moved && !leads_elsewhere(done.known, description)) return;
  Leg* const peer = other(done.target);
  if (peer == nullptr) return;
  rejoin_ = std::make_unique<Rejoin>(*peer, std::move(description), true,
                                     Timer::member<&Call::rejoin, Call>(), this);
  if (done.next == Rejoin::Next::always) {
    rejoin_->next = Rejoin::Next::when_moved;
    rejoin_->known = done.offer;
  }
  rejoin();
}

/// Puts the target in the transferor's place. Returns the transferor's leg and forgets what waits
/// for it.
std::unique_ptr<Leg> Call::replace_transferor() {
  const MediaSide side = transfer_->side;
  rejoin_.reset();
  keys_.reset();
  std::unique_ptr<Leg> left = std::exchange(leg_of(side), std::move(transfer_->leg));
  Leg& staying = *leg_of(opposite(side));
  std::uint32_t& to_left = passed_requests_[index_of(side)];
  std::uint32_t& to_staying = passed_requests_[index_of(opposite(side))];
  if (left != nullptr && reoffer_from_ == left.get()) {  // the party that stays has yet to answer
    media_.forget();
    reoffer_from_ = transfer_->target;
    is_own_reoffer_ = true;
  } else if (reoffer_from_ == &staying) {  // nobody will answer it
    media_.revert();
    reoffer_from_ = nullptr;
    if (!std::exchange(is_own_reoffer_, false)) staying.answer_reoffer(request_pending, {});
  }
  if (left != nullptr && ack_to_ == left.get()) ack_to_ = nullptr;
  if (ack_to_ == &staying) answer_as_before(*std::exchange(ack_to_, nullptr));
  for (; to_left > 0; --to_left)
    staying.answer_request(request_pending, {});
  own_requests_[index_of(opposite(side))] += std::exchange(to_staying, 0U);
  own_requests_[index_of(side)] = referrals_[index_of(side)] = 0;
  is_joined_[index_of(side)] = true;
  if (transfer_->stand_in != nullptr) {
    if (stand_ins_ == nullptr)
      stand_ins_ = std::make_unique<std::array<std::unique_ptr<StandIn>, 2>>();
    (*stand_ins_)[index_of(side)] = std::move(transfer_->stand_in);
  } else if (stand_ins_ != nullptr) {
    (*stand_ins_)[index_of(side)].reset();
  }
  key_way_[index_of(side)] = told_way_[index_of(side)] = KeyWay::none;
  transfer_->has_left = true;
  return left;
}

/// The transferor has nothing more to do with the call: it is hung up as soon as it knows how that
/// ended.
void Call::part_with_transferor() {
  if (transfer_->has_left) return;
  const std::size_t side = index_of(transfer_->side);
  const std::uint32_t results = own_requests_[side] + passed_requests_[side];
  worker_.see_off(replace_transferor(), results);
}

void Call::finish_transfer() {
  tell_transferor(200, true);
  part_with_transferor();
  silence_from_us_ = worker_.loop().clock().monotonic_us();
  transfer_.reset();
  finish_bridge();
}

/// The target is not there. The transferor goes on with the call; without it the call ends.
void Call::give_back_transferor(int status) {
  tell_transferor(final_status(status), true);
  if (transfer_->is_talking()) put_back_waiting();
  const std::unique_ptr<Transfer> transfer = std::move(transfer_);
  if (transfer->order == Transfer::Order::replaces)
    transfer->target->reject(final_status(status), 0, 0);
  if (!transfer->has_left) {
    transfer->leg->release(reason_facts(Reason::NormalCallClearing).q850_cause);
    worker_.retire(std::move(transfer->leg));
    if (is_served()) return fail_bridge(status);
    return take_back_waiting(opposite(transfer->side), *transfer, status);
  }
  const int cause = cause_for(parameters(), final_status(status));
  inbound_->release(cause);
  trial_.leg->release(cause);
  finish({.reason = Reason::NormalCallClearing,
          .side = transfer->side == MediaSide::caller ? ReleaseSide::caller : ReleaseSide::callee,
          .end_code = static_cast<int>(Reason::NormalCallClearing),
          .sip_status = 200,
          .q850_cause = cause});
}

/// The call ends before the target was reached.
void Call::abandon_transfer() {
  if (transfer_ == nullptr) return;
  tell_transferor(reason_facts(Reason::CallerCancel).sip_status, true);
  if (transfer_->is_talking()) {  // both are here, and are released as parties of the call
    put_back_waiting();
    transfer_->leg->release(reason_facts(Reason::NormalCallClearing).q850_cause);
    worker_.retire(std::move(transfer_->leg));
    transfer_.reset();
    return;
  }
  part_with_transferor();
  transfer_.reset();
}

/// False: the call ends. A target that hangs up while the party that stays is being led to it was
/// reached, before that it was not; a transferor that hangs up waits for nothing (RFC 5589
/// section 6.1).
bool Call::survives(Leg& released) {
  if (transfer_ == nullptr) return false;
  if (transfer_->is_talking() && is_loop_of_target(released)) {
    give_back_transferor(unavailable);
    return true;
  }
  if (&released == transfer_->target) {
    if (reoffer_from_ != &released) {
      give_back_transferor(unavailable);
      return true;
    }
    finish_transfer();
    return false;
  }
  if (is_waiting(&released) || side_of(released) != transfer_->side) {
    abandon_transfer();
    return false;
  }
  const bool is_joining =
      transfer_->order == Transfer::Order::consult && !transfer_->answer.empty();
  if (transfer_->is_talking()) put_back_waiting();
  transfer_->consultation.reset();
  if (transfer_->order == Transfer::Order::consult) transfer_->order = Transfer::Order::keys;
  worker_.retire(replace_transferor());
  is_joining ? join() : let_ring();
  return true;
}

}  // namespace tandem::call
