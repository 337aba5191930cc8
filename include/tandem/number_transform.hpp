// Numbers that stand for other numbers: the transform table (N-05) and area codes for mobiles
// (N-04).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// One number and what it is called elsewhere (N-05). Exact matches only.
struct NumberTransform {
  std::string id;               ///< "": the number.
  std::string number;           ///< As the switch routes and bills it.
  std::string customer_caller;  ///< A caller that a customer sends for it; "": none.
  std::string vendor_callee;    ///< What a vendor gets as callee for it; "": the number.
};

/// The transform table of a switch.
///
/// Threading: immutable; any number of threads may call it at once. Copies share one body.
class TANDEM_EXPORT NumberTransforms {
 public:
  NumberTransforms() = default;  ///< Changes nothing.
  /// Errors: invalid_argument (what is no number of R-01, an entry that changes nothing),
  /// already_exists (two entries for one number or one caller).
  static Result<NumberTransforms> build(const std::vector<NumberTransform>& entries);

  /// The number that a customer's caller stands for, or `caller` itself. The view lives as long as
  /// the table and the argument.
  [[nodiscard]] std::string_view from_customer(std::string_view caller) const noexcept;
  /// What a vendor gets for a callee, or `callee` itself. As above.
  [[nodiscard]] std::string_view to_vendor(std::string_view callee) const noexcept;
  [[nodiscard]] bool empty() const noexcept { return body_ == nullptr; }

 private:
  struct Body;
  std::shared_ptr<const Body> body_;
};

/// Mobile numbers that begin with `prefix` have their home in `area` (N-04).
struct MobileArea {
  std::string id;         ///< "": the prefix.
  std::string prefix;     ///< 1..32 characters of R-01; usually seven digits.
  std::string area_code;  ///< 1..32 characters of R-01; goes before the number.
  std::string area;       ///< Name, by which gateways choose.
};

/// Where mobile numbers are at home.
///
/// Threading: immutable; any number of threads may call it at once. Copies share one body.
class TANDEM_EXPORT MobileAreas {
 public:
  MobileAreas() = default;
  /// Errors: invalid_argument (a bad prefix or code, an area without a name), already_exists (a
  /// prefix twice).
  static Result<MobileAreas> build(const std::vector<MobileArea>& entries);

  /// Names of areas as chosen(), to be kept by a gateway. Errors: not_found (no such area).
  Result<std::vector<bool>> choose(const std::vector<std::string>& areas) const;
  /// The area code to put before a number whose home is in a chosen area; "" for none. The longest
  /// prefix counts. The view lives as long as the table.
  [[nodiscard]] std::string_view area_code(std::string_view number,
                                           const std::vector<bool>& chosen) const noexcept;

 private:
  struct Body;
  std::shared_ptr<const Body> body_;
};

}  // namespace tandem
