#include "media/resampler.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

namespace tandem::media {
namespace {

constexpr double kaiser_beta = 5.65;  // 60 dB
constexpr double edge = 0.475;        // of the slower rate: 3,800 Hz of 8,000, the filter's middle
constexpr int unity_bits = 15;

double bessel_i0(double x) noexcept {
  double sum = 1, term = 1;
  for (int k = 1; k < 40; ++k) {
    term *= x / (2 * k);
    sum += term * term;
  }
  return sum;
}

/// A windowed sine over `factor` times the taps, at the faster rate.
std::vector<std::int16_t> filter_of(std::size_t factor) {
  const std::size_t length = Resampler::taps * factor;
  const double middle = (static_cast<double>(length) - 1) / 2;
  std::vector<double> exact(length);
  double sum = 0;
  for (std::size_t i = 0; i < length; ++i) {
    const double at = static_cast<double>(i) - middle;
    const double x = 2 * edge * at / static_cast<double>(factor);
    const double sine = x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
    const double of_window = at / (middle + 1);
    exact[i] = sine * bessel_i0(kaiser_beta * std::sqrt(1 - of_window * of_window));
    sum += exact[i];
  }
  // One on average at each phase; a phase is taken by itself where samples are put in between.
  std::vector<std::int16_t> filter(length);
  for (std::size_t i = 0; i < length; ++i)
    filter[i] = static_cast<std::int16_t>(
        std::lround(exact[i] * static_cast<double>(factor) / sum * ((1 << unity_bits) - 1)));
  return filter;
}

const std::int16_t* filter_for(std::size_t factor) {
  static const std::vector<std::int16_t> by_two = filter_of(2), by_three = filter_of(3),
                                         by_six = filter_of(6);
  return factor == 2 ? by_two.data() : factor == 3 ? by_three.data() : by_six.data();
}

std::int16_t limited(std::int64_t value) noexcept {
  return static_cast<std::int16_t>(std::clamp<std::int64_t>(value, -32768, 32767));
}

}  // namespace

void Resampler::set(std::uint32_t from_hz, std::uint32_t to_hz) {
  up_ = to_hz > from_hz ? to_hz / from_hz : 1;
  down_ = from_hz > to_hz ? from_hz / to_hz : 1;
  skip_ = 0;
  filter_ = nullptr;
  line_.clear();
  if (!is_needed()) return;
  filter_ = filter_for(up_ * down_);
  reach_ = taps * down_ - 1;
  line_.assign(reach_ + chunk_samples, 0);
}

void Resampler::reset() noexcept {
  skip_ = 0;
  std::fill(line_.begin(), line_.end(), std::int16_t{0});
}

std::size_t Resampler::take(std::span<const std::int16_t> in,
                            std::span<std::int16_t> out) noexcept {
  if (!is_needed()) {
    const std::size_t count = std::min(in.size(), out.size());
    std::copy_n(in.begin(), count, out.begin());
    return count;
  }
  std::size_t given = 0;
  while (!in.empty()) {
    const std::size_t count = std::min(in.size(), chunk_samples);
    std::copy_n(in.begin(), count, line_.begin() + static_cast<std::ptrdiff_t>(reach_));
    in = in.subspan(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (skip_ > 0) {
        --skip_;
        continue;
      }
      skip_ = down_ - 1;
      const std::int16_t* const newest = line_.data() + reach_ + i;
      for (std::size_t phase = 0; phase < up_ && given < out.size(); ++phase) {
        std::int64_t sum = 0;
        for (std::size_t k = 0; k < taps * down_; ++k)
          sum += std::int32_t{newest[-static_cast<std::ptrdiff_t>(k)]} * filter_[phase + k * up_];
        // A filter of the slower side's rate has its sum for each of `down_` samples.
        out[given++] = limited(sum / static_cast<std::int64_t>(down_) >> unity_bits);
      }
    }
    std::memmove(line_.data(), line_.data() + count, reach_ * sizeof line_[0]);
  }
  return given;
}

}  // namespace tandem::media
