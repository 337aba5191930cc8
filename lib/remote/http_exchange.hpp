// HTTP requests one after the other on one connection, for a thread that may wait.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/response_reader.hpp"
#include "remote/byte_stream.hpp"
#include "tandem/error.hpp"

namespace tandem::remote {

/// What an "http" or "https" URL is made of (RFC 9110 section 4.2).
struct HttpUrl {
  std::string host;  ///< Without brackets.
  std::uint16_t port = 80;
  bool is_tls = false;    ///< "https", whose port is 443 where none is named.
  std::string authority;  ///< As the Host header has it.
  std::string target;     ///< Path and query, as the request line has them.
};

/// Errors: invalid_argument.
[[nodiscard]] Result<HttpUrl> parse_http_url(std::string_view url);

/// The connection stays open while the server lets it. Not http::Client, which is for a loop with
/// many short questions: here one thread waits for one answer to one large request.
///
/// Threading: one thread at a time.
class HttpExchange {
 public:
  static constexpr std::size_t response_bytes_max = std::size_t{4} << 20;

  /// `dialer` outlives the exchange.
  HttpExchange(Dialer& dialer, HttpUrl url) : dialer_(dialer), url_(std::move(url)) {}

  /// Sends `request`, the bytes of one that may be sent twice: when a connection that was idle
  /// turns out to be closed it is, on a new one. `until_us`: monotonic, for all of it. Errors:
  /// timeout, io (no connection, no or no usable response).
  Result<http::ReceivedResponse> exchange(std::string_view request, std::int64_t until_us);

 private:
  /// `has_begun`: whether a byte of a response came.
  Result<http::ReceivedResponse> exchange_once(std::string_view request, std::int64_t until_us,
                                               bool& has_begun);

  Dialer& dialer_;
  const HttpUrl url_;
  std::unique_ptr<ByteStream> stream_;  // null: none
};

}  // namespace tandem::remote
