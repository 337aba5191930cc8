#include "sip/content.hpp"

#include <charconv>
#include <cstring>

namespace tandem::sip {
namespace {

std::string_view trim(std::string_view text) noexcept {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

/// The leading digits of `text` as a number, at most `most`; 0 when there is none.
int leading_number(std::string_view text, int most) noexcept {
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') break;
    number = number * 10 + (c - '0');
    if (number > most) return most;
  }
  return number;
}

bool is_named(std::string_view name, std::initializer_list<std::string_view> names) noexcept {
  for (const std::string_view candidate : names) {
    if (equals_ignoring_case(name, candidate)) return true;
  }
  return false;
}

/// "application/sdp" of "application/sdp; charset=utf-8".
std::string_view media_type(std::string_view content_type) noexcept {
  return trim(content_type.substr(0, content_type.find(';')));
}

/// The first application/sdp part of a multipart body (RFC 2046 section 5.1); empty when there is
/// none.
std::string_view find_sdp_part(std::string_view content_type, std::string_view body) noexcept {
  const std::size_t params = content_type.find(';');
  if (params == std::string_view::npos) return {};
  const std::string_view boundary = find_param(content_type.substr(params), "boundary");
  if (boundary.empty() || boundary.size() > 70) return {};
  char line[74] = {'-', '-'};
  std::memcpy(line + 2, boundary.data(), boundary.size());
  const std::string_view delimiter(line, boundary.size() + 2);
  std::size_t at = body.find(delimiter);
  while (at != std::string_view::npos) {
    const std::size_t begin = body.find('\n', at);
    const std::size_t end = body.find(delimiter, at + delimiter.size());
    if (begin == std::string_view::npos || end == std::string_view::npos || begin >= end) return {};
    std::string_view part = body.substr(begin + 1, end - begin - 1);
    std::size_t head_end = 0;
    std::string_view type;
    while (head_end < part.size()) {
      const std::size_t line_end = part.find('\n', head_end);
      const std::string_view field = trim(part.substr(head_end, line_end - head_end));
      head_end = line_end == std::string_view::npos ? part.size() : line_end + 1;
      if (field.empty()) break;
      const std::size_t colon = field.find(':');
      if (colon != std::string_view::npos &&
          equals_ignoring_case(trim(field.substr(0, colon)), "content-type")) {
        type = media_type(field.substr(colon + 1));
      }
    }
    if (equals_ignoring_case(type, "application/sdp")) {
      part.remove_prefix(head_end);
      // The line end before a delimiter belongs to the delimiter, but SDP lines end with one: keep
      // it.
      return part;
    }
    at = end;
  }
  return {};
}

/// is_own_name() by the id that the scanner gave.
bool is_own_header(const Header& header) noexcept {
  switch (header.id) {
    case HeaderId::via:
    case HeaderId::from:
    case HeaderId::to:
    case HeaderId::call_id:
    case HeaderId::cseq:
    case HeaderId::contact:
    case HeaderId::max_forwards:
    case HeaderId::route:
    case HeaderId::record_route:
    case HeaderId::content_length:
    case HeaderId::content_type:
    case HeaderId::content_encoding:
    case HeaderId::content_disposition:
    case HeaderId::allow:
    case HeaderId::supported:
    case HeaderId::require:
    case HeaderId::proxy_require:
    case HeaderId::unsupported:
    case HeaderId::expires:
    case HeaderId::authorization:
    case HeaderId::proxy_authorization:
    case HeaderId::www_authenticate:
    case HeaderId::proxy_authenticate:
    case HeaderId::user_agent:
    case HeaderId::server:
    case HeaderId::retry_after:
    case HeaderId::session_expires:
    case HeaderId::min_se:
    case HeaderId::rseq:
    case HeaderId::rack:
    case HeaderId::replaces:
    case HeaderId::accept:
    case HeaderId::timestamp:
      return true;
    case HeaderId::other:
      return is_own_name(header.name);
    default:
      return false;
  }
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool is_own_name(std::string_view name) noexcept {
  return is_named(name, {"Via",
                         "v",
                         "From",
                         "f",
                         "To",
                         "t",
                         "Call-ID",
                         "i",
                         "CSeq",
                         "Contact",
                         "m",
                         "Max-Forwards",
                         "Route",
                         "Record-Route",
                         "Content-Length",
                         "l",
                         "Content-Type",
                         "c",
                         "Content-Encoding",
                         "e",
                         "Content-Disposition",
                         "Content-Language",
                         "MIME-Version",
                         "Allow",
                         "Allow-Events",
                         "u",
                         "Supported",
                         "k",
                         "Require",
                         "Proxy-Require",
                         "Unsupported",
                         "Expires",
                         "Min-Expires",
                         "Authorization",
                         "Proxy-Authorization",
                         "WWW-Authenticate",
                         "Proxy-Authenticate",
                         "Authentication-Info",
                         "Proxy-Authentication-Info",
                         "User-Agent",
                         "Server",
                         "Retry-After",
                         "Session-Expires",
                         "x",
                         "Min-SE",
                         "RSeq",
                         "RAck",
                         "Accept",
                         "Accept-Encoding",
                         "Accept-Language",
                         "Timestamp",
                         "Path",
                         "Service-Route",
                         "Replaces",
                         "Join",
                         "Target-Dialog",
                         "Warning",
                         "Organization",
                         "Flow-Timer",
                         "Security-Client",
                         "Security-Server",
                         "Security-Verify",
                         "Error-Info",
                         "In-Reply-To",
                         "SIP-ETag",
                         "SIP-If-Match"});
}

bool is_token(std::string_view text) noexcept {
  for (const char c : text) {
    const bool is_alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_alphanumeric && (c == '\0' || std::strchr("-.!%*_+`'~", c) == nullptr)) return false;
  }
  return !text.empty();
}

std::string_view MessageParties::user(Party party) {
  if (party == Party::to) return uri_user(message_->to.uri, *room_);
  const HeaderId id = party == Party::remote      ? HeaderId::remote_party_id
                      : party == Party::asserted  ? HeaderId::p_asserted_identity
                      : party == Party::preferred ? HeaderId::p_preferred_identity
                                                  : HeaderId::diversion;
  // There may be several, in one line or more (RFC 3325 section 9.1): the first that names a user.
  for (std::size_t i = 0; i < message_->header_count; ++i) {
    if (message_->headers[i].id != id) continue;
    std::string_view list = message_->headers[i].value;
    while (!list.empty()) {
      NameAddress address;
      if (!parse_name_address(next_element(list), address)) continue;
      if (const std::string_view user = uri_user(address.uri, *room_); !user.empty()) return user;
    }
  }
  return {};
}

int q850_cause(const Message& message) noexcept {
  for (std::size_t i = 0; i < message.header_count; ++i) {
    if (message.headers[i].id != HeaderId::reason) continue;
    std::string_view list = message.headers[i].value;
    while (!list.empty()) {
      const std::string_view element = trim(next_element(list));
      const std::size_t params = element.find(';');
      if (params == std::string_view::npos) continue;
      if (!equals_ignoring_case(trim(element.substr(0, params)), "Q.850")) continue;
      const int cause = leading_number(find_param(element.substr(params), "cause"), 1000);
      if (cause >= 1 && cause <= 127) return cause;
    }
  }
  return 0;
}

int retry_after_s(const Message& message) noexcept {
  const Header* header = message.find(HeaderId::retry_after);
  return header == nullptr ? 0 : leading_number(header->value, 1'000'000);
}

SessionBody session_body(const Message& message) noexcept {
  if (message.body.empty()) return {};
  const std::string_view type = media_type(message.content_type);
  if (equals_ignoring_case(type.substr(0, 10), "multipart/")) {
    const std::string_view part = find_sdp_part(message.content_type, message.body);
    if (!part.empty()) return {"application/sdp", part};
  }
  if (equals_ignoring_case(type, "application/sdp")) return {"application/sdp", message.body};
  return {message.content_type, message.body};
}

std::string_view find_value(const Message& message, std::string_view name) noexcept {
  for (std::size_t i = 0; i < message.header_count; ++i) {
    if (equals_ignoring_case(message.headers[i].name, name)) return message.headers[i].value;
  }
  return {};
}

void collect_passed_headers(const Message& message, std::vector<PassedHeader>& headers) {
  headers.clear();
  for (std::size_t i = 0; i < message.header_count; ++i) {
    const Header& header = message.headers[i];
    if (!is_own_header(header)) headers.push_back({header.name, header.value});
  }
}

void write_passed_headers(MessageWriter& writer, const std::vector<PassedHeader>& headers) {
  for (const PassedHeader& passed : headers) {
    if (!is_token(passed.name) || is_own_name(passed.name)) continue;
    bool is_sound = true;
    for (std::size_t i = 0; i < passed.value.size() && is_sound; ++i) {
      const char c = passed.value[i];
      if (c == '\0') is_sound = false;
      if (c != '\r' && c != '\n') continue;
      // A line end must be one of folding, else a value could add headers.
      const std::size_t next =
          i + (c == '\r' && i + 1 < passed.value.size() && passed.value[i + 1] == '\n' ? 2 : 1);
      if (next >= passed.value.size() || (passed.value[next] != ' ' && passed.value[next] != '\t'))
        is_sound = false;
      i = next;
    }
    if (is_sound) writer.copy(passed.name, passed.value);
  }
}

std::string_view uri_user(std::string_view uri, Unescaped& room) noexcept {
  std::string_view user;
  Uri parsed;
  if (equals_ignoring_case(uri.substr(0, 4), "tel:")) {
    user = uri.substr(4);
  } else if (parse_uri(uri, parsed) && (equals_ignoring_case(parsed.scheme, "sip") ||
                                        equals_ignoring_case(parsed.scheme, "sips"))) {
    user = parsed.user;
  }
  return unescaped(user.substr(0, user.find(';')), room);
}

std::string_view unescaped(std::string_view text, Unescaped& room) noexcept {
  if (text.find('%') == std::string_view::npos || text.size() > room.bytes.size() - room.used_bytes)
    return text;
  char* const begin = room.bytes.data() + room.used_bytes;
  char* out = begin;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
        hex_digit(text[i + 2]) >= 0) {
      *out++ = static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      *out++ = text[i];
    }
  }
  room.used_bytes += static_cast<std::size_t>(out - begin);
  return {begin, static_cast<std::size_t>(out - begin)};
}

std::string_view display_name(std::string_view escaped, Unescaped& room) noexcept {
  if (escaped.find('\\') == std::string_view::npos ||
      escaped.size() > room.bytes.size() - room.used_bytes) {
    return escaped;
  }
  char* const begin = room.bytes.data() + room.used_bytes;
  char* out = begin;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] == '\\' && i + 1 < escaped.size()) ++i;
    *out++ = escaped[i];
  }
  room.used_bytes += static_cast<std::size_t>(out - begin);
  return {begin, static_cast<std::size_t>(out - begin)};
}

void append_user(std::string_view text, std::string& out) {
  static constexpr char digits[] = "0123456789ABCDEF";
  for (const char c : text) {
    const bool is_alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_alphanumeric || (c != '\0' && std::strchr("-_.!~*'()&=+$,;?/", c) != nullptr)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
}

void append_display(std::string_view text, std::string& out) {
  if (text.empty()) return;
  out += '"';
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) continue;
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += "\" ";
}

}  // namespace tandem::sip
