// Bytes of an HTTP server: no input may crash the reader or grow it beyond its limits, however it
// is cut, and the cut changes nothing of what is read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/response_reader.hpp"

namespace {

using tandem::http::ResponseReader;

constexpr std::size_t body_bytes_max = 4096;

/// What a client would see, as text; a response that something follows ends the connection.
std::string read_all(std::string_view bytes, std::size_t step) {
  std::string seen;
  ResponseReader reader(body_bytes_max);
  while (true) {
    const std::string_view part = bytes.substr(0, step);
    bytes.remove_prefix(part.size());
    const auto outcome = part.empty() ? reader.close() : reader.append(part);
    if (outcome == ResponseReader::Outcome::refused) {
      if (reader.reason().empty()) std::abort();
      return seen + "refused";
    }
    if (outcome == ResponseReader::Outcome::complete) {
      const auto& response = reader.response();
      if (response.status < 200 || response.status > 599) std::abort();
      if (response.body.size() > body_bytes_max) std::abort();
      if (response.headers.size() > ResponseReader::headers_max) std::abort();
      seen += std::to_string(response.status);
      for (const auto& [name, value] : response.headers)
        seen += "\n" + name + ":" + value;
      return seen + "\n" + response.body + (response.keeps_alive ? "+" : "-");
    }
    if (part.empty()) std::abort();  // an ended connection leaves nothing open
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (read_all(text, size + 1) != read_all(text, 1 + size % 7)) std::abort();
  return 0;
}
