// What a REFER asks for (RFC 3515).
#pragma once

#include "base/leg.hpp"
#include "sip/content.hpp"
#include "sip/message.hpp"

namespace tandem::sip {

/// Reads the value of a Replaces header (RFC 3891 section 6.1), `early-only` aside. False: it names
/// no dialog.
bool read_replaces(std::string_view value, DialogName& dialog) noexcept;

/// Reads the Replaces header of an INVITE; `is_there`: it has one. False: it has one that names no
/// dialog, or several, or a Join beside it (RFC 3891 section 3). Views last as long as the message.
bool read_replacement(const Message& invite, Replacement& into, bool& is_there) noexcept;

/// Reads a REFER. False: it has no Refer-To, or several values, or one that is no number to be
/// called by INVITE, or one that names a dialog wrongly (RFC 3891). Views last as long as message
/// and room.
bool read_referral(const Message& refer, Unescaped& room, Referral& into) noexcept;

}  // namespace tandem::sip
