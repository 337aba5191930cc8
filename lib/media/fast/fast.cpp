#include "media/fast/fast.hpp"

namespace tandem::media {

std::optional<std::string> why_not_fast(const MediaConfig&) { return why_not_uring(); }

Result<std::shared_ptr<RelayCore>> start_fast(const MediaConfig& config) {
  return start_uring(config);
}

}  // namespace tandem::media
