#include "cdr/segment_files.hpp"

#include <algorithm>
#include <charconv>

namespace tandem::cdr {
namespace {

constexpr std::string_view extension = ".log";

}  // namespace

std::string segment_file_name(std::string_view stem, std::uint64_t serial) {
  char digits[17] = "0000000000000000";
  char hex[16];
  const auto end = std::to_chars(hex, hex + sizeof hex, serial, 16).ptr;
  std::copy(hex, end, digits + 16 - (end - hex));
  return std::string(stem) + digits + std::string(extension);
}

std::optional<std::uint64_t> serial_of(std::string_view name, std::string_view stem) {
  if (name.size() != stem.size() + 16 + extension.size() || !name.starts_with(stem) ||
      !name.ends_with(extension)) {
    return std::nullopt;
  }
  const char* first = name.data() + stem.size();
  std::uint64_t serial = 0;
  const auto [stop, error] = std::from_chars(first, first + 16, serial, 16);
  if (error != std::errc() || stop != first + 16) return std::nullopt;
  return serial;
}

}  // namespace tandem::cdr
