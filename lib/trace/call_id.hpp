// Finding in the bytes of a message which call it is of.
#pragma once

#include <string_view>

namespace tandem::trace {

/// Value of the first Call-ID header (RFC 3261 section 20.8), in its compact form too; "": none.
std::string_view call_id_of(std::string_view message) noexcept;

/// Whether a request stands inside a dialog: its To header has a tag (RFC 3261 section 12.2.2).
bool has_to_tag(std::string_view message) noexcept;

}  // namespace tandem::trace
