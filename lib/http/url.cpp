#include "http/url.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"

namespace tandem::http {

Result<HttpUrl> parse_http_url(std::string_view text) {
  // A user and a query may be secrets: messages have neither.
  const auto bad = [text](const char* why) {
    const bool has_user = text.find('@') != std::string_view::npos;
    const std::string_view shown = has_user ? "..." : text.substr(0, text.find_first_of("?#"));
    return Error{ErrorCode::invalid_argument, "url \"" + std::string(shown) + "\" " + why};
  };
  constexpr std::string_view tls_scheme = "https://";
  const bool is_tls = equals_ignoring_case(text.substr(0, tls_scheme.size()), tls_scheme);
  const std::string_view scheme = is_tls ? tls_scheme : "http://";
  if (text.size() > 2'048) return Error{ErrorCode::invalid_argument, "url was too long"};
  if (!equals_ignoring_case(text.substr(0, scheme.size()), scheme))
    return bad("did not begin with http:// or https://");
  // Visible characters of ASCII only: it becomes part of a request.
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; }))
    return bad("had a character that must be escaped");
  if (text.find('#') != std::string_view::npos) return bad("had a fragment");
  std::string_view rest = text.substr(scheme.size());
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  HttpUrl url;
  url.is_tls = is_tls;
  url.port = is_tls ? 443 : 80;
  url.authority = rest.substr(0, end);
  url.target = rest.substr(end);
  if (!url.target.starts_with('/')) url.target.insert(0, 1, '/');
  std::string_view host = url.authority;
  if (host.find('@') != std::string_view::npos) return bad("had a user: use a token or a header");
  if (host.starts_with('[')) {
    const std::size_t bracket = host.find(']');
    if (bracket == std::string_view::npos) return bad("had no host");
    url.host = host.substr(1, bracket - 1);
    host.remove_prefix(bracket + 1);
  } else {
    const std::size_t colon = std::min(host.find(':'), host.size());
    url.host = host.substr(0, colon);
    host.remove_prefix(colon);
  }
  if (url.host.empty()) return bad("had no host");
  if (!host.empty()) {
    const auto port = host.starts_with(':') ? parse_integer<std::uint16_t>(host.substr(1))
                                            : std::optional<std::uint16_t>();
    if (!port || *port == 0) return bad("had no port in 1..65535");
    url.port = *port;
  }
  return url;
}

std::string shown_url(const HttpUrl& url) {
  return (url.is_tls ? "https://" : "http://") + url.authority +
         url.target.substr(0, url.target.find('?'));
}

}  // namespace tandem::http
