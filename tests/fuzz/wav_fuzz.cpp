// Any bytes as a WAV file: what is taken has samples, no more than fit in the bytes and in two
// minutes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tandem/audio_clip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  const auto clip = AudioClip::parse_wav({reinterpret_cast<const char*>(data), size});
  if (!clip) {
    if (clip.error().message.empty() || clip.error().message.find('\n') != std::string::npos)
      std::abort();
    return 0;
  }
  const std::size_t count = clip->samples().size();
  if (count == 0 || count > size || count > AudioClip::samples_max) std::abort();
  return 0;
}
