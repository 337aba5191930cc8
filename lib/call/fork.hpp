// Several callees that are called at once, as the one leg that their call sees (T-02, P-05).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/leg.hpp"
#include "base/timer_wheel.hpp"
#include "call/attempt_stage.hpp"
#include "io/loop.hpp"
#include "tandem/values.hpp"

namespace tandem::call {

/// What a Fork asks and tells the call that owns it about single branches.
class ForkOwner {
 public:
  virtual ~ForkOwner() = default;
  /// Monotonic time at which the branch is given up unless it comes further; INT64_MAX: never.
  [[nodiscard]] virtual std::int64_t branch_due_us(std::size_t branch, AttemptStage stage) = 0;
  /// As what it then failed.
  [[nodiscard]] virtual Reason overdue_reason(AttemptStage stage) const noexcept = 0;
  /// It is over; others may go on.
  virtual void on_branch_over(std::size_t branch, const Failure& failure, Reason reason) = 0;
  /// The first one answered. The owner takes it from the fork, which it releases and retires.
  virtual void on_branch_answer(std::size_t branch, const Answer& answer) = 0;
  /// All are over. `best`: the branch whose failure this is.
  virtual void on_fork_over(std::size_t best, const Failure& failure, Reason reason) = 0;
};

/// Calls all its branches at once: the first that answers is the one (RFC 3261 section 16.7). It is
/// a leg before the answer only, since the call then goes on with the branch.
///
/// What comes up from the branches, through `events`: the first 100 and 180; of descriptions in
/// provisional responses those of one branch, the first that sent any, and of the next one when
/// that is over. A 6xx ends all. Of the failures of all branches the best one counts; see rank().
///
/// Threading: loop-bound. Legs that are over are destroyed at the end of the turn.
class Fork final : public Leg, private LegEvents {
 public:
  static constexpr std::size_t branches_max = 8;

  /// `hides_early`: what the caller is shown it keeps to (RFC 3262 section 5), so nobody is heard
  /// before the answer while several ring.
  Fork(io::Loop& loop, ForkOwner& owner, LegEvents& events, bool hides_early);
  ~Fork() override;

  /// Who hears of a leg that is to be a branch.
  [[nodiscard]] LegEvents& branch_events() noexcept { return *this; }
  /// At most branches_max. The owner must know the branch by its number, which is that of those
  /// before it, and no event of its leg may have come yet.
  void add(std::unique_ptr<Leg> leg);
  [[nodiscard]] std::size_t size() const noexcept { return branches_.size(); }
  [[nodiscard]] bool has(const Leg& leg) const noexcept;
  /// That branch's leg: it is none any more.
  [[nodiscard]] std::unique_ptr<Leg> take(std::size_t branch) noexcept;
  /// The last description in a provisional response of it.
  [[nodiscard]] SessionBody early_description(std::size_t branch) const noexcept;
  /// The description that the caller was shown is that branch's.
  [[nodiscard]] bool is_heard(std::size_t branch) const noexcept { return heard_ == branch; }
  [[nodiscard]] AttemptStage stage(std::size_t branch) const noexcept;

  /// Which failure says most to a caller; lower is better. 6xx, busy, no answer, others of the
  /// callee or on the way to it, silence, failures of servers, of the transport, and last what is
  /// between the callee and us.
  [[nodiscard]] static int rank(const Failure& failure, Reason reason) noexcept;

  void set_events(LegEvents& events) noexcept override { events_ = &events; }
  void release(int q850_cause) override;
  void cancel() override { release(0); }
  [[nodiscard]] bool is_over() const noexcept override { return live() == 0; }
  [[nodiscard]] SocketAddress remote() const noexcept override;
  [[nodiscard]] std::string_view call_id() const noexcept override;
  [[nodiscard]] std::string_view product() const noexcept override { return {}; }
  [[nodiscard]] bool has_early_session() const noexcept override { return false; }
  [[nodiscard]] bool has_session_timer() const noexcept override { return false; }

  // No inbound leg, and never answered.
  AuthResult authenticate(const Credentials&) override { return AuthResult::failed; }
  int set_manners(const Manners&) override { return 0; }
  [[nodiscard]] std::string claimed_user(std::string_view) const override { return {}; }
  void progress(int, const SessionBody&) override {}
  void answer(const SessionBody&, const std::vector<PassedHeader>&) override {}
  void reject(const Refusal&) override {}
  void drop() override {}
  [[nodiscard]] bool is_reliable() const noexcept override { return false; }
  void forget_progress() override {}
  [[nodiscard]] bool awaits_acknowledgement() const noexcept override { return false; }
  void acknowledge(const SessionBody&) override {}
  void answer_progress(const SessionBody&) override {}
  void reoffer(const Reoffer&) override {}
  void answer_reoffer(int, const SessionBody&) override {}
  void request(const DialogRequest&) override {}
  void answer_request(int, const SessionBody&) override {}

 private:
  static constexpr std::size_t nobody = SIZE_MAX;

  struct Branch {
    std::unique_ptr<Leg> leg;  // null: it is over, or was taken
    AttemptStage stage = AttemptStage::none;
    std::int64_t due_us = INT64_MAX;
    int early_status = 0;
    std::string early_type, early;
  };
  /// The best of those that are over.
  struct Best {
    std::size_t branch = nobody;
    Failure failure;  // without views
    HeaderCopies headers;
    Reason reason = Reason::none;
  };

  void on_progress(Leg& leg, const Progress& progress) override;
  void on_answer(Leg& leg, const Answer& answer) override;
  void on_failure(Leg& leg, const Failure& failure) override;
  void on_cancel(Leg&, const Release&) override {}
  void on_confirmed(Leg&, const SessionBody&) override {}
  void on_release(Leg&, const Release&) override {}
  void on_reoffer(Leg& leg, const Reoffer&) override;
  void on_reoffer_result(Leg&, int, const SessionBody&) override {}
  void on_request(Leg& leg, const DialogRequest&) override;
  void on_request_result(Leg&, int, const SessionBody&) override {}

  [[nodiscard]] std::size_t find(const Leg& leg) const noexcept;
  [[nodiscard]] std::size_t live() const noexcept;
  void advance(std::size_t branch, AttemptStage stage);
  void arm();
  void on_timer();
  void end(std::size_t branch, const Failure& failure, Reason reason);
  void end_others(const Failure& failure);
  void go_on();
  void let_hear();
  void retire(std::unique_ptr<Leg> leg);

  io::Loop& loop_;
  ForkOwner& owner_;
  LegEvents* events_;
  const bool hides_early_;
  std::vector<Branch> branches_;
  Best best_;
  std::size_t heard_ = nobody;
  bool is_trying_ = false, is_ringing_ = false;  // told
  Timer timer_;
};

}  // namespace tandem::call
