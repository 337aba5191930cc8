// What the relay itself spends on a packet, without any network: plain, watched for keys and
// payload types, tapped, and converted.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench.hpp"
#include "media/audio_bridge.hpp"
#include "media/flow.hpp"
#include "media/tap_ring.hpp"

namespace tandem::bench {
namespace {

constexpr std::uint32_t calls = 500;
constexpr std::size_t rtp_bytes = 172;  // G.711, 20 ms

/// Calls whose callers speak in turn.
class Speech {
 public:
  Speech() : flows_(4 * calls), packet_(rtp_bytes, '\x55') {
    packet_[0] = '\x80';
    packet_[1] = '\0';
    for (std::uint32_t call = 0; call < calls; ++call) {
      flows_.open(4 * call, 4 * call + 2);
      flows_[4 * call + 2].signalled.store(media::pack({IpAddress::ipv4(127, 0, 0, 2), 4000}));
    }
    from_ = media::pack({IpAddress::ipv4(127, 0, 0, 3), 4000});
  }

  void watch() {
    for (std::uint32_t call = 0; call < calls; ++call) {
      Watch& watch = flows_.watch(4 * call);
      watch.negotiated[0].store(1);
      watch.keys[1].store(std::uint64_t{1} << (101 - 64));
      flows_[4 * call].flags.store(media::FlowRecord::watched);
    }
  }
  void tap(media::TapRing& ring) {
    for (std::uint32_t call = 0; call < calls; ++call)
      flows_.watch(4 * call).tap.store(&ring);
    ring_ = &ring;
  }

  /// Has a sink in the place of the network. Packets are of 20 ms, where a jitter buffer is needed
  /// through one. False: one of the codecs is not known here.
  bool convert(const char* from, const char* to) {
    MediaAudio of_caller, of_callee;
    of_caller.codec = find_audio_codec(from);
    of_caller.payload_type = 0;  // as its packets have it
    of_callee.codec = find_audio_codec(to);
    of_callee.payload_type = 8;
    if (of_caller.codec == nullptr || of_callee.codec == nullptr) return false;
    units_ = of_caller.codec->facts().clock_rate_hz / 50;
    std::vector<std::int16_t> samples(of_caller.codec->facts().sample_rate_hz / 50);
    for (std::size_t i = 0; i < samples.size(); ++i)
      samples[i] = static_cast<std::int16_t>(i * 2654435761U >> 18);  // nothing that is cheap
    std::vector<std::uint8_t> payload(1500);
    const std::size_t size = of_caller.codec->make_encoder()->encode(samples, payload);
    packet_.resize(12);
    packet_.append(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(size));
    totals_.sender = &sink_;
    for (std::uint32_t call = 0; call < calls; ++call) {
      bridges_.push_back(std::make_shared<media::AudioBridge>(call, 20, 200));
      (void)bridges_.back()->set(of_caller, of_callee);  // in range
      flows_.watch(4 * call).bridge.store(bridges_.back().get());
      flows_[4 * call].flags.store(media::FlowRecord::watched);
    }
    return true;
  }

  double ns() {
    return best_ns_per_operation(20'000, [this](std::uint64_t n) {
      TappedPacket taken;
      for (std::uint64_t i = 0; i < n; ++i) {
        const auto call = static_cast<std::uint32_t>(i % calls);
        if (call == 0) next_packet();
        media::Onward onward;
        const bool is_passed = flows_.judge(4 * call, from_, packet_, now_us_, totals_, onward);
        if (bridges_.empty()) flows_.sent(onward, is_passed, totals_);
        if (ring_ != nullptr) (void)ring_->take(taken);
      }
      keep(totals_.forwarded.load());
    });
  }

 private:
  using Watch = media::Watch;
  struct Sink final : media::DatagramSender {
    bool send_datagram(unsigned, const media::Onward& onward) noexcept override {
      keep(onward.bytes.back());
      return true;
    }
    void on_bridge_begun(unsigned, std::uint32_t, media::AudioBridge&) noexcept override {}
  };
  void next_packet() {
    now_us_ += 20'000;
    ++sequence_;
    packet_[2] = static_cast<char>(sequence_ >> 8);
    packet_[3] = static_cast<char>(sequence_);
    const std::uint32_t timestamp = sequence_ * units_;
    for (std::size_t i = 0; i < 4; ++i)
      packet_[4 + i] = static_cast<char>(timestamp >> (24 - 8 * i));
  }

  media::FlowTable flows_;
  media::ShardCounters totals_;
  Sink sink_;
  std::vector<std::shared_ptr<media::AudioBridge>> bridges_;
  media::PackedAddress from_;
  media::TapRing* ring_ = nullptr;
  std::string packet_;
  std::int64_t now_us_ = 1'000'000;
  std::uint16_t sequence_ = 0;
  std::uint32_t units_ = 160;  // of a packet, by the RTP clock
};

/// Both ways of a call in turn would hide which of them costs.
Figure converted(const char* from, const char* to) {
  Speech speech;
  if (!speech.convert(from, to))
    return Figure::skipped(std::string("the library was built without ") + from + " or " + to);
  return Figure{speech.ns() / 1000, "{\"calls\":" + std::to_string(calls) + ",\"from\":\"" + from +
                                        "\",\"to\":\"" + to + "\"}"};
}

}  // namespace

TANDEM_BENCH("media.transcode_cpu_us_per_packet", "us") { return converted("PCMA", "PCMU"); }
TANDEM_BENCH("media.transcode_from_g722_cpu_us_per_packet", "us") {
  return converted("G722", "PCMA");
}
TANDEM_BENCH("media.transcode_to_g722_cpu_us_per_packet", "us") {
  return converted("PCMA", "G722");
}
TANDEM_BENCH("media.transcode_from_opus_cpu_us_per_packet", "us") {
  return converted("opus", "PCMA");
}
TANDEM_BENCH("media.transcode_to_opus_cpu_us_per_packet", "us") {
  return converted("PCMA", "opus");
}

TANDEM_BENCH("media.judge_ns_per_packet", "ns") {
  Speech plain, watched, tapped;
  watched.watch();
  media::TapRing ring(1 << 20);
  tapped.watch();
  tapped.tap(ring);
  const double plain_ns = plain.ns();
  const double watched_ns = watched.ns();
  const double tapped_ns = tapped.ns();
  return Figure{plain_ns, "{\"calls\":" + std::to_string(calls) +
                              ",\"watched_ns\":" + std::to_string(watched_ns) +
                              ",\"tapped_and_taken_ns\":" + std::to_string(tapped_ns) + "}"};
}

}  // namespace tandem::bench
