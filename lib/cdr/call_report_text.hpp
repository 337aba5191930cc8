// A cell of a report as text.
#pragma once

#include <string>

#include "tandem/call_reports.hpp"

namespace tandem::cdr {

/// As people and CSV have it; "" for nothing.
std::string cell_text(const ReportCell& cell);

}  // namespace tandem::cdr
