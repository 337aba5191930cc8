// Re-ratings that run beside everything else, one at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "tandem/clock.hpp"
#include "tandem/corrections.hpp"
#include "tandem/deck_reports.hpp"
#include "tandem/error.hpp"
#include "tandem/rerate_job.hpp"

namespace tandem {

/// How far a re-rating is, and whether it shall stop. Threading: thread-safe.
struct RerateProgress {
  std::atomic<std::uint64_t> looked_at{0}, corrected{0}, refused{0};
  std::atomic<bool> is_cancelled{false};
  bool was_cut_short = false;  ///< Of the run: check_wanted() ended it.

  /// On the thread of the run, which ends with its error. Errors: wrong_state (it shall stop).
  Result<void> check_wanted() {
    if (!is_cancelled.load()) return {};
    was_cut_short = true;
    return Error{ErrorCode::wrong_state, "re-rating was cancelled"};
  }
};

/// The job that runs and the last ones that ended.
///
/// Threading: thread-safe; but close() and the destructor not on the thread of a job.
class RerateJobs {
 public:
  static constexpr std::size_t ended_kept = 16;  ///< Jobs that can be asked for once they ended.
  /// Of the results of ended jobs all together; of the last one any number.
  static constexpr std::size_t result_bytes_max = std::size_t{64} << 20;

  /// Returns early with the error of RerateProgress::check_wanted(), which it asks now and then.
  using Run = std::function<Result<AppliedRerate>(const RerateQuery&, const RerateApplication&,
                                                  RerateProgress&)>;

  /// `clock` outlives this object, as does what `run` uses. `has_thread`: false runs each job
  /// within start(), as simulations need it.
  RerateJobs(Run run, const Clock& clock, bool has_thread)
      : run_(std::move(run)), clock_(clock), has_thread_(has_thread) {}
  ~RerateJobs() { close(); }

  /// The number of the job. Errors: already_exists (one runs), wrong_state (closed), limit (no
  /// thread).
  Result<std::uint64_t> start(const RerateQuery& query, const RerateApplication& application);
  /// Errors: not_found.
  [[nodiscard]] Result<RerateJob> find(std::uint64_t id) const;
  /// The job ends soon after; does nothing to one that ended. Errors: not_found.
  Result<void> cancel(std::uint64_t id);
  /// Cancels the job that runs and takes no further ones; does not wait. Idempotent.
  void stop();
  /// stop(), and waits for the end of the job. Idempotent.
  void close();

 private:
  struct Job {
    RerateJob facts;  // without the numbers of `progress`
    RerateProgress progress;
  };

  Result<std::string> result_of(Job& job, const RerateQuery& query,
                                const RerateApplication& application) const;
  void run(Job& job, const RerateQuery& query, const RerateApplication& application);
  void forget_old();
  void let_go_of_results();

  const Run run_;
  const Clock& clock_;
  const bool has_thread_;
  mutable std::mutex mutex_;  // guards all below, but for the progress of jobs
  std::map<std::uint64_t, std::shared_ptr<Job>> jobs_;
  bool is_running_ = false;
  bool is_closed_ = false;
  std::thread thread_;  // of the last job
};

}  // namespace tandem
