// Copies of messages to a capture server: HEP version 3, the protocol of Homer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/loop.hpp"
#include "tandem/trace.hpp"

namespace tandem::trace {

/// One packet of HEP3 ("HEP3/EEP: Homer Encapsulation Protocol v3", chunks of vendor 0).
/// `correlation`: what joins the legs of a call, "" for none.
std::string hep_packet(const TraceEntry& entry, const HepConfig& config,
                       std::string_view correlation);

struct HepCounters {
  std::atomic<std::uint64_t> sent{0}, dropped{0};
};

/// Sends over UDP from one loop and never waits: what is over `queue_packets` in a turn of the loop
/// is dropped and counted.
///
/// Threading: loop-bound, but for `counters`.
class HepSender final : private io::DatagramHandler {
 public:
  /// Errors: io.
  static Result<std::unique_ptr<HepSender>> open(const HepConfig& config, io::Loop& loop,
                                                 const SocketAddress& local, HepCounters& counters);
  ~HepSender() override;
  void send(const TraceEntry& entry, std::string_view correlation);

 private:
  HepSender(const HepConfig& config, io::Loop& loop, HepCounters& counters)
      : config_(config), loop_(loop), counters_(counters) {}
  void on_datagram(const SocketAddress&, std::string_view) override {}

  const HepConfig config_;
  io::Loop& loop_;
  HepCounters& counters_;
  std::unique_ptr<io::DatagramSocket> socket_;
  std::shared_ptr<std::int32_t> waiting_ = std::make_shared<std::int32_t>(0);
};

}  // namespace tandem::trace
