// What tests of the configuration look at: where the errors of a reading are.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tandem/config.hpp"

namespace tandem {

using Pointers = std::vector<std::string>;

/// The JSON pointers of all errors, sorted.
inline Pointers pointers(const ConfigReading& reading) {
  Pointers found;
  for (const auto& error : reading.errors)
    found.push_back(error.pointer);
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace tandem
