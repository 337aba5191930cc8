// What a REFER asks for (RFC 3515).
#pragma once

#include "base/leg.hpp"
#include "sip/content.hpp"
#include "sip/message.hpp"

namespace tandem::sip {

/// Reads a REFER. False: it has no Refer-To, or several values, or one that is no number to be
/// called by INVITE, or one that names a dialog wrongly (RFC 3891). Views last as long as message
/// and room.
bool read_referral(const Message& refer, Unescaped& room, Referral& into) noexcept;

}  // namespace tandem::sip
