// Finding the Call-ID in the bytes of a message.
#pragma once

#include <string_view>

namespace tandem::trace {

/// Value of the first Call-ID header (RFC 3261 section 20.8), in its compact form too; "": none.
std::string_view call_id_of(std::string_view message) noexcept;

}  // namespace tandem::trace
