// The nested parts of a CDR as JSON text, both ways.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/cdr.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// `attempts[]`, `media{}` and `choices[]` of to_json(Cdr).
/// media: `{"relayed": bool, "caller": {…}, "callee": {…}}`, each side with the names of
/// MediaSideStats.
void append_attempts_json(std::string& out, const std::vector<Attempt>& attempts);
void append_media_json(std::string& out, const Cdr& cdr);
/// `choices[]`, made of the text of a record; that text itself when it cannot be read.
void append_choices_json(std::string& out, std::string_view choices);

/// Keys of later releases are skipped. Errors: corrupt.
Result<std::vector<Attempt>> attempts_from_json(std::string_view text);
Result<void> media_from_json(std::string_view text, Cdr& cdr);

/// Length of the well-formed UTF-8 sequence at the start of `text` (RFC 3629 section 4), which is
/// not empty; 0: there is none.
std::size_t utf8_length(std::string_view text) noexcept;

/// A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD: numbers and names come
/// from the network.
void append_json_string(std::string& out, std::string_view text);

}  // namespace tandem::cdr
