#include "lrn/enum_resolver.hpp"

#include <algorithm>
#include <tuple>
#include <vector>

#include "base/text.hpp"
#include "lrn/naptr_rule.hpp"
#include "lrn/number.hpp"
#include "lrn/resolver_state.hpp"

namespace tandem::lrn {
namespace {

using io::dns::NamingAuthority;
using io::dns::RecordType;

constexpr std::size_t usable_max = 8;  // records of an answer whose rules are tried

/// The text up to `end`, or all of it; `rest` loses it and the end.
std::string_view take_until(std::string_view& rest, char end) noexcept {
  const std::size_t at = rest.find(end);
  const std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return part;
}

/// True when one of the services says where calls to the number go (RFC 6116 section 3.4.3,
/// RFC 3764, RFC 3966, RFC 4769).
bool is_for_calls(std::string_view services) noexcept {
  if (!equals_ignoring_case(take_until(services, '+'), "E2U")) return false;
  while (!services.empty()) {
    std::string_view service = take_until(services, '+');
    const std::string_view type = take_until(service, ':');
    for (const std::string_view known : {"pstn", "sip", "tel"}) {
      if (equals_ignoring_case(type, known)) return true;
    }
  }
  return false;
}

/// The parameters of a tel, sip or sips URI: behind the number, and of the other two also behind
/// the host. Nothing: another URI.
std::optional<std::string> params_of(std::string_view uri) {
  const std::string_view scheme = take_until(uri, ':');
  if (equals_ignoring_case(scheme, "tel")) {
    (void)take_until(uri, ';');
    return std::string(uri);
  }
  if (!equals_ignoring_case(scheme, "sip") && !equals_ignoring_case(scheme, "sips"))
    return std::nullopt;
  if (uri.find('@') == std::string_view::npos) return std::nullopt;
  std::string_view user = take_until(uri, '@');
  std::string_view host = take_until(uri, '?');
  (void)take_until(user, ';');
  (void)take_until(host, ';');
  return std::string(user) + ';' + std::string(host);
}

/// Nothing: the URI does not speak of portability.
std::optional<LrnRecord> record_of_uri(std::string_view uri, std::string_view region_key) {
  const auto params = params_of(uri);
  if (!params) return std::nullopt;
  std::string_view routing_number, region;
  bool is_dipped = false;
  for (std::string_view rest = *params; !rest.empty();) {
    std::string_view value = take_until(rest, ';');
    const std::string_view name = take_until(value, '=');
    if (equals_ignoring_case(name, "npdi")) is_dipped = true;
    if (equals_ignoring_case(name, "rn") && routing_number.empty()) routing_number = value;
    if (!region_key.empty() && equals_ignoring_case(name, region_key) && region.empty())
      region = value;
  }
  if (!is_dipped && routing_number.empty()) return std::nullopt;
  return make_record(routing_number, region);
}

/// The number that a name of enum_name() was made of, with '+' (RFC 6116 section 3.1). The suffix
/// may begin with a digit, too.
std::optional<std::string> number_of_name(std::string_view name, std::string_view suffix) {
  if (name.size() <= suffix.size() ||
      !equals_ignoring_case(name.substr(name.size() - suffix.size()), suffix))
    return std::nullopt;
  name.remove_suffix(suffix.size());
  std::string number;
  while (name.size() >= 2 && name[0] >= '0' && name[0] <= '9' && name[1] == '.') {
    number += name[0];
    name.remove_prefix(2);
  }
  if (!name.empty() || number.empty() || number.size() > 32) return std::nullopt;
  number += '+';
  std::reverse(number.begin(), number.end());
  return number;
}

}  // namespace

EnumResolver::EnumResolver(const LrnResolverConfig& config, io::Loop& loop, Random& random,
                           ResolverEvents& events)
    : config_(config), events_(events), client_(loop, random, *this) {}

bool EnumResolver::ask(std::uint64_t id, std::string_view number, unsigned attempt) {
  if (config_.addresses.empty()) return false;
  auto name = enum_name(number, config_.suffix);
  return name &&
         client_.ask(id, server_of(config_, attempt), {std::move(*name), RecordType::naptr});
}

void EnumResolver::forget(std::uint64_t id) { client_.forget(id); }

void EnumResolver::on_dns_answer(std::uint64_t id, const io::dns::Response& response) {
  if (response.code != io::dns::Response::no_error) {
    // Any other code than that there is no such name is one server's inability.
    const bool is_no = response.code == io::dns::Response::name_error;
    events_.on_attempt_end(id, is_no ? AttemptEnd::refused : AttemptEnd::unreachable, std::nullopt,
                           "DNS code " + std::to_string(response.code));
    return;
  }
  const auto record = record_from_naptr(response, config_.suffix, config_.region_key);
  events_.on_attempt_end(id, record ? AttemptEnd::answered : AttemptEnd::refused, record,
                         record ? "" : "no NAPTR record had rn or npdi");
}

void EnumResolver::on_dns_failure(std::uint64_t id, std::string_view reason) {
  events_.on_attempt_end(id, AttemptEnd::unreachable, std::nullopt, reason);
}

std::optional<std::string> enum_name(std::string_view number, std::string_view suffix) {
  if (number.starts_with('+')) number.remove_prefix(1);
  if (number.empty()) return std::nullopt;
  std::string name;
  for (auto digit = number.rbegin(); digit != number.rend(); ++digit) {
    if (*digit < '0' || *digit > '9') return std::nullopt;
    name += *digit;
    name += '.';
  }
  name += suffix;
  if (!io::dns::is_name(name)) return std::nullopt;
  return name;
}

std::optional<LrnRecord> record_from_naptr(const io::dns::Response& response,
                                           std::string_view suffix, std::string_view region_key) {
  const auto number = number_of_name(response.question.name, suffix);
  if (!number) return std::nullopt;
  std::vector<const NamingAuthority*> usable;
  const io::dns::Chain chain =
      io::dns::follow_aliases(response, response.question.name, RecordType::naptr);
  for (const io::dns::Record* record : chain.records) {
    const auto* authority = std::get_if<NamingAuthority>(&record->data);
    if (equals_ignoring_case(authority->flags, "u") && authority->replacement.empty() &&
        is_for_calls(authority->services))
      usable.push_back(authority);
  }
  std::stable_sort(usable.begin(), usable.end(), [](const auto* a, const auto* b) {
    return std::tie(a->order, a->preference) < std::tie(b->order, b->preference);
  });
  if (usable.size() > usable_max) usable.resize(usable_max);
  int steps_left = naptr_steps_max;
  for (const NamingAuthority* authority : usable) {
    const auto uri = apply_naptr_rule(authority->regexp, *number, steps_left);
    if (!uri) continue;
    if (auto record = record_of_uri(*uri, region_key)) return record;
  }
  return std::nullopt;
}

}  // namespace tandem::lrn
