// What a Reason header says (RFC 3326).
#pragma once

#include <string_view>

namespace tandem::sip {

/// What ITU-T Q.850 calls a cause, as the text of a Reason header; "" for one without a name.
std::string_view q850_text(int cause) noexcept;

}  // namespace tandem::sip
