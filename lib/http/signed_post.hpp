// Requests that tell a server something: POST with JSON, signed where there is a secret (I-06).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/response_reader.hpp"
#include "http/url.hpp"
#include "tandem/error.hpp"

namespace tandem::http {

/// What every such configuration has. `files`: of TLS.
struct PostSettings {
  const std::string& url;
  const std::string& token;
  const std::string& secret;
  const std::vector<std::string>& headers;
  std::int32_t timeout_ms;
  const std::string& tls_ca;
  const std::string& tls_certificate;
  const std::string& tls_key;
};

/// The URL, when all of it can be used. Does not look at the files. Errors: invalid_argument.
[[nodiscard]] Result<HttpUrl> check_post(const PostSettings& settings);

/// "sha256=" and the HMAC of "TIMESTAMP.BODY" in hexadecimal digits (RFC 2104).
[[nodiscard]] std::string push_signature(std::string_view secret, std::string_view timestamp,
                                         std::string_view body);

/// The bytes of a request that may be sent twice: the receiver knows it again by `key`. `wall_us`:
/// when it is sent.
[[nodiscard]] std::string signed_post(const HttpUrl& url, const PostSettings& settings,
                                      std::string_view key, std::string_view body,
                                      std::int64_t wall_us);

/// What a server says of its refusal, as part of one line.
[[nodiscard]] std::string said(const ReceivedResponse& response);

/// The server cannot take what was sent, now or later.
[[nodiscard]] bool refuses_content(int status) noexcept;
/// Seconds that a server which is overloaded asks to be left alone, an hour at most; 0: it does
/// not.
[[nodiscard]] std::int64_t asked_pause_s(const ReceivedResponse& response) noexcept;

}  // namespace tandem::http
