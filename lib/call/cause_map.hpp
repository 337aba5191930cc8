// SIP statuses and Q.850 causes as this switch maps them (C-09).
#pragma once

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

}  // namespace tandem::call
