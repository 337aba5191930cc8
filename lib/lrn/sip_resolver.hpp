// Asking a SIP redirect server.
#pragma once

#include <memory>
#include <string_view>
#include <unordered_map>

#include "base/leg.hpp"
#include "lrn/resolver.hpp"

namespace tandem::lrn {

/// 301 and 302 with `rn` or `npdi` in the first Contact are answers (RFC 4694), every other final
/// response refuses; 408 and 5xx count as unreachable.
class SipResolver final : public Resolver, private RedirectEvents {
 public:
  /// `config`, `legs` and `events` outlive the resolver.
  SipResolver(const LrnResolverConfig& config, LegFactory& legs, ResolverEvents& events)
      : config_(config), legs_(legs), events_(events) {}

  [[nodiscard]] bool ask(std::uint64_t id, std::string_view number, unsigned attempt) override;
  void forget(std::uint64_t id) override { queries_.erase(id); }

 private:
  void on_redirect(std::uint64_t id, const Redirect& redirect) override;

  const LrnResolverConfig& config_;
  LegFactory& legs_;
  ResolverEvents& events_;
  std::unordered_map<std::uint64_t, std::unique_ptr<RedirectQuery>> queries_;
};

}  // namespace tandem::lrn
