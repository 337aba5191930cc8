// The substitutions of NAPTR records.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::lrn {

inline constexpr std::size_t naptr_result_bytes_max = 512;
inline constexpr int naptr_steps_max = 5'000;  ///< Of an answer; a rule in use takes below 200.

/// What `rule` makes of `subject` (RFC 3402 section 3.2): `!ERE!replacement!`, with any delimiter,
/// and `i` behind it for either case. Of extended regular expressions that is characters, `.`,
/// brackets with ranges, groups, `* + ? {m,n}` behind what is no group, `^` and `$`; the
/// replacement has `\1` to `\9`. Nothing when the rule is none of these, or does not match, or
/// gives more than `naptr_result_bytes_max`.
///
/// Answers of name servers are outside bytes: the work is bounded whatever the rule is. What it
/// takes is taken from `steps_left`, which all rules of an answer share and begins at
/// `naptr_steps_max`; nothing matches when none are left. `subject`: at most 64 characters.
[[nodiscard]] std::optional<std::string> apply_naptr_rule(std::string_view rule,
                                                          std::string_view subject,
                                                          int& steps_left);

}  // namespace tandem::lrn
