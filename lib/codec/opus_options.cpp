#include "codec/opus_options.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace tandem::codec {
namespace {

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

std::optional<std::uint32_t> number(std::string_view text, std::uint32_t least,
                                    std::uint32_t most) noexcept {
  std::uint32_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size() || value < least || value > most)
    return std::nullopt;
  return value;
}

/// Names of parameters are written in small letters by the RFC, and by others as they like.
bool is_named(std::string_view name, std::string_view small) noexcept {
  return std::equal(name.begin(), name.end(), small.begin(), small.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

}  // namespace

OpusOptions opus_options(std::string_view fmtp) noexcept {
  OpusOptions options;
  while (!fmtp.empty()) {
    const std::size_t end = std::min(fmtp.find(';'), fmtp.size());
    const std::string_view part = fmtp.substr(0, end);
    fmtp.remove_prefix(std::min(end + 1, fmtp.size()));
    const std::size_t sign = part.find('=');
    if (sign == std::string_view::npos) continue;
    const std::string_view name = trimmed(part.substr(0, sign));
    const std::string_view value = trimmed(part.substr(sign + 1));
    const auto flag = [&](bool& to) {
      if (const auto given = number(value, 0, 1)) to = *given == 1;
    };
    if (is_named(name, "maxplaybackrate")) {
      if (const auto given = number(value, 8000, 48000)) options.playback_rate_max_hz = *given;
    } else if (is_named(name, "maxaveragebitrate")) {
      if (const auto given = number(value, 6000, 510'000)) options.average_bitrate_max = *given;
    } else if (is_named(name, "useinbandfec")) {
      flag(options.uses_inband_fec);
    } else if (is_named(name, "usedtx")) {
      flag(options.uses_dtx);
    } else if (is_named(name, "cbr")) {
      flag(options.is_constant_rate);
    }
  }
  return options;
}

}  // namespace tandem::codec
