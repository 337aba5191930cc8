#include "tandem/audio_clip.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numbers>
#include <utility>

#include "base/g711.hpp"

namespace tandem {
namespace {

constexpr int rate_hz = 8000;
constexpr double pi = std::numbers::pi;
// -13 dBm0 each for two frequencies, -10 for one: what ITU-T E.180 recommends.
constexpr double amplitude = 5000;

/// On and off in turn, in milliseconds, with one or two frequencies.
struct Cadence {
  std::string_view country, name;
  int hz[2];
  std::array<int, 4> ms;
};

// ITU-T E.180 supplement 2 and the national plans that it lists.
constexpr std::array cadences = {
    Cadence{"itu", "ringback", {425, 0}, {1000, 4000, 0, 0}},
    Cadence{"itu", "busy", {425, 0}, {500, 500, 0, 0}},
    Cadence{"itu", "congestion", {425, 0}, {250, 250, 0, 0}},
    Cadence{"itu", "warning", {1400, 0}, {400, 200, 400, 1000}},
    Cadence{"us", "ringback", {440, 480}, {2000, 4000, 0, 0}},
    Cadence{"us", "busy", {480, 620}, {500, 500, 0, 0}},
    Cadence{"us", "congestion", {480, 620}, {250, 250, 0, 0}},
    Cadence{"gb", "ringback", {400, 450}, {400, 200, 400, 2000}},
    Cadence{"gb", "busy", {400, 0}, {375, 375, 0, 0}},
    Cadence{"gb", "congestion", {400, 0}, {400, 350, 225, 525}},
    Cadence{"fr", "ringback", {440, 0}, {1500, 3500, 0, 0}},
    Cadence{"fr", "busy", {440, 0}, {500, 500, 0, 0}},
    Cadence{"es", "ringback", {425, 0}, {1500, 3000, 0, 0}},
    Cadence{"es", "busy", {425, 0}, {200, 200, 0, 0}},
    Cadence{"cn", "ringback", {450, 0}, {1000, 4000, 0, 0}},
    Cadence{"cn", "busy", {450, 0}, {350, 350, 0, 0}},
    Cadence{"cn", "congestion", {450, 0}, {700, 700, 0, 0}},
    Cadence{"jp", "ringback", {384, 416}, {1000, 2000, 0, 0}},
    Cadence{"jp", "busy", {400, 0}, {500, 500, 0, 0}},
    Cadence{"ru", "ringback", {425, 0}, {1000, 4000, 0, 0}},
    Cadence{"ru", "busy", {425, 0}, {400, 400, 0, 0}},
};

std::uint32_t number(std::string_view bytes, std::size_t at, std::size_t size) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = size; i-- > 0;)
    value = value << 8 | static_cast<std::uint8_t>(bytes[at + i]);
  return value;
}

Error refused(std::string what) { return Error{ErrorCode::invalid_argument, std::move(what)}; }

}  // namespace

Result<AudioClip> AudioClip::of(std::vector<std::int16_t> samples) {
  if (samples.size() > samples_max)
    return Error{ErrorCode::limit,
                 std::to_string(samples.size()) + " samples were more than two minutes"};
  AudioClip clip;
  if (!samples.empty())
    clip.samples_ = std::make_shared<const std::vector<std::int16_t>>(std::move(samples));
  return clip;
}

const std::vector<std::int16_t>& AudioClip::samples() const noexcept {
  static const std::vector<std::int16_t> none;
  return samples_ == nullptr ? none : *samples_;
}

std::int64_t AudioClip::duration_us() const noexcept {
  return static_cast<std::int64_t>(samples().size()) * 1'000'000 / rate_hz;
}

Result<AudioClip> AudioClip::parse_wav(std::string_view bytes) {
  constexpr std::uint32_t format_pcm = 1, format_alaw = 6, format_ulaw = 7;
  if (bytes.size() < 12 || bytes.substr(0, 4) != "RIFF" || bytes.substr(8, 4) != "WAVE")
    return refused("the file did not begin as a WAV file does");
  std::uint32_t format = 0, bits = 0;
  for (std::size_t at = 12; bytes.size() - at >= 8;) {
    const std::string_view name = bytes.substr(at, 4);
    const std::size_t said = number(bytes, at + 4, 4);
    at += 8;
    // The last chunk of a file that was written as a stream says more than there is.
    const std::string_view chunk = bytes.substr(at, said);
    if (name == "fmt ") {
      if (chunk.size() < 16) return refused("the format of the WAV file was cut off");
      format = number(chunk, 0, 2);
      bits = number(chunk, 14, 2);
      const std::uint32_t channels = number(chunk, 2, 2), rate = number(chunk, 4, 4);
      const bool is_known = (format == format_pcm && bits == 16) ||
                            ((format == format_alaw || format == format_ulaw) && bits == 8);
      if (!is_known || channels != 1 || rate != rate_hz)
        return refused("WAV format " + std::to_string(format) + ", " + std::to_string(bits) +
                       " bits, " + std::to_string(channels) + " channels, " + std::to_string(rate) +
                       " Hz was not one channel of 16-bit PCM, A-law or mu-law at 8000 Hz");
    } else if (name == "data") {
      if (format == 0) return refused("the WAV file had no format before its data");
      const std::size_t size = bits / 8;
      const std::size_t count = chunk.size() / size;
      if (count == 0) return refused("the WAV file had no samples");
      if (count > samples_max)
        return Error{ErrorCode::limit, "the WAV file was longer than two minutes: " +
                                           std::to_string(count) + " samples"};
      std::vector<std::int16_t> samples(count);
      for (std::size_t i = 0; i < count; ++i) {
        const auto code = static_cast<std::uint8_t>(chunk[i * size]);
        samples[i] = format == format_alaw   ? alaw_samples[code]
                     : format == format_ulaw ? ulaw_samples[code]
                                             : static_cast<std::int16_t>(number(chunk, 2 * i, 2));
      }
      return of(std::move(samples));
    }
    if (chunk.size() < said) break;
    at += said + (said & 1);
    if (at > bytes.size()) break;
  }
  return refused("the WAV file had no data");
}

Result<AudioClip> AudioClip::load_wav(const std::string& path) {
  constexpr std::size_t bytes_max = 2 * samples_max + 65536;
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{ErrorCode::io, "audio file \"" + path + "\" could not be opened"};
  std::string bytes;
  while (in && bytes.size() <= bytes_max) {  // in pieces: a voice has a hundred short files
    constexpr std::size_t piece_bytes = 65536;
    const std::size_t before = bytes.size();
    bytes.resize(before + piece_bytes);
    in.read(bytes.data() + before, piece_bytes);
    bytes.resize(before + static_cast<std::size_t>(in.gcount()));
  }
  if (bytes.size() > bytes_max)
    return Error{ErrorCode::limit, "audio file \"" + path + "\" was longer than two minutes"};
  auto clip = parse_wav(bytes);
  if (!clip)
    return Error{clip.error().code, "audio file \"" + path + "\": " + clip.error().message};
  return clip;
}

Result<AudioClip> AudioClip::tone(std::string_view name, std::string_view country) {
  if (country.empty()) country = "itu";
  for (const Cadence& cadence : cadences) {
    if (cadence.name != name || cadence.country != country) continue;
    std::vector<std::int16_t> samples;
    bool is_on = true;
    for (const int ms : cadence.ms) {
      for (int i = 0; i < ms * rate_hz / 1000; ++i) {
        double sum = 0;
        for (const int hz : cadence.hz)
          sum += amplitude * std::sin(2 * pi * hz * i / rate_hz);
        samples.push_back(is_on ? static_cast<std::int16_t>(std::lround(sum)) : std::int16_t{0});
      }
      is_on = !is_on;
    }
    return of(std::move(samples));
  }
  return Error{ErrorCode::not_found, "no tone \"" + std::string(name) + "\" of \"" +
                                         std::string(country) + "\" was known"};
}

Result<AudioClip> AudioClip::load(const std::string& source) {
  constexpr std::string_view mark = "tone:";
  if (source.rfind(mark, 0) != 0) return load_wav(source);
  const std::string_view spelled = std::string_view(source).substr(mark.size());
  const std::size_t slash = spelled.find('/');
  return tone(spelled.substr(0, slash),
              slash == std::string_view::npos ? std::string_view() : spelled.substr(slash + 1));
}

}  // namespace tandem
