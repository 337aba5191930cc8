// Old recordings are deleted by maintenance (M-15, O-08).
#pragma once

#include <cstdint>
#include <string>

#include "cdr/day_keeper_sqlite.hpp"
#include "tandem/error.hpp"

namespace tandem {

/// Deletes the `.wav` files below `folder` that nobody has written to since `older_than_us` (wall
/// clock), and folders that are empty then. Other files stay. Returns how many files went. Errors:
/// io (of the first file that could not be deleted; the others went), those of `pace`.
Result<std::uint64_t> delete_recordings(const std::string& folder, std::int64_t older_than_us,
                                        cdr::Pace& pace);

}  // namespace tandem
