#include "base/json_depth.hpp"

#include <algorithm>

namespace tandem {

namespace {

/// Offset behind the string that begins at `at` with its quote.
std::size_t end_of_string(std::string_view json, std::size_t at) noexcept {
  for (++at; at < json.size() && json[at] != '"'; ++at) {
    if (json[at] == '\\') ++at;
  }
  return at + 1;
}

/// Offset behind the comment at `at`, or `at` + 1 when the slash there begins none.
std::size_t end_of_comment(std::string_view json, std::size_t at) noexcept {
  const std::string_view mark = json.substr(at, 2);
  if (mark == "//") {
    // The library takes a zero byte for the end of a line too.
    return std::min(json.find_first_of(std::string_view("\n\r\0", 3), at), json.size());
  }
  if (mark != "/*") return at + 1;
  const std::size_t end = json.find("*/", at + 2);
  return end == std::string_view::npos ? json.size() : end + 2;
}

}  // namespace

std::optional<std::size_t> too_deep_at(std::string_view json) noexcept {
  std::size_t depth = 0;
  for (std::size_t at = 0; at < json.size();) {
    switch (json[at]) {
      case '"':
        at = end_of_string(json, at);
        continue;
      case '/':
        at = end_of_comment(json, at);
        continue;
      case '[':
      case '{':
        if (++depth > json_depth_max) return at;
        break;
      case ']':
      case '}':
        if (depth != 0) --depth;
        break;
      default:
        break;
    }
    ++at;
  }
  return std::nullopt;
}

}  // namespace tandem
