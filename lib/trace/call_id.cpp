#include "trace/call_id.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace tandem::trace {
namespace {

/// Value of the first header that is called so, or as its compact form; "": none.
std::string_view header_of(std::string_view message, std::string_view header,
                           std::string_view compact) noexcept {
  std::size_t at = std::min(message.find_first_not_of("\r\n"), message.size());
  at = message.find('\n', at);  // behind the first line
  while (at != std::string_view::npos) {
    ++at;
    const std::size_t end = message.find('\n', at);
    const std::string_view line =
        message.substr(at, end == std::string_view::npos ? end : end - at);
    if (trimmed(line).empty()) break;
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos) {
      const std::string_view name = trimmed(line.substr(0, colon));
      if (equals_ignoring_case(name, header) || equals_ignoring_case(name, compact))
        return trimmed(line.substr(colon + 1));
    }
    at = end;
  }
  return {};
}

}  // namespace

std::string_view call_id_of(std::string_view message) noexcept {
  return header_of(message, "Call-ID", "i");
}

bool has_to_tag(std::string_view message) noexcept {
  std::string_view to = header_of(message, "To", "t");
  const std::size_t uri_end = to.rfind('>');  // parameters of the URI are none of the header
  if (uri_end != std::string_view::npos) to.remove_prefix(uri_end);
  for (std::size_t at = to.find(';'); at != std::string_view::npos; at = to.find(';', at + 1)) {
    const std::string_view rest = to.substr(at + 1);
    if (equals_ignoring_case(trimmed(rest.substr(0, rest.find('='))), "tag")) return true;
  }
  return false;
}

}  // namespace tandem::trace
