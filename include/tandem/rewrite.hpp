// Number rewrite rules: "0:86,00:,*:86*" (N-01..N-03).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tandem/clock.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// What applying rules to one number gave. A value without heap storage.
struct RewrittenNumber {
  enum class Outcome : std::uint8_t {
    unchanged,  ///< No rule matched: `view()` is the number itself.
    rewritten,  ///< `view()` is the new number; it may be empty.
    too_long,   ///< The number or the result had over 32 characters; `view()` is empty. The caller
                ///< refuses the call (customer side) or skips the vendor as NumberRestricted.
  };
  Outcome outcome = Outcome::unchanged;
  std::uint8_t length = 0;
  std::array<char, 32> text{};

  [[nodiscard]] std::string_view view() const noexcept { return {text.data(), length}; }
  [[nodiscard]] bool ok() const noexcept { return outcome != Outcome::too_long; }
};

/// Compiled rewrite rules of one gateway and one kind of number.
///
/// A rule is `source:target[;target...]`, rules are separated by commas. Source: literals
/// `0-9 A-Z a-z + # _`, `?` for any one character, `*` for any run of characters, and conditions on
/// the length of the whole number, `\<n`, `\>n`, `\=n`. A source without `*` is a prefix; one with
/// `*` has to match the whole number (several `*` take the shortest runs, left to right).
///
/// One rule is applied: the one whose source has most literals and `?`; of equal ones the one with
/// more literals, then the first in the text. Without a match the number stays as it is.
///
/// What the source matched is replaced by the target; the rest of the number is kept. In the
/// target `?` is a random digit, `$` the character at the same position of the number, `*` what the
/// source's `*` matched, in order. A source without `*` lets the target place the rest with one
/// `*`. A `?` or `$` at a position beyond the matched part takes one further character off the rest
/// (`$` emits it, `?` a random digit for it); where no character is left, `$` emits nothing. Of
/// several targets one is chosen, each equally likely.
///
/// Threading: immutable; any number of threads may call it at once, each with its own Random.
/// Ownership: copies share one body.
class TANDEM_EXPORT RewriteRules {
 public:
  RewriteRules() noexcept = default;  ///< No rules: changes nothing.

  /// Reads rule text; "" is no rules.
  /// Errors: invalid_argument (naming rule number, from 1, and offset in the text, from 0),
  /// limit (more than 4096 rules, 64 targets of a rule, or 64 KiB of text).
  static Result<RewriteRules> compile(std::string_view text);

  /// Applies the best matching rule to `number`, 0..32 characters. Does not allocate. `random` is
  /// drawn from only when a rule has several targets or a `?` in its target.
  [[nodiscard]] RewrittenNumber apply(std::string_view number, Random& random) const noexcept;

  /// Index of the rule that apply() would use, from 0 in the order of the text.
  [[nodiscard]] std::optional<std::size_t> matching_rule(std::string_view number) const noexcept;

  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] std::string_view text() const noexcept;  ///< What compile() was given.

 private:
  struct Body;
  explicit RewriteRules(std::shared_ptr<const Body> body) noexcept;
  std::shared_ptr<const Body> body_;
};

}  // namespace tandem
