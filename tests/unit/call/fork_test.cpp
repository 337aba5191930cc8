#include "call/fork.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/hand_loop.hpp"

using namespace tandem;
using namespace tandem::call;

namespace {

;

/// An outbound leg that writes down how it ends.
class FakeLeg final : public Leg {
 public:
  FakeLeg(std::string name, std::vector<std::string>& log) : name_(std::move(name)), log_(log) {}
  ~FakeLeg() override { log_.push_back(name_ + " gone"); }
  void release(int cause) override {
    log_.push_back(name_ + " released " + std::to_string(cause));
    is_over_ = true;
  }
  void set_events(LegEvents&) noexcept override {}
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
  void cancel() override {}
  void acknowledge(const SessionBody&) override {}
  void answer_progress(const SessionBody&) override {}
  [[nodiscard]] bool has_early_session() const noexcept override { return false; }
  void reoffer(const Reoffer&) override {}
  void answer_reoffer(int status, const SessionBody&) override {
    log_.push_back(name_ + " offer " + std::to_string(status));
  }
  void request(const DialogRequest&) override {}
  void answer_request(int status, const SessionBody&) override {
    log_.push_back(name_ + " request " + std::to_string(status));
  }
  [[nodiscard]] bool is_over() const noexcept override { return is_over_; }
  [[nodiscard]] bool has_session_timer() const noexcept override { return false; }
  [[nodiscard]] SocketAddress remote() const noexcept override { return {}; }
  [[nodiscard]] std::string_view call_id() const noexcept override { return name_; }
  [[nodiscard]] std::string_view product() const noexcept override { return {}; }

 private:
  const std::string name_;
  std::vector<std::string>& log_;
  bool is_over_ = false;
};

/// A call that rings three; what it is told is in `log`.
struct Bench final : ForkOwner, LegEvents {
  tandem::test::HandLoop loop;
  std::vector<std::string> log;
  std::vector<Leg*> legs;
  std::unique_ptr<Fork> fork;
  std::int64_t ringing_s = 60;

  explicit Bench(bool hides_early = false)
      : fork(std::make_unique<Fork>(loop, *this, *this, hides_early)) {
    for (const char* name : {"a", "b", "c"}) {
      auto leg = std::make_unique<FakeLeg>(name, log);
      legs.push_back(leg.get());
      fork->add(std::move(leg));
    }
  }
  ~Bench() override { fork.reset(); }

  LegEvents& branch() { return fork->branch_events(); }
  void progress(std::size_t of, int status, std::string_view sdp = {}) {
    Progress progress;
    progress.status = status;
    progress.body = {"application/sdp", sdp};
    branch().on_progress(*legs[of], progress);
  }
  void fail(std::size_t of, int status) {
    Failure failure;
    failure.status = status;
    branch().on_failure(*legs[of], failure);
  }
  std::vector<std::string> told() {
    loop.settle();
    return std::exchange(log, {});
  }

  // ForkOwner.
  std::int64_t branch_due_us(std::size_t branch, AttemptStage stage) override {
    const std::int64_t own_s = stage == AttemptStage::ringing ? ringing_s : 10;
    return loop.clock().monotonic_us() + (own_s + static_cast<std::int64_t>(branch)) * 1'000'000;
  }
  Reason overdue_reason(AttemptStage stage) const noexcept override {
    return stage == AttemptStage::ringing ? Reason::NoAnswer : Reason::InviteTimeout;
  }
  void on_branch_over(std::size_t branch, const Failure& failure, Reason) override {
    log.push_back(std::to_string(branch) + " over " + std::to_string(failure.status));
  }
  void on_branch_answer(std::size_t branch, const Answer&) override {
    log.push_back(std::to_string(branch) + " answers");
  }
  void on_fork_over(std::size_t best, const Failure& failure, Reason) override {
    log.push_back("all over, best " + std::to_string(best) + " " + std::to_string(failure.status));
  }
  // LegEvents.
  void on_progress(Leg& leg, const Progress& progress) override {
    CHECK(&leg == fork.get());
    log.push_back(std::to_string(progress.status) + " " + std::string(progress.body.bytes));
  }
  void on_answer(Leg&, const Answer&) override {}
  void on_failure(Leg&, const Failure&) override {}
  void on_cancel(Leg&, const Release&) override {}
  void on_confirmed(Leg&, const SessionBody&) override {}
  void on_release(Leg&, const Release&) override {}
  void on_reoffer(Leg&, const Reoffer&) override {}
  void on_reoffer_result(Leg&, int, const SessionBody&) override {}
  void on_request(Leg&, const DialogRequest&) override {}
  void on_request_result(Leg&, int, const SessionBody&) override {}
};

using Told = std::vector<std::string>;

}  // namespace

TEST_CASE("Fork: one 100 and one 180 are told, whoever sends them") {
  Bench bench;
  for (std::size_t i : {0, 1, 2})
    bench.progress(i, 100);
  CHECK(bench.told() == Told{"100 "});
  for (std::size_t i : {1, 0, 2})
    bench.progress(i, 180);
  CHECK(bench.told() == Told{"180 "});
}

TEST_CASE("Fork: the first that describes early media is heard until it is gone") {
  Bench bench;
  bench.progress(1, 183, "of b");
  bench.progress(0, 183, "of a");
  bench.progress(2, 180);
  CHECK(bench.told() == Told{"183 of b", "183 ", "180 of b"});
  CHECK(bench.fork->is_heard(1));
  bench.fail(1, 503);
  CHECK(bench.told() == Told{"1 over 503", "183 of a", "b gone"});
  CHECK(bench.fork->early_description(0).bytes == "of a");
}

TEST_CASE("Fork: a caller that keeps to what it is shown hears nobody while several ring") {
  Bench bench(true);
  bench.progress(1, 183, "of b");
  CHECK(bench.told() == Told{"183 "});
  bench.fail(0, 486);
  CHECK(bench.told() == Told{"0 over 486", "a gone"});
  bench.fail(2, 486);
  CHECK(bench.told() == Told{"2 over 486", "183 of b", "c gone"});
}

TEST_CASE("Fork: who has answered is taken, and the rest ends without a word") {
  Bench bench;
  bench.branch().on_answer(*bench.legs[1], {});
  CHECK(bench.told() == Told{"1 answers"});
  const auto won = bench.fork->take(1);
  CHECK(won.get() == bench.legs[1]);
  CHECK_FALSE(bench.fork->has(*won));
  bench.branch().on_answer(*won, {});  // it is no branch any more
  bench.fork->release(answered_elsewhere);
  CHECK(bench.told() == Told{"a released 200", "c released 200", "a gone", "c gone"});
  CHECK(bench.fork->is_over());
  bench.loop.run_to_s(1000);
  CHECK(bench.told().empty());
}

TEST_CASE("Fork: 6xx ends all, and is what the caller gets (RFC 3261 section 16.7)") {
  Bench bench;
  bench.fail(0, 486);
  CHECK(bench.told() == Told{"0 over 486", "a gone"});
  bench.fail(2, 603);
  CHECK(bench.told() == Told{"2 over 603", "b released 0", "1 over 487", "all over, best 2 603",
                             "c gone", "b gone"});
}

TEST_CASE("Fork: each branch has its time, which begins anew with what comes from it") {
  Bench bench;
  bench.loop.run_to_s(9);
  bench.progress(0, 180);
  bench.told();
  bench.loop.run_to_s(11);
  const ReasonFacts& silent = reason_facts(Reason::InviteTimeout);
  const std::string released = " released " + std::to_string(silent.q850_cause);
  const std::string over = " over " + std::to_string(silent.sip_status);
  CHECK(bench.told() == Told{"b" + released, "1" + over, "b gone"});
  bench.loop.run_to_s(12);
  CHECK(bench.told() == Told{"c" + released, "2" + over, "c gone"});
  bench.loop.run_to_s(68);
  CHECK(bench.told().empty());
  bench.loop.run_to_s(69);
  // Somebody was there and did not answer, which says more than silence.
  const Told last = bench.told();
  REQUIRE(last.size() == 4);
  CHECK(last[2].starts_with("all over, best 0"));
}

TEST_CASE("Fork: branches that are over at the same moment are over together") {
  Bench bench;
  bench.loop.run_to_s(100);
  const Told told = bench.told();
  CHECK(std::count_if(told.begin(), told.end(),
                      [](const std::string& line) { return line.starts_with("all over"); }) == 1);
  CHECK(bench.fork->is_over());
}

TEST_CASE("Fork: changes and requests before the answer are not for several") {
  Bench bench;
  bench.branch().on_reoffer(*bench.legs[0], {});
  bench.branch().on_request(*bench.legs[2], {});
  CHECK(bench.told() == Told{"a offer 488", "c request 491"});
}

TEST_CASE("Fork: which failure says most") {
  const auto rank = [](int status, bool is_local = false, bool is_transport = false,
                       Reason reason = Reason::VendorFailure, int cause = 0) {
    Failure failure;
    failure.status = status;
    failure.is_local = is_local;
    failure.is_transport = is_transport;
    failure.q850_cause = cause;
    return Fork::rank(failure, reason);
  };
  const std::vector<int> ranks = {
      rank(603), rank(486), rank(480), rank(404), rank(408, true), rank(503), rank(503, true, true),
      rank(302)};
  for (std::size_t i = 1; i < ranks.size(); ++i)
    CHECK(ranks[i - 1] < ranks[i]);
  CHECK(rank(480, false, false, Reason::VendorFailure, 17) == rank(486));
  CHECK(rank(408, true, false, Reason::NoAnswer) == rank(480));
  CHECK(rank(407) == rank(302));
  CHECK(rank(421) == rank(302));
}
