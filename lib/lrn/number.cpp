#include "lrn/number.hpp"

#include <algorithm>

#include "tandem/lrn.hpp"

namespace tandem {

bool is_lrn(std::string_view text) noexcept {
  if (text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && text.size() <= 31 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
  });
}

}  // namespace tandem

namespace tandem::lrn {

std::optional<LrnRecord> make_record(std::string_view routing_number, std::string_view region) {
  LrnRecord record;
  for (const char c : routing_number) {
    if (c != '-' && c != '.' && c != '(' && c != ')' && c != ' ') record.lrn += c;
  }
  if (!record.lrn.empty() && !is_lrn(record.lrn)) return std::nullopt;
  const bool is_clean = std::all_of(region.begin(), region.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f;
  });
  if (region.size() > lrn_region_bytes_max || !is_clean) return std::nullopt;
  record.region = region;
  return record;
}

}  // namespace tandem::lrn
