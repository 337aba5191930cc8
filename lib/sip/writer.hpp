// Writes SIP messages into a buffer of the caller's, without allocation.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "sip/message.hpp"
#include "tandem/values.hpp"

namespace tandem::sip {

/// Appends one message to a bounded buffer: start line, header lines, then finish().
///
/// Errors are sticky and looked at once, at the end: after the first one nothing more is written
/// and ok() is false. A value with CR, LF or NUL is an error, never a new header line: what comes
/// from outside cannot add headers. Threading: one thread at a time. Ownership: the buffer stays
/// the caller's.
class MessageWriter {
 public:
  enum class Fault : std::uint8_t {
    none,
    overflow,   ///< The buffer is full.
    forbidden,  ///< CR, LF or NUL in a value, or white space, control or colon in a name, method or
                ///< URI.
  };

  MessageWriter(char* buffer, std::size_t capacity_bytes) noexcept;

  void request_line(std::string_view method, std::string_view uri) noexcept;
  /// `phrase` "": the phrase of RFC 3261 section 21.
  void status_line(int status, std::string_view phrase = {}) noexcept;

  void header(std::string_view name, std::string_view value) noexcept;
  void header(std::string_view name, std::uint64_t value) noexcept;
  /// A value put together from parts: header("To", {"<", uri, ">;tag=", tag}).
  void header(std::string_view name, std::initializer_list<std::string_view> parts) noexcept;
  /// One complete header line without its CR LF, for instance a ready-made "Allow: INVITE, ACK".
  void line(std::string_view name_and_value) noexcept;
  /// A received header, folded lines made one (RFC 3261 section 7.3.1); control characters that the
  /// scanner let pass (escaped in quoted strings) pass here too.
  void copy(const Header& header) noexcept;
  /// A received value under another name or in another message, unfolded like copy().
  void copy(std::string_view name, std::string_view received_value) noexcept;
  /// copy() with ";tag=" and `tag` behind the value.
  void copy_tagged(std::string_view name, std::string_view received_value,
                   std::string_view tag) noexcept;
  /// All headers of `message` with this id, in order.
  void copy_all(const Message& message, HeaderId id) noexcept;

  /// The Via lines of a request for its response. The top one gets `received` when its host is not
  /// the source (RFC 3261 section 18.2.1) and `received` and `rport` when it asks for rport (RFC
  /// 3581 section 4). Values of these two that the sender invented are replaced.
  /// `overload`: parameters that say how loaded we are (RFC 7339), in the place of those of the
  /// request; "": the Via keeps its own.
  void vias(const Message& request, const SocketAddress& source,
            std::string_view overload = {}) noexcept;

  /// Content-Length: 0 and the empty line.
  void finish() noexcept;
  /// Content-Type, Content-Length, the empty line and the body. With an empty `body` the same as
  /// finish().
  void finish(std::string_view content_type, std::string_view body) noexcept;

  [[nodiscard]] bool ok() const noexcept { return fault_ == Fault::none; }
  [[nodiscard]] Fault fault() const noexcept { return fault_; }
  /// What has been written so far; the message once finished.
  [[nodiscard]] std::string_view view() const noexcept {
    return {begin_, static_cast<std::size_t>(next_ - begin_)};
  }
  void clear() noexcept;  ///< Starts again at the front of the buffer.

 private:
  void put(std::string_view text) noexcept;           // unchecked bytes
  void put_value(std::string_view text) noexcept;     // refuses CR, LF, NUL
  void put_word(std::string_view text) noexcept;      // refuses white space and controls, too
  void put_unfolded(std::string_view text) noexcept;  // CR LF and white space become one space
  void put_number(std::uint64_t number) noexcept;
  void put_ip(const IpAddress& ip) noexcept;
  void put_name(std::string_view name) noexcept;  // with ": "
  void put_top_via(const Via& via, const SocketAddress& source, std::string_view overload) noexcept;

  char* begin_;
  char* next_;
  char* end_;
  Fault fault_ = Fault::none;
};

/// What a response says beyond what it copies from its request.
struct ResponseHead {
  int status = 200;
  std::string_view phrase;  ///< "": the standard one.
  std::string_view
      to_tag;  ///< Added when the request's To has none and status > 100 (section 8.2.6.2).
  SocketAddress source;            ///< Where the request came from.
  std::string_view overload = {};  ///< As in MessageWriter::vias().
  bool record_route = false;  ///< Copy Record-Route (section 12.1.1: 101..299 that make a dialog).
};

/// Status line, Via, From, To, Call-ID, CSeq and, if wanted, Record-Route (RFC 3261
/// section 8.2.6.2). The caller adds what else it wants and calls finish(). Works on every Message
/// whose scan gave `none` or `answer`.
void write_response_head(MessageWriter& writer, const Message& request,
                         const ResponseHead& head) noexcept;

}  // namespace tandem::sip
