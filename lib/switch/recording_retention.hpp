// Old recordings are deleted by maintenance (M-15, O-08).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cdr/day_keeper_sqlite.hpp"
#include "tandem/error.hpp"

namespace tandem {

/// What became of a folder of recordings.
struct RecordingsLeft {
  std::uint64_t deleted = 0;
  std::uint64_t failures = 0;  ///< Files that did not go, folders that could not be read.
  std::string failure;         ///< The first of them.
  bool was_cut_short = false;
};

/// Deletes the `.wav` files below `folder` that nobody has written to since `older_than_us` (wall
/// clock), and folders that are empty then. Other files stay. What cannot be read or deleted is
/// noted and passed over. Begins with no further file once `goes_on` says no or `pace` is over.
RecordingsLeft delete_recordings(const std::string& folder, std::int64_t older_than_us,
                                 cdr::Pace& pace, const std::function<bool()>& goes_on);

}  // namespace tandem
