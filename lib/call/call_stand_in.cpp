// A caller that asks for the place of another party: by Replaces, that of a party of a call that is
// up or of one that is being called (RFC 3891); by the pickup code, that of a phone that rings
// (T-10).
//
// The call that it arrives as ends without a record once it has the place. The call in which it
// then stands goes on with what it has: its payer, its record, its limits of time and money.
#include <algorithm>
#include <utility>

#include "call/call.hpp"
#include "call/leg_relay.hpp"
#include "call/loop_leg.hpp"
#include "sip/sdp.hpp"

namespace tandem::call {

namespace {

constexpr int forbidden = 403, not_found = 404, no_such_call = 481, not_acceptable = 488;
constexpr int request_terminated = 487, request_pending = 491, unavailable = 503;
constexpr int not_selected_cause = 26;  // ITU-T Q.850: non-selected user clearing

constexpr std::size_t index_of(MediaSide side) noexcept {
  return side == MediaSide::caller ? 0 : 1;
}

}  // namespace

/// Who stands there in the place of who was there at the answer; null: nobody.
const StandIn* Call::stand_in(MediaSide side) const noexcept {
  return stand_ins_ == nullptr ? nullptr : (*stand_ins_)[index_of(side)].get();
}

const StandIn* Call::speaking_in(MediaSide side) const noexcept {
  if (transfer_ == nullptr || transfer_->place() != side) return stand_in(side);
  if (transfer_->stand_in != nullptr) return transfer_->stand_in.get();
  return transfer_->order == Transfer::Order::replaces ? stand_in(side) : nullptr;
}

std::string_view Call::arrival_call_id() const noexcept {
  const StandIn* const caller = stand_in(MediaSide::caller);
  if (caller != nullptr) return caller->call_id;
  return inbound_ == nullptr ? std::string_view() : inbound_->call_id();
}

std::string_view Call::arrival_product() const noexcept {
  const StandIn* const caller = stand_in(MediaSide::caller);
  if (caller != nullptr) return caller->product;
  return inbound_ == nullptr ? std::string_view() : inbound_->product();
}

// --- who asks ---

void Call::ask_for_place() {
  if (setup_->offer.empty() || !is_sdp(setup_->offer_type)) return refuse_place(not_acceptable);
  StandInOrder order;
  std::optional<unsigned> owner;
  if (setup_->place != nullptr) {
    order = std::move(*setup_->place);
    owner = worker_.legs().owner_of(order.dialog());
  } else {
    const Tables& tables = *context_.tables;
    std::string_view wanted = pickup_number(context_).value_or(std::string_view());
    if (!wanted.empty()) {
      const Phone* const phone = tables.find_phone(wanted);
      if (phone == nullptr) return refuse_place(not_found);
      wanted = phone->config.number;  // it may have been a DID
    }
    const Phone& own = tables.phones[*context_.customer - tables.sources.size()];
    const auto ringing = context_.state->ringing.longest(own.config.pickup_group, wanted);
    if (!ringing) return refuse_place(not_found);
    order.ringing = ringing->call;
    owner = ringing->worker;
  }
  const std::vector<Worker*>& workers = worker_.commons().workers;
  if (!owner || *owner >= workers.size()) return refuse_place(no_such_call);
  Worker& there = *workers[*owner];
  LegRelay& relay = worker_.keep(std::make_unique<LegRelay>(worker_, id_));
  LoopFacts facts{std::string(inbound_->call_id()), inbound_->remote(), true,
                  std::string(inbound_->product())};
  auto [out, in] = &there == &worker_
                       ? make_loop(worker_.loop(), std::move(facts), relay)
                       : make_loop(worker_.loop(), there.loop(), worker_.commons().is_closed,
                                   std::move(facts), relay);
  relay.begin(std::move(out), std::move(context_.customer_line), context_.tables);
  setup_->relay = &relay;
  // std::function must be copyable; the leg has one owner all the same.
  const auto held = std::make_shared<StandIn>(StandIn{context_.tables,
                                                      *context_.customer,
                                                      std::string(context_.caller.view()),
                                                      setup_->offer,
                                                      std::move(in),
                                                      {},
                                                      {},
                                                      hides_keys_[0]});
  const auto put = [&there, order = std::move(order), held] {
    there.stand_in(order, std::move(*held));
  };
  if (!there.loop().post(put)) held->leg->reject(unavailable, 0, 0);
}

void Call::refuse_place(int status) {
  if (is_over_) return;
  setup_->relay = nullptr;
  refuse(status == not_acceptable ? Reason::CodecMismatch
         : status == forbidden    ? Reason::NoCallPermission
         : status == no_such_call ? Reason::NotFound
                                  : reason_for_response(status),
         status);
}

std::unique_ptr<Leg> Call::give_leg() {
  if (is_over_) return nullptr;
  is_over_ = true;
  setup_->relay = nullptr;
  if (trace::Tap* const tap = is_traced_ ? worker_.tap() : nullptr) tap->give_back(id_);
  worker_.remove(id_);
  return std::move(inbound_);
}

// --- whose place it is ---

/// RFC 3891 section 4: who may replace `party`, a gateway or phone.
bool Call::may_stand_in(const StandIn& in, const std::string& party) const {
  const Customer& asker = in.entry();
  const ReplacesMode mode = asker.config.sip.replaces;
  if (mode == ReplacesMode::off) return false;
  if (in.id() == party) return true;
  if (mode == ReplacesMode::own) return false;
  // A vendor is paid for what it carries, and whoever came in its place would be paid for as it: it
  // has no place to give.
  const auto other = in.tables->find_customer(party);
  if (!other) return false;
  if (mode == ReplacesMode::any) return true;
  if (in.tables->customers[*other].payer.account_id == asker.payer.account_id) return true;
  const Phone* const phone = in.phone();
  if (phone == nullptr || phone->config.pickup_group.empty() || *other < in.tables->sources.size())
    return false;
  const Phone& replaced = in.tables->phones[*other - in.tables->sources.size()];
  return replaced.config.pickup_group == phone->config.pickup_group;
}

int Call::replace(Leg& there, StandIn& in) {
  if (is_over_ || state_ != CallState::answered || in.leg->is_over()) return no_such_call;
  const MediaSide side = side_of(there);
  if (!may_stand_in(in, party_of(side))) return forbidden;
  if (transfer_ != nullptr || is_served()) return request_pending;
  transfer_ = std::make_unique<Transfer>(side, Timer::member<&Call::join, Call>(), this);
  transfer_->order = Transfer::Order::replaces;
  transfer_->answer = std::move(in.offer);
  transfer_->leg = std::move(in.leg);
  transfer_->target = transfer_->leg.get();
  transfer_->target->set_events(*this);
  transfer_->stand_in = std::make_unique<StandIn>(std::move(in));
  transfer_->stand_in->call_id = arrival_call_id();
  transfer_->stand_in->product = arrival_product();
  note_stand_in(*transfer_->stand_in, party_of(side));
  join();
  return 0;
}

/// Who asked for the place did not wait.
void Call::on_target_cancel() {
  if (transfer_->has_left || reoffer_from_ != transfer_->target)
    return give_back_transferor(request_terminated);
  // The party that stays has been asked already: its answer says whether it must be led back.
  transfer_->is_given_up = true;
}

/// The party that stays has answered to where it was led, and nobody is there.
void Call::take_back_staying(Leg& staying, int status) {
  media_.revert();
  std::string before = std::move(transfer_->heard);
  give_back_transferor(request_terminated);
  if (status >= 300 || is_over_) return;
  rejoin_ = std::make_unique<Rejoin>(staying, std::move(before), true,
                                     Timer::member<&Call::rejoin, Call>(), this);
  rejoin();
}

/// T-10: others of its group may pick the call up from now on.
void Call::note_ringing() {
  if (!vendor().is_phone || trial_.is_forward || setup_->ringing != nullptr ||
      parameters().pickup_code.empty())
    return;
  const Phone& phone = context_.tables->phone_at(trial_.vendor);
  if (phone.config.pickup_group.empty()) return;
  setup_->ringing =
      context_.state->ringing.add(phone.config.pickup_group, phone.config.number,
                                  {static_cast<unsigned>(id_ >> call_id_worker_shift), id_});
}

/// Whether each of the two offers can be the answer to the other one, with what is set of both.
/// Tried on ports of its own: if not, who rings goes on ringing.
bool Call::can_talk_with(const StandIn& in, const Vendor& phone) {
  MediaPath trial(worker_.commons().relay, worker_.random());
  const bool hid_keys = std::exchange(hides_keys_[1], in.hides_keys);
  const auto to_phone = lead_media(trial, phone, in.leg->remote(), true);
  const auto to_caller =
      to_phone ? trial.pass(MediaSide::callee, SdpRole::answer, {"application/sdp", in.offer},
                            media_settings(&phone.config))
               : to_phone;
  hides_keys_[1] = hid_keys;
  return to_phone && to_caller && sip::can_answer(*to_phone, in.offer) &&
         sip::can_answer(*to_caller, setup_->offer);
}

int Call::pick_up(const Leg* there, StandIn& in) {
  const bool is_calling = !is_over_ && setup_ != nullptr && trial_.leg != nullptr &&
                          !is_answer_pending() && state_ != CallState::answered;
  if (!is_calling || trial_.is_forward || in.leg->is_over()) return no_such_call;
  if (there == nullptr ? setup_->ringing == nullptr
                       : there != trial_.leg.get() && !is_branch(*there))
    return no_such_call;
  if (there != nullptr && !may_stand_in(in, vendor().config.id)) return forbidden;
  // Only a phone can be one that is called; it must be one by the tables of this call.
  const Phone* const asker = in.phone();
  const Phone* const phone =
      asker == nullptr ? nullptr : context_.tables->find_phone(asker->config.number);
  if (phone == nullptr) return no_such_call;
  // What the caller was told reliably, or is to be offered by who answers, nobody else can take up.
  if (setup_->offer.empty() || inbound_->has_early_session() ||
      !can_talk_with(in, context_.tables->vendors[phone->vendor]))
    return not_acceptable;
  note_stand_in(in, vendor().config.id);
  shadow_notes_.reset();  // no tables say who picks up
  setup_->timer.cancel();
  trial_.leg->release(answered_elsewhere);
  close_trial(request_terminated, not_selected_cause, Reason::CallerCancel);
  inbound_->forget_progress();
  setup_->early_answer.clear();
  const SocketAddress remote = in.leg->remote();
  const auto offer = prepare_media(phone->vendor, remote, in.hides_keys, true);
  if (!offer) {
    end_by_server(Reason::AllGatewayBusy);
    return not_acceptable;
  }
  trial_ = Trial{};
  trial_.vendor = phone->vendor;
  trial_.destination = remote;
  trial_.started_us = worker_.loop().clock().monotonic_us();
  trial_.stage = AttemptStage::ringing;
  Attempt& attempt = attempts_.emplace_back();
  attempt.vendor_gateway = vendor().config.id;
  attempt.started_at_us = worker_.loop().clock().wall_us();
  attempt.caller_out = context_.caller.view();
  attempt.callee_out = phone->config.number;
  trial_.leg = std::move(in.leg);
  trial_.leg->set_events(*this);
  if (is_traced_) trace_leg(*trial_.leg);
  trial_.leg->answer({"application/sdp", *offer}, {});
  Answer answer;
  answer.body = {"application/sdp", in.offer};
  answer.product = trial_.leg->product();
  answer.remote = remote;
  on_answer(*trial_.leg, answer);
  return 0;
}

void Call::note_stand_in(const StandIn& in, std::string_view party) {
  if (is_traced_) trace_note("place", in.id() + " takes the place of " + std::string(party));
  worker_.commons().log.write(LogLevel::info, "call", "a party is being replaced",
                              {{"call_id", std::string(arrival_call_id())},
                               {"party", std::string(party)},
                               {"by", in.id()}});
}

}  // namespace tandem::call
