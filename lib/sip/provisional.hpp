// Reliable provisional responses (RFC 3262): what messages say of them.
#pragma once

#include <cstdint>
#include <string_view>

#include "sip/message.hpp"

namespace tandem::sip {

/// What a request or response says of the extension.
struct ReliableOffer {
  bool is_supported = false;  ///< Supported or Require lists `100rel`.
  bool is_required = false;   ///< Require does; a response with it is sent reliably.
};
ReliableOffer read_reliable_offer(const Message& message) noexcept;

/// Number of a reliable response (RFC 3262 section 7.1); 0: absent or none.
std::uint32_t read_rseq(const Message& response) noexcept;

/// What a PRACK acknowledges (RFC 3262 section 7.2).
struct Rack {
  std::uint32_t rseq = 0;
  std::uint32_t cseq = 0;  ///< Of the request that was answered so.
  std::string_view method;
};
/// False: malformed.
bool parse_rack(std::string_view value, Rack& rack) noexcept;

/// The first number of a dialog is drawn from 1 to this (RFC 3262 section 3).
inline constexpr std::uint32_t first_rseq_max = 0x7fffffff;

}  // namespace tandem::sip
