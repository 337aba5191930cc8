// The short numbers of an account (T-15).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/config.hpp"

namespace tandem::call {

/// Threading: immutable; any number of threads may call it at once.
class PhoneBook {
 public:
  explicit PhoneBook(const std::vector<ShortNumber>& entries) {
    for (const ShortNumber& entry : entries) {
      by_short_.emplace(entry.short_number, entry.number);
      by_number_.emplace(entry.number, entry.short_number);
    }
  }

  /// What a short number stands for; "": nothing.
  [[nodiscard]] std::string_view number_of(std::string_view dialled) const {
    return find(by_short_, dialled);
  }
  /// The first short number that a number has; "": none.
  [[nodiscard]] std::string_view short_of(std::string_view number) const {
    return find(by_number_, number);
  }

 private:
  using Names = std::map<std::string, std::string, std::less<>>;
  [[nodiscard]] static std::string_view find(const Names& names, std::string_view key) {
    const auto found = names.find(key);
    return found == names.end() ? std::string_view() : std::string_view(found->second);
  }

  Names by_short_, by_number_;
};

}  // namespace tandem::call
