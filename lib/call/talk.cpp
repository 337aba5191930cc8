// A call from its answer to its record: the session between the two sides, limits, the end.
#include <algorithm>
#include <iterator>

#include "call/billing_record.hpp"
#include "call/call.hpp"
#include "call/recording_name.hpp"
#include "cdr/records.hpp"
#include "rating/formula.hpp"
#include "tandem/charge_terms.hpp"

namespace tandem::call {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t rtp_interrupt_default_s = 60;
constexpr int forbidden = 403;
constexpr int not_acceptable = 488;
constexpr int request_pending = 491;
constexpr std::int64_t answer_durable_us = 500'000;          // longest wait of a 200 for the disk
constexpr std::int64_t acknowledgement_wait_us = 8'000'000;  // ... for the PRACK of a description
constexpr MeterVerdict unlimited{false, INT64_MAX};          // of a side that does not pay

constexpr std::size_t index_of(MediaSide side) noexcept {
  return side == MediaSide::caller ? 0 : 1;
}

}  // namespace

Leg* Call::other(const Leg& leg) noexcept {
  return &leg == inbound_.get() ? trial_.leg.get() : inbound_.get();
}

MediaSide Call::side_of(const Leg& leg) const noexcept {
  return &leg == inbound_.get() ? MediaSide::caller : MediaSide::callee;
}

// --- answer ---

void Call::on_answer(Leg& leg, const Answer& answer) {
  if (is_target(&leg)) return on_target_answer(answer);
  if (is_over_ || &leg != trial_.leg.get() || state_ == CallState::answered ||
      setup_->pending_answer)
    return;
  if (vendor().config.sip.redirects.to_gateways) return refuse_server_answer(leg);
  setup_->timer.cancel();
  setup_->ringing.reset();
  note_progress();
  if (setup_->early_audio != nullptr) {
    setup_->early_audio->timer.cancel();
    media_.stop_playing();
  }
  callee_product_ = answer.product;
  // A vendor may have described itself in a provisional response only. Bodies that describe no
  // session, such as those of SIP-I, are for this hop alone.
  std::string body = setup_->early_answer;
  if (is_sdp(answer.body.content_type) && !answer.body.empty()) {
    if (const auto checked = check_description(MediaSide::callee, answer.body); !checked)
      return refuse_answer(leg, checked.error().message, Reason::GeofenceForbidden);
    const SdpRole role = setup_->offer.empty() ? SdpRole::offer : SdpRole::answer;
    auto passed = pass_media(MediaSide::callee, role, answer.body);
    if (!passed) return refuse_answer(leg, passed.error().message);
    body = std::move(*passed);
  } else if (body.empty() && is_sdp(setup_->offer_type) && !setup_->offer.empty()) {
    return refuse_answer(leg, "the offer was not answered");
  }
  const std::string_view type = body.empty() ? std::string_view() : "application/sdp";
  // The offer is in this answer, unless it was answered before: the caller's ACK brings what the
  // vendor waits for.
  if (setup_->offer.empty() && !trial_.has_answer) ack_to_ = &leg;
  setup_->pending_answer =
      PendingAnswer{std::string(type), std::move(body),
                    KeptHeaders::copy_passed(vendor().config.sip.pass_headers, answer.headers)};
  Attempt& attempt = attempts_.back();
  attempt.sip_status = 200;
  attempt.q850_cause = reason_facts(Reason::NormalCallClearing).q850_cause;
  attempt.reason = Reason::NormalCallClearing;
  count_attempt(true);
  inbound_->forget_progress();
  // Nobody pays before the caller may be told; nor does anybody talk for long.
  setup_->awaits_acknowledgement = inbound_->awaits_acknowledgement();
  if (setup_->awaits_acknowledgement) {
    worker_.loop().timers().start(setup_->timer, acknowledgement_wait_us);
  } else {
    record_answer();
  }
}

/// An answer that the caller could do nothing with: the vendor failed.
void Call::refuse_answer(Leg& leg, std::string_view why, Reason reason) {
  worker_.commons().log.write(LogLevel::warning, "call", "answer could not be passed on",
                              {{"vendor", vendor().config.id}, {"error", std::string(why)}});
  leg.release(reason_facts(reason).q850_cause);
  Failure failure;
  failure.status = reason_facts(reason).sip_status;
  failure.is_local = true;
  attempt_failed(failure, reason);
}

/// The caller hears of the answer only when a crash can no longer lose it, or when the disk has not
/// taken it for so long that a ringing caller must not wait for it any more; the call is then
/// billed from memory.
void Call::record_answer() {
  cdr::AnswerRecord record;
  record.call_id = id_;
  record.cdr = make_cdr();
  record.cdr.answered_at_us = worker_.loop().clock().wall_us();
  // Longer than any call is up, so that the calendar of its days is there.
  const std::int64_t until_us = record.cdr.answered_at_us + 400 * 86'400 * second_us;
  BillingTerms terms{customer_terms(record.cdr.answered_at_us, until_us),
                     vendor_terms(record.cdr.answered_at_us, until_us),
                     agent_terms(record.cdr.answered_at_us, until_us),
                     context_.setup->limits.uses({}, 0)};
  for (LimitUse& use : context_.setup->agent_limits.uses({}, 0))
    terms.limits.push_back(std::move(use));
  record.rating = encode(terms);
  const std::uint64_t sequence = worker_.journal(cdr::RecordType::answer, cdr::encode(record));
  is_answer_recorded_ = sequence != 0;
  if (sequence == 0) {
    on_durable();
    return;
  }
  worker_.loop().timers().start(setup_->timer, answer_durable_us);
  worker_.await_durable(sequence, id_);
}

void Call::on_durable() {
  if (is_over_ || !is_answer_pending()) return;
  setup_->timer.cancel();
  const PendingAnswer answer = *std::exchange(setup_->pending_answer, std::nullopt);
  const std::optional<Release> early_release = setup_->early_release;
  inbound_->answer({answer.type, answer.body}, views_of(answer.headers));
  begin_talk();
  if (early_release && !is_over_) on_release(*trial_.leg, *early_release);
  if (!is_over_) be_ready();
}

void Call::begin_talk() {
  const Clock& clock = worker_.loop().clock();
  state_ = CallState::answered;
  answered_us_ = silence_from_us_ = clock.monotonic_us();
  answered_wall_us_ = clock.wall_us();
  next_mark_us_ = answered_us_ + parameters().interim_mark_s * second_us;
  if (is_traced_) trace_answer();
  if (const std::string_view privacy = setup_->kept_headers.privacy(); !privacy.empty())
    privacy_ = std::make_unique<const std::string>(privacy);
  setup_.reset();
  choices_.shrink_to_fit();
  worker_.tally().answered.fetch_add(1, std::memory_order_relaxed);
  const auto own = [&](const GatewayConfig& gateway) -> std::int64_t {
    return gateway.max_call_s ? gateway.max_call_s->draw_s(worker_.random())
                              : parameters().max_call_s;
  };
  const std::int64_t of_customer_s = own(context_.customer_entry()->config);
  std::int64_t max_s = tighter_limit_s(of_customer_s, own(vendor().config));
  if (!inbound_->has_session_timer())  // P-18
    max_s = tighter_limit_s(max_s, parameters().no_timer_max_call_s);
  if (max_s > 0) worker_.loop().timers().start(max_timer_, max_s * second_us);
  arm_reminder(max_s > 0 ? answered_us_ + max_s * second_us : 0);
  if (parameters().rtp_loss_alarm_percent > 0) {
    media_.watch(
        {.loss_permille = 10 * static_cast<std::uint32_t>(parameters().rtp_loss_alarm_percent),
         .loss_window_ms = 1000 * static_cast<std::uint32_t>(parameters().rtp_loss_window_s)});
  }
  if (context_.customer_entry()->config.record || vendor().config.record ||
      context_.payers()->payer.record)
    record_as_configured();
  publish(Event::Kind::call_answered);
  const std::int64_t advance_s = 60 * std::int64_t{parameters().overdraft_advance_min};
  const auto meter = [&](const Payer& payer, const Rate* rate, MoneyHold hold, PackageHold packages,
                         LimitHold limits) {
    return rate == nullptr ? CallMeter()
                           : CallMeter(*rate, payer.fees, std::move(hold),
                                       context_.call_start(payer, answered_wall_us_), advance_s,
                                       std::move(packages), std::move(limits));
  };
  const Payers& payers = *context_.payers();
  meter_ = meter(payers.payer, context_.rate, std::move(context_.setup->money),
                 std::move(context_.setup->packages), std::move(context_.setup->limits));
  MeterVerdict of_agent = unlimited;
  if (payers.agent.account) {
    agent_meter_ = std::make_unique<CallMeter>(
        meter(payers.agent, context_.agent_rate, std::move(context_.setup->agent_money),
              std::move(context_.setup->agent_packages), std::move(context_.setup->agent_limits)));
    of_agent = agent_meter_->start(answered_us_);
  }
  if (shadow_notes_ == nullptr) {
    context_.setup.reset();
  } else {  // which is shown the rest of it at the end
    std::vector<RouteCandidate>().swap(context_.setup->candidates);
    std::vector<RouteCandidate>().swap(context_.setup->descended);
  }
  // Last: a call whose money is gone ends here.
  arm_money(meter_.start(answered_us_), of_agent);
}

void Call::on_confirmed(Leg& leg, const SessionBody& body) {
  if (!is_over_ && is_served() && &leg == inbound_.get()) return confirm_served(body);
  if (is_over_ || ack_to_ == nullptr || ack_to_ == &leg || is_target(&leg) || is_waiting(&leg))
    return;
  Leg& waiting = *std::exchange(ack_to_, nullptr);
  // Of a change that was cancelled when the other side had offered already.
  if (body.empty()) return answer_as_before(waiting);
  auto passed = pass_media(side_of(leg), SdpRole::answer, body);
  waiting.acknowledge({body.content_type, passed ? std::string_view(*passed) : std::string_view()});
  // An answer in an ACK cannot be refused, and the two would not understand each other.
  if (!passed && passed.error().code == ErrorCode::unsupported)
    end_by_server(check_description(side_of(leg), body) ? Reason::CodecMismatch
                                                        : Reason::GeofenceForbidden);
}

/// Answers the offer that `waiting` made in a 2xx when nobody has anything to say to it, or cannot
/// be asked: what that side was shown last holds (RFC 3261 section 13.2.2.4), where it can be an
/// answer (RFC 3264 section 6).
void Call::answer_as_before(Leg& waiting) {
  const Leg* const asker = other(waiting);
  answer_as_before(waiting, asker == nullptr ? std::string_view() : media_.shown(side_of(*asker)));
}

void Call::answer_as_before(Leg& waiting, std::string_view offer) {
  const std::string last(media_.shown(side_of(waiting)));
  waiting.acknowledge(sip::can_answer(last, offer) ? SessionBody{"application/sdp", last}
                                                   : SessionBody{});
}

// --- changes of the session ---

void Call::on_reoffer(Leg& leg, const Reoffer& reoffer) {
  if (is_over_) return;
  if (is_waiting(&leg)) return answer_waiting(leg, reoffer);
  if (is_served() && &leg == inbound_.get()) return reoffer_served(leg, reoffer);
  (void)take_over(leg);
  Leg* const peer = other(leg);
  // It has nobody to speak with yet, or somebody is just being led to it.
  const bool is_led =
      transfer_ != nullptr && transfer_->consultation != nullptr && !transfer_->is_talking();
  if (is_target(&leg) || is_target(peer) || is_led) {
    leg.answer_reoffer(request_pending, {});
    return;
  }
  const bool is_up = state_ == CallState::answered || is_answer_pending();
  // Before the answer a session can be changed that both sides have agreed on (RFC 3311).
  if (peer == nullptr || (!is_up && !(leg.has_early_session() && peer->has_early_session()))) {
    leg.answer_reoffer(not_acceptable, {});
    return;
  }
  // One change at a time (RFC 3261 section 14.2); the caller is still to hear of the answer.
  if (reoffer_from_ != nullptr || is_answer_pending()) {
    leg.answer_reoffer(request_pending, {});
    return;
  }
  if (!check_description(side_of(leg), reoffer.body)) {
    leg.answer_reoffer(forbidden, {});
    return;
  }
  media_.remember(side_of(leg));
  auto passed = pass_media(side_of(leg), SdpRole::offer, reoffer.body);
  if (!passed) {
    media_.revert();
    leg.answer_reoffer(not_acceptable, {});
    return;
  }
  // This is the news, if the target takes it.
  if (rejoin_ != nullptr && peer == &rejoin_->target) rejoin_->timer.cancel();
  reoffer_from_ = &leg;
  is_offer_wanted_ = reoffer.body.empty();  // then the ACK brings the answer
  peer->reoffer({reoffer.method, {reoffer.body.content_type, *passed}});
}

void Call::on_reoffer_result(Leg& leg, int status, const SessionBody& body) {
  if (is_over_ || reoffer_from_ == &leg || is_waiting(&leg)) return;
  if (reoffer_from_ != nullptr && is_own_reoffer_) return take_own_reoffer(leg, status, body);
  // A transferor that is still there may answer a refresh of its own leg meanwhile, which leads
  // nobody anywhere: the relay has the target in its place.
  const bool is_transferor = transfer_ != nullptr && &leg == leg_of(transfer_->side).get();
  if (is_target(reoffer_from_)) {
    if (!is_transferor) on_join_result(leg, status, body);
    return;
  }
  if (reoffer_from_ == nullptr) {
    // The answer to a refresh of the leg's own (P-18): the same session, perhaps at another place.
    if (status < 300 && state_ == CallState::answered && !is_target(&leg))
      (void)pass_media(side_of(leg), SdpRole::answer, body);
    return;
  }
  Leg& asker = *std::exchange(reoffer_from_, nullptr);
  if (rejoin_ != nullptr && &leg == &rejoin_->target) {
    if (status < 300) {
      rejoin_.reset();
    } else {
      start_again(rejoin_->timer);
    }
  }
  if (status >= 300) {
    media_.revert();
    unsay(asker);
    // An extension that one side asks for is none of the other's.
    const bool is_extension = status >= 420 && status <= 422;
    // Before the answer a branch that is gone says nothing of the asker's own dialog.
    const bool is_branch_gone = state_ != CallState::answered && (status == 408 || status == 481);
    asker.answer_reoffer(is_extension ? not_acceptable : is_branch_gone ? 500 : status, {});
    return;
  }
  const SdpRole role = is_offer_wanted_ ? SdpRole::offer : SdpRole::answer;
  auto passed = pass_media(side_of(leg), role, body);
  if (!passed) {
    media_.revert();
    unsay(asker);
    if (is_offer_wanted_) {
      answer_as_before(leg, body.bytes);
    } else {
      leg.acknowledge({});
    }
    asker.answer_reoffer(not_acceptable, {});
    return;
  }
  media_.forget();
  if (is_offer_wanted_) ack_to_ = &leg;
  asker.answer_reoffer(status, {body.content_type, *passed});
}

void Call::on_request(Leg& leg, const DialogRequest& request) {
  if (is_over_) return;
  // Nobody hears it; a key it is told that all the same, as a key that is for nobody.
  if (is_waiting(&leg)) {
    const bool is_key = request.method == "INFO" && dtmf_key(request.body) != '\0';
    return leg.answer_request(is_key ? 200 : request_pending, {});
  }
  if (is_served() && &leg == inbound_.get()) return answer_served(leg, request);
  Leg* const peer = other(leg);
  const bool is_up = state_ == CallState::answered && peer != nullptr && !is_target(&leg);
  if (request.method == "REFER") {
    const ReferMode mode = refer_mode(side_of(leg));
    if (mode == ReferMode::off) return leg.answer_request(forbidden, {});
    if (mode == ReferMode::local && is_up) {
      if (!may_order(side_of(leg), request.source)) return leg.answer_request(forbidden, {});
      return transfer(leg, request);
    }
  }
  // M-09: a key that came, or would go, in a way that is not for it ends here. It is answered,
  // since devices that tell of a key in two ways would take a refusal for a fault.
  const bool is_key = is_up && request.method == "INFO" && dtmf_key(request.body) != '\0';
  const SipOptions* const from = is_key ? options_of(side_of(leg)) : nullptr;
  if (from != nullptr && !from->takes_info()) return leg.answer_request(200, {});
  if (is_up && take_key(leg, request)) return;
  const SipOptions* const to = is_key ? options_of(side_of(*peer)) : nullptr;
  if (to != nullptr && !to->gets_info()) {
    if (to->gets_converted())
      (void)media_.press_key(side_of(*peer), dtmf_key(request.body),
                             dtmf_duration_ms(request.body));
    return leg.answer_request(200, {});
  }
  if (!is_up || is_target(peer) || own_requests_[index_of(side_of(*peer))] > 0) {
    leg.answer_request(request_pending, {});
    return;
  }
  // Legs keep the order of each way, so every result finds its asker.
  ++passed_requests_[index_of(side_of(*peer))];
  peer->request(request);
}

const SipOptions* Call::options_of(MediaSide side) const noexcept {
  if (const StandIn* const in = stand_in(side)) return &in->entry().config.sip;
  if (is_loop(side)) return nullptr;
  return side == MediaSide::caller ? &context_.customer_entry()->config.sip : &vendor().config.sip;
}

void Call::on_request_result(Leg& leg, int status, const SessionBody& body) {
  if (is_over_) return;
  if (is_waiting(&leg)) {
    std::uint32_t& requests = transfer_->consultation->requests;
    if (requests > 0) --requests;
    return;
  }
  std::uint32_t& passed = passed_requests_[index_of(side_of(leg))];
  std::uint32_t& own = own_requests_[index_of(side_of(leg))];
  if (passed > 0) {
    --passed;
    if (Leg* const asker = other(leg); asker != nullptr) asker->answer_request(status, body);
  } else if (own > 0) {
    --own;
    if (transfer_ == nullptr || transfer_->side != side_of(leg)) return;
    if (transfer_->earlier_requests > 0) {
      --transfer_->earlier_requests;
    } else if (status == 481) {
      transfer_->is_unsubscribed = true;
    }
  }
}

// --- limits ---

/// The call ends with the money of whichever side has less of it.
void Call::arm_money(const MeterVerdict& customer, const MeterVerdict& agent) {
  const std::int64_t check_us = std::min(customer.check_us, agent.check_us);
  if (customer.must_end || agent.must_end) {
    end_by_server(customer.must_end ? customer.reason : agent.reason);
  } else if (check_us != INT64_MAX) {
    worker_.loop().timers().start(money_timer_, check_us - worker_.loop().clock().monotonic_us());
  }
}

void Call::on_money_timer() {
  const std::int64_t now_us = worker_.loop().clock().monotonic_us();
  const MeterVerdict of_customer = meter_.on_timer(now_us);
  arm_money(of_customer, agent_meter_ ? agent_meter_->on_timer(now_us) : unlimited);
}

void Call::on_max_timer() { end_by_server(Reason::MaxDuration); }

void Call::on_second(std::int64_t now_us) {
  if (is_over_ || state_ != CallState::answered) return;
  if (now_us >= next_mark_us_) {
    next_mark_us_ += parameters().interim_mark_s * second_us;
    cdr::MarkRecord mark;
    mark.call_id = id_;
    mark.at_us = worker_.loop().clock().wall_us();
    mark.talk_time_ms = (now_us - answered_us_) / 1000;
    mark.charge = loans_text(meter_.package_loan(),
                             agent_meter_ ? agent_meter_->package_loan() : PackageLoan());
    worker_.journal_if_room(cdr::RecordType::mark, cdr::encode(mark));
  }
  if (reminding_ != nullptr) look_at_end(now_us);
  if (media_.on_hold() || transfer_ != nullptr || is_served()) silence_from_us_ = now_us;
  if (media_.relayed() && media_.has_streams() && !media_.on_hold() && !is_served())
    look_for_silence(now_us);
  if (!is_over_) look_for_strangers(now_us);
}

void Call::look_for_silence(std::int64_t now_us) {
  const GatewayConfig& customer = context_.customer_entry()->config;
  const GatewayConfig& vendor_gateway = vendor().config;
  const auto limit_of = [&](const GatewayConfig& gateway) {
    return gateway.no_media_hangup_s.value_or(parameters().no_media_hangup_s);
  };
  const auto is_silent_since = [&](std::int64_t last_us, std::int64_t limit_s) {
    return now_us - std::max(last_us, silence_from_us_) >= limit_s * second_us;
  };
  const std::int64_t limit_s = tighter_limit_s(limit_of(customer), limit_of(vendor_gateway));
  if (limit_s != 0 && is_silent_since(media_.last_rtp_us(), limit_s))
    return end_by_server(Reason::NoMedia);
  // M-06: what goes to a gateway is what comes from the other one.
  const auto is_interrupted = [&](const GatewayConfig& gateway, MediaSide from, MediaSide to) {
    const RtpInterrupt watched = gateway.rtp_interrupt;
    const std::int64_t own_limit_s =
        limit_of(gateway) != 0 ? limit_of(gateway) : rtp_interrupt_default_s;
    const bool has_lost_from =
        (watched == RtpInterrupt::from_remote || watched == RtpInterrupt::both) &&
        is_silent_since(media_.last_rtp_us(from), own_limit_s);
    const bool has_lost_to =
        (watched == RtpInterrupt::to_remote || watched == RtpInterrupt::both) &&
        is_silent_since(media_.last_rtp_us(to), own_limit_s);
    return has_lost_from || has_lost_to;
  };
  if (is_interrupted(customer, MediaSide::caller, MediaSide::callee) ||
      is_interrupted(vendor_gateway, MediaSide::callee, MediaSide::caller))
    end_by_server(Reason::RtpInterrupted);
}

// --- the end ---

void Call::on_release(Leg& leg, const Release& release) {
  if (is_over_) return;
  if (is_answer_pending() && &leg == trial_.leg.get()) {
    // It hung up before the caller heard of the answer: one after the other.
    setup_->early_release = release;
    return;
  }
  if (survives(leg)) return;
  Ending ending{.reason = Reason::NormalCallClearing,
                .side = &leg == inbound_.get() ? ReleaseSide::caller : ReleaseSide::callee,
                .end_code = static_cast<int>(Reason::NormalCallClearing),
                .sip_status = 200,
                .q850_cause = release.q850_cause};
  if (release.is_silent) {
    ending = {.reason = Reason::SessionTimeout,
              .side = ReleaseSide::server,
              .end_code = static_cast<int>(Reason::SessionTimeout),
              .sip_status = 200,
              .q850_cause = reason_facts(Reason::SessionTimeout).q850_cause};
  } else if (release.is_transport) {
    ending = {.reason = Reason::ConnectionTimeout,
              .side = ReleaseSide::server,
              .end_code = static_cast<int>(Reason::ConnectionTimeout),
              .sip_status = 200,
              .q850_cause = reason_facts(Reason::ConnectionTimeout).q850_cause};
  }
  if (Leg* const peer = other(leg); peer != nullptr) peer->release(ending.q850_cause);
  finish(ending);
}

void Call::end_by_server(Reason reason) {
  if (is_over_) return;
  const ReasonFacts& facts = reason_facts(reason);
  Ending ending{.reason = reason,
                .side = ReleaseSide::server,
                .end_code = static_cast<int>(reason),
                .sip_status = 200,
                .q850_cause = facts.q850_cause};
  if (state_ != CallState::answered) {
    ending.sip_status = facts.sip_status != 0 ? facts.sip_status : 480;
    if (trial_.leg != nullptr) {
      trial_.leg->release(facts.q850_cause);
      close_trial(0, facts.q850_cause, reason);
    }
    inbound_->reject(ending.sip_status, facts.q850_cause, 0);
  } else {
    abandon_transfer();
    if (trial_.leg != nullptr) trial_.leg->release(facts.q850_cause);
    inbound_->release(facts.q850_cause);
  }
  finish(ending);
}

/// The one way out: every call comes through here once, whatever ended it.
void Call::finish(const Ending& ending) {
  if (is_over_) return;
  is_over_ = true;
  if (setup_ != nullptr) setup_->timer.cancel();
  if (setup_ != nullptr && setup_->relay != nullptr)
    std::exchange(setup_->relay, nullptr)->give_up();
  if (setup_ != nullptr && setup_->early_audio != nullptr) setup_->early_audio->timer.cancel();
  money_timer_.cancel();
  max_timer_.cancel();
  rejoin_.reset();
  keys_.reset();
  stop_serving();
  const Clock& clock = worker_.loop().clock();
  ended_us_ = clock.monotonic_us();
  ended_wall_us_ = clock.wall_us();
  const bool was_answered = state_ == CallState::answered;
  state_ = CallState::ending;
  if (was_answered && !attempts_.empty()) attempts_.back().ended_at_us = ended_wall_us_;

  media_.stop_recording();  // now it is decided whether there is a file
  Cdr cdr = make_cdr();
  cdr.end_reason = ending.reason;
  cdr.end_code = ending.end_code;
  cdr.sip_status = ending.sip_status;
  cdr.q850_cause = ending.q850_cause;
  cdr.release_side = ending.side;
  cdr::EndRecord record;
  record.call_id = id_;
  if (was_answered) {
    cdr.talk_time_ms = (ended_us_ - answered_us_) / 1000;
    if (const auto& quality = vendor().quality; quality != nullptr)
      quality->add_talk(ended_us_, cdr.talk_time_ms);
    charge_sides(cdr, record);
  } else {
    context_.setup->money.cancel();
    context_.setup->agent_money.cancel();
    context_.setup->packages.cancel();
    context_.setup->agent_packages.cancel();
    context_.setup->limits.cancel();
    context_.setup->agent_limits.cancel();
  }
  record.cdr = cdr;
  if (was_answered || is_answer_recorded_) {
    cdr.record_id = worker_.journal(cdr::RecordType::end, cdr::encode(record));
  } else if (is_recorded(ending)) {
    cdr.record_id = worker_.journal_if_room(cdr::RecordType::end, cdr::encode(record));
  }
  show_to_shadow(cdr);
  if (is_traced_) trace_end(ending, cdr);
  publish(Event::Kind::call_ended, std::move(cdr));

  // The lease of the call: lines and money go back here, ports with the media path.
  trial_.lease = VendorLease{};
  context_.customer_line.release();
  media_.close();
  worker_.retire(std::move(trial_.leg));
  worker_.retire(std::move(inbound_));
  worker_.remove(id_);
}

/// Settles what a metered side pays; returns what packages paid of it. `rate`: null when it is not
/// rated.
PackageUse Call::settle(ChargeFacts& side, CallMeter& meter, const Payer& payer, const Rate* rate,
                        std::int64_t talk_time_ms, std::vector<LimitUse>& limits) {
  PackageUse use;
  const Charge charge = meter.finish(talk_time_ms, &use, &limits);
  side.charge = charge.charge;
  side.billed_time_s = charge.billed_time_s;
  side.package_charge = use.money;
  side.package_time_s = use.time_s;
  side.rate_terms = payer_terms(payer, rate, answered_wall_us_, ended_wall_us_, 0, use);
  if (rate == nullptr) return use;
  // A timer that came so late that the account could not pay all of the talk is part of the terms.
  const bool has_gift = use.covered_s != 0 || !use.money.is_zero();
  const auto whole = has_gift ? recompute_charge(side.rate_terms, talk_time_ms, answered_wall_us_)
                              : rate_call(*rate, talk_time_ms, payer.fees, nullptr,
                                          context_.call_start(payer, answered_wall_us_));
  std::int64_t charged_s = billable_seconds(talk_time_ms, payer.fees);
  if (!whole || *whole != charge) {
    charged_s = std::min(charged_s, meter.covered_s());
    side.rate_terms =
        payer_terms(payer, rate, answered_wall_us_, ended_wall_us_, meter.covered_s(), use);
  }
  if (rating::is_overlaid(*rate, charged_s, payer.fees,
                          context_.call_start(payer, answered_wall_us_)))
    side.rate_deck = package_deck;
  return use;
}

/// Settles what the customer and its agent pay, and takes what the vendor gets. `record`: gets what
/// packages paid for both, and what limits count.
void Call::charge_sides(Cdr& cdr, cdr::EndRecord& record) {
  const Payers& payers = *context_.payers();
  record.packages =
      settle(cdr.customer, meter_, payers.payer, context_.rate, cdr.talk_time_ms, record.limits)
          .parts;
  if (cdr.agent) {
    PackageUse of_agent = settle(*cdr.agent, *agent_meter_, payers.agent, context_.agent_rate,
                                 cdr.talk_time_ms, record.limits);
    record.packages.insert(record.packages.end(), std::make_move_iterator(of_agent.parts.begin()),
                           std::make_move_iterator(of_agent.parts.end()));
  }
  if (trial_.rate == nullptr || !cdr.vendor) return;
  const Payer& payee = vendor().payee;
  const auto cost = rate_call(*trial_.rate, cdr.talk_time_ms, payee.fees, nullptr,
                              payee.call_start(answered_wall_us_));
  if (!cost) return;
  cdr.vendor->charge = cost->charge;
  cdr.vendor->billed_time_s = cost->billed_time_s;
  cdr.vendor->rate_terms = vendor_terms(answered_wall_us_, ended_wall_us_);
  auto taken = worker_.commons().state.accounts.charge_unchecked(payee.account, cost->charge);
  if (!taken) {
    worker_.commons().log.write(
        LogLevel::error, "call", "vendor charge could not be taken",
        {{"account", cdr.vendor->account}, {"error", taken.error().message}});
  }
}

std::string Call::payer_terms(const Payer& payer, const Rate* rate, std::int64_t answered_at_us,
                              std::int64_t until_us, std::int64_t charged_s,
                              const PackageUse& use) const {
  ChargeTerms terms;
  terms.is_free_number = context_.is_free;
  if (rate == nullptr) return terms.is_free_number ? to_text(terms, 0, 0) : std::string();
  terms.rate = *rate;
  terms.rules = payer.fees;
  terms.schedule = payer.deck.schedule();
  terms.overlays = context_.overlays_of(payer);
  terms.charged_s = charged_s;
  terms.package_s = use.covered_s;
  terms.package_money = use.money;
  return to_text(terms, answered_at_us, until_us);
}

std::string Call::customer_terms(std::int64_t answered_at_us, std::int64_t until_us) const {
  return payer_terms(context_.payers()->payer, context_.rate, answered_at_us, until_us);
}

std::string Call::agent_terms(std::int64_t answered_at_us, std::int64_t until_us) const {
  const Payer& agent = context_.payers()->agent;
  if (!agent.account) return {};
  return payer_terms(agent, context_.agent_rate, answered_at_us, until_us);
}

std::string Call::vendor_terms(std::int64_t answered_at_us, std::int64_t until_us) const {
  if (trial_.rate == nullptr) return {};
  const Payer& payee = vendor().payee;
  return to_text({false, *trial_.rate, payee.fees, payee.deck.schedule()}, answered_at_us,
                 until_us);
}

/// Whether an unanswered call leaves a record (C-02).
bool Call::is_recorded(const Ending& ending) const noexcept {
  const Parameters& p = parameters();
  if (ending.reason == Reason::IllegalCall) return p.record_illegal;
  if (ending.side == ReleaseSide::server && attempts_.empty() && !p.record_server_release)
    return false;
  return p.record_unanswered;
}

/// As records show it: without what only steers routing, with a billing prefix; of a call that was
/// refused before the rewriting, the callee as it came.
std::string_view Call::billed_callee() const noexcept {
  const Number& billed = context_.billing_number();
  return billed.empty() ? context_.callee.view() : billed.view();
}

Cdr Call::make_cdr() const {
  Cdr cdr;
  if (inbound_ != nullptr) {
    cdr.call_id = arrival_call_id();
    cdr.caller_product = arrival_product();
  }
  cdr.caller_ip = context_.source.to_string();
  cdr.caller_in = caller_raw_;
  cdr.callee_in = callee_raw_;
  cdr.caller = context_.caller.view();
  cdr.callee = billed_callee();
  cdr.started_at_us = context_.wall_us;
  cdr.answered_at_us = answered_wall_us_;
  cdr.ended_at_us = ended_wall_us_;
  cdr.pdd_ms = pdd_ms_;
  cdr.attempts = attempts_;
  cdr.choices = choices_;
  if (context_.lrn != nullptr) {
    cdr.lrn = context_.lrn->callee.record.lrn;
    cdr.callee_region = context_.lrn->callee.record.region;
    cdr.caller_region = context_.lrn->caller.record.region;
  }
  if (const Customer* customer = context_.customer_entry()) {
    cdr.customer_gateway = customer->config.id;
    const Payers& payers = *context_.payers();
    cdr.customer.account = payers.payer.account_id;
    cdr.customer.currency = payers.payer.currency;
    if (context_.rate != nullptr) {
      cdr.customer.rate_prefix = context_.rate->prefix;
      cdr.call_level = context_.rate->call_level;
      const bool is_of_package =
          CallContext::is_of_package(context_.rate, context_.package_terms.get());
      cdr.customer.rate_deck = is_of_package ? package_deck : payers.payer.deck.id();
    }
    if (payers.agent.account) {
      ChargeFacts& agent = cdr.agent.emplace();
      agent.account = payers.agent.account_id;
      agent.currency = payers.agent.currency;
      if (context_.agent_rate != nullptr) {
        agent.rate_prefix = context_.agent_rate->prefix;
        const bool is_of_package =
            CallContext::is_of_package(context_.agent_rate, context_.agent_package_terms.get());
        agent.rate_deck = is_of_package ? package_deck : payers.agent.deck.id();
      }
    }
  }
  if (!attempts_.empty()) {
    const Vendor& tried = vendor();
    cdr.vendor_gateway = tried.config.id;
    if (trial_.destination.port != 0) cdr.callee_ip = trial_.destination.to_string();
    cdr.callee_product = callee_product_;
    cdr.caller_out = attempts_.back().caller_out;
    cdr.callee_out = attempts_.back().callee_out;
    if (tried.payee.account) {
      ChargeFacts& facts = cdr.vendor.emplace();
      facts.account = tried.payee.account_id;
      facts.currency = tried.payee.currency;
      if (trial_.rate != nullptr) {
        facts.rate_prefix = trial_.rate->prefix;
        facts.rate_deck = tried.payee.deck.id();
      }
    }
  }
  if (service_ != nullptr && service_->is_bridged) cdr.callee_out = service_->bridged_to;
  cdr.codecs = media_.codecs();
  cdr.media_relayed = media_.relayed() && media_.has_streams();
  if (cdr.media_relayed) {
    cdr.media_caller = media_.stats(MediaSide::caller);
    cdr.media_callee = media_.stats(MediaSide::callee);
    // Before the answer nobody is expected to be heard.
    if (answered_us_ == 0) cdr.media_caller.cause = cdr.media_callee.cause = MediaCause::none;
  }
  cdr.recording = media_.recordings();  // also when its media goes another way now
  return cdr;
}

/// Shows a call that is over to the shadow, which routes it by its own tables.
void Call::show_to_shadow(const Cdr& cdr) {
  if (shadow_notes_ == nullptr || !shadow_notes_->is_of_interest) return;
  ShadowCall call;
  call.arrived_wall_us = context_.wall_us;
  call.source = context_.source;
  call.is_from_any_page = context_.is_from_any_page;
  call.caller_user = caller_raw_;
  call.callee_user = callee_raw_;
  if (context_.setup->policy != nullptr) call.policy = *context_.setup->policy;
  call.split_call = context_.setup->split_call;
  if (context_.lrn != nullptr) call.lrn = *context_.lrn;
  call.forwarder = context_.setup->forwarder;
  const bool is_answered = answered_us_ != 0;
  const auto& vendors = context_.tables->vendors;
  for (const Hindsight::Met& met : shadow_notes_->met)
    call.met.push_back({vendors[met.vendor].config.id, met.was_out_of_reach, met.has_failed});
  if (is_answered) call.met.back().has_failed = false;
  for (const Hindsight::AnswerRatio& ratio : shadow_notes_->ratios)
    call.ratios.push_back({vendors[ratio.vendor].config.id, ratio.percent, ratio.talk_time_s});
  if (context_.customer_entry() != nullptr)
    call.customer_gateway = context_.customer_entry()->config.id;
  if (context_.rate != nullptr) {
    call.is_rated = true;
    call.rate_prefix = context_.rate->prefix;
    call.area = context_.rate->area;
  }
  call.is_answered = is_answered;
  if (is_answered) {
    call.answered_wall_us = answered_wall_us_;
    call.talk_time_ms = cdr.talk_time_ms;
    if (context_.rate != nullptr || context_.is_free)
      call.revenue = ShadowMoney{cdr.customer.charge, cdr.customer.currency};
    if (trial_.rate != nullptr && cdr.vendor)
      call.cost = ShadowMoney{cdr.vendor->charge, cdr.vendor->currency};
  }
  worker_.commons().host.shadow(std::move(call));
}

CallView Call::view() const {
  CallView view;
  view.id = id_;
  view.call_id = arrival_call_id();
  if (const Customer* customer = context_.customer_entry())
    view.customer_gateway = customer->config.id;
  if (!attempts_.empty()) view.vendor_gateway = attempts_.back().vendor_gateway;
  view.caller = context_.caller.empty() ? caller_raw_ : context_.caller.view();
  view.callee = context_.callee.empty() ? callee_raw_ : billed_callee();
  view.state = state_;
  view.started_at_us = context_.wall_us;
  view.answered_at_us = answered_wall_us_;
  view.codecs = media_.codecs();
  view.media_relayed = media_.relayed() && media_.has_streams();
  if (view.media_relayed) {
    view.media_caller = media_.stats(MediaSide::caller);
    view.media_callee = media_.stats(MediaSide::callee);
    if (answered_us_ == 0) view.media_caller.cause = view.media_callee.cause = MediaCause::none;
    view.recording = media_.recording();
  }
  return view;
}

Result<void> Call::record(bool on) {
  if (!on) {
    media_.stop_recording();
    return {};
  }
  MediaRecorder* const recorder = worker_.commons().recorder;
  if (recorder == nullptr) return Error{ErrorCode::wrong_state, "no recording is configured"};
  if (is_over_ || state_ != CallState::answered)
    return Error{ErrorCode::wrong_state, "the call is not answered"};
  if (!media_.relayed()) return Error{ErrorCode::not_found, "the call has no relayed audio"};
  if (media_.is_recorded()) return {};
  RecordingFacts facts;
  facts.id = id_;
  facts.at_us = worker_.loop().clock().wall_us();
  facts.caller = context_.caller.view();
  facts.callee = billed_callee();
  facts.customer = context_.customer_entry()->config.id;
  facts.vendor = vendor().config.id;
  return media_.record(*recorder, recording_name(worker_.commons().recording_name, facts));
}

/// A call that cannot be recorded goes on; the log says why.
void Call::record_as_configured() {
  if (worker_.commons().recorder == nullptr) return;
  if (auto recorded = record(true); !recorded) {
    worker_.commons().log.write(
        LogLevel::warning, "call", "a call is not recorded",
        {{"call", std::to_string(id_)}, {"error", recorded.error().message}});
  }
}

void Call::publish_digit(MediaSide side, char digit, std::uint32_t duration_ms) {
  Host& host = worker_.commons().host;
  if (!host.wants_events()) return;
  Event event;
  event.kind = Event::Kind::call_digit;
  event.at_us = worker_.loop().clock().wall_us();
  event.call = view();
  event.side = side;
  event.digit = digit;
  event.duration_ms = duration_ms;
  host.publish(std::move(event));
}

void Call::publish_loss(const MediaEvent& lost) {
  Host& host = worker_.commons().host;
  if (!host.wants_events()) return;
  const bool is_caller = lost.side == MediaSide::caller;
  Event event;
  event.kind = Event::Kind::alarm;
  event.at_us = worker_.loop().clock().wall_us();
  event.gateway = is_caller ? context_.customer_entry()->config.id : vendor().config.id;
  event.text = std::to_string(lost.loss_permille / 10) + "." +
               std::to_string(lost.loss_permille % 10) + " % of the media of the " +
               (is_caller ? "caller" : "callee") + " of call " + std::to_string(id_) +
               " was lost before it came here (O-05)";
  host.publish(std::move(event));
}

void Call::publish(Event::Kind kind, std::optional<Cdr> cdr) {
  Host& host = worker_.commons().host;
  if (!host.wants_events()) return;
  Event event;
  event.kind = kind;
  event.at_us = worker_.loop().clock().wall_us();
  event.call = view();
  event.cdr = std::move(cdr);
  host.publish(std::move(event));
}

}  // namespace tandem::call
