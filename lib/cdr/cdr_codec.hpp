// The bytes of a Cdr.
#pragma once

#include <string>
#include <string_view>

#include "tandem/cdr.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// Appends `cdr` without its `record_id`, which is that of the journal record.
/// Form: the format's number, then the fields in the order of the struct; a release adds fields at
/// the end only, of the record, an attempt, a charge or a media side alike, each of which has its
/// length in front.
void encode_cdr(const Cdr& cdr, std::string& out);

/// Errors: corrupt (malformed), unsupported (format of an incompatible later release).
Result<Cdr> decode_cdr(std::string_view bytes);

}  // namespace tandem::cdr
