// Connections that a thread of its own may wait on, each wait with an end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tandem/clock.hpp"
#include "tandem/error.hpp"

namespace tandem::remote {

/// A connection. Destroying it closes it. Threading: one thread at a time.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// Sends at least one byte of `bytes`, which are not empty, and tells how many. `until_us`:
  /// monotonic. Errors: timeout, io, wrong_state (something of the peer waits to be received).
  virtual Result<std::size_t> send_some(std::string_view bytes, std::int64_t until_us) = 0;
  /// Waits for the next bytes, at most `bytes`; 0: the peer ended the connection. Errors: timeout,
  /// io.
  virtual Result<std::size_t> receive(char* buffer, std::size_t bytes, std::int64_t until_us) = 0;
  /// Sends all of it. Errors: timeout, io, wrong_state (the peer began to answer in the middle of
  /// it, and may be reading no more).
  Result<void> send(std::string_view bytes, std::int64_t until_us) {
    while (!bytes.empty()) {
      const auto sent = send_some(bytes, until_us);
      if (!sent) return sent.error();
      bytes.remove_prefix(*sent);
    }
    return {};
  }
};

/// Makes connections. Threading: one thread at a time.
class Dialer {
 public:
  virtual ~Dialer() = default;
  /// `host`: name or address. `until_us`: monotonic. Errors: timeout, io (no such host, refused).
  virtual Result<std::unique_ptr<ByteStream>> connect(const std::string& host, std::uint16_t port,
                                                      std::int64_t until_us) = 0;
};

/// TCP of the operating system. A name is asked of the system's resolver, whose own deadlines hold
/// for that; its addresses are tried one after the other, and each gets its share of the time that
/// is left. `clock` outlives what it makes.
std::unique_ptr<Dialer> make_tcp_dialer(const Clock& clock);

}  // namespace tandem::remote
