#include "sip/tls_setup.hpp"

#include <utility>

namespace tandem::sip {

void TlsSetup::set_context(std::shared_ptr<const io::TlsContext> context,
                           const HandshakeLimits& limits) {
  const std::lock_guard lock(mutex_);
  limits_ = limits;
  // A reload of something else: what is connected stays as good as it was.
  if (context_ != nullptr && context != nullptr && !context->fingerprint().empty() &&
      context_->fingerprint() == context->fingerprint())
    return;
  context_ = std::move(context);
  generation_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const io::TlsContext> TlsSetup::context() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

HandshakeLimits TlsSetup::limits() const {
  const std::lock_guard lock(mutex_);
  return limits_;
}

const io::TlsPeer* TlsSetup::peer(const TlsName& name) {
  if (name.name.empty() && name.is_verified) return nullptr;
  const std::lock_guard lock(mutex_);
  auto& peers = name.is_verified ? verified_ : unverified_;
  std::string key(name.name);
  const auto known = peers.find(key);
  if (known != peers.end()) return known->second.get();
  if (verified_.size() + unverified_.size() >= peers_max) return nullptr;
  auto made = std::make_unique<const io::TlsPeer>(io::TlsPeer{key, name.is_verified});
  return peers.emplace(std::move(key), std::move(made)).first->second.get();
}

}  // namespace tandem::sip
