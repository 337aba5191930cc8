// URLs of servers that are asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/error.hpp"

namespace tandem::http {

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

/// As messages and alarms show it: without what may be a key.
[[nodiscard]] std::string shown_url(const HttpUrl& url);

}  // namespace tandem::http
