// What the recording of a call is called (M-15).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/error.hpp"

namespace tandem::call {

/// What a name may be made of.
struct RecordingFacts {
  std::uint64_t id = 0;
  std::int64_t at_us = 0;  ///< Microseconds since 1970 UTC.
  std::string_view caller, callee, customer, vendor;
};

/// Errors: invalid_argument (no pattern of RecordingConfig::name).
Result<void> check_recording_pattern(std::string_view pattern);

/// The name by a pattern that was checked. What a peer chose is cut to 64 bytes of letters, digits,
/// `+`, `-`, `_` and `.`; other bytes become `_`.
std::string recording_name(std::string_view pattern, const RecordingFacts& facts);

}  // namespace tandem::call
