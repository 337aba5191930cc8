// An attended transfer by keys: the transferor speaks with the target first, on the leg that it has
// (T-05, T-06).
//
// Until the target answers it is as a blind transfer: the two of the call go on talking. Then the
// party that stays is put on hold, the transferor is led to the target, and the target stands in
// the place of who waits, so that what the two do to their session is as in any other call. The
// transferor's end of it, or its key, makes a blind transfer of it, whose target has answered; its
// cancel key and an end of the target's put all back.
#include <utility>

#include "call/call.hpp"
#include "sip/sdp.hpp"

namespace tandem::call {

namespace {

constexpr int not_acceptable = 488, request_pending = 491;

constexpr std::size_t index_of(MediaSide side) noexcept {
  return side == MediaSide::caller ? 0 : 1;
}
constexpr MediaSide opposite(MediaSide side) noexcept {
  return side == MediaSide::caller ? MediaSide::callee : MediaSide::caller;
}
bool is_for_later(int status) noexcept { return status == request_pending || status == 500; }

}  // namespace

/// The target has answered.
void Call::begin_consultation() {
  transfer_->consultation = std::make_unique<Consultation>();
  transfer_->before = media_.shown(opposite(transfer_->side));
  transfer_->known = media_.shown(transfer_->side);
  transfer_->is_known = true;
  consult();
}

/// Holds the one party, then leads the other one, as soon as no other change is under way.
void Call::consult() {
  Consultation& now = *transfer_->consultation;
  if (now.step == Consultation::Step::talking || now.asked != nullptr) return;
  if (++transfer_->tries > join_tries_max) {
    if (now.step == Consultation::Step::holding) transfer_->before.clear();  // it was not held
    return give_back_transferor(request_pending);
  }
  if (reoffer_from_ != nullptr || ack_to_ != nullptr) return start_again(transfer_->timer);
  const MediaSide waiting = opposite(transfer_->side);
  const bool is_leading = now.step == Consultation::Step::leading;
  Leg& asked = *leg_of(is_leading ? transfer_->side : waiting);
  std::string offer;
  if (is_leading) {
    media_.remember(waiting);
    auto passed = pass_media(waiting, SdpRole::offer, {"application/sdp", transfer_->answer});
    if (!passed) {
      media_.revert();
      return give_back_transferor(not_acceptable);
    }
    offer = std::move(*passed);
  } else {
    offer = now.held = media_.say(waiting, hold_description());
  }
  if (is_leading) transfer_->is_known = false;
  now.asked = &asked;
  reoffer_from_ = other(asked);
  is_own_reoffer_ = true;
  asked.reoffer({Reoffer::Method::reinvite, {"application/sdp", offer}});
}

bool Call::is_asked_to_consult(const Leg& leg) const noexcept {
  return transfer_ != nullptr && transfer_->consultation != nullptr &&
         transfer_->consultation->asked == &leg;
}

void Call::on_consult_result(Leg& leg, int status, const SessionBody& body) {
  Consultation& now = *transfer_->consultation;
  now.asked = nullptr;
  const bool is_leading = now.step == Consultation::Step::leading;
  // What the party that waits says of itself while it is on hold is nobody's to know.
  auto passed = status < 300 && is_leading ? pass_media(side_of(leg), SdpRole::answer, body)
                                           : Result<std::string>(std::string());
  if (status < 300 && passed.ok()) {
    transfer_->timer.cancel();
    transfer_->tries = 0;
    if (is_leading) return let_talk(*passed);
    play_hold_tone(body);
    now.step = Consultation::Step::leading;
    return consult();
  }
  // A change that is refused changes nothing (RFC 3261 section 14.1).
  if (is_leading) {
    media_.revert();
    transfer_->is_known = status >= 300;
  } else if (!is_for_later(status)) {
    transfer_->before.clear();
  }
  if (is_for_later(status)) return start_again(transfer_->timer);
  give_back_transferor(status < 300 ? not_acceptable : status);
}

/// The transferor is with the target: the target stands where the party that waits stood.
void Call::let_talk(const std::string& heard) {
  Consultation& now = *transfer_->consultation;
  const MediaSide side = transfer_->side;
  const std::size_t here = index_of(side), there = index_of(opposite(side));
  transfer_->was = media_.take_remembered();
  rejoin_.reset();
  if (keys_ != nullptr && keys_->side != side) keys_.reset();
  Leg& target = *std::exchange(transfer_->target, nullptr);
  now.waiting = std::exchange(leg_of(opposite(side)), std::move(transfer_->leg));
  now.step = Consultation::Step::talking;
  // Results of requests between the two have nobody to go to any more.
  now.requests = own_requests_[there] + passed_requests_[there];
  for (; passed_requests_[there] > 0; --passed_requests_[there])
    leg_of(side)->answer_request(request_pending, {});
  own_requests_[there] = 0;
  for (; passed_requests_[here] > 0; --passed_requests_[here]) {
    now.waiting->answer_request(request_pending, {});
    ++own_requests_[here];
  }
  now.referrals = std::exchange(referrals_[there], 0U);
  now.was_joined = std::exchange(is_joined_[there], true);
  if (stand_ins_ != nullptr) now.stand_in = std::move((*stand_ins_)[there]);
  key_way_[there] = told_way_[there] = KeyWay::none;
  if (now.ends_at_once) return end_consultation();
  if (!leads_elsewhere(transfer_->offered, heard)) return;
  rejoin_ =
      std::make_unique<Rejoin>(target, heard, false, Timer::member<&Call::rejoin, Call>(), this);
  rejoin();
}

/// The target that the transferor speaks with.
bool Call::is_loop_of_target(const Leg& leg) noexcept {
  return leg_of(opposite(transfer_->side)).get() == &leg;
}

/// The party that waits has its place again, and the target is as one that has just answered.
void Call::put_back_waiting() {
  const MediaSide side = transfer_->side;
  const std::size_t here = index_of(side), there = index_of(opposite(side));
  const std::unique_ptr<Consultation> now = std::move(transfer_->consultation);
  Leg& own = *leg_of(side);
  Leg& target = *leg_of(opposite(side));
  if (ack_to_ != nullptr) answer_as_before(*std::exchange(ack_to_, nullptr));
  transfer_->offered = media_.shown(opposite(side));
  const bool is_own = std::exchange(is_own_reoffer_, false);
  Leg* const asker = std::exchange(reoffer_from_, nullptr);
  if (asker != nullptr && !is_own) {
    media_.revert();
    if (asker == &target && !now->said_before.empty()) transfer_->answer = now->said_before;
    if (!asker->is_over()) asker->answer_reoffer(request_pending, {});
  }
  // It may not know what it was told last.
  if (asker == &own || rejoin_ != nullptr) transfer_->offered.clear();
  rejoin_.reset();
  transfer_->target = &target;
  transfer_->leg = std::exchange(leg_of(opposite(side)), std::move(now->waiting));
  if (asker == &target && !own.is_over()) {  // who has yet to answer it stays
    reoffer_from_ = leg_of(opposite(side)).get();
    is_own_reoffer_ = true;
  }
  for (; passed_requests_[there] > 0; --passed_requests_[there]) {
    if (!own.is_over()) own.answer_request(request_pending, {});
  }
  for (; passed_requests_[here] > 0; --passed_requests_[here]) {
    if (!target.is_over()) target.answer_request(request_pending, {});
    ++own_requests_[here];
  }
  own_requests_[there] = now->requests;
  referrals_[there] = now->referrals;
  is_joined_[there] = now->was_joined;
  if (now->stand_in != nullptr) (*stand_ins_)[there] = std::move(now->stand_in);
  key_way_[there] = told_way_[there] = KeyWay::none;
  transfer_->led_to.clear();
  transfer_->tries = 0;
}

/// T-06: the transferor leaves the two to each other, whether the target has answered or not.
void Call::end_consultation() {
  if (transfer_->consultation != nullptr && !transfer_->is_talking()) {
    transfer_->consultation->ends_at_once = true;
    return;
  }
  const bool is_answered = transfer_->is_talking();
  if (is_answered) put_back_waiting();
  transfer_->order = Transfer::Order::keys;
  if (is_answered) return join();
  part_with_transferor();
  let_ring();
}

/// The target of `transfer` is gone, and the transferor is here: the party on `side`, which has
/// waited for it, is told so, and then the transferor where that is.
void Call::take_back_waiting(MediaSide side, Transfer& transfer, int status) {
  if (transfer.before.empty()) return;
  if (transfer.was == nullptr) {
    media_.revert();  // of a transferor that was just being led
  } else {
    media_.revert(std::move(transfer.was));
  }
  rejoin_ = std::make_unique<Rejoin>(*leg_of(side), media_.say(side, transfer.before), true,
                                     Timer::member<&Call::rejoin, Call>(), this);
  rejoin_->next = transfer.is_known ? Rejoin::Next::when_moved : Rejoin::Next::always;
  rejoin_->known = std::move(transfer.known);
  // A dialog in which that came is about to end (RFC 3261 section 12.2.1.2).
  if (status == 408 || status == 481) return start_again(rejoin_->timer);
  rejoin();
}

/// Who waits changes its session, or refreshes it: it stays on hold. Where its media is it says
/// again when it is taken back.
void Call::answer_waiting(Leg& leg, const Reoffer& reoffer) {
  Consultation& now = *transfer_->consultation;
  if (reoffer.body.empty()) return leg.answer_reoffer(200, {"application/sdp", now.held});
  if (!sip::can_answer(now.held, reoffer.body.bytes))
    return leg.answer_reoffer(request_pending, {});
  if (!now.tone || now.tone->is_for(reoffer.body.bytes)) {
    if (now.tone) now.tone->follow(reoffer.body.bytes);
    return leg.answer_reoffer(200, {"application/sdp", now.held});
  }
  leg.answer_reoffer(200, {"application/sdp", sip::held(now.held)});  // it wants to hear nothing
}

/// Keeps what the target says of itself, for the party that waits.
void Call::note_said(MediaSide from, const SessionBody& body) {
  if (transfer_ == nullptr || !transfer_->is_talking() || from == transfer_->side) return;
  if (!is_sdp(body.content_type) || body.empty()) return;
  transfer_->consultation->said_before = std::exchange(transfer_->answer, std::string(body.bytes));
}

/// What `asker` offered was refused.
void Call::unsay(const Leg& asker) {
  if (transfer_ == nullptr || !transfer_->is_talking() || !is_loop_of_target(asker)) return;
  std::string& before = transfer_->consultation->said_before;
  if (!before.empty()) transfer_->answer = std::exchange(before, {});
}

}  // namespace tandem::call
