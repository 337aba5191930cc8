// External billing (B-26): calls that another system carried, recorded and charged here, each once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tandem/cdr.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/values.hpp"

namespace tandem {

inline constexpr std::size_t flow_number_bytes_max = 128;

/// A call that is over. It is charged by the tariffs of the accounts, at the moment of its arrival,
/// whether they have the money or not: it took place.
struct ExternalCall {
  /// What makes a repetition known for ever; "" or "-1": every request is a call of its own.
  std::string flow_number;
  /// Who pays; "": as for calls that come from `customer_gateway`, the account that the caller is
  /// bound to where the gateway goes by that, else its own (B-04). A call that nobody would pay for
  /// is refused.
  std::string account;
  std::string customer_gateway;     ///< "": none. Needs not be one of this switch when there is an
                                    ///< account.
  std::string vendor_gateway;       ///< "": none; one of this switch, whose account is owed.
  std::string caller, callee;       ///< For billing; the callee is required.
  std::int64_t started_at_us = 0;   ///< Microseconds since 1970 UTC. Required.
  std::int64_t answered_at_us = 0;  ///< 0: not answered, nothing is charged.
  std::int64_t ended_at_us = 0;     ///< Required; not before the others.
  std::optional<std::int64_t> talk_time_ms;  ///< Nothing: from the answer to the end.
  Reason end_reason = Reason::NormalCallClearing;
  int sip_status = 200;
  std::optional<Amount> charge, vendor_charge;  ///< >= 0. Given: these, and no tariff is asked.
  bool is_dry_run = false;
};

/// What became of it.
struct ExternalAnswer {
  std::uint64_t record_id = 0;  ///< 0: a dry run.
  bool is_repeated = false;     ///< It was recorded before; nothing was recorded or charged now.
  std::optional<Cdr> cdr;       ///< Nothing of a repetition.
};
/// One JSON object: record_id repeated cdr.
TANDEM_EXPORT std::string to_json(const ExternalAnswer& answer);

/// A body of POST /api/v1/cdrs. Errors: invalid_argument (begins with the JSON pointer).
TANDEM_EXPORT Result<ExternalCall> parse_external_call(std::string_view json);

/// Texts, times and amounts, apart from what must exist. Errors: invalid_argument.
TANDEM_EXPORT Result<void> check_external_call(const ExternalCall& call);

}  // namespace tandem
