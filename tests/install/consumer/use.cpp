#include <tandem/version.h>
#include <tandem/audio_codec.hpp>
#include <tandem/clock.hpp>
#include <tandem/values.hpp>

#include <cstdio>

int main() {
  const auto price = tandem::Amount::parse("0.0165");
  const auto address = tandem::SocketAddress::parse("[2001:db8::1]:5060");
  if (!price || !address || price->to_string() != "0.0165" ||
      address->to_string() != "[2001:db8::1]:5060")
    return 1;
  const tandem::SystemClock clock;
  std::printf("tandem %s, up for %lld us\n", TANDEM_VERSION_STRING,
              static_cast<long long>(clock.monotonic_us()));
  // What it was built with works here, too.
  for (const auto& codec : tandem::audio_codecs()) {
    if (codec->make_decoder() == nullptr || codec->make_encoder() == nullptr) return 1;
    std::printf("codec %s\n", codec->facts().name.c_str());
  }
  return clock.monotonic_us() > 0 ? 0 : 1;
}
