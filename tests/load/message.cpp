#include "message.hpp"

#include <charconv>

namespace tandem::load {

namespace {

constexpr std::string_view version = "SIP/2.0";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool is_header(std::string_view name, std::string_view full, char compact) {
  return same_name(name, full) || (name.size() == 1 && lower(name[0]) == compact);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

/// The next line of `rest`, without its end; both CRLF and LF end lines.
std::string_view next_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

template <class Number>
Number number(std::string_view text) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool read_start_line(std::string_view line, Message& message) {
  if (line.starts_with(version) && line.size() > version.size() + 4) {
    message.status = number<int>(line.substr(version.size() + 1, 3));
    return message.status >= 100 && message.status <= 699;
  }
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || line.substr(last + 1) != version)
    return false;
  message.is_request = true;
  message.method = line.substr(0, first);
  message.uri = line.substr(first + 1, last - first - 1);
  return true;
}

void keep_header(std::string_view name, std::string_view value, Message& message) {
  if (is_header(name, "Via", 'v')) {
    if (message.via_count < Message::repeats_max) message.vias[message.via_count++] = value;
  } else if (same_name(name, "Record-Route")) {
    if (message.record_route_count < Message::repeats_max)
      message.record_routes[message.record_route_count++] = value;
  } else if (is_header(name, "From", 'f')) {
    message.from = value;
  } else if (is_header(name, "To", 't')) {
    message.to = value;
  } else if (is_header(name, "Call-ID", 'i')) {
    message.call_id = value;
  } else if (same_name(name, "CSeq")) {
    message.cseq = value;
  } else if (is_header(name, "Contact", 'm')) {
    message.contact = value;
  }
}

}  // namespace

std::optional<Message> parse(std::string_view datagram) {
  Message message;
  std::string_view rest = datagram;
  if (!read_start_line(next_line(rest), message)) return std::nullopt;
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    if (line.empty()) break;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    keep_header(trim(line.substr(0, colon)), trim(line.substr(colon + 1)), message);
  }
  message.body = rest;
  if (message.via_count == 0 || message.from.empty() || message.to.empty() ||
      message.call_id.empty() || message.cseq.empty()) {
    return std::nullopt;
  }
  if (!message.is_request) {
    const std::size_t space = message.cseq.rfind(' ');
    if (space == std::string_view::npos) return std::nullopt;
    message.method = message.cseq.substr(space + 1);
  }
  return message;
}

std::string_view Message::branch() const { return parameter(vias[0], "branch"); }

std::uint32_t Message::cseq_number() const { return number<std::uint32_t>(cseq); }

std::string_view Message::contact_uri() const {
  const std::size_t open = contact.find('<');
  if (open == std::string_view::npos) return contact.substr(0, contact.find(';'));
  const std::size_t close = contact.find('>', open);
  return close == std::string_view::npos ? std::string_view()
                                         : contact.substr(open + 1, close - open - 1);
}

std::string_view parameter(std::string_view header_value, std::string_view name) {
  const std::size_t close = header_value.find('>');
  if (close != std::string_view::npos) header_value.remove_prefix(close + 1);
  while (!header_value.empty()) {
    const std::size_t semicolon = header_value.find(';');
    if (semicolon == std::string_view::npos) return {};
    header_value.remove_prefix(semicolon + 1);
    const std::string_view piece = trim(header_value.substr(0, header_value.find(';')));
    const std::size_t equals = piece.find('=');
    if (equals != std::string_view::npos && same_name(piece.substr(0, equals), name))
      return piece.substr(equals + 1, piece.find(',') - equals - 1);
  }
  return {};
}

std::optional<MediaAddress> audio_address(std::string_view sdp) {
  MediaAddress media;
  bool is_in_audio = false;
  while (!sdp.empty()) {
    const std::string_view line = next_line(sdp);
    if (line.starts_with("m=")) {
      if (is_in_audio) break;  // the connection line of the audio stream, if any, has been seen
      if (line.starts_with("m=audio ")) {
        media.port = number<std::uint16_t>(line.substr(8));
        is_in_audio = true;
      }
    } else if (line.starts_with("c=IN IP4 ") && (media.address.empty() || is_in_audio)) {
      media.address = line.substr(9, line.find('/') - 9);
    }
  }
  if (media.port == 0 || media.address.empty()) return std::nullopt;
  return media;
}

}  // namespace tandem::load
