#include "trace/call_id.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace tandem::trace {

std::string_view call_id_of(std::string_view message) noexcept {
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
      if (equals_ignoring_case(name, "Call-ID") || equals_ignoring_case(name, "i"))
        return trimmed(line.substr(colon + 1));
    }
    at = end;
  }
  return {};
}

}  // namespace tandem::trace
