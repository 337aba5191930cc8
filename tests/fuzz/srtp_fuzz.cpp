// Any bytes as SRTP and SRTCP of a side, by every suite: nobody who has no key gets anything
// through, and what the side encrypts itself comes back as it was, once.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "media/rtp.hpp"
#include "media/srtp_side.hpp"

namespace {

using namespace tandem;
using namespace tandem::media;

SrtpKey key_of(SrtpSuite suite, int seed) {
  SrtpKey key{suite, {}};
  for (std::size_t i = 0; i < srtp_key_bytes(suite); ++i)
    key.key.push_back(static_cast<char>(seed + static_cast<int>(i) * 7));
  return key;
}

/// Errors of the cipher are none of the input's.
std::shared_ptr<SrtpSide> side(const SrtpKey& receive, const SrtpKey& send) {
  auto made = SrtpSide::create({receive, send}, nullptr);
  if (!made) std::abort();
  return *made;
}

}  // namespace

// The input: a byte for the suite, then for each packet a byte for what happens to it and a byte
// for its length, then the packet.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const auto suite = static_cast<SrtpSuite>(1 + data[0] % 6);
  const SrtpKey ours = key_of(suite, 1), theirs = key_of(suite, 99);
  const auto one = side(theirs, ours), other = side(ours, theirs);
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  while (rest.size() > 2) {
    const auto choice = static_cast<std::uint8_t>(rest[0]);
    const std::size_t length = static_cast<std::uint8_t>(rest[1]);
    rest.remove_prefix(2);
    const std::string packet(rest.substr(0, length));
    rest.remove_prefix(packet.size());
    const bool is_rtcp = (choice & 1) != 0;
    // The relay gives a side only what has the header of its kind.
    const bool is_whole = is_rtcp ? parse_rtcp(packet).has_value() : parse_rtp(packet).has_value();
    std::string_view bytes = packet;
    if ((choice & 2) == 0) {
      if (!is_rtcp && !is_whole) continue;
      const SrtpVerdict verdict = is_rtcp ? one->open_rtcp(bytes) : one->open_rtp(bytes);
      if (verdict == SrtpVerdict::authentic && bytes.size() >= packet.size()) std::abort();
      continue;
    }
    if (!is_whole) continue;
    if (!(is_rtcp ? one->seal_rtcp(bytes) : one->seal_rtp(bytes))) continue;
    std::string sealed(bytes);
    if (sealed.size() <= packet.size()) std::abort();
    if ((choice & 4) != 0) {
      // A bit that was turned over on the way is seen, in the header too.
      std::string broken = sealed;
      broken[choice % broken.size()] ^= static_cast<char>(1 << (choice >> 5));
      std::string_view bent = broken;
      const bool is_header_whole = is_rtcp || parse_rtp(bent).has_value();
      if (is_header_whole &&
          (is_rtcp ? other->open_rtcp(bent) : other->open_rtp(bent)) == SrtpVerdict::authentic)
        std::abort();
    }
    std::string_view back = sealed;
    const SrtpVerdict verdict = is_rtcp ? other->open_rtcp(back) : other->open_rtp(back);
    // Who begins anew under its SSRC is numbered on.
    std::string wanted = packet;
    if (!is_rtcp) wanted.replace(2, 2, sealed, 2, 2);
    if (verdict == SrtpVerdict::authentic && back != wanted) std::abort();
    std::string_view again = sealed;
    if ((is_rtcp ? other->open_rtcp(again) : other->open_rtp(again)) == SrtpVerdict::authentic)
      std::abort();
  }
  return 0;
}
