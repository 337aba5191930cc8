// HTTP/1.1 responses as a client reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::http {

struct ReceivedResponse {
  int status = 0;  ///< 200..599.
  std::vector<std::pair<std::string, std::string>>
      headers;  ///< Names in lower case, values trimmed.
  std::string body;
  bool keeps_alive = true;
};

/// Reads one response after the other to GET requests out of a byte stream: with a length, in
/// chunks, or up to the end of the connection. Strict where two readers could disagree: bare line
/// feeds, folded headers, two lengths, a length beside chunks and every other transfer coding are
/// refused. Interim responses (1xx) are passed over.
///
/// Threading: one thread at a time.
class ResponseReader {
 public:
  static constexpr std::size_t head_bytes_max = std::size_t{16} << 10;  ///< Trailers likewise.
  static constexpr std::size_t headers_max = 100;
  static constexpr std::size_t chunk_line_bytes_max = 256;
  static constexpr int interim_responses_max = 8;

  explicit ResponseReader(std::size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}

  enum class Outcome {
    incomplete,  ///< More bytes are needed.
    complete,    ///< `response()` is there; take() goes on to the next.
    refused,     ///< `reason()` says why; the connection is of no further use.
  };

  /// Takes the next bytes, of whatever length. What follows a complete response waits.
  Outcome append(std::string_view bytes);
  /// The connection ended: that completes a response without a length.
  Outcome close();
  [[nodiscard]] ReceivedResponse& response() noexcept { return response_; }
  /// Forgets the complete response. Bytes that came behind it can belong to nothing that was asked
  /// for: then the result is false, and the connection of no further use.
  [[nodiscard]] bool take();
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  /// Nothing of a response has come.
  [[nodiscard]] bool is_idle() const noexcept {
    return state_ == State::head && buffer_.empty() && interim_responses_ == 0;
  }

 private:
  enum class State : std::uint8_t {
    head,
    body,
    body_to_end,
    chunk_size,
    chunk,
    chunk_end,
    trailers,
    complete,
    refused
  };

  Outcome refuse(std::string reason);
  /// Goes on as far as the bytes reach. False: more are needed, or it is over.
  bool step();
  bool step_head();
  bool step_chunk_size();
  bool step_trailers();
  bool read_head(std::string_view head);
  bool read_status_line(std::string_view line);
  bool read_framing();
  bool take_body(State next);
  [[nodiscard]] Outcome outcome() const noexcept;

  const std::size_t body_bytes_max_;
  std::string buffer_;  // bytes that are not read yet
  ReceivedResponse response_;
  State state_ = State::head;
  std::size_t left_bytes_ = 0;  // of the body or of the chunk
  std::size_t trailer_bytes_ = 0;
  int interim_responses_ = 0;
  bool is_http_1_0_ = false;
  std::string reason_;
};

}  // namespace tandem::http
