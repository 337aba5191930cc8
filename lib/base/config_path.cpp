#include "tandem/config.hpp"

namespace tandem {

std::string SwitchConfig::path(std::string_view relative) const {
  if (relative.starts_with('/') || relative == ":memory:") return std::string(relative);
  return folder + "/" + std::string(relative);
}

}  // namespace tandem
