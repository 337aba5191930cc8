#include "media/fast/fast.hpp"

#include <utility>

namespace tandem::media {

// Privileges or another kernel help either, and the second needs less.
std::optional<std::string> why_not_fast(const MediaConfig&) {
  const std::optional<std::string> of_steered = why_not_steered();
  if (!of_steered) return std::nullopt;
  const std::optional<std::string> of_uring = why_not_uring();
  if (!of_uring) return std::nullopt;
  return *of_steered + "; " + *of_uring;
}

Result<std::shared_ptr<RelayCore>> start_fast(const MediaConfig& config) {
  std::optional<std::string> why_not = why_not_steered();
  if (!why_not) {
    auto steered = start_steered(config);
    if (steered || steered.error().code != ErrorCode::unsupported) return steered;
    why_not = std::move(steered).error().message;
  }
  return start_uring(config, *why_not);
}

}  // namespace tandem::media
