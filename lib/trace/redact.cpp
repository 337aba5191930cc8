#include "trace/redact.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "base/text.hpp"

namespace tandem::trace {
namespace {

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

void hide(std::string& text, std::size_t from, std::size_t to) noexcept {
  for (std::size_t i = from; i < to && i < text.size(); ++i) {
    if (!is_blank(text[i])) text[i] = '*';
  }
}

bool is_harmless(std::string_view parameter) noexcept {
  static constexpr std::array<std::string_view, 9> known = {
      "username", "realm", "nonce", "uri", "algorithm", "qop", "nc", "opaque", "userhash"};
  return std::any_of(known.begin(), known.end(),
                     [&](std::string_view name) { return equals_ignoring_case(name, parameter); });
}

/// Value of an Authorization header, between `at` and `end`.
void hide_credentials(std::string& text, std::size_t at, std::size_t end) noexcept {
  while (at < end && is_blank(text[at]))
    ++at;
  const std::size_t scheme = at;
  while (at < end && !is_blank(text[at]))
    ++at;
  if (!equals_ignoring_case(std::string_view(text).substr(scheme, at - scheme), "Digest"))
    return hide(text, at, end);
  while (at < end) {
    while (at < end && (is_blank(text[at]) || text[at] == ','))
      ++at;
    const std::size_t name = at;
    while (at < end && text[at] != '=' && text[at] != ',' && !is_blank(text[at]))
      ++at;
    const bool is_shown = is_harmless(std::string_view(text).substr(name, at - name));
    while (at < end && is_blank(text[at]))
      ++at;
    if (at >= end || text[at] != '=') {  // no parameter of anything known
      std::size_t stop = at;
      while (stop < end && text[stop] != ',')
        ++stop;
      hide(text, name, stop);
      at = stop;
      continue;
    }
    ++at;
    while (at < end && is_blank(text[at]))
      ++at;
    const bool is_quoted = at < end && text[at] == '"';
    const std::size_t value = at + (is_quoted ? 1 : 0);
    at = value;
    if (is_quoted) {
      while (at < end && text[at] != '"')
        at += text[at] == '\\' ? 2 : 1;
    } else {
      while (at < end && text[at] != ',' && !is_blank(text[at]))
        ++at;
    }
    at = std::min(at, end);
    if (!is_shown) hide(text, value, at);
    if (is_quoted && at < end) ++at;
  }
}

/// One line of a body.
void hide_keys(std::string& text, std::size_t at, std::size_t end) noexcept {
  const std::string_view line = std::string_view(text).substr(at, end - at);
  if (line.starts_with("k=")) return hide(text, at + 2, end);
  static constexpr std::string_view password = "a=ice-pwd:";
  if (line.starts_with(password)) return hide(text, at + password.size(), end);
  if (!line.starts_with("a=crypto:")) return;
  static constexpr std::string_view key = "inline:";
  for (std::size_t found = line.find(key); found != std::string_view::npos;
       found = line.find(key, found + key.size())) {
    std::size_t stop = found + key.size();
    while (stop < line.size() && line[stop] != '|' && line[stop] != ';' && !is_blank(line[stop]))
      ++stop;
    hide(text, at + found + key.size(), at + stop);
  }
}

}  // namespace

void redact(std::string& message) noexcept {
  bool is_in_body = false;
  std::size_t at = 0;
  while (at < message.size()) {
    std::size_t end = std::min(message.find('\n', at), message.size());
    std::size_t stop = end > at && message[end - 1] == '\r' ? end - 1 : end;
    if (is_in_body) {
      hide_keys(message, at, stop);
    } else if (stop == at) {
      is_in_body = at != 0;  // line ends before a message are none of it
    } else {
      const std::size_t colon = std::min(message.find(':', at), stop);
      const std::string_view name = trimmed(std::string_view(message).substr(at, colon - at));
      if (equals_ignoring_case(name, "Authorization") ||
          equals_ignoring_case(name, "Proxy-Authorization")) {
        // A value goes on on lines that begin with a blank (RFC 3261 section 7.3.1).
        while (end + 1 < message.size() && (message[end + 1] == ' ' || message[end + 1] == '\t'))
          end = std::min(message.find('\n', end + 1), message.size());
        hide_credentials(message, std::min(colon + 1, end), end);
      }
    }
    at = end + 1;
  }
}

}  // namespace tandem::trace
