#include "tandem/route_choices.hpp"

#include <optional>

#include "base/text.hpp"

namespace tandem {
namespace {

/// What stands before `end`, which is taken too; nothing when it does not come.
std::optional<std::string_view> take_until(std::string_view& text, char end) noexcept {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + 1);
  return taken;
}

template <class Integer>
bool take_number(std::string_view text, Integer& value) noexcept {
  const auto number = parse_integer<Integer>(text);
  if (number) value = *number;
  return number.has_value();
}

/// The two numbers of "3/30".
template <class A, class B>
bool take_pair(std::string_view text, A& first, B& second) noexcept {
  const auto part = take_until(text, '/');
  return part && take_number(*part, first) && take_number(text, second);
}

bool take_key(std::string_view key, RouteChoice& choice) {
  const std::string_view value = key.substr(1);
  switch (key.front()) {
    case 'x':
      choice.is_protect = true;
      return value.empty();
    case 'p':
      return take_number(value, choice.priority);
    case 'l':
      return take_pair(value, choice.load_calls, choice.load_limit);
    case 'a':
      return take_number(value, choice.answer_percent);
    case 'c': {
      std::int64_t units = 0;
      const bool is_read = take_pair(value, units, choice.price_per_s);
      choice.price = Amount::from_units(units);
      return is_read;
    }
    default:
      return !value.empty();  // a key of a later release
  }
}

bool take_outcome(std::string_view outcome, RouteChoice& choice) {
  if (outcome == "tried") return true;
  const std::size_t colon = outcome.find(':');
  const auto reason = reason_from_name(outcome.substr(0, colon));
  if (!reason) return false;
  choice.passed_over = *reason;
  if (colon != std::string_view::npos) choice.rule = outcome.substr(colon + 1);
  return true;
}

bool take_choice(std::string_view& text, RouteChoice& choice) {
  const auto length = take_until(text, ':');
  std::size_t bytes = 0;
  if (!length || !take_number(*length, bytes) || bytes >= text.size() || text[bytes] != ' ')
    return false;
  choice.vendor_gateway = text.substr(0, bytes);
  text.remove_prefix(bytes + 1);
  auto rest = take_until(text, ';');
  if (!rest) return false;
  const auto rank = take_until(*rest, ' ');
  const auto prefix = take_until(*rest, ' ');
  if (!rank || !prefix || !take_number(*rank, choice.rank)) return false;
  if (*prefix != "-") choice.prefix = *prefix;
  while (const auto key = take_until(*rest, ' ')) {
    if (key->empty() || !take_key(*key, choice)) return false;
  }
  return take_outcome(*rest, choice);
}

}  // namespace

void append_route_choice(std::string& out, const RouteCandidate& candidate,
                         std::string_view vendor_gateway, std::int32_t line_limit,
                         Reason passed_over, std::string_view rule) {
  append_integer(out, vendor_gateway.size());
  (out += ':').append(vendor_gateway) += ' ';
  append_integer(out, candidate.rank);
  (out += ' ').append(candidate.prefix.empty() ? "-" : candidate.prefix);
  if (candidate.is_protect) out += " x";
  append_integer(out += " p", candidate.priority);
  // Only a limited vendor has its calls counted for the order.
  append_integer(out += " l", line_limit > 0 ? candidate.load_calls : 0);
  append_integer(out += '/', line_limit);
  if (candidate.answer_percent >= 0) append_integer(out += " a", candidate.answer_percent);
  if (candidate.price_per_s > 0) {
    append_integer(out += " c", candidate.price.units());
    append_integer(out += '/', candidate.price_per_s);
  }
  if (passed_over == Reason::none) {
    out += " tried";
  } else {
    (out += ' ').append(reason_facts(passed_over).name);
    if (!rule.empty()) (out += ':').append(rule);
  }
  out += ';';
}

Result<std::vector<RouteChoice>> parse_route_choices(std::string_view text) {
  std::vector<RouteChoice> choices;
  const std::size_t bytes = text.size();
  while (!text.empty()) {
    const std::size_t at = bytes - text.size();
    if (!take_choice(text, choices.emplace_back())) {
      return Error{ErrorCode::invalid_argument,
                   "no choice of a vendor was at byte " + std::to_string(at)};
    }
  }
  return choices;
}

}  // namespace tandem
