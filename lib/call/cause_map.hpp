// SIP statuses and Q.850 causes as this switch maps them (C-09).
#pragma once

#include "base/leg.hpp"
#include "tandem/config.hpp"

namespace tandem::call {

/// The cause of a failure of that status that names none.
[[nodiscard]] inline int cause_for(const Parameters& parameters, int status) noexcept {
  const int own = replaced_code(parameters.q850_for_sip, status);
  return own != status ? own : q850_for_sip(status);
}

/// What a failure of that status counts as, with the cause that a Reason header named; 0: none.
[[nodiscard]] inline int status_for(const Parameters& parameters, int status, int cause) noexcept {
  const int own = cause > 0 ? replaced_code(parameters.sip_for_q850, cause) : 0;
  return own != cause ? own : status;
}

/// What it counts as that a try failed so.
[[nodiscard]] inline Reason reason_of(const Failure& failure) noexcept {
  if (!failure.is_local) return reason_for_response(failure.status);
  if (failure.is_transport)
    return failure.is_untrusted ? Reason::CertificateRefused : Reason::VendorFailure;
  return failure.status == 408 ? Reason::ConnectionTimeout : Reason::VendorFailure;
}

}  // namespace tandem::call
