// Names of the CDR day files (C-03).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::cdr {

inline constexpr std::int64_t day_us = 86'400'000'000;

/// Days since 1970 of the UTC day whose file holds a call.
std::int64_t day_of(std::int64_t ended_at_us);
/// "cdr-YYYYMMDD.db".
std::string day_name(std::int64_t day);
/// Day of a file name; nothing for other files.
std::optional<std::int64_t> day_from_name(std::string_view name);

}  // namespace tandem::cdr
