// A SIP message on the simulated wire, read as far as the race checker looks at it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tandem::races {

struct Packet {
  std::string raw;
  std::string method;  ///< Of a request; "" for a response.
  int status = 0;      ///< Of a response; 0 for a request.
  std::uint32_t cseq = 0;
  std::string cseq_method;
  std::string call_id, branch;
  std::string from, to;  ///< Whole values.
  std::string from_tag, to_tag;
  std::string contact;  ///< URI; "": none.
  bool has_sdp = false;
  bool requires_rel100 = false, supports_rel100 = false, supports_timer = false;
  std::uint32_t rseq = 0;  ///< 0: none.
  std::uint32_t rack_rseq = 0, rack_cseq = 0;

  [[nodiscard]] bool is_request() const { return status == 0; }
  [[nodiscard]] bool is_final() const { return status >= 200; }
  /// "INVITE sdp", "183 INVITE sdp rel": without what differs from one call to the next.
  [[nodiscard]] std::string label() const;
};

Packet read_packet(std::string_view bytes);
/// Value of the first header line of that name, as it stands there; "" when there is none.
std::string header_value(std::string_view message, std::string_view name);

}  // namespace tandem::races
