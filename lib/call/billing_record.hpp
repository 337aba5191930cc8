// What the journal keeps at answer so that a call cut by a crash can still be charged
// (docs/cdr.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cdr/journal.hpp"
#include "tandem/error.hpp"
#include "tandem/packages.hpp"

namespace tandem::call {

/// `rate_deck` of a side that packages had a price for (B-24).
inline constexpr const char* package_deck = "package";

/// The terms that a call was answered with, each as a CDR carries it; "" for a side that is not
/// rated. With the limits that count it for the customer and the agent.
struct BillingTerms {
  std::string customer, vendor, agent;
  std::vector<LimitUse> limits{};  ///< Told apart by their account; the numbers do not count.
};

/// What the marks of a call say the customer and its agent have lent of packages; "" for nothing.
std::string loans_text(const PackageLoan& customer, const PackageLoan& agent);

std::string encode(const BillingTerms& terms);
/// Lines of text, three with an agent's side, and behind an empty one the limits, when there are
/// some. Errors: corrupt.
Result<BillingTerms> decode_billing_terms(std::string_view bytes);

/// The record of a call that was up when the process died: talk time up to its last mark,
/// `ServerCrash`. A side whose loans cannot be read is charged by its terms without packages, and
/// `unread_loan`, where it is given, says what was wrong. Errors: corrupt (its terms), limit (its
/// charge).
Result<cdr::EndRecord> close_after_crash(const cdr::OpenCall& open,
                                         std::string* unread_loan = nullptr);

}  // namespace tandem::call
