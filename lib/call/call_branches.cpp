// A call that rings several at once: the targets of a phone that forwards (T-02), or the devices
// of one phone (P-05). Each has an attempt in the record.
//
// Targets are calls of the phone's own, which lead their media and take what they need themselves.
// Devices share what one attempt has: the phone's line, the way of the media, and the offer.
#include <algorithm>
#include <utility>

#include "call/call.hpp"
#include "call/cause_map.hpp"

namespace tandem::call {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr int request_terminated = 487;
constexpr int not_selected_cause = 26;  // ITU-T Q.850: non-selected user clearing

}  // namespace

bool Call::is_branch(const Leg& leg) const noexcept {
  return setup_ != nullptr && setup_->branches != nullptr && setup_->branches->fork->has(leg);
}

/// They go in the place of the leg of `trial_`; attempts are added from now on.
Fork& Call::begin_branches() {
  setup_->branches = std::make_unique<Branches>(*this, attempts_.size());
  auto fork =
      std::make_unique<Fork>(worker_.loop(), *setup_->branches, *this, inbound_->is_reliable());
  Fork& all = *fork;
  setup_->branches->fork = &all;
  trial_.leg = std::move(fork);
  return all;
}

// --- devices of one phone ---

bool Call::rings_together(const CandidatePlan& plan) const noexcept {
  const Vendor& vendor = context_.tables->vendors[plan.vendor];
  if (!vendor.is_phone || plan.contact == nullptr || setup_->directions != nullptr) return false;
  // Streams that the switch encrypts are keyed with one other end.
  const auto& candidates = context_.setup->candidates;
  return context_.tables->phone_at(plan.vendor).config.rings_together &&
         vendor.config.sip.srtp == SrtpMode::pass && setup_->next_candidate < candidates.size() &&
         candidates[setup_->next_candidate].gateway == plan.vendor;
}

/// Those that can have the same offer; the others have their turn when nobody of these answered.
void Call::ring_devices(CandidatePlan first, VendorLease lease, std::string_view offer) {
  std::vector<CandidatePlan> plans;
  plans.push_back(std::move(first));
  const phone::Contact& best = *plans.front().contact;
  const std::int64_t now_us = worker_.loop().clock().monotonic_us();
  auto& candidates = context_.setup->candidates;
  for (std::size_t i = setup_->next_candidate;
       i < candidates.size() && plans.size() < Fork::branches_max;) {
    CandidatePlan plan = plan_candidate(context_, candidates[i], now_us);
    const bool goes_along = plan.vendor == plans.front().vendor && !plan.excluded &&
                            plan.contact != nullptr &&
                            plan.contact->destination.ip.family == best.destination.ip.family &&
                            is_over_tls(plan.contact->transport) == is_over_tls(best.transport);
    if (!goes_along) {
      ++i;
      continue;
    }
    plan.caller_out = plans.front().caller_out;  // one number of a pool for the one call
    note_choice(plan, Reason::none, {});
    plans.push_back(std::move(plan));
    candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (plans.size() == 1) return try_vendor(std::move(plans.front()), std::move(lease), offer);
  if (shadow_notes_ != nullptr) shadow_notes_->met.push_back({plans.front().vendor, false, true});
  trial_ = Trial{};
  trial_.vendor = plans.front().vendor;
  trial_.rate = plans.front().vendor_rate;
  trial_.lease = std::move(lease);
  trial_.started_us = now_us;
  Fork& fork = begin_branches();
  for (CandidatePlan& plan : plans) {
    Branches::One& one = setup_->branches->all.emplace_back();
    one.trial = begin_trial(plan);
    fork.add(place_leg(one.trial, attempts_.back(), placement_of(one.trial), offer,
                       fork.branch_events()));
  }
  advance_stage(AttemptStage::invited);
  arm_ring_tone();
}

// --- what becomes of them ---

std::int64_t Call::branch_due_us(std::size_t branch, AttemptStage stage) const {
  const Branches::One& one = setup_->branches->all[branch];
  if (one.trial.is_forward) return one.ring_end_us;
  return worker_.loop().clock().monotonic_us() + stage_limit_s(stage) * second_us;
}

void Call::end_attempt(Attempt& attempt, int sip_status, int q850_cause, Reason reason) {
  if (attempt.ended_at_us != 0) return;  // before the others that were tried with it
  attempt.sip_status = sip_status;
  attempt.q850_cause = q850_cause;
  attempt.reason = reason;
  attempt.ended_at_us = worker_.loop().clock().wall_us();
  if (is_traced_) trace_attempt(attempt);
}

void Call::on_branch_over(std::size_t branch, const Failure& failure, Reason reason) {
  Branches& branches = *setup_->branches;
  const int usual_cause =
      failure.is_local ? reason_facts(reason).q850_cause : cause_for(parameters(), failure.status);
  end_attempt(attempts_[branches.first_attempt + branch], failure.is_local ? 0 : failure.status,
              failure.q850_cause != 0 ? failure.q850_cause : usual_cause, reason);
  branches.all[branch].line.release();
  // What it described ends with it.
  if (branches.fork->is_heard(branch)) setup_->early_answer.clear();
}

/// The call goes on with that branch as if it had been the only one; its attempt is the last.
void Call::on_branch_answer(std::size_t branch, const Answer& answer) {
  if (is_over_ || setup_ == nullptr || setup_->branches == nullptr) return;
  const std::unique_ptr<Branches> branches = std::move(setup_->branches);
  Fork& fork = *branches->fork;
  Branches::One& won = branches->all[branch];
  std::unique_ptr<Leg> leg = fork.take(branch);
  trial_.leg->release(answered_elsewhere);
  worker_.retire(std::move(trial_.leg));
  const auto first = attempts_.begin() + static_cast<std::ptrdiff_t>(branches->first_attempt);
  const auto answered = first + static_cast<std::ptrdiff_t>(branch);
  std::rotate(answered, answered + 1, attempts_.end());
  for (auto lost = first; lost + 1 != attempts_.end(); ++lost)
    end_attempt(*lost, request_terminated, not_selected_cause, Reason::CallerCancel);
  VendorLease lease = std::move(trial_.lease);
  trial_ = std::move(won.trial);
  trial_.lease = std::move(lease);
  trial_.leg = std::move(leg);
  trial_.leg->set_events(*this);
  trial_.stage = fork.stage(branch);
  setup_->forward_line = std::move(won.line);
  // Of what the others said nothing is left; what this one said may be its answer.
  if (!fork.is_heard(branch)) {
    setup_->early_answer.clear();
    Progress early;
    early.body = fork.early_description(branch);
    (void)pass_early_description(early);  // a description that cannot pass is none
  }
  on_answer(*trial_.leg, answer);
}

/// Nobody answered: the best failure is that of the call, and its attempt the last.
void Call::on_fork_over(std::size_t best, const Failure& failure, Reason reason) {
  if (is_over_ || setup_ == nullptr || setup_->branches == nullptr) return;
  Branches& branches = *setup_->branches;
  const auto last = attempts_.begin() + static_cast<std::ptrdiff_t>(branches.first_attempt + best);
  std::rotate(last, last + 1, attempts_.end());
  Trial& lost = branches.all[best].trial;
  trial_.destination = lost.destination;
  trial_.contact = std::move(lost.contact);
  attempt_failed(failure, reason);
}

}  // namespace tandem::call
