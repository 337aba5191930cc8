// What all workers share of one resolver.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "http/client.hpp"
#include "lrn/cache.hpp"
#include "tandem/lrn.hpp"

namespace tandem::lrn {

/// Threading: thread-safe; the configuration is immutable, the cache has its own locks.
struct ResolverState {
  explicit ResolverState(const LrnResolverConfig& settings, http::ClientTls how = {})
      : config(settings),
        tls(std::move(how)),
        cache(static_cast<std::size_t>(settings.cache_entries),
              std::int64_t{settings.cache_s} * 1'000'000) {}

  const LrnResolverConfig config;
  const http::ClientTls tls;  ///< Of `config.https`.
  Cache cache;
  std::atomic<std::uint64_t> cache_hits{0}, coalesced{0}, questions{0}, answers{0}, timeouts{0},
      failures{0}, overflows{0}, under_way{0};
};

/// What the files of `config.https` have; `folder`: where relative paths begin. Errors: those of
/// http::open_client_tls().
[[nodiscard]] Result<http::ClientTls> open_tls(const LrnResolverConfig& config,
                                               const std::string& folder);
/// Equal for resolvers that are asked the same way: a changed one starts with an empty cache.
/// `tls`: what the files of `config.https` have; renewed ones are another way.
[[nodiscard]] std::string state_id(const LrnResolverConfig& config,
                                   const http::ClientTls& tls = {});
/// Where the attempt of that number goes; `config` has addresses.
[[nodiscard]] SocketAddress server_of(const LrnResolverConfig& config,
                                      std::size_t attempt) noexcept;
[[nodiscard]] LrnCounters counters_of(const ResolverState& state);

}  // namespace tandem::lrn
