// What the journal keeps at answer so that a call cut by a crash can still be charged
// (docs/cdr.md).
#pragma once

#include <string>
#include <string_view>

#include "cdr/journal.hpp"
#include "tandem/error.hpp"
#include "tandem/rating.hpp"

namespace tandem::call {

/// The prices a call was answered with.
struct BillingTerms {
  bool has_customer_rate = false;
  bool has_vendor_rate = false;
  Rate customer_rate, vendor_rate;
  FeeRules rules;
};

std::string encode(const BillingTerms& terms);
/// Errors: corrupt.
Result<BillingTerms> decode_billing_terms(std::string_view bytes);

/// The record of a call that was up when the process died: talk time up to its last mark,
/// `ServerCrash`. Errors: corrupt (its terms), limit (its charge).
Result<cdr::EndRecord> close_after_crash(const cdr::OpenCall& open);

}  // namespace tandem::call
