// Answers of servers as records.
#pragma once

#include <optional>
#include <string_view>

#include "tandem/lrn.hpp"

namespace tandem::lrn {

/// Visual separators are taken out of the number (RFC 3966 section 5.1.1). Nothing when what is
/// left is no LRN, or the region is too long or not printable. An empty number: not ported.
[[nodiscard]] std::optional<LrnRecord> make_record(std::string_view routing_number,
                                                   std::string_view region);

/// Reads the JSON object that an HTTP server answers with. `lrn_key`, `region_key`: a key or a JSON
/// pointer. The number is a text or an integer, absent or null when it was not ported; so the
/// region, when it is unknown. Nothing when that is not what the bytes say.
[[nodiscard]] std::optional<LrnRecord> record_from_json(std::string_view json,
                                                        std::string_view lrn_key,
                                                        std::string_view region_key);

}  // namespace tandem::lrn
