// What all workers share of one resolver.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "lrn/cache.hpp"
#include "tandem/lrn.hpp"

namespace tandem::lrn {

/// Threading: thread-safe; the configuration is immutable, the cache has its own locks.
struct ResolverState {
  explicit ResolverState(const LrnResolverConfig& settings)
      : config(settings),
        cache(static_cast<std::size_t>(settings.cache_entries),
              std::int64_t{settings.cache_s} * 1'000'000) {}

  const LrnResolverConfig config;
  Cache cache;
  std::atomic<std::uint64_t> cache_hits{0}, coalesced{0}, questions{0}, answers{0}, timeouts{0},
      failures{0}, overflows{0}, under_way{0};
};

/// Equal for resolvers that are asked the same way: a changed one starts with an empty cache.
[[nodiscard]] std::string state_id(const LrnResolverConfig& config);
/// Where the attempt of that number goes; `config` has addresses.
[[nodiscard]] SocketAddress server_of(const LrnResolverConfig& config,
                                      std::size_t attempt) noexcept;
[[nodiscard]] LrnCounters counters_of(const ResolverState& state);

}  // namespace tandem::lrn
