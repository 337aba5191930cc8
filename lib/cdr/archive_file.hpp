// The archive of a day: one compressed file that says what is in it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cdr/day_manifest.hpp"
#include "cdr/disk.hpp"

namespace tandem::cdr {

/// The database of a day as a Zstandard frame, and behind it a skippable frame (RFC 8878 section
/// 3.1.2), so that `zstd -d` gives the database. The latter holds the manifest as JSON and ends
/// with 16 bytes: length and CRC32C of the JSON, little-endian, "TANDEMA\n".

/// Told of bytes that were read or written. Errors: those that end the work.
using Spend = std::function<Result<void>(std::uint64_t bytes)>;

/// Writes the archive of the closed database at `database` to `path`, durable but for its name. The
/// manifest's sizes and CRC are filled in. Errors: io, limit, unsupported, those of `spend`.
Result<void> write_archive(Disk& disk, const std::string& database, const std::string& path,
                           DayManifest& manifest, const Spend& spend);

/// Errors: not_found, corrupt, io.
Result<DayManifest> read_manifest(Disk& disk, const std::string& path);

/// Writes the database of an archive to `database`, durable but for its name. Returns its manifest.
/// Errors: not_found, corrupt (it is not what was written), io, limit, unsupported, those of
/// `spend`.
Result<DayManifest> expand_archive(Disk& disk, const std::string& path, const std::string& database,
                                   const Spend& spend);

}  // namespace tandem::cdr
