// Sets of IP addresses: areas of a geofence, lists of networks of any length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/values.hpp"

namespace tandem {

/// Consecutive addresses of one family.
struct TANDEM_EXPORT IpRange {
  IpAddress first, last;  ///< Both belong to it.

  /// Reads "IP", "IP/LENGTH" or "FIRST-LAST". Errors: invalid_argument.
  static Result<IpRange> parse(std::string_view text);
  /// `count` addresses from `first` on. Errors: invalid_argument (none, or beyond the last address
  /// of the family).
  static Result<IpRange> of_count(const IpAddress& first, std::uint64_t count);
  [[nodiscard]] std::string to_string() const;  ///< "IP" or "FIRST-LAST".
  bool operator==(const IpRange&) const noexcept = default;
};

/// A set of addresses, looked up in steps that grow with the logarithm of its size. Copies share
/// their ranges.
///
/// Threading: immutable; any number of threads may call it at once.
class TANDEM_EXPORT IpSet {
 public:
  static constexpr std::size_t ranges_max = 1'000'000;

  IpSet() noexcept = default;  ///< Without any address.
  /// Ranges may overlap. Errors: invalid_argument (one of two families, or of none, or from its end
  /// to its beginning), limit (ranges_max).
  static Result<IpSet> of(std::vector<IpRange> ranges);

  [[nodiscard]] bool contains(const IpAddress& ip) const noexcept;
  [[nodiscard]] bool is_empty() const noexcept { return ranges_ == nullptr; }
  /// In order, without those that touch or overlap.
  [[nodiscard]] const std::vector<IpRange>& ranges() const noexcept;

 private:
  std::shared_ptr<const std::vector<IpRange>> ranges_;
};

}  // namespace tandem
