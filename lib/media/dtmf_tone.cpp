#include "media/dtmf_tone.hpp"

#include <cmath>
#include <numbers>
#include <string_view>

namespace tandem::media {
namespace {

constexpr float rate_hz = 8000;
constexpr std::array<float, 8> frequencies_hz = {697, 770, 852, 941, 1209, 1336, 1477, 1633};
constexpr std::string_view keys = "123A456B789C*0#D";

// As the sums of squares that the algorithm gives. A perfect pair of tones has block_samples / 2
// of the energy of its block; speech that comes near it has most of its energy elsewhere.
constexpr float energy_min = 4.0e7F;    // about -35 dBm0 each
constexpr float twist_normal = 6.3F;    // the higher one may be 8 dB weaker (Q.24)
constexpr float twist_reverse = 2.5F;   // ... or 4 dB stronger
constexpr float peak_to_others = 6.3F;  // 8 dB above the others of its group
constexpr float share_of_energy = 42.0F;

const std::array<float, 8>& coefficients() noexcept {
  static const std::array<float, 8> made = [] {
    std::array<float, 8> values{};
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = 2 * std::cos(2 * std::numbers::pi_v<float> * frequencies_hz[i] / rate_hz);
    return values;
  }();
  return made;
}

}  // namespace

char ToneDetector::judge_block() const noexcept {
  std::array<float, 8> power{};
  for (std::size_t i = 0; i < power.size(); ++i)
    power[i] = s1_[i] * s1_[i] + s2_[i] * s2_[i] - coefficients()[i] * s1_[i] * s2_[i];
  std::size_t row = 0, column = 4;
  for (std::size_t i = 1; i < 4; ++i) {
    if (power[i] > power[row]) row = i;
    if (power[4 + i] > power[column]) column = 4 + i;
  }
  if (power[row] < energy_min || power[column] < energy_min) return '\0';
  if (power[column] > power[row] * twist_reverse || power[row] > power[column] * twist_normal)
    return '\0';
  for (std::size_t i = 0; i < 4; ++i) {
    if (i != row && power[i] * peak_to_others > power[row]) return '\0';
    if (4 + i != column && power[4 + i] * peak_to_others > power[column]) return '\0';
  }
  if (power[row] + power[column] < share_of_energy * energy_) return '\0';
  return keys[row * 4 + column - 4];
}

std::optional<HeardKey> ToneDetector::end_block() noexcept {
  const char heard = judge_block();
  s1_ = s2_ = {};
  energy_ = 0;
  count_ = 0;
  std::optional<HeardKey> ended;
  if (key_ != '\0') {
    ++blocks_;
    blocks_without_ = heard == key_ ? 0 : blocks_without_ + 1;
    if (blocks_without_ >= 2) {
      ended = HeardKey{key_, (blocks_ - blocks_without_) * block_samples * 1000 / 8000};
      key_ = '\0';
    }
  }
  if (key_ == '\0' && heard != '\0' && heard == candidate_) {
    key_ = heard;
    blocks_ = 2;
    blocks_without_ = 0;
  }
  candidate_ = heard;
  return ended;
}

std::optional<HeardKey> ToneDetector::take(std::span<const std::int16_t> samples) noexcept {
  std::optional<HeardKey> ended;
  const std::array<float, 8>& by = coefficients();
  for (const std::int16_t sample : samples) {
    const auto x = static_cast<float>(sample);
    energy_ += x * x;
    for (std::size_t i = 0; i < by.size(); ++i) {
      const float s = x + by[i] * s1_[i] - s2_[i];
      s2_[i] = s1_[i];
      s1_[i] = s;
    }
    if (++count_ == block_samples) {
      if (const auto key = end_block()) ended = key;
    }
  }
  return ended;
}

void make_tone(char key, std::uint32_t at, std::span<std::int16_t> samples) noexcept {
  constexpr double amplitude = 6000;  // about -9 dBm0 each
  const std::size_t place = keys.find(key);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (place == std::string_view::npos) {
      samples[i] = 0;
      continue;
    }
    const double t = 2 * std::numbers::pi * (at + static_cast<double>(i)) / rate_hz;
    const double sum = std::sin(t * static_cast<double>(frequencies_hz[place / 4])) +
                       std::sin(t * static_cast<double>(frequencies_hz[4 + place % 4]));
    samples[i] = static_cast<std::int16_t>(std::lround(amplitude * sum));
  }
}

std::optional<std::uint8_t> event_of_key(char key) noexcept {
  constexpr std::string_view events = "0123456789*#ABCD!";
  const std::size_t at = events.find(key);
  if (key == '\0' || at == std::string_view::npos) return std::nullopt;
  return static_cast<std::uint8_t>(at);
}

}  // namespace tandem::media
