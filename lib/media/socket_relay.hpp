// The ports of the backends that have a UDP socket for each.
//
// That socket is never connected: a connected one does not hear other sources, so neither could a
// hijack be counted, nor could a stream that continues from another port (a NAT that forgot its
// mapping) take over at once, as M-02 wants. A stream that lasts gets a second socket on the same
// port, connected to its other end, a line: the system gives it what comes from there, the first
// one still hears everybody else, and sending through it looks up no route. docs/media.md has the
// figures.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "media/system_socket.hpp"
#include "media/threaded_relay.hpp"

namespace tandem::media {

class SocketRelay : public ThreadedRelay {
 protected:
  explicit SocketRelay(const MediaConfig& config) : ThreadedRelay(config) {}

  /// What a packet came by, or leaves by: the slot of its port, with this for its line.
  static constexpr std::uint32_t line_event = 0x80000000;
  static constexpr std::uint32_t no_line = 0xFFFFFFFF;

  // The second socket of an RTP port, connected to where its stream goes. Its shard's alone.
  struct Line {
    UniqueFd socket;
    PackedAddress to;           ///< What it is connected to; not set: nothing.
    PackedAddress sent_to;      ///< Where the last packets went that it did not take,
    std::uint32_t packets = 0;  ///< how many they were, and how many it takes.
    std::uint32_t due_packets = 0;
    std::uint32_t received = 0;
    std::uint32_t turn = 0;        // of its shard, in which it last had a packet
    std::uint32_t generation = 0;  ///< Of its socket.
    std::uint32_t epoch = 0;       ///< Of the call that it was connected for.
    std::uint32_t next = no_line;  ///< In the list of its shard,
    bool is_listed = false;        ///< when it is there.
  };

  Result<void> make_ports();  ///< After make_wakers().
  /// Packets of `socket`, which is nonblocking, are wanted from now on. 0, or why not (errno). Of
  /// a port on any thread, of a line on that of `shard`.
  virtual int listen(unsigned shard, std::uint32_t event, int socket) noexcept = 0;
  /// ... no longer: the socket of a line is about to be closed. On the thread of `shard`.
  virtual void ignore(unsigned, std::uint32_t, int) noexcept {}

  [[nodiscard]] int port_socket(std::uint32_t slot) const noexcept {
    return sockets_[slot].load(std::memory_order_relaxed);
  }
  [[nodiscard]] Line& line(std::uint32_t slot) noexcept { return lines_[slot / 2]; }
  [[nodiscard]] bool has_lines(unsigned shard) const noexcept {
    return first_line_[shard] != no_line;
  }
  /// The line that `onward` can leave by, connected where that has become worth it; null: none.
  Line* line_for(unsigned shard, const Onward& onward) noexcept;
  /// It took no packet. Another try is due, but not at once: nobody listens there, or there are no
  /// files left.
  void lose_line(unsigned shard, std::uint32_t slot, const PackedAddress& to) noexcept;

  std::optional<BindFailure> bind_pair(unsigned shard, std::uint32_t slot) final;

  /// What the socket of `event` says of how many datagrams found no room, since it was opened.
  void count_overflows(std::uint32_t event, std::uint32_t dropped, ShardCounters& totals) noexcept;

  bool send_datagram(unsigned shard, const Onward& onward) noexcept final;
  bool send_by_port(const Onward& onward) noexcept;
  void on_scan(unsigned shard) noexcept final { end_lines(shard); }
  void free_ports() noexcept override;

 private:
  enum class Sharing : std::uint8_t { none, beside_another };

  Result<UniqueFd> bind_port(const SocketAddress& address, bool& is_busy,
                             Sharing sharing = Sharing::none);
  void count_lines_allowed() noexcept;
  bool connect_line(unsigned shard, std::uint32_t slot, const PackedAddress& to) noexcept;
  void close_line(unsigned shard, std::uint32_t slot) noexcept;
  void end_lines(unsigned shard) noexcept;

  std::unique_ptr<std::atomic<int>[]>
      sockets_;                            // by slot; written once, before the slot is first used
  std::unique_ptr<Line[]> lines_;          // by pair of ports
  std::vector<std::uint32_t> first_line_;  // of a shard, of those that may be open, by pair
  std::atomic<std::int64_t> lines_left_{0};
  // By slot, first those of the ports, then those of the lines; its shard's: what the socket told
  // last.
  std::unique_ptr<std::uint32_t[]> overflows_;
};

}  // namespace tandem::media
