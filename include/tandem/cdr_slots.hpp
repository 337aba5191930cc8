// Sums of calls by five minutes, hours and days (C-11), for reports over more time than anybody
// would read the records of.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tandem/cdr.hpp"
#include "tandem/cdr_query.hpp"
#include "tandem/clock.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

struct SwitchConfig;

/// A sink that keeps sums in "slots.db" in `folder`, which is made when absent: five minutes for 7
/// days, hours for 90 days, days for 3 years, of the days and hours of `timezone` ("": UTC).
/// Reports whose CdrPlace::slots is the folder read them instead of records where they say the same
/// (docs/reports.md); so it stands beside a sink of day files in one journal. `clock` (null: the
/// system's) outlives the sink. Errors: io, already_exists (another process uses the folder),
/// invalid_argument (no such zone; the sums that are there are of another one).
TANDEM_EXPORT Result<std::unique_ptr<CdrSink>> make_cdr_slots_sink(std::string folder,
                                                                   std::string timezone = {},
                                                                   const Clock* clock = nullptr);

/// Makes the sums of `place.slots` anew of the records in its day files, in any zone: for another
/// zone, or where the sink was added late. While no sink has them open. What records do not tell
/// any more, since their days are archived or gone, is in no sum then. All or nothing. The number
/// of records. Blocks. Errors: those of make_cdr_slots_sink() but for the zone that was there, and
/// those of CdrCursor::next().
TANDEM_EXPORT Result<std::uint64_t> rebuild_cdr_slots(const CdrPlace& place,
                                                      const std::string& timezone = {},
                                                      const Clock* clock = nullptr);
/// The same of a configuration: its day files, its slots, its parameter `timezone`. The switch is
/// stopped. Errors: unsupported (it has no sink of type "slots" beside one of day files) too.
TANDEM_EXPORT Result<std::uint64_t> rebuild_cdr_slots(const SwitchConfig& config);

}  // namespace tandem
