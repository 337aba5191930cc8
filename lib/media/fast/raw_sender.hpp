// Sends datagrams from any port of the media addresses, many at a time and without a socket for
// each port: by a packet socket where the way leaves over Ethernet and is known, else by raw IP.
#pragma once

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "media/fast/next_hops.hpp"
#include "media/fast/udp_headers.hpp"
#include "media/flow.hpp"
#include "media/system_socket.hpp"
#include "tandem/error.hpp"

namespace tandem::media {

/// Threading: one thread at a time.
class RawSender {
 public:
  static constexpr unsigned batch_max = 64;
  static constexpr std::size_t header_room = 64;  ///< More than all headers take.

  struct Outcome {
    virtual void on_sent(const Onward& onward, bool is_sent) noexcept = 0;

   protected:
    ~Outcome() = default;
  };

  /// Errors: unsupported (CAP_NET_RAW), limit, io.
  Result<void> create(const IpAddress& address4, const IpAddress& address6, std::uint8_t tos);

  /// Sends `onward` from `from` with the next flush(), or now when there is no room.
  /// `has_room`: its bytes stay until then, and header_room bytes before them are nobody's; else
  /// they are copied.
  void add(const Onward& onward, const PackedAddress& from, bool has_room, std::int64_t now_us,
           Outcome& outcome) noexcept;
  void flush(Outcome& outcome) noexcept;

  bool send(const Onward& onward, const PackedAddress& from) noexcept;  ///< At once.

  /// How many left by the packet socket.
  [[nodiscard]] std::uint64_t sent_as_frames() const noexcept { return sent_as_frames_; }

 private:
  static constexpr std::size_t ethernet_bytes = 14;
  struct Message {
    Onward onward;
    PackedAddress from;
    union {
      SystemAddress to;
      sockaddr_ll link;
    };
    iovec packet;
  };
  struct Batch {
    UniqueFd socket;
    unsigned count = 0;
    mmsghdr system[batch_max] = {};
    Message messages[batch_max] = {};
  };
  /// Writes the headers before the bytes. `hop` null: the kernel finds the way.
  void fill(Message& message, msghdr& system, const Onward& onward, const PackedAddress& from,
            const NextHop* hop) const noexcept;
  void flush(Batch& batch, Outcome& outcome) noexcept;
  bool send_in_fragments(const Onward& onward, const PackedAddress& from) const noexcept;

  static constexpr std::size_t copied_bytes_max = 2048;
  static_assert(header_room >= ethernet_bytes + udp_headers_max);
  static constexpr std::size_t copy_bytes = header_room + copied_bytes_max;
  std::uint8_t tos_ = 0;
  static constexpr std::size_t frames = 2;
  std::unique_ptr<Batch> batches_[3];  // IPv4, IPv6, frames of both
  std::unique_ptr<char[]> copies_;     // batch_max of them for each, with header_room before
  std::unique_ptr<char[]> large_;      // one for send(), likewise
  NextHops hops_;
  std::uint64_t sent_as_frames_ = 0;
};

}  // namespace tandem::media
