// Texts as they stand in a JSON body and in the target of a request.
#pragma once

#include <string>
#include <string_view>

/// A JSON string with its quotes.
inline std::string json_quoted(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += std::string("\\u00") + digits[byte >> 4U] + digits[byte & 0xFU];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

/// Percent-encoded (RFC 3986) but for what is unreserved.
inline std::string url_quoted(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.' || c == '~';
    if (is_plain) {
      out += c;
    } else {
      out += std::string("%") + digits[byte >> 4U] + digits[byte & 0xFU];
    }
  }
  return out;
}
