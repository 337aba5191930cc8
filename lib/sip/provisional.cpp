#include "sip/provisional.hpp"

#include <charconv>

namespace tandem::sip {
namespace {

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// Takes the next word off a text that white space, folded lines too, parts.
std::string_view next_word(std::string_view& text) noexcept {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  std::size_t end = 0;
  while (end < text.size() && !is_blank(text[end]))
    ++end;
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

/// All of the text as a number below 2^32.
bool read_number(std::string_view text, std::uint32_t& number) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

ReliableOffer read_reliable_offer(const Message& message) noexcept {
  ReliableOffer offer;
  for (std::size_t i = 0; i < message.header_count; ++i) {
    const Header& header = message.headers[i];
    if (header.id != HeaderId::supported && header.id != HeaderId::require) continue;
    if (!list_has(header.value, "100rel")) continue;
    offer.is_supported = true;
    offer.is_required = offer.is_required || header.id == HeaderId::require;
  }
  return offer;
}

std::uint32_t read_rseq(const Message& response) noexcept {
  const Header* header = response.find(HeaderId::rseq);
  std::uint32_t number = 0;
  return header != nullptr && read_number(header->value, number) ? number : 0;
}

bool parse_rack(std::string_view value, Rack& rack) noexcept {
  const std::string_view rseq = next_word(value);
  const std::string_view cseq = next_word(value);
  rack.method = next_word(value);
  return read_number(rseq, rack.rseq) && read_number(cseq, rack.cseq) && !rack.method.empty() &&
         next_word(value).empty();
}

}  // namespace tandem::sip
