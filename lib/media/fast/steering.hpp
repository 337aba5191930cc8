// Which socket gets the datagrams of a media port, by a program that the kernel runs before it
// looks for a socket (BPF_PROG_TYPE_SK_LOOKUP, Linux 5.9).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "media/system_socket.hpp"
#include "tandem/error.hpp"
#include "tandem/values.hpp"

namespace tandem::media {

/// What the program knows of one local port. The program reads it for each datagram and adds to
/// `arrived` and `dropped`; all else is written here.
struct SteeredPort {
  std::atomic<std::uint32_t> socket{0};  ///< Number of its socket plus one; 0: left alone.
  std::atomic<std::uint32_t> arrived{0};
  std::atomic<std::uint32_t> taken{0};    ///< Of those that arrived, modulo 2^32. Its shard's.
  std::atomic<std::uint32_t> dropped{0};  ///< Found `waiting_max` before them.
  std::uint32_t told = 0;                 ///< Of those that were dropped. Its shard's.
  std::uint32_t unused = 0;
};
static_assert(sizeof(SteeredPort) == 24);

/// The program and its tables. It ends with this object and with the process.
///
/// A port may have `waiting_max` datagrams in its socket at a time: all ports of a shard share one
/// receive buffer, and a flood on one port must not take the room of the others.
///
/// Threading: create(), add_socket() and attach() one thread at a time; port() as SteeredPort says.
class Steering {
 public:
  struct Range {
    IpAddress address4, address6;  ///< Family none: not steered.
    std::uint16_t port_first = 0;
    std::uint32_t ports = 0;  ///< Of either family: those of IPv4 have the first slots.
    std::uint32_t slots = 0;
    std::uint32_t waiting_max = 16;
  };

  Steering() = default;
  ~Steering();
  Steering(const Steering&) = delete;
  Steering& operator=(const Steering&) = delete;

  /// Errors: unsupported (which privilege is missing, or what the kernel has not), limit.
  Result<void> create(const Range& range, std::uint32_t sockets);
  Result<void> add_socket(std::uint32_t number, int fd);  ///< It is bound. Errors: as create().
  Result<void> attach();  ///< In the network namespace of this thread. Errors: as create().

  [[nodiscard]] bool is_there() const noexcept { return ports_ != nullptr; }  ///< create() was.
  [[nodiscard]] SteeredPort& port(std::uint32_t slot) noexcept { return ports_[slot]; }

 private:
  UniqueFd table_, sockets_, program_, link_;
  SteeredPort* ports_ = nullptr;
  std::size_t mapped_bytes_ = 0;
};

/// The capabilities that all this needs and this thread lacks, in one line; nothing:
/// it has all.
std::optional<std::string> missing_capabilities();

}  // namespace tandem::media
