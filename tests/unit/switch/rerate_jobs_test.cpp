// Re-ratings beside everything else: one at a time, looked at, cancelled, over at close (B-25).
#include "switch/rerate_jobs.hpp"

#include <doctest/doctest.h>

#include <condition_variable>
#include <new>

using namespace tandem;

namespace {

/// What a job waits for, so that the test decides how far it is.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_open = false;
  int inside = 0;

  void open() {
    const std::lock_guard lock(mutex);
    is_open = true;
    changed.notify_all();
  }
  void wait_inside(int count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return inside >= count; });
  }
  /// False: cancelled first.
  bool pass(const RerateProgress& progress) {
    std::unique_lock lock(mutex);
    ++inside;
    changed.notify_all();
    while (!is_open && !progress.is_cancelled.load())
      changed.wait_for(lock, std::chrono::milliseconds(1));
    return is_open;
  }
};

RateDeck deck() { return RateDeck::Builder("next", "USD").build().value(); }

RerateJob ended(const RerateJobs& jobs, std::uint64_t id) {
  for (;;) {
    RerateJob job = jobs.find(id).value();
    if (job.state != RerateJob::State::running) return job;
    std::this_thread::yield();
  }
}

struct Jobs {
  SystemClock clock;
  Gate gate;
  RerateJobs jobs;

  explicit Jobs(bool has_thread = true)
      : jobs(
            [this](const RerateQuery& query, const RerateApplication& application,
                   RerateProgress& progress) -> Result<AppliedRerate> {
              progress.looked_at = 7;
              if (query.account == "bad") return Error{ErrorCode::io, "disk failed"};
              progress.corrected = 3;
              if (query.account == "slow" && !gate.pass(progress)) {
                if (auto wanted = progress.check_wanted(); !wanted)
                  return std::move(wanted).error();
              }
              if (query.account == "failing" && !gate.pass(progress))
                return Error{ErrorCode::io, "disk failed"};
              if (query.account == "throwing") throw std::bad_alloc();
              return AppliedRerate{Rerater(deck()), application.is_dry_run, 3, 0};
            },
            clock, has_thread) {}

  Result<std::uint64_t> start(const std::string& account) {
    return jobs.start({"next", false, account, {}, {}}, {"list", "ann", false});
  }
};

}  // namespace

TEST_CASE("Re-rating jobs: one runs at a time, is looked at meanwhile and leaves its result") {
  Jobs world;
  const std::uint64_t id = world.start("slow").value();
  world.gate.wait_inside(1);
  const RerateJob running = world.jobs.find(id).value();
  CHECK(running.state == RerateJob::State::running);
  CHECK(running.looked_at == 7);
  CHECK(running.corrected == 3);
  CHECK(running.result.empty());
  CHECK(to_json(running).find("\"result\":null") != std::string::npos);
  CHECK(world.start("").error().code == ErrorCode::already_exists);
  world.gate.open();
  const RerateJob done = ended(world.jobs, id);
  CHECK(done.state == RerateJob::State::done);
  CHECK(done.result.find("\"corrected\":3") != std::string::npos);
  CHECK(done.ended_at_us >= done.started_at_us);
  const std::uint64_t next = world.start("bad").value();
  CHECK(next > id);
  const RerateJob failed = ended(world.jobs, next);
  CHECK(failed.state == RerateJob::State::failed);
  CHECK(failed.failure == "disk failed");
  CHECK(failed.looked_at == 7);
}

TEST_CASE("Re-rating jobs: a cancelled one ends, and so does the one that runs at close") {
  Jobs world;
  const std::uint64_t id = world.start("slow").value();
  world.gate.wait_inside(1);
  REQUIRE(world.jobs.cancel(id).ok());
  CHECK(ended(world.jobs, id).state == RerateJob::State::cancelled);
  CHECK(world.jobs.cancel(id).ok());
  CHECK(world.jobs.cancel(id + 1).error().code == ErrorCode::not_found);
  const std::uint64_t next = world.start("slow").value();
  world.gate.wait_inside(2);
  world.jobs.close();
  CHECK(world.jobs.find(next)->state == RerateJob::State::cancelled);
  CHECK(world.start("").error().code == ErrorCode::wrong_state);
}

TEST_CASE(
    "Re-rating jobs: the last sixteen that ended are known; without a thread all run at once") {
  Jobs world(false);
  const std::uint64_t first = world.start("").value();
  CHECK(world.jobs.find(first)->state == RerateJob::State::done);
  std::uint64_t last = first;
  for (std::size_t i = 0; i < RerateJobs::ended_kept; ++i) {
    const std::uint64_t next = world.start("").value();
    CHECK(next > last);
    last = next;
  }
  CHECK(world.jobs.find(first).ok());
  CHECK(world.start("").ok());
  CHECK(world.jobs.find(first).error().code == ErrorCode::not_found);
  CHECK(world.jobs.find(last).ok());
}

TEST_CASE(
    "Re-rating jobs: one that failed while it was cancelled is failed, and so is one that threw") {
  Jobs world;
  const std::uint64_t id = world.start("failing").value();
  world.gate.wait_inside(1);
  REQUIRE(world.jobs.cancel(id).ok());
  const RerateJob failed = ended(world.jobs, id);
  CHECK(failed.state == RerateJob::State::failed);
  CHECK(failed.failure == "disk failed");
  const RerateJob thrown = ended(world.jobs, world.start("throwing").value());
  CHECK(thrown.state == RerateJob::State::failed);
  CHECK_FALSE(thrown.failure.empty());
  CHECK(ended(world.jobs, world.start("").value()).state == RerateJob::State::done);
}

TEST_CASE("Re-rating jobs: stopping tells the job and does not wait for it") {
  Jobs world;
  const std::uint64_t id = world.start("slow").value();
  world.gate.wait_inside(1);
  world.jobs.stop();
  CHECK(world.start("").error().code == ErrorCode::wrong_state);
  CHECK(ended(world.jobs, id).state == RerateJob::State::cancelled);
}
