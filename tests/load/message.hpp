// SIP text for the load generator: enough to be a correct peer, and nothing shared with the stack
// under test.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::load {

/// A SIP message split in place; views point into the datagram. Folded header lines are not
/// understood.
struct Message {
  static constexpr std::size_t repeats_max = 8;

  bool is_request = false;
  int status = 0;           ///< Of a response.
  std::string_view method;  ///< Of a request; of a response from its CSeq.
  std::string_view uri;     ///< Request-URI.
  std::array<std::string_view, repeats_max> vias{}, record_routes{};
  std::size_t via_count = 0, record_route_count = 0;
  std::string_view from, to, call_id, cseq, contact;  ///< Header values, without line ends.
  std::string_view body;

  /// The `branch` of the top Via; "" without one.
  [[nodiscard]] std::string_view branch() const;
  [[nodiscard]] std::uint32_t cseq_number() const;
  /// The URI in Contact, without its angle brackets.
  [[nodiscard]] std::string_view contact_uri() const;
};

/// Nothing: no SIP message with the headers that every one must have.
std::optional<Message> parse(std::string_view datagram);

/// Value of `;name=value` in a header value; parameters inside <> are not looked at.
std::string_view parameter(std::string_view header_value, std::string_view name);

/// Where the first audio stream of a description wants its RTP.
struct MediaAddress {
  std::string address;  ///< IPv4, as text.
  std::uint16_t port = 0;
};
std::optional<MediaAddress> audio_address(std::string_view sdp);

}  // namespace tandem::load
