#include "call/loop_leg.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <vector>

namespace tandem::call {
namespace {

constexpr int not_selected_cause = 26;  // ITU-T Q.850: non-selected user clearing

class LoopLeg;

/// What the ends share; outlives both while something is on its way. Each end, and what waits for
/// the other one, belongs to the thread of its own loop.
struct Loop {
  const std::array<io::Loop*, 2> loops;
  const std::atomic<bool>* const is_closed;  // the loops are about to go; null: they are one
  const LoopFacts facts;
  std::array<LoopLeg*, 2> ends{};                              // null: destroyed
  std::array<std::deque<std::function<void()>>, 2> waiting{};  // the other loop takes no more now
};

/// Runs `task` on the loop of the other end, after what that was told before.
void send(const std::shared_ptr<Loop>& shared, std::size_t from, std::function<void()> task) {
  if (shared->is_closed == nullptr) return shared->loops[from]->defer(std::move(task));
  std::deque<std::function<void()>>& waiting = shared->waiting[from];
  if (task != nullptr) waiting.push_back(std::move(task));
  while (!waiting.empty() && !shared->is_closed->load()) {
    if (!shared->loops[1 - from]->post(waiting.front())) {
      const auto again = [shared, from] { send(shared, from, nullptr); };
      if (shared->loops[from]->post(again)) return;  // in the next turn
      break;
    }
    waiting.pop_front();
  }
  waiting.clear();
}

/// Who is told while an end has no call.
class Nobody final : public LegEvents {
  void on_progress(Leg&, const Progress&) override {}
  void on_answer(Leg&, const Answer&) override {}
  void on_failure(Leg&, const Failure&) override {}
  void on_cancel(Leg&, const Release&) override {}
  void on_confirmed(Leg&, const SessionBody&) override {}
  void on_release(Leg&, const Release&) override {}
  void on_reoffer(Leg&, const Reoffer&) override {}
  void on_reoffer_result(Leg&, int, const SessionBody&) override {}
  void on_request(Leg&, const DialogRequest&) override {}
  void on_request_result(Leg&, int, const SessionBody&) override {}
} nobody;

/// A description on its way.
struct OwnedBody {
  std::string type, bytes;
  OwnedBody() = default;
  explicit OwnedBody(const SessionBody& body) : type(body.content_type), bytes(body.bytes) {}
  [[nodiscard]] SessionBody view() const noexcept { return {type, bytes}; }
};

/// What a REFER asks for, on its way.
struct OwnedReferral {
  bool is_there = false;
  std::string user, call_id, own_tag, peer_tag, referred_by;
  std::uint32_t sequence = 0;
  static OwnedReferral of(const Referral* referral) {
    if (referral == nullptr) return {};
    const DialogName& dialog = referral->replaces;
    return {true,
            std::string(referral->user),
            std::string(dialog.call_id),
            std::string(dialog.own_tag),
            std::string(dialog.peer_tag),
            std::string(referral->referred_by),
            referral->sequence};
  }
  [[nodiscard]] Referral view() const noexcept {
    return {user, {call_id, own_tag, peer_tag}, referred_by, sequence};
  }
};

HeaderCopies copies_of(const std::vector<PassedHeader>& headers) {
  HeaderCopies copies;
  for (const PassedHeader& header : headers)
    copies.emplace_back(header.name, header.value);
  return copies;
}

class LoopLeg final : public Leg {
 public:
  enum Side : std::size_t { outbound, inbound };

  LoopLeg(std::shared_ptr<Loop> shared, Side side, LegEvents& events)
      : shared_(std::move(shared)), side_(side), events_(&events) {
    shared_->ends[side_] = this;
  }
  ~LoopLeg() override {
    release(0);
    shared_->ends[side_] = nullptr;
  }

  void set_events(LegEvents& events) noexcept override { events_ = &events; }

  // Inbound.
  AuthResult authenticate(const Credentials&) override { return AuthResult::verified; }
  int set_manners(const Manners&) override { return 0; }
  [[nodiscard]] std::string claimed_user(std::string_view) const override { return {}; }
  void progress(int status, const SessionBody& body) override {
    if (side_ != inbound || phase_ != Phase::early) return;
    tell([status, copy = OwnedBody(body)](LoopLeg& other) {
      if (other.phase_ != Phase::early) return;
      Progress progress;
      progress.status = status;
      progress.body = copy.view();
      other.events_->on_progress(other, progress);
    });
  }
  void answer(const SessionBody& body, const std::vector<PassedHeader>& headers) override {
    if (side_ != inbound || phase_ != Phase::early) return;
    phase_ = Phase::answered;
    tell([copy = OwnedBody(body), kept = copies_of(headers)](LoopLeg& other) {
      other.take_answer(copy, kept);
    });
  }
  using Leg::reject;
  void reject(const Refusal& refusal) override {
    if (side_ != inbound || phase_ != Phase::early) return;
    phase_ = Phase::over;
    tell([status = refusal.status, cause = refusal.q850_cause, retry_s = refusal.retry_after_s,
          kept = copies_of(refusal.headers)](LoopLeg& other) {
      Failure failure;
      failure.status = status;
      failure.q850_cause = cause;
      failure.retry_after_s = retry_s;
      failure.headers = views_of(kept);
      other.fail(failure);
    });
  }
  void drop() override { reject(Refusal{403, 0, 0, {}}); }
  [[nodiscard]] bool is_reliable() const noexcept override { return false; }
  void forget_progress() override {}  // nothing waits
  [[nodiscard]] bool awaits_acknowledgement() const noexcept override { return false; }

  // Outbound.
  void cancel() override {
    if (side_ != outbound || phase_ != Phase::early) return;
    is_cancelled_ = true;
    phase_ = Phase::over;
    tell([](LoopLeg& other) { other.end({}); });
    own_loop().defer([shared = shared_, side = side_] {
      LoopLeg* const self = shared->ends[side];
      if (self == nullptr || !std::exchange(self->is_cancelled_, false)) return;
      Failure failure;
      failure.status = 487;
      self->events_->on_failure(*self, failure);
    });
  }
  void acknowledge(const SessionBody& body) override {
    if (!std::exchange(owes_acknowledgement_, false)) return;
    tell([copy = OwnedBody(body)](LoopLeg& other) { other.confirm(copy); });
  }
  void answer_progress(const SessionBody&) override {}  // no offer comes before the answer
  [[nodiscard]] bool has_early_session() const noexcept override { return false; }

  // Both.
  void reoffer(const Reoffer& reoffer) override {
    if (phase_ != Phase::answered) return;
    tell([method = reoffer.method, copy = OwnedBody(reoffer.body)](LoopLeg& other) {
      if (other.phase_ != Phase::answered) return;
      other.asked_ = method;
      other.is_asked_ = true;
      other.was_asked_without_offer_ = copy.bytes.empty();
      other.events_->on_reoffer(other, {method, copy.view()});
    });
  }
  void answer_reoffer(int status, const SessionBody& body) override {
    if (!std::exchange(is_asked_, false)) return;
    const bool is_accepted = status < 300 && asked_ == Reoffer::Method::reinvite;
    const bool is_open = is_accepted && was_asked_without_offer_;
    tell([status, is_open, copy = OwnedBody(body)](LoopLeg& other) {
      if (other.phase_ != Phase::answered) return;
      other.owes_acknowledgement_ = is_open;
      other.events_->on_reoffer_result(other, status, copy.view());
    });
    if (!is_accepted || is_open) return;
    own_loop().defer([shared = shared_, side = side_] {
      if (LoopLeg* const self = shared->ends[side]) self->confirm({});
    });
  }
  void request(const DialogRequest& request) override {
    if (phase_ != Phase::answered) return;
    tell([method = std::string(request.method), copy = OwnedBody(request.body),
          kept = copies_of(request.headers), source = request.source,
          wish = OwnedReferral::of(request.referral)](LoopLeg& other) {
      if (other.phase_ != Phase::answered) return;
      DialogRequest passed;
      passed.method = method;
      passed.body = copy.view();
      passed.headers = views_of(kept);
      passed.source = source;
      const Referral referral = wish.view();
      if (wish.is_there) passed.referral = &referral;
      other.events_->on_request(other, passed);
    });
  }
  void answer_request(int status, const SessionBody& body) override {
    tell([status, copy = OwnedBody(body)](LoopLeg& other) {
      if (other.phase_ == Phase::answered)
        other.events_->on_request_result(other, status, copy.view());
    });
  }
  void release(int q850_cause) override {
    is_cancelled_ = false;
    if (phase_ == Phase::over) return;
    phase_ = Phase::over;
    Release release;
    if (q850_cause > 0) release.q850_cause = q850_cause;
    tell([release](LoopLeg& other) { other.end(release); });
  }

  [[nodiscard]] bool is_over() const noexcept override { return phase_ == Phase::over; }
  // Neither end can be gone without the other hearing of it.
  [[nodiscard]] bool has_session_timer() const noexcept override { return true; }
  [[nodiscard]] SocketAddress remote() const noexcept override { return shared_->facts.remote; }
  [[nodiscard]] std::string_view call_id() const noexcept override {
    return shared_->facts.call_id;
  }
  [[nodiscard]] std::string_view product() const noexcept override {
    return shared_->facts.product;
  }

 private:
  enum class Phase : std::uint8_t { early, answered, over };

  [[nodiscard]] io::Loop& own_loop() const noexcept { return *shared_->loops[side_]; }
  /// Runs `what` on the other end, if it is still there.
  template <class What>
  void tell(What what) {
    send(shared_, side_, [shared = shared_, to = 1 - side_, what = std::move(what)] {
      if (LoopLeg* const other = shared->ends[to]) what(*other);
    });
  }
  void take_answer(const OwnedBody& body, const HeaderCopies& headers) {
    if (phase_ != Phase::early) return;
    phase_ = Phase::answered;
    owes_acknowledgement_ = !shared_->facts.has_offer;
    if (!owes_acknowledgement_) tell([](LoopLeg& other) { other.confirm({}); });
    Answer answer;
    answer.body = body.view();
    answer.remote = shared_->facts.remote;
    answer.headers = views_of(headers);
    events_->on_answer(*this, answer);
  }
  void confirm(const OwnedBody& body) {
    if (phase_ == Phase::answered) events_->on_confirmed(*this, body.view());
  }
  void fail(const Failure& failure) {
    if (phase_ != Phase::early) return;
    phase_ = Phase::over;
    events_->on_failure(*this, failure);
  }
  /// The other end has let go.
  void end(const Release& release) {
    if (phase_ == Phase::over) return;
    const bool was_answered = std::exchange(phase_, Phase::over) == Phase::answered;
    if (was_answered) {
      Release given = release;
      // The other side did not know yet that it had been answered here too.
      if (given.q850_cause == answered_elsewhere) given.q850_cause = not_selected_cause;
      return events_->on_release(*this, given);
    }
    if (side_ == inbound) return events_->on_cancel(*this, release);
    Failure failure;
    failure.status = 487;
    failure.q850_cause = release.q850_cause;
    events_->on_failure(*this, failure);
  }

  const std::shared_ptr<Loop> shared_;
  const Side side_;
  LegEvents* events_;
  Phase phase_ = Phase::early;
  bool is_cancelled_ = false;          // on_failure(487) is on its way
  bool owes_acknowledgement_ = false;  // an offer came in a 2xx
  bool is_asked_ = false;              // a change waits for answer_reoffer()
  bool was_asked_without_offer_ = false;
  Reoffer::Method asked_ = Reoffer::Method::reinvite;
};

std::pair<std::unique_ptr<Leg>, std::unique_ptr<Leg>> make_ends(std::shared_ptr<Loop> shared,
                                                                LegEvents& events) {
  auto out = std::make_unique<LoopLeg>(shared, LoopLeg::outbound, events);
  auto in = std::make_unique<LoopLeg>(std::move(shared), LoopLeg::inbound, nobody);
  return {std::move(out), std::move(in)};
}

}  // namespace

std::pair<std::unique_ptr<Leg>, std::unique_ptr<Leg>> make_loop(io::Loop& loop, LoopFacts facts,
                                                                LegEvents& events) {
  return make_ends(std::make_shared<Loop>(Loop{{&loop, &loop}, nullptr, std::move(facts)}), events);
}

std::pair<std::unique_ptr<Leg>, std::unique_ptr<Leg>> make_loop(io::Loop& out, io::Loop& in,
                                                                const std::atomic<bool>& is_closed,
                                                                LoopFacts facts,
                                                                LegEvents& events) {
  return make_ends(std::make_shared<Loop>(Loop{{&out, &in}, &is_closed, std::move(facts)}), events);
}

}  // namespace tandem::call
