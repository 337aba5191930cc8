// Samples at one rate become samples at another (M-07).
#include "media/resampler.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <vector>

using tandem::media::Resampler;

namespace {

std::vector<std::int16_t> sine(double hz, std::uint32_t rate_hz, std::size_t count) {
  std::vector<std::int16_t> samples(count);
  for (std::size_t i = 0; i < count; ++i)
    samples[i] = static_cast<std::int16_t>(
        10000 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / rate_hz));
  return samples;
}

std::vector<std::int16_t> resampled(const std::vector<std::int16_t>& in, std::uint32_t from_hz,
                                    std::uint32_t to_hz, std::size_t at_once = 1920) {
  Resampler resampler;
  resampler.set(from_hz, to_hz);
  std::vector<std::int16_t> out, part(6 * at_once);
  for (std::size_t i = 0; i < in.size(); i += at_once) {
    const std::span<const std::int16_t> some(in.data() + i, std::min(at_once, in.size() - i));
    const std::size_t count = resampler.take(some, part);
    out.insert(out.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return out;
}

/// Of the part at `hz`, without the first tenth: what the filter needs to fill.
double amplitude(const std::vector<std::int16_t>& samples, double hz, std::uint32_t rate_hz) {
  const std::size_t first = samples.size() / 10;
  double re = 0, im = 0;
  for (std::size_t i = first; i < samples.size(); ++i) {
    const double at = 2 * std::numbers::pi * hz * static_cast<double>(i) / rate_hz;
    re += samples[i] * std::cos(at);
    im += samples[i] * std::sin(at);
  }
  return 2 * std::hypot(re, im) / static_cast<double>(samples.size() - first);
}

constexpr std::uint32_t rates_hz[] = {8000, 16000, 48000};

}  // namespace

TEST_CASE("Resampler: a voice keeps its level from every rate to every other, within 0.2 dB") {
  for (const std::uint32_t from_hz : rates_hz) {
    for (const std::uint32_t to_hz : rates_hz) {
      for (const double hz : {300.0, 1000.0, 3400.0}) {
        const auto out = resampled(sine(hz, from_hz, from_hz), from_hz, to_hz);
        CAPTURE(from_hz);
        CAPTURE(to_hz);
        CAPTURE(hz);
        REQUIRE(out.size() == to_hz);
        CHECK(amplitude(out, hz, to_hz) > 9770);
        CHECK(amplitude(out, hz, to_hz) < 10230);
      }
    }
  }
}

TEST_CASE("Resampler: what the slower rate cannot have folds into nothing, and is not made up") {
  // 5,000 Hz would be heard at 3,000.
  for (const std::uint32_t from_hz : {16000U, 48000U})
    CHECK(amplitude(resampled(sine(5000, from_hz, from_hz), from_hz, 8000), 3000, 8000) < 30);
  for (const std::uint32_t to_hz : {16000U, 48000U})
    CHECK(amplitude(resampled(sine(3000, 8000, 8000), 8000, to_hz), 5000, to_hz) < 30);
  CHECK(amplitude(resampled(sine(9000, 48000, 48000), 48000, 16000), 7000, 16000) < 30);
  CHECK(amplitude(resampled(sine(7000, 48000, 48000), 48000, 16000), 7000, 16000) > 9000);
}

TEST_CASE("Resampler: it makes no difference in which parts the samples come") {
  const auto in = sine(700, 48000, 9600);
  const auto whole = resampled(in, 48000, 8000, 4800);
  CHECK(whole.size() == 1600);
  CHECK(resampled(in, 48000, 8000, 960) == whole);
  CHECK(resampled(in, 48000, 8000, 7) == whole);
  const auto narrow = sine(700, 8000, 1600);
  CHECK(resampled(narrow, 8000, 48000, 160) == resampled(narrow, 8000, 48000, 11));
}

TEST_CASE("Resampler: the loudest samples are limited and do not turn over; room is kept to") {
  std::vector<std::int16_t> square(1600);
  for (std::size_t i = 0; i < square.size(); ++i)
    square[i] = i / 40 % 2 == 0 ? std::int16_t{32767} : std::int16_t{-32768};
  const auto out = resampled(square, 8000, 16000);
  for (std::size_t i = 200; i < out.size(); ++i) {
    // Away from the edges, which are 47 samples later, the sign is that of the input.
    const std::size_t at = (i - 47) % 80;
    if (at < 12 || at > 68) continue;
    REQUIRE((out[i] > 0) == ((i - 47) / 80 % 2 == 0));
  }
  Resampler resampler;
  resampler.set(8000, 48000);
  std::vector<std::int16_t> few(100);
  CHECK(resampler.take(square, few) == 100);
}
