// Names of the files of a journal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::cdr {

inline constexpr std::string_view segment_stem = "segment-";
inline constexpr std::string_view spare_stem = "spare-";

/// "segment-000000000000002a.log".
std::string segment_file_name(std::string_view stem, std::uint64_t serial);
/// Serial of a name with that stem; nothing for other names.
std::optional<std::uint64_t> serial_of(std::string_view name, std::string_view stem);

}  // namespace tandem::cdr
