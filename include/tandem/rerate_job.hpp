// A re-rating that a switch runs on a thread of its own, because a month of calls takes minutes.
#pragma once

#include <cstdint>
#include <string>

#include "tandem/export.h"

namespace tandem {

/// What is known of a re-rating that was begun. Numbers grow while it runs.
struct RerateJob {
  enum class State : std::uint8_t { running, done, failed, cancelled };
  std::uint64_t id = 0;  ///< Grows from job to job, over restarts too unless the clock is set back.
  State state = State::running;
  std::string deck;
  bool is_dry_run = true;
  std::int64_t started_at_us = 0;  ///< Microseconds since 1970 UTC.
  std::int64_t ended_at_us = 0;    ///< 0: it runs.
  std::uint64_t looked_at = 0;     ///< Records that were read so far.
  std::uint64_t corrected = 0;     ///< Of these, corrected, or would be by a dry run.
  std::uint64_t refused = 0;       ///< As of AppliedRerate.
  std::string failure;             ///< Why it ended early; "": it did not.
  std::string result;  ///< to_json(AppliedRerate) once it is done; "": not, or let go of since.
};

/// "running", "done", "failed", "cancelled".
TANDEM_EXPORT const char* rerate_state_name(RerateJob::State state) noexcept;

/// One JSON object: id state deck dry_run started_at_us ended_at_us looked_at corrected refused
/// failure result (an object; null when it is not done, or an earlier job whose result was large).
TANDEM_EXPORT std::string to_json(const RerateJob& job);

}  // namespace tandem
