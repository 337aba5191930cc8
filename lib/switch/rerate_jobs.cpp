#include "switch/rerate_jobs.hpp"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "base/thread.hpp"

namespace tandem {

const char* rerate_state_name(RerateJob::State state) noexcept {
  switch (state) {
    case RerateJob::State::running:
      return "running";
    case RerateJob::State::done:
      return "done";
    case RerateJob::State::failed:
      return "failed";
    case RerateJob::State::cancelled:
      return "cancelled";
  }
  return "";
}

Result<std::uint64_t> RerateJobs::start(const RerateQuery& query,
                                        const RerateApplication& application) {
  std::shared_ptr<Job> job;
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return Error{ErrorCode::wrong_state, "switch was closed"};
    if (is_running_) {
      return Error{ErrorCode::already_exists,
                   "re-rating " + std::to_string(jobs_.rbegin()->first) + " was not over"};
    }
    job = std::make_shared<Job>();
    job->facts.started_at_us = clock_.wall_us();
    // A number that a switch gave before it was started anew is none of now.
    const auto of_time =
        static_cast<std::uint64_t>(std::max<std::int64_t>(job->facts.started_at_us / 1'000, 1));
    job->facts.id = jobs_.empty() ? of_time : std::max(of_time, jobs_.rbegin()->first + 1);
    job->facts.deck = query.deck;
    job->facts.is_dry_run = application.is_dry_run;
    if (has_thread_) {
      if (thread_.joinable()) thread_.join();  // it has left run(), or is about to
      try {
        thread_ = start_thread("tandem-rerate",
                               [this, job, query, application] { run(*job, query, application); });
      } catch (const std::system_error& error) {
        return Error{ErrorCode::limit, std::string("no thread was started: ") + error.what()};
      }
    }
    is_running_ = true;
    jobs_.emplace(job->facts.id, job);
    forget_old();
  }
  if (!has_thread_) run(*job, query, application);
  return job->facts.id;
}

/// With mutex_ held.
void RerateJobs::forget_old() {
  while (jobs_.size() > ended_kept + 1)
    jobs_.erase(jobs_.begin());
}

/// With mutex_ held. A result has a part for each account.
void RerateJobs::let_go_of_results() {
  std::size_t bytes = 0;
  for (auto job = jobs_.rbegin(); job != jobs_.rend(); ++job) {
    std::string& result = job->second->facts.result;
    bytes += result.size();
    if (job != jobs_.rbegin() && bytes > result_bytes_max) std::string().swap(result);
  }
}

/// An exception ends the job and not the process: nobody above this thread would catch it.
Result<std::string> RerateJobs::result_of(Job& job, const RerateQuery& query,
                                          const RerateApplication& application) const {
  try {
    const auto applied = run_(query, application, job.progress);
    if (!applied) return applied.error();
    return to_json(*applied);
  } catch (const std::exception& error) {
    return Error{ErrorCode::internal, std::string("re-rating was ended: ") + error.what()};
  }
}

void RerateJobs::run(Job& job, const RerateQuery& query, const RerateApplication& application) {
  auto result = result_of(job, query, application);
  const std::lock_guard lock(mutex_);
  is_running_ = false;
  job.facts.ended_at_us = clock_.wall_us();
  if (result) {
    job.facts.state = RerateJob::State::done;
    job.facts.result = std::move(*result);
    let_go_of_results();
    return;
  }
  job.facts.state =
      job.progress.was_cut_short ? RerateJob::State::cancelled : RerateJob::State::failed;
  job.facts.failure = result.error().message;
}

Result<RerateJob> RerateJobs::find(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end())
    return Error{ErrorCode::not_found, "no re-rating " + std::to_string(id)};
  RerateJob facts = found->second->facts;
  const RerateProgress& progress = found->second->progress;
  facts.looked_at = progress.looked_at.load();
  facts.corrected = progress.corrected.load();
  facts.refused = progress.refused.load();
  return facts;
}

Result<void> RerateJobs::cancel(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end())
    return Error{ErrorCode::not_found, "no re-rating " + std::to_string(id)};
  found->second->progress.is_cancelled.store(true);
  return {};
}

void RerateJobs::stop() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  if (!jobs_.empty()) jobs_.rbegin()->second->progress.is_cancelled.store(true);
}

void RerateJobs::close() {
  stop();
  std::thread last;
  {
    const std::lock_guard lock(mutex_);
    last.swap(thread_);
  }
  if (last.joinable()) last.join();
}

}  // namespace tandem
