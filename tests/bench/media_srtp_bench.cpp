// What encryption costs: one packet of G.711 to and one from a side with keys, without any network.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "bench.hpp"
#include "media/srtp_side.hpp"

namespace tandem::bench {
namespace {

constexpr std::size_t rtp_bytes = 172;  // 20 ms

/// CPU ns to encrypt a packet, and to take the encryption off again.
struct Cost {
  double sealed_ns = 0, opened_ns = 0;
};

Cost cost_of(SrtpSuite suite) {
  const SrtpKey key{suite, std::string(srtp_key_bytes(suite), '\x42')};
  const auto sender = media::SrtpSide::create({key, key}, nullptr).value();
  const auto receiver = media::SrtpSide::create({key, key}, nullptr).value();
  std::string packet(rtp_bytes, '\x55');
  packet[0] = '\x80';
  std::uint16_t sequence = 0;
  constexpr std::uint64_t packets = 2000;
  Cost best;
  const std::int64_t end_ns = wall_ns() + static_cast<std::int64_t>(seconds() * 1e9 / 3);
  for (int round = 0; round < 3 || wall_ns() < end_ns; ++round) {
    std::int64_t sealed_ns = 0, opened_ns = 0;
    std::uint64_t authentic = 0;
    for (std::uint64_t i = 0; i < packets; ++i) {
      ++sequence;
      packet[2] = static_cast<char>(sequence >> 8);
      packet[3] = static_cast<char>(sequence);
      std::string_view bytes = packet;
      const std::int64_t began_ns = thread_cpu_ns();
      (void)sender->seal_rtp(bytes);  // a new packet each time
      const std::int64_t between_ns = thread_cpu_ns();
      authentic += receiver->open_rtp(bytes) == media::SrtpVerdict::authentic ? 1 : 0;
      opened_ns += thread_cpu_ns() - between_ns;
      sealed_ns += between_ns - began_ns;
    }
    keep(authentic);
    const double sealed = static_cast<double>(sealed_ns) / packets;
    const double opened = static_cast<double>(opened_ns) / packets;
    best.sealed_ns = round == 0 ? sealed : std::min(best.sealed_ns, sealed);
    best.opened_ns = round == 0 ? opened : std::min(best.opened_ns, opened);
  }
  return best;
}

}  // namespace

TANDEM_BENCH("media.srtp_cpu_us_per_packet", "us") {
  std::string detail = "{\"bytes\":" + std::to_string(rtp_bytes);
  double dearest_ns = 0;
  for (const SrtpSuite suite : {SrtpSuite::aes_cm_128_hmac_sha1_80, SrtpSuite::aead_aes_128_gcm}) {
    const Cost cost = cost_of(suite);
    const std::string name = srtp_suite_name(suite);
    detail += ",\"" + name + "\":{\"sealed_ns\":" + std::to_string(cost.sealed_ns) +
              ",\"opened_ns\":" + std::to_string(cost.opened_ns) + '}';
    if (suite == SrtpSuite::aes_cm_128_hmac_sha1_80)
      dearest_ns = std::max(cost.sealed_ns, cost.opened_ns);
  }
  return Figure{dearest_ns / 1000, detail + '}'};
}

}  // namespace tandem::bench
