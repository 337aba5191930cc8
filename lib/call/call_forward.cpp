// A call to a phone that goes on to the numbers that the phone has named (T-02, T-03).
//
// The phone's part is a call of its own, between a leg of this worker that this call sends out and
// one that the other call takes in: it is judged, billed, limited and recorded as what the phone
// dials is, and may be sent on again.
#include <algorithm>
#include <utility>

#include "call/call.hpp"
#include "call/loop_leg.hpp"

namespace tandem::call {

namespace {

constexpr std::int64_t second_us = 1'000'000;

}  // namespace

/// Whether the phone wants calls that end so for it to go on. `has_contacts`: another one may be
/// tried, and is before a phone counts as out of reach.
bool Call::forward_instead(Reason reason, int sip_status, bool has_contacts) {
  // What the caller was told reliably no other callee can take back.
  if (context_.called_phone == CallContext::no_phone || inbound_->has_early_session()) return false;
  const PhoneForward& forward = context_.tables->phone_at(context_.called_phone).config.forward;
  const ForwardChoice choice = forward_after(forward, reason, sip_status);
  if (choice.targets == nullptr) return false;
  if (choice.reason == ForwardReason::offline && has_contacts &&
      setup_->next_candidate < context_.setup->candidates.size()) {
    return false;
  }
  setup_->forward_hunt = std::make_unique<ForwardHunt>(
      begin_hunt(forward, choice.reason, *choice.targets, worker_.random()));
  return true;
}

/// Of all that send the arriving call on together.
int& Call::parts_left() {
  if (parts_left_ == nullptr) {
    parts_left_ =
        forwarding_ != nullptr ? forwarding_->parts_left : std::make_shared<int>(forward_parts_max);
  }
  return *parts_left_;
}

/// False: none is left. Else one is called, or the call is refused.
bool Call::try_next_target() {
  if (setup_->forward_hunt->is_last()) return false;
  const Phone& phone = context_.tables->phone_at(context_.called_phone);
  int& parts = parts_left();
  route::LineLease line = phone.forward_lines.try_take(forward_pending_max, context_.wall_us);
  if (setup_->max_forwards <= 1 || parts <= 0 || !line) {  // RFC 3261 section 16.3
    if (!setup_->first_skip) {
      const Reason why = Reason::TooManyForwards;
      setup_->first_skip = Skip{why, reason_facts(why).sip_status};
    }
    return false;
  }
  --parts;
  const ForwardTarget target = setup_->forward_hunt->targets[setup_->forward_hunt->next++];
  // The call that goes on leads the media.
  const IpAddress::Family family = context_.source.ip.family;
  media_.close();
  media_.set_relayed(false, {family, family});
  const auto offer = media_.pass(MediaSide::caller, SdpRole::offer,
                                 {setup_->offer_type, setup_->offer}, media_settings(nullptr));
  if (!offer) {
    refuse(Reason::CodecMismatch, reason_facts(Reason::CodecMismatch).sip_status);
    return true;
  }
  send_on(phone, target, *offer);
  setup_->forward_line = std::move(line);
  return true;
}

void Call::send_on(const Phone& phone, const ForwardTarget& target, std::string_view offer) {
  const PhoneForward& forward = phone.config.forward;
  auto forwarding = std::make_unique<Forwarding>();
  forwarding->customer = phone.customer;
  if (forwarding_ != nullptr) forwarding->phones = forwarding_->phones;
  forwarding->phones.push_back(phone.config.number);
  forwarding->diversions = setup_->diversions + 1;
  forwarding->parts_left = parts_left_;
  forwarding->shows_original = forward.display == ForwardDisplay::parameter
                                   ? parameters().call_forward_using_original_caller
                                   : forward.display == ForwardDisplay::original;

  trial_ = Trial{};
  trial_.vendor = context_.called_phone;
  trial_.is_forward = true;
  trial_.started_us = worker_.loop().clock().monotonic_us();
  Attempt attempt;
  attempt.vendor_gateway = vendor().config.id;
  attempt.started_at_us = worker_.loop().clock().wall_us();
  attempt.caller_out =
      forwarding->shows_original ? context_.caller.view() : std::string_view(phone.config.number);
  attempt.callee_out = target.number;
  attempts_.push_back(std::move(attempt));
  auto [out, in] =
      make_loop(worker_.loop(),
                {std::string(inbound_->call_id()), context_.source, !setup_->offer.empty()}, *this);
  trial_.leg = std::move(out);
  if (is_traced_) trace_leg(*trial_.leg);

  HeaderCopies kept = setup_->kept_headers.copies();
  if (!forwarding->shows_original) {
    std::erase_if(kept, [](const auto& header) {
      return header.first.size() > 2 && (header.first[0] == 'P' || header.first[0] == 'p') &&
             header.first.ends_with("-Identity");
    });
  }
  const HeaderCopies headers = forwarding_headers(kept, phone.config.number, target.number,
                                                  own_host_, setup_->forward_hunt->reason);
  InboundCall arrival;
  arrival.source = context_.source;
  arrival.own_host = own_host_;
  arrival.transport = "udp";
  arrival.call_id = trial_.leg->call_id();
  arrival.request_user = target.number;
  arrival.from_user = attempts_.back().caller_out;
  if (forwarding->shows_original) arrival.from_display = setup_->caller_display;
  arrival.max_forwards = setup_->max_forwards - 1;
  arrival.body = {setup_->offer_type, offer};
  arrival.headers = views_of(headers);
  advance_stage(AttemptStage::invited);
  worker_.forward(std::move(in), arrival, context_.tables, std::move(forwarding));
}

/// Until the next target's turn; the last one has no limit of this call's, since its own call has.
void Call::arm_target_timer() {
  const std::int64_t now_us = worker_.loop().clock().monotonic_us();
  std::int64_t end_us = INT64_MAX;
  if (!setup_->forward_hunt->is_last())
    end_us = trial_.started_us +
             setup_->forward_hunt->targets[setup_->forward_hunt->next - 1].ring_s * second_us;
  if (setup_->deadline_us != 0) end_us = std::min(end_us, setup_->deadline_us);
  if (end_us == INT64_MAX) {
    setup_->timer.cancel();
  } else {
    worker_.loop().timers().start(setup_->timer, std::max<std::int64_t>(end_us - now_us, 0));
  }
}

}  // namespace tandem::call
