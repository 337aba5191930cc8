// What the workers of a stack share of TLS.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/leg.hpp"
#include "io/tls.hpp"

namespace tandem::sip {

/// Threading: thread-safe; the mutex guards all members and is held for a look-up only.
class TlsSetup {
 public:
  static constexpr std::size_t peers_max = 65'536;

  /// A context of the fingerprint of the one that holds changes nothing but the limits.
  void set_context(std::shared_ptr<const io::TlsContext> context, const HandshakeLimits& limits);
  /// Null: there is none.
  [[nodiscard]] std::shared_ptr<const io::TlsContext> context() const;
  [[nodiscard]] HandshakeLimits limits() const;
  /// Counts the contexts that there were. Asked before context() it is never too new for it.
  [[nodiscard]] std::uint64_t generation() const noexcept {
    return generation_.load(std::memory_order_acquire);
  }

  /// For Path::tls_peer; lives as long as this. Names come from the configuration, so there are
  /// few. Null: the address of the peer is its name; so it is for names beyond `peers_max`, which
  /// then fail rather than pass.
  [[nodiscard]] const io::TlsPeer* peer(const TlsName& name);

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const io::TlsContext> context_;
  HandshakeLimits limits_;
  std::atomic<std::uint64_t> generation_{0};
  std::unordered_map<std::string, std::unique_ptr<const io::TlsPeer>> verified_, unverified_;
};

}  // namespace tandem::sip
