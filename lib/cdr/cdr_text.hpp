// CDRs as lines of text files.
#pragma once

#include <string>

#include "tandem/cdr.hpp"

namespace tandem::cdr {

/// The first `columns` of to_csv_row(); columns are only ever added at the end.
std::string to_csv_row(const Cdr& cdr, std::size_t columns);
/// How many columns rows have in a file that begins with `text`: as many as its header when that is
/// one of a former version, else all.
std::size_t csv_columns_under(std::string_view text);

/// The 18 fields of C-04 without line end; '|', CR and LF inside a field become a space. Times are
/// milliseconds since 1970 UTC, the hold time whole seconds (B-08 with its default), the end reason
/// `end_code`, the end direction 0 caller, 1 callee, 2 server. Fields 16 and 17 (billing method and
/// mode, B-04) are 0: the caller's side pays.
std::string to_pipe_row(const Cdr& cdr);

}  // namespace tandem::cdr
