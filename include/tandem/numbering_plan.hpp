// What a number is by its first digits and its length (N-06).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

enum class NumberKind : std::uint8_t { other, city, mobile };
/// "other", "city", "mobile". Lives for ever.
TANDEM_EXPORT const char* number_kind_name(NumberKind kind) noexcept;
/// Nothing for any other text.
TANDEM_EXPORT std::optional<NumberKind> number_kind_from_name(std::string_view name) noexcept;

/// Numbers that begin with `prefix` and are as long as it says.
struct NumberingPlanEntry {
  std::string id;      ///< "": the prefix.
  std::string prefix;  ///< 1..32 characters of R-01.
  NumberKind kind = NumberKind::other;
  std::string area;     ///< Where such numbers are at home; "": nobody asks.
  int min_length = 1;   ///< Characters of the whole number, 1..32.
  int max_length = 32;  ///< min_length..32.
};

/// The numbering plan of a switch. The longest prefix counts; a number that no entry has a prefix
/// of is of the kind `other`.
///
/// Threading: immutable; any number of threads may call it at once. Copies share one body.
class TANDEM_EXPORT NumberingPlan {
 public:
  static constexpr std::uint32_t no_area = 0xffffffff;
  struct Class {
    NumberKind kind = NumberKind::other;
    bool is_plausible = true;      ///< As long as numbers of its prefix are.
    std::uint32_t area = no_area;  ///< Index as in choose().
  };

  NumberingPlan() = default;  ///< Knows no number.
  /// Errors: invalid_argument (a bad prefix, lengths out of their range), already_exists (a prefix
  /// twice).
  static Result<NumberingPlan> build(const std::vector<NumberingPlanEntry>& entries);

  [[nodiscard]] Class classify(std::string_view number) const noexcept;
  /// Which areas are named, by their index. Errors: not_found (no entry has such an area).
  Result<std::vector<bool>> choose(const std::vector<std::string>& areas) const;
  [[nodiscard]] bool empty() const noexcept { return body_ == nullptr; }

 private:
  struct Body;
  std::shared_ptr<const Body> body_;
};

}  // namespace tandem
