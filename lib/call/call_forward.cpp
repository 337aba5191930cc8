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
  ForwardHunt& hunt = *setup_->forward_hunt;
  if (hunt.is_last()) return false;
  if (hunt.is_together) return try_all_targets();
  const Phone& phone = context_.tables->phone_at(context_.called_phone);
  route::LineLease line = take_part(phone);
  if (!line) return false;
  const ForwardTarget target = hunt.targets[hunt.next++];
  const auto offer = offer_to_target();
  if (!offer) {
    refuse(Reason::CodecMismatch, reason_facts(Reason::CodecMismatch).sip_status);
    return true;
  }
  trial_ = Trial{};
  trial_.vendor = context_.called_phone;
  trial_.is_forward = true;
  trial_.started_us = worker_.loop().clock().monotonic_us();
  trial_.leg = send_on(phone, target, *offer, *this);
  setup_->forward_line = std::move(line);
  advance_stage(AttemptStage::invited);
  return true;
}

/// The same, with all targets at once: those that there are parts for.
bool Call::try_all_targets() {
  ForwardHunt& hunt = *setup_->forward_hunt;
  const Phone& phone = context_.tables->phone_at(context_.called_phone);
  route::LineLease line = take_part(phone);
  if (!line) return false;
  const auto offer = offer_to_target();
  if (!offer) {
    refuse(Reason::CodecMismatch, reason_facts(Reason::CodecMismatch).sip_status);
    return true;
  }
  trial_ = Trial{};
  trial_.vendor = context_.called_phone;
  trial_.is_forward = true;
  trial_.started_us = worker_.loop().clock().monotonic_us();
  Fork& fork = begin_branches();
  for (; line && !hunt.is_last(); line = hunt.is_last() ? route::LineLease() : take_part(phone)) {
    const ForwardTarget& target = hunt.targets[hunt.next++];
    Branches::One& one = setup_->branches->all.emplace_back();
    one.trial.vendor = context_.called_phone;
    one.trial.is_forward = true;
    one.trial.started_us = trial_.started_us;
    one.line = std::move(line);
    if (target.ring_s >= 0) one.ring_end_us = trial_.started_us + target.ring_s * second_us;
    fork.add(send_on(phone, target, *offer, fork.branch_events()));
  }
  hunt.next = hunt.targets.size();
  advance_stage(AttemptStage::invited);
  return true;
}

/// A further part of the arriving call. None: it would be one too many.
route::LineLease Call::take_part(const Phone& phone) {
  int& parts = parts_left();
  route::LineLease line = phone.forward_lines.try_take(forward_pending_max, context_.wall_us);
  if (setup_->max_forwards > 1 && parts > 0 && line) {  // RFC 3261 section 16.3
    --parts;
    return line;
  }
  if (!setup_->first_skip) {
    const Reason why = Reason::TooManyForwards;
    setup_->first_skip = Skip{why, reason_facts(why).sip_status};
  }
  return {};
}

/// The call that goes on leads the media.
Result<std::string> Call::offer_to_target() {
  const IpAddress::Family family = context_.source.ip.family;
  media_.close();
  media_.set_relayed(false, {family, family});
  return media_.pass(MediaSide::caller, SdpRole::offer, {setup_->offer_type, setup_->offer},
                     media_settings(nullptr));
}

/// The leg of a call of the phone's own to there; it has an attempt of its own here.
std::unique_ptr<Leg> Call::send_on(const Phone& phone, const ForwardTarget& target,
                                   std::string_view offer, LegEvents& events) {
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

  Attempt attempt;
  attempt.vendor_gateway = phone.config.id;
  attempt.started_at_us = worker_.loop().clock().wall_us();
  attempt.caller_out =
      forwarding->shows_original ? context_.caller.view() : std::string_view(phone.config.number);
  attempt.callee_out = target.number;
  attempts_.push_back(std::move(attempt));
  auto [out, in] = make_loop(
      worker_.loop(), {std::string(inbound_->call_id()), context_.source, !setup_->offer.empty()},
      events);
  if (is_traced_) trace_leg(*out);

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
  arrival.call_id = out->call_id();
  arrival.request_user = target.number;
  arrival.from_user = attempts_.back().caller_out;
  if (forwarding->shows_original) arrival.from_display = setup_->caller_display;
  arrival.max_forwards = setup_->max_forwards - 1;
  arrival.body = {setup_->offer_type, offer};
  arrival.headers = views_of(headers);
  worker_.forward(std::move(in), arrival, context_.tables, std::move(forwarding));
  return std::move(out);
}

/// Until the next target's turn; the last one has no limit of this call's, since its own call has.
/// Several at once have those of their own.
void Call::arm_target_timer() {
  const std::int64_t now_us = worker_.loop().clock().monotonic_us();
  std::int64_t end_us = INT64_MAX;
  if (setup_->branches == nullptr && !setup_->forward_hunt->is_last())
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
