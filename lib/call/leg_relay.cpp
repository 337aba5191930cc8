#include "call/leg_relay.hpp"

#include <utility>

#include "call/worker.hpp"

namespace tandem::call {

namespace {
constexpr int no_such_call = 481, request_terminated = 487, request_pending = 491;
constexpr int normal_clearing = 16;  // ITU-T Q.850
}  // namespace

void LegRelay::begin(std::unique_ptr<Leg> far, route::LineLease line,
                     std::shared_ptr<const Tables> tables) noexcept {
  far_ = std::move(far);
  line_ = std::move(line);
  tables_ = std::move(tables);
}

void LegRelay::give_up() {
  far_->release(normal_clearing);
  worker_.forget(*this);
}

void LegRelay::on_answer(Leg& leg, const Answer& answer) {
  near_ = worker_.take_leg(asker_);
  if (near_ == nullptr) return give_up();
  near_->set_events(*this);
  if (answer.body.empty()) ack_to_ = &leg;
  near_->answer(answer.body, {});
}

void LegRelay::on_failure(Leg&, const Failure& failure) {
  // Its call ended meanwhile, which is none of the caller's doing.
  worker_.refuse_place(asker_,
                       failure.status == request_terminated ? no_such_call : failure.status);
  worker_.forget(*this);
}

void LegRelay::on_release(Leg& leg, const Release& release) {
  if (Leg* const peer = other(leg)) peer->release(release.q850_cause);
  worker_.forget(*this);
}

void LegRelay::on_confirmed(Leg& leg, const SessionBody& body) {
  if (ack_to_ != nullptr && ack_to_ != &leg) std::exchange(ack_to_, nullptr)->acknowledge(body);
}

void LegRelay::on_reoffer(Leg& leg, const Reoffer& reoffer) {
  Leg* const peer = other(leg);
  if (peer == nullptr || reoffer_from_ != nullptr) return leg.answer_reoffer(request_pending, {});
  reoffer_from_ = &leg;
  is_offer_wanted_ = reoffer.body.empty() && reoffer.method == Reoffer::Method::reinvite;
  peer->reoffer(reoffer);
}

void LegRelay::on_reoffer_result(Leg& leg, int status, const SessionBody& body) {
  // Of a refresh of the leg's own (P-18): nobody waits for it.
  if (reoffer_from_ == nullptr || reoffer_from_ == &leg) return;
  if (status < 300 && is_offer_wanted_) ack_to_ = &leg;
  std::exchange(reoffer_from_, nullptr)->answer_reoffer(status, body);
}

void LegRelay::on_request(Leg& leg, const DialogRequest& request) {
  if (Leg* const peer = other(leg)) return peer->request(request);
  leg.answer_request(request_pending, {});
}

void LegRelay::on_request_result(Leg& leg, int status, const SessionBody& body) {
  if (Leg* const peer = other(leg)) peer->answer_request(status, body);
}

}  // namespace tandem::call
