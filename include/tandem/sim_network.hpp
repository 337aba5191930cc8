// What can be set and seen of the simulated network.
#pragma once

#include <cstdint>
#include <string_view>

#include "tandem/values.hpp"

namespace tandem::sim {

/// How datagrams and connections fare from one address to another. One direction.
struct LinkSettings {
  std::int64_t delay_us = 500;  ///< One way, 0..60 s.
  std::int64_t jitter_us =
      0;  ///< Uniform 0..jitter on top of the delay; datagrams then overtake each other.
  int loss_per_mille =
      0;  ///< 0..1000. A stream is not cut by a loss but delayed by `retransmit_us`.
  int duplicate_per_mille = 0;  ///< 0..1000, datagrams only.
  int reorder_per_mille = 0;    ///< 0..1000, datagrams only: held back by `reorder_us`.
  std::int64_t reorder_us = 5'000;
  int mtu_bytes = 0;  ///< Longer datagrams are lost, as where fragments are filtered; 0: none.
  int cut_bytes = 0;  ///< Longer datagrams arrive cut to this; 0: never.
  bool partitioned = false;              ///< Nothing passes.
  std::int64_t retransmit_us = 200'000;  ///< Delay of a stream's lost segment.
};

/// What became of a datagram when it was sent.
enum class DatagramFate : std::uint8_t { sent, lost, filtered, partitioned, too_long };

/// One datagram as the sender's wire sees it.
struct DatagramView {
  SocketAddress from;
  SocketAddress to;
  std::string_view bytes;  ///< Ends with the call.
  std::int64_t at_us;      ///< Monotonic time of sending.
  DatagramFate fate = DatagramFate::sent;
};

/// Datagrams since the network was made, and streams. Sent = lost + filtered + partitioned +
/// too_long + on their way
/// + delivered + unreachable + undeliverable - duplicated.
struct NetworkCounters {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;      ///< By `loss_per_mille`.
  std::uint64_t filtered = 0;  ///< By drop_if().
  std::uint64_t partitioned = 0;
  std::uint64_t too_long = 0;  ///< By `mtu_bytes`.
  std::uint64_t cut = 0;       ///< By `cut_bytes` or the receiver's `datagram_bytes_max`.
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t unreachable = 0;  ///< Nobody owned the port.
  std::uint64_t undeliverable =
      0;  ///< The receiving loop was stopped or its backlog before start() was full.
  std::uint64_t streams_opened = 0;
  std::uint64_t streams_refused = 0;
  std::uint64_t stream_bytes = 0;  ///< Delivered.
};

}  // namespace tandem::sim
