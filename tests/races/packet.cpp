#include "races/packet.hpp"

#include <charconv>

namespace tandem::races {
namespace {

std::uint32_t number_at(std::string_view text, std::size_t& at) {
  while (at < text.size() && text[at] == ' ')
    ++at;
  std::uint32_t value = 0;
  const auto read = std::from_chars(text.data() + at, text.data() + text.size(), value);
  at = static_cast<std::size_t>(read.ptr - text.data());
  return value;
}

std::string param(std::string_view value, std::string_view name) {
  const std::string key = ";" + std::string(name) + "=";
  const auto begin = value.rfind(key);
  if (begin == std::string_view::npos) return {};
  const auto from = begin + key.size();
  return std::string(value.substr(from, value.find_first_of(";,> ", from) - from));
}

bool lists(std::string_view message, std::string_view name, std::string_view option) {
  return header_value(message, name).find(option) != std::string::npos;
}

}  // namespace

std::string header_value(std::string_view message, std::string_view name) {
  const std::string key = "\r\n" + std::string(name) + ": ";
  const auto begin = message.find(key);
  if (begin == std::string_view::npos || begin > message.find("\r\n\r\n")) return {};
  const auto from = begin + key.size();
  return std::string(message.substr(from, message.find("\r\n", from) - from));
}

Packet read_packet(std::string_view bytes) {
  Packet packet;
  packet.raw = bytes;
  std::size_t at = 8;
  if (bytes.starts_with("SIP/2.0 ")) {
    packet.status = static_cast<int>(number_at(bytes, at));
  } else {
    packet.method = bytes.substr(0, bytes.find(' '));
  }
  const std::string cseq = header_value(bytes, "CSeq");
  at = 0;
  packet.cseq = number_at(cseq, at);
  packet.cseq_method = cseq.substr(std::min(cseq.size(), at + 1));
  packet.call_id = header_value(bytes, "Call-ID");
  packet.branch = param(header_value(bytes, "Via"), "branch");
  packet.from = header_value(bytes, "From");
  packet.to = header_value(bytes, "To");
  packet.from_tag = param(packet.from, "tag");
  packet.to_tag = param(packet.to, "tag");
  const std::string contact = header_value(bytes, "Contact");
  if (const auto open = contact.find('<'); open != std::string::npos)
    packet.contact = contact.substr(open + 1, contact.find('>') - open - 1);
  packet.has_sdp = bytes.find("\r\n\r\nv=0") != std::string_view::npos;
  packet.requires_rel100 = lists(bytes, "Require", "100rel");
  packet.supports_rel100 = lists(bytes, "Supported", "100rel") || packet.requires_rel100;
  packet.supports_timer = lists(bytes, "Supported", "timer");
  at = 0;
  packet.rseq = number_at(header_value(bytes, "RSeq"), at);
  const std::string rack = header_value(bytes, "RAck");
  at = 0;
  packet.rack_rseq = number_at(rack, at);
  packet.rack_cseq = number_at(rack, at);
  return packet;
}

std::string Packet::label() const {
  std::string text = is_request() ? method : std::to_string(status) + " " + cseq_method;
  if (has_sdp) text += " sdp";
  if (rseq != 0) text += " rel";
  return text;
}

}  // namespace tandem::races
