#include "http/signed_post.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/text.hpp"
#include "http/syntax.hpp"
#include "tandem/version.h"

namespace tandem::http {
namespace {

constexpr std::int64_t pause_max_s = 3'600;

constexpr std::string_view own_headers[] = {
    "host",       "content-length", "content-type",    "transfer-encoding",  "connection",
    "user-agent", "expect",         "idempotency-key", "x-tandem-timestamp", "x-tandem-signature"};

/// Text that may stand in a head: no control character, nothing beyond ASCII.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

Result<void> check_header(const std::string& line, bool has_token) {
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string name = lower_case(std::string_view(line).substr(0, colon));
  // Values may be keys: messages have the name alone, and only when it is one.
  if (colon == line.size() || !is_token(name))
    return Error{ErrorCode::invalid_argument, "headers had a line that was no \"Name: value\""};
  if (line.size() > 1'024 || !is_plain(line))
    return Error{ErrorCode::invalid_argument,
                 "headers had \"" + name +
                     "\" with a value that was too long, or had a character that none can have"};
  const bool is_own =
      std::find(std::begin(own_headers), std::end(own_headers), name) != std::end(own_headers) ||
      (has_token && name == "authorization");
  if (is_own)
    return Error{ErrorCode::invalid_argument,
                 "headers had \"" + name + "\", which the sink sends itself"};
  return {};
}

}  // namespace

Result<HttpUrl> check_post(const PostSettings& settings) {
  const auto bad = [](std::string text) {
    return Error{ErrorCode::invalid_argument, std::move(text)};
  };
  auto url = parse_http_url(settings.url);
  if (!url) return url;
  const std::pair<const char*, const std::string&> files[] = {
      {"tls_ca", settings.tls_ca},
      {"tls_certificate", settings.tls_certificate},
      {"tls_key", settings.tls_key}};
  for (const auto& [name, file] : files) {
    if (!file.empty() && !url->is_tls)
      return bad(std::string(name) + " \"" + file + "\" is for a url with https only");
  }
  if (!settings.tls_key.empty() && settings.tls_certificate.empty())
    return bad("tls_key \"" + settings.tls_key + "\" came without tls_certificate");
  if (settings.token.size() > 4'096 || !is_plain(settings.token))
    return bad("token was too long, or had a character that no header can have");
  if (settings.secret.size() > 4'096) return bad("secret was longer than 4096 bytes");
  if (settings.headers.size() > 16)
    return bad("headers were " + std::to_string(settings.headers.size()) + ", more than 16");
  for (const std::string& header : settings.headers) {
    if (auto checked = check_header(header, !settings.token.empty()); !checked)
      return checked.error();
  }
  if (settings.timeout_ms < 100 || settings.timeout_ms > 120'000)
    return bad("timeout_ms " + std::to_string(settings.timeout_ms) + " was not in 100..120000");
  return url;
}

std::string push_signature(std::string_view secret, std::string_view timestamp,
                           std::string_view body) {
  constexpr char hex[] = "0123456789abcdef";
  std::string message(timestamp);
  message += '.';
  message += body;
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), bytes.data(), &size);
  std::string text = "sha256=";
  for (unsigned i = 0; i < size; ++i) {
    text += hex[bytes[i] >> 4U];
    text += hex[bytes[i] & 15U];
  }
  return text;
}

std::string signed_post(const HttpUrl& url, const PostSettings& settings, std::string_view key,
                        std::string_view body, std::int64_t wall_us) {
  std::string request = "POST " + url.target + " HTTP/1.1\r\nHost: " + url.authority +
                        "\r\nUser-Agent: tandem/" TANDEM_VERSION_STRING
                        "\r\nContent-Type: application/json\r\nContent-Length: ";
  append_integer(request, body.size());
  request += "\r\nIdempotency-Key: ";
  request += key;
  if (!settings.token.empty()) request += "\r\nAuthorization: Bearer " + settings.token;
  if (!settings.secret.empty()) {
    std::string timestamp;
    append_integer(timestamp, wall_us / 1'000'000);
    request += "\r\nX-Tandem-Timestamp: " + timestamp +
               "\r\nX-Tandem-Signature: " + push_signature(settings.secret, timestamp, body);
  }
  for (const std::string& header : settings.headers)
    request += "\r\n" + header;
  request += "\r\n\r\n";
  request += body;
  return request;
}

std::string said(const ReceivedResponse& response) {
  constexpr std::size_t length_max = 200;
  std::string text;
  for (const char c : response.body.substr(0, length_max))
    text += c >= 0x20 && c < 0x7f ? c : ' ';
  const std::string_view words = trimmed(text);
  return "server answered " + std::to_string(response.status) +
         (words.empty() ? "" : ": " + std::string(words));
}

bool refuses_content(int status) noexcept {
  return status == 400 || status == 413 || status == 422;
}

std::int64_t asked_pause_s(const ReceivedResponse& response) noexcept {
  if (response.status != 429 && response.status != 503) return 0;
  for (const auto& [name, value] : response.headers) {
    if (name != "retry-after") continue;
    if (const auto wait_s = parse_integer<std::uint32_t>(value))
      return std::min<std::int64_t>(*wait_s, pause_max_s);
  }
  return 0;
}

}  // namespace tandem::http
