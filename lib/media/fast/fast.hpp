// The two kinds of the fast backend.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "media/relay.hpp"

namespace tandem::media {

/// io_uring, which needs no privilege, but Linux 6.12. Nothing: it can be used here.
std::optional<std::string> why_not_uring();
/// `why_not_faster`: why the other kind could not be used, for how() of the relay.
Result<std::shared_ptr<RelayCore>> start_uring(const MediaConfig& config,
                                               std::string why_not_faster = {});

/// sk_lookup and raw sockets, which need CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF. Nothing: it can be
/// used here.
std::optional<std::string> why_not_steered();
Result<std::shared_ptr<RelayCore>> start_steered(const MediaConfig& config);

/// The faster of those that can be used. `how()` of the relay says which one it is, and why not the
/// other.
std::optional<std::string> why_not_fast(const MediaConfig& config);
Result<std::shared_ptr<RelayCore>> start_fast(const MediaConfig& config);

}  // namespace tandem::media
