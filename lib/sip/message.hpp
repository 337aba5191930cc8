// A SIP message, scanned in place: strict, linear, without allocation.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "tandem/error.hpp"

namespace tandem::sip {

enum class Method : std::uint8_t {
  invite,
  ack,
  bye,
  cancel,
  options,
  register_,
  prack,
  subscribe,
  notify,
  publish,
  info,
  refer,
  message,
  update,
  unknown,
};
Method method_from(std::string_view token) noexcept;   // case-sensitive (RFC 3261 section 7.1)
std::string_view method_name(Method method) noexcept;  // "" for unknown

/// Header fields that the stack looks at; everything else is `other`. Compact forms are resolved.
enum class HeaderId : std::uint8_t {
  via,
  from,
  to,
  call_id,
  cseq,
  contact,
  max_forwards,
  route,
  record_route,
  content_length,
  content_type,
  content_encoding,
  content_disposition,
  allow,
  supported,
  require,
  proxy_require,
  unsupported,
  expires,
  authorization,
  proxy_authorization,
  www_authenticate,
  proxy_authenticate,
  user_agent,
  server,
  reason,
  retry_after,
  p_asserted_identity,
  p_preferred_identity,
  remote_party_id,
  diversion,
  privacy,
  session_expires,
  min_se,
  rseq,
  rack,
  event,
  refer_to,
  replaces,
  accept,
  timestamp,
  date,
  other,
};

struct Header {
  HeaderId id = HeaderId::other;
  std::string_view name;   ///< As sent, without white space.
  std::string_view value;  ///< Trimmed; may hold folded lines (CR LF and white space inside).
};

/// One Via value (RFC 3261 section 20.42).
struct Via {
  std::string_view value;      ///< The whole value.
  std::string_view transport;  ///< "UDP", "TCP", ...
  std::string_view host;       ///< Without brackets.
  std::uint16_t port = 0;      ///< 0: none given.
  std::string_view branch;     ///< Without quotes; "" when absent.
  std::string_view received;
  bool has_rport = false;
  std::uint16_t rport = 0;
};

/// A name-addr or addr-spec with its header parameters (RFC 3261 section 20.10).
struct NameAddress {
  std::string_view value;    ///< The whole value.
  std::string_view display;  ///< Without quotes, still escaped.
  std::string_view uri;      ///< Without angle brackets.
  std::string_view params;   ///< Header parameters, from the first ';' on; "" when none.
  std::string_view tag;
};

/// A sip: or sips: URI (RFC 3261 section 19.1).
struct Uri {
  std::string_view scheme;
  std::string_view user;  ///< Escaped, with telephone-subscriber parameters, without password.
  std::string_view password;
  std::string_view host;  ///< Without brackets.
  std::uint16_t port = 0;
  std::string_view params;   ///< From the first ';' on.
  std::string_view headers;  ///< After '?'.
};

/// Hard limits; a message beyond one is refused as a whole.
struct Limits {
  static constexpr std::size_t message_bytes_max = 65535;
  static constexpr std::size_t headers_max = 128;  ///< Header lines.
  static constexpr std::size_t vias_max = 40;  ///< Via values; the longest list of RFC 4475 has 34.
  static constexpr std::size_t uri_bytes_max = 1024;
  static constexpr std::size_t call_id_bytes_max = 512;
  static constexpr std::size_t tag_bytes_max = 256;
  static constexpr std::size_t stream_head_bytes_max =
      16384;  ///< Start line and headers on a stream; bounds what
              ///< scanning again after each segment can cost.
};

/// What the scanner found. Views point into the scanned bytes. Some 10 KB: keep one and use it
/// again.
struct Message {
  bool is_request = false;
  Method method = Method::unknown;  ///< Of the request line, or of CSeq in a response.
  std::string_view method_token;
  std::string_view request_uri;
  int status = 0;  ///< 100..699 in a response.
  std::string_view reason_phrase;

  std::array<Header, Limits::headers_max> headers;
  std::size_t header_count = 0;
  std::array<Via, Limits::vias_max> vias;  ///< In order, lists taken apart.
  std::size_t via_count = 0;

  NameAddress from;
  NameAddress to;
  std::string_view call_id;
  std::uint32_t cseq = 0;
  Method cseq_method = Method::unknown;
  std::string_view cseq_method_token;
  NameAddress contact;            ///< The first; empty value when there is none.
  int max_forwards = -1;          ///< -1: absent.
  std::string_view content_type;  ///< "" when absent.
  std::string_view body;  ///< As Content-Length says; the rest of a datagram when it is absent.
  /// Bytes up to the end of the body; more may follow in a stream. 0 when a fault leaves the end
  /// unknown (no or bad Content-Length on a stream): answer, then close the connection.
  std::size_t size = 0;

  [[nodiscard]] const Header* find(HeaderId id) const noexcept;  ///< The first, or nullptr.
};

/// What is wrong with a message, and what RFC 3261 wants done about it.
struct Fault {
  enum class Kind : std::uint8_t {
    none,
    incomplete,  ///< A stream: more bytes are needed. A datagram never gives this.
    drop,    ///< Nothing can be answered: not SIP, a response, an ACK, an unusable top Via, or no
             ///< From, To, Call-ID or CSeq.
    answer,  ///< A request that is answered with `status`. Via, From, To, Call-ID and CSeq can be
             ///< sent back as they came; one of them may itself be the malformed one, then its
             ///< parts are empty.
  };
  Kind kind = Kind::none;
  int status = 400;       ///< 400, 413, 414, 505, ...
  const char* text = "";  ///< What is wrong, as a reason phrase: "Missing Call-ID".
};

enum class Framing : std::uint8_t { datagram, stream };

/// Scans one message at the start of `bytes`. Linear in its size; never reads beyond it; leaves
/// `message` usable for an answer (Via, From, To, Call-ID, CSeq) when the fault says `answer`. A
/// keep-alive of CR LF alone is `drop`. For a stream, leading CR LF count into `size`.
Fault scan(std::string_view bytes, Framing framing, Message& message) noexcept;

/// Scans only as far as the owner of a message must be known: start line, top Via, To, Call-ID.
struct OwnerKey {
  bool is_request = false;
  std::string_view branch;  ///< Of the top Via.
  std::string_view to_tag;
  std::string_view call_id;
};
bool scan_owner(std::string_view bytes, OwnerKey& key) noexcept;

/// Parsers of single values; false when malformed.
bool parse_via(std::string_view value, Via& via) noexcept;
bool parse_name_address(std::string_view value, NameAddress& address) noexcept;
bool parse_uri(std::string_view text,
               Uri& uri) noexcept;  ///< Any scheme; host and port only of sip and sips.
/// The value of `;name=value` in a parameter list; "" with `found` true for a flag. Quotes are
/// taken off.
std::string_view find_param(std::string_view params, std::string_view name,
                            bool* found = nullptr) noexcept;
/// Takes the next comma-separated element off a list, minding quotes and angle brackets.
std::string_view next_element(std::string_view& list) noexcept;
/// Whether an element of such a list is `word`, in whatever case.
bool list_has(std::string_view list, std::string_view word) noexcept;
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;  ///< ASCII.

}  // namespace tandem::sip
