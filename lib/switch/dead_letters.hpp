// What webhooks gave up, in a file (I-06).
#pragma once

#include <string>
#include <vector>

#include "cdr/disk.hpp"
#include "notify/webhook.hpp"
#include "tandem/error.hpp"

namespace tandem {

inline constexpr std::uint64_t dead_letters_bytes_max = std::uint64_t{64} << 20;

/// Appends a line for each. The file may be emptied or moved away at any time; the next ones then
/// begin a new one. Returns how many there was no room for. Errors: io, limit; then none of them
/// counts as written. Blocks.
Result<std::size_t> write_dead_letters(cdr::Disk& disk, const std::string& path,
                                       const std::vector<notify::DeadLetter>& letters);

}  // namespace tandem
