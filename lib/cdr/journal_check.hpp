// check_journal() over any disk.
#pragma once

#include <string>

#include "cdr/disk.hpp"
#include "tandem/journal_check.hpp"

namespace tandem::cdr {

/// Errors: those of tandem::check_journal().
Result<JournalCheck> check_journal(Disk& disk, const std::string& folder);

}  // namespace tandem::cdr
