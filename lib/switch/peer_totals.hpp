// The question of one switch to the one at the other end of an interconnect (B-27).
#pragma once

#include <string>

#include "tandem/config.hpp"
#include "tandem/reconciliation.hpp"

namespace tandem {

/// The bytes of the request. Of the query only the period counts.
[[nodiscard]] std::string peer_totals_request(const ReconciliationPeer& peer,
                                              const InterconnectQuery& query);

}  // namespace tandem
