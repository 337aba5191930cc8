// HTTP/1.1 messages as a server needs them: a strict reader of requests, a writer of responses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::http {

struct Request {
  std::string method;             ///< As sent, for instance "GET".
  std::vector<std::string> path;  ///< Decoded segments of "/a/b%2Fc": "a", "b/c".
  std::vector<std::pair<std::string, std::string>> query;  ///< Decoded, in order.
  std::vector<std::pair<std::string, std::string>>
      headers;  ///< Names in lower case, values trimmed.
  std::string body;
  bool keeps_alive = true;
  /// Of a long body: it counts as held, for the bound of the server, while a copy of this lives.
  std::shared_ptr<const void> body_claim{};

  /// The first value, or null.
  [[nodiscard]] const std::string* header(std::string_view lower_case_name) const noexcept;
};

/// What follows a response without a stated length, piece by piece as the client reads.
/// Threading: loop-bound, as the server.
class Stream {
 public:
  virtual ~Stream() = default;
  /// What there is to send now, "" for nothing; asked again when the client has taken it, and
  /// otherwise every Server::stream_poll_us.
  virtual std::string next(std::int64_t monotonic_us) = 0;
  /// Nothing more will come.
  [[nodiscard]] virtual bool is_over() const = 0;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  ///< Beside those of to_wire().
  std::unique_ptr<Stream> stream = nullptr;  ///< Follows `body`; the connection ends with it.
};

/// The bytes of a response: Content-Length always but before a stream, "Connection: close" when the
/// connection ends with it. A response to HEAD has the length of the body and not the body.
std::string to_wire(const Response& response, bool keeps_alive, bool is_head);

/// Takes requests out of a byte stream. Strict where a lenient reader and a proxy in front of it
/// could disagree: bare line feeds, folded headers, blanks before a colon, two lengths and every
/// transfer coding are refused.
///
/// Threading: one thread at a time.
class RequestReader {
 public:
  static constexpr std::size_t head_bytes_max = std::size_t{16} << 10;
  static constexpr std::size_t body_bytes_max = std::size_t{1} << 20;  ///< Where no limit is given.

  /// How long the body of a request may be whose head is read.
  using BodyLimit = std::function<std::size_t(const Request& head)>;
  explicit RequestReader(BodyLimit limit = {}) : limit_(std::move(limit)) {}
  static constexpr std::size_t headers_max = 100;
  static constexpr std::size_t empty_lines_max = 2;  ///< Before a request line.

  enum class Outcome {
    incomplete,      ///< More bytes are needed.
    wants_continue,  ///< The same, and the client waits for "100 Continue" (RFC 9110
                     ///< section 10.1.1). Said once.
    complete,        ///< `request()` is there; take() goes on to the next.
    refused,         ///< `status()` and `reason()` say why; the connection is of no further use.
  };

  /// False: more waits than one request can have, and the bytes were not taken.
  [[nodiscard]] bool append(std::string_view bytes);
  Outcome read();
  [[nodiscard]] Request& request() noexcept { return request_; }
  /// Forgets the complete request. What came behind it is kept.
  void take();
  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  /// Whether `request()` has the head of a request that is not taken yet.
  [[nodiscard]] bool has_head() const noexcept { return head_bytes_ != 0; }
  /// Of the request whose head is read; 0: none is, or it has no body.
  [[nodiscard]] std::size_t body_bytes() const noexcept { return body_bytes_; }
  /// Whether part of a request waits.
  [[nodiscard]] bool is_idle() const noexcept { return buffer_.empty(); }

 private:
  Outcome refuse(int status, std::string reason);
  bool read_head(std::string_view head);
  bool read_request_line(std::string_view line);
  bool read_target(std::string_view target);
  bool read_header(std::string_view line);
  bool read_framing();

  const BodyLimit limit_;
  std::string buffer_;
  Request request_;
  std::size_t head_bytes_ = 0;  // 0: the head is not read yet
  std::size_t body_bytes_ = 0;
  std::size_t empty_lines_ = 0;  // in front of the request
  bool is_http_1_0_ = false;
  bool wants_continue_ = false;
  int status_ = 0;
  std::string reason_;
};

}  // namespace tandem::http
