#include "call/fork.hpp"

#include <algorithm>
#include <utility>

#include "call/cause_map.hpp"

namespace tandem::call {

namespace {

constexpr int not_acceptable = 488, request_pending = 491, request_terminated = 487;
constexpr int busy_cause = 17;          // ITU-T Q.850
constexpr int not_selected_cause = 26;  // ITU-T Q.850: non-selected user clearing

}  // namespace

Fork::Fork(io::Loop& loop, ForkOwner& owner, LegEvents& events, bool hides_early)
    : loop_(loop),
      owner_(owner),
      events_(&events),
      hides_early_(hides_early),
      timer_(Timer::member<&Fork::on_timer, Fork>(), this) {}

Fork::~Fork() = default;

void Fork::add(std::unique_ptr<Leg> leg) {
  const std::size_t branch = branches_.size();
  branches_.emplace_back().leg = std::move(leg);
  advance(branch, AttemptStage::invited);
}

bool Fork::has(const Leg& leg) const noexcept { return find(leg) != nobody; }

std::size_t Fork::find(const Leg& leg) const noexcept {
  const auto found = std::find_if(branches_.begin(), branches_.end(),
                                  [&](const Branch& branch) { return branch.leg.get() == &leg; });
  return found == branches_.end() ? nobody : static_cast<std::size_t>(found - branches_.begin());
}

std::size_t Fork::live() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(branches_.begin(), branches_.end(),
                    [](const Branch& branch) { return branch.leg != nullptr; }));
}

std::unique_ptr<Leg> Fork::take(std::size_t branch) noexcept {
  return std::move(branches_[branch].leg);
}

SessionBody Fork::early_description(std::size_t branch) const noexcept {
  return {branches_[branch].early_type, branches_[branch].early};
}

AttemptStage Fork::stage(std::size_t branch) const noexcept { return branches_[branch].stage; }

SocketAddress Fork::remote() const noexcept {
  for (const Branch& branch : branches_) {
    if (branch.leg != nullptr) return branch.leg->remote();
  }
  return {};
}

std::string_view Fork::call_id() const noexcept {
  for (const Branch& branch : branches_) {
    if (branch.leg != nullptr) return branch.leg->call_id();
  }
  return {};
}

void Fork::retire(std::unique_ptr<Leg> leg) {
  // std::function must be copyable, so the leg travels in a shared_ptr that has this one owner.
  loop_.defer([shared = std::shared_ptr<Leg>(std::move(leg))] {});
}

void Fork::release(int q850_cause) {
  timer_.cancel();
  for (Branch& branch : branches_) {
    if (branch.leg == nullptr) continue;
    branch.leg->release(q850_cause);
    retire(std::move(branch.leg));
  }
}

int Fork::rank(const Failure& failure, Reason reason) noexcept {
  const int status = failure.status;
  if (!failure.is_local && status >= 600) return 0;
  if (!failure.is_local && (status == 486 || failure.q850_cause == busy_cause)) return 1;
  if (reason == Reason::NoAnswer || (!failure.is_local && status == 480)) return 2;
  const bool is_between_us =
      status < 400 || status == 401 || status == 407 || (status >= 420 && status <= 422);
  if (failure.is_local) return failure.is_transport ? 6 : 4;
  if (is_between_us) return 7;
  return status < 500 ? 3 : 5;
}

// --- how far they are ---

void Fork::advance(std::size_t branch, AttemptStage stage) {
  Branch& of = branches_[branch];
  if (stage <= of.stage) return;
  of.stage = stage;
  of.due_us = owner_.branch_due_us(branch, stage);
  arm();
}

void Fork::arm() {
  std::int64_t first_us = INT64_MAX;
  for (const Branch& branch : branches_) {
    if (branch.leg != nullptr) first_us = std::min(first_us, branch.due_us);
  }
  if (first_us == INT64_MAX) return timer_.cancel();
  const std::int64_t now_us = loop_.clock().monotonic_us();
  loop_.timers().start(timer_, std::max<std::int64_t>(first_us - now_us, 0));
}

void Fork::on_timer() {
  const std::int64_t now_us = loop_.clock().monotonic_us();
  bool is_any_over = false;
  for (std::size_t i = 0; i < branches_.size(); ++i) {
    if (branches_[i].leg == nullptr || branches_[i].due_us > now_us) continue;
    const Reason reason = owner_.overdue_reason(branches_[i].stage);
    branches_[i].leg->release(reason_facts(reason).q850_cause);
    Failure failure;
    failure.status = reason_facts(reason).sip_status;
    failure.is_local = true;
    end(i, failure, reason);
    is_any_over = true;
  }
  // A timer may fire for what has come further since.
  if (is_any_over) {
    go_on();
  } else {
    arm();
  }
}

void Fork::on_progress(Leg& leg, const Progress& progress) {
  const std::size_t i = find(leg);
  if (i == nobody) return;
  if (progress.status == 100) {
    advance(i, AttemptStage::trying);
    if (!std::exchange(is_trying_, true)) events_->on_progress(*this, progress);
    return;
  }
  Branch& branch = branches_[i];
  if (!progress.body.empty()) {
    branch.early_status = progress.status;
    branch.early_type = progress.body.content_type;
    branch.early = progress.body.bytes;
  }
  const bool is_ringing = progress.status == 180;
  advance(i, is_ringing              ? AttemptStage::ringing
             : !branch.early.empty() ? AttemptStage::early_media
                                     : AttemptStage::progressing);
  if (heard_ == nobody && !branch.early.empty() && !(hides_early_ && live() > 1)) heard_ = i;
  Progress told = progress;
  told.needs_answer = false;
  if (heard_ != i) told.body = {};
  if (told.body.empty() && is_ringing) {
    if (std::exchange(is_ringing_, true)) return;
    // A caller that is told of it alone would no longer listen to the other one.
    if (heard_ != nobody) told.body = early_description(heard_);
  }
  events_->on_progress(*this, told);
}

/// Who spoke before the answer is gone: the next one is heard, if there is one.
void Fork::let_hear() {
  if (heard_ != nobody || (hides_early_ && live() > 1)) return;
  for (std::size_t i = 0; i < branches_.size(); ++i) {
    const Branch& branch = branches_[i];
    if (branch.leg == nullptr || branch.early.empty()) continue;
    heard_ = i;
    Progress progress;
    progress.status = branch.early_status;
    progress.body = {branch.early_type, branch.early};
    return events_->on_progress(*this, progress);
  }
}

void Fork::on_reoffer(Leg& leg, const Reoffer&) {
  if (find(leg) != nobody) leg.answer_reoffer(not_acceptable, {});
}

void Fork::on_request(Leg& leg, const DialogRequest&) {
  if (find(leg) != nobody) leg.answer_request(request_pending, {});
}

// --- how they end ---

void Fork::on_answer(Leg& leg, const Answer& answer) {
  const std::size_t i = find(leg);
  if (i == nobody) return;
  timer_.cancel();
  owner_.on_branch_answer(i, answer);
}

void Fork::on_failure(Leg& leg, const Failure& failure) {
  const std::size_t i = find(leg);
  if (i == nobody) return;
  end(i, failure, reason_of(failure));
  if (!failure.is_local && failure.status >= 600) end_others(failure);
  go_on();
}

void Fork::end(std::size_t branch, const Failure& failure, Reason reason) {
  retire(std::move(branches_[branch].leg));
  owner_.on_branch_over(branch, failure, reason);
  if (heard_ == branch) heard_ = nobody;
  if (best_.branch != nobody && rank(best_.failure, best_.reason) <= rank(failure, reason)) return;
  best_.branch = branch;
  best_.failure = failure;
  best_.failure.reason_phrase = {};
  best_.failure.headers.clear();
  best_.failure.targets.clear();
  best_.headers.clear();
  for (const PassedHeader& header : failure.headers)
    best_.headers.emplace_back(header.name, header.value);
  best_.reason = reason;
}

/// One has spoken for all (RFC 3261 section 16.7, point 5).
void Fork::end_others(const Failure& failure) {
  Failure ended;
  ended.status = request_terminated;
  ended.is_local = true;
  ended.q850_cause = not_selected_cause;
  for (std::size_t i = 0; i < branches_.size(); ++i) {
    if (branches_[i].leg == nullptr) continue;
    branches_[i].leg->release(failure.q850_cause);
    end(i, ended, Reason::CallerCancel);
  }
}

void Fork::go_on() {
  if (live() > 0) {
    arm();
    return let_hear();
  }
  timer_.cancel();
  Failure failure = best_.failure;
  failure.headers = views_of(best_.headers);
  owner_.on_fork_over(best_.branch, failure, best_.reason);
}

}  // namespace tandem::call
