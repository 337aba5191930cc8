// Which part of the system carries the packets of the relay.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tandem/export.h"

namespace tandem {

/// What moves packets. What a call may do and what is counted is the same with all (docs/media.md).
enum class MediaBackend : std::uint8_t {
  automatic,  ///< `kernel` where MediaKernelConfig names interfaces, else `portable`.
  portable,   ///< UDP sockets and epoll; runs everywhere.
  fast,       ///< sk_lookup and Ethernet frames where they are allowed, else io_uring.
  kernel,     ///< The packets of plain streams never leave the kernel; others go as in `portable`.
};
/// "auto", "portable", "fast", "kernel".
TANDEM_EXPORT const char* media_backend_name(MediaBackend backend) noexcept;

/// Where the kernel hands packets to the program of MediaBackend::kernel.
enum class MediaAttach : std::uint8_t {
  automatic,    ///< The first of the others that all interfaces allow.
  xdp_native,   ///< In the driver, before a packet is anything to the system; few drivers can.
  xdp_generic,  ///< Behind the driver, with any interface.
  tc,           ///< At the ingress of traffic control; Linux 6.6.
};
/// "auto", "xdp_native", "xdp_generic", "tc".
TANDEM_EXPORT const char* media_attach_name(MediaAttach attach) noexcept;

/// What MediaBackend::kernel needs to know.
struct MediaKernelConfig {
  /// Network interfaces that media comes in by, 1..16; none: the kernel is not used.
  std::vector<std::string> interfaces;
  MediaAttach attach = MediaAttach::automatic;
  /// On a mounted bpf file system: what is kept there goes on relaying when the process dies, and
  /// the next relay with the same folder takes it over. One folder for each relay.
  std::string folder = "/sys/fs/bpf/tandem";
  /// Packets of one direction that are passed on in a second, 50..1,000,000; what is above is
  /// dropped and counted. 0: any number.
  std::uint32_t packets_per_s_max = 5000;
  /// A call that was taken over and that nobody claimed ends when one of its sides was silent for
  /// so long, 1,000..3,600,000.
  std::uint32_t adopted_silence_ms = 60'000;
  bool operator==(const MediaKernelConfig&) const = default;
};

/// What is known of one backend.
struct MediaBackendState {
  MediaBackend backend = MediaBackend::portable;
  bool is_usable = false;
  bool is_running = false;  ///< Of one that carries the packets of a relay.
  std::string detail;       ///< How it runs, or in one line why it cannot be used.
};

}  // namespace tandem
