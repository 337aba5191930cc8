// Puts of provisioned objects that run beside the other requests, one at a time, and how far they
// are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "http/message.hpp"
#include "tandem/clock.hpp"
#include "tandem/provision.hpp"

namespace tandem::admin {

/// What is known of one put.
struct ImportJob {
  std::uint64_t id = 0;
  std::string target;  ///< Path of the request.
  std::int64_t started_at_us = 0;
  std::int64_t ended_at_us = 0;  ///< 0: it runs.
  ProvisionProgress progress;    ///< While it runs.
  int status = 0;                ///< What the put was answered; 0: it runs.
  std::string answer;            ///< Likewise, JSON.
};
/// In provision_bodies_json.cpp; docs/admin-api.md has the keys.
std::string to_json(const ImportJob& job);

/// The put that runs and the last ones that ended.
///
/// Threading: thread-safe; but the destructor, which waits for the put that runs, not on its
/// thread.
class ImportJobs {
 public:
  static constexpr std::size_t ended_kept = 16;  ///< Jobs that can be asked for once they ended.
  /// The longest answer that is kept; for a longer one stands that it was too long.
  static constexpr std::size_t answer_bytes_max = std::size_t{1} << 20;

  using Work = std::function<http::Response()>;
  using Look = std::function<ProvisionProgress()>;

  /// `clock` and what `look` uses outlive this object. `look`: of the change that is made now.
  ImportJobs(const Clock& clock, Look look) : clock_(clock), look_(std::move(look)) {}
  ~ImportJobs();
  ImportJobs(const ImportJobs&) = delete;
  ImportJobs& operator=(const ImportJobs&) = delete;

  /// Begins it on a thread of its own. Errors: already_exists (one runs), limit (no thread).
  Result<std::uint64_t> start(std::string target, Work work);
  /// Errors: already_exists (one runs, which holds what other changes would wait for).
  [[nodiscard]] Result<void> idle() const;
  /// Errors: not_found.
  [[nodiscard]] Result<ImportJob> find(std::uint64_t id) const;
  [[nodiscard]] std::vector<ImportJob> list() const;  ///< Newest first.

 private:
  [[nodiscard]] Result<void> idle_locked() const;
  void run(std::uint64_t id, const Work& work);
  [[nodiscard]] ImportJob with_progress(ImportJob job) const;

  const Clock& clock_;
  const Look look_;
  mutable std::mutex mutex_;  // guards the rest
  std::map<std::uint64_t, ImportJob> jobs_;
  bool is_running_ = false;
  std::thread thread_;  // of the last job
};

}  // namespace tandem::admin
