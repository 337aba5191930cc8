// HTTP requests one after the other on one connection, for a thread that may wait.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "http/response_reader.hpp"
#include "http/url.hpp"
#include "remote/byte_stream.hpp"
#include "tandem/error.hpp"

namespace tandem::remote {

using http::HttpUrl;
using http::parse_http_url;

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
