// What a running switch and stored records share of questions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "binding.hpp"
#include "tandem/call_reports.hpp"
#include "tandem/cdr_query.hpp"
#include "tandem/maintenance.hpp"

namespace binding {

/// A Python iterator over a cursor; throws its error.
py::object cdr_iterator(tandem::Result<tandem::CdrCursor> cursor);

/// 0 is any. Throws for what is negative.
tandem::CdrGuards guards_of(std::int64_t days_max, std::uint64_t rows_max,
                            std::int64_t time_max_ms);
/// What records hold may be any bytes; what is not UTF-8 shows as U+FFFD.
py::str text_of(const std::string& text);

/// `limit`: nothing is the default. Throws for names and values that do not exist.
tandem::CallReportRequest report_request(const std::string& name, const tandem::CdrQuery& query,
                                         std::optional<std::size_t> limit,
                                         const std::map<std::string, std::string>& options);

/// Throws for names that do not exist.
tandem::MaintenanceAct maintenance_act(const std::string& name);
/// A JSON array.
std::string json_list(const std::vector<tandem::StoredDay>& days);

}  // namespace binding
