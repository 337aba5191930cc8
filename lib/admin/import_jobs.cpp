#include "admin/import_jobs.hpp"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "admin/answers.hpp"
#include "base/thread.hpp"

namespace tandem::admin {

ImportJobs::~ImportJobs() {
  std::thread last;
  {
    const std::lock_guard lock(mutex_);
    last.swap(thread_);
  }
  if (last.joinable()) last.join();
}

/// With mutex_ held.
Result<void> ImportJobs::idle_locked() const {
  if (!is_running_) return {};
  return Error{ErrorCode::already_exists,
               "import " + std::to_string(jobs_.rbegin()->first) + " was not over"};
}

Result<void> ImportJobs::idle() const {
  const std::lock_guard lock(mutex_);
  return idle_locked();
}

Result<std::uint64_t> ImportJobs::start(std::string target, Work work) {
  const std::lock_guard lock(mutex_);
  if (auto none_runs = idle_locked(); !none_runs) return none_runs.error();
  ImportJob job;
  job.started_at_us = clock_.wall_us();
  // A number that a switch gave before it was started anew is none of now.
  job.id = static_cast<std::uint64_t>(std::max<std::int64_t>(job.started_at_us / 1'000, 1));
  if (!jobs_.empty()) job.id = std::max(job.id, jobs_.rbegin()->first + 1);
  job.target = std::move(target);
  const std::uint64_t id = job.id;
  if (thread_.joinable()) thread_.join();  // it has left run(), or is about to
  try {
    thread_ = start_thread("tandem-import", [this, id, work = std::move(work)] { run(id, work); });
  } catch (const std::system_error& error) {
    return Error{ErrorCode::limit, std::string("no thread was started: ") + error.what()};
  }
  is_running_ = true;
  jobs_.emplace(id, std::move(job));
  while (jobs_.size() > ended_kept + 1)
    jobs_.erase(jobs_.begin());
  return id;
}

/// An exception ends the job and not the process: nobody above this thread would catch it.
void ImportJobs::run(std::uint64_t id, const Work& work) {
  http::Response response;
  try {
    response = work();
  } catch (const std::exception& error) {
    response =
        refused(Error{ErrorCode::internal, std::string("import was ended: ") + error.what()});
  } catch (...) {
    response = refused(Error{ErrorCode::internal, "import was ended by an unknown exception"});
  }
  if (response.body.size() > answer_bytes_max) {
    const int status = response.status;  // which stays what the put would have had
    response = refused(Error{ErrorCode::limit, "answer of " + std::to_string(response.body.size()) +
                                                   " bytes was too long to keep"});
    response.status = status;
  }
  const std::lock_guard lock(mutex_);
  is_running_ = false;
  ImportJob& job = jobs_.at(id);
  job.ended_at_us = clock_.wall_us();
  job.status = response.status;
  job.answer = std::move(response.body);
}

/// With mutex_ held: the progress is that of the job that runs, or of the change of somebody else
/// that it waits for.
ImportJob ImportJobs::with_progress(ImportJob job) const {
  if (job.status == 0) job.progress = look_();
  return job;
}

Result<ImportJob> ImportJobs::find(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return Error{ErrorCode::not_found, "no import " + std::to_string(id)};
  return with_progress(found->second);
}

std::vector<ImportJob> ImportJobs::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<ImportJob> all;
  for (auto job = jobs_.rbegin(); job != jobs_.rend(); ++job)
    all.push_back(with_progress(job->second));
  return all;
}

}  // namespace tandem::admin
