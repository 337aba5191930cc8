// Input: rule text, a newline, a number. Whatever is accepted keeps its promises on any number.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tandem/clock.hpp"
#include "tandem/rewrite.hpp"
#include "tandem/values.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = input.find('\n');
  const std::string_view text = input.substr(0, line_end);
  const std::string_view number =
      line_end == std::string_view::npos ? std::string_view() : input.substr(line_end + 1);

  const auto rules = tandem::RewriteRules::compile(text);
  if (!rules.ok()) {
    if (rules.error().message.empty()) std::abort();
    return 0;
  }
  if (rules->text() != text) std::abort();
  tandem::SeededRandom first(size), second(size);
  const auto result = rules->apply(number, first);
  const auto rule = rules->matching_rule(number);
  using Outcome = tandem::RewrittenNumber::Outcome;
  if (rule && *rule >= rules->size()) std::abort();
  if (number.size() > 32 && result.outcome != Outcome::too_long) std::abort();
  if (number.size() <= 32 && rule.has_value() == (result.outcome == Outcome::unchanged)) {
    std::abort();
  }
  if (result.outcome == Outcome::unchanged && result.view() != number) std::abort();
  if (result.outcome == Outcome::too_long && !result.view().empty()) std::abort();
  // A number in, a number out.
  if (result.ok() && tandem::is_number(number) && !result.view().empty() &&
      !tandem::is_number(result.view())) {
    std::abort();
  }
  // Equal draws give equal numbers.
  if (rules->apply(number, second).view() != result.view()) std::abort();
  return 0;
}
