// Names of areas, by which gateways choose where numbers may be at home (N-04, N-06).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/error.hpp"

namespace tandem::route {

/// Threading: immutable; any number of threads may call it at once.
class AreaNames {
 public:
  AreaNames() = default;
  /// In any order, each as often as one likes.
  explicit AreaNames(std::vector<std::string> names) : names_(std::move(names)) {
    std::sort(names_.begin(), names_.end());
    names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
  }

  /// REQUIRES: it is one of them.
  [[nodiscard]] std::uint32_t index_of(std::string_view name) const noexcept {
    return static_cast<std::uint32_t>(place_of(name) - names_.begin());
  }
  /// Which are chosen, by their index; nothing chosen: empty. Errors: not_found; `nobody` is how
  /// its text begins.
  Result<std::vector<bool>> choose(const std::vector<std::string>& chosen,
                                   const char* nobody) const {
    std::vector<bool> is_chosen(chosen.empty() ? 0 : names_.size());
    for (const std::string& name : chosen) {
      const auto at = place_of(name);
      if (at == names_.end() || *at != name)
        return Error{ErrorCode::not_found,
                     std::string(nobody) + " had its home in \"" + name + "\""};
      is_chosen[static_cast<std::size_t>(at - names_.begin())] = true;
    }
    return is_chosen;
  }

 private:
  [[nodiscard]] std::vector<std::string>::const_iterator place_of(
      std::string_view name) const noexcept {
    return std::lower_bound(names_.begin(), names_.end(), name);
  }
  std::vector<std::string> names_;  // sorted
};

}  // namespace tandem::route
