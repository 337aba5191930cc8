// Bytes of an HTTP client: no input may crash the reader, however it is cut, and the cut changes
// nothing of what is read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace {

using tandem::http::RequestReader;

/// What a server would see, as text.
std::string read_all(std::string_view bytes, std::size_t step) {
  std::string seen;
  RequestReader reader;
  while (true) {
    const auto outcome = reader.read();
    if (outcome == RequestReader::Outcome::refused) {
      if (reader.status() < 400 || reader.reason().empty()) std::abort();
      return seen + "refused " + std::to_string(reader.status());
    }
    if (outcome == RequestReader::Outcome::complete) {
      const auto& request = reader.request();
      if (request.method.empty() || request.path.empty()) std::abort();
      seen += request.method;
      for (const auto& segment : request.path)
        seen += "/" + segment;
      for (const auto& [name, value] : request.query)
        seen += "?" + name + "=" + value;
      for (const auto& [name, value] : request.headers)
        seen += "\n" + name + ":" + value;
      seen += "\n" + request.body + "\n";
      reader.take();
    } else {
      if (bytes.empty()) return seen;
      const std::string_view part = bytes.substr(0, step);
      if (!reader.append(part)) return seen + "too much";
      bytes.remove_prefix(part.size());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (read_all(text, size + 1) != read_all(text, 1 + size % 7)) std::abort();
  return 0;
}
